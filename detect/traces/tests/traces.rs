//! The traces from outside: the same each time, in order, with every incident in them that a label speaks of.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use stella_detect::Fit;
use stella_protocol::{AlertType, Timestamp};
use stella_traces::{Cause, Detector, Kind, Label, Line, Naive, Notice, Span, TOWNS, Town, Trace, judge};

fn town(name: &str) -> &'static Town {
    TOWNS.iter().find(|town| town.name == name).unwrap()
}

fn shift(name: &str, seed: u64) -> Trace {
    Trace::new(town(name), seed, 1.0, Span::Shift)
}

#[test]
fn the_same_seed_tells_the_same_and_another_seed_does_not() {
    let told = |seed| serde_json::to_string(&shift("desk", seed).take(3000).map(|line| line.event).collect::<Vec<_>>());
    assert_eq!(told(1).unwrap(), told(1).unwrap());
    assert_ne!(told(1).unwrap(), told(2).unwrap());
}

#[test]
fn lines_are_numbered_and_engine_time_never_goes_back() {
    for name in ["clinic", "school"] {
        let (mut number, mut at) = (0, Timestamp::from_millis(0));
        for line in shift(name, 3) {
            number += 1;
            assert_eq!(line.id.0, number);
            assert!(line.event.engine_time >= at);
            at = line.event.engine_time;
        }
        assert!(number > 10_000, "{name}: {number}");
    }
}

#[test]
fn every_incident_leaves_lines_within_its_time_and_every_kind_comes_up() {
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    // Only clients of the shop say how often they tried.
    let towns = (1..=6).map(|seed| ("clinic", seed)).chain((1..=2).map(|seed| ("shop", seed)));
    for (town, seed) in towns {
        let mut trace = shift(town, seed);
        let mut lines: BTreeMap<usize, u64> = BTreeMap::new();
        let mut tagged = Vec::new();
        for line in trace.by_ref() {
            if let Cause::Incident(label) = line.cause {
                *lines.entry(label).or_default() += 1;
                tagged.push((label, line.event.engine_time));
            }
        }
        for (label, at) in tagged {
            let of = &trace.labels()[label];
            assert!(at.since(of.onset) >= -30_000, "{seed}: {of:?} at {at:?}");
        }
        for (at, label) in trace.labels().iter().enumerate().filter(|(_, label)| label.parent.is_none()) {
            let silent = label.kind.family() == AlertType::Silence;
            // What a service wrote while nothing came from it is not there.
            let swallowed = trace.labels().iter().any(|other| {
                let meets = other.onset < label.end && label.onset < other.end;
                other.kind == Kind::SourceStops && meets && other.service == label.service
            });
            if swallowed && !silent && !lines.contains_key(&at) {
                continue;
            }
            assert_eq!(lines.contains_key(&at), !silent, "{seed}: {label:?}");
            *kinds.entry(label.kind).or_default() += 1;
        }
    }
    assert_eq!(kinds.len(), Kind::ALL.len(), "{kinds:?}");
}

#[test]
fn more_traffic_is_more_people_and_the_same_incidents() {
    let labels = |traffic| {
        let trace = || Trace::new(town("desk"), 5, traffic, Span::Shift);
        let users: BTreeSet<_> = trace().take(4000).filter_map(|line| line.event.user_id).collect();
        (trace().labels().iter().map(|label| (label.kind, label.onset)).collect::<Vec<_>>(), users.len())
    };
    let ((once, few), (fivefold, many)) = (labels(1.0), labels(5.0));
    assert!(once.len() >= 5, "{once:?}");
    assert_eq!(once, fivefold);
    assert!(many > few * 3 / 2, "{few} and {many}");
}

/// Says what it was told to say, at the fourth line of an incident.
struct Knowing {
    label: usize,
    kind: Kind,
    seen: u32,
    wrong: bool,
}

impl Knowing {
    fn of((label, kind): (usize, Kind), wrong: bool) -> Self {
        Self { label, kind, seen: 0, wrong }
    }
}

impl Detector for Knowing {
    fn observe(&mut self, line: &Line) {
        self.seen += u32::from(line.cause == Cause::Incident(self.label));
    }
    fn advance(&mut self, _: Timestamp) {}
    fn drain(&mut self) -> Vec<Notice> {
        if self.seen != 4 {
            return Vec::new();
        }
        self.seen += 1;
        vec![Notice {
            kind: self.kind.family(),
            fingerprint: "one".to_owned(),
            operation: self.wrong.then(|| "nothing".to_owned()),
            service: String::new(),
            names: if self.wrong { vec!["nobody".to_owned()] } else { Vec::new() },
            critical: false,
            over: false,
            title: String::new(),
        }]
    }
}

#[test]
fn what_fits_in_type_time_and_name_is_found_and_anything_else_is_false() {
    // Of something that is everywhere no name can be wrong, and what follows from another one needs no words.
    let has_a_place =
        |label: &Label| !matches!(label.kind, Kind::SlowAll | Kind::ErrorsBroad) && label.parent.is_none();
    for seed in 1..=4 {
        let mut trace = shift("clinic", seed);
        let mut lines: BTreeMap<usize, u32> = BTreeMap::new();
        for line in trace.by_ref() {
            if let Cause::Incident(label) = line.cause {
                *lines.entry(label).or_default() += 1;
            }
        }
        let many = |label: &usize| lines.get(label).is_some_and(|lines| *lines >= 4);
        let mut labels = trace.labels().iter().enumerate();
        let (label, kind) =
            labels.find(|(nth, label)| has_a_place(label) && many(nth)).map(|(nth, label)| (nth, label.kind)).unwrap();
        let score = judge("t", shift("clinic", seed), &mut Knowing::of((label, kind), false));
        assert_eq!((score.notifications, score.right, score.falses.len()), (1, 1, 0), "{seed}: {kind:?}");
        assert_eq!(score.kinds[&kind].found, 1, "{seed}: {kind:?}");
        let score = judge("t", shift("clinic", seed), &mut Knowing::of((label, kind), true));
        assert_eq!((score.notifications, score.right, score.falses.len()), (1, 0, 1), "{seed}: {kind:?}");
    }
}

#[test]
fn an_alert_of_another_type_is_beside_the_point_or_has_nothing_to_do_with_it() {
    assert_eq!(Kind::ErrorsMany.fit(AlertType::UserFriction), Fit::Beside);
    assert_eq!(Kind::NewError.fit(AlertType::ErrorSpike), Fit::Right);
    assert_eq!(Kind::SlowOne.fit(AlertType::SecurityAnomaly), Fit::No);
}

#[test]
fn the_naive_rules_find_the_loud_and_speak_falsely_as_they_always_did() {
    let mut score = judge("desk", shift("desk", 1), &mut Naive::default());
    score.add(judge("bank", shift("bank", 2), &mut Naive::default()));
    let (n, found) = score.found(|_| true);
    assert!(n >= 20 && found * 10 >= n * 3, "{found} of {n}");
    assert!(score.false_share().unwrap() > 0.2, "{:?}", score.false_share());
}
