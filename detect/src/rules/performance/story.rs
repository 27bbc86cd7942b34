//! What a slowdown has to tell.

use stella_protocol::series::Baseline;
use stella_protocol::{Figure, Reason, Severity};

use super::{CARD, EVERYWHERE, MEASURED, USUAL_CALLS, is_slower, usual_ms, window};
use crate::budget::Kind;
use crate::counts::Drawn;
use crate::evidence::{Case, Chart, Story, duration, number, several, words};
use crate::recent::{OpCell, Span};
use crate::scope::{OpName, Scope};

/// Times the usual duration from which slowness is high, and critical when nearly all calls are slow.
const HIGH_RATIO: f64 = 2.0;
const CRITICAL_RATIO: f64 = 4.0;
/// Milliseconds that people feel at all, and at which they lose their thread (Nielsen, 1993): what stays
/// under them is not high, and not critical.
const FELT_MS: f64 = 100.0;
const LOST_MS: f64 = 1000.0;
/// Slow calls, and their share in percent, for critical.
const CRITICAL_CALLS: f64 = 20.0;
const CRITICAL_SHARE: f64 = 80.0;
/// Other operations that are looked at for comparison.
const COMPARED: usize = 3;
/// Points of the chart: half an hour.
const CHART_STEPS: i64 = 180;

/// What was measured of a slow operation.
struct Measured {
    span: Span,
    window_ms: i64,
    over_ms: f64,
    /// Times as long as usual, or as the limit.
    ratio: f64,
    severity: Severity,
    reasons: Vec<Reason>,
    median: Option<Figure>,
}

/// What a call of the operation is compared with: the limit that somebody set, or what is usual.
struct Compared {
    over_ms: f64,
    against_ms: Option<f64>,
    limit: bool,
}

fn compared(case: &Case<'_>, op: &OpName, counted: Option<f64>) -> Compared {
    let cell = case.recent.ops.get(op.key());
    let over_ms = cell.map_or(0.0, |cell| cell.speed.over_ms);
    let limit = cell.is_some_and(|cell| cell.limit_ms == Some(over_ms));
    let against_ms = if limit { Some(over_ms) } else { usual_ms(case.recent, op, counted) };
    Compared { over_ms, against_ms, limit }
}

fn measure(case: &Case<'_>, op: &OpName, against: &Compared) -> Measured {
    let over_ms = against.over_ms;
    let cell = case.recent.ops.get(op.key());
    let window_ms = cell.map_or(case.rules.window_ms, |cell| window(cell, case.now(), case.rules).0);
    // What was before the onset says nothing of how slow it is.
    let from = crate::counts::span_start(case.now(), window_ms).max(case.incident.first_at);
    let (span, all) = (case.span_from(from), Scope::of_op(op));
    let median = case.figure("median duration", MEASURED, &all, span);
    let slow = case.count("lines that take longer", &all.clone().over(over_ms), span);
    let lines = case.count("lines", &all, span);
    let value = median.as_ref().map_or(0.0, |median| median.value);
    let ratio = against.against_ms.map_or(0.0, |against| value / against.max(1.0));
    let share =
        slow.as_ref().zip(lines.as_ref()).map_or(0.0, |(slow, lines)| slow.value * 100.0 / lines.value.max(1.0));
    let mut reasons = Vec::new();
    if let Some(median) = &median {
        let over = value > over_ms;
        let side = match (over, against.limit) {
            (true, true) => "over the limit",
            (true, false) => "slower than usual",
            (false, true) => "no longer over the limit",
            (false, false) => "about as usual again",
        };
        let text = format!("{}: median {}, {side}", op.word(), words(median));
        reasons.push(case.reason(if over { 0.6 } else { -0.3 }, text, vec![median.clone()]));
    }
    let frequent = slow.as_ref().is_some_and(|slow| slow.value >= CRITICAL_CALLS) && share >= CRITICAL_SHARE;
    if let Some((slow, lines)) = slow.zip(lines) {
        let takes = if words(&slow) == "1" { "takes" } else { "take" };
        let than = if against.limit { "the limit" } else { "where slow begins here" };
        let of = several(lines.value, "line", "lines");
        let text = format!("{}: {} of {of} {takes} longer than {than}", op.word(), words(&slow));
        reasons.push(case.reason(0.4, text, vec![slow, lines]));
    }
    let severity = match ratio {
        ratio if ratio >= CRITICAL_RATIO && frequent && value >= LOST_MS => Severity::Critical,
        ratio if ratio >= HIGH_RATIO && value >= FELT_MS => Severity::High,
        _ => Severity::Medium,
    };
    Measured { span, window_ms, over_ms, ratio, severity, reasons, median }
}

/// One operation that is slower than usual, or over its limit.
pub(crate) fn tell(case: &Case<'_>, op: &OpName) -> Story {
    let all = Scope::of_op(op);
    let usual = case.usual(MEASURED, &all, &all, USUAL_CALLS);
    let against = compared(case, op, usual.as_ref().map(|usual| usual.figure.value));
    let mut measured = measure(case, op, &against);
    let value = measured.median.as_ref().map_or(0.0, |median| median.value);
    let mut reasons = std::mem::take(&mut measured.reasons);
    reasons.push(case.against_usual(value, usual.as_ref()));
    let score = case.recent.ops.get(op.key()).map_or(0.0, |cell| cell.speed.watch.score());
    reasons.extend(case.chance(Kind::Slow, score));
    reasons.extend(failures(case, &all, measured.span));
    reasons.extend(case.deploys());
    reasons.extend(others(case, op));
    let word = op.word();
    let what = if against.limit { "limit" } else { "usually" };
    let compared = against.against_ms.map_or(String::new(), |ms| format!(" ({what} {})", duration(ms)));
    let times = number(measured.ratio);
    let side = if against.limit { format!("{times} times the limit") } else { format!("{times} times the usual") };
    Story {
        severity: measured.severity,
        title: format!("{word} p50 {}{compared}", duration(value)),
        summary: format!("Half of the calls of {word} take {} or longer: {side}.", duration(value)),
        actions: vec![
            format!("Read the slowest calls of {word} and what they have in common"),
            "Look for a missing index or a query that began to scan".into(),
            "Compare pool and queue figures with the time before the onset".into(),
        ],
        window_ms: measured.window_ms,
        observed: measured.median,
        usual,
        threshold: Some(measured.over_ms),
        reasons,
        chart: chart(case, op, measured.over_ms),
        ..Story::of(CARD, op, all.over(measured.over_ms))
    }
}

fn chart(case: &Case<'_>, op: &OpName, limit_ms: f64) -> Option<Chart> {
    let history = &case.recent.ops.get(op.key())?.history;
    let points = history.points(case.now(), CHART_STEPS, Drawn::Duration);
    let spark = history.spark(case.now(), Drawn::Duration);
    let band = case.recent.ops.get(op.key())?.speed.band_ms();
    let baseline = band.map(|(low, mid, high)| Baseline { low, mid, high });
    let title = format!("{} duration", op.word());
    Some(Chart { limit: Some(limit_ms), baseline, ..Chart::of_tens(title, "ms", points, spark) })
}

/// Whether calls fail besides being slow.
fn failures(case: &Case<'_>, all: &Scope, span: Span) -> Option<Reason> {
    const MANY: f64 = 5.0;
    let figure = case.figure("failing lines", stella_protocol::Measure::FailurePercent, all, span)?;
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
    for (_, cell) in case.recent.ops.iter().filter(|(key, _)| *key != own) {
        let timed = window(cell, case.now(), case.rules).1.timed;
        if timed >= case.rules.slow_calls && cell.speed.usual_ms().is_some() {
            busy.push((timed, cell));
        }
    }
    busy.sort_by(|left, right| (right.0, left.1.name.order()).cmp(&(left.0, right.1.name.order())));
    let compared = busy.into_iter().take(COMPARED).filter_map(|(_, cell)| {
        let span = case.span(window(cell, case.now(), case.rules).0);
        let scope = Scope::of_op(&cell.name);
        let median = case.figure("median duration", MEASURED, &scope, span)?;
        let (weight, side) = if cell.speed.slow { (0.2, "slower than usual too") } else { (-0.15, "as fast as usual") };
        let text = format!("{} is {side}: median {}", cell.name.word(), words(&median));
        Some(case.reason(weight, text, vec![median]))
    });
    compared.collect()
}

/// Many operations that are slow at once.
pub(crate) fn tell_everywhere(case: &Case<'_>) -> Story {
    const LONGEST_Q: usize = 3000;
    let slow = case.recent.ops.iter().filter(|(_, cell)| is_slower(cell)).map(|(_, cell)| cell);
    let mut measured: Vec<(&OpCell, Measured)> =
        slow.map(|cell| (cell, measure(case, &cell.name, &compared(case, &cell.name, None)))).collect();
    measured.sort_by(|left, right| {
        right.1.ratio.total_cmp(&left.1.ratio).then(left.0.name.order().cmp(&right.0.name.order()))
    });
    let mut reasons = Vec::new();
    let (mut q, mut names) = (String::new(), Vec::new());
    for (cell, one) in &mut measured {
        reasons.append(&mut one.reasons);
        names.push(cell.name.word().to_owned());
        let term = Scope::of_op(&cell.name).over(one.over_ms).q();
        if q.len() + term.len() < LONGEST_Q {
            q = if q.is_empty() { format!("({term})") } else { format!("{q} or ({term})") };
        }
    }
    reasons.extend(case.deploys());
    let severity = measured.iter().map(|(_, one)| one.severity).max().unwrap_or(Severity::Medium).max(Severity::High);
    let worst = measured.first();
    let name = worst.map(|(cell, _)| cell.name.clone());
    let all = name.as_ref().map(Scope::of_op);
    let usual = all.as_ref().and_then(|all| case.usual(MEASURED, all, all, USUAL_CALLS));
    let observed = worst.and_then(|(_, one)| one.median.clone());
    reasons.push(case.against_usual(observed.as_ref().map_or(0.0, |figure| figure.value), usual.as_ref()));
    let over_ms = worst.map(|(_, one)| one.over_ms);
    Story {
        card: EVERYWHERE,
        severity,
        title: format!("{} operations slow at once: {}", names.len(), names.join(", ")),
        summary: format!(
            "These operations are slower than usual together, which points to something they share: {}.",
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
        scope: all.zip(over_ms).map_or_else(Scope::default, |(all, over_ms)| all.over(over_ms)),
        q: (!q.is_empty()).then_some(q),
        observed,
        usual,
        threshold: over_ms,
        reasons,
        chart: name.zip(over_ms).and_then(|(name, over_ms)| chart(case, &name, over_ms)),
    }
}
