//! Pause and stop act within a batch; two servers never work on one migration.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stella_protocol::{Migration, MigrationStatus, MigrationVerb};
use tokio_util::sync::CancellationToken;

use super::gate::Call;
use super::power::{Switched, shared};
use super::scene::{Process, Scene, data, id};
use super::sweep::differs;
use crate::migrate::machine::PLAN_MS;
use crate::migrate::run::conductor::Conductor;
use crate::migrate::run::throttle::MOST;

/// Goes on until the first write of its copy waits to be let through.
async fn copies_to_its_first_write(scene: &Scene, store: &Switched, process: &Process) {
    let copies = process.stands(MigrationStatus::Copying);
    store.gate.hold(move |call, _| call == Call::Write && copies());
    process.drive(scene, &[MigrationStatus::Copying], None).await;
    store.gate.has_one().await;
}

/// How often it was taken up.
fn claims(migration: &Migration) -> usize {
    migration.trail.iter().filter(|row| row.what.raw().contains(", fence ")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_acts_within_a_batch_and_what_goes_on_reaches_the_same_end() {
    let scene = Scene::new(31, 1);
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    process.until(|now| now.status == MigrationStatus::Planned).await;
    let other = process.propose(&scene).await.id;
    process.until_of(&other, |now| now.status == MigrationStatus::Planned).await;
    copies_to_its_first_write(&scene, &store, &process).await;
    let asked = Instant::now();
    process.says(&scene, MigrationVerb::Pause).await.unwrap();
    store.gate.open();
    let paused = process.until(|now| now.status != MigrationStatus::Copying).await;
    assert_eq!(paused.status, MigrationStatus::Paused);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let counts = paused.counts;
    assert!(counts.done > 0 && counts.done + counts.skipped + counts.parked < counts.planned, "{counts:?}");
    let written = store.writes.load(Ordering::SeqCst);
    // Whoever would go on with it looks around meanwhile: another plan is found to be too old.
    scene.pass(PLAN_MS + 1);
    process.until_of(&other, |now| now.status == MigrationStatus::Draft).await;
    assert_eq!(store.writes.load(Ordering::SeqCst), written, "nothing is written while it rests");
    let begun = claims(&process.migration().unwrap());
    process.says(&scene, MigrationVerb::Resume).await.unwrap();
    let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
    assert_eq!(claims(&verified), begun + 1, "nobody took it up while it rested: {:#?}", verified.trail);
    let paused = data(&scene.contents());
    process.end().await;
    let other = Scene::new(31, 1);
    let process = other.start();
    process.propose(&other).await;
    process.drive(&other, &[MigrationStatus::Verified], None).await;
    process.end().await;
    assert!(paused == data(&other.contents()), "{:?}", differs(&paused, &data(&other.contents())));
}

/// Documents a second, in the test of a limit.
const LIMIT: u32 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_acts_on_the_writes_of_the_batches_that_are_begun() {
    let scene = Scene::new(33, 1);
    let store = Arc::new(Switched { most: Some(1), ..Switched::new(scene.documents.clone()) });
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    copies_to_its_first_write(&scene, &store, &process).await;
    process.limits(&scene, LIMIT).await;
    let begun = Instant::now();
    store.gate.hold(|_, _| false);
    // As many as may be in flight were let go before the limit, and what a second lets through goes at once.
    let free = MOST as u64 + u64::from(LIMIT);
    store.gate.has_let(free + 2 * u64::from(LIMIT)).await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    process.limits(&scene, 0).await;
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_conductors_one_works() {
    let scene = Scene::new(32, 1);
    let process = scene.start();
    let (ending, store) = (CancellationToken::new(), shared(&scene.documents));
    let second = scene.site(&process.hub, store, "two");
    let other = tokio::spawn(Conductor::new(second).run(ending.clone()));
    process.propose(&scene).await;
    let ended = process.drive(&scene, &[MigrationStatus::Completed], None).await;
    let claims: Vec<&str> =
        ended.trail.iter().map(|row| row.what.raw()).filter(|what| what.contains(", fence ")).collect();
    assert!(claims.iter().all(|what| what.contains("begun by")), "nobody took anything over: {claims:?}");
    ending.cancel();
    other.await.unwrap();
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_clean_end_the_next_start_goes_on_without_waiting_for_the_lease() {
    let scene = Scene::new(33, 1);
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    copies_to_its_first_write(&scene, &store, &process).await;
    assert!(process.hub.migration(&id()).unwrap().unwrap().work.holder.is_some());
    let began = scene.clock.now();
    process.end().await;
    drop(store);
    let left = scene.start_with(shared(&scene.documents));
    // Time stands still: a lease that was kept would never be over.
    let verified = left.drive(&scene, &[MigrationStatus::Verified], None).await;
    assert_eq!(scene.clock.now(), began);
    let trail: Vec<&str> = verified.trail.iter().map(|row| row.what.raw()).collect();
    assert!(trail.iter().any(|what| what.contains("given up by")), "{trail:?}");
    assert!(!trail.iter().any(|what| what.contains("taken over")), "{trail:?}");
    left.end().await;
}
