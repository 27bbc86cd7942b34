//! The HTTP face: one table of routes, thin handlers behind it.
//!
//! A handler parses, asks a room, answers. Who may ask stands in [`TABLE`] and nowhere else; a test
//! walks the same table, so a new route cannot be missed.
//!
//! Architecture Invariant: nothing here knows how alerts are kept, lines are searched or rules decide.

mod actions;
mod alerts;
mod body;
mod edge;
mod fixes;
mod intake;
mod logs;
pub(crate) mod problem;
mod series;
mod state;
mod stream;

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header::{AUTHORIZATION, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post, put};
use stella_protocol::{Code, FixVerb, Role, Timestamp};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

pub(crate) use state::LastStanding;
pub(crate) use stream::Seats;

use crate::auth::Tokens;
use crate::clock::Clock;
use crate::hub::Hub;
use crate::lines::Lines;
use crate::pipeline::Pipeline;
use crate::readiness::Readiness;
use crate::redact::Redactor;
use crate::remedy::run::desk::RemedyDesk;
use crate::series::SeriesBook;
use crate::store::StoreError;
use problem::Refusal;

/// One route: what it is, who may, who answers.
pub struct Route {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// The path, with `{name}` for its parts that vary.
    pub path: &'static str,
    /// The role it asks for; None: anybody may.
    pub role: Option<Role>,
    handler: fn() -> MethodRouter<App>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    role: Option<Role>,
    handler: fn() -> MethodRouter<App>,
) -> Route {
    Route { method, path, role, handler }
}

const VIEWER: Option<Role> = Some(Role::Viewer);
const RESPONDER: Option<Role> = Some(Role::Responder);
const APPROVER: Option<Role> = Some(Role::Approver);
const ADMIN: Option<Role> = Some(Role::Admin);
const INGEST: Option<Role> = Some(Role::Ingest);

/// Every route of the server.
pub static TABLE: [Route; 33] = [
    route("GET", "/api/stella/server-logs-stream", VIEWER, || get(stream::stream)),
    route("GET", "/api/stella/snapshot", VIEWER, || get(state::snapshot)),
    route("GET", "/api/stella/dashboard", VIEWER, || get(state::dashboard)),
    route("GET", "/api/stella/alerts", VIEWER, || get(alerts::list)),
    route("GET", "/api/stella/alerts/{id}", VIEWER, || get(alerts::one)),
    route("GET", "/api/stella/alerts/{id}/evidence", VIEWER, || get(alerts::evidence)),
    route("POST", "/api/stella/alerts/actions", RESPONDER, || post(actions::act)),
    route("POST", "/api/stella/alerts/{id}/{verb}", RESPONDER, || post(actions::act_on_one)),
    route("GET", "/api/stella/actions", RESPONDER, || get(actions::list)),
    route("POST", "/api/stella/actions/{id}/undo", RESPONDER, || post(actions::undo)),
    route("GET", "/api/stella/fixes", VIEWER, || get(fixes::list)),
    route("POST", "/api/stella/fixes", RESPONDER, || post(fixes::propose)),
    route("PUT", "/api/stella/fixes/switch", ADMIN, || put(fixes::switch)),
    route("GET", "/api/stella/fixes/{id}", VIEWER, || get(fixes::one)),
    route("GET", "/api/stella/fixes/{id}/output", VIEWER, || get(fixes::output)),
    route("POST", "/api/stella/fixes/{id}/dry-run", RESPONDER, || fixes::verb(FixVerb::DryRun)),
    route("POST", "/api/stella/fixes/{id}/approve", APPROVER, || fixes::verb(FixVerb::Approve)),
    route("POST", "/api/stella/fixes/{id}/reject", APPROVER, || fixes::verb(FixVerb::Reject)),
    route("POST", "/api/stella/fixes/{id}/withdraw", APPROVER, || fixes::verb(FixVerb::Withdraw)),
    route("POST", "/api/stella/fixes/{id}/stop", RESPONDER, || fixes::verb(FixVerb::Stop)),
    route("POST", "/api/stella/fixes/{id}/rollback", APPROVER, || fixes::verb(FixVerb::Rollback)),
    route("POST", "/api/stella/fixes/{id}/close", ADMIN, || fixes::verb(FixVerb::Close)),
    route("GET", "/api/stella/fix-definitions", VIEWER, || get(fixes::definitions)),
    route("GET", "/api/stella/suppressions", VIEWER, || get(fixes::suppressions)),
    route("DELETE", "/api/stella/suppressions/{id}", ADMIN, || delete(fixes::lift)),
    route("GET", "/api/stella/maintenance", VIEWER, || get(fixes::windows)),
    route("POST", "/api/stella/maintenance", ADMIN, || post(fixes::maintain)),
    route("DELETE", "/api/stella/maintenance/{id}", ADMIN, || delete(fixes::end_window)),
    route("GET", "/api/stella/logs", VIEWER, || get(logs::search)),
    route("GET", "/api/stella/series", VIEWER, || get(series::buckets)),
    route("POST", "/api/stella/logs", INGEST, || post(intake::take)),
    route("GET", "/healthz", None, || get(state::alive)),
    route("GET", "/readyz", None, || get(state::ready)),
];

/// What handlers ask.
pub(crate) struct Rooms {
    pub hub: Hub,
    pub pipeline: Pipeline,
    pub lines: Arc<Lines>,
    pub series: Arc<Mutex<SeriesBook>>,
    pub redactor: Arc<Redactor>,
    pub tokens: Arc<Tokens>,
    pub clock: Clock,
    pub readiness: Readiness,
    pub started_at: Timestamp,
    /// Cancelled when the server ends: streams say bye.
    pub ending: CancellationToken,
    pub streams: Seats,
    pub standing: LastStanding,
    /// None: this server has no definitions of fixes, and performs none.
    pub remedy: Option<Arc<dyn RemedyDesk>>,
}

/// The rooms, shared by every request.
#[derive(Clone)]
pub(crate) struct App(pub Arc<Rooms>);

impl Deref for App {
    type Target = Rooms;

    fn deref(&self) -> &Rooms {
        &self.0
    }
}

/// Builds the router from the table.
pub(crate) fn router(app: &App) -> Router {
    let mut router = Router::new();
    for row in &TABLE {
        let handlers = match row.role {
            Some(role) => (row.handler)().layer(from_fn_with_state((app.clone(), row, role), edge::admit)),
            None => (row.handler)(),
        };
        router = router.route(row.path, handlers);
    }
    router
        .fallback(edge::unknown_route)
        .method_not_allowed_fallback(edge::wrong_method)
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(edge::panicked))
        .layer(from_fn(edge::name_and_finish))
        .layer(map_response(sealed))
        .with_state(app.clone())
}

/// Answers are data for programs: no browser may guess their type, no cache may share them.
async fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.append(axum::http::header::VARY, HeaderValue::from(AUTHORIZATION));
    response
}

/// Runs what waits for a disk or takes long on a thread of its own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Refusal::new(Code::Internal, "tell us the request id"))
}

/// Asks the store, and says so when it does not answer.
async fn stored<T: Send + 'static>(ask: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Result<T, Refusal> {
    apart(ask).await?.map_err(|error| {
        tracing::warn!(%error, "the store was asked in vain");
        Refusal::new(Code::StoreUnavailable, "")
    })
}
