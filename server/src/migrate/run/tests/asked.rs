//! An application that is asked its own queries: as fast as before, slower, wrong, silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use stella_protocol::migration::{OwnQuery, PhaseName, QueryVerdict};
use stella_protocol::{Migration, MigrationStatus, MigrationVerb};

use super::scene::{Process, Scene};
use crate::documents::DocumentsError;
use crate::documents::embedded::Embedded;
use crate::migrate::queries::{Path, Query, Shape, Visible};
use crate::migrate::run::queries::{Application, Heard};

/// What a call takes, before.
const TOOK: Duration = Duration::from_millis(200);

/// Shows whoever asks the conversations under exactly their id.
struct Scripted {
    queries: Vec<Query>,
    store: Embedded,
    /// So many times as long, once everything is copied.
    after: f64,
    /// Whoever has a new id is shown nothing.
    hides: AtomicBool,
    is_silent: bool,
    /// Calls under old ids.
    old: AtomicUsize,
}

fn is_new(id: &str) -> bool {
    id.starts_with("usr_") && id.len() == 24
}

impl Scripted {
    fn of(scene: &Scene) -> Self {
        let shape = Shape::Items { at: "/items".to_owned(), name: Some("/id".to_owned()) };
        let query = Query {
            name: "list-conversations".to_owned(),
            base: "application".to_owned(),
            path: Path::parse("/users/{userId}/conversations").unwrap(),
            shape,
            collection: Some("conversations".to_owned()),
        };
        let (queries, store) = (vec![query], scene.documents.clone());
        let (hides, old) = (AtomicBool::new(false), AtomicUsize::new(0));
        Self { queries, store, after: 1.0, hides, is_silent: false, old }
    }

    /// Names and owners of all conversations.
    fn conversations(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let read: Result<(), DocumentsError> = self.store.at_one_moment(|moment| {
            moment.each(Some("conversations"), |document| {
                let owner = document.fields.get("userId").and_then(Value::as_str).unwrap_or_default();
                all.push((document.key.id.clone(), owner.to_owned()));
                Ok(())
            })
        });
        read.unwrap();
        all
    }

    fn heard(&self, user: &str) -> Heard {
        if !is_new(user) {
            self.old.fetch_add(1, Ordering::SeqCst);
        }
        if self.is_silent {
            return Heard { took: TOOK, said: Err("it answered 503".to_owned()) };
        }
        let all = self.conversations();
        let is_copied = all.iter().all(|(_, owner)| is_new(owner) || owner == super::world::NOBODY);
        let hidden = self.hides.load(Ordering::SeqCst) && is_new(user);
        let theirs = all.into_iter().filter(|(_, owner)| owner == user && !hidden).map(|(id, _)| id);
        let took = TOOK.mul_f64(if is_copied { self.after } else { 1.0 });
        Heard { took, said: Ok(Visible::Items(theirs.collect())) }
    }
}

impl Application for Scripted {
    fn queries(&self) -> &[Query] {
        &self.queries
    }

    fn ask<'a>(&'a self, _: &'a Query, user: &'a str) -> BoxFuture<'a, Heard> {
        Box::pin(async move { self.heard(user) })
    }
}

fn scene(change: impl FnOnce(&mut Scripted)) -> (Scene, Arc<Scripted>) {
    let mut scene = Scene::new(61, 1);
    let mut scripted = Scripted::of(&scene);
    change(&mut scripted);
    let scripted = Arc::new(scripted);
    scene.application = Some(Arc::clone(&scripted) as Arc<dyn Application>);
    (scene, scripted)
}

fn query(migration: &Migration) -> OwnQuery {
    migration.own_queries.as_ref().unwrap().items[0].clone()
}

fn note(migration: &Migration, name: PhaseName) -> String {
    let phase = migration.phases.iter().find(|phase| phase.name == name).unwrap();
    phase.note.raw().to_owned()
}

async fn started(scene: &Scene) -> Process {
    let process = scene.start();
    process.propose(scene).await;
    process.drive(scene, &[MigrationStatus::Approved], None).await;
    process.says(scene, MigrationVerb::Start).await.unwrap();
    process
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_is_timed_before_and_after_and_what_is_as_fast_stops_nothing() {
    let (scene, _) = scene(|_| ());
    let process = scene.start();
    process.propose(&scene).await;
    let planned = process.drive(&scene, &[MigrationStatus::Planned], None).await;
    let declared = query(&planned);
    assert_eq!((declared.name.raw(), declared.before, declared.after), ("list-conversations", None, None));
    let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
    let found = query(&verified);
    let (before, after, change) = (found.before.unwrap(), found.after.unwrap(), found.change.unwrap());
    assert_eq!((before.median_ms, after.median_ms, change.verdict), (200.0, 200.0, QueryVerdict::Same));
    assert!(before.users > 5 && before.calls == before.users * 3 && after.users == before.users, "{found:?}");
    assert_eq!((found.silent, change.users), (0, before.users));
    let canary = note(&verified, PhaseName::Canary);
    assert!(canary.contains("the application answered 2 of 2 own queries for them"), "{canary}");
    let checks = verified.verification.unwrap().checks;
    assert!(checks.iter().any(|check| check.raw().contains("list-conversations took 200 ms")), "{checks:?}");
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_became_slower_holds_it_after_the_check_until_a_person_lets_it_be() {
    let (scene, _) = scene(|one| one.after = 1.5);
    let process = started(&scene).await;
    let halted = process.until(|now| now.status == MigrationStatus::Halted).await;
    let why = halted.result.raw();
    assert!(why.contains("list-conversations of the application takes 50 % longer (50 to 50 %"), "{why}");
    assert_eq!(
        (halted.hold_reason.as_ref().unwrap().raw(), query(&halted).change.unwrap().verdict),
        (why, QueryVerdict::TooSlow)
    );
    assert_eq!(halted.verification.unwrap().differences, 0);
    process.says(&scene, MigrationVerb::Resume).await.unwrap();
    process.until(|now| now.status == MigrationStatus::Verified).await;
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_whose_users_are_shown_less_halts_with_the_place_and_what_was_asked_before_stays() {
    let (scene, scripted) = scene(|one| one.hides = AtomicBool::new(true));
    let process = started(&scene).await;
    let halted = process.until(|now| now.status == MigrationStatus::Halted).await;
    let why = halted.result.raw().to_owned();
    assert!(why.contains("the application shows usr_") && why.contains("0 by list-conversations"), "{why}");
    assert!(!halted.phases.iter().any(|phase| phase.name == PhaseName::Copy), "nothing of others was written");
    let (asked, before) = (scripted.old.load(Ordering::SeqCst), query(&halted).before);
    process.die().await;
    scripted.hides.store(false, Ordering::SeqCst);
    scene.pass(60_000);
    let process = scene.start();
    process.says(&scene, MigrationVerb::Resume).await.unwrap();
    let verified = process.until(|now| now.status == MigrationStatus::Verified).await;
    assert_eq!((scripted.old.load(Ordering::SeqCst), query(&verified).before), (asked, before));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_silent_is_no_difference_and_is_told() {
    let (scene, scripted) = scene(|one| one.is_silent = true);
    let process = started(&scene).await;
    let verified = process.until(|now| now.status == MigrationStatus::Verified).await;
    let found = query(&verified);
    assert_eq!((found.before, found.after, found.change), (None, None, None));
    assert_eq!(found.why_silent.unwrap().raw(), "it answered 503");
    assert!(found.silent > 0 && scripted.old.load(Ordering::SeqCst) < 10, "it is not asked for ever");
    let canary = note(&verified, PhaseName::Canary);
    assert!(canary.contains("it did not answer all: it answered 503"), "{canary}");
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_none_is_declared_it_is_said_that_nobody_asked() {
    let scene = Scene::new(62, 1);
    let process = started(&scene).await;
    let verified = process.until(|now| now.status == MigrationStatus::Verified).await;
    assert_eq!(verified.own_queries, None);
    assert!(note(&verified, PhaseName::Canary).contains("nobody asked the application"));
    let checks = verified.verification.unwrap().checks;
    assert!(checks.iter().any(|check| check.raw().starts_with("nobody asked the application")), "{checks:?}");
    process.end().await;
}
