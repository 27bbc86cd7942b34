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

/// Fixes are never deleted, so their numbers stay dense and order them by age. `fix_approvals` is what the
/// bodies say, once more, to be found by approver.
const FIXES: &str = "
CREATE TABLE fixes (
    number INTEGER PRIMARY KEY,
    status TEXT NOT NULL,
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    target TEXT NOT NULL,
    definition TEXT NOT NULL,
    alert TEXT,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX fixes_one_open ON fixes (target) WHERE open = 1;
CREATE INDEX fixes_status ON fixes (status, number);
CREATE INDEX fixes_open ON fixes (open, number);
CREATE INDEX fixes_alert ON fixes (alert, number);
CREATE INDEX fixes_definition ON fixes (definition, number);

CREATE TABLE fix_approvals (
    fix INTEGER NOT NULL REFERENCES fixes (number),
    principal TEXT NOT NULL,
    PRIMARY KEY (fix, principal)
) STRICT;
CREATE INDEX fix_approvals_mine ON fix_approvals (principal, fix);

CREATE TABLE fix_targets (
    target TEXT PRIMARY KEY,
    fence INTEGER NOT NULL
) STRICT;

CREATE TABLE fix_images (
    fix INTEGER NOT NULL REFERENCES fixes (number),
    step INTEGER NOT NULL,
    n INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (fix, step, n)
) STRICT;

CREATE TABLE fix_output (
    fix INTEGER NOT NULL REFERENCES fixes (number),
    number INTEGER NOT NULL,
    step INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (fix, number)
) STRICT;

CREATE TABLE suppressions (
    number INTEGER PRIMARY KEY,
    definition TEXT NOT NULL,
    target TEXT NOT NULL,
    lifted INTEGER NOT NULL CHECK (lifted IN (0, 1)),
    body TEXT NOT NULL
) STRICT;
CREATE INDEX suppressions_standing ON suppressions (number) WHERE lifted = 0;

CREATE TABLE maintenance (
    number INTEGER PRIMARY KEY,
    until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX maintenance_until ON maintenance (until);
";

/// As fixes, migrations are never deleted. One at a time holds the store of a target. Their fences stand in
/// `fix_targets`, under the target's name with `documents:` before it.
const MIGRATIONS: &str = "
CREATE TABLE migrations (
    number INTEGER PRIMARY KEY,
    status TEXT NOT NULL,
    unfinished INTEGER NOT NULL CHECK (unfinished IN (0, 1)),
    holds INTEGER NOT NULL CHECK (holds IN (0, 1)),
    target TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX migrations_one_holds ON migrations (target) WHERE holds = 1;
CREATE INDEX migrations_status ON migrations (status, number);
CREATE INDEX migrations_unfinished ON migrations (unfinished, number);
";

/// When each alert was acknowledged first, without a walk through the whole audit.
const RULES: &str = "
CREATE INDEX audit_acknowledged ON audit (object, at)
    WHERE verdict = 'done' AND verb IN ('acknowledge', 'take-over');
";

/// What people called false, deploys, and the ways to alerts that began together or look alike. Times in bodies
/// sort as they are written.
const EVIDENCE: &str = "
CREATE TABLE marks (
    fingerprint TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    stands INTEGER NOT NULL CHECK (stands IN (0, 1)),
    written_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE deploys (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    written_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX deploys_at ON deploys (at, number);
CREATE INDEX deploys_written ON deploys (written_at);

CREATE INDEX alerts_begun ON alerts (json_extract(body, '$.alert.firstSeen'));
CREATE INDEX alerts_like ON alerts (type, created_at, id) WHERE open = 0;
";

fn steps() -> Migrations<'static> {
    Migrations::new(vec![M::up(FIRST), M::up(FIXES), M::up(MIGRATIONS), M::up(RULES), M::up(EVIDENCE)])
}

/// Makes the tables, or brings those of an older server up to date.
pub(super) fn bring_up_to_date(connection: &mut Connection) -> Result<(), StoreError> {
    steps().to_latest(connection).map_err(StoreError::Schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_can_be_made() {
        assert!(steps().validate().is_ok());
    }

    #[test]
    fn the_tables_of_an_older_server_are_brought_up_to_date() {
        let old = Connection::open_in_memory().and_then(|mut connection| {
            let made = Migrations::new(vec![M::up(FIRST)]).to_latest(&mut connection);
            assert!(made.is_ok(), "{made:?}");
            connection.execute("INSERT INTO meta (name, value) VALUES ('applied_line', '7')", [])?;
            assert!(bring_up_to_date(&mut connection).is_ok());
            connection.execute("INSERT INTO fix_targets (target, fence) VALUES ('t', 1)", [])?;
            connection.execute("DELETE FROM migrations", [])?;
            connection.execute("DELETE FROM deploys", [])?;
            connection.query_row("SELECT value FROM meta", [], |row| row.get::<_, String>(0))
        });
        assert_eq!(old.ok().as_deref(), Some("7"));
    }
}
