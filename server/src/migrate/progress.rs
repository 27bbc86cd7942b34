//! How fast a phase goes and how long it still takes, from the ledger's checkpoints.
//!
//! Pure: a moment comes with each checkpoint; no clock is asked. What nobody can tell is said to be unknown, and
//! why: an estimate from the first seconds, or through a hold, is worse than none.

use std::collections::VecDeque;

use stella_protocol::Text;
use stella_protocol::migration::Eta;

/// The rate of now: over so long, in milliseconds.
const NOW_MS: i64 = 30 * 1000;
/// The rate of before: over so long, in milliseconds.
const BEFORE_MS: i64 = 10 * 60 * 1000;
/// Checkpoints closer than this are one, in milliseconds: memory stays flat however small the batches are.
const GRAIN_MS: i64 = 250;
/// No rate before so long, in milliseconds.
const LEAST_RATE_MS: i64 = 1000;
/// No estimate before so long of work, in milliseconds.
const LEAST_MS: i64 = 5 * 1000;
/// No estimate before one of so many is done: 2 %.
const LEAST_PART: u64 = 50;
/// Of an estimate, so much comes from the rate of now; the rest from the one of before, which is less noisy.
const OF_NOW: f64 = 0.3;
/// An estimate is never narrower than this part of it to both sides.
const MARGIN: f64 = 0.1;
/// Nobody plans for longer, in milliseconds: a year.
const LONGEST_MS: f64 = 365.0 * 24.0 * 3600.0 * 1000.0;

/// Follows one phase.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    /// When, and how much was done then; oldest first, no older than needed for the rate of before.
    seen: VecDeque<(i64, u64)>,
    /// Worked so long before what is seen, in milliseconds.
    worked: i64,
    done: u64,
    total: u64,
    held: Option<Text>,
}

impl Meter {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A checkpoint of the ledger: at this moment, so much of so much was done, in documents. Also told when
    /// nothing was done since, so that a standstill shows. A moment before the last one is not looked at; less
    /// done than before is another beginning.
    pub fn checkpoint(&mut self, at_ms: i64, done: u64, total: u64) {
        if self.seen.back().is_some_and(|(last, _)| at_ms < *last) {
            return;
        }
        if done < self.done {
            *self = Self { held: self.held.take(), ..Self::default() };
        }
        (self.done, self.total) = (done, total);
        self.keep(at_ms, done);
    }

    /// It stands, or goes slower on purpose: no estimate until it goes on. None: it goes as fast as it can.
    pub fn hold(&mut self, why: Option<Text>) {
        self.held = why;
    }

    /// It rests: the time until the next checkpoint counts for none, and rates begin anew there.
    pub fn rest(&mut self) {
        self.worked = self.worked_ms();
        self.seen.clear();
    }

    /// How much is done, never more than the total.
    pub fn done(&self) -> u64 {
        self.done.min(self.total)
    }

    /// How much there is to do.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Documents a second over about 30 s; None: too little was done yet.
    pub fn rate(&self) -> Option<f64> {
        self.over(NOW_MS)
    }

    /// The same over 10 min, or since it began or went on.
    pub fn rate_10m(&self) -> Option<f64> {
        self.over(BEFORE_MS)
    }

    /// How long still.
    pub fn eta(&self) -> Eta {
        let rest = self.total.saturating_sub(self.done);
        if rest == 0 && self.total > 0 {
            return Eta::Range { low_ms: 0, high_ms: 0 };
        }
        if let Some(why) = &self.held {
            return Eta::Unknown { why: why.clone() };
        }
        let unknown = |why: &'static str| Eta::Unknown { why: Text::from(why) };
        if self.worked_ms() < LEAST_MS || self.done.saturating_mul(LEAST_PART) < self.total || self.total == 0 {
            return unknown("too little was done yet");
        }
        let (Some(now), Some(before)) = (self.rate(), self.rate_10m()) else {
            return unknown("it has just gone on");
        };
        if now <= 0.0 {
            return unknown("nothing was done for half a minute");
        }
        let rest = rest as f64 * 1000.0;
        let likely = rest / (OF_NOW * now + (1.0 - OF_NOW) * before);
        let low = (rest / now.max(before)).min(likely * (1.0 - MARGIN));
        let high = (rest / now.min(before)).max(likely * (1.0 + MARGIN));
        // As far to both sides as the rates differ, so that the middle stays the likeliest.
        let wide = (likely - low).max(high - likely).min(likely);
        if likely + wide > LONGEST_MS {
            return unknown("it is too slow to tell");
        }
        Eta::Range { low_ms: (likely - wide).floor() as u64, high_ms: (likely + wide).ceil() as u64 }
    }

    /// For how long it worked, in milliseconds, pauses and holds left out.
    fn worked_ms(&self) -> i64 {
        let here = self.seen.front().zip(self.seen.back());
        self.worked.saturating_add(here.map_or(0, |((first, _), (last, _))| last.saturating_sub(*first)))
    }

    fn keep(&mut self, at: i64, done: u64) {
        let from = self.seen.len().checked_sub(2).and_then(|before| self.seen.get(before)).map(|(from, _)| *from);
        if from.is_some_and(|from| at.saturating_sub(from) < GRAIN_MS) {
            self.seen.pop_back();
        }
        self.seen.push_back((at, done));
        // The newest one that is old enough stays, so that a window is never shorter than it says.
        while self.seen.get(1).is_some_and(|(second, _)| at.saturating_sub(*second) >= BEFORE_MS) {
            if let Some((first, _)) = self.seen.pop_front() {
                let second = self.seen.front().map_or(first, |(second, _)| *second);
                self.worked = self.worked.saturating_add(second.saturating_sub(first));
            }
        }
    }

    fn over(&self, window: i64) -> Option<f64> {
        let (last, done) = *self.seen.back()?;
        let old_enough = self.seen.partition_point(|(at, _)| last.saturating_sub(*at) >= window);
        let (first, before) = *self.seen.get(old_enough.saturating_sub(1))?;
        let spent = last.saturating_sub(first);
        (spent >= LEAST_RATE_MS).then(|| done.saturating_sub(before) as f64 * 1000.0 / spent as f64)
    }
}
