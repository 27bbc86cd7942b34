//! One person who cannot get on: the same operation fails for them again and again, or has to be
//! tried again and again.
//!
//! When the operation fails for others too, that is an outage and explains the friction: no alert.

use stella_protocol::{AlertType, Category, Measure, Severity};

use crate::cells::Cells;
use crate::counts::{Minutes, span_start};
use crate::evidence::{Card, Case, Story, several, words};
use crate::incident::{Desk, Subject};
use crate::key;
use crate::mark::{Flags, Mark};
use crate::recent::Recent;
use crate::rules::{Rules, errors};
use crate::scope::{OpName, Scope};

use stella_protocol::LogEvent;

const CARD: Card = Card { id: "friction", kind: AlertType::UserFriction, category: Category::UserFriction };
const RETRIES: Card = Card { id: "retries", ..CARD };

/// Failures for each success that are still little success.
const FAILURES_PER_SUCCESS: u32 = 2;
/// Failures from which it is high.
const HIGH_FAILURES: f64 = 8.0;
/// Calls retried too often before they are a problem, and users from which it is medium.
const RETRIED_CALLS: usize = 3;
const MEDIUM_USERS: f64 = 3.0;

/// A person at an operation.
#[derive(Debug, Default)]
struct Person {
    failures: Minutes,
    successes: Minutes,
}

/// Everybody who failed lately.
#[derive(Debug)]
pub(crate) struct People {
    cells: Cells<Person>,
}

fn key_of(op: u64, user: u64) -> u64 {
    key::join(&[key::of(CARD.id), op, user])
}

impl People {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.people) }
    }

    /// A line of a user.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        recent: &Recent,
        rules: &Rules,
        mark: &Mark,
        event: &LogEvent<'_>,
    ) {
        let Some(user) = &event.user_id else { return };
        let (key, now) = (key_of(mark.op, mark.user), recent.now);
        if !mark.is_error() {
            if let Some(person) = self.cells.touch(key) {
                person.successes.add(now);
            }
            return;
        }
        let person = self.cells.touch_or(key, Person::default);
        person.failures.add(now);
        let (failures, successes) =
            (person.failures.sum(now, rules.slow_window_ms), person.successes.sum(now, rules.slow_window_ms));
        if failures >= 2 {
            self.cells.promote(key);
        }
        let stuck = failures >= rules.friction_errors && failures >= successes * FAILURES_PER_SUCCESS;
        if desk.touch(key, now) || !stuck || user.len() > key::LONGEST_NAME {
            return;
        }
        if outage(desk, recent, rules, mark.op, failures, failures + successes) {
            return;
        }
        let Some(cell) = recent.ops.get(mark.op) else { return };
        let scope = Scope::of_op(&cell.name).errors().by_user(user.raw());
        let (marks, _) = recent.walk(&scope, recent.span(rules.slow_window_ms));
        let first = marks.first().map_or(now, |mark| mark.at);
        let subject = Subject::Friction { op: cell.name.clone(), user: user.raw().into() };
        desk.open((recent, rules), key, subject, first, u64::from(failures));
    }
}

/// True when the operation fails for others too.
fn outage(desk: &Desk, recent: &Recent, rules: &Rules, op: u64, failures: u32, calls: u32) -> bool {
    if desk.get(errors::key_of(op)).is_some() {
        return true;
    }
    let Some(cell) = recent.ops.get(op) else { return false };
    let sum = cell.history.sum(span_start(recent.now, rules.slow_window_ms), recent.now);
    let (others_failed, others) = (sum.failed.saturating_sub(failures), sum.calls.saturating_sub(calls));
    others_failed > 0 && f64::from(others_failed) * 100.0 >= f64::from(others) * rules.outage_percent
}

/// A line that was retried too often.
pub(crate) fn observe_retry(desk: &mut Desk, recent: &Recent, rules: &Rules, mark: &Mark) {
    let key = key::join(&[key::of(RETRIES.id), mark.op]);
    if desk.touch(key, recent.now) || desk.get(errors::key_of(mark.op)).is_some() {
        return;
    }
    let Some(cell) = recent.ops.get(mark.op) else { return };
    let scope = Scope::of_op(&cell.name).retried(rules.retries);
    let (marks, _) = recent.walk(&scope, recent.span(rules.slow_window_ms));
    if marks.len() >= RETRIED_CALLS || mark.is_error() {
        let first = marks.first().map_or(recent.now, |mark| mark.at);
        desk.open((recent, rules), key, Subject::Retries(cell.name.clone()), first, marks.len() as u64);
    }
}

/// One person's failures.
pub(crate) fn tell(case: &Case<'_>, op: &OpName, user: &str) -> Story {
    let span = case.span(case.rules.slow_window_ms);
    let all = Scope::of_op(op).lacking(Flags::LOGIN_FAILED);
    let own = all.clone().by_user(user);
    let failures = own.clone().needing(Flags::FAILED);
    let count = case.count("failures of this user", &failures, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &failures, &own, 1);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        reasons.push(case.reason(
            0.6,
            format!("failed {} for this user", several(count.value, "time", "times")),
            vec![count.clone()],
        ));
    }
    if let Some(successes) = case.count("successes of this user", &own.clone().lacking(Flags::FAILED), span) {
        let weight = if successes.value == 0.0 { 0.2 } else { -0.2 };
        let text = several(successes.value, "success between", "successes between");
        reasons.push(case.reason(weight, text, vec![successes]));
    }
    if let Some(share) = case.figure("failing lines of all users", Measure::FailurePercent, &all, span) {
        let outage = share.value >= case.rules.outage_percent;
        let text = format!("{} of the operation's lines fail, this user's included", words(&share));
        reasons.push(case.reason(if outage { -0.4 } else { 0.1 }, text, vec![share]));
    }
    if let Some(users) =
        case.figure("users who failed", Measure::DistinctUsers, &all.clone().needing(Flags::FAILED), span)
    {
        let weight = if users.value > 1.0 { -0.2 } else { 0.1 };
        reasons.push(case.reason(
            weight,
            several(users.value, "user fails here", "different users fail here"),
            vec![users],
        ));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    let word = op.word();
    Story {
        card: CARD,
        severity: if many >= HIGH_FAILURES { Severity::High } else { Severity::Medium },
        title: format!("{word}: {user} failed {}", several(many, "time", "times")),
        summary: format!(
            "{user} does not get through {word}: {} in five minutes, little success between.",
            several(many, "failure", "failures")
        ),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: [errors::labels(op), vec![("user", user.to_owned())]].concat(),
        actions: vec![
            "Look at what this user sends that others do not".into(),
            format!("Check the validation and the messages of {word}"),
            "Get in touch with the user before they give up".into(),
        ],
        window_ms: case.rules.slow_window_ms,
        chart: Some(case.count_chart("failures of this user", &failures)),
        scope: failures,
        q: None,
        observed: count,
        usual,
        threshold: Some(f64::from(case.rules.friction_errors)),
        reasons,
    }
}

/// Calls that had to be tried again and again.
pub(crate) fn tell_retries(case: &Case<'_>, op: &OpName) -> Story {
    let span = case.span(case.rules.slow_window_ms);
    let all = Scope::of_op(op);
    let retried = all.clone().retried(case.rules.retries);
    let count = case.count("lines retried too often", &retried, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &retried, &all, 1);
    let users = case.figure("users who had to retry", Measure::DistinctUsers, &retried, span);
    let severity = match &users {
        Some(users) if users.value >= MEDIUM_USERS => Severity::Medium,
        _ => Severity::Low,
    };
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        reasons.push(case.reason(
            0.5,
            several(count.value, "line was retried too often", "lines were retried too often"),
            vec![count.clone()],
        ));
    }
    if let Some(most) = case.figure("most retries of one call", Measure::MaxRetries, &retried, span) {
        reasons.push(case.reason(
            0.2,
            format!("one call was retried {}", several(most.value, "time", "times")),
            vec![most],
        ));
    }
    reasons.extend(users.map(|users| case.reason(0.1, several(users.value, "user", "different users"), vec![users])));
    if let Some(failed) = case.count("of them failed in the end", &retried.clone().needing(Flags::FAILED), span) {
        let weight = if failed.value > 0.0 { 0.3 } else { -0.3 };
        reasons.push(case.reason(weight, format!("{} of them failed in the end", words(&failed)), vec![failed]));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    let (word, limit) = (op.word(), case.rules.retries);
    Story {
        card: RETRIES,
        severity,
        title: format!("{word}: {} retried {limit} times or more", several(many, "call", "calls")),
        summary: format!(
            "Calls of {word} succeed late or not at all: {} retried {limit} times or more.",
            several(many, "was", "were")
        ),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: errors::labels(op),
        actions: vec![
            format!("Check what {word} calls: it answers late or refuses"),
            "Make sure that retries wait longer each time".into(),
        ],
        window_ms: case.rules.slow_window_ms,
        chart: Some(case.count_chart("lines retried too often", &retried)),
        scope: retried,
        q: None,
        observed: count,
        usual,
        threshold: Some(f64::from(limit)),
        reasons,
    }
}
