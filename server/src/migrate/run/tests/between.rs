//! A pause and a stop act between two store writes: what was written is told, the rest of its batch is undone and
//! is taken up where it was left.

use std::sync::Arc;
use std::time::Duration;

use stella_protocol::migration::{Counts, PhaseName};
use stella_protocol::{MigrationStatus, MigrationVerb};
use tokio::time::timeout;

use super::gate::Call;
use super::power::Switched;
use super::scene::{Contents, Process, Scene, TOO_LONG, data, id};
use super::sweep::differs;
use crate::migrate::run::ledger::Pass;
use crate::migrate::run::throttle;

/// Documents of a store write: four of them and more are a batch.
const TOGETHER: usize = 3;

/// A store that takes few documents at a time.
fn small(scene: &Scene) -> Arc<Switched> {
    Arc::new(Switched { most: Some(TOGETHER), ..Switched::new(scene.documents.clone()) })
}

async fn uninterrupted(seed: u64) -> (Contents, Counts) {
    let scene = Scene::new(seed, 2);
    let process = scene.start_with(small(&scene));
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
    let store = small(&scene);
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    let copies = process.stands(MigrationStatus::Copying);
    store.gate.hold(move |call, _| call == Call::Write && copies());
    process.drive(&scene, &[MigrationStatus::Copying], None).await;
    let (before, _) = told(&process, |_, total| total > 0).await;
    store.gate.has_one().await;
    store.gate.hold(|call, passed| call == Call::Write && passed > 0);
    store.gate.has_let(1).await;
    // A write within a batch is seen before the batch is done.
    let (smooth, _) = told(&process, |done, _| done > before).await;
    assert!(smooth <= before + 2 * TOGETHER as u64, "{before}, then {smooth}");
    store.gate.has_one().await;
    process.says(&scene, verb).await.unwrap();
    store.gate.open();
    let stopped = process.until(|now| now.status != MigrationStatus::Copying).await;
    assert_eq!(stopped.status, becomes);
    let written = store.gate.let_through();
    assert!(written > 1 && written <= throttle::MOST as u64 + 1, "{written}");
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
