//! An alert, as everyone sees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{FixId, TicketId};
use crate::{AlertId, Category, Severity, Text, Timestamp};

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertType {
    /// Slower than it should be.
    PerformanceDegradation,
    /// More errors than usual.
    ErrorSpike,
    /// One person who cannot get on.
    UserFriction,
    /// Somebody trying to get in.
    SecurityAnomaly,
    /// Stored data that contradict themselves.
    DataInconsistency,
    /// An error never seen before.
    NewError,
    /// A source that stopped speaking.
    Silence,
    /// A series that leaves its past.
    MetricAnomaly,
    /// A budget that will run out.
    Forecast,
    /// A component that says it is not well.
    Health,
    /// From another alerting system.
    External,
    /// From a user's own words.
    UserReport,
    /// A kind this reader does not know.
    #[serde(other)]
    Unknown,
}

impl AlertType {
    /// Every kind that this edition knows.
    pub const ALL: [Self; 12] = [
        Self::PerformanceDegradation,
        Self::ErrorSpike,
        Self::UserFriction,
        Self::SecurityAnomaly,
        Self::DataInconsistency,
        Self::NewError,
        Self::Silence,
        Self::MetricAnomaly,
        Self::Forecast,
        Self::Health,
        Self::External,
        Self::UserReport,
    ];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::PerformanceDegradation => "performance_degradation",
            Self::ErrorSpike => "error_spike",
            Self::UserFriction => "user_friction",
            Self::SecurityAnomaly => "security_anomaly",
            Self::DataInconsistency => "data_inconsistency",
            Self::NewError => "new_error",
            Self::Silence => "silence",
            Self::MetricAnomaly => "metric_anomaly",
            Self::Forecast => "forecast",
            Self::Health => "health",
            Self::External => "external",
            Self::UserReport => "user_report",
            Self::Unknown => "unknown",
        }
    }
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has taken it.
    New,
    /// Somebody has.
    Acknowledged,
    /// It is over.
    Resolved,
    /// It was not a problem.
    FalsePositive,
    /// A status this reader does not know.
    #[serde(other)]
    Unknown,
}

impl Status {
    /// True for `New` and `Acknowledged`.
    pub fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Acknowledged)
    }

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::FalsePositive => "false_positive",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether matches still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Activity {
    /// They do.
    Firing,
    /// None came for the rule's window.
    Quiet {
        /// The last match.
        since: Timestamp,
    },
    /// An activity this reader does not know.
    #[serde(other)]
    Unknown,
}

/// Something a person wrote on an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Text,
    /// What.
    pub text: Text,
}

/// The evidence in a nutshell: what a list row and a peek need. At most 2 KiB on the wire.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Brief {
    /// What was measured.
    #[serde(default)]
    pub observed: Option<f64>,
    /// What is usual.
    #[serde(default)]
    pub baseline: Option<f64>,
    /// What is too much.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// Unit of the three: `ms`, `%`, `1/s`, `count`, …
    #[serde(default)]
    pub unit: Text,
    /// When it began.
    #[serde(default)]
    pub onset: Option<Timestamp>,
    /// The last 30 minutes, one value a minute, oldest first; null where nothing was measured.
    #[serde(default)]
    pub spark: Vec<Option<f64>>,
    /// How many reasons speak for it.
    #[serde(default)]
    pub reasons_for: u32,
    /// How many speak against it.
    #[serde(default)]
    pub reasons_against: u32,
    /// Which evidence this belongs to: rises when the evidence was refreshed.
    #[serde(default)]
    pub evidence_version: u64,
}

/// Whom an alert is about inside a multi-tenant application.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// The organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Text>,
    /// The domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Text>,
}

/// An alert with its brief. Full evidence is a route of its own.
///
/// `version` rises with status, severity, assignee, acknowledgement, snooze, notes, resolution,
/// fixes, tickets and parent; never with occurrences, last seen, evidence, affected users, related.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Its name.
    pub id: AlertId,
    /// Rule and normalised labels: what makes two findings the same problem.
    pub fingerprint: Text,
    /// How often this fingerprint has opened an alert, from 1.
    pub episode: u32,
    /// What kind of problem.
    #[serde(rename = "type")]
    pub kind: AlertType,
    /// About what.
    pub category: Category,
    /// How bad.
    pub severity: Severity,
    /// One line.
    pub title: Text,
    /// A sentence or two.
    #[serde(default)]
    pub description: Text,
    /// Which service.
    #[serde(default)]
    pub service: Text,
    /// Which operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Text>,
    /// What identifies it.
    #[serde(default)]
    pub labels: BTreeMap<String, Text>,
    /// Which rule found it.
    pub rule_id: Text,
    /// The alert that explains this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<AlertId>,
    /// The alerts that this one explains.
    #[serde(default)]
    pub children: Vec<AlertId>,
    /// What to do, best first.
    #[serde(default)]
    pub suggested_actions: Vec<Text>,
    /// A fix is known.
    #[serde(default)]
    pub auto_fix_available: bool,
    /// Its fixes.
    #[serde(default)]
    pub fixes: Vec<FixId>,
    /// Some of the users it touches.
    #[serde(default)]
    pub affected_users: Vec<Text>,
    /// How many users it touches, as far as counted.
    #[serde(default)]
    pub affected_user_count: u64,
    /// Where it stands.
    pub status: Status,
    /// Whether matches still come.
    pub activity: Activity,
    /// Who looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Text>,
    /// When it was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<Text>,
    /// When that lapses, should it still fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_expires_at: Option<Timestamp>,
    /// Asleep until.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Timestamp>,
    /// Asleep while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snooze_condition: Option<Text>,
    /// When it was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// By whom; `system` when by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<Text>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution_notes: Option<Text>,
    /// Resolved by a person, and matches still come since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub still_matching_since: Option<Timestamp>,
    /// What people wrote.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// How many matches in this episode.
    pub occurrences: u64,
    /// Engine time of the first match.
    pub first_seen: Timestamp,
    /// Engine time of the last match.
    pub last_seen: Timestamp,
    /// Engine time at which the rule was sure.
    pub detected_at: Timestamp,
    /// Server time at which the alert was opened.
    pub created_at: Timestamp,
    /// How often it came back.
    #[serde(default)]
    pub reopened: u32,
    /// Alerts of the same wave.
    #[serde(default)]
    pub related: Vec<AlertId>,
    /// User reports that belong to it.
    #[serde(default)]
    pub tickets: Vec<TicketId>,
    /// Where to read what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<Text>,
    /// Where else to look.
    #[serde(default)]
    pub links: Vec<Text>,
    /// Whom it is about.
    #[serde(default)]
    pub scope: Scope,
    /// Which source brought the lines.
    #[serde(default)]
    pub source: Text,
    /// What a change must name.
    pub version: u64,
    /// The evidence in a nutshell.
    #[serde(default)]
    pub brief: Brief,
}

/// Counters of a busy alert, sent without a change of version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertCount {
    /// Whose.
    pub id: AlertId,
    /// How many matches by now.
    pub occurrences: u64,
    /// The last of them.
    pub last_seen: Timestamp,
    /// Whether matches still come.
    pub activity: Activity,
    /// The line that tells them, as of now; None: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// The evidence in a nutshell, as of now.
    pub brief: Brief,
}
