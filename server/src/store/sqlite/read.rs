//! Every question that the store answers. Each function is one consistent look.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;
use stella_protocol::command::Action;
use stella_protocol::query::Query;
use stella_protocol::searchable::AlertView;
use stella_protocol::{ActionId, Alert, AlertId, Cursor, Evidence, Role, Text, Timestamp};

use super::doing;
use crate::alerts::AlertState;
use crate::store::{
    ActionRecord, AlertKey, AlertQuery, Answered, AuditBroken, AuditRow, Found, Head, Meta, Replay, Scope, Sort,
    StoreError, StoredEvent, StoredToken, Undoable,
};

/// Most rows that one page of a filtered list looks at: a filter that fits nothing costs this much.
const SCAN: usize = 20_000;
/// Most bytes of event bodies on one page.
const EVENT_PAGE: usize = 1 << 20;

pub(super) fn alert(connection: &Connection, id: &AlertId) -> Result<Option<AlertState>, StoreError> {
    state(connection, "SELECT body FROM alerts WHERE id = ?1", id.as_str())
}

pub(super) fn latest(connection: &Connection, fingerprint: &str) -> Result<Option<AlertState>, StoreError> {
    const LATEST: &str = "SELECT body FROM alerts WHERE fingerprint = ?1
                          ORDER BY open DESC, written_at DESC, episode DESC LIMIT 1";
    state(connection, LATEST, fingerprint)
}

fn state(connection: &Connection, sql: &str, name: &str) -> Result<Option<AlertState>, StoreError> {
    let body = one(connection, sql, name, |row| row.get::<_, String>(0)).map_err(doing("read an alert"))?;
    body.map(|body| from_json(&body, "alert")).transpose()
}

/// The one row of a question by name, if there is one.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    name: &str,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    connection.prepare_cached(sql)?.query_row([name], read).optional()
}

pub(super) fn from_json<T: DeserializeOwned>(json: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|_| StoreError::Row(what))
}

pub(super) fn episodes(connection: &Connection, fingerprint: &str) -> Result<u32, StoreError> {
    let greatest = "SELECT coalesce(max(episode), 0) FROM alerts WHERE fingerprint = ?1";
    let found = one(connection, greatest, fingerprint, |row| row.get(0)).map_err(doing("count episodes"))?;
    Ok(found.unwrap_or(0))
}

pub(super) fn recent(connection: &Connection, closed_since: Timestamp) -> Result<Vec<AlertState>, StoreError> {
    let failed = doing("read the recent alerts");
    let mut found = connection
        .prepare_cached(
            "SELECT body FROM alerts WHERE open = 1
             UNION ALL SELECT body FROM alerts WHERE open = 0 AND closed_at >= ?1",
        )
        .map_err(&failed)?;
    let bodies = found.query_map([closed_since.millis()], |row| row.get::<_, String>(0)).map_err(&failed)?;
    bodies.map(|body| from_json(&body.map_err(&failed)?, "alert")).collect()
}

pub(super) fn query(connection: &Connection, ask: &AlertQuery) -> Result<Found, StoreError> {
    let failed = doing("list alerts");
    let mut listed = listing(connection, ask).map_err(&failed)?;
    let key = ask.after.clone();
    let (open, rank, created, id) = match &key {
        Some(key) => (i64::from(key.open), i64::from(key.rank), key.created_at.millis(), key.id.as_str()),
        None => (2, i64::MAX, i64::MAX, ""),
    };
    let mut rows = match ask.sort {
        Sort::Severity => listed.query(params![open, rank, created, id]),
        Sort::Newest => listed.query(params![created, id]),
    }
    .map_err(&failed)?;
    let (limit, mut found, mut last) = (ask.limit.max(1) as usize, Found::default(), None);
    for _ in 0..SCAN {
        let Some(row) = rows.next().map_err(&failed)? else { return Ok(found) };
        let body: String = row.get(0).map_err(&failed)?;
        let state: AlertState = from_json(&body, "alert")?;
        if found.items.len() == limit {
            found.next = last;
            return Ok(found);
        }
        last = Some(AlertKey::of(&state.alert));
        if fits(&state.alert, &ask.query, ask) {
            found.items.push(state.alert);
        }
    }
    found.next = last;
    Ok(found)
}

fn fits(alert: &Alert, query: &Query, ask: &AlertQuery) -> bool {
    query.matches(&AlertView { alert, now: ask.now, me: &ask.me })
}

/// Every list is read along an index, newest or worst first, from a key on.
fn listing<'c>(connection: &'c Connection, ask: &AlertQuery) -> rusqlite::Result<CachedStatement<'c>> {
    connection.prepare_cached(match (ask.sort, ask.scope) {
        (Sort::Severity, Scope::All) => {
            "SELECT body FROM alerts WHERE (open, severity, created_at, id) < (?1, ?2, ?3, ?4)
             ORDER BY open DESC, severity DESC, created_at DESC, id DESC"
        }
        (Sort::Severity, Scope::Open) => {
            "SELECT body FROM alerts WHERE open = 1 AND (open, severity, created_at, id) < (?1, ?2, ?3, ?4)
             ORDER BY open DESC, severity DESC, created_at DESC, id DESC"
        }
        (Sort::Newest, Scope::All) => {
            "SELECT body FROM alerts WHERE (created_at, id) < (?1, ?2) ORDER BY created_at DESC, id DESC"
        }
        (Sort::Newest, Scope::Open) => {
            "SELECT body FROM alerts WHERE open = 1 AND (created_at, id) < (?1, ?2)
             ORDER BY created_at DESC, id DESC"
        }
    })
}

pub(super) fn evidence(connection: &Connection, id: &AlertId) -> Result<Option<Evidence>, StoreError> {
    let kept =
        one(connection, "SELECT body FROM evidence WHERE alert = ?1", id.as_str(), |row| row.get::<_, String>(0));
    kept.map_err(doing("read evidence"))?.map(|body| from_json(&body, "evidence")).transpose()
}

pub(super) fn head(connection: &Connection) -> Result<Head, StoreError> {
    let found = connection.prepare_cached("SELECT epoch, head, oldest FROM feed").and_then(|mut feed| {
        feed.query_row([], |row| {
            let cursor = Cursor { epoch: row.get::<_, i64>(0)? as u64, seq: row.get::<_, i64>(1)? as u64 };
            Ok(Head { cursor, oldest: row.get::<_, i64>(2)? as u64 })
        })
    });
    found.map_err(doing("read where the feed stands"))
}

pub(super) fn events(connection: &Connection, after: u64, limit: u32) -> Result<Replay, StoreError> {
    let failed = doing("read events");
    let look = connection.unchecked_transaction().map_err(&failed)?;
    let oldest = head(&look)?.oldest;
    if after.saturating_add(1) < oldest {
        return Ok(Replay::Expired { oldest });
    }
    let mut next = look
        .prepare_cached("SELECT seq, kind, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")
        .map_err(&failed)?;
    let mut rows = next.query([i64::try_from(after).unwrap_or(i64::MAX), i64::from(limit)]).map_err(&failed)?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(&failed)? {
        let event = event(row).map_err(&failed)?;
        bytes += event.body.len();
        page.push(event);
        if bytes > EVENT_PAGE {
            break;
        }
    }
    Ok(Replay::Page(page))
}

fn event(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent { seq: row.get::<_, i64>(0)? as u64, kind: row.get(1)?, body: row.get(2)? })
}

pub(super) fn answer(connection: &Connection, principal: &str, key: &str) -> Result<Option<Answered>, StoreError> {
    let found = connection
        .prepare_cached("SELECT digest, body FROM answers WHERE principal = ?1 AND key = ?2")
        .and_then(|mut known| {
            let read = |row: &Row<'_>| Ok(Answered { digest: row.get(0)?, body: row.get(1)? });
            known.query_row([principal, key], read).optional()
        });
    found.map_err(doing("look up a key"))
}

pub(super) fn action(connection: &Connection, id: &ActionId) -> Result<Option<ActionRecord>, StoreError> {
    let Some(number) = id.as_str().strip_prefix(ActionId::PREFIX).and_then(|number| number.parse::<i64>().ok()) else {
        return Ok(None);
    };
    let found = connection.prepare_cached("SELECT action, undoable, undone FROM actions WHERE number = ?1").and_then(
        |mut kept| {
            let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?));
            kept.query_row([number], read).optional()
        },
    );
    let Some((action, undoable, undone)) = found.map_err(doing("read an action"))? else { return Ok(None) };
    let undoable: Vec<Undoable> = from_json(&undoable, "action")?;
    Ok(Some(ActionRecord { number: number as u64, action: from_json(&action, "action")?, undoable, undone }))
}

pub(super) fn actions(connection: &Connection, mine: Option<&str>, limit: u32) -> Result<Vec<Action>, StoreError> {
    let failed = doing("list actions");
    let (sql, who) = match mine {
        Some(who) => ("SELECT action, undone FROM actions WHERE principal = ?1 ORDER BY number DESC LIMIT ?2", who),
        None => ("SELECT action, undone FROM actions WHERE ?1 = '' ORDER BY number DESC LIMIT ?2", ""),
    };
    let mut listed = connection.prepare_cached(sql).map_err(&failed)?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?));
    let rows = listed.query_map(params![who, limit], read).map_err(&failed)?;
    rows.map(|row| {
        let (action, undone) = row.map_err(&failed)?;
        let mut action: Action = from_json(&action, "action")?;
        action.undo_until = action.undo_until.filter(|_| !undone);
        Ok(action)
    })
    .collect()
}

pub(super) fn last_action(connection: &Connection) -> Result<u64, StoreError> {
    let last = connection.query_row("SELECT coalesce(max(number), 0) FROM actions", [], |row| row.get::<_, i64>(0));
    last.map(|number| number as u64).map_err(doing("count actions"))
}

pub(super) fn meta(connection: &Connection, key: Meta) -> Result<Option<String>, StoreError> {
    one(connection, "SELECT value FROM meta WHERE name = ?1", key.name(), |row| row.get(0))
        .map_err(doing("read a note"))
}

pub(super) fn tokens(connection: &Connection) -> Result<Vec<StoredToken>, StoreError> {
    let failed = doing("list tokens");
    let mut listed = connection
        .prepare_cached(
            "SELECT fingerprint, name, role, recording, created_at, expires_at, revoked_at FROM tokens
             ORDER BY created_at, name",
        )
        .map_err(&failed)?;
    let rows = listed.query_map([], token).map_err(&failed)?;
    rows.map(|row| row.map_err(&failed)).collect()
}

fn token(row: &Row<'_>) -> rusqlite::Result<StoredToken> {
    let time = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis));
    let role: String = row.get(2)?;
    Ok(StoredToken {
        fingerprint: row.get(0)?,
        name: Text::new(row.get::<_, String>(1)?),
        role: Role::ALL.into_iter().find(|known| known.word() == role).unwrap_or(Role::Unknown),
        recording: row.get(3)?,
        created_at: Timestamp::from_millis(row.get(4)?),
        expires_at: time(5)?,
        revoked_at: time(6)?,
    })
}

const AUDIT: &str =
    "SELECT seq, at, principal, role, verb, object, version_before, version_after, key, verdict, detail,
                            previous, hash
                     FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";

pub(super) fn audit(connection: &Connection, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
    let failed = doing("list audit rows");
    let mut listed = connection.prepare_cached(AUDIT).map_err(&failed)?;
    let rows = listed.query_map([after as i64, i64::from(limit)], audit_row).map_err(&failed)?;
    rows.map(|row| row.map_err(&failed)).collect()
}

/// Number and hash of the last audit row; zeros when there is none.
pub(super) fn audit_end(connection: &Connection) -> rusqlite::Result<(u64, [u8; 32])> {
    let last = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let found = connection.query_row(last, [], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))).optional()?;
    Ok(found.unwrap_or((0, [0; 32])))
}

pub(super) fn verify_audit(connection: &Connection) -> Result<Result<u64, AuditBroken>, StoreError> {
    let failed = doing("verify the audit chain");
    let mut listed = connection.prepare_cached(AUDIT).map_err(&failed)?;
    let mut rows = listed.query([0, i64::MAX]).map_err(&failed)?;
    let mut previous = (0, [0; 32]);
    while let Some(row) = rows.next().map_err(&failed)? {
        let row = audit_row(row).map_err(&failed)?;
        if !row.follows(previous) {
            return Ok(Err(AuditBroken { seq: previous.0 + 1 }));
        }
        previous = (row.seq, row.hash);
    }
    Ok(Ok(previous.0))
}

fn audit_row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    let text = |at: usize| row.get::<_, String>(at).map(Text::new);
    Ok(AuditRow {
        seq: row.get::<_, i64>(0)? as u64,
        at: Timestamp::from_millis(row.get(1)?),
        principal: text(2)?,
        role: row.get(3)?,
        verb: row.get(4)?,
        object: row.get(5)?,
        versions: (row.get::<_, i64>(6)? as u64, row.get::<_, i64>(7)? as u64),
        key: text(8)?,
        verdict: row.get(9)?,
        detail: text(10)?,
        previous: row.get(11)?,
        hash: row.get(12)?,
    })
}
