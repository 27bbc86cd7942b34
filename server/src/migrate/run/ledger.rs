//! What is long of one migration, in a file of its own: the plan, every document seen, every batch, every
//! document written, what went wrong, what happened.
//!
//! Counts, rates and the next batch all come from here. What the runner did is told here before it is told
//! to the hub, in one transaction a batch: a crash between both repeats the end of a phase, never a write.
//! What a person decided and the plan survive a power loss at once; the rest can lose its last moments
//! then (it can be computed again) until [`Ledger::make_durable`].
//!
//! Deliberately no judgement: what is to be written, and what a difference is, the phases say. No method
//! holds more than a page, a batch or the plan in memory. All of them block.

mod answers;
mod asked;
mod batches;
mod drift;
mod findings;
mod images;
mod intents;
mod notes;
mod owned;
mod schema;
mod seen;
#[cfg(test)]
mod tests;
mod written;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stella_protocol::MigrationId;

use crate::sqlite;

pub use answers::{Answers, Decide};
pub use asked::Side;
pub use batches::{Batch, BatchDone, Pass, Progressed, Reach, Settled};
pub use drift::Stood;
pub use findings::{Findings, Miss};
pub use images::Image;
pub(crate) use images::ImagePart;
pub use notes::NewTrouble;
pub use owned::Owned;
pub use seen::{Fold, Seen, content, content_digest};
pub use written::{Back, How, Standing, WrittenBack, WrittenDocument};

/// Connections that read, so that a page for a person does not hold up the runner's look.
const READERS: usize = 2;
/// Compiled statements kept by each connection: more than this module has.
const STATEMENTS: usize = 96;
/// Pages of the database that the writer may keep in memory, in KiB, however large the file is: a batch settles
/// rows all over it.
const WRITER_KIB: u32 = 4096;
/// Only the owner may enter.
const OWNER_ONLY_FOLDER: u32 = 0o700;
/// Only the owner may read and write.
const OWNER_ONLY_FILE: u32 = 0o600;

/// Why a ledger did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Its file or folder could not be made.
    #[error("make the file of the ledger")]
    File(#[source] io::Error),
    /// The database did not do it.
    #[error("{doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        source: rusqlite::Error,
    },
    /// Its tables could not be made.
    #[error("make the tables of the ledger")]
    Tables(#[source] rusqlite_migration::Error),
    /// Its pages are not those of a database, or a row is not one that this server wrote.
    #[error("read the ledger: {0} is damaged")]
    Damaged(&'static str),
    /// Documents were written by this migration: it cannot be planned anew.
    #[error("look at the data anew: this migration has written already")]
    Begun,
    /// `after` is none that a page gave.
    #[error("read the page: `after` is none that was given")]
    After,
}

/// The ledger of one migration.
#[derive(Debug)]
pub struct Ledger {
    // Before the writer: the last one to close the file empties its log, and whoever only reads cannot.
    readers: Vec<Mutex<Connection>>,
    writer: Mutex<Connection>,
    path: PathBuf,
}

impl Ledger {
    /// Opens the ledger of this migration in the data folder (`migrations/mig-N.db`), or makes one.
    ///
    /// # Errors
    /// When it cannot be made, or what is there is damaged or of a newer server.
    pub fn open(data: &Path, id: &MigrationId) -> Result<Self, LedgerError> {
        Self::named(data, id.as_str())
    }

    /// The same of no migration (`migrations/watch.db`): what the watch over a store knows that nobody migrates.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of_watch(data: &Path) -> Result<Self, LedgerError> {
        Self::named(data, "watch")
    }

    fn named(data: &Path, name: &str) -> Result<Self, LedgerError> {
        let folder = data.join("migrations");
        DirBuilder::new().recursive(true).mode(OWNER_ONLY_FOLDER).create(&folder).map_err(LedgerError::File)?;
        let path = folder.join(format!("{name}.db"));
        // Made by us first: the database would give it the rights of any file.
        let made = OpenOptions::new().create(true).append(true).mode(OWNER_ONLY_FILE).open(&path);
        drop(made.map_err(LedgerError::File)?);
        let mut writer = Connection::open(&path).map_err(doing("open the ledger"))?;
        prepare(&writer)?;
        schema::bring_up_to_date(&mut writer)?;
        let readers = (0..READERS).map(|_| reader(&path).map(Mutex::new)).collect::<Result<_, _>>()?;
        Ok(Self { writer: Mutex::new(writer), readers, path })
    }

    /// True when this migration has a ledger in the data folder.
    pub fn exists(data: &Path, id: &MigrationId) -> bool {
        data.join("migrations").join(format!("{id}.db")).exists()
    }

    /// Its size on the disk, in bytes.
    pub fn bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// When this returns, nothing of what was told so far is lost by a power loss.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn make_durable(&self) -> Result<(), LedgerError> {
        self.durably("make the ledger durable", |_| Ok(()))
    }

    /// A reader that is free, else the first.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        if let Some(free) = self.readers.iter().find_map(|reader| reader.try_lock().ok()) {
            return free;
        }
        self.readers[0].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, what: &'static str, read: impl FnOnce(&Connection) -> Result<T, Stop>) -> Result<T, LedgerError> {
        read(&self.reader()).map_err(|stop| stop.of(what))
    }

    /// All of `write`, or nothing.
    fn write<T>(
        &self,
        what: &'static str,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, Stop>,
    ) -> Result<T, LedgerError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        transact(&mut writer, write).map_err(|stop| stop.of(what))
    }

    /// The same, and it survives a power loss with all that was written before. Each raises the mark `durable`: a
    /// transaction that changes nothing would not reach the disk.
    fn durably<T>(
        &self,
        what: &'static str,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, Stop>,
    ) -> Result<T, LedgerError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let set = |writer: &Connection, how: &str| writer.pragma_update(None, "synchronous", how);
        set(&writer, "full").map_err(doing(what))?;
        let written = transact(&mut writer, |tx| {
            tx.prepare_cached(
                "INSERT INTO marks (name, value) VALUES ('durable', 1)
                 ON CONFLICT (name) DO UPDATE SET value = value + 1",
            )?
            .execute([])?;
            write(tx)
        });
        let written = written.map_err(|stop| stop.of(what));
        set(&writer, "normal").map_err(doing(what))?;
        written
    }
}

fn transact<T>(writer: &mut Connection, write: impl FnOnce(&Transaction<'_>) -> Result<T, Stop>) -> Result<T, Stop> {
    let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let written = write(&tx)?;
    tx.commit()?;
    Ok(written)
}

/// Why a statement, or what was made of its rows, stopped.
#[derive(Debug)]
enum Stop {
    Database(rusqlite::Error),
    Ledger(LedgerError),
}

impl Stop {
    fn of(self, doing: &'static str) -> LedgerError {
        match self {
            Self::Database(source) => LedgerError::Database { doing, source },
            Self::Ledger(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

fn damaged(what: &'static str) -> Stop {
    Stop::Ledger(LedgerError::Damaged(what))
}

fn json(value: &impl Serialize, what: &'static str) -> Result<String, Stop> {
    serde_json::to_string(value).map_err(|_| damaged(what))
}

fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, Stop> {
    serde_json::from_str(text).map_err(|_| damaged(what))
}

/// The word of an enum as the wire writes it.
fn word(value: &impl Serialize, what: &'static str) -> Result<String, Stop> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(damaged(what)),
    }
}

/// The enum of a word.
fn from_word<T: DeserializeOwned>(word: String, what: &'static str) -> Result<T, Stop> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|_| damaged(what))
}

fn digest_of(bytes: &[u8], what: &'static str) -> Result<[u8; 32], Stop> {
    bytes.try_into().map_err(|_| damaged(what))
}

/// A page out of one row more than it has: the rest is there when that one is.
fn paged<T>(mut rows: Vec<T>, limit: usize, next: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    if rows.len() <= limit {
        return (rows, None);
    }
    rows.truncate(limit);
    let next = rows.last().map(next);
    (rows, next)
}

/// A number that a page gave as `after`.
fn number(after: Option<&str>, first: i64) -> Result<i64, Stop> {
    after.map_or(Ok(first), |after| after.parse().map_err(|_| Stop::Ledger(LedgerError::After)))
}

/// Most rows of a page, however many are asked for.
const PAGE: usize = 1000;

fn held(limit: usize) -> usize {
    limit.clamp(1, PAGE)
}

fn prepare(connection: &Connection) -> Result<(), LedgerError> {
    let doing = || doing("set up the ledger");
    connection.busy_timeout(sqlite::BUSY).map_err(doing())?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    sqlite::keep_pages(connection, WRITER_KIB).map_err(doing())?;
    for (name, value) in [("journal_mode", "wal"), ("synchronous", "normal")] {
        connection.pragma_update(None, name, value).map_err(doing())?;
    }
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(doing())?;
    if mode == "wal" { Ok(()) } else { Err(LedgerError::Damaged("its journal")) }
}

fn reader(file: &Path) -> Result<Connection, LedgerError> {
    sqlite::reader(file, STATEMENTS).map_err(doing("open the ledger"))
}

/// Names what was tried when the database refuses.
fn doing(doing: &'static str) -> impl Fn(rusqlite::Error) -> LedgerError {
    move |source| LedgerError::Database { doing, source }
}
