//! Rules: how each is set and how it did, a change, and what that would have made of the kept lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use stella_protocol::rule::RulePage;
use stella_protocol::{Code, LineId, RuleChange, RulePreview, Text};

use super::actions::{answered, key, version};
use super::change::Change;
use super::problem::Refusal;
use super::{App, apart, body, stored};
use crate::rules::preview::{self, Ask};
use crate::rules::{self, NotChanged};

/// `GET /rules`.
pub(super) async fn list(State(app): State<App>) -> Result<Json<RulePage>, Refusal> {
    let book = app.hub.rules();
    let problems = book.problems().to_vec();
    let items = stored(move || app.hub.scored(&book)).await?;
    Ok(Json(RulePage { items, next: None, problems }))
}

/// `PUT /rules/{id}`.
pub(super) async fn change(State(app): State<App>, change: Change) -> Result<Response, Refusal> {
    let Change { session, id, headers, body } = change;
    let id = rule_id(&id)?;
    let key = key(&headers)?;
    let version = version(&headers)?;
    let (ask, _) = body::json::<RuleChange>(&headers, body).await?;
    Ok(answered(app.hub.change_rule(&session.principal, key, id, version, ask).await?))
}

/// Says that whoever asked has gone, when the request is dropped.
struct Waits(Arc<AtomicBool>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `POST /rules/{id}/preview`: one at a time, since each takes as much memory as the engine and a core.
pub(super) async fn try_out(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RulePreview>, Refusal> {
    let id = rule_id(&id)?;
    let (ask, _) = body::json::<RuleChange>(&headers, body).await?;
    let book = app.hub.rules();
    let rule = book.rule(id).map_err(refused)?;
    let (changed, _) = book.changed(id, &ask, &Text::default(), app.clock.now()).map_err(refused)?;
    let waits = Waits(Arc::default());
    let turn = Arc::clone(&app.previews).acquire_owned().await;
    let turn = turn.map_err(|_| Refusal::new(Code::Unavailable, "the server ends"))?;
    let ask = Ask {
        folder: app.data.clone(),
        newest: app.lines.newest().map_or(LineId(0), |newest| newest.line),
        old: book.engine().clone(),
        new: changed.engine().clone(),
        lessons: app.hub.lessons(),
        version: rule.version,
        gone: Arc::clone(&waits.0),
    };
    let previewed = apart(move || {
        let _turn = turn;
        preview::preview(ask, |fingerprints| app.hub.alert_records_of(fingerprints))
    });
    let previewed = previewed.await?.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "what is kept could not be read for a preview");
        Refusal::new(Code::StoreUnavailable, "the kept lines, or alerts, cannot be read")
    })?;
    let none = || Refusal::new(Code::NotFound, "no lines are kept: there is nothing to try it on");
    previewed.map(Json).ok_or_else(none)
}

fn refused(why: NotChanged) -> Refusal {
    Refusal::new(why.code, why.why)
}

fn rule_id(id: &str) -> Result<&str, Refusal> {
    let why = "a rule has 1 to 64 small letters, digits and - _ .";
    if rules::is_id(id) { Ok(id) } else { Err(Refusal::new(Code::BadId, why)) }
}
