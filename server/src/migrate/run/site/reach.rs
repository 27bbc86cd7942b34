//! Asks the store: again where that can help, and never in doubt of what became of a write.

use std::time::Instant;

use futures_util::future::BoxFuture;
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
    /// Asks until the store answers, or it is clear that it does not.
    async fn again<'a, T>(&'a self, ask: impl Fn() -> Asking<'a, T> + Send) -> Result<T, DocumentsError> {
        let mut tries = 0;
        loop {
            match ask().await {
                Err(DocumentsError::Unavailable(_)) if tries + 1 < self.site.pace.tries => {
                    self.throttle().failed();
                    sleep(self.site.pace.retry.saturating_mul(1 << tries.min(6))).await;
                    tries += 1;
                }
                answer => return answer,
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
        Ok(self.again(|| self.site.documents.scan(collection, after, limit)).await?)
    }

    /// Ids of a collection at which no document stands, and collections do.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn absent(&self, collection: &str) -> Result<Vec<String>, Ended> {
        let (mut ids, mut after) = (Vec::new(), None::<String>);
        loop {
            let AbsentPage { ids: more, next } =
                self.again(|| self.site.documents.absent(collection, after.as_deref())).await?;
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
        Ok(self.again(|| self.site.documents.get(key)).await?)
    }

    /// The collections at the root, or below a document.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn collections<'a>(&'a self, under: Option<&'a str>) -> Result<Vec<String>, Ended> {
        Ok(self.again(|| self.site.documents.collections(under)).await?)
    }

    /// Writes conditionally; one answer a write, in order. What another write of its batch held up is asked
    /// again without that one; what may or may not have happened is looked up.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn put(&self, writes: Vec<DocumentWrite>) -> Result<Vec<Put>, Ended> {
        let mut answers: Vec<Option<Put>> = vec![None; writes.len()];
        let most = self.site.documents.capabilities().batch.max(1);
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
        writes: &[DocumentWrite],
        open: &[usize],
        answers: &mut [Option<Put>],
    ) -> Result<(), Ended> {
        let batch: Vec<DocumentWrite> = open.iter().map(|place| writes[*place].clone()).collect();
        let begun = Instant::now();
        let written = self.again(|| self.site.documents.write(batch.clone())).await;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match written {
            Ok(written) => {
                self.throttle().took(open.len(), ms);
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
                self.throttle().failed();
                for place in open {
                    answers[*place] = self.looked_up(&writes[*place]).await?;
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
