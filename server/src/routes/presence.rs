//! `PUT /presence`: what a console looks at. Neither key nor version: what is said last counts.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use stella_protocol::{Code, Object, PresenceRequest, Screen};

use super::problem::Refusal;
use super::{App, body};
use crate::auth::Session;

/// Takes it in; nothing is answered.
pub(super) async fn attend(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let (said, _) = body::json::<PresenceRequest>(&headers, body).await?;
    if said.screen == Screen::Unknown {
        return Err(Refusal::new(
            Code::BadBody,
            "screen: alerts, fixes, migrations, metrics, log, rules, marks or deploys",
        ));
    }
    if said.object == Some(Object::Unknown) {
        return Err(Refusal::new(Code::BadId, "object: want the id of an alert, a fix or a migration"));
    }
    app.hub.attend(&session.principal, said)?;
    Ok(StatusCode::NO_CONTENT)
}
