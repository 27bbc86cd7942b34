//! What the engine hands out: a problem as it stands at one moment of engine time.
//!
//! A finding is complete by itself: whoever takes it needs no state of the engine to open, refresh or
//! end an alert. It deliberately has no id, no status and no person in it: those are the server's.

use std::collections::BTreeMap;

use serde::Serialize;
use stella_protocol::{AlertType, Brief, Category, Evidence, Severity, Text, Timestamp};

use crate::keep::{Keep, Reader, keep_wire, wake_wire};
use crate::rules::rule_named;

/// Whether the problem is there or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is there.
    Firing,
    /// What was silent speaks again; what was not well says it is.
    Recovered,
}

/// A problem, its state at `last_at`, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Rule and normalised labels: the same problem has the same fingerprint. Made of outside text.
    pub fingerprint: String,
    /// Which rule found it.
    pub rule_id: &'static str,
    /// In which edition.
    pub rule_version: u32,
    /// What kind of problem.
    pub kind: AlertType,
    /// About what.
    pub category: Category,
    /// How bad, as of now.
    pub severity: Severity,
    /// One line with the numbers of now.
    pub title: Text,
    /// A sentence or two.
    pub description: Text,
    /// Which service; empty when nobody said.
    pub service: Text,
    /// Which operation.
    pub operation: Option<Text>,
    /// What identifies it.
    pub labels: BTreeMap<String, Text>,
    /// What to do, best first.
    pub suggested_actions: Vec<Text>,
    /// Some of the users it touches, at most [`Finding::MOST_USERS`].
    pub affected_users: Vec<Text>,
    /// Different users on the lines of the evidence.
    pub affected_user_count: u64,
    /// Offending lines since the finding before of the same fingerprint.
    pub matches: u64,
    /// Engine time of the first offending line.
    pub first_at: Timestamp,
    /// Engine time of the last offending line.
    pub last_at: Timestamp,
    /// Engine time at which the rule was sure.
    pub detected_at: Timestamp,
    /// Span that the rule looks at, in milliseconds of engine time.
    pub window_ms: i64,
    /// The evidence in a nutshell.
    pub brief: Brief,
    /// The evidence.
    pub evidence: Box<Evidence>,
    /// Whether it is there or over.
    pub phase: Phase,
    /// Fingerprint of the greater problem that began together with it and has the same cause.
    pub parent: Option<String>,
    /// Fingerprints of the lesser problems that began together with it and that it explains, as far as told.
    pub children: Vec<String>,
    /// Problems of its kind that are on and that nobody was told of, because there are too many.
    pub held_back: u64,
}

impl Finding {
    /// Most users that a finding names.
    pub const MOST_USERS: usize = 20;
}

impl Keep for Finding {
    fn keep(&self, to: &mut Vec<u8>) {
        self.fingerprint.keep(to);
        self.rule_id.to_owned().keep(to);
        self.rule_version.keep(to);
        keep_wire(&(self.kind, self.category, self.severity), to);
        for text in [&self.title, &self.description, &self.service] {
            text.keep(to);
        }
        self.operation.keep(to);
        self.labels.keep(to);
        self.suggested_actions.keep(to);
        self.affected_users.keep(to);
        (self.affected_user_count, self.matches).keep(to);
        ((self.first_at, self.last_at), self.detected_at).keep(to);
        self.window_ms.keep(to);
        keep_wire(&self.brief, to);
        keep_wire(&self.evidence, to);
        (self.phase == Phase::Recovered).keep(to);
        self.parent.keep(to);
        self.children.keep(to);
        self.held_back.keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        let fingerprint = Keep::wake(from)?;
        let rule_id = rule_named(&String::wake(from)?)?;
        let rule_version = Keep::wake(from)?;
        let (kind, category, severity) = wake_wire(from)?;
        let (title, description, service) = (Keep::wake(from)?, Keep::wake(from)?, Keep::wake(from)?);
        let (operation, labels) = (Keep::wake(from)?, Keep::wake(from)?);
        let (suggested_actions, affected_users) = (Keep::wake(from)?, Keep::wake(from)?);
        let (affected_user_count, matches) = Keep::wake(from)?;
        let ((first_at, last_at), detected_at) = Keep::wake(from)?;
        Some(Self {
            fingerprint,
            rule_id,
            rule_version,
            kind,
            category,
            severity,
            title,
            description,
            service,
            operation,
            labels,
            suggested_actions,
            affected_users,
            affected_user_count,
            matches,
            first_at,
            last_at,
            detected_at,
            window_ms: Keep::wake(from)?,
            brief: wake_wire(from)?,
            evidence: wake_wire(from)?,
            phase: if bool::wake(from)? { Phase::Recovered } else { Phase::Firing },
            parent: Keep::wake(from)?,
            children: Keep::wake(from)?,
            held_back: Keep::wake(from)?,
        })
    }
}
