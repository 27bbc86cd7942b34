//! What a refusal means to whoever waits for an exit code.

use stella_protocol::{Code, Current, Problem};
use stella_widgets::text::sanitise;

use super::plan::Failure;
use super::words::{clean, moment};
use crate::effect::Refusal;
use crate::screens::problem_words;

/// Whether the request changed something, if it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It only reads.
    Look,
    /// It does.
    Change,
}

impl Asked {
    /// What was answered, or the failure that a refusal is.
    pub(super) fn of<T>(self, answer: Result<T, Refusal>) -> Result<T, Failure> {
        answer.map_err(|refusal| failure(&refusal, self))
    }
}

/// The failure that a refusal is.
pub(super) fn failure(refusal: &Refusal, asked: Asked) -> Failure {
    match refusal {
        Refusal::Problem(problem) => of_problem(problem),
        Refusal::Unknown(words) => {
            let then = match asked {
                Asked::Look => "",
                Asked::Change => "; it may have been done all the same: look before you say it again",
            };
            Failure::Unreachable(format!("{}{then}", clean(words)))
        }
        Refusal::Query(error) => Failure::Usage(sanitise(&error.to_string()).into_string()),
    }
}

fn of_problem(problem: &Problem) -> Failure {
    let words = words(problem);
    match problem.code {
        Code::Unauthenticated
        | Code::TokenExpired
        | Code::TokenRevoked
        | Code::Forbidden
        | Code::OwnProposal
        | Code::RecordingNotAllowed => Failure::Denied(words),
        Code::NotFound => Failure::Missing(words),
        Code::VersionConflict
        | Code::AlreadyAcknowledged
        | Code::IllegalTransition
        | Code::AlreadyOpen
        | Code::PlanChanged
        | Code::TargetBusy
        | Code::TargetChanged
        | Code::DualReadMissing
        | Code::NotDecided
        | Code::FixesOff
        | Code::TooManyFixes
        | Code::InFlight
        | Code::KeyReused => Failure::Conflict(format!("do it: {words}")),
        Code::BadParameter | Code::BadId | Code::BadBody | Code::BadQuery | Code::TooLarge => {
            Failure::Usage(format!("do it: {words}"))
        }
        Code::Unavailable | Code::StoreUnavailable => Failure::Unreachable(words),
        _ => Failure::NotDone(format!("do it: {words}")),
    }
}

fn words(problem: &Problem) -> String {
    let mut words = problem_words(problem);
    let now = match &problem.current {
        Some(Current::Fix(fix)) => Some((fix.id.to_string(), fix.status.word(), fix.trail.last())),
        Some(Current::Migration(migration)) => {
            Some((migration.id.to_string(), migration.status.word(), migration.trail.last()))
        }
        Some(Current::Alert(_) | Current::Rule(_)) | None => None,
    };
    if let Some((id, status, last)) = now {
        words += &format!("; {id} is {status} now");
        words.extend(last.map(|last| format!(" ({} {}: {})", moment(last.at), clean(&last.by), clean(&last.what))));
    }
    if problem.code == Code::Internal && !problem.request_id.is_empty() {
        words += &format!(" (request {})", clean(&problem.request_id));
    }
    words
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use stella_protocol::Text;

    use super::*;

    fn code(code: &str) -> u8 {
        let body = json!({"type": "", "code": code, "title": "no\u{1b}[2J", "retry": "never"});
        let failure = of_problem(&serde_json::from_value(body).unwrap());
        assert!(!failure.to_string().contains('\u{1b}'));
        failure.exit_code()
    }

    #[test]
    fn a_refusal_has_the_exit_code_of_its_kind() {
        for (codes, wanted) in [
            (&["unauthenticated", "token_expired", "forbidden", "own_proposal"][..], 5),
            (&["not_found"], 3),
            (&["version_conflict", "plan_changed", "illegal_transition", "target_busy", "fixes_off"], 4),
            (&["bad_parameter", "bad_body"], 2),
            (&["unavailable", "store_unavailable"], 6),
            (&["internal", "rate_limited", "unknown_route", "of_tomorrow"], 1),
        ] {
            for word in codes {
                assert_eq!(code(word), wanted, "{word}");
            }
        }
    }

    #[test]
    fn only_a_change_may_have_been_done_all_the_same() {
        let refusal = Refusal::Unknown(Text::from("h does not answer in time"));
        assert!(failure(&refusal, Asked::Change).to_string().contains("may have been done"));
        assert_eq!(failure(&refusal, Asked::Look).to_string(), "reach the server: h does not answer in time");
        assert_eq!(failure(&refusal, Asked::Look).exit_code(), 6);
    }
}
