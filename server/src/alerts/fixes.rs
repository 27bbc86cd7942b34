//! What fixes do to the alert they are for: named in it, they end it, and a rollback opens it again.
//!
//! Knows of a fix no more than its id and the words that were said of it.

use stella_protocol::{AlertId, FixId, Note, Status, Text};

use super::machine::{Cause, Step, by_system, end_itself, reopen};
use super::verbs::has_room;
use super::{AlertState, Moment, SYSTEM};
use crate::words::clip;

/// Most fixes of an alert that are named: the newest.
const MOST_FIXES: usize = 32;
/// Most of what is said of a fix, on the wire.
const SAID: usize = 1024;

pub(super) fn linked(state: &AlertState, fix: &FixId) -> Step {
    let mut step = Step::of(state);
    let alert = &mut step.state.alert;
    if alert.fixes.contains(fix) {
        return step;
    }
    if alert.fixes.len() >= MOST_FIXES {
        alert.fixes.remove(0);
    }
    alert.fixes.push(fix.clone());
    alert.auto_fix_available = true;
    step.changed(Cause::FixProposed);
    step
}

pub(super) fn fixed(state: &AlertState, notes: &Text, now: Moment) -> Step {
    let mut step = Step::of(state);
    if state.alert.status.is_open() {
        end_itself(&mut step, now.engine.max(state.alert.last_seen), Cause::Fixed);
        step.state.alert.resolution_notes = Some(clip(notes, SAID));
    } else if by_system(state) && state.alert.resolution_notes.is_none() {
        // It recovered before the watch on the fix was over: what made it recover is still said.
        step.state.alert.resolution_notes = Some(clip(notes, SAID));
        step.changed(Cause::Fixed);
    }
    step
}

/// Only what still stands as this fix left it: what a person closed, or what came back since, is theirs. Where
/// the next episode is open already there cannot be two, so the words alone are put right.
pub(super) fn unfixed(state: &AlertState, fix: &FixId, said: &Text, rival: Option<&AlertId>, now: Moment) -> Step {
    let mut step = Step::of(state);
    let alert = &state.alert;
    let by_it = alert.resolution_notes.as_ref() == Some(&clip(said, SAID));
    if alert.status != Status::Resolved || !by_system(state) || !by_it {
        return step;
    }
    if let Some(rival) = rival {
        let words = Text::new(format!("{fix}, which had fixed it, is rolled back; {rival} goes on"));
        step.state.alert.resolution_notes = Some(words);
    } else {
        reopen(&mut step.state, now.engine);
        let text = Text::new(format!("open again: {fix}, which had fixed it, is rolled back"));
        let note = Note { at: now.server, by: Text::new(SYSTEM), text };
        if has_room(&step.state, &note) {
            step.state.alert.notes.push(note);
        }
    }
    step.changed(Cause::Unfixed);
    step
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use stella_protocol::{Timestamp, Verb};

    use super::super::sample::alert;
    use super::super::{Act, Effect, Event, step};
    use super::*;

    fn at(millis: i64) -> Moment {
        Moment { server: Timestamp::from_millis(millis), engine: Timestamp::from_millis(millis) }
    }

    fn unfix(state: &AlertState, said: &str, rival: Option<&AlertId>) -> Step {
        let (fix, said) = ("fx-7".parse().unwrap(), Text::new(said.to_owned()));
        step(state, &Event::Unfixed { fix: &fix, said: &said, rival }, at(90_000)).unwrap()
    }

    fn mended() -> AlertState {
        let state = alert("f", 1, 0);
        step(&state, &Event::Fixed(&Text::new("fixed by fx-7: t")), at(60_000)).unwrap().state
    }

    #[test]
    fn an_alert_that_a_fix_ended_is_open_again_once_the_fix_is_rolled_back_and_says_why() {
        let mended = mended();
        assert_eq!((mended.alert.status, mended.alert.version), (Status::Resolved, 2));
        let again = unfix(&mended, "fixed by fx-7: t", None);
        assert_eq!(again.effects, [Effect::Changed(Cause::Unfixed)]);
        let alert = &again.state.alert;
        assert_eq!((alert.status, alert.version, alert.reopened), (Status::New, 3, 1));
        assert_eq!((&alert.resolved_at, &alert.resolved_by, &alert.resolution_notes), (&None, &None, &None));
        assert_eq!(alert.notes[0].text.raw(), "open again: fx-7, which had fixed it, is rolled back");
        // Its quiet time begins anew: it is not over at the next look.
        assert_eq!(step(&again.state, &Event::Tick, at(91_000)).unwrap().state.alert.status, Status::New);
        assert_eq!(unfix(&again.state, "fixed by fx-7: t", None).effects, [], "once");
    }

    #[test]
    fn beside_the_next_episode_only_the_words_are_put_right() {
        let rival = "a-0000009".parse().unwrap();
        let said = unfix(&mended(), "fixed by fx-7: t", Some(&rival));
        assert_eq!(said.effects, [Effect::Changed(Cause::Unfixed)]);
        assert_eq!((said.state.alert.status, said.state.alert.reopened), (Status::Resolved, 0));
        let words = "fx-7, which had fixed it, is rolled back; a-0000009 goes on";
        assert_eq!(said.state.alert.resolution_notes.as_ref().unwrap().raw(), words);
        assert_eq!(unfix(&said.state, "fixed by fx-7: t", Some(&rival)).effects, []);
    }

    #[test]
    fn what_another_fix_or_a_person_closed_stays_closed() {
        assert_eq!(unfix(&mended(), "fixed by fx-8: t", None).effects, []);
        let state = alert("f", 1, 0);
        assert_eq!(unfix(&state, "fixed by fx-7: t", None).effects, [], "it is open");
        let (by, text) = (Text::new("ana"), Text::new("fixed by fx-7: t"));
        let act = Act { verb: Verb::Resolve, by: &by, version: 1, text: Some(&text), part: None, rival: None };
        let closed = step(&state, &Event::Act(act), at(60_000)).unwrap().state;
        assert_eq!(unfix(&closed, "fixed by fx-7: t", None).effects, []);
    }
}
