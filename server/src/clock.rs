//! The one place that reads the machine's clock, so that everything else can be told what time it is.
//!
//! A scripted clock stands still until it is moved; tests and reproducible runs use it. Durations
//! (time-outs, heartbeats) are the async runtime's business and do not come from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Utc;
use stella_protocol::Timestamp;

/// Says what time it is. Clones of a scripted clock move together.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Scripted { now: Arc<AtomicI64>, spent: Arc<AtomicI64> },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`Clock::advance_to`] moves it.
    pub fn scripted(start: Timestamp) -> Self {
        Self(Source::Scripted { now: Arc::new(AtomicI64::new(start.millis())), spent: Arc::default() })
    }

    /// Moves a scripted clock forward to `at`; an earlier instant and a system clock stay as they are.
    pub fn advance_to(&self, at: Timestamp) {
        if let Source::Scripted { now, .. } = &self.0 {
            now.fetch_max(at.millis(), Ordering::SeqCst);
        }
    }

    /// Lets so many milliseconds of a processor go by on a scripted clock; a system clock stays as it is.
    pub fn spend(&self, millis: i64) {
        if let Source::Scripted { spent, .. } = &self.0 {
            spent.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// How long the thread that asks has had a processor, in whole milliseconds. Of a scripted clock: all threads.
    pub fn spent_ms(&self) -> i64 {
        match &self.0 {
            Source::System => {
                let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
                spent.tv_sec * 1000 + spent.tv_nsec / 1_000_000
            }
            Source::Scripted { spent, .. } => spent.load(Ordering::SeqCst),
        }
    }

    /// The present instant, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Utc::now().into(),
            Source::Scripted { now, .. } => Timestamp::from_millis(now.load(Ordering::SeqCst)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scripted_clock_moves_only_forward_and_its_clones_with_it() {
        let clock = Clock::scripted(Timestamp::from_millis(1000));
        let twin = clock.clone();
        clock.advance_to(Timestamp::from_millis(3000));
        clock.advance_to(Timestamp::from_millis(2000));
        assert_eq!(twin.now(), Timestamp::from_millis(3000));
    }
}
