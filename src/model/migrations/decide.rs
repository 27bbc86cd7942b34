//! Questions that only a person can answer: who is who, and what becomes of an id without a user. And what
//! is said once the server has answered.

use stella_protocol::migration::{Decision, DecisionRequest, Orphan, OrphanChoice};
use stella_protocol::{Migration, MigrationVerb, Role as Rank, Text};
use stella_widgets::text::{cut, sanitise};

use super::Model;
use crate::effect::{Command, Effect, Refusal, RequestId};
use crate::event::Now;
use crate::frame::dialog::{Dialog, Order, Step};
use crate::keys::Place;
use crate::screens::migrations as screen;
use crate::screens::migrations::one::{self, Chosen};

/// Columns of a name in a question.
const NAME: u16 = 24;

/// The value of a choice that maps; the user's id follows.
const MAP: &str = "map ";

impl Model {
    /// Enter on a question or an id without a user: the ways to decide, a reason, a yes.
    pub(in crate::model) fn ask_what_is_meant(&mut self, now: Now) {
        if let Some(why) = self.barred(now, Rank::Admin) {
            return self.say(now, why);
        }
        let Some(migration) = self.shown_migration() else { return };
        if self.ui.requests.migration_progress(&migration.id).is_some() {
            return self.say(now, "a change of it is under way: wait for its answer".to_owned());
        }
        if !screen::may_still_decide(migration.status) {
            let words =
                format!("{} is {}: nothing is decided any more", migration.id, screen::stands(migration.status));
            return self.say(now, words);
        }
        let (id, version) = (migration.id.clone(), migration.version);
        let Some(chosen) = self.ui.migration.as_ref().and_then(one::State::chosen) else {
            return self.say(now, "nothing stands under the cursor".to_owned());
        };
        let reason = Step::text("reason", "why? It is the evidence", true);
        let (order, what, choices) = match chosen {
            Chosen::Question(decision) => {
                let order = Order::Answer { id, version, question: decision.id.clone() };
                (order, format!("decide {}", sanitise(decision.id.raw())), options(decision))
            }
            Chosen::Orphan(orphan) => {
                let order = Order::Adopt { id, version, orphan: orphan.id.clone() };
                (order, format!("decide {}", short(&orphan.id)), choices(orphan))
            }
        };
        self.ui.dialog = Some(Dialog::steps(
            order,
            what,
            [Step::Choose { question: "which?", of: choices }, reason, Step::Yes],
            now.steady,
        ));
    }

    /// A decision is complete: the choice, then the reason.
    pub(super) fn ordered_decision(&mut self, now: Now, order: Order, texts: &[String], effects: &mut Vec<Effect>) {
        let [choice, reason] = texts else { return };
        let reason = Text::from(reason.clone());
        let (id, version, request) = match order {
            Order::Answer { id, version, question } => {
                let option = Text::from(choice.clone());
                (id, version, DecisionRequest::Question { id: question, option, reason })
            }
            Order::Adopt { id, version, orphan } => {
                let user = choice.strip_prefix(MAP).map(|user| Text::from(user.to_owned()));
                let choice = match choice.as_str() {
                    _ if user.is_some() => OrphanChoice::Map,
                    "placeholder" => OrphanChoice::Placeholder,
                    "archive" => OrphanChoice::Archive,
                    _ => OrphanChoice::Quarantine,
                };
                (id, version, DecisionRequest::Orphan { id: orphan, choice, user, reason })
            }
            _ => return,
        };
        self.send(now, Command::AnswerMigration { id, version, request }, effects);
    }

    /// The server answered a verb on a migration, a decision, or that one is made.
    pub(in crate::model) fn migrated(&mut self, now: Now, id: RequestId, answer: Result<Box<Migration>, Refusal>) {
        let migration = match answer {
            Ok(migration) => migration,
            Err(refusal) => return self.refused(now, id, refusal),
        };
        let command = self.ui.requests.migrated(id, &migration);
        let words = match &command {
            Some(Command::DecideMigration { verb, .. }) => decided_words(*verb, &migration),
            Some(Command::AnswerMigration { .. }) => answered_words(&migration),
            _ => format!("{} is made: the data is being looked at, nothing is written", migration.id),
        };
        let is_made = matches!(command, Some(Command::CreateMigration(_)));
        let is_shown_over = self.shown_migration().is_none_or(|shown| !shown.status.is_unfinished());
        if is_made && self.ui.place == Place::Migrations && is_shown_over {
            self.open_migration(migration.id.clone());
        }
        self.say(now, words);
    }
}

fn options(decision: &Decision) -> Vec<(String, String)> {
    let one = |name: &Text| (name.raw().to_owned(), short(name));
    decision.options.iter().map(|option| one(&option.name)).collect()
}

/// Mapping to somebody comes last: it is what cannot be taken back by looking.
fn choices(orphan: &Orphan) -> Vec<(String, String)> {
    let plain = [OrphanChoice::Quarantine, OrphanChoice::Placeholder, OrphanChoice::Archive].map(screen::choice_word);
    let mut all: Vec<(String, String)> = plain.into_iter().map(|word| (word.to_owned(), word.to_owned())).collect();
    let proposed = orphan.decision.as_ref().filter(|decision| decision.choice == OrphanChoice::Map);
    let proposed = proposed.and_then(|decision| decision.user.as_ref());
    let users = orphan.candidates.iter().map(|candidate| &candidate.user).chain(proposed);
    for user in users {
        let value = format!("{MAP}{}", user.raw());
        if all.iter().all(|(known, _)| *known != value) {
            all.push((value, format!("map to {}", short(user))));
        }
    }
    all
}

fn short(text: &Text) -> String {
    cut(&sanitise(text.raw()), NAME).into_owned()
}

fn answered_words(migration: &Migration) -> String {
    match migration.open_decisions {
        0 => format!("decided; no question of {} is open", migration.id),
        1 => format!("decided; one question of {} is open", migration.id),
        open => format!("decided; {open} questions of {} are open", migration.id),
    }
}

fn decided_words(verb: MigrationVerb, migration: &Migration) -> String {
    use MigrationVerb as Do;
    let id = &migration.id;
    match verb {
        Do::Plan => format!("the data is being looked at again for {id}; nothing is written"),
        Do::Rehearse => format!("{id} is being rehearsed: every batch is computed, nothing is written"),
        Do::Approve => format!("approved {id}; E starts it"),
        Do::Start => format!("started {id}: the backup comes first"),
        Do::Pause => format!("{id} pauses after the writes in flight"),
        Do::Resume => format!("{id} goes on"),
        Do::Rate => format!("{id}: {}", screen::limit(migration.limits.rate)),
        Do::Verify => format!("every document of {id} is being looked at; nothing is written"),
        Do::Cutover => format!("{id} is being cut over: aliases first, then tombstones"),
        Do::Rollback => format!("{id} is being put back, last document first"),
        Do::Stop => format!("{id} halts after the writes in flight"),
        Do::HandOver | Do::TakeOver => format!("{} answers for {id} now", sanitise(migration.leader.raw())),
        Do::Retry => format!("the step of {id} that failed is tried again"),
        Do::Close => format!("closed {id}"),
        Do::Cancel => format!("called {id} off; nothing was changed"),
    }
}
