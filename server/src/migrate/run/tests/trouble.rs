//! A store on a bad day: what the ledger says is what the store holds.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use stella_protocol::migration::TroubleKind;
use stella_protocol::{Migration, MigrationStatus, MigrationVerb};

use super::power::Switched;
use super::scene::{Process, Scene, key};
use super::world::Dice;
use crate::documents::Documents;

#[tokio::test(flavor = "multi_thread")]
async fn in_any_weather_the_ledger_says_what_the_store_holds() {
    for seed in 1..=10 {
        let scene = Scene::new(41, 1);
        let weather = Some(Mutex::new(Dice::new(seed)));
        let store = Arc::new(Switched { weather, ..Switched::new(scene.documents.clone()) });
        let process = scene.start_with(store);
        process.propose(&scene).await;
        let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
        let counts = verified.counts;
        assert_eq!(counts.failed, 0);
        let ledger = scene.ledger();
        let rows = ledger.written_after(None, 1000).unwrap();
        assert!(rows.len() as u64 == counts.done, "{seed}: {} {counts:?}", rows.len());
        for row in rows {
            let now = scene.documents.get(&row.document.key).await.unwrap().unwrap();
            assert!(now.version == row.document.version || verified.verification.as_ref().unwrap().changed_since > 0);
        }
        process.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_the_store_refuses_halts_it_with_words() {
    let scene = Scene::new(42, 1);
    let refused = BTreeSet::from(["messages/m0001".to_owned()]);
    let store = Arc::new(Switched { refused, ..Switched::new(scene.documents.clone()) });
    let process = scene.start_with(store);
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::BackingUp, MigrationStatus::BackedUp], None).await;
    let halted = process.until(|now| now.status == MigrationStatus::Halted).await;
    let why = halted.result.raw();
    assert!(why.contains("the store refused 1 document") || why.contains("messages/m0001 still holds"), "{why}");
    assert!(scene.ledger().is_troubled(&key("messages/m0001"), TroubleKind::Failed).unwrap());
    process.end().await;
}

/// A migration of a store that panics so many times while it is copied to.
async fn panics(times: u64, comes_to: MigrationStatus) -> (Scene, Process, Migration) {
    let scene = Scene::new(43, 1);
    let store = Arc::new(Switched::new(scene.documents.clone()));
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Approved], None).await;
    store.panics.store(times, Ordering::SeqCst);
    process.says(&scene, MigrationVerb::Start).await.unwrap();
    let came = process.until(|now| now.status == comes_to).await;
    assert_eq!(store.panics.swap(0, Ordering::SeqCst) == 0, comes_to != MigrationStatus::Halted);
    (scene, process, came)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_that_panics_once_is_tried_again_and_nothing_is_seen_of_it() {
    let (_scene, process, verified) = panics(1, MigrationStatus::Verified).await;
    assert_eq!((verified.verification.unwrap().differences, verified.counts.failed), (0, 0));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_that_panics_again_halts_with_words_and_the_server_lives() {
    let (scene, process, halted) = panics(1000, MigrationStatus::Halted).await;
    let why = halted.result.raw();
    assert!(why.contains("an error of the server itself ended its canary, 2 times"), "{why}");
    process.says(&scene, MigrationVerb::Resume).await.unwrap();
    let verified = process.until(|now| now.status == MigrationStatus::Verified).await;
    assert_eq!(verified.verification.unwrap().differences, 0);
    process.end().await;
}
