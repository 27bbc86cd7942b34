//! What went wrong with documents, and the log of the operation.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use stella_protocol::migration::{LogPage, LogRow, Trouble, TroubleKind, TroublePage};
use stella_protocol::{Text, Timestamp};

use super::{Ledger, LedgerError, Stop, from_word, held, number, paged, word};
use crate::documents::DocumentKey;

/// Rows of the log that are kept.
const LOG: i64 = 10_000;
/// The first rows of the log, which always are: how it began.
const LOG_FIRST: i64 = 1_000;
/// Rows that are folded at once.
const LOG_FOLD: i64 = 1_000;

/// Something that went wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTrouble {
    /// What kind.
    pub kind: TroubleKind,
    /// Which document.
    pub document: DocumentKey,
    /// What, and what to do.
    pub what: Text,
}

impl Ledger {
    /// Keeps what went wrong outside of a batch.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn trouble(&self, troubles: &[NewTrouble], at: Timestamp) -> Result<(), LedgerError> {
        self.write("keep what went wrong", |tx| put_troubles(tx, troubles, at))
    }

    /// Forgets all of one kind: it is looked for anew.
    ///
    /// # Errors
    /// When the ledger does not do it.
    pub fn forget_troubles(&self, kind: TroubleKind) -> Result<(), LedgerError> {
        self.write("forget what went wrong", |tx| {
            tx.prepare_cached("DELETE FROM troubles WHERE kind = ?1")?.execute([word(&kind, "a trouble")?])?;
            Ok(())
        })
    }

    /// Newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `after` is none that a page gave.
    pub fn troubles(&self, after: Option<&str>, limit: usize) -> Result<TroublePage, LedgerError> {
        self.read("read what went wrong", |connection| {
            let (before, limit) = (number(after, i64::MAX)?, held(limit));
            let mut statement = connection.prepare_cached(
                "SELECT number, at, kind, document, what FROM troubles WHERE number < ?1
                 ORDER BY number DESC LIMIT ?2",
            )?;
            let mut rows = statement.query(params![before, limit as i64 + 1])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(Trouble {
                    number: row.get::<_, i64>(0)? as u64,
                    at: Timestamp::from_millis(row.get(1)?),
                    kind: from_word(row.get(2)?, "a trouble")?,
                    document: Text::new(row.get::<_, String>(3)?),
                    what: Text::new(row.get::<_, String>(4)?),
                });
            }
            let (items, next) = paged(found, limit, |last| last.number.to_string());
            Ok(TroublePage { items, next })
        })
    }

    /// How many there are of one kind.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn count_troubles(&self, kind: TroubleKind) -> Result<u64, LedgerError> {
        self.read("count what went wrong", |connection| {
            let count: i64 = connection
                .prepare_cached("SELECT count(*) FROM troubles WHERE kind = ?1")?
                .query_row([word(&kind, "a trouble")?], |row| row.get(0))?;
            Ok(count as u64)
        })
    }

    /// True when there is a trouble of this kind with this document.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn is_troubled(&self, document: &DocumentKey, kind: TroubleKind) -> Result<bool, LedgerError> {
        self.read("read what went wrong", |connection| {
            let found = connection
                .prepare_cached("SELECT 1 FROM troubles WHERE document = ?1 AND kind = ?2 LIMIT 1")?
                .query_row(params![document.path(), word(&kind, "a trouble")?], |_| Ok(()))
                .optional()?;
            Ok(found.is_some())
        })
    }

    /// Writes a line into the log. Beyond 10,000 lines what is between the first and the last ones becomes
    /// one line that says so.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn log(&self, at: Timestamp, text: &str) -> Result<(), LedgerError> {
        self.write("write the log", |tx| put_log(tx, at, text))
    }

    /// Oldest first.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `after` is none that a page gave.
    pub fn log_rows(&self, after: Option<&str>, limit: usize) -> Result<LogPage, LedgerError> {
        self.read("read the log", |connection| {
            let (after, limit) = (number(after, 0)?, held(limit));
            let rows = connection
                .prepare_cached("SELECT number, at, text FROM log WHERE number > ?1 ORDER BY number LIMIT ?2")?
                .query_map(params![after, limit as i64 + 1], |row| {
                    Ok(LogRow {
                        number: row.get::<_, i64>(0)? as u64,
                        at: Timestamp::from_millis(row.get(1)?),
                        text: Text::new(row.get::<_, String>(2)?),
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?;
            let (items, next) = paged(rows, limit, |last| last.number.to_string());
            Ok(LogPage { items, next })
        })
    }
}

pub(super) fn put_troubles(tx: &Transaction<'_>, troubles: &[NewTrouble], at: Timestamp) -> Result<(), Stop> {
    let mut statement = tx.prepare_cached("INSERT INTO troubles (at, kind, document, what) VALUES (?1, ?2, ?3, ?4)")?;
    for trouble in troubles {
        let kind = word(&trouble.kind, "a trouble")?;
        statement.execute(params![at.millis(), kind, trouble.document.path(), trouble.what.raw()])?;
    }
    Ok(())
}

pub(super) fn put_log(tx: &Transaction<'_>, at: Timestamp, text: &str) -> Result<(), Stop> {
    tx.prepare_cached("INSERT INTO log (at, text) VALUES (?1, ?2)")?.execute(params![at.millis(), text])?;
    let last = tx.last_insert_rowid();
    let folded = mark(tx, "log folded")?.unwrap_or(LOG_FIRST);
    if last - folded + 1 + LOG_FIRST <= LOG {
        return Ok(());
    }
    // The line that stands for them has the number and the time of the last of them.
    let upto = folded + LOG_FOLD;
    tx.prepare_cached("DELETE FROM log WHERE number > ?1 AND number < ?2")?.execute([LOG_FIRST, upto])?;
    let words = format!("lines {} to {upto} are not kept", LOG_FIRST + 1);
    tx.prepare_cached("UPDATE log SET text = ?2 WHERE number = ?1")?.execute(params![upto, words])?;
    set_mark(tx, "log folded", upto)
}

pub(super) fn mark(connection: &Connection, name: &str) -> Result<Option<i64>, Stop> {
    let found = connection
        .prepare_cached("SELECT value FROM marks WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(found)
}

pub(super) fn set_mark(tx: &Transaction<'_>, name: &str, value: i64) -> Result<(), Stop> {
    tx.prepare_cached(
        "INSERT INTO marks (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![name, value])?;
    Ok(())
}
