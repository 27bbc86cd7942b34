//! How documents stand against the images that were kept of them, and the conditional writes that take
//! them from one side to the other.

use futures_util::future::try_join_all;
use serde_json::Value;
use stella_protocol::Text;

use crate::documents::{Document, DocumentKey, DocumentWrite, Documents, DocumentsError, Expect, Leave, Written};
use crate::remedy::BeforeImage;

/// Documents that are read at the same time.
const READS: usize = 16;
/// Longest batch of writes, in bytes of their fields.
const BATCH_BYTES: usize = 3_500 * 1024;

/// How a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// As its image says it was, nobody wrote it since.
    Before,
    /// With the fields that it had, but written since.
    Again,
    /// As the step leaves it.
    After,
    /// As it was, which is also how the step leaves it.
    Same,
    /// Otherwise: somebody else wrote it.
    Stray,
}

/// What came of many conditional writes.
#[derive(Debug, PartialEq)]
pub(super) enum Put {
    /// So many were done: all.
    All(usize),
    /// So many were done, the others surely not.
    Stopped {
        /// So many.
        done: usize,
        /// What stood in the way.
        why: Text,
    },
    /// Nobody knows how many.
    Unknown(Text),
}

/// Every document of a step, as it stands now.
pub(super) struct Standing<'a> {
    all: Vec<Look<'a>>,
}

struct Look<'a> {
    image: &'a BeforeImage,
    current: Option<Document>,
    stand: Stand,
}

impl<'a> Standing<'a> {
    /// Reads them.
    pub(super) async fn look(documents: &dyn Documents, images: &'a [BeforeImage]) -> Result<Self, Text> {
        let mut all = Vec::with_capacity(images.len());
        for images in images.chunks(READS) {
            let keys: Vec<_> = images.iter().map(|image| DocumentKey::new(&image.collection, &image.id)).collect();
            let found =
                try_join_all(keys.iter().map(|key| documents.get(key))).await.map_err(|error| failed(&error))?;
            all.extend(images.iter().zip(found).map(|(image, current)| {
                let stand = stand(image, current.as_ref());
                Look { image, current, stand }
            }));
        }
        Ok(Self { all })
    }

    /// How many stand so.
    pub(super) fn count(&self, stand: Stand) -> usize {
        self.all.iter().filter(|look| look.stand == stand).count()
    }

    /// Those that stand so, a line each.
    pub(super) fn words(&self, stands: &[Stand]) -> Vec<Text> {
        self.all.iter().filter(|look| stands.contains(&look.stand)).map(Look::words).collect()
    }

    /// Takes all that stand on this side (before, after) to the other one.
    pub(super) async fn put(&self, documents: &dyn Documents, from: Stand) -> Put {
        let mut writes = Vec::new();
        for look in self.all.iter().filter(|look| look.stand == from) {
            let to = if from == Stand::Before { &look.image.after } else { &look.image.before };
            match look.write(to.as_ref()) {
                Some(write) => writes.push(write),
                None => return Put::Stopped { done: 0, why: Text::from("an image kept for this step is damaged") },
            }
        }
        put_all(documents, writes).await
    }
}

impl Look<'_> {
    fn write(&self, to: Option<&Value>) -> Option<DocumentWrite> {
        let leave = match to {
            None => Leave::Nothing,
            Some(Value::Object(fields)) => {
                Leave::Fields(fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            Some(_) => return None,
        };
        let expect = self.current.as_ref().map_or(Expect::Absent, |document| Expect::Version(document.version));
        Some(DocumentWrite { key: DocumentKey::new(&self.image.collection, &self.image.id), expect, leave })
    }

    fn words(&self) -> Text {
        let path = format!("{}/{}", self.image.collection, self.image.id);
        Text::new(match (self.stand, &self.current, &self.image.after) {
            (Stand::Before, _, _) => format!("{path} has its old fields"),
            (Stand::Again, _, _) => format!("{path} has its old fields, written again"),
            (_, None, _) => format!("{path} is gone"),
            (_, Some(_), None) => format!("{path} was made again"),
            (_, Some(document), Some(after)) => format!("{path} has other {}", differing(document, after)),
        })
    }
}

/// Names of the fields that are not as the step leaves them.
fn differing(document: &Document, after: &Value) -> String {
    let now = document.fields.iter().filter(|(name, value)| after.get(name) != Some(*value)).map(|(name, _)| name);
    let gone = after.as_object().into_iter().flatten().map(|(name, _)| name);
    let gone = gone.filter(|name| !document.fields.contains_key(*name));
    let mut names: Vec<&str> = now.chain(gone).map(String::as_str).collect();
    names.sort_unstable();
    names.join(", ")
}

fn stand(image: &BeforeImage, current: Option<&Document>) -> Stand {
    let is = |side: &Option<Value>| match (side, current) {
        (None, None) => true,
        (Some(Value::Object(fields)), Some(document)) => {
            fields.len() == document.fields.len()
                && fields.iter().all(|(name, value)| document.fields.get(name) == Some(value))
        }
        _ => false,
    };
    match (is(&image.before), is(&image.after)) {
        (true, true) => Stand::Same,
        (false, true) => Stand::After,
        (true, false) if image.version == current.map(|document| document.version) => Stand::Before,
        (true, false) => Stand::Again,
        (false, false) => Stand::Stray,
    }
}

/// Whether these are written together or not at all.
pub(super) fn is_one_batch(documents: &dyn Documents, images: &[BeforeImage]) -> bool {
    let bytes: usize =
        images.iter().filter_map(|image| image.after.as_ref()).map(|after| after.to_string().len()).sum();
    let able = documents.capabilities();
    images.len() == 1 || (able.atomic_batch && images.len() <= able.batch && bytes <= BATCH_BYTES)
}

/// In batches, each conditional; stops at the first that is not done whole.
async fn put_all(documents: &dyn Documents, writes: Vec<DocumentWrite>) -> Put {
    let mut done = 0;
    for batch in batches(writes, documents.capabilities().batch.max(1)) {
        let keys: Vec<DocumentKey> = batch.iter().map(|write| write.key.clone()).collect();
        let answers = match documents.write(batch).await {
            Ok(answers) => answers,
            Err(error @ DocumentsError::Unknown(_)) => return Put::Unknown(failed(&error)),
            Err(error) => return Put::Stopped { done, why: failed(&error) },
        };
        if answers.len() != keys.len() {
            return Put::Unknown(Text::from("the document store answered for another number of writes"));
        }
        done += answers.iter().filter(|answer| matches!(answer, Written::Done(_))).count();
        let missed = keys.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Written::Conflict(_)));
        let missed: Vec<Text> = missed.map(|(key, _)| Text::new(key.path())).collect();
        if !missed.is_empty() {
            return Put::Stopped { done, why: super::joined("written by somebody else just now", &super::few(missed)) };
        }
        if answers.contains(&Written::Held) {
            return Put::Unknown(Text::from("the document store held writes back and did not say why"));
        }
    }
    Put::All(done)
}

fn batches(writes: Vec<DocumentWrite>, most: usize) -> Vec<Vec<DocumentWrite>> {
    let mut all: Vec<Vec<DocumentWrite>> = Vec::new();
    let mut bytes = 0;
    for write in writes {
        let length = match &write.leave {
            Leave::Fields(fields) => serde_json::to_string(fields).map_or(0, |text| text.len()),
            Leave::Nothing => 0,
        };
        match all.last_mut() {
            Some(batch) if batch.len() < most && bytes + length <= BATCH_BYTES => {
                batch.push(write);
                bytes += length;
            }
            _ => {
                all.push(vec![write]);
                bytes = length;
            }
        }
    }
    all
}

fn failed(error: &DocumentsError) -> Text {
    Text::new(format!("failed to {error}"))
}
