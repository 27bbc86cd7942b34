//! The command line: every verb and screen by its name, and what has no key: the switch of all fixes,
//! proposals, suppressions, maintenance.

use std::collections::BTreeMap;

use stella_protocol::fix::{DefinitionPage, DefinitionView, MaintenanceRequest, Proposal};
use stella_protocol::{Alert, AlertId, FixId, FixVerb, Role as Rank, Text, Verb};
use stella_widgets::text::sanitise;

use super::Model;
use crate::effect::{Effect, Query, Refusal};
use crate::event::Now;
use crate::frame::dialog::{Dialog, Order, Step};
use crate::keys::{Intent, Mode, Place};

/// Commands that are one word, and what they are otherwise a key for.
const WORDS: [(&str, Intent); 25] = [
    ("alerts", Intent::Show(Place::Alerts)),
    ("fixes", Intent::Show(Place::Fixes)),
    ("migrations", Intent::Show(Place::Migrations)),
    ("metrics", Intent::Show(Place::Metrics)),
    ("log", Intent::Show(Place::Log)),
    ("rules", Intent::Show(Place::Rules)),
    ("marks", Intent::Show(Place::Marks)),
    ("deploys", Intent::Show(Place::Deploys)),
    ("help", Intent::Help),
    ("quit", Intent::Quit),
    ("acknowledge", Intent::Act(Verb::Acknowledge)),
    ("release", Intent::Act(Verb::Release)),
    ("resolve", Intent::Act(Verb::Resolve)),
    ("false-positive", Intent::Act(Verb::FalsePositive)),
    ("note", Intent::Act(Verb::Note)),
    ("undo", Intent::Undo),
    ("review", Intent::Review),
    ("approve", Intent::Decide(FixVerb::Approve)),
    ("reject", Intent::Decide(FixVerb::Reject)),
    ("withdraw", Intent::Decide(FixVerb::Withdraw)),
    ("dry-run", Intent::Decide(FixVerb::DryRun)),
    ("stop", Intent::Decide(FixVerb::Stop)),
    ("rollback", Intent::Decide(FixVerb::Rollback)),
    ("close", Intent::Decide(FixVerb::Close)),
    ("refresh", Intent::Refresh),
];

impl Model {
    /// Opens the command line; what can be proposed is asked for anew.
    pub(super) fn ask_command(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let request = self.ui.requests.next_id();
        effects.push(Effect::Fetch(request, Query::Definitions));
        self.ui.dialog = Some(Dialog::command(self.commands(), now.steady));
    }

    /// Takes what can be proposed.
    pub(super) fn define(&mut self, answer: Result<DefinitionPage, Refusal>) {
        // Without an answer nothing can be completed; proposing says so.
        if let Ok(page) = answer {
            self.ui.definitions = page.items;
        }
        let commands = self.commands();
        if let Some(dialog) = &mut self.ui.dialog {
            dialog.learn(commands);
        }
    }

    /// Every command that can be completed, whole; those for where we are come first.
    fn commands(&self) -> Vec<String> {
        let is_here = |intent: &Intent| match intent {
            Intent::Decide(_) => matches!(self.mode(), Mode::Review | Mode::Migration),
            Intent::Act(_) | Intent::Review => matches!(self.mode(), Mode::List | Mode::Detail),
            _ => true,
        };
        let (mut words, others): (Vec<_>, Vec<_>) = WORDS.iter().partition(|(_, intent)| is_here(intent));
        words.sort_by_key(|(_, intent)| {
            matches!(intent, Intent::Show(_) | Intent::Help | Intent::Quit | Intent::Refresh)
        });
        let mut all: Vec<String> = words.into_iter().chain(others).map(|(word, _)| (*word).to_owned()).collect();
        all.extend(self.migration_commands());
        all.extend(self.rule_commands());
        all.extend(["fixes off", "fixes on", "deploys add"].map(str::to_owned));
        all.extend(self.ui.definitions.iter().map(|known| format!("propose {}", sanitise(known.id.raw()))));
        let fixes = self.board.fixes.iter().filter(|fix| fix.status.is_open());
        all.extend(fixes.map(|fix| format!("review {}", fix.id)));
        let suppressed = &self.board.fixes.remedy().suppressions;
        all.extend(suppressed.iter().map(|one| format!("fixes lift {}", sanitise(one.id.raw()))));
        all.push("maintenance 1h".to_owned());
        let windows = &self.board.fixes.remedy().maintenance;
        all.extend(windows.iter().map(|one| format!("maintenance end {}", sanitise(one.id.raw()))));
        all
    }

    /// Does what a command says.
    pub(super) fn command(&mut self, now: Now, typed: &str, effects: &mut Vec<Effect>) {
        let words: Vec<&str> = typed.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["fixes", "off"] => self.ask_switch(now, false),
            ["fixes", "on"] => self.ask_switch(now, true),
            ["fixes", "lift", suppression] => self.ask_lift(now, suppression),
            ["propose", definition, given @ ..] => {
                if let Err(why) = self.propose(now, definition, given) {
                    self.ask_again(now, typed, why, effects);
                }
            }
            ["propose"] => {
                let why = "propose what? Tab completes; NAME=VALUE behind it gives a parameter".to_owned();
                self.ask_again(now, "propose ", why, effects);
            }
            ["review", id] => match numbered(id).parse::<FixId>() {
                Ok(id) => self.open_review(id),
                Err(_) => self.say(now, "a fix is called fx-N".to_owned()),
            },
            ["migrate", rest @ ..] => self.migrate_command(now, rest, effects),
            ["rules", rest @ ..] if !rest.is_empty() => self.rules_command(now, rest, effects),
            ["deploys", "add", service, revision] => self.ask_deploy(now, service, revision),
            ["deploys", "add", ..] => self.say(now, "want deploys add SERVICE REVISION".to_owned()),
            ["marks", "undo", ..] => self.undo_named_mark(now, typed, effects),
            ["maintenance", "end", window] => self.ask_end(now, window),
            ["maintenance", length, rest @ ..] => self.ask_maintenance(now, length, rest),
            [word] => match WORDS.iter().find(|(name, _)| name == word) {
                Some((_, intent)) => self.named(now, *intent, effects),
                None => self.unknown_command(now, typed),
            },
            _ => self.unknown_command(now, typed),
        }
    }

    /// The command line once more, with what was typed: it says too little, or what cannot be.
    fn ask_again(&mut self, now: Now, typed: &str, why: String, effects: &mut Vec<Effect>) {
        self.ask_command(now, effects);
        if let Some(dialog) = &mut self.ui.dialog {
            dialog.paste(typed);
        }
        self.say(now, why);
    }

    fn unknown_command(&mut self, now: Now, typed: &str) {
        let typed = sanitise(typed);
        self.say(now, format!("there is no command {typed}; : and Tab lists them"));
    }

    /// A command that is a key elsewhere works on what is focused.
    fn named(&mut self, now: Now, intent: Intent, effects: &mut Vec<Effect>) {
        match intent {
            Intent::Undo if self.mode() == Mode::Marks => self.undo_mark(now, effects),
            Intent::Act(_) | Intent::Undo if !matches!(self.mode(), Mode::List | Mode::Detail) => {
                self.say(now, "that is for alerts: 1 shows them".to_owned());
            }
            Intent::Review if self.mode() == Mode::Review => {}
            Intent::Quit => self.ui.dialog = Some(Dialog::quit(now.steady)),
            intent => self.intent(now, intent, effects),
        }
    }

    fn ask_switch(&mut self, now: Now, on: bool) {
        if let Some(why) = self.barred(now, Rank::Admin) {
            return self.say(now, why);
        }
        let is_off = self.board.fixes.remedy().switched_off.is_some();
        if is_off != on {
            return self.say(now, format!("all fixes are {} already", if on { "on" } else { "off" }));
        }
        let word = if on { "on" } else { "off" };
        let steps = [Step::Type(word.to_owned()), Step::text("reason", "why?", !on)];
        let what = format!("switch ALL fixes of {} {word}", self.short_badge());
        self.ui.dialog = Some(Dialog::steps(Order::Switch { on }, what, steps, now.steady));
    }

    fn ask_lift(&mut self, now: Now, suppression: &str) {
        if let Some(why) = self.barred(now, Rank::Admin) {
            return self.say(now, why);
        }
        let known = self.board.fixes.remedy().suppressions.iter().find(|one| one.id.raw() == suppression);
        let is_id =
            suppression.strip_prefix("sup-").is_some_and(|rest| rest.bytes().all(|digit| digit.is_ascii_digit()));
        let Some(known) = known.filter(|_| is_id) else {
            return self.say(now, "there is no such suppression; Tab after `fixes lift` lists them".to_owned());
        };
        let (what, target) = (sanitise(known.definition_id.raw()), sanitise(known.target.raw()));
        let words = format!("let {what} be proposed for {target} again");
        let order = Order::Lift(suppression.to_owned());
        self.ui.dialog = Some(Dialog::steps(order, words, [Step::Yes], now.steady));
    }

    fn ask_end(&mut self, now: Now, window: &str) {
        if let Some(why) = self.barred(now, Rank::Admin) {
            return self.say(now, why);
        }
        let known = self.board.fixes.remedy().maintenance.iter().find(|one| one.id.raw() == window);
        let is_id = window.strip_prefix("win-").is_some_and(|rest| rest.bytes().all(|digit| digit.is_ascii_digit()));
        let Some(known) = known.filter(|_| is_id) else {
            return self.say(now, "there is no such window; Tab after `maintenance end` lists them".to_owned());
        };
        let target = sanitise(known.target.raw());
        let whose = if target.is_empty() { "any target" } else { &target };
        let words = format!("end {window}: let fixes start on {whose} again");
        let order = Order::EndMaintenance(window.to_owned());
        self.ui.dialog = Some(Dialog::steps(order, words, [Step::Yes], now.steady));
    }

    fn ask_maintenance(&mut self, now: Now, length: &str, rest: &[&str]) {
        if let Some(why) = self.barred(now, Rank::Admin) {
            return self.say(now, why);
        }
        let Some(millis) = millis(length) else {
            return self.say(now, "maintenance for how long? 30m, 2h, 1d; then a target and why".to_owned());
        };
        let (target, reason) = match rest {
            [target, reason @ ..] if target.contains(':') => ((*target).to_owned(), reason.join(" ")),
            reason => (String::new(), reason.join(" ")),
        };
        let until = self.board.clock(now).plus_millis(millis);
        let whose = if target.is_empty() { "any target".to_owned() } else { target.clone() };
        let what = format!("let no fix start on {whose} for {length}");
        let request = MaintenanceRequest { target: Text::from(target), from: None, until, reason: Text::from(reason) };
        self.ui.dialog = Some(Dialog::steps(Order::Maintain(request), what, [Step::Yes], now.steady));
    }

    /// Asks for what neither the command nor the alert in focus gives.
    ///
    /// # Errors
    /// With what to say when the command cannot be meant so.
    fn propose(&mut self, now: Now, definition: &str, given: &[&str]) -> Result<(), String> {
        if let Some(why) = self.barred(now, Rank::Responder) {
            self.say(now, why);
            return Ok(());
        }
        let known = self.ui.definitions.iter().find(|known| known.id.raw() == definition);
        let known = known.ok_or_else(|| {
            format!("the server has no definition {}; Tab after propose lists them", sanitise(definition))
        })?;
        let given = values(known, given)?;
        let alert = self.alert_in_hand();
        let names: Vec<String> = missing(known, alert).into_iter().filter(|name| !given.contains_key(name)).collect();
        let steps: Vec<Step> = names
            .iter()
            .map(|name| {
                let kind = kind(known, name);
                let otherwise = if alert.is_some() { "empty: as the alert says" } else { "required" };
                let about = format!("{} ({kind}, {otherwise})", sanitise(name));
                Step::Text { name: sanitise(name).into_string(), about, needed: alert.is_none() }
            })
            .chain([Step::Yes])
            .collect();
        let whom = alert.map_or_else(|| "without an alert".to_owned(), |alert| format!("for {}", alert.id));
        let said = given.iter().map(|(name, value)| format!("{name}={}", value.raw()));
        let said = [known.id.raw().to_owned()].into_iter().chain(said).collect::<Vec<_>>().join(" ");
        let what = format!("propose {} {whom}", sanitise(&said));
        let alert_id: Option<AlertId> = alert.map(|alert| alert.id.clone());
        let proposal = Proposal { definition_id: known.id.clone(), alert_id, parameters: given };
        self.ui.dialog = Some(Dialog::steps(Order::Propose { proposal, names }, what, steps, now.steady));
        Ok(())
    }

    /// The alert that a proposal is for: the one in focus, or that of the fix under review.
    fn alert_in_hand(&self) -> Option<&Alert> {
        match self.mode() {
            Mode::List | Mode::Detail => self.focus(),
            Mode::Review => self.board.alerts.get(self.reviewed_fix()?.alert_id.as_ref()?),
            _ => None,
        }
    }

    /// Why whoever sits here may not change anything that asks for this role now.
    pub(super) fn barred(&self, now: Now, wanted: Rank) -> Option<String> {
        let is_live = self.board.link.state(now).is_live();
        self.view(now).lacks(wanted).or_else(|| (!is_live).then(|| "nothing is sent until the feed is live".to_owned()))
    }
}

/// What a fix is called by its number alone.
fn numbered(id: &str) -> String {
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { format!("{}{id}", FixId::PREFIX) } else { id.to_owned() }
}

/// The type of a parameter.
fn kind(definition: &DefinitionView, name: &str) -> String {
    definition.parameters.get(name).map(|kind| sanitise(kind.raw()).into_string()).unwrap_or_default()
}

/// Parameters given as `NAME=VALUE`.
fn values(definition: &DefinitionView, given: &[&str]) -> Result<BTreeMap<String, Text>, String> {
    let one = |word: &&str| {
        let (name, value) = word.split_once('=').filter(|(_, value)| !value.is_empty())?;
        definition.parameters.contains_key(name).then(|| (name.to_owned(), Text::from(value.to_owned())))
    };
    given.iter().map(|word| one(word).ok_or_else(|| takes(definition, word))).collect()
}

/// What a definition takes, when it was given something else.
fn takes(definition: &DefinitionView, wrong: &str) -> String {
    let id = sanitise(definition.id.raw());
    let all: Vec<String> = definition
        .parameters
        .keys()
        .map(|name| format!("{}=VALUE ({})", sanitise(name), kind(definition, name)))
        .collect();
    let all = if all.is_empty() { "no parameter".to_owned() } else { all.join(" ") };
    format!("{id} takes {all}, not {}", sanitise(wrong))
}

/// The parameters that the alert names no label for.
fn missing(definition: &DefinitionView, alert: Option<&Alert>) -> Vec<String> {
    let given = |name: &String| alert.is_some_and(|alert| alert.labels.contains_key(name));
    definition.parameters.keys().filter(|name| !given(name)).cloned().collect()
}

/// `30m`, `2h`, `1d`, seven days at most.
fn millis(length: &str) -> Option<i64> {
    let (number, unit) = length.split_at_checked(length.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let millis = number.parse::<i64>().ok()?.checked_mul(unit)?;
    (millis > 0 && millis <= 7 * 86_400_000).then_some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_a_unit_and_a_bound() {
        assert_eq!([millis("30m"), millis("2h"), millis("7d")], [Some(1_800_000), Some(7_200_000), Some(604_800_000)]);
        assert_eq!([millis("8d"), millis("0m"), millis("m"), millis("2"), millis(""), millis("2ü")], [None; 6]);
    }
}
