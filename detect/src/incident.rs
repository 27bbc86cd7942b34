//! Problems that are on: each counts its offending lines and says now and then how it stands.
//!
//! A problem that lasts speaks at most once a second, and less often the longer it lasts; its first
//! word comes at once. Which lines offend, and when it is over, is for the rules.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use stella_protocol::evidence::Correlated;
use stella_protocol::{AlertType, Text, Timestamp};

use crate::budget::{Budget, Kind};
use crate::evidence::{Case, Usual, finding, reason_at};
use crate::finding::{Finding, Phase};
use crate::keep::keep_fields;
use crate::kept::Line;
use crate::kin;
use crate::lesson::Lessons;
use crate::recent::Recent;
use crate::rules::{self, Known, Rules, Tuned};
pub(crate) use crate::subject::Subject;

/// Shortest and longest time between two findings of a problem, in milliseconds.
const REFRESH_MS: (i64, i64) = (1000, 10_000);
/// A problem speaks again after this part of its age.
const REFRESH_PART: i64 = 10;
/// Most findings in a second of engine time, so that an attacker with many names cannot buy the
/// engine's time; what is over waits for the next second and is counted.
const FINDINGS_A_SECOND: u32 = 50;
/// Of the problems that may be on at once, the part (one in so many) of one kind that somebody is told of, so
/// that no kind crowds out the others; the rest is counted.
const TOLD_PART: usize = 2;
/// What ended is the same problem for so long when it begins again, in milliseconds.
const REST_MS: i64 = 15 * 60_000;
/// What began within five minutes of a problem, in milliseconds, is named; and how many of those are.
const NEAR_MS: i64 = 5 * 60_000;
const MOST_CORRELATED: usize = 10;
/// First lines that a problem holds on to.
const FIRST_LINES: usize = 3;

/// What surrounds a problem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near<'a> {
    pub(crate) recent: &'a Recent,
    pub(crate) rules: &'a Rules,
    pub(crate) budget: &'a Budget,
}

impl Near<'_> {
    /// What holds at an operation, by its key.
    pub(crate) fn tuned(&self, op: u64) -> &Tuned {
        self.recent.tuned(op)
    }

    /// Evidence that a rule needs at an operation, of a kind of problem.
    pub(crate) fn needed(&self, kind: Kind, rule: Known, op: u64) -> f64 {
        self.budget.needed_besides(kind, self.tuned(op).more(rule))
    }
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
    pub(crate) opened: u64,
    due: i64,
    /// All its offending lines.
    lines: u64,
    /// Its fingerprint and title, once it has told its story.
    known_as: Option<(String, Text)>,
    /// Somebody was told of it.
    told: bool,
}

impl Incident {
    /// The problem as of its last match (or of now, when it is over). None: it was over before it said a word.
    fn say(&mut self, near: Near<'_>, phase: Phase) -> Option<Finding> {
        if !rules::holds(self, near.recent, near.rules) {
            let held = self.held.as_deref()?;
            let last_at = Timestamp::from_millis(self.last_at);
            return Some(Finding { matches: self.pending, last_at, ..held.clone() });
        }
        self.version += 1;
        let at = if phase == Phase::Firing { self.last_at } else { near.recent.now };
        let case = Case { recent: near.recent, rules: near.rules, budget: near.budget, incident: self, at };
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
    lessons: Lessons,
    /// What ended lately: begun again, it is the same problem, and what was usual before it is known.
    resting: BTreeMap<u64, Rest>,
}

/// A problem that ended lately.
#[derive(Debug)]
struct Rest {
    ended_at: i64,
    usual: Option<Usual>,
}

impl Desk {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            open: FxHashMap::default(),
            opened: 0,
            cap: rules.incidents.max(1),
            spoken: 0,
            findings: Vec::new(),
            lessons: Lessons::default(),
            resting: BTreeMap::new(),
        }
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
        self.touch_many(key, at, 1)
    }

    /// The same of a line that counts for so many.
    pub(crate) fn touch_many(&mut self, key: u64, at: i64, lines: u32) -> bool {
        let Some(incident) = self.open.get_mut(&key) else { return false };
        incident.pending += u64::from(lines);
        incident.lines += u64::from(lines);
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
    pub(crate) fn open(&mut self, near: Near<'_>, key: u64, subject: Subject, first_at: i64, lines: u64) {
        if self.insert(key, subject, first_at, near.recent.now, lines) && self.may_speak() {
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
            usual: self.resting.remove(&key).and_then(|rest| rest.usual),
            first: Vec::new(),
            breached: false,
            version: 0,
            explained: false,
            held: None,
            opened: self.opened,
            due: now,
            lines,
            known_as: None,
            told: false,
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

    fn speak(&mut self, near: Near<'_>, key: u64, phase: Phase) {
        let now = near.recent.now;
        let Some(mut incident) = self.open.remove(&key) else { return };
        let said = if near.rules.tells(&incident.subject) { incident.say(near, phase) } else { None };
        let age = now - incident.first_at;
        let (shortest, longest) = REFRESH_MS;
        incident.due = now + (age / REFRESH_PART).clamp(shortest, longest);
        if let Some(finding) = said {
            incident.known_as = Some((finding.fingerprint.clone(), finding.title.clone()));
            if self.may_be_told(&incident, &finding, now) {
                self.tell(near.recent, &mut incident, finding);
            }
        }
        self.open.insert(key, incident);
    }

    /// False while what people called false hides it, or while so many of its kind are told of already.
    fn may_be_told(&self, incident: &Incident, finding: &Finding, now: i64) -> bool {
        if incident.told || incident.breached {
            return true;
        }
        let full = self.told_of(finding.kind).count() >= self.cap.div_ceil(TOLD_PART);
        !full && !self.lessons.hides(&finding.fingerprint, incident.lines, now)
    }

    /// Problems of a kind that somebody was told of.
    fn told_of(&self, kind: AlertType) -> impl Iterator<Item = &Incident> {
        let told = move |incident: &&Incident| incident.told && !incident.explained;
        self.open.values().filter(told).filter(move |incident| incident.subject.kind() == kind)
    }

    fn tell(&mut self, recent: &Recent, incident: &mut Incident, mut finding: Finding) {
        let now = recent.now;
        self.spoken += 1;
        incident.pending = 0;
        incident.told = true;
        finding.parent = self.parent_of(incident);
        finding.children = self.children_of(incident);
        finding.held_back = self.held_back(finding.kind);
        if finding.held_back > 0 {
            let more = format!(" {} more of this kind are counted and not shown.", finding.held_back);
            finding.description = Text::from(finding.description.raw().to_owned() + &more);
        }
        self.correlate(incident, recent, &mut finding);
        if self.lessons.knows(&finding.fingerprint) {
            let text = "called a false positive before: more than then was asked for";
            finding.evidence.reasons.push(reason_at(incident.last_at, -0.2, text.to_owned(), Vec::new()));
            finding.evidence.reasons.sort_by_key(|reason| reason.at);
            finding.brief.reasons_against += 1;
        }
        self.lessons.told(&finding.fingerprint, incident.lines, now);
        self.findings.push(finding);
    }

    /// The fingerprint of the greater problem that began together with this one.
    fn parent_of(&self, incident: &Incident) -> Option<String> {
        let parents = self.open.values().filter(|other| other.told && kin::is_parent(other, incident));
        let parent = parents.min_by_key(|other| kin::preference(other))?;
        parent.known_as.as_ref().map(|(fingerprint, _)| fingerprint.clone())
    }

    /// Fingerprints of the problems whose greatest explanation this one is, by when they were opened.
    fn children_of(&self, incident: &Incident) -> Vec<String> {
        let mut children: Vec<&Incident> = self
            .open
            .values()
            .filter(|other| other.told && kin::is_parent(incident, other))
            .filter(|other| {
                let greater = self.open.values().filter(|parent| parent.told && kin::is_parent(parent, other));
                greater.map(kin::preference).min().is_none_or(|best| kin::preference(incident) <= best)
            })
            .collect();
        children.sort_by_key(|other| other.opened);
        children.into_iter().filter_map(|other| other.known_as.as_ref().map(|(name, _)| name.clone())).collect()
    }

    /// Problems of a kind that there is no room to tell of.
    fn held_back(&self, kind: AlertType) -> u64 {
        let held = |incident: &&Incident| {
            let known = incident.known_as.as_ref();
            let hidden =
                known.is_some_and(|(fingerprint, _)| self.lessons.hides(fingerprint, incident.lines, incident.last_at));
            !incident.told && !incident.explained && incident.known_as.is_some() && !hidden
        };
        self.open.values().filter(held).filter(|incident| incident.subject.kind() == kind).count() as u64
    }

    /// What else began about then.
    fn correlate(&self, incident: &Incident, recent: &Recent, finding: &mut Finding) {
        let near = |other: &&Incident| other.told && (other.first_at - incident.first_at).abs() <= NEAR_MS;
        let mut others: Vec<&Incident> = self.open.values().filter(near).collect();
        others.sort_by_key(|other| ((other.first_at - incident.first_at).abs(), other.opened));
        let named = others.into_iter().filter_map(|other| {
            let (_, title) = other.known_as.as_ref()?;
            Some(Correlated { text: title.clone(), alert: None, offset_ms: other.first_at - incident.first_at })
        });
        let deploys = recent.deploys.near(incident.first_at, NEAR_MS).into_iter().map(|deploy| Correlated {
            text: Text::from(deploy.words()),
            alert: None,
            offset_ms: deploy.at - incident.first_at,
        });
        finding.evidence.correlated = deploys.chain(named).take(MOST_CORRELATED).collect();
    }

    /// Other settings: what nobody is told of from now on is as if nobody had been.
    pub(crate) fn retune(&mut self, rules: &Rules) {
        for incident in self.open.values_mut().filter(|incident| !rules.tells(&incident.subject)) {
            (incident.told, incident.known_as) = (false, None);
        }
    }

    /// Somebody called a problem false; false: nothing is known of it.
    pub(crate) fn mark_false(&mut self, fingerprint: &str, at: Timestamp) -> bool {
        self.lessons.mark(fingerprint, at)
    }

    pub(crate) fn lessons(&self) -> &Lessons {
        &self.lessons
    }

    pub(crate) fn lessons_mut(&mut self) -> &mut Lessons {
        &mut self.lessons
    }

    fn may_speak(&self) -> bool {
        self.spoken < FINDINGS_A_SECOND
    }

    /// A new second: everybody may speak again. Keys of the problems, in the order in which they are
    /// due, and then in which they were opened.
    pub(crate) fn next_second(&mut self, now: i64) -> Vec<u64> {
        self.spoken = 0;
        self.resting.retain(|_, rest| now - rest.ended_at <= REST_MS);
        let mut keys: Vec<(i64, u64, u64)> =
            self.open.iter().map(|(&key, incident)| (incident.due, incident.opened, key)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, _, key)| key).collect()
    }

    /// Lets a problem speak if it has something to say and its time has come.
    pub(crate) fn refresh(&mut self, near: Near<'_>, key: u64) {
        let due = |incident: &Incident| incident.pending > 0 && !incident.explained && incident.due <= near.recent.now;
        if self.may_speak() && self.open.get(&key).is_some_and(due) {
            self.speak(near, key, Phase::Firing);
        }
    }

    /// The problem is over by itself, once what it still had to say is said.
    pub(crate) fn close(&mut self, near: Near<'_>, key: u64) {
        if self.open.get(&key).is_some_and(|incident| incident.pending > 0 && !incident.explained) {
            if !self.may_speak() {
                return;
            }
            self.speak(near, key, Phase::Firing);
        }
        self.end(key, near.recent.now);
    }

    fn end(&mut self, key: u64, now: i64) {
        let Some(incident) = self.open.remove(&key) else { return };
        if let Some((fingerprint, _)) = incident.known_as.as_ref().filter(|_| incident.told) {
            self.lessons.goes_on(fingerprint, incident.lines);
        }
        if self.resting.len() < self.cap {
            self.resting.insert(key, Rest { ended_at: now, usual: incident.usual });
        }
    }

    /// The problem is over and somebody said so.
    pub(crate) fn recover(&mut self, near: Near<'_>, key: u64) {
        if self.open.get(&key).is_some_and(|incident| incident.told) {
            self.speak(near, key, Phase::Recovered);
        }
        self.end(key, near.recent.now);
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
            (incident.last_at, incident.pending, incident.lines) = (now, incident.pending + 1, incident.lines + 1);
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

keep_fields!(Rest { ended_at, usual });
keep_fields!(Incident {
    subject,
    first_at,
    last_at,
    detected_at,
    pending,
    usual,
    first,
    breached,
    version,
    explained,
    held,
    opened,
    due,
    lines,
    known_as,
    told,
});
keep_fields!(Desk { open, opened, cap, spoken, findings, lessons, resting });
