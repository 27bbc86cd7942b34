//! The store on `SQLite`: one file, one writer, four readers.
//!
//! WAL with synchronous FULL: what `commit_all` acknowledged survives a power loss, and the store does
//! not open when the database will not promise that. Readers see one committed state each, and never
//! wait for the writer.

mod evidence;
mod fixes;
#[cfg(test)]
mod kill;
mod migrations;
mod read;
mod records;
mod schema;
mod sweep;
mod write;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::Rng;
use rusqlite::Connection;
use stella_protocol::command::Action;
use stella_protocol::fix::{Maintenance, Record, Suppression};
use stella_protocol::{ActionId, Alert, AlertId, Deploy, Evidence, FixId, FixOutput, MigrationId, Timestamp};

use super::lock::FolderLock;
use super::{
    ActionRecord, AlertQuery, AlertRecord, Answered, AuditBroken, AuditRow, Commit, FixNumbers, FixQuery, Found,
    FoundFixes, FoundMigrations, Head, Meta, MigrationQuery, Replay, Retention, Store, StoreError, StoredToken, Tx,
};
use crate::alerts::AlertState;
use crate::marks::Marked;
use crate::migrate::MigrationState;
use crate::remedy::{BeforeImage, FixState};
use crate::sqlite;
use write::Writer;

/// Connections that read, so that a long list does not hold up a short look.
const READERS: usize = 4;
/// Compiled statements kept by each connection: more than this module has.
const STATEMENTS: usize = 128;

/// The store's file in a data folder.
const FILE: &str = "stella.db";

/// What people called false, as the store in `folder` has it, of a server that may be running. Nothing is written.
///
/// # Errors
/// When there is no store, or it cannot be read.
pub fn kept_marks(folder: &Path) -> Result<Vec<Marked>, StoreError> {
    evidence::marks(&reader(&folder.join(FILE))?)
}

/// `stella.db` in a data folder that nobody else may use meanwhile.
#[derive(Debug)]
pub struct SqliteStore {
    // Before the writer: the last one to close the file empties its log, and whoever only reads cannot.
    readers: Vec<Mutex<Connection>>,
    writer: Mutex<Writer>,
    turn: AtomicUsize,
    _lock: FolderLock,
}

impl SqliteStore {
    /// Opens the store in `folder`, or makes one there; `now` (server time) names a new history.
    ///
    /// # Errors
    /// When another server has the folder, when a file is damaged or of a newer server, or when the
    /// database does not promise durability.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let lock = FolderLock::take(folder)?;
        let file = folder.join(FILE);
        let mut connection = Connection::open(&file).map_err(doing("open the database"))?;
        prepare(&connection)?;
        check(&connection)?;
        schema::bring_up_to_date(&mut connection)?;
        let writer = Writer::new(connection, fresh_epoch(now))?;
        let readers = (0..READERS).map(|_| reader(&file).map(Mutex::new)).collect::<Result<_, _>>()?;
        Ok(Self { writer: Mutex::new(writer), readers, turn: AtomicUsize::new(0), _lock: lock })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader that is free, else the next in turn.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        if let Some(free) = self.readers.iter().find_map(|reader| reader.try_lock().ok()) {
            return free;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len();
        self.readers[turn].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Epochs grow with time, so that a newer history never has the number of an older one.
fn fresh_epoch(now: Timestamp) -> u64 {
    let random: u64 = rand::rng().random_range(0..1000);
    (now.seconds().max(0) as u64) * 1000 + random
}

fn prepare(connection: &Connection) -> Result<(), StoreError> {
    let set =
        |name: &str, value: &str| connection.pragma_update(None, name, value).map_err(doing("set up the database"));
    connection.busy_timeout(sqlite::BUSY).map_err(doing("set up the database"))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    set("journal_mode", "wal")?;
    set("synchronous", "full")?;
    set("foreign_keys", "on")?;
    let ask = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
    let kept = [("journal_mode", "Text(\"wal\")"), ("synchronous", "Integer(2)"), ("foreign_keys", "Integer(1)")];
    for (name, wanted) in kept {
        let found = ask(name).map_err(doing("set up the database"))?;
        if format!("{found:?}") != wanted {
            return Err(StoreError::NotDurable);
        }
    }
    Ok(())
}

fn check(connection: &Connection) -> Result<(), StoreError> {
    let word = connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
    match word {
        Ok(word) if word == "ok" => Ok(()),
        _ => Err(StoreError::Damaged("stella.db")),
    }
}

fn reader(file: &Path) -> Result<Connection, StoreError> {
    sqlite::reader(file, STATEMENTS).map_err(doing("open the database"))
}

/// Names what was tried when the database refuses.
fn doing(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Database { doing, source }
}

impl Store for SqliteStore {
    fn commit_all(&self, txs: Vec<Tx>) -> Vec<Commit> {
        self.writer().commit_all(&txs)
    }

    fn alert(&self, id: &AlertId) -> Result<Option<AlertState>, StoreError> {
        read::alert(&self.reader(), id)
    }

    fn latest(&self, fingerprint: &str) -> Result<Option<AlertState>, StoreError> {
        read::latest(&self.reader(), fingerprint)
    }

    fn episodes(&self, fingerprint: &str) -> Result<u32, StoreError> {
        read::episodes(&self.reader(), fingerprint)
    }

    fn recent(&self, closed_since: Timestamp) -> Result<Vec<AlertState>, StoreError> {
        read::recent(&self.reader(), closed_since)
    }

    fn query(&self, ask: &AlertQuery) -> Result<Found, StoreError> {
        read::query(&self.reader(), ask)
    }

    fn alert_records(&self) -> Result<Vec<AlertRecord>, StoreError> {
        records::all(&self.reader())
    }

    fn alert_records_of(&self, fingerprints: &[&str]) -> Result<Vec<AlertRecord>, StoreError> {
        records::of(&self.reader(), fingerprints)
    }

    fn evidence(&self, id: &AlertId) -> Result<Option<Evidence>, StoreError> {
        read::evidence(&self.reader(), id)
    }

    fn events(&self, after: u64, limit: u32) -> Result<Replay, StoreError> {
        read::events(&self.reader(), after, limit)
    }

    fn head(&self) -> Result<Head, StoreError> {
        read::head(&self.reader())
    }

    fn answer(&self, principal: &str, key: &str) -> Result<Option<Answered>, StoreError> {
        read::answer(&self.reader(), principal, key)
    }

    fn action(&self, id: &ActionId) -> Result<Option<ActionRecord>, StoreError> {
        read::action(&self.reader(), id)
    }

    fn actions(&self, mine: Option<&str>, limit: u32) -> Result<Vec<Action>, StoreError> {
        read::actions(&self.reader(), mine, limit)
    }

    fn last_action(&self) -> Result<u64, StoreError> {
        read::last_action(&self.reader())
    }

    fn fix(&self, id: &FixId) -> Result<Option<FixState>, StoreError> {
        fixes::one(&self.reader(), id)
    }

    fn recent_fixes(&self, ended: u32) -> Result<Vec<FixState>, StoreError> {
        fixes::recent(&self.reader(), ended)
    }

    fn proposed(&self, definition: &str, target: &str, since: Timestamp) -> Result<Vec<FixState>, StoreError> {
        fixes::proposed(&self.reader(), definition, target, since)
    }

    fn fixes(&self, ask: &FixQuery) -> Result<FoundFixes, StoreError> {
        fixes::query(&self.reader(), ask)
    }

    fn fix_numbers(&self) -> Result<FixNumbers, StoreError> {
        fixes::numbers(&self.reader())
    }

    fn marks(&self) -> Result<Vec<Marked>, StoreError> {
        evidence::marks(&self.reader())
    }

    fn deploys(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<Deploy>, StoreError> {
        evidence::deploys(&self.reader(), (from, to), limit)
    }

    fn begun(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<AlertState>, StoreError> {
        evidence::begun(&self.reader(), (from, to), limit)
    }

    fn similar(&self, alert: &Alert, limit: usize) -> Result<Vec<AlertState>, StoreError> {
        evidence::similar(&self.reader(), alert, limit)
    }

    fn migration(&self, id: &MigrationId) -> Result<Option<MigrationState>, StoreError> {
        migrations::one(&self.reader(), id)
    }

    fn recent_migrations(&self, ended: u32) -> Result<Vec<MigrationState>, StoreError> {
        migrations::recent(&self.reader(), ended)
    }

    fn migrations(&self, ask: &MigrationQuery) -> Result<FoundMigrations, StoreError> {
        migrations::query(&self.reader(), ask)
    }

    fn last_migration(&self) -> Result<u64, StoreError> {
        migrations::last(&self.reader())
    }

    fn fence(&self, target: &str) -> Result<u64, StoreError> {
        fixes::fence(&self.reader(), target)
    }

    fn fix_images(&self, id: &FixId, step: usize) -> Result<Vec<BeforeImage>, StoreError> {
        fixes::images(&self.reader(), id, step)
    }

    fn fix_output(&self, id: &FixId, step: Option<u32>, after: u64, limit: u32) -> Result<Vec<FixOutput>, StoreError> {
        fixes::output(&self.reader(), id, step, after, limit)
    }

    fn fix_record(&self, definition: &str) -> Result<Record, StoreError> {
        fixes::record(&self.reader(), definition)
    }

    fn suppressions(&self) -> Result<Vec<Suppression>, StoreError> {
        fixes::suppressions(&self.reader())
    }

    fn maintenance(&self, now: Timestamp) -> Result<Vec<Maintenance>, StoreError> {
        fixes::maintenance(&self.reader(), now)
    }

    fn meta(&self, key: Meta) -> Result<Option<String>, StoreError> {
        read::meta(&self.reader(), key)
    }

    fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        read::tokens(&self.reader())
    }

    fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        read::audit(&self.reader(), after, limit)
    }

    fn verify_audit(&self) -> Result<Result<u64, AuditBroken>, StoreError> {
        read::verify_audit(&self.reader())
    }

    fn sweep(&self, retention: &Retention, now: Timestamp) -> Result<bool, StoreError> {
        self.writer().sweep(retention, now)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[test]
    fn sqlite_keeps_the_contract_of_a_store() {
        let folders: Vec<_> =
            std::iter::repeat_with(|| tempfile::tempdir().unwrap()).take(conformance::STORES).collect();
        conformance::holds(&|number| Box::new(SqliteStore::open(folders[number].path(), conformance::now()).unwrap()));
    }

    #[test]
    fn a_second_server_is_told_that_the_folder_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let first = SqliteStore::open(folder.path(), conformance::now()).unwrap();
        let second = SqliteStore::open(folder.path(), conformance::now());
        assert!(matches!(second, Err(StoreError::Locked)), "{second:?}");
        drop(first);
        assert!(SqliteStore::open(folder.path(), conformance::now()).is_ok());
    }

    #[test]
    fn audit_rows_can_be_neither_changed_nor_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path(), conformance::now()).unwrap();
        conformance::fill(&store, 3);
        let rows = store.audit(0, 100).unwrap().len();
        assert!(rows >= 3);
        let connection = Connection::open(folder.path().join("stella.db")).unwrap();
        for attempt in ["UPDATE audit SET principal = 'nobody'", "DELETE FROM audit WHERE seq = 1"] {
            let refused = connection.execute(attempt, []).unwrap_err();
            assert!(refused.to_string().contains("audit rows stay"), "{refused}");
        }
        assert_eq!(store.verify_audit().unwrap(), Ok(rows as u64));
    }

    #[test]
    fn a_row_changed_behind_our_back_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path(), conformance::now()).unwrap();
        conformance::fill(&store, 5);
        let connection = Connection::open(folder.path().join("stella.db")).unwrap();
        connection
            .execute_batch("DROP TRIGGER audit_update; UPDATE audit SET principal = 'nobody' WHERE seq = 3")
            .unwrap();
        assert_eq!(store.verify_audit().unwrap(), Err(AuditBroken { seq: 3 }));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(SqliteStore::open(folder.path(), conformance::now()).unwrap());
        std::fs::write(folder.path().join("stella.db"), b"these are not the pages of a database".repeat(400)).unwrap();
        assert!(SqliteStore::open(folder.path(), conformance::now()).is_err());
    }
}
