//! What the connections to the server's databases have in common: how long they wait, and how much those that only
//! read may keep.
//!
//! Each connection has a pool of pages of its own, so that the limits add up: what a server holds of its files does
//! not grow with them. What falls out of a pool is still in the kernel's cache of files.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// How long a statement waits for a lock: only another program (a backup) can hold one.
pub(crate) const BUSY: Duration = Duration::from_secs(5);
/// Pages of a connection that only reads, in KiB: the way down to a row and a page of a list. `SQLite` would give
/// each 2 MiB, and there are a dozen.
const READER_KIB: u32 = 512;

/// Opens `file` for reading only. It keeps `statements` compiled.
pub(crate) fn reader(file: &Path, statements: usize) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(statements);
    keep_pages(&connection, READER_KIB)?;
    Ok(connection)
}

/// Lets the connection keep `kib` KiB of pages, whatever the size of its pages.
pub(crate) fn keep_pages(connection: &Connection, kib: u32) -> rusqlite::Result<()> {
    // Below zero it is KiB, above it pages.
    connection.pragma_update(None, "cache_size", -i64::from(kib))
}
