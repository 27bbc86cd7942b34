//! Rolled back, everything is as it was, but for what others wrote since: that stays, and is listed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use stella_protocol::migration::{PhaseName, TroubleKind};
use stella_protocol::{MigrationStatus, MigrationVerb};

use super::gate::Call;
use super::power::{Switched, shared};
use super::scene::{Scene, key};
use super::sweep::differs;
use super::world::{derived, document_id, google};
use crate::documents::{DocumentWrite, Documents, Expect, Leave};

/// Writes of the copy that are let through before it is met.
const WRITES: u64 = 3;

/// Rolls back what stands so. What is under way is met on it: the store holds what it is asked.
async fn back_from(status: MigrationStatus) {
    let scene = Scene::new(11, 1);
    let before = scene.contents();
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    let stands = process.stands(status);
    store.gate.hold(move |call, _| (call == Call::Write || status != MigrationStatus::Copying) && stands());
    process.drive(&scene, &[status], None).await;
    if [MigrationStatus::Copying, MigrationStatus::Verifying, MigrationStatus::CuttingOver].contains(&status) {
        store.gate.has_one().await;
    }
    if status == MigrationStatus::Copying {
        store.gate.hold(|call, passed| call == Call::Write && passed >= WRITES);
        store.gate.has_let(WRITES).await;
        store.gate.has_one().await;
    }
    let asked = process.says(&scene, MigrationVerb::Rollback).await.unwrap();
    assert!(asked.status == status || asked.status == MigrationStatus::RollingBack, "{status:?}: {:?}", asked.status);
    store.gate.open();
    process.drive(&scene, &[MigrationStatus::RolledBack], None).await;
    let after = scene.contents();
    assert!(before == after, "{status:?}: {:?}", differs(&before, &after));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_from_every_phase_everything_is_as_it_was() {
    for status in [
        MigrationStatus::Copying,
        MigrationStatus::Verifying,
        MigrationStatus::Verified,
        MigrationStatus::CuttingOver,
        MigrationStatus::Soaking,
    ] {
        back_from(status).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_edit_is_never_rolled_back_and_is_listed() {
    let scene = Scene::new(12, 1);
    let before = scene.contents();
    let process = scene.start();
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    let mut expected = before.clone();
    for path in ["messages/m0000", "conversations/c0003"] {
        let mut now = scene.documents.get(&key(path)).await.unwrap().unwrap();
        now.fields.insert("edited".to_owned(), json!(true));
        expected.insert(path.to_owned(), now.fields.clone());
        let write =
            DocumentWrite { key: now.key, expect: Expect::Version(now.version), leave: Leave::Fields(now.fields) };
        scene.documents.write(vec![write]).await.unwrap();
    }
    process.says(&scene, MigrationVerb::Rollback).await.unwrap();
    let ended = process.drive(&scene, &[MigrationStatus::RolledBack], None).await;
    assert!(ended.result.raw().contains("2 kept"), "{}", ended.result.raw());
    let after = scene.contents();
    assert!(expected == after, "{:?}", differs(&expected, &after));
    let ledger = scene.ledger();
    for path in ["messages/m0000", "conversations/c0003"] {
        assert!(ledger.is_troubled(&key(path), TroubleKind::Kept).unwrap());
    }
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_is_killed_anywhere_goes_on_to_the_same_end() {
    let mut point = 1;
    loop {
        let scene = Scene::new(13, 1);
        let before = scene.contents();
        let process = scene.start();
        process.propose(&scene).await;
        process.drive(&scene, &[MigrationStatus::Soaking, MigrationStatus::Completed], None).await;
        process.end().await;
        let store = Arc::new(Switched { dies_at: Some(point), ..Switched::new(scene.documents.clone()) });
        let dying = scene.start_with(Arc::clone(&store));
        dying.says(&scene, MigrationVerb::Rollback).await.unwrap();
        dying.drive(&scene, &[MigrationStatus::RolledBack], Some(&store.dead)).await;
        let died = store.dead.is_cancelled();
        dying.die().await;
        scene.goes_on(MigrationStatus::RolledBack).await;
        let after = scene.contents();
        assert!(before == after, "killed at {point}: {:?}", differs(&before, &after));
        if !died {
            assert!(store.points.load(Ordering::SeqCst) > 0 && point > 2);
            return;
        }
        point += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_become_one_both_come_back_whichever_is_read_first() {
    for month in ["10", "12"] {
        let scene = Scene::new(16, 1);
        let path = format!("settings/{}", google(2));
        let fields = json!({"userId": google(2), "updatedAt": format!("2025-{month}-01T10:00:00Z"), "theme": "other"});
        scene.documents.import(json!({ "path": path, "fields": fields }).to_string().as_bytes()).unwrap();
        let before = scene.contents();
        let process = scene.start();
        process.propose(&scene).await;
        process.drive(&scene, &[MigrationStatus::Verified], None).await;
        let stays = if month == "10" { "t0" } else { "other" };
        assert_eq!(scene.contents()[&format!("settings/{}", document_id(2))]["theme"], stays);
        process.says(&scene, MigrationVerb::Rollback).await.unwrap();
        process.drive(&scene, &[MigrationStatus::RolledBack], None).await;
        let after = scene.contents();
        assert!(before == after, "{month}: {:?}", differs(&before, &after));
        process.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_written_is_cancelled_and_nothing_is_there_of_it() {
    let scene = Scene::new(14, 1);
    let before = scene.contents();
    let process = scene.start();
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Approved], None).await;
    let ended = process.says(&scene, MigrationVerb::Cancel).await.unwrap();
    assert_eq!(ended.status, MigrationStatus::Cancelled);
    assert!(ended.phases.iter().all(|phase| phase.name <= PhaseName::Rehearse));
    assert!(scene.contents() == before);
    process.end().await;
}

/// Others make exactly what the migration would, after the look: before the backup, or just before the first write.
async fn found(before_the_backup: bool) {
    let scene = Scene::new(15, 1);
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Approved], None).await;
    let mut before = scene.contents();
    let (old, new) = (key(&format!("settings/{}", derived(2))), key(&format!("settings/{}", document_id(2))));
    let mut fields = before[&old.path()].clone();
    fields.insert("userId".to_owned(), json!(document_id(2)));
    before.insert(new.path(), fields.clone());
    let write = DocumentWrite { key: new.clone(), expect: Expect::Absent, leave: Leave::Fields(fields) };
    if before_the_backup {
        scene.documents.write(vec![write]).await.unwrap();
    } else {
        store.others.lock().unwrap().push(write);
    }
    let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
    assert_eq!(verified.verification.unwrap().differences, 0);
    let row = scene.ledger().written(&new).unwrap().unwrap();
    assert_eq!((row.document.made, row.document.source), (false, Some(old)));
    let others = scene.ledger().written_after(None, 1000).unwrap();
    assert!(others.iter().any(|row| row.document.made && row.document.source.is_some()), "the rest it made");
    process.says(&scene, MigrationVerb::Rollback).await.unwrap();
    process.drive(&scene, &[MigrationStatus::RolledBack], None).await;
    let after = scene.contents();
    assert!(before == after, "{:?}", differs(&before, &after));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_like_that_others_made_under_the_new_id_is_found_and_stays_theirs() {
    found(true).await;
    found(false).await;
}
