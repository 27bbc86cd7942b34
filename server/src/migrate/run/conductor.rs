//! The loop that takes migrations from phase to phase: claims what is to be done, does it, and says what came
//! of it.
//!
//! It decides nothing: every step is one of the machine's, asked of the hub. It can end at any point: another
//! one goes on from what ledger and backup say. A phase that panics is tried once more and ends as broken then,
//! not the server.

mod lease;

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use stella_protocol::migration::{Counts, PhaseName};
use stella_protocol::{Code, MigrationId, Text};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::canary::canary;
use super::copy::copy;
use super::cutover::cut_over;
use super::ledger::Ledger;
use super::rehearse::rehearse;
use super::rollback::roll_back;
use super::scan::scan;
use super::secure::secure;
use super::site::{Ended, Run, Site, apart};
use super::verify::verify;
use crate::migrate::machine::is_due;
use crate::migrate::{Event, MigrationState, Refusal};
use lease::Lease;

/// Times that the end of a phase is told while the store does not answer.
const TOLD: u32 = 20;
/// Longest that the end of a server waits to give up its leases.
const RELEASED: Duration = Duration::from_secs(2);
/// Tries of a phase in which the server itself errs.
const TRIES: u32 = 2;

/// The conductor.
pub struct Conductor {
    site: Arc<Site>,
    busy: JoinSet<MigrationId>,
    /// Migrations that a task has, or that are left alone until then.
    taken: HashMap<MigrationId, Option<Instant>>,
}

impl Conductor {
    /// One that has done nothing yet.
    pub fn new(site: Arc<Site>) -> Self {
        Self { site, busy: JoinSet::new(), taken: HashMap::new() }
    }

    /// Works until it is told to end; what is under way is dropped then and its lease given up, so that the next
    /// start goes on with it at once.
    pub async fn run(mut self, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.work() => {}
        }
        self.busy.shutdown().await;
        if timeout(RELEASED, self.release()).await.is_err() {
            tracing::warn!("a lease could not be given up: the next start waits until it is over");
        }
    }

    /// Gives up what this server has; nothing of it is worked on any more.
    async fn release(&self) {
        for state in self.site.hub.migrations() {
            if state.work.holder.as_ref() == Some(&self.site.holder) {
                let (id, fence) = (&state.migration.id, state.work.fence);
                if let Err(refusal) = self.site.hub.advance_migration(id, Event::Released { fence }).await {
                    told(id, &refusal);
                }
            }
        }
    }

    async fn work(&mut self) {
        let mut changed = self.site.hub.changed();
        loop {
            self.look().await;
            tokio::select! {
                Some(done) = self.busy.join_next() => self.settle(done),
                word = changed.changed() => if word.is_err() { return },
                () = sleep(self.site.pace.idle) => {}
            }
        }
    }

    fn settle(&mut self, done: Result<MigrationId, JoinError>) {
        match done {
            Ok(id) => {
                self.taken.insert(id, Some(Instant::now() + self.site.pace.again));
            }
            Err(error) => {
                // Whose it was, nobody says; those of nobody are taken up again when their leases are over.
                tracing::error!(panicked = error.is_panic(), "the work on a migration ended");
                if self.busy.is_empty() {
                    self.taken.clear();
                }
            }
        }
    }

    async fn look(&mut self) {
        let now = Instant::now();
        self.taken.retain(|_, until| until.is_none_or(|until| until > now));
        for state in self.site.hub.migrations() {
            let id = &state.migration.id;
            if self.taken.contains_key(id) {
                continue;
            }
            if is_due(&state, self.site.clock.now()) {
                if let Err(refusal) = self.site.hub.advance_migration(id, Event::Tick).await {
                    told(id, &refusal);
                }
            } else if self.wants_work(&state) {
                let (site, id) = (Arc::clone(&self.site), id.clone());
                self.taken.insert(id.clone(), None);
                self.busy.spawn(async move {
                    carry(site, &id).await;
                    id
                });
            }
        }
    }

    /// Only migrations of this site's documents; and none that somebody has.
    fn wants_work(&self, state: &MigrationState) -> bool {
        let free =
            state.work.holder.is_none() || state.work.lease_until.is_none_or(|until| until <= self.site.clock.now());
        state.work.wanted.is_some() && free && state.migration.target == self.site.target
    }
}

fn told(id: &MigrationId, refusal: &Refusal) {
    tracing::info!(migration = %id, why = refusal.why.escape_debug().to_string(), "a step was refused");
}

/// Claims a migration and does all that is wanted of it.
async fn carry(site: Arc<Site>, id: &MigrationId) {
    let asked = Instant::now();
    let claim = Event::Claimed { holder: site.holder.clone(), until: Lease::until(&site), fence: 0 };
    let state = match site.hub.advance_migration(id, claim).await {
        Ok(state) => state,
        Err(refusal) => return told(id, &refusal),
    };
    let fence = state.work.fence;
    let (at, of) = (Arc::clone(&site), id.clone());
    let ledger = match apart(move || Ok(at.ledger(&of)?)).await {
        Ok(ledger) => ledger,
        Err(ended) => {
            let why = Text::new(words(&ended));
            let broke = Event::Broke { fence, why, counts: state.migration.counts };
            if let Err(refusal) = site.hub.advance_migration(id, broke).await {
                told(id, &refusal);
            }
            return;
        }
    };
    let run = Run::new(Arc::clone(&site), id.clone(), fence, ledger);
    let lease = Lease::of(id.clone(), fence, asked);
    if lease.guard(&site, work(&run)).await.is_none() {
        tracing::warn!(migration = %id, "the lease on a migration was lost");
    }
}

fn words(ended: &Ended) -> String {
    match ended {
        Ended::Broke(why) => why.clone(),
        Ended::Asked => "it was asked to stop".to_owned(),
        Ended::Lost => "it is another's".to_owned(),
    }
}

/// Does one phase after the other, as long as there is one and it is ours.
async fn work(run: &Run) {
    while let Ok(state) = run.state() {
        let ours = state.work.fence == run.fence && state.work.holder.is_some();
        let Some(phase) = state.work.wanted.filter(|_| ours) else { return };
        if !perform(run, phase).await {
            return;
        }
    }
}

/// Does a phase and says what came of it; false: it is not gone on with.
async fn perform(run: &Run, phase: PhaseName) -> bool {
    let mut done = tried(run, phase).await;
    for _ in 1..TRIES {
        if done.is_err() {
            tracing::error!(migration = %run.id, phase = phase.word(), "a phase panicked; it is tried once more");
            done = tried(run, phase).await;
        }
    }
    // The hub is told only of what also a power loss leaves in the ledger.
    if matches!(done, Ok(Ok(_) | Err(Ended::Asked)))
        && let Err(ended) = run.ask(Ledger::make_durable).await
    {
        done = Ok(Err(ended));
    }
    let counts = run.say(phase).await.map(|(counts, _)| counts);
    let counts = counts.or_else(|_| run.state().map(|state| state.migration.counts)).unwrap_or_default();
    let event = match done {
        Ok(Ok(event)) => event,
        Ok(Err(Ended::Lost)) => return false,
        Ok(Err(Ended::Asked)) => return tell(run, Event::Stopped { fence: run.fence, counts }).await != Told::Lost,
        Ok(Err(Ended::Broke(why))) => broke(run, phase, why, counts),
        Err(_) => broke(run, phase, panicked(phase), counts),
    };
    tell(run, event).await == Told::Taken
}

fn panicked(phase: PhaseName) -> String {
    format!("an error of the server itself ended its {}, {TRIES} times; its log says where", phase.word())
}

/// Does a phase and says how far it is meanwhile. Err: it panicked.
async fn tried(run: &Run, phase: PhaseName) -> Result<Result<Event, Ended>, Box<dyn Any + Send>> {
    run.voice.begin();
    let work = AssertUnwindSafe(begin(run, phase)).catch_unwind();
    tokio::select! {
        biased;
        done = work => done,
        () = run.keep_saying(phase) => Ok(Err(Ended::Lost)),
    }
}

/// A cut-over that is not complete is tried again where it stands; everything else halts or fails.
fn broke(run: &Run, phase: PhaseName, why: String, counts: Counts) -> Event {
    tracing::warn!(migration = %run.id, phase = phase.word(), why = why.escape_debug().to_string(), "a phase broke");
    let (fence, why) = (run.fence, Text::new(why));
    if phase == PhaseName::CutOver {
        return Event::CutOver { fence, done: Err(why) };
    }
    Event::Broke { fence, why, counts }
}

async fn begin(run: &Run, phase: PhaseName) -> Result<Event, Ended> {
    match phase {
        PhaseName::Scan => scan(run).await,
        PhaseName::Rehearse => rehearse(run).await,
        PhaseName::Backup => secure(run).await,
        PhaseName::Canary => canary(run).await,
        PhaseName::Copy => copy(run).await,
        PhaseName::Verify => verify(run).await,
        PhaseName::CutOver => cut_over(run).await,
        PhaseName::RollBack => roll_back(run).await,
        PhaseName::Soak | PhaseName::Unknown => Err(Ended::broke("this server does not know this phase")),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Taken,
    Refused,
    Lost,
}

/// Tells the hub the end of a phase; as often as it takes while the store does not answer.
async fn tell(run: &Run, event: Event) -> Told {
    for _ in 0..TOLD {
        match run.site.hub.advance_migration(&run.id, event.clone()).await {
            Ok(_) => return Told::Taken,
            Err(refusal) if matches!(refusal.code, Code::StoreUnavailable | Code::Unavailable) => {
                sleep(run.site.pace.retry).await;
            }
            Err(refusal) => {
                told(&run.id, &refusal);
                return if refusal.code == Code::VersionConflict { Told::Lost } else { Told::Refused };
            }
        }
    }
    Told::Lost
}
