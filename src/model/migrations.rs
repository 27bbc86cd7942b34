//! Verbs on migrations: what a key means here and now, what is asked before, the last look before what acts
//! upon the store is sent; and what is said when one goes on by itself.
//!
//! Approving, starting, cutting over and rolling back are bound to the plan and the version that were painted
//! when the question was asked. A rollback is bound to the plan and the status alone: while batches are
//! written nobody could type faster than the version rises.

mod ask;
mod command;
mod decide;
mod lead;
mod tell;

use stella_protocol::migration::{MigrationKind, MigrationProposal, MigrationRequest};
use stella_protocol::{Migration, MigrationId, MigrationVerb, Role as Rank, Text};
use stella_widgets::text::sanitise;

use super::Model;
use crate::effect::{Command, Effect, Query, Refusal, RequestId};
use crate::event::Now;
use crate::frame::dialog::{Order, SeenMigration};
use crate::keys::{Intent, Mode, Place};
use crate::screens::migrations::{self as screen, one};

pub(super) use tell::{Known, Unseen};

/// A re-read older than this is not one, in ms.
const FRESH_MS: u64 = 2_000;

/// A decision that waits for one more look at its migration.
#[derive(Debug)]
pub struct ArmedMigration {
    request: RequestId,
    since: u64,
    id: MigrationId,
    seen: SeenMigration,
    verb: MigrationVerb,
    given: MigrationRequest,
}

impl Model {
    /// The migration on the screen, as it is painted.
    pub fn shown_migration(&self) -> Option<&Migration> {
        self.ui.migration.as_ref()?.migration(&self.board)
    }

    /// What a key would do to the migration on the screen.
    pub fn migration_verb(&self, intent: Intent) -> Option<MigrationVerb> {
        let migration = self.shown_migration().filter(|_| self.mode() == Mode::Migration)?;
        screen::meant(intent, migration)
    }

    /// The migration that a command means: the one on the screen, the one under the cursor, the evident one.
    fn meant_migration(&self) -> Option<&Migration> {
        let under_cursor = || self.ui.migrations.cursor().filter(|_| self.mode() == Mode::Migrations).cloned();
        let id = under_cursor().or_else(|| screen::evident(&self.board.migrations));
        self.shown_migration().or_else(|| self.board.migrations.get(&id?))
    }

    /// `3`: the one that was looked at before, else the evident one, else the list. When a migration is on the
    /// screen already and there are others, the list.
    pub(super) fn show_migrations(&mut self, was_here: bool) {
        self.ui.armed_migration = None;
        let is_known = self.shown_migration().is_some();
        if is_known && !was_here {
            return;
        }
        self.ui.migration = None;
        let is_alone = self.board.migrations.all().count() < 2;
        let goes_to_list = is_known && was_here && !is_alone;
        if let Some(id) = screen::evident(&self.board.migrations).filter(|_| !goes_to_list) {
            self.open_migration(id);
        }
    }

    /// Opens a migration over the list.
    pub(super) fn open_migration(&mut self, id: MigrationId) {
        self.close_review();
        self.ui.armed_migration = None;
        self.ui.place = Place::Migrations;
        self.ui.migrations.point_at(&id);
        self.ui.migration = Some(one::State::new(id));
    }

    /// Leaves it: for the list, when there are others.
    pub(super) fn close_migration(&mut self) {
        self.ui.armed_migration = None;
        self.ui.migration = None;
        if self.board.migrations.all().count() < 2 {
            self.ui.place = Place::Alerts;
        }
    }

    /// Says that what is left goes on: it lives in the server.
    pub(super) fn say_detached(&mut self, now: Now) {
        let unfinished = |migration: &&Migration| migration.status.is_unfinished();
        let id = self.shown_migration().filter(unfinished).map(|migration| migration.id.clone());
        if let Some(id) = id.filter(|_| self.mode() == Mode::Migration) {
            let words = if self.ui.setup.embedded {
                format!("{id} goes on in the server inside this console; 3 shows it again")
            } else {
                format!("{id} goes on in the server; 3 shows it again, here or on another console")
            };
            self.say(now, words);
        }
    }

    /// Makes a migration: its look at the data begins.
    pub(super) fn make_migration(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if let Some(why) = self.barred(now, Rank::Admin) {
            return self.say(now, why);
        }
        let open = self.board.migrations.unfinished().next();
        let open = open.map(|open| format!("{} is {}: Enter opens it", open.id, screen::stands(open.status)));
        if let Some(words) = open {
            return self.say(now, words);
        }
        if self.ui.requests.is_making_migration() {
            return self.say(now, "one is being made: wait for the answer".to_owned());
        }
        self.send(now, Command::CreateMigration(MigrationProposal { kind: MigrationKind::UserIds }), effects);
    }

    /// Everything that was asked is answered.
    pub(super) fn ordered_migration(&mut self, now: Now, order: Order, texts: &[String], effects: &mut Vec<Effect>) {
        match order {
            Order::Migrate { id, verb, seen, mut given } => {
                let text = texts.first().filter(|text| !text.is_empty()).map(|text| Text::from(text.clone()));
                match verb {
                    MigrationVerb::HandOver => given.to = given.to.or(text),
                    _ => given.text = text,
                }
                if screen::is_outside(verb) {
                    given.plan_digest.clone_from(&seen.digest);
                    return self.arm_migration(now, ArmedMigration::new(id, seen, verb, given), effects);
                }
                let command = Command::DecideMigration { id, version: seen.version, verb, request: given };
                self.send(now, command, effects);
            }
            Order::Lead { id } => self.ordered_leader(now, &id, texts, effects),
            other => self.ordered_decision(now, other, texts, effects),
        }
    }

    /// Reads the migration once more before the command is sent.
    fn arm_migration(&mut self, now: Now, mut armed: ArmedMigration, effects: &mut Vec<Effect>) {
        armed.request = self.ui.requests.next_id();
        armed.since = now.steady;
        effects.push(Effect::Fetch(armed.request, Query::Migration(armed.id.clone())));
        self.say(now, format!("reading {} once more before it is sent …", armed.id));
        self.ui.armed_migration = Some(armed);
    }

    /// A migration was read, for a decision that waits for it.
    pub(super) fn migration_read(
        &mut self,
        now: Now,
        id: RequestId,
        which: &MigrationId,
        answer: &Result<Box<Migration>, Refusal>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(armed) = self.ui.armed_migration.take_if(|armed| armed.request == id && armed.id == *which) else {
            return;
        };
        let verdict = match answer {
            Ok(migration) => self.still_holds(now, &armed, migration),
            Err(refusal) => Err(crate::screens::refusal_words(refusal)),
        };
        match verdict {
            Err(why) => self.say(now, format!("nothing was sent: {why}")),
            Ok(version) => {
                let ArmedMigration { id, verb, given, .. } = armed;
                self.send(now, Command::DecideMigration { id, version, verb, request: given }, effects);
            }
        }
    }

    /// The version that the decision is sent with.
    ///
    /// # Errors
    /// Why it is not sent after all.
    fn still_holds(&self, now: Now, armed: &ArmedMigration, read: &Migration) -> Result<u64, String> {
        if read.id != armed.id {
            return Err("the server answered with another migration".to_owned());
        }
        if !self.board.link.state(now).is_live() {
            return Err("the feed is not live any more".to_owned());
        }
        if now.steady.saturating_sub(armed.since) > FRESH_MS {
            return Err("reading it again took too long; press the key again".to_owned());
        }
        // The feed may have been faster than the answer.
        let told = self.board.migrations.get(&armed.id).filter(|told| told.version > read.version);
        let newest = told.unwrap_or(read);
        if newest.plan.as_ref().map(|plan| &plan.digest) != armed.seen.digest.as_ref() {
            return Err("its plan is another one than the one you saw; read it again".to_owned());
        }
        let is_bound_to_status = armed.verb == MigrationVerb::Rollback && newest.status == armed.seen.status;
        if newest.version == armed.seen.version || is_bound_to_status {
            return Ok(newest.version);
        }
        Err(changed_words(newest))
    }

    /// What is copied of the migration on the screen, or under the cursor.
    pub(super) fn copied_migration(&self, intent: Intent) -> Option<String> {
        let under_cursor = || self.board.migrations.get(self.ui.migrations.cursor()?);
        let migration = self.shown_migration().or_else(under_cursor)?;
        Some(match intent {
            Intent::CopyJson => serde_json::to_string_pretty(migration).unwrap_or_default(),
            _ => migration.id.to_string(),
        })
    }
}

impl ArmedMigration {
    /// Not asked for yet.
    fn new(id: MigrationId, seen: SeenMigration, verb: MigrationVerb, given: MigrationRequest) -> Self {
        Self { request: RequestId::default(), since: 0, id, seen, verb, given }
    }
}

/// What happened to a migration while somebody typed.
fn changed_words(migration: &Migration) -> String {
    let last = migration.trail.last();
    let last = last.map(|last| format!(": {} {}", sanitise(last.by.raw()), sanitise(last.what.raw())));
    let status = screen::stands(migration.status);
    format!("{} changed meanwhile, it is {status}{}; look again", migration.id, last.unwrap_or_default())
}
