//! When the work on a fix panics: that fix is left to its lease, and everything else goes on.
//!
//! A fix that breaks its work again and again is not touched any more by this process: no error of ours may
//! end the server over and over while people need it.

use std::collections::HashMap;

use stella_protocol::fix::StepState;
use stella_protocol::{FixId, FixStatus, Text};

use super::Parts;
use super::carry::decided_on;
use crate::remedy::{Event, FixState, Said, Superseded, Verdict};

/// So many panics, and a fix is given up.
const MOST: u32 = 2;
const WHY: &str = "the server's own work on it broke, twice; its log says where";

/// How often the work on each fix panicked in this process.
#[derive(Debug, Default)]
pub(super) struct Broken {
    times: HashMap<FixId, u32>,
}

impl Broken {
    /// Once more. True: it is given up from now on.
    pub fn note(&mut self, id: &FixId) -> bool {
        let times = self.times.entry(id.clone()).or_default();
        *times += 1;
        tracing::error!(fix = %id, times, "the work on a fix panicked");
        *times >= MOST
    }

    /// Whether nobody touches it any more.
    pub fn has_given_up(&self, id: &FixId) -> bool {
        self.times.get(id).is_some_and(|times| *times >= MOST)
    }
}

impl Parts {
    /// Says of a fix that nobody works on it any more, as far as the machine lets that be said.
    pub(super) async fn give_up(&self, id: &FixId) {
        tracing::error!(fix = %id, "nobody works on this fix any more before the server starts again");
        // What may be tried again after an unknown outcome is only stopped by a second word.
        for _ in 0..2 {
            let state = self.hub.fixes().into_iter().find(|state| state.fix.id == *id);
            let Some((state, event)) = state.and_then(|state| last_word(self, &state).map(|event| (state, event)))
            else {
                return;
            };
            if self.keep(id, event, decided_on(&state)).await.is_err() {
                return;
            }
        }
    }
}

/// What ends it, or halts it until people looked. None: nothing does.
fn last_word(parts: &Parts, state: &FixState) -> Option<Event> {
    let (why, fence) = (Text::from(WHY), state.work.fence);
    match state.fix.status {
        FixStatus::Proposed => return Some(Event::Rehearsed(Err(why))),
        FixStatus::Approved => return Some(Event::Superseded(Superseded::Broken, why)),
        _ if state.work.holder.as_ref() != Some(&parts.holder) => return None,
        _ => {}
    }
    let step = state.fix.steps.get(state.work.at)?.state;
    match (state.fix.status, step) {
        (FixStatus::Verifying, _) => Some(Event::Watched { fence, verdict: Verdict::Unwatched(why) }),
        (FixStatus::Running | FixStatus::Undoing, StepState::Begun | StepState::Undoing | StepState::Unknown) => {
            Some(Event::Probed { fence, said: Said::CannotTell(why) })
        }
        (FixStatus::Running, StepState::Waiting) => Some(Event::Stopped(why)),
        _ => None,
    }
}
