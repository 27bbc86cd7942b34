//! What is new, or comes again and again, and is as it should be: clients that poll, buttons pressed twice, crawlers,
//! operations that a release brought.

use stella_protocol::Level;
use stella_protocol::log::LogEvent;

use super::{Draft, HOUR, MINUTE};
use crate::line::{self, Call};
use crate::town::{Deed, Fault};

/// A link that leads nowhere any more.
const GONE: Fault = Fault { class: "NotFoundError", says: "no such page: {}", loud: false, takes: 0.5 };

impl Draft<'_> {
    /// Somebody's client asks every few seconds, while they do other things; or a finger slips, now and then.
    pub(super) fn presses(&mut self, kind: &'static str, at: i64) {
        let person = self.place.people.ordinary(&mut self.dice);
        let (name, addr) = (self.place.people.name(person), self.place.people.addr(person));
        let op = self.place.urn.draw(&mut self.dice);
        let polls = kind == "polling client";
        let to = at + self.dice.between(10 * MINUTE, 25 * MINUTE);
        let cause = self.benign(kind, at, to);
        let every = self.dice.within(1.5, 12.0) * 1000.0;
        let mut moment = at;
        while moment < to {
            // A timer is late by a tenth at most; what slips is pressed two to four times.
            let (presses, gap, pause) = if polls {
                (1, 0, (every * self.dice.within(1.0, 1.1)) as i64)
            } else {
                (self.dice.between(2, 4), self.dice.between(150, 900), self.dice.wait(3.0 * MINUTE as f64))
            };
            for nth in 0..presses {
                let took = self.dice.about(self.place.habits[op].median_ms, 0.3);
                let line = Call::by(op, name.clone(), addr.clone(), took).say(self.place, &mut self.dice);
                self.line(moment + nth * gap, line, cause);
            }
            moment += pause;
        }
    }

    /// A machine without a name reads page after page; some are gone.
    pub(super) fn crawler(&mut self, kind: &'static str, at: i64) {
        let to = at + self.dice.between(10 * MINUTE, 20 * MINUTE);
        let cause = self.benign(kind, at, to);
        let reads = self.place.doing(|deed| deed == Deed::Read);
        let reads: Vec<usize> = reads.into_iter().filter(|op| *op != self.place.sign_in).collect();
        let (addr, gap) = (format!("100.64.0.{}", 1 + self.made % 254), self.dice.within(700.0, 2500.0));
        let mut moment = at;
        while moment < to {
            let op = *self.dice.of(&reads);
            let took = self.dice.about(self.place.habits[op].median_ms, 0.3);
            let call = Call { user: None, ..Call::by(op, String::new(), addr.clone(), took) };
            let call = if self.dice.chance(0.06) { call.failing(GONE) } else { call };
            let line = call.say(self.place, &mut self.dice);
            self.line(moment, line, cause);
            moment += self.dice.wait(gap);
        }
    }

    /// A release brings an operation that nobody knew, as fast and as faulty as such things are.
    pub(super) fn new_operation(&mut self, kind: &'static str, at: i64) {
        let services = self.place.town.services();
        let service = *self.dice.of(&services);
        let to = (at + HOUR).min(self.end());
        let cause = self.benign(kind, at, to);
        let (middle, failing) = (self.dice.about(300.0, 1.0), self.dice.within(0.002, 0.02));
        let gap = self.dice.within(600.0, 5000.0);
        let mut moment = at;
        while moment < to {
            let person = self.place.people.draw(&mut self.dice);
            let failed = self.dice.chance(failing);
            let (level, says) =
                if failed { (Level::Warn, "field {} is not valid") } else { (Level::Info, "preview {} made") };
            let event = LogEvent {
                operation: Some("preview_v2".into()),
                duration_ms: Some(self.dice.about(middle, 0.4).round()),
                success: Some(!failed),
                error_type: (failed && self.place.town.speech.names_errors).then(|| "ValidationError".into()),
                user_id: Some(self.place.people.name(person).into()),
                remote_addr: Some(self.place.people.addr(person).into()),
                ..line::words(service, level, says, &mut self.dice)
            };
            self.line(moment, event, cause);
            moment += self.dice.wait(gap);
        }
    }
}
