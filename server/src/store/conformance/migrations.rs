//! What every store must do with migrations.

use std::sync::Arc;
use std::thread;

use serde_json::json;
use stella_protocol::{MigrationId, MigrationStatus, Text, Timestamp};

use super::{WRITERS, commit};
use crate::migrate::{MigrationState, Work};
use crate::store::{Commit, FoundMigrations, InTheWay, MigrationQuery, Store, Tx, Write};

pub(crate) fn id(number: u64) -> MigrationId {
    format!("mig-{number}").parse().unwrap()
}

/// A migration that stands there, as nobody made it.
pub(crate) fn state(number: u64, target: &str, status: MigrationStatus) -> MigrationState {
    let migration = json!({
        "id": id(number),
        "kind": "user_ids",
        "target": target,
        "mapTitle": "the application",
        "status": status,
        "createdBy": "ana",
        "createdAt": Timestamp::from_millis(number as i64),
        "leader": "ana",
        "limits": { "canary": 3, "soakMs": 60_000 },
        "next": { "words": "wait" },
        "version": 1,
    });
    MigrationState { migration: serde_json::from_value(migration).unwrap(), work: Work::default() }
}

fn with(state: &MigrationState, status: MigrationStatus) -> MigrationState {
    let mut next = state.clone();
    next.migration.status = status;
    next.migration.version += 1;
    next
}

fn put(state: &MigrationState, from: Option<u64>) -> Tx {
    Tx { writes: vec![Write::Migration { state: Arc::new(state.clone()), from }], ..Tx::default() }
}

fn done(commit: &Commit) {
    assert!(matches!(commit, Commit::Committed { .. }), "{commit:?}");
}

pub(super) fn one_migration_holds_a_store(store: &dyn Store) {
    let approved = |number| state(number, "main", MigrationStatus::Approved);
    (1..=WRITERS as u64).for_each(|number| done(&commit(store, put(&approved(number), None))));
    let race = |number| commit(store, put(&with(&approved(number), MigrationStatus::BackingUp), Some(1)));
    let results: Vec<Commit> = thread::scope(|scope| {
        let racers: Vec<_> = (1..=WRITERS as u64).map(|number| scope.spawn(move || race(number))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let recent = store.recent_migrations(0).unwrap();
    let winner = recent.iter().find(|state| state.migration.status == MigrationStatus::BackingUp).unwrap();
    let lost =
        |result: &&Commit| matches!(result, Commit::Conflict(Some(InTheWay::Migration(other))) if **other == *winner);
    let won = results.iter().filter(|result| matches!(result, Commit::Committed { .. })).count();
    assert_eq!((won, results.iter().filter(lost).count()), (1, WRITERS - 1));

    done(&commit(store, put(&state(20, "other", MigrationStatus::Copying), None)));
    done(&commit(store, put(&with(winner, MigrationStatus::Soaking), Some(2))));
    done(&commit(store, put(&state(21, "main", MigrationStatus::Copying), None)));
    let back = with(&with(winner, MigrationStatus::Soaking), MigrationStatus::RollingBack);
    let busy = commit(store, put(&back, Some(3)));
    assert!(
        matches!(&busy, Commit::Conflict(Some(InTheWay::Migration(other))) if other.migration.id == id(21)),
        "a rollback does not begin while another migration holds the store: {busy:?}"
    );
}

pub(super) fn a_migration_changes_from_the_version_that_is_kept(open: &dyn Fn() -> Box<dyn Store>) {
    let store = open();
    assert_eq!((store.migration(&id(1)).unwrap(), store.last_migration().unwrap()), (None, 0));
    let first = state(1, "main", MigrationStatus::Draft);
    done(&commit(&*store, put(&first, None)));
    let again = commit(&*store, put(&state(1, "else", MigrationStatus::Draft), None));
    assert!(matches!(&again, Commit::Conflict(Some(InTheWay::Migration(kept))) if **kept == first), "{again:?}");
    let mut next = with(&first, MigrationStatus::Planned);
    next.work.fence = 3;
    next.work.holder = Some(Text::new("runner"));
    let mut tx = put(&next, Some(1));
    tx.writes.insert(0, Write::Fence { target: Text::new("documents:main"), fence: 3 });
    done(&commit(&*store, tx));
    let stale = commit(&*store, put(&with(&first, MigrationStatus::Cancelled), Some(1)));
    assert!(matches!(&stale, Commit::Conflict(Some(InTheWay::Migration(kept))) if **kept == next), "{stale:?}");
    drop(store);

    let store = open();
    assert_eq!((store.migration(&id(1)).unwrap(), store.migration(&id(2)).unwrap()), (Some(next), None));
    assert_eq!((store.last_migration().unwrap(), store.fence("documents:main").unwrap()), (1, 3));
}

pub(super) fn lists_of_migrations_are_right(store: &dyn Store) {
    let ends = [MigrationStatus::Completed, MigrationStatus::RolledBack, MigrationStatus::Cancelled];
    for number in 1..=8_u64 {
        let status = ends.get(number as usize - 1).copied().unwrap_or(MigrationStatus::Planned);
        done(&commit(store, put(&state(number, "main", status), None)));
    }
    let listed = |status: &[MigrationStatus], after, limit| {
        let FoundMigrations { items, next } =
            store.migrations(&MigrationQuery { status: status.to_vec(), after, limit }).unwrap();
        let ids: Vec<String> = items.iter().map(|migration| migration.id.to_string()).collect();
        (ids.join(" "), next)
    };
    assert_eq!(listed(&[], None, 3), ("mig-8 mig-7 mig-6".into(), Some(6)));
    assert_eq!(listed(&[], Some(3), 3), ("mig-2 mig-1".into(), None));
    assert_eq!(listed(&ends[..2], None, 10), ("mig-2 mig-1".into(), None));
    let mut recent: Vec<MigrationId> =
        store.recent_migrations(2).unwrap().into_iter().map(|state| state.migration.id).collect();
    recent.sort();
    assert_eq!(recent, [2, 3, 4, 5, 6, 7, 8].map(id), "all unfinished ones, and so many that ended");
}
