//! One fix, from its claim to its end or to a halt: intent, effect, outcome; probe where that is unknown.

use std::sync::Arc;
use std::time::Duration;

use stella_protocol::fix::{Act, StepState};
use stella_protocol::{FixStatus, Text};
use tokio::time::sleep;

use super::lease::Lease;
use super::voice::Voice;
use super::{Parts, verify};
use crate::remedy::run::Call;
use crate::remedy::{BeforeImage, Event, FixState, Intent, Outcome, Verdict};

/// From one look at success to the next.
const WATCH: Duration = Duration::from_secs(1);
/// A step that surely did nothing is tried again after this long, doubled with each try, …
const RETRY: Duration = Duration::from_millis(500);
/// … and at most this long.
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// Claims the fix and takes it as far as it goes. Ends early when the lease is lost or a step refused:
/// then the kept state says where whoever comes next begins.
pub(super) async fn carry(parts: &Parts, state: Arc<FixState>) {
    let Some(claimed) = claim(parts, &state).await else { return };
    let mut lease = Lease::of(&claimed, parts);
    let mut next = Some(claimed);
    while let Some(state) = next.take() {
        if !state.fix.status.is_under_way() || !lease.is_fresh() {
            return;
        }
        let acted = lease.guard(parts, act(parts, &state)).await;
        next = acted.flatten();
    }
}

/// Rows 7 and 17. A plan that is another one by now is superseded (row 6) instead of begun.
async fn claim(parts: &Parts, state: &FixState) -> Option<Arc<FixState>> {
    let plan_digest = if state.fix.status == FixStatus::Approved {
        match now_planned(parts, state).await {
            Ok(digest) if digest == state.fix.plan_digest => digest,
            Ok(_) => return supersede(parts, state, "its plan is another one by now; propose it again").await,
            Err(why) => {
                return supersede(parts, state, &format!("it cannot be planned any more: {}", why.raw())).await;
            }
        }
    } else {
        state.fix.plan_digest.clone()
    };
    let event = Event::Claimed {
        holder: parts.holder.clone(),
        until: Lease::until(parts),
        // The writer gives the target's next one.
        fence: 0,
        plan_digest,
        gates: Ok(()),
    };
    parts.say(&state.fix.id, event).await
}

async fn supersede(parts: &Parts, state: &FixState, why: &str) -> Option<Arc<FixState>> {
    parts.say(&state.fix.id, Event::Superseded(Text::from(why.to_owned()))).await
}

async fn now_planned(parts: &Parts, state: &FixState) -> Result<Text, Text> {
    let alert = super::propose::seen(parts, state.fix.alert_id.as_ref()).await;
    let seen = alert.as_ref().map(super::propose::Known::seen);
    parts.proposer.again(state, seen).await.map(|(_, digest)| digest)
}

/// The one next step of the machine; None: it was refused.
async fn act(parts: &Parts, state: &FixState) -> Option<Arc<FixState>> {
    if state.fix.status == FixStatus::Verifying {
        return watch(parts, state).await;
    }
    let (number, undoing) = (state.work.at, state.fix.status == FixStatus::Undoing);
    let call = call(state, number, state.work.fence);
    let fence = state.work.fence;
    match state.fix.steps.get(number).map(|step| step.state)? {
        // Begun by somebody else, or by us with an unknown outcome: never repeated unasked.
        StepState::Begun | StepState::Undoing | StepState::Unknown => {
            let images = images(parts, state, number).await?;
            let said = parts.runner.probe(&call, &images, undoing).await;
            parts.say(&state.fix.id, Event::Probed { fence, said }).await
        }
        _ if undoing => perform(parts, state, &call, true).await,
        _ => match guard(parts, state).await {
            Ok(()) => perform(parts, state, &call, false).await,
            Err(why) => parts.say(&state.fix.id, Event::Stopped(why)).await,
        },
    }
}

/// Rows 8, 9 and 15.
async fn perform(parts: &Parts, state: &FixState, call: &Call, undoing: bool) -> Option<Arc<FixState>> {
    let (id, fence) = (&state.fix.id, state.work.fence);
    sleep(back_off(state.fix.steps[call.number].attempt)).await;
    let prepared = if undoing { Ok(Vec::new()) } else { parts.runner.prepare(call).await };
    let (fresh, unfit) = match prepared {
        Ok(fresh) => (fresh, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    parts.keep(id, Event::Intended { fence }, Intent { images: fresh.clone() }).await?;
    let outcome = match unfit {
        Some(why) => Outcome::Clean(why),
        None => {
            let mut voice = Voice::new(parts, id, call.number);
            let outcome = if undoing {
                let images = images(parts, state, call.number).await?;
                parts.runner.undo(call, &images, &mut voice).await
            } else {
                parts.runner.perform(call, &fresh, &mut voice).await
            };
            voice.finish().await;
            outcome
        }
    };
    parts.say(id, Event::Performed { fence, outcome }).await
}

/// None for the first try; then longer and longer.
fn back_off(tries: u32) -> Duration {
    match tries {
        0 => Duration::ZERO,
        tries => RETRY.saturating_mul(1 << (tries - 1).min(8)).min(LONGEST_RETRY),
    }
}

/// What must stay so while it runs.
async fn guard(parts: &Parts, state: &FixState) -> Result<(), Text> {
    let Some(check) = &state.fix.plan.guard else { return Ok(()) };
    match verify::look(parts, state, check) {
        Verdict::Holds => Ok(()),
        Verdict::Broken(why) => Err(Text::new(format!("its guard broke: {}", why.raw()))),
    }
}

/// Row 13. Waits a second before it looks, so that what a step did can be seen.
async fn watch(parts: &Parts, state: &FixState) -> Option<Arc<FixState>> {
    let verdict = match &state.fix.plan.verification {
        None => Verdict::Holds,
        Some(wanted) => {
            sleep(WATCH).await;
            verify::look(parts, state, &wanted.check)
        }
    };
    let fence = state.work.fence;
    parts.say(&state.fix.id, Event::Watched { fence, verdict }).await
}

/// The images that were kept with the step's intent. None: the store does not answer.
pub(super) async fn images(parts: &Parts, state: &FixState, number: usize) -> Option<Vec<BeforeImage>> {
    if !matches!(state.fix.plan.steps[number].act, Act::Document(_) | Act::Repair(_)) {
        return Some(Vec::new());
    }
    let (hub, id) = (parts.hub.clone(), state.fix.id.clone());
    let kept = tokio::task::spawn_blocking(move || hub.fix_images(&id, number)).await;
    match kept {
        Ok(Ok(images)) => Some(images),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the images of a step cannot be read");
            None
        }
        Err(_) => None,
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
