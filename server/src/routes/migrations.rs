//! Migrations over HTTP: looked at, proposed, decided.
//!
//! The order of the checks is that of every change: id, key, version, body. What is long of a migration is
//! answered by a desk: a server without documents has none, and says which setting is missing.

mod detail;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use serde::Deserialize;
use stella_protocol::migration::{
    DecisionRequest, MigrationKind, MigrationPage, MigrationProposal, MigrationRequest, OrphanChoice,
};
use stella_protocol::{Code, Migration, MigrationId, MigrationStatus, MigrationVerb, Text};

use super::actions::{answered, key, version};
use super::alerts::tag;
use super::change::{Change, answered_before, digest};
use super::listing::{after, page, statuses};
use super::problem::Refusal;
use super::{App, apart, body, stored};
use crate::auth::Session;
use crate::migrate::run::desk::MigrationDesk;
use crate::migrate::{Decision, MigrationState};
use crate::store::MigrationQuery;
use crate::words::wire_len;

pub(super) use detail::{alias, collections, decisions, errors, log, mapping, orphans, report, user};

/// Migrations of a page when nobody says.
const PAGE: u32 = 20;
/// Most migrations of a page.
const LARGEST_PAGE: u32 = 100;
/// Most that a name in a decision may take on the wire.
const NAME: usize = 512;
/// Most that the reason of a decision may take on the wire.
const WORDS: usize = 2 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// One or more, with commas between; `unfinished` stands for all of those.
    status: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `GET /migrations`: newest first, history included.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Json<MigrationPage>, Refusal> {
    let ask: Ask = body::query(&uri)?;
    let unfinished: (_, fn(MigrationStatus) -> bool) = ("unfinished", MigrationStatus::is_unfinished);
    let query = MigrationQuery {
        status: statuses(ask.status.as_deref(), &MigrationStatus::ALL, MigrationStatus::word, unfinished)?,
        after: after(ask.after.as_deref())?,
        limit: page(ask.limit, PAGE, LARGEST_PAGE)?,
    };
    stored(move || app.hub.migration_history(&query)).await.map(Json)
}

/// `GET /migrations/{id}`: its version is the `ETag`.
pub(super) async fn one(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let state = found(&app, migration_id(&id)?).await?;
    let tag = tag(state.migration.version)?;
    Ok(([(header::ETAG, tag)], Json(&state.migration)).into_response())
}

/// `POST /migrations`: an admin makes a draft, which is looked at once.
pub(super) async fn propose(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let key = key(&headers)?;
    let (ask, _) = body::json::<MigrationProposal>(&headers, body).await?;
    if ask.kind != MigrationKind::UserIds {
        return Err(Refusal::new(Code::BadBody, "kind: user_ids"));
    }
    let (by, asked) = (session.principal, digest("propose migration", &ask));
    if let Some(before) = answered_before::<Migration>(&app, &by, key, asked).await? {
        return Ok(answered(before));
    }
    let draft = desk(&app)?.draft(&by).await?;
    Ok(answered(app.hub.propose_migration(&by, key, asked, draft).await?))
}

/// `POST /migrations/{id}/VERB`.
pub(super) fn verb(verb: MigrationVerb) -> MethodRouter<App> {
    post(move |State(app): State<App>, change: Change| decide(verb, app, change))
}

async fn decide(verb: MigrationVerb, app: App, change: Change) -> Result<Response, Refusal> {
    let Change { session, id, headers, body } = change;
    let id = migration_id(&id)?;
    let key = key(&headers)?;
    let version = version(&headers)?;
    let ask: MigrationRequest = body::json_or_default(&headers, body).await?;
    fits(verb, &ask)?;
    let by = session.principal;
    let dual_read = if needs_desk(verb) {
        let (desk, state) = (desk(&app)?, found(&app, id.clone()).await?);
        let asks = verb == MigrationVerb::Start && state.migration.version == version;
        if asks { desk.dual_read(&by, ask.text.clone()).await } else { None }
    } else {
        None
    };
    let decision = Decision {
        verb,
        by: by.name.clone(),
        role: by.role,
        plan_digest: ask.plan_digest,
        rate: ask.rate,
        to: ask.to,
        text: ask.text.unwrap_or_default(),
        dual_read,
    };
    Ok(answered(app.hub.decide_migration(&by, key, &id, version, decision).await?))
}

/// What a verb must say, and what only others may.
fn fits(verb: MigrationVerb, ask: &MigrationRequest) -> Result<(), Refusal> {
    let of_plan = matches!(
        verb,
        MigrationVerb::Approve | MigrationVerb::Start | MigrationVerb::Cutover | MigrationVerb::Rollback
    );
    let said = |text: &Option<Text>| text.as_ref().is_some_and(|text| !text.raw().trim().is_empty());
    let wrong = if of_plan && !said(&ask.plan_digest) {
        "planDigest: the digest of the plan that was seen"
    } else if verb == MigrationVerb::Rate && ask.rate.is_none() {
        "rate: documents a second, 0 for as fast as the guards allow"
    } else if verb == MigrationVerb::HandOver && !said(&ask.to) {
        "to: who answers for it from now on"
    } else if verb == MigrationVerb::Close && !said(&ask.text) {
        "text: how it ended"
    } else if !of_plan && ask.plan_digest.is_some() {
        "planDigest is for approve, start, cutover and rollback"
    } else if verb != MigrationVerb::Rate && ask.rate.is_some() {
        "rate is for the verb rate"
    } else if verb != MigrationVerb::HandOver && ask.to.is_some() {
        "to is for hand-over"
    } else {
        return Ok(());
    };
    Err(Refusal::new(Code::BadBody, wrong))
}

/// True for what documents must be there for: without them nobody would ever do it.
fn needs_desk(verb: MigrationVerb) -> bool {
    match verb {
        MigrationVerb::Plan
        | MigrationVerb::Rehearse
        | MigrationVerb::Start
        | MigrationVerb::Resume
        | MigrationVerb::Verify
        | MigrationVerb::Cutover
        | MigrationVerb::Rollback
        | MigrationVerb::Retry => true,
        MigrationVerb::Approve
        | MigrationVerb::Pause
        | MigrationVerb::Rate
        | MigrationVerb::Stop
        | MigrationVerb::HandOver
        | MigrationVerb::TakeOver
        | MigrationVerb::Close
        | MigrationVerb::Cancel => false,
    }
}

/// `POST /migrations/{id}/decisions`: a question is answered, or an id without a user gets its place.
///
/// The ledger has the decision before the hub is told. One at a time, so that the number of open questions
/// that the hub is told last is the last one.
pub(super) async fn enter(State(app): State<App>, change: Change) -> Result<Response, Refusal> {
    let Change { session, id, headers, body } = change;
    let id = migration_id(&id)?;
    let key = key(&headers)?;
    let version = version(&headers)?;
    let (ask, _) = body::json::<DecisionRequest>(&headers, body).await?;
    fits_decision(&ask)?;
    let (by, asked) = (session.principal, digest("decide migration", &(&id, version, &ask)));
    let _one_at_a_time = app.deciding.lock().await;
    if let Some(before) = answered_before::<Migration>(&app, &by, key, asked).await? {
        return Ok(answered(before));
    }
    let desk = desk(&app)?;
    let (looked, who, of) = (app.clone(), by.clone(), id.clone());
    apart(move || looked.hub.may_answer_migration(&who, &of, version)).await??;
    let entered = desk.decide(&id, &by, ask).await?;
    let told = app.hub.answer_migration(&by, key, asked, &id, version, entered.what, entered.open).await?;
    Ok(answered(told))
}

fn fits_decision(ask: &DecisionRequest) -> Result<(), Refusal> {
    let (names, reason) = match ask {
        DecisionRequest::Question { id, option, reason } => ([Some(id), Some(option)], reason),
        DecisionRequest::Orphan { id, choice, user, reason } => {
            let maps = *choice == OrphanChoice::Map;
            if *choice == OrphanChoice::Unknown || maps != user.is_some() {
                let choices = "choice: quarantine, placeholder, archive, or map with a user";
                return Err(Refusal::new(Code::BadBody, choices));
            }
            ([Some(id), user.as_ref()], reason)
        }
    };
    if names.into_iter().flatten().any(|name| name.raw().is_empty()) || reason.raw().trim().is_empty() {
        return Err(Refusal::new(Code::BadBody, "an id, what is chosen and the reason are never empty"));
    }
    let long = names.into_iter().flatten().any(|name| wire_len(name.raw()) > NAME);
    if long || wire_len(reason.raw()) > WORDS {
        return Err(Refusal::new(Code::TooLarge, "a reason takes at most 2 KiB, a name 512 bytes"));
    }
    Ok(())
}

fn desk(app: &App) -> Result<&Arc<dyn MigrationDesk>, Refusal> {
    let none = "this server has no documents: name their folder as documents under [fixes] in its configuration";
    app.migrations.as_ref().ok_or_else(|| Refusal::new(Code::NotFound, none))
}

async fn found(app: &App, id: MigrationId) -> Result<Arc<MigrationState>, Refusal> {
    let asked = app.clone();
    let state = stored(move || asked.hub.migration(&id)).await?;
    state.ok_or_else(|| Refusal::new(Code::NotFound, "no migration has this id"))
}

fn migration_id(text: &str) -> Result<MigrationId, Refusal> {
    text.parse().map_err(|_| Refusal::new(Code::BadId, "a migration is mig-N"))
}
