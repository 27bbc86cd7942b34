//! How much evidence an alert needs: one number for the whole engine, the false alerts an hour that
//! somebody is ready to bear.
//!
//! A sum of evidence that watches one source is fooled by chance at most once in `e^h` observations
//! when it must reach `h` (Lorden, 1971, on Page's test; Wald's approximation is the same bound with a
//! factor that only lengthens it). The budget is shared out by observations: each kind of problem gets
//! the same part, and within a kind every observation of every cell may be wrong with the same chance.
//! So cells that are busy get more of it, cells that nobody uses none, and nobody has to count cells.

use crate::keep::keep_fields;
use crate::rules::floored;

/// What is looked for, each with the same part of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Slow,
    Errors,
    NewError,
    Friction,
    Security,
    Data,
    Silence,
    Series,
}

/// How many kinds there are.
const KINDS: usize = 8;

/// Half-life of the count of observations, in milliseconds: an hour, since the budget is said per hour.
const HALF_MS: f64 = 3_600_000.0;
/// Shortest time over which a rate is known, in milliseconds: in its first minute everything is busy.
const SHORTEST_MS: f64 = 60_000.0;
/// Least evidence, whatever the budget: a thousand to one. Below that the models' own errors decide.
pub(crate) const LEAST: f64 = 6.9;
/// Milliseconds of an hour.
const HOUR_MS: f64 = 3_600_000.0;

/// The shortest time over which observations of a kind are counted. Sign-ins have a whole hour's part from the
/// start: an attack that comes first would otherwise look like the usual traffic. Of n sign-ins in the first
/// hour that costs ln n of the hour's part, once.
fn shortest_ms(kind: usize) -> f64 {
    if kind == Kind::Security as usize { HOUR_MS } else { SHORTEST_MS }
}

/// Observations and thresholds of each kind.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    /// False alerts an hour, of each kind.
    part: f64,
    fresh: [u64; KINDS],
    counted: [f64; KINDS],
    /// Milliseconds over which was counted, faded like the counts.
    over_ms: f64,
    at: i64,
    /// What each kind would need, were no evidence too little.
    needed: [f64; KINDS],
}

impl Budget {
    /// A budget of so many false alerts an hour.
    pub(crate) fn new(false_an_hour: f64) -> Self {
        let needed = [0.0; KINDS];
        let mut budget =
            Self { part: 0.0, fresh: [0; KINDS], counted: [0.0; KINDS], over_ms: 0.0, at: i64::MIN, needed };
        budget.set(false_an_hour);
        budget
    }

    /// Another budget from now on.
    pub(crate) fn set(&mut self, false_an_hour: f64) {
        self.part = floored(false_an_hour) / KINDS as f64;
    }

    /// An observation that could have been wrong.
    pub(crate) fn count(&mut self, kind: Kind) {
        self.count_many(kind, 1);
    }

    /// The same of a line that counts for so many.
    pub(crate) fn count_many(&mut self, kind: Kind, lines: u32) {
        self.fresh[kind as usize] += u64::from(lines);
    }

    /// Time passes; thresholds follow what was counted. Once a second is often enough.
    pub(crate) fn advance(&mut self, now: i64) {
        if self.at == i64::MIN {
            self.at = now;
        }
        let passed = (now - self.at).max(0) as f64;
        self.at = now;
        let faded = (-passed / HALF_MS).exp2();
        self.over_ms = self.over_ms * faded + passed;
        for kind in 0..KINDS {
            let hours = self.over_ms.max(shortest_ms(kind)) / HOUR_MS;
            self.counted[kind] = self.counted[kind] * faded + std::mem::take(&mut self.fresh[kind]) as f64;
            // The smallest number stands for none, whose logarithm would be no number to add to.
            self.needed[kind] = (self.counted[kind] / hours / self.part).max(f64::MIN_POSITIVE).ln();
        }
    }

    /// Evidence that an alert of this kind needs, in nats.
    pub(crate) fn needed(&self, kind: Kind) -> f64 {
        self.needed_besides(kind, 0.0)
    }

    /// The same where somebody asks for `more`: the logarithm of how many times fewer false alerts they bear.
    pub(crate) fn needed_besides(&self, kind: Kind, more: f64) -> f64 {
        (self.needed[kind as usize] + more).max(LEAST)
    }

    /// How often chance alone brings this much evidence, for people: no figure, since no line says it.
    pub(crate) fn rarity(&self, kind: Kind, score: f64) -> &'static str {
        // How many times longer than the kind's own part of the budget allows.
        let hours = (score - self.needed(kind)).exp() / self.part;
        match hours {
            hours if hours < 24.0 * 7.0 => "once in some days",
            hours if hours < 24.0 * 60.0 => "once in some weeks",
            hours if hours < 24.0 * 365.0 * 2.0 => "once in some months",
            hours if hours < 24.0 * 365.0 * 100.0 => "once in some years",
            _ => "less than once in a lifetime",
        }
    }
}

keep_fields!(Budget { part, fresh, counted, over_ms, at, needed });

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(rate_a_second: u64, false_an_hour: f64) -> Budget {
        let mut budget = Budget::new(false_an_hour);
        for second in 0..7200_i64 {
            (0..rate_a_second).for_each(|_| budget.count(Kind::Slow));
            budget.advance(second * 1000);
        }
        budget
    }

    #[test]
    fn ten_times_the_traffic_needs_the_logarithm_of_ten_more() {
        let (calm, loud) = (busy(10, 0.2), busy(100, 0.2));
        assert!((loud.needed(Kind::Slow) - calm.needed(Kind::Slow) - 10f64.ln()).abs() < 0.01);
        // An hour of ten a second, and an eighth of a fifth of an alert.
        assert!((calm.needed(Kind::Slow) - (36_000.0 * 40.0_f64).ln()).abs() < 0.01);
    }

    #[test]
    fn a_smaller_budget_needs_more_and_a_kind_without_lines_least() {
        assert!(busy(10, 0.02).needed(Kind::Slow) > busy(10, 0.2).needed(Kind::Slow) + 2.0);
        assert!((busy(10, 0.2).needed(Kind::Data) - LEAST).abs() < 1e-9);
    }

    #[test]
    fn who_bears_a_tenth_needs_as_much_as_if_all_did_and_never_less_than_least() {
        let (one, ten) = (busy(10, 0.02), busy(10, 0.2));
        assert!((ten.needed_besides(Kind::Slow, 10f64.ln()) - one.needed(Kind::Slow)).abs() < 1e-9);
        assert!((ten.needed_besides(Kind::Slow, -100.0) - LEAST).abs() < 1e-9);
        assert!((ten.needed_besides(Kind::Data, 10f64.ln()) - LEAST).abs() < 1e-9, "nothing was looked at");
    }

    #[test]
    fn what_is_rare_is_said_in_words() {
        let budget = busy(10, 0.2);
        let needed = budget.needed(Kind::Slow);
        assert_eq!(budget.rarity(Kind::Slow, needed), "once in some days");
        assert_eq!(budget.rarity(Kind::Slow, needed + 30.0), "less than once in a lifetime");
    }
}
