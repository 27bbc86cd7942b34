//! What a probe's answer says: it happened, it did not, or nobody can tell.
//!
//! Pure. Asking is the business of whoever performs.

use serde_json::Value;
use stella_protocol::Text;
use stella_protocol::fix::{Condition, Probe};

use super::super::Said;

/// An answer, as far as a condition can ask about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Answer<'a> {
    /// The HTTP status; None: it was no call.
    pub(super) status: Option<u16>,
    /// The exit code; None: it was no command, or it did not end by itself.
    pub(super) exit: Option<i32>,
    /// What it said; None: more than is kept.
    pub(super) body: Option<&'a [u8]>,
}

/// What the answer says about the step.
pub(super) fn judge(probe: &Probe, answer: &Answer<'_>) -> Said {
    let title = probe.title.raw();
    match (holds(&probe.done, answer), holds(&probe.not_done, answer)) {
        (true, false) => Said::Done(Text::from(format!("{title}: it happened"))),
        (false, true) => Said::NotDone(Text::from(format!("{title}: it did not happen"))),
        (true, true) => Said::CannotTell(Text::from(format!("{title}: the answer says both"))),
        (false, false) => Said::CannotTell(Text::from(format!("{title}: the answer says neither"))),
    }
}

/// Whether all that is given holds. A condition without any never does.
fn holds(condition: &Condition, answer: &Answer<'_>) -> bool {
    let Condition { status, exit, pointer, equals } = condition;
    let asked = !status.is_empty() || !exit.is_empty() || pointer.is_some() || equals.is_some();
    let status = status.is_empty() || answer.status.is_some_and(|seen| status.contains(&seen));
    let exit = exit.is_empty() || answer.exit.is_some_and(|seen| exit.contains(&seen));
    asked && status && exit && (pointer.is_none() && equals.is_none() || stands(condition, answer.body))
}

fn stands(condition: &Condition, body: Option<&[u8]>) -> bool {
    let Some(Ok(body)) = body.map(serde_json::from_slice::<Value>) else { return false };
    // Without a pointer the whole answer is meant: that is what an empty one points at.
    let pointer = condition.pointer.as_ref().map_or("", Text::raw);
    body.pointer(pointer).is_some_and(|seen| match &condition.equals {
        Some(wanted) => seen == wanted,
        None => !seen.is_null(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(text: &Value) -> Condition {
        serde_json::from_value(text.clone()).unwrap_or_default()
    }

    #[test]
    fn a_condition_holds_when_all_that_it_names_does() {
        let body = br#"{"state":"up","pools":[{"size":4}],"gone":null}"#;
        let answer = Answer { status: Some(200), exit: None, body: Some(body) };
        for (asked, expected) in [
            (json!({}), false),
            (json!({"status": [200, 204]}), true),
            (json!({"status": [404]}), false),
            (json!({"exit": [0]}), false),
            (json!({"pointer": "/state"}), true),
            (json!({"pointer": "/gone"}), false),
            (json!({"pointer": "/missing"}), false),
            (json!({"pointer": "/state", "equals": "up"}), true),
            (json!({"pointer": "/state", "equals": "down"}), false),
            (json!({"pointer": "/pools/0/size", "equals": 4, "status": [200]}), true),
            (json!({"pointer": "/pools/0/size", "equals": 4, "status": [500]}), false),
            (json!({"equals": {"state": "up"}}), false),
        ] {
            assert_eq!(holds(&condition(&asked), &answer), expected, "{asked}");
        }
    }

    #[test]
    fn what_is_no_json_or_was_cut_proves_nothing() {
        let asked = condition(&json!({"pointer": "", "equals": null}));
        for body in [None, Some(&b"<html>"[..]), Some(&b"{\"a\":"[..]), Some(&b""[..])] {
            assert!(!holds(&asked, &Answer { status: Some(200), exit: None, body }), "{body:?}");
        }
    }

    #[test]
    fn an_answer_that_says_both_or_neither_cannot_tell() {
        let probe = |done: Value, not_done: Value| -> Option<Probe> {
            let act = json!({"kind": "argv", "program": "/p", "arguments": [], "timeoutMs": 1});
            serde_json::from_value(json!({"title": "t", "act": act, "done": done, "notDone": not_done})).ok()
        };
        let answer = Answer { exit: Some(3), ..Answer::default() };
        let say = |done, not_done| probe(done, not_done).map(|probe| judge(&probe, &answer));
        let (three, four) = (json!({"exit": [3]}), json!({"exit": [4]}));
        assert!(matches!(say(three.clone(), four.clone()), Some(Said::Done(_))));
        assert!(matches!(say(four.clone(), three.clone()), Some(Said::NotDone(_))));
        assert!(matches!(say(three.clone(), three), Some(Said::CannotTell(_))));
        assert!(matches!(say(four.clone(), four), Some(Said::CannotTell(_))));
    }
}
