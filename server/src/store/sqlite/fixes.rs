//! Fixes and what belongs to them: written and read, as the rest is.
//!
//! The body is the truth; the columns beside it are there to be found by, and to be checked in the one
//! statement that changes the row.

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, Row, params, params_from_iter};
use serde::de::DeserializeOwned;
use stella_protocol::fix::{Maintenance, Record, Suppression};
use stella_protocol::{AlertId, FixId, FixOutput, FixStatus, Text, Timestamp};

use super::doing;
use super::read::{self, from_json};
use super::write::{Stop, json};
use crate::remedy::{BeforeImage, FixState, SYSTEM};
use crate::store::{FixNumbers, FixQuery, FoundFixes, InTheWay, StoreError, number_in};

/// What every id of a suppression begins with.
const SUPPRESSION: &str = "sup-";
/// What every id of a maintenance window begins with.
const WINDOW: &str = "win-";
/// Most fixes that are looked back at for one target.
const MOST: i64 = 100;

fn number(id: &FixId) -> Option<i64> {
    number_in(id.as_str(), FixId::PREFIX).map(|number| number as i64)
}

/// The number in an id that this server made; another one is no row of ours.
pub(super) fn written(id: &str, prefix: &str) -> Result<i64, Stop> {
    number_in(id, prefix).map(|number| number as i64).ok_or_else(|| Stop::from(StoreError::Row("number")))
}

/// Checks and writes in one statement.
pub(super) fn write(connection: &Connection, state: &FixState, from: Option<u64>) -> Result<(), Stop> {
    let (fix, body) = (&state.fix, json(state)?);
    let number = written(fix.id.as_str(), FixId::PREFIX)?;
    let changed = match from {
        None => connection
            .prepare_cached(
                "INSERT INTO fixes (number, status, open, version, body, target, definition, alert, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                number,
                fix.status.word(),
                fix.status.is_open(),
                fix.version as i64,
                body,
                fix.plan.target.raw(),
                fix.definition_id.raw(),
                fix.alert_id.as_ref().map(AlertId::as_str),
                fix.proposed_at.millis(),
            ]),
        Some(from) => connection
            .prepare_cached(
                "UPDATE fixes SET status = ?2, open = ?3, version = ?4, body = ?5 WHERE number = ?1 AND version = ?6",
            )?
            .execute(params![number, fix.status.word(), fix.status.is_open(), fix.version as i64, body, from as i64,]),
    };
    let in_the_way = match changed {
        Ok(1) => return put_approvals(connection, number, state).map_err(Stop::from),
        Ok(_) => one(connection, &fix.id)?,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            let other = open_of(connection, fix.plan.target.raw())?;
            if other.is_none() { one(connection, &fix.id)? } else { other }
        }
        Err(error) => return Err(error.into()),
    };
    Err(Stop::conflict(in_the_way.map(|state| InTheWay::Fix(Box::new(state)))))
}

fn put_approvals(connection: &Connection, number: i64, state: &FixState) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM fix_approvals WHERE fix = ?1")?.execute([number])?;
    for approval in &state.fix.approvals {
        connection
            .prepare_cached("INSERT OR IGNORE INTO fix_approvals (fix, principal) VALUES (?1, ?2)")?
            .execute(params![number, approval.by.raw()])?;
    }
    Ok(())
}

/// Keeps the fence, unless a higher one is kept.
pub(super) fn raise_fence(connection: &Connection, target: &Text, shown: u64) -> Result<(), Stop> {
    let kept = connection
        .prepare_cached(
            "INSERT INTO fix_targets (target, fence) VALUES (?1, ?2)
             ON CONFLICT (target) DO UPDATE SET fence = excluded.fence WHERE fence <= excluded.fence",
        )?
        .execute(params![target.raw(), shown as i64])?;
    if kept == 1 {
        return Ok(());
    }
    let higher = fence(connection, target.raw())?;
    Err(Stop::conflict(Some(InTheWay::Fence(higher))))
}

pub(super) fn put_images(
    connection: &Connection,
    fix: &FixId,
    step: usize,
    images: &[BeforeImage],
) -> Result<(), Stop> {
    let (fix, step) = (written(fix.as_str(), FixId::PREFIX)?, step as i64);
    connection.prepare_cached("DELETE FROM fix_images WHERE fix = ?1 AND step = ?2")?.execute([fix, step])?;
    for (n, image) in images.iter().enumerate() {
        connection
            .prepare_cached("INSERT INTO fix_images (fix, step, n, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![fix, step, n as i64, json(image)?])?;
    }
    Ok(())
}

pub(super) fn put_output(connection: &Connection, line: &FixOutput) -> Result<(), Stop> {
    let fix = written(line.id.as_str(), FixId::PREFIX)?;
    connection
        .prepare_cached("INSERT INTO fix_output (fix, number, step, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![fix, line.number as i64, line.step, json(line)?])?;
    Ok(())
}

pub(super) fn suppress(connection: &Connection, suppression: &Suppression) -> Result<(), Stop> {
    let number = written(suppression.id.raw(), SUPPRESSION)?;
    connection
        .prepare_cached(
            "INSERT INTO suppressions (number, definition, target, lifted, body) VALUES (?1, ?2, ?3, 0, ?4)",
        )?
        .execute(params![number, suppression.definition_id.raw(), suppression.target.raw(), json(suppression)?])?;
    Ok(())
}

pub(super) fn lift(connection: &Connection, id: &str) -> Result<(), Stop> {
    let number = written(id, SUPPRESSION)?;
    connection.prepare_cached("UPDATE suppressions SET lifted = 1 WHERE number = ?1")?.execute([number])?;
    Ok(())
}

pub(super) fn put_window(connection: &Connection, window: &Maintenance) -> Result<(), Stop> {
    let number = written(window.id.raw(), WINDOW)?;
    connection
        .prepare_cached("INSERT INTO maintenance (number, until, body) VALUES (?1, ?2, ?3)")?
        .execute(params![number, window.until.millis(), json(window)?])?;
    Ok(())
}

/// It stays with its number, which is given once; no time comes at which it is read again, whatever the clock
/// does. When it was ended stands in the audit.
pub(super) fn end_window(connection: &Connection, id: &str) -> Result<(), Stop> {
    let number = written(id, WINDOW)?;
    connection.prepare_cached("UPDATE maintenance SET until = 0 WHERE number = ?1")?.execute([number])?;
    Ok(())
}

pub(super) fn one(connection: &Connection, id: &FixId) -> Result<Option<FixState>, StoreError> {
    let Some(number) = number(id) else { return Ok(None) };
    Ok(bodies(connection, "SELECT body FROM fixes WHERE number = ?1", vec![number.into()], "fix")?.pop())
}

fn open_of(connection: &Connection, target: &str) -> Result<Option<FixState>, StoreError> {
    let open = "SELECT body FROM fixes WHERE target = ?1 AND open = 1";
    Ok(bodies(connection, open, vec![target.to_owned().into()], "fix")?.pop())
}

pub(super) fn recent(connection: &Connection, ended: u32) -> Result<Vec<FixState>, StoreError> {
    let both = "SELECT body FROM fixes WHERE open = 1
                UNION ALL SELECT body FROM (SELECT body FROM fixes WHERE open = 0 ORDER BY number DESC LIMIT ?1)";
    bodies(connection, both, vec![i64::from(ended).into()], "fix")
}

pub(super) fn proposed(
    connection: &Connection,
    definition: &str,
    target: &str,
    since: Timestamp,
) -> Result<Vec<FixState>, StoreError> {
    let lately = "SELECT body FROM fixes WHERE definition = ?1 AND target = ?2 AND created_at > ?3
                  ORDER BY number DESC LIMIT ?4";
    let values = vec![definition.to_owned().into(), target.to_owned().into(), since.millis().into(), MOST.into()];
    bodies(connection, lately, values, "fix")
}

pub(super) fn query(connection: &Connection, ask: &FixQuery) -> Result<FoundFixes, StoreError> {
    let limit = ask.limit.max(1);
    let (mut sql, mut values) = ("SELECT body FROM fixes WHERE number < ?1".to_owned(), Vec::new());
    let before = ask.after.and_then(|after| i64::try_from(after).ok()).unwrap_or(i64::MAX);
    values.push(Value::from(before));
    let mut only = |clause: &str, value: String| {
        sql.push_str(clause);
        values.push(value.into());
    };
    if !ask.status.is_empty() {
        let words: Vec<&str> = ask.status.iter().copied().map(FixStatus::word).collect();
        let words = serde_json::to_string(&words).map_err(|_| StoreError::Row("status"))?;
        only(" AND status IN (SELECT value FROM json_each(?))", words);
    }
    if let Some(alert) = &ask.alert {
        only(" AND alert = ?", alert.to_string());
    }
    if let Some(definition) = &ask.definition {
        only(" AND definition = ?", definition.clone());
    }
    if let Some(approver) = &ask.approved_by {
        only(" AND number IN (SELECT fix FROM fix_approvals WHERE principal = ?)", approver.clone());
    }
    sql.push_str(" ORDER BY number DESC LIMIT ?");
    values.push(i64::from(limit.saturating_add(1)).into());
    let mut states: Vec<FixState> = bodies(connection, &sql, values, "fix")?;
    let more = states.len() > limit as usize;
    states.truncate(limit as usize);
    let last = states.last().and_then(|state| number_in(state.fix.id.as_str(), FixId::PREFIX));
    Ok(FoundFixes { items: states.into_iter().map(|state| state.fix).collect(), next: last.filter(|_| more) })
}

pub(super) fn numbers(connection: &Connection) -> Result<FixNumbers, StoreError> {
    let greatest = "SELECT (SELECT coalesce(max(number), 0) FROM fixes),
                           (SELECT coalesce(max(number), 0) FROM suppressions),
                           (SELECT coalesce(max(number), 0) FROM maintenance)";
    let read = |row: &Row<'_>| {
        let number = |at: usize| row.get::<_, i64>(at).map(|number| number as u64);
        Ok(FixNumbers { fix: number(0)?, suppression: number(1)?, window: number(2)? })
    };
    connection.query_row(greatest, [], read).map_err(doing("count fixes"))
}

pub(super) fn fence(connection: &Connection, target: &str) -> Result<u64, StoreError> {
    let kept = "SELECT fence FROM fix_targets WHERE target = ?1";
    let found = read::one(connection, kept, target, |row| row.get::<_, i64>(0)).map_err(doing("read a fence"))?;
    Ok(found.unwrap_or(0) as u64)
}

pub(super) fn images(connection: &Connection, id: &FixId, step: usize) -> Result<Vec<BeforeImage>, StoreError> {
    let Some(number) = number(id) else { return Ok(Vec::new()) };
    let kept = "SELECT body FROM fix_images WHERE fix = ?1 AND step = ?2 ORDER BY n";
    bodies(connection, kept, vec![number.into(), (step as i64).into()], "image")
}

pub(super) fn output(
    connection: &Connection,
    id: &FixId,
    step: Option<u32>,
    after: u64,
    limit: u32,
) -> Result<Vec<FixOutput>, StoreError> {
    let Some(number) = number(id) else { return Ok(Vec::new()) };
    let kept = "SELECT body FROM fix_output WHERE fix = ?1 AND number > ?2 AND (?3 < 0 OR step = ?3)
                ORDER BY number LIMIT ?4";
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let values = [number, after, step.map_or(-1, i64::from), i64::from(limit)];
    bodies(connection, kept, values.map(Value::from).to_vec(), "line of output")
}

/// Of its fixes, those that ran to an end of which somebody could tell whether it was a good one; of the alerts they
/// were for, those that a person closed.
pub(super) fn record(connection: &Connection, definition: &str) -> Result<Record, StoreError> {
    let counted = "
        SELECT
            (SELECT count(*) FROM fixes WHERE definition = ?1
                AND status IN ('executed', 'failed', 'rolled_back', 'closed_manually')
                AND (status <> 'executed' OR json_extract(body, '$.work.unwatched') IS NULL)),
            (SELECT count(*) FROM fixes WHERE definition = ?1 AND status = 'executed'
                AND json_extract(body, '$.work.unwatched') IS NULL),
            (SELECT count(*) FROM alerts WHERE id IN (SELECT alert FROM fixes WHERE definition = ?1)
                AND (status = 'false_positive' OR
                    (status = 'resolved' AND json_extract(body, '$.alert.resolvedBy') <> ?2))),
            (SELECT count(*) FROM alerts WHERE id IN (SELECT alert FROM fixes WHERE definition = ?1)
                AND status = 'false_positive')";
    let read = |row: &Row<'_>| {
        Ok(Record { runs: row.get(0)?, good: row.get(1)?, marked: row.get(2)?, false_positive: row.get(3)? })
    };
    let found = connection.prepare_cached(counted).and_then(|mut asked| asked.query_row([definition, SYSTEM], read));
    found.map_err(doing("count how a fix fared"))
}

pub(super) fn suppressions(connection: &Connection) -> Result<Vec<Suppression>, StoreError> {
    let standing = "SELECT body FROM suppressions WHERE lifted = 0 ORDER BY number";
    bodies(connection, standing, Vec::new(), "suppression")
}

pub(super) fn maintenance(connection: &Connection, now: Timestamp) -> Result<Vec<Maintenance>, StoreError> {
    let standing = "SELECT body FROM maintenance WHERE until > ?1 ORDER BY number";
    bodies(connection, standing, vec![now.millis().into()], "maintenance window")
}

/// The bodies that a question finds.
pub(super) fn bodies<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
    what: &'static str,
) -> Result<Vec<T>, StoreError> {
    let failed = doing("read kept rows");
    let mut asked = connection.prepare_cached(sql).map_err(&failed)?;
    let rows = asked.query_map(params_from_iter(values), |row| row.get::<_, String>(0)).map_err(&failed)?;
    rows.map(|body| from_json(&body.map_err(&failed)?, what)).collect()
}
