//! The long parts of migrations, and who an old id is now.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::Uri;
use serde::Deserialize;
use stella_protocol::migration::{
    Alias, CollectionPage, DecisionPage, LogPage, MappingPage, OrphanPage, Report, TroublePage, UserCheck,
};
use stella_protocol::{Code, MigrationId, Role};

use super::{desk, found, migration_id};
use crate::auth::Session;
use crate::migrate::drift::said::Used;
use crate::migrate::run::desk::{MigrationDesk, Place};
use crate::routes::listing::page;
use crate::routes::problem::Refusal;
use crate::routes::{App, body};

/// Rows of a page when nobody says.
const PAGE: u32 = 100;
/// Most rows of a page.
const LARGEST_PAGE: u32 = 500;
/// Longest place in a list, in bytes: the path of a document is one.
const LONGEST_PLACE: usize = 2 << 10;
/// Longest name of a person, and longest old id, in bytes.
const LONGEST_NAME: usize = 512;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    after: Option<String>,
    limit: Option<u32>,
}

/// What a question for a page is about, and who answers it.
struct Asked<'a> {
    id: MigrationId,
    place: Place,
    desk: &'a Arc<dyn MigrationDesk>,
}

async fn asked<'a>(app: &'a App, id: &str, uri: &Uri) -> Result<Asked<'a>, Refusal> {
    let id = migration_id(id)?;
    let Ask { after, limit } = body::query(uri)?;
    if after.as_ref().is_some_and(|after| after.len() > LONGEST_PLACE) {
        return Err(Refusal::new(Code::BadQuery, "after: want the `next` of the page before"));
    }
    let limit = page(limit, PAGE, LARGEST_PAGE)?;
    found(app, id.clone()).await?;
    Ok(Asked { id, place: Place { after, limit }, desk: desk(app)? })
}

/// `GET /migrations/{id}/collections`: in the order they are written.
pub(in crate::routes) async fn collections(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<CollectionPage>, Refusal> {
    let Asked { id, place, desk } = asked(&app, &id, &uri).await?;
    desk.collections(&id, &place).await.map(Json).map_err(Refusal::from)
}

/// `GET /migrations/{id}/orphans`: most documents first.
pub(in crate::routes) async fn orphans(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<OrphanPage>, Refusal> {
    let Asked { id, place, desk } = asked(&app, &id, &uri).await?;
    desk.orphans(&id, &place).await.map(Json).map_err(Refusal::from)
}

/// `GET /migrations/{id}/errors`: newest first.
pub(in crate::routes) async fn errors(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<TroublePage>, Refusal> {
    let Asked { id, place, desk } = asked(&app, &id, &uri).await?;
    desk.errors(&id, &place).await.map(Json).map_err(Refusal::from)
}

/// `GET /migrations/{id}/log`: oldest first.
pub(in crate::routes) async fn log(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<LogPage>, Refusal> {
    let Asked { id, place, desk } = asked(&app, &id, &uri).await?;
    desk.log(&id, &place).await.map(Json).map_err(Refusal::from)
}

/// `GET /migrations/{id}/mapping`: by old id.
pub(in crate::routes) async fn mapping(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<MappingPage>, Refusal> {
    let Asked { id, place, desk } = asked(&app, &id, &uri).await?;
    desk.mapping(&id, &place).await.map(Json).map_err(Refusal::from)
}

/// `GET /migrations/{id}/decisions`: open ones first.
pub(in crate::routes) async fn decisions(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<DecisionPage>, Refusal> {
    let Asked { id, place, desk } = asked(&app, &id, &uri).await?;
    desk.decisions(&id, &place).await.map(Json).map_err(Refusal::from)
}

/// `GET /migrations/{id}/report`: how it went, reconciled.
pub(in crate::routes) async fn report(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Report>, Refusal> {
    let state = found(&app, migration_id(&id)?).await?;
    desk(&app)?.report(state.migration.clone()).await.map(Json).map_err(Refusal::from)
}

/// `GET /migrations/{id}/users/{who}`: what one person sees, before and now and in the end.
pub(in crate::routes) async fn user(
    State(app): State<App>,
    Path((id, who)): Path<(String, String)>,
) -> Result<Json<UserCheck>, Refusal> {
    let id = migration_id(&id)?;
    named(&who)?;
    found(&app, id.clone()).await?;
    desk(&app)?.check_user(&id, &who).await.map(Json).map_err(Refusal::from)
}

/// `GET /aliases/{oldId}`: the new id. When the application itself asks (role ingest), the old id was used.
pub(in crate::routes) async fn alias(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    Path(old): Path<String>,
) -> Result<Json<Alias>, Refusal> {
    named(&old)?;
    let found = desk(&app)?.alias(&old).await?;
    let found = found.ok_or_else(|| Refusal::new(Code::NotFound, "nobody had this id"))?;
    if session.principal.role == Role::Ingest {
        app.hub.old_id_used(&found.migration, 1);
        if let Some(old_ids) = app.hub.old_ids().filter(|ids| *ids.migration() == found.migration) {
            old_ids.remember(&old, Used { times: 1, last: app.clock.now() });
        }
    }
    Ok(Json(found))
}

fn named(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Refusal::new(Code::BadId, "want 1 to 512 bytes"));
    }
    Ok(())
}
