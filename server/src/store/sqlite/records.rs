//! Alerts in short: what figures over many of them need, without reading their bodies whole.

use rusqlite::{Connection, Params, Row};
use serde_json::Value;
use stella_protocol::{Status, Text, Timestamp};

use super::doing;
use super::read::from_json;
use crate::store::{AlertRecord, StoreError};

/// When somebody took an alert first stands in the audit alone: an alert forgets it when it is let go. The words
/// are those of the index.
const RECORD: &str = "
SELECT a.id, a.fingerprint, a.type, a.status, a.created_at,
       a.body ->> '$.alert.ruleId', a.body ->> '$.alert.service', a.body ->> '$.alert.operation',
       a.body ->> '$.alert.resolvedBy', a.body ->> '$.alert.firstSeen', a.body ->> '$.alert.lastSeen',
       (SELECT min(at) FROM audit
        WHERE object = a.id AND verdict = 'done' AND verb IN ('acknowledge', 'take-over'))
FROM alerts a";
const IN_ORDER: &str = "ORDER BY a.created_at, a.id";

pub(super) fn all(connection: &Connection) -> Result<Vec<AlertRecord>, StoreError> {
    list(connection, &format!("{RECORD} {IN_ORDER}"), [])
}

pub(super) fn of(connection: &Connection, fingerprints: &[&str]) -> Result<Vec<AlertRecord>, StoreError> {
    let sql = format!("{RECORD} WHERE a.fingerprint IN (SELECT value FROM json_each(?1)) {IN_ORDER}");
    list(connection, &sql, [Value::from(fingerprints).to_string()])
}

fn list(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<AlertRecord>, StoreError> {
    let failed = doing("list alerts in short");
    let mut listed = connection.prepare_cached(sql).map_err(&failed)?;
    let mut rows = listed.query(params).map_err(&failed)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        records.push(record(&raw(row).map_err(&failed)?)?);
    }
    Ok(records)
}

/// A row as it stands.
struct Raw {
    texts: [String; 4],
    created_at: i64,
    named: [Option<String>; 6],
    acknowledged_at: Option<i64>,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        texts: [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?],
        created_at: row.get(4)?,
        named: [row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?],
        acknowledged_at: row.get(11)?,
    })
}

fn record(raw: &Raw) -> Result<AlertRecord, StoreError> {
    let [id, fingerprint, kind, status] = &raw.texts;
    let [rule_id, service, operation, closed_by, first_seen, last_seen] = &raw.named;
    let word = |word: &str| Value::String(word.to_owned()).to_string();
    let time =
        |text: &Option<String>| text.as_deref().and_then(Timestamp::parse).ok_or(StoreError::Row("time of an alert"));
    Ok(AlertRecord {
        id: id.parse().map_err(|_| StoreError::Row("id of an alert"))?,
        fingerprint: fingerprint.clone(),
        kind: from_json(&word(kind), "alert")?,
        rule_id: rule_id.clone().unwrap_or_default(),
        service: service.clone().unwrap_or_default(),
        operation: operation.clone(),
        status: from_json::<Status>(&word(status), "alert")?,
        closed_by: closed_by.clone().map(Text::from),
        first_seen: time(first_seen)?,
        last_seen: time(last_seen)?,
        created_at: Timestamp::from_millis(raw.created_at),
        acknowledged_at: raw.acknowledged_at.map(Timestamp::from_millis),
    })
}
