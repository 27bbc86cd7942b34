//! The tables. A step that was released is never changed: a new one is added behind it.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use crate::store::StoreError;

/// Severity is kept as a rank (as a word it sorts wrongly), `open` as a number for the indexes.
const FIRST: &str = "
CREATE TABLE feed (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,
    head INTEGER NOT NULL,
    oldest INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    episode INTEGER NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    severity INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    closed_at INTEGER,
    written_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (fingerprint, episode)
) STRICT;
CREATE UNIQUE INDEX alerts_one_open ON alerts (fingerprint) WHERE open = 1;
CREATE INDEX alerts_severity ON alerts (open, severity, created_at, id);
CREATE INDEX alerts_open_newest ON alerts (open, created_at, id);
CREATE INDEX alerts_newest ON alerts (created_at, id);
CREATE INDEX alerts_closed ON alerts (closed_at) WHERE open = 0;
CREATE INDEX alerts_written ON alerts (written_at) WHERE open = 0;

CREATE TABLE evidence (
    alert TEXT PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE actions (
    number INTEGER PRIMARY KEY,
    principal TEXT NOT NULL,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    undoable TEXT NOT NULL,
    undone INTEGER NOT NULL CHECK (undone IN (0, 1))
) STRICT;
CREATE INDEX actions_mine ON actions (principal, number);

CREATE TABLE answers (
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (principal, key)
) STRICT;
CREATE INDEX answers_age ON answers (at);

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    principal TEXT NOT NULL,
    role TEXT NOT NULL,
    verb TEXT NOT NULL,
    object TEXT NOT NULL,
    version_before INTEGER NOT NULL,
    version_after INTEGER NOT NULL,
    key TEXT NOT NULL,
    verdict TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows stay as they are'); END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows stay where they are'); END;

CREATE TABLE tokens (
    fingerprint BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    recording INTEGER NOT NULL CHECK (recording IN (0, 1)),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
";

/// Makes the tables, or brings those of an older server up to date.
pub(super) fn bring_up_to_date(connection: &mut Connection) -> Result<(), StoreError> {
    Migrations::new(vec![M::up(FIRST)]).to_latest(connection).map_err(StoreError::Schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_can_be_made() {
        assert!(Migrations::new(vec![M::up(FIRST)]).validate().is_ok());
    }
}
