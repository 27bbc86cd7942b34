//! Seeded chance. Every part of the world throws dice of its own, named after the part, so that a
//! change in one part does not move what happens in another.
//!
//! Does not know what is being decided, and never looks at a clock.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// A stream of chance: the same seed and name give the same throws.
#[derive(Debug, Clone)]
pub struct Dice(StdRng);

impl Dice {
    /// The dice of `part` in the world of `seed`.
    pub fn new(seed: u64, part: &str) -> Self {
        // FNV-1a, 64 bit: spreads names that differ by one letter.
        let name = part
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(StdRng::seed_from_u64(seed.rotate_left(32) ^ name))
    }

    /// True with this probability (0 to 1).
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }

    /// A whole number in `low..high`; `low` when that holds none.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if low < high { self.0.random_range(low..high) } else { low }
    }

    /// An index below `count`; 0 when there is none.
    pub fn below(&mut self, count: usize) -> usize {
        if count == 0 { 0 } else { self.0.random_range(0..count) }
    }

    /// A number in `low..high`.
    pub fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    /// Milliseconds until the next of independent happenings that come every `mean_ms` on average; at least 1.
    pub fn wait(&mut self, mean_ms: f64) -> i64 {
        let left = 1.0 - self.0.random::<f64>();
        ((-left.ln() * mean_ms) as i64).max(1)
    }

    /// Milliseconds of work: log-normal about `median_ms`; at least 1.
    pub fn work(&mut self, median_ms: f64, sigma: f64) -> i64 {
        // Box and Muller's transform of two uniform throws into a normal one.
        let radius = (-2.0 * (1.0 - self.0.random::<f64>()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.0.random::<f64>()).cos();
        ((median_ms * (sigma * normal).exp()) as i64).max(1)
    }

    /// Puts `items` in an order of its own.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.0);
    }

    /// An id of a user: `usr_` and 20 letters or digits.
    pub fn hash_id(&mut self) -> String {
        let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..20).fold("usr_".to_owned(), |mut id, _| {
            id.push(char::from(letters[self.below(letters.len())]));
            id
        })
    }

    /// An id as a sign-in with Google gives it: 21 digits.
    pub fn google_id(&mut self) -> String {
        (0..20).fold("1".to_owned(), |mut id, _| {
            id.push(char::from(b"0123456789"[self.below(10)]));
            id
        })
    }

    /// 16 hexadecimal digits, for ids.
    pub fn hex(&mut self) -> String {
        format!("{:016x}", self.0.random::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_throws_the_same_and_another_name_does_not() {
        let throw = |part| Dice::new(7, part).hex();
        assert_eq!(throw("people"), throw("people"));
        assert_ne!(throw("people"), throw("peoplf"));
    }

    #[test]
    fn waits_and_work_have_the_middle_they_were_asked_for() {
        let mut dice = Dice::new(1, "test");
        let mean = (0..4000).map(|_| dice.wait(500.0)).sum::<i64>() / 4000;
        assert!((450..550).contains(&mean), "{mean}");
        let mut work: Vec<i64> = (0..4001).map(|_| dice.work(200.0, 0.4)).collect();
        work.sort_unstable();
        assert!((190..210).contains(&work[2000]), "{}", work[2000]);
    }
}
