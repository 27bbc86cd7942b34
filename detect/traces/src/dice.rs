//! Seeded chance with the distributions that logs have: the same seed and name throw the same for ever.
//!
//! The generator is written out here, because labelled traces must stay the same when a library changes its own.

use std::f64::consts::TAU;

/// A stream of chance (`SplitMix64`: Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The stream of `part` under `seed`; streams do not move one another.
    pub(crate) fn new(seed: u64, part: &str) -> Self {
        let mut dice = Self(seed ^ 0x5354_454c_4c41);
        for byte in part.bytes() {
            dice.0 = dice.next() ^ u64::from(byte);
        }
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Below `count`, which is at least 1.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.unit() * count as f64) as usize
    }

    /// In `low..high`.
    pub(crate) fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// In `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    /// Milliseconds to the next of independent happenings, `mean_ms` apart on average.
    pub(crate) fn wait(&mut self, mean_ms: f64) -> i64 {
        (-(1.0 - self.unit()).ln() * mean_ms) as i64 + 1
    }

    /// Of the standard normal distribution.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// Log-normal about `median`; `sigma` is the spread of the logarithm.
    pub(crate) fn about(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// One of `all`, which holds at least one.
    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Puts `all` in an order of its own (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
    }
}

/// Which of many, where a few are had most of the time.
#[derive(Debug, Clone)]
pub(crate) struct Urn(Vec<f64>);

impl Urn {
    /// Places with these weights.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        Self(weights.into_iter().map(|weight| (sum += weight, sum).1).collect())
    }

    /// `count` places; the nth weighs `1 / n^skew` (Zipf).
    pub(crate) fn zipf(count: usize, skew: f64) -> Self {
        Self::new((1..=count).map(|rank| (rank as f64).powf(-skew)))
    }

    /// A place.
    pub(crate) fn draw(&self, dice: &mut Dice) -> usize {
        let at = dice.unit() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum <= at).min(self.0.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_throws_the_same_each_time_and_another_name_does_not() {
        let throw = |part| Dice::new(7, part).next();
        assert_eq!(throw("people"), throw("people"));
        assert_ne!(throw("people"), throw("peoplf"));
        assert_ne!(Dice::new(7, "people").next(), Dice::new(8, "people").next());
    }

    #[test]
    fn draws_have_the_middle_and_the_skew_that_were_asked_for() {
        let mut dice = Dice::new(1, "test");
        let mut work: Vec<f64> = (0..4001).map(|_| dice.about(200.0, 0.4)).collect();
        work.sort_by(f64::total_cmp);
        assert!((190.0..210.0).contains(&work[2000]), "{}", work[2000]);
        let mean = (0..8000).map(|_| dice.wait(500.0)).sum::<i64>() / 8000;
        assert!((470..530).contains(&mean), "{mean}");
        let urn = Urn::zipf(100, 1.0);
        let first = (0..10_000).filter(|_| urn.draw(&mut dice) == 0).count();
        // The first of a hundred weighs 1 of 5.19.
        assert!((1750..2100).contains(&first), "{first}");
    }
}
