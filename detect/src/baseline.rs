//! What is usual, learned from the lines themselves: how long calls take, how many of them fail.
//!
//! Learned slowly and robustly, and never from what is under suspicion: whoever holds a baseline
//! tells it when to look away. Nothing here knows a threshold.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::keep::keep_fields;
use crate::llr;

/// Half-life of what is known of durations, in milliseconds: two hours. A ramp of half an hour must
/// not become usual while it rises; the difference between noon and night must.
const LEVEL_HALF_MS: f64 = 2.0 * 3_600_000.0;
/// Half-life of what is known of shares: half a day, since failures are rare and must not be
/// forgotten between two of them.
const SHARE_HALF_MS: f64 = 12.0 * 3_600_000.0;

/// Durations from which a first median is taken.
const EARLY: usize = 16;
/// Durations before which nothing is called unusual: a median of twenty is within a quarter of a
/// standard deviation four times in five.
const KNOWN: f64 = 20.0;
/// Least spread of logarithms: durations are written in whole milliseconds and come from clocks, and
/// nobody is woken for a tenth.
const LEAST_SPREAD: f64 = 0.1;
/// What is believed of the spread before it is seen (calls of one operation vary by about a third), and
/// how many calls that belief is worth.
const PRIOR_SPREAD: (f64, f64) = (0.3, 8.0);
/// How far from the middle, in standard deviations, one duration may pull the middle (Huber's psi) and
/// the spread; and what that cut makes of the variance of a normal variable, E min(z², 2.5²).
const PULL: f64 = 2.0;
const PULL_SPREAD: f64 = 2.5;
const CUT_VARIANCE: f64 = 0.9776;
/// Observations in a batch whose mean shows whether neighbours resemble each other, and how many
/// batches are remembered.
const BATCH: u32 = 16;
const BATCHES: f64 = 64.0;
/// The squared mean of one batch counts at most so much.
const BATCH_CUT: f64 = 9.0;

/// How alike neighbours are: variance of batch means against what independence would make of it. What
/// comes in clusters counts for less (quasi-likelihood; the method of batch means).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Likeness {
    factor: f64,
    sum: f64,
    count: u32,
}

impl Likeness {
    const NONE: Self = Self { factor: 1.0, sum: 0.0, count: 0 };

    /// Takes in so many neighbours that are alike.
    fn add(&mut self, z: f64, many: u32) {
        self.sum += z * f64::from(many);
        self.count += many;
        if self.count >= BATCH {
            let squared = (self.sum * self.sum / f64::from(self.count)).min(BATCH_CUT);
            self.factor += (squared - self.factor) / BATCHES;
            (self.sum, self.count) = (0.0, 0);
        }
    }

    fn factor(&self) -> f64 {
        self.factor.max(1.0)
    }
}

/// So many standard deviations to each side of the middle hold nine in ten values of a normal variable.
const NINE_IN_TEN: f64 = 1.645;

/// Middle and spread of the logarithms of durations.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Level {
    /// Durations known, faded.
    weight: f64,
    at: i64,
    middle: f64,
    variance: f64,
    likeness: Likeness,
    early: Vec<f64>,
}

impl Default for Level {
    fn default() -> Self {
        Self { weight: 0.0, at: 0, middle: 0.0, variance: 0.0, likeness: Likeness::NONE, early: Vec::new() }
    }
}

/// What the baseline says of a duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Against {
    /// Logarithm of how many times longer than usual.
    pub(crate) shift: f64,
    spread: f64,
    factor: f64,
}

impl Against {
    /// Evidence for calls that take `ratio` times as long as usual.
    pub(crate) fn evidence(&self, ratio: f64) -> f64 {
        llr::shifted(self.shift / self.spread, ratio.ln() / self.spread) / self.factor
    }
}

impl Level {
    /// The logarithm of a duration; below a millisecond nobody waits.
    fn log(duration_ms: f64) -> f64 {
        duration_ms.max(1.0).ln()
    }

    /// True when enough is known to call something unusual.
    pub(crate) fn is_known(&self) -> bool {
        self.weight >= KNOWN
    }

    /// The usual duration in milliseconds; None before it is known.
    pub(crate) fn usual_ms(&self) -> Option<f64> {
        self.is_known().then(|| self.middle.exp())
    }

    /// Between which durations nine in ten calls lie, with the middle, in milliseconds; None before it is known.
    pub(crate) fn band_ms(&self) -> Option<(f64, f64, f64)> {
        let apart = NINE_IN_TEN * self.variance.sqrt();
        self.is_known().then(|| ((self.middle - apart).exp(), self.middle.exp(), (self.middle + apart).exp()))
    }

    /// What the baseline says of a duration. `grace` is a ratio by which calls may be slower just now.
    pub(crate) fn against(&self, duration_ms: f64, grace: f64) -> Option<Against> {
        if !self.is_known() {
            return None;
        }
        // Both are known from so many calls only: two standard errors in favour of "as usual", s / sqrt(n) of the middle
        // and, of a normal variable, s / sqrt(2 n) of the spread.
        let known = self.variance.sqrt();
        let doubt = 2.0 * known / self.weight.sqrt();
        let spread = known + doubt * FRAC_1_SQRT_2;
        let shift = Self::log(duration_ms) - self.middle - doubt - grace.ln();
        Some(Against { shift, spread, factor: self.likeness.factor() })
    }

    /// Learns a duration that is not under suspicion, as `part` of an observation.
    pub(crate) fn learn(&mut self, duration_ms: f64, at: i64, part: f64) {
        let x = Self::log(duration_ms);
        if self.weight < EARLY as f64 && self.early.len() < EARLY {
            (self.weight, self.at) = (self.weight + 1.0, at);
            self.early.push(x);
            if self.early.len() == EARLY {
                self.settle();
            }
            return;
        }
        self.weight = self.weight * faded(&mut self.at, at, LEVEL_HALF_MS) + part;
        let spread = self.variance.sqrt();
        let z = (x - self.middle) / spread;
        self.middle += part * spread * z.clamp(-PULL, PULL) / self.weight;
        let squared = (z * z).min(PULL_SPREAD * PULL_SPREAD) / CUT_VARIANCE;
        let step = part * (squared - 1.0) * self.variance / self.weight;
        self.variance = (self.variance + step).max(LEAST_SPREAD * LEAST_SPREAD);
        self.likeness.add(z.clamp(-PULL_SPREAD, PULL_SPREAD), 1);
    }

    /// A first middle and spread from the first durations: median, and median distance from it.
    fn settle(&mut self) {
        /// Standard deviation of a normal variable in median distances from its median.
        const MAD: f64 = 1.4826;
        let mut early = std::mem::take(&mut self.early);
        early.sort_by(f64::total_cmp);
        self.middle = f64::midpoint(early[EARLY / 2 - 1], early[EARLY / 2]);
        let mut apart: Vec<f64> = early.iter().map(|x| (x - self.middle).abs()).collect();
        apart.sort_by(f64::total_cmp);
        let spread = MAD * f64::midpoint(apart[EARLY / 2 - 1], apart[EARLY / 2]);
        let (believed, worth) = PRIOR_SPREAD;
        let seen = EARLY as f64;
        let variance = (seen * spread * spread + worth * believed * believed) / (seen + worth);
        self.variance = variance.max(LEAST_SPREAD * LEAST_SPREAD);
    }
}

/// A share of observations, by default of calls that fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share {
    failed: f64,
    all: f64,
    at: i64,
    /// What is under suspicion waits here until it is acquitted.
    pending: (f64, f64),
    likeness: Likeness,
}

impl Default for Share {
    fn default() -> Self {
        Self { failed: 0.0, all: 0.0, at: 0, pending: (0.0, 0.0), likeness: Likeness::NONE }
    }
}

/// What is believed of a share before it is seen, and how many observations that belief is worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prior {
    pub(crate) share: f64,
    pub(crate) worth: f64,
}

impl Share {
    /// The usual share, which is never nothing and never all.
    pub(crate) fn usual(&self, prior: Prior) -> f64 {
        (prior.share * prior.worth + self.failed) / (prior.worth + self.all)
    }

    /// Observations that were learned, faded.
    pub(crate) fn known(&self) -> f64 {
        self.all
    }

    /// The usual share as it may well be: what is known of few observations is two standard errors in its favour,
    /// as it is for durations.
    pub(crate) fn at_most(&self, prior: Prior) -> f64 {
        let (usual, known) = (self.usual(prior), prior.worth + self.all);
        (usual + 2.0 * (usual * (1.0 - usual) / known).sqrt()).min(1.0 - f64::EPSILON)
    }

    /// How much less what comes in clusters counts.
    pub(crate) fn factor(&self) -> f64 {
        self.likeness.factor()
    }

    /// Takes in so many equal observations; while `suspected` they are not learned yet.
    pub(crate) fn take(&mut self, (failed, many): (bool, u32), at: i64, suspected: bool, prior: Prior) {
        self.pending.0 += if failed { f64::from(many) } else { 0.0 };
        self.pending.1 += f64::from(many);
        if suspected {
            return;
        }
        let usual = self.usual(prior);
        let z = (f64::from(u8::from(failed)) - usual) / (usual * (1.0 - usual)).sqrt();
        self.likeness.add(z, many);
        let left = faded(&mut self.at, at, SHARE_HALF_MS);
        self.failed = self.failed * left + self.pending.0;
        self.all = self.all * left + self.pending.1;
        self.pending = (0.0, 0.0);
    }

    /// Learns many at once.
    pub(crate) fn teach(&mut self, failed: u32, all: u32, at: i64) {
        let left = faded(&mut self.at, at, SHARE_HALF_MS);
        self.failed = self.failed * left + f64::from(failed);
        self.all = self.all * left + f64::from(all);
    }

    /// Between which shares nine in ten samples of so many observations lie, with the middle.
    pub(crate) fn band(&self, prior: Prior, observations: f64) -> (f64, f64, f64) {
        let usual = self.usual(prior);
        let apart = NINE_IN_TEN * (usual * (1.0 - usual) / observations.max(1.0)).sqrt();
        ((usual - apart).max(0.0), usual, (usual + apart).min(1.0))
    }

    /// Forgets what was under suspicion: it was guilty.
    pub(crate) fn condemn(&mut self) {
        self.pending = (0.0, 0.0);
    }
}

/// What is left of a weight since `since`, which moves on; in steps of a second, since less would cost
/// a power for every line and change nothing.
pub(crate) fn faded(since: &mut i64, now: i64, half_ms: f64) -> f64 {
    let passed = now - *since;
    if passed < 1000 {
        return 1.0;
    }
    *since = now;
    (-(passed as f64) / half_ms).exp2()
}

keep_fields!(Likeness { factor, sum, count });
keep_fields!(Level { weight, at, middle, variance, likeness, early });
keep_fields!(Share { failed, all, at, pending, likeness });

#[cfg(test)]
mod tests {
    use super::*;

    /// Durations whose logarithms are spread by `spread` about `middle_ms`, the same in every run.
    fn durations(middle_ms: f64, spread: f64, count: usize) -> impl Iterator<Item = f64> {
        // Twelve uniform numbers of a linear generator make a normal one.
        let mut state = 7_u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31)
        };
        (0..count).map(move |_| {
            let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            middle_ms * (spread * normal).exp()
        })
    }

    fn learned(middle_ms: f64, spread: f64, count: usize) -> Level {
        let mut level = Level::default();
        for (nth, duration) in durations(middle_ms, spread, count).enumerate() {
            level.learn(duration, nth as i64 * 1000, 1.0);
        }
        level
    }

    #[test]
    fn middle_and_spread_are_found_and_a_tenth_of_nonsense_hardly_moves_them() {
        let level = learned(200.0, 0.35, 2000);
        assert!((level.usual_ms().unwrap_or_default() / 200.0 - 1.0).abs() < 0.05);
        assert!((level.variance.sqrt() - 0.35).abs() < 0.03, "{}", level.variance.sqrt());
        let mut dirty = Level::default();
        for (nth, duration) in durations(200.0, 0.35, 2000).enumerate() {
            dirty.learn(if nth % 10 == 3 { duration * 50.0 } else { duration }, nth as i64 * 1000, 1.0);
        }
        assert!((dirty.usual_ms().unwrap_or_default() / 200.0 - 1.0).abs() < 0.15, "{:?}", dirty.usual_ms());
    }

    #[test]
    fn twice_as_slow_speaks_for_a_change_and_as_usual_against_it() {
        let level = learned(200.0, 0.3, 500);
        let sum = |factor: f64| -> f64 {
            let said = durations(200.0 * factor, 0.3, 20).filter_map(|ms| level.against(ms, 1.0));
            said.map(|against| against.evidence(1.5)).sum()
        };
        assert!(sum(2.0) > 20.0 && sum(1.0) < -5.0, "{} {}", sum(2.0), sum(1.0));
    }

    #[test]
    fn durations_that_come_in_long_waves_count_for_less() {
        let mut level = Level::default();
        for (nth, duration) in durations(200.0, 0.2, 4000).enumerate() {
            let wave = if nth / 100 % 2 == 0 { 0.8 } else { 1.25 };
            level.learn(duration * wave, nth as i64 * 1000, 1.0);
        }
        assert!(level.likeness.factor() > 3.0, "{}", level.likeness.factor());
        assert!(learned(200.0, 0.2, 4000).likeness.factor() < 1.6);
    }

    #[test]
    fn a_share_learns_only_what_was_acquitted() {
        let prior = Prior { share: 0.01, worth: 50.0 };
        let mut share = Share::default();
        (0..950).for_each(|nth| share.take((nth % 100 == 0, 1), nth * 1000, false, prior));
        let before = share.usual(prior);
        (950..1000).for_each(|nth| share.take((true, 1), nth * 1000, true, prior));
        assert!((share.usual(prior) - before).abs() < 1e-12);
        share.condemn();
        share.take((false, 1), 1_000_000, false, prior);
        assert!((share.usual(prior) - before).abs() < 1e-3);
    }
}
