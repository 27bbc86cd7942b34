//! How rare a strength is, judged by the strengths of the same channel in its own past.
//!
//! The past is kept as maxima of blocks of rows, so that one long excursion counts as one or two and
//! not as hundreds (neighbouring rows are no independent witnesses). Blocks grow with what was seen: whenever
//! there are 32, neighbours become one, so that a block is always between a thirty-second and a sixteenth of
//! the past. What comes in bouts is then one witness a bout at every age, which no fixed length of
//! a block can do.
//!
//! Up to the greatest maximum the answer is a count; beyond it the tail of the logarithms is taken as
//! exponential (Hill 1975, "A simple general approach to inference about the tail of a distribution"), with its
//! rate integrated out under a gamma prior, so that few maxima make a cautious answer. It cannot say
//! anything before there are some blocks.

use crate::keep::keep_fields;

/// Blocks that are remembered: fewer are too few for a tail, more cut a bout into pieces that pass for
/// witnesses (on made series 64 are worse by a point of the benchmark's score, 256 of fixed length by four).
const BLOCKS: usize = 32;
/// Rows of the first blocks, and of the longest ones. Twice the short window is the least that makes neighbours
/// unlike; with the longest the past is three weeks of samples every fifteen seconds, and older blocks leave.
const ROWS: (u32, u32) = (16, 4096);
/// Blocks before anything is called rare.
const FEWEST: usize = 8;
/// The tail is the greatest quarter of the blocks, of at least 4: the compromise between few witnesses and
/// witnesses that are no tail (on made series a half is worse by two points of the benchmark's score).
const TAIL_PART: usize = 4;
const FEWEST_MEMBERS: usize = 4;
/// What is believed of a tail before it is seen: two excesses with a mean of a third, the tail of
/// Student's t with three degrees of freedom, which is heavy and not absurd.
const PRIOR_SHAPE: f64 = 2.0;
const PRIOR_SUM: f64 = 2.0 / 3.0;
/// A maximum enters the past as at most so many mean excesses beyond the tail's start (one in twenty
/// of an exponential tail goes further): one great event must not hide the next, several may.
const WINSOR: f64 = 3.0;

/// The past of a channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tail {
    /// Logarithms of the maxima of closed blocks, oldest first.
    maxima: Vec<f32>,
    /// The maximum of the open block, and its rows.
    open: f32,
    rows: u32,
    /// Rows of a block.
    block_rows: u32,
    /// Where the tail starts, the sum of the excesses over it, and how many they are.
    start: f32,
    excess: f32,
    members: u32,
}

impl Default for Tail {
    fn default() -> Self {
        Self { maxima: Vec::new(), open: 0.0, rows: 0, block_rows: ROWS.0, start: 0.0, excess: 0.0, members: 0 }
    }
}

impl Tail {
    /// Notes the strength of a row (1 and less is none) and says how rare it is: the probability that at a row
    /// something as strong begins. 1: not rare, or not known.
    pub(super) fn take(&mut self, strength: f64) -> f64 {
        let log = if strength > 1.0 { strength.ln() as f32 } else { 0.0 };
        self.open = self.open.max(log);
        let rarity = self.of_a_block(log).map_or(1.0, |rarity| rarity / f64::from(self.block_rows));
        self.rows += 1;
        if self.rows == self.block_rows {
            self.rows = 0;
            self.close();
        }
        rarity
    }

    /// The probability that a block like those of the past has a maximum as great; None: an ordinary one.
    fn of_a_block(&self, log: f32) -> Option<f64> {
        if self.maxima.len() < FEWEST || log <= self.start {
            return None;
        }
        let blocks = (self.maxima.len() + 1) as f64;
        let (members, excess) = (f64::from(self.members), f64::from(self.excess));
        let seen = self.maxima.iter().filter(|maximum| **maximum >= log).count() as f64 / blocks;
        let sum = PRIOR_SUM + excess;
        let survival = (sum / (sum + f64::from(log - self.start))).powf(PRIOR_SHAPE + members);
        Some(((members + 0.5) / blocks * survival).max(seen))
    }

    fn close(&mut self) {
        let mut log = std::mem::take(&mut self.open);
        if self.maxima.len() >= FEWEST {
            let mean = (PRIOR_SUM + f64::from(self.excess)) / (PRIOR_SHAPE + f64::from(self.members));
            log = log.min(self.start + (WINSOR * mean) as f32);
        }
        self.maxima.push(log);
        if self.maxima.len() == BLOCKS {
            if self.block_rows < ROWS.1 {
                self.block_rows *= 2;
                self.maxima = self.maxima.chunks(2).map(|pair| pair.iter().copied().fold(0.0, f32::max)).collect();
            } else {
                self.maxima.remove(0);
            }
        }
        self.fit();
    }

    fn fit(&mut self) {
        let members = (self.maxima.len() / TAIL_PART).max(FEWEST_MEMBERS);
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

keep_fields!(Tail { maxima, open, rows, block_rows, start, excess, members });

#[cfg(test)]
mod tests {
    use super::*;

    /// Strengths that look like chance and are the same in every run.
    fn strength(row: u64) -> f64 {
        let mixed = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (row >> 3).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        1.0 + (mixed >> 40) as f64 / (1_u64 << 24) as f64
    }

    #[test]
    fn blocks_are_a_thirty_second_to_a_sixteenth_of_the_past_and_of_bounded_length() {
        let mut tail = Tail::default();
        for row in 1..=300_000_u64 {
            tail.take(strength(row));
            assert!(tail.maxima.len() < BLOCKS);
            if (256..100_000).contains(&row) {
                assert!((row / 32..=row / 16).contains(&u64::from(tail.block_rows)), "{row}: {}", tail.block_rows);
            }
        }
        assert_eq!(tail.block_rows, ROWS.1);
    }

    #[test]
    fn what_was_seen_often_is_not_rare_and_what_goes_far_beyond_is() {
        let mut tail = Tail::default();
        (0..4000).for_each(|row| {
            tail.take(strength(row));
        });
        assert!(tail.clone().take(1.5) >= 1.0);
        let (near, far) = (tail.clone().take(2.2), tail.clone().take(20.0));
        assert!(near > 1e-4 && far < 1e-6, "{near} {far}");
        // What comes again and again is ordinary, however strong it is.
        (0..20_000).for_each(|row| {
            tail.take(if row % 500 < 20 { 20.0 } else { 1.0 });
        });
        let again = tail.take(20.0);
        assert!(again * 24_000.0 > 1.0, "{again}");
    }
}
