//! How rare a strength is, judged by the strengths of the same channel in its own past.
//!
//! The past is kept as maxima of blocks of rows, so that one long excursion counts as one or two and
//! not as hundreds (neighbouring rows are no independent witnesses). Up to the greatest maximum
//! the answer is a count; beyond it the tail of the logarithms is taken as exponential (Hill 1975,
//! "A simple general approach to inference about the tail of a distribution"), with its rate
//! integrated out under a gamma prior, so that few maxima make a cautious answer. It cannot say
//! anything before there are some blocks.

use crate::keep::keep_fields;

/// Blocks that are remembered: with 32 rows each, four weeks of five-minute rows.
const BLOCKS: usize = 256;
/// Blocks before anything is called rare.
const FEWEST: usize = 8;
/// The tail is the greatest quarter of the blocks, of at least 4: the compromise between few witnesses and
/// witnesses that are no tail (on made series an eighth is worse by two points of the benchmark's score).
const TAIL_PART: usize = 4;
const TAIL: (usize, usize) = (4, 64);
/// What is believed of a tail before it is seen: two excesses with a mean of a third, the tail of
/// Student's t with three degrees of freedom, which is heavy and not absurd.
const PRIOR_SHAPE: f64 = 2.0;
const PRIOR_SUM: f64 = 2.0 / 3.0;
/// A maximum enters the past as at most so many mean excesses beyond the tail's start (one in twenty
/// of an exponential tail goes further): one great event must not hide the next, several may.
const WINSOR: f64 = 3.0;

/// The past of a channel.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Tail {
    /// Logarithms of the maxima of closed blocks, a ring.
    maxima: Vec<f32>,
    next: usize,
    /// The maximum of the open block.
    open: f32,
    /// Where the tail starts, the sum of the excesses over it, and how many they are.
    start: f32,
    excess: f32,
    members: u32,
}

impl Tail {
    /// Notes a strength (1 and less is none) and says how rare it is: the probability that a block like those of the
    /// past has a maximum as great. 1: not rare, or not known.
    pub(super) fn take(&mut self, strength: f64) -> f64 {
        let log = if strength > 1.0 { strength.ln() as f32 } else { 0.0 };
        self.open = self.open.max(log);
        self.rarity(log)
    }

    fn rarity(&self, log: f32) -> f64 {
        if self.maxima.len() < FEWEST || log <= self.start {
            return 1.0;
        }
        let blocks = (self.maxima.len() + 1) as f64;
        let (members, excess) = (f64::from(self.members), f64::from(self.excess));
        let seen = self.maxima.iter().filter(|maximum| **maximum >= log).count() as f64 / blocks;
        let sum = PRIOR_SUM + excess;
        let survival = (sum / (sum + f64::from(log - self.start))).powf(PRIOR_SHAPE + members);
        ((members + 0.5) / blocks * survival).max(seen).min(1.0)
    }

    /// A block of rows is over.
    pub(super) fn close_block(&mut self) {
        let mut log = std::mem::take(&mut self.open);
        if self.maxima.len() >= FEWEST {
            let mean = (PRIOR_SUM + f64::from(self.excess)) / (PRIOR_SHAPE + f64::from(self.members));
            log = log.min(self.start + (WINSOR * mean) as f32);
        }
        if self.maxima.len() < BLOCKS {
            self.maxima.push(log);
        } else {
            self.maxima[self.next % BLOCKS] = log;
        }
        self.next = (self.next + 1) % BLOCKS;
        self.fit();
    }

    fn fit(&mut self) {
        let members = (self.maxima.len() / TAIL_PART).clamp(TAIL.0, TAIL.1);
        if self.maxima.len() <= members {
            return;
        }
        let mut sorted = self.maxima.clone();
        let (tail, start, _) = sorted.select_nth_unstable_by(members, |left, right| right.total_cmp(left));
        self.start = *start;
        tail.sort_unstable_by(f32::total_cmp);
        self.excess = tail.iter().map(|log| log - self.start).sum();
        self.members = members as u32;
    }
}

keep_fields!(Tail { maxima, next, open, start, excess, members });
