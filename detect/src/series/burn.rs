//! How fast an error budget is spent: the multi-window, multi-burn-rate alerts of the "Site Reliability
//! Workbook" (Beyer and others 2018, chapter 5, table 5-8).
//!
//! A window in which nothing happened has no rate, which is not a rate of 0; nothing is told of a
//! long window before it was watched as long as its short one, nor from fewer failures than a rate
//! can be made of.

use std::collections::VecDeque;

use stella_protocol::Timestamp;

use crate::keep::{Keep, Reader, keep_fields};

/// Width of a bucket: the shortest window, in milliseconds.
pub(crate) const BUCKET_MS: i64 = 300_000;
const HOUR_MS: i64 = 3_600_000;
/// Buckets of the longest window, three days.
const BUCKETS: i64 = 72 * HOUR_MS / BUCKET_MS;
/// Fewest failures in the long window: with less, one user who tries again makes a rate.
const FEWEST: u64 = 5;

/// How fast it is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// A tenth of a month's budget in three days.
    Slow,
    /// A twentieth of it in six hours.
    Fast,
    /// A fiftieth of it in an hour.
    Fastest,
}

impl Pace {
    /// Fastest first.
    const ALL: [Self; 3] = [Self::Fastest, Self::Fast, Self::Slow];

    /// Times the rate that just spends the budget; the long and the short window, in milliseconds.
    pub fn terms(self) -> (f64, i64, i64) {
        match self {
            Self::Fastest => (14.4, HOUR_MS, BUCKET_MS),
            Self::Fast => (6.0, 6 * HOUR_MS, HOUR_MS / 2),
            Self::Slow => (1.0, 72 * HOUR_MS, 6 * HOUR_MS),
        }
    }
}

/// A budget that is spent too fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burning {
    /// How fast.
    pub pace: Pace,
    /// Times the rate that just spends the budget, in the long and the short window.
    pub long: f64,
    /// In the short window.
    pub short: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Bucket {
    index: i64,
    failed: u64,
    all: u64,
}

/// What succeeded and what failed in the last three days, against a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Share that may fail.
    allowed: f64,
    buckets: VecDeque<Bucket>,
    since: Option<i64>,
}

impl Budget {
    /// For a target such as 0.999; None when it leaves nothing to fail or nothing to succeed.
    pub fn new(target: f64) -> Option<Self> {
        let allowed = 1.0 - target;
        (target > 0.0 && allowed > 0.0).then(|| Self { allowed, buckets: VecDeque::new(), since: None })
    }

    /// Counts one event; time does not go back.
    pub fn observe(&mut self, at: Timestamp, failed: bool) {
        self.observe_many(at, failed, 1);
    }

    /// Counts so many events with one outcome; time does not go back.
    pub fn observe_many(&mut self, at: Timestamp, failed: bool, events: u64) {
        let index = at.millis().div_euclid(BUCKET_MS);
        self.since.get_or_insert(at.millis());
        if self.buckets.back().is_none_or(|last| last.index < index) {
            self.buckets.push_back(Bucket { index, ..Bucket::default() });
        }
        if let Some(last) = self.buckets.back_mut() {
            last.all += events;
            last.failed += if failed { events } else { 0 };
        }
        while self.buckets.front().is_some_and(|first| first.index <= index - BUCKETS) {
            self.buckets.pop_front();
        }
    }

    /// Another target from now on.
    pub fn set(&mut self, target: f64) {
        if let Some(other) = Self::new(target) {
            self.allowed = other.allowed;
        }
    }

    /// Share that may fail.
    pub fn allowed(&self) -> f64 {
        self.allowed
    }

    /// Where a window up to `now` begins, in milliseconds: in whole buckets, and not before anything was counted.
    pub fn begins(&self, now: Timestamp, window_ms: i64) -> i64 {
        let first = (now.millis().div_euclid(BUCKET_MS) - window_ms / BUCKET_MS) * BUCKET_MS;
        self.since.map_or(first, |since| first.max(since))
    }

    /// Failures and all events in such a window.
    pub fn counted(&self, now: Timestamp, window_ms: i64) -> (u64, u64) {
        let first = self.begins(now, window_ms).div_euclid(BUCKET_MS);
        let inside = self.buckets.iter().rev().take_while(|bucket| bucket.index >= first);
        inside.fold((0, 0), |(failed, all), one| (failed + one.failed, all + one.all))
    }

    /// Start, failures and all events of the last `most` buckets, oldest first.
    pub fn last(&self, most: usize) -> impl Iterator<Item = (i64, u64, u64)> {
        let skipped = self.buckets.len().saturating_sub(most);
        self.buckets.iter().skip(skipped).map(|one| (one.index * BUCKET_MS, one.failed, one.all))
    }

    /// Failures, and times the rate that just spends the budget, in whole buckets up to `now`; None:
    /// nothing happened.
    fn rate(&self, now: Timestamp, window_ms: i64) -> Option<(u64, f64)> {
        let (failed, all) = self.counted(now, window_ms);
        (all > 0).then(|| (failed, failed as f64 / all as f64 / self.allowed))
    }

    /// The fastest pace that is too fast, if one is.
    pub fn burning(&self, now: Timestamp) -> Option<Burning> {
        let watched = now.millis() - self.since?;
        Pace::ALL.into_iter().find_map(|pace| {
            let (times, long_ms, short_ms) = pace.terms();
            let ((failed, long), (_, short)) = (self.rate(now, long_ms)?, self.rate(now, short_ms)?);
            let told = watched >= short_ms && failed >= FEWEST && long >= times && short >= times;
            told.then_some(Burning { pace, long, short })
        })
    }
}

impl Keep for Pace {
    fn keep(&self, to: &mut Vec<u8>) {
        (*self as u8).keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        let number = u8::wake(from)?;
        Self::ALL.into_iter().find(|pace| *pace as u8 == number)
    }
}

keep_fields!(Bucket { index, failed, all });
keep_fields!(Budget { allowed, buckets, since });

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// One event a second for `hours`; of each thousand of the last `bad_minutes`, so many fail.
    fn told(hours: i64, bad_minutes: i64, failing: i64, quiet_minutes: i64) -> Option<Burning> {
        let mut budget = Budget::new(0.999).unwrap();
        let end = hours * 3600;
        for second in 0..end {
            let bad = second >= end - bad_minutes * 60 && second % 1000 * 7 % 1000 < failing;
            budget.observe(Timestamp::from_millis(second * 1000), bad);
        }
        budget.burning(Timestamp::from_millis((end + quiet_minutes * 60) * 1000))
    }

    #[test]
    fn each_pace_is_told_when_both_its_windows_burn() {
        assert_eq!(told(24, 60, 100, 0).map(|told| told.pace), Some(Pace::Fastest));
        assert_eq!(told(24, 360, 10, 0).map(|told| told.pace), Some(Pace::Fast));
        assert_eq!(told(80, 80 * 60, 2, 0).map(|told| told.pace), Some(Pace::Slow));
        assert_eq!(told(80, 0, 0, 0), None);
    }

    #[test]
    fn what_ended_is_not_told_and_nothing_is_not_zero() {
        assert_eq!(told(24, 60, 100, 45).filter(|told| told.pace == Pace::Fastest), None);
        assert_eq!(Budget::new(0.99).unwrap().burning(Timestamp::from_millis(0)), None);
        assert_eq!((Budget::new(1.0), Budget::new(0.0)), (None, None));
    }

    #[test]
    fn three_days_are_the_most_that_is_kept() {
        let mut budget = Budget::new(0.9).unwrap();
        (0..10_000).for_each(|nth| budget.observe(Timestamp::from_millis(nth * BUCKET_MS), nth % 2 == 0));
        assert_eq!(budget.buckets.len() as i64, BUCKETS);
    }
}
