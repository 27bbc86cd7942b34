//! Pause and stop act within a batch; two servers never work on one migration.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stella_protocol::{MigrationStatus, MigrationVerb};
use tokio_util::sync::CancellationToken;

use super::power::{Switched, shared};
use super::scene::{Scene, data, id};
use super::sweep::differs;
use crate::migrate::run::conductor::Conductor;

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_acts_within_a_batch_and_what_goes_on_reaches_the_same_end() {
    let scene = Scene::new(31, 1);
    let store = Arc::new(Switched { slow_ms: 40, ..Switched::new(scene.documents.clone()) });
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Copying], None).await;
    let asked = Instant::now();
    process.says(&scene, MigrationVerb::Pause).await.unwrap();
    let paused = process.until(|now| now.status != MigrationStatus::Copying).await;
    assert_eq!(paused.status, MigrationStatus::Paused);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let written = store.writes.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(store.writes.load(Ordering::SeqCst), written, "nothing is written while it rests");
    process.says(&scene, MigrationVerb::Resume).await.unwrap();
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    let paused = data(&scene.contents());
    process.end().await;
    let other = Scene::new(31, 1);
    let process = other.start();
    process.propose(&other).await;
    process.drive(&other, &[MigrationStatus::Verified], None).await;
    process.end().await;
    assert!(paused == data(&other.contents()), "{:?}", differs(&paused, &data(&other.contents())));
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
    let store = Arc::new(Switched { slow_ms: 40, ..Switched::new(scene.documents.clone()) });
    let process = scene.start_with(store);
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Copying], None).await;
    assert!(process.hub.migration(&id()).unwrap().unwrap().work.holder.is_some());
    let began = scene.clock.now();
    process.end().await;
    let left = scene.start_with(shared(&scene.documents));
    // Time stands still: a lease that was kept would never be over.
    let verified = left.drive(&scene, &[MigrationStatus::Verified], None).await;
    assert_eq!(scene.clock.now(), began);
    let trail: Vec<&str> = verified.trail.iter().map(|row| row.what.raw()).collect();
    assert!(trail.iter().any(|what| what.contains("given up by")), "{trail:?}");
    assert!(!trail.iter().any(|what| what.contains("taken over")), "{trail:?}");
    left.end().await;
}
