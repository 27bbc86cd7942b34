//! The open alerts of a server as a table, once.

use stella_protocol::{Alert, FixStatus, Snapshot, Status};
use stella_widgets::text::sanitise;

/// The rows, worst first, behind a header; a sentence when there are none.
pub(super) fn open_alerts(snapshot: &Snapshot) -> Vec<String> {
    let mut open: Vec<&Alert> = snapshot.alerts.iter().filter(|alert| alert.status.is_open()).collect();
    open.sort_by_key(|alert| {
        (std::cmp::Reverse(alert.severity), alert.status == Status::Acknowledged, alert.first_seen)
    });
    if open.is_empty() {
        return vec![format!("no open alerts at {}", snapshot.server_time)];
    }
    let mut rows = vec![["SEVERITY", "AGE", "STATE", "ID", "SERVICE", "TITLE"].map(str::to_owned)];
    rows.extend(open.into_iter().map(|alert| row(alert, snapshot)));
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(widest);
    let pad = |row: &[String; 6]| {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.chain([row[5].clone()]).collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(pad).collect()
}

fn row(alert: &Alert, snapshot: &Snapshot) -> [String; 6] {
    let now = if snapshot.engine.recording { snapshot.engine.last } else { None }.unwrap_or(snapshot.server_time);
    let service = sanitise(alert.service.raw());
    let has = |is: fn(FixStatus) -> bool| {
        snapshot.fixes.iter().any(|fix| fix.alert_id.as_ref() == Some(&alert.id) && is(fix.status))
    };
    let state = if has(FixStatus::is_under_way) {
        "FIXG"
    } else if has(FixStatus::waits_for_people) {
        "FIXP"
    } else if alert.snoozed_until.is_some() {
        "SNZ"
    } else if alert.status == Status::New {
        "FIRE"
    } else {
        "ACK"
    };
    [
        alert.severity.word().to_owned(),
        age(now.since(alert.first_seen)),
        state.to_owned(),
        alert.id.to_string(),
        if service.is_empty() { "-".to_owned() } else { service.into_string() },
        sanitise(alert.title.raw()).into_string(),
    ]
}

fn age(millis: i64) -> String {
    match millis / 60_000 {
        ..=0 => "<1m".to_owned(),
        minutes @ 1..60 => format!("{minutes}m"),
        minutes @ 60..2_880 => format!("{}h", minutes / 60),
        minutes => format!("{}d", minutes / 1_440),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn alert(id: &str, severity: &str, status: &str) -> Value {
        let at = "2026-01-01T00:00:00.000Z";
        json!({
            "id": id, "fingerprint": id, "episode": 1, "type": "health", "category": "data", "severity": severity,
            "title": format!("title of {id}"), "service": "pay", "ruleId": "r", "status": status,
            "activity": {"state": "firing"}, "occurrences": 1, "firstSeen": at, "lastSeen": at, "detectedAt": at,
            "createdAt": at, "version": 1
        })
    }

    fn table(alerts: &[Value]) -> Vec<String> {
        let snapshot = json!({
            "cursor": "1.1", "serverTime": "2026-01-01T02:05:00.000Z",
            "health": {"status": "healthy", "reason": ""},
            "engine": {"last": null, "recording": false, "lines": 0}, "alerts": alerts
        });
        open_alerts(&serde_json::from_value(snapshot).unwrap())
    }

    #[test]
    fn the_worst_comes_first_and_what_is_closed_not_at_all() {
        let rows =
            table(&[alert("a-1", "low", "new"), alert("a-2", "critical", "new"), alert("a-3", "high", "resolved")]);
        assert_eq!(
            rows,
            [
                "SEVERITY  AGE  STATE  ID   SERVICE  TITLE",
                "critical  2h   FIRE   a-2  pay      title of a-2",
                "low       2h   FIRE   a-1  pay      title of a-1",
            ]
        );
    }

    #[test]
    fn nothing_open_is_said_in_words() {
        assert_eq!(table(&[]), ["no open alerts at 2026-01-01T02:05:00.000Z"]);
    }
}
