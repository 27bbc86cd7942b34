//! Ids without a user that somebody decided of: whole runs, killed and gone on with, and taken back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::json;
use stella_protocol::migration::{DecisionRequest, OrphanChoice, PlanSummary, TroubleKind};
use stella_protocol::{Migration, MigrationId, MigrationStatus, MigrationVerb, Text};

use super::power::{Switched, shared};
use super::scene::{Contents, Process, Scene, admin, data, id, key};
use super::sweep::differs;
use super::world::{NOBODY, document_id};
use crate::documents::{DocumentWrite, Documents, Expect, Leave};
use crate::migrate::reference::ARCHIVED;
use crate::migrate::run::desk::{MigrationDesk, Place};
use crate::migrate::run::office::Office;

/// Another id without a user.
const GONE: &str = "gone_example_com";

/// A world in which both own something, and stand in what is somebody else's.
fn world(seed: u64) -> Scene {
    let scene = Scene::new(seed, 1);
    for (path, fields) in [
        ("conversations/g1", json!({"userId": GONE, "sharedWith": [{"userId": NOBODY, "access": "view"}]})),
        ("conversations/g2", json!({"userId": document_id(2), "sharedWith": [{"userId": NOBODY, "access": "view"}]})),
        ("settings/gone_example_com", json!({"userId": GONE, "updatedAt": "2025-11-01T10:00:00Z"})),
        ("messages/g3", json!({"userId": "Gone_example_com", "text": "x"})),
        ("messages/g4", json!({"userId": NOBODY, "text": "x"})),
    ] {
        scene.documents.import(json!({"path": path, "fields": fields}).to_string().as_bytes()).unwrap();
    }
    scene
}

/// Proposes, and decides of these when the data was looked at.
async fn planned(scene: &Scene, process: &Process, choices: &[(&str, OrphanChoice)]) -> Migration {
    process.propose(scene).await;
    for (orphan, choice) in choices {
        let now = process.until(|now| now.status == MigrationStatus::Planned).await;
        let asked = DecisionRequest::Orphan {
            id: Text::new((*orphan).to_owned()),
            choice: *choice,
            user: None,
            reason: Text::from("ticket 7"),
        };
        let entered = Office::new(Arc::clone(&process.site), None).decide(&id(), &admin(), asked).await.unwrap();
        let (what, open) = (entered.what, entered.open);
        let (by, key, mig) = (admin(), scene.key(), id());
        process.hub.answer_migration(&by, &key, [2; 32], &mig, now.version, what, open).await.unwrap();
    }
    process.until(|now| now.status == MigrationStatus::Planned).await
}

const BOTH: [(&str, OrphanChoice); 2] = [(NOBODY, OrphanChoice::Archive), (GONE, OrphanChoice::Placeholder)];

/// The id of the user document that is made.
fn placeholder(scene: &Scene) -> String {
    scene.ledger().plan().unwrap().unwrap().0.mapping[GONE].clone()
}

fn marked(contents: &Contents) -> BTreeSet<&str> {
    contents.iter().filter(|(_, fields)| fields.contains_key(ARCHIVED)).map(|(path, _)| path.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_is_made_before_what_refers_to_it_and_nothing_is_left_of_the_old_id() {
    let scene = world(41);
    let before = scene.contents();
    let process = scene.start();
    let plan = planned(&scene, &process, &[(GONE, OrphanChoice::Placeholder)]).await.plan.unwrap();
    assert_eq!((plan.placeholders, plan.archived), (1, 0));
    assert_eq!(scene.contents(), before);
    let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
    assert_eq!(verified.verification.unwrap().differences, 0);
    let counts = verified.counts;
    assert_eq!(counts.done + counts.skipped + counts.parked, counts.planned, "{counts:?}");
    let user = placeholder(&scene);
    let seen = Office::new(Arc::clone(&process.site), None).check_user(&id(), GONE).await.unwrap();
    assert_eq!(seen.user.raw(), user);
    assert!(seen.places.iter().all(|place| place.now == place.expected && place.now > 0), "{seen:?}");
    process.drive(&scene, &[MigrationStatus::Completed], None).await;
    let after = data(&scene.contents());
    let document = &after[&format!("users/{user}")];
    assert_eq!(document["_placeholderFor"], json!(["Gone_example_com", GONE]));
    assert_eq!((&document["isActive"], &document["_run"]), (&json!(false), &json!("mig-1")));
    assert!(!document.contains_key("email") && !document.contains_key("googleUserId"), "{document:?}");
    for path in ["conversations/g1", "messages/g3"] {
        assert_eq!(after[path]["userId"], json!(user), "{path}");
    }
    assert_eq!(after[&format!("settings/{user}")]["userId"], json!(user));
    let others = after.iter().filter(|(path, _)| **path != format!("users/{user}"));
    assert!(others.into_iter().all(|(_, fields)| !json!(fields).to_string().to_lowercase().contains(GONE)));
    assert_eq!(scene.contents()[&format!("user_id_aliases/{GONE}")]["userId"], json!(user));
    assert_eq!(marked(&after), BTreeSet::new());
    // A later look takes it for a user like any other, and finds nothing more to do.
    process.propose(&scene).await;
    let second = "mig-2".parse().unwrap();
    let plan = looked_at(&process, &second).await;
    assert!(plan.changes + plan.moves <= 2 && plan.placeholders == 0, "{plan:?}");
    assert_eq!(plan.misses, verified.plan.unwrap().misses, "what it stands for is no place that the map misses");
    process.end().await;
}

async fn looked_at(process: &Process, id: &MigrationId) -> PlanSummary {
    let mut changed = process.hub.changed();
    loop {
        let state = process.hub.migration(id).unwrap().unwrap();
        assert_ne!(state.migration.status, MigrationStatus::PlanFailed, "{}", state.migration.result.raw());
        if let Some(plan) = &state.migration.plan {
            return plan.clone();
        }
        changed.changed().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_archived_id_owns_is_marked_and_what_is_somebody_elses_is_not() {
    let scene = world(42);
    let before = scene.contents();
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    let owned = before.iter().filter(|(_, fields)| fields.get("userId") == Some(&json!(NOBODY)));
    let mine: BTreeSet<&str> = owned.map(|(path, _)| path.as_str()).collect();
    assert!(mine.len() > 2 && mine.contains("messages/g4"));
    let plan = planned(&scene, &process, &[(NOBODY, OrphanChoice::Archive)]).await.plan.unwrap();
    assert_eq!((plan.placeholders, plan.archived), (0, mine.len() as u64));
    // Somebody goes on writing under it.
    let fields = serde_json::from_value(json!({"userId": NOBODY, "text": "late"})).unwrap();
    let late = DocumentWrite { key: key("messages/zz"), expect: Expect::Absent, leave: Leave::Fields(fields) };
    store.others.lock().unwrap().push(late);
    let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
    let found = verified.verification.unwrap();
    assert_eq!((found.differences, found.changed_since), (0, 1), "{:?}", found.first);
    assert_eq!(found.first_changed, [Text::from("messages/zz")]);
    let counts = verified.counts;
    assert_eq!(counts.done + counts.skipped + counts.parked, counts.planned, "{counts:?}");
    process.drive(&scene, &[MigrationStatus::Completed], None).await;
    let after = data(&scene.contents());
    assert_eq!(marked(&after), mine);
    for path in &mine {
        assert_eq!(after[*path]["userId"], json!(NOBODY), "the id is kept");
        let is_talk = path.starts_with("conversations/");
        assert_eq!(after[*path].get("status") == Some(&json!("archived")), is_talk, "{path}");
    }
    assert_eq!(after["conversations/g2"]["sharedWith"][0]["userId"], json!(NOBODY));
    let orphans = Office::new(Arc::clone(&process.site), None).orphans(&id(), &Place { after: None, limit: 9 }).await;
    let orphans = orphans.unwrap().items;
    let decided = orphans.iter().find(|one| one.id.raw() == NOBODY).unwrap().decision.as_ref().unwrap();
    assert_eq!((decided.choice, decided.by.raw()), (OrphanChoice::Archive, "ana"));
    process.end().await;
}

/// The end, and its points.
async fn uninterrupted(seed: u64) -> (Contents, u64) {
    let scene = world(seed);
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    planned(&scene, &process, &BOTH).await;
    process.drive(&scene, &[MigrationStatus::Completed], None).await;
    process.end().await;
    (scene.contents(), store.points.load(Ordering::SeqCst))
}

async fn killed(seed: u64, point: u64) -> Contents {
    let scene = world(seed);
    let store = Arc::new(Switched { dies_at: Some(point), ..Switched::new(scene.documents.clone()) });
    let process = scene.start_with(Arc::clone(&store));
    planned(&scene, &process, &BOTH).await;
    process.drive(&scene, &[MigrationStatus::Completed], Some(&store.dead)).await;
    process.die().await;
    scene.goes_on(MigrationStatus::Completed).await;
    scene.contents()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_placeholders_are_made_and_documents_are_marked_it_ends_as_if_it_had_not_been() {
    let (end, points) = uninterrupted(43).await;
    assert!(points > 40 && !marked(&end).is_empty(), "{points}");
    // The first are those of the placeholder and of the canary; of the others, one in seven.
    let some = (1..=points).filter(|point| *point <= 10 || point % 7 == 0);
    let lives = some.map(|point| async move { (point, killed(43, point).await) });
    let mut lives = iter(lives).buffer_unordered(4);
    while let Some((point, contents)) = lives.next().await {
        assert!(contents == end, "killed at {point}: {:?}", differs(&end, &contents));
    }
}

/// Taken back from there, also when it is killed on its way.
async fn back_from(status: MigrationStatus, point: Option<u64>) {
    let scene = world(44);
    let before = scene.contents();
    let process = scene.start();
    planned(&scene, &process, &BOTH).await;
    process.drive(&scene, &[status], None).await;
    assert!(scene.contents().contains_key(&format!("users/{}", placeholder(&scene))));
    process.end().await;
    let store = Arc::new(Switched { dies_at: point, ..Switched::new(scene.documents.clone()) });
    let process = scene.start_with(Arc::clone(&store));
    process.says(&scene, MigrationVerb::Rollback).await.unwrap();
    process.drive(&scene, &[MigrationStatus::RolledBack], Some(&store.dead)).await;
    if store.dead.is_cancelled() {
        process.die().await;
        scene.goes_on(MigrationStatus::RolledBack).await;
    } else {
        process.end().await;
    }
    let after = scene.contents();
    assert!(before == after, "{status:?} {point:?}: {:?}", differs(&before, &after));
}

#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_the_placeholder_is_gone_and_every_mark_with_it() {
    back_from(MigrationStatus::Verified, None).await;
    back_from(MigrationStatus::Soaking, None).await;
    for point in 1..=5 {
        back_from(MigrationStatus::Soaking, Some(point)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_document_that_somebody_made_where_a_placeholder_is_to_stand_is_not_touched() {
    let scene = world(45);
    let process = scene.start();
    planned(&scene, &process, &BOTH).await;
    process.drive(&scene, &[MigrationStatus::Approved], None).await;
    let at = key(&format!("users/{}", placeholder(&scene)));
    let fields = serde_json::from_value(json!({"email": "real@example.com"})).unwrap();
    let write = DocumentWrite { key: at.clone(), expect: Expect::Absent, leave: Leave::Fields(fields) };
    scene.documents.write(vec![write]).await.unwrap();
    let before = scene.contents();
    process.says(&scene, MigrationVerb::Start).await.unwrap();
    let halted = process.until(|now| now.status == MigrationStatus::Halted).await;
    let why = halted.hold_reason.as_ref().unwrap_or(&halted.result).raw().to_owned();
    assert!(why.contains(&at.path()) && why.contains("roll back"), "{why}");
    process.says(&scene, MigrationVerb::Rollback).await.unwrap();
    process.drive(&scene, &[MigrationStatus::RolledBack], None).await;
    assert!(scene.contents() == before);
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_into_a_placeholder_is_listed_and_never_rolled_back() {
    let scene = world(46);
    let process = scene.start();
    planned(&scene, &process, &BOTH).await;
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    let at = key(&format!("users/{}", placeholder(&scene)));
    let mut now = scene.documents.get(&at).await.unwrap().unwrap();
    now.fields.insert("name".to_owned(), json!("A person who was found"));
    let write =
        DocumentWrite { key: at.clone(), expect: Expect::Version(now.version), leave: Leave::Fields(now.fields) };
    scene.documents.write(vec![write]).await.unwrap();
    process.says(&scene, MigrationVerb::Verify).await.unwrap();
    let checked = process.until(|now| now.verification.as_ref().is_some_and(|found| found.changed_since == 1)).await;
    assert_eq!(checked.verification.unwrap().differences, 0);
    process.until(|now| now.under_way.is_none()).await;
    process.says(&scene, MigrationVerb::Rollback).await.unwrap();
    process.drive(&scene, &[MigrationStatus::RolledBack], None).await;
    assert_eq!(scene.contents()[&at.path()]["name"], json!("A person who was found"));
    assert!(scene.ledger().is_troubled(&at, TroubleKind::Kept).unwrap());
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_that_is_gone_is_a_difference() {
    let scene = world(47);
    let process = scene.start();
    planned(&scene, &process, &BOTH).await;
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    let at = key(&format!("users/{}", placeholder(&scene)));
    let now = scene.documents.get(&at).await.unwrap().unwrap();
    let write = DocumentWrite { key: at.clone(), expect: Expect::Version(now.version), leave: Leave::Nothing };
    scene.documents.write(vec![write]).await.unwrap();
    process.says(&scene, MigrationVerb::Verify).await.unwrap();
    let found = process.until(|now| now.verification.as_ref().is_some_and(|found| found.differences > 0)).await;
    let first = &found.verification.as_ref().unwrap().first;
    assert_eq!((first[0].check.raw(), first[0].what.raw()), ("missing", at.path().as_str()), "{first:?}");
    process.end().await;
}
