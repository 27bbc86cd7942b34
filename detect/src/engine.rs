//! The one pass: each line to the rules it concerns, each second to the problems that are on.
//!
//! Knows no threshold and no wording. Engine time comes with the lines and with `advance`; it never
//! goes back here, whatever a caller says.

use stella_protocol::{Deploy, LineId, LogEvent, Timestamp, Untrusted, Weight};

use crate::budget::{Budget, Kind};
use crate::cells::Place;
use crate::checkpoint::{Checkpoint, Refused};
use crate::deploys::Marker;
use crate::finding::Finding;
use crate::gate::Gate;
use crate::incident::{Desk, Incident, Near, Subject};
use crate::keep::{Keep, Reader};
use crate::key::{self, Names};
use crate::lesson::Lesson;
use crate::mark::{Flags, Mark};
use crate::recent::Recent;
use crate::rules::data::{Owners, Signs};
use crate::rules::errors::Spikes;
use crate::rules::friction::{self, People, Presses};
use crate::rules::metrics::Gauges;
use crate::rules::new_error::Errors;
use crate::rules::performance::{Said, Slowness};
use crate::rules::probe::Probes;
use crate::rules::security::Doors;
use crate::rules::silence::Pulses;
use crate::rules::slo::Objectives;
use crate::rules::{Rules, errors, health, performance, security};
use crate::worth::Worth;

/// What a line about somebody signing in has at least one of.
const LOGINS: Flags = Flags::LOGIN_FAILED.and(Flags::LOGIN_OK).and(Flags::LOCKED_OUT);

/// Log events in, findings out.
///
/// The same lines and the same seconds give the same findings, byte for byte. Memory is bounded by
/// [`Rules`], whatever the lines say.
#[derive(Debug)]
pub struct Engine {
    rules: Rules,
    names: Names,
    budget: Budget,
    recent: Recent,
    desk: Desk,
    slowness: Slowness,
    spikes: Spikes,
    people: People,
    presses: Presses,
    doors: Doors,
    signs: Signs,
    owners: Owners,
    errors: Errors,
    probes: Probes,
    pulses: Pulses,
    gauges: Gauges,
    objectives: Objectives,
    /// Who failed before, and who failed to sign in before.
    failed: Gate,
    knocked: Gate,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(rules: Rules) -> Self {
        Self {
            names: Names::default(),
            budget: Budget::new(rules.sensitivity),
            recent: Recent::new(&rules),
            desk: Desk::new(&rules),
            slowness: Slowness::default(),
            spikes: Spikes::new(&rules),
            people: People::new(&rules),
            presses: Presses::new(&rules),
            doors: Doors::new(&rules),
            signs: Signs::new(&rules),
            owners: Owners::new(&rules),
            errors: Errors::new(&rules),
            probes: Probes::new(&rules),
            pulses: Pulses::new(&rules),
            gauges: Gauges::new(&rules),
            objectives: Objectives::new(&rules),
            failed: Gate::new(rules.slow_window_ms),
            knocked: Gate::new(security::REMEMBERED_MS),
            rules,
        }
    }

    /// Takes a line in; lines come in the order of their ids. A problem that begins with this line is
    /// in the next [`drain`](Self::drain).
    ///
    /// A line counts for as many as its weight says (see [`worth`](Self::worth)); one that counts for none is as if
    /// it had not come.
    pub fn observe(&mut self, line: LineId, event: &LogEvent<'_>) {
        if event.weight == Weight::NONE {
            return;
        }
        let Self { rules, names, budget, recent, desk, doors, pulses, gauges, knocked, .. } = self;
        let (mark, place) = recent.take(line, event, rules, names);
        let speaks_of_login = mark.flags.any(LOGINS);
        budget.count_many(Kind::Silence, mark.weight);
        if speaks_of_login {
            budget.count(Kind::Security);
        }
        let near = Near { recent, rules, budget };
        pulses.observe(desk, near, &mark, event);
        if mark.flags.has(Flags::METRIC) {
            gauges.observe(desk, recent, rules, budget, (line, &mark, event));
            return;
        }
        if speaks_of_login {
            doors.observe(desk, near, knocked, &mark, event);
        }
        if is_named(event) {
            self.observe_operation(line, event, place, &mark);
        }
    }

    /// What a line is worth where there are too many of them: whether it must be looked at by itself, or may be
    /// left out while another one like it is given its weight. Says so as of the lines that were taken in.
    pub fn worth(&self, event: &LogEvent<'_>) -> Worth {
        Worth::of(event, &self.recent, &self.people, &self.probes)
    }

    /// A line whose operation can be named.
    fn observe_operation(&mut self, line: LineId, event: &LogEvent<'_>, place: Place, mark: &Mark) {
        let Self {
            rules,
            budget,
            recent,
            desk,
            slowness,
            spikes,
            people,
            presses,
            signs,
            owners,
            errors,
            probes,
            objectives,
            failed,
            ..
        } = self;
        objectives.observe(mark, event);
        if mark.duration.is_finite() {
            let said = slowness.observe(desk, recent, rules, budget, (place, mark));
            if said == Said::Slow {
                recent.keep(line, event);
            }
        }
        if !mark.flags.has(Flags::LOGIN_FAILED) {
            spikes.observe(desk, recent, rules, budget, (place, mark));
        }
        let often = mark.retries >= rules.retries;
        let cell = recent.ops.at_mut(place);
        cell.faults.take_retry((often, mark.weight), mark.at);
        // A line that stands for others does not say what came right before it.
        let is_press =
            mark.weight == 1 && event.user_id.is_some() && event.operation.is_some() && !mark.flags.any(LOGINS);
        let run = if is_press { presses.take(&mut cell.habit, mark, rules.slow_window_ms) } else { None };
        budget.count_many(Kind::Friction, mark.weight);
        if mark.flags.any(Flags::CONTRADICTION) {
            budget.count(Kind::Data);
        }
        let near = Near { recent, rules, budget };
        if mark.is_error() {
            errors.observe(desk, near, mark, event);
        }
        if event.user_id.is_some() && !mark.flags.has(Flags::LOGIN_FAILED) {
            people.observe(desk, near, failed, mark, event);
        }
        if let Some(run) = run {
            presses.weigh(desk, near, mark, event, run);
        }
        if event.remote_addr.is_some() && !mark.flags.any(LOGINS) {
            probes.observe(desk, near, failed, mark, event);
        }
        if often {
            friction::observe_retry(desk, near, mark);
        }
        if mark.flags.any(Flags::CONTRADICTION) {
            signs.observe(desk, near, mark, event);
        }
        if event.health.is_some() {
            health::observe(desk, near, mark, event);
        }
        if event.operation.is_some() {
            owners.observe(desk, recent, (rules, &mut *budget), mark, event);
        }
        if mark.is_error() {
            budget.count(Kind::NewError);
        }
    }

    /// Time passes, to a whole second of engine time: absences are noticed, problems that last say how
    /// they stand, at most once a second each, and those that are over are let go.
    pub fn advance(&mut self, now: Timestamp) {
        let Self { rules, budget, recent, desk, slowness, spikes, doors, owners, pulses, objectives, .. } = self;
        recent.now = recent.now.max(now.millis());
        if recent.lines == 0 {
            return;
        }
        budget.advance(recent.now);
        pulses.advance(desk, Near { recent, rules, budget });
        slowness.advance(desk, recent, rules, budget);
        spikes.advance(desk, recent, rules);
        doors.advance(desk);
        owners.advance(desk, Near { recent, rules, budget });
        objectives.advance(desk, Near { recent, rules, budget });
        for key in desk.next_second(recent.now) {
            let over = desk.get(key).is_some_and(|incident| is_over(incident, recent, rules, doors));
            let near = Near { recent, rules, budget };
            if over {
                desk.close(near, key);
            } else {
                desk.refresh(near, key);
            }
        }
    }

    /// Takes other settings from the next line, or second, on. How much is remembered stays as it was: the bounds
    /// of `rules` do not count. What is learned stays too, and a problem that is on goes on, unless nobody is to be
    /// told of it any more.
    pub fn set_rules(&mut self, rules: Rules) {
        let rules = rules.bounded_as(&self.rules);
        self.budget.set(rules.sensitivity);
        self.recent.set_limits(&rules);
        self.gauges.set_limits(&rules);
        self.objectives.set(&rules);
        self.desk.retune(&rules);
        self.rules = rules;
    }

    /// Somebody called a problem false at `at`: that fingerprint, and no other, needs more from now on (see
    /// [`Lesson`]). False: no such problem was told of lately.
    pub fn mark_false(&mut self, fingerprint: &str, at: Timestamp) -> bool {
        self.desk.mark_false(fingerprint, at)
    }

    /// Takes such a mark back. False: there is none.
    pub fn unmark(&mut self, fingerprint: &str) -> bool {
        self.desk.lessons_mut().undo(fingerprint)
    }

    /// Takes in a mark that was kept elsewhere.
    pub fn learn(&mut self, lesson: Lesson) {
        self.desk.lessons_mut().learn(lesson);
    }

    /// All marks, by fingerprint.
    pub fn lessons(&self) -> impl Iterator<Item = &Lesson> {
        self.desk.lessons().all()
    }

    /// The whole state, for whoever keeps it. An engine [`restored`](Self::restore) from it says the same
    /// bytes as this one.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint::of(self)
    }

    /// An engine in the state that was kept. Thresholds are those of `rules`, whatever they were.
    ///
    /// # Errors
    /// When the state is damaged, of another edition, or kept with other bounds: begin afresh then.
    pub fn restore(rules: Rules, checkpoint: &Checkpoint) -> Result<Self, Refused> {
        checkpoint.engine(rules)
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn keep_state(&self, to: &mut Vec<u8>) {
        self.budget.keep(to);
        self.recent.keep(to);
        self.desk.keep(to);
        self.slowness.keep(to);
        self.spikes.keep(to);
        self.people.keep(to);
        self.presses.keep(to);
        self.doors.keep(to);
        self.signs.keep(to);
        self.owners.keep(to);
        self.errors.keep(to);
        self.probes.keep(to);
        self.pulses.keep(to);
        self.gauges.keep(to);
        self.objectives.keep(to);
        self.failed.keep(to);
        self.knocked.keep(to);
    }

    pub(crate) fn wake_state(rules: Rules, from: &mut Reader<'_>) -> Option<Self> {
        let mut engine = Self {
            names: Names::default(),
            budget: Keep::wake(from)?,
            recent: Keep::wake(from)?,
            desk: Keep::wake(from)?,
            slowness: Keep::wake(from)?,
            spikes: Keep::wake(from)?,
            people: Keep::wake(from)?,
            presses: Keep::wake(from)?,
            doors: Keep::wake(from)?,
            signs: Keep::wake(from)?,
            owners: Keep::wake(from)?,
            errors: Keep::wake(from)?,
            probes: Keep::wake(from)?,
            pulses: Keep::wake(from)?,
            gauges: Keep::wake(from)?,
            objectives: Keep::wake(from)?,
            failed: Keep::wake(from)?,
            knocked: Keep::wake(from)?,
            rules,
        };
        engine.budget.set(engine.rules.sensitivity);
        engine.recent.set_limits(&engine.rules);
        engine.gauges.set_limits(&engine.rules);
        engine.objectives.set(&engine.rules);
        Some(engine)
    }

    /// Somebody said of a deploy, in another way than in a line: its service is excused for a minute, and evidence
    /// names it. It is not handed out by [`drain_deploys`](Self::drain_deploys).
    pub fn note_deploy(&mut self, deploy: &Deploy) {
        self.recent.deploys.note(Marker::told(deploy), false);
    }

    /// The deploys that lines spoke of since the last time, in order; instances of a revision that start within an
    /// hour are one.
    pub fn drain_deploys(&mut self) -> Vec<Deploy> {
        self.recent.deploys.drain()
    }

    /// What was found since the last time, in order.
    pub fn drain(&mut self) -> Vec<Finding> {
        self.desk.drain()
    }
}

/// True when service and operation are short enough to stand in a query.
pub(crate) fn is_named(event: &LogEvent<'_>) -> bool {
    let operation = event.operation.as_ref().map_or(0, Untrusted::len);
    event.service.len().max(operation) <= key::LONGEST_NAME
}

/// True when a problem has not been heard of for the window of its rule, or evidence says that it is over.
fn is_over(incident: &Incident, recent: &Recent, rules: &Rules, doors: &Doors) -> bool {
    let silent_ms = recent.now - incident.last_at;
    match &incident.subject {
        Subject::Slow(op) => !recent.is(op, performance::is_slow),
        Subject::SlowEverywhere => recent.many(performance::is_slower) == 0,
        Subject::Unwell { .. } | Subject::Silent(_) => false,
        Subject::Spike(op) => !recent.is(op, errors::is_failing),
        Subject::SpikeEverywhere => recent.many(errors::is_failing) == 0,
        Subject::Series(reading) => silent_ms > reading.holds_ms(rules),
        Subject::Spending(spending) => silent_ms > spending.short_ms(),
        Subject::LoginsEverywhere => !doors.are_attacked() || silent_ms > rules.security_window_ms,
        Subject::Friction { .. }
        | Subject::Rage { .. }
        | Subject::Retries(_)
        | Subject::NewError { .. }
        | Subject::Forecast(_) => silent_ms > rules.slow_window_ms,
        Subject::Address { .. }
        | Subject::Account { .. }
        | Subject::LockedOut(_)
        | Subject::Probe { .. }
        | Subject::Contradiction { .. }
        | Subject::Nothing { .. }
        | Subject::WrongForm { .. }
        | Subject::Vanished { .. } => silent_ms > rules.security_window_ms,
    }
}
