//! The application's own data, as documents in collections: what fixes and the migration change.
//!
//! A write is always conditional, on the version that was read or on the document's absence; what is
//! written is told apart for each document. Values keep their types through a round trip.
//!
//! Architecture Invariant: knows nothing of fixes, migrations, alerts or the feed.

#[cfg(test)]
pub(crate) mod before;
#[cfg(test)]
pub(crate) mod conformance;
pub mod embedded;
pub mod firestore;
pub mod place;
pub mod shape;
pub mod tour;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

/// Which document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey {
    /// Path of its collection (`conversations`, `agents/a-7/shares`).
    pub collection: String,
    /// Its id within it.
    pub id: String,
}

impl DocumentKey {
    /// In this collection, with this id.
    pub fn new(collection: impl Into<String>, id: impl Into<String>) -> Self {
        Self { collection: collection.into(), id: id.into() }
    }

    /// From a whole path (`agents/a-7`); None: it names no document.
    pub fn parse(path: &str) -> Option<Self> {
        let (collection, id) = path.rsplit_once('/')?;
        Some(Self::new(collection, id))
    }

    /// The whole path. It came from outside: for people only through the sanitiser.
    pub fn path(&self) -> String {
        format!("{}/{}", self.collection, self.id)
    }
}

/// A document as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Which.
    pub key: DocumentKey,
    /// Changes with every write of it; opaque to readers but for equality.
    pub version: u64,
    /// Its fields. What JSON has no word for stands as an object with one key, `$timestamp`, `$bytes`,
    /// `$reference`, `$geo`, `$integer` (beyond 2^53) or `$double` (`NaN`, `Infinity`, `-Infinity`). A map of the
    /// document that looks like one of these stands in `$map`.
    pub fields: BTreeMap<String, Value>,
}

/// What a write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The document in this version.
    Version(u64),
    /// No document.
    Absent,
}

/// What a write leaves.
#[derive(Debug, Clone, PartialEq)]
pub enum Leave {
    /// The document with exactly these fields.
    Fields(BTreeMap<String, Value>),
    /// No document.
    Nothing,
}

/// One conditional write.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentWrite {
    /// Which document.
    pub key: DocumentKey,
    /// What it expects.
    pub expect: Expect,
    /// What it leaves.
    pub leave: Leave,
}

/// What came of one write.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// It was done; the new version (0 when nothing is left).
    Done(u64),
    /// Something else stood there: as it is now, None when there is nothing.
    Conflict(Option<Box<Document>>),
    /// Nothing was done, and nothing stood in its way: another write of its atomic batch had a conflict.
    Held,
}

/// A page of a collection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DocumentPage {
    /// In the order of their ids.
    pub documents: Vec<Document>,
    /// The next page begins after this id; None: this was the last.
    pub next: Option<String>,
}

/// Some of the ids at which no document stands, and collections do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AbsentPage {
    /// In order.
    pub ids: Vec<String>,
    /// What to ask with for the next page, in the store's own words; None: this was the last.
    pub next: Option<String>,
}

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// It surely did nothing, and asking again can help.
    #[error("reach the document store: {0}")]
    Unavailable(String),
    /// A write may or may not have happened.
    #[error("hear from the document store whether it wrote: {0}")]
    Unknown(String),
    /// It does not take what it was given.
    #[error("ask the document store: {0}")]
    Refused(String),
}

/// What an implementation promises beyond the trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// A batch is done whole or not at all.
    pub atomic_batch: bool,
    /// Most writes of one batch.
    pub batch: usize,
}

/// A document store. Implementations pass one conformance suite.
pub trait Documents: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Names (the last part of their paths) of the collections at the root, or below a document
    /// (`agents/a-7`), in order; also those that hold nothing but collections further below.
    fn collections<'a>(&'a self, under: Option<&'a str>) -> BoxFuture<'a, Result<Vec<String>, DocumentsError>>;

    /// Whether there are collections below the documents of a collection. A store that cannot tell says yes: then
    /// each document is asked for its own.
    fn has_below<'a>(&'a self, _collection: &'a str) -> BoxFuture<'a, Result<bool, DocumentsError>> {
        Box::pin(async { Ok(true) })
    }

    /// Documents with ids after `after` (None: from the first), in order, at most `limit`; fewer when they
    /// are long. Whether there are more is told by `next` alone.
    fn scan<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<DocumentPage, DocumentsError>>;

    /// Ids at which no document stands, and collections do: no scan tells of them, and what is below them counts.
    /// `after`: what the page before said.
    fn absent<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<AbsentPage, DocumentsError>>;

    /// One document; None: there is none.
    fn get<'a>(&'a self, key: &'a DocumentKey) -> BoxFuture<'a, Result<Option<Document>, DocumentsError>>;

    /// Writes conditionally; one answer a write, in order. A document stands at most once in a batch.
    fn write(&self, writes: Vec<DocumentWrite>) -> BoxFuture<'_, Result<Vec<Written>, DocumentsError>>;

    /// The same, of writes that whoever asks keeps, to ask again for them.
    fn write_shared(&self, writes: Arc<Vec<DocumentWrite>>) -> BoxFuture<'_, Result<Vec<Written>, DocumentsError>> {
        self.write(writes.as_ref().clone())
    }

    /// Waits until so many documents may be written, where a store wants to be loaded step by step. A write waits by
    /// itself for what nobody waited for; whoever measures how long the store takes waits here, before.
    fn turn(&self, _documents: usize) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// How many documents a collection has.
    fn count<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<u64, DocumentsError>>;
}
