//! Findings and alerts for tests.

use std::collections::BTreeMap;

use stella_detect::{Finding, Phase};
use stella_protocol::{AlertType, Brief, Category, Evidence, LogLink, Severity, Text, Timestamp};

use super::{AlertState, Moment, open};

/// A finding with one match at `at`.
pub(crate) fn finding(fingerprint: &str, at: i64) -> Finding {
    let at = Timestamp::from_millis(at);
    Finding {
        fingerprint: fingerprint.to_owned(),
        rule_id: "slow",
        rule_version: 1,
        kind: AlertType::PerformanceDegradation,
        category: Category::Performance,
        severity: Severity::Medium,
        title: Text::new("get_shared_agents is slow"),
        description: Text::default(),
        service: Text::new(fingerprint.to_owned()),
        operation: None,
        labels: BTreeMap::new(),
        suggested_actions: Vec::new(),
        affected_users: Vec::new(),
        affected_user_count: 0,
        matches: 1,
        first_at: at,
        last_at: at,
        detected_at: at,
        window_ms: 60_000,
        brief: Brief::default(),
        evidence: Box::new(evidence(at)),
        phase: Phase::Firing,
        parent: None,
        children: Vec::new(),
        held_back: 0,
    }
}

/// Evidence that says nothing.
pub(crate) fn evidence(at: Timestamp) -> Evidence {
    let lines = LogLink { from: at, to: at, ..LogLink::default() };
    let (rule_id, rule_version) = (Text::new("slow"), 1);
    Evidence { rule_id, rule_version, from: at, to: at, lines, refreshed_at: at, ..Evidence::default() }
}

/// An alert of `fingerprint`, opened at `at`, named by `number`.
pub(crate) fn alert(fingerprint: &str, number: usize, at: i64) -> AlertState {
    let now = Moment { server: Timestamp::from_millis(at), engine: Timestamp::from_millis(at) };
    let Ok(id) = format!("a-{number:07}").parse() else { unreachable!("digits are an id") };
    open(&finding(fingerprint, at), id, 1, now)
}
