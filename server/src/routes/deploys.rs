//! Deploys: told by whoever deploys, listed for everyone. Service and revision are their identity, so no key is
//! asked for: to say it again changes nothing.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use stella_protocol::deploy::{DeployPage, DeployRequest};
use stella_protocol::{Code, Deploy, Text, Timestamp};

use super::intake::refused;
use super::problem::Refusal;
use super::{App, body, stored};
use crate::auth::Session;
use crate::pipeline::deploys::LONGEST;

/// Most deploys of the list: the newest.
const PAGE: u32 = 500;
/// How far ahead of ours a clock may be, in milliseconds: as far as that of a line.
const AHEAD_MS: i64 = 30_000;

/// `GET /deploys`: newest first.
pub(super) async fn list(State(app): State<App>) -> Result<Json<DeployPage>, Refusal> {
    let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
    let items = stored(move || app.hub.deploys(from, to, PAGE)).await?;
    Ok(Json(DeployPage { items, next: None }))
}

/// `POST /deploys`: answers with the deploy as it is kept. 2xx means that it survives SIGKILL.
pub(super) async fn told(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Deploy>, Refusal> {
    let (ask, _) = body::json::<DeployRequest>(&headers, body).await?;
    for (name, text) in [("service", Some(&ask.service)), ("revision", Some(&ask.revision)), ("by", ask.by.as_ref())] {
        if text.is_some_and(|text| !fits(text)) {
            return Err(Refusal::new(Code::BadBody, format!("{name}: want 1 to {LONGEST} bytes")));
        }
    }
    if ask.at.is_some_and(|at| at.since(app.clock.now()) > AHEAD_MS) {
        return Err(Refusal::new(Code::BadBody, "at: it is ahead of the server's clock; leave it out for now"));
    }
    let deploy = app.pipeline.deploy(&ask, &session.principal.name, &app.redactor).await;
    deploy.map(Json).map_err(|error| refused(&error))
}

fn fits(text: &Text) -> bool {
    !text.raw().trim().is_empty() && text.len() <= LONGEST
}
