//! Migrations: written and read, as fixes are.
//!
//! What is long of a migration (mapping, documents, log) is not here: its ledger is a file of its own.

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, params};
use stella_protocol::{MigrationId, MigrationStatus, Text};

use super::doing;
use super::fixes::{bodies, written};
use super::write::{Stop, json};
use crate::migrate::MigrationState;
use crate::store::{FoundMigrations, InTheWay, MigrationQuery, StoreError, number_in};

fn number(id: &MigrationId) -> Option<i64> {
    number_in(id.as_str(), MigrationId::PREFIX).map(|number| number as i64)
}

/// Checks and writes in one statement.
pub(super) fn write(connection: &Connection, state: &MigrationState, from: Option<u64>) -> Result<(), Stop> {
    let (migration, body) = (&state.migration, json(state)?);
    let number = written(migration.id.as_str(), MigrationId::PREFIX)?;
    let status = migration.status;
    let changed = match from {
        None => connection
            .prepare_cached(
                "INSERT INTO migrations (number, status, unfinished, holds, version, body, target, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                number,
                status.word(),
                status.is_unfinished(),
                status.holds_the_store(),
                migration.version as i64,
                body,
                migration.target.raw(),
                migration.created_at.millis(),
            ]),
        Some(from) => connection
            .prepare_cached(
                "UPDATE migrations SET status = ?2, unfinished = ?3, holds = ?4, version = ?5, body = ?6
                 WHERE number = ?1 AND version = ?7",
            )?
            .execute(params![
                number,
                status.word(),
                status.is_unfinished(),
                status.holds_the_store(),
                migration.version as i64,
                body,
                from as i64,
            ]),
    };
    let in_the_way = match changed {
        Ok(1) => return Ok(()),
        Ok(_) => one(connection, &migration.id)?,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            let holder = holder(connection, &migration.target)?;
            if holder.is_none() { one(connection, &migration.id)? } else { holder }
        }
        Err(error) => return Err(error.into()),
    };
    Err(Stop::conflict(in_the_way.map(|state| InTheWay::Migration(Box::new(state)))))
}

pub(super) fn one(connection: &Connection, id: &MigrationId) -> Result<Option<MigrationState>, StoreError> {
    let Some(number) = number(id) else { return Ok(None) };
    let kept = "SELECT body FROM migrations WHERE number = ?1";
    Ok(bodies(connection, kept, vec![number.into()], "migration")?.pop())
}

fn holder(connection: &Connection, target: &Text) -> Result<Option<MigrationState>, StoreError> {
    let holds = "SELECT body FROM migrations WHERE target = ?1 AND holds = 1";
    Ok(bodies(connection, holds, vec![target.raw().to_owned().into()], "migration")?.pop())
}

pub(super) fn recent(connection: &Connection, ended: u32) -> Result<Vec<MigrationState>, StoreError> {
    let both = "SELECT body FROM migrations WHERE unfinished = 1
                UNION ALL SELECT body
                FROM (SELECT body FROM migrations WHERE unfinished = 0 ORDER BY number DESC LIMIT ?1)";
    bodies(connection, both, vec![i64::from(ended).into()], "migration")
}

pub(super) fn query(connection: &Connection, ask: &MigrationQuery) -> Result<FoundMigrations, StoreError> {
    let limit = ask.limit.max(1);
    let before = ask.after.and_then(|after| i64::try_from(after).ok()).unwrap_or(i64::MAX);
    let (mut sql, mut values) = ("SELECT body FROM migrations WHERE number < ?1".to_owned(), vec![Value::from(before)]);
    if !ask.status.is_empty() {
        let words: Vec<&str> = ask.status.iter().copied().map(MigrationStatus::word).collect();
        let words = serde_json::to_string(&words).map_err(|_| StoreError::Row("status"))?;
        sql.push_str(" AND status IN (SELECT value FROM json_each(?))");
        values.push(words.into());
    }
    sql.push_str(" ORDER BY number DESC LIMIT ?");
    values.push(i64::from(limit.saturating_add(1)).into());
    let mut states: Vec<MigrationState> = bodies(connection, &sql, values, "migration")?;
    let more = states.len() > limit as usize;
    states.truncate(limit as usize);
    let last = states.last().and_then(|state| number_in(state.migration.id.as_str(), MigrationId::PREFIX));
    Ok(FoundMigrations {
        items: states.into_iter().map(|state| state.migration).collect(),
        next: last.filter(|_| more),
    })
}

pub(super) fn last(connection: &Connection) -> Result<u64, StoreError> {
    let greatest = "SELECT coalesce(max(number), 0) FROM migrations";
    let found = connection.query_row(greatest, [], |row| row.get::<_, i64>(0));
    found.map(|number| number as u64).map_err(doing("count migrations"))
}
