//! The one body that every refusal has, made from its code; and what a machine refuses by, before it is one.
//!
//! The title says in a sentence what stands against it, the detail what to do next. Nothing here knows
//! HTTP, paths, SQL or stack traces, so none can leak.

use stella_protocol::{Code, Problem, Retry, Text};

/// Longest title and longest detail, in characters: with the rest of the body far below 2 KiB.
const LONGEST: usize = 300;

/// Why a machine does not take a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: what stands in the way, and what to do.
    pub why: String,
}

impl Refusal {
    /// With this code and these words.
    pub fn new(code: Code, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }
}

impl From<Refusal> for Problem {
    fn from(why: Refusal) -> Self {
        problem(why.code, why.why)
    }
}

impl From<Problem> for Refusal {
    /// What it is about stays behind.
    fn from(problem: Problem) -> Self {
        Self::new(problem.code, problem.detail.raw())
    }
}

/// A problem with the title of its code.
pub(crate) fn problem(code: Code, detail: impl AsRef<str>) -> Problem {
    titled(code, title(code), detail)
}

/// A problem whose title says more than its code does.
pub(crate) fn titled(code: Code, title: impl AsRef<str>, detail: impl AsRef<str>) -> Problem {
    Problem {
        kind: Text::new(format!("urn:stella:problem:{}", word(code))),
        code,
        title: Text::new(shown(title.as_ref())),
        detail: Text::new(shown(detail.as_ref())),
        request_id: Text::default(),
        retry: retry(code),
        current: None,
    }
}

/// What a caller said, cut and without control characters, so that it can be said back.
fn shown(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).take(LONGEST).collect()
}

/// The word on the wire.
fn word(code: Code) -> String {
    serde_json::to_value(code).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn retry(code: Code) -> Retry {
    match code {
        Code::InFlight | Code::TooManyStreams | Code::RateLimited | Code::StoreUnavailable | Code::Unavailable => {
            Retry::After
        }
        _ => Retry::Never,
    }
}

fn title(code: Code) -> &'static str {
    match code {
        Code::Unauthenticated => "no valid token",
        Code::TokenExpired => "the token has expired",
        Code::TokenRevoked => "the token was revoked",
        Code::Forbidden => "your role does not allow this",
        Code::UnknownRoute => "no such route",
        Code::MethodNotAllowed => "the route does not take this method",
        Code::NotFound => "no such object",
        Code::BadId => "not an id",
        Code::BadBody => "the body is not what this route takes",
        Code::BadQuery => "the query is not what this route takes",
        Code::UnsupportedMediaType => "this content type or encoding is not read here",
        Code::TooLarge => "too large",
        Code::TooManyTargets => "too many targets in one request",
        Code::TooDeep => "the JSON is nested too deep",
        Code::BadCompression => "the gzip stream is broken",
        Code::KeyMissing => "the Idempotency-Key header is missing",
        Code::BadKey => "the Idempotency-Key header is not a key",
        Code::KeyReused => "this Idempotency-Key came before with another request",
        Code::InFlight => "the first request with this key is still under way",
        Code::VersionMissing => "the version that was seen is missing",
        Code::BadVersion => "not a version",
        Code::VersionConflict => "somebody changed it first",
        Code::AlreadyAcknowledged => "somebody else has it",
        Code::IllegalTransition => "not possible from its present state",
        Code::AlreadyOpen => "another alert of the same kind is open",
        Code::PlanChanged => "the plan is another one by now",
        Code::OwnProposal => "whoever proposed it, or owns it, does not approve it",
        Code::TargetBusy => "a fix of this target is open, or was proposed a moment ago",
        Code::FixesOff => "no fix may run there now",
        Code::BadParameter => "a value is missing, or cannot be used here",
        Code::TooManyFixes => "too many fixes are open",
        Code::TargetChanged => "what would be put back was changed since",
        Code::DualReadMissing => "nothing says that readers understand both ids",
        Code::NotDecided => "a question is open, or has no such answer",
        Code::UndoExpired => "it can no longer be undone",
        Code::AlreadyUndone => "it was undone already",
        Code::TooManyStreams => "too many streams are open",
        Code::RateLimited => "too many requests",
        Code::BadCursor => "not a cursor",
        Code::RecordingNotAllowed => "this token may not send recordings",
        Code::StoreUnavailable => "the store does not answer",
        Code::Unavailable => "the server is not ready",
        Code::Internal | Code::Unknown => "a fault of the server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_said_comes_back_cut_and_without_controls() {
        let problem = problem(Code::BadId, format!("\x1b[2J{}", "x".repeat(5000)));
        assert_eq!(problem.detail.raw().chars().count(), LONGEST);
        assert!(!problem.detail.raw().contains('\x1b'));
        assert_eq!((problem.kind.raw(), problem.title.raw()), ("urn:stella:problem:bad_id", "not an id"));
    }
}
