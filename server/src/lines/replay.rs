//! Reads kept lines again in order: what the engine warms up with after a restart.

use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::Connection;
use stella_protocol::{LineId, LogEvent};

use super::block::Row;
use super::codec::BadBlock;
use super::file::Readers;
use super::{Lines, LinesError, file};

impl Lines {
    /// Shows `see` every kept line from number `from` on, in order, with its engine time. A damaged
    /// block is left out and said in the log.
    pub fn replay(&self, from: LineId, see: &mut dyn FnMut(LineId, &LogEvent<'_>)) -> Result<(), LinesError> {
        self.reading(|connection| {
            replay(connection, from, &mut |id, event| {
                see(id, event);
                ControlFlow::Continue(())
            })
        })
    }
}

/// The same of the lines in the folder of a server that may be running, until `see` has seen enough; nothing is written.
///
/// # Errors
/// When the file is missing or cannot be read.
pub fn replay_kept(
    dir: &Path,
    from: LineId,
    see: &mut dyn FnMut(LineId, &LogEvent<'_>) -> ControlFlow<()>,
) -> Result<(), LinesError> {
    Readers::new(dir.join(super::FILE)).with(|connection| replay(connection, from, see))
}

fn replay(
    connection: &Connection,
    from: LineId,
    see: &mut dyn FnMut(LineId, &LogEvent<'_>) -> ControlFlow<()>,
) -> Result<(), LinesError> {
    // From the block that holds the line, by the key: a walk over all that is kept to find it would take longer than the
    // last minutes that are wanted.
    let begin = "coalesce((SELECT max(first_id) FROM blocks WHERE first_id <= ?1), 0)";
    let wanted = format!("first_id >= {begin} AND last_id >= ?1");
    let sql = format!("SELECT {} FROM blocks WHERE {wanted} ORDER BY first_id", file::COLUMNS);
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([from.0 as i64])?;
    while let Some(found) = rows.next()? {
        let row = file::row(found)?;
        match show(&row, from, see) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => break,
            Err(_) => {
                tracing::warn!(first = row.first.0, last = row.last.0, "a block of raw lines is damaged: left out");
            }
        }
    }
    Ok(())
}

fn show(
    row: &Row,
    from: LineId,
    see: &mut dyn FnMut(LineId, &LogEvent<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, BadBlock> {
    let unpacked = row.unpack()?;
    for (event, id) in unpacked.events()?.iter().zip(row.first.0..) {
        if id >= from.0 && see(LineId(id), event).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
