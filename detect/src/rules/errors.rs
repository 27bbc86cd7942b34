//! More errors than usual in an operation (or in a service, where no operation is named).
//!
//! Failed logins are left to the security rules, one person's failures to friction.

use rustc_hash::FxHashMap;
use stella_protocol::{AlertType, Category, Measure, Severity};

use crate::counts::{Bucket, Drawn, span_start};
use crate::evidence::{Card, Case, Chart, Story, number, several, words};
use crate::incident::{Desk, Subject};
use crate::key;
use crate::mark::{Flags, Mark};
use crate::recent::{OpCell, Recent};
use crate::rules::Rules;
use crate::scope::{OpName, Scope};

const CARD: Card = Card { id: "errors", kind: AlertType::ErrorSpike, category: Category::Performance };

/// Times the usual share that a spike must be, where that is known.
const SPIKE_RATIO: f64 = 3.0;
/// Lines before a span from which the usual share is known.
const USUAL_LINES: u32 = 50;
/// Share of failing lines, in percent, from which a spike is high, and critical.
const HIGH_PERCENT: f64 = 20.0;
const CRITICAL_PERCENT: f64 = 50.0;
/// Errors for critical.
const CRITICAL_ERRORS: f64 = 10.0;
/// Points of the chart: half an hour.
const CHART_STEPS: i64 = 180;

/// The key of a spike of an operation.
pub(crate) fn key_of(op: u64) -> u64 {
    key::join(&[key::of(CARD.id), op])
}

/// What identifies an operation.
pub(crate) fn labels(op: &OpName) -> Vec<(&'static str, String)> {
    let mut labels = vec![("service", op.service.to_string())];
    labels.extend(op.operation.as_deref().map(|operation| ("operation", operation.to_owned())));
    labels
}

fn window(cell: &OpCell, now: i64, rules: &Rules) -> (i64, Bucket) {
    let sum = |window_ms| cell.history.sum(span_start(now, window_ms), now);
    let near = sum(rules.window_ms);
    if near.failed >= rules.spike_errors {
        (rules.window_ms, near)
    } else {
        (rules.slow_window_ms, sum(rules.slow_window_ms))
    }
}

fn is_spike(cell: &OpCell, now: i64, rules: &Rules) -> bool {
    let (window_ms, sum) = window(cell, now, rules);
    if sum.failed < rules.spike_errors {
        return false;
    }
    let before = cell.history.sum(i64::MIN / 2, span_start(now, window_ms) - 1);
    let usual = if before.calls >= USUAL_LINES { before.failed_percent().unwrap_or(0.0) } else { 0.0 };
    sum.failed_percent()
        .is_some_and(|share| share >= rules.spike_percent.max(usual * SPIKE_RATIO).min(CRITICAL_PERCENT))
}

/// A line that failed.
pub(crate) fn observe(desk: &mut Desk, recent: &mut Recent, rules: &Rules, mark: &Mark) {
    let (key, now) = (key_of(mark.op), recent.now);
    if desk.touch(key, now) {
        return;
    }
    let Some(cell) = recent.ops.touch(mark.op) else { return };
    let second = now.div_euclid(1000);
    if cell.weighed_at == second || !is_spike(cell, now, rules) {
        return;
    }
    let name = cell.name.clone();
    let window_ms = window(cell, now, rules).0;
    let scope = Scope::of_op(&name).errors();
    let (marks, _) = recent.walk(&scope, recent.span(window_ms));
    let same = commonest(&marks).map_or(0, |(_, count)| count);
    let (first, errors) = (marks.first().map_or(now, |mark| mark.at), marks.len() as u64);
    if same < rules.spike_same_type || is_one_person(&marks) {
        if let Some(cell) = recent.ops.touch(mark.op) {
            cell.weighed_at = second;
        }
        return;
    }
    recent.ops.promote(mark.op);
    let op = mark.op;
    desk.explain(|subject| match subject {
        Subject::Friction { op: of, .. } | Subject::Retries(of) => of.key() == op,
        _ => false,
    });
    desk.open((&*recent, rules), key, Subject::Spike(name), first, errors);
}

/// The type (or template, where no type is named) of most of the lines.
fn commonest<'a>(marks: &[&'a Mark]) -> Option<(&'a Mark, u32)> {
    let mut counts: FxHashMap<u64, (&Mark, u32)> = FxHashMap::default();
    for mark in marks {
        let kind = if mark.error == key::NONE { mark.template } else { mark.error };
        counts.entry(kind).or_insert((mark, 0)).1 += 1;
    }
    counts.into_values().max_by_key(|(mark, count)| (*count, std::cmp::Reverse(mark.line)))
}

fn is_one_person(marks: &[&Mark]) -> bool {
    let mut users = marks.iter().map(|mark| mark.user);
    let first = users.next().unwrap_or(key::NONE);
    first != key::NONE && users.all(|user| user == first)
}

/// True when a spike that is on is over.
pub(crate) fn is_over(recent: &Recent, rules: &Rules, op: &OpName) -> bool {
    let Some(cell) = recent.ops.get(op.key()) else { return true };
    let sum = cell.history.sum(span_start(recent.now, rules.slow_window_ms), recent.now);
    let near = cell.history.sum(span_start(recent.now, rules.window_ms), recent.now);
    sum.failed == 0 || near.calls > 0 && near.failed_percent().unwrap_or(0.0) < rules.spike_percent / 2.0
}

/// An operation that fails more than it should.
pub(crate) fn tell(case: &Case<'_>, op: &OpName) -> Story {
    let cell = case.recent.ops.get(op.key());
    let window_ms = cell.map_or(case.rules.window_ms, |cell| window(cell, case.now(), case.rules).0);
    let span = case.span(window_ms);
    let all = Scope::of_op(op).lacking(Flags::LOGIN_FAILED);
    let errors = all.clone().needing(Flags::FAILED);
    let share = case.figure("failing lines", Measure::FailurePercent, &all, span);
    let count = case.count("errors", &errors, span);
    let usual = case.usual(Measure::FailurePercent, &all, &all, USUAL_LINES);
    let percent = share.as_ref().map_or(0.0, |share| share.value);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let mut reasons = Vec::new();
    if let (Some(share), Some(count)) = (&share, &count) {
        let text = format!("{} of the lines fail: {}", words(share), several(count.value, "error", "errors"));
        reasons.push(case.reason(0.6, text, vec![share.clone(), count.clone()]));
    }
    let kind = kind(case, &errors, span);
    if let Some((name, figure)) = &kind {
        let text = format!("{} of one kind", several(figure.value, "of them is", "of them are"));
        reasons.push(case.reason(
            0.3,
            if name.is_empty() { text } else { format!("{text}: {name}") },
            vec![figure.clone()],
        ));
    }
    if let Some(users) = case.figure("users who saw an error", Measure::DistinctUsers, &errors, span) {
        let weight = if users.value > 1.0 { 0.2 } else { -0.1 };
        reasons.push(case.reason(
            weight,
            format!("{} saw one", several(users.value, "user", "different users")),
            vec![users],
        ));
    }
    if let Some(median) = case.figure("median duration", Measure::MedianDuration, &all, span) {
        let slow = median.value > case.rules.limit_ms(op.operation.as_deref().unwrap_or_default());
        let (weight, side) = if slow { (0.2, "over the limit") } else { (-0.1, "under the limit, so not an overload") };
        reasons.push(case.reason(weight, format!("median duration {}: {side}", words(&median)), vec![median]));
    }
    reasons.push(case.against_usual(percent, usual.as_ref()));
    reasons.extend(case.deploys());
    let severity = match percent {
        percent if percent >= CRITICAL_PERCENT && many >= CRITICAL_ERRORS => Severity::Critical,
        percent if percent >= HIGH_PERCENT => Severity::High,
        _ => Severity::Medium,
    };
    let word = op.word();
    let named = kind.map(|(name, _)| name).filter(|name| !name.is_empty());
    Story {
        card: CARD,
        severity,
        title: format!("{word}: {} % of calls fail ({})", number(percent), several(many, "error", "errors")),
        summary: match &named {
            Some(name) => format!("{} % of the lines of {word} fail, most of them with {name}.", number(percent)),
            None => format!("{} % of the lines of {word} fail, most of them alike.", number(percent)),
        },
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: labels(op),
        actions: vec![
            format!("Read the first errors of {word} and what changed just before them"),
            "Roll back the last deploy if it came just before the onset".into(),
            "Check the services and stores that the operation calls".into(),
        ],
        window_ms,
        scope: errors,
        q: None,
        observed: share,
        usual,
        threshold: Some(case.rules.spike_percent),
        reasons,
        chart: cell.map(|cell| Chart {
            title: format!("{word} failing lines"),
            unit: "%",
            points: cell.history.points(case.now(), CHART_STEPS, Drawn::FailedPercent),
            spark: cell.history.spark(case.now(), Drawn::FailedPercent),
            limit: Some(case.rules.spike_percent),
        }),
    }
}

/// The commonest error type with its figure; an empty name: the lines without a type.
fn kind(case: &Case<'_>, errors: &Scope, span: crate::recent::Span) -> Option<(String, stella_protocol::Figure)> {
    let (marks, _) = case.recent.walk(errors, span);
    let (mark, _) = commonest(&marks)?;
    let name = if mark.error == key::NONE {
        String::new()
    } else {
        let (_, event) = case.recent.kept().get(mark.line)?;
        event.error_type.as_ref().filter(|name| !name.is_empty() && name.len() <= key::LONGEST_NAME)?.raw().to_owned()
    };
    let scope = Scope { error: Some(name.as_str().into()), ..errors.clone() };
    let figure = case.count("errors of the commonest type", &scope, span)?;
    Some((name, figure))
}
