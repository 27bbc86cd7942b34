//! The loop that takes fixes from state to state: proposes for alerts, asks for dry runs, claims what is
//! approved, performs, watches, takes back, and picks up what an executor before it left behind.
//!
//! It decides nothing: every step is one of the machine's, asked of the hub. What it knows by itself is
//! only what can be looked at again, so that it can end at any point and another one goes on from the
//! kept state. It never waits for one fix while another one could go on.

mod answers;
mod broken;
mod carry;
mod lease;
mod perform;
mod propose;
mod rehearse;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests;
mod voice;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stella_protocol::{FixId, FixStatus, Text};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::broken::Broken;
use super::{Runner, verify};
use crate::clock::Clock;
use crate::hub::Hub;
use crate::remedy::machine::is_due;
use crate::remedy::run::propose::Proposer;
use crate::remedy::{Event, FixState, Intent, Refusal};
use crate::series::SeriesBook;

/// Most fixes that act, or are rehearsed, at once. Those that are only watched come on top: they cost a
/// look a second, and nothing else should wait for the minutes that this takes.
const AT_ONCE: usize = 4;

/// Everything that the work needs.
pub struct Parts {
    /// Keeps every step.
    pub hub: Hub,
    /// Makes plans.
    pub proposer: Arc<Proposer>,
    /// Performs.
    pub runner: Arc<dyn Runner>,
    /// Tells whether it helped.
    pub series: Arc<Mutex<SeriesBook>>,
    /// Server time.
    pub clock: Clock,
    /// How long it waits where it has to wait.
    pub pace: Pace,
    /// Names this executor in leases: another one at every start.
    pub holder: Text,
}

/// How long an executor waits between two looks at the same thing. Not how long it may act: that is
/// its lease.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From one look around to the next, at least.
    breath: Duration,
    /// And at most: leases and expiries pass without a word.
    idle: Duration,
    /// A fix that was worked on is left alone for so long.
    again: Duration,
    /// From one look at success to the next.
    watch: Duration,
    /// A step that surely did nothing is tried again after this long, doubled with each try, …
    retry: Duration,
    /// … and at most this long.
    longest_retry: Duration,
    /// A target that cannot say what became of a step is asked again for so long before the step is in doubt.
    doubt: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            breath: Duration::from_millis(100),
            idle: Duration::from_secs(1),
            again: Duration::from_secs(2),
            watch: Duration::from_secs(1),
            retry: Duration::from_millis(500),
            longest_retry: Duration::from_secs(10),
            doubt: Duration::from_secs(10),
        }
    }
}

impl Pace {
    /// How long to wait before the next try: not at all before the first, then longer and longer.
    fn back_off(&self, tries: u32) -> Duration {
        match tries {
            0 => Duration::ZERO,
            tries => self.retry.saturating_mul(1 << (tries - 1).min(8)).min(self.longest_retry),
        }
    }
}

/// The executor.
pub struct Executor {
    parts: Arc<Parts>,
    busy: JoinSet<()>,
    /// Whose task it is.
    tasks: HashMap<task::Id, FixId>,
    broken: Broken,
    /// Fixes that a task has, or that are left alone until then.
    taken: HashMap<FixId, Option<Instant>>,
}

impl Executor {
    /// An executor that has done nothing yet.
    pub fn new(parts: Arc<Parts>) -> Self {
        Self { parts, busy: JoinSet::new(), tasks: HashMap::new(), broken: Broken::default(), taken: HashMap::new() }
    }

    /// Works until it is told to end. Steps under way are dropped then: their intent is
    /// kept, and whoever comes next asks what became of them. When the work on one fix panics, it is the
    /// only one that is left where it stands.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let parts = Arc::clone(&self.parts);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.work() => {}
            () = propose::keep_proposing(&parts) => {}
        }
    }

    async fn work(&mut self) {
        let mut changed = self.parts.hub.changed();
        loop {
            self.look().await;
            tokio::select! {
                Some(done) = self.busy.join_next_with_id() => self.settle(done).await,
                word = changed.changed() => if word.is_err() { return },
                () = sleep(self.parts.pace.idle) => {}
            }
            sleep(self.parts.pace.breath).await;
        }
    }

    /// A task ended: its fix may be looked at again, after a breath, so that nothing runs hot.
    async fn settle(&mut self, done: Result<(task::Id, ()), JoinError>) {
        let (task, panicked) = match &done {
            Ok((task, ())) => (*task, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        let Some(id) = self.tasks.remove(&task) else { return };
        self.leave_alone(id.clone());
        if panicked && self.broken.note(&id) {
            self.parts.give_up(&id).await;
        }
    }

    fn leave_alone(&mut self, id: FixId) {
        self.taken.insert(id, Some(Instant::now() + self.parts.pace.again));
    }

    async fn look(&mut self) {
        while let Some(done) = self.busy.try_join_next_with_id() {
            self.settle(done).await;
        }
        let now = Instant::now();
        self.taken.retain(|_, until| until.is_none_or(|until| until > now));
        let states = self.parts.hub.fixes();
        let acts = |state: &&Arc<FixState>| state.fix.status != FixStatus::Verifying;
        let mut acting = states.iter().filter(acts).filter(|state| self.has(state)).count();
        for state in states {
            if self.taken.contains_key(&state.fix.id) {
                continue;
            }
            if is_due(&state, self.parts.clock.now()) {
                if self.parts.say(&state.fix.id, Event::Tick).await.is_none() {
                    self.leave_alone(state.fix.id.clone());
                }
                continue;
            }
            let watched = state.fix.status == FixStatus::Verifying;
            if (watched || acting < AT_ONCE) && self.wants_work(&state) {
                acting += usize::from(!watched);
                self.begin(state);
            }
        }
    }

    fn has(&self, state: &FixState) -> bool {
        self.taken.get(&state.fix.id).is_some_and(Option::is_none)
    }

    fn wants_work(&self, state: &FixState) -> bool {
        match state.fix.status {
            _ if self.broken.has_given_up(&state.fix.id) => false,
            FixStatus::Proposed | FixStatus::Approved => true,
            status if status.is_under_way() => {
                state.work.lease_until.is_none_or(|until| until <= self.parts.clock.now())
            }
            _ => false,
        }
    }

    fn begin(&mut self, state: Arc<FixState>) {
        let (parts, id) = (Arc::clone(&self.parts), state.fix.id.clone());
        self.taken.insert(id.clone(), None);
        let begun = self.busy.spawn(async move {
            if state.fix.status == FixStatus::Proposed {
                rehearse::rehearse(&parts, &state).await;
            } else {
                carry::carry(&parts, state).await;
            }
        });
        self.tasks.insert(begun.id(), id);
    }
}

impl Parts {
    /// One step without an intent; None: it was refused, and why is in the log.
    async fn say(&self, id: &FixId, event: Event) -> Option<Arc<FixState>> {
        self.keep(id, event, Intent::default()).await.ok()
    }

    async fn keep(&self, id: &FixId, event: Event, intent: Intent) -> Result<Arc<FixState>, Refusal> {
        let kept = self.hub.advance_fix(id, event, intent).await;
        kept.inspect_err(|refusal| {
            tracing::info!(fix = %id, why = refusal.why.escape_debug().to_string(), "a step was refused");
        })
    }
}
