//! Forgetting, a bounded part at a time so that the writer is never held up for long.
//!
//! Audit rows are never forgotten here.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use stella_protocol::Timestamp;

use super::doing;
use super::write::{Position, Writer, write_feed};
use crate::store::{Retention, StoreError};

/// Most events that one sweep deletes.
const EVENTS: u32 = 5_000;
/// Most other rows of a kind that one sweep deletes.
const ROWS: u32 = 500;

impl Writer {
    /// Deletes a part of what may go; true: there is more.
    pub fn sweep(&mut self, retention: &Retention, now: Timestamp) -> Result<bool, StoreError> {
        let failed = doing("sweep the database");
        let mut position = self.position;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let more = sweep(&transaction, &mut position, retention, now).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.position = position;
        Ok(more)
    }
}

fn sweep(
    transaction: &Transaction<'_>,
    position: &mut Position,
    retention: &Retention,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let events = sweep_events(transaction, position, retention, now)?;
    write_feed(transaction, position)?;
    let closed = now.plus_millis(-retention.closed_ms);
    let answered = now.plus_millis(-retention.answers_ms);
    let rows = [
        delete(
            transaction,
            "DELETE FROM marks WHERE fingerprint IN
                 (SELECT fingerprint FROM marks WHERE stands = 0 AND written_at < ?1 LIMIT ?2)",
            answered,
        )?,
        delete(
            transaction,
            "DELETE FROM deploys WHERE number IN (SELECT number FROM deploys WHERE written_at < ?1 LIMIT ?2)",
            closed,
        )?,
        delete(
            transaction,
            "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE open = 0 AND written_at < ?1 LIMIT ?2)",
            closed,
        )?,
        delete(
            transaction,
            "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE at < ?1 LIMIT ?2)",
            answered,
        )?,
        delete(
            transaction,
            "DELETE FROM actions WHERE number IN
                 (SELECT number FROM actions WHERE at < ?1 AND number < (SELECT max(number) FROM actions) LIMIT ?2)",
            answered,
        )?,
    ];
    Ok(events == EVENTS || rows.contains(&(ROWS as usize)))
}

fn delete(connection: &Connection, sql: &str, before: Timestamp) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params![before.millis(), ROWS])
}

/// Deletes from the oldest event on, up to the first one that must stay; answers how many it deleted.
fn sweep_events(
    connection: &Connection,
    position: &mut Position,
    retention: &Retention,
    now: Timestamp,
) -> rusqlite::Result<u32> {
    let too_old = now.plus_millis(-retention.events_ms).millis();
    let may_go = now.plus_millis(-retention.events_at_least_ms).millis();
    let mut deleted = 0;
    {
        let mut oldest = connection
            .prepare_cached("SELECT seq, at, length(CAST(body AS BLOB)) FROM events ORDER BY seq LIMIT ?1")?;
        let mut rows = oldest.query([EVENTS])?;
        while let Some(row) = rows.next()? {
            let (seq, at, bytes) = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)?, row.get::<_, i64>(2)? as u64);
            let too_many =
                position.head + 1 - position.oldest > retention.events || position.bytes > retention.event_bytes;
            if !(at < too_old || (too_many && at < may_go)) {
                break;
            }
            position.oldest = seq + 1;
            position.bytes -= bytes;
            deleted += 1;
        }
    }
    if deleted > 0 {
        connection.execute("DELETE FROM events WHERE seq < ?1", [position.oldest as i64])?;
    }
    Ok(deleted)
}
