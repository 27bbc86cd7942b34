//! Whether it helped: looked at from what the engine says of the alert, and from the series.
//!
//! Only what comes after the effect is proof. What nobody could watch is said to be unwatched: it is not called a
//! success.

use std::sync::{Arc, PoisonError};

use stella_protocol::fix::{Check, Side, Verification};
use stella_protocol::{Alert, AlertId, Series, Status, Text, Timestamp};

use super::executor::Parts;
use crate::alerts::AlertState;
use crate::remedy::{FixState, SYSTEM, Verdict, policy};

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
    let (hold, within) = (wanted.hold_ms / 1000, wanted.within_ms / 1000);
    let what = match &wanted.check {
        Check::AlertQuiet => {
            return Text::new(format!(
                "verified when the alert says that all is well within {within} s, or, for one that only falls silent, has \
                 its last match by then and is silent for long enough after it; and {hold} s more"
            ));
        }
        Check::Series { series, side, limit } => {
            format!(
                "{} stays {} {limit}",
                series.raw(),
                if *side == Side::Above { "at or above" } else { "at or below" }
            )
        }
        Check::Unknown => "what this server does not know".to_owned(),
    };
    Text::new(format!("verified when {what} for {hold} s, within {within} s"))
}

/// Looks once whether it helped.
pub(super) async fn look(parts: &Parts, state: &FixState, wanted: &Verification) -> Verdict {
    match &wanted.check {
        Check::AlertQuiet => alert(parts, state, wanted.within_ms).await,
        Check::Series { series, side, limit } => series_since(parts, state, series, (*side, *limit)),
        check @ Check::Unknown => guard(parts, state, check).map_or_else(Verdict::Broken, |()| Verdict::Holds),
    }
}

/// Looks once whether something is so now, whoever made it so. Err: it is not, and why.
pub(super) fn guard(parts: &Parts, state: &FixState, check: &Check) -> Result<(), Text> {
    match check {
        Check::AlertQuiet => match state.fix.alert_id.as_ref().and_then(|id| open(parts, id)) {
            Some(open) if !is_silent(&open, now(parts).since(open.alert.last_seen)) => {
                Err(last_match_words(parts, &open))
            }
            _ => Ok(()),
        },
        Check::Series { series, side, limit } => {
            measured(parts, series, now(parts).plus_millis(-LOOK_BACK))?.at_limit(*side, *limit)
        }
        Check::Unknown => Err(Text::from("this check means nothing to this server")),
    }
}

/// [`policy::nothing_to_do`] as its alert stands now. None also where nobody can tell.
pub(super) async fn nothing_to_do(parts: &Parts, state: &FixState) -> Option<&'static str> {
    let watched = kept(parts, state.fix.alert_id.as_ref()?).await.ok()??;
    policy::nothing_to_do(&state.fix, &watched.alert)
}

/// The alert is over since the fix did something, or has been without a match since then for longer than chance
/// explains. What was so before proves nothing.
async fn alert(parts: &Parts, state: &FixState, within: i64) -> Verdict {
    let Some(id) = &state.fix.alert_id else {
        return Verdict::Unwatched(Text::from("there is no alert that could tell whether it helped"));
    };
    let Some(effect) = state.fix.verifying_since else {
        return Verdict::Early(Text::from("its steps are not done"));
    };
    match kept(parts, id).await {
        Ok(Some(kept)) if was_quiet(parts, &kept, state) => {
            Verdict::Unwatched(Text::from("its alert was quiet before it began"))
        }
        Ok(Some(open)) if open.alert.status.is_open() => {
            let last_match = now(parts).since(open.alert.last_seen);
            let since = Since { last_match, effect: parts.clock.now().since(effect) };
            since.judge(&open, within).unwrap_or_else(|| Verdict::Broken(last_match_words(parts, &open)))
        }
        Ok(Some(over)) => ended(&over.alert),
        Ok(None) => Verdict::Unwatched(Text::from("its alert is not kept any more")),
        Err(Unread) => Verdict::Early(Text::from("its alert cannot be read at the moment")),
    }
}

/// The alert was quiet when the first step began, and has had no match since: more silence proves nothing. Its first
/// try counts: that may have helped, though nobody heard of it and it was tried again.
fn was_quiet(parts: &Parts, watched: &AlertState, state: &FixState) -> bool {
    let last_try = || state.fix.steps.first().and_then(|step| step.started_at);
    let began = state.work.began.or_else(last_try);
    // Matches are on engine time, which lags in a recording.
    let began = began.map(|began| now(parts).plus_millis(began.since(parts.clock.now())));
    began.zip(watched.quiet_from()).is_some_and(|(began, quiet)| began >= quiet)
}

/// The store does not answer.
struct Unread;

/// An alert as it stands. The hub forgets one for a moment when it does not know what the store kept of it: so one
/// that is not in sight is read.
async fn kept(parts: &Parts, id: &AlertId) -> Result<Option<AlertState>, Unread> {
    if let Some(open) = open(parts, id) {
        return Ok(Some(AlertState::clone(&open)));
    }
    let (hub, id) = (parts.hub.clone(), id.clone());
    let read = tokio::task::spawn_blocking(move || hub.alert_state(&id)).await;
    read.map_err(|_| Unread)?.map_err(|_| Unread)
}

fn open(parts: &Parts, id: &AlertId) -> Option<Arc<AlertState>> {
    parts.hub.open_alerts().into_iter().find(|open| open.alert.id == *id)
}

fn last_match_words(parts: &Parts, open: &AlertState) -> Text {
    if open.ends_on_recovery() {
        return Text::from("it has not said that it is well again");
    }
    let silent = now(parts).since(open.alert.last_seen) / 1000;
    Text::new(format!("the last of its {} matches is {silent} s ago", open.alert.occurrences))
}

/// What an alert says that ended since the first step was begun: it was open then.
fn ended(alert: &Alert) -> Verdict {
    let by = alert.resolved_by.as_ref().map_or("somebody", Text::raw);
    match alert.status {
        Status::Resolved if by == SYSTEM && alert.resolution_notes.is_none() => Verdict::Holds,
        Status::Resolved if by == SYSTEM => Verdict::Unwatched(Text::from("another fix ended its alert first")),
        _ => Verdict::Unwatched(Text::new(format!("{by} closed its alert meanwhile"))),
    }
}

/// Two spans up to now, in milliseconds. That of the last match is engine time: it may lag behind in a recording.
struct Since {
    last_match: i64,
    effect: i64,
}

impl Since {
    /// What the silence of an open alert says. None: it goes on matching, or has to say by itself that it is well.
    ///
    /// `within` is for the last match: the silence that must follow it may take longer, and no definition fails
    /// only because its figure is shorter than the silence that tells something.
    fn judge(&self, open: &AlertState, within: i64) -> Option<Verdict> {
        if open.ends_on_recovery() || self.effect - self.last_match > within {
            return None;
        }
        let (silent, needed) = (self.last_match.min(self.effect), self.needed(open));
        Some(if silent >= needed {
            Verdict::Holds
        } else {
            let (silent, needed) = (silent.max(0) / 1000, needed / 1000);
            Verdict::Early(Text::new(format!("silent for {silent} s since then, {needed} s tell something")))
        })
    }

    /// The silence after the effect that tells something, in milliseconds: its rule's window, or less where
    /// matches are frequent. A step cannot have helped against what would not have matched anyway: so the gap into
    /// which the effect fell counts as a usual one.
    fn needed(&self, open: &AlertState) -> i64 {
        let window = open.quiet_window();
        let before = (self.last_match - self.effect).max(0);
        usual_gap(&open.alert).map_or(window, |gap| window.min(gap.max(before).saturating_mul(GAPS).max(SHORTEST_GAP)))
    }
}

/// Whether an open alert is silent by now, whatever was done.
fn is_silent(open: &AlertState, silent: i64) -> bool {
    let since = Since { last_match: silent, effect: silent };
    since.judge(open, 0) == Some(Verdict::Holds)
}

/// The mean time from one match to the next, in milliseconds; None: there are too few to tell.
fn usual_gap(alert: &Alert) -> Option<i64> {
    let spans = i64::try_from(alert.occurrences).ok().filter(|_| alert.occurrences >= FEWEST_MATCHES)? - 1;
    Some(alert.last_seen.since(alert.first_seen).max(0) / spans)
}

/// Engine time: the clock's while lines are live, the last line's in a recording.
fn now(parts: &Parts) -> Timestamp {
    let engine = parts.hub.engine_clock();
    match engine.last {
        Some(last) if engine.recording => last,
        _ => parts.clock.now(),
    }
}

/// What a series says of the time since the fix did something: its newest full bucket that begins after that. The one
/// into which the effect fell tells of both sides of it, and what was before proves nothing.
fn series_since(parts: &Parts, state: &FixState, series: &Text, (side, limit): (Side, f64)) -> Verdict {
    let Some(effect) = state.fix.verifying_since else {
        return Verdict::Early(Text::from("its steps are not done"));
    };
    let since = parts.clock.now().since(effect);
    match measured(parts, series, now(parts).plus_millis(-since.min(LOOK_BACK))) {
        Ok(newest) => newest.at_limit(side, limit).map_or_else(Verdict::Broken, |()| Verdict::Holds),
        // There is no full one yet.
        Err(why) if since < LOOK_BACK => Verdict::Early(why),
        Err(why) => Verdict::Broken(why),
    }
}

/// The newest value of a series.
struct Measured {
    series: Series,
    newest: f64,
}

impl Measured {
    fn at_limit(&self, side: Side, limit: f64) -> Result<(), Text> {
        if if side == Side::Above { self.newest >= limit } else { self.newest <= limit } {
            return Ok(());
        }
        let (id, unit) = (self.series.id.raw(), self.series.unit.raw());
        Err(Text::new(format!("{id} is {:.1} {unit}, limit {limit}", self.newest)))
    }
}

/// The newest full bucket of a series that begins no earlier. Err: there is none, in words.
fn measured(parts: &Parts, series: &Text, from: Timestamp) -> Result<Measured, Text> {
    let book = parts.series.lock().unwrap_or_else(PoisonError::into_inner);
    let page = book.buckets(&[series.raw()], from, now(parts), STEP);
    drop(book);
    let Some(series) = page.items.into_iter().next() else {
        return Err(Text::new(format!("there is no series {}", series.raw())));
    };
    // A gap is not a value: what is not measured does not count as recovered. The first bucket may begin earlier.
    let mut whole = series.points.iter().rev().filter(|point| point.at >= from);
    match whole.find_map(|point| point.value) {
        Some(newest) => Ok(Measured { newest: newest.mean, series }),
        None => Err(Text::new(format!("{} was not measured lately", series.id.raw()))),
    }
}
