//! What people called false: the list, and taking a mark back. A mark is made by the verb `false-positive`.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use stella_protocol::rule::MarkPage;

use super::App;
use super::actions::{answered, key};
use super::problem::Refusal;
use crate::auth::Session;

/// `GET /marks`: newest first.
pub(super) async fn list(State(app): State<App>) -> Json<MarkPage> {
    Json(MarkPage { items: app.hub.marks(), next: None })
}

/// `DELETE /marks/{fingerprint}`: answers with the mark as it was.
pub(super) async fn unmark(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    Path(fingerprint): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let key = key(&headers)?;
    Ok(answered(app.hub.unmark(&session.principal, key, &fingerprint).await?))
}
