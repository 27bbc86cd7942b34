//! Refusals in words.

use stella_protocol::{Alert, AlertId, Code, Outcome, Problem, Retry, TargetResult, Text};

use super::json;
use crate::alerts::{AlertState, Refusal};

/// A problem body. `detail` says what to do next; what comes from outside in it is cut short.
pub fn problem(code: Code, detail: impl Into<String>) -> Problem {
    let word = json(&code);
    let word = word.trim_matches('"');
    let later = matches!(code, Code::StoreUnavailable | Code::Unavailable | Code::InFlight);
    Problem {
        kind: Text::new(format!("urn:stella:problem:{word}")),
        code,
        title: Text::new(word.replace('_', " ")),
        detail: Text::new(detail.into().chars().take(300).collect::<String>()),
        request_id: Text::default(),
        retry: if later { Retry::After } else { Retry::Never },
        current: None,
    }
}

/// The writer has ended.
pub(super) fn stopped() -> Problem {
    problem(Code::Unavailable, "the server is ending")
}

/// The store did not answer.
pub(super) fn unavailable() -> Problem {
    problem(Code::StoreUnavailable, "whether it was done is not known: ask again with the same key")
}

/// A target that is no alert.
pub(super) fn not_found(id: &AlertId) -> TargetResult {
    let problem = problem(Code::NotFound, "no alert has this id");
    TargetResult { id: id.clone(), outcome: Outcome::NotFound, alert: None, problem: Some(Box::new(problem)) }
}

/// What the machine answered, with the alert as it is now.
pub(super) fn refused(state: &AlertState, why: &Refusal) -> TargetResult {
    let (outcome, code, detail) = match why {
        Refusal::Stale => (Outcome::Conflict, Code::VersionConflict, changed_by(&state.alert)),
        Refusal::AlreadyAcknowledged { by } => {
            (Outcome::Conflict, Code::AlreadyAcknowledged, format!("{} has it: take it over", by.raw()))
        }
        Refusal::IllegalTransition => {
            (Outcome::Refused, Code::IllegalTransition, format!("it is {}", state.alert.status.word()))
        }
        Refusal::AlreadyOpen(rival) => {
            (Outcome::Refused, Code::AlreadyOpen, format!("{rival} is open: work on that one"))
        }
        Refusal::NotesFull => (Outcome::Refused, Code::TooLarge, "an alert keeps 24 KiB of notes".to_owned()),
    };
    let mut problem = problem(code, detail);
    problem.current = Some(Box::new(state.alert.clone()));
    TargetResult {
        id: state.alert.id.clone(),
        outcome,
        alert: Some(Box::new(state.alert.clone())),
        problem: Some(Box::new(problem)),
    }
}

fn changed_by(alert: &Alert) -> String {
    let who = alert.resolved_by.as_ref().or(alert.acknowledged_by.as_ref());
    let by = who.map(|who| format!(" by {}", who.raw())).unwrap_or_default();
    format!("it is at version {}, {}{by}", alert.version, alert.status.word())
}
