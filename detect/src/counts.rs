//! Sliding counts in fixed room: tens of seconds of an operation, minutes of a person or an address.

use stella_protocol::{Point, Timestamp, series::Spread};

use crate::keep::keep_fields;

/// Width of an operation's bucket, in milliseconds.
pub(crate) const STEP_MS: i64 = 10_000;
/// Buckets of an operation: half an hour.
const BUCKETS: i64 = 180;
/// Buckets in one value of a sparkline.
const PER_MINUTE: usize = 6;

/// What an operation did in ten seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket {
    /// Lines.
    pub(crate) calls: u32,
    /// Lines that failed, failed logins apart.
    pub(crate) failed: u32,
    /// Lines with a duration.
    pub(crate) timed: u32,
    /// Of them, over the limit.
    pub(crate) slow: u32,
    sum: f64,
    least: f64,
    most: f64,
}

impl Bucket {
    /// A duration that counts for so many lines.
    pub(crate) fn add_duration(&mut self, duration: f64, slow: bool, lines: u32) {
        self.least = if self.timed == 0 { duration } else { self.least.min(duration) };
        self.most = if self.timed == 0 { duration } else { self.most.max(duration) };
        self.sum += duration * f64::from(lines);
        self.timed += lines;
        self.slow += if slow { lines } else { 0 };
    }

    fn merge(&mut self, other: &Self) {
        if other.timed > 0 {
            self.least = if self.timed == 0 { other.least } else { self.least.min(other.least) };
            self.most = if self.timed == 0 { other.most } else { self.most.max(other.most) };
        }
        self.calls += other.calls;
        self.failed += other.failed;
        self.timed += other.timed;
        self.slow += other.slow;
        self.sum += other.sum;
    }

    /// Mean duration; None without one.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.timed > 0).then(|| self.sum / f64::from(self.timed))
    }

    /// Failing lines of a hundred; None without lines.
    pub(crate) fn failed_percent(&self) -> Option<f64> {
        (self.calls > 0).then(|| f64::from(self.failed) * 100.0 / f64::from(self.calls))
    }

    fn spread(&self) -> Option<Spread> {
        self.mean().map(|mean| Spread { mean, min: self.least, max: self.most })
    }
}

/// Which number of a bucket is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drawn {
    /// Durations.
    Duration,
    /// Failing share.
    FailedPercent,
}

/// The last half hour of an operation.
#[derive(Debug, Default)]
pub(crate) struct History {
    buckets: Vec<Bucket>,
    newest: i64,
}

impl History {
    /// The bucket of `at`, which is never before the newest one.
    pub(crate) fn at(&mut self, at: i64) -> &mut Bucket {
        let index = at.div_euclid(STEP_MS);
        if self.buckets.is_empty() {
            self.buckets = vec![Bucket::default(); BUCKETS as usize];
            self.newest = index;
        }
        if index > self.newest {
            for passed in (self.newest + 1).max(index - BUCKETS + 1)..=index {
                self.buckets[passed.rem_euclid(BUCKETS) as usize] = Bucket::default();
            }
            self.newest = index;
        }
        &mut self.buckets[self.newest.rem_euclid(BUCKETS) as usize]
    }

    fn bucket(&self, index: i64) -> Bucket {
        let held = !self.buckets.is_empty() && index <= self.newest && index > self.newest - BUCKETS;
        if held { self.buckets[index.rem_euclid(BUCKETS) as usize] } else { Bucket::default() }
    }

    /// The sum from `from` (a bucket's start) to `to`, both held in.
    pub(crate) fn sum(&self, from: i64, to: i64) -> Bucket {
        let mut sum = Bucket::default();
        let first = from.div_euclid(STEP_MS).max(self.newest - BUCKETS + 1);
        for index in first..=to.div_euclid(STEP_MS).min(self.newest) {
            sum.merge(&self.bucket(index));
        }
        sum
    }

    /// The shorter of two windows up to `now` where it holds enough, else the longer one; and what happened in it.
    pub(crate) fn window(&self, now: i64, windows: [i64; 2], enough: impl Fn(&Bucket) -> bool) -> (i64, Bucket) {
        let [short, long] = windows;
        let near = self.sum(span_start(now, short), now);
        if enough(&near) { (short, near) } else { (long, self.sum(span_start(now, long), now)) }
    }

    /// Points of ten seconds that end with the one of `now`; gaps are gaps.
    pub(crate) fn points(&self, now: i64, steps: i64, drawn: Drawn) -> Vec<Point> {
        let last = now.div_euclid(STEP_MS);
        let points = (last - steps + 1..=last).map(|index| {
            let at = Timestamp::from_millis(index * STEP_MS);
            let bucket = self.bucket(index);
            match drawn {
                Drawn::Duration => Point { at, value: bucket.spread() },
                Drawn::FailedPercent => {
                    bucket.failed_percent().map_or(Point::gap(at), |share| Point::single(at, share))
                }
            }
        });
        points.skip_while(|point| point.value.is_none()).collect()
    }

    /// The last thirty minutes, one value each, oldest first.
    pub(crate) fn spark(&self, now: i64, drawn: Drawn) -> Vec<Option<f64>> {
        let last = now.div_euclid(STEP_MS);
        let buckets: Vec<Bucket> = (last - BUCKETS + 1..=last).map(|index| self.bucket(index)).collect();
        let minute = |part: &[Bucket]| {
            let mut sum = Bucket::default();
            for bucket in part {
                sum.merge(bucket);
            }
            match drawn {
                Drawn::Duration => sum.mean(),
                Drawn::FailedPercent => sum.failed_percent(),
            }
        };
        buckets.chunks(PER_MINUTE).map(minute).collect()
    }
}

/// Width of a person's bucket, in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// Counts of the last ten minutes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Minutes {
    newest: i64,
    counts: [u16; 10],
}

impl Minutes {
    /// One more at `at`, which is never before the newest minute.
    pub(crate) fn add(&mut self, at: i64) {
        let minute = at.div_euclid(MINUTE_MS);
        let places = self.counts.len() as i64;
        for passed in (self.newest + 1).max(minute - places + 1)..=minute {
            self.counts[passed.rem_euclid(places) as usize] = 0;
        }
        self.newest = self.newest.max(minute);
        let count = &mut self.counts[minute.rem_euclid(places) as usize];
        *count = count.saturating_add(1);
    }

    /// How many in the last `window_ms` (whole minutes, the running one included).
    pub(crate) fn sum(&self, now: i64, window_ms: i64) -> u32 {
        let places = self.counts.len() as i64;
        let last = now.div_euclid(MINUTE_MS);
        let first = (last - window_ms / MINUTE_MS + 1).max(self.newest - places + 1);
        (first..=last.min(self.newest)).map(|minute| u32::from(self.counts[minute.rem_euclid(places) as usize])).sum()
    }
}

/// Start of a span of `window_ms` in whole buckets, the running one included.
pub(crate) fn span_start(now: i64, window_ms: i64) -> i64 {
    (now.div_euclid(STEP_MS) - window_ms / STEP_MS + 1) * STEP_MS
}

keep_fields!(Bucket { calls, failed, timed, slow, sum, least, most });
keep_fields!(History { buckets, newest });
keep_fields!(Minutes { newest, counts });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_nobody_filled_is_a_gap_and_a_spike_survives() {
        let mut history = History::default();
        for (at, duration) in [(1_000, 10.0), (2_000, 900.0), (25_000, 20.0)] {
            history.at(at).add_duration(duration, duration > 100.0, 1);
        }
        let points = history.points(25_000, 180, Drawn::Duration);
        assert_eq!(points.len(), 3);
        assert_eq!(points[0].value.map(|spread| spread.max), Some(900.0));
        assert_eq!(points[1].value, None);
        let spark = history.spark(25_000, Drawn::Duration);
        assert_eq!((spark.len(), spark[29].map(f64::round), spark[28]), (30, Some(310.0), None));
    }

    #[test]
    fn counts_leave_with_their_time() {
        let (mut minutes, mut history) = (Minutes::default(), History::default());
        for at in [0, 30_000, 61_000, 600_000] {
            minutes.add(at);
            history.at(at).calls += 1;
        }
        assert_eq!((minutes.sum(600_000, 600_000), minutes.sum(600_000, 60_000)), (2, 1));
        assert_eq!(minutes.sum(6_000_000, 600_000), 0);
        assert_eq!((history.sum(0, 600_000).calls, history.sum(60_000, 600_000).calls), (4, 2));
        history.at(10_000_000).calls += 1;
        assert_eq!(history.sum(0, 10_000_000).calls, 1);
    }
}
