//! What is asked before a verb on a migration is sent, and which are sent at once.

use stella_protocol::migration::MigrationRequest;
use stella_protocol::{Migration, MigrationStatus, MigrationVerb};
use stella_widgets::text::sanitise;

use super::Model;
use crate::effect::Effect;
use crate::event::Now;
use crate::frame::dialog::{Dialog, Order, SeenMigration, Step};
use crate::keys::Intent;
use crate::screens::migrations as screen;

impl Model {
    /// A key of the migration on the screen.
    pub(in crate::model) fn decide_migration(&mut self, now: Now, intent: Intent, effects: &mut Vec<Effect>) {
        let (Some(migration), Some(verb)) = (self.shown_migration(), self.migration_verb(intent)) else { return };
        if verb == MigrationVerb::Plan && !migration.status.is_unfinished() {
            return self.make_migration(now, effects);
        }
        let mut given = MigrationRequest::default();
        if verb == MigrationVerb::Rate {
            let progress = self.board.migrations.progress(&migration.id);
            given.rate = Some(screen::next_rate(intent, migration, progress));
        }
        let migration = migration.clone();
        self.ask_migration(now, &migration, verb, given, effects);
    }

    /// Asks what a verb needs, or sends it at once.
    pub(super) fn ask_migration(
        &mut self,
        now: Now,
        migration: &Migration,
        verb: MigrationVerb,
        given: MigrationRequest,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(why) = screen::off(verb, migration, &self.view(now)) {
            return self.say(now, format!("{} is off: {why}", screen::verb(verb)));
        }
        let is_asked = self.ui.armed_migration.as_ref().is_some_and(|armed| armed.id == migration.id);
        let is_busy = match verb {
            // What makes nothing worse does not wait for anything but itself.
            MigrationVerb::Pause | MigrationVerb::Stop => self.ui.requests.is_sent(&migration.id, verb),
            _ => is_asked || self.ui.requests.migration_progress(&migration.id).is_some(),
        };
        if is_busy {
            return self.say(now, "a change of it is under way: wait for its answer".to_owned());
        }
        let steps = self.steps(migration, verb, &given);
        let what = self.question(migration, verb, &given);
        let seen = SeenMigration {
            version: migration.version,
            status: migration.status,
            digest: migration.plan.as_ref().map(|plan| plan.digest.clone()),
        };
        let order = Order::Migrate { id: migration.id.clone(), verb, seen, given };
        if steps.is_empty() {
            return self.ordered_migration(now, order, &[], effects);
        }
        self.ui.dialog = Some(Dialog::steps(order, what, steps, now.steady));
    }

    fn steps(&self, migration: &Migration, verb: MigrationVerb, given: &MigrationRequest) -> Vec<Step> {
        use MigrationVerb as Do;
        let typed = || Step::Type(migration.id.to_string());
        let why = |needed: bool| Step::text("reason", "why?", needed);
        match verb {
            Do::Plan if matches!(migration.status, MigrationStatus::Rehearsed | MigrationStatus::Approved) => {
                vec![Step::Yes]
            }
            Do::Resume if migration.status == MigrationStatus::Halted => vec![Step::Yes],
            Do::Plan | Do::Rehearse | Do::Verify | Do::Pause | Do::Resume | Do::Rate => Vec::new(),
            Do::Retry | Do::TakeOver => vec![Step::Yes],
            Do::Approve => vec![typed_target(migration), why(false)],
            Do::Start if migration.dual_read.is_none() => vec![typed(), statement()],
            Do::Cutover => vec![self.typed_with_profile(migration)],
            Do::Rollback if screen::is_cut_over(migration) => vec![self.typed_with_profile(migration)],
            Do::Start | Do::Rollback => vec![typed()],
            Do::Stop | Do::Cancel => vec![why(false), Step::Yes],
            Do::HandOver if given.to.is_some() => vec![Step::Yes],
            Do::HandOver => vec![Step::text("to", "to whom?", true), Step::Yes],
            Do::Close => vec![Step::text("statement", "what did you find, what did you do?", true), Step::Yes],
        }
    }

    /// `mig-7 prod`: what changes what everybody sees is not typed by habit.
    fn typed_with_profile(&self, migration: &Migration) -> Step {
        let profile = sanitise(self.ui.setup.badge.raw()).to_lowercase();
        Step::Type(format!("{} {profile}", migration.id).trim_end().to_owned())
    }

    /// What is asked, with the numbers of what would happen.
    fn question(&self, migration: &Migration, verb: MigrationVerb, given: &MigrationRequest) -> String {
        use MigrationVerb as Do;
        let (id, badge) = (&migration.id, self.short_badge());
        let does = screen::does(verb, migration, self.board.migrations.progress(id));
        if let (Do::HandOver, Some(to)) = (verb, &given.to) {
            return format!("hand over {id} on {badge} to {}", sanitise(to.raw()));
        }
        match verb {
            Do::Approve => format!("APPROVE {id}: {}", does.strip_prefix("approves ").unwrap_or(&does)),
            Do::Start => format!("START {id} on {badge}: {does}"),
            Do::Cutover => format!("CUT OVER {id} on {badge}: {does}"),
            Do::Rollback => format!("ROLL BACK {id} on {badge}: {does}"),
            Do::Resume => {
                let why = migration.hold_reason.as_ref().map_or(&migration.result, |reason| reason);
                format!("RESUME {id} on {badge}, which halted: {}", sanitise(why.raw()))
            }
            Do::Stop => format!("STOP {id} on {badge}: {does}"),
            verb => format!("{} {id} on {badge}: {does}", screen::verb(verb)),
        }
    }
}

/// The store's name; its id for a store that has none, since nothing is typed for nothing.
fn typed_target(migration: &Migration) -> Step {
    let target = sanitise(migration.target.raw());
    let target = target.trim();
    Step::Type(if target.is_empty() { migration.id.to_string() } else { target.to_owned() })
}

/// What stands for a probe of the application.
fn statement() -> Step {
    Step::Text {
        name: "statement".to_owned(),
        about: "what says readers know both ids? (optional: empty asks them)".to_owned(),
        needed: false,
    }
}
