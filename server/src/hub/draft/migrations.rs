//! Migrations in a change on its way: a step of their machine, and what is kept with it.

use std::sync::Arc;

use stella_protocol::{Migration, MigrationId, Text, Timestamp};

use super::{Author, Change, Draft};
use crate::hub::json;
use crate::migrate::{Effect, Event, MigrationState, Refusal, machine};
use crate::store::{AuditEntry, NewEvent, StoreError, Tx, Verdict, Write};
use crate::words::clip;

/// Most of what happened that an audit row says, in bytes on the wire.
const DETAIL: usize = 1024;
/// The name under which the fence of a store is kept.
pub(in crate::hub) fn fence_name(target: &Text) -> Text {
    Text::new(format!("documents:{}", target.raw()))
}

/// A migration that a transaction touches.
#[derive(Debug)]
pub(in crate::hub) struct TouchedMigration {
    pub state: Arc<MigrationState>,
    /// The version that is replaced; None: it is new.
    from: Option<u64>,
    /// Readers are told.
    told: bool,
    /// Whoever steps it acts under this fence.
    fence: Option<u64>,
}

impl TouchedMigration {
    pub(super) fn add_to(&self, tx: &mut Tx) {
        let migration = &self.state.migration;
        tx.writes.extend(self.fence.map(|fence| Write::Fence { target: fence_name(&migration.target), fence }));
        tx.writes.push(Write::Migration { state: Arc::clone(&self.state), from: self.from });
        if self.told {
            tx.events.push(NewEvent { kind: "migration", body: json(migration) });
        }
    }
}

/// Why a migration was not stepped.
#[derive(Debug)]
pub(in crate::hub) enum NotStepped {
    /// The rules do not allow it.
    Refused(Refusal),
    /// This one has the store.
    Held(Box<Migration>),
}

impl Change {
    /// Notes a new migration.
    pub fn open_migration(&mut self, state: MigrationState, author: &Author) {
        let migration = &state.migration;
        let mut row = author.audit("propose", migration.id.as_str(), (0, migration.version), Verdict::Done);
        let what = format!("{} by {}", migration.target.raw(), migration.map_title.raw());
        row.detail = clip(&Text::new(what), DETAIL);
        self.audit.push(row);
        self.migrations.push(TouchedMigration { state: Arc::new(state), from: None, told: true, fence: None });
    }
}

impl Draft<'_> {
    pub fn migration(&self, id: &MigrationId) -> Result<Option<Arc<MigrationState>>, StoreError> {
        if let Some(state) = self.shared.board().migration(id) {
            return Ok(Some(Arc::clone(state)));
        }
        Ok(self.store.migration(id)?.map(Arc::new))
    }

    /// Takes a step of a migration; `detail` is what an audit row says, None: what its own trail does.
    pub fn step_migration(
        &self,
        change: &mut Change,
        state: &Arc<MigrationState>,
        event: &Event,
        (author, detail): (&Author, Option<String>),
        now: Timestamp,
    ) -> Result<Arc<MigrationState>, NotStepped> {
        let (claims, fence) = (matches!(event, Event::Claimed { .. }), fence_of(event));
        let step = machine::step(state, event, now).map_err(NotStepped::Refused)?;
        if let Some(other) = self.in_the_way(state, &step.state.migration, claims, now) {
            return Err(NotStepped::Held(Box::new(other)));
        }
        if step.effects.is_empty() {
            return Ok(Arc::clone(state));
        }
        let next = Arc::new(step.state);
        let mut told = false;
        for effect in step.effects {
            if let Effect::Changed(word) = effect {
                told = true;
                change.audit.push(row(state, &next, word, author, detail.as_deref()));
            }
        }
        change.migrations.push(TouchedMigration {
            state: Arc::clone(&next),
            from: Some(state.migration.version),
            told,
            fence,
        });
        Ok(next)
    }

    /// Another migration that keeps this one from being claimed, or from holding the store.
    fn in_the_way(&self, was: &MigrationState, next: &Migration, claims: bool, now: Timestamp) -> Option<Migration> {
        let board = self.shared.board();
        let begins = next.status.holds_the_store() && !was.migration.status.holds_the_store();
        let other = if claims {
            board.migration_in_the_way(next, now)
        } else if begins {
            board.migration_that_holds(next)
        } else {
            None
        };
        other.map(|state| state.migration.clone())
    }
}

fn row(
    was: &MigrationState,
    is: &MigrationState,
    word: &'static str,
    author: &Author,
    detail: Option<&str>,
) -> AuditEntry {
    let (was, is) = (&was.migration, &is.migration);
    let mut row = author.audit(word, is.id.as_str(), (was.version, is.version), Verdict::Done);
    let trail = || is.trail.last().map(|last| last.what.raw()).unwrap_or_default();
    row.detail = clip(&Text::new(detail.unwrap_or_else(trail).to_owned()), DETAIL);
    row
}

/// The fence that whoever causes an event acts under.
fn fence_of(event: &Event) -> Option<u64> {
    match event {
        Event::Claimed { fence, .. }
        | Event::Renewed { fence, .. }
        | Event::Released { fence }
        | Event::Scanned { fence, .. }
        | Event::Rehearsed { fence, .. }
        | Event::BackedUp { fence, .. }
        | Event::Canary { fence, .. }
        | Event::Asked { fence, .. }
        | Event::Checkpoint { fence, .. }
        | Event::Stopped { fence, .. }
        | Event::Broke { fence, .. }
        | Event::Copied { fence, .. }
        | Event::Verified { fence, .. }
        | Event::CutOver { fence, .. }
        | Event::RolledBack { fence, .. } => Some(*fence),
        Event::Decided(_) | Event::Answered { .. } | Event::Drifted(_) | Event::OldIdUsed { .. } | Event::Tick => None,
    }
}
