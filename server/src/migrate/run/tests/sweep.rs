//! Killed at every batch boundary and at every edge of a phase, it ends as if it had not been.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::future::pending;
use futures_util::stream::iter;
use stella_protocol::MigrationStatus;

use super::power::{Switched, shared};
use super::scene::{Contents, Process, Scene};

/// Worlds at the same time.
pub(super) const AT_ONCE: usize = 4;
pub(super) const SEED: u64 = 5;

/// The end without any interruption, its points and its versions.
pub(super) async fn uninterrupted() -> (Contents, u64, u64) {
    let scene = Scene::new(SEED, 1);
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    let ended = process.drive(&scene, &[MigrationStatus::Completed], None).await;
    process.end().await;
    (scene.contents(), store.points.load(Ordering::SeqCst), ended.version)
}

/// A life until a point, or until a version is reached: from there on its store does not answer any more.
pub(super) async fn dying(scene: &Scene, point: Option<u64>, version: Option<u64>) -> Process {
    let store = Arc::new(Switched { dies_at: point, ..Switched::new(scene.documents.clone()) });
    let process = scene.start_with(Arc::clone(&store));
    process.propose(scene).await;
    let kill = async {
        match version {
            Some(version) => process.until(|now| now.version >= version).await,
            None => pending().await,
        };
        store.dead.cancel();
    };
    tokio::select! {
        () = kill => {}
        _ = process.drive(scene, &[MigrationStatus::Completed], Some(&store.dead)) => {}
    }
    process
}

/// A life that ends at a point, or when a version is reached; then another one.
async fn killed(point: Option<u64>, version: Option<u64>) -> Contents {
    let scene = Scene::new(SEED, 1);
    dying(&scene, point, version).await.die().await;
    scene.goes_on(MigrationStatus::Completed).await;
    scene.contents()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_and_after_every_write_it_ends_as_if_it_had_not_been() {
    let (end, points, _) = uninterrupted().await;
    assert!((40..200).contains(&points), "{points}");
    let lives = (1..=points).map(|point| async move { (point, killed(Some(point), None).await) });
    let mut lives = iter(lives).buffer_unordered(AT_ONCE);
    while let Some((point, contents)) = lives.next().await {
        assert!(contents == end, "killed at {point}: {:?}", differs(&end, &contents));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_of_its_machine_it_ends_as_if_it_had_not_been() {
    let (end, _, versions) = uninterrupted().await;
    assert!(versions > 15, "{versions}");
    let lives = (2..=versions).map(|version| async move { (version, killed(None, Some(version)).await) });
    let mut lives = iter(lives).buffer_unordered(AT_ONCE);
    while let Some((version, contents)) = lives.next().await {
        assert!(contents == end, "killed at version {version}: {:?}", differs(&end, &contents));
    }
}

pub(super) fn differs(one: &Contents, other: &Contents) -> Vec<String> {
    let all: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let told = |path: &&String| format!("{path}: {:?} / {:?}", one.get(*path), other.get(*path));
    all.iter().filter(|path| one.get(**path) != other.get(**path)).take(5).map(told).collect()
}
