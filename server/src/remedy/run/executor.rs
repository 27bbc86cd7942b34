//! The loop that takes fixes from state to state: proposes for alerts, asks for dry runs, claims what is
//! approved, performs, watches, takes back, and picks up what an executor before it left behind.
//!
//! It decides nothing: every step is one of the machine's, asked of the hub. What it knows by itself is
//! only what can be looked at again, so that it can end at any point and another one goes on from the
//! kept state. It never waits for one fix while another one could go on.

mod answers;
mod carry;
mod lease;
mod propose;
mod voice;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stella_protocol::{FixId, FixStatus, Text};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Call, Runner, verify};
use crate::clock::Clock;
use crate::hub::Hub;
use crate::remedy::machine::is_due;
use crate::remedy::run::propose::Proposer;
use crate::remedy::{Event, FixState, Intent, Said};
use crate::series::SeriesBook;

/// Most fixes under way at once.
const AT_ONCE: usize = 4;
/// From one look around to the next, at least.
const BREATH: Duration = Duration::from_millis(100);
/// And at most: leases and expiries pass without a word.
const SECOND: Duration = Duration::from_secs(1);
/// A fix whose step was refused is looked at again after this long.
const AGAIN: Duration = Duration::from_secs(2);

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
    /// Names this executor in leases: another one at every start.
    pub holder: Text,
}

/// The executor.
pub struct Executor {
    parts: Arc<Parts>,
    tried: propose::Tried,
    busy: JoinSet<FixId>,
    /// Fixes that a task has, or that are left alone until then.
    taken: HashMap<FixId, Option<Instant>>,
}

impl Executor {
    /// An executor that has done nothing yet.
    pub fn new(parts: Arc<Parts>) -> Self {
        let tried = propose::Tried::default();
        Self { parts, tried, busy: JoinSet::new(), taken: HashMap::new() }
    }

    /// Works until it is told to end. Steps under way are dropped then: their intent is kept, and
    /// whoever comes next asks what became of them.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut changed = self.parts.hub.changed();
        loop {
            self.look().await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(done) = self.busy.join_next() => self.settle(done),
                word = changed.changed() => if word.is_err() { return },
                () = sleep(SECOND) => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(BREATH) => {}
            }
        }
    }

    /// A task ended: its fix may be looked at again, after a breath, so that nothing runs hot.
    fn settle(&mut self, done: Result<FixId, tokio::task::JoinError>) {
        match done {
            Ok(id) => {
                self.taken.insert(id, Some(Instant::now() + AGAIN));
            }
            Err(error) => {
                // A panic: its lease passes, and the state is taken up as after a crash.
                tracing::error!(%error, "the work on a fix broke off");
                self.taken.retain(|_, until| until.is_some());
            }
        }
    }

    async fn look(&mut self) {
        while let Some(done) = self.busy.try_join_next() {
            self.settle(done);
        }
        let now = Instant::now();
        self.taken.retain(|_, until| until.is_none_or(|until| until > now));
        self.tried.look(&self.parts).await;
        for state in self.parts.hub.fixes() {
            if self.taken.contains_key(&state.fix.id) {
                continue;
            }
            if is_due(&state, self.parts.clock.now()) {
                self.parts.say(&state.fix.id, Event::Tick).await;
                continue;
            }
            if self.wants_work(&state) {
                self.begin(state);
            }
        }
    }

    fn wants_work(&self, state: &FixState) -> bool {
        let has_room = self.busy.len() < AT_ONCE;
        match state.fix.status {
            FixStatus::Proposed | FixStatus::Approved => has_room,
            status if status.is_under_way() => {
                has_room && state.work.lease_until.is_none_or(|until| until <= self.parts.clock.now())
            }
            _ => false,
        }
    }

    fn begin(&mut self, state: Arc<FixState>) {
        let (parts, id) = (Arc::clone(&self.parts), state.fix.id.clone());
        self.taken.insert(id.clone(), None);
        self.busy.spawn(async move {
            if state.fix.status == FixStatus::Proposed {
                rehearse(&parts, &state).await;
            } else {
                carry::carry(&parts, state).await;
            }
            id
        });
    }
}

impl Parts {
    /// One step without an intent; None: it was refused, and why is in the log.
    async fn say(&self, id: &FixId, event: Event) -> Option<Arc<FixState>> {
        self.keep(id, event, Intent::default()).await
    }

    async fn keep(&self, id: &FixId, event: Event, intent: Intent) -> Option<Arc<FixState>> {
        match self.hub.advance_fix(id, event, intent).await {
            Ok(state) => Some(state),
            Err(refusal) => {
                tracing::info!(fix = %id, why = refusal.why.escape_debug().to_string(), "a step was refused");
                None
            }
        }
    }
}

/// Row 2: whether it would work. Reads only.
async fn rehearse(parts: &Parts, state: &FixState) {
    let said = rehearsal(parts, state).await;
    parts.say(&state.fix.id, Event::Rehearsed(said)).await;
}

async fn rehearsal(parts: &Parts, state: &FixState) -> Result<Vec<Text>, Text> {
    let mut lines = Vec::new();
    for condition in &state.fix.plan.preconditions {
        let mut call = carry::call(state, 0, 0);
        call.step.act = condition.act.clone();
        call.step.probe = Some(condition.clone());
        match parts.runner.probe(&call, &[], false).await {
            Said::Done(note) => lines.push(Text::new(format!("holds: {} ({})", condition.title.raw(), note.raw()))),
            Said::NotDone(why) | Said::CannotTell(why) => {
                return Err(Text::new(format!("{} does not hold: {}", condition.title.raw(), why.raw())));
            }
        }
    }
    for number in 0..state.fix.plan.steps.len() {
        let call: Call = carry::call(state, number, 0);
        let said = parts.runner.rehearse(&call).await;
        let at = format!("step {}", number + 1);
        lines.extend(said.map_err(|why| Text::new(format!("{at}: {}", why.raw())))?);
    }
    if let Some(wanted) = &state.fix.plan.verification {
        lines.push(verify::words(wanted));
    }
    Ok(lines)
}
