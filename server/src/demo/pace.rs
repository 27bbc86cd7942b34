//! The demo's document store at the pace of a remote one: whoever watches a migration sees it go, sees it
//! slow down once because the store does, and sees one document changed by somebody else meanwhile.
//!
//! Only for the migration, and only in the demo: what is quick needs no wrapper. What is read and written
//! is the inner store's business; here it only takes its time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Options;
use super::dice::Dice;
use crate::documents::{
    Capabilities, Document, DocumentKey, DocumentPage, DocumentWrite, Documents, DocumentsError, Expect, Leave, Written,
};

/// There and back, in milliseconds.
const TRIP_MS: f64 = 40.0;
/// To read a document.
const READ_MS: f64 = 1.5;
/// To write one.
const WRITE_MS: f64 = 85.0;
/// Batches that the store writes at a time; more wait for their turn.
const LANES: usize = 2;
/// Most writes of one batch, so that none takes longer than a few seconds.
const BATCH: usize = 20;
/// After so many writes somebody else changes a document.
const MEDDLE_AFTER: u64 = 120;
/// After so many the store has a hard time ...
const HARD_AFTER: u64 = 500;
/// ... for so long ...
const HARD_MS: f64 = 12_000.0;
/// ... and takes so many times as long.
const HARD_FACTOR: f64 = 5.0;
/// How much one call differs from another.
const JITTER: f64 = 0.15;

/// A store that answers like a remote one.
pub struct Paced {
    inner: Arc<dyn Documents>,
    /// How many times faster than usual everything is.
    speed: f64,
    /// How many times as much there is: it takes as long as the usual world.
    scale: u32,
    course: Mutex<Course>,
}

impl std::fmt::Debug for Paced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paced").field("speed", &self.speed).field("scale", &self.scale).finish_non_exhaustive()
    }
}

/// What happened so far.
#[derive(Debug)]
struct Course {
    dice: Dice,
    /// Until when each lane is taken.
    lanes: [Instant; LANES],
    /// Writes that were asked for.
    writes: u64,
    /// Somebody changed a document.
    meddled: bool,
    /// When the hard time began.
    hard_since: Option<Instant>,
}

impl Paced {
    /// `inner` at the pace of this demo's world.
    pub fn new(inner: Arc<dyn Documents>, options: &Options) -> Self {
        let course = Course {
            dice: Dice::new(options.seed, "pace"),
            lanes: [Instant::now(); LANES],
            writes: 0,
            meddled: false,
            hard_since: None,
        };
        Self { inner, speed: options.speed, scale: options.scale.max(1), course: Mutex::new(course) }
    }

    fn course(&self) -> std::sync::MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, ms: f64) -> Duration {
        Duration::from_secs_f64(ms.max(0.0) / 1_000.0 / self.speed)
    }

    /// How long so many documents take, each so many milliseconds.
    fn work(&self, documents: usize, each: f64) -> f64 {
        documents as f64 * each / f64::from(self.scale)
    }

    async fn read(&self, documents: usize) {
        let jitter = self.course().dice.within(1.0 - JITTER, 1.0 + JITTER);
        tokio::time::sleep(self.take((TRIP_MS + self.work(documents, READ_MS)) * jitter)).await;
    }

    /// Waits for a lane and for the writes themselves. Says whether somebody shall meddle now.
    async fn turn(&self, writes: usize) -> bool {
        let (until, meddle) = {
            let course = &mut *self.course();
            let now = Instant::now();
            let jitter = course.dice.within(1.0 - JITTER, 1.0 + JITTER);
            course.writes += writes as u64;
            let scale = u64::from(self.scale);
            if course.writes > HARD_AFTER * scale {
                course.hard_since.get_or_insert(now);
            }
            let hard = course.hard_since.is_some_and(|since| now < since + self.take(HARD_MS));
            let work = self.work(writes, WRITE_MS) * jitter * if hard { HARD_FACTOR } else { 1.0 };
            let lane = course.lanes.iter_mut().min();
            let done = lane.map_or(now, |lane| {
                *lane = now.max(*lane) + self.take(work);
                *lane
            });
            (done + self.take(TRIP_MS), !course.meddled && course.writes > MEDDLE_AFTER * scale)
        };
        tokio::time::sleep_until(until).await;
        meddle
    }

    /// Somebody else gives one of the documents another title, before it is written.
    async fn meddle(&self, writes: &[DocumentWrite]) -> Result<(), DocumentsError> {
        for write in writes.iter().filter(|write| write.key.collection == "conversations") {
            let Expect::Version(version) = write.expect else { continue };
            let Some(Document { key, version: now, mut fields }) = self.inner.get(&write.key).await? else { continue };
            let Some(Value::String(title)) = fields.get("title") else { continue };
            if now != version || std::mem::replace(&mut self.course().meddled, true) {
                return Ok(());
            }
            fields.insert("title".to_owned(), json!(format!("{title} (renamed)")));
            let rename = DocumentWrite { key, expect: Expect::Version(now), leave: Leave::Fields(fields) };
            return self.inner.write(vec![rename]).await.map(drop);
        }
        Ok(())
    }
}

impl Documents for Paced {
    fn capabilities(&self) -> Capabilities {
        let inner = self.inner.capabilities();
        Capabilities { batch: inner.batch.min(BATCH.saturating_mul(self.scale as usize)), ..inner }
    }

    fn collections<'a>(&'a self, under: Option<&'a str>) -> BoxFuture<'a, Result<Vec<String>, DocumentsError>> {
        // Asked of every document: a trip each would be all that there is to see.
        self.inner.collections(under)
    }

    fn scan<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<DocumentPage, DocumentsError>> {
        Box::pin(async move {
            let page = self.inner.scan(collection, after, limit).await?;
            self.read(page.documents.len()).await;
            Ok(page)
        })
    }

    fn get<'a>(&'a self, key: &'a DocumentKey) -> BoxFuture<'a, Result<Option<Document>, DocumentsError>> {
        Box::pin(async move {
            tokio::time::sleep(self.take(self.work(1, READ_MS))).await;
            self.inner.get(key).await
        })
    }

    fn write(&self, writes: Vec<DocumentWrite>) -> BoxFuture<'_, Result<Vec<Written>, DocumentsError>> {
        Box::pin(async move {
            if self.turn(writes.len()).await {
                self.meddle(&writes).await?;
            }
            self.inner.write(writes).await
        })
    }

    fn count<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<u64, DocumentsError>> {
        Box::pin(async move {
            self.read(0).await;
            self.inner.count(collection).await
        })
    }
}

#[cfg(test)]
mod tests;
