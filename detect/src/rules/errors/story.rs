//! What a spike has to tell.

use stella_protocol::series::Baseline;
use stella_protocol::{Figure, Measure, Severity};

use super::{CARD, EVERYWHERE, USUAL_LINES, commonest, window};
use crate::budget::Kind;
use crate::counts::{Drawn, STEP_MS};
use crate::evidence::{Case, Chart, Story, number, several, words};
use crate::key;
use crate::mark::Flags;
use crate::recent::{OpCell, Span};
use crate::scope::{OpName, Scope};

/// Share of failing lines, in percent, from which a spike is high, and critical.
const HIGH_PERCENT: f64 = 20.0;
const CRITICAL_PERCENT: f64 = 50.0;
/// Errors for critical.
const CRITICAL_ERRORS: f64 = 10.0;
/// Points of the chart: half an hour.
const CHART_STEPS: i64 = 180;

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
        let slow = cell.is_some_and(|cell| cell.speed.slow);
        let (weight, side) =
            if slow { (0.2, "slower than usual as well") } else { (-0.1, "not slower than usual, so not an overload") };
        reasons.push(case.reason(weight, format!("median duration {}: {side}", words(&median)), vec![median]));
    }
    reasons.push(case.against_usual(percent, usual.as_ref()));
    reasons.extend(case.chance(Kind::Errors, cell.map_or(0.0, |cell| cell.faults.score())));
    reasons.extend(case.deploys());
    let severity = match percent {
        percent if percent >= CRITICAL_PERCENT && many >= CRITICAL_ERRORS => Severity::Critical,
        percent if percent >= HIGH_PERCENT => Severity::High,
        _ => Severity::Medium,
    };
    let word = op.word();
    let named = kind.map(|(name, _)| name).filter(|name| !name.is_empty());
    Story {
        severity,
        title: format!("{word}: {} % of calls fail ({})", number(percent), several(many, "error", "errors")),
        summary: match &named {
            Some(name) => format!("{} % of the lines of {word} fail, most of them with {name}.", number(percent)),
            None => format!("{} % of the lines of {word} fail, most of them alike.", number(percent)),
        },
        actions: vec![
            format!("Read the first errors of {word} and what changed just before them"),
            "Roll back the last deploy if it came just before the onset".into(),
            "Check the services and stores that the operation calls".into(),
        ],
        window_ms,
        observed: share,
        usual,
        threshold: Some(case.rules.spike_percent),
        reasons,
        chart: cell.map(|cell| {
            let points = cell.history.points(case.now(), CHART_STEPS, Drawn::FailedPercent);
            let spark = cell.history.spark(case.now(), Drawn::FailedPercent);
            let (low, mid, high) = cell.faults.band_percent(calls_a_step(cell, case.now()));
            Chart {
                limit: Some(case.rules.spike_percent),
                baseline: Some(Baseline { low, mid, high }),
                ..Chart::of_tens(format!("{word} failing lines"), "%", points, spark)
            }
        }),
        ..Story::of(CARD, op, errors)
    }
}

/// Calls in ten seconds, over the last half hour.
fn calls_a_step(cell: &OpCell, now: i64) -> f64 {
    let from = now - CHART_STEPS * STEP_MS;
    f64::from(cell.history.sum(from, now).calls) / CHART_STEPS as f64
}

/// The commonest error type with its figure; an empty name: the lines without a type.
fn kind(case: &Case<'_>, errors: &Scope, span: Span) -> Option<(String, Figure)> {
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

/// Many operations that fail more than they should.
pub(crate) fn tell_everywhere(case: &Case<'_>) -> Story {
    let span = case.span(case.rules.window_ms);
    let errors = Scope::default().errors();
    let count = case.count("errors of everything", &errors, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &errors, &errors, 0);
    let mut failing: Vec<(u32, &OpCell)> = case
        .recent
        .ops
        .iter()
        .filter(|(_, cell)| cell.faults.failing)
        .map(|(_, cell)| (window(cell, case.now(), case.rules).1.failed, cell))
        .collect();
    failing.sort_by(|left, right| (right.0, left.1.name.order()).cmp(&(left.0, right.1.name.order())));
    let names: Vec<String> = failing.iter().map(|(_, cell)| cell.name.word().to_owned()).collect();
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        let text = format!("{} of everything", several(count.value, "error", "errors"));
        reasons.push(case.reason(0.6, text, vec![count.clone()]));
    }
    for (_, cell) in &failing {
        let all = Scope::of_op(&cell.name).lacking(Flags::LOGIN_FAILED);
        if let Some(share) = case.figure("failing lines", Measure::FailurePercent, &all, span) {
            let text = format!("{}: {} of the lines fail", cell.name.word(), words(&share));
            reasons.push(case.reason(if share.value > 0.0 { 0.3 } else { -0.1 }, text, vec![share]));
        }
    }
    if let Some(users) = case.figure("users who saw an error", Measure::DistinctUsers, &errors, span) {
        let weight = if users.value > 1.0 { 0.2 } else { -0.1 };
        let text = format!("{} saw one", several(users.value, "user", "different users"));
        reasons.push(case.reason(weight, text, vec![users]));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    Story {
        card: EVERYWHERE,
        severity: Severity::High,
        title: format!("{} operations fail at once: {}", names.len(), names.join(", ")),
        summary: format!(
            "These operations fail more than usual together, which points to something they share: {}.",
            names.join(", ")
        ),
        service: String::new(),
        operation: None,
        labels: vec![("scope", "everywhere".to_owned())],
        actions: vec![
            "Look at what the operations share: database, network, a service that all of them call".into(),
            "Roll back the last change if it came just before the onset".into(),
        ],
        window_ms: case.rules.window_ms,
        chart: Some(case.count_chart("errors of everything", &errors)),
        scope: errors,
        q: None,
        observed: count,
        usual,
        threshold: None,
        reasons,
    }
}
