//! Verbs on alerts: what a key means here and now, what is asked before, what is said after.

use stella_protocol::command::WrongPart;
use stella_protocol::{ActionRequest, ActionResponse, Alert, AlertId, Outcome, Text, Verb};
use stella_widgets::text::sanitise;

use super::Model;
use super::requests::done;
use crate::board::link::{Allowed, LinkState};
use crate::effect::{Command, Effect, Refusal, RequestId};
use crate::event::Now;
use crate::filter::Listed;
use crate::frame::dialog::{Answer, Dialog, Order, Step};
use crate::keys::{Intent, Key, Place};
use crate::screens::{alerts, problem_words};

/// What can be wrong with an alert that is called false: the word for it, what whoever chooses reads, what is sent.
/// The words say what comes of it, since it decides what is told from now on.
const WRONG: [(&str, &str, Option<WrongPart>); 4] = [
    ("normal", "normal here, more is needed from now on", Some(WrongPart::Normal)),
    ("threshold", "threshold too low, more is needed from now on", Some(WrongPart::Threshold)),
    ("misread", "lines were misread, nothing is learned", Some(WrongPart::Misread)),
    ("other", "something else, more is needed from now on", None),
];

impl Model {
    pub(super) fn act(&mut self, now: Now, verb: Verb, effects: &mut Vec<Effect>) {
        let ids = if self.ui.detail_open {
            self.ui.detail.alert().cloned().into_iter().collect()
        } else {
            self.ui.alerts.meant()
        };
        let alerts: Vec<&Alert> = ids.iter().filter_map(|id| self.board.alerts.get(id)).collect();
        if alerts.is_empty() {
            return self.say(now, "no alert under the cursor".to_owned());
        }
        let request = alerts::request(verb, &alerts, self.me());
        if request.targets.is_empty() {
            return self.say(now, "somebody has each of them already".to_owned());
        }
        if let Some(why) = self.forbidden(now, request.verb) {
            return self.say(now, why);
        }
        let steps = steps(request.verb);
        if steps.is_empty() {
            return self.send(now, Command::Act(request), effects);
        }
        let verb = if request.verb == Verb::Note { "note on" } else { request.verb.word() };
        let what = format!("{verb} {}", meant_words(&alerts));
        self.ui.dialog = Some(Dialog::steps(Order::Act(request), what, steps, now.steady));
    }

    /// Everything that a verb asks for is answered. The link may have been lost meanwhile.
    pub(super) fn ordered_act(
        &mut self,
        now: Now,
        mut request: ActionRequest,
        texts: Vec<String>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(why) = self.forbidden(now, request.verb) {
            return self.say(now, why);
        }
        let mut texts = texts.into_iter();
        if request.verb == Verb::FalsePositive {
            let chosen = texts.next();
            request.part = WRONG.iter().find(|(word, ..)| chosen.as_deref() == Some(word)).and_then(|wrong| wrong.2);
        }
        request.text = texts.next().filter(|text| !text.is_empty()).map(Text::from);
        self.send(now, Command::Act(request), effects);
    }

    pub(super) fn undo(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if let Some(why) = self.forbidden(now, Verb::Release) {
            return self.say(now, why);
        }
        match self.ui.requests.undoable().cloned() {
            Some(action) if self.ui.requests.is_undoing(&action) => {
                self.say(now, "undo is under way: wait for its answer".to_owned());
            }
            Some(action) => self.send(now, Command::Undo(action), effects),
            None => self.say(now, "nothing of yours to undo in this session".to_owned()),
        }
    }

    /// Why a verb may not be sent now; None: it may.
    fn forbidden(&self, now: Now, verb: Verb) -> Option<String> {
        if let Some(bar) = self.view(now).bar() {
            return Some(bar.words());
        }
        let link = self.board.link.state(now);
        match link.allows() {
            Allowed::Triage => None,
            Allowed::AcknowledgeNow if verb == Verb::Acknowledge => None,
            Allowed::AcknowledgeNow => Some(format!("{} is off while the feed is stale: r reconnects", verb.word())),
            Allowed::Reading => Some(match link {
                LinkState::Refused(_) => "nothing can be sent: the server refused us".to_owned(),
                _ => "nothing can be sent until the feed is live".to_owned(),
            }),
        }
    }

    pub(super) fn why(&mut self, now: Now) {
        let Some(alert) = self.focus() else { return };
        let rank = alerts::why(alert);
        let words = match self.forbidden(now, Verb::Resolve) {
            Some(off) => format!("{rank}; {off}"),
            None => rank,
        };
        self.say(now, words);
    }

    pub(super) fn send(&mut self, now: Now, command: Command, effects: &mut Vec<Effect>) {
        let words = match &command {
            Command::Act(request) if request.targets.len() == 1 => {
                format!("{} {} …", request.verb.word(), request.targets[0].id)
            }
            Command::Act(request) => format!("{} {} alerts …", request.verb.word(), request.targets.len()),
            Command::Undo(action) => format!("undo {action} …"),
            Command::DecideFix { id, verb, .. } => format!("{} {id} …", verb.word()),
            Command::Propose(proposal) => format!("propose {} …", sanitise(proposal.definition_id.raw())),
            Command::SwitchFixes(request) => format!("fixes {} …", if request.on { "on" } else { "off" }),
            Command::Maintain(_) => "maintenance …".to_owned(),
            Command::LiftSuppression(suppression) => format!("lift {suppression} …"),
            Command::CreateMigration(_) => "a migration is being made …".to_owned(),
            Command::DecideMigration { id, verb, .. } => format!("{} {id} …", verb.word()),
            Command::AnswerMigration { id, .. } => format!("deciding for {id} …"),
            Command::EndMaintenance(window) => format!("end {window} …"),
            Command::ChangeRule { id, .. } => format!("{} is being changed …", sanitise(id)),
            Command::AddDeploy(deploy) => format!("telling of {} …", sanitise(deploy.revision.raw())),
            Command::UndoMark(_) => "the mark is being taken back …".to_owned(),
        };
        self.say(now, words);
        effects.push(self.ui.requests.send(command));
        self.ui.alerts.unmark();
    }

    pub(super) fn acted(&mut self, now: Now, id: RequestId, answer: Result<ActionResponse, Refusal>) {
        let words = match answer {
            Ok(response) => {
                let command = self.ui.requests.answered(id, &response);
                answered_words(command.as_ref(), &response, self.me())
            }
            Err(refusal) => return self.refused(now, id, refusal),
        };
        self.say(now, words);
    }

    /// The server said no, or nothing.
    pub(super) fn refused(&mut self, now: Now, id: RequestId, refusal: Refusal) {
        let words = match refusal {
            Refusal::Problem(problem) => {
                self.ui.requests.refused(id);
                format!("refused: {}", problem_words(&problem))
            }
            Refusal::Unknown(why) => {
                self.ui.requests.unknown(id);
                format!("unknown whether it happened ({}); asked again with the same key", sanitise(why.raw()))
            }
            Refusal::Query(error) => {
                self.ui.requests.refused(id);
                error.to_string()
            }
        };
        self.say(now, words);
    }

    pub(super) fn ask_filter(&mut self, now: Now) {
        self.ui.dialog = match self.ui.place {
            Place::Migrations | Place::Rules | Place::Marks | Place::Deploys => None,
            Place::Alerts => Some(Dialog::filter(Listed::Alerts, self.ui.alerts.filter().text(), now.steady)),
            Place::Fixes => Some(Dialog::filter(Listed::Fixes, self.ui.fixes.filter().text(), now.steady)),
            Place::Log => Some(Dialog::search(self.ui.log.search_text(), now.steady)),
            Place::Metrics => Some(Dialog::series(self.ui.metrics.filter_text(), now.steady)),
        };
    }

    pub(super) fn dialog_key(&mut self, now: Now, key: Key, effects: &mut Vec<Effect>) {
        let Some(dialog) = &mut self.ui.dialog else { return };
        match dialog.key(key, now.steady) {
            Answer::More => {}
            Answer::Cancelled => self.ui.dialog = None,
            Answer::Quit => effects.push(Effect::Quit),
            Answer::Filter(of, filter) => {
                self.ui.dialog = None;
                self.with_context(now, effects, |ui, cx| match of {
                    Listed::Alerts => ui.alerts.set_filter(filter, cx),
                    Listed::Fixes => ui.fixes.set_filter(filter, cx),
                });
            }
            Answer::Search(text) => {
                self.ui.dialog = None;
                self.with_context(now, effects, |ui, cx| ui.log.search(cx, &text));
            }
            Answer::Series(text) => {
                self.ui.dialog = None;
                self.ui.metrics.set_filter(&text);
            }
            Answer::Order(order, texts) => {
                self.ui.dialog = None;
                self.ordered(now, order, texts, effects);
            }
            Answer::Command(typed) => {
                self.ui.dialog = None;
                self.command(now, &typed, effects);
            }
            Answer::Review(id) => {
                self.ui.dialog = None;
                self.open_review(id);
            }
        }
    }

    pub(super) fn copy(&mut self, now: Now, intent: Intent, effects: &mut Vec<Effect>) {
        let copied = match self.ui.place {
            Place::Fixes => self.copied_fix(intent),
            Place::Migrations => self.copied_migration(intent),
            Place::Alerts | Place::Metrics | Place::Log => self.copied_alert(now, intent),
            Place::Rules | Place::Marks | Place::Deploys => None,
        };
        let Some(text) = copied else { return };
        let clean = text.lines().map(|line| sanitise(line).into_string()).collect::<Vec<_>>().join("\n");
        effects.push(Effect::Copy(clean));
    }

    fn copied_fix(&self, intent: Intent) -> Option<String> {
        let under_cursor = || self.ui.fixes.find(&self.board.fixes, self.ui.fixes.cursor()?);
        let fix = self.reviewed_fix().or_else(under_cursor)?;
        Some(match intent {
            Intent::CopyJson => serde_json::to_string_pretty(fix).unwrap_or_default(),
            Intent::CopyPlan => serde_json::to_string_pretty(&fix.plan).unwrap_or_default(),
            _ => fix.id.to_string(),
        })
    }

    fn copied_alert(&self, now: Now, intent: Intent) -> Option<String> {
        let alert = self.focus()?;
        Some(match intent {
            Intent::CopyJson => serde_json::to_string_pretty(alert).unwrap_or_default(),
            Intent::CopyMarkdown => self.ui.detail.markdown(alert, &self.view(now)),
            _ => alert.id.to_string(),
        })
    }
}

/// What a verb asks for before it is sent.
fn steps(verb: Verb) -> Vec<Step> {
    let closing = [Step::text("reason", "why?", false), Step::Yes];
    match verb {
        Verb::Acknowledge | Verb::Release | Verb::TakeOver => Vec::new(),
        Verb::Note => vec![Step::text("note", "what is to be kept?", true)],
        Verb::Resolve | Verb::Reopen => closing.to_vec(),
        Verb::FalsePositive => {
            let of = WRONG.map(|(word, meaning, _)| (word.to_owned(), meaning.to_owned()));
            let which = Step::Choose { question: "what was wrong?", of: of.to_vec() };
            std::iter::once(which).chain(closing).collect()
        }
    }
}

fn meant_words(alerts: &[&Alert]) -> String {
    match alerts {
        [alert] => format!("{} {}", alert.id, sanitise(alert.title.raw())),
        many => format!("{} alerts", many.len()),
    }
}

fn answered_words(command: Option<&Command>, response: &ActionResponse, me: &str) -> String {
    let count = |wanted: Outcome| response.results.iter().filter(|result| result.outcome == wanted).count();
    let (worked, same) = (count(Outcome::Done), count(Outcome::Unchanged));
    let verb = match command {
        Some(Command::Act(request)) => done(request.verb),
        _ => "undone",
    };
    let names: Vec<&AlertId> = response.results.iter().map(|result| &result.id).collect();
    let whom =
        if let [one] = names.as_slice() { one.to_string() } else { format!("{worked} of {} alerts", names.len()) };
    let mut words = match (worked, same) {
        (0, 0) => String::new(),
        (0, _) => format!("{whom} was {verb} already"),
        _ => format!("{verb} {whom} as {}", sanitise(me)),
    };
    let refused = response.results.iter().find_map(|result| result.problem.as_ref().map(|problem| (result, problem)));
    if let Some((result, problem)) = refused {
        let gap = if words.is_empty() { "" } else { "; " };
        words.push_str(&format!("{gap}{} refused: {}", result.id, problem_words(problem)));
    } else if response.undo_until.is_some() && worked > 0 {
        words.push_str(" - u undo (24h)");
    }
    words
}
