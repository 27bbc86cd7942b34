//! The demo's document store at the pace of a remote one: whoever watches a migration sees it go, sees it
//! slow down once because the store does, and sees one document changed by somebody else meanwhile.
//!
//! Only for the migration, and only in the demo: what is quick needs no wrapper. What is read and written
//! is the inner store's business; here it only takes its time.

mod course;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

use course::Course;

use super::Options;
use crate::documents::{
    AbsentPage, Capabilities, Document, DocumentKey, DocumentPage, DocumentWrite, Documents, DocumentsError, Expect,
    Leave, Written,
};

/// Most writes of one batch, so that none takes longer than a few seconds.
const BATCH: usize = 20;

/// A store that answers like a remote one.
pub struct Paced {
    inner: Arc<dyn Documents>,
    /// How many times faster than usual everything is.
    speed: f64,
    /// How many times as much there is.
    scale: u32,
    opened: Instant,
    course: Mutex<Course>,
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").field("speed", &self.speed).field("scale", &self.scale).finish_non_exhaustive()
    }
}

impl Paced {
    /// `inner` at the pace of this demo's world.
    pub fn new(inner: Arc<dyn Documents>, options: &Options) -> Self {
        let course = Mutex::new(Course::new(options.seed, options.scale));
        Self { inner, speed: options.speed, scale: options.scale.max(1), opened: Instant::now(), course }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So long in the demo's time.
    fn span(&self, ms: f64) -> Duration {
        Duration::from_secs_f64(ms.max(0.0) / 1_000.0 / self.speed)
    }

    async fn read(&self, documents: usize) {
        let took = self.course().read(documents);
        tokio::time::sleep(self.span(took)).await;
    }

    /// Takes as long as an answer of the application: its user's document by its id, or found by what it names, then
    /// one query that finds so many documents.
    pub(super) async fn answer(&self, is_direct: bool, documents: usize) {
        let took = {
            let mut course = self.course();
            let user = if is_direct { course.look() } else { course.read(1) };
            user + course.read(documents)
        };
        tokio::time::sleep(self.span(took)).await;
    }

    /// Waits until so many writes would be done. Says whether somebody shall meddle now.
    async fn turn(&self, writes: usize) -> bool {
        let (done, meddle) = {
            let mut course = self.course();
            let now = self.opened.elapsed().as_secs_f64() * 1_000.0 * self.speed;
            (course.write(now, writes), course.is_to_meddle())
        };
        tokio::time::sleep_until(self.opened + self.span(done)).await;
        meddle
    }

    /// Somebody else gives one of the documents another title, before it is written.
    async fn meddle(&self, writes: &[DocumentWrite]) -> Result<(), DocumentsError> {
        for write in writes.iter().filter(|write| write.key.collection == "conversations") {
            let Expect::Version(version) = write.expect else { continue };
            let Some(Document { key, version: now, mut fields }) = self.inner.get(&write.key).await? else { continue };
            let Some(Value::String(title)) = fields.get("title") else { continue };
            if now != version || !self.course().meddle() {
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

    fn has_below<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<bool, DocumentsError>> {
        self.inner.has_below(collection)
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

    fn absent<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<AbsentPage, DocumentsError>> {
        // Asked of every collection, and nearly always in vain.
        self.inner.absent(collection, after)
    }

    fn get<'a>(&'a self, key: &'a DocumentKey) -> BoxFuture<'a, Result<Option<Document>, DocumentsError>> {
        Box::pin(async move {
            let took = self.course().look();
            tokio::time::sleep(self.span(took)).await;
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
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::documents::embedded::Embedded;

    fn write(number: usize, expect: Expect) -> DocumentWrite {
        let leave = Leave::Fields([("title".to_owned(), json!("a"))].into());
        DocumentWrite { key: DocumentKey::new("conversations", format!("c-{number:04}")), expect, leave }
    }

    #[tokio::test]
    async fn one_document_is_changed_by_somebody_else_and_its_batch_hears_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = Embedded::open(folder.path(), Clock::system()).unwrap();
        inner.write((0..300).map(|number| write(number, Expect::Absent)).collect()).await.unwrap();
        let options = Options { speed: 1e6, ..Options::default() };
        let paced = Paced::new(Arc::new(inner.clone()), &options);
        let (mut conflicts, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = paced.scan("conversations", after.as_deref(), paced.capabilities().batch).await.unwrap();
            let again = page.documents.iter().map(|one| DocumentWrite {
                key: one.key.clone(),
                expect: Expect::Version(one.version),
                leave: Leave::Fields(one.fields.clone()),
            });
            let written = paced.write(again.collect()).await.unwrap();
            conflicts.extend(written.into_iter().filter_map(|one| match one {
                Written::Conflict(Some(now)) => Some(now),
                _ => None,
            }));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].fields["title"], json!("a (renamed)"));
        let renamed = inner.get(&conflicts[0].key).await.unwrap().unwrap();
        assert_eq!(*conflicts[0], renamed, "what somebody else wrote stays");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_takes_its_time_is_a_store_like_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let inner = Embedded::open(folder.path(), Clock::system()).unwrap();
        let options = Options { speed: 1e6, scale: 25, ..Options::default() };
        crate::documents::conformance::holds(&Paced::new(Arc::new(inner), &options)).await;
    }
}
