//! One rule: its settings, its score, what was called false of it; and what a change would have made of the
//! lines that are kept, before anything is changed.
//!
//! The cursor is a thing: Enter on a setting asks for another value, and shows first which alerts it would
//! have gained and lost. Only the line `apply this` asks whether it is to be so.

use stella_protocol::rule::{MarkPage, RuleChange, RulePreview};
use stella_protocol::{AlertId, FalseMark, Rule};

use super::paper;
use crate::effect::{Effect, Query, Refusal, RequestId};
use crate::keys::{Intent, Motion};
use crate::screens::asked::Asked;
use crate::screens::{Context, Go};

/// Which rule, and what is being asked about it.
#[derive(Debug)]
pub struct State {
    id: String,
    line: usize,
    marks: Asked<MarkPage>,
    is_marks_asked: bool,
    pub(super) preview: Option<Preview>,
}

/// A change that is looked at before it is made.
#[derive(Debug)]
pub(super) struct Preview {
    pub(super) change: RuleChange,
    pub(super) answer: Asked<Box<RulePreview>>,
}

/// Something that the cursor can be on.
#[derive(Debug, Clone, PartialEq)]
pub enum Thing {
    /// Whether it is looked for.
    Enabled,
    /// How many false alerts an hour somebody is ready to bear.
    Sensitivity,
    /// A limit, by its name.
    Limit(String),
    /// Back to what was shipped, or stands in the file.
    Reset,
    /// Something that was called false, by its fingerprint.
    Mark(String),
    /// The change that is looked at.
    Apply,
    /// An alert that comes or goes with it.
    Alert(Option<AlertId>),
}

impl State {
    pub(super) fn new(id: String) -> Self {
        Self { id, line: 0, marks: Asked::default(), is_marks_asked: false, preview: None }
    }

    /// Which rule.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The change that is looked at, and what it was counted to make; None while it is being counted.
    pub fn counted(&self) -> Option<(&RuleChange, Option<&RulePreview>)> {
        let preview = self.preview.as_ref()?;
        Some((&preview.change, preview.answer.known().filter(|_| !preview.answer.is_waiting()).map(|known| &**known)))
    }

    /// Asks what a change would have made of the kept lines.
    pub fn look_at(&mut self, cx: &mut Context<'_>, change: RuleChange) {
        let mut answer = Asked::default();
        answer.ask(cx, Query::RulePreview { id: self.id.clone(), change: change.clone() });
        self.preview = Some(Preview { change, answer });
        self.line = 0;
    }

    /// Leaves everything as it is.
    pub fn drop_preview(&mut self) {
        self.preview = None;
        self.line = 0;
    }

    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        if !self.is_marks_asked && cx.board.link.state(cx.now).is_live() {
            self.is_marks_asked = true;
            self.marks.ask(cx, Query::Marks);
        }
    }

    pub(super) fn marks(&mut self, id: RequestId, answer: Result<MarkPage, Refusal>) {
        self.marks.take(id, answer);
    }

    pub(super) fn previewed(&mut self, id: RequestId, answer: Result<Box<RulePreview>, Refusal>) {
        if let Some(preview) = &mut self.preview {
            preview.answer.take(id, answer);
        }
    }

    /// What was called false of this rule; Err: why that is not known.
    pub(super) fn own_marks(&self) -> Result<Vec<&FalseMark>, &str> {
        match (self.marks.known(), self.marks.failure()) {
            (Some(page), _) => Ok(page.items.iter().filter(|mark| is_of(&self.id, mark)).collect()),
            (None, Some(why)) => Err(why),
            (None, None) => Err("asking the server …"),
        }
    }

    /// What is under the cursor.
    pub fn chosen(&self, rule: &Rule) -> Option<Thing> {
        self.things(rule).into_iter().nth(self.line(rule))
    }

    /// Which of the things that is.
    pub(super) fn line(&self, rule: &Rule) -> usize {
        self.line.min(self.things(rule).len().saturating_sub(1))
    }

    /// Everything that the cursor can be on, top first.
    pub(super) fn things(&self, rule: &Rule) -> Vec<Thing> {
        if let Some(preview) = &self.preview {
            let known = preview.answer.known().map(|known| known.gained.iter().chain(&known.lost));
            let alerts = known.into_iter().flatten().map(|alert| Thing::Alert(alert.alert.clone()));
            return std::iter::once(Thing::Apply).chain(alerts).collect();
        }
        let mut things = vec![Thing::Enabled, Thing::Sensitivity];
        things.extend(rule.limits.iter().map(|limit| Thing::Limit(limit.name.raw().to_owned())));
        things.extend(paper::may_be_reset(rule).then_some(Thing::Reset));
        let marks = self.own_marks().unwrap_or_default();
        things.extend(marks.into_iter().map(|mark| Thing::Mark(mark.fingerprint.raw().to_owned())));
        things
    }

    pub(super) fn update(&mut self, cx: &mut Context<'_>, rule: Option<&Rule>, intent: Intent) -> Go {
        match (intent, rule) {
            (Intent::Back, _) if self.preview.is_some() => self.drop_preview(),
            (Intent::Back, _) => return Go::Back,
            (Intent::Move(motion), Some(rule)) => self.go(motion, rule, cx.rows),
            (Intent::Open, Some(rule)) => match self.chosen(rule) {
                Some(Thing::Alert(Some(id))) if cx.board.alerts.get(&id).is_some() => return Go::Detail(id),
                Some(Thing::Alert(Some(id))) => cx.effects.push(Effect::Copy(id.to_string())),
                Some(Thing::Alert(None)) => cx.say("there is no alert of it: it would have been one"),
                Some(Thing::Mark(fingerprint)) => return Go::Mark(fingerprint),
                Some(_) => return Go::Decide,
                None => {}
            },
            _ => {}
        }
        Go::Stay
    }

    fn go(&mut self, motion: Motion, rule: &Rule, page: usize) {
        let last = self.things(rule).len().saturating_sub(1);
        self.line = motion.lead(self.line.min(last), last, page.max(1));
    }
}

/// True for a mark of this rule: a fingerprint is the rule's id, and behind a bar what identifies the problem.
fn is_of(rule: &str, mark: &FalseMark) -> bool {
    mark.fingerprint.raw().strip_prefix(rule).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
}
