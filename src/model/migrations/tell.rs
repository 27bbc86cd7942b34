//! What is said when a migration goes on by itself: it waits for a person, it is held, it is over.

use std::collections::BTreeMap;

use stella_protocol::{Migration, MigrationId, MigrationStatus};
use stella_widgets::text::sanitise;

use super::Model;
use crate::effect::Effect;
use crate::event::Now;
use crate::keys::Mode;
use crate::screens::migrations as screen;

/// A hold comes and goes with the store's breath: it is told of at most so often, in ms.
const HOLD_MS: u64 = 30_000;

/// What was last known of each: where it stood, whether it was held, and when that was last said (steady ms).
pub(in crate::model) type Known = BTreeMap<MigrationId, (MigrationStatus, bool, Option<u64>)>;

impl Model {
    /// Says what is new. What was so before anybody listened is no news.
    pub(in crate::model) fn tell_of_migrations(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let migrations = &self.board.migrations;
        if !migrations.loaded() {
            return;
        }
        let held =
            |one: &Migration| one.status.holds_the_store() && screen::hold(one, migrations.progress(&one.id)).is_some();
        let is_same = |known: &Known| {
            known.len() == migrations.all().count()
                && migrations.all().all(|one| {
                    known.get(&one.id).is_some_and(|(status, was, _)| (*status, *was) == (one.status, held(one)))
                })
        };
        if self.ui.known_migrations.as_ref().is_some_and(is_same) {
            return;
        }
        let before = self.ui.known_migrations.take();
        let said = |one: &Migration| before.as_ref()?.get(&one.id)?.2;
        let mut fresh: Known =
            migrations.all().map(|one| (one.id.clone(), (one.status, held(one), said(one)))).collect();
        let Some(before) = before else {
            self.ui.known_migrations = Some(fresh);
            return;
        };
        let mut news = None;
        let mut is_bad = false;
        for one in self.board.migrations.all() {
            let Some((status, was_held, said)) = before.get(&one.id) else { continue };
            let is_quiet = said.is_none_or(|at| now.steady.saturating_sub(at) >= HOLD_MS);
            if *status != one.status {
                is_bad |= is_trouble(one.status);
                news = became(one).or(news);
            } else if let Some(words) = self.held(one, *was_held).filter(|_| is_quiet) {
                news = Some(words);
                if let Some(known) = fresh.get_mut(&one.id) {
                    known.2 = Some(now.steady);
                }
            }
        }
        self.ui.known_migrations = Some(fresh);
        if let Some(words) = news {
            self.say(now, words);
        }
        if is_bad {
            effects.push(Effect::Bell);
        }
    }

    /// That it is held now, or not any more; where it is on the screen that is seen.
    fn held(&self, one: &Migration, was_held: bool) -> Option<String> {
        let is_shown = self.mode() == Mode::Migration && self.shown_migration().is_some_and(|shown| shown.id == one.id);
        let works = !matches!(one.status, MigrationStatus::Paused | MigrationStatus::Halted);
        let reason = screen::hold(one, self.board.migrations.progress(&one.id));
        match (reason, was_held) {
            _ if is_shown || !works => None,
            (Some(reason), false) => Some(format!("{} is held: {reason}", one.id)),
            (None, true) => Some(format!("{} is not held any more", one.id)),
            _ => None,
        }
    }
}

/// What is said of a status that was reached; None: it only works on.
fn became(one: &Migration) -> Option<String> {
    use MigrationStatus as Is;
    let status = screen::stands(one.status);
    let because = [one.hold_reason.as_ref(), Some(&one.result)].into_iter().flatten().find(|text| !text.is_empty());
    let because = because.map(|text| format!(": {}", sanitise(text.raw()))).unwrap_or_default();
    match one.status {
        Is::NeedsDecision | Is::Planned | Is::Rehearsed | Is::Verified | Is::Soaking => {
            Some(format!("{} is {status}; next: {}", one.id, sanitise(one.next.words.raw())))
        }
        Is::PlanFailed | Is::BackupFailed | Is::Halted | Is::Paused | Is::RollbackFailed => {
            Some(format!("{} is {status}{because}", one.id))
        }
        Is::Completed | Is::RolledBack | Is::Cancelled | Is::ClosedManually => {
            Some(format!("{} is over, {status}{because}", one.id))
        }
        _ => None,
    }
}

/// True for what somebody has to look at.
fn is_trouble(status: MigrationStatus) -> bool {
    use MigrationStatus as Is;
    matches!(status, Is::Halted | Is::PlanFailed | Is::BackupFailed | Is::RollbackFailed)
}
