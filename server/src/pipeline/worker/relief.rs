//! What the engine thread does when there is more than it can look at: it measures itself once a second, gives lines
//! weights by what follows from that, and tells people when it begins and when it is over.
//!
//! A recording is read as fast as can be and its sender waits: that is no load, and nothing is left out of it.

use stella_protocol::{Timestamp, Weight};

use super::{Timed, Worker, book};
use crate::pipeline::load::{Load, Look, Reading};
use crate::pipeline::{notice, sample};
use crate::series::Own;

/// How the thread does.
#[derive(Debug)]
pub(super) struct Relief {
    load: Load,
    look: Look,
    /// The longest that lines waited for it since the last reading, in milliseconds.
    behind_ms: i64,
    /// What a processor had done for it at the last reading, in milliseconds, and when that was.
    spent_ms: i64,
    read_at: Timestamp,
}

impl Relief {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { load: Load::default(), look: Look::All, behind_ms: 0, spent_ms: 0, read_at: now }
    }

    /// Lines waited so long, in milliseconds.
    pub(super) fn waited(&mut self, millis: i64) {
        self.behind_ms = self.behind_ms.max(millis);
    }

    fn read(&mut self, spent_ms: i64, now: Timestamp) -> Reading {
        let spent = spent_ms - std::mem::replace(&mut self.spent_ms, spent_ms);
        let passed = now.since(std::mem::replace(&mut self.read_at, now)).max(1);
        Reading { busy: spent as f64 / passed as f64, behind_ms: std::mem::take(&mut self.behind_ms) }
    }
}

impl Worker {
    /// Measures from now on: reading the kept lines again after a start is no load. What a life before told of its load
    /// is over.
    pub(super) fn begin_relief(&mut self) {
        self.relief.read(self.clock.spent_ms(), self.clock.now());
        for over in notice::load_is_over() {
            self.hub.notice(over);
        }
    }

    /// Decides how much of what is plainly normal is looked at in the second that begins.
    pub(super) fn relieve(&mut self, now: Timestamp) {
        let reading = self.relief.read(self.clock.spent_ms(), now);
        if !self.time.is_live() {
            self.relief.load = Load::default();
        }
        let look = if self.time.is_live() { self.relief.load.second(reading) } else { Look::All };
        let before = std::mem::replace(&mut self.relief.look, look);
        if look != before {
            tracing::warn!(?look, busy = reading.busy, behind_ms = reading.behind_ms, "the engine's load changed");
        }
        for told in notice::looks(before, look) {
            self.hub.notice(told);
        }
        let mut book = book(&self.series);
        book.own(Own::EngineBusy, reading.busy * 100.0);
        book.own(Own::EngineSampling, if look == Look::Counted { 0.0 } else { f64::from(look.most()) });
    }

    /// For how many lines each of these counts; nothing where each counts for itself.
    pub(super) fn weigh(&self, requests: &[Timed<'_>]) -> Vec<Weight> {
        let look = if self.time.is_live() { self.relief.look } else { Look::All };
        let lines = requests.iter().flat_map(|(events, times)| events.iter().zip(times.iter().copied()));
        sample::weigh(&self.pace.engine, look, lines)
    }
}
