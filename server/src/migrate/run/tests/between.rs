//! A pause and a stop act between two store writes: what was written is told, the rest of its batch is undone and
//! is taken up where it was left.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use stella_protocol::migration::{Counts, PhaseName};
use stella_protocol::{MigrationStatus, MigrationVerb};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::scene::{Process, Scene, TOO_LONG, data, id};
use super::sweep::differs;
use crate::documents::embedded::Embedded;
use crate::documents::{
    AbsentPage, Capabilities, Document, DocumentKey, DocumentPage, DocumentWrite, Documents, DocumentsError, Written,
};
use crate::hub::Hub;
use crate::migrate::run::ledger::Pass;
use crate::migrate::run::throttle;

/// Documents of a store write: four of them and more are a batch.
const TOGETHER: usize = 3;

/// A store that takes few documents at a time and lets writes of the copy through when it is told to.
struct Gated {
    inner: Embedded,
    hub: OnceLock<Hub>,
    gate: Semaphore,
    /// Writes of the copy that were asked for.
    asked: watch::Sender<u64>,
    /// Documents that they wrote.
    written: AtomicU64,
}

impl Gated {
    fn new(inner: Embedded) -> Arc<Self> {
        let (gate, (asked, _)) = (Semaphore::new(0), watch::channel(0));
        Arc::new(Self { inner, hub: OnceLock::new(), gate, asked, written: AtomicU64::new(0) })
    }

    fn copies(&self) -> bool {
        let state = self.hub.get().and_then(|hub| hub.migration(&id()).unwrap());
        state.is_some_and(|state| state.migration.status == MigrationStatus::Copying)
    }

    async fn asked_for(&self, writes: u64) {
        let mut asked = self.asked.subscribe();
        timeout(TOO_LONG, asked.wait_for(|asked| *asked >= writes)).await.unwrap().unwrap();
    }
}

impl Documents for Gated {
    fn capabilities(&self) -> Capabilities {
        Capabilities { batch: TOGETHER, ..self.inner.capabilities() }
    }

    fn collections<'a>(&'a self, under: Option<&'a str>) -> BoxFuture<'a, Result<Vec<String>, DocumentsError>> {
        self.inner.collections(under)
    }

    fn scan<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<DocumentPage, DocumentsError>> {
        self.inner.scan(collection, after, limit)
    }

    fn absent<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<AbsentPage, DocumentsError>> {
        self.inner.absent(collection, after)
    }

    fn get<'a>(&'a self, key: &'a DocumentKey) -> BoxFuture<'a, Result<Option<Document>, DocumentsError>> {
        self.inner.get(key)
    }

    fn write(&self, writes: Vec<DocumentWrite>) -> BoxFuture<'_, Result<Vec<Written>, DocumentsError>> {
        Box::pin(async move {
            assert!(writes.len() <= TOGETHER, "{}", writes.len());
            if self.copies() {
                self.asked.send_modify(|asked| *asked += 1);
                self.gate.acquire().await.unwrap().forget();
                self.written.fetch_add(writes.len() as u64, Ordering::SeqCst);
            }
            self.inner.write(writes).await
        })
    }

    fn count<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<u64, DocumentsError>> {
        self.inner.count(collection)
    }
}

async fn uninterrupted(seed: u64) -> (super::scene::Contents, Counts) {
    let scene = Scene::new(seed, 2);
    let store = Gated::new(scene.documents.clone());
    store.gate.add_permits(100_000);
    let process = scene.start_with(Arc::clone(&store));
    assert!(store.hub.set(process.hub.clone()).is_ok());
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    process.end().await;
    let counts = scene.ledger().counts(PhaseName::Copy).unwrap();
    (data(&scene.contents()), counts)
}

/// Documents and how many of them, as a reader is told them while it copies.
async fn told(process: &Process, holds: impl Fn(u64, u64) -> bool) -> (u64, u64) {
    let waiting = async {
        let mut changed = process.hub.changed();
        loop {
            let progress = process.hub.migration_progress(&id()).filter(|one| one.phase == PhaseName::Copy);
            if let Some(progress) = progress.filter(|one| holds(one.done, one.total)) {
                return (progress.done, progress.total);
            }
            let _moment = timeout(Duration::from_millis(5), changed.changed()).await;
        }
    };
    timeout(TOO_LONG, waiting).await.unwrap()
}

async fn interrupted(seed: u64, verb: MigrationVerb, becomes: MigrationStatus) {
    let scene = Scene::new(seed, 2);
    let store = Gated::new(scene.documents.clone());
    let process = scene.start_with(Arc::clone(&store));
    assert!(store.hub.set(process.hub.clone()).is_ok());
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Copying], None).await;
    let (before, _) = told(&process, |_, total| total > 0).await;
    store.asked_for(1).await;
    store.gate.add_permits(1);
    // A write within a batch is seen before the batch is done.
    let (smooth, _) = told(&process, |done, _| done > before).await;
    assert!(smooth <= before + 2 * TOGETHER as u64, "{before}, then {smooth}");
    let in_flight = *store.asked.borrow();
    assert!(in_flight > 1, "another write waits at the gate");
    process.says(&scene, verb).await.unwrap();
    store.gate.add_permits(100_000);
    let stopped = process.until(|now| now.status != MigrationStatus::Copying).await;
    assert_eq!(stopped.status, becomes);
    let asked = *store.asked.borrow();
    assert!(asked <= throttle::MOST as u64 + 1, "{in_flight} were asked for, then {asked}");
    let (ledger, pass) = (scene.ledger(), Pass::of(PhaseName::Copy));
    let (plan, rest) = (ledger.undone(Pass::PLAN, 0, 100).unwrap(), ledger.undone(pass, 0, 100).unwrap());
    let begun = |one: &&crate::migrate::run::ledger::Batch| plan.iter().all(|of| of.after != one.after);
    assert!(rest.iter().any(|one| begun(&one)), "a batch is done in part");
    let counts = ledger.counts(PhaseName::Copy).unwrap();
    assert_eq!(counts, stopped.counts, "what was written is told");
    drop(ledger);
    process.says(&scene, MigrationVerb::Resume).await.unwrap();
    let (first, total) = told(&process, |_, _| true).await;
    assert!(first >= counts.settled() && total == counts.planned, "{first} of {total} after {counts:?}");
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    process.end().await;
    let (contents, counted) = uninterrupted(seed).await;
    let here = data(&scene.contents());
    assert!(here == contents, "{:?}", differs(&here, &contents));
    assert_eq!(scene.ledger().counts(PhaseName::Copy).unwrap(), counted, "nothing counts twice");
    assert_eq!(counted.settled(), counted.planned, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_acts_between_two_writes_and_what_goes_on_reaches_the_same_end_and_the_same_counts() {
    interrupted(41, MigrationVerb::Pause, MigrationStatus::Paused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_acts_between_two_writes_and_what_goes_on_reaches_the_same_end_and_the_same_counts() {
    interrupted(42, MigrationVerb::Stop, MigrationStatus::Halted).await;
}
