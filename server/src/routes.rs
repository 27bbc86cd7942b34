//! The HTTP face: one table of routes, thin handlers behind it.
//!
//! A handler parses, asks a room, answers. Who may ask stands in [`TABLE`] and nowhere else; a test
//! walks the same table, so a new route cannot be missed.
//!
//! Architecture Invariant: nothing here knows how alerts are kept, lines are searched or rules decide.

mod actions;
mod alerts;
mod body;
mod change;
mod deploys;
mod edge;
mod fixes;
mod intake;
mod listing;
mod logs;
mod marks;
mod migrations;
mod presence;
pub(crate) mod problem;
mod rules;
mod series;
mod state;
mod stream;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header::{AUTHORIZATION, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post, put};
use stella_protocol::{Code, FixVerb, MigrationVerb, Role, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

pub(crate) use state::LastStanding;
pub(crate) use stream::Seats;

use crate::auth::Tokens;
use crate::clock::Clock;
use crate::hub::Hub;
use crate::lines::Lines;
use crate::migrate::run::desk::MigrationDesk;
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
    /// A role that stands apart and may too.
    pub also: Option<Role>,
    handler: fn() -> MethodRouter<App>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    role: Option<Role>,
    handler: fn() -> MethodRouter<App>,
) -> Route {
    Route { method, path, role, also: None, handler }
}

impl Route {
    const fn and(self, role: Role) -> Self {
        Self { also: Some(role), ..self }
    }

    /// True when a holder of `role` may ask here.
    pub fn admits(&self, role: Role) -> bool {
        self.role.is_none_or(|needed| role.allows(needed)) || self.also == Some(role)
    }
}

const VIEWER: Option<Role> = Some(Role::Viewer);
const RESPONDER: Option<Role> = Some(Role::Responder);
const APPROVER: Option<Role> = Some(Role::Approver);
const ADMIN: Option<Role> = Some(Role::Admin);
const INGEST: Option<Role> = Some(Role::Ingest);

/// Every route of the server.
pub static TABLE: [Route; 70] = [
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
    route("GET", "/api/stella/migrations", VIEWER, || get(migrations::list)),
    route("POST", "/api/stella/migrations", ADMIN, || post(migrations::propose)),
    route("GET", "/api/stella/migrations/{id}", VIEWER, || get(migrations::one)),
    route("GET", "/api/stella/migrations/{id}/collections", VIEWER, || get(migrations::collections)),
    route("GET", "/api/stella/migrations/{id}/orphans", VIEWER, || get(migrations::orphans)),
    route("GET", "/api/stella/migrations/{id}/errors", VIEWER, || get(migrations::errors)),
    route("GET", "/api/stella/migrations/{id}/log", VIEWER, || get(migrations::log)),
    route("GET", "/api/stella/migrations/{id}/mapping", VIEWER, || get(migrations::mapping)),
    route("GET", "/api/stella/migrations/{id}/decisions", VIEWER, || get(migrations::decisions)),
    route("GET", "/api/stella/migrations/{id}/report", VIEWER, || get(migrations::report)),
    route("GET", "/api/stella/migrations/{id}/users/{who}", VIEWER, || get(migrations::user)),
    route("POST", "/api/stella/migrations/{id}/decisions", ADMIN, || post(migrations::enter)),
    route("POST", "/api/stella/migrations/{id}/plan", ADMIN, || migrations::verb(MigrationVerb::Plan)),
    route("POST", "/api/stella/migrations/{id}/rehearse", ADMIN, || migrations::verb(MigrationVerb::Rehearse)),
    route("POST", "/api/stella/migrations/{id}/approve", ADMIN, || migrations::verb(MigrationVerb::Approve)),
    route("POST", "/api/stella/migrations/{id}/start", ADMIN, || migrations::verb(MigrationVerb::Start)),
    route("POST", "/api/stella/migrations/{id}/pause", RESPONDER, || migrations::verb(MigrationVerb::Pause)),
    route("POST", "/api/stella/migrations/{id}/resume", ADMIN, || migrations::verb(MigrationVerb::Resume)),
    route("POST", "/api/stella/migrations/{id}/rate", ADMIN, || migrations::verb(MigrationVerb::Rate)),
    route("POST", "/api/stella/migrations/{id}/verify", ADMIN, || migrations::verb(MigrationVerb::Verify)),
    route("POST", "/api/stella/migrations/{id}/cutover", ADMIN, || migrations::verb(MigrationVerb::Cutover)),
    route("POST", "/api/stella/migrations/{id}/rollback", ADMIN, || migrations::verb(MigrationVerb::Rollback)),
    route("POST", "/api/stella/migrations/{id}/stop", RESPONDER, || migrations::verb(MigrationVerb::Stop)),
    route("POST", "/api/stella/migrations/{id}/hand-over", ADMIN, || migrations::verb(MigrationVerb::HandOver)),
    route("POST", "/api/stella/migrations/{id}/take-over", ADMIN, || migrations::verb(MigrationVerb::TakeOver)),
    route("POST", "/api/stella/migrations/{id}/retry", ADMIN, || migrations::verb(MigrationVerb::Retry)),
    route("POST", "/api/stella/migrations/{id}/close", ADMIN, || migrations::verb(MigrationVerb::Close)),
    route("POST", "/api/stella/migrations/{id}/cancel", ADMIN, || migrations::verb(MigrationVerb::Cancel)),
    route("GET", "/api/stella/aliases/{oldId}", VIEWER, || get(migrations::alias)).and(Role::Ingest),
    route("PUT", "/api/stella/presence", VIEWER, || put(presence::attend)),
    route("GET", "/api/stella/rules", VIEWER, || get(rules::list)),
    route("PUT", "/api/stella/rules/{id}", ADMIN, || put(rules::change)),
    route("POST", "/api/stella/rules/{id}/preview", ADMIN, || post(rules::try_out)),
    route("GET", "/api/stella/deploys", VIEWER, || get(deploys::list)),
    route("POST", "/api/stella/deploys", RESPONDER, || post(deploys::told)).and(Role::Ingest),
    route("GET", "/api/stella/marks", VIEWER, || get(marks::list)),
    route("DELETE", "/api/stella/marks/{fingerprint}", ADMIN, || delete(marks::unmark)),
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
    /// None: this server has no documents, and migrates none.
    pub migrations: Option<Arc<dyn MigrationDesk>>,
    /// The data folder, for who reads the kept lines again.
    pub data: PathBuf,
    /// One preview of a rule at a time.
    pub previews: Arc<Semaphore>,
    /// Held while a decision goes into a ledger and the hub is told of it.
    pub deciding: tokio::sync::Mutex<()>,
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
