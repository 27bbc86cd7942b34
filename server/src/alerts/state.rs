//! What is kept of an alert beside what everyone sees, and the part of it that people can change.

use serde::{Deserialize, Serialize};
use stella_protocol::command::WrongPart;
use stella_protocol::{Activity, Alert, AlertType, Note, Status, Text, Timestamp};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// Shortest time without a match after which an alert is called quiet.
const SHORTEST_QUIET: i64 = MINUTE;
/// Quiet time of the types that have no longer one.
const PLAIN_QUIET: i64 = 10 * MINUTE;

/// The two times that matter: people act on the server's clock, matches come on engine time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The server's clock.
    pub server: Timestamp,
    /// Engine time (9.2): stands still or lags while a recording is read.
    pub engine: Timestamp,
}

/// What the machine remembers beside the alert itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// Span that the rule looks at, in milliseconds.
    pub window_ms: i64,
    /// Engine time at which it was last opened or reopened: quiet time counts from here at the earliest.
    pub opened_at: Timestamp,
    /// Engine time at which it was closed; None while it is open.
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    /// What was wrong, once it was called a false positive.
    #[serde(default)]
    pub wrong: Option<WrongPart>,
    /// A fix is under way on it: quiet alone does not end it meanwhile.
    #[serde(default)]
    pub held: bool,
    /// What the engine calls the problem, where the alert says less of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_as: Option<String>,
    /// It was not the engine that found it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

/// An alert and what the machine remembers of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertState {
    /// What everyone sees.
    pub alert: Alert,
    /// What only the machine sees.
    pub watch: Watch,
}

impl AlertState {
    /// True for alerts that only a sign of recovery ends, and that never fall quiet by themselves.
    pub fn ends_on_recovery(&self) -> bool {
        matches!(self.alert.kind, AlertType::Silence | AlertType::Health)
    }

    /// Milliseconds without a match after which it is over by itself; None: never by time.
    pub fn quiet_time(&self) -> Option<i64> {
        match self.alert.kind {
            AlertType::Silence | AlertType::Health | AlertType::External | AlertType::UserReport => None,
            AlertType::SecurityAnomaly => Some(30 * MINUTE),
            AlertType::NewError => Some(60 * MINUTE),
            AlertType::MetricAnomaly | AlertType::Forecast => Some(PLAIN_QUIET),
            _ => Some(PLAIN_QUIET.max(self.watch.window_ms.saturating_mul(3))),
        }
    }

    /// Milliseconds without a match after which a closed episode is over, so that the next match opens
    /// a new one.
    pub(super) fn episode_gap(&self) -> i64 {
        self.quiet_time().unwrap_or(PLAIN_QUIET)
    }

    /// Engine time at which it ends by itself, as long as nothing more happens; None: not by time, or not
    /// while a fix is under way on it.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let since = self.alert.last_seen.max(self.watch.opened_at);
        Some(since.plus_millis(self.quiet_time()?)).filter(|_| self.alert.status.is_open() && !self.watch.held)
    }

    /// Engine time at which it is called quiet: the whole minute after the rule's window passed by.
    pub(super) fn falls_quiet_at(&self) -> Option<Timestamp> {
        self.quiet_from().filter(|_| self.alert.activity == Activity::Firing)
    }

    /// The same, also where it is quiet or over by now. None: no silence makes it quiet.
    pub fn quiet_from(&self) -> Option<Timestamp> {
        let due = self.alert.last_seen.plus_millis(self.quiet_window()).millis();
        let minute = Timestamp::from_millis(due.saturating_add(MINUTE - 1).div_euclid(MINUTE) * MINUTE);
        Some(minute).filter(|_| !self.ends_on_recovery())
    }

    /// Milliseconds without a match that say that it is silent: its rule's window, or more where that is short.
    pub fn quiet_window(&self) -> i64 {
        self.watch.window_ms.max(SHORTEST_QUIET)
    }
}

/// The part of an alert that a verb changes and an undo brings back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Triage {
    status: Status,
    assignee: Option<Text>,
    acknowledged_at: Option<Timestamp>,
    acknowledged_by: Option<Text>,
    ack_expires_at: Option<Timestamp>,
    resolved_at: Option<Timestamp>,
    resolved_by: Option<Text>,
    resolution_notes: Option<Text>,
    still_matching_since: Option<Timestamp>,
    notes: Vec<Note>,
    reopened: u32,
    closed_at: Option<Timestamp>,
    wrong: Option<WrongPart>,
}

impl Triage {
    /// How it stands now.
    pub fn of(state: &AlertState) -> Self {
        let alert = &state.alert;
        Self {
            status: alert.status,
            assignee: alert.assignee.clone(),
            acknowledged_at: alert.acknowledged_at,
            acknowledged_by: alert.acknowledged_by.clone(),
            ack_expires_at: alert.ack_expires_at,
            resolved_at: alert.resolved_at,
            resolved_by: alert.resolved_by.clone(),
            resolution_notes: alert.resolution_notes.clone(),
            still_matching_since: alert.still_matching_since,
            notes: alert.notes.clone(),
            reopened: alert.reopened,
            closed_at: state.watch.closed_at,
            wrong: state.watch.wrong,
        }
    }

    /// True when it was new or acknowledged.
    pub fn was_open(&self) -> bool {
        self.status.is_open()
    }

    /// Puts it back; counters, evidence and version stay as they are.
    pub(super) fn put_back(self, state: &mut AlertState) {
        let alert = &mut state.alert;
        alert.status = self.status;
        alert.assignee = self.assignee;
        alert.acknowledged_at = self.acknowledged_at;
        alert.acknowledged_by = self.acknowledged_by;
        alert.ack_expires_at = self.ack_expires_at;
        alert.resolved_at = self.resolved_at;
        alert.resolved_by = self.resolved_by;
        alert.resolution_notes = self.resolution_notes;
        alert.still_matching_since = self.still_matching_since;
        alert.notes = self.notes;
        alert.reopened = self.reopened;
        // Matches may have come while it was closed; the next tick calls it quiet if none did.
        if alert.status.is_open() {
            alert.activity = Activity::Firing;
        }
        state.watch.closed_at = self.closed_at;
        state.watch.wrong = self.wrong;
    }
}
