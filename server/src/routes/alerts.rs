//! Alerts: the list, one of them, and why it stands.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use stella_protocol::snapshot::AlertPage;
use stella_protocol::{Code, query};

use super::actions::alert_id;
use super::listing::page;
use super::problem::Refusal;
use super::{App, body};
use crate::auth::Session;
use crate::store::{AlertKey, AlertQuery, Found, Scope, Sort};

/// Rows of a page when nobody says.
const PAGE: u32 = 100;
/// Most rows of a page.
const LARGEST_PAGE: u32 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    q: Option<String>,
    sort: Option<SortWord>,
    scope: Option<ScopeWord>,
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SortWord {
    Severity,
    Newest,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScopeWord {
    Open,
    All,
}

/// `GET /alerts`: history included.
pub(super) async fn list(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    uri: Uri,
) -> Result<Json<AlertPage>, Refusal> {
    let ask: Ask = body::query(&uri)?;
    let query = AlertQuery {
        query: parse_query(ask.q.as_deref())?,
        me: session.principal.name.raw().to_owned(),
        now: app.clock.now(),
        scope: ask.scope.map_or(Scope::All, Scope::from),
        sort: ask.sort.map_or(Sort::Severity, Sort::from),
        after: ask.after.as_deref().map(place).transpose()?,
        limit: page(ask.limit, PAGE, LARGEST_PAGE)?,
    };
    let Found { items, next } = super::stored(move || app.hub.alerts(&query)).await?;
    Ok(Json(AlertPage { items, next: next.map(|key| key.to_string()) }))
}

impl From<SortWord> for Sort {
    fn from(word: SortWord) -> Self {
        match word {
            SortWord::Severity => Self::Severity,
            SortWord::Newest => Self::Newest,
        }
    }
}

impl From<ScopeWord> for Scope {
    fn from(word: ScopeWord) -> Self {
        match word {
            ScopeWord::Open => Self::Open,
            ScopeWord::All => Self::All,
        }
    }
}

fn place(after: &str) -> Result<AlertKey, Refusal> {
    AlertKey::read(after).ok_or_else(|| Refusal::new(Code::BadQuery, "after: want the `next` of the page before"))
}

/// `GET /alerts/{id}`; its version is the `ETag`.
pub(super) async fn one(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let id = alert_id(&id)?;
    let alert = super::stored(move || app.hub.alert(&id)).await?.ok_or_else(no_alert)?;
    let tag = tag(alert.version)?;
    Ok(([(header::ETAG, tag)], Json(alert)).into_response())
}

/// `GET /alerts/{id}/evidence` with what stands around it; 304 while it is the one the caller has. Its tag is that of
/// the whole answer: what else happened is no part of the evidence's version.
pub(super) async fn evidence(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let id = alert_id(&id)?;
    let evidence = super::stored(move || app.hub.evidence_around(&id)).await?.ok_or_else(no_alert)?;
    let body = serde_json::to_vec(&evidence).map_err(|_| Refusal::new(Code::Internal, ""))?;
    let tag = tag_of(evidence.version, &body)?;
    if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::ETAG, tag), (header::CONTENT_TYPE, json)], body).into_response())
}

pub(super) fn no_alert() -> Refusal {
    Refusal::new(Code::NotFound, "no alert has this id")
}

/// The `ETag` of a version.
pub(super) fn tag(version: u64) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(&format!("\"{version}\"")).map_err(|_| Refusal::new(Code::Internal, ""))
}

/// The `ETag` of an answer that changes within a version: the version, and the beginning of the answer's SHA-256.
fn tag_of(version: u64, body: &[u8]) -> Result<HeaderValue, Refusal> {
    let digest = format!("{:x}", Sha256::digest(body));
    HeaderValue::from_str(&format!("\"{version}-{}\"", &digest[..16])).map_err(|_| Refusal::new(Code::Internal, ""))
}

/// Reads the filter language; nothing asked: everything fits.
pub(super) fn parse_query(q: Option<&str>) -> Result<query::Query, Refusal> {
    query::parse(q.unwrap_or_default())
        .map_err(|error| Refusal::new(Code::BadQuery, format!("q, at byte {}: {}", error.at, error.what)))
}
