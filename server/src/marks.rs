//! What of the alerts teaches the engine: those that somebody called false, because that is normal here or the
//! threshold is too low.
//!
//! Lines that were misread teach nothing: there was no problem of that size, so its size says nothing about the
//! next one; it counts in the rule's score, and its reading is what has to be mended.

use serde::{Deserialize, Serialize};
use stella_detect::Lesson;
use stella_protocol::command::WrongPart;
use stella_protocol::{Status, Text, Timestamp};

use crate::alerts::{AlertState, Moment};

/// Most problems that marks are kept of: as many as the engine knows.
pub(crate) const MOST_MARKS: usize = 1000;

/// A problem that somebody called false, or did once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Marked {
    /// Rises with every change that the engine has to learn of.
    pub number: u64,
    /// Which problem: as in its alerts.
    pub fingerprint: Text,
    /// What the engine calls it.
    pub known_as: String,
    /// What its last alert was called.
    pub title: Text,
    /// When it was marked last, by the server's clock.
    pub at: Timestamp,
    /// By whom.
    pub by: Text,
    /// What was learned of it; None: all marks were taken back.
    pub lesson: Option<Lesson>,
    /// The same before the last mark.
    pub before: Option<Lesson>,
}

/// What the engine calls the problem of an alert.
pub(crate) fn known_as(state: &AlertState) -> &str {
    state.watch.known_as.as_deref().unwrap_or(state.alert.fingerprint.raw())
}

/// True for an alert whose being called false teaches the engine.
pub(crate) fn teaches(state: &AlertState) -> bool {
    let misread = state.watch.wrong == Some(WrongPart::Misread);
    state.alert.status == Status::FalsePositive && !misread && !state.watch.elsewhere
}

/// One mark more on the problem of an alert. How large it was the engine knows better; the count of the alert is
/// what stands in for that.
pub(crate) fn mark(former: Option<&Marked>, state: &AlertState, by: &Text, now: Moment) -> Marked {
    let alert = &state.alert;
    let before = former.and_then(|former| former.lesson.clone());
    let (times, lines) = before.as_ref().map_or((0, 0), |before| (before.times, before.lines));
    let lesson = Lesson {
        fingerprint: known_as(state).to_owned(),
        at: now.engine.max(alert.last_seen),
        times: times.saturating_add(1),
        lines: lines.max(alert.occurrences),
    };
    Marked {
        number: 0,
        fingerprint: alert.fingerprint.clone(),
        known_as: lesson.fingerprint.clone(),
        title: alert.title.clone(),
        at: now.server,
        by: by.clone(),
        lesson: Some(lesson),
        before,
    }
}

/// The last mark is taken back. None: there is none.
pub(crate) fn take_back(marked: &Marked) -> Option<Marked> {
    let lesson = marked.lesson.as_ref()?;
    let times = lesson.times - 1;
    let before = marked.before.clone().filter(|before| before.times == times);
    let fewer = || (times > 0).then(|| Lesson { times, ..lesson.clone() });
    Some(Marked { lesson: before.or_else(fewer), before: None, ..marked.clone() })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use stella_protocol::Verb;

    use super::*;
    use crate::alerts::sample::alert;
    use crate::alerts::{Act, Event, step};

    fn at(millis: i64) -> Moment {
        Moment { server: Timestamp::from_millis(millis + 7), engine: Timestamp::from_millis(millis) }
    }

    fn called_false(part: Option<WrongPart>) -> AlertState {
        let (state, by) = (alert("f", 1, 0), Text::new("ana"));
        let act = Act { verb: Verb::FalsePositive, by: &by, version: 1, text: None, part, rival: None };
        step(&state, &Event::Act(act), at(1000)).unwrap().state
    }

    #[test]
    fn what_is_normal_or_below_its_threshold_teaches_and_what_was_misread_does_not() {
        for (part, taught) in [
            (None, true),
            (Some(WrongPart::Normal), true),
            (Some(WrongPart::Threshold), true),
            (Some(WrongPart::Misread), false),
        ] {
            assert_eq!(teaches(&called_false(part)), taught, "{part:?}");
        }
        assert!(!teaches(&alert("f", 1, 0)));
        let mut other = called_false(None);
        other.watch.elsewhere = true;
        assert!(!teaches(&other), "the engine did not find it");
    }

    #[test]
    fn marks_add_up_and_are_taken_back_one_by_one() {
        let (mut state, by) = (called_false(None), Text::new("ana"));
        state.alert.occurrences = 12;
        let once = mark(None, &state, &by, at(1000));
        assert_eq!(once.lesson.as_ref().map(|lesson| (lesson.times, lesson.lines)), Some((1, 12)));
        state.alert.occurrences = 4;
        let twice = mark(Some(&once), &state, &by, at(2000));
        assert_eq!(twice.lesson.as_ref().map(|lesson| (lesson.times, lesson.lines)), Some((2, 12)));
        let back = take_back(&twice).unwrap();
        assert_eq!(back.lesson, once.lesson, "as it was, also when it was");
        let none = take_back(&back).unwrap();
        assert_eq!((none.lesson.clone(), take_back(&none)), (None, None));
    }
}
