//! An error that a service never had before.
//!
//! At first every error is new, so nothing is said until enough was seen. An error type counts as a
//! name; where none is given, the plain words of the message do.

use stella_protocol::{AlertType, Category, LogEvent, Measure, Severity, Untrusted};

use crate::cells::Cells;
use crate::evidence::{Card, Case, Story, several};
use crate::incident::{Desk, Subject};
use crate::key;
use crate::mark::Mark;
use crate::recent::Recent;
use crate::rules::Rules;
use crate::scope::{OpName, Scope};
use crate::template;

const CARD: Card = Card { id: "new_error", kind: AlertType::NewError, category: Category::Performance };

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

/// An error and when it came first.
#[derive(Debug)]
struct Known {
    first_at: i64,
    count: u32,
    is_new: bool,
}

/// Every error seen.
#[derive(Debug)]
pub(crate) struct Errors {
    cells: Cells<Known>,
}

impl Errors {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.operations * 8) }
    }

    /// A line that failed.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        recent: &Recent,
        rules: &Rules,
        mark: &Mark,
        event: &LogEvent<'_>,
    ) {
        let name = if mark.error == key::NONE { mark.template } else { mark.error };
        let key = key::join(&[key::of(CARD.id), mark.service, name]);
        let warm = recent.lines > rules.warm_up_lines && mark.at - recent.first_line_at >= rules.warm_up_ms;
        let known = self.cells.touch_or(key, || Known { first_at: mark.at, count: 0, is_new: warm });
        known.count = known.count.saturating_add(1);
        known.is_new &= mark.at - known.first_at <= rules.slow_window_ms;
        if desk.touch(key, mark.at) || !known.is_new || known.count < rules.new_errors {
            return;
        }
        known.is_new = false;
        let (first, count) = (known.first_at, known.count);
        self.cells.promote(key);
        if let (Some(error), Some(cell)) = (ErrorName::of(event), recent.ops.get(mark.op)) {
            let subject = Subject::NewError { op: cell.name.clone(), error };
            desk.open((recent, rules), key, subject, first, u64::from(count));
        }
    }
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
