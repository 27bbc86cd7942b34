//! Refusals over HTTP: which status each code travels under.
//!
//! A handler refuses with a [`Refusal`]; the outermost layer ([`super::edge`]) writes the request's id
//! into it and makes the bytes. The body itself is [`crate::problem`].

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stella_protocol::{Code, Problem, Retry};

use crate::problem::{self, problem};

/// Seconds after which a refusal with [`Retry::After`] may be tried again.
const RETRY_AFTER_S: u32 = 1;

/// A request that was not done, and why.
#[derive(Debug, Clone)]
pub(crate) struct Refusal(pub Box<Problem>);

impl Refusal {
    /// Refuses with `code`; `detail` says what to do next.
    pub fn new(code: Code, detail: impl AsRef<str>) -> Self {
        Self(Box::new(problem(code, detail)))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<problem::Refusal> for Refusal {
    fn from(why: problem::Refusal) -> Self {
        Problem::from(why).into()
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
        Code::KeyReused | Code::BadParameter => StatusCode::UNPROCESSABLE_ENTITY,
        Code::InFlight
        | Code::VersionConflict
        | Code::AlreadyAcknowledged
        | Code::IllegalTransition
        | Code::AlreadyOpen
        | Code::PlanChanged
        | Code::OwnProposal
        | Code::TargetBusy
        | Code::FixesOff
        | Code::TooManyFixes
        | Code::TargetChanged
        | Code::DualReadMissing
        | Code::NotDecided
        | Code::UndoExpired
        | Code::AlreadyUndone => StatusCode::CONFLICT,
        Code::TooManyStreams | Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::StoreUnavailable | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal | Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_may_be_tried_again_says_when() {
        let again = Refusal::new(Code::Unavailable, "").into_response();
        assert!(again.headers().contains_key(header::RETRY_AFTER));
        let never = Refusal::new(Code::BadBody, "").into_response();
        assert!(!never.headers().contains_key(header::RETRY_AFTER));
    }
}
