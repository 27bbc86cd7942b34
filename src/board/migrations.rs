//! The migrations, and how far each is, as the feed brings them.
//!
//! What is long of a migration (orphans, mapping, errors, its log) is asked for by the screen that shows
//! it, and is not kept here.

use std::collections::BTreeMap;

use stella_protocol::Migration;
use stella_protocol::id::MigrationId;
use stella_protocol::migration::Progress;

/// Ended migrations that are kept; a server tells of the last 10, the others ended while we listened.
const MOST_ENDED: usize = 50;

/// Migrations by id.
#[derive(Debug, Default)]
pub struct Migrations {
    by_id: BTreeMap<MigrationId, Migration>,
    progress: BTreeMap<MigrationId, Progress>,
    revision: u64,
    loaded: bool,
}

impl Migrations {
    /// Takes in a migration; an older version than the known one is old news.
    pub(super) fn put(&mut self, migration: Migration) {
        let is_news = self.by_id.get(&migration.id).is_none_or(|known| known.version < migration.version);
        if is_news {
            self.revision += 1;
            self.by_id.insert(migration.id.clone(), migration);
            self.forget_oldest();
        }
    }

    /// Takes in how far one is; what was counted earlier than the last word is old news.
    pub(super) fn went_on(&mut self, progress: Progress) {
        let is_news = self.progress.get(&progress.id).is_none_or(|known| known.at <= progress.at);
        if is_news {
            self.progress.insert(progress.id.clone(), progress);
        }
    }

    /// Takes in all of a snapshot. What was said of their progress stays for those that are still there.
    pub(super) fn replace(&mut self, migrations: Vec<Migration>) {
        self.loaded = true;
        self.revision += 1;
        self.by_id = migrations.into_iter().map(|migration| (migration.id.clone(), migration)).collect();
        self.progress.retain(|id, _| self.by_id.contains_key(id));
    }

    /// One of them.
    pub fn get(&self, id: &MigrationId) -> Option<&Migration> {
        self.by_id.get(id)
    }

    /// How far one is; None: nothing was said yet.
    pub fn progress(&self, id: &MigrationId) -> Option<&Progress> {
        self.progress.get(id)
    }

    /// All of them, by id.
    pub fn all(&self) -> impl Iterator<Item = &Migration> + Clone {
        self.by_id.values()
    }

    /// Those whose machine has a step left.
    pub fn unfinished(&self) -> impl Iterator<Item = &Migration> + Clone {
        self.all().filter(|migration| migration.status.is_unfinished())
    }

    /// The one that the header speaks of: what holds the store, else the newest unfinished one.
    pub fn foremost(&self) -> Option<&Migration> {
        self.unfinished().max_by_key(|migration| (migration.status.holds_the_store(), migration.created_at))
    }

    /// True once a snapshot told the whole state.
    pub fn loaded(&self) -> bool {
        self.loaded
    }

    /// Rises with every change, but not with progress.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn forget_oldest(&mut self) {
        let ended = |migration: &&Migration| !migration.status.is_unfinished();
        if self.all().filter(ended).count() <= MOST_ENDED {
            return;
        }
        let when = |migration: &&Migration| migration.ended_at.unwrap_or(migration.created_at);
        let oldest = self.all().filter(ended).min_by_key(when).map(|migration| migration.id.clone());
        if let Some(id) = oldest {
            self.by_id.remove(&id);
            self.progress.remove(&id);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn migration(id: &str, status: &str, version: u64) -> Migration {
        serde_json::from_value(json!({
            "id": id, "kind": "user_ids", "target": "demo", "mapTitle": "m", "status": status, "createdBy": "op",
            "createdAt": "2026-01-01T00:00:00.000Z", "leader": "op", "limits": {"canary": 3, "soakMs": 60_000},
            "next": {"words": ""}, "version": version
        }))
        .unwrap()
    }

    fn progress(seconds: u32, done: u64) -> Progress {
        serde_json::from_value(json!({
            "id": "mig-1", "phase": "copy", "at": format!("2026-01-01T00:00:{seconds:02}.000Z"), "total": 100,
            "done": done, "eta": {"is": "unknown", "why": "too early"}, "counts": {}, "batches": [1, 10]
        }))
        .unwrap()
    }

    #[test]
    fn an_older_word_does_not_undo_a_newer_one() {
        let mut migrations = Migrations::default();
        migrations.put(migration("mig-1", "copying", 5));
        migrations.put(migration("mig-1", "approved", 4));
        migrations.went_on(progress(9, 40));
        migrations.went_on(progress(8, 30));
        let id = "mig-1".parse().unwrap();
        assert_eq!(migrations.get(&id).unwrap().version, 5);
        assert_eq!(migrations.progress(&id).unwrap().done, 40);
    }

    #[test]
    fn what_holds_the_store_is_foremost_and_ended_ones_are_bounded() {
        let mut migrations = Migrations::default();
        migrations.put(migration("mig-1", "copying", 1));
        migrations.put(migration("mig-2", "planned", 1));
        (3..=90).for_each(|number| migrations.put(migration(&format!("mig-{number}"), "completed", 1)));
        assert_eq!(migrations.foremost().unwrap().id.as_str(), "mig-1");
        assert_eq!((migrations.all().count(), migrations.unfinished().count()), (MOST_ENDED + 2, 2));
    }
}
