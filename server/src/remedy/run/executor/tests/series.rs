//! A fix whose success a series tells: only what was measured since it did something counts.

use std::sync::{Arc, PoisonError};

use stella_protocol::{FixStatus, Level, LogEvent};

use super::power::Power;
use super::scene::{Process, Scene, definition};
use crate::remedy::FixState;

/// Seconds of a bucket.
const BUCKET: i64 = 5;

/// Seconds from the effect until the first bucket that begins after it is full.
const FIRST: i64 = BUCKET - 1 + BUCKET;
/// Seconds that it must hold.
const HOLD: i64 = 2;
const QUIET: &str = "of = \"alert_quiet\"";
const SERIES: &str = "of = \"series\"\nseries = \"errors.percent\"\nside = \"below\"\nlimit = 5";

/// A second passes, in which the application says that all is well, that nothing is, or nothing.
fn second(scene: &Scene, process: &Process, failing: Option<bool>) {
    let now = scene.clock.now();
    let mut book = process.parts.series.lock().unwrap_or_else(PoisonError::into_inner);
    book.advance(now);
    if let Some(failing) = failing {
        let level = if failing { Level::Error } else { Level::Info };
        book.observe(&LogEvent { engine_time: now, level, ..LogEvent::default() });
    }
    drop(book);
    scene.pass(1_000);
}

/// A fix whose steps were done a second into a bucket, after a whole one in which that was so; and how many seconds
/// it was watched until it ended so, while that is so.
async fn watched(before: bool, after: Option<bool>, end: FixStatus) -> (Arc<FixState>, i64) {
    let scene = Scene::new(definition("approve", "u", true).replace(QUIET, SERIES)).await;
    let process = scene.start(Power::until(None));
    process.finds("f", "alpha");
    process.until(FixStatus::Pending).await;
    for _ in 0..=BUCKET {
        second(&scene, &process, Some(before));
    }
    process.approve().await;
    process.until(FixStatus::Verifying).await;
    let ended = process.until_with(|fix| fix.status == end, || second(&scene, &process, after)).await;
    process.end().await;
    let begun = ended.fix.verifying_since.unwrap();
    (Arc::clone(&ended), ended.fix.ended_at.unwrap().since(begun) / 1_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_well_before_the_effect_proves_nothing() {
    let (ended, seconds) = watched(false, Some(true), FixStatus::RolledBack).await;
    assert!(ended.fix.result.raw().contains("errors.percent is 100.0 %, limit 5"), "{:?}", ended.fix.result);
    assert!(seconds >= FIRST, "{seconds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_full_bucket_after_the_effect_tells_that_it_helped() {
    for before in [true, false] {
        let (ended, seconds) = watched(before, Some(false), FixStatus::Executed).await;
        assert!(ended.fix.result.raw().starts_with("verified: it held for"), "{:?}", ended.fix.result);
        assert!(seconds >= FIRST + HOLD, "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_measured_after_the_effect_has_not_helped() {
    let (ended, seconds) = watched(false, None, FixStatus::RolledBack).await;
    assert!(ended.fix.result.raw().contains("errors.percent was not measured lately"), "{:?}", ended.fix.result);
    assert!(seconds >= 3 * BUCKET, "{seconds}");
}
