//! Verbs on fixes: opening a review, what is asked before a decision, and the last look before what has
//! an effect outside is sent.
//!
//! Approving and rolling back are bound to the version and the plan that were painted when the question
//! was asked. Once it is answered the fix is read again; only if it is still the same one, and the
//! answer came at once over a live feed, is the decision sent.

use stella_protocol::fix::{FixRequest, FixReview, StepState, SwitchRequest};
use stella_protocol::{Fix, FixId, FixStatus, FixVerb, Remedy, Text, Verb};
use stella_widgets::text::{cut, sanitise};

use super::Model;
use crate::effect::{Command, Effect, Query, Refusal, RequestId};
use crate::event::Now;
use crate::frame::dialog::{Dialog, Order, Step};
use crate::keys::{Intent, Mode, Place};
use crate::screens::review::{self, off};
use crate::unwind;

/// A re-read older than this is not one, in ms.
const FRESH_MS: u64 = 2_000;

/// Columns of a badge in a question.
const BADGE: u16 = 16;

/// A decision that waits for one more look at its fix.
#[derive(Debug)]
pub struct Armed {
    request: RequestId,
    since: u64,
    fix: FixId,
    version: u64,
    digest: Text,
    command: Command,
}

impl Model {
    /// The fix under review, as it is painted.
    pub fn reviewed_fix(&self) -> Option<&Fix> {
        self.ui.review.as_ref()?.fix(&self.board)
    }

    /// What a key would do to the fix under review: no takes back one's own yes, and `R` closes.
    pub fn fix_verb(&self, intent: Intent) -> Option<FixVerb> {
        let fix = self.reviewed_fix()?;
        match intent {
            Intent::Decide(FixVerb::Reject) if self.has_approved(fix) => Some(FixVerb::Withdraw),
            Intent::Decide(verb) => Some(verb),
            Intent::Act(Verb::Resolve) => Some(FixVerb::Close),
            _ => None,
        }
    }

    fn has_approved(&self, fix: &Fix) -> bool {
        let me = self.me().to_lowercase();
        fix.approvals.iter().any(|approval| approval.by.raw().to_lowercase() == me)
    }

    /// `f`: the review of the fix that the alert under the cursor has; of several one is chosen.
    pub(super) fn review_of_focus(&mut self, now: Now) {
        let Some(alert) = self.focus() else { return };
        let (alert, named) = (alert.id.clone(), alert.fixes.last().cloned());
        let fixes = self.board.fixes.of(&alert);
        let open: Vec<&Fix> = fixes.iter().copied().filter(|fix| fix.status.is_open()).collect();
        let found = match (open.as_slice(), fixes.first()) {
            ([one], _) => Some(one.id.clone()),
            ([], newest) => newest.map(|fix| fix.id.clone()).or(named),
            (many, _) => {
                let words = |fix: &&Fix| (fix.id.clone(), sanitise(fix.title.raw()).into_string());
                let choices = many.iter().map(words).collect();
                self.ui.dialog = Some(Dialog::choose(choices, now.steady));
                return;
            }
        };
        match found {
            Some(id) => self.open_review(id),
            None => self.say(now, format!("no fix is proposed for {alert}; :propose and Tab shows what could be")),
        }
    }

    /// Opens the review of a fix over the screen that is shown.
    pub(super) fn open_review(&mut self, id: FixId) {
        let from = self.ui.review.as_ref().map_or(self.ui.place, review::State::from);
        self.ui.armed = None;
        self.ui.review = Some(review::State::new(id, from));
        self.ui.place = Place::Fixes;
    }

    /// Leaves the review for the screen that it was opened from.
    pub(super) fn close_review(&mut self) {
        self.ui.armed = None;
        if let Some(review) = self.ui.review.take() {
            self.ui.place = review.from();
            self.ui.fixes.let_go();
        }
    }

    /// Asks what a verb on the fix under review needs, or sends it at once.
    pub(super) fn decide(&mut self, now: Now, verb: FixVerb, effects: &mut Vec<Effect>) {
        let Some(fix) = self.reviewed_fix().filter(|_| self.mode() == Mode::Review) else {
            return self.say(now, "that is done inside a review: f opens it".to_owned());
        };
        if let Some(why) = off(verb, fix, &self.view(now)) {
            return self.say(now, format!("{} is off: {why}", verb.word()));
        }
        if self.ui.armed.is_some() || self.ui.requests.fix_progress(&fix.id).is_some() {
            return self.say(now, "a change of it is under way: wait for its answer".to_owned());
        }
        let order = Order::Decide { fix: fix.id.clone(), verb, version: fix.version, digest: fix.plan_digest.clone() };
        let typed = Step::Type(fix.id.to_string());
        let badge = self.short_badge();
        let what = match verb {
            FixVerb::Approve => format!("APPROVE {} on {badge}", fix.id),
            FixVerb::Rollback => format!("ROLL BACK {} on {badge}, {}", fix.id, put_back(fix)),
            FixVerb::Stop => format!("STOP {} on {badge}, {}", fix.id, unwind::stop(fix)),
            verb => format!("{} {} on {badge}", verb.word(), fix.id),
        };
        let why = |needed: bool| Step::text("reason", "why?", needed);
        let steps = match verb {
            FixVerb::DryRun => return self.ordered(now, order, Vec::new(), effects),
            FixVerb::Approve => vec![typed, why(false)],
            FixVerb::Rollback => vec![typed],
            FixVerb::Reject => vec![why(true), Step::Yes],
            FixVerb::Stop | FixVerb::Withdraw => vec![why(false), Step::Yes],
            FixVerb::Close => vec![Step::text("statement", "what did you find, what did you do?", true), Step::Yes],
        };
        self.ui.dialog = Some(Dialog::steps(order, what, steps, now.steady));
    }

    /// Where it would happen, short enough for a question.
    pub(super) fn short_badge(&self) -> String {
        cut(&sanitise(self.ui.setup.badge.raw()), BADGE).into_owned()
    }

    /// Everything that was asked is answered.
    pub(super) fn ordered(&mut self, now: Now, order: Order, texts: Vec<String>, effects: &mut Vec<Effect>) {
        let text = texts.first().filter(|text| !text.is_empty()).map(|text| Text::from(text.clone()));
        match order {
            Order::Act(request) => self.ordered_act(now, request, texts, effects),
            Order::Decide { fix, verb, version, digest } => {
                let bound = matches!(verb, FixVerb::Approve | FixVerb::Rollback);
                let request = FixRequest { plan_digest: bound.then(|| digest.clone()), text };
                let command = Command::DecideFix { id: fix.clone(), version, verb, request };
                if bound {
                    self.arm(now, fix, version, digest, command, effects);
                } else {
                    self.send(now, command, effects);
                }
            }
            Order::Switch { on } => {
                let request = SwitchRequest { on, reason: text.unwrap_or_default() };
                self.send(now, Command::SwitchFixes(request), effects);
            }
            Order::Propose { mut proposal, names } => {
                let given = names.into_iter().zip(texts).filter(|(_, value)| !value.is_empty());
                proposal.parameters.extend(given.map(|(name, value)| (name, Text::from(value))));
                self.send(now, Command::Propose(proposal), effects);
            }
            Order::Lift(suppression) => self.send(now, Command::LiftSuppression(suppression), effects),
            Order::Maintain(request) => self.send(now, Command::Maintain(request), effects),
            Order::Migrate { .. } | Order::Answer { .. } | Order::Adopt { .. } | Order::Lead { .. } => {
                self.ordered_migration(now, order, &texts, effects);
            }
            Order::EndMaintenance(window) => self.send(now, Command::EndMaintenance(window), effects),
            Order::AddDeploy(request) => self.send(now, Command::AddDeploy(request), effects),
            Order::LookAtRule { .. } | Order::ChangeRule { .. } => self.ordered_rule(now, order, texts, effects),
        }
    }

    /// Reads the fix once more before the command is sent.
    fn arm(&mut self, now: Now, fix: FixId, version: u64, digest: Text, command: Command, effects: &mut Vec<Effect>) {
        let request = self.ui.requests.next_id();
        effects.push(Effect::Fetch(request, Query::Fix(fix.clone())));
        self.say(now, format!("reading {fix} once more before it is sent …"));
        self.ui.armed = Some(Armed { request, since: now.steady, fix, version, digest, command });
    }

    /// A fix was read: for the review that shows it, and for a decision that waits for it.
    pub(super) fn reviewed(
        &mut self,
        now: Now,
        id: RequestId,
        fix: &FixId,
        answer: &Result<Box<FixReview>, Refusal>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(review) = self.ui.review.as_mut().filter(|review| review.id() == fix) {
            review.reviewed(id, answer);
        }
        let Some(armed) = self.ui.armed.take_if(|armed| armed.request == id) else { return };
        let against = match answer {
            Ok(review) => self.against(now, &armed, &review.fix),
            Err(refusal) => Some(crate::screens::refusal_words(refusal)),
        };
        match against {
            Some(why) => self.say(now, format!("nothing was sent: {why}")),
            None => self.send(now, armed.command, effects),
        }
    }

    /// Why a decision is not sent after all.
    fn against(&self, now: Now, armed: &Armed, fix: &Fix) -> Option<String> {
        if fix.id != armed.fix {
            return Some("the server answered with another fix".to_owned());
        }
        if !self.board.link.state(now).is_live() {
            return Some("the feed is not live any more".to_owned());
        }
        if now.steady.saturating_sub(armed.since) > FRESH_MS {
            return Some("reading it again took too long; press the key again".to_owned());
        }
        if fix.plan_digest != armed.digest {
            return Some("its plan is another one than the one you saw; read it again".to_owned());
        }
        // The feed may have been faster than the answer.
        let told = self.board.fixes.get(&armed.fix).filter(|told| told.version > fix.version);
        let newest = told.unwrap_or(fix);
        (newest.version != armed.version).then(|| changed_words(newest))
    }

    /// The server answered a verb on a fix, or a proposal.
    pub(super) fn decided(&mut self, now: Now, id: RequestId, answer: Result<Box<Fix>, Refusal>) {
        let fix = match answer {
            Ok(fix) => fix,
            Err(refusal) => return self.refused(now, id, refusal),
        };
        let command = self.ui.requests.decided(id, &fix);
        let words = match &command {
            Some(Command::DecideFix { verb, .. }) => decided_words(*verb, &fix),
            _ => format!("proposed {}; its dry run comes first", fix.id),
        };
        if matches!(command, Some(Command::Propose(_))) && self.ui.dialog.is_none() {
            self.open_review(fix.id.clone());
        }
        self.say(now, words);
    }

    /// The server answered a change of what holds for all fixes.
    pub(super) fn surrounded(&mut self, now: Now, id: RequestId, answer: Result<Box<Remedy>, Refusal>) {
        let remedy = match answer {
            Ok(remedy) => remedy,
            Err(refusal) => return self.refused(now, id, refusal),
        };
        let words = match self.ui.requests.done(id) {
            Some(Command::LiftSuppression(suppression)) => format!("{suppression} is lifted"),
            Some(Command::EndMaintenance(window)) => format!("{window} has ended"),
            _ if remedy.switched_off.is_some() => "all fixes are off; those that ran are being stopped".to_owned(),
            _ => "fixes are on".to_owned(),
        };
        self.say(now, words);
    }
}

/// What a rollback would put back.
fn put_back(fix: &Fix) -> String {
    let done = fix.steps.iter().zip(&fix.plan.steps).filter(|(step, _)| step.state == StepState::Done);
    unwind::back(done.filter(|(_, planned)| planned.undo.is_some()).count())
}

/// What happened to a fix while somebody typed.
fn changed_words(fix: &Fix) -> String {
    let last = fix.trail.last();
    let last = last.map(|last| format!(": {} {}", sanitise(last.by.raw()), sanitise(last.what.raw())));
    let status = fix.status.word().replace('_', " ");
    format!("{} changed meanwhile, it is {status}{}; look again", fix.id, last.unwrap_or_default())
}

fn decided_words(verb: FixVerb, fix: &Fix) -> String {
    let id = &fix.id;
    match verb {
        FixVerb::Approve if fix.status == FixStatus::Pending => {
            format!("approved {id}: {} of {} approvals, others have to follow", fix.approvals.len(), fix.quorum)
        }
        FixVerb::Approve => format!("approved {id}: it runs as soon as its gates are open"),
        FixVerb::Reject => format!("rejected {id}"),
        FixVerb::Withdraw => format!("took your approval of {id} back"),
        FixVerb::DryRun => format!("another dry run of {id} is under way"),
        FixVerb::Stop => stopped_words(fix),
        FixVerb::Rollback => format!("rolling {id} back"),
        FixVerb::Close => format!("closed {id}"),
    }
}

/// What a stop did, by where the fix stands now.
fn stopped_words(fix: &Fix) -> String {
    let id = &fix.id;
    match fix.status {
        FixStatus::Running => format!("{id} stops once the step under way is done or failed"),
        FixStatus::Undoing => format!("stopped {id}: it is being taken back"),
        _ if !fix.result.is_empty() => format!("stopped {id}: {}", sanitise(fix.result.raw())),
        status => format!("stopped {id}: it is {}", status.word().replace('_', " ")),
    }
}
