//! What matches and time do: the rows of the machine that no person causes, and its one entrance.

use std::collections::BTreeMap;

use stella_detect::{Finding, Phase};
use stella_protocol::{Activity, Alert, AlertId, Brief, FixId, Status, Text, Timestamp, Verb};

use super::fingerprint;
use super::verbs::{self, Act, Refusal, let_go};
use super::{AlertState, Moment, SYSTEM, Triage, Watch, fixes, group};
use crate::words::{clip, wire_len};

const MINUTE: i64 = 60 * 1000;
/// A match this soon after the system closed an alert opens the same one again, in milliseconds.
const COMES_BACK: i64 = 10 * MINUTE;
/// Matches for this long after a person closed an alert open it again, in milliseconds.
const STILL_MATCHING: i64 = 10 * MINUTE;
/// How long a false positive keeps its fingerprint silent, in milliseconds.
const SUPPRESSED: i64 = 24 * 60 * MINUTE;
/// Onsets this near belong to one wave, in milliseconds.
const WAVE: i64 = 5 * MINUTE;
/// Most alerts of a wave that are named.
pub const MOST_RELATED: usize = 20;
/// Minutes that a brief's sparkline covers.
const SPARK: usize = 30;

/// What happened to an alert.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Its fingerprint was found again, or found to be over.
    Found(&'a Finding),
    /// Somebody did something.
    Act(Act<'a>),
    /// Somebody takes an action back.
    Undo {
        /// How it stood before the action.
        before: &'a Triage,
        /// The version that the action left.
        left: u64,
        /// Another alert of the same fingerprint that is open.
        rival: Option<&'a AlertId>,
    },
    /// A fix was proposed for it.
    Linked(&'a FixId),
    /// A fix helped: it is over, and this says which.
    Fixed(&'a Text),
    /// A fix that helped is rolled back.
    Unfixed {
        /// Which.
        fix: &'a FixId,
        /// What [`Event::Fixed`] said of it.
        said: &'a Text,
        /// Another alert of the same fingerprint that is open.
        rival: Option<&'a AlertId>,
    },
    /// A greater problem explains it.
    Grouped(&'a AlertId),
    /// What explained it is over.
    Freed,
    /// What it explains by now.
    Children(&'a [AlertId]),
    /// Time passed.
    Tick,
}

/// Why an alert changed. Each of them is an audit row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was found.
    Opened,
    /// It became worse.
    SeverityRose,
    /// It came back.
    CameBack,
    /// It was over.
    Ended,
    /// Nobody came back to what they had taken.
    AckLapsed,
    /// A person did it.
    Verb(Verb),
    /// A person took an action back.
    Undone,
    /// A fix was proposed for it.
    FixProposed,
    /// A fix helped.
    Fixed,
    /// A fix that helped is rolled back.
    Unfixed,
    /// A greater problem explains it.
    Grouped,
    /// What explained it is over.
    Freed,
}

impl Cause {
    /// The word in an audit row.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "open",
            Self::SeverityRose => "raise",
            Self::CameBack => "come-back",
            Self::Ended => "end",
            Self::AckLapsed => "lapse",
            Self::Verb(verb) => verb.word(),
            Self::Undone => "undo",
            Self::FixProposed => "link-fix",
            Self::Fixed => "fixed",
            Self::Unfixed => "unfixed",
            Self::Grouped => "group",
            Self::Freed => "free",
        }
    }
}

/// What a step asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Counters or activity moved: goes out with the counts, kept within a second.
    Counted,
    /// Readers should see the whole alert again at once, though its version is the same.
    Shown,
    /// They should see it again some time soon: counts do not carry what moved.
    Outdated,
    /// The version rose by one: kept, audited and sent at once.
    Changed(Cause),
    /// The finding is a new episode of this fingerprint.
    OpensNext,
}

/// The next state and what to do about it, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How it stands now.
    pub state: AlertState,
    /// What to do; nothing: it was so already.
    pub effects: Vec<Effect>,
}

impl Step {
    pub(super) fn of(state: &AlertState) -> Self {
        Self { state: state.clone(), effects: Vec::new() }
    }

    pub(super) fn changed(&mut self, cause: Cause) {
        self.state.alert.version += 1;
        self.effects.push(Effect::Changed(cause));
    }
}

/// The machine.
///
/// # Errors
/// Why the step is not taken; only [`Event::Act`] and [`Event::Undo`] can be refused.
pub fn step(state: &AlertState, event: &Event<'_>, now: Moment) -> Result<Step, Refusal> {
    match event {
        Event::Found(finding) => Ok(found(state, finding)),
        Event::Act(act) => verbs::act(state, act, now),
        Event::Undo { before, left, rival } => verbs::undo(state, before, *left, *rival, now),
        Event::Linked(fix) => Ok(fixes::linked(state, fix)),
        Event::Fixed(notes) => Ok(fixes::fixed(state, notes, now)),
        Event::Unfixed { fix, said, rival } => Ok(fixes::unfixed(state, fix, said, *rival, now)),
        Event::Grouped(parent) => Ok(group::grouped(state, parent)),
        Event::Freed => Ok(group::freed(state)),
        Event::Children(children) => Ok(group::with_children(state, children)),
        Event::Tick => Ok(tick(state, now)),
    }
}

/// True when [`Event::Tick`] would do something now; cheap, for looking at many.
pub fn is_due(state: &AlertState, now: Moment) -> bool {
    let reached = |due: Option<Timestamp>| due.is_some_and(|due| now.engine >= due);
    let lapses =
        state.alert.status == Status::Acknowledged && state.alert.ack_expires_at.is_some_and(|end| end <= now.server);
    reached(state.ends_at()) || reached(state.falls_quiet_at()) || lapses
}

/// Opens an alert for a fingerprint that has none, or whose last episode is over.
pub fn open(finding: &Finding, id: AlertId, episode: u32, now: Moment) -> AlertState {
    let mut alert = Alert {
        id,
        fingerprint: fingerprint(finding),
        episode,
        kind: finding.kind,
        category: finding.category,
        severity: finding.severity,
        title: Text::default(),
        description: Text::default(),
        service: clip(&finding.service, 256),
        operation: finding.operation.as_ref().map(|operation| clip(operation, 256)),
        labels: labels(finding),
        rule_id: Text::new(finding.rule_id),
        parent_id: None,
        children: Vec::new(),
        suggested_actions: Vec::new(),
        auto_fix_available: false,
        fixes: Vec::new(),
        affected_users: Vec::new(),
        affected_user_count: 0,
        status: Status::New,
        activity: Activity::Firing,
        assignee: None,
        acknowledged_at: None,
        acknowledged_by: None,
        ack_expires_at: None,
        snoozed_until: None,
        snooze_condition: None,
        resolved_at: None,
        resolved_by: None,
        resolution_notes: None,
        still_matching_since: None,
        notes: Vec::new(),
        occurrences: finding.matches,
        first_seen: finding.first_at,
        last_seen: finding.last_at,
        detected_at: finding.detected_at,
        created_at: now.server,
        reopened: 0,
        related: Vec::new(),
        tickets: Vec::new(),
        runbook: None,
        links: Vec::new(),
        scope: stella_protocol::alert::Scope::default(),
        source: Text::default(),
        version: 1,
        brief: brief(finding, 1),
    };
    describe(&mut alert, finding);
    touch_users(&mut alert, finding);
    let watch = Watch {
        window_ms: finding.window_ms,
        opened_at: finding.detected_at,
        closed_at: None,
        wrong: None,
        held: false,
        known_as: (alert.fingerprint.raw() != finding.fingerprint).then(|| finding.fingerprint.clone()),
        elsewhere: false,
    };
    AlertState { alert, watch }
}

/// The alerts of the same wave: near onset, and the same service or operation.
pub fn related<'a>(alert: &Alert, others: impl Iterator<Item = &'a Alert>) -> Vec<AlertId> {
    let same_place = |other: &Alert| {
        (!alert.service.is_empty() && alert.service == other.service)
            || (alert.operation.is_some() && alert.operation == other.operation)
    };
    let near = |other: &Alert| other.first_seen.since(alert.first_seen).abs() <= WAVE;
    others
        .filter(|other| other.id != alert.id && near(other) && same_place(other))
        .map(|other| other.id.clone())
        .take(MOST_RELATED)
        .collect()
}

fn found(state: &AlertState, finding: &Finding) -> Step {
    let mut step = Step::of(state);
    if finding.phase == Phase::Recovered {
        recover(&mut step, finding);
        return step;
    }
    end_by_time(&mut step, next_match(state, finding));
    match step.state.alert.status {
        Status::FalsePositive => match_suppressed(&mut step, finding),
        Status::Resolved if by_system(&step.state) => match_ended(&mut step, finding),
        Status::Resolved => match_resolved(&mut step, finding),
        _ => match_open(&mut step, finding),
    }
    step
}

/// Engine time of the first match that is news, so that a merged finding ends and opens the same
/// episodes as its matches one by one.
fn next_match(state: &AlertState, finding: &Finding) -> Timestamp {
    match finding.first_at > state.alert.last_seen {
        true => finding.first_at,
        false if finding.matches <= 1 => finding.last_at,
        false => state.alert.last_seen,
    }
}

fn match_open(step: &mut Step, finding: &Finding) {
    count(step, finding);
    step.state.alert.activity = Activity::Firing;
    let users = step.state.alert.affected_user_count;
    touch_users(&mut step.state.alert, finding);
    if finding.severity > step.state.alert.severity {
        step.state.alert.severity = finding.severity;
        describe(&mut step.state.alert, finding);
        step.changed(Cause::SeverityRose);
    } else if users != step.state.alert.affected_user_count {
        step.effects.push(Effect::Outdated);
    }
}

/// Closed by the system: soon after, the same alert is open again; later it is a new episode.
fn match_ended(step: &mut Step, finding: &Finding) {
    let Some(closed) = step.state.watch.closed_at.filter(|closed| finding.last_at > *closed) else {
        return count(step, finding);
    };
    let first = finding.first_at.max(closed);
    if first.since(closed) > COMES_BACK {
        step.effects.push(Effect::OpensNext);
        return;
    }
    count(step, finding);
    come_back(step, finding);
}

/// Closed by a person: counted and shown, until it has gone on for too long.
fn match_resolved(step: &mut Step, finding: &Finding) {
    let alert = &step.state.alert;
    let closed = step.state.watch.closed_at.unwrap_or(alert.last_seen);
    let last = finding.last_at;
    if last <= closed {
        return count(step, finding);
    }
    if next_match(&step.state, finding).since(alert.last_seen.max(closed)) > step.state.episode_gap() {
        step.effects.push(Effect::OpensNext);
        return;
    }
    let since = alert.still_matching_since;
    count(step, finding);
    match since {
        Some(since) if last.since(since) >= STILL_MATCHING => come_back(step, finding),
        Some(_) => {}
        None => {
            step.state.alert.still_matching_since = Some(last);
            step.effects.push(Effect::Shown);
        }
    }
}

/// Called a false positive: counted, and nothing else for a day.
fn match_suppressed(step: &mut Step, finding: &Finding) {
    let closed = step.state.watch.closed_at.unwrap_or(step.state.alert.last_seen);
    if finding.last_at.since(closed) >= SUPPRESSED {
        step.effects.push(Effect::OpensNext);
    } else {
        count(step, finding);
    }
}

fn come_back(step: &mut Step, finding: &Finding) {
    reopen(&mut step.state, finding.last_at);
    step.state.alert.activity = Activity::Firing;
    step.state.alert.severity = step.state.alert.severity.max(finding.severity);
    describe(&mut step.state.alert, finding);
    touch_users(&mut step.state.alert, finding);
    step.changed(Cause::CameBack);
}

fn recover(step: &mut Step, finding: &Finding) {
    if step.state.alert.status.is_open() {
        end_itself(step, finding.last_at.max(step.state.alert.last_seen), Cause::Ended);
    }
}

fn tick(state: &AlertState, now: Moment) -> Step {
    let mut step = Step::of(state);
    end_by_time(&mut step, now.engine);
    let alert = &mut step.state.alert;
    if alert.status == Status::Acknowledged
        && alert.activity == Activity::Firing
        && alert.ack_expires_at.is_some_and(|end| end <= now.server)
        && state.falls_quiet_at().is_none_or(|quiet| now.engine < quiet)
    {
        let_go(&mut step.state);
        step.changed(Cause::AckLapsed);
    }
    if step.state.falls_quiet_at().is_some_and(|quiet| now.engine >= quiet) {
        step.state.alert.activity = Activity::Quiet { since: step.state.alert.last_seen };
        step.effects.push(Effect::Counted);
    }
    step
}

/// Ends what has been quiet for its quiet time by engine time `at`. The end is dated when it was due,
/// not when it was noticed, so that it does not depend on how often somebody looks.
fn end_by_time(step: &mut Step, at: Timestamp) {
    if let Some(due) = step.state.ends_at().filter(|due| at >= *due) {
        end_itself(step, due, Cause::Ended);
    }
}

pub(super) fn end_itself(step: &mut Step, at: Timestamp, cause: Cause) {
    close(&mut step.state, at);
    let alert = &mut step.state.alert;
    alert.activity = Activity::Quiet { since: alert.last_seen };
    alert.status = Status::Resolved;
    alert.resolved_at = Some(at);
    alert.resolved_by = Some(Text::new(SYSTEM));
    alert.resolution_notes = None;
    step.changed(cause);
}

/// What every way to close has in common.
pub(super) fn close(state: &mut AlertState, at: Timestamp) {
    state.watch.closed_at = Some(at);
    state.alert.still_matching_since = None;
}

/// What every way back has in common: nobody has it, and it is as if it had just begun.
pub(super) fn reopen(state: &mut AlertState, at: Timestamp) {
    let_go(state);
    let alert = &mut state.alert;
    alert.resolved_at = None;
    alert.resolved_by = None;
    alert.resolution_notes = None;
    alert.still_matching_since = None;
    alert.reopened += 1;
    state.watch.closed_at = None;
    state.watch.opened_at = at;
    state.watch.wrong = None;
}

/// Counters, evidence and the words that tell them; never the version.
fn count(step: &mut Step, finding: &Finding) {
    let alert = &mut step.state.alert;
    if finding.matches > 0 {
        describe(alert, finding);
    }
    let version = alert.brief.evidence_version + 1;
    alert.occurrences = alert.occurrences.saturating_add(finding.matches);
    alert.last_seen = alert.last_seen.max(finding.last_at);
    alert.brief = brief(finding, version);
    step.state.watch.window_ms = finding.window_ms;
    step.effects.push(Effect::Counted);
}

/// At most 2 KiB on the wire.
fn brief(finding: &Finding, evidence_version: u64) -> Brief {
    let mut brief = Brief { evidence_version, ..finding.brief.clone() };
    brief.spark.truncate(SPARK);
    brief.unit = clip(&brief.unit, 32);
    brief
}

fn labels(finding: &Finding) -> BTreeMap<String, Text> {
    let fits = |name: &&String| wire_len(name) <= 64;
    let kept = finding.labels.iter().filter(|(name, _)| fits(name)).take(16);
    kept.map(|(name, value)| (name.clone(), clip(value, 256))).collect()
}

fn describe(alert: &mut Alert, finding: &Finding) {
    alert.title = clip(&finding.title, 512);
    alert.description = clip(&finding.description, 2048);
    alert.suggested_actions = finding.suggested_actions.iter().take(10).map(|action| clip(action, 512)).collect();
}

fn touch_users(alert: &mut Alert, finding: &Finding) {
    for user in &finding.affected_users {
        let user = clip(user, 128);
        if alert.affected_users.len() < Finding::MOST_USERS && !alert.affected_users.contains(&user) {
            alert.affected_users.push(user);
        }
    }
    let named = alert.affected_users.len() as u64;
    alert.affected_user_count = alert.affected_user_count.max(finding.affected_user_count).max(named);
}

pub(super) fn by_system(state: &AlertState) -> bool {
    state.alert.resolved_by.as_ref().is_some_and(|by| by.raw() == SYSTEM)
}
