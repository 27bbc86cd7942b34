//! What the feed brings, waiting for the loop. Where the same thing is waiting twice the latest wins, so
//! that a burst costs the screen no more than its last state; nothing that must not be lost is merged.
//!
//! Alerts are whole objects: the latest of one id stands for all of it, at its own place in the order.
//! Counters merge and go last. Diagnostic log events and lines of running fixes are kept up to a bound,
//! oldest dropped first; a fix, a migration and what holds for all fixes are never merged: each of their
//! steps counts. How far a migration is is a figure, of which the last one stands; so is who looks at what.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stella_protocol::{AlertCount, AlertId, Envelope, FeedEvent, MigrationId, Severity, Status};
use tokio::sync::Notify;

use crate::event::{Event, LinkEvent};

/// Diagnostic log events that may wait; the screen shows fewer.
const LOGS: usize = 512;

/// Lines of running fixes that may wait; what was dropped can be asked for.
const OUTPUT: usize = 2_048;

/// Between the receive task and the loop.
#[derive(Debug, Clone, Default)]
pub struct Mailbox {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pending: Mutex<Pending>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    /// In order; None: a later one took its place.
    items: Vec<Option<Event>>,
    alerts: HashMap<AlertId, usize>,
    progress: HashMap<MigrationId, usize>,
    heartbeat: Option<usize>,
    presence: Option<usize>,
    alive: Option<usize>,
    counts: BTreeMap<AlertId, AlertCount>,
    logs: VecDeque<usize>,
    output: VecDeque<usize>,
    is_urgent: bool,
}

impl Mailbox {
    /// Puts events of the feed in that came together, so that they are taken together: who waits is not
    /// woken for the first of them alone.
    pub fn feed(&self, envelopes: impl IntoIterator<Item = Envelope>) {
        let mut pending = self.lock();
        envelopes.into_iter().for_each(|envelope| pending.feed(envelope));
        drop(pending);
        self.inner.wake.notify_one();
    }

    /// Puts a change of the connection in.
    pub fn link(&self, event: LinkEvent) {
        self.lock().link(event);
        self.inner.wake.notify_one();
    }

    /// Waits until something is there. What was there before and is still there counts.
    pub async fn filled(&self) {
        while self.is_empty() {
            self.inner.wake.notified().await;
        }
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        let pending = self.lock();
        pending.items.is_empty() && pending.counts.is_empty()
    }

    /// Waits until something is there that must be shown at once: a critical alert nobody has taken, or
    /// a change of the connection.
    pub async fn urgent(&self) {
        while !self.is_urgent() {
            self.inner.wake.notified().await;
        }
    }

    fn is_urgent(&self) -> bool {
        self.lock().is_urgent
    }

    /// Takes everything out, in order.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.lock()).drain()
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.inner.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn feed(&mut self, envelope: Envelope) {
        match &envelope.event {
            FeedEvent::AlertCounts(counts) => {
                return self.counts.extend(counts.iter().map(|count| (count.id.clone(), count.clone())));
            }
            FeedEvent::Alert(alert) => {
                self.is_urgent |= alert.severity == Severity::Critical && alert.status == Status::New;
                // The whole alert is newer than counters that wait for it.
                self.counts.remove(&alert.id);
                let place = self.items.len();
                if let Some(older) = self.alerts.insert(alert.id.clone(), place) {
                    self.items[older] = None;
                }
            }
            FeedEvent::Heartbeat(_) => {
                if let Some(older) = self.heartbeat.replace(self.items.len()) {
                    self.items[older] = None;
                }
            }
            FeedEvent::Presence(_) => {
                if let Some(older) = self.presence.replace(self.items.len()) {
                    self.items[older] = None;
                }
            }
            FeedEvent::MigrationProgress(progress) => {
                if let Some(older) = self.progress.insert(progress.id.clone(), self.items.len()) {
                    self.items[older] = None;
                }
            }
            FeedEvent::Log(_) => bound(&mut self.logs, LOGS, &mut self.items),
            FeedEvent::FixOutput(_) => bound(&mut self.output, OUTPUT, &mut self.items),
            _ => {}
        }
        self.items.push(Some(Event::Feed(Box::new(envelope))));
    }

    fn link(&mut self, event: LinkEvent) {
        match &event {
            LinkEvent::Alive => {
                if let Some(older) = self.alive.replace(self.items.len()) {
                    self.items[older] = None;
                }
            }
            LinkEvent::Snapshot(_) => {
                // Older than the snapshot, and contained in it.
                for (_, place) in self.alerts.drain() {
                    self.items[place] = None;
                }
                self.counts.clear();
                self.is_urgent = true;
            }
            _ => self.is_urgent = true,
        }
        self.items.push(Some(Event::Link(event)));
    }

    fn drain(self) -> Vec<Event> {
        let mut events: Vec<Event> = self.items.into_iter().flatten().collect();
        if !self.counts.is_empty() {
            let event = FeedEvent::AlertCounts(self.counts.into_values().collect());
            events.push(Event::Feed(Box::new(Envelope { cursor: None, event })));
        }
        events
    }
}

/// Notes where the next item of a kind will stand; of more than `most` the oldest goes.
fn bound(places: &mut VecDeque<usize>, most: usize, items: &mut [Option<Event>]) {
    places.push_back(items.len());
    if places.len() > most
        && let Some(oldest) = places.pop_front()
    {
        items[oldest] = None;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use stella_protocol::Alert;

    use super::*;

    fn alert(id: &str, severity: &str, occurrences: u64) -> Envelope {
        let at = "2026-01-01T00:00:00.000Z";
        let alert: Alert = serde_json::from_value(json!({
            "id": id, "fingerprint": id, "episode": 1, "type": "health", "category": "data", "severity": severity,
            "title": "t", "ruleId": "r", "status": "new", "activity": {"state": "firing"}, "occurrences": occurrences,
            "firstSeen": at, "lastSeen": at, "detectedAt": at, "createdAt": at, "version": 1
        }))
        .unwrap();
        Envelope { cursor: None, event: FeedEvent::Alert(Box::new(alert)) }
    }

    fn counts(id: &str, occurrences: u64) -> Envelope {
        let count: AlertCount = serde_json::from_value(json!({
            "id": id, "occurrences": occurrences, "lastSeen": "2026-01-01T00:00:00.000Z",
            "activity": {"state": "firing"}, "brief": {}
        }))
        .unwrap();
        Envelope { cursor: None, event: FeedEvent::AlertCounts(vec![count]) }
    }

    /// Ids and counts in the order in which they come out.
    fn told(mailbox: &Mailbox) -> Vec<(String, u64)> {
        let mut told = Vec::new();
        for event in mailbox.take() {
            if let Event::Feed(envelope) = event {
                match envelope.event {
                    FeedEvent::Alert(alert) => told.push((alert.id.to_string(), alert.occurrences)),
                    FeedEvent::AlertCounts(counts) => {
                        told.extend(counts.into_iter().map(|count| (format!("+{}", count.id), count.occurrences)));
                    }
                    _ => {}
                }
            }
        }
        told
    }

    #[test]
    fn of_an_alert_the_latest_state_wins_and_keeps_its_place_in_the_order() {
        let mailbox = Mailbox::default();
        for envelope in [alert("a-1", "low", 1), alert("a-2", "low", 1), alert("a-1", "low", 2)] {
            mailbox.feed([envelope]);
        }
        assert_eq!(told(&mailbox), [("a-2".to_owned(), 1), ("a-1".to_owned(), 2)]);
        assert!(mailbox.is_empty());
    }

    #[test]
    fn counters_merge_and_never_undo_a_newer_alert() {
        let mailbox = Mailbox::default();
        for envelope in [counts("a-1", 5), counts("a-2", 7), alert("a-1", "low", 6), counts("a-2", 9)] {
            mailbox.feed([envelope]);
        }
        assert_eq!(told(&mailbox), [("a-1".to_owned(), 6), ("+a-2".to_owned(), 9)]);
    }

    fn fix(version: u64) -> Envelope {
        let at = "2026-01-01T00:00:00.000Z";
        let fix = serde_json::from_value(json!({
            "id": "fx-1", "definitionId": "d", "title": "t", "risk": "low", "policy": "approve", "planDigest": "00",
            "proposedBy": "op", "proposedAt": at, "status": "running", "quorum": 1, "approveBy": at, "steps": [],
            "version": version, "plan": {
                "definitionId": "d", "definitionDigest": "00", "risk": "low", "policy": "approve", "target": "t",
                "parameters": [], "steps": []
            }
        }));
        Envelope { cursor: None, event: FeedEvent::Fix(fix.unwrap()) }
    }

    fn output(number: u64) -> Envelope {
        let line = serde_json::from_value(json!({
            "id": "fx-1", "number": number, "step": 0, "stream": "out", "at": "2026-01-01T00:00:00.000Z", "text": "x"
        }));
        Envelope { cursor: None, event: FeedEvent::FixOutput(line.unwrap()) }
    }

    #[test]
    fn every_step_of_a_fix_comes_out_and_of_its_lines_the_last_ones() {
        let mailbox = Mailbox::default();
        mailbox.feed((1..=5_000).map(output).chain([fix(1), fix(2)]));
        mailbox.feed([output(5_001), fix(3)]);
        let (mut versions, mut lines) = (Vec::new(), Vec::new());
        for event in mailbox.take() {
            let Event::Feed(envelope) = event else { continue };
            match envelope.event {
                FeedEvent::Fix(fix) => versions.push(fix.version),
                FeedEvent::FixOutput(line) => lines.push(line.number),
                _ => {}
            }
        }
        assert_eq!(versions, [1, 2, 3]);
        assert_eq!((lines.len(), lines.last()), (OUTPUT, Some(&5_001)));
    }

    #[test]
    fn of_how_far_each_migration_is_the_last_word_comes_out() {
        let progress = |id: &str, done: u64| {
            let progress = serde_json::from_value(json!({
                "id": id, "phase": "copy", "at": "2026-01-01T00:00:00.000Z", "total": 9, "done": done,
                "eta": {"is": "unknown", "why": ""}, "counts": {}, "batches": [0, 1]
            }));
            Envelope { cursor: None, event: FeedEvent::MigrationProgress(Box::new(progress.unwrap())) }
        };
        let mailbox = Mailbox::default();
        mailbox.feed([progress("mig-1", 1), progress("mig-2", 5), progress("mig-1", 2)]);
        let told: Vec<(String, u64)> = mailbox
            .take()
            .into_iter()
            .filter_map(|event| match event {
                Event::Feed(envelope) => Some(envelope.event),
                _ => None,
            })
            .filter_map(|event| match event {
                FeedEvent::MigrationProgress(progress) => Some((progress.id.to_string(), progress.done)),
                _ => None,
            })
            .collect();
        assert_eq!(told, [("mig-2".to_owned(), 5), ("mig-1".to_owned(), 2)]);
    }

    #[test]
    fn of_who_looks_at_what_the_last_word_comes_out() {
        let here = |who: &str| {
            let present = json!({"consoles": [{"console": "con-1", "who": who, "role": "viewer", "screen": "log"}]});
            Envelope { cursor: None, event: FeedEvent::Presence(serde_json::from_value(present).unwrap()) }
        };
        let mailbox = Mailbox::default();
        mailbox.feed([here("ana"), alert("a-1", "low", 1), here("bo")]);
        let came: Vec<Event> = mailbox.take();
        assert_eq!(came.len(), 2);
        assert_eq!(came.last(), Some(&Event::Feed(Box::new(here("bo")))));
    }

    #[test]
    fn a_new_critical_alert_is_urgent() {
        let mailbox = Mailbox::default();
        mailbox.feed([alert("a-1", "high", 1)]);
        assert!(!mailbox.is_urgent());
        mailbox.feed([alert("a-2", "critical", 1)]);
        assert!(mailbox.is_urgent());
        mailbox.take();
        assert!(!mailbox.is_urgent());
    }

    #[tokio::test]
    async fn what_came_together_is_taken_together() {
        let mailbox = Mailbox::default();
        let (twin, waiting) = (mailbox.clone(), mailbox.clone());
        let waiter = tokio::spawn(async move {
            waiting.filled().await;
            waiting.take().len()
        });
        twin.feed([counts("a-1", 2), alert("a-2", "low", 1), alert("a-3", "high", 1)]);
        assert_eq!(waiter.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn who_waits_is_woken_also_by_what_came_before() {
        let mailbox = Mailbox::default();
        mailbox.link(LinkEvent::Connecting);
        mailbox.filled().await;
        mailbox.take();
        let (twin, waiting) = (mailbox.clone(), mailbox.clone());
        let waiter = tokio::spawn(async move { waiting.filled().await });
        twin.feed([alert("a-1", "low", 1)]);
        waiter.await.unwrap();
    }
}
