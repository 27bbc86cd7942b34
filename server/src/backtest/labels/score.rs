//! Found and missed, false, beside the point, repeated, and how late.

use std::collections::BTreeMap;

use serde::Serialize;
use stella_detect::Fit;
use stella_protocol::{AlertType, Timestamp};

use super::{Label, Labels};
use crate::backtest::{Found, Report};

/// How long after its end an incident may still be found, in milliseconds: rules look back over five minutes.
const GRACE_MS: i64 = 5 * 60_000;
/// Milliseconds of an hour.
const HOUR_MS: f64 = 3_600_000.0;

/// Incidents of a kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// How many there were.
    pub labels: usize,
    /// How many were found.
    pub found: usize,
    /// Median of the affected lines up to and with the one at which it was told; None: none had lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_lines: Option<u64>,
    /// Median of the seconds from its begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_seconds: Option<f64>,
}

/// An incident that no alert speaks of.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missed {
    /// Which, in words. Made of outside text.
    pub label: stella_protocol::Text,
    /// When it began.
    pub from: Timestamp,
    /// Lines that it touched, as far as they were counted.
    pub lines: usize,
}

/// What alerts were worth against labels.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Incidents that an alert is wanted for.
    pub labels: usize,
    /// Of them, with one.
    pub found: usize,
    /// Without.
    pub missed: Vec<Missed>,
    /// Alerts.
    pub alerts: usize,
    /// Of them, those that speak of no incident, by their place among the alerts.
    pub false_alerts: Vec<usize>,
    /// Their part of all alerts, 0 to 1.
    pub false_share: f64,
    /// And for each hour of lines.
    pub false_per_hour: f64,
    /// Alerts on an incident that another one had told of before.
    pub repeated: usize,
    /// Alerts that say something true that follows from an incident.
    pub beside: usize,
    /// By the word for the incident.
    pub kinds: BTreeMap<String, Tally>,
}

impl Labels {
    /// What alerts are worth against these labels, which have seen the same lines.
    pub fn score(&self, report: &Report) -> Score {
        let mut found = vec![None; self.all.len()];
        let mut score = Score { alerts: report.alerts.len(), ..Score::default() };
        let mut order: Vec<usize> = (0..report.alerts.len()).collect();
        order.sort_by_key(|at| report.alerts[*at].detected_at);
        for at in order {
            let alert = &report.alerts[at];
            match belongs(alert, &self.all, &found) {
                Some((label, Fit::Right)) if found[label].is_none() => found[label] = Some(alert.detected_at),
                Some((_, Fit::Right)) => score.repeated += 1,
                Some(_) => score.beside += 1,
                None => score.false_alerts.push(at),
            }
        }
        self.settle(&mut score, &found);
        score.false_alerts.sort_unstable();
        let falses = score.false_alerts.len() as f64;
        score.false_share = falses / score.alerts.max(1) as f64;
        let hours = report.from.zip(report.to).map_or(0.0, |(from, to)| to.since(from) as f64 / HOUR_MS);
        score.false_per_hour = if hours > 0.0 { falses / hours } else { 0.0 };
        score
    }

    fn settle(&self, score: &mut Score, found: &[Option<Timestamp>]) {
        let mut delays: BTreeMap<&str, (Vec<u64>, Vec<f64>)> = BTreeMap::new();
        for (nth, label) in self.all.iter().enumerate().filter(|(_, label)| !label.follows) {
            let (touched, tally) = (&self.touched[nth], score.kinds.entry(label.word.clone()).or_default());
            (score.labels, tally.labels) = (score.labels + 1, tally.labels + 1);
            let Some(at) = found[nth] else {
                score.missed.push(Missed { label: label.words(), from: label.from, lines: touched.len() });
                continue;
            };
            (score.found, tally.found) = (score.found + 1, tally.found + 1);
            let (lines, seconds) = delays.entry(&label.word).or_default();
            let until = touched.iter().filter(|touched| **touched <= at).count() as u64;
            lines.extend((until > 0).then_some(until));
            seconds.push(at.since(label.from) as f64 / 1000.0);
        }
        for (word, (mut lines, mut seconds)) in delays {
            lines.sort_unstable();
            seconds.sort_by(f64::total_cmp);
            if let Some(tally) = score.kinds.get_mut(word) {
                tally.median_lines = middle(&lines).copied();
                tally.median_seconds = middle(&seconds).copied();
            }
        }
    }
}

/// The lower median.
fn middle<T>(sorted: &[T]) -> Option<&T> {
    sorted.get(sorted.len().checked_sub(1)? / 2)
}

/// Where an alert belongs: the best of what fits, one that nobody spoke of first.
fn belongs(alert: &Found, labels: &[Label], found: &[Option<Timestamp>]) -> Option<(usize, Fit)> {
    let rank = |label: usize, fit: Fit| match (fit, labels[label].follows, found[label].is_some()) {
        (Fit::Right, false, false) => 0,
        (Fit::Right, false, true) => 1,
        (Fit::Right, true, _) => 2,
        _ => 3,
    };
    let fits = labels.iter().enumerate().map(|(nth, label)| (nth, fit_of(alert, label)));
    fits.filter(|(_, fit)| *fit != Fit::No).min_by_key(|(nth, fit)| rank(*nth, *fit))
}

fn fit_of(alert: &Found, label: &Label) -> Fit {
    let (at, fit) = (alert.detected_at, Fit::of(label.kind, alert.kind));
    if fit == Fit::No || at < label.from || at.since(label.to) > GRACE_MS {
        return Fit::No;
    }
    let operation = alert.operation.as_ref().map(stella_protocol::Text::raw);
    let says = |name: &String| {
        operation == Some(name) || alert.service.raw() == name || alert.labels.values().any(|text| text.raw() == name)
    };
    let own: Vec<&String> = label.user.iter().chain(&label.address).chain(&label.names).collect();
    let wanted = match (own.is_empty(), &label.operation, &label.service) {
        (false, ..) => own,
        (true, Some(operation), _) => vec![operation],
        (true, None, Some(service)) => vec![service],
        (true, None, None) => return fit,
    };
    let elsewhere = label.service.as_deref().is_some_and(|own| !alert.service.is_empty() && alert.service.raw() != own);
    // One alert for all operations also speaks of this one.
    let broad = operation.is_none()
        && label.operation.is_some()
        && matches!(alert.kind, AlertType::PerformanceDegradation | AlertType::ErrorSpike);
    let same_place = fit == Fit::Beside && label.operation.is_some() && operation == label.operation.as_deref();
    let named = wanted.into_iter().any(says);
    if !elsewhere && (named || broad || same_place) { fit } else { Fit::No }
}
