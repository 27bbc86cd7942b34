//! Every document that this migration wrote: how it stands since, and which were put back.
//!
//! One row a document: its last write. Whether we made it is kept from its first.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use stella_protocol::Timestamp;

use super::batches::{BatchDone, Pass};
use super::notes::put_troubles;
use super::{Ledger, LedgerError, NewTrouble, Stop, from_word, held, word};
use crate::documents::DocumentKey;

/// How a document was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// In place.
    Changed,
    /// Under its new id; nothing stood there.
    Created,
    /// The original of a move, now pointing to its copy.
    Tombstone,
    /// An alias, or the document that names the run.
    Alias,
    /// A user document for an id without a user.
    Placeholder,
}

/// A document that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenDocument {
    /// Which.
    pub key: DocumentKey,
    /// Its version after.
    pub version: u64,
    /// How.
    pub how: How,
    /// Nothing stood there before.
    pub made: bool,
    /// What it was made of, when that is another document.
    pub source: Option<DocumentKey>,
    /// The version of what it was made of: of `source`, else its own before. None: it was made of nothing.
    pub source_version: Option<u64>,
}

/// A document as we left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Rises with every write: of its last one.
    pub number: u64,
    /// Of which pass.
    pub pass: Pass,
    /// Of which batch.
    pub batch: u64,
    /// The document. `made` tells of the first write, the rest of the last.
    pub document: WrittenDocument,
    /// When.
    pub at: Timestamp,
    /// How it was taken back; None: it was not.
    pub back: Option<Back>,
}

/// How the rollback left a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Back {
    /// As it was before.
    PutBack,
    /// As others had changed it.
    Kept,
}

/// Documents that were taken back together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenBack {
    /// Each, and how it was left.
    pub documents: Vec<(DocumentKey, Back)>,
    /// Those that were kept, in words.
    pub troubles: Vec<NewTrouble>,
    /// When.
    pub at: Timestamp,
}

const COLUMNS: &str =
    "number, phase, round, batch, collection, id, version, how, made, source, source_version, at, back";

impl Ledger {
    /// A document as we left it; None: we never wrote it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn written(&self, key: &DocumentKey) -> Result<Option<Standing>, LedgerError> {
        self.read("read a document written", |connection| one(connection, key))
    }

    /// Documents of a collection that stand as we left them or as others changed them since, from one id to
    /// another; as many as there are.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn standing_in(&self, collection: &str, from: &str, to: &str) -> Result<Vec<Standing>, LedgerError> {
        let sql =
            format!("SELECT {COLUMNS} FROM written WHERE collection = ?1 AND id >= ?2 AND id <= ?3 AND back IS NULL");
        self.read("read the documents written", |connection| many(connection, &sql, [collection, from, to]))
    }

    /// Documents that we wrote, by collection and id, behind `after`; at most `limit`. Those that were taken
    /// back among them.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn written_after(&self, after: Option<&DocumentKey>, limit: usize) -> Result<Vec<Standing>, LedgerError> {
        let (collection, id) = after.map_or(("", ""), |key| (&key.collection, &key.id));
        let sql =
            format!("SELECT {COLUMNS} FROM written WHERE (collection, id) > (?1, ?2) ORDER BY collection, id LIMIT ?3");
        self.read("read the documents written", |connection| {
            many(connection, &sql, params![collection, id, held(limit) as i64])
        })
    }

    /// Documents that stand as we left them or as others changed them since, last written first, before
    /// number `before` (None: from the last); at most `limit`. What was taken back is not among them.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn written_backwards(&self, before: Option<u64>, limit: usize) -> Result<Vec<Standing>, LedgerError> {
        let before = before.map_or(i64::MAX, |before| before as i64);
        let sql =
            format!("SELECT {COLUMNS} FROM written WHERE back IS NULL AND number < ?1 ORDER BY number DESC LIMIT ?2");
        self.read("read the documents written", |connection| {
            many(connection, &sql, params![before, held(limit) as i64])
        })
    }

    /// Keeps that documents were taken back, and what is said of those that were not.
    ///
    /// # Errors
    /// When the ledger does not take it: none of them is kept as taken back then.
    pub fn mark_rolled_back(&self, back: &WrittenBack) -> Result<(), LedgerError> {
        self.write("keep what was taken back", |tx| {
            let mut statement = tx.prepare_cached("UPDATE written SET back = ?3 WHERE collection = ?1 AND id = ?2")?;
            for (key, how) in &back.documents {
                statement.execute(params![key.collection, key.id, word(how, "a document written")?])?;
            }
            put_troubles(tx, &back.troubles, back.at)
        })
    }

    /// How many documents were put back, how many kept as others changed them, and how many stand.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn rolled_back(&self) -> Result<(u64, u64, u64), LedgerError> {
        self.read("count what was taken back", |connection| {
            let mut statement = connection.prepare_cached("SELECT count(*) FROM written WHERE back IS ?1")?;
            let mut count = |back: Option<Back>| -> Result<u64, Stop> {
                let back = back.map(|back| word(&back, "a document written")).transpose()?;
                Ok(statement.query_row([back], |row| row.get::<_, i64>(0))? as u64)
            };
            Ok((count(Some(Back::PutBack))?, count(Some(Back::Kept))?, count(None)?))
        })
    }
}

/// Keeps what a batch wrote; how many of it were written before and stand.
pub(super) fn put_written(tx: &Transaction<'_>, done: &BatchDone) -> Result<u64, Stop> {
    let mut last: i64 =
        tx.prepare_cached("SELECT coalesce(max(number), 0) FROM written")?.query_row([], |row| row.get(0))?;
    let mut standing = tx.prepare_cached("SELECT 1 FROM written WHERE collection = ?1 AND id = ?2 AND back IS NULL")?;
    let any_known = any_between(tx, &done.written)?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO written (collection, id, number, phase, round, batch, version, how, made, source,
                              source_version, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (collection, id) DO UPDATE
         SET number = excluded.number, phase = excluded.phase, round = excluded.round, batch = excluded.batch,
             version = excluded.version, how = excluded.how, source = excluded.source,
             source_version = excluded.source_version, at = excluded.at,
             made = CASE WHEN back IS NULL THEN made ELSE excluded.made END, back = NULL",
    )?;
    let (mut known, mut how) = (0, None);
    let phase = word(&done.pass.phase, "a document written")?;
    for document in &done.written {
        let key = &document.key;
        known += u64::from(any_known && standing.exists([&key.collection, &key.id])?);
        last += 1;
        let how = match &how {
            Some((same, word)) if *same == document.how => word,
            _ => &how.insert((document.how, word(&document.how, "a document written")?)).1,
        };
        statement.execute(params![
            key.collection,
            key.id,
            last,
            phase,
            done.pass.round,
            done.number as i64,
            document.version as i64,
            how,
            document.made,
            document.source.as_ref().map(DocumentKey::path),
            document.source_version.map(|version| version as i64),
            done.at.millis(),
        ])?;
    }
    Ok(known)
}

/// True when any document between the first and the last of these was written before: mostly none was, and then none
/// is asked for.
fn any_between(tx: &Transaction<'_>, documents: &[WrittenDocument]) -> rusqlite::Result<bool> {
    let keys = || documents.iter().map(|document| &document.key);
    let (Some(first), Some(last)) = (keys().min(), keys().max()) else { return Ok(false) };
    tx.prepare_cached(
        "SELECT 1 FROM written WHERE (collection, id) >= (?1, ?2) AND (collection, id) <= (?3, ?4) LIMIT 1",
    )?
    .exists([&first.collection, &first.id, &last.collection, &last.id])
}

fn one(connection: &Connection, key: &DocumentKey) -> Result<Option<Standing>, Stop> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM written WHERE collection = ?1 AND id = ?2"))?
        .query_row([&key.collection, &key.id], |row| Ok(standing(row)))
        .optional()?
        .transpose()
}

fn many(connection: &Connection, sql: &str, with: impl rusqlite::Params) -> Result<Vec<Standing>, Stop> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(with)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(standing(row)?);
    }
    Ok(found)
}

fn standing(row: &Row<'_>) -> Result<Standing, Stop> {
    const WHAT: &str = "a document written";
    let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
    let source = row.get::<_, Option<String>>(9)?;
    let document = WrittenDocument {
        key: DocumentKey::new(row.get::<_, String>(4)?, row.get::<_, String>(5)?),
        version: number(6)?,
        how: from_word(row.get(7)?, WHAT)?,
        made: row.get(8)?,
        source: source.map(|path| DocumentKey::parse(&path).ok_or_else(|| super::damaged(WHAT))).transpose()?,
        source_version: row.get::<_, Option<i64>>(10)?.map(|version| version as u64),
    };
    Ok(Standing {
        number: number(0)?,
        pass: Pass { phase: from_word(row.get(1)?, WHAT)?, round: row.get(2)? },
        batch: number(3)?,
        document,
        at: Timestamp::from_millis(row.get(11)?),
        back: row.get::<_, Option<String>>(12)?.map(|back| from_word(back, WHAT)).transpose()?,
    })
}
