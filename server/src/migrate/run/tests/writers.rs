//! The application goes on while it is migrated: nothing that it writes is lost, and no old id stays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stella_protocol::MigrationStatus;
use tokio_util::sync::CancellationToken;

use super::power::Switched;
use super::scene::Scene;
use super::world::{Dice, any_id, derived};
use crate::documents::embedded::Embedded;
use crate::documents::{DocumentKey, DocumentWrite, Documents, Expect, Leave, Written};

const WRITERS: u64 = 10;

/// Adds one to the number of a document, and calls its owner by another of their ids; how often it could.
async fn writer(store: Embedded, seed: u64, stop: CancellationToken) -> BTreeMap<String, i64> {
    let mut dice = Dice::new(seed + 77);
    let mut added: BTreeMap<String, i64> = BTreeMap::new();
    let mut made = 0;
    while !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let id = match dice.below(8) {
            0 => {
                made += 1;
                let owner = any_id(dice.below(10), &mut dice);
                let key = DocumentKey::new("messages", format!("new-{seed}-{made}"));
                let fields = BTreeMap::from([("userId".to_owned(), json!(owner)), ("count".to_owned(), json!(0))]);
                let write = DocumentWrite { key, expect: Expect::Absent, leave: Leave::Fields(fields) };
                store.write(vec![write]).await.unwrap();
                continue;
            }
            // Of those, one document each: it moves.
            1 => DocumentKey::new("settings", derived(2 * dice.below(5))),
            _ => DocumentKey::new("conversations", format!("c{:04}", dice.below(40))),
        };
        let Some(mut now) = store.get(&id).await.unwrap() else { continue };
        let count = now.fields.get("count").and_then(serde_json::Value::as_i64).unwrap_or(0);
        now.fields.insert("count".to_owned(), json!(count + 1));
        let write =
            DocumentWrite { key: id.clone(), expect: Expect::Version(now.version), leave: Leave::Fields(now.fields) };
        if let [Written::Done(_)] = store.write(vec![write]).await.unwrap()[..] {
            *added.entry(id.path()).or_default() += 1;
        }
    }
    added
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_writers_lose_nothing_and_leave_no_old_id() {
    let scene = Scene::new(21, 1);
    let store = Arc::new(Switched { slow_ms: 10, ..Switched::new(scene.documents.clone()) });
    let process = scene.start_with(store);
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::BackedUp, MigrationStatus::Copying], None).await;
    let stop = CancellationToken::new();
    let writers: Vec<_> =
        (0..WRITERS).map(|seed| tokio::spawn(writer(scene.documents.clone(), seed, stop.clone()))).collect();
    process.until(|now| now.counts.done > now.counts.planned / 2 || now.status == MigrationStatus::Verifying).await;
    stop.cancel();
    let mut added: BTreeMap<String, i64> = BTreeMap::new();
    for writer in writers {
        for (path, count) in writer.await.unwrap() {
            *added.entry(path).or_default() += count;
        }
    }
    let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
    assert!(added.len() > 10 && verified.verification.unwrap().changed_since > 0);
    let contents = scene.contents();
    let ledger = scene.ledger();
    for (path, count) in added {
        let moved = match path.strip_prefix("settings/") {
            Some(old) => format!("settings/{}", ledger.ids_of(old).unwrap()[0].to.raw()),
            None => path.clone(),
        };
        let now = contents.get(&moved).unwrap_or_else(|| panic!("{moved} is not there"));
        assert_eq!(now.get("count"), Some(&json!(count)), "{path} → {moved}");
    }
    let plan = ledger.plan().unwrap().unwrap().0;
    for (path, fields) in contents.iter().filter(|(path, _)| path.starts_with("messages/")) {
        let owner = fields["userId"].as_str().unwrap();
        assert!(plan.mapping.get(owner).is_none_or(|to| to == owner), "{path} is still {owner}'s");
    }
    process.end().await;
}
