//! What people do and what they meet: they sign in, act, fail, try again, think, and go.

use stella_protocol::log::Login;

use super::{ACTS, Due, THINK, Trace};
use crate::incident::{Kind, Label};
use crate::line::{self, Call};
use crate::plan::{Cause, SECOND, What};
use crate::town::{Deed, Fault};

/// Who failed tries again this often.
const TRIES_AGAIN: f64 = 0.6;
/// Who looked for something wants the next page of it this often, and looks at a page for so many seconds.
const TURNS: f64 = 0.3;
const PAGE_S: (i64, i64) = (1, 4);
/// Failures of one person within one incident from which they have a trouble of their own.
const CHILD: u32 = 4;

/// Somebody who uses the application.
#[derive(Debug)]
pub(super) struct Visitor {
    person: usize,
    name: String,
    addr: String,
    left: u32,
    /// What failed and is tried again, and how often it was.
    again: Option<(usize, u32)>,
}

/// What somebody's call meets.
struct Met {
    took_ms: f64,
    fault: Option<Fault>,
    cause: Cause,
    broken_by: Option<usize>,
}

impl Trace {
    pub(super) fn visitor(&mut self) -> Visitor {
        let person = self.place.people.draw(&mut self.dice);
        let (name, addr) = (self.place.people.name(person), self.place.people.addr(person));
        let left = 1 + (self.dice.wait((ACTS - 1.0) * 100.0) / 100) as u32;
        Visitor { person, name, addr, left, again: None }
    }

    pub(super) fn visit(&mut self) {
        let visitor = self.visitor();
        let wait = if self.dice.chance(self.place.town.signs_in) { self.sign_in(&visitor) } else { 0 };
        self.later(wait + 1, Due::Act(Box::new(visitor)));
    }

    /// Somebody signs in, if need be more than once. When they are in, in milliseconds from now.
    fn sign_in(&mut self, visitor: &Visitor) -> i64 {
        let (mut wait, mut attempts) = (0, 0);
        let door = self.place.sign_in;
        loop {
            let met = self.meet(door, visitor);
            let who = (visitor.name.clone(), visitor.addr.clone());
            wait += met.took_ms as i64;
            let wrong = if attempts == 0 { self.place.town.mistypes } else { 0.25 };
            if let Some(fault) = met.fault.filter(|fault| fault.class != self.place.town.ops[door].faults[0].class) {
                // The door itself fails: no word about passwords.
                let call = Call::by(door, who.0, who.1, met.took_ms).failing(fault);
                let event = call.say(&self.place, &mut self.dice);
                self.emit_in(wait, event, met.cause);
            } else if attempts < 3 && self.dice.chance(wrong) {
                let says = "login failed: wrong password";
                let event = line::sign_in(&self.place, who, Login::Failed, says, met.took_ms);
                self.emit_in(wait, event, met.cause);
            } else {
                let event = line::sign_in(&self.place, who, Login::Succeeded, "login succeeded", met.took_ms);
                self.emit_in(wait, event, met.cause);
                return wait;
            }
            attempts += 1;
            wait += self.dice.between(4, 20) * SECOND;
            if attempts > 4 {
                return wait;
            }
        }
    }

    fn is_away(&self, person: usize) -> bool {
        self.effects().any(|effect| matches!(effect.what, What::Away { person: away } if away == person))
    }

    pub(super) fn act(&mut self, mut visitor: Box<Visitor>) {
        if self.is_away(visitor.person) {
            return;
        }
        let again = visitor.again;
        let op = again.map_or_else(|| self.choose(), |(op, _)| op);
        let tries = again.map_or(0, |(_, tries)| tries);
        let mut met = self.meet(op, &visitor);
        visitor.again = None;
        let mut call = Call::by(op, visitor.name.clone(), visitor.addr.clone(), met.took_ms);
        let mut took = met.took_ms as i64;
        // What a client retries by itself, nobody sees but in its number.
        let by_itself = met.fault.is_some_and(|fault| fault.loud) && self.place.town.speech.counts_retries;
        let fault = match met.fault {
            Some(_) if by_itself && met.broken_by.is_none() => {
                call.retries = 1;
                took *= 2;
                None
            }
            fault => fault,
        };
        if let Some((retries, cause)) = self.retries(op).filter(|_| fault.is_none()) {
            (call.retries, met.cause) = (retries, cause);
            took *= i64::from(retries);
            call.took_ms = took as f64;
        }
        call.fault = fault;
        call.count = self.count(op, visitor.person);
        let event = call.say(&self.place, &mut self.dice);
        let cause = self.cause_of_count(op, visitor.person).unwrap_or(met.cause);
        self.emit_in(took, event, cause);
        if fault.is_some() {
            self.bear(met.broken_by, op, &visitor);
        }
        let think = self.dice.about(THINK.0, THINK.1) as i64;
        if fault.is_some() && tries < 5 && self.dice.chance(TRIES_AGAIN) {
            visitor.again = Some((op, tries + 1));
            let wait = self.dice.between(1, 7) * SECOND;
            self.later(took + wait, Due::Act(visitor));
        } else if matches!(self.place.town.ops[op].deed, Deed::Searches(_)) && self.dice.chance(TURNS) {
            visitor.again = Some((op, 0));
            let wait = self.dice.between(PAGE_S.0 * SECOND, PAGE_S.1 * SECOND);
            self.later(took + wait, Due::Act(visitor));
        } else if visitor.left > 1 {
            visitor.left -= 1;
            self.later(took + think, Due::Act(visitor));
        }
    }

    /// How often a call is tried because what it needs does not answer, and why.
    fn retries(&mut self, op: usize) -> Option<(u32, Cause)> {
        let (share, cause) = self.effects().find_map(|effect| match effect.what {
            What::Retry { op: on, share } if on == op => Some((share, effect.cause)),
            _ => None,
        })?;
        self.dice.chance(share).then(|| (self.dice.between(3, 5) as u32, cause))
    }

    /// Whom an incident makes fail again and again has a trouble that follows from it.
    fn bear(&mut self, broken_by: Option<usize>, op: usize, visitor: &Visitor) {
        let Some(parent) = broken_by else { return };
        let failures = self.failed.entry((parent, visitor.person)).or_insert(0);
        *failures += 1;
        if *failures != CHILD {
            return;
        }
        let (of, parent_end) = (&self.place.town.ops[op], self.schedule.labels[parent].end);
        let child = Label {
            kind: Kind::Friction,
            operation: Some(of.name),
            service: Some(of.service),
            names: vec![visitor.name.clone()],
            strength: "follows from an outage".to_owned(),
            size: 0.0,
            onset: self.schedule.labels[parent].onset,
            end: parent_end,
            parent: Some(parent),
        };
        self.schedule.labels.push(child);
    }

    fn choose(&mut self) -> usize {
        let total: f64 = self.place.weights.iter().sum();
        let popular = self.effects().find_map(|effect| match effect.what {
            What::Popular { op, times } => Some((op, (times - 1.0) * self.place.weights[op])),
            _ => None,
        });
        match popular {
            Some((op, more)) if self.dice.chance(more / (total + more)) => op,
            _ => self.place.urn.draw(&mut self.dice),
        }
    }

    /// How a call goes, as things are.
    fn meet(&mut self, op: usize, visitor: &Visitor) -> Met {
        let (habit, of) = (self.place.habits[op], &self.place.town.ops[op]);
        let (mut factor, mut cause, mut broken_by, mut fault) = (1.0, Cause::Ordinary, None, None);
        for at in 0..self.on.len() {
            let effect = &self.schedule.effects[self.on[at]];
            match effect.what {
                What::Slow { op: on, from, to } if on.is_none_or(|on| on == op) => {
                    let now = from + (to - from) * effect.progress(self.now);
                    factor *= now;
                    // A tenth more is in nobody's eyes.
                    cause = if now > 1.1 { blame(cause, effect.cause) } else { cause };
                }
                What::Fail { op: on, share, fault: of } if on.is_none_or(|on| on == op) => {
                    let by = effect.cause;
                    cause = blame(cause, by);
                    if self.dice.chance(share) {
                        fault = Some(of);
                        broken_by = if let Cause::Incident(label) = by { Some(label) } else { None };
                    }
                }
                _ => {}
            }
        }
        // Who has just failed mostly knows better: a second slip is not twice as unlikely, a fourth is rare.
        let slips = match visitor.again {
            Some((_, 1)) => habit.failing.max(0.15),
            _ => habit.failing,
        };
        if fault.is_none() && self.dice.chance(slips) {
            fault = Some(*self.dice.of(of.faults));
        }
        let long = if self.dice.chance(0.005) { self.dice.within(2.0, 8.0) } else { 1.0 };
        let person = self.place.people.weight(visitor.person);
        let usual = habit.median_ms * factor * long * person * fault.map_or(1.0, |fault| fault.takes);
        Met { took_ms: self.dice.about(usual, of.sigma).max(0.1), fault, cause, broken_by }
    }

    fn count(&mut self, op: usize, person: usize) -> Option<i64> {
        let nothing = self.cause_of_count(op, person).is_some();
        match self.place.town.ops[op].deed {
            Deed::Lists(_) if nothing => Some(0),
            Deed::Lists(_) => Some(self.place.people.owned(person)),
            Deed::Searches(_) if nothing || self.dice.chance(0.1) => Some(0),
            Deed::Searches(_) => Some(1 + self.dice.wait(700.0) / 100),
            _ => None,
        }
    }

    /// Why there is nothing, where something ought to be.
    fn cause_of_count(&self, op: usize, person: usize) -> Option<Cause> {
        let lists = matches!(self.place.town.ops[op].deed, Deed::Lists(_));
        self.effects().find_map(|effect| match effect.what {
            What::FindsNothing { op: on } if on == op => Some(effect.cause),
            What::OwnsNothing { person: whose } if lists && whose == person => Some(effect.cause),
            _ => None,
        })
    }
}

/// The first cause that is an incident counts, then the first that is benign.
fn blame(so_far: Cause, also: Cause) -> Cause {
    match (so_far, also) {
        (Cause::Incident(_), _) | (Cause::Benign(_), Cause::Benign(_)) => so_far,
        _ => also,
    }
}
