//! A step of the machine while it is put together.

use stella_protocol::fix::{Trail, Undo};
use stella_protocol::{FixStatus, Text, Timestamp};

use super::super::{Effect, FixState, SYSTEM, Step};
use super::words;

/// Of a trail that became too long, so much of its beginning and so much of its end stay.
const TRAIL_END: usize = 32;

/// What a dry run is called in the audit.
pub(super) const DRY_RUN: &str = "dry-run";

/// The next state, growing.
pub(super) struct Turn {
    /// As it will stand.
    pub state: FixState,
    /// When.
    pub now: Timestamp,
    by: Text,
    effects: Vec<Effect>,
}

impl Turn {
    /// Begins where the fix stands; caused by nobody.
    pub fn of(state: &FixState, now: Timestamp) -> Self {
        Self { state: state.clone(), now, by: Text::from(SYSTEM), effects: Vec::new() }
    }

    /// The same, caused by somebody.
    pub fn by(state: &FixState, by: &Text, now: Timestamp) -> Self {
        Self { by: by.clone(), ..Self::of(state, now) }
    }

    /// It reaches an end, or a halt that only people leave: no executor holds it any more, and what one
    /// still sends under the old fence is refused.
    pub fn end(&mut self, status: FixStatus, result: &str) {
        self.state.fix.status = status;
        self.state.fix.result = words::paragraph(result);
        self.state.fix.ended_at = (!status.is_open()).then_some(self.now);
        let work = &mut self.state.work;
        (work.holder, work.lease_until, work.stop, work.holds_since) = (None, None, None, None);
    }

    /// Asks for something besides keeping the state.
    pub fn ask(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Which step is under way, for people: from 1, with its title.
    pub fn step_words(&self, number: usize) -> String {
        let title = self.state.fix.plan.steps.get(number).map_or("", |step| step.title.raw());
        format!("step {}, {title}", number + 1)
    }

    /// What takes the step back; None: nothing does.
    pub fn undo_of(&self, number: usize) -> Option<&Undo> {
        self.state.fix.plan.steps.get(number).and_then(|step| step.undo.as_ref())
    }

    /// Readers see that it changed.
    pub fn changed(mut self, word: &'static str, what: &str) -> Step {
        let fix = &mut self.state.fix;
        fix.version += 1;
        if word != DRY_RUN {
            self.state.work.only_rehearsed_since = None;
        }
        if fix.trail.len() >= 2 * TRAIL_END {
            fix.trail.remove(TRAIL_END);
        }
        let what = words::line(&Text::from(what.to_owned()));
        fix.trail.push(Trail { at: self.now, by: self.by, asked_by: None, what });
        self.effects.insert(0, Effect::Changed(word));
        Step { state: self.state, effects: self.effects }
    }

    /// Only its executor needs to know.
    pub fn renewed(self) -> Step {
        Step { state: self.state, effects: vec![Effect::Renewed] }
    }

    /// It was so already.
    pub fn unchanged(self) -> Step {
        Step { state: self.state, effects: Vec::new() }
    }
}
