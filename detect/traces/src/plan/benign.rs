//! What looks wrong and is not: what an on-call engineer does not want to be woken for.

use std::collections::BTreeSet;

use stella_protocol::Level;
use stella_protocol::log::{LogEvent, Login};

use super::{Cause, Draft, HOUR, MINUTE, SECOND, What, stamp};
use crate::incident::Benign;
use crate::line::{self, Call};
use crate::town::{Deed, Fault, Shape};

/// All kinds. What comes in every trace is not here: waves of the day, single strangers at the door, people who
/// mistype, ordinary failures.
const KINDS: [&str; 22] = [
    "traffic wave",
    "popular slow report",
    "batch under its own name",
    "batch under an ordinary name",
    "deploy with a marker",
    "restart without a marker",
    "clumsy person",
    "office comes to work",
    "passwords expire",
    "clock skew",
    "late lines",
    "lines twice",
    "retries that succeed",
    "rare known error",
    "chatter",
    "release with new messages",
    "somebody cleans up",
    "backup fills the disk",
    "polling client",
    "button pressed twice",
    "crawler",
    "new operation",
];

/// What a restart makes of calls under way.
const RESET: Fault =
    Fault { class: "ConnectionReset", says: "connection to {} was reset by peer", loud: true, takes: 1.2 };

/// What new releases say, harmlessly.
const NEWS: [(Level, &str); 6] = [
    (Level::Warn, "header x-client is deprecated, client {} still sends it"),
    (Level::Info, "feature flag 'compact' evaluated for {}"),
    (Level::Warn, "config key 'retry.max' is not used any more, value {}"),
    (Level::Info, "plan {} prepared"),
    (Level::Warn, "falling back to the default locale for {}"),
    (Level::Info, "warm start with {} entries"),
];

/// Errors that everybody who runs the place knows.
const KNOWN: [(&str, &str); 4] = [
    ("ReplicaLag", "replica is {} ms behind"),
    ("MailBounced", "message {} came back"),
    ("ThumbnailFailed", "picture {} cannot be drawn"),
    ("WebhookRefused", "receiver of hook {} answered 410"),
];

impl Draft<'_> {
    /// Eleven kinds in each trace, three times that in a long one; the rare error and the backup from the start on.
    pub(super) fn confounders(&mut self) {
        let mut kinds = KINDS;
        let rounds = if self.span == super::Span::Days { 3 } else { 1 };
        for _ in 0..rounds {
            self.dice.shuffle(&mut kinds);
            for kind in &kinds[..11] {
                // A fifth of them while there is still everything to learn.
                let from = self.span.from() + self.span.warm_up_ms() / 3;
                let at = self.dice.between(from, self.end() - 25 * MINUTE);
                self.confound(kind, at);
            }
        }
    }

    pub(super) fn benign(&mut self, kind: &'static str, from: i64, to: i64) -> Cause {
        self.out.benign.push(Benign { kind, from: stamp(from), to: stamp(to) });
        Cause::Benign(self.out.benign.len() - 1)
    }

    fn confound(&mut self, kind: &'static str, at: i64) {
        self.made += 1;
        match kind {
            "traffic wave" | "popular slow report" | "chatter" | "backup fills the disk" => self.more_of(kind, at),
            "batch under its own name" | "batch under an ordinary name" => self.batch(kind, at),
            "deploy with a marker" | "restart without a marker" => self.restart(kind, at),
            "clock skew" | "late lines" | "lines twice" => self.transport(kind, at),
            "office comes to work" | "passwords expire" => self.crowd_at_the_door(kind, at),
            "rare known error" => self.rare_error(kind),
            "release with new messages" => self.new_messages(kind, at),
            "polling client" | "button pressed twice" => self.presses(kind, at),
            "crawler" => self.crawler(kind, at),
            "new operation" => self.new_operation(kind, at),
            _ => self.somebody_does(kind, at),
        }
    }

    fn more_of(&mut self, kind: &'static str, at: i64) {
        let to = at + self.dice.between(10 * MINUTE, 20 * MINUTE);
        let what = match kind {
            "traffic wave" => What::Traffic(self.dice.within(1.7, 5.0)),
            "popular slow report" => {
                let reports = self.place.doing(|deed| deed == Deed::Reports);
                What::Popular { op: *self.dice.of(&reports), times: self.dice.within(5.0, 15.0) }
            }
            "chatter" if self.dice.chance(0.3) => What::Chatter(0.2),
            "chatter" => What::Chatter(self.dice.within(4.0, 12.0)),
            _ => {
                let gauges = self.place.town.gauges;
                let disk = gauges.iter().position(|gauge| gauge.shape == Shape::Steady).unwrap_or(0);
                // Writes a tenth of what is free, and removes it when it has been sent away.
                let free = gauges[disk].limit - gauges[disk].level;
                What::Gauge { gauge: disk, from: 0.0, to: free * self.dice.within(0.05, 0.1) }
            }
        };
        let cause = self.benign(kind, at, to);
        self.effect(at, to, what, cause);
    }

    /// Slow and many, by a machine: an import of its own name, or a job that asks for what people ask for, each
    /// time for much.
    fn batch(&mut self, kind: &'static str, at: i64) {
        // By night, where there is one.
        let at = if self.span == super::Span::Days { 26 * HOUR + self.dice.between(0, HOUR) } else { at };
        let to = at + self.dice.between(12 * MINUTE, 25 * MINUTE);
        let cause = self.benign(kind, at, to);
        let gap = self.dice.within(800.0, 3000.0);
        let reads = self.place.doing(|deed| matches!(deed, Deed::Read | Deed::Lists(_)));
        let op = *self.dice.of(&reads);
        let mut moment = at;
        while moment < to {
            let event = if kind == "batch under its own name" {
                let took = self.dice.about(6000.0, 0.5);
                let words = line::words("batch", Level::Info, "import part {} done", &mut self.dice);
                LogEvent {
                    operation: Some("nightly_import".into()),
                    duration_ms: Some(took),
                    success: Some(true),
                    ..words
                }
            } else {
                let took = self.dice.about(self.place.habits[op].median_ms * 3.0, 0.3);
                Call::by(op, "svc-batch".to_owned(), "192.0.2.250".to_owned(), took).say(self.place, &mut self.dice)
            };
            self.line(moment, event, cause);
            moment += self.dice.wait(gap);
        }
    }

    /// A release with its marker costs some calls and a cold cache; a restart that nobody announces less.
    fn restart(&mut self, kind: &'static str, at: i64) {
        let services = self.place.town.services();
        let service = *self.dice.of(&services);
        let marked = kind == "deploy with a marker";
        let (share, lasts, cold) = if marked {
            (self.dice.within(0.05, 0.2), self.dice.between(15, 40) * SECOND, self.dice.within(1.3, 1.8))
        } else {
            (self.dice.within(0.05, 0.12), self.dice.between(3, 8) * SECOND, self.dice.within(1.1, 1.4))
        };
        let cause = self.benign(kind, at, at + lasts + 40 * SECOND);
        let says = if marked { "deployed release r{}" } else { "listening on port {}" };
        let said_at = if marked { at - 2 * SECOND } else { at + lasts };
        let line = line::words(service, Level::Info, says, &mut self.dice);
        self.line(said_at, line, cause);
        let ops = self.place.town.ops;
        for op in (0..ops.len()).filter(|op| ops[*op].service == service) {
            self.effect(at, at + lasts, What::Fail { op: Some(op), share, fault: RESET }, cause);
            self.effect(at, at + lasts + 40 * SECOND, What::Slow { op: Some(op), from: cold, to: 1.0 }, cause);
        }
    }

    /// What happens to lines on their way.
    fn transport(&mut self, kind: &'static str, at: i64) {
        let services = self.place.town.services();
        let service = *self.dice.of(&services);
        let (to, what) = match kind {
            "clock skew" => {
                let ms = self.dice.between(8, 25) * SECOND * if self.dice.chance(0.5) { 1 } else { -1 };
                (at + self.dice.between(8 * MINUTE, 20 * MINUTE), What::Skew { service, ms })
            }
            "late lines" => (at + self.dice.between(15, 50) * SECOND, What::Hold(service)),
            _ => {
                let after_ms = self.dice.between(5, 90) * SECOND;
                (at + self.dice.between(20, 120) * SECOND, What::Twice { service, after_ms })
            }
        };
        let cause = self.benign(kind, at, to);
        self.effect(at, to, what, cause);
    }

    fn welcome(&mut self, at: i64, person: usize, wrong: i64, cause: Cause) {
        let (name, addr) = (self.place.people.name(person), self.place.people.addr(person));
        let mut moment = at;
        for attempt in 0..=wrong {
            let (outcome, says) = if attempt < wrong {
                (Login::Failed, "login failed: wrong password")
            } else {
                (Login::Succeeded, "login succeeded")
            };
            let took = self.dice.about(self.place.habits[self.place.sign_in].median_ms, 0.3);
            let event = line::sign_in(self.place, (name.clone(), addr.clone()), outcome, says, took);
            self.line(moment, event, cause);
            moment += self.dice.between(5, 25) * SECOND;
        }
    }

    /// Many people sign in within minutes, a few with the wrong password first.
    fn crowd_at_the_door(&mut self, kind: &'static str, at: i64) {
        let to = at + self.dice.between(8 * MINUTE, 15 * MINUTE);
        let most = self.dice.between(20, 60) as usize;
        let (crowd, wrong) = if kind == "office comes to work" {
            let office = self.dice.below(self.place.town.offices.1);
            (self.place.people.at_office(office, most), 0.12)
        } else {
            // Everybody's password was changed: half of them try the old one first.
            let crowd: BTreeSet<usize> = (0..most / 2).map(|_| self.place.people.ordinary(&mut self.dice)).collect();
            (crowd.into_iter().collect(), 0.5)
        };
        let cause = self.benign(kind, at, to);
        for person in crowd {
            let fails = if self.dice.chance(wrong) { self.dice.between(1, 2) } else { 0 };
            let moment = self.dice.between(at, to);
            self.welcome(moment, person, fails, cause);
        }
    }

    /// A few an hour, all the time, now and then two or three together.
    fn rare_error(&mut self, kind: &'static str) {
        let (class, says) = KNOWN[self.made % KNOWN.len()];
        let (from, to) = (self.span.from(), self.end());
        let cause = self.benign(kind, from, to);
        let services = self.place.town.services();
        let service = *self.dice.of(&services);
        let mut moment = from + self.dice.between(MINUTE, 9 * MINUTE);
        while moment < to {
            let together = if self.dice.chance(0.2) { self.dice.between(2, 3) } else { 1 };
            for nth in 0..together {
                let mut event = line::words(service, Level::Error, says, &mut self.dice);
                event.error_type = self.place.town.speech.names_errors.then(|| class.into());
                self.line(moment + nth * 700, event, cause);
            }
            moment += self.dice.wait(11.0 * MINUTE as f64);
        }
    }

    /// From then on new words are said, half of the time with a marker of the release.
    fn new_messages(&mut self, kind: &'static str, at: i64) {
        let (level, says) = NEWS[self.made % NEWS.len()];
        let services = self.place.town.services();
        let service = *self.dice.of(&services);
        let to = (at + HOUR).min(self.end());
        let cause = self.benign(kind, at, to);
        if self.dice.chance(0.5) {
            let marker = line::words(service, Level::Info, "deployed release r{}", &mut self.dice);
            self.line(at, marker, cause);
        }
        let gap = self.dice.within(500.0, 20_000.0);
        let mut moment = at + self.dice.wait(gap);
        while moment < to {
            let event = line::words(service, level, says, &mut self.dice);
            self.line(moment, event, cause);
            moment += self.dice.wait(gap);
        }
    }

    /// One person who gets there in the end, whose client does, or who means it.
    fn somebody_does(&mut self, kind: &'static str, at: i64) {
        let person = self.place.people.ordinary(&mut self.dice);
        let (name, addr) = (self.place.people.name(person), self.place.people.addr(person));
        let op = match kind {
            "somebody cleans up" => *self.dice.of(&self.place.doing(|deed| matches!(deed, Deed::Lists(_)))),
            _ => self.place.urn.draw(&mut self.dice),
        };
        let fault = self.place.town.ops[op].faults[0];
        let mut calls: Vec<Call> = Vec::new();
        let took = self.dice.about(self.place.habits[op].median_ms, 0.3);
        let call = || Call::by(op, name.clone(), addr.clone(), took);
        match kind {
            "clumsy person" => {
                calls.extend((0..self.dice.between(2, 3)).map(|_| call().failing(fault)));
                calls.push(call());
            }
            "somebody cleans up" => {
                let owned = self.place.people.owned(person).min(12);
                calls.extend((0..=owned).rev().map(|left| Call { count: Some(left), ..call() }));
            }
            _ => {
                for _ in 0..self.dice.between(12, 30) {
                    if self.place.town.speech.counts_retries {
                        let retries = self.dice.between(1, 2) as u32;
                        calls.push(Call { retries, ..call() });
                    } else {
                        calls.extend([call().failing(Fault { loud: false, ..RESET }), call()]);
                    }
                }
            }
        }
        let gap = if kind == "retries that succeed" { (1, 5) } else { (6, 25) };
        let mut moment = at;
        let mut lines = Vec::new();
        for call in calls {
            lines.push((moment, call.say(self.place, &mut self.dice)));
            moment += self.dice.between(gap.0, gap.1) * SECOND;
        }
        let cause = self.benign(kind, at, moment);
        for (at, event) in lines {
            self.line(at, event, cause);
        }
    }
}
