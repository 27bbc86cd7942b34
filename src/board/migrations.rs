//! The migrations, and how far each is, as the feed brings them.

use std::collections::BTreeMap;

use stella_protocol::Migration;
use stella_protocol::id::MigrationId;
use stella_protocol::migration::Progress;

/// Migrations by id.
#[derive(Debug, Default)]
pub struct Migrations {
    by_id: BTreeMap<MigrationId, Migration>,
    progress: BTreeMap<MigrationId, Progress>,
}

impl Migrations {
    /// Takes in a migration; an older version than the known one is old news.
    pub fn put(&mut self, migration: Migration) {
        let is_news = self.by_id.get(&migration.id).is_none_or(|known| known.version < migration.version);
        if is_news {
            self.by_id.insert(migration.id.clone(), migration);
        }
    }

    /// Takes in how far one is; what was counted earlier than the last word is old news.
    pub fn went_on(&mut self, progress: Progress) {
        let is_news = self.progress.get(&progress.id).is_none_or(|known| known.at <= progress.at);
        if is_news {
            self.progress.insert(progress.id.clone(), progress);
        }
    }

    /// Takes in all of a snapshot. What was said of their progress stays for those that are still there.
    pub fn replace(&mut self, migrations: Vec<Migration>) {
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
    pub fn all(&self) -> impl Iterator<Item = &Migration> {
        self.by_id.values()
    }
}
