//! The one pass: each line to the rules it concerns, each second to the problems that are on.
//!
//! Knows no threshold and no wording. Engine time comes with the lines and with `advance`; it never
//! goes back here, whatever a caller says.

use stella_protocol::{LineId, LogEvent, Timestamp, Untrusted};

use crate::finding::Finding;
use crate::incident::{Desk, Incident, Subject};
use crate::key;
use crate::mark::Flags;
use crate::recent::Recent;
use crate::rules::data::{self, Owners};
use crate::rules::friction::{self, People};
use crate::rules::new_error::Errors;
use crate::rules::security::Doors;
use crate::rules::silence::Pulses;
use crate::rules::{Rules, errors, health, performance};

/// Log events in, findings out.
///
/// The same lines and the same seconds give the same findings, byte for byte. Memory is bounded by
/// [`Rules`], whatever the lines say.
#[derive(Debug)]
pub struct Engine {
    rules: Rules,
    recent: Recent,
    desk: Desk,
    people: People,
    doors: Doors,
    owners: Owners,
    errors: Errors,
    pulses: Pulses,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(rules: Rules) -> Self {
        Self {
            recent: Recent::new(&rules),
            desk: Desk::new(&rules),
            people: People::new(&rules),
            doors: Doors::new(&rules),
            owners: Owners::new(&rules),
            errors: Errors::new(&rules),
            pulses: Pulses::new(&rules),
            rules,
        }
    }

    /// Takes a line in; lines come in the order of their ids. A problem that begins with this line is
    /// in the next [`drain`](Self::drain).
    pub fn observe(&mut self, line: LineId, event: &LogEvent<'_>) {
        let Self { rules, recent, desk, people, doors, owners, errors, pulses } = self;
        let (mark, slow) = recent.take(line, event, rules);
        pulses.observe(desk, recent, rules, &mark, event);
        if mark.flags.has(Flags::METRIC) {
            return;
        }
        if mark.flags.any(Flags::LOGIN_FAILED.and(Flags::LOGIN_OK).and(Flags::LOCKED_OUT)) {
            doors.observe(desk, recent, rules, &mark, event);
        }
        if !is_named(event) {
            return;
        }
        if slow {
            performance::observe(desk, recent, rules, &mark);
        }
        if mark.is_error() {
            errors::observe(desk, recent, rules, &mark);
            errors.observe(desk, recent, rules, &mark, event);
        }
        people.observe(desk, recent, rules, &mark, event);
        if mark.retries >= rules.retries {
            friction::observe_retry(desk, recent, rules, &mark);
        }
        if mark.flags.any(Flags::CONTRADICTION) {
            data::observe(desk, recent, &mark, rules, event);
        }
        if !event.attributes.is_empty() {
            owners.observe(desk, recent, rules, &mark, event);
        }
        if event.health.is_some() {
            health::observe(desk, recent, rules, &mark, event);
        }
    }

    /// Time passes, to a whole second of engine time: absences are noticed, problems that last say how
    /// they stand, at most once a second each, and those that are over are let go.
    pub fn advance(&mut self, now: Timestamp) {
        let Self { rules, recent, desk, pulses, .. } = self;
        recent.now = recent.now.max(now.millis());
        if recent.lines == 0 {
            return;
        }
        pulses.advance(desk, recent, rules);
        performance::advance(desk, recent, rules);
        for key in desk.next_second() {
            let over = desk.get(key).is_some_and(|incident| is_over(incident, recent, rules));
            if over {
                desk.close((recent, rules), key);
            } else {
                desk.refresh((recent, rules), key);
            }
        }
    }

    /// What was found since the last time, in order.
    pub fn drain(&mut self) -> Vec<Finding> {
        self.desk.drain()
    }
}

/// True when service and operation are short enough to stand in a query.
fn is_named(event: &LogEvent<'_>) -> bool {
    let operation = event.operation.as_ref().map_or(0, Untrusted::len);
    event.service.len().max(operation) <= key::LONGEST_NAME
}

/// True when a problem has not been heard of for the window of its rule.
fn is_over(incident: &Incident, recent: &Recent, rules: &Rules) -> bool {
    let silent_ms = recent.now - incident.last_at;
    match &incident.subject {
        Subject::Slow(op) => performance::is_over(recent, op),
        Subject::SlowEverywhere => performance::is_over_everywhere(recent),
        Subject::Unwell { .. } | Subject::Silent(_) => false,
        Subject::Spike(op) => errors::is_over(recent, rules, op),
        Subject::Friction { .. } | Subject::Retries(_) | Subject::NewError { .. } => silent_ms > rules.slow_window_ms,
        Subject::Address { .. } | Subject::Account { .. } | Subject::LockedOut(_) => {
            silent_ms > rules.security_window_ms
        }
        Subject::Contradiction { .. } | Subject::Vanished { .. } => silent_ms > rules.security_window_ms,
    }
}
