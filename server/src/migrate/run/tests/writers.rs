//! The application goes on while it is migrated: nothing that it writes is lost, and no old id stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use stella_protocol::{MigrationStatus, MigrationVerb};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::gate::Call;
use super::power::{Switched, shared};
use super::scene::{Scene, TOO_LONG};
use super::world::{Dice, any_id, derived};
use crate::documents::{DocumentKey, DocumentWrite, Documents, Expect, Leave, Written};

const WRITERS: u64 = 10;
/// What they write for each write of the copy, at least.
const EACH: u64 = 5;
/// What they write when half of it is copied.
const MORE: u64 = 100;

/// How often one was added to a document, by its path.
type Added = BTreeMap<String, i64>;

/// Adds one to the number of a document, and calls its owner by another of their ids; how often it could.
async fn writer(store: Arc<Switched>, seed: u64, done: Arc<watch::Sender<u64>>, stop: CancellationToken) -> Added {
    let (gate, store) = (&store.gate, &store.inner);
    let mut dice = Dice::new(seed + 77);
    let mut added: Added = BTreeMap::new();
    let mut made = 0;
    while !stop.is_cancelled() {
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
            done.send_modify(|done| *done += 1);
            gate.look_again();
        }
    }
    added
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_writers_lose_nothing_and_leave_no_old_id() {
    let scene = Scene::new(21, 1);
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Approved], None).await;
    let stop = CancellationToken::new();
    let plan = process.migration().unwrap().plan.unwrap();
    let half = (plan.changes + plan.moves) / process.site.pace.batch as u64 / 2;
    // The migration waits for them, so that neither leaves the other behind, and in its middle until they are done.
    let done = Arc::new(watch::Sender::new(0));
    let theirs = Arc::clone(&done);
    store
        .gate
        .hold(move |call, writes| call == Call::Write && (writes >= half || *theirs.borrow() < EACH * (writes + 1)));
    process.says(&scene, MigrationVerb::Start).await.unwrap();
    let begin = |seed| tokio::spawn(writer(Arc::clone(&store), seed, Arc::clone(&done), stop.clone()));
    let writers: Vec<_> = (0..WRITERS).map(begin).collect();
    store.gate.has_let(half).await;
    let (enough, mut written) = (*done.borrow() + MORE, done.subscribe());
    let went_on = timeout(TOO_LONG, written.wait_for(|done| *done >= enough)).await;
    went_on.expect("they do not write").expect("they are there");
    stop.cancel();
    let mut added: Added = BTreeMap::new();
    for writer in writers {
        for (path, count) in writer.await.unwrap() {
            *added.entry(path).or_default() += count;
        }
    }
    store.gate.open();
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
