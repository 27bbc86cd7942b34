//! The one error body, and which status each code travels under.
//!
//! A handler refuses with a [`Refusal`]; the outermost layer ([`super::edge`]) writes the request's id
//! into it and makes the bytes. Nothing here knows a path, SQL or a stack trace, so none can leak.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stella_protocol::{Code, Problem, Retry, Text};

/// Longest detail in characters: with the rest of the body it stays far below 2 KiB.
const LONGEST_DETAIL: usize = 300;
/// Seconds after which a refusal with [`Retry::After`] may be tried again.
const RETRY_AFTER_S: u32 = 1;

/// A request that was not done, and why.
#[derive(Debug, Clone)]
pub(crate) struct Refusal(pub Box<Problem>);

impl Refusal {
    /// Refuses with `code`; `detail` says what to do next.
    pub fn new(code: Code, detail: impl AsRef<str>) -> Self {
        Self(Box::new(Problem {
            kind: Text::new(format!("urn:stella:problem:{}", word(code))),
            code,
            title: Text::new(title(code)),
            detail: Text::new(shown(detail.as_ref())),
            request_id: Text::default(),
            retry: retry(code),
            current: None,
        }))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.0.code;
        let mut response = status(code).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status(code) == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.0.retry == Retry::After {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// What a caller said, cut and without control characters, so that it can be said back.
fn shown(detail: &str) -> String {
    detail.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).take(LONGEST_DETAIL).collect()
}

/// The word on the wire.
pub(crate) fn word(code: Code) -> String {
    serde_json::to_value(code).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The status that each code travels under.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::Unauthenticated | Code::TokenExpired | Code::TokenRevoked => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::RecordingNotAllowed => StatusCode::FORBIDDEN,
        Code::UnknownRoute | Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::BadId
        | Code::BadBody
        | Code::BadQuery
        | Code::TooDeep
        | Code::BadCompression
        | Code::KeyMissing
        | Code::BadKey
        | Code::BadVersion
        | Code::BadCursor
        | Code::TooManyTargets => StatusCode::BAD_REQUEST,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::VersionMissing => StatusCode::PRECONDITION_REQUIRED,
        Code::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Code::InFlight
        | Code::VersionConflict
        | Code::AlreadyAcknowledged
        | Code::IllegalTransition
        | Code::AlreadyOpen
        | Code::UndoExpired
        | Code::AlreadyUndone => StatusCode::CONFLICT,
        Code::TooManyStreams | Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::StoreUnavailable | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal | Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
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
        let refusal = Refusal::new(Code::BadId, format!("\x1b[2J{}", "x".repeat(5000)));
        assert_eq!(refusal.0.detail.raw().chars().count(), LONGEST_DETAIL);
        assert!(!refusal.0.detail.raw().contains('\x1b'));
        assert_eq!(refusal.0.kind.raw(), "urn:stella:problem:bad_id");
    }

    #[test]
    fn a_refusal_that_may_be_tried_again_says_when() {
        let again = Refusal::new(Code::Unavailable, "").into_response();
        assert!(again.headers().contains_key(header::RETRY_AFTER));
        let never = Refusal::new(Code::BadBody, "").into_response();
        assert!(!never.headers().contains_key(header::RETRY_AFTER));
    }
}
