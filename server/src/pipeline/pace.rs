//! The engine and the whole seconds of engine time that it is told: the same for lines as they come, for
//! kept lines after a restart and for a backtest.
//!
//! Knows no clock, no store and no series: whoever leads it is told each second that passed.

use stella_detect::{Engine, Finding, Rules};
use stella_protocol::{LogEvent, Timestamp};

use super::time::NEAR_MS;

/// A hole longer than this at a restart, or before the first live line after a recording, was not watched.
/// After a restart it is one step, so that nobody is called silent because we were; behind a recording the
/// engine starts afresh, since what was usual in it need not be so now. Milliseconds.
const UNWATCHED_MS: i64 = 60_000;
/// Seconds of a hole in a recording that the engine is led through one by one; a longer one is one step.
const LED_THROUGH_S: i64 = 900;
/// A problem that lasts speaks each 10 s at the latest (see `stella_detect::Engine`), so after this many
/// seconds nothing is left unsaid.
const LAST_WORDS_S: i64 = 11;
/// Seconds that the end of a recording leads the engine on at most: enough for all problems that it may have
/// open at the pace that it allows itself, and their last words. A silence that lasts speaks for ever.
const END_S: i64 = 30;

/// The engine time between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hole {
    /// How long.
    pub(crate) millis: i64,
    /// Nobody was there to see lines.
    pub(crate) is_unwatched: bool,
    /// The engine is told each second of it.
    pub(crate) is_stepwise: bool,
}

/// What an engine was told of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stand {
    /// As [`Pace::second`].
    pub(crate) second: Option<i64>,
    /// The second that the end of a recording led it on to.
    pub(crate) led: i64,
    /// As [`Pace::is_at_present`].
    pub(crate) at_present: bool,
}

/// An engine that is told of time as it passes.
#[derive(Debug)]
pub(crate) struct Pace {
    pub(crate) engine: Engine,
    rules: Rules,
    /// The last whole second of engine time that the engine was told.
    second: Option<i64>,
    /// The second that the end of a recording led the engine on to; it counts while it is ahead of `second`.
    led: i64,
    /// No step of engine time was taken since the start: the first may bridge a time that nobody watched.
    pub(crate) starting: bool,
    /// The last step was at the present, not in a recording.
    at_present: bool,
}

impl Pace {
    /// An engine that has seen nothing.
    pub(crate) fn new(rules: Rules) -> Self {
        let engine = Engine::new(rules.clone());
        Self { engine, rules, second: None, led: i64::MIN, starting: true, at_present: true }
    }

    /// An engine that was told so much of time.
    pub(crate) fn resumed(engine: Engine, rules: Rules, stand: Stand) -> Self {
        let Stand { second, led, at_present } = stand;
        Self { engine, rules, second, led, starting: false, at_present }
    }

    /// What the engine was told of time.
    pub(crate) fn stand(&self) -> Stand {
        Stand { second: self.second, led: self.led, at_present: self.at_present }
    }

    /// Other settings from the next line, or second, on.
    pub(crate) fn set_rules(&mut self, rules: Rules) {
        self.engine.set_rules(rules.clone());
        self.rules = rules;
    }

    /// The last whole second of engine time that a line, or the clock, led to.
    pub(crate) fn second(&self) -> Option<i64> {
        self.second
    }

    /// The same, or the second that the end of a recording led to when that is later.
    pub(crate) fn reached(&self) -> Option<i64> {
        self.second.map(|second| second.max(self.led))
    }

    /// True when the last step was at the present, not in a recording.
    pub(crate) fn is_at_present(&self) -> bool {
        self.at_present
    }

    /// Tells the engine each whole second of engine time up to `now`, and `each` what it was told.
    pub(crate) fn lead_to(&mut self, now: Timestamp, at_present: bool, each: &mut dyn FnMut(Timestamp, Hole)) {
        let to = now.seconds();
        let from = self.second.unwrap_or(to - 1);
        if to <= from {
            return;
        }
        let millis = (to - from) * 1000;
        let after_recording = at_present && !self.at_present;
        let is_unwatched = self.starting || after_recording;
        let is_jump = is_unwatched && millis > UNWATCHED_MS && self.second.is_some();
        let afresh = is_jump && after_recording;
        if afresh {
            // What people called false is no habit of the recording.
            let lessons: Vec<_> = self.engine.lessons().cloned().collect();
            self.engine = Engine::new(self.rules.clone());
            for lesson in lessons {
                self.engine.learn(lesson);
            }
        }
        let is_stepwise = !is_jump && millis <= LED_THROUGH_S * 1000;
        let hole = Hole { millis, is_unwatched, is_stepwise };
        // Before a jump the engine says what it still had to say of the time before it.
        let through = match (is_stepwise, is_jump) {
            (true, _) => to - 1,
            (false, false) => from + LAST_WORDS_S,
            (false, true) => from,
        };
        for second in (from + 1..=through).chain([to]) {
            let at = Timestamp::from_millis(second * 1000);
            // Whoever counts was not led on when a recording ended: there is no rate where there are no lines.
            if afresh || second > self.led {
                self.engine.advance(at);
            }
            each(at, hole);
        }
        (self.second, self.starting, self.at_present) = (Some(to), false, at_present);
    }

    /// Takes the steps to second `to` again that the end of a recording took before a restart. False: it was not
    /// that which led there.
    pub(crate) fn lead_again(&mut self, to: Timestamp) -> bool {
        let reached = self.reached().unwrap_or(i64::MAX);
        let by_end = !self.at_present && to.seconds() - self.second.unwrap_or(i64::MAX) <= END_S;
        for second in (reached.saturating_add(1)..=to.seconds()).filter(|_| by_end) {
            self.engine.advance(Timestamp::from_millis(second * 1000));
            self.led = second;
        }
        by_end
    }

    /// Leads the engine on, second by second and at most to the second `latest`, until it has said what it
    /// held back: no line will drive it. While the clock does (`is_live`), one second without a word is enough.
    /// Returns what it said, and the moment that it was led to.
    pub(crate) fn end(&mut self, is_live: bool, latest: i64) -> (Vec<Finding>, Timestamp) {
        let second = self.second.unwrap_or_default();
        let patience = if is_live { 1 } else { LAST_WORDS_S };
        let latest = latest.min(second + END_S);
        let (mut at, mut quiet, mut findings) = (second.max(self.led), 0, Vec::new());
        while quiet < patience && at < latest {
            at += 1;
            self.engine.advance(Timestamp::from_millis(at * 1000));
            let said = self.engine.drain();
            quiet = if said.is_empty() { quiet + 1 } else { 0 };
            findings.extend(said);
        }
        self.led = at;
        (findings, Timestamp::from_millis(at * 1000))
    }
}

/// True when the line was received when it says it was written. Known of a kept line too, so that reading
/// the kept lines again takes the same steps.
pub(crate) fn is_at_present(event: &LogEvent<'_>) -> bool {
    event.received_at.since(event.engine_time) <= NEAR_MS
}
