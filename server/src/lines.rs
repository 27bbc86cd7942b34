//! Raw lines, as kept after redaction: `logs.db`, beside the store of Stella's own truth.
//!
//! One row a request, compressed: keeping a line costs ingest a microsecond, searching unpacks the
//! blocks of the span asked for. Lines are numbered densely in the order in which they were taken in,
//! and their engine times never go back, so a span of time is a span of numbers.
//!
//! What [`Lines::append`] returned for survives SIGKILL (WAL, `synchronous = NORMAL`); a power cut may
//! cost the last second. The file is disposable: one that is broken is put aside and begun anew.
//!
//! Deliberately absent: an index of words. A search looks at the lines, a bounded number of them a
//! request, and says where to go on.

mod block;
mod codec;
mod file;
mod replay;
mod search;

use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use stella_protocol::{LineId, LogEvent, Text, Timestamp, Weight};

pub use block::{Packed, Stamped};
pub use codec::BadBlock;
pub use replay::replay_kept;
pub use search::LineSearch;

use file::{Readers, Writer};

/// The file, in the data folder.
pub const FILE: &str = "logs.db";

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Lines received longer ago than this go, in milliseconds.
    pub age_ms: i64,
    /// Compressed bytes; the oldest lines beyond go.
    pub bytes: u64,
}

impl Default for Caps {
    /// 48 hours, 2 GiB.
    fn default() -> Self {
        Self { age_ms: 48 * 3_600_000, bytes: 2 << 30 }
    }
}

/// The raw lines could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The file could not be opened or prepared.
    #[error("open the file of raw lines")]
    Open(#[source] rusqlite::Error),
    /// Its form is newer than this program, or could not be brought up to date.
    #[error("bring the file of raw lines up to date")]
    Form(#[from] rusqlite_migration::Error),
    /// A broken file could not be put aside.
    #[error("put the broken file of raw lines aside")]
    PutAside(#[source] std::io::Error),
    /// The disk is full.
    #[error("keep raw lines: the disk is full")]
    Full(#[source] rusqlite::Error),
    /// Any other refusal of the database.
    #[error("use the file of raw lines")]
    Sql(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for LinesError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full(error),
            _ => Self::Sql(error),
        }
    }
}

/// The newest kept line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// Which.
    pub line: LineId,
    /// Its engine time.
    pub engine_time: Timestamp,
    /// When its request came in.
    pub received_at: Timestamp,
}

/// The kept lines of one server. Shared by reference; every method may be called from any thread and
/// blocks while it works.
#[derive(Debug)]
pub struct Lines {
    writer: Mutex<Writer>,
    readers: Readers,
}

impl Lines {
    /// Opens `logs.db` in `dir`, which exists, and makes it where there is none.
    pub fn open(dir: &Path, caps: Caps) -> Result<Self, LinesError> {
        let path = dir.join(FILE);
        let writer = Writer::open(&path, caps)?;
        Ok(Self { writer: Mutex::new(writer), readers: Readers::new(path) })
    }

    /// Keeps `events` as one block, with the weights and the engine times they carry, which are not earlier than those
    /// kept before. On return they survive SIGKILL.
    ///
    /// # Errors
    /// None of them is kept then.
    pub fn append(&self, events: &[LogEvent<'_>]) -> Result<Range<LineId>, LinesError> {
        let packed = Packed::new(events, Text::default());
        let times: Vec<Timestamp> = events.iter().map(|event| event.engine_time).collect();
        let weights: Vec<Weight> = events.iter().map(|event| event.weight).collect();
        let mut ranges = self.append_all(&[Stamped { packed: &packed, times: &times, weights: &weights }])?;
        Ok(ranges.pop().unwrap_or_default())
    }

    /// Keeps several blocks in one transaction: all of them or none.
    pub fn append_all(&self, blocks: &[Stamped<'_>]) -> Result<Vec<Range<LineId>>, LinesError> {
        self.writer().append_all(blocks)
    }

    /// The newest kept line; None: there is none.
    pub fn newest(&self) -> Option<Newest> {
        self.writer().newest()
    }

    /// Lines get numbers above `line` from now on: for a file begun anew beside a store that remembers
    /// older numbers, because a number is never used twice.
    pub fn start_after(&self, line: LineId) {
        self.writer().start_after(line);
    }

    /// The first line of the block in which engine time reaches `at`; None: nothing so late is kept.
    pub fn first_since(&self, at: Timestamp) -> Result<Option<LineId>, LinesError> {
        self.reading(|connection| file::first_block_since(connection, at).map_err(LinesError::from))
    }

    /// Forgets what is beyond the caps, a bounded number of blocks a call, never the newest block.
    /// Returns how many blocks went.
    pub fn sweep(&self, now: Timestamp) -> Result<u64, LinesError> {
        self.writer().sweep(now)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic inside leaves a transaction that rolled back and counters that were not yet moved.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading<T>(&self, read: impl FnOnce(&Connection) -> Result<T, LinesError>) -> Result<T, LinesError> {
        self.readers.with(read)
    }
}

#[cfg(test)]
mod tests;
