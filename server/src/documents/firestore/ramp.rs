//! How fast is written at most: 500 documents a second at first, half as many more every five minutes. So the store
//! has time to spread what is new to it over more machines.
//!
//! Pure: a function of the times at which is asked.

use std::time::Duration;

/// Documents a second at first.
const FIRST: f64 = 500.0;
/// The rate of one step times this is that of the next.
const GROWTH: f64 = 1.5;
/// How long a step is. After so long without a write it begins anew: what was spread is gathered again.
const STEP: Duration = Duration::from_mins(5);
/// Documents a second that the store takes on its own, whatever was before.
const MOST: f64 = 10_000.0;

/// Follows what is written. Times are spans since any one moment, and do not go back.
#[derive(Debug, Default)]
pub(super) struct Ramp {
    begun: Option<Duration>,
    /// From then on the next may be written.
    free_at: Duration,
    /// Documents that waited and are not written yet.
    ahead: usize,
}

impl Ramp {
    /// So many documents are to be written: how long to wait before. They count as written then.
    pub fn wait(&mut self, now: Duration, documents: usize) -> Duration {
        let idle = now.saturating_sub(self.free_at) >= STEP;
        if self.begun.is_none() || idle {
            (self.begun, self.free_at) = (Some(now), now);
        }
        let begin = self.free_at.max(now);
        self.free_at = begin + Duration::from_secs_f64(documents as f64 / self.rate(begin));
        begin.saturating_sub(now)
    }

    /// So many waited, and are to be written soon.
    pub fn waited(&mut self, documents: usize) {
        self.ahead += documents;
    }

    /// The same as [`Ramp::wait`], but for those that waited before.
    pub fn wait_for_rest(&mut self, now: Duration, documents: usize) -> Duration {
        let before = self.ahead.min(documents);
        self.ahead -= before;
        if before == documents { Duration::ZERO } else { self.wait(now, documents - before) }
    }

    /// Documents a second at this time.
    fn rate(&self, now: Duration) -> f64 {
        let steps = now.saturating_sub(self.begun.unwrap_or(now)).as_secs() / STEP.as_secs();
        (FIRST * GROWTH.powi(i32::try_from(steps).unwrap_or(i32::MAX))).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Begins of batches of this size from a writer that never rests, for so many seconds.
    fn begins(batch: usize, seconds: u64) -> Vec<f64> {
        let (mut ramp, mut now, mut begins) = (Ramp::default(), Duration::from_secs(9), Vec::new());
        let first = now;
        while now < first + Duration::from_secs(seconds) {
            now += ramp.wait(now, batch);
            begins.push(now.saturating_sub(first).as_secs_f64());
        }
        begins
    }

    #[test]
    fn it_is_500_a_second_and_half_as_many_more_every_five_minutes() {
        let begins = begins(500, 1_800);
        let within = |from: f64, to: f64| begins.iter().filter(|at| (from..to).contains(*at)).count();
        for (step, rate) in [(0.0, 1.0), (1.0, 1.5), (2.0, 2.25), (5.0, 7.593_75)] {
            let batches = within(step * 300.0, (step + 1.0) * 300.0) as f64;
            assert!((batches - 300.0 * rate).abs() <= 2.0, "{step}: {batches}");
        }
    }

    #[test]
    fn it_never_passes_its_most_and_begins_anew_after_a_rest() {
        let mut ramp = Ramp::default();
        let day = Duration::from_hours(24);
        ramp.wait(Duration::ZERO, 1);
        let mut at = Duration::ZERO;
        while at < day {
            at += Duration::from_mins(4);
            ramp.wait(at, 1);
        }
        assert!((ramp.rate(day) - MOST).abs() < f64::EPSILON);
        let rested = at + STEP + Duration::from_secs(1);
        assert_eq!(ramp.wait(rested, 500), Duration::ZERO);
        assert_eq!(ramp.wait(rested, 500), Duration::from_secs(1));
    }

    #[test]
    fn what_waited_before_does_not_wait_again_and_what_did_not_waits() {
        let mut ramp = Ramp::default();
        let second = Duration::from_secs(1);
        assert_eq!(ramp.wait(Duration::ZERO, 500), Duration::ZERO);
        ramp.waited(500);
        assert_eq!(ramp.wait_for_rest(Duration::ZERO, 300), Duration::ZERO);
        assert_eq!(ramp.wait_for_rest(Duration::ZERO, 700), second, "200 of them waited");
        assert_eq!(ramp.wait_for_rest(Duration::ZERO, 500), second * 2, "none is left that waited");
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_its_rate_and_one_batch(asks in prop::collection::vec((0_u64..2_000, 1_usize..=500), 1..80)) {
            let (mut ramp, mut now, mut written) = (Ramp::default(), Duration::ZERO, Vec::new());
            for (later, documents) in asks {
                now += Duration::from_millis(later);
                let begin = now + ramp.wait(now, documents);
                prop_assert!(written.last().is_none_or(|(last, _)| *last <= begin));
                written.push((begin, documents));
            }
            for (from, _) in &written {
                let second = written.iter().filter(|(at, _)| at >= from && *at < *from + Duration::from_secs(1));
                let documents: usize = second.map(|(_, documents)| documents).sum();
                prop_assert!(documents as f64 <= FIRST + 500.0, "{documents}");
            }
        }
    }
}
