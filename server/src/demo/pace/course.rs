//! How long each call takes, as numbers: what happened so far, and when a call that begins now would end.
//!
//! Pure. Times are milliseconds of the demo since its store was opened; who waits is [`super::Paced`].

use crate::demo::dice::Dice;

/// There and back.
const TRIP_MS: f64 = 40.0;
/// To read a document.
const READ_MS: f64 = 1.5;
/// To write one.
const WRITE_MS: f64 = 85.0;
/// Batches that the store writes at a time; more wait for their turn.
const LANES: usize = 2;
/// After so many writes somebody else changes a document.
const MEDDLE_AFTER: u64 = 120;
/// After so many the store has a hard time ...
const HARD_AFTER: u64 = 500;
/// ... for so long ...
const HARD_MS: f64 = 10_000.0;
/// ... and takes so many times as long.
const HARD_FACTOR: f64 = 4.0;
/// How much one call differs from another.
const JITTER: f64 = 0.15;

/// What happened so far.
#[derive(Debug)]
pub(super) struct Course {
    dice: Dice,
    /// How many times as much there is: all of it takes as long as the usual world.
    scale: u32,
    /// Until when each lane is taken.
    lanes: [f64; LANES],
    /// Writes that were asked for.
    writes: u64,
    /// Until when the store has a hard time; None: it did not begin.
    hard_until: Option<f64>,
    meddled: bool,
}

impl Course {
    pub fn new(seed: u64, scale: u32) -> Self {
        let dice = Dice::new(seed, "pace");
        Self { dice, scale: scale.max(1), lanes: [0.0; LANES], writes: 0, hard_until: None, meddled: false }
    }

    /// How long it takes to read so many documents in one call.
    pub fn read(&mut self, documents: usize) -> f64 {
        (TRIP_MS + self.work(documents, READ_MS)) * self.jitter()
    }

    /// How long it takes to look at one.
    pub fn look(&self) -> f64 {
        self.work(1, READ_MS)
    }

    /// When a batch of so many writes that is asked for now is done.
    pub fn write(&mut self, now: f64, writes: usize) -> f64 {
        self.writes += writes as u64;
        if self.writes > HARD_AFTER * u64::from(self.scale) {
            self.hard_until.get_or_insert(now + HARD_MS);
        }
        let is_hard = self.hard_until.is_some_and(|until| now < until);
        let work = self.work(writes, WRITE_MS) * self.jitter() * if is_hard { HARD_FACTOR } else { 1.0 };
        let first_free = self.lanes.iter_mut().min_by(|a, b| a.total_cmp(b));
        let done = first_free.map_or(now, |lane| {
            *lane = lane.max(now) + work;
            *lane
        });
        done + TRIP_MS
    }

    /// True when somebody else shall change a document.
    pub fn is_to_meddle(&self) -> bool {
        !self.meddled && self.writes > MEDDLE_AFTER * u64::from(self.scale)
    }

    /// Somebody does. False: somebody did already.
    pub fn meddle(&mut self) -> bool {
        !std::mem::replace(&mut self.meddled, true)
    }

    fn work(&self, documents: usize, each: f64) -> f64 {
        documents as f64 * each / f64::from(self.scale)
    }

    fn jitter(&mut self) -> f64 {
        self.dice.within(1.0 - JITTER, 1.0 + JITTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::pace::BATCH;

    /// So many writes in batches, so many at a time: when the last ended, and how long each took.
    fn run(scale: u32, writes: usize, flights: usize) -> (f64, Vec<f64>) {
        let (mut course, mut ends, mut took) = (Course::new(1, scale), vec![0.0; flights], Vec::new());
        let batch = BATCH * scale as usize;
        for from in (0..writes).step_by(batch) {
            ends.sort_by(f64::total_cmp);
            let done = course.write(ends[0], batch.min(writes - from));
            took.push(done - ends[0]);
            ends[0] = done;
        }
        (ends.into_iter().fold(0.0, f64::max), took)
    }

    #[test]
    fn a_run_takes_as_long_however_many_batches_are_in_flight() {
        for flights in [2, 3, 4, 8] {
            let (end, _) = run(1, 1_470, flights);
            assert!((65_000.0..85_000.0).contains(&end), "{flights} in flight: {end} ms");
        }
    }

    #[test]
    fn there_is_one_hard_time_and_it_is_much_slower_than_the_rest() {
        let (_, took) = run(1, 1_400, 2);
        let mut sorted = took.clone();
        sorted.sort_by(f64::total_cmp);
        let usual = sorted[sorted.len() / 2];
        let slow: Vec<usize> = (0..took.len()).filter(|number| took[*number] > usual * 3.0).collect();
        assert!(slow.len() >= 2, "{took:?}");
        assert_eq!(slow[slow.len() - 1] - slow[0] + 1, slow.len(), "one stretch: {slow:?}");
    }

    #[test]
    fn a_bigger_world_takes_as_long_and_no_batch_takes_long() {
        let ((usual, took), (big, _)) = (run(1, 1_400, 4), run(100, 140_000, 4));
        assert!((big - usual).abs() < usual * 0.1, "{big} and {usual}");
        let hard = took.iter().copied().fold(0.0, f64::max);
        assert!(hard < 20_000.0, "{hard}");
    }

    #[test]
    fn one_write_of_a_fix_is_hardly_slower() {
        let mut course = Course::new(1, 1);
        let took = course.look() + course.write(0.0, 1);
        assert!(took < 200.0, "{took}");
    }

    #[test]
    fn somebody_meddles_once_and_not_at_the_beginning() {
        let mut course = Course::new(1, 1);
        assert!(!course.is_to_meddle());
        course.write(0.0, 200);
        assert!(course.is_to_meddle());
        assert_eq!([course.meddle(), course.meddle(), course.is_to_meddle()], [true, false, false]);
    }
}
