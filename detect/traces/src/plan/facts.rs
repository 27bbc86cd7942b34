//! People who cannot get on, and stored data that cannot be true.

use stella_protocol::Level;

use super::{About, Cause, Draft, MINUTE, SECOND, What};
use crate::dice::{Dice, Urn};
use crate::incident::Kind;
use crate::line::{self, Call};
use crate::town::Deed;

/// What applications say when they notice.
const SAID: [(Level, &str, &str); 8] = [
    (Level::Warn, "OwnerMismatch", "owner mismatch: record {} is listed for another account"),
    (Level::Warn, "OrphanedRecord", "orphaned record {}: its parent does not exist"),
    (Level::Error, "ChecksumMismatch", "checksum mismatch in block {}"),
    (Level::Error, "InconsistentState", "inconsistent totals: sum of parts differs by {}"),
    (Level::Warn, "DanglingReference", "dangling reference to document {}"),
    (Level::Error, "CorruptRecord", "corrupt record {}: cannot be decoded"),
    (Level::Warn, "CountMismatch", "count mismatch: index has {} entries more than the table"),
    (Level::Error, "OrphanedPayment", "payment {} has no order (orphan)"),
];

/// What cannot be, said once.
const IMPOSSIBLE: [(Level, &str, &str); 5] = [
    (Level::Error, "InvariantViolated", "inconsistent: balance of {} is below zero"),
    (Level::Error, "TimeInconsistent", "inconsistent: record {} was changed before it was made"),
    (Level::Error, "DuplicateCurrent", "mismatch: two current versions of document {}"),
    (Level::Warn, "OrphanedFile", "orphaned file {} without an owner"),
    (Level::Error, "CorruptIndex", "index page {} is corrupt"),
];

impl Draft<'_> {
    /// One person fails at one thing, or at two or three, with little between that works.
    pub(super) fn friction(&mut self, at: i64) {
        let person = self.place.people.ordinary(&mut self.dice);
        let (name, addr) = (self.place.people.name(person), self.place.people.addr(person));
        let failures = self.dice.between(4, 12);
        let kinds = if self.dice.chance(0.7) { 1 } else { self.dice.between(2, 3) };
        let gap = self.dice.within(5.0, 35.0);
        let to = at + (failures as f64 * gap * 1300.0) as i64;
        let ops: Vec<usize> = (0..kinds).map(|_| self.asked_for(at, to)).collect();
        let mut about = self.about_op(ops[0], format!("{failures} failures"));
        about.names = vec![name.clone()];
        let cause = self.label(Kind::Friction, at, to, about);
        self.effect(at - MINUTE, to, What::Away { person }, cause);
        let mut moment = at;
        for _ in 0..failures {
            let op = *self.dice.of(&ops);
            let habit = self.place.habits[op];
            let fault = self.place.town.ops[op].faults[0];
            let took = self.dice.about(habit.median_ms * fault.takes, 0.3);
            let line = Call::by(op, name.clone(), addr.clone(), took).failing(fault).say(self.place, &mut self.dice);
            self.line(moment, line, cause);
            if self.dice.chance(0.2) {
                let other = self.place.urn.draw(&mut self.dice);
                let took = self.dice.about(self.place.habits[other].median_ms, 0.3);
                let line = Call::by(other, name.clone(), addr.clone(), took).say(self.place, &mut self.dice);
                self.line(moment + 2 * SECOND, line, cause);
            }
            moment += (gap * 1000.0 * self.dice.within(0.6, 1.4)) as i64;
        }
    }

    /// An operation as often as people ask for it, of those that nothing else is the matter with.
    fn asked_for(&mut self, from: i64, to: i64) -> usize {
        let free = self.untroubled((0..self.place.weights.len()).collect(), from, to);
        let weights = free.iter().map(|op| self.place.weights[*op]);
        free[Urn::new(weights).draw(&mut self.dice)]
    }

    /// Somebody who was at work before presses the same button, which does something each time and shows nothing.
    pub(super) fn rage(&mut self, at: i64) {
        let person = self.place.people.ordinary(&mut self.dice);
        let (name, addr) = (self.place.people.name(person), self.place.people.addr(person));
        let (presses, pause) = (self.dice.between(10, 25), self.dice.within(0.6, 2.0));
        let op = self.asked_for(at, at + 2 * MINUTE);
        let habit = self.place.habits[op];
        let spent = (pause * 1000.0 + habit.median_ms) * presses as f64 * 1.5;
        let about = About { names: vec![name.clone()], ..self.about_op(op, format!("{presses} presses")) };
        let cause = self.label(Kind::Rage, at, at + spent as i64, about);
        self.effect(at - 12 * MINUTE, at + spent as i64, What::Away { person }, cause);
        let mut moment = at - 11 * MINUTE;
        while moment < at - 20 * SECOND {
            let other = self.place.urn.draw(&mut self.dice);
            let took = self.dice.about(self.place.habits[other].median_ms, 0.3);
            let line = Call::by(other, name.clone(), addr.clone(), took).say(self.place, &mut self.dice);
            self.line(moment, line, Cause::Ordinary);
            moment += self.dice.between(15, 60) * SECOND;
        }
        let fault = self.place.town.ops[op].faults[0];
        let fails_first = self.dice.chance(0.3);
        let mut moment = at;
        for nth in 0..presses {
            let took = self.dice.about(habit.median_ms, 0.3);
            let call = Call::by(op, name.clone(), addr.clone(), took);
            let call = if nth == 0 && fails_first { call.failing(fault) } else { call };
            let line = call.say(self.place, &mut self.dice);
            self.line(moment, line, cause);
            moment += (took + pause * 1000.0 * self.dice.within(0.5, 1.6)) as i64;
        }
    }

    /// What an operation calls answers at the third try; where clients do not say how often they tried, somebody fails.
    pub(super) fn retried(&mut self, at: i64, most_ms: i64) {
        if !self.place.town.speech.counts_retries {
            return self.friction(at);
        }
        let to = at + self.dice.between(most_ms / 2, most_ms);
        let busy = self.untroubled(self.place.busy(60.0 / self.span.daylight(at), most_ms), at, to);
        let (op, share) = (*self.dice.of(&busy), self.dice.within(0.1, 0.33));
        let cause = self.label(Kind::Retried, at, to, self.about_op(op, format!("{:.0} %", share * 100.0)));
        self.effect(at, to, What::Retry { op, share }, cause);
    }

    pub(super) fn contradiction(&mut self, kind: Kind, at: i64, most_ms: i64) {
        match kind {
            Kind::ContradictionBurst => self.burst(at),
            Kind::ImpossibleFact => {
                let op = self.any(|deed| deed == Deed::Writes);
                let said = *self.dice.of(&IMPOSSIBLE);
                let cause = self.label(kind, at, at + MINUTE, self.about_op(op, said.1.to_owned()));
                let line = line::contradiction(self.place, op, said, None, &mut self.dice);
                self.line(at, line, cause);
            }
            Kind::Vanished => self.vanished(at),
            Kind::ZeroResults => {
                let op = self.any(|deed| matches!(deed, Deed::Searches(_)));
                let to = at + self.dice.between(most_ms / 2, most_ms);
                let cause = self.label(kind, at, to, self.about_op(op, "finds nothing".to_owned()));
                self.effect(at, to, What::FindsNothing { op }, cause);
            }
            _ => self.wrong_form(at),
        }
    }

    fn any(&mut self, wanted: impl Fn(Deed) -> bool) -> usize {
        let ops = self.place.doing(wanted);
        *self.dice.of(&ops)
    }

    fn burst(&mut self, at: i64) {
        let lines = self.dice.between(6, 30);
        let to = at + self.dice.between(30 * SECOND, 5 * MINUTE);
        let op = self.any(|deed| matches!(deed, Deed::Writes | Deed::Lists(_)));
        let said = *self.dice.of(&SAID);
        let mut about = self.about_op(op, format!("{lines} lines, {}", said.1));
        about.names.extend(about.service.map(str::to_owned));
        let cause = self.label(Kind::ContradictionBurst, at, to, about);
        for nth in 0..lines {
            let moment = if nth == 0 { at } else { self.dice.between(at, to) };
            let user = self.dice.chance(0.5).then(|| self.place.people.ordinary(&mut self.dice));
            let user = user.map(|person| self.place.people.name(person));
            let line = line::contradiction(self.place, op, said, user, &mut self.dice);
            self.line(moment, line, cause);
        }
    }

    /// Seen with their things twice, then without, two to four times.
    fn vanished(&mut self, at: i64) {
        let op = self.any(|deed| matches!(deed, Deed::Lists(_)));
        // How many are looked at depends on who is there; what else happens does not.
        let mut dice = Dice::new(self.dice.next(), "owner");
        let person = loop {
            let person = self.place.people.ordinary(&mut dice);
            if self.place.people.owned(person) >= 5 {
                break person;
            }
        };
        let (name, addr, owned) =
            (self.place.people.name(person), self.place.people.addr(person), self.place.people.owned(person));
        let again = self.dice.between(2, 4);
        let about = About { names: vec![name.clone()], ..self.about_op(op, format!("{owned} gone")) };
        let cause = self.label(Kind::Vanished, at, at + again * 2 * MINUTE, about);
        self.effect(at, self.end(), What::OwnsNothing { person }, cause);
        for visit in -2..again {
            let moment = at + visit * MINUTE + if visit < 0 { -9 * MINUTE } else { 0 };
            let took = self.dice.about(self.place.habits[op].median_ms, 0.3);
            let call = Call {
                count: Some(if visit < 0 { owned } else { 0 }),
                ..Call::by(op, name.clone(), addr.clone(), took)
            };
            let line = call.say(self.place, &mut self.dice);
            self.line(moment, line, if visit < 0 { Cause::Ordinary } else { cause });
        }
    }

    /// A job that was forgotten still writes under ids as they once were.
    fn wrong_form(&mut self, at: i64) {
        let op = self.any(|deed| deed == Deed::Writes);
        let writes = self.dice.between(3, 14);
        let gap = self.dice.within(5.0, 25.0);
        let to = at + (writes as f64 * gap * 1000.0) as i64;
        let mut about = self.about_op(op, format!("{writes} writes"));
        let people: Vec<usize> = (0..writes).map(|_| self.place.people.ordinary(&mut self.dice)).collect();
        for person in &people {
            about.names.extend([self.place.people.name(*person), self.place.people.wrong_name(*person)]);
        }
        let cause = self.label(Kind::WrongForm, at, to, about);
        for (nth, person) in people.into_iter().enumerate() {
            let took = self.dice.about(self.place.habits[op].median_ms, 0.3);
            let by = Call::by(op, self.place.people.name(person), self.place.people.addr(person), took);
            let call = Call { owner: Some(self.place.people.wrong_name(person)), ..by };
            let line = call.say(self.place, &mut self.dice);
            self.line(at + (nth as f64 * gap * 1000.0) as i64, line, cause);
        }
    }
}
