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
use stella_protocol::fix::{
    DefinitionPage, FixPage, FixRequest, FixReview, MaintenanceRequest, OutputPage, Proposal, SwitchRequest,
};
use stella_protocol::{Code, Fix, FixId, FixStatus, FixVerb, Principal, Text};

use super::actions::{alert_id, answered, key, version};
use super::alerts::tag;
use super::change::{Change, answered_before, digest};
use super::listing::{after, page, statuses};
use super::problem::Refusal;
use super::{App, body, stored};
use crate::auth::{Holder, Session};
use crate::remedy::policy::{self, Standing};
use crate::remedy::run::desk::RemedyDesk;
use crate::remedy::{Decision, FixState};
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
        status: statuses(ask.status.as_deref(), &FixStatus::ALL, FixStatus::word, ("open", FixStatus::is_open))?,
        alert: ask.alert.as_deref().map(alert_id).transpose()?,
        definition: ask.definition,
        approved_by: ask.approved_by,
        after: after(ask.after.as_deref())?,
        limit: page(ask.limit, PAGE, LARGEST_PAGE)?,
    };
    stored(move || app.hub.fix_history(&query)).await.map(Json)
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
    gates.extend(policy::watch_gate(&state.fix, alert.as_ref()));
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
    let (after, limit) = (after(ask.after.as_deref())?, page(ask.limit, LINES, MOST_LINES)?);
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
    let asked = digest("propose", &ask);
    if let Some(before) = answered_before::<Fix>(&app, &session.principal, key, asked).await? {
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
    let draft = desk.draft(&session.principal, ask, alert).await?;
    Ok(answered(app.hub.propose_fix(&session.principal, Some(key), asked, draft).await?))
}

/// `POST /fixes/{id}/VERB`.
pub(super) fn verb(verb: FixVerb) -> MethodRouter<App> {
    post(move |State(app): State<App>, change: Change| decide(verb, app, change))
}

async fn decide(verb: FixVerb, app: App, change: Change) -> Result<Response, Refusal> {
    let Change { session, id, headers, body } = change;
    let id = fix_id(&id)?;
    let key = key(&headers)?;
    let version = version(&headers)?;
    let ask: FixRequest = body::json_or_default(&headers, body).await?;
    let mut decision = Decision { single_person: app.hub.remedy().single_person, ..said(verb, &session, ask) };
    if verb == FixVerb::Rollback {
        if let Some(before) = decided_before(&app, &session.principal, key, &id, version, &decision).await? {
            return Ok(answered(before));
        }
        let desk = desk(&app)?;
        decision.changed = changed(desk.as_ref(), &*found(&app, id.clone()).await?, version).await;
    }
    Ok(answered(app.hub.decide_fix(&session.principal, key, &id, version, decision).await?))
}

async fn decided_before(
    app: &App,
    by: &Principal,
    key: &str,
    id: &FixId,
    version: u64,
    decision: &Decision,
) -> Result<Option<crate::hub::Answer<Fix>>, Refusal> {
    let (app, by, key, id, decision) = (app.clone(), by.clone(), key.to_owned(), id.clone(), decision.clone());
    Ok(super::apart(move || app.hub.decided_before(&by, &key, &id, version, &decision)).await??)
}

/// What a rollback would overwrite. The target is only asked when the fix is as whoever asks saw it and can be
/// rolled back; else there is nothing to look for, and should it become so at this very moment, that nobody
/// looked stands in the way.
async fn changed(desk: &dyn RemedyDesk, state: &FixState, seen: u64) -> Vec<Text> {
    let ended = matches!(state.fix.status, FixStatus::Executed | FixStatus::Failed);
    if ended && state.fix.version == seen {
        return desk.changed(state).await;
    }
    vec![Text::from("it changed at this moment, and its target was not looked at")]
}

/// What whoever asks says; the rest is not theirs to say.
fn said(verb: FixVerb, session: &Session, ask: FixRequest) -> Decision {
    Decision {
        verb,
        by: session.principal.name.clone(),
        role: session.principal.role,
        plan_digest: ask.plan_digest,
        text: ask.text.unwrap_or_default(),
        single_person: false,
        simulated: session.holder == Holder::Simulated,
        changed: Vec::new(),
    }
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::BoxFuture;
    use stella_protocol::fix::DefinitionView;
    use stella_protocol::{Alert, Role, Timestamp};

    use super::*;
    use crate::auth::{Grant, Recording, Secret, Tokens};
    use crate::remedy;

    /// Counts how often the world is asked.
    #[derive(Default)]
    struct Asked(AtomicUsize);

    impl RemedyDesk for Asked {
        fn definitions(&self) -> BoxFuture<'_, Vec<DefinitionView>> {
            Box::pin(async { Vec::new() })
        }

        fn draft<'a>(
            &'a self,
            _by: &'a Principal,
            _ask: Proposal,
            _alert: Option<Alert>,
        ) -> BoxFuture<'a, Result<remedy::Draft, remedy::Refusal>> {
            Box::pin(async { Err(remedy::Refusal::new(Code::NotFound, "none")) })
        }

        fn differences<'a>(&'a self, _state: &'a FixState, _alert: Option<&'a Alert>) -> BoxFuture<'a, Vec<Text>> {
            Box::pin(async { Vec::new() })
        }

        fn changed<'a>(&'a self, _state: &'a FixState) -> BoxFuture<'a, Vec<Text>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Vec::new() })
        }
    }

    #[tokio::test]
    async fn the_target_is_asked_only_for_a_rollback_that_may_come_of_it() {
        let draft = crate::store::conformance::fixes::draft("restart-pool", "service:search");
        let mut state = remedy::machine::open(draft, "fx-1".parse().unwrap(), Timestamp::default()).unwrap();
        let desk = Asked::default();
        for (status, seen, asked) in [
            (FixStatus::Executed, 1, 1),
            (FixStatus::Failed, 1, 1),
            (FixStatus::Executed, 2, 0),
            (FixStatus::Executed, 0, 0),
            (FixStatus::Running, 1, 0),
        ] {
            state.fix.status = status;
            let found = changed(&desk, &state, seen).await;
            assert_eq!(desk.0.swap(0, Ordering::Relaxed), asked, "{status:?}, {seen}");
            assert_eq!(found.is_empty(), asked == 1, "who did not look does not say that nothing changed");
        }
    }

    #[test]
    fn what_a_simulated_colleague_says_is_marked_so_whatever_the_name() {
        for (holder, simulated) in [(Holder::Real, false), (Holder::Simulated, true)] {
            let (tokens, secret) = (Tokens::default(), Secret::generate().unwrap());
            let (name, role, recording) = ("op2".to_owned(), Role::Approver, Recording::Refused);
            tokens
                .put(secret.fingerprint(), Grant { name, role, recording, holder, expires_at: None, revoked_at: None });
            let session = tokens.admit(secret.expose(), Timestamp::default()).unwrap();
            let said = said(FixVerb::Approve, &session, FixRequest::default());
            assert_eq!((said.by.raw(), said.simulated), ("op2", simulated));
        }
    }
}
