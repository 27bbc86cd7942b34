//! How often logins fail in an hour, whatever share of them that is: by night people sleep and strangers who try
//! every open door do not, so that most logins fail though no more of them do than ever.
//!
//! Knows no budget and no address.

use crate::keep::keep_fields;
use crate::llr::Watch;

/// So many times as many failures an hour as usual: the least that is an attack of many addresses, and one that is
/// found in fewer failures.
const TIMES: [f64; 2] = [3.0, 10.0];
/// Half-life of what is known, in milliseconds: half a day, as of shares. An evening must be remembered by morning.
const HALF_MS: f64 = 12.0 * 3_600_000.0;

/// Failed logins as a Poisson process.
#[derive(Debug, Default)]
pub(super) struct Pace {
    watch: Watch,
    /// Failures, and milliseconds in which they came, faded.
    failed: f64,
    over_ms: f64,
    /// Engine time of the last failure, or of the first login; 0: none came yet.
    at: i64,
}

impl Pace {
    /// A login that did not fail: from the first one on somebody watches.
    pub(super) fn watch_from(&mut self, at: i64) {
        if self.at == 0 {
            self.at = at;
        }
    }

    /// Failures a millisecond as they may well be usual: two standard errors in their favour, and one failure more,
    /// since of none nothing is known.
    fn usual(&self) -> f64 {
        let failed = self.failed + 1.0;
        (failed + 2.0 * failed.sqrt()) / self.over_ms.max(1.0)
    }

    /// A failure; while it is `suspected` it is not learned.
    pub(super) fn fail(&mut self, at: i64, suspected: bool) {
        self.watch_from(at);
        let gap = (at - self.at) as f64;
        self.at = at;
        let usual = self.usual();
        // The ratio of the densities of an exponential gap.
        self.watch.add(TIMES.map(|times| times.ln() - (times - 1.0) * usual * gap), at);
        if !suspected {
            let left = (-gap / HALF_MS).exp2();
            (self.failed, self.over_ms) = (self.failed * left + 1.0, self.over_ms * left + gap);
        }
    }

    /// Evidence that more fail than usual, in nats.
    pub(super) fn score(&self) -> f64 {
        self.watch.score()
    }
}

keep_fields!(Pace { watch, failed, over_ms, at });

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure each `every_ms`, for so many.
    fn run(pace: &mut Pace, count: u32, every_ms: i64) {
        for _ in 0..count {
            let at = pace.at.max(1) + every_ms;
            pace.fail(at, false);
        }
    }

    #[test]
    fn a_pace_that_stays_says_nothing_and_ten_times_as_many_say_so_within_ten() {
        let mut pace = Pace::default();
        pace.watch_from(1);
        run(&mut pace, 60, 60_000);
        assert!(pace.score() < 1.0, "{}", pace.score());
        run(&mut pace, 10, 6_000);
        assert!(pace.score() > crate::budget::LEAST, "{}", pace.score());
    }

    #[test]
    fn the_first_minute_of_a_log_says_nothing_of_a_pace() {
        let mut pace = Pace::default();
        pace.watch_from(1);
        run(&mut pace, 12, 5_000);
        assert!(pace.score() < crate::budget::LEAST, "{}", pace.score());
    }
}
