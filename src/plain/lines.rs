//! Events as lines: the time, a word for what happened, severity, id, service, text.
//!
//! Pure: what is written depends on the events and on what was written before. Counters write nothing.

use std::collections::HashMap;

use stella_protocol::{
    Alert, AlertId, FeedEvent, Fix, FixId, FixStatus, Migration, MigrationId, MigrationStatus, Severity, Snapshot,
    Status, Text, Timestamp,
};
use stella_widgets::text::sanitise;

use crate::embedded::Taken;
use crate::event::{Event, LinkEvent};

/// What is known of an alert that was written about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    version: u64,
    status: Status,
    is_asleep: bool,
    severity: Severity,
}

/// Turns events into lines.
#[derive(Debug, Default)]
pub(super) struct Printer {
    known: HashMap<AlertId, Known>,
    fixes: HashMap<FixId, (u64, FixStatus)>,
    migrations: HashMap<MigrationId, (u64, MigrationStatus)>,
    tells_link: bool,
    is_linked: bool,
}

impl Printer {
    /// One that also tells of the connection.
    pub(super) fn with_link() -> Self {
        Self { tells_link: true, ..Self::default() }
    }

    /// Severity of every alert that was written about.
    pub(super) fn seen(&self) -> impl Iterator<Item = Severity> {
        self.known.values().map(|known| known.severity)
    }

    /// The lines of an event; `now` is the time of what has none of its own.
    pub(super) fn lines(&mut self, event: &Event, now: Timestamp) -> Vec<String> {
        match event {
            Event::Feed(envelope) => match &envelope.event {
                FeedEvent::Alert(alert) => self.alert(alert),
                FeedEvent::Fix(fix) => self.fix(fix),
                FeedEvent::Migration(migration) => self.migration(migration),
                _ => Vec::new(),
            },
            Event::Link(LinkEvent::Snapshot(snapshot)) => {
                let mut lines = self.linked(now);
                lines.extend(snapshot.alerts.iter().flat_map(|alert| self.alert(alert)));
                // What ended before anybody listened is history.
                let news = snapshot.fixes.iter().filter(|fix| fix.status.is_open() || self.fixes.contains_key(&fix.id));
                let news: Vec<&Fix> = news.collect();
                lines.extend(news.into_iter().flat_map(|fix| self.fix(fix)));
                let is_news = |one: &&Migration| one.status.is_unfinished() || self.migrations.contains_key(&one.id);
                let news: Vec<&Migration> = snapshot.migrations.iter().filter(is_news).collect();
                lines.extend(news.into_iter().flat_map(|one| self.migration(one)));
                lines
            }
            Event::Link(LinkEvent::Lost { cause, .. } | LinkEvent::Refused(cause)) if self.tells_link => {
                self.is_linked = false;
                vec![format!("{now} LINK - - - {}; {}", sanitise(cause.what.raw()), sanitise(cause.then.raw()))]
            }
            Event::Link(LinkEvent::Opened) => self.linked(now),
            _ => Vec::new(),
        }
    }

    fn linked(&mut self, now: Timestamp) -> Vec<String> {
        let is_news = self.tells_link && !std::mem::replace(&mut self.is_linked, true);
        if is_news { vec![format!("{now} LINK - - - connected")] } else { Vec::new() }
    }

    /// A line for each status that a fix has; who approved it stands in its own list.
    fn fix(&mut self, fix: &Fix) -> Vec<String> {
        let before = self.fixes.get(&fix.id).copied();
        if before.is_some_and(|(version, _)| version >= fix.version) {
            return Vec::new();
        }
        self.fixes.insert(fix.id.clone(), (fix.version, fix.status));
        if before.is_some_and(|(_, status)| status == fix.status) { Vec::new() } else { vec![fix_line(fix)] }
    }

    /// A line for each status that a migration has; how far it is stands in `migrate status --follow`.
    fn migration(&mut self, migration: &Migration) -> Vec<String> {
        let before = self.migrations.get(&migration.id).copied();
        if before.is_some_and(|(version, _)| version >= migration.version) {
            return Vec::new();
        }
        self.migrations.insert(migration.id.clone(), (migration.version, migration.status));
        let is_same = before.is_some_and(|(_, status)| status == migration.status);
        if is_same { Vec::new() } else { vec![migration_line(migration)] }
    }

    fn alert(&mut self, alert: &Alert) -> Vec<String> {
        let known = Known {
            version: alert.version,
            status: alert.status,
            is_asleep: alert.snoozed_until.is_some(),
            severity: alert.severity,
        };
        let before = self.known.insert(alert.id.clone(), known.clone());
        let mut lines = Vec::new();
        if before.is_none() {
            lines.push(line(alert, "NEW", alert.detected_at));
        }
        let news = match before {
            None if alert.status == Status::New && !known.is_asleep => None,
            None => Some(word(alert, None)),
            Some(before) if before.version < alert.version => Some(word(alert, Some(&before))),
            Some(_) => None,
        };
        lines.extend(news.map(|(word, at)| line(alert, word, at)));
        lines
    }
}

/// A fix in a line: in the place of the severity its risk, in that of the service its target.
fn fix_line(fix: &Fix) -> String {
    let at = fix.trail.last().map_or(fix.proposed_at, |last| last.at);
    let status = fix.status.word().replace('_', " ");
    let after = if fix.result.is_empty() { String::new() } else { format!("; {}", sanitise(fix.result.raw())) };
    let (target, title) = (one_word(&fix.plan.target), sanitise(fix.title.raw()));
    format!("{at} FIX {} {} {target} {status}: {title}{after}", fix.risk.word(), fix.id)
}

/// A migration in a line: in the place of the service its store, and what is next.
fn migration_line(migration: &Migration) -> String {
    let at = migration.trail.last().map_or(migration.created_at, |last| last.at);
    let status = migration.status.word().replace('_', " ");
    let said = if migration.result.is_empty() { &migration.next.words } else { &migration.result };
    let target = one_word(&migration.target);
    format!("{at} MIG - {} {target} {status}: {}", migration.id, sanitise(said.raw()))
}

/// Text that stands as one word of a line.
fn one_word(text: &Text) -> String {
    let clean = sanitise(text.raw());
    if clean.is_empty() { "-".to_owned() } else { clean.replace(char::is_whitespace, "_") }
}

/// What happened since `before`, and when.
fn word(alert: &Alert, before: Option<&Known>) -> (&'static str, Timestamp) {
    let same_status = before.is_some_and(|before| before.status == alert.status);
    let was_asleep = before.is_some_and(|before| before.is_asleep);
    let closed_at = alert.resolved_at.unwrap_or(alert.last_seen);
    match alert.status {
        _ if alert.snoozed_until.is_some() && !was_asleep => ("SNZ", alert.last_seen),
        _ if same_status => ("UPD", alert.last_seen),
        Status::Acknowledged => ("ACK", alert.acknowledged_at.unwrap_or(alert.last_seen)),
        Status::Resolved => ("RES", closed_at),
        Status::FalsePositive => ("FP", closed_at),
        Status::New => ("NEW", alert.last_seen),
        Status::Unknown => ("UPD", alert.last_seen),
    }
}

fn line(alert: &Alert, word: &str, at: Timestamp) -> String {
    let service = one_word(&alert.service);
    format!("{at} {word} {} {} {service} {}", alert.severity.word(), alert.id, sanitise(alert.title.raw()))
}

/// The last line: what was taken in and what came of it.
pub(super) fn summary(taken: Taken, last: Option<&Snapshot>, seen: impl Iterator<Item = Severity>) -> String {
    let lines = last.map_or(taken.accepted, |snapshot| snapshot.engine.lines.max(taken.accepted));
    let mut counts = [0_u64; 5];
    seen.for_each(|severity| counts[usize::from(severity.rank())] += 1);
    let ranks = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];
    let words = ranks.map(|severity| format!("{} {}", severity.word(), counts[usize::from(severity.rank())]));
    let total: u64 = counts.iter().sum();
    format!("summary: lines {lines}, not readable {}, alerts {total} ({})", taken.rejected, words.join(", "))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};
    use stella_protocol::Envelope;

    use super::*;

    fn alert(version: u64, status: &str, more: Value) -> Event {
        let at = "2026-01-01T00:00:00.000Z";
        let mut value = json!({
            "id": "a-1", "fingerprint": "f", "episode": 1, "type": "health", "category": "data", "severity": "high",
            "title": "queue \u{1b}[2Jis full", "service": "mail relay", "ruleId": "r", "status": status,
            "activity": {"state": "firing"}, "occurrences": 1, "firstSeen": at, "lastSeen": at, "detectedAt": at,
            "createdAt": at, "version": version
        });
        if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        let alert = serde_json::from_value(value).unwrap();
        Event::Feed(Box::new(Envelope { cursor: None, event: FeedEvent::Alert(Box::new(alert)) }))
    }

    fn words(printer: &mut Printer, event: &Event) -> Vec<String> {
        let lines = printer.lines(event, Timestamp::default());
        lines.iter().map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn a_line_is_time_word_severity_id_service_text() {
        let lines = Printer::default().lines(&alert(1, "new", json!({})), Timestamp::default());
        assert_eq!(lines, ["2026-01-01T00:00:00.000Z NEW high a-1 mail_relay queue ^[[2Jis full"]);
    }

    #[test]
    fn each_change_has_its_word_and_the_same_twice_has_none() {
        let mut printer = Printer::default();
        for (event, told) in [
            (alert(1, "new", json!({})), "NEW"),
            (alert(2, "acknowledged", json!({"acknowledgedAt": "2026-01-01T00:01:00.000Z"})), "ACK"),
            (alert(3, "acknowledged", json!({})), "UPD"),
            (alert(4, "acknowledged", json!({"snoozedUntil": "2026-01-01T01:00:00.000Z"})), "SNZ"),
            (alert(5, "resolved", json!({})), "RES"),
            (alert(6, "new", json!({})), "NEW"),
            (alert(7, "false_positive", json!({})), "FP"),
        ] {
            assert_eq!(words(&mut printer, &event), [told]);
            assert!(words(&mut printer, &event).is_empty(), "{told} is told once");
        }
    }

    #[test]
    fn an_alert_that_was_resolved_before_it_was_heard_of_is_told_whole() {
        assert_eq!(words(&mut Printer::default(), &alert(2, "resolved", json!({}))), ["NEW", "RES"]);
    }

    fn fix(version: u64, status: &str) -> Event {
        let at = "2026-01-01T00:00:00.000Z";
        let fix = serde_json::from_value(json!({
            "id": "fx-1", "definitionId": "d", "title": "clear\u{1b}[2J it", "risk": "low", "policy": "approve",
            "planDigest": "00", "proposedBy": "op", "proposedAt": at, "status": status, "quorum": 1, "approveBy": at,
            "steps": [], "version": version, "plan": {
                "definitionId": "d", "definitionDigest": "00", "risk": "low", "policy": "approve",
                "target": "service:a b", "parameters": [], "steps": []
            }
        }));
        let event = FeedEvent::Fix(Box::new(fix.unwrap()));
        Event::Feed(Box::new(Envelope { cursor: None, event }))
    }

    #[test]
    fn each_status_of_a_fix_is_told_once() {
        let mut printer = Printer::default();
        let lines = printer.lines(&fix(1, "pending"), Timestamp::default());
        assert_eq!(lines, ["2026-01-01T00:00:00.000Z FIX low fx-1 service:a_b pending: clear^[[2J it"]);
        assert!(words(&mut printer, &fix(1, "pending")).is_empty());
        assert!(words(&mut printer, &fix(2, "pending")).is_empty(), "an approval is no status");
        assert_eq!(words(&mut printer, &fix(3, "running")), ["FIX"]);
        assert!(words(&mut printer, &fix(2, "pending")).is_empty(), "older than what was told");
    }

    #[test]
    fn each_status_of_a_migration_is_told_once() {
        let migration = |version: u64, status: &str| {
            let migration = serde_json::from_value(json!({
                "id": "mig-1", "kind": "user_ids", "target": "demo store", "mapTitle": "m", "status": status,
                "createdBy": "op", "createdAt": "2026-01-01T00:00:00.000Z", "leader": "op", "version": version,
                "limits": {"canary": 3, "soakMs": 60_000}, "next": {"verb": "rehearse", "words": "31\u{1b} batches"}
            }));
            let event = FeedEvent::Migration(Box::new(migration.unwrap()));
            Event::Feed(Box::new(Envelope { cursor: None, event }))
        };
        let mut printer = Printer::default();
        let lines = printer.lines(&migration(2, "planned"), Timestamp::default());
        assert_eq!(lines, ["2026-01-01T00:00:00.000Z MIG - mig-1 demo_store planned: 31^[ batches"]);
        assert!(words(&mut printer, &migration(3, "planned")).is_empty(), "another version is no status");
        assert_eq!(words(&mut printer, &migration(4, "rehearsed")), ["MIG"]);
    }

    #[test]
    fn the_connection_is_told_of_when_it_changes() {
        let mut printer = Printer::with_link();
        assert_eq!(words(&mut printer, &Event::Link(LinkEvent::Opened)), ["LINK"]);
        assert!(words(&mut printer, &Event::Link(LinkEvent::Opened)).is_empty());
        assert!(words(&mut Printer::default(), &Event::Link(LinkEvent::Opened)).is_empty());
    }

    #[test]
    fn the_summary_counts_what_was_seen() {
        let taken = Taken { accepted: 7, rejected: 1 };
        let said = summary(taken, None, [Severity::High, Severity::Critical].into_iter());
        assert_eq!(said, "summary: lines 7, not readable 1, alerts 2 (critical 1, high 1, medium 0, low 0)");
    }
}
