//! `:migrate …`: every verb of a migration by its name, and what has no key.

use stella_protocol::migration::MigrationRequest;
use stella_protocol::{Migration, MigrationId, MigrationVerb, Text};
use stella_widgets::text::sanitise;

use super::Model;
use crate::effect::Effect;
use crate::event::Now;
use crate::keys::{Intent, Place};

impl Model {
    /// Commands that can be completed.
    pub(in crate::model) fn migration_commands(&self) -> Vec<String> {
        let mut all: Vec<String> =
            MigrationVerb::ALL.into_iter().map(|verb| format!("migrate {}", verb.word())).collect();
        all.push("migrate check-user".to_owned());
        let others = self.board.presence.others(&self.ui.setup.console, self.me());
        let mut names: Vec<&str> = others.map(|one| one.who.raw()).filter(|name| is_plain(name)).collect();
        names.sort_unstable();
        names.dedup();
        all.extend(names.into_iter().map(|name| format!("migrate hand-over {name}")));
        all.extend(self.board.migrations.all().map(|one| format!("migrate {}", one.id)));
        all
    }

    /// Does what stands behind `migrate`.
    pub(in crate::model) fn migrate_command(&mut self, now: Now, words: &[&str], effects: &mut Vec<Effect>) {
        let [first, rest @ ..] = words else { return self.intent(now, Intent::Show(Place::Migrations), effects) };
        if let Ok(id) = first.parse::<MigrationId>() {
            return match self.board.migrations.get(&id) {
                Some(_) if rest.is_empty() => self.open_migration(id),
                Some(migration) => {
                    let migration = migration.clone();
                    self.migrate(now, Some(migration), rest, effects);
                }
                None => self.say(now, format!("the server tells of no {id}")),
            };
        }
        let meant = self.meant_migration().cloned();
        self.migrate(now, meant, words, effects);
    }

    fn migrate(&mut self, now: Now, meant: Option<Migration>, words: &[&str], effects: &mut Vec<Effect>) {
        let known = words.first().and_then(|word| MigrationVerb::from_word(word));
        let is_over = meant.as_ref().is_none_or(|migration| !migration.status.is_unfinished());
        let (migration, verb) = match (meant, known, words) {
            (_, Some(MigrationVerb::Plan), [_]) if is_over => return self.make_migration(now, effects),
            (Some(migration), None, ["check-user", who]) => return self.check_user(now, migration.id, who, effects),
            (None, _, _) if self.board.migrations.unfinished().count() > 1 => {
                return self.say(now, "there are several: migrate mig-N VERB says which".to_owned());
            }
            (None, _, _) => return self.say(now, "there is no migration: :migrate plan makes one".to_owned()),
            (Some(migration), Some(verb), _) => (migration, verb),
            (Some(_), None, _) => {
                let typed = words.join(" ");
                return self.say(now, format!("migrations have no verb {}; Tab lists them", sanitise(&typed)));
            }
        };
        let mut given = MigrationRequest::default();
        match (verb, &words[1..]) {
            (MigrationVerb::Rate, [rate]) if rate.parse::<u32>().is_ok() => given.rate = rate.parse().ok(),
            (MigrationVerb::Rate, _) => {
                return self.say(now, "migrate rate N: documents a second, 0 as fast as the guards allow".to_owned());
            }
            (MigrationVerb::HandOver, [to]) => given.to = Some(Text::from((*to).to_owned())),
            (_, []) => {}
            (verb, _) => return self.say(now, format!("migrate {} takes nothing behind it", verb.word())),
        }
        self.ask_migration(now, &migration, verb, given, effects);
    }

    fn check_user(&mut self, now: Now, id: MigrationId, who: &str, effects: &mut Vec<Effect>) {
        if self.ui.migration.as_ref().is_none_or(|one| *one.id() != id) {
            self.open_migration(id);
        }
        self.ui.place = Place::Migrations;
        self.with_context(now, effects, |ui, cx| {
            if let Some(one) = ui.migration.as_mut() {
                one.check(cx, who);
            }
        });
    }
}

/// True for a name that a command line takes as one word.
fn is_plain(name: &str) -> bool {
    name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-@".contains(letter))
}
