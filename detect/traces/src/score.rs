//! What was said against what was: found and missed, false, beside the point, repeated, and how late.
//!
//! A notification is what a person would get: a problem spoken of that was not spoken of for a quarter of an hour
//! (the span in which alerts are merged). It belongs to an incident when its type fits, its time does, and it
//! names what the incident is about.

use std::collections::BTreeMap;

use serde::Serialize;
use stella_detect::Fit;
use stella_protocol::{AlertType, Timestamp};

use crate::detector::{Detector, Notice};
use crate::incident::{Benign, Kind, Label};
use crate::plan::Cause;
use crate::trace::Trace;

/// Silence after which a problem is spoken of anew, in milliseconds.
const MERGE_MS: i64 = 15 * 60_000;
/// How long after its end an incident may still be spoken of: rules look back over five minutes.
const GRACE_MS: i64 = 5 * 60_000;
/// How far engine time may be before the time at which something happened, in milliseconds: a host's clock is
/// believed so far.
const SKEW_MS: i64 = 30_000;
/// What lasts longer than this is no explanation of when something false was said.
const ALWAYS_MS: i64 = 2 * 3_600_000;

/// Incidents of a kind.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// How many there were.
    pub n: usize,
    /// How many were found.
    pub found: usize,
    /// For each that was found: affected lines up to and with the one at which it was told. Incidents without
    /// lines (silences) have none.
    pub lines: Vec<u64>,
    /// For each that was found: seconds from the onset.
    pub seconds: Vec<f64>,
}

/// An incident that nobody spoke of.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missed {
    /// In which trace.
    pub trace: String,
    /// What it was.
    pub label: Label,
    /// Lines that it affected.
    pub lines: u64,
}

/// A notification that matches no incident.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct False {
    /// In which trace.
    pub trace: String,
    /// When.
    pub at: Timestamp,
    /// Of which type.
    pub kind: AlertType,
    /// Which problem it spoke of.
    pub fingerprint: String,
    /// What it said.
    pub title: String,
    /// What benign went on meanwhile.
    pub during: String,
}

/// What a detector made of traces.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Hours of traces.
    pub hours: f64,
    /// Lines of them.
    pub lines: u64,
    /// Traces.
    pub traces: usize,
    /// What a person got.
    pub notifications: usize,
    /// First right words on an incident.
    pub right: usize,
    /// More right words on an incident that was spoken of before.
    pub repeats: usize,
    /// True words on what follows from an incident.
    pub beside: usize,
    /// Words on what an outage made of single people.
    pub children: usize,
    /// Notifications that match no incident.
    pub falses: Vec<False>,
    /// Incidents that nobody spoke of.
    pub missed: Vec<Missed>,
    /// By kind.
    pub kinds: BTreeMap<Kind, Tally>,
    /// Incidents whose trouble is at least twice the usual time, or 30 % of the calls: affected lines until told.
    pub plain: BTreeMap<Kind, Vec<u64>>,
    /// Break-ins that were told as critical.
    pub breaches_critical: usize,
}

/// Shows a trace to a detector, as a server does: whole seconds before the line that passes them.
pub fn judge(name: &str, mut trace: Trace, detector: &mut impl Detector) -> Score {
    let mut book = Book { seen: Vec::new(), heard: BTreeMap::new(), said: Vec::new() };
    let mut second = None;
    let mut lines = 0;
    for line in trace.by_ref() {
        let at = line.event.engine_time.seconds();
        for passed in second.unwrap_or(at) + 1..=at {
            detector.advance(Timestamp::from_millis(passed * 1000));
            book.listen(Timestamp::from_millis(passed * 1000), detector.drain());
        }
        second = Some(at);
        if let Cause::Incident(label) = line.cause {
            book.affected(label);
        }
        detector.observe(&line);
        book.listen(line.event.engine_time, detector.drain());
        lines += 1;
    }
    let mut score = Score { hours: trace.hours(), lines, traces: 1, ..Score::default() };
    score.settle(name, &book, trace.labels(), trace.benign());
    score
}

/// What was said first, and how far things were.
struct Told {
    at: Timestamp,
    notice: Notice,
    /// Affected lines of each label by then.
    seen: Vec<u64>,
}

struct Book {
    seen: Vec<u64>,
    heard: BTreeMap<String, Timestamp>,
    said: Vec<Told>,
}

impl Book {
    fn affected(&mut self, label: usize) {
        if self.seen.len() <= label {
            self.seen.resize(label + 1, 0);
        }
        self.seen[label] += 1;
    }

    fn listen(&mut self, at: Timestamp, notices: Vec<Notice>) {
        for notice in notices.into_iter().filter(|notice| !notice.over) {
            let before = self.heard.insert(notice.fingerprint.clone(), at);
            if before.is_none_or(|before| at.since(before) > MERGE_MS) {
                self.said.push(Told { at, notice, seen: self.seen.clone() });
            } else if let Some(told) =
                self.said.iter_mut().rev().find(|told| notice.critical && told.notice.fingerprint == notice.fingerprint)
            {
                // It got worse: whoever was told hears of that too.
                told.notice.critical = true;
            }
        }
    }
}

/// Whether a notice speaks of this incident.
fn fit(notice: &Notice, at: Timestamp, label: &Label) -> Fit {
    let fit = label.kind.fit(notice.kind);
    if at.since(label.onset) < -SKEW_MS || at.since(label.end) > GRACE_MS {
        return Fit::No;
    }
    let named = notice.names.iter().any(|name| label.names.contains(name));
    let broad = notice.operation.is_none()
        && label.operation.is_some()
        && matches!(notice.kind, AlertType::PerformanceDegradation | AlertType::ErrorSpike)
        && (notice.service.is_empty() || label.service == Some(notice.service.as_str()));
    let same_place = fit == Fit::Beside && notice.operation.as_deref() == label.operation;
    if named || broad || same_place || label.names.is_empty() || notice.names.is_empty() { fit } else { Fit::No }
}

/// Where a notification belongs: the best of what fits.
fn belongs(told: &Told, labels: &[Label], found: &[bool]) -> Option<(usize, Fit)> {
    let rank = |label: usize, fit: Fit| match (fit, labels[label].parent, found[label]) {
        (Fit::Right, None, false) => 0,
        (Fit::Right, None, true) => 1,
        (Fit::Right, Some(_), _) => 2,
        _ => 3,
    };
    let fits = labels.iter().enumerate().map(|(at, label)| (at, fit(&told.notice, told.at, label)));
    fits.filter(|(_, fit)| *fit != Fit::No).min_by_key(|(label, fit)| rank(*label, *fit))
}

impl Score {
    fn settle(&mut self, name: &str, book: &Book, labels: &[Label], benign: &[Benign]) {
        let mut found = vec![false; labels.len()];
        let total = |label: usize| book.seen.get(label).copied().unwrap_or(0);
        for told in &book.said {
            self.notifications += 1;
            match belongs(told, labels, &found) {
                Some((label, Fit::Right)) if labels[label].parent.is_some() => self.children += 1,
                Some((label, Fit::Right)) if found[label] => self.repeats += 1,
                Some((label, Fit::Right)) => {
                    found[label] = true;
                    self.right += 1;
                    self.note(&labels[label], told, label);
                }
                Some(_) => self.beside += 1,
                None => self.falses.push(False {
                    trace: name.to_owned(),
                    at: told.at,
                    kind: told.notice.kind,
                    fingerprint: told.notice.fingerprint.clone(),
                    title: told.notice.title.clone(),
                    during: during(told.at, benign),
                }),
            }
        }
        let critical = |label: &&Label| {
            let right = |told: &&Told| told.notice.critical && fit(&told.notice, told.at, label) == Fit::Right;
            label.kind == Kind::Breach && book.said.iter().any(|told| right(&told))
        };
        self.breaches_critical += labels.iter().filter(critical).count();
        for (at, label) in labels.iter().enumerate().filter(|(_, label)| label.parent.is_none()) {
            let silent = label.kind.family() == AlertType::Silence;
            if total(at) == 0 && !silent {
                continue;
            }
            self.kinds.entry(label.kind).or_default().n += 1;
            if !found[at] {
                self.missed.push(Missed { trace: name.to_owned(), label: label.clone(), lines: total(at) });
            }
        }
    }

    fn note(&mut self, label: &Label, told: &Told, at: usize) {
        let tally = self.kinds.entry(label.kind).or_default();
        tally.found += 1;
        tally.seconds.push(told.at.since(label.onset) as f64 / 1000.0);
        let lines = told.seen.get(at).copied().filter(|lines| *lines > 0);
        tally.lines.extend(lines);
        let plain = match label.kind {
            Kind::SlowOne => label.size >= 2.0,
            Kind::ErrorsMany => label.size >= 0.3,
            Kind::BruteForce | Kind::Friction => true,
            _ => false,
        };
        if plain {
            self.plain.entry(label.kind).or_default().extend(lines);
        }
    }

    /// Takes in another.
    pub fn add(&mut self, other: Self) {
        self.hours += other.hours;
        self.lines += other.lines;
        self.traces += other.traces;
        self.notifications += other.notifications;
        self.right += other.right;
        self.repeats += other.repeats;
        self.beside += other.beside;
        self.children += other.children;
        self.breaches_critical += other.breaches_critical;
        self.falses.extend(other.falses);
        self.missed.extend(other.missed);
        for (kind, tally) in other.kinds {
            let own = self.kinds.entry(kind).or_default();
            own.n += tally.n;
            own.found += tally.found;
            own.lines.extend(tally.lines);
            own.seconds.extend(tally.seconds);
        }
        for (kind, lines) in other.plain {
            self.plain.entry(kind).or_default().extend(lines);
        }
    }

    /// Incidents, and how many of them were found, of the kinds that are wanted.
    pub fn found(&self, wanted: impl Fn(Kind) -> bool) -> (usize, usize) {
        let of = self.kinds.iter().filter(|(kind, _)| wanted(**kind));
        of.fold((0, 0), |(n, found), (_, tally)| (n + tally.n, found + tally.found))
    }

    /// Share of the notifications that are false; None: nothing was said.
    pub fn false_share(&self) -> Option<f64> {
        (self.notifications > 0).then(|| self.falses.len() as f64 / self.notifications as f64)
    }

    /// False notifications an hour.
    pub fn false_per_hour(&self) -> f64 {
        self.falses.len() as f64 / self.hours
    }
}

/// What benign went on, or had just ended.
fn during(at: Timestamp, benign: &[Benign]) -> String {
    let on = benign.iter().filter(|benign| benign.to.since(benign.from) < ALWAYS_MS);
    let on = on.filter(|benign| benign.from <= at && at.since(benign.to) <= GRACE_MS);
    let mut kinds: Vec<&str> = on.map(|benign| benign.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() { "ordinary life".to_owned() } else { kinds.join(", ") }
}
