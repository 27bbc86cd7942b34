//! An error that a service never had before.
//!
//! At first every error is new, so nothing is said until enough was seen. An error type counts as a
//! name; where none is given, the plain words of the message do.

use stella_protocol::{AlertType, Category, LogEvent, Measure, Severity, Untrusted};

use crate::baseline::{Prior, Share};
use crate::budget::Kind;
use crate::cells::Cells;
use crate::evidence::{Card, Case, Story, several};
use crate::faults::graced;
use crate::incident::{Desk, Near, Subject};
use crate::keep::{Keep, Reader, keep_fields};
use crate::key;
use crate::llr::{Page, outcome};
use crate::mark::Mark;
use crate::recent::ESTABLISHED_CALLS;
use crate::rules::errors::kind_of;
use crate::rules::{Known as Rule, Limit, Rules};
use crate::scope::{OpName, Scope};
use crate::template;

const CARD: Card = Card { id: "new_error", kind: AlertType::NewError, category: Category::Performance };
/// Its rule.
pub(crate) const RULE: &str = CARD.id;

/// Errors and users from which it is high.
const HIGH_ERRORS: f64 = 10.0;
const HIGH_USERS: f64 = 3.0;

/// What an error is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ErrorName {
    /// Its type.
    Type(Box<str>),
    /// Plain words of its message.
    Words(Box<str>),
}

impl ErrorName {
    fn of(event: &LogEvent<'_>) -> Option<Self> {
        match event.error_type.as_ref().map(Untrusted::raw).filter(|name| *name != "-") {
            Some(name) => (!name.is_empty() && name.len() <= key::LONGEST_NAME).then(|| Self::Type(name.into())),
            None => template::fragment(event.message.raw()).map(|words| Self::Words(words.into())),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Type(text) | Self::Words(text) => text,
        }
    }

    fn scope(&self, service: &str) -> Scope {
        let service = Scope { service: Some(service.into()), ..Scope::default() }.errors();
        match self {
            Self::Type(name) => Scope { error: Some(name.clone()), ..service },
            Self::Words(words) => Scope { error: Some("".into()), words: Some(words.clone()), ..service },
        }
    }
}

/// Share of an operation's calls that a new error is looked for in: five in a hundred.
const SOUGHT: f64 = 0.05;
/// What is over in so many milliseconds is a restart that nobody announced.
pub(crate) const BLIP_MS: i64 = 20_000;
/// How often an error never seen is followed by another of its kind, as believed before it is seen.
const RECURS: Prior = Prior { share: 0.05, worth: 20.0 };

/// An error and when it came first.
#[derive(Debug)]
struct Known {
    page: Page,
    first_at: i64,
    count: u32,
    caller: u64,
    /// Of which operation the last one was, and at which of its calls.
    op: u64,
    calls: u64,
    is_new: bool,
}

/// Every error seen.
#[derive(Debug)]
pub(crate) struct Errors {
    cells: Cells<Known>,
    /// How often what was new came again: where new errors are many, each of them says less.
    recurs: Share,
}

impl Errors {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.operations * 8), recurs: Share::default() }
    }

    /// A line that failed.
    pub(crate) fn observe(&mut self, desk: &mut Desk, near: Near<'_>, mark: &Mark, event: &LogEvent<'_>) {
        let Near { recent, rules, .. } = near;
        let key = key_of(mark);
        let warm = recent.lines > rules.warm_up_lines && mark.at - recent.first_line_at >= rules.warm_up_ms;
        let Some(cell) = recent.ops.get(mark.op) else { return };
        let known = self.cells.touch_or(key, || Known {
            page: Page::default(),
            first_at: mark.at,
            count: 0,
            caller: key::NONE,
            op: mark.op,
            calls: cell.calls,
            is_new: warm,
        });
        known.count = known.count.saturating_add(1);
        if known.is_new && mark.at - known.first_at > rules.slow_window_ms {
            known.is_new = false;
            self.recurs.teach(0, 1, mark.at);
        }
        let same = mark.caller() != key::NONE && known.caller == mark.caller();
        let last = if known.op == mark.op { known.calls } else { cell.calls.saturating_sub(1) };
        (known.op, known.calls) = (mark.op, cell.calls);
        // An operation that was never called before is as new as its error.
        let established = cell.calls > ESTABLISHED_CALLS;
        let p0 = graced(usual(near, cell.calls, self.recurs.usual(RECURS)), recent.is_being_deployed(mark.service));
        let llr = says(cell.calls.saturating_sub(last).saturating_sub(1), p0);
        // The same caller's next one says nothing more: one person's input is not yet a fault, but friction.
        known.page.add(if same { llr.min(0.0) } else { llr }, mark.at);
        known.caller = mark.caller();
        if desk.touch(key, mark.at) || !known.is_new {
            return;
        }
        let enough = known.page.score >= near.needed(Kind::NewError, Rule::NewError, mark.op);
        let blip = established && mark.at - known.first_at < BLIP_MS;
        let limit = cell.tuned.reaches(Limit::NewErrors, rules.fixed.then_some(rules.new_errors), known.count);
        if !(enough && known.count >= rules.new_errors && !blip || limit) {
            return;
        }
        known.is_new = false;
        let (first, count) = (known.first_at, known.count);
        self.recurs.teach(1, 1, mark.at);
        self.cells.promote(key);
        if let Some(error) = ErrorName::of(event) {
            let subject = Subject::NewError { op: cell.name.clone(), error };
            desk.open(near, key, subject, first, u64::from(count));
        }
    }
}

/// The share that a kind of error may well have that none of so many calls was of.
fn usual(near: Near<'_>, calls: u64, recurs: f64) -> f64 {
    // The rule of three (Hanley and Lippman-Hand 1983): of what did not happen in n trials the share is below 3/n,
    // nineteen times in twenty. An operation that was never called is itself as new as its error: of all lines none
    // was of it (Laplace's rule of succession).
    let established = calls > ESTABLISHED_CALLS;
    let never_seen = if established { 3.0 / (calls as f64 + 3.0) } else { 1.0 / (near.recent.lines as f64 + 2.0) };
    never_seen.max(recurs * SOUGHT / 10.0).min(SOUGHT / 2.0)
}

/// What one more of a kind says, and what so many calls between say against it.
fn says(between: u64, p0: f64) -> f64 {
    let p1 = SOUGHT.max(p0);
    outcome(true, p0, p1) + between as f64 * outcome(false, p0, p1)
}

/// The key of an error of a service.
pub(crate) fn key_of(mark: &Mark) -> u64 {
    key::join(&[key::own(CARD.id), mark.service, kind_of(mark)])
}

/// An error never seen before.
pub(crate) fn tell(case: &Case<'_>, op: &OpName, error: &ErrorName) -> Story {
    let span = case.span(case.rules.slow_window_ms);
    let scope = error.scope(&op.service);
    let all = Scope { service: Some(op.service.clone()), ..Scope::default() }.errors();
    let count = case.count("errors of this kind", &scope, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &scope, &all, 1);
    let users = case.figure("users who saw it", Measure::DistinctUsers, &scope, span);
    let touched = users.as_ref().map_or(0.0, |users| users.value);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        let text = format!("{} of a kind not seen before", several(count.value, "error", "errors"));
        reasons.push(case.reason(0.6, text, vec![count.clone()]));
    }
    reasons.extend(users.map(|users| {
        let weight = if users.value > 1.0 { 0.2 } else { -0.1 };
        case.reason(weight, several(users.value, "user saw it", "different users saw it"), vec![users])
    }));
    if let Some(others) = case.count("all errors of the service", &all, span) {
        let same = others.value <= many;
        let text = format!("{} of all kinds in the service", several(others.value, "error", "errors"));
        reasons.push(case.reason(if same { 0.1 } else { -0.1 }, text, vec![others]));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    let (name, word, lines) = (error.text(), op.word(), several(many, "line", "lines"));
    let high = many >= HIGH_ERRORS || touched >= HIGH_USERS;
    Story {
        card: CARD,
        severity: if high { Severity::High } else { Severity::Medium },
        title: format!("new error in {word}: {name} ({lines})"),
        summary: format!("{name} was never seen in this service before; {lines} in five minutes."),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: vec![("service", op.service.to_string()), ("error", name.to_owned())],
        actions: vec![
            "Compare the first line of it with the last deploy and the last configuration change".into(),
            format!("Reproduce {word} with the input of a sample"),
            "Roll back if it came with a deploy".into(),
        ],
        window_ms: case.rules.slow_window_ms,
        chart: Some(case.count_chart("errors of this kind", &scope)),
        scope,
        q: None,
        observed: count,
        usual,
        threshold: Some(f64::from(case.rules.new_errors)),
        reasons,
    }
}

keep_fields!(Known { page, first_at, count, caller, op, calls, is_new });
keep_fields!(Errors { cells, recurs });

impl Keep for ErrorName {
    fn keep(&self, to: &mut Vec<u8>) {
        matches!(self, Self::Type(_)).keep(to);
        self.text().to_owned().keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        let (is_type, text) = <(bool, Box<str>)>::wake(from)?;
        Some(if is_type { Self::Type(text) } else { Self::Words(text) })
    }
}
