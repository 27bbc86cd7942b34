//! Stores of tests that stand before another one: each says what it does otherwise, the rest goes on to the one
//! behind it.

use futures_util::future::BoxFuture;

use super::{
    AbsentPage, Capabilities, Document, DocumentKey, DocumentPage, DocumentWrite, Documents, DocumentsError, Written,
};

/// What comes back.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, DocumentsError>>;

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read<'a> {
    /// Names of collections; None: at the root.
    Collections(Option<&'a str>),
    /// One document.
    Document(&'a DocumentKey),
    /// How many there are.
    Count,
    /// A page, or what is told of a collection.
    Other,
}

/// Stands before a store.
pub(crate) trait Before: Send + Sync {
    /// The one behind it.
    fn behind(&self) -> &dyn Documents;

    /// What it promises.
    fn promises(&self) -> Capabilities {
        self.behind().capabilities()
    }

    /// What is read, and what would come back.
    fn reads<'a, T: Send + 'a>(&'a self, _what: Read<'a>, answer: Answer<'a, T>) -> Answer<'a, T> {
        answer
    }

    /// What is written.
    fn writes(&self, writes: Vec<DocumentWrite>) -> Answer<'_, Vec<Written>> {
        self.behind().write(writes)
    }
}

impl<B: Before> Documents for B {
    fn capabilities(&self) -> Capabilities {
        self.promises()
    }

    fn collections<'a>(&'a self, under: Option<&'a str>) -> Answer<'a, Vec<String>> {
        self.reads(Read::Collections(under), self.behind().collections(under))
    }

    fn has_below<'a>(&'a self, collection: &'a str) -> Answer<'a, bool> {
        self.reads(Read::Other, self.behind().has_below(collection))
    }

    fn scan<'a>(&'a self, collection: &'a str, after: Option<&'a str>, limit: usize) -> Answer<'a, DocumentPage> {
        self.reads(Read::Other, self.behind().scan(collection, after, limit))
    }

    fn absent<'a>(&'a self, collection: &'a str, after: Option<&'a str>) -> Answer<'a, AbsentPage> {
        self.reads(Read::Other, self.behind().absent(collection, after))
    }

    fn get<'a>(&'a self, key: &'a DocumentKey) -> Answer<'a, Option<Document>> {
        self.reads(Read::Document(key), self.behind().get(key))
    }

    fn write(&self, writes: Vec<DocumentWrite>) -> Answer<'_, Vec<Written>> {
        self.writes(writes)
    }

    fn count<'a>(&'a self, collection: &'a str) -> Answer<'a, u64> {
        self.reads(Read::Count, self.behind().count(collection))
    }
}
