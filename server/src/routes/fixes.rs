//! Fixes over HTTP: looked at, proposed, decided, switched off.
//!
//! The order of the checks is that of every change: id, key, version, body.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stella_protocol::fix::{
    DefinitionPage, FixPage, FixRequest, FixReview, MaintenanceRequest, OutputPage, Proposal, SwitchRequest,
};
use stella_protocol::{Alert, Code, Fix, FixId, FixStatus, FixVerb, Principal};

use super::actions::{alert_id, answered, key, version};
use super::alerts::{page, tag};
use super::problem::Refusal;
use super::{App, body, stored};
use crate::auth::Session;
use crate::problem::problem;
use crate::remedy::policy::{self, Standing};
use crate::remedy::run::desk::RemedyDesk;
use crate::remedy::{self, Decision, FixState};
use crate::store::{FixQuery, number_in};

/// Fixes of a page when nobody says.
const PAGE: u32 = 50;
/// Most fixes of a page.
const LARGEST_PAGE: u32 = 200;
/// Lines of output of a page when nobody says.
const LINES: u32 = 500;
/// Most lines of a page.
const MOST_LINES: u32 = 2000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Ask {
    /// One or more, with commas between; `open` stands for all open ones.
    status: Option<String>,
    alert: Option<String>,
    definition: Option<String>,
    approved_by: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `GET /fixes`: newest first, history included.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Json<FixPage>, Refusal> {
    let ask: Ask = body::query(&uri)?;
    let query = FixQuery {
        status: ask.status.as_deref().map(statuses).transpose()?.unwrap_or_default(),
        alert: ask.alert.as_deref().map(alert_id).transpose()?,
        definition: ask.definition,
        approved_by: ask.approved_by,
        after: ask.after.as_deref().map(place).transpose()?,
        limit: page(ask.limit, PAGE, LARGEST_PAGE)?,
    };
    stored(move || app.hub.fix_history(&query)).await.map(Json)
}

fn statuses(words: &str) -> Result<Vec<FixStatus>, Refusal> {
    let one = |word: &str| match word.trim() {
        "open" => Some(FixStatus::ALL.into_iter().filter(|status| status.is_open()).collect::<Vec<_>>()),
        word => FixStatus::ALL.into_iter().find(|status| status.word() == word).map(|status| vec![status]),
    };
    let known = || format!("status: open, {}", FixStatus::ALL.map(FixStatus::word).join(", "));
    let read: Option<Vec<Vec<FixStatus>>> = words.split(',').map(one).collect();
    read.map(|found| found.concat()).ok_or_else(|| Refusal::new(Code::BadQuery, known()))
}

fn place(after: &str) -> Result<u64, Refusal> {
    number_in(after, "").ok_or_else(|| Refusal::new(Code::BadQuery, "after: want the `next` of the page before"))
}

/// `GET /fixes/{id}`: the fix and what a decision by whoever asks depends on; its version is the `ETag`.
pub(super) async fn one(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let id = fix_id(&id)?;
    let state = found(&app, id).await?;
    let (asked, kept) = (app.clone(), Arc::clone(&state));
    let (record, alert) = stored(move || {
        let alert = kept.fix.alert_id.as_ref().map(|id| asked.hub.alert(id)).transpose()?.flatten();
        Ok((asked.hub.fix_record(kept.fix.definition_id.raw())?, alert))
    })
    .await?;
    let differences = match &app.remedy {
        Some(desk) => desk.differences(&state, alert.as_ref()).await,
        None => Vec::new(),
    };
    let (fixes, remedy) = (app.hub.fixes(), app.hub.remedy());
    let standing = Standing { fixes: &fixes, remedy: &remedy };
    let mut gates = policy::gates(&state, &session.principal, standing, app.clock.now());
    gates.extend(app.hub.roles_gate(&state));
    gates.push(policy::record_gate(&record));
    let tag = tag(state.fix.version)?;
    let review = FixReview { fix: state.fix.clone(), gates, differences, record };
    Ok(([(header::ETAG, tag)], Json(review)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputAsk {
    step: Option<u32>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `GET /fixes/{id}/output`: what its steps said.
pub(super) async fn output(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<OutputPage>, Refusal> {
    let id = fix_id(&id)?;
    let ask: OutputAsk = body::query(&uri)?;
    let (after, limit) = (ask.after.as_deref().map(place).transpose()?, page(ask.limit, LINES, MOST_LINES)?);
    found(&app, id.clone()).await?;
    let items = stored(move || app.hub.fix_output(&id, ask.step, after.unwrap_or(0), limit)).await?;
    let more = items.len() == limit as usize;
    let next = items.last().filter(|_| more).map(|line| line.number.to_string());
    Ok(Json(OutputPage { items, next }))
}

/// `GET /fix-definitions`.
pub(super) async fn definitions(State(app): State<App>) -> Json<DefinitionPage> {
    let items = match &app.remedy {
        Some(desk) => desk.definitions().await,
        None => Vec::new(),
    };
    Json(DefinitionPage { items, next: None })
}

/// `GET /suppressions`: all that stand.
pub(super) async fn suppressions(State(app): State<App>) -> Json<Value> {
    Json(json!({ "items": app.hub.remedy().suppressions, "next": null }))
}

/// `GET /maintenance`: windows that are not over.
pub(super) async fn windows(State(app): State<App>) -> Json<Value> {
    Json(json!({ "items": app.hub.remedy().maintenance, "next": null }))
}

/// `POST /fixes`: somebody proposes one.
pub(super) async fn propose(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let key = key(&headers)?;
    let (ask, _) = body::json::<Proposal>(&headers, body).await?;
    let asked = digest(&ask);
    if let Some(before) = answered_before(&app, &session.principal, key, asked).await? {
        return Ok(answered(before));
    }
    let desk = desk(&app)?;
    let alert = match ask.alert_id.clone() {
        None => None,
        Some(id) => {
            let looked = app.clone();
            let alert = stored(move || looked.hub.alert(&id)).await?;
            Some(alert.ok_or_else(super::alerts::no_alert)?)
        }
    };
    let draft = draft(desk.as_ref(), &session.principal, ask, alert).await?;
    Ok(answered(app.hub.propose_fix(&session.principal, Some(key), asked, draft).await?))
}

async fn draft(
    desk: &dyn RemedyDesk,
    by: &Principal,
    ask: Proposal,
    alert: Option<Alert>,
) -> Result<remedy::Draft, Refusal> {
    let drafted = desk.draft(by, ask, alert).await;
    drafted.map_err(|why| Refusal::from(problem(why.code, &why.why)))
}

async fn answered_before(
    app: &App,
    by: &Principal,
    key: &str,
    asked: [u8; 32],
) -> Result<Option<crate::hub::Answer<Fix>>, Refusal> {
    let (app, by, key) = (app.clone(), by.clone(), key.to_owned());
    Ok(super::apart(move || app.hub.answered_before(&by, &key, asked)).await??)
}

/// What tells two proposals apart.
fn digest(ask: &Proposal) -> [u8; 32] {
    Sha256::digest(format!("propose {}", json!(ask))).into()
}

/// `POST /fixes/{id}/VERB`.
pub(super) fn verb(verb: FixVerb) -> MethodRouter<App> {
    post(
        move |State(app): State<App>,
              Extension(session): Extension<Session>,
              Path(id): Path<String>,
              headers: HeaderMap,
              body: Body| decide(verb, app, session, id, headers, body),
    )
}

async fn decide(
    verb: FixVerb,
    app: App,
    session: Session,
    id: String,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let id = fix_id(&id)?;
    let key = key(&headers)?;
    let version = version(&headers)?;
    let FixRequest { plan_digest, text } = body::json_or_default(&headers, body).await?;
    let changed = match verb {
        FixVerb::Rollback => desk(&app)?.changed(&*found(&app, id.clone()).await?).await,
        _ => Vec::new(),
    };
    let by = session.principal;
    let decision = Decision {
        verb,
        by: by.name.clone(),
        role: by.role,
        plan_digest,
        text: text.unwrap_or_default(),
        single_person: app.hub.remedy().single_person,
        simulated: false,
        changed,
    };
    Ok(answered(app.hub.decide_fix(&by, key, &id, version, decision).await?))
}

/// `PUT /fixes/switch`.
pub(super) async fn switch(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let key = key(&headers)?;
    let (ask, _) = body::json::<SwitchRequest>(&headers, body).await?;
    Ok(answered(app.hub.switch_fixes(&session.principal, key, ask).await?))
}

/// `DELETE /suppressions/{id}`.
pub(super) async fn lift(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let id = id.to_ascii_lowercase();
    number_in(&id, "sup-").ok_or_else(|| Refusal::new(Code::BadId, "a suppression is sup-N"))?;
    let key = key(&headers)?;
    Ok(answered(app.hub.lift_suppression(&session.principal, key, &id).await?))
}

/// `POST /maintenance`.
pub(super) async fn maintain(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let key = key(&headers)?;
    let (ask, _) = body::json::<MaintenanceRequest>(&headers, body).await?;
    Ok(answered(app.hub.put_maintenance(&session.principal, key, ask).await?))
}

/// `DELETE /maintenance/{id}`.
pub(super) async fn end_window(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let id = id.to_ascii_lowercase();
    number_in(&id, "win-").ok_or_else(|| Refusal::new(Code::BadId, "a maintenance window is win-N"))?;
    let key = key(&headers)?;
    Ok(answered(app.hub.end_maintenance(&session.principal, key, &id).await?))
}

fn desk(app: &App) -> Result<&Arc<dyn RemedyDesk>, Refusal> {
    let none = "this server has no fixes: name their folder under [fixes] in its configuration";
    app.remedy.as_ref().ok_or_else(|| Refusal::new(Code::FixesOff, none))
}

async fn found(app: &App, id: FixId) -> Result<Arc<FixState>, Refusal> {
    let asked = app.clone();
    let state = stored(move || asked.hub.fix(&id)).await?;
    state.ok_or_else(|| Refusal::new(Code::NotFound, "no fix has this id"))
}

fn fix_id(text: &str) -> Result<FixId, Refusal> {
    text.parse().map_err(|_| Refusal::new(Code::BadId, "a fix is fx-N"))
}
