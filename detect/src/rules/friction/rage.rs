//! Rage: one person does the same again and again with hardly a pause between, though it does not fail, or right
//! after it failed.
//!
//! Each call that follows the one before at once is weighed against how often that is so at this operation (who turns
//! pages repeats all day) and with this person. Machines are no rage: what comes at an even pace, from whoever never
//! does anything else, or was not here before. Nothing is looked at while the operation fails or is slow for
//! all: then everybody repeats.
//!
//! Memory of calls is a table of fixed size: whoever invents names makes it forget presses of the last seconds, and
//! nothing else.

use stella_protocol::LogEvent;

use super::{OVERSHOOT, RAGE};
use crate::baseline::{Prior, Share};
use crate::budget::Kind;
use crate::incident::{Desk, Near, Subject};
use crate::keep::{Keep, Reader, keep_fields};
use crate::key;
use crate::llr::outcome;
use crate::mark::Mark;
use crate::recent::OpCell;
use crate::rules::{Known, Rules, probe};

/// A call within so many milliseconds of the answer before is a repetition: who reads the answer takes longer.
const AT_ONCE_MS: i64 = 3000;
/// Two lines nearer than that are one press: a double click, or a page that asks for several things.
const ONE_PRESS_MS: i64 = 300;
/// Of the calls of somebody in rage, the share that another follows at once.
const RAGING: f64 = 0.9;
/// What is believed, before it is seen, of how often a call is repeated at once, and how often a repetition is; and
/// how many calls each is worth.
const FIRST: Prior = Prior { share: 0.1, worth: 20.0 };
const AGAIN: Prior = Prior { share: 0.25, worth: 20.0 };
/// Calls that the usual share of an operation is worth against what a person is used to, and calls of theirs from which
/// on what is older counts half.
const OWN_WORTH: f64 = 20.0;
const OWN_MOST: u16 = 1000;
/// Of a run, the part that may be tried again because it failed: what fails every second time is friction's affair.
const FAILED_PART: u16 = 4;
/// Fewest repetitions, whatever the evidence: five tries are patience.
const FEWEST: u16 = 6;
/// Repetitions of one run that teach what is usual of an operation: one machine must not make up its habit.
const TEACHING: u16 = 6;
/// Two pauses that differ by less than one part in so many are alike. Where half of them are, a timer presses: of one
/// that is late by up to a quarter half are, of a hand's, one of which is easily twice as long as another, a quarter.
const EVEN_PART: i64 = 7;
/// Of the calls that somebody makes meanwhile, at least so many of so many are this one: somebody with several windows
/// open does several things at once.
const OWN_PART: (u32, u32) = (2, 3);
/// Calls of one set that are remembered, the newest first.
const WAYS: usize = 4;

/// How often calls of an operation are repeated at once, and how often repetitions are.
#[derive(Debug, Default)]
pub(crate) struct Habit([Share; 2]);

impl Habit {
    /// Learns a call that is the nth repetition of a run; 0: it is none.
    fn learn(&mut self, nth: u16, at: i64) {
        match nth {
            0 => self.0[0].teach(0, 1, at),
            1 => {
                self.0[0].teach(1, 0, at);
                self.0[1].teach(0, 1, at);
            }
            2..=TEACHING => self.0[1].teach(1, 1, at),
            _ => {}
        }
    }

    /// Evidence of so many repetitions in a row, of somebody who is used to repeat `own` of so many calls.
    fn says(&self, repeats: u16, (own, of): (u16, u16)) -> f64 {
        let usual = [self.0[0].usual(FIRST), self.0[1].usual(AGAIN)];
        let own = |usual: f64| (f64::from(own) + usual * OWN_WORTH) / (f64::from(of) + OWN_WORTH);
        let [first, again] = usual.map(|usual| outcome(true, usual.max(own(usual)), RAGING).max(0.0));
        first + f64::from(repeats - 1) * again
    }
}

/// Calls of one person at one operation, one after the other.
#[derive(Debug, Clone, Copy, Default)]
struct Press {
    at: i64,
    began: i64,
    /// The last pause between them, and how many were like the one before.
    pause: u32,
    alike: u16,
    repeats: u16,
    failed: u16,
    told: bool,
    /// How many calls this person had made when it began.
    calls_before: u32,
    /// From which address.
    from: u32,
}

impl Press {
    /// One more, after so many milliseconds.
    fn repeat(&mut self, pause: i64, failed: bool) {
        let apart = (pause - i64::from(self.pause)).abs();
        self.alike += u16::from(self.repeats > 0 && apart * EVEN_PART <= pause);
        self.pause = u32::try_from(pause).unwrap_or(u32::MAX);
        self.repeats = self.repeats.saturating_add(1);
        self.failed += u16::from(failed);
    }

    /// True when the pauses are those of a timer.
    fn is_even(&self) -> bool {
        self.alike * 2 >= self.repeats
    }
}

/// Somebody who was here.
#[derive(Debug, Clone, Copy, Default)]
struct Visitor {
    /// Since when, in seconds of engine time; 0: nobody.
    since_s: u32,
    op: u32,
    /// Something else than that as well.
    does_more: bool,
    /// Of so many calls so many followed the one before at once; those of runs that somebody was told of do not count.
    repeats: u16,
    calls: u16,
    /// All calls, whatever of.
    all: u32,
}

impl Visitor {
    /// Learns a run that is over.
    fn learn(&mut self, repeats: u16) {
        (self.repeats, self.calls) = (self.repeats.saturating_add(repeats), self.calls.saturating_add(repeats + 1));
        if self.calls > OWN_MOST {
            (self.repeats, self.calls) = (self.repeats / 2, self.calls / 2);
        }
    }
}

/// A table of sets of which each remembers its last [`WAYS`] keys.
#[derive(Debug)]
struct Ways<T> {
    sets: usize,
    slots: Vec<(u32, T)>,
}

impl<T: Copy + Default> Ways<T> {
    /// Room for about so many, taken when the first one comes.
    fn new(room: usize) -> Self {
        Self { sets: (room / WAYS).max(1).next_power_of_two(), slots: Vec::new() }
    }

    fn touch(&mut self, key: u64) -> &mut T {
        if self.slots.is_empty() {
            self.slots = vec![(0, T::default()); self.sets * WAYS];
        }
        let first = (key as usize & (self.sets - 1)) * WAYS;
        let (set, tag) = (&mut self.slots[first..first + WAYS], half(key));
        let known = set.iter().position(|(held, _)| *held == tag);
        set[..=known.unwrap_or(WAYS - 1)].rotate_right(1);
        if known.is_none() {
            set[0] = (tag, T::default());
        }
        &mut set[0].1
    }
}

/// Half of a key.
fn half(key: u64) -> u32 {
    (key >> 32) as u32
}

/// A run of repetitions long enough to be looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    began: i64,
    repeats: u16,
    /// One of them failed.
    failed: bool,
    /// By somebody who was here before and did other things, at a pace of their own.
    by_hand: bool,
    used_to: (u16, u16),
}

/// What everybody did last.
#[derive(Debug)]
pub(crate) struct Presses {
    calls: Ways<Press>,
    visitors: Ways<Visitor>,
}

/// The problem of a person at an operation.
pub(crate) fn key_of(op: u64, user: u64) -> u64 {
    key::join(&[key::of(RAGE.id), op, user])
}

/// Where a person's calls of an operation are remembered: both are hashes already.
fn place_of(mark: &Mark) -> u64 {
    mark.op.rotate_left(32) ^ mark.user
}

impl Presses {
    pub(crate) fn new(rules: &Rules) -> Self {
        // Presses matter for some seconds, people for as long as they are here.
        Self { calls: Ways::new(rules.people / 2), visitors: Ways::new(rules.people) }
    }

    /// A call of somebody, failed or not.
    pub(crate) fn take(&mut self, habit: &mut Habit, mark: &Mark, known_ms: i64) -> Option<Run> {
        let at = mark.at;
        let visitor = self.visitors.touch(mark.user);
        if visitor.since_s == 0 {
            let since_s = u32::try_from(at / 1000).unwrap_or(1);
            *visitor = Visitor { since_s, op: half(mark.op), ..Visitor::default() };
        }
        visitor.does_more |= visitor.op != half(mark.op);
        visitor.all = visitor.all.wrapping_add(1);
        let press = self.calls.touch(place_of(mark));
        let pause = at - press.at;
        let took = if mark.duration.is_finite() { mark.duration as i64 } else { 0 };
        if pause - took > AT_ONCE_MS || press.from != half(mark.addr) {
            let fresh = Press { at, began: at, from: half(mark.addr), calls_before: visitor.all, ..Press::default() };
            let ended = std::mem::replace(press, fresh);
            habit.learn(0, at);
            if ended.at > 0 && !ended.told {
                visitor.learn(ended.repeats);
            }
            return None;
        }
        press.at = at;
        if pause < ONE_PRESS_MS {
            return None;
        }
        press.repeat(pause, mark.is_error());
        habit.learn(press.repeats, at);
        let known = press.began - i64::from(visitor.since_s) * 1000 >= known_ms;
        let works = press.failed <= press.repeats / FAILED_PART;
        let meanwhile = visitor.all.wrapping_sub(press.calls_before);
        let alone = meanwhile.saturating_mul(OWN_PART.0) <= OWN_PART.1 * u32::from(press.repeats);
        let by_hand = visitor.does_more && known && works && alone && !press.is_even();
        let used_to = (visitor.repeats, visitor.calls);
        let Press { began, repeats, failed, .. } = *press;
        (repeats >= FEWEST).then_some(Run { began, repeats, failed: failed > 0, by_hand, used_to })
    }

    /// Weighs a run: the call under way is its last one.
    pub(crate) fn weigh(&mut self, desk: &mut Desk, near: Near<'_>, mark: &Mark, event: &LogEvent<'_>, run: Run) {
        let key = key_of(mark.op, mark.user);
        let (Some(cell), Some(user)) = (near.recent.ops.get(mark.op), &event.user_id) else { return };
        if desk.touch(key, mark.at) || !run.by_hand || user.len() > key::LONGEST_NAME {
            return;
        }
        let needed = near.needed(Kind::Friction, Known::Rage, mark.op) - OVERSHOOT;
        if cell.habit.says(run.repeats, run.used_to) < needed || is_explained(desk, near, cell, (mark, run.failed)) {
            return;
        }
        self.calls.touch(place_of(mark)).told = true;
        let subject = Subject::Rage { op: cell.name.clone(), user: user.raw().into() };
        desk.open(near, key, subject, run.began, u64::from(run.repeats) + 1);
    }
}

/// True while everybody has reason to repeat, or this one is told of for something else.
fn is_explained(desk: &Desk, near: Near<'_>, cell: &OpCell, (mark, failed): (&Mark, bool)) -> bool {
    let half_way = |score: f64, kind| score >= near.budget.needed(kind) / 2.0;
    failed && (cell.faults.failing || half_way(cell.faults.score(), Kind::Errors))
        || cell.speed.slow
        || half_way(cell.speed.watch.score(), Kind::Slow)
        || near.recent.is_being_deployed(mark.service)
        || desk.get(super::key_of(mark.op, mark.user)).is_some()
        || desk.get(probe::key_of(mark.addr)).is_some()
}

impl<T: Keep> Keep for Ways<T> {
    fn keep(&self, to: &mut Vec<u8>) {
        self.sets.keep(to);
        self.slots.keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        let (sets, slots) = (usize::wake(from)?, Vec::wake(from)?);
        let sound = sets.is_power_of_two() && (slots.is_empty() || Some(slots.len()) == sets.checked_mul(WAYS));
        sound.then_some(Self { sets, slots })
    }
}

impl Keep for Habit {
    fn keep(&self, to: &mut Vec<u8>) {
        self.0.keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        Keep::wake(from).map(Self)
    }
}

keep_fields!(Press { at, began, pause, alike, repeats, failed, told, calls_before, from });
keep_fields!(Visitor { since_s, op, does_more, repeats, calls, all });
keep_fields!(Presses { calls, visitors });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_forgets_the_one_not_seen_for_longest_and_nobody_else() {
        let mut ways: Ways<u32> = Ways::new(1);
        let key = |nth: u64| nth << 32;
        (1..=4).for_each(|nth| *ways.touch(key(nth)) = nth as u32);
        assert_eq!(*ways.touch(key(1)), 1);
        assert_eq!(*ways.touch(key(5)), 0, "a newcomer");
        assert_eq!((*ways.touch(key(1)), *ways.touch(key(2))), (1, 0), "the second one went");
    }

    #[test]
    fn who_turns_pages_all_day_and_who_is_used_to_it_says_little() {
        let mut habit = Habit::default();
        let loud = habit.says(10, (0, 0));
        for run in 0..200 {
            (0..=TEACHING).for_each(|nth| habit.learn(nth, run * 60_000));
        }
        assert!(habit.says(10, (0, 0)) < loud / 3.0);
        assert!(Habit::default().says(10, (300, 330)) < loud / 2.0);
    }

    #[test]
    fn a_timer_is_even_and_a_hand_is_not() {
        let press = |pauses: [i64; 6]| {
            let mut press = Press::default();
            for pause in pauses {
                press.repeat(pause, false);
            }
            press
        };
        assert!(press([2000, 2100, 1900, 2200, 2000, 1800]).is_even());
        assert!(!press([1000, 1400, 700, 1900, 1100, 800]).is_even());
    }
}
