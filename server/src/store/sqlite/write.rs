//! The one writer: transactions in a group share one fsync, and each of them is a savepoint inside it.

use rusqlite::{Connection, ErrorCode, Savepoint, TransactionBehavior, params};
use serde::Serialize;
use stella_protocol::Timestamp;

use super::{doing, evidence, fixes, migrations, read};
use crate::alerts::AlertState;
use crate::store::{ActionRecord, AuditRow, Commit, InTheWay, StoreError, StoredToken, Tx, Write};

/// Where the dense numbers stand. Kept in memory, and moved only by a commit that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Number of the newest event.
    pub head: u64,
    /// Number of the oldest kept event.
    pub oldest: u64,
    /// Bytes of all kept events.
    pub bytes: u64,
    /// Number and hash of the last audit row.
    audit: (u64, [u8; 32]),
}

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    pub connection: Connection,
    pub position: Position,
}

/// A transaction that was not performed, or a database that refused.
pub(super) enum Stop {
    Refused(Box<Commit>),
    Failed(rusqlite::Error),
}

impl Stop {
    /// Something was not as expected.
    pub fn conflict(in_the_way: Option<InTheWay>) -> Self {
        Self::Refused(Box::new(Commit::Conflict(in_the_way)))
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Stop {
    fn from(_: StoreError) -> Self {
        Self::Refused(Box::new(Commit::Unavailable))
    }
}

impl From<serde_json::Error> for Stop {
    fn from(_: serde_json::Error) -> Self {
        Self::Refused(Box::new(Commit::Unavailable))
    }
}

impl Writer {
    /// Reads where the numbers stand; `epoch` names the history when there is none.
    pub fn new(connection: Connection, epoch: u64) -> Result<Self, StoreError> {
        let failed = doing("read where the feed stands");
        connection
            .execute(
                "INSERT OR IGNORE INTO feed (one, epoch, head, oldest, bytes) VALUES (1, ?1, 0, 1, 0)",
                [epoch as i64],
            )
            .map_err(&failed)?;
        let (head, oldest, bytes) = connection
            .query_row("SELECT head, oldest, bytes FROM feed", [], |row| {
                Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64))
            })
            .map_err(&failed)?;
        let audit = read::audit_end(&connection).map_err(&failed)?;
        Ok(Self { connection, position: Position { head, oldest, bytes, audit } })
    }

    /// Performs all of them behind one fsync.
    pub fn commit_all(&mut self, txs: &[Tx]) -> Vec<Commit> {
        self.try_all(txs).unwrap_or_else(|error| {
            tracing::error!(error = %error, "failed to commit {} transactions", txs.len());
            txs.iter().map(|_| Commit::Unavailable).collect()
        })
    }

    fn try_all(&mut self, txs: &[Tx]) -> rusqlite::Result<Vec<Commit>> {
        let mut position = self.position;
        let mut transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut results = Vec::with_capacity(txs.len());
        for tx in txs {
            let (savepoint, mut after) = (transaction.savepoint()?, position);
            match perform(&savepoint, tx, &mut after) {
                Ok(()) => {
                    savepoint.commit()?;
                    results.push(Commit::Committed { first_seq: position.head + 1 });
                    position = after;
                }
                Err(Stop::Refused(why)) => {
                    savepoint.finish()?;
                    results.push(*why);
                }
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        if position != self.position {
            write_feed(&transaction, &position)?;
        }
        transaction.commit()?;
        self.position = position;
        Ok(results)
    }
}

/// Keeps where the feed stands.
pub(super) fn write_feed(connection: &Connection, position: &Position) -> rusqlite::Result<()> {
    let numbers = [position.head, position.oldest, position.bytes].map(|number| number as i64);
    connection.prepare_cached("UPDATE feed SET head = ?1, oldest = ?2, bytes = ?3")?.execute(numbers).map(drop)
}

fn perform(connection: &Savepoint<'_>, tx: &Tx, position: &mut Position) -> Result<(), Stop> {
    if let Some(answer) = &tx.answer {
        if let Some(before) = read::answer(connection, &answer.principal, &answer.key)? {
            return Err(Stop::Refused(Box::new(Commit::Duplicate(before))));
        }
        connection
            .prepare_cached("INSERT INTO answers (principal, key, digest, at, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![answer.principal, answer.key, answer.digest, tx.at.millis(), answer.body])?;
    }
    for write in &tx.writes {
        write_one(connection, write, tx.at)?;
    }
    for entry in &tx.audit {
        let row = AuditRow::after(position.audit, tx.at, entry.clone());
        insert_audit(connection, &row)?;
        position.audit = (row.seq, row.hash);
    }
    for event in &tx.events {
        position.head += 1;
        position.bytes += event.body.len() as u64;
        connection
            .prepare_cached("INSERT INTO events (seq, at, kind, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![position.head as i64, tx.at.millis(), event.kind, event.body])?;
    }
    Ok(())
}

fn write_one(connection: &Connection, write: &Write, at: Timestamp) -> Result<(), Stop> {
    match write {
        Write::Open(state) => insert_alert(connection, state, at),
        Write::Alert { state, from } => update_alert(connection, state, *from, at),
        Write::Evidence { alert, json } => {
            connection
                .prepare_cached("INSERT OR REPLACE INTO evidence (alert, body) VALUES (?1, ?2)")?
                .execute([alert.as_str(), json])?;
            Ok(())
        }
        Write::Action(record) => insert_action(connection, record),
        Write::Undone { action } => {
            connection.prepare_cached("UPDATE actions SET undone = 1 WHERE number = ?1")?.execute([*action as i64])?;
            Ok(())
        }
        Write::Meta(key, value) => {
            connection
                .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
                .execute([key.name(), value])?;
            Ok(())
        }
        Write::Token(token) => put_token(connection, token).map_err(Stop::from),
        Write::Fix { state, from } => fixes::write(connection, state, *from),
        Write::Migration { state, from } => migrations::write(connection, state, *from),
        Write::Fence { target, fence } => fixes::raise_fence(connection, target, *fence),
        Write::FixImages { fix, step, images } => fixes::put_images(connection, fix, *step, images),
        Write::FixOutput(line) => fixes::put_output(connection, line),
        Write::Suppression(suppression) => fixes::suppress(connection, suppression),
        Write::Lifted { id } => fixes::lift(connection, id),
        Write::Mark(marked) => evidence::put_mark(connection, marked, at),
        Write::Deploy(deploy) => evidence::put_deploy(connection, deploy, at),
        Write::Maintenance(window) => fixes::put_window(connection, window),
        Write::MaintenanceEnded { id } => fixes::end_window(connection, id),
    }
}

fn insert_alert(connection: &Connection, state: &AlertState, at: Timestamp) -> Result<(), Stop> {
    let body = serde_json::to_string(state)?;
    let alert = &state.alert;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO alerts (status, open, severity, closed_at, written_at, version, body,
                                 id, fingerprint, episode, type, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            alert.status.word(),
            alert.status.is_open(),
            alert.severity.rank(),
            alert.resolved_at.map(Timestamp::millis),
            at.millis(),
            alert.version as i64,
            body,
            alert.id.as_str(),
            alert.fingerprint.raw(),
            alert.episode,
            alert.kind.word(),
            alert.created_at.millis(),
        ]);
    match inserted {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            let in_the_way = read::latest(connection, alert.fingerprint.raw())?;
            Err(Stop::conflict(in_the_way.map(|state| InTheWay::Alert(Box::new(state)))))
        }
        other => Ok(other.map(drop)?),
    }
}

/// Checks and changes in one statement.
fn update_alert(connection: &Connection, state: &AlertState, from: u64, at: Timestamp) -> Result<(), Stop> {
    let body = serde_json::to_string(state)?;
    let alert = &state.alert;
    let updated = connection
        .prepare_cached(
            "UPDATE alerts SET status = ?1, open = ?2, severity = ?3, closed_at = ?4, written_at = ?5, version = ?6,
                               body = ?7
             WHERE id = ?8 AND version = ?9",
        )?
        .execute(params![
            alert.status.word(),
            alert.status.is_open(),
            alert.severity.rank(),
            alert.resolved_at.map(Timestamp::millis),
            at.millis(),
            alert.version as i64,
            body,
            alert.id.as_str(),
            from as i64,
        ]);
    let in_the_way = match updated {
        Ok(1) => return Ok(()),
        Ok(_) => read::alert(connection, &alert.id)?,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            read::latest(connection, alert.fingerprint.raw())?
        }
        Err(error) => return Err(error.into()),
    };
    Err(Stop::conflict(in_the_way.map(|state| InTheWay::Alert(Box::new(state)))))
}

fn insert_action(connection: &Connection, record: &ActionRecord) -> Result<(), Stop> {
    connection
        .prepare_cached(
            "INSERT INTO actions (number, principal, at, action, undoable, undone) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            record.number as i64,
            record.action.by.raw(),
            record.action.at.millis(),
            json(&record.action)?,
            json(&record.undoable)?,
            record.undone,
        ])?;
    Ok(())
}

pub(super) fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value)
}

fn put_token(connection: &Connection, token: &StoredToken) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO tokens (fingerprint, name, role, recording, created_at, expires_at, revoked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            token.fingerprint,
            token.name.raw(),
            token.role.word(),
            token.recording,
            token.created_at.millis(),
            token.expires_at.map(Timestamp::millis),
            token.revoked_at.map(Timestamp::millis),
        ])
        .map(drop)
}

fn insert_audit(connection: &Connection, row: &AuditRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO audit (seq, at, principal, role, verb, object, version_before, version_after, key, verdict,
                                detail, previous, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            row.seq as i64,
            row.at.millis(),
            row.principal.raw(),
            row.role,
            row.verb,
            row.object,
            row.versions.0 as i64,
            row.versions.1 as i64,
            row.key.raw(),
            row.verdict,
            row.detail.raw(),
            row.previous,
            row.hash,
        ])
        .map(drop)
}
