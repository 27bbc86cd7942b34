//! Slower than it should be: one operation over its limit, or many at once.
//!
//! Half of the calls in the window must be over the limit, so one slow call is no alert. Of the first
//! design's global mean only the limits remain: a mean over all operations moves with the traffic mix.

use stella_protocol::{AlertType, Category, Measure, Reason, Severity};

use crate::counts::{Bucket, Drawn};
use crate::evidence::{Card, Case, Chart, Story, number, several, words};
use crate::incident::{Desk, Subject};
use crate::key;
use crate::mark::Mark;
use crate::recent::{OpCell, Recent, Span};
use crate::rules::Rules;
use crate::scope::{OpName, Scope};

const CARD: Card = Card { id: "slow", kind: AlertType::PerformanceDegradation, category: Category::Performance };
const EVERYWHERE: Card = Card { id: "slow.everywhere", ..CARD };

/// Calls before a span from which it is known how slow an operation usually is.
const USUAL_CALLS: u32 = 20;
/// Times the limit from which slowness is high, and critical when nearly all calls are slow.
const HIGH_RATIO: f64 = 2.0;
const CRITICAL_RATIO: f64 = 4.0;
/// Slow calls for critical.
const CRITICAL_CALLS: f64 = 20.0;
/// Share of slow calls, in percent: for critical, and under which slowness is over.
const CRITICAL_SHARE: f64 = 80.0;
const OVER_SHARE: u32 = 25;
/// One problem, when at least this part (one in so many) of the busy operations is slow.
const EVERYWHERE_PART: u32 = 3;
/// Other operations that are looked at for comparison.
const COMPARED: usize = 3;
/// Points of the chart: half an hour.
const CHART_STEPS: i64 = 180;

fn key_of(op: u64) -> u64 {
    key::join(&[key::of(CARD.id), op])
}

fn everywhere_key() -> u64 {
    key::of(EVERYWHERE.id)
}

/// The window in which an operation has enough calls, and what happened in it.
fn window(cell: &OpCell, now: i64, rules: &Rules) -> (i64, Bucket) {
    let sum = |window_ms| cell.history.sum(crate::counts::span_start(now, window_ms), now);
    let near = sum(rules.window_ms);
    if near.timed >= 2 * rules.slow_calls {
        (rules.window_ms, near)
    } else {
        (rules.slow_window_ms, sum(rules.slow_window_ms))
    }
}

/// The lower median is over the limit exactly when so few calls are not.
fn median_is_over(sum: &Bucket) -> bool {
    sum.timed > 0 && sum.timed - sum.slow <= (sum.timed - 1) / 2
}

fn is_slow(cell: &OpCell, now: i64, rules: &Rules) -> bool {
    let (window_ms, sum) = window(cell, now, rules);
    if sum.slow < rules.slow_calls || !median_is_over(&sum) {
        return false;
    }
    let start = crate::counts::span_start(now, window_ms);
    let before = cell.history.sum(i64::MIN / 2, start - 1);
    if cell.own_limit {
        true
    } else if before.timed < USUAL_CALLS {
        sum.slow >= 2 * rules.slow_calls
    } else {
        sum.mean() > before.mean().map(|usual| usual * rules.slow_ratio)
    }
}

/// A line that took longer than its operation may.
pub(crate) fn observe(desk: &mut Desk, recent: &mut Recent, rules: &Rules, mark: &Mark) {
    let key = key_of(mark.op);
    let now = recent.now;
    let Some(cell) = recent.ops.get(mark.op) else { return };
    if cell.slow && desk.touch(everywhere_key(), now) || desk.touch(key, now) || !is_slow(cell, now, rules) {
        return;
    }
    let name = cell.name.clone();
    let (window_ms, sum) = window(cell, now, rules);
    let first = first_slow(recent, &name, cell.limit_ms, window_ms);
    if let Some(cell) = recent.ops.touch(mark.op) {
        cell.slow = true;
    }
    recent.ops.promote(mark.op);
    if desk.touch(everywhere_key(), now) {
        return;
    }
    if is_everywhere(recent, rules) {
        desk.explain(|subject| matches!(subject, Subject::Slow(_)));
        desk.open((&*recent, rules), everywhere_key(), Subject::SlowEverywhere, first, u64::from(sum.slow));
    } else {
        desk.open((&*recent, rules), key, Subject::Slow(name), first, u64::from(sum.slow));
    }
}

fn first_slow(recent: &Recent, op: &OpName, limit_ms: f64, window_ms: i64) -> i64 {
    let (marks, _) = recent.walk(&Scope::of_op(op).over(limit_ms), recent.span(window_ms));
    marks.first().map_or(recent.now, |mark| mark.at)
}

fn is_everywhere(recent: &Recent, rules: &Rules) -> bool {
    let slow = recent.ops.iter().filter(|(_, cell)| cell.slow).count() as u32;
    let busy = |cell: &OpCell| window(cell, recent.now, rules).1.timed >= rules.slow_calls;
    let busy = recent.ops.iter().filter(|(_, cell)| busy(cell)).count() as u32;
    slow >= rules.slow_everywhere && slow * EVERYWHERE_PART >= busy
}

/// Notes which operations are fast enough again, or not called any more.
pub(crate) fn advance(desk: &Desk, recent: &mut Recent, rules: &Rules) {
    let now = recent.now;
    let mut still = 0;
    for (_, cell) in recent.ops.iter_mut().filter(|(_, cell)| cell.slow) {
        let (_, sum) = window(cell, now, rules);
        cell.slow = sum.timed > 0 && sum.slow * 100 >= sum.timed * OVER_SHARE;
        still += u32::from(cell.slow);
    }
    if still < 2 && desk.get(everywhere_key()).is_some() {
        recent.ops.iter_mut().for_each(|(_, cell)| cell.slow = false);
    }
}

/// True when an operation that was slow is so no more.
pub(crate) fn is_over(recent: &Recent, op: &OpName) -> bool {
    recent.ops.get(op.key()).is_none_or(|cell| !cell.slow)
}

/// True while as many operations are slow as it takes to be one problem.
pub(crate) fn holds_everywhere(recent: &Recent, rules: &Rules) -> bool {
    recent.ops.iter().filter(|(_, cell)| cell.slow).count() >= rules.slow_everywhere as usize
}

/// True when no operation is slow any more.
pub(crate) fn is_over_everywhere(recent: &Recent) -> bool {
    recent.ops.iter().all(|(_, cell)| !cell.slow)
}

/// What was measured of a slow operation.
struct Measured {
    span: Span,
    window_ms: i64,
    limit_ms: f64,
    ratio: f64,
    severity: Severity,
    reasons: Vec<Reason>,
    median: Option<stella_protocol::Figure>,
}

fn measure(case: &Case<'_>, op: &OpName) -> Measured {
    let limit_ms = case.rules.limit_ms(op.operation.as_deref().unwrap_or_default());
    let cell = case.recent.ops.get(op.key());
    let window_ms = cell.map_or(case.rules.window_ms, |cell| window(cell, case.now(), case.rules).0);
    let (span, all) = (case.span(window_ms), Scope::of_op(op));
    let median = case.figure("median duration", Measure::MedianDuration, &all, span);
    let slow = case.count("lines over the limit", &all.clone().over(limit_ms), span);
    let lines = case.count("lines", &all, span);
    let ratio = median.as_ref().map_or(0.0, |median| median.value / limit_ms);
    let share =
        slow.as_ref().zip(lines.as_ref()).map_or(0.0, |(slow, lines)| slow.value * 100.0 / lines.value.max(1.0));
    let mut reasons = Vec::new();
    if let Some(median) = &median {
        let weight = if ratio > 1.0 { 0.6 } else { -0.3 };
        let side = if ratio > 1.0 { "over" } else { "no longer over" };
        let text = format!("{}: median {}, {side} the limit", op.word(), words(median));
        reasons.push(case.reason(weight, text, vec![median.clone()]));
    }
    let frequent = slow.as_ref().is_some_and(|slow| slow.value >= CRITICAL_CALLS) && share >= CRITICAL_SHARE;
    if let Some((slow, lines)) = slow.zip(lines) {
        let over = if words(&slow) == "1" { "is" } else { "are" };
        let lines_word = several(lines.value, "line", "lines");
        let text = format!("{} of {lines_word} {over} over the limit", words(&slow));
        reasons.push(case.reason(0.4, text, vec![slow, lines]));
    }
    let severity = match ratio {
        ratio if ratio >= CRITICAL_RATIO && frequent => Severity::Critical,
        ratio if ratio >= HIGH_RATIO => Severity::High,
        _ => Severity::Medium,
    };
    Measured { span, window_ms, limit_ms, ratio, severity, reasons, median }
}

/// One operation that is over its limit.
pub(crate) fn tell(case: &Case<'_>, op: &OpName) -> Story {
    let all = Scope::of_op(op);
    let mut measured = measure(case, op);
    let usual = case.usual(Measure::MedianDuration, &all, &all, USUAL_CALLS);
    let value = measured.median.as_ref().map_or(0.0, |median| median.value);
    let mut reasons = std::mem::take(&mut measured.reasons);
    reasons.push(case.against_usual(value, usual.as_ref()));
    reasons.extend(failures(case, &all, measured.span));
    reasons.extend(case.deploys());
    reasons.extend(others(case, op));
    let limit = number(measured.limit_ms);
    let word = op.word();
    Story {
        card: CARD,
        severity: measured.severity,
        title: format!("{word} p50 {} ms (limit {limit} ms)", number(value)),
        summary: format!(
            "Half of the calls of {word} take {} ms or longer; the limit is {limit} ms, so this is {} of it.",
            number(value),
            number(measured.ratio)
        ),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: super::errors::labels(op),
        actions: vec![
            format!("Read the slowest calls of {word} and what they have in common"),
            "Look for a missing index or a query that began to scan".into(),
            "Compare pool and queue figures with the time before the onset".into(),
        ],
        window_ms: measured.window_ms,
        scope: all.over(measured.limit_ms),
        q: None,
        observed: measured.median,
        usual,
        threshold: Some(measured.limit_ms),
        reasons,
        chart: chart(case, op, measured.limit_ms),
    }
}

fn chart(case: &Case<'_>, op: &OpName, limit_ms: f64) -> Option<Chart> {
    let history = &case.recent.ops.get(op.key())?.history;
    Some(Chart {
        title: format!("{} duration", op.word()),
        unit: "ms",
        points: history.points(case.now(), CHART_STEPS, Drawn::Duration),
        spark: history.spark(case.now(), Drawn::Duration),
        limit: Some(limit_ms),
    })
}

/// Whether calls fail besides being slow.
fn failures(case: &Case<'_>, all: &Scope, span: Span) -> Option<Reason> {
    const MANY: f64 = 5.0;
    let figure = case.figure("failing lines", Measure::FailurePercent, all, span)?;
    let (weight, text) = if figure.value >= MANY {
        (0.3, format!("{} of the lines fail as well", words(&figure)))
    } else {
        (-0.1, format!("hardly any errors with it: {} of the lines fail", words(&figure)))
    };
    Some(case.reason(weight, text, vec![figure]))
}

/// How other busy operations do.
fn others(case: &Case<'_>, op: &OpName) -> Vec<Reason> {
    let own = op.key();
    let mut busy: Vec<(u32, &OpCell)> = Vec::new();
    for (key, cell) in case.recent.ops.iter().filter(|(key, _)| *key != own) {
        let timed = window(cell, case.now(), case.rules).1.timed;
        if key != own && timed >= case.rules.slow_calls {
            busy.push((timed, cell));
        }
    }
    busy.sort_by(|left, right| (right.0, &left.1.name.operation).cmp(&(left.0, &right.1.name.operation)));
    let compared = busy.into_iter().take(COMPARED).filter_map(|(_, cell)| {
        let span = case.span(window(cell, case.now(), case.rules).0);
        let scope = Scope::of_op(&cell.name);
        let median = case.figure("median duration", Measure::MedianDuration, &scope, span)?;
        let over = median.value > cell.limit_ms;
        let (weight, side) = if over { (0.2, "over its limit too") } else { (-0.15, "under its limit") };
        let text = format!("{} is {side}: median {}", cell.name.word(), words(&median));
        Some(case.reason(weight, text, vec![median]))
    });
    compared.collect()
}

/// Many operations that are over their limits at once.
pub(crate) fn tell_everywhere(case: &Case<'_>) -> Story {
    const LONGEST_Q: usize = 3000;
    let slow: Vec<&OpCell> = case.recent.ops.iter().filter(|(_, cell)| cell.slow).map(|(_, cell)| cell).collect();
    let mut measured: Vec<(&OpCell, Measured)> =
        slow.into_iter().map(|cell| (cell, measure(case, &cell.name))).collect();
    measured.sort_by(|left, right| right.1.ratio.total_cmp(&left.1.ratio));
    let mut reasons = Vec::new();
    let (mut q, mut names) = (String::new(), Vec::new());
    for (cell, one) in &mut measured {
        reasons.append(&mut one.reasons);
        names.push(cell.name.word().to_owned());
        let term = Scope::of_op(&cell.name).over(cell.limit_ms).q();
        if q.len() + term.len() < LONGEST_Q {
            q = if q.is_empty() { format!("({term})") } else { format!("{q} or ({term})") };
        }
    }
    reasons.extend(case.deploys());
    let severity = measured.iter().map(|(_, one)| one.severity).max().unwrap_or(Severity::Medium).max(Severity::High);
    let worst = measured.first();
    let name = worst.map(|(cell, _)| cell.name.clone());
    let all = name.as_ref().map(Scope::of_op);
    let usual = all.as_ref().and_then(|all| case.usual(Measure::MedianDuration, all, all, USUAL_CALLS));
    let observed = worst.and_then(|(_, one)| one.median.clone());
    reasons.push(case.against_usual(observed.as_ref().map_or(0.0, |figure| figure.value), usual.as_ref()));
    let limit_ms = worst.map(|(_, one)| one.limit_ms);
    Story {
        card: EVERYWHERE,
        severity,
        title: format!("{} operations slow at once: {}", names.len(), names.join(", ")),
        summary: format!(
            "These operations are over their limits together, which points to something they share: {}.",
            names.join(", ")
        ),
        service: String::new(),
        operation: None,
        labels: vec![("scope", "everywhere".to_owned())],
        actions: vec![
            "Look at what the operations share: database, connection pool, host, network".into(),
            "Check saturation: connections in use, queue depth, CPU".into(),
            "Roll back the last change if it came just before the onset".into(),
        ],
        window_ms: case.rules.window_ms,
        scope: all.zip(limit_ms).map_or_else(Scope::default, |(all, limit_ms)| all.over(limit_ms)),
        q: (!q.is_empty()).then_some(q),
        observed,
        usual,
        threshold: limit_ms,
        reasons,
        chart: name.zip(limit_ms).and_then(|(name, limit_ms)| chart(case, &name, limit_ms)),
    }
}
