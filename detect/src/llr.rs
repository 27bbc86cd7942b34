//! Evidence: the logarithm of how much likelier what was seen is under "something changed" than
//! under "all is as usual", summed up while it grows (Page, "Continuous inspection schemes",
//! Biometrika 1954). In nats: one nat makes it 2.7 times likelier.
//!
//! Knows no threshold (the [`budget`](crate::budget) has it), no log line and no wording.

use crate::keep::keep_fields;

/// The most that one duration may say, for or against: the logarithm of 20. Huber's robust test
/// (1965) cuts the ratio where a share of observations may be anything at all; one call in twenty
/// may, whatever its reason.
pub(crate) const CLIP: f64 = 3.0;

/// The most evidence that is counted up. Where more than this stands against chance, more of it
/// changes nothing, and a number that grows for ever would lose its last digits.
const MOST: f64 = 1e6;

/// Evidence at which an alert that is on is over: "as usual" is a thousand times likelier.
pub(crate) const CALM: f64 = 6.9;

/// A running sum that never falls below nothing: what speaks against an old suspicion is not saved
/// up against the next.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Page {
    /// Evidence for a change, in nats, at least 0.
    pub(crate) score: f64,
    /// Engine time of the first observation that counts.
    pub(crate) began: i64,
    /// Observations since then.
    pub(crate) count: u32,
}

impl Page {
    /// Takes in what an observation says.
    pub(crate) fn add(&mut self, llr: f64, at: i64) {
        let score = (self.score + llr).min(MOST);
        if score <= 0.0 {
            *self = Self::default();
            return;
        }
        if self.count == 0 {
            self.began = at;
        }
        self.score = score;
        self.count = self.count.saturating_add(1);
    }

    /// Lets evidence fade by half in each `half_ms` that passed.
    pub(crate) fn fade(&mut self, passed_ms: i64, half_ms: f64) {
        /// Evidence that is as good as none.
        const NOTHING: f64 = 0.05;
        if self.count > 0 && passed_ms > 0 {
            self.score *= (-(passed_ms as f64) / half_ms).exp2();
            if self.score < NOTHING {
                *self = Self::default();
            }
        }
    }

    /// True while something is suspected.
    pub(crate) fn suspects(&self) -> bool {
        self.count > 0
    }
}

/// One thing that may change, by little or by much: two alternatives side by side, and what speaks
/// for calm once it did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Watch {
    rise: [Page; 2],
    calm: Page,
    /// The change is there.
    pub(crate) on: bool,
    /// Engine time at which it was called there.
    pub(crate) since: i64,
}

impl Watch {
    /// Takes in what an observation says for a small and for a great change.
    pub(crate) fn add(&mut self, llr: [f64; 2], at: i64) {
        for (page, llr) in self.rise.iter_mut().zip(llr) {
            page.add(llr, at);
        }
        if self.on {
            self.calm.add(-llr[0], at);
        }
    }

    /// The stronger of both.
    pub(crate) fn best(&self) -> &Page {
        if self.rise[1].score > self.rise[0].score { &self.rise[1] } else { &self.rise[0] }
    }

    /// Evidence for the change: of two looked at one is the greater by chance twice as often.
    pub(crate) fn score(&self) -> f64 {
        self.best().score - std::f64::consts::LN_2
    }

    /// The same for outcomes, where a suspicion can only begin with a failure. Of `n` observations `n p0` begin one,
    /// each with `ln p1/p0`, and reach `h` with a chance of at most `e^-(h - ln p1/p0)` (Wald): altogether
    /// `n p1 e^-h`, so that `h` may be less by `-ln p1`.
    pub(crate) fn score_of_outcomes(&self, p1: [f64; 2]) -> f64 {
        let score = |nth: usize| if self.rise[nth].suspects() { self.rise[nth].score - p1[nth].ln() } else { 0.0 };
        (score(0).max(score(1)) - std::f64::consts::LN_2).max(0.0)
    }

    /// Which of the two alternatives speaks louder: the small one or the great one.
    pub(crate) fn louder(&self) -> usize {
        usize::from(self.rise[1].score > self.rise[0].score)
    }

    /// True while something is suspected.
    pub(crate) fn suspects(&self) -> bool {
        self.rise.iter().any(Page::suspects)
    }

    /// The change is there.
    pub(crate) fn turn_on(&mut self, at: i64) {
        (self.on, self.since, self.calm) = (true, at, Page::default());
    }

    /// All is as usual again.
    pub(crate) fn turn_off(&mut self) {
        *self = Self::default();
    }

    /// True when what was on has been as usual for long enough.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.score >= CALM
    }
}

/// What a success or a failure says for the share `p1` against the share `p0`.
pub(crate) fn outcome(failed: bool, p0: f64, p1: f64) -> f64 {
    if failed { (p1 / p0).ln() } else { ((1.0 - p1) / (1.0 - p0)).ln() }
}

/// What a value, standardised, says for a shift by `shift` standard deviations; cut at [`CLIP`].
pub(crate) fn shifted(z: f64, shift: f64) -> f64 {
    (shift * (z - shift / 2.0)).clamp(-CLIP, CLIP)
}

keep_fields!(Page { score, began, count });
keep_fields!(Watch { rise, calm, on, since });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_never_saves_up_calm_and_knows_when_it_began() {
        let mut page = Page::default();
        (0..100).for_each(|at| page.add(-1.0, at));
        assert_eq!(page, Page::default());
        (100..104).for_each(|at| page.add(2.0, at));
        assert_eq!((page.score, page.began, page.count), (8.0, 100, 4));
        page.fade(60_000, 60_000.0);
        assert!((page.score - 4.0).abs() < 1e-12);
    }

    #[test]
    fn an_outcome_weighs_what_the_shares_say() {
        assert!((outcome(true, 0.01, 0.1) - 10f64.ln()).abs() < 1e-12);
        assert!(outcome(false, 0.01, 0.1) < 0.0);
        assert!((shifted(1.0, 1.0) - 0.5).abs() < 1e-12 && shifted(50.0, 1.0) <= CLIP);
    }

    #[test]
    fn what_is_on_ends_by_evidence_for_calm() {
        let mut watch = Watch::default();
        (0..10).for_each(|at| watch.add([2.0, 1.0], at));
        watch.turn_on(10);
        (10..13).for_each(|at| watch.add([-2.0, -1.0], at));
        assert!(!watch.is_calm());
        watch.add([-2.0, -1.0], 13);
        assert!(watch.is_calm());
    }

    proptest::proptest! {
        /// Lorden (1971): under "as usual" the mean time until the sum passes h is at least e^h.
        #[test]
        fn chance_passes_a_threshold_no_more_often_than_its_exponential(seed in 0_u64..500) {
            let (mut state, mut page, mut passed) = (seed * 2 + 1, Page::default(), 0_u32);
            let (p0, p1, limit, steps) = (0.02, 0.2, 4.0_f64, 20_000_u32);
            for at in 0..steps {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let failed = (state >> 33) as f64 / f64::from(1_u32 << 31) < p0;
                page.add(outcome(failed, p0, p1), i64::from(at));
                if page.score >= limit {
                    (page, passed) = (Page::default(), passed + 1);
                }
            }
            // Three standard deviations of a Poisson count above the bound.
            let most = f64::from(steps) * (-limit).exp();
            proptest::prop_assert!(f64::from(passed) <= most + 3.0 * most.sqrt(), "{passed} of {most}");
        }
    }
}
