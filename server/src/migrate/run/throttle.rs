//! How many batches may be in flight: more while the store answers as fast as ever, half as many when it does
//! not. What is slower than it could be has a reason, in words.
//!
//! Pure: whoever asks the store says how long that took.

use std::collections::VecDeque;

/// Most batches in flight.
pub const MOST: usize = 8;
/// Answers that are remembered, for each size of batch.
const REMEMBERED: usize = 32;
/// Fewer say nothing yet of how fast the store is.
const ENOUGH: usize = 4;
/// Slower than its median by this factor is slow.
const SLOW: u64 = 3;
/// Below this nothing is slow, in milliseconds: a disk that waits once is no store in trouble.
const FAST_MS: u64 = 50;
/// So many slow answers in a row, and it holds back.
const PATIENCE: u32 = 2;
/// Answers sooner than this let another write go out at the same time, in milliseconds.
const SOON_MS: u64 = 1000;
/// Answers later than this let one less, in milliseconds: they wait for each other in the store, and nobody can
/// call off what is in flight.
const LATE_MS: u64 = 2500;
/// So many writes may always be in flight: one on its way while another one is done.
const LEAST_WRITES: usize = 2;
/// Batches with up to so many documents are compared with each other.
const SIZES: [usize; 2] = [16, 128];

/// Follows a store.
#[derive(Debug)]
pub struct Throttle {
    lanes: usize,
    writes: usize,
    /// Answers since the number of lanes changed.
    since: usize,
    slow: u32,
    answers: [VecDeque<u64>; SIZES.len() + 1],
    hold: Option<String>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { lanes: 2, writes: LEAST_WRITES, since: 0, slow: 0, answers: Default::default(), hold: None }
    }
}

impl Throttle {
    /// How many batches may be in flight now, at least 1.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// How many writes the store may be at, at least 1: fewer than there are batches in flight where it answers
    /// late.
    pub fn writes(&self) -> usize {
        self.writes.min(self.lanes)
    }

    /// Why it is slower than it could be.
    pub fn hold(&self) -> Option<&str> {
        self.hold.as_deref()
    }

    /// The store wrote so many documents in so many milliseconds.
    pub fn took(&mut self, documents: usize, ms: u64) {
        if ms <= SOON_MS {
            self.writes = (self.writes + 1).min(MOST);
        } else if ms > LATE_MS {
            self.writes = (self.writes - 1).max(LEAST_WRITES);
        }
        let size = SIZES.iter().position(|most| documents <= *most).unwrap_or(SIZES.len());
        let usual = median(&self.answers[size]);
        if usual.is_some_and(|usual| ms > FAST_MS && ms > usual.saturating_mul(SLOW)) {
            self.slow += 1;
            if self.slow >= PATIENCE {
                let usual = usual.unwrap_or_default();
                self.back_off(format!("the store needs {ms} ms for a write, {usual} ms usually"));
            }
            // Slow answers are no measure of what is usual.
            return;
        }
        let answers = &mut self.answers[size];
        answers.push_back(ms);
        if answers.len() > REMEMBERED {
            answers.pop_front();
        }
        (self.slow, self.hold) = (0, None);
        self.since += 1;
        if self.since >= self.lanes && self.lanes < MOST {
            (self.lanes, self.since) = (self.lanes + 1, 0);
        }
    }

    /// The store could not be asked.
    pub fn failed(&mut self) {
        self.back_off("the store does not answer".to_owned());
    }

    fn back_off(&mut self, why: String) {
        self.lanes = (self.lanes / 2).max(1);
        (self.since, self.slow, self.hold) = (0, 0, Some(why));
    }
}

/// None: too few to tell.
fn median(answers: &VecDeque<u64>) -> Option<u64> {
    if answers.len() < ENOUGH {
        return None;
    }
    let mut sorted: Vec<u64> = answers.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_faster_step_by_step_and_never_beyond_its_most() {
        let mut throttle = Throttle::default();
        let mut last = throttle.lanes();
        for _ in 0..200 {
            throttle.took(100, 40);
            assert!(throttle.lanes() <= last + 1 && throttle.hold().is_none());
            last = throttle.lanes();
        }
        assert_eq!(last, MOST);
    }

    #[test]
    fn a_store_that_gets_slow_is_given_half_and_a_reason_until_it_is_as_fast_as_before() {
        let mut throttle = Throttle::default();
        (0..60).for_each(|_| throttle.took(100, 40));
        throttle.took(100, 400);
        assert_eq!((throttle.lanes(), throttle.hold()), (MOST, None), "once is chance");
        throttle.took(100, 500);
        assert_eq!(throttle.lanes(), MOST / 2);
        assert_eq!(throttle.hold(), Some("the store needs 500 ms for a write, 40 ms usually"));
        (0..20).for_each(|_| throttle.took(100, 900));
        assert_eq!(throttle.lanes(), 1, "never none");
        throttle.took(100, 40);
        assert_eq!(throttle.hold(), None);
    }

    #[test]
    fn a_store_that_answers_late_is_at_few_writes_and_one_that_is_quick_at_as_many_as_there_are_batches() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.writes(), LEAST_WRITES);
        (0..60).for_each(|_| throttle.took(20, 40));
        assert_eq!(throttle.writes(), MOST);
        (0..2).for_each(|_| throttle.took(20, 1700));
        assert_eq!(throttle.writes(), MOST / 2, "no more than there are batches");
        (0..60).for_each(|_| throttle.took(20, 6000));
        assert_eq!((throttle.writes, throttle.writes()), (LEAST_WRITES, 1));
        let mut late = Throttle::default();
        (0..60).for_each(|_| late.took(20, 1700));
        assert_eq!((late.lanes(), late.writes()), (MOST, LEAST_WRITES));
    }

    #[test]
    fn larger_batches_are_no_slow_store() {
        let mut throttle = Throttle::default();
        (0..40).for_each(|_| throttle.took(2, 20));
        (0..40).for_each(|_| throttle.took(500, 900));
        assert_eq!((throttle.lanes(), throttle.hold()), (MOST, None));
        throttle.failed();
        assert_eq!((throttle.lanes(), throttle.hold()), (MOST / 2, Some("the store does not answer")));
    }
}
