//! What goes wrong in operations: they become slow, or fail.
//!
//! An operation is only chosen when its traffic would let a patient person see it: how many calls that takes
//! follows from how strong the trouble is.

use super::{About, Cause, Draft, MINUTE, SECOND, What};
use crate::incident::Kind;
use crate::line;
use crate::town::Fault;

/// Classes that no town has in ordinary life.
const NEVER_SEEN: [(&str, &str); 8] = [
    ("TypeError", "cannot read property shareId of undefined, object {}"),
    ("NullPointerException", "value of field {} is null"),
    ("SchemaMismatch", "column {} does not exist"),
    ("AssertionError", "invariant of step {} does not hold"),
    ("DecodeError", "unexpected byte at offset {}"),
    ("CertificateExpired", "certificate of peer {} has expired"),
    ("ImportError", "no module for driver {}"),
    ("IndexOutOfRange", "index {} is beyond the page"),
];

impl Draft<'_> {
    pub(super) fn service_trouble(&mut self, kind: Kind, at: i64, most_ms: i64) {
        let dice = &mut self.dice;
        match kind {
            Kind::SlowAll => {
                let factor = dice.within(1.4, 1.8);
                let to = at + dice.between(4 * MINUTE, most_ms);
                let about = About { strength: format!("x{factor:.2}"), ..About::default() };
                let cause = self.label(kind, at, to, about);
                self.effect(at, to, What::Slow { op: None, from: factor, to: factor }, cause);
            }
            Kind::SlowOne => {
                let factor = dice.within(1.5, 4.0);
                let calls = if factor < 2.0 { 120.0 } else { 50.0 };
                let (op, to) = self.op_and_end(calls, at, most_ms);
                let about = About { size: factor, ..self.about_op(op, format!("x{factor:.2}")) };
                let cause = self.label(kind, at, to, about);
                self.effect(at, to, What::Slow { op: Some(op), from: factor, to: factor }, cause);
            }
            Kind::SlowRamp => {
                let factor = dice.within(2.5, 4.0);
                let (op, to) = self.op_and_end(200.0, at, most_ms);
                let to = to.max(at + most_ms * 2 / 3);
                let cause = self.label(kind, at, to, self.about_op(op, format!("to x{factor:.2}")));
                self.effect(at, to, What::Slow { op: Some(op), from: 1.0, to: factor }, cause);
            }
            Kind::ErrorsMany => self.failures(kind, at, most_ms, (0.3, 0.8), 40.0),
            Kind::ErrorsSome => self.failures(kind, at, most_ms, (0.08, 0.2), 200.0),
            Kind::ErrorsBroad => self.failures_everywhere(at, most_ms),
            _ => self.new_error(at, most_ms),
        }
    }

    /// An operation that brings `calls` in time, and until when it lasts.
    fn op_and_end(&mut self, calls: f64, at: i64, most_ms: i64) -> (usize, i64) {
        let daylight = self.span.daylight(at);
        let busy = self.untroubled(self.place.busy(calls / daylight, most_ms), at, at + most_ms);
        let op = *self.dice.of(&busy);
        let needed = (calls / (self.place.pace_of(op) * daylight) * 1000.0) as i64;
        let least = needed.max(3 * MINUTE).min(most_ms);
        (op, at + self.dice.between(least, most_ms))
    }

    fn failures(&mut self, kind: Kind, at: i64, most_ms: i64, (low, high): (f64, f64), calls: f64) {
        let share = self.dice.within(low, high);
        let (op, to) = self.op_and_end(calls, at, most_ms);
        let fault = *self.dice.of(self.place.town.ops[op].faults);
        // What fails for everybody is no slip of a person.
        let fault = Fault { loud: true, ..fault };
        let mut about = self.about_op(op, format!("{:.0} % {}", share * 100.0, fault.class));
        about.names.push(fault.class.to_owned());
        about.size = share;
        let cause = self.label(kind, at, to, about);
        self.effect(at, to, What::Fail { op: Some(op), share, fault }, cause);
    }

    fn failures_everywhere(&mut self, at: i64, most_ms: i64) {
        let share = self.dice.within(0.03, 0.08);
        let to = at + self.dice.between(5 * MINUTE, most_ms.max(6 * MINUTE));
        let fault =
            Fault { class: "UpstreamTimeout", says: "upstream did not answer within {} ms", loud: true, takes: 3.0 };
        let strength = format!("{:.1} % {}", share * 100.0, fault.class);
        let cause = self.label(Kind::ErrorsBroad, at, to, About { strength, ..About::default() });
        self.effect(at, to, What::Fail { op: None, share, fault }, cause);
    }

    /// Half of the time a release brought it, and the log says so.
    fn new_error(&mut self, at: i64, most_ms: i64) {
        let (class, says) = NEVER_SEEN[self.made % NEVER_SEEN.len()];
        let share = self.dice.within(0.05, 0.15);
        let (op, to) = self.op_and_end(200.0, at, most_ms);
        let fault = Fault { class, says, loud: true, takes: 0.6 };
        let mut about = self.about_op(op, format!("{:.0} % {class}", share * 100.0));
        about.names.push(class.to_owned());
        let service = self.place.town.ops[op].service;
        let cause = self.label(Kind::NewError, at, to, about);
        if self.dice.chance(0.5) {
            let marker = line::words(service, stella_protocol::Level::Info, "deployed release r{}", &mut self.dice);
            let before = self.dice.between(2, 20) * SECOND;
            self.line(at - before, marker, Cause::Ordinary);
        }
        self.effect(at, to, What::Fail { op: Some(op), share, fault }, cause);
    }
}
