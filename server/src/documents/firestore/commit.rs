//! Batches are written: all of one or nothing, each write on what it expects.
//!
//! What an answer that never came means: a batch whose writes all expect a version can be asked for again, for it
//! cannot be done twice (a version never comes back). If it is done then, that is certain. If it meets something else,
//! that may be what it wrote itself the first time: the outcome is unknown, and so it is told. A batch that makes
//! documents is never asked for again after such an answer: somebody may have deleted on purpose what it made.

use std::sync::{MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Service;
use super::ramp::Ramp;
use super::rest::{Ask, ELSEWHERE, Failed};
use super::value::{self, Unfit};
use crate::documents::{DocumentKey, DocumentWrite, DocumentsError, Expect, Leave, Written, shape};

/// Longest batch, in bytes of the fields as JSON of ours. A request of the store's may have 10 MiB with all that is
/// around them and all that its indexes add.
const BATCH_BYTES: usize = 3_500 * 1024;
/// Longest request, in bytes: a margin below the store's own limit.
const REQUEST_BYTES: usize = 9 * 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Committed {
    #[serde(default)]
    write_results: Vec<Outcome>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    update_time: Option<String>,
}

impl Service {
    pub(super) async fn write(&self, writes: Vec<DocumentWrite>) -> Result<Vec<Written>, DocumentsError> {
        shape::batch(&writes)?;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let ask = self.request(&writes)?;
        // Nothing of it can be done twice.
        let repeatable = writes.iter().all(|write| matches!(write.expect, Expect::Version(_)));
        let mut unsure = None;
        let mut tried = 0;
        loop {
            tried += 1;
            self.turn(writes.len()).await;
            let (why, wish) = match self.rest.once(&ask).await {
                Ok(answer) => return done(&writes, answer),
                Err(Failed::Standing(why)) => {
                    if let Some(before) = unsure {
                        return Err(DocumentsError::Unknown(before));
                    }
                    if let Some(answers) = self.met(&writes).await? {
                        return Ok(answers);
                    }
                    (why, None)
                }
                Err(Failed::Nothing(why, wish)) => (why, wish),
                Err(Failed::Refused(why) | Failed::Unknown(why)) => {
                    return Err(unsure.map_or(DocumentsError::Refused(why), DocumentsError::Unknown));
                }
                Err(failed) => {
                    let why = words(failed);
                    if !repeatable {
                        return Err(DocumentsError::Unknown(why));
                    }
                    unsure = Some(why.clone());
                    (why, None)
                }
            };
            if tried >= self.rest.pace.tries {
                return Err(unsure.map_or(DocumentsError::Unavailable(why), DocumentsError::Unknown));
            }
            sleep(self.rest.pace.pause(tried, wish)).await;
        }
    }

    /// Waits until so many more may be written, but for those that waited before.
    async fn turn(&self, documents: usize) {
        let wait = self.ramp().wait_for_rest(self.opened.elapsed(), documents);
        sleep(wait).await;
    }

    /// Waits until so many may be written soon.
    pub(super) async fn turn_ahead(&self, documents: usize) {
        let wait = self.ramp().wait(self.opened.elapsed(), documents);
        sleep(wait).await;
        self.ramp().waited(documents);
    }

    fn ramp(&self) -> MutexGuard<'_, Ramp> {
        self.ramp.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, writes: &[DocumentWrite]) -> Result<Ask, DocumentsError> {
        let mut bytes = 0;
        let mut all = Vec::with_capacity(writes.len());
        for write in writes {
            let name = self.database.name(&write.key.path());
            let mut one = match &write.leave {
                Leave::Nothing => json!({ "delete": name }),
                Leave::Fields(fields) => {
                    bytes += length(fields)?;
                    json!({ "update": { "name": name, "fields": self.fields(&write.key, fields)? } })
                }
            };
            one["currentDocument"] = match write.expect {
                Expect::Absent => json!({ "exists": false }),
                Expect::Version(version) => json!({ "updateTime": value::time(version) }),
            };
            all.push(one);
        }
        let ask = Ask::verb(&self.database.address(None), "commit", &json!({ "writes": all }));
        if bytes > BATCH_BYTES || ask.bytes() > REQUEST_BYTES {
            return Err(DocumentsError::Refused(format!("a batch has at most {BATCH_BYTES} bytes")));
        }
        Ok(ask)
    }

    fn fields(&self, key: &DocumentKey, fields: &value::Fields) -> Result<Value, DocumentsError> {
        value::sent(&self.database, fields).map_err(|Unfit(why)| {
            DocumentsError::Refused(format!("\"{}\" cannot be kept: {why}", key.path().escape_default()))
        })
    }

    /// What stood in the way of a batch that was not done; None: nothing does any more.
    async fn met(&self, writes: &[DocumentWrite]) -> Result<Option<Vec<Written>>, DocumentsError> {
        let keys: Vec<DocumentKey> = writes.iter().map(|write| write.key.clone()).collect();
        let mut now = self.these(&keys).await?;
        let answers: Vec<Written> = writes
            .iter()
            .map(|write| {
                let current = now.remove(&write.key);
                let as_expected = match write.expect {
                    Expect::Absent => current.is_none(),
                    Expect::Version(version) => current.as_ref().is_some_and(|current| current.version == version),
                };
                if as_expected { Written::Held } else { Written::Conflict(current.map(Box::new)) }
            })
            .collect();
        Ok(answers.iter().any(|answer| *answer != Written::Held).then_some(answers))
    }
}

fn length(fields: &value::Fields) -> Result<usize, DocumentsError> {
    let text = serde_json::to_vec(fields)
        .map_err(|_| DocumentsError::Refused("the fields cannot be written as JSON".to_owned()))?;
    if text.len() > shape::DOCUMENT_BYTES {
        return Err(DocumentsError::Refused(format!("a document has at most {} bytes", shape::DOCUMENT_BYTES)));
    }
    Ok(text.len())
}

/// What became of a batch that the store says it did.
fn done(writes: &[DocumentWrite], answer: Value) -> Result<Vec<Written>, DocumentsError> {
    let unknown = |why: &str| DocumentsError::Unknown(format!("it says that it wrote, {why}"));
    let committed: Committed =
        serde_json::from_value(answer).map_err(|_| unknown("in another form than its description says"))?;
    if committed.write_results.len() != writes.len() {
        return Err(unknown("for another number of writes"));
    }
    let one = |(write, result): (&DocumentWrite, Outcome)| match (&write.leave, result.update_time) {
        (Leave::Nothing, _) => Ok(Written::Done(0)),
        (Leave::Fields(_), Some(time)) => {
            value::version(&time).map(Written::Done).map_err(|Unfit(why)| unknown(&format!("but {why}")))
        }
        (Leave::Fields(_), None) => Err(unknown("and not when")),
    };
    writes.iter().zip(committed.write_results).map(one).collect()
}

fn words(failed: Failed) -> String {
    match failed {
        Failed::Unsure(why)
        | Failed::Standing(why)
        | Failed::Refused(why)
        | Failed::Unknown(why)
        | Failed::Nothing(why, _) => why,
        Failed::Elsewhere => ELSEWHERE.to_owned(),
        Failed::TooLong => "its answer is longer than any that is read".to_owned(),
    }
}
