//! How long to wait before the next try: full jitter, so that consoles that lost a server together do
//! not come back together ("Exponential Backoff And Jitter", M. Brooker, 2015).
//!
//! Pure: chance is an argument, time too.

/// The shortest wait, in ms.
const LEAST: u64 = 500;

/// The longest wait, in ms.
const MOST: u64 = 30_000;

/// The longest wait that a server may ask for, in ms: more is a fault of a proxy's.
const PATIENCE: u64 = 600_000;

/// A connection that held for this long, in ms, was a good one: the next loss starts anew.
const HEALTHY: u64 = 60_000;

/// Counts the tries that failed in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// One more try failed: the wait before the next, in ms. `chance` is evenly spread over 0 to 1.
    pub fn next(&mut self, chance: f64) -> u64 {
        let ceiling = LEAST.saturating_mul(2u64.saturating_pow(self.failures + 1)).min(MOST);
        self.failures = (self.failures + 1).min(16);
        LEAST + ((ceiling - LEAST) as f64 * chance.clamp(0.0, 1.0)) as u64
    }

    /// As [`Backoff::next`], but never sooner than the server asked for.
    pub fn next_after(&mut self, asked: u64, chance: f64) -> u64 {
        // The jitter comes on top, or all readers of one server would come back at the same moment.
        asked.min(PATIENCE) + self.next(chance)
    }

    /// The connection held for `lasted` ms before it was lost.
    pub fn held(&mut self, lasted: u64) {
        if lasted >= HEALTHY {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_half_a_second_to_thirty() {
        let mut backoff = Backoff::default();
        let longest: Vec<u64> = (0..8).map(|_| backoff.next(1.0)).collect();
        assert_eq!(longest, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(backoff.next(0.0), 500);
    }

    #[test]
    fn only_a_minute_of_health_starts_it_anew() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..5).map(|_| backoff.next(1.0)).collect();
        assert_eq!(waits[4], 16_000);
        backoff.held(59_999);
        assert_eq!(backoff.next(1.0), 30_000);
        backoff.held(60_000);
        assert_eq!(backoff.next(1.0), 1_000);
    }

    #[test]
    fn a_server_that_asks_for_patience_gets_it_within_reason() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_after(7_000, 0.0), 7_500);
        assert_eq!(backoff.next_after(120_000, 0.0), 120_500);
        assert_eq!(backoff.next_after(u64::MAX, 0.0), 600_500);
    }

    #[test]
    fn the_wait_is_never_outside_its_bounds() {
        let mut backoff = Backoff::default();
        for step in 0..1_000 {
            let wait = backoff.next(f64::from(step % 11) / 10.0);
            assert!((LEAST..=MOST).contains(&wait), "{wait}");
        }
    }
}
