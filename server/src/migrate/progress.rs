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
/// Why there is no estimate behind a rest or a hold.
const GONE_ON: &str = "it has just gone on";
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
    /// The last checkpoint at which it was held.
    held_at: Option<i64>,
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
            *self = Self { held: self.held.take(), held_at: self.held_at, ..Self::default() };
        }
        (self.done, self.total) = (done, total);
        if self.held.is_some() {
            self.held_at = Some(at_ms);
        }
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
            return unknown(GONE_ON);
        };
        if now <= 0.0 {
            return Eta::Unknown { why: self.stands() };
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

    /// Why nothing was done of late: it was held meanwhile, or nobody knows, for so long.
    fn stands(&self) -> Text {
        let Some(((first, _), (last, _))) = self.window(NOW_MS) else { return Text::from(GONE_ON) };
        if self.held_at.is_some_and(|held| held >= first) {
            return Text::from(GONE_ON);
        }
        Text::new(format!("nothing was done for {} s", last.saturating_sub(first).min(NOW_MS) / 1000))
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

    /// The checkpoints at both ends of so long a time until now; of a shorter one when it did not work so long.
    fn window(&self, window: i64) -> Option<((i64, u64), (i64, u64))> {
        let (last, done) = *self.seen.back()?;
        let old_enough = self.seen.partition_point(|(at, _)| last.saturating_sub(*at) >= window);
        Some((*self.seen.get(old_enough.saturating_sub(1))?, (last, done)))
    }

    fn over(&self, window: i64) -> Option<f64> {
        let ((first, before), (last, done)) = self.window(window)?;
        let spent = last.saturating_sub(first);
        (spent >= LEAST_RATE_MS).then(|| done.saturating_sub(before) as f64 * 1000.0 / spent as f64)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line of numbers that looks like chance and is the same on every machine: `xorshift`.
    struct Noise(u64);

    impl Noise {
        /// From 0 to 1.
        fn part(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    fn middle(eta: &Eta) -> Option<f64> {
        match eta {
            Eta::Range { low_ms, high_ms } => Some(f64::midpoint(*low_ms as f64, *high_ms as f64)),
            Eta::Unknown { .. } => None,
        }
    }

    fn why(meter: &Meter) -> String {
        match meter.eta() {
            Eta::Unknown { why } => why.raw().to_owned(),
            Eta::Range { low_ms, high_ms } => format!("{low_ms}..{high_ms}"),
        }
    }

    /// Errors of the estimates after 20 %, as parts of what it really took; one run of batches of uneven pace.
    fn run(seed: u64) -> Vec<f64> {
        let mut noise = Noise(seed);
        let total = 20_000 + (noise.part() * 80_000.0) as u64;
        let pace = 150.0 + noise.part() * 600.0;
        let (mut at, mut done, mut drift) = (0.0, 0, 1.0);
        let mut told = Vec::new();
        let mut meter = Meter::new();
        meter.checkpoint(0, 0, total);
        while done < total {
            let batch = (50 + (noise.part() * 450.0) as u64).min(total - done);
            // The store's pace wanders, and every batch is up to half faster or slower than it.
            drift = (drift + (noise.part() - 0.5) * 0.1_f64).clamp(0.7, 1.3);
            at += batch as f64 * 1000.0 / (pace * drift * (0.5 + noise.part()));
            done += batch;
            meter.checkpoint(at as i64, done, total);
            if done * 5 >= total && done < total {
                told.push((at, middle(&meter.eta()).unwrap()));
            }
        }
        told.into_iter().map(|(when, left)| ((when + left - at) / (at - when)).abs()).collect()
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "the figure")]
    fn the_median_error_of_the_estimate_after_a_fifth_is_at_most_20_percent_over_ten_noisy_runs() {
        let mut errors: Vec<f64> = (1..=10).flat_map(|seed| run(seed * 0x9e37_79b9)).collect();
        errors.sort_by(f64::total_cmp);
        let median = errors[errors.len() / 2];
        println!("median error {:.1} % of {} estimates", median * 100.0, errors.len());
        assert!(errors.len() > 500 && median <= 0.20, "{median}");
    }

    #[test]
    fn too_little_says_why_and_the_end_is_no_time_at_all() {
        let mut meter = Meter::new();
        assert_eq!((why(&meter).as_str(), meter.rate()), ("too little was done yet", None));
        meter.checkpoint(0, 0, 1000);
        meter.checkpoint(4000, 500, 1000);
        assert_eq!((why(&meter).as_str(), meter.rate()), ("too little was done yet", Some(125.0)));
        meter.checkpoint(5000, 500, 1000);
        assert_eq!(why(&meter), "4500..5500");
        meter.checkpoint(9000, 1000, 1000);
        assert_eq!(why(&meter), "0..0");
        let mut slow = Meter::new();
        slow.checkpoint(0, 0, 1000);
        slow.checkpoint(60_000, 19, 1000);
        assert_eq!(why(&slow), "too little was done yet");
    }

    #[test]
    fn a_hold_says_its_reason_and_a_rest_counts_for_no_time() {
        let mut meter = Meter::new();
        meter.checkpoint(0, 0, 1000);
        meter.checkpoint(10_000, 100, 1000);
        meter.hold(Some("latency".into()));
        meter.checkpoint(20_000, 150, 1000);
        assert_eq!((why(&meter).as_str(), meter.rate()), ("latency", Some(7.5)));
        meter.hold(None);
        meter.rest();
        assert_eq!(why(&meter), "it has just gone on");
        meter.checkpoint(3_600_000, 150, 1000);
        meter.checkpoint(3_610_000, 250, 1000);
        assert_eq!((why(&meter).as_str(), meter.rate()), ("67500..82500", Some(10.0)));
    }

    #[test]
    fn a_standstill_is_no_estimate_and_less_than_before_is_another_beginning() {
        let mut meter = Meter::new();
        for second in 0..=20 {
            meter.checkpoint(second * 1000, second as u64 * 10, 1000);
        }
        for second in 21..=60 {
            meter.checkpoint(second * 1000, 200, 1000);
        }
        assert_eq!((why(&meter).as_str(), meter.rate()), ("nothing was done for 30 s", Some(0.0)));
        assert!(meter.rate_10m().is_some_and(|rate| rate > 3.0));
        meter.checkpoint(61_000, 10, 1000);
        assert_eq!((meter.done(), meter.rate(), meter.rate_10m()), (10, None, None));
    }

    #[test]
    fn a_standstill_says_for_how_long_and_one_that_was_a_hold_is_none() {
        let mut meter = Meter::new();
        // It goes on where a life before was.
        (0..=7).for_each(|second| meter.checkpoint(second * 1000, 300, 1000));
        assert_eq!(why(&meter), "nothing was done for 7 s");
        (8..=40).for_each(|second| meter.checkpoint(second * 1000, 300 + second as u64, 1000));
        meter.hold(Some("the store is slow".into()));
        (41..=80).for_each(|second| meter.checkpoint(second * 1000, 340, 1000));
        assert_eq!(why(&meter), "the store is slow");
        meter.hold(None);
        meter.checkpoint(81_000, 340, 1000);
        assert_eq!((why(&meter).as_str(), meter.rate()), ("it has just gone on", Some(0.0)));
        (82..=111).for_each(|second| meter.checkpoint(second * 1000, 340, 1000));
        assert_eq!(why(&meter), "nothing was done for 30 s", "long enough after the hold");
    }

    #[test]
    fn the_rate_of_now_forgets_after_half_a_minute_and_memory_stays_flat() {
        let mut meter = Meter::new();
        for tick in 0..200_000_i64 {
            meter.checkpoint(tick * 10, tick as u64, 1_000_000);
        }
        assert!(meter.seen.len() < 5000, "{}", meter.seen.len());
        let steady = meter.rate().unwrap();
        assert!((steady - 100.0).abs() < 1.0, "{steady}");
        let (from, done) = (2_000_000, 200_000);
        for second in 0..31_i64 {
            meter.checkpoint(from + second * 1000, done + second as u64 * 500, 1_000_000);
        }
        let (now, before) = (meter.rate().unwrap(), meter.rate_10m().unwrap());
        assert!((now - 500.0).abs() < 10.0 && before < 130.0, "{now}, {before}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

        #[test]
        fn whatever_is_told_it_is_never_beyond_the_end_and_never_endless(
            told in prop::collection::vec((0..40_000_i64, 0..200_u64, 0..3_000_u64, 0..12_u8), 1..200),
            extreme in (any::<i64>(), any::<u64>(), any::<u64>()),
        ) {
            let mut meter = Meter::new();
            let (mut at, mut done) = (0, 0);
            for (wait, more, total, what) in told {
                (at, done) = (at + wait, done + more);
                match what {
                    0 => meter.hold(Some("hold".into())),
                    1 => meter.hold(None),
                    2 => meter.rest(),
                    3 => meter.checkpoint(at - 90_000, done, total),
                    _ => meter.checkpoint(at, done, total * 10),
                }
                prop_assert!(meter.done() <= meter.total());
                for rate in [meter.rate(), meter.rate_10m()].into_iter().flatten() {
                    prop_assert!(rate.is_finite() && rate >= 0.0);
                }
                if let Eta::Range { low_ms, high_ms } = meter.eta() {
                    prop_assert!(low_ms <= high_ms && high_ms as f64 <= LONGEST_MS + 1.0);
                }
            }
            meter.checkpoint(extreme.0, extreme.1, extreme.2);
            meter.checkpoint(i64::MAX, u64::MAX, extreme.2);
            prop_assert!(meter.done() <= meter.total());
            if let Eta::Range { low_ms, high_ms } = meter.eta() {
                prop_assert!(low_ms <= high_ms);
            }
        }
    }
}
