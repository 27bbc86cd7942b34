//! `O`: who answers for a migration from now on. Whoever is there is offered by name; each choice then asks for
//! its own yes, as the command of its name does.

use stella_protocol::migration::MigrationRequest;
use stella_protocol::{MigrationId, MigrationVerb, Role as Rank, Text};
use stella_widgets::text::{cut, sanitise};

use super::Model;
use crate::effect::Effect;
use crate::event::Now;
use crate::frame::dialog::{Dialog, Order, Step};

/// Columns of a name in a choice.
const NAME: u16 = 16;
/// People who are offered by name; with the two other choices a digit chooses each.
const OFFERED: usize = 7;
/// The value of a choice that names somebody; the name follows.
const TO: &str = "to ";
/// The value of taking it over.
const TAKE: &str = "take";

impl Model {
    /// Asks who it is to be.
    pub(in crate::model) fn ask_leader(&mut self, now: Now) {
        if let Some(why) = self.barred(now, Rank::Admin) {
            return self.say(now, why);
        }
        let Some(one) = self.shown_migration() else { return };
        let is_mine = one.leader.raw() == self.me();
        let mut choices = Vec::new();
        choices.extend((!is_mine).then(|| (TAKE.to_owned(), "take over".to_owned())));
        let others = self.board.presence.others(&self.ui.setup.console, self.me());
        let mut names: Vec<&str> = others.filter(|one| one.role.allows(Rank::Admin)).map(|one| one.who.raw()).collect();
        names.retain(|name| *name != one.leader.raw() && *name != self.me());
        names.sort_unstable();
        names.dedup();
        let offer = |name: &str| (format!("{TO}{name}"), format!("to {}", cut(&sanitise(name), NAME)));
        choices.extend(names.into_iter().take(OFFERED).map(offer));
        choices.push((String::new(), "to somebody else".to_owned()));
        let order = Order::Lead { id: one.id.clone() };
        let what = format!("{}, led by {}", one.id, cut(&sanitise(one.leader.raw()), NAME));
        self.ui.dialog =
            Some(Dialog::steps(order, what, [Step::Choose { question: "which?", of: choices }], now.steady));
    }

    /// It was chosen: what the verb asks besides comes next.
    pub(super) fn ordered_leader(&mut self, now: Now, id: &MigrationId, texts: &[String], effects: &mut Vec<Effect>) {
        let (Some(choice), Some(one)) = (texts.first(), self.board.migrations.get(id).cloned()) else { return };
        let verb = if choice == TAKE { MigrationVerb::TakeOver } else { MigrationVerb::HandOver };
        let to = choice.strip_prefix(TO).map(|name| Text::from(name.to_owned()));
        self.ask_migration(now, &one, verb, MigrationRequest { to, ..MigrationRequest::default() }, effects);
    }
}
