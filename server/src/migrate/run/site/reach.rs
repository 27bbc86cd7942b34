//! Asks the store: again where that can help, and never in doubt of what became of a write.
//!
//! As many writes are in flight at a time as it answers soon: what waits for its turn here can be called off, what
//! waits in the store cannot.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::{Ended, Run};
use crate::documents::{
    AbsentPage, Document, DocumentKey, DocumentPage, DocumentWrite, DocumentsError, Expect, Leave, Written,
};

/// What the store was asked.
type Asking<'a, T> = BoxFuture<'a, Result<T, DocumentsError>>;

/// What came of one write, for certain.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    /// It was done; the version after, 0 when nothing is left.
    Done(u64),
    /// Something else stood there.
    Conflict(Option<Box<Document>>),
    /// The store does not take it, in words.
    Refused(String),
}

impl Run {
    /// Asks until the store answers, it is clear that it does not, or nobody wants to know any more.
    async fn again<'a, T>(
        &'a self,
        ask: impl Fn() -> Asking<'a, T> + Send,
    ) -> Result<Result<T, DocumentsError>, Ended> {
        let mut tries = 0;
        loop {
            match ask().await {
                Err(DocumentsError::Unavailable(_)) if tries + 1 < self.site.pace.tries => {
                    self.throttle().failed();
                    tokio::select! {
                        () = sleep(self.site.pace.retry.saturating_mul(1 << tries.min(6))) => {}
                        ended = self.ended() => return Err(ended),
                    }
                    tries += 1;
                }
                answer => return Ok(answer),
            }
        }
    }

    /// A page of a collection.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn scan<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Result<DocumentPage, Ended> {
        Ok(self.again(|| self.site.documents.scan(collection, after, limit)).await??)
    }

    /// Ids of a collection at which no document stands, and collections do.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn absent(&self, collection: &str) -> Result<Vec<String>, Ended> {
        let (mut ids, mut after) = (Vec::new(), None::<String>);
        loop {
            let AbsentPage { ids: more, next } =
                self.again(|| self.site.documents.absent(collection, after.as_deref())).await??;
            ids.extend(more);
            if next.is_none() {
                return Ok(ids);
            }
            after = next;
        }
    }

    /// One document.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn get<'a>(&'a self, key: &'a DocumentKey) -> Result<Option<Document>, Ended> {
        Ok(self.again(|| self.site.documents.get(key)).await??)
    }

    /// The collections at the root, or below a document.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn collections<'a>(&'a self, under: Option<&'a str>) -> Result<Vec<String>, Ended> {
        Ok(self.again(|| self.site.documents.collections(under)).await??)
    }

    /// Whether there may be collections below a collection's documents.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn has_below<'a>(&'a self, collection: &'a str) -> Result<bool, Ended> {
        Ok(self.again(|| self.site.documents.has_below(collection)).await??)
    }

    /// Waits until another write may go out; as long as the place is held it may.
    ///
    /// # Errors
    /// When it is to end: nothing was begun.
    pub async fn slot(&self) -> Result<Slot<'_>, Ended> {
        loop {
            self.check()?;
            let freed = self.slots.freed.notified();
            if self.slots.take(self.throttle().writes()) {
                return Ok(Slot(self));
            }
            tokio::select! {
                () = freed => {}
                ended = self.ended() => return Err(ended),
            }
        }
    }

    /// Writes conditionally; one answer a write, in order.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn put(&self, writes: Vec<DocumentWrite>) -> Result<Vec<Put>, Ended> {
        self.slot().await?.put(writes).await
    }

    /// Most writes that the store takes at once.
    pub fn most_writes(&self) -> usize {
        self.site.documents.capabilities().batch.max(1)
    }

    /// What became of a write; None: nothing, it is to be asked again. Writes are the same whoever makes
    /// them, so that what stands there as it was to be is taken for ours.
    async fn looked_up(&self, write: &DocumentWrite) -> Result<Option<Put>, Ended> {
        let now = self.get(&write.key).await?;
        let as_before = match (write.expect, &now) {
            (Expect::Absent, None) => true,
            (Expect::Version(version), Some(now)) => now.version == version,
            _ => false,
        };
        Ok(match (&write.leave, now) {
            (Leave::Nothing, None) => Some(Put::Done(0)),
            _ if as_before => None,
            (Leave::Fields(fields), Some(now)) if now.fields == *fields => Some(Put::Done(now.version)),
            (_, now) => Some(Put::Conflict(now.map(Box::new))),
        })
    }
}

/// Writes that the store is at.
#[derive(Debug, Default)]
pub struct Slots {
    taken: Mutex<usize>,
    freed: Notify,
}

impl Slots {
    fn taken(&self) -> MutexGuard<'_, usize> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one of so many; false: none is free.
    fn take(&self, most: usize) -> bool {
        let mut taken = self.taken();
        let is_free = *taken < most;
        *taken += usize::from(is_free);
        is_free
    }
}

/// The right to one write at a time.
pub struct Slot<'r>(&'r Run);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut taken = self.0.slots.taken();
        *taken = taken.saturating_sub(1);
        self.0.slots.freed.notify_waiters();
    }
}

impl Slot<'_> {
    /// Writes conditionally; one answer a write, in order. What another write of its batch held up is asked
    /// again without that one; what may or may not have happened is looked up.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn put(&self, writes: Vec<DocumentWrite>) -> Result<Vec<Put>, Ended> {
        let writes = Arc::new(writes);
        let mut answers: Vec<Option<Put>> = vec![None; writes.len()];
        let most = self.0.most_writes();
        loop {
            let open: Vec<usize> = (0..writes.len()).filter(|place| answers[*place].is_none()).take(most).collect();
            if open.is_empty() {
                return Ok(answers.into_iter().flatten().collect());
            }
            self.put_once(&writes, &open, &mut answers).await?;
        }
    }

    async fn put_once(
        &self,
        writes: &Arc<Vec<DocumentWrite>>,
        open: &[usize],
        answers: &mut [Option<Put>],
    ) -> Result<(), Ended> {
        let run = self.0;
        // What a store asks to be spared is no slowness of it: the throttle hears of the write alone.
        run.site.documents.turn(open.len()).await;
        let begun = Instant::now();
        let batch = if open.len() == writes.len() {
            Arc::clone(writes)
        } else {
            Arc::new(open.iter().map(|place| writes[*place].clone()).collect())
        };
        let written = run.again(|| run.site.documents.write_shared(Arc::clone(&batch))).await?;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match written {
            Ok(written) => {
                run.throttle().took(open.len(), ms);
                for (place, written) in open.iter().zip(written) {
                    match written {
                        Written::Done(version) => answers[*place] = Some(Put::Done(version)),
                        Written::Conflict(now) => answers[*place] = Some(Put::Conflict(now)),
                        Written::Held => {}
                    }
                }
                Ok(())
            }
            Err(DocumentsError::Unknown(_)) => {
                run.throttle().failed();
                for place in open {
                    answers[*place] = run.looked_up(&writes[*place]).await?;
                }
                Ok(())
            }
            // One of them is what it does not take: which, each of them says alone.
            Err(DocumentsError::Refused(_)) if open.len() > 1 => {
                for place in open {
                    Box::pin(self.put_once(writes, &[*place], answers)).await?;
                }
                Ok(())
            }
            Err(DocumentsError::Refused(why)) => {
                for place in open {
                    answers[*place] = Some(Put::Refused(why.clone()));
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}
