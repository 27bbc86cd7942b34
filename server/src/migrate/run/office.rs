//! Answers what people ask of migrations: from the ledgers, and what one person sees from the store itself.
//!
//! Nothing here steps a migration, and nothing writes a document.

mod sight;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stella_protocol::migration::{
    Alias, CollectionPage, DecisionPage, DecisionRequest, DualRead, LogPage, MappingPage, MappingRow, OldIdUse,
    OrphanPage, PhaseName, PhaseState, Report, TroublePage, UserCheck,
};
use stella_protocol::{Code, Migration, MigrationId, MigrationStatus, Principal, Text};

use super::desk::{Entered, MigrationDesk, Place, Said};
use super::ledger::{Decide, Ledger, LedgerError};
use super::site::{Ended, Site, apart};
use crate::migrate::{Draft, Email, Refusal, form};
use crate::store::MigrationQuery;
use sight::Sight;

/// Rows that are read at once where all are wanted.
const PAGE: usize = 500;
/// Most rows of each kind in a report: what is beyond stands on the pages.
const REPORTED: usize = 10_000;
/// Ended migrations whose aliases are looked for.
const ENDED: u32 = 100;

/// Asks the application whether it reads both ids.
pub trait Probe: Send + Sync {
    /// True when it says so; false when it does not, or cannot be asked.
    fn reads_both_ids(&self) -> BoxFuture<'_, bool>;
}

/// The desk.
pub struct Office {
    site: Arc<Site>,
    probe: Option<Arc<dyn Probe>>,
}

impl Office {
    /// Of a site; without a probe, people state that readers understand both ids.
    pub fn new(site: Arc<Site>, probe: Option<Arc<dyn Probe>>) -> Self {
        Self { site, probe }
    }

    /// Asks the ledger of a migration; None: it was not looked at yet.
    async fn ask<T: Send + 'static>(
        &self,
        id: &MigrationId,
        what: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<Option<T>, Refusal> {
        let (site, id) = (Arc::clone(&self.site), id.clone());
        let asked =
            tokio::task::spawn_blocking(move || site.known_ledger(&id)?.map(|ledger| what(&ledger)).transpose());
        match asked.await {
            Ok(answer) => answer.map_err(|error| refused(&error)),
            Err(_) => Err(Refusal::new(Code::Internal, "the ledger could not be asked")),
        }
    }

    /// The rows of whoever has this id or e-mail.
    async fn ids_of(&self, id: &MigrationId, who: &str) -> Result<Vec<MappingRow>, Refusal> {
        let mut asked = vec![who.to_owned()];
        if let Some(email) = Email::parse(who) {
            asked.push(email.as_str().to_owned());
            asked.push(email.derived());
        }
        asked.push(form::folded(who).into_owned());
        asked.push(who.to_lowercase());
        let rows = self.ask(id, move |ledger| {
            for one in asked {
                let rows = ledger.ids_of(&one)?;
                if !rows.is_empty() {
                    return Ok(rows);
                }
            }
            Ok(Vec::new())
        });
        Ok(rows.await?.unwrap_or_default())
    }

    async fn sight(&self, id: &MigrationId) -> Result<Option<Sight>, Refusal> {
        let Some(plan) = self.ask(id, Ledger::plan).await?.flatten() else { return Ok(None) };
        let (at, of) = (Arc::clone(&self.site), id.clone());
        let ledger = apart(move || Ok(at.ledger(&of)?)).await.map_err(|ended| broke(&ended))?;
        Sight::look(&self.site, &plan.0, ledger).await.map(Some).map_err(|ended| broke(&ended))
    }

    async fn seen_by(&self, id: &MigrationId, who: &str) -> Result<UserCheck, Refusal> {
        let rows = self.ids_of(id, who).await?;
        let Some(user) = rows.first().map(|row| row.to.clone()) else {
            return Err(Refusal::new(Code::NotFound, "nobody in its plan has this id or e-mail"));
        };
        let sight = self.sight(id).await?;
        let sight = sight.ok_or_else(|| Refusal::new(Code::NotFound, "it was not planned yet"))?;
        Ok(self.with_uses(id, vec![sight.of(user.raw(), &rows)]).await?.remove(0))
    }

    /// The same with the old ids of theirs that were used since the cut-over.
    async fn with_uses(&self, id: &MigrationId, mut users: Vec<UserCheck>) -> Result<Vec<UserCheck>, Refusal> {
        let old: Vec<Vec<Text>> = users.iter().map(|user| user.old_ids.clone()).collect();
        let found = self.ask(id, move |ledger| old.iter().map(|ids| ledger.uses_of(ids)).collect());
        let found: Vec<Vec<OldIdUse>> = found.await?.unwrap_or_default();
        for (user, old_id_uses) in users.iter_mut().zip(found) {
            user.old_id_uses = old_id_uses;
        }
        Ok(users)
    }

    async fn reported(&self, migration: Migration) -> Result<Report, Refusal> {
        let id = migration.id.clone();
        let collections = self.ask(&id, |ledger| all(|after| pair(ledger.collections(after, PAGE)))).await?;
        let orphans = self.ask(&id, |ledger| all(|after| pair(ledger.orphans(after, PAGE)))).await?;
        let troubles = self.ask(&id, |ledger| all(|after| pair(ledger.troubles(after, PAGE)))).await?;
        let mapping = self.ask(&id, |ledger| all(|after| pair(ledger.mapping(after, PAGE)))).await?;
        let users = match self.sight(&id).await? {
            Some(sight) => self.with_uses(&id, sight.all(&mapping.unwrap_or_default())).await?,
            None => Vec::new(),
        };
        let reconciliation = reconciled(&migration, &users);
        Ok(Report {
            migration,
            collections: collections.unwrap_or_default(),
            users,
            orphans: orphans.unwrap_or_default(),
            troubles: troubles.unwrap_or_default(),
            reconciliation,
        })
    }

    async fn alias_of(&self, old: &str) -> Result<Option<Alias>, Refusal> {
        let (site, limit) = (Arc::clone(&self.site), ENDED);
        let known = tokio::task::spawn_blocking(move || {
            let cut = [MigrationStatus::CuttingOver, MigrationStatus::Soaking, MigrationStatus::Completed];
            site.hub.migration_history(&MigrationQuery { status: cut.to_vec(), after: None, limit })
        });
        let unread = || Refusal::new(Code::StoreUnavailable, "the store cannot be read; ask again");
        let known = known.await.map_err(|_| unread())?.map_err(|_| unread())?;
        for migration in known.items.into_iter().filter(was_cut_over) {
            let rows = self.ids_of(&migration.id, old).await?;
            let old = Text::new(old.to_owned());
            if let Some(row) = rows.iter().find(|row| row.to != old) {
                return Ok(Some(Alias { old_id: old, new_id: row.to.clone(), migration: migration.id }));
            }
        }
        Ok(None)
    }
}

fn was_cut_over(migration: &Migration) -> bool {
    let done = |name| migration.phases.iter().any(|phase| phase.name == name && phase.state == PhaseState::Done);
    done(PhaseName::CutOver)
}

/// Everything of a kind, as far as a report has it.
fn all<T>(page: impl Fn(Option<&str>) -> Result<(Vec<T>, Option<String>), LedgerError>) -> Result<Vec<T>, LedgerError> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let (items, next) = page(after.as_deref())?;
        all.extend(items);
        match next.filter(|_| all.len() < REPORTED) {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// A page without its name.
trait Pairs<T> {
    fn pair(self) -> (Vec<T>, Option<String>);
}

macro_rules! pairs {
    ($($page:ident of $item:ident),*) => {
        $(impl Pairs<stella_protocol::migration::$item> for $page {
            fn pair(self) -> (Vec<stella_protocol::migration::$item>, Option<String>) {
                (self.items, self.next)
            }
        })*
    };
}

pairs!(CollectionPage of CollectionRow, OrphanPage of Orphan, TroublePage of Trouble, MappingPage of MappingRow);

fn pair<T, P: Pairs<T>>(page: Result<P, LedgerError>) -> Result<(Vec<T>, Option<String>), LedgerError> {
    page.map(Pairs::pair)
}

/// What must add up, and whether it does.
fn reconciled(migration: &Migration, users: &[UserCheck]) -> Vec<Text> {
    let counts = &migration.counts;
    let settled = counts.done + counts.skipped + counts.parked + counts.failed;
    let mut lines = vec![format!(
        "{} documents planned: {} written, {} needed nothing any more, {} left alone, {} refused; {}",
        counts.planned,
        counts.done,
        counts.skipped,
        counts.parked,
        counts.failed,
        if settled == counts.planned { "it adds up".to_owned() } else { format!("{settled} settled") },
    )];
    let places = users.iter().flat_map(|user| &user.places);
    let sums = places.fold((0, 0, 0), |(before, now, expected), place| {
        (before + place.before, now + place.now, expected + place.expected)
    });
    let wrong = users.iter().filter(|user| user.places.iter().any(|place| place.now != place.expected)).count();
    lines.push(format!("{} people saw {} documents before, see {} now of {}", users.len(), sums.0, sums.1, sums.2));
    lines.push(match wrong {
        0 => "everybody sees what they must".to_owned(),
        wrong => format!("{wrong} people do not see what they must"),
    });
    if let Some(found) = &migration.verification {
        lines.push(format!("{} documents checked, {} differences", found.documents, found.differences));
    }
    lines.into_iter().map(Text::new).collect()
}

fn refused(error: &LedgerError) -> Refusal {
    match error {
        LedgerError::After => Refusal::new(Code::BadQuery, "after: want the `next` of the page before"),
        error => Refusal::new(Code::StoreUnavailable, format!("failed to {error}")),
    }
}

fn broke(ended: &Ended) -> Refusal {
    match ended {
        Ended::Broke(why) => Refusal::new(Code::Unavailable, why.clone()),
        Ended::Asked | Ended::Lost => Refusal::new(Code::Unavailable, "the store cannot be asked now"),
    }
}

/// One page of a ledger, empty where there is none.
macro_rules! page {
    ($self:ident, $id:ident, $place:ident, $what:ident, $page:ident) => {
        Box::pin(async move {
            let (after, limit) = ($place.after.clone(), $place.limit as usize);
            let page = $self.ask($id, move |ledger| ledger.$what(after.as_deref(), limit)).await?;
            Ok(page.unwrap_or($page { items: Vec::new(), next: None }))
        })
    };
}

impl MigrationDesk for Office {
    fn draft<'a>(&'a self, by: &'a Principal) -> Said<'a, Draft> {
        Box::pin(async move {
            Ok(Draft {
                by: by.name.clone(),
                target: self.site.target.clone(),
                map_title: Text::new(self.site.map.title.clone()),
                canary: self.site.canary,
                soak_ms: self.site.soak_ms,
            })
        })
    }

    fn dual_read<'a>(&'a self, by: &'a Principal, statement: Option<Text>) -> BoxFuture<'a, Option<DualRead>> {
        Box::pin(async move {
            if let Some(probe) = &self.probe
                && probe.reads_both_ids().await
            {
                return Some(DualRead::Probe { at: self.site.clock.now() });
            }
            let text = statement.filter(|text| !text.raw().trim().is_empty())?;
            Some(DualRead::Statement { who: by.name.clone(), text })
        })
    }

    fn collections<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, CollectionPage> {
        page!(self, id, place, collections, CollectionPage)
    }

    fn orphans<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, OrphanPage> {
        page!(self, id, place, orphans, OrphanPage)
    }

    fn errors<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, TroublePage> {
        page!(self, id, place, troubles, TroublePage)
    }

    fn log<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, LogPage> {
        page!(self, id, place, log_rows, LogPage)
    }

    fn mapping<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, MappingPage> {
        page!(self, id, place, mapping, MappingPage)
    }

    fn decisions<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, DecisionPage> {
        page!(self, id, place, decisions, DecisionPage)
    }

    fn decide<'a>(&'a self, id: &'a MigrationId, by: &'a Principal, ask: DecisionRequest) -> Said<'a, Entered> {
        Box::pin(async move {
            let (who, now) = (by.name.raw().to_owned(), self.site.clock.now());
            match self.ask(id, move |ledger| ledger.decide(&who, &ask, now)).await? {
                Some(Decide::Answered { what, open }) => Ok(Entered { what, open }),
                Some(Decide::Refused(why)) => Err(why),
                None => Err(Refusal::new(Code::NotDecided, "it was not looked at yet: there is nothing to decide")),
            }
        })
    }

    fn check_user<'a>(&'a self, id: &'a MigrationId, who: &'a str) -> Said<'a, UserCheck> {
        Box::pin(self.seen_by(id, who))
    }

    fn report(&self, migration: Migration) -> Said<'_, Report> {
        Box::pin(self.reported(migration))
    }

    fn alias<'a>(&'a self, old: &'a str) -> Said<'a, Option<Alias>> {
        Box::pin(self.alias_of(old))
    }
}
