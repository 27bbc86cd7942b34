//! What every request passes: its id, its limits, who asks and whether they may.
//!
//! Two layers. The outermost names the request, turns refusals into bytes and catches what a handler
//! let fall; the inner one, one per row of the table, knows the role that the row asks for.

use std::any::Any;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rand::Rng;
use stella_protocol::{Code, Role, Text};

use super::problem::{Refusal, status};
use super::{App, Route};
use crate::auth::Session;

/// Most bytes of all headers together.
const HEADER_BYTES: usize = 16 << 10;
/// Most bytes of the path and query.
const ADDRESS_BYTES: usize = 8 << 10;
/// Names the request to its sender.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Names of query parameters that look like a token in the address.
const TOKEN_PARAMETERS: [&str; 3] = ["token", "access_token", "authorization"];

/// The outermost layer: gives the request its id and makes every refusal a problem body.
pub(super) async fn name_and_finish(request: Request, next: Next) -> Response {
    let id = format!("req-{:016x}", rand::rng().random::<u64>());
    let refused = within_limits(request.headers(), request.uri()).err();
    let mut response = match refused {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    let refusal = response.extensions_mut().remove::<Refusal>().or_else(|| of_framework(&response));
    if let Some(refusal) = refusal {
        response = with_body(&response, refusal, &id);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A refusal for an error that the framework answered by itself.
fn of_framework(response: &Response) -> Option<Refusal> {
    let found = response.status();
    if !found.is_client_error() && !found.is_server_error() {
        return None;
    }
    let code = if found.is_server_error() { Code::Internal } else { Code::BadBody };
    Some(Refusal::new(code, ""))
}

fn with_body(response: &Response, mut refusal: Refusal, id: &str) -> Response {
    let code = refusal.0.code;
    if matches!(code, Code::Internal | Code::Unknown) {
        tracing::error!(request = id, "a request failed by a fault of ours");
    }
    refusal.0.request_id = Text::new(id.to_owned());
    let body = serde_json::to_vec(&refusal.0).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for name in [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (status(code), headers, body).into_response()
}

fn within_limits(headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_BYTES {
        return Err(Refusal::new(Code::TooLarge, format!("headers: at most {HEADER_BYTES} bytes")));
    }
    let address = uri.path_and_query().map_or(0, |address| address.as_str().len());
    if address > ADDRESS_BYTES {
        return Err(Refusal::new(Code::TooLarge, format!("address: at most {ADDRESS_BYTES} bytes")));
    }
    Ok(())
}

/// A handler panicked: the request gets a problem, the server goes on.
pub(super) fn panicked(_what: Box<dyn Any + Send + 'static>) -> axum::http::Response<Body> {
    Refusal::new(Code::Internal, "tell us the request id").into_response()
}

/// The layer of one row: lets in who holds the role that the row asks for.
pub(super) async fn admit(
    State((app, row, needed)): State<(App, &'static Route, Role)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    refuse_token_in_address(request.uri())?;
    let session = session(&app, request.headers())?;
    if !row.admits(session.principal.role) {
        if row.method != "GET" {
            app.hub.denied(&session.principal, row.path, request.uri().path());
        }
        let detail = format!("this asks for role {}, the token has {}", needed.word(), session.principal.role.word());
        return Err(Refusal::new(Code::Forbidden, detail));
    }
    request.extensions_mut().insert(session);
    Ok(next.run(request).await)
}

/// Who asks, by the `Authorization` header.
fn session(app: &App, headers: &HeaderMap) -> Result<Session, Refusal> {
    let value = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| Refusal::new(Code::Unauthenticated, "send Authorization: Bearer TOKEN"))?;
    let malformed = || Refusal::new(Code::Unauthenticated, "want Authorization: Bearer stella_…");
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(malformed());
    }
    app.tokens
        .admit(token.trim(), app.clock.now())
        .map_err(|code| Refusal::new(code, "ask an administrator for a new token"))
}

/// Addresses are kept in histories and logs of proxies: a token there is refused, even a valid one.
fn refuse_token_in_address(uri: &Uri) -> Result<(), Refusal> {
    let query = uri.query().unwrap_or_default();
    let named = query.split('&').filter_map(|pair| pair.split('=').next());
    let token = named.into_iter().any(|name| TOKEN_PARAMETERS.iter().any(|token| name.eq_ignore_ascii_case(token)));
    if token {
        let detail = "a token never travels in a URL: revoke this one and send it in the Authorization header";
        return Err(Refusal::new(Code::Unauthenticated, detail));
    }
    Ok(())
}

/// Nothing stands at this path.
pub(super) async fn unknown_route() -> Refusal {
    Refusal::new(Code::UnknownRoute, "see /api/stella")
}

/// The path stands, the method does not.
pub(super) async fn wrong_method() -> Refusal {
    Refusal::new(Code::MethodNotAllowed, "")
}
