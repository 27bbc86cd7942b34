//! Rules, marks and deploys: what a key or a command means, what is shown before a change, what is asked, what is said
//! after.
//!
//! A rule is changed in three steps: a value is typed, what it would have made of the kept lines is shown, and
//! only then it is asked whether it is to be so. The change names the version that was counted with.

use stella_protocol::deploy::DeployRequest;
use stella_protocol::problem::Code;
use stella_protocol::rule::RuleChange;
use stella_protocol::{Deploy, Role as Rank, Rule, Text};
use stella_widgets::text::sanitise;

use super::Model;
use crate::effect::{Command, Effect, Refusal, RequestId};
use crate::event::Now;
use crate::frame::dialog::{Dialog, Order, Step};
use crate::keys::{Intent, Place};
use crate::screens::problem_words;
use crate::screens::rules::{Thing, one};
use crate::setting;

/// The setting that is no limit, as it is typed.
const SENSITIVITY: &str = "sensitivity";

impl Model {
    /// The rule on the screen, as it is known newest.
    fn shown_rule(&self) -> Option<&Rule> {
        self.ui.rules.rule(&self.board, self.ui.rules.one()?.id())
    }

    /// Commands that can be completed.
    pub(super) fn rule_commands(&self) -> Vec<String> {
        let ids: Vec<String> = self.board.rules.iter().map(|rule| sanitise(rule.id.raw()).into_string()).collect();
        let of = |verb: &str| ids.iter().map(|id| format!("rules {verb} {id}")).collect::<Vec<_>>();
        let marks = self.ui.marks.fingerprints().map(|mark| format!("marks undo {}", sanitise(mark)));
        [of("show"), of("preview"), of("set"), marks.collect()].concat()
    }

    /// Does what stands behind `rules`.
    pub(super) fn rules_command(&mut self, now: Now, words: &[&str], effects: &mut Vec<Effect>) {
        match words {
            ["list"] => self.intent(now, Intent::Show(Place::Rules), effects),
            ["show", id] => drop(self.open_rule(now, id, effects)),
            ["preview" | "set", id, settings @ ..] => match setting::read(settings) {
                Ok(change) => {
                    if self.open_rule(now, id, effects) {
                        self.look_at(now, change, effects);
                    }
                }
                Err(why) => self.say(now, why),
            },
            _ => self.say(now, "want rules list | show ID | preview ID NAME=VALUE | set ID NAME=VALUE".to_owned()),
        }
    }

    /// Opens a rule over the list of them; false: there is none of that id.
    fn open_rule(&mut self, now: Now, id: &str, effects: &mut Vec<Effect>) -> bool {
        let is_known = self.ui.rules.rule(&self.board, id).is_some();
        if !is_known {
            self.say(now, format!("there is no rule {}; :rules lists them", sanitise(id)));
            return false;
        }
        if self.ui.place != Place::Rules {
            self.intent(now, Intent::Show(Place::Rules), effects);
        }
        self.ui.rules.open(Some(id));
        true
    }

    /// Asks what a change would have made of the kept lines, if whoever sits here may make it.
    fn look_at(&mut self, now: Now, change: RuleChange, effects: &mut Vec<Effect>) {
        if let Some(why) = self.barred(now, Rank::Admin) {
            return self.say(now, why);
        }
        self.with_context(now, effects, |ui, cx| {
            if let Some(one) = ui.rules.one_mut() {
                one.look_at(cx, change);
            }
        });
    }

    /// Enter on a thing of the rule on the screen.
    pub(super) fn ask_rule(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if let Some(why) = self.barred(now, Rank::Admin) {
            return self.say(now, why);
        }
        let Some(rule) = self.shown_rule() else { return };
        let Some(chosen) = self.ui.rules.one().and_then(|one| one.chosen(rule)) else { return };
        let reset = RuleChange { reset: true, ..RuleChange::default() };
        let toggled = RuleChange { enabled: Some(!rule.enabled), ..RuleChange::default() };
        match chosen {
            Thing::Enabled => self.look_at(now, toggled, effects),
            Thing::Reset => self.look_at(now, reset, effects),
            Thing::Sensitivity => self.ask_value(now, SENSITIVITY),
            Thing::Limit(name) => self.ask_value(now, &name),
            Thing::Apply => self.ask_change(now, effects),
            Thing::Alert(_) | Thing::Mark(_) => {}
        }
    }

    /// Asks for another value of a setting.
    fn ask_value(&mut self, now: Now, name: &str) {
        let Some(rule) = self.shown_rule() else { return };
        let about = if name == SENSITIVITY {
            format!("now {} false alerts an hour", setting::sensitivity(rule.sensitivity))
        } else {
            let known = rule.limits.iter().find(|limit| limit.name.raw() == name);
            format!("now {}; none takes it away", known.map_or_else(|| "none".to_owned(), setting::limit))
        };
        let id = rule.id.raw().to_owned();
        let clean = sanitise(name);
        let what = format!("{} of {}", clean, sanitise(&id));
        let step = Step::Text { name: clean.into_string(), about, needed: true };
        let order = Order::LookAtRule { id, name: name.to_owned() };
        self.ui.dialog = Some(Dialog::steps(order, what, [step], now.steady));
    }

    /// Asks whether the change that was looked at is to be made.
    fn ask_change(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Some(rule) = self.shown_rule() else { return };
        let Some((change, counted)) = self.ui.rules.one().and_then(one::State::counted) else { return };
        let Some(counted) = counted else {
            return self.say(now, "it is not counted yet what it would change".to_owned());
        };
        let change = change.clone();
        if rule.version != counted.version {
            return self.look_at(now, change, effects);
        }
        let id = rule.id.raw().to_owned();
        let what = format!(
            "change {} on {}: {} ({} gained, {} lost)",
            sanitise(&id),
            self.short_badge(),
            setting::words(rule, &change),
            counted.gained_count,
            counted.lost_count
        );
        let order = Order::ChangeRule { id, version: counted.version, change };
        let steps = [Step::text("reason", "why?", false), Step::Yes];
        self.ui.dialog = Some(Dialog::steps(order, what, steps, now.steady));
    }

    /// Everything that was asked is answered.
    pub(super) fn ordered_rule(&mut self, now: Now, order: Order, texts: Vec<String>, effects: &mut Vec<Effect>) {
        let text = texts.into_iter().next().unwrap_or_default();
        match order {
            Order::LookAtRule { id, name } => {
                let mut change = RuleChange::default();
                let is_shown = self.ui.rules.one().is_some_and(|one| one.id() == id);
                match setting::one(&mut change, &name, &text) {
                    Ok(()) if is_shown => self.look_at(now, change, effects),
                    Ok(()) => {}
                    Err(why) => {
                        self.say(now, why);
                        if is_shown {
                            self.ask_value(now, &name);
                        }
                    }
                }
            }
            Order::ChangeRule { id, version, mut change } => {
                if let Some(why) = self.barred(now, Rank::Admin) {
                    return self.say(now, why);
                }
                change.reason = (!text.is_empty()).then(|| Text::from(text));
                self.send(now, Command::ChangeRule { id, version, change }, effects);
            }
            _ => {}
        }
    }

    /// The server answered a change of a rule. Where somebody was faster it is read again: the page then says who.
    pub(super) fn rule_changed(&mut self, now: Now, id: RequestId, answer: Result<Box<Rule>, Refusal>) {
        self.ui.rules.ask_again();
        let rule = match answer {
            Ok(rule) => rule,
            Err(Refusal::Problem(problem)) if problem.code == Code::VersionConflict => {
                self.ui.requests.refused(id);
                return self.say(now, format!("nothing was changed: {}", problem_words(&problem)));
            }
            Err(refusal) => return self.refused(now, id, refusal),
        };
        self.ui.requests.done(id);
        if let Some(one) = self.ui.rules.one_mut().filter(|one| one.id() == rule.id.raw()) {
            one.drop_preview();
        }
        self.say(now, format!("changed {}; its alerts follow the new setting from now on", sanitise(rule.id.raw())));
    }

    /// `u` in the list of what was called false.
    pub(super) fn undo_mark(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Some(mark) = self.ui.marks.chosen() else {
            return self.say(now, "nothing was called false".to_owned());
        };
        let fingerprint = mark.fingerprint.raw().to_owned();
        self.undo_mark_of(now, fingerprint, effects);
    }

    /// `:marks undo FINGERPRINT`: a fingerprint may have blanks in it.
    pub(super) fn undo_named_mark(&mut self, now: Now, typed: &str, effects: &mut Vec<Effect>) {
        let behind = typed.trim().strip_prefix("marks").and_then(|rest| rest.trim_start().strip_prefix("undo"));
        let named = behind.unwrap_or_default().trim();
        let known = self.ui.marks.fingerprints().find(|known| *sanitise(known) == *named).map(str::to_owned);
        match known {
            Some(fingerprint) => self.undo_mark_of(now, fingerprint, effects),
            None => self
                .say(now, "no such mark is known here; :marks asks for all of them, and u takes one back".to_owned()),
        }
    }

    fn undo_mark_of(&mut self, now: Now, fingerprint: String, effects: &mut Vec<Effect>) {
        match self.barred(now, Rank::Admin) {
            Some(why) => self.say(now, why),
            None => self.send(now, Command::UndoMark(fingerprint), effects),
        }
    }

    /// The server answered that a mark was taken back, or was not.
    pub(super) fn mark_undone(
        &mut self,
        now: Now,
        id: RequestId,
        answer: Result<(), Refusal>,
        effects: &mut Vec<Effect>,
    ) {
        if let Err(refusal) = answer {
            return self.refused(now, id, refusal);
        }
        self.ui.requests.done(id);
        self.say(now, "the mark is taken back; F on its next alert marks it again".to_owned());
        self.with_context(now, effects, |ui, cx| ui.marks.ask_again(cx));
    }

    /// `:deploys add SERVICE REVISION`: nothing takes it back, so it is asked for.
    pub(super) fn ask_deploy(&mut self, now: Now, service: &str, revision: &str) {
        if let Some(why) = self.barred(now, Rank::Responder) {
            return self.say(now, why);
        }
        let what = format!("say that {} of {} is out since now", sanitise(revision), sanitise(service));
        let text = |words: &str| Text::from(words.to_owned());
        let request = DeployRequest { service: text(service), revision: text(revision), at: None, by: None };
        self.ui.dialog = Some(Dialog::steps(Order::AddDeploy(request), what, [Step::Yes], now.steady));
    }

    /// The server answered that it knows of a deploy, or will not.
    pub(super) fn deploy_added(&mut self, now: Now, id: RequestId, answer: Result<Box<Deploy>, Refusal>) {
        let deploy = match answer {
            Ok(deploy) => deploy,
            Err(refusal) => return self.refused(now, id, refusal),
        };
        self.ui.requests.done(id);
        let (revision, service) = (sanitise(deploy.revision.raw()), sanitise(deploy.service.raw()));
        self.say(now, format!("{revision} of {service} is marked in every chart"));
    }

    /// `i`: why nothing can be changed here, or that it can.
    pub(super) fn why_no_change(&mut self, now: Now) {
        let words = self.barred(now, Rank::Admin);
        self.say(now, words.unwrap_or_else(|| "nothing is off: an admin may change this".to_owned()));
    }
}
