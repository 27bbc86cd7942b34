//! The order of the triage list.

use stella_protocol::{Activity, Alert, Status};

/// Open before closed; within that the worst first, then what nobody has taken, then what still
/// fires, then the youngest.
pub fn sorted<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<&'a Alert> {
    let mut rows: Vec<&Alert> = alerts.collect();
    rows.sort_by(|left, right| rank(left).cmp(&rank(right)).then_with(|| left.id.cmp(&right.id)));
    rows
}

fn rank(alert: &Alert) -> (bool, std::cmp::Reverse<u8>, bool, bool, std::cmp::Reverse<i64>) {
    (
        !alert.status.is_open(),
        std::cmp::Reverse(alert.severity.rank()),
        alert.status != Status::New,
        alert.activity != Activity::Firing,
        std::cmp::Reverse(alert.first_seen.millis()),
    )
}

/// Why a row stands where it stands, in words.
pub fn why(alert: &Alert) -> String {
    let taken = if alert.status == Status::New { "not taken" } else { "taken" };
    let fires = if alert.activity == Activity::Firing { "firing" } else { "quiet" };
    let under = alert.parent_id.as_ref().map(|parent| format!("explained by {parent}; ")).unwrap_or_default();
    format!(
        "{under}rank: {}, {taken}, {fires}, first seen {}",
        alert.severity.word(),
        alert.first_seen.to_utc().format("%H:%M:%S")
    )
}
