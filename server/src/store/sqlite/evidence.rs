//! What stands around an alert: deploys, what began with it, what looks like it, what people called false.

use rusqlite::{Connection, Params, params};
use serde::de::DeserializeOwned;
use stella_protocol::{Alert, Deploy, Timestamp};

use super::doing;
use super::read::from_json;
use super::write::{Stop, json};
use crate::alerts::AlertState;
use crate::marks::Marked;
use crate::store::{LOOKED_AT, StoreError};

pub(super) fn put_mark(connection: &Connection, marked: &Marked, at: Timestamp) -> Result<(), Stop> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO marks (fingerprint, number, stands, written_at, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            marked.fingerprint.raw(),
            marked.number as i64,
            marked.lesson.is_some(),
            at.millis(),
            json(marked)?
        ])?;
    Ok(())
}

pub(super) fn put_deploy(connection: &Connection, deploy: &Deploy, at: Timestamp) -> Result<(), Stop> {
    connection.prepare_cached("INSERT INTO deploys (at, written_at, body) VALUES (?1, ?2, ?3)")?.execute(params![
        deploy.at.millis(),
        at.millis(),
        json(deploy)?
    ])?;
    Ok(())
}

pub(super) fn marks(connection: &Connection) -> Result<Vec<Marked>, StoreError> {
    bodies(connection, "SELECT body FROM marks ORDER BY number", [], "mark")
}

pub(super) fn deploys(
    connection: &Connection,
    (from, to): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<Deploy>, StoreError> {
    let sql = "SELECT body FROM deploys WHERE at BETWEEN ?1 AND ?2 ORDER BY at DESC, number DESC LIMIT ?3";
    bodies(connection, sql, params![from.millis(), to.millis(), limit], "deploy")
}

pub(super) fn begun(
    connection: &Connection,
    (from, to): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<AlertState>, StoreError> {
    let sql = "SELECT body FROM alerts WHERE json_extract(body, '$.alert.firstSeen') BETWEEN ?1 AND ?2
               ORDER BY json_extract(body, '$.alert.firstSeen'), id LIMIT ?3";
    bodies(connection, sql, params![from.to_string(), to.to_string(), limit], "alert")
}

pub(super) fn similar(connection: &Connection, alert: &Alert, limit: usize) -> Result<Vec<AlertState>, StoreError> {
    let sql = "SELECT body FROM alerts WHERE fingerprint = ?1 AND id <> ?2 AND open = 0
               ORDER BY created_at DESC, episode DESC LIMIT ?3";
    let same = params![alert.fingerprint.raw(), alert.id.as_str(), limit as i64];
    let mut found: Vec<AlertState> = bodies(connection, sql, same, "alert")?;
    if found.len() < limit {
        let sql = "SELECT body FROM alerts WHERE type = ?1 AND open = 0 ORDER BY created_at DESC, id DESC LIMIT ?2";
        let of_type: Vec<AlertState> = bodies(connection, sql, params![alert.kind.word(), LOOKED_AT as i64], "alert")?;
        let alike = of_type.into_iter().filter(|other| is_alike(&other.alert, alert));
        found.extend(alike.take(limit - found.len()));
    }
    Ok(found)
}

/// The same rule for the same service and operation, in another problem.
fn is_alike(other: &Alert, alert: &Alert) -> bool {
    let place = |alert: &Alert| (alert.rule_id.clone(), alert.service.clone(), alert.operation.clone());
    other.fingerprint != alert.fingerprint && place(other) == place(alert)
}

fn bodies<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    what: &'static str,
) -> Result<Vec<T>, StoreError> {
    let failed = doing("read what stands around alerts");
    let mut listed = connection.prepare_cached(sql).map_err(&failed)?;
    let rows = listed.query_map(params, |row| row.get::<_, String>(0)).map_err(&failed)?;
    rows.map(|body| from_json(&body.map_err(&failed)?, what)).collect()
}
