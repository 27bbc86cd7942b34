//! The tables of the embedded store, and every statement on them. Blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use rusqlite_migration::{M, Migrations};
use serde_json::Value;
use stella_protocol::Timestamp;

use super::{JournalEntry, OpenError, WriteKind};
use crate::documents::{
    Document, DocumentKey, DocumentPage, DocumentWrite, DocumentsError, Expect, Leave, Written, shape,
};
use crate::sqlite;

/// Compiled statements kept by each connection: more than this module has.
const STATEMENTS: usize = 32;
/// Longest page of a scan, in bytes of its documents as text: what a reader holds at once, about four times as
/// much once it is read. A migration holds one for each of its batches in flight.
const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// Most documents of a page.
const PAGE: usize = 1000;
/// Writes that the journal tells of at least.
const JOURNAL: i64 = 1_000_000;

/// The number of a row in `writes` is the version that it gave. AUTOINCREMENT: no number comes twice,
/// even after the oldest rows were swept.
const FIRST: &str = "
CREATE TABLE documents (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    fields TEXT NOT NULL,
    PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE writes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('created', 'changed', 'deleted')),
    version_before INTEGER,
    version_after INTEGER
) STRICT;
";

pub(super) fn open(file: &Path) -> Result<Connection, OpenError> {
    let mut connection = Connection::open(file).map_err(doing("open the document store"))?;
    connection.busy_timeout(sqlite::BUSY).map_err(doing("set up the document store"))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    for (name, value, kept) in [("journal_mode", "wal", "Text(\"wal\")"), ("synchronous", "full", "Integer(2)")] {
        connection.pragma_update(None, name, value).map_err(doing("set up the document store"))?;
        let found: rusqlite::types::Value =
            connection.pragma_query_value(None, name, |row| row.get(0)).map_err(doing("set up the document store"))?;
        if format!("{found:?}") != kept {
            return Err(OpenError::NotDurable);
        }
    }
    let checked = connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
    if !checked.is_ok_and(|word| word == "ok") {
        return Err(OpenError::Damaged);
    }
    Migrations::new(vec![M::up(FIRST)]).to_latest(&mut connection).map_err(OpenError::Tables)?;
    Ok(connection)
}

pub(super) fn reader(file: &Path) -> Result<Connection, OpenError> {
    sqlite::reader(file, STATEMENTS).map_err(doing("open the document store"))
}

fn doing(doing: &'static str) -> impl Fn(rusqlite::Error) -> OpenError {
    move |source| OpenError::Database { doing, source }
}

/// What the database says of a failure that changed nothing. Its own text can hold paths: only its code
/// is passed on.
pub(super) fn unavailable(error: &rusqlite::Error) -> DocumentsError {
    DocumentsError::Unavailable(words(error))
}

fn words(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program holds its lock".to_owned(),
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        Some(code) => format!("the database answers {code:?}"),
        None => "the database answers something else than was asked".to_owned(),
    }
}

fn damaged(path: &str) -> DocumentsError {
    DocumentsError::Refused(format!("the document \"{}\" is damaged", path.escape_default()))
}

/// Compact JSON with sorted keys: equal fields give equal bytes.
pub(super) fn text(fields: &BTreeMap<String, Value>) -> Result<String, DocumentsError> {
    let text = serde_json::to_string(fields)
        .map_err(|_| DocumentsError::Refused("the fields cannot be written as JSON".to_owned()))?;
    if text.len() > shape::DOCUMENT_BYTES {
        return Err(DocumentsError::Refused(format!("a document has at most {} bytes", shape::DOCUMENT_BYTES)));
    }
    Ok(text)
}

fn document(key: DocumentKey, version: i64, fields: &str) -> Result<Document, DocumentsError> {
    let fields = serde_json::from_str(fields).map_err(|_| damaged(&key.path()))?;
    Ok(Document { key, version: version as u64, fields })
}

pub(super) fn get(connection: &Connection, key: &DocumentKey) -> Result<Option<Document>, DocumentsError> {
    let found = connection
        .prepare_cached("SELECT version, fields FROM documents WHERE collection = ?1 AND id = ?2")
        .and_then(|mut statement| {
            statement
                .query_row(params![key.collection, key.id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
                .optional()
        })
        .map_err(|error| unavailable(&error))?;
    found.map(|(version, fields)| document(key.clone(), version, &fields)).transpose()
}

fn version(connection: &Connection, key: &DocumentKey) -> Result<Option<u64>, DocumentsError> {
    connection
        .prepare_cached("SELECT version FROM documents WHERE collection = ?1 AND id = ?2")
        .and_then(|mut statement| {
            statement.query_row(params![key.collection, key.id], |row| row.get::<_, i64>(0)).optional()
        })
        .map(|version| version.map(|version| version as u64))
        .map_err(|error| unavailable(&error))
}

pub(super) fn scan(
    connection: &Connection,
    collection: &str,
    after: &str,
    limit: usize,
) -> Result<DocumentPage, DocumentsError> {
    let limit = limit.clamp(1, PAGE);
    let mut page = DocumentPage::default();
    let mut bytes = 0;
    let mut statement = connection
        .prepare_cached(
            "SELECT id, version, fields FROM documents WHERE collection = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )
        .map_err(|error| unavailable(&error))?;
    let mut rows =
        statement.query(params![collection, after, limit as i64 + 1]).map_err(|error| unavailable(&error))?;
    while let Some(row) = rows.next().map_err(|error| unavailable(&error))? {
        if page.documents.len() == limit || bytes >= PAGE_BYTES {
            page.next = page.documents.last().map(|last| last.key.id.clone());
            break;
        }
        let (id, version, fields) = columns(row).map_err(|error| unavailable(&error))?;
        bytes += fields.len();
        page.documents.push(document(DocumentKey::new(collection, id), version, fields)?);
    }
    Ok(page)
}

/// Gives every document, in order; of one collection when it is named.
pub(super) fn each<E: From<DocumentsError>>(
    connection: &Connection,
    collection: Option<&str>,
    mut give: impl FnMut(Document) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error: rusqlite::Error| unavailable(&error);
    // Two statements: with `?1 IS NULL OR …` in one of them the index would not be used.
    let all = "SELECT id, version, fields, collection FROM documents ORDER BY collection, id";
    let one = "SELECT id, version, fields, collection FROM documents WHERE collection = ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(if collection.is_some() { one } else { all }).map_err(failed)?;
    let mut rows = statement.query(rusqlite::params_from_iter(collection)).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (id, version, fields) = columns(row).map_err(failed)?;
        let collection: String = row.get(3).map_err(failed)?;
        give(document(DocumentKey::new(collection, id), version, fields)?)?;
    }
    Ok(())
}

fn columns<'r>(row: &'r Row<'_>) -> rusqlite::Result<(String, i64, &'r str)> {
    Ok((row.get(0)?, row.get(1)?, row.get_ref(2)?.as_str()?))
}

pub(super) fn count(connection: &Connection, collection: &str) -> Result<u64, DocumentsError> {
    connection
        .prepare_cached("SELECT count(*) FROM documents WHERE collection = ?1")
        .and_then(|mut statement| statement.query_row([collection], |row| row.get::<_, i64>(0)))
        .map(|count| count as u64)
        .map_err(|error| unavailable(&error))
}

/// Names of collections right below `root` (empty, or a document's path with a slash behind it): one
/// look in the index for each, however many documents there are.
pub(super) fn collections(connection: &Connection, root: &str) -> Result<Vec<String>, DocumentsError> {
    let mut names = BTreeSet::new();
    let mut from = root.to_owned();
    let mut statement = connection
        .prepare_cached("SELECT collection FROM documents WHERE collection >= ?1 ORDER BY collection LIMIT 1")
        .map_err(|error| unavailable(&error))?;
    loop {
        let found: Option<String> =
            statement.query_row([&from], |row| row.get(0)).optional().map_err(|error| unavailable(&error))?;
        let Some(rest) = found.as_deref().and_then(|path| path.strip_prefix(root)) else {
            return Ok(names.into_iter().collect());
        };
        let (name, after) = match rest.split_once('/') {
            // '0' stands right behind '/': past everything below this collection's documents.
            Some((name, _)) => (name, format!("{root}{name}0")),
            None => (rest, format!("{root}{rest}\0")),
        };
        names.insert(name.to_owned());
        from = after;
    }
}

/// Whether any collection is below a document of this one: one look in the index.
pub(super) fn has_below(connection: &Connection, collection: &str) -> Result<bool, DocumentsError> {
    // '0' stands right behind '/'.
    connection
        .prepare_cached("SELECT 1 FROM documents WHERE collection >= ?1 AND collection < ?2 LIMIT 1")
        .and_then(|mut statement| statement.exists([format!("{collection}/"), format!("{collection}0")]))
        .map_err(|error| unavailable(&error))
}

/// Ids of a collection below which collections stand, and which are none of a document.
pub(super) fn absent(connection: &Connection, collection: &str) -> Result<Vec<String>, DocumentsError> {
    let mut ids = collections(connection, &format!("{collection}/"))?;
    let mut wrong = None;
    ids.retain(|id| match version(connection, &DocumentKey::new(collection, id)) {
        Ok(found) => found.is_none(),
        Err(error) => wrong.replace(error).is_some(),
    });
    wrong.map_or(Ok(ids), Err)
}

/// A write, and the text that it leaves: made before anybody holds the lock.
#[derive(Debug)]
pub(super) struct Ready<'w> {
    write: &'w DocumentWrite,
    after: Option<String>,
}

impl<'w> Ready<'w> {
    /// Makes the text.
    ///
    /// # Errors
    /// When what it leaves cannot be kept.
    pub(super) fn new(write: &'w DocumentWrite) -> Result<Self, DocumentsError> {
        let after = match &write.leave {
            Leave::Fields(fields) => Some(text(fields)?),
            Leave::Nothing => None,
        };
        Ok(Self { write, after })
    }
}

/// Does all of `writes`, or none when one meets something else than it expects.
pub(super) fn write(
    connection: &mut Connection,
    writes: &[Ready<'_>],
    now: Timestamp,
) -> Result<Vec<Written>, DocumentsError> {
    let tx = begin(connection)?;
    let mut answers = Vec::with_capacity(writes.len());
    for write in writes {
        answers.push(write_one(&tx, write, now)?);
    }
    if answers.iter().any(|answer| matches!(answer, Written::Conflict(_))) {
        let held = |answer| if matches!(answer, Written::Done(_)) { Written::Held } else { answer };
        return Ok(answers.into_iter().map(held).collect());
    }
    commit(tx)?;
    Ok(answers)
}

/// Locks for writing at once: what is read inside cannot change before the commit.
pub(super) fn begin(connection: &mut Connection) -> Result<Transaction<'_>, DocumentsError> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| unavailable(&error))
}

/// Sweeps the oldest of the journal, and commits.
pub(super) fn commit(tx: Transaction<'_>) -> Result<(), DocumentsError> {
    tx.prepare_cached("DELETE FROM writes WHERE number <= (SELECT max(number) FROM writes) - ?1")
        .and_then(|mut statement| statement.execute([JOURNAL]))
        .map_err(|error| unavailable(&error))?;
    tx.commit().map_err(|error| DocumentsError::Unknown(words(&error)))
}

pub(super) fn write_one(
    tx: &Transaction<'_>,
    Ready { write, after }: &Ready<'_>,
    now: Timestamp,
) -> Result<Written, DocumentsError> {
    let before = version(tx, &write.key)?;
    let expected = match write.expect {
        Expect::Absent => None,
        Expect::Version(version) => Some(version),
    };
    if before != expected {
        return Ok(Written::Conflict(get(tx, &write.key)?.map(Box::new)));
    }
    put(tx, &write.key, before, after.as_deref(), now).map_err(|error| unavailable(&error)).map(Written::Done)
}

/// Writes the journal and the document; the new version, 0 when nothing is left.
fn put(
    tx: &Transaction<'_>,
    key: &DocumentKey,
    before: Option<u64>,
    after: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<u64> {
    let kind = match (before, after) {
        (None, Some(_)) => WriteKind::Created,
        (Some(_), Some(_)) => WriteKind::Changed,
        (Some(_), None) => WriteKind::Deleted,
        // Nothing was there and nothing is left: no write at all.
        (None, None) => return Ok(0),
    };
    tx.prepare_cached("INSERT INTO writes (at, path, kind, version_before) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![now.millis(), key.path(), word(kind), before.map(|version| version as i64)])?;
    let Some(fields) = after else {
        tx.prepare_cached("DELETE FROM documents WHERE collection = ?1 AND id = ?2")?
            .execute(params![key.collection, key.id])?;
        return Ok(0);
    };
    let version = tx.last_insert_rowid();
    tx.prepare_cached("UPDATE writes SET version_after = number WHERE number = ?1")?.execute([version])?;
    tx.prepare_cached(
        "INSERT INTO documents (collection, id, version, fields) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (collection, id) DO UPDATE SET version = excluded.version, fields = excluded.fields",
    )?
    .execute(params![key.collection, key.id, version, fields])?;
    Ok(version as u64)
}

fn word(kind: WriteKind) -> &'static str {
    match kind {
        WriteKind::Created => "created",
        WriteKind::Changed => "changed",
        WriteKind::Deleted => "deleted",
    }
}

pub(super) fn journal(connection: &Connection, after: u64, limit: usize) -> Result<Vec<JournalEntry>, DocumentsError> {
    let entries = || -> rusqlite::Result<Vec<JournalEntry>> {
        connection
            .prepare_cached(
                "SELECT number, at, path, version_before, version_after FROM writes WHERE number > ?1
                 ORDER BY number LIMIT ?2",
            )?
            .query_map(params![after as i64, limit as i64], entry)?
            .collect()
    };
    entries().map_err(|error| unavailable(&error))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<JournalEntry> {
    let path: String = row.get(2)?;
    let version = |column| row.get::<_, Option<i64>>(column).map(|version| version.map(|version| version as u64));
    let (before, after) = (version(3)?, version(4)?);
    let kind = match (before, after) {
        (None, _) => WriteKind::Created,
        (Some(_), Some(_)) => WriteKind::Changed,
        (Some(_), None) => WriteKind::Deleted,
    };
    Ok(JournalEntry {
        number: row.get::<_, i64>(0)? as u64,
        at: Timestamp::from_millis(row.get(1)?),
        key: DocumentKey::parse(&path).unwrap_or_else(|| DocumentKey::new("", path.clone())),
        kind,
        before,
        after,
    })
}
