//! The `SQLite` file under the lines: its form, the one writing connection, the reading ones.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row as SqlRow, Statement, params};
use rusqlite_migration::{M, Migrations};
use stella_protocol::{LineId, Text, Timestamp};

use super::block::{Row, Stamped};
use super::{Caps, LinesError, Newest};

/// Reading connections kept open; more readers at once open their own and close it again.
const READERS_KEPT: usize = 4;
/// How long a connection waits for another one.
const PATIENCE: Duration = Duration::from_secs(5);
/// Blocks that one sweep forgets at most, so that the writer is never held up for long.
const SWEPT_AT_ONCE: u64 = 2000;

const FORM: &str = "
CREATE TABLE blocks (
    first_id INTEGER PRIMARY KEY,
    last_id INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    raw_len INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    source TEXT NOT NULL,
    times BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX blocks_by_start ON blocks (from_ms, first_id);
CREATE INDEX blocks_by_end ON blocks (to_ms, first_id);
";

/// For how many lines each counts; empty: for itself.
const WEIGHTS: &str = "ALTER TABLE blocks ADD COLUMN weights BLOB NOT NULL DEFAULT x'';";

const INSERT: &str = "
INSERT INTO blocks (first_id, last_id, from_ms, to_ms, received_ms, raw_len, sum, bytes, source, times, body, weights)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// The columns of a [`Row`], in the order in which [`row`] reads them.
pub(super) const COLUMNS: &str =
    "first_id, last_id, from_ms, to_ms, received_ms, raw_len, sum, times, body, source, weights";

/// Reads a row selected with [`COLUMNS`].
pub(super) fn row(from: &SqlRow<'_>) -> Result<Row, rusqlite::Error> {
    Ok(Row {
        first: LineId(from.get::<_, i64>(0)? as u64),
        last: LineId(from.get::<_, i64>(1)? as u64),
        from: Timestamp::from_millis(from.get(2)?),
        to: Timestamp::from_millis(from.get(3)?),
        received_at: Timestamp::from_millis(from.get(4)?),
        raw_len: from.get::<_, i64>(5)? as usize,
        sum: from.get::<_, i64>(6)? as u32,
        times: from.get(7)?,
        body: from.get(8)?,
        source: Text::from(from.get::<_, String>(9)?),
        weights: from.get(10)?,
    })
}

/// The first block that reaches `at`.
pub(super) fn first_block_since(connection: &Connection, at: Timestamp) -> Result<Option<LineId>, rusqlite::Error> {
    let sql = "SELECT first_id FROM blocks WHERE to_ms >= ?1 ORDER BY to_ms, first_id LIMIT 1";
    block_number(connection, sql, at)
}

/// The last block that begins before `at`.
pub(super) fn last_block_before(connection: &Connection, at: Timestamp) -> Result<Option<LineId>, rusqlite::Error> {
    let sql = "SELECT first_id FROM blocks WHERE from_ms < ?1 ORDER BY from_ms DESC, first_id DESC LIMIT 1";
    block_number(connection, sql, at)
}

fn block_number(connection: &Connection, sql: &str, at: Timestamp) -> Result<Option<LineId>, rusqlite::Error> {
    let mut statement = connection.prepare(sql)?;
    statement
        .query_row([at.millis()], |found| found.get::<_, i64>(0))
        .optional()
        .map(|id| id.map(|id| LineId(id as u64)))
}

/// The writing connection, and what the next block needs to know.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    caps: Caps,
    next: u64,
    newest: Option<Newest>,
    bytes: u64,
}

impl Writer {
    pub(super) fn open(path: &Path, caps: Caps) -> Result<Self, LinesError> {
        match Self::open_file(path, caps) {
            Err(LinesError::Open(error)) if is_broken(&error) => {
                tracing::warn!("the file of raw lines is broken: put aside as logs.db.broken, a new one begins");
                put_aside(path).map_err(LinesError::PutAside)?;
                Self::open_file(path, caps)
            }
            opened => opened,
        }
    }

    fn open_file(path: &Path, caps: Caps) -> Result<Self, LinesError> {
        let mut connection = connect(path).map_err(LinesError::Open)?;
        Migrations::new(vec![M::up(FORM), M::up(WEIGHTS)]).to_latest(&mut connection)?;
        let sql = format!("SELECT {COLUMNS} FROM blocks ORDER BY first_id DESC LIMIT 1");
        let last = connection.query_row(&sql, [], row).optional().map_err(LinesError::Open)?;
        let bytes: i64 = connection
            .query_row("SELECT coalesce(sum(bytes), 0) FROM blocks", [], |found| found.get(0))
            .map_err(LinesError::Open)?;
        let newest = last.map(|row| Newest { line: row.last, engine_time: row.to, received_at: row.received_at });
        let next = newest.map_or(1, |newest| newest.line.0 + 1);
        Ok(Self { connection, caps, next, newest, bytes: bytes as u64 })
    }

    pub(super) fn newest(&self) -> Option<Newest> {
        self.newest
    }

    pub(super) fn start_after(&mut self, line: LineId) {
        self.next = self.next.max(line.0 + 1);
    }

    pub(super) fn append_all(&mut self, blocks: &[Stamped<'_>]) -> Result<Vec<Range<LineId>>, LinesError> {
        let (mut next, mut newest, mut bytes) = (self.next, self.newest, self.bytes);
        let mut ranges = Vec::with_capacity(blocks.len());
        let transaction = self.connection.transaction()?;
        let mut statement = transaction.prepare(INSERT)?;
        for block in blocks {
            let first = LineId(next);
            if let Some(row) = Row::of(*block, first) {
                bytes += insert(&mut statement, &row)?;
                next = row.last.0 + 1;
                newest = Some(Newest { line: row.last, engine_time: row.to, received_at: block.packed.received_at() });
            }
            ranges.push(first..LineId(next));
        }
        drop(statement);
        transaction.commit()?;
        (self.next, self.newest, self.bytes) = (next, newest, bytes);
        Ok(ranges)
    }

    pub(super) fn sweep(&mut self, now: Timestamp) -> Result<u64, LinesError> {
        let Some(newest) = self.newest else { return Ok(0) };
        let oldest_kept = now.plus_millis(-self.caps.age_ms).millis();
        let mut over = self.bytes.saturating_sub(self.caps.bytes);
        let mut swept = 0;
        let mut freed = 0;
        let mut last = None;
        {
            let mut statement = self.connection.prepare(
                "SELECT first_id, received_ms, bytes FROM blocks WHERE last_id < ?1 ORDER BY first_id LIMIT ?2",
            )?;
            let mut rows = statement.query(params![newest.line.0 as i64, SWEPT_AT_ONCE as i64])?;
            while let Some(row) = rows.next()? {
                let (first, received, bytes): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                if received >= oldest_kept && over == 0 {
                    break;
                }
                over = over.saturating_sub(bytes as u64);
                (swept, freed, last) = (swept + 1, freed + bytes as u64, Some(first));
            }
        }
        if let Some(last) = last {
            self.connection.execute("DELETE FROM blocks WHERE first_id <= ?1", [last])?;
            self.bytes = self.bytes.saturating_sub(freed);
        }
        Ok(swept)
    }
}

/// Inserts and returns the bytes that count against the cap.
fn insert(statement: &mut Statement<'_>, row: &Row) -> Result<u64, rusqlite::Error> {
    let bytes = (row.body.len() + row.times.len() + row.weights.len()) as u64;
    statement.execute(params![
        row.first.0 as i64,
        row.last.0 as i64,
        row.from.millis(),
        row.to.millis(),
        row.received_at.millis(),
        row.raw_len as i64,
        i64::from(row.sum),
        bytes as i64,
        row.source.raw(),
        row.times,
        row.body,
        row.weights,
    ])?;
    Ok(bytes)
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    // Blocks are larger than the default page; takes effect on a file that is just being made.
    connection.pragma_update(None, "page_size", 16_384)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |mode| mode.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(connection)
}

fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

fn put_aside(path: &Path) -> std::io::Result<()> {
    for suffix in ["-wal", "-shm"] {
        match std::fs::remove_file(path.with_extension(format!("db{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, path.with_extension("db.broken"))
}

/// Reading connections, opened when needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    /// Reads with a connection of its own; one that failed is not used again.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, LinesError>) -> Result<T, LinesError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| self.open(), Ok)?;
        let found = read(&connection)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READERS_KEPT {
            idle.push(connection);
        }
        Ok(found)
    }

    fn open(&self) -> Result<Connection, LinesError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(LinesError::Open)?;
        connection.busy_timeout(PATIENCE).map_err(LinesError::Open)?;
        Ok(connection)
    }
}
