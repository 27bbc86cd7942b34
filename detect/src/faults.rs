//! How often an operation fails: what is usual, and what speaks for its failing more now.

use crate::baseline::{Prior, Share};
use crate::keep::keep_fields;
use crate::llr::{Page, Watch, outcome};
use crate::overall::Part;

/// Of an operation nobody has seen yet one call in fifty is believed to fail; twenty calls outweigh
/// the belief.
const PRIOR: Prior = Prior { share: 0.02, worth: 20.0 };
/// Of its calls one in two hundred is believed to be tried three times or more.
const RETRIED_PRIOR: Prior = Prior { share: 0.005, worth: 50.0 };
/// Share of calls more than usual that fail: the least that is worth waking somebody for, and one that
/// is found in fewer calls.
const MORE: [f64; 2] = [0.08, 0.4];
/// The same for everything together, where a few in a hundred are many people.
const MORE_OF_ALL: f64 = 0.03;
/// The same for calls that are retried too often.
const MORE_RETRIED: f64 = 0.3;
/// For a minute after a deploy failures may be so many times as frequent, and so much more: two calls in a
/// hundred are lost while instances change places.
const GRACE: (f64, f64) = (3.0, 0.02);
/// Calls from which a share says whether an alert is over.
const FEWEST: u32 = 40;
/// An alert that lasts so long is how things are now.
const NEW_NORMAL_MS: i64 = 2 * 3_600_000;

/// The failures of an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Faults {
    share: Share,
    pub(crate) watch: Watch,
    pub(crate) part: Part,
    /// Its alert is on, or it is part of one.
    pub(crate) failing: bool,
    /// Calls and failures since the suspicion began.
    calls: u32,
    failed: u32,
    /// One kind of error is more frequent than usual until then, in engine time.
    pub(crate) kind_until: i64,
    /// Engine second in which its errors were last weighed in vain.
    pub(crate) weighed_at: i64,
    /// Engine time at which there was enough evidence; 0: there is not.
    pub(crate) ready_at: i64,
    retried: Share,
    retries: Page,
}

impl Faults {
    /// Takes in so many calls with one outcome; what they say for a change of everything.
    pub(crate) fn take(&mut self, (failed, calls): (bool, u32), at: i64, deploying: bool) -> f64 {
        let factor = self.share.factor();
        let each = |p0: f64, more: f64| outcome(failed, p0, p0 + more * (1.0 - p0)) / factor;
        let says = |p0: f64, more: f64| each(p0, more) * f64::from(calls);
        let doubted = graced(self.share.at_most(PRIOR), deploying);
        // Of all operations together the doubts of each cancel out.
        let all = says(graced(self.share.usual(PRIOR), deploying), MORE_OF_ALL);
        self.watch.add(MORE.map(|more| says(doubted, more)), at);
        if self.watch.suspects() {
            (self.calls, self.failed) =
                (self.calls.saturating_add(calls), self.failed.saturating_add(if failed { calls } else { 0 }));
        } else {
            (self.calls, self.failed, self.ready_at) = (0, 0, 0);
        }
        let lasts = self.watch.on && at - self.watch.since > NEW_NORMAL_MS;
        self.share.take((failed, calls), at, (self.watch.suspects() || self.watch.on) && !lasts, PRIOR);
        all
    }

    /// Takes in whether so many calls were retried too often.
    pub(crate) fn take_retry(&mut self, (often, calls): (bool, u32), at: i64) {
        let p0 = self.retried.usual(RETRIED_PRIOR);
        self.retries.add(outcome(often, p0, p0 + MORE_RETRIED * (1.0 - p0)) * f64::from(calls), at);
        self.retried.take((often, calls), at, self.retries.suspects(), RETRIED_PRIOR);
    }

    pub(crate) fn retries(&self) -> &Page {
        &self.retries
    }

    /// True when a share of so many calls is nearer to what is usual than to what is worth waking somebody for.
    pub(crate) fn is_usual(&self, failed: u32, calls: u32) -> bool {
        let share = f64::from(failed) / f64::from(calls.max(1));
        calls >= FEWEST && share < self.share.at_most(PRIOR) + MORE[0] / 2.0
    }

    /// Evidence that it fails more.
    pub(crate) fn score(&self) -> f64 {
        let p0 = self.share.at_most(PRIOR);
        self.watch.score_of_outcomes(MORE.map(|more| p0 + more * (1.0 - p0)))
    }

    /// The share of failures that is usual now, in the middle.
    pub(crate) fn usual(&self, deploying: bool) -> f64 {
        graced(self.share.usual(PRIOR), deploying)
    }

    /// The share of failures that may well be usual now.
    pub(crate) fn expected(&self, deploying: bool) -> f64 {
        graced(self.share.at_most(PRIOR), deploying)
    }

    /// Between which percentages ten seconds of so many calls usually lie, with the middle.
    pub(crate) fn band_percent(&self, calls: f64) -> (f64, f64, f64) {
        let (low, mid, high) = self.share.band(PRIOR, calls);
        (low * 100.0, mid * 100.0, high * 100.0)
    }

    /// Share of failures since the suspicion began.
    pub(crate) fn lately(&self) -> f64 {
        f64::from(self.failed) / f64::from(self.calls.max(1))
    }

    /// Failures since the suspicion began.
    pub(crate) fn failed(&self) -> u32 {
        self.failed
    }

    /// What one failure says.
    pub(crate) fn weight_of_one(&self) -> f64 {
        let p0 = self.share.at_most(PRIOR);
        outcome(true, p0, p0 + MORE[self.watch.louder()] * (1.0 - p0)) / self.share.factor()
    }

    pub(crate) fn turn_on(&mut self, at: i64) {
        (self.failing, self.ready_at) = (true, 0);
        self.share.condemn();
        self.watch.turn_on(at);
    }

    pub(crate) fn turn_off(&mut self) {
        (self.failing, self.ready_at, self.calls, self.failed, self.kind_until) = (false, 0, 0, 0, 0);
        self.share.condemn();
        self.watch.turn_off();
    }
}

/// A usual share as it may be for a minute after a deploy.
pub(crate) fn graced(usual: f64, deploying: bool) -> f64 {
    let (times, more) = GRACE;
    if deploying { (usual * times + more).min(0.5).max(usual) } else { usual }
}

keep_fields!(Faults { share, watch, part, failing, calls, failed, kind_until, weighed_at, ready_at, retried, retries });
