//! Problems that are on: each counts its offending lines and says now and then how it stands.
//!
//! A problem that lasts speaks at most once a second, and less often the longer it lasts; its first
//! word comes at once. Which lines offend, and when it is over, is for the rules.

use rustc_hash::FxHashMap;
use stella_protocol::Timestamp;

use crate::evidence::{Case, Usual, finding};
use crate::finding::{Finding, Phase};
use crate::kept::Line;
use crate::recent::Recent;
use crate::rules::{self, Rules};
use crate::scope::OpName;

/// Shortest and longest time between two findings of a problem, in milliseconds.
const REFRESH_MS: (i64, i64) = (1000, 10_000);
/// A problem speaks again after this part of its age.
const REFRESH_PART: i64 = 10;
/// Most findings in a second of engine time, so that an attacker with many names cannot buy the
/// engine's time; what is over waits for the next second and is counted.
const FINDINGS_A_SECOND: u32 = 50;
/// First lines that a problem holds on to.
const FIRST_LINES: usize = 3;

/// What a problem is about.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    Slow(OpName),
    SlowEverywhere,
    Spike(OpName),
    Friction { op: OpName, user: Box<str> },
    Retries(OpName),
    Address { op: OpName, addr: Box<str> },
    Account { op: OpName, user: Box<str> },
    LockedOut(OpName),
    Contradiction { op: OpName, sign: rules::data::Sign },
    Vanished { op: OpName, user: Box<str>, had: f64, field: Box<str> },
    Unwell { service: Box<str>, component: Box<str>, down: bool },
    Silent(rules::silence::Source),
    NewError { op: OpName, error: rules::new_error::ErrorName },
}

/// A problem that is on.
#[derive(Debug)]
pub(crate) struct Incident {
    pub(crate) subject: Subject,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) detected_at: i64,
    /// Offending lines since it last spoke.
    pub(crate) pending: u64,
    /// What was usual before it.
    pub(crate) usual: Option<Usual>,
    /// Its first lines.
    pub(crate) first: Vec<Line>,
    /// Somebody got in.
    pub(crate) breached: bool,
    /// How often it spoke.
    pub(crate) version: u64,
    /// A greater problem explains it: it says no more.
    pub(crate) explained: bool,
    /// What it said last while its rule held, where it can outlast that.
    held: Option<Box<Finding>>,
    opened: u64,
    due: i64,
}

impl Incident {
    /// The problem as of its last match (or of now, when it is over). None: it was over before it said a word.
    fn say(&mut self, near: (&Recent, &Rules), phase: Phase) -> Option<Finding> {
        if !rules::holds(self, near.0, near.1) {
            let held = self.held.as_deref()?;
            let last_at = Timestamp::from_millis(self.last_at);
            return Some(Finding { matches: self.pending, last_at, ..held.clone() });
        }
        self.version += 1;
        let at = if phase == Phase::Firing { self.last_at } else { near.0.now };
        let case = Case { recent: near.0, rules: near.1, incident: self, at };
        let (finding, usual, lines) = finding(&case, phase);
        self.usual = usual;
        if self.first.is_empty() {
            self.first = lines.into_iter().take(FIRST_LINES).collect();
        }
        if rules::may_outlast(&self.subject) {
            self.held = Some(Box::new(finding.clone()));
        }
        Some(finding)
    }
}

/// All problems that are on, and what they have to say.
#[derive(Debug)]
pub(crate) struct Desk {
    open: FxHashMap<u64, Incident>,
    opened: u64,
    cap: usize,
    spoken: u32,
    findings: Vec<Finding>,
}

impl Desk {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { open: FxHashMap::default(), opened: 0, cap: rules.incidents.max(1), spoken: 0, findings: Vec::new() }
    }

    /// The findings since the last time, in the order in which they were made.
    pub(crate) fn drain(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    pub(crate) fn get(&self, key: u64) -> Option<&Incident> {
        self.open.get(&key)
    }

    /// Counts an offending line of the problem; false: there is no such problem.
    pub(crate) fn touch(&mut self, key: u64, at: i64) -> bool {
        let Some(incident) = self.open.get_mut(&key) else { return false };
        incident.pending += 1;
        incident.last_at = at;
        true
    }

    /// Says at the next second, whatever the pace, that the problem got worse.
    pub(crate) fn worsen(&mut self, key: u64, worsen: impl FnOnce(&mut Incident)) {
        if let Some(incident) = self.open.get_mut(&key) {
            incident.due = i64::MIN;
            worsen(incident);
        }
    }

    /// A new problem, with the offending lines that made the rule sure; speaks at once, unless too many do.
    pub(crate) fn open(&mut self, near: (&Recent, &Rules), key: u64, subject: Subject, first_at: i64, lines: u64) {
        if self.insert(key, subject, first_at, near.0.now, lines) && self.may_speak() {
            self.speak(near, key, Phase::Firing);
        }
    }

    /// A new problem that begins with somebody getting in.
    pub(crate) fn open_breached(&mut self, near: (&Recent, &Rules), key: u64, subject: Subject, first_at: i64) {
        if self.insert(key, subject, first_at, near.0.now, 1) {
            self.worsen(key, |incident| incident.breached = true);
            self.speak(near, key, Phase::Firing);
        }
    }

    fn insert(&mut self, key: u64, subject: Subject, first_at: i64, now: i64, lines: u64) -> bool {
        if self.open.len() >= self.cap && !self.make_room() {
            return false;
        }
        let incident = Incident {
            subject,
            first_at,
            last_at: now,
            detected_at: now,
            pending: lines,
            usual: None,
            first: Vec::new(),
            breached: false,
            version: 0,
            explained: false,
            held: None,
            opened: self.opened,
            due: now,
        };
        self.opened += 1;
        self.open.insert(key, incident);
        true
    }

    /// Lets go of the problem that was quiet for longest.
    fn make_room(&mut self) -> bool {
        let oldest = self.open.iter().min_by_key(|(_, incident)| (incident.last_at, incident.opened));
        let Some(key) = oldest.map(|(&key, _)| key) else { return false };
        self.open.remove(&key).is_some()
    }

    fn speak(&mut self, near: (&Recent, &Rules), key: u64, phase: Phase) {
        let Some(incident) = self.open.get_mut(&key) else { return };
        let Some(finding) = incident.say(near, phase) else { return };
        self.spoken += 1;
        incident.pending = 0;
        let age = near.0.now - incident.first_at;
        let (shortest, longest) = REFRESH_MS;
        incident.due = near.0.now + (age / REFRESH_PART).clamp(shortest, longest);
        self.findings.push(finding);
    }

    fn may_speak(&self) -> bool {
        self.spoken < FINDINGS_A_SECOND
    }

    /// A new second: everybody may speak again. Keys of the problems, in the order in which they are
    /// due, and then in which they were opened.
    pub(crate) fn next_second(&mut self) -> Vec<u64> {
        self.spoken = 0;
        let mut keys: Vec<(i64, u64, u64)> =
            self.open.iter().map(|(&key, incident)| (incident.due, incident.opened, key)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, _, key)| key).collect()
    }

    /// Lets a problem speak if it has something to say and its time has come.
    pub(crate) fn refresh(&mut self, near: (&Recent, &Rules), key: u64) {
        let due = |incident: &Incident| incident.pending > 0 && !incident.explained && incident.due <= near.0.now;
        if self.may_speak() && self.open.get(&key).is_some_and(due) {
            self.speak(near, key, Phase::Firing);
        }
    }

    /// The problem is over by itself, once what it still had to say is said.
    pub(crate) fn close(&mut self, near: (&Recent, &Rules), key: u64) {
        if self.open.get(&key).is_some_and(|incident| incident.pending > 0 && !incident.explained) {
            if !self.may_speak() {
                return;
            }
            self.speak(near, key, Phase::Firing);
        }
        self.open.remove(&key);
    }

    /// The problem is over and somebody said so.
    pub(crate) fn recover(&mut self, near: (&Recent, &Rules), key: u64) {
        if self.open.get(&key).is_some_and(|incident| incident.version > 0) {
            self.speak(near, key, Phase::Recovered);
        }
        self.open.remove(&key);
    }

    /// Changes what a problem is about; when that changed something, it says so at the next second.
    pub(crate) fn reword(&mut self, key: u64, change: impl FnOnce(&mut Subject) -> bool) {
        if let Some(incident) = self.open.get_mut(&key)
            && change(&mut incident.subject)
        {
            incident.due = i64::MIN;
        }
    }

    /// Counts a silence that lasts as a match each `still_ms`.
    pub(crate) fn still_silent(&mut self, still_ms: i64, now: i64) {
        let silences = self.open.values_mut().filter(|incident| matches!(incident.subject, Subject::Silent(_)));
        for incident in silences.filter(|incident| now - incident.last_at >= still_ms) {
            (incident.last_at, incident.pending) = (now, incident.pending + 1);
        }
    }

    /// Marks the problems that `fits` says a greater one explains.
    pub(crate) fn explain(&mut self, fits: impl Fn(&Subject) -> bool) {
        self.open
            .values_mut()
            .filter(|incident| fits(&incident.subject))
            .for_each(|incident| incident.explained = true);
    }
}
