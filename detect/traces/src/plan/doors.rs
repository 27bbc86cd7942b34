//! Attacks at the door. Who attacks comes from addresses that nobody of the town has.

use stella_protocol::log::Login;

use super::{About, Cause, Draft, MINUTE, SECOND};
use crate::incident::Kind;
use crate::line::{self, Call};
use crate::people;
use crate::town::{Deed, Fault};

const WRONG: &str = "login failed: wrong password";
const UNKNOWN: &str = "login failed: unknown user";
const LOCKED: &str = "account locked: too many failed attempts";
const WELCOME: &str = "login succeeded";

/// Somebody asks for what is not theirs.
const FORBIDDEN: Fault = Fault { class: "PermissionDenied", says: "not allowed to open {}", loud: false, takes: 0.4 };

impl Draft<'_> {
    pub(super) fn attack(&mut self, kind: Kind, at: i64) {
        match kind {
            Kind::BruteForce => self.brute_force(at),
            Kind::Stuffing => self.stuffing(at),
            Kind::SlowBrute => self.slow_brute(at),
            Kind::Distributed => self.distributed(at),
            Kind::Enumeration if self.dice.chance(0.25) => self.walk(at),
            Kind::Enumeration => self.enumeration(at),
            Kind::Spray => self.spray(at),
            _ => self.breach(at),
        }
    }

    fn about_door(&self, names: Vec<String>, strength: String) -> About {
        let op = &self.place.town.ops[self.place.sign_in];
        About { operation: Some(op.name), service: Some(op.service), names, strength, size: 0.0 }
    }

    fn attempt(&mut self, at: i64, user: &str, addr: &str, (outcome, says): (Login, &'static str), cause: Cause) {
        let took = self.dice.about(self.place.habits[self.place.sign_in].median_ms, 0.3);
        let line = line::sign_in(self.place, (user.to_owned(), addr.to_owned()), outcome, says, took);
        self.line(at, line, cause);
    }

    /// Moments from `at` on, `gap_ms` apart within a third.
    fn moments(&mut self, at: i64, gap_ms: f64, until: i64) -> Vec<i64> {
        let (mut moment, mut moments) = (at as f64, Vec::new());
        while moment < until as f64 {
            moments.push(moment as i64);
            moment += gap_ms * self.dice.within(0.67, 1.33);
        }
        moments
    }

    fn stranger(&self) -> String {
        people::stranger(self.made)
    }

    fn somebody(&mut self) -> String {
        let person = self.place.people.ordinary(&mut self.dice);
        self.place.people.name(person)
    }

    fn brute_force(&mut self, at: i64) {
        let (rate, addr) = (self.dice.within(0.3, 2.0), self.stranger());
        let to = at + self.dice.between(3 * MINUTE, 10 * MINUTE);
        let accounts: Vec<String> = (0..self.dice.between(1, 3)).map(|_| self.somebody()).collect();
        let names = accounts.iter().cloned().chain([addr.clone()]).collect();
        let cause = self.label(Kind::BruteForce, at, to, self.about_door(names, format!("{rate:.1}/s")));
        // Some doors close after ten wrong guesses, and say so.
        let closes = self.dice.chance(0.3);
        for (nth, moment) in self.moments(at, 1000.0 / rate, to).into_iter().enumerate() {
            let account = self.dice.of(&accounts).clone();
            let said = if closes && nth >= 10 { (Login::LockedOut, LOCKED) } else { (Login::Failed, WRONG) };
            self.attempt(moment, &account, &addr, said, cause);
        }
    }

    /// A list of names and passwords from elsewhere: most are strangers here, a few fit.
    fn stuffing(&mut self, at: i64) {
        let (rate, addr) = (self.dice.within(0.3, 2.0), self.stranger());
        let to = at + self.dice.between(3 * MINUTE, 10 * MINUTE);
        let cause = self.label(Kind::Stuffing, at, to, self.about_door(vec![addr.clone()], format!("{rate:.1}/s")));
        for moment in self.moments(at, 1000.0 / rate, to) {
            let (user, said) = if self.dice.chance(0.3) { (self.somebody(), WRONG) } else { (self.guess(), UNKNOWN) };
            let said = if self.dice.chance(0.004) { (Login::Succeeded, WELCOME) } else { (Login::Failed, said) };
            self.attempt(moment, &user, &addr, said, cause);
        }
    }

    fn slow_brute(&mut self, at: i64) {
        let (gap, addr) = (self.dice.within(30.0, 60.0), self.stranger());
        let to = at + self.dice.between(28 * MINUTE, 40 * MINUTE);
        let accounts: Vec<String> = (0..self.dice.between(1, 6)).map(|_| self.somebody()).collect();
        let names = accounts.iter().cloned().chain([addr.clone()]).collect();
        let cause = self.label(Kind::SlowBrute, at, to, self.about_door(names, format!("1 per {gap:.0} s")));
        for moment in self.moments(at, gap * 1000.0, to) {
            let account = self.dice.of(&accounts).clone();
            self.attempt(moment, &account, &addr, (Login::Failed, WRONG), cause);
        }
    }

    fn distributed(&mut self, at: i64) {
        let (account, bots) = (self.somebody(), self.dice.between(8, 40));
        let addrs: Vec<String> = (0..bots).map(|_| people::bot(&mut self.dice)).collect();
        let gap = self.dice.within(4.0, 15.0);
        let to = at + ((self.dice.between(25, 70) as f64) * gap * 1000.0) as i64;
        let names = addrs.iter().cloned().chain([account.clone()]).collect();
        let about = self.about_door(names, format!("{bots} addresses, 1 per {gap:.0} s"));
        let cause = self.label(Kind::Distributed, at, to, about);
        for moment in self.moments(at, gap * 1000.0, to) {
            let addr = self.dice.of(&addrs).clone();
            self.attempt(moment, &account, &addr, (Login::Failed, WRONG), cause);
        }
    }

    /// A leaked list, tried by machines that come once or twice each.
    fn spray(&mut self, at: i64) {
        let gap = self.dice.within(1.0, 4.0);
        let to = at + self.dice.between(4 * MINUTE, 10 * MINUTE);
        let about = self.about_door(Vec::new(), format!("many addresses and accounts, 1 per {gap:.1} s"));
        let cause = self.label(Kind::Spray, at, to, about);
        for moment in self.moments(at, gap * 1000.0, to) {
            let addr = people::bot(&mut self.dice);
            for again in 0..self.dice.between(1, 2) {
                let user = if self.dice.chance(0.3) { self.somebody() } else { self.guess() };
                self.attempt(moment + again * 700, &user, &addr, (Login::Failed, UNKNOWN), cause);
            }
        }
    }

    fn guess(&mut self) -> String {
        format!("guess.{:x}@example.net", self.dice.next() >> 32)
    }

    fn enumeration(&mut self, at: i64) {
        let (rate, addr) = (self.dice.within(0.5, 3.0), self.stranger());
        let to = at + self.dice.between(2 * MINUTE, 8 * MINUTE);
        let about = self.about_door(vec![addr.clone()], format!("unknown users, {rate:.1}/s"));
        let cause = self.label(Kind::Enumeration, at, to, about);
        let first = self.dice.between(1, 900);
        for (nth, moment) in self.moments(at, 1000.0 / rate, to).into_iter().enumerate() {
            let user = format!("info{}@example.net", first + nth as i64);
            self.attempt(moment, &user, &addr, (Login::Failed, UNKNOWN), cause);
        }
    }

    /// Somebody who is signed in asks for one record after the other that is not theirs.
    fn walk(&mut self, at: i64) {
        let (rate, addr, user) = (self.dice.within(0.7, 3.0), self.stranger(), self.somebody());
        let reads = self.place.doing(|deed| deed == Deed::Read);
        let op = loop {
            let op = *self.dice.of(&reads);
            if op != self.place.sign_in {
                break op;
            }
        };
        let to = at + self.dice.between(2 * MINUTE, 8 * MINUTE);
        let about = About {
            names: vec![addr.clone(), user.clone()],
            ..self.about_op(op, format!("others' records, {rate:.1}/s"))
        };
        let cause = self.label(Kind::Enumeration, at, to, about);
        for moment in self.moments(at, 1000.0 / rate, to) {
            let took = self.dice.about(self.place.habits[op].median_ms * FORBIDDEN.takes, 0.3);
            let call = Call::by(op, user.clone(), addr.clone(), took);
            let call = if self.dice.chance(0.9) { call.failing(FORBIDDEN) } else { call };
            let line = call.say(self.place, &mut self.dice);
            self.line(moment, line, cause);
        }
    }

    fn breach(&mut self, at: i64) {
        let (addr, user, failures) = (self.stranger(), self.somebody(), self.dice.between(6, 25));
        let gap = self.dice.within(3.0, 10.0);
        let in_at = at + (failures as f64 * gap * 1000.0) as i64;
        let to = in_at + 3 * MINUTE;
        let about = self.about_door(vec![addr.clone(), user.clone()], format!("in after about {failures}"));
        let cause = self.label(Kind::Breach, at, to, about);
        for moment in self.moments(at, gap * 1000.0, in_at) {
            self.attempt(moment, &user, &addr, (Login::Failed, WRONG), cause);
        }
        self.attempt(in_at, &user, &addr, (Login::Succeeded, WELCOME), cause);
        for nth in 1..self.dice.between(4, 12) {
            let op = self.place.urn.draw(&mut self.dice);
            let took = self.dice.about(self.place.habits[op].median_ms, 0.3);
            let line = Call::by(op, user.clone(), addr.clone(), took).say(self.place, &mut self.dice);
            self.line(in_at + nth * 9 * SECOND, line, cause);
        }
    }
}
