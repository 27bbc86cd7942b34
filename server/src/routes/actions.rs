//! What people do to alerts: in bulk, one by one, listed, undone.
//!
//! The order of the checks is part of the contract: key, then version, then body.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stella_protocol::command::VerbRequest;
use stella_protocol::{ActionId, ActionRequest, AlertId, Code, Current, Outcome, Target, Verb};

use super::change::Change;
use super::problem::Refusal;
use super::{App, body};
use crate::auth::Session;
use crate::hub::Answer;

/// Most targets of one request.
const MOST_TARGETS: usize = 1000;
/// Most actions of a list: the newest.
const PAGE: u32 = 200;
/// Longest key in bytes.
const LONGEST_KEY: usize = 64;
/// Names a press of a key, kept across retries.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that this answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// `POST /alerts/actions`.
pub(super) async fn act(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let key = key(&headers)?;
    let (value, bytes) = body::json::<Value>(&headers, body).await?;
    if lacks_version(&value) {
        return Err(Refusal::new(Code::VersionMissing, "each target needs the version that was seen"));
    }
    let request: ActionRequest = body::from_json(&bytes)?;
    if request.targets.is_empty() {
        return Err(Refusal::new(Code::BadBody, "name at least one target"));
    }
    if request.targets.len() > MOST_TARGETS {
        return Err(Refusal::new(Code::TooManyTargets, format!("at most {MOST_TARGETS}")));
    }
    let answer = app.hub.act(&session.principal, key, request).await?;
    Ok(answered(answer))
}

/// True when a target is there and its version is not: that has a code of its own.
fn lacks_version(request: &Value) -> bool {
    let targets = request.get("targets").and_then(Value::as_array);
    targets.is_some_and(|targets| targets.iter().any(|target| target.is_object() && target.get("version").is_none()))
}

/// `POST /alerts/{id}/VERB`: the same for one; its refusal is the answer's own status.
pub(super) async fn act_on_one(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    Path((id, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let verb = Verb::from_word(&verb).ok_or_else(|| {
        Refusal::new(Code::UnknownRoute, format!("verbs are {}", Verb::ALL.map(Verb::word).join(", ")))
    })?;
    let id = alert_id(&id)?;
    let key = key(&headers)?;
    let version = version(&headers)?;
    let VerbRequest { text, part } = body::json_or_default(&headers, body).await?;
    let request = ActionRequest { verb, targets: vec![Target { id, version }], text, part };
    let answer = app.hub.act(&session.principal, key, request).await?;
    let refused = answer.body.results.iter().find_map(refusal_of);
    refused.map_or_else(|| Ok(answered(answer)), Err)
}

/// What stands against the only target.
fn refusal_of(result: &stella_protocol::TargetResult) -> Option<Refusal> {
    let code = match result.outcome {
        Outcome::Done | Outcome::Unchanged => return None,
        Outcome::Conflict => Code::VersionConflict,
        Outcome::Refused => Code::IllegalTransition,
        Outcome::NotFound => Code::NotFound,
        Outcome::Unknown => Code::Internal,
    };
    let mut refusal = result.problem.clone().map_or_else(|| Refusal::new(code, ""), Refusal);
    if refusal.0.current.is_none() {
        refusal.0.current = result.alert.clone().map(Current::Alert);
    }
    Some(refusal)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// Present: only the caller's own. `?mine` and `?mine=true` say the same.
    mine: Option<String>,
}

/// `GET /actions?mine`.
pub(super) async fn list(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    let ask: Ask = body::query(&uri)?;
    let mine = match ask.mine.as_deref() {
        Some("" | "true") => Some(session.principal.name.raw()),
        None | Some("false") => None,
        Some(_) => return Err(Refusal::new(Code::BadQuery, "mine is true or false")),
    };
    let mine = mine.map(str::to_owned);
    let items = super::stored(move || app.hub.actions(mine.as_deref(), PAGE)).await?;
    Ok(Json(json!({ "items": items, "next": null })))
}

/// `POST /actions/{id}/undo`.
pub(super) async fn undo(State(app): State<App>, change: Change) -> Result<Response, Refusal> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    let Change { session, id, headers, body } = change;
    let id: ActionId = id.parse().map_err(|_| Refusal::new(Code::BadId, "an action is act-N"))?;
    let key = key(&headers)?;
    let Nothing {} = body::json_or_default(&headers, body).await?;
    let answer = app.hub.undo(&session.principal, key, id).await?;
    Ok(answered(answer))
}

/// An answer, marked when it was given before.
pub(super) fn answered(answer: Answer<impl Serialize>) -> Response {
    let mut response = Json(answer.body).into_response();
    if answer.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Reads the id of an alert.
pub(super) fn alert_id(text: &str) -> Result<AlertId, Refusal> {
    text.parse().map_err(|_| Refusal::new(Code::BadId, "an alert is `a-` and 7 letters or digits"))
}

/// Reads the key of a request.
pub(super) fn key(headers: &HeaderMap) -> Result<&str, Refusal> {
    let value = headers.get(IDEMPOTENCY_KEY).ok_or_else(|| Refusal::new(Code::KeyMissing, "send a UUID"))?;
    let fits = |key: &&str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        !key.is_empty() && key.len() <= LONGEST_KEY && key.bytes().all(letter)
    };
    let bad = || Refusal::new(Code::BadKey, format!("1 to {LONGEST_KEY} letters, digits and - _ . :"));
    value.to_str().ok().filter(fits).ok_or_else(bad)
}

/// Reads `If-Match: "7"`; the quotes may be missing.
pub(super) fn version(headers: &HeaderMap) -> Result<u64, Refusal> {
    let value = headers
        .get(header::IF_MATCH)
        .ok_or_else(|| Refusal::new(Code::VersionMissing, "send If-Match: \"VERSION\" as it was seen"))?;
    let text = value.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let decimal = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = decimal.then(|| bare.parse().ok()).flatten();
    parsed.ok_or_else(|| Refusal::new(Code::BadVersion, "want If-Match: \"VERSION\", a decimal number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &'static [u8]) -> HeaderMap {
        HeaderValue::from_bytes(value).map(|value| HeaderMap::from_iter([(name, value)])).unwrap_or_default()
    }

    #[test]
    fn a_version_is_a_decimal_number_with_or_without_quotes() {
        let of = |value| version(&with(header::IF_MATCH, value)).map_err(|refusal| refusal.0.code);
        assert_eq!(of(b"\"7\""), Ok(7));
        assert_eq!(of(b"7"), Ok(7));
        for bad in [&b"*"[..], b"\"\"", b"\"7", b"-1", b"7.0", b"\"a\"", b"99999999999999999999", b"\xff"] {
            assert_eq!(of(bad), Err(Code::BadVersion), "{bad:?}");
        }
        assert_eq!(version(&HeaderMap::new()).map_err(|refusal| refusal.0.code), Err(Code::VersionMissing));
    }

    #[test]
    fn a_key_is_short_and_plain() {
        let of = |value| key(&with(IDEMPOTENCY_KEY, value)).map(str::len).map_err(|refusal| refusal.0.code);
        assert_eq!(of(b"018f3c1e-7a2b-7c3d-8e4f-5a6b7c8d9e0f"), Ok(36));
        for bad in [&b""[..], b"a b", b"\xff\xfe", &[b'x'; LONGEST_KEY + 1]] {
            assert_eq!(of(bad), Err(Code::BadKey), "{bad:?}");
        }
        assert_eq!(key(&HeaderMap::new()).map_err(|refusal| refusal.0.code), Err(Code::KeyMissing));
    }
}
