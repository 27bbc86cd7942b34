//! A request that changes one thing, and the answer that it may have had before.
//!
//! Whoever takes one checks id, key, version and body, in that order; what an id looks like is theirs to say.

use axum::body::Body;
use axum::extract::{Extension, FromRequest, FromRequestParts, Path, Request};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest, Sha256};
use stella_protocol::Principal;

use super::problem::Refusal;
use super::{App, apart};
use crate::auth::Session;
use crate::hub::Answer;

/// Who asks, for which thing, and with what words.
pub(super) struct Change {
    pub session: Session,
    /// As it stands in the path.
    pub id: String,
    pub headers: HeaderMap,
    pub body: Body,
}

impl FromRequest<App> for Change {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let session = Extension::from_request_parts(&mut parts, app).await;
        let Extension(session) = session.map_err(IntoResponse::into_response)?;
        let Path(id) = Path::from_request_parts(&mut parts, app).await.map_err(IntoResponse::into_response)?;
        Ok(Self { session, id, headers: parts.headers, body })
    }
}

/// What tells two requests under one key apart: what is asked for, and with which words.
pub(super) fn digest(what: &str, ask: &impl Serialize) -> [u8; 32] {
    Sha256::digest(format!("{what} {}", json!(ask))).into()
}

/// The answer to the same request under the same key; None: it is the first one.
pub(super) async fn answered_before<T: DeserializeOwned + Send + 'static>(
    app: &App,
    by: &Principal,
    key: &str,
    asked: [u8; 32],
) -> Result<Option<Answer<T>>, Refusal> {
    let (app, by, key) = (app.clone(), by.clone(), key.to_owned());
    Ok(apart(move || app.hub.answered_before(&by, &key, asked)).await??)
}
