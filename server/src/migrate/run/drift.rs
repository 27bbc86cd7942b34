//! The watch over documents and lines. From the end of a migration's copy on it walks the declared collections again
//! and again for documents that somebody wrote with old ids, and for owners who had documents and have none; from the
//! cut-over on it says which old ids log lines are looked through for. Where no migration was, or the last one was
//! taken back, it looks for owners who lost everything, and, where the settings say that writers know new ids
//! already, for new documents with old ones. While a migration is at work it waits: what moves then, moves on purpose.
//!
//! It holds no lease and writes no document: it reads, tells, and notes in a ledger what it told. What is told
//! is noted only afterwards, so that a crash between both tells it again. One page is in memory, beside the ids
//! of the plan.

mod round;

use std::sync::Arc;
use std::time::Duration;

use stella_protocol::migration::{Phase, PhaseName};
use stella_protocol::{MigrationId, MigrationStatus, Timestamp};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::ledger::{Ledger, LedgerError};
use super::site::{Ended, Site, apart, mapping};
use crate::hub::HubError;
use crate::migrate::drift::Since;
use crate::migrate::drift::said::OldIds;
use crate::migrate::{Mapping, MigrationState, Plan};
use round::{Round, Writers};

/// What is walked over, and what it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    /// A store that nobody migrated since this migration, by its number (0: ever) was taken back.
    Standing(u64),
    /// What this migration left: it is verified, and not cut over yet.
    Copied(MigrationId),
    /// The same, cut over.
    CutOver(MigrationId),
}

impl Of {
    /// What there is to be watched now.
    fn now(site: &Site) -> Option<Self> {
        let states = site.hub.migrations();
        let ours = || states.iter().rev().map(|state| &state.migration).filter(|one| one.target == site.target);
        let after = ours().find_map(|migration| match migration.status {
            MigrationStatus::Verified => Some(Self::Copied(migration.id.clone())),
            MigrationStatus::CuttingOver | MigrationStatus::Soaking | MigrationStatus::Completed => {
                Some(Self::CutOver(migration.id.clone()))
            }
            _ => None,
        });
        let wrote = |phase: &Phase| phase.name == PhaseName::Canary;
        let last = ours().find(|migration| migration.phases.iter().any(wrote));
        let standing = || Self::Standing(last.map_or(0, |migration| number(&migration.id)));
        after.or_else(|| site.pace.standing.map(|_| standing()))
    }

    fn migration(&self) -> Option<&MigrationId> {
        match self {
            Self::Standing(_) => None,
            Self::Copied(id) | Self::CutOver(id) => Some(id),
        }
    }

    fn since(&self) -> Since<'_> {
        match self {
            Self::Standing(_) => Since::LastLook,
            Self::Copied(id) => Since::Copy(id),
            Self::CutOver(id) => Since::CutOver(id),
        }
    }

    /// From the end of one walk to the next.
    fn every(&self, site: &Site) -> Duration {
        match self {
            Self::Standing(_) => site.pace.standing.unwrap_or(site.pace.drift),
            Self::Copied(_) | Self::CutOver(_) => site.pace.drift,
        }
    }
}

/// The number in an id of a migration.
fn number(id: &MigrationId) -> u64 {
    id.as_str().trim_start_matches(MigrationId::PREFIX).parse().unwrap_or(0)
}

/// A migration moves ids in the store.
fn is_at_work(site: &Site) -> bool {
    let is = |state: &Arc<MigrationState>| {
        let migration = &state.migration;
        let rests = matches!(migration.status, MigrationStatus::Verified | MigrationStatus::CuttingOver);
        migration.target == site.target && migration.status.holds_the_store() && !rests
    };
    site.hub.migrations().iter().any(is)
}

/// The watch.
pub struct Drift {
    site: Arc<Site>,
    /// Of which migration lines are looked through for old ids.
    looks_for: Option<MigrationId>,
    walked: Option<(Of, Moment)>,
}

/// When a walk was.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    clock: Timestamp,
}

impl Drift {
    /// One that has done nothing yet.
    pub fn new(site: Arc<Site>) -> Self {
        Self { site, looks_for: None, walked: None }
    }

    /// Watches until it is told to end. Only a walk is broken off: uses that were taken are kept first.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                looked = self.look_for() => tell(looked),
            }
            tell(self.keep_uses().await);
            let idle = self.site.pace.idle;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = async { tell(self.walk().await); sleep(idle).await } => {}
            }
        }
        if let Err(ended) = self.keep_uses().await {
            let why = format!("{ended:?}").escape_debug().to_string();
            tracing::warn!(why, "which old ids were used last is not kept");
        }
    }

    /// Walks, if it is time for it.
    pub(super) async fn walk(&mut self) -> Result<(), Ended> {
        let Some(of) = Of::now(&self.site).filter(|_| !is_at_work(&self.site)) else { return Ok(()) };
        if self.walked.as_ref().is_some_and(|(walked, when)| same_ledger(walked, &of) && !self.is_due(&of, *when)) {
            return Ok(());
        }
        // Also one that does not get through waits for its turn.
        self.walked = Some((of.clone(), self.moment()));
        match &of {
            Of::Standing(last) => self.walk_standing(&of, *last).await?,
            Of::Copied(id) | Of::CutOver(id) => {
                let ledger = ledger(&self.site, id).await?;
                let plan = plan(&ledger).await?;
                let mapping = apart(move || mapping(&plan)).await?;
                let site = Arc::clone(&self.site);
                Round::begin(site, of.clone(), (ledger, mapping), Writers::Since).await?.walk().await?;
            }
        }
        self.walked = Some((of, self.moment()));
        Ok(())
    }

    fn moment(&self) -> Moment {
        Moment { at: Instant::now(), clock: self.site.clock.now() }
    }

    /// Where no migration was, a walk is kept for the next process: the clock of both counts.
    fn is_due(&self, of: &Of, when: Moment) -> bool {
        match of {
            Of::Standing(_) => !self.is_fresh(of, when.clock),
            Of::Copied(_) | Of::CutOver(_) => when.at.elapsed() >= of.every(&self.site),
        }
    }

    fn is_fresh(&self, of: &Of, walked: Timestamp) -> bool {
        let every = i64::try_from(of.every(&self.site).as_millis()).unwrap_or(i64::MAX);
        (0..every).contains(&self.site.clock.now().since(walked))
    }

    /// Walks when the last walk, of this process or one before, is long enough ago.
    async fn walk_standing(&self, of: &Of, last: u64) -> Result<(), Ended> {
        let site = Arc::clone(&self.site);
        let ledger = apart(move || Ok(site.standing_ledger()?)).await?;
        let stood = ask(&ledger, move |ledger| ledger.stands_since(last)).await?;
        if stood.walked.is_some_and(|walked| self.is_fresh(of, walked)) {
            return Ok(());
        }
        let writers = match (self.site.watch_writers, stood.guarded) {
            (false, _) => Writers::Unwatched,
            (true, false) => Writers::Noted,
            (true, true) => Writers::New,
        };
        if writers == Writers::Noted {
            ask(&ledger, Ledger::forget_told).await?;
        }
        Round::begin(Arc::clone(&self.site), of.clone(), (ledger, Mapping::default()), writers).await?.walk().await
    }

    /// Says which old ids lines are looked through for: those of the migration that was cut over last.
    pub(super) async fn look_for(&mut self) -> Result<(), Ended> {
        let states = self.site.hub.migrations();
        let cut = states.into_iter().rev().find(|state| is_cut_over(&self.site, state));
        let id = cut.as_ref().map(|state| state.migration.id.clone());
        if self.looks_for != id {
            let old_ids = match &cut {
                Some(state) => Some(Arc::new(old_ids(&self.site, state).await?)),
                None => None,
            };
            self.site.hub.look_for(old_ids);
            self.looks_for = id;
        }
        Ok(())
    }
}

impl Drift {
    /// Keeps which old ids were used since it was asked last.
    pub(super) async fn keep_uses(&self) -> Result<(), Ended> {
        let Some(old_ids) = self.site.hub.old_ids() else { return Ok(()) };
        let used = Arc::new(old_ids.take_used());
        if used.is_empty() {
            return Ok(());
        }
        let (known, ids) = (ledger(&self.site, old_ids.migration()).await, Arc::clone(&used));
        let kept = match known {
            Ok(ledger) => ask(&ledger, move |ledger| ledger.add_uses(&ids)).await,
            Err(ended) => Err(ended),
        };
        if kept.is_err() {
            // They are not lost by a moment without a ledger.
            used.iter().for_each(|(id, used)| old_ids.remember(id, *used));
        }
        kept
    }
}

fn tell(looked: Result<(), Ended>) {
    match looked {
        // A migration began, or was taken back: the next walk is of what stands then.
        Ok(()) | Err(Ended::Lost) => {}
        Err(ended) => {
            let why = format!("{ended:?}").escape_debug().to_string();
            tracing::warn!(why, "the watch over the documents did not get through: it begins again");
        }
    }
}

fn same_ledger(one: &Of, other: &Of) -> bool {
    match (one, other) {
        (Of::Standing(one), Of::Standing(other)) => one == other,
        _ => one.migration().is_some() && one.migration() == other.migration(),
    }
}

/// It was cut over and not taken back.
fn is_cut_over(site: &Site, state: &MigrationState) -> bool {
    let migration = &state.migration;
    let cut = matches!(migration.status, MigrationStatus::Soaking | MigrationStatus::Completed);
    cut && migration.target == site.target
}

async fn plan(ledger: &Arc<Ledger>) -> Result<Plan, Ended> {
    let plan = ask(ledger, Ledger::plan).await?;
    plan.map(|(plan, _)| plan).ok_or_else(|| Ended::broke("its ledger has no plan"))
}

async fn ask<T: Send + 'static>(
    ledger: &Arc<Ledger>,
    what: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Ended> {
    let ledger = Arc::clone(ledger);
    apart(move || Ok(what(&ledger)?)).await
}

async fn ledger(site: &Arc<Site>, id: &MigrationId) -> Result<Arc<Ledger>, Ended> {
    let (site, id) = (Arc::clone(site), id.clone());
    apart(move || site.known_ledger(&id)?.ok_or_else(|| Ended::broke("it has no ledger"))).await
}

async fn old_ids(site: &Arc<Site>, state: &MigrationState) -> Result<OldIds, Ended> {
    let migration = &state.migration;
    let plan = plan(&ledger(site, &migration.id).await?).await?;
    let soak = migration.phases.iter().find(|phase| phase.name == PhaseName::Soak);
    let since = soak.map_or_else(|| site.clock.now(), |phase| phase.started_at);
    let (id, map) = (migration.id.clone(), Arc::clone(&site.map));
    apart(move || Ok(OldIds::new(id, since, &plan, &map))).await
}

impl From<HubError> for Ended {
    fn from(error: HubError) -> Self {
        Self::because(&error)
    }
}
