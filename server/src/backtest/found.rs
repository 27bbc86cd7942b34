//! What was found, as alerts: the machine of [`crate::alerts`] without people, store or feed.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::Serialize;
use stella_detect::{Finding, Phase};
use stella_protocol::{AlertId, AlertType, Severity, Text, Timestamp};

use crate::alerts::{self, AlertState, Effect, Event, Moment, is_due, step};

/// An alert, when it is over or when the input ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Engine time at which the rule was sure.
    pub detected_at: Timestamp,
    /// What kind of problem.
    #[serde(rename = "type")]
    pub kind: AlertType,
    /// How bad it became.
    pub severity: Severity,
    /// One line with its last numbers.
    pub title: Text,
    /// Rule and normalised labels: the same problem has the same one.
    pub fingerprint: Text,
    /// How often this fingerprint has opened an alert, from 1.
    pub episode: u32,
    /// Which rule.
    pub rule_id: Text,
    /// Which service; empty when nobody said.
    pub service: Text,
    /// Which operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Text>,
    /// What identifies it.
    pub labels: BTreeMap<String, Text>,
    /// Offending lines.
    pub occurrences: u64,
    /// Engine time of the first of them.
    pub first_seen: Timestamp,
    /// Engine time of the last.
    pub last_seen: Timestamp,
    /// Engine time at which it was over; None: it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// The alerts of a backtest.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// The last episode of each fingerprint, by the order in which it opened.
    last: BTreeMap<u64, AlertState>,
    places: FxHashMap<String, u64>,
    /// Earlier episodes.
    over: BTreeMap<u64, Found>,
    opened: u64,
}

impl Book {
    /// Takes findings in, told at `now`.
    pub(super) fn take(&mut self, findings: &[Finding], now: Timestamp) {
        let now = Moment { server: now, engine: now };
        for finding in findings {
            self.found(finding, now);
        }
    }

    /// Lets time pass for the alerts that are open.
    pub(super) fn pass(&mut self, at: Timestamp) {
        let now = Moment { server: at, engine: at };
        for state in self.last.values_mut().filter(|state| state.alert.status.is_open() && is_due(state, now)) {
            if let Ok(next) = step(state, &Event::Tick, now) {
                *state = next.state;
            }
        }
    }

    /// All alerts, in the order in which they opened.
    pub(super) fn end(self) -> Vec<Found> {
        let mut all = self.over;
        all.extend(self.last.into_iter().map(|(place, state)| (place, found(state))));
        all.into_values().collect()
    }

    fn found(&mut self, finding: &Finding, now: Moment) {
        let fingerprint = alerts::fingerprint(finding).raw().to_owned();
        let place = self.places.get(&fingerprint).copied();
        let Some((place, state)) = place.and_then(|place| Some((place, self.last.get_mut(&place)?))) else {
            if finding.phase == Phase::Firing {
                self.open(fingerprint, finding, 1, now);
            }
            return;
        };
        let Ok(next) = step(state, &Event::Found(finding), now) else { return };
        let (opens, episode) = (next.effects.contains(&Effect::OpensNext), state.alert.episode);
        *state = next.state;
        if opens {
            if let Some(state) = self.last.remove(&place) {
                self.over.insert(place, found(state));
            }
            self.open(fingerprint, finding, episode + 1, now);
        }
    }

    fn open(&mut self, fingerprint: String, finding: &Finding, episode: u32, now: Moment) {
        // Nobody sees the id here; seven digits are always one.
        let Ok(id) = format!("{}{:07}", AlertId::PREFIX, self.opened % 10_000_000).parse() else { return };
        self.opened += 1;
        self.last.insert(self.opened, alerts::open(finding, id, episode, now));
        self.places.insert(fingerprint, self.opened);
    }
}

fn found(AlertState { alert, watch }: AlertState) -> Found {
    Found {
        detected_at: alert.detected_at,
        kind: alert.kind,
        severity: alert.severity,
        title: alert.title,
        fingerprint: alert.fingerprint,
        episode: alert.episode,
        rule_id: alert.rule_id,
        service: alert.service,
        operation: alert.operation,
        labels: alert.labels,
        occurrences: alert.occurrences,
        first_seen: alert.first_seen,
        last_seen: alert.last_seen,
        ended_at: watch.closed_at,
    }
}
