//! One fix, from its claim to its end or to a halt: which step of the machine comes next.
//!
//! What is decided here is decided on a state that may be another one by the time it is said: a person
//! stops it, another executor takes it over. So every intent names the version that it is for, and what
//! is refused is looked at again instead of guessed.

use std::sync::Arc;

use stella_protocol::fix::StepState;
use stella_protocol::{FixStatus, Text};
use tokio::time::{Instant, sleep};

use super::lease::Lease;
use super::rehearse::preconditions;
use super::{Parts, verify};
use crate::remedy::run::Call;
use crate::remedy::{Event, FixState, Intent, Superseded, Verdict};

/// So many refusals one after another, and the fix is left to whoever takes it up once the lease is over.
const MOST_REFUSED: u32 = 6;

/// A fix that this executor has.
pub(super) struct Work<'a> {
    pub parts: &'a Parts,
    pub lease: &'a Lease,
    /// What is known of the tries of the step under way.
    pub clean: Clean,
}

/// Tries under this claim that surely did nothing. What others tried is not known that well.
#[derive(Debug, Default)]
pub(super) struct Clean {
    key: String,
    tries: u32,
}

impl Clean {
    /// Whether none of so many tries under the key can have done anything, now or later.
    pub fn covers(&self, key: &str, tries: u32) -> bool {
        tries == 0 || (self.key == key && self.tries == tries)
    }

    /// One more of them.
    pub fn add(&mut self, key: &str) {
        if self.key != key {
            *self = Self { key: key.to_owned(), tries: 0 };
        }
        self.tries += 1;
    }
}

/// Claims the fix and takes it as far as it goes. Ends early when the lease is lost: then the kept state
/// says where whoever comes next begins.
pub(super) async fn carry(parts: &Parts, state: Arc<FixState>) {
    let asked = Instant::now();
    let Some(claimed) = claim(parts, &state).await else { return };
    let lease = Lease::of(&claimed, asked);
    let work = Work { parts, lease: &lease, clean: Clean::default() };
    lease.guard(parts, work.carry(claimed)).await;
}

/// Rows 7 and 17. A plan that is another one by now is superseded (row 6) instead of begun; what does not
/// hold by now stands in the way of starting.
async fn claim(parts: &Parts, state: &FixState) -> Option<Arc<FixState>> {
    let (mut plan_digest, mut gates) = (state.fix.plan_digest.clone(), Ok(()));
    if state.fix.status == FixStatus::Approved {
        plan_digest = match now_planned(parts, state).await {
            Ok(digest) if digest == plan_digest => digest,
            Ok(_) => return supersede(parts, state, "its plan is another one by now; propose it again").await,
            Err(why) => {
                return supersede(parts, state, &format!("it cannot be planned any more: {}", why.raw())).await;
            }
        };
        if let Some(why) = verify::nothing_to_do(parts, state).await {
            return supersede(parts, state, why).await;
        }
        gates = preconditions(parts, state).await.map(drop);
    }
    let event = Event::Claimed {
        holder: parts.holder.clone(),
        until: Lease::until(parts),
        // The writer gives the target's next one.
        fence: 0,
        plan_digest,
        gates,
    };
    if let Ok(claimed) = parts.keep(&state.fix.id, event, decided_on(state)).await {
        return Some(claimed);
    }
    // The answer may be lost and the claim kept: nobody else claims under this name.
    let now = parts.hub.fixes().into_iter().find(|now| now.fix.id == state.fix.id)?;
    let ours = now.work.holder.as_ref() == Some(&parts.holder) && now.work.fence > state.work.fence;
    ours.then_some(now)
}

async fn supersede(parts: &Parts, state: &FixState, why: &str) -> Option<Arc<FixState>> {
    let event = Event::Superseded(Superseded::PlanChanged, Text::from(why.to_owned()));
    parts.keep(&state.fix.id, event, decided_on(state)).await.ok()
}

async fn now_planned(parts: &Parts, state: &FixState) -> Result<Text, Text> {
    let alert = super::propose::seen(parts, state.fix.alert_id.as_ref()).await;
    let seen = alert.as_ref().map(super::propose::Known::seen);
    parts.proposer.again(state, seen).await.map(|(_, digest)| digest)
}

/// Holds for the state that it was decided on, and for no other.
pub(super) fn decided_on(state: &FixState) -> Intent {
    Intent { images: Vec::new(), seen: Some(state.fix.version) }
}

impl Work<'_> {
    async fn carry(mut self, mut state: Arc<FixState>) {
        let mut refused = 0;
        while state.fix.status.is_under_way() && self.lease.is_fresh() && refused < MOST_REFUSED {
            if let Some(next) = self.act(&state).await {
                (state, refused) = (next, 0);
                continue;
            }
            refused += 1;
            sleep(self.parts.pace.back_off(refused)).await;
            match self.standing(&state) {
                Some(now) => state = now,
                None => return,
            }
        }
    }

    /// The fix as it is now. None: it is not ours any more.
    pub fn standing(&self, state: &FixState) -> Option<Arc<FixState>> {
        let now = self.parts.hub.fixes().into_iter().find(|now| now.fix.id == state.fix.id)?;
        (now.work.fence == state.work.fence && now.work.holder.as_ref() == Some(&self.parts.holder)).then_some(now)
    }

    /// The one next step of the machine; None: it was refused, or could not be asked for.
    async fn act(&mut self, state: &FixState) -> Option<Arc<FixState>> {
        if state.fix.status == FixStatus::Verifying {
            return self.watch(state).await;
        }
        match state.fix.steps.get(state.work.at).map(|step| step.state)? {
            // Begun by somebody else, or by us with an unknown outcome: never repeated unasked.
            StepState::Begun | StepState::Undoing | StepState::Unknown => self.look(state).await,
            _ if state.fix.status == FixStatus::Undoing => self.perform(state).await,
            _ => match self.startable(state).await {
                Ok(()) => self.perform(state).await,
                Err(why) => self.stop(state, why).await,
            },
        }
    }

    /// Before the first step there must still be something to do; and before each of them, the guard must hold.
    async fn startable(&self, state: &FixState) -> Result<(), Text> {
        if state.work.at == 0
            && let Some(why) = verify::nothing_to_do(self.parts, state).await
        {
            return Err(Text::from(why));
        }
        self.guarded(state)
    }

    /// What must stay so while it runs.
    fn guarded(&self, state: &FixState) -> Result<(), Text> {
        let Some(check) = &state.fix.plan.guard else { return Ok(()) };
        let held = verify::guard(self.parts, state, check);
        held.map_err(|why| Text::new(format!("its guard broke: {}", why.raw())))
    }

    async fn stop(&self, state: &FixState, why: Text) -> Option<Arc<FixState>> {
        self.parts.keep(&state.fix.id, Event::Stopped(why), decided_on(state)).await.ok()
    }

    /// Row 13. Waits before it looks, so that what a step did can be seen.
    async fn watch(&self, state: &FixState) -> Option<Arc<FixState>> {
        let verdict = match &state.fix.plan.verification {
            None => Verdict::Holds,
            Some(wanted) => {
                sleep(self.parts.pace.watch).await;
                if let Err(why) = self.guarded(state) {
                    return self.stop(state, why).await;
                }
                verify::look(self.parts, state, wanted).await
            }
        };
        let fence = state.work.fence;
        self.parts.say(&state.fix.id, Event::Watched { fence, verdict }).await
    }
}

/// A step of a fix as a runner takes it.
pub(super) fn call(state: &FixState, number: usize, fence: u64) -> Call {
    let undoing = state.fix.status == FixStatus::Undoing;
    let way = if undoing { "undo" } else { "do" };
    Call {
        fix: state.fix.id.clone(),
        number,
        step: state.fix.plan.steps[number].clone(),
        fence,
        key: format!("{}.{number}.{way}", state.fix.id),
    }
}
