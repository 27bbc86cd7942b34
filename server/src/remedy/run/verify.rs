//! Whether it helped: looked at from what the engine says of the alert, and from the series.

use std::sync::PoisonError;

use stella_protocol::fix::{Check, Side, Verification};
use stella_protocol::{Activity, Alert, Text, Timestamp};

use super::executor::Parts;
use crate::remedy::{FixState, Verdict};

/// A match this recent breaks what must hold, in milliseconds of engine time: bursts have gaps.
const SHORTEST_GAP: i64 = 5_000;
/// So many of its usual gaps without a match are no chance any more: at one match a gap on average, this
/// many pass empty once in four hundred times (Poisson, e^-6).
const GAPS: i64 = 6;
/// An alert of fewer matches has no usual gap: only its rule's own window tells that it is over.
const FEWEST_MATCHES: u64 = 4;
/// How far back a series is looked at, in milliseconds: its newest full bucket.
const LOOK_BACK: i64 = 15_000;
/// Width of a bucket that is looked at, in milliseconds.
const STEP: i64 = 5_000;

/// What is watched, in words.
pub fn words(wanted: &Verification) -> Text {
    let what = match &wanted.check {
        Check::AlertQuiet => "the alert is quiet".to_owned(),
        Check::Series { series, side, limit } => {
            format!(
                "{} stays {} {limit}",
                series.raw(),
                if *side == Side::Above { "at or above" } else { "at or below" }
            )
        }
        Check::Unknown => "what this server does not know".to_owned(),
    };
    let seconds = |millis: i64| millis / 1000;
    Text::new(format!("verified when {what} for {} s, within {} s", seconds(wanted.hold_ms), seconds(wanted.within_ms)))
}

/// Looks once.
pub(super) fn look(parts: &Parts, state: &FixState, check: &Check) -> Verdict {
    match check {
        Check::AlertQuiet => alert(parts, state),
        Check::Series { series, side, limit } => at_limit(parts, series, *side, *limit),
        Check::Unknown => Verdict::Broken(Text::from("this check means nothing to this server")),
    }
}

/// The alert is over, or has been without a match for longer than chance explains. A step cannot have
/// helped against what would not have matched anyway, so a rare match asks for a long silence.
fn alert(parts: &Parts, state: &FixState) -> Verdict {
    let Some(id) = &state.fix.alert_id else { return Verdict::Holds };
    let Some(open) = parts.hub.open_alerts().into_iter().find(|open| open.alert.id == *id) else {
        return Verdict::Holds;
    };
    let silent = now(parts).since(open.alert.last_seen);
    if matches!(open.alert.activity, Activity::Quiet { .. }) || usual_gap(&open.alert).is_some_and(|gap| silent >= gap)
    {
        return Verdict::Holds;
    }
    Verdict::Broken(Text::new(format!("the last of its {} matches is {} s ago", open.alert.occurrences, silent / 1000)))
}

/// The silence that tells something, in milliseconds; None: only its rule's window does.
fn usual_gap(alert: &Alert) -> Option<i64> {
    let spans = i64::try_from(alert.occurrences).ok().filter(|_| alert.occurrences >= FEWEST_MATCHES)? - 1;
    let mean = alert.last_seen.since(alert.first_seen).max(0) / spans;
    Some(mean.saturating_mul(GAPS).max(SHORTEST_GAP))
}

/// Engine time: the clock's while lines are live, the last line's in a recording.
fn now(parts: &Parts) -> Timestamp {
    let engine = parts.hub.engine_clock();
    match engine.last {
        Some(last) if engine.recording => last,
        _ => parts.clock.now(),
    }
}

fn at_limit(parts: &Parts, series: &Text, side: Side, limit: f64) -> Verdict {
    let now = now(parts);
    let book = parts.series.lock().unwrap_or_else(PoisonError::into_inner);
    let page = book.buckets(&[series.raw()], now.plus_millis(-LOOK_BACK), now, STEP);
    drop(book);
    let Some(series) = page.items.into_iter().next() else {
        return Verdict::Broken(Text::new(format!("there is no series {}", series.raw())));
    };
    // A gap is not a value: what is not measured does not count as recovered.
    let Some(newest) = series.points.iter().rev().find_map(|point| point.value) else {
        return Verdict::Broken(Text::new(format!("{} was not measured lately", series.id.raw())));
    };
    let holds = if side == Side::Above { newest.mean >= limit } else { newest.mean <= limit };
    if holds {
        return Verdict::Holds;
    }
    Verdict::Broken(Text::new(format!(
        "{} is {:.1} {}, limit {limit}",
        series.id.raw(),
        newest.mean,
        series.unit.raw()
    )))
}
