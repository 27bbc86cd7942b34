//! The migrations that matter now: unfinished ones, those that ended lately, and what their runners said.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use stella_protocol::migration::Progress;
use stella_protocol::{FeedEvent, Migration, MigrationId, Timestamp};

use super::{Board, Shared};
use crate::hub::draft::TouchedMigration;
use crate::hub::frame::{Kind, frame};
use crate::migrate::MigrationState;
use crate::store::{Store, StoreError, number_in};

/// Ended migrations that stay in memory and are shown, the newest.
const ENDED: usize = 10;
/// Readers are told how far a migration is no more often than this.
const TOLD_EVERY: Duration = Duration::from_millis(250);

impl Board {
    /// Reads them from the store.
    pub(super) fn load_migrations(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        self.last_migration = store.last_migration()?;
        for state in store.recent_migrations(ENDED as u32)? {
            self.put_migration(Arc::new(state));
        }
        Ok(())
    }

    pub fn migration(&self, id: &MigrationId) -> Option<&Arc<MigrationState>> {
        self.migrations.get(id)
    }

    pub fn put_migration(&mut self, state: Arc<MigrationState>) {
        self.migrations.insert(state.migration.id.clone(), state);
    }

    /// Unfinished ones, and the last that ended; oldest first.
    pub fn migrations_in_sight(&self) -> Vec<Arc<MigrationState>> {
        let mut shown: Vec<_> = self.migrations.values().cloned().collect();
        shown.sort_by_key(|state| number(&state.migration.id));
        shown
    }

    /// The other migration that has the store of this one now: it holds it, or a runner has a lease on it.
    pub fn migration_in_the_way(&self, of: &Migration, now: Timestamp) -> Option<Arc<MigrationState>> {
        let leased = |state: &MigrationState| {
            state.work.holder.is_some() && state.work.lease_until.is_some_and(|until| until > now)
        };
        self.others(of).find(|state| state.migration.status.holds_the_store() || leased(state)).cloned()
    }

    /// The other migration that holds the store of this one.
    pub fn migration_that_holds(&self, of: &Migration) -> Option<Arc<MigrationState>> {
        self.others(of).find(|state| state.migration.status.holds_the_store()).cloned()
    }

    fn others<'a>(&'a self, of: &'a Migration) -> impl Iterator<Item = &'a Arc<MigrationState>> {
        let of_the_store = |other: &Migration| other.id != of.id && other.target == of.target;
        self.migrations.values().filter(move |state| of_the_store(&state.migration))
    }

    /// How many are unfinished.
    pub fn unfinished_migrations(&self) -> usize {
        self.migrations.values().filter(|state| state.migration.status.is_unfinished()).count()
    }

    /// Takes in what was committed, and forgets ended ones beyond the newest.
    pub fn merge_migrations(&mut self, touched: Vec<TouchedMigration>) {
        if touched.is_empty() {
            return;
        }
        for touched in touched {
            self.last_migration = self.last_migration.max(number(&touched.state.migration.id));
            self.put_migration(touched.state);
        }
        let ended = self.migrations.values().filter(|state| !state.migration.status.is_unfinished());
        let mut ended: Vec<MigrationId> = ended.map(|state| state.migration.id.clone()).collect();
        ended.sort_by_key(|id| Reverse(number(id)));
        for id in ended.iter().skip(ENDED) {
            self.migrations.remove(id);
        }
    }
}

/// The N of `mig-N`.
fn number(id: &MigrationId) -> u64 {
    number_in(id.as_str(), MigrationId::PREFIX).unwrap_or(0)
}

/// What was said of migrations and is not kept: how far each is, and uses of old ids that the machine was
/// not told of yet.
#[derive(Debug, Default)]
pub(in crate::hub) struct Spoken {
    last: FxHashMap<MigrationId, Word>,
    uses: FxHashMap<MigrationId, (u64, Timestamp)>,
}

/// The last word on how far one is.
#[derive(Debug)]
struct Word {
    progress: Progress,
    /// When readers were told last.
    told_at: Instant,
    /// They were not told of this one.
    waits: bool,
}

impl Spoken {
    pub fn progress(&self, id: &MigrationId) -> Option<&Progress> {
        self.last.get(id).map(|word| &word.progress)
    }

    /// What a new reader is shown first.
    pub fn frames(&self) -> impl Iterator<Item = Bytes> {
        self.last.values().map(|word| told(&word.progress))
    }

    pub fn used(&mut self, id: &MigrationId, times: u64, at: Timestamp) {
        let (sum, last) = self.uses.entry(id.clone()).or_insert((0, at));
        (*sum, *last) = (sum.saturating_add(times), at.max(*last));
    }

    /// The uses since they were taken last.
    pub fn take_uses(&mut self) -> FxHashMap<MigrationId, (u64, Timestamp)> {
        std::mem::take(&mut self.uses)
    }

    /// What there is to tell now of a new word; None: it waits for its turn.
    fn put(&mut self, progress: Progress, now: Instant) -> Option<Bytes> {
        let known = self.last.get(&progress.id);
        if known.is_some_and(|word| word.progress.at > progress.at) {
            return None;
        }
        let told_at = known.map(|word| word.told_at).filter(|told| now.duration_since(*told) < TOLD_EVERY);
        let bytes = told_at.is_none().then(|| told(&progress));
        let word = Word { waits: told_at.is_some(), told_at: told_at.unwrap_or(now), progress };
        self.last.insert(word.progress.id.clone(), word);
        bytes
    }

    /// What waited and may be told now.
    fn take_waiting(&mut self, now: Instant) -> Vec<Bytes> {
        let due = self.last.values_mut().filter(|word| word.waits && now.duration_since(word.told_at) >= TOLD_EVERY);
        due.map(|word| {
            (word.waits, word.told_at) = (false, now);
            told(&word.progress)
        })
        .collect()
    }
}

fn told(progress: &Progress) -> Bytes {
    frame(&FeedEvent::MigrationProgress(Box::new(progress.clone())))
}

impl Shared {
    /// Tells readers how far a migration is, unless they were told a moment ago.
    pub fn tell_progress(&self, progress: Progress) {
        let mut spoken = self.spoken();
        let Some(bytes) = spoken.put(progress, Instant::now()) else { return };
        self.ring().push(Kind::MigrationProgress, bytes);
        drop(spoken);
        self.wake();
    }

    /// Tells what waited for its turn.
    pub fn tell_waiting_progress(&self) {
        let mut spoken = self.spoken();
        let waiting = spoken.take_waiting(Instant::now());
        if waiting.is_empty() {
            return;
        }
        let mut ring = self.ring();
        for bytes in waiting {
            ring.push(Kind::MigrationProgress, bytes);
        }
        drop((ring, spoken));
        self.wake();
    }

    /// Forgets what was said of migrations that ended.
    pub fn forget_ended_progress(&self) {
        let said: Vec<MigrationId> = self.spoken().last.keys().cloned().collect();
        if said.is_empty() {
            return;
        }
        let board = self.board();
        let lives = |id: &MigrationId| board.migration(id).is_some_and(|state| state.migration.status.is_unfinished());
        let ended: Vec<MigrationId> = said.into_iter().filter(|id| !lives(id)).collect();
        drop(board);
        let mut spoken = self.spoken();
        for id in &ended {
            spoken.last.remove(id);
        }
    }
}
