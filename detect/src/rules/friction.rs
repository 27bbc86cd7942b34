//! One person who cannot get on: the same operation fails for them again and again, or has to be
//! tried again and again.
//!
//! Each failure is weighed against what others meet at the operation just now, and against what this
//! person is used to: an outage explains friction, and so does a clumsy hand.

use stella_protocol::{AlertType, Category, LogEvent};

use crate::baseline::{Prior, Share};
use crate::budget::Kind;
use crate::cells::Cells;
use crate::counts::{Minutes, span_start};
use crate::evidence::Card;
use crate::gate::Gate;
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::llr::{Page, outcome};
use crate::mark::{Flags, Mark};
use crate::rules::{Known, Limit, Rules, errors};
use crate::scope::Scope;

mod rage;
mod story;

pub(crate) use rage::{Habit, Presses};
pub(crate) use story::{tell, tell_rage, tell_retries};

const CARD: Card = Card { id: "friction", kind: AlertType::UserFriction, category: Category::UserFriction };
const RETRIES: Card = Card { id: "retries", ..CARD };
const RAGE: Card = Card { id: "rage", ..CARD };
/// Its rules.
pub(crate) const RULES: [&str; 3] = [CARD.id, RETRIES.id, RAGE.id];

/// Failures from which it is high.
const HIGH_FAILURES: f64 = 8.0;
/// Users who must retry from which it is medium.
const MEDIUM_USERS: f64 = 3.0;

/// Share of a person's calls that fail when they are stuck at one thing, and when they are at several: who gets
/// through one time in ten gets on, but other things may work meanwhile.
const STUCK: f64 = 0.95;
const STUCK_SOMEWHERE: f64 = 0.7;
/// What is believed, before it is seen, of how often a failure follows the first one of the same person (one time
/// in sixteen, many times as often as any failure), and how often another follows two or more; and how many failures
/// each is worth.
const AGAIN: [Prior; 2] = [Prior { share: 0.06, worth: 20.0 }, Prior { share: 0.05, worth: 20.0 }];
/// Failures of one run that teach how often another follows: one person before one form must not make it usual.
const TEACHING: u32 = 6;
/// Calls that the usual share of an operation is worth against what others meet just now, and against what
/// a person is used to.
const OTHERS_WORTH: f64 = 10.0;
const OWN_WORTH: f64 = 5.0;
/// Calls of a minute that say what others meet: an outage of one in twenty leaves all of so many alone once in thirteen
/// times.
const OTHERS_ENOUGH: u32 = 50;
/// Of those who failed and then got through, one in four is believed to fail the next time: what works every second
/// time is a nuisance, and nobody is stuck.
const BROKEN: f64 = 0.25;
/// How often somebody who is stuck fails in the same way as the time before, and what is believed of whoever fails twice
/// by chance, with how many failures that is worth. Another way says nothing: one can be stuck at several things.
const SAME: f64 = 0.95;
const SAME_BY_CHANCE: Prior = Prior { share: 0.6, worth: 20.0 };
/// What a threshold may be less where each failure says between two and three nats: chance passes it by half a failure
/// on average, E e^-overshoot = (1 - e^-2.7) / 2.7 (Siegmund 1985, Sequential Analysis, on Wald's bound).
const OVERSHOOT: f64 = 1.0;
/// Nobody is used to more than that.
const MOST_USED_TO: f64 = 0.6;
/// Lines retried too often before they are a problem.
const RETRIED_LINES: usize = 3;

/// A person at an operation.
#[derive(Debug, Default)]
struct Person {
    page: Page,
    at: i64,
    /// Failures in a row, and whether a success came between them and others that are still suspected.
    run: u32,
    broken: bool,
    /// In which way the last one failed: half of its key.
    way: u32,
    /// Somebody was told of these failures, or an outage brought some of them: they teach nothing.
    teaches_nothing: bool,
    failures: Minutes,
    successes: Minutes,
    /// What they are used to, failures of calls, and what is under suspicion.
    used_to: (f32, f32),
    pending: (f32, f32),
}

impl Person {
    /// The share of failures that this person is used to.
    fn used_to(&self, usual: f64) -> f64 {
        let (failed, all) = self.used_to;
        ((f64::from(failed) + usual * OWN_WORTH) / (f64::from(all) + OWN_WORTH)).min(MOST_USED_TO)
    }

    /// Failures in a row by now: what was long ago is another day.
    fn run(&self, at: i64, half_ms: i64) -> u32 {
        if at - self.at > half_ms { 0 } else { self.run }
    }

    /// Failures in a row that are over, by a success or by time, if they say what is usual of people.
    fn end_run(&mut self) -> u32 {
        let run = std::mem::take(&mut self.run);
        if std::mem::take(&mut self.teaches_nothing) { 0 } else { run }
    }

    /// Takes in a failure whose share is usual, a first one's or that of one after others; `again` is what its way of
    /// failing adds.
    fn fail(&mut self, usual: f64, again: f64, at: i64, half_ms: i64) {
        self.page.fade(at - self.at, half_ms as f64);
        // Who is used to failing more often than a stuck person fails is never called stuck.
        self.page.add(outcome(true, usual, STUCK).max(0.0) + again, at);
        self.pending = (self.pending.0 + 1.0, self.pending.1 + 1.0);
        (self.at, self.run) = (at, self.run(at, half_ms) + 1);
        self.failures.add(at);
    }

    /// Takes in a success, which speaks against being stuck; while that is suspected, the next failure is one more.
    fn succeed(&mut self, usual: f64, at: i64, half_ms: i64) {
        self.page.fade(at - self.at, half_ms as f64);
        self.page.add(outcome(false, usual, STUCK).min(0.0), at);
        self.pending.1 += 1.0;
        (self.at, self.run, self.broken) = (at, 0, self.page.suspects());
        if !self.page.suspects() {
            let (failed, all) = std::mem::take(&mut self.pending);
            self.used_to = (self.used_to.0 + failed, self.used_to.1 + all);
        }
        self.successes.add(at);
    }
}

/// A person at all operations together.
#[derive(Debug, Default)]
struct Day {
    page: Page,
    at: i64,
    /// Failures in a row, whatever of, and whether a success came between them and others.
    run: u32,
    broken: bool,
    /// Failures since the suspicion began, and the key of the problem that was told.
    failures: u32,
    told: u64,
}

impl Day {
    /// Takes in a call; `stuck` is the share of failures that it is held against.
    fn take(&mut self, failed: bool, usual: f64, stuck: f64, (at, half_ms): (i64, i64)) {
        self.page.fade(at - self.at, half_ms as f64);
        let llr = outcome(failed, usual.min(stuck), stuck);
        self.page.add(if failed { llr } else { llr.min(0.0) }, at);
        self.at = at;
        self.run = if failed { self.run + 1 } else { 0 };
        self.broken = self.page.suspects() && (self.broken || !failed);
        self.failures = if self.page.suspects() { self.failures + u32::from(failed) } else { 0 };
    }
}

/// Everybody who failed lately.
#[derive(Debug)]
pub(crate) struct People {
    cells: Cells<Person>,
    days: Cells<Day>,
    /// How often a failure follows the first one, and how often later ones.
    again: [Share; 2],
    /// How often one that follows is of the same way.
    same: Share,
    /// Failures at each operation of those who are known to be stuck there: whoever stands before the same form
    /// next is not explained by them.
    stuck: Cells<Minutes>,
}

fn key_of(op: u64, user: u64) -> u64 {
    key::join(&[key::own(CARD.id), op, user])
}

impl People {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            cells: Cells::new(rules.people),
            days: Cells::new(rules.people),
            again: [Share::default(); 2],
            same: Share::default(),
            stuck: Cells::new(rules.operations),
        }
    }

    /// True for somebody who failed lately: what they do next counts one by one.
    pub(crate) fn are_watching(&self, user: u64) -> bool {
        self.days.get(user).is_some()
    }

    /// The share of failures that is usual after so many of the same person.
    fn again(&self, run: u32) -> f64 {
        let stage = usize::from(run > 1);
        self.again[stage].usual(AGAIN[stage])
    }

    /// Learns from so many failures in a row, once they are over: whoever is stuck must not make it usual. That there
    /// was a first one is learned at once.
    fn learn(&mut self, run: u32, at: i64) {
        if run > 1 {
            let later = run.min(TEACHING) - 1;
            self.again[0].teach(1, 0, at);
            self.again[1].teach(later - 1, later, at);
        }
    }

    /// A line of a user.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        near: Near<'_>,
        gate: &mut Gate,
        mark: &Mark,
        event: &LogEvent<'_>,
    ) {
        let Near { recent, rules, .. } = near;
        let Some(user) = &event.user_id else { return };
        let failed = mark.is_error();
        if !failed && self.cells.is_empty() {
            return;
        }
        let (key, now) = (key_of(mark.op, mark.user), recent.now);
        let Some(cell) = recent.ops.get(mark.op) else { return };
        let usual = cell.faults.usual(recent.is_being_deployed(mark.service));
        // What an outage brings teaches nothing of people.
        let ordinary = || !cell.faults.failing && cell.faults.score() < near.budget.needed(Kind::Errors) / 2.0;
        if !failed {
            let person = self.cells.touch(key);
            if let Some(day) = self.days.touch(mark.user) {
                // What failed and works now says more than what always worked.
                let stuck = if person.is_some() { STUCK } else { STUCK_SOMEWHERE };
                day.take(false, usual, stuck, (now, rules.security_window_ms));
            }
            if let Some(person) = person {
                let over = person.end_run();
                person.succeed(usual.max(person.used_to(usual)), now, rules.security_window_ms);
                if over > 1 && ordinary() {
                    self.learn(over, now);
                }
            }
            return;
        }
        let known = gate.knows(key, now);
        if self.days.get(mark.user).is_none() && !known && !gate.knows(mark.user, now) {
            self.again[0].teach(0, 1, now);
            return;
        }
        let (second, later) = (self.again(1), self.again(2));
        let (run, over) = self.fail(near, mark, usual, (second, later), known);
        if ordinary() {
            self.again[0].teach(0, u32::from(run == 1), now);
            self.learn(over, now);
        } else if let Some(person) = self.cells.touch(key) {
            // The outage may be over when their run is.
            person.teaches_nothing = true;
        }
        let (Some(person), Some(day)) = (self.cells.get(key), self.days.touch(mark.user)) else { return };
        let failures = person.failures.sum(now, rules.slow_window_ms);
        let counted = cell.tuned.reaches(Limit::UserFailures, rules.fixed.then_some(rules.friction_errors), failures);
        let needed = near.needed(Kind::Friction, Known::Friction, mark.op) - OVERSHOOT;
        let here = failures > rules.friction_errors && person.page.score >= needed;
        let anywhere = day.failures > rules.friction_errors && day.page.score >= needed;
        let began = person.page.began.min(day.page.began);
        if desk.touch(key, now) {
            self.stuck.touch_or(mark.op, Minutes::default).add(now);
            return;
        }
        if desk.touch(day.told, now) || desk.touch(rage::key_of(mark.op, mark.user), now) {
            return;
        }
        if !(here || anywhere || counted) || user.len() > key::LONGEST_NAME {
            return;
        }
        day.told = key;
        let stuck = self.stuck.touch_or(mark.op, Minutes::default);
        (0..failures).for_each(|_| stuck.add(now));
        if let Some(person) = self.cells.touch(key) {
            person.teaches_nothing = true;
        }
        self.cells.promote(key);
        self.days.promote(mark.user);
        let place = if here || counted { Scope::of_op(&cell.name) } else { Scope::default() };
        let scope = place.errors().by_user(user.raw());
        let (marks, _) = recent.walk(&scope, recent.span_from(began.min(now - rules.slow_window_ms)));
        let first = marks.first().map_or(now, |mark| mark.at);
        let subject = Subject::Friction { op: cell.name.clone(), user: user.raw().into() };
        desk.open(near, key, subject, first, marks.len() as u64);
    }

    /// A failure of somebody who failed before, here or elsewhere; how many in a row it makes here, and how many there
    /// were that time has ended.
    fn fail(&mut self, near: Near<'_>, mark: &Mark, usual: f64, again: (f64, f64), known_here: bool) -> (u32, u32) {
        let (key, now, half_ms) = (key_of(mark.op, mark.user), near.recent.now, near.rules.security_window_ms);
        let after = |run: u32, broken: bool, first: f64| match (run, broken) {
            (0, false) => first,
            (0, true) => BROKEN.max(first),
            (1, _) => again.0.max(first),
            _ => again.1.max(first),
        };
        let fresh = self.cells.get(key).is_none();
        let person = self.cells.touch_or(key, Person::default);
        let stuck = self.stuck.get(mark.op);
        let first = others(near, mark.op, (person, stuck), usual).max(person.used_to(usual));
        if fresh && known_here && !succeeded_since(near, mark) {
            // The failure that the gate saw.
            person.fail(first, 0.0, now, half_ms);
        }
        let over = if person.run(now, half_ms) == 0 { person.end_run() } else { 0 };
        let way = (errors::kind_of(mark) >> 32) as u32;
        let follows = person.run(now, half_ms) > 0 && person.way != 0;
        let same = std::mem::replace(&mut person.way, way) == way && follows;
        let says = if same { (SAME / self.same.usual(SAME_BY_CHANCE)).ln().max(0.0) } else { 0.0 };
        person.fail(after(person.run(now, half_ms), person.broken, first), says, now, half_ms);
        let run = person.run;
        if follows && person.page.score < near.needed(Kind::Friction, Known::Friction, mark.op) / 2.0 {
            self.same.teach(u32::from(same), 1, now);
        }
        let day = self.days.touch_or(mark.user, Day::default);
        if day.at == 0 {
            day.take(true, first, STUCK_SOMEWHERE, (now, half_ms));
        }
        day.take(true, after(day.run, day.broken, first), STUCK_SOMEWHERE, (now, half_ms));
        (run, over)
    }
}

/// True when the user of a line got through its operation lately: then their last failure there is no part of this.
fn succeeded_since(near: Near<'_>, mark: &Mark) -> bool {
    let Some(cell) = near.recent.ops.get(mark.op) else { return false };
    let scope = Scope::of_op(&cell.name).lacking(Flags::FAILED);
    let (marks, _) = near.recent.walk(&scope, near.recent.span(near.rules.window_ms));
    marks.iter().any(|other| other.user == mark.user)
}

/// The share of failures that others meet at an operation just now: an outage explains friction, one that is over does
/// not. In the last minute; where that has too few calls to say, in the last five if that is more. Those who are known
/// to be `stuck` are no outage.
fn others(near: Near<'_>, op: u64, (person, stuck): (&Person, Option<&Minutes>), usual: f64) -> f64 {
    let (recent, window_ms) = (near.recent, near.rules.window_ms);
    let Some(cell) = recent.ops.get(op) else { return usual };
    let sum = |window_ms| {
        let sum = cell.history.sum(span_start(recent.now, window_ms), recent.now);
        (sum.failed, sum.calls)
    };
    // The line under way is among the operation's, and among the person's own only later; so is the one that
    // the gate saw.
    let unseen = if person.at == 0 { 2 } else { 1 };
    let share = |(failed, calls): (u32, u32), since_ms: i64| {
        let stuck = stuck.map_or(0, |stuck| stuck.sum(recent.now, since_ms));
        let own = person.failures.sum(recent.now, since_ms) + unseen + stuck;
        let all = own + person.successes.sum(recent.now, since_ms);
        let (failed, calls) = (failed.saturating_sub(own), calls.saturating_sub(all));
        (f64::from(failed) + usual * OTHERS_WORTH) / (f64::from(calls) + OTHERS_WORTH)
    };
    let (minute, slow_ms) = (sum(window_ms), near.rules.slow_window_ms);
    let now = share(minute, window_ms);
    let lately = if minute.1 < OTHERS_ENOUGH { share(sum(slow_ms), slow_ms) } else { now };
    usual.max(now).max(lately).min(1.0 - f64::EPSILON)
}

/// A line that was retried too often.
pub(crate) fn observe_retry(desk: &mut Desk, near: Near<'_>, mark: &Mark) {
    let Near { recent, rules, .. } = near;
    let key = key::join(&[key::own(RETRIES.id), mark.op]);
    let Some(cell) = recent.ops.get(mark.op) else { return };
    if desk.touch(key, recent.now) || cell.faults.failing {
        return;
    }
    if cell.faults.retries().score < near.needed(Kind::Friction, Known::Retries, mark.op) {
        return;
    }
    let scope = Scope::of_op(&cell.name).retried(rules.retries);
    let (marks, _) = recent.walk(&scope, recent.span(rules.slow_window_ms));
    if marks.len() >= RETRIED_LINES {
        let first = marks.first().map_or(recent.now, |mark| mark.at);
        desk.open(near, key, Subject::Retries(cell.name.clone()), first, marks.len() as u64);
    }
}

keep_fields!(Person { page, at, run, broken, way, teaches_nothing, failures, successes, used_to, pending });
keep_fields!(Day { page, at, run, broken, failures, told });
keep_fields!(People { cells, days, again, same, stuck });
