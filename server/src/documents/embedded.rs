//! The document store that comes with Stella: one `SQLite` file, JSON documents.
//!
//! WAL with synchronous FULL: what it answered as done survives a power loss. A batch is one transaction,
//! done whole or not at all. Versions are numbers of the store's own journal of writes, so they rise
//! and are never given twice, not even to a document that was deleted and made again. Several programs
//! may have the file open at once.
//!
//! Deliberately no queries: what reads here reads everything, in order.

mod lines;
mod rows;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use rusqlite::Connection;
use stella_protocol::Timestamp;

use super::{
    AbsentPage, Capabilities, Document, DocumentKey, DocumentPage, DocumentWrite, Documents, DocumentsError, Written,
    shape,
};
use crate::Clock;

pub use lines::LinesError;

/// Connections that read, so that a long scan does not hold up a short look.
const READERS: usize = 3;
/// Name of the file in its folder.
pub const FILE: &str = "documents.db";

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database did not do it.
    #[error("{doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        source: rusqlite::Error,
    },
    /// Its tables could not be made.
    #[error("make the tables of the document store")]
    Tables(#[source] rusqlite_migration::Error),
    /// It would lose what it acknowledged.
    #[error("make the document store survive a power loss: it does not keep its settings")]
    NotDurable,
    /// The file's pages are not those of a database.
    #[error("read documents.db: the file is damaged")]
    Damaged,
}

/// What a write was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// It made the document.
    Created,
    /// It changed the document.
    Changed,
    /// It deleted the document.
    Deleted,
}

/// A write that was done: the store's own log of effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Rises with every write of the store, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Of which document.
    pub key: DocumentKey,
    /// What it was.
    pub kind: WriteKind,
    /// The document's version before; None: it was not there.
    pub before: Option<u64>,
    /// After; None: it is not there any more.
    pub after: Option<u64>,
}

/// `documents.db` in a folder. Clones share it.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<Connections>);

#[derive(Debug)]
struct Connections {
    // Before the writer: the last one to close the file empties its log, and whoever only reads cannot.
    readers: Vec<Mutex<Connection>>,
    writer: Mutex<Connection>,
    turn: AtomicUsize,
    clock: Clock,
}

impl Embedded {
    /// Opens the store in `folder`, or makes one there; `clock` dates its journal. Blocks.
    ///
    /// # Errors
    /// When the file is damaged or of a newer Stella, or the database does not promise durability.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, OpenError> {
        let file = folder.join(FILE);
        let writer = Mutex::new(rows::open(&file)?);
        let readers = (0..READERS).map(|_| rows::reader(&file).map(Mutex::new)).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Connections { writer, readers, turn: AtomicUsize::new(0), clock })))
    }

    /// Writes that were done after number `after`, oldest first, at most `limit`. The store keeps the
    /// last million. Blocks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn journal(&self, after: u64, limit: usize) -> Result<Vec<JournalEntry>, DocumentsError> {
        rows::journal(&self.0.reader(), after, limit)
    }

    /// Lets `look` see all documents as they are at one moment; whatever is written meanwhile, it does not
    /// see. Blocks.
    ///
    /// # Errors
    /// What `look` says, or when the database cannot be read.
    pub fn at_one_moment<T, E: From<DocumentsError>>(
        &self,
        look: impl FnOnce(&Moment<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.0.reader();
        let tx = connection.transaction().map_err(|error| rows::unavailable(&error))?;
        look(&Moment(tx))
    }

    async fn read<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Connection) -> Result<T, DocumentsError> + Send + 'static,
    ) -> Result<T, DocumentsError> {
        let connections = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || what(&connections.reader()))
            .await
            .unwrap_or_else(|_| Err(DocumentsError::Unavailable("its reader ended".to_owned())))
    }

    async fn put(&self, writes: Arc<Vec<DocumentWrite>>) -> Result<Vec<Written>, DocumentsError> {
        shape::batch(&writes)?;
        let connections = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            let ready = writes.iter().map(rows::Ready::new).collect::<Result<Vec<_>, _>>()?;
            let now = connections.clock.now();
            rows::write(&mut connections.writer(), &ready, now)
        })
        .await
        .unwrap_or_else(|_| Err(DocumentsError::Unknown("its writer ended".to_owned())))
    }
}

/// The store at one moment.
#[derive(Debug)]
pub struct Moment<'c>(rusqlite::Transaction<'c>);

impl Moment<'_> {
    /// Gives every document, in the order of collections and ids; of one collection alone when it is named.
    ///
    /// # Errors
    /// What `give` says, or when the database cannot be read.
    pub fn each<E: From<DocumentsError>>(
        &self,
        collection: Option<&str>,
        give: impl FnMut(Document) -> Result<(), E>,
    ) -> Result<(), E> {
        rows::each(&self.0, collection, give)
    }
}

impl Connections {
    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader that is free, else the next in turn.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        if let Some(free) = self.readers.iter().find_map(|reader| reader.try_lock().ok()) {
            return free;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len();
        self.readers[turn].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Documents for Embedded {
    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_batch: true, batch: shape::BATCH }
    }

    fn collections<'a>(&'a self, under: Option<&'a str>) -> BoxFuture<'a, Result<Vec<String>, DocumentsError>> {
        Box::pin(async move {
            under.map_or(Ok(()), shape::document)?;
            let root = under.map_or_else(String::new, |path| format!("{path}/"));
            self.read(move |connection| rows::collections(connection, &root)).await
        })
    }

    fn has_below<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<bool, DocumentsError>> {
        Box::pin(async move {
            shape::collection(collection)?;
            let collection = collection.to_owned();
            self.read(move |connection| rows::has_below(connection, &collection)).await
        })
    }

    fn scan<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<DocumentPage, DocumentsError>> {
        Box::pin(async move {
            shape::collection(collection)?;
            let (collection, after) = (collection.to_owned(), after.unwrap_or_default().to_owned());
            self.read(move |connection| rows::scan(connection, &collection, &after, limit)).await
        })
    }

    fn absent<'a>(
        &'a self,
        collection: &'a str,
        _after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<AbsentPage, DocumentsError>> {
        Box::pin(async move {
            shape::collection(collection)?;
            let collection = collection.to_owned();
            let ids = self.read(move |connection| rows::absent(connection, &collection)).await?;
            Ok(AbsentPage { ids, next: None })
        })
    }

    fn get<'a>(&'a self, key: &'a DocumentKey) -> BoxFuture<'a, Result<Option<Document>, DocumentsError>> {
        Box::pin(async move {
            shape::key(key)?;
            let key = key.clone();
            self.read(move |connection| rows::get(connection, &key)).await
        })
    }

    fn write(&self, writes: Vec<DocumentWrite>) -> BoxFuture<'_, Result<Vec<Written>, DocumentsError>> {
        Box::pin(self.put(Arc::new(writes)))
    }

    fn write_shared(&self, writes: Arc<Vec<DocumentWrite>>) -> BoxFuture<'_, Result<Vec<Written>, DocumentsError>> {
        Box::pin(self.put(writes))
    }

    fn count<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<u64, DocumentsError>> {
        Box::pin(async move {
            shape::collection(collection)?;
            let collection = collection.to_owned();
            self.read(move |connection| rows::count(connection, &collection)).await
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::documents::conformance;
    use crate::documents::{Expect, Leave};

    fn open(folder: &Path) -> Embedded {
        Embedded::open(folder, Clock::scripted(Timestamp::from_millis(7))).unwrap()
    }

    fn leave(id: &str, expect: Expect, leave: Leave) -> DocumentWrite {
        DocumentWrite { key: DocumentKey::new("users", id), expect, leave }
    }

    fn fields(number: i64) -> Leave {
        Leave::Fields(BTreeMap::from([("n".to_owned(), json!(number))]))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_embedded_store_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        conformance::holds(&store).await;
        assert!(!store.has_below("cf_tree/a/notes").await.unwrap() && !store.has_below("cf_none").await.unwrap());
    }

    #[tokio::test]
    async fn the_journal_tells_every_write_that_was_done_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let Written::Done(made) = store.write(vec![leave("a", Expect::Absent, fields(1))]).await.unwrap()[0] else {
            unreachable!("nothing stood there")
        };
        store.write(vec![leave("a", Expect::Absent, fields(2))]).await.unwrap();
        store.write(vec![leave("a", Expect::Version(made), fields(3))]).await.unwrap();
        let last = store.get(&DocumentKey::new("users", "a")).await.unwrap().unwrap();
        store.write(vec![leave("a", Expect::Version(last.version), Leave::Nothing)]).await.unwrap();
        let entry = |number, kind, before, after| JournalEntry {
            number,
            at: Timestamp::from_millis(7),
            key: DocumentKey::new("users", "a"),
            kind,
            before,
            after,
        };
        let told = [
            entry(1, WriteKind::Created, None, Some(1)),
            entry(2, WriteKind::Changed, Some(1), Some(2)),
            entry(3, WriteKind::Deleted, Some(2), None),
        ];
        assert_eq!(store.journal(0, 10).unwrap(), told);
        assert_eq!(store.journal(1, 1).unwrap(), told[1..2]);
    }

    #[tokio::test]
    async fn a_store_that_was_closed_says_the_same_and_gives_no_version_twice() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path());
        first.write(vec![leave("a", Expect::Absent, fields(1))]).await.unwrap();
        let kept = first.get(&DocumentKey::new("users", "a")).await.unwrap();
        drop(first);
        let second = open(folder.path());
        assert_eq!(second.get(&DocumentKey::new("users", "a")).await.unwrap(), kept);
        let version = kept.unwrap().version;
        second.write(vec![leave("a", Expect::Version(version), Leave::Nothing)]).await.unwrap();
        drop(second);
        let third = open(folder.path());
        let made = third.write(vec![leave("a", Expect::Absent, fields(1))]).await.unwrap();
        assert_eq!(made, [Written::Done(version + 2)]);
    }

    /// Adds one to the number in `users/a`, as often as it takes.
    async fn add_one(store: &Embedded) {
        let key = DocumentKey::new("users", "a");
        loop {
            let document = store.get(&key).await.unwrap().unwrap();
            let number = document.fields["n"].as_i64().unwrap();
            let write = leave("a", Expect::Version(document.version), fields(number + 1));
            if matches!(store.write(vec![write]).await.unwrap()[0], Written::Done(_)) {
                return;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_programs_on_one_file_lose_no_write() {
        let folder = tempfile::tempdir().unwrap();
        let stores = [open(folder.path()), open(folder.path())];
        stores[0].write(vec![leave("a", Expect::Absent, fields(0))]).await.unwrap();
        let many = |store: Embedded| async move {
            for _ in 0..40 {
                add_one(&store).await;
            }
        };
        let tasks = stores.clone().map(|store| tokio::spawn(many(store)));
        for task in tasks {
            task.await.unwrap();
        }
        let last = stores[0].get(&DocumentKey::new("users", "a")).await.unwrap().unwrap();
        assert_eq!(last.fields["n"], json!(80));
        assert_eq!(stores[1].journal(0, 1000).unwrap().len(), 81);
    }

    #[tokio::test]
    async fn a_moment_stays_what_it_was_while_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.write(vec![leave("a", Expect::Absent, fields(1)), leave("b", Expect::Absent, fields(2))]).await.unwrap();
        let other = open(folder.path());
        let ids = |moment: &Moment<'_>, collection: Option<&str>| {
            let mut ids = Vec::new();
            moment.each(collection, |document| {
                ids.push(document.key.id);
                Ok::<(), DocumentsError>(())
            })?;
            Ok::<_, DocumentsError>(ids)
        };
        let seen = store.at_one_moment(|moment| {
            let before = ids(moment, None)?;
            let write = leave("c", Expect::Absent, fields(3));
            rows::write(&mut other.0.writer(), &[rows::Ready::new(&write)?], Timestamp::from_millis(7))?;
            Ok::<_, DocumentsError>([before, ids(moment, Some("users"))?, ids(moment, Some("others"))?])
        });
        let both = ["a", "b"].map(str::to_owned).to_vec();
        assert_eq!(seen.unwrap(), [both.clone(), both, Vec::new()]);
        assert_eq!(store.at_one_moment(|moment| ids(moment, None)).unwrap().len(), 3);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()));
        std::fs::write(folder.path().join(FILE), b"these are not the pages of a database".repeat(400)).unwrap();
        assert!(Embedded::open(folder.path(), Clock::system()).is_err());
    }
}
