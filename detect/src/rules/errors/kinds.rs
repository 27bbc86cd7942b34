//! How often an operation fails in each way: one kind of error may become frequent while the share of all hardly
//! moves, as where one call in twenty-five fails anyway.
//!
//! Looked at only when an error of the kind comes; the calls between speak then, all at once. Knows no desk.

use crate::baseline::{Prior, Share};
use crate::cells::Cells;
use crate::faults::graced;
use crate::keep::keep_fields;
use crate::key;
use crate::llr::{Watch, outcome};
use crate::mark::Mark;
use crate::rules::Rules;
use crate::rules::errors::kind_of;

/// Of an operation's calls one in a thousand is believed to fail in any one way; three hundred outweigh it.
const PRIOR: Prior = Prior { share: 0.001, worth: 300.0 };
/// Share of calls more than usual that fail in this way: the least that is worth waking somebody for, and one
/// that is found in fewer calls.
const MORE: [f64; 2] = [0.05, 0.3];

/// Calls of the operation before which a kind of error is usual, however frequent it is.
const KNOWN: f64 = 300.0;

/// One way in which an operation fails.
#[derive(Debug, Default)]
struct Rate {
    share: Share,
    watch: Watch,
    /// Calls of the operation at the last one.
    calls: u64,
    /// Errors and calls since the suspicion began.
    since: (u32, u32),
}

/// What is to be said of one way of failing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kind {
    /// Evidence that it is more frequent.
    pub(super) score: f64,
    /// Since when, and how many there were.
    pub(super) began: i64,
    pub(super) failed: u32,
    /// What one of them says.
    pub(super) weight: f64,
}

/// Every way in which an operation fails.
#[derive(Debug)]
pub(super) struct Kinds {
    cells: Cells<Rate>,
}

fn key_of(mark: &Mark) -> u64 {
    key::join(&[mark.op, kind_of(mark)])
}

impl Rate {
    fn p1(&self) -> [f64; 2] {
        let p0 = self.share.at_most(PRIOR);
        MORE.map(|more| p0 + more * (1.0 - p0))
    }

    fn kind(&self) -> Kind {
        let p0 = self.share.at_most(PRIOR);
        let worth_it = f64::from(self.since.0) >= MORE[0] * f64::from(self.since.1);
        Kind {
            score: if worth_it { self.watch.score_of_outcomes(self.p1()) } else { 0.0 },
            began: self.watch.best().began,
            failed: self.since.0,
            weight: (self.p1()[self.watch.louder()] / p0).ln(),
        }
    }
}

impl Kinds {
    pub(super) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.operations * 8) }
    }

    /// Takes in an error, at so many calls of its operation.
    pub(super) fn take(&mut self, mark: &Mark, calls: u64, deploying: bool) -> Kind {
        let rate = self.cells.touch_or(key_of(mark), Rate::default);
        let between = calls.saturating_sub(rate.calls).saturating_sub(1).min(u64::from(u32::MAX)) as u32;
        rate.calls = calls;
        let usual = graced(rate.share.at_most(PRIOR), deploying);
        let says = |failed: bool| MORE.map(|more| outcome(failed, usual, usual + more * (1.0 - usual)));
        let early = rate.share.known() + f64::from(rate.since.1 + between) < KNOWN;
        if rate.watch.suspects() {
            rate.watch.add(says(false).map(|one| one * f64::from(between)), mark.at);
        }
        if rate.watch.suspects() {
            rate.since.1 += between;
        } else {
            let (failed, all) = std::mem::take(&mut rate.since);
            rate.share.teach(failed, all + between, mark.at);
        }
        if early {
            rate.share.teach(rate.since.0 + 1, rate.since.1 + 1, mark.at);
            (rate.watch, rate.since) = (Watch::default(), (0, 0));
            return Kind::default();
        }
        rate.watch.add(says(true), mark.at);
        rate.since = (rate.since.0 + 1, rate.since.1 + 1);
        rate.kind()
    }

    /// What is known of the kind of an error.
    pub(super) fn of(&self, mark: &Mark) -> Kind {
        self.cells.get(key_of(mark)).map(Rate::kind).unwrap_or_default()
    }
}

keep_fields!(Rate { share, watch, calls, since });
keep_fields!(Kinds { cells });

#[cfg(test)]
mod tests {
    use stella_protocol::LogEvent;

    use super::*;
    use crate::key::Names;

    /// An error each so many calls; what is said at the last.
    fn errors(kinds: &mut Kinds, calls: &mut u64, each: u64, count: u64) -> Kind {
        let mut said = Kind::default();
        for _ in 0..count {
            *calls += each;
            let event = LogEvent { error_type: Some("Timeout".into()), ..LogEvent::default() };
            said = kinds.take(&Mark::of(*calls, *calls as i64 * 100, &event, &mut Names::default()), *calls, false);
        }
        said
    }

    #[test]
    fn a_kind_that_was_rare_and_is_not_is_found_in_a_dozen_and_a_steady_one_never() {
        let (mut kinds, mut calls) = (Kinds::new(&Rules::default()), 0);
        let steady = errors(&mut kinds, &mut calls, 300, 40);
        assert!(steady.score < 5.0, "{steady:?}");
        let more = errors(&mut kinds, &mut calls, 10, 12);
        assert!(more.score > 13.0 && more.failed >= 10, "{more:?}");
        assert!(errors(&mut kinds, &mut calls, 400, 10).score < 5.0);
    }
}
