//! Two backtests of the same lines: which alerts come, and which go.

use std::collections::BTreeMap;

use stella_protocol::Timestamp;

use super::{Found, Report};

/// How far apart two alerts of one problem may be to be the same, in milliseconds: what comes back within ten minutes
/// is the same alert (see [`crate::alerts`]), and rules look back over five.
pub const SAME_MS: i64 = 15 * 60_000;

/// What one setting makes of the lines against another.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared<'a> {
    /// Alerts that only the new one has, by time.
    pub gained: Vec<&'a Found>,
    /// Alerts that only the old one has, by time.
    pub lost: Vec<&'a Found>,
}

/// Compares what was found. Two alerts are one when they are of the same problem and lasted at the same time, or
/// nearly so: sooner or later found is not gained or lost.
pub fn compare<'a>(old: &'a Report, new: &'a Report) -> Compared<'a> {
    Compared { gained: without(new, old), lost: without(old, new) }
}

/// Alerts of `these` that `others` have not.
fn without<'a>(these: &'a Report, others: &Report) -> Vec<&'a Found> {
    let mut known: BTreeMap<&str, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
    for found in &others.alerts {
        known.entry(found.fingerprint.raw()).or_default().push(span(found));
    }
    let is_known = |found: &Found| {
        let (from, to) = span(found);
        let spans = known.get(found.fingerprint.raw()).map_or(&[][..], Vec::as_slice);
        spans.iter().any(|(begin, end)| from.since(*end) <= SAME_MS && begin.since(to) <= SAME_MS)
    };
    let mut only: Vec<&Found> = these.alerts.iter().filter(|found| !is_known(found)).collect();
    only.sort_by_key(|found| found.detected_at);
    only
}

fn span(found: &Found) -> (Timestamp, Timestamp) {
    (found.first_seen, found.last_seen)
}
