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
    Scripted(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`Clock::advance_to`] moves it.
    pub fn scripted(start: Timestamp) -> Self {
        Self(Source::Scripted(Arc::new(AtomicI64::new(start.millis()))))
    }

    /// Moves a scripted clock forward to `at`; an earlier instant and a system clock stay as they are.
    pub fn advance_to(&self, at: Timestamp) {
        if let Source::Scripted(millis) = &self.0 {
            millis.fetch_max(at.millis(), Ordering::SeqCst);
        }
    }

    /// The present instant, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Utc::now().into(),
            Source::Scripted(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
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
