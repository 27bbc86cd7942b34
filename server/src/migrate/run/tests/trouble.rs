//! A store on a bad day: what the ledger says is what the store holds.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use stella_protocol::MigrationStatus;
use stella_protocol::migration::TroubleKind;

use super::power::Switched;
use super::scene::{Scene, key};
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
