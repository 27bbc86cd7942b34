//! The alerts as the server last told them, by id.

use std::collections::BTreeMap;

use stella_protocol::{Alert, AlertCount, AlertId, Severity, Status};

/// All alerts we know, open and recently closed.
#[derive(Debug, Default)]
pub struct Alerts {
    by_id: BTreeMap<AlertId, Alert>,
    revision: u64,
    loaded: bool,
}

/// How many open alerts there are, by severity, and how many nobody has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Critical ones.
    pub critical: usize,
    /// High ones.
    pub high: usize,
    /// Medium ones.
    pub medium: usize,
    /// Low ones, and those of unknown severity.
    pub low: usize,
    /// Open and not acknowledged.
    pub unacknowledged: usize,
}

impl Alerts {
    /// One alert.
    pub fn get(&self, id: &AlertId) -> Option<&Alert> {
        self.by_id.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Alert> + Clone {
        self.by_id.values()
    }

    /// True once a snapshot told the whole state: before that nothing is known, not even that it is calm.
    pub fn loaded(&self) -> bool {
        self.loaded
    }

    /// Rises with every change of an alert, but not with mere counts.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Open alerts by severity.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for alert in self.iter().filter(|alert| alert.status.is_open()) {
            match alert.severity {
                Severity::Critical => counts.critical += 1,
                Severity::High => counts.high += 1,
                Severity::Medium => counts.medium += 1,
                Severity::Low | Severity::Unknown => counts.low += 1,
            }
            counts.unacknowledged += usize::from(alert.status == Status::New);
        }
        counts
    }

    /// Takes an alert; one that is older than what we have is dropped (events come at least once).
    pub(super) fn put(&mut self, alert: Alert) {
        if self.by_id.get(&alert.id).is_some_and(|known| known.version > alert.version) {
            return;
        }
        self.revision += 1;
        self.by_id.insert(alert.id.clone(), alert);
    }

    /// Takes the counters of a busy alert.
    pub(super) fn count(&mut self, count: AlertCount) {
        let Some(alert) = self.by_id.get_mut(&count.id) else { return };
        if count.occurrences < alert.occurrences {
            return;
        }
        if alert.activity != count.activity {
            self.revision += 1;
        }
        alert.occurrences = count.occurrences;
        alert.last_seen = count.last_seen;
        alert.activity = count.activity;
        alert.brief = count.brief;
        if let Some(title) = count.title {
            alert.title = title;
        }
    }

    /// Takes the whole state: what is not in it is gone.
    pub(super) fn replace(&mut self, alerts: Vec<Alert>) {
        self.revision += 1;
        self.loaded = true;
        self.by_id = alerts.into_iter().map(|alert| (alert.id.clone(), alert)).collect();
    }
}
