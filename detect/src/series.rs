//! One series of numbers: how odd each row is, told from nothing but the rows before it.
//!
//! ```text
//! value ─> door (whole steps: no unit, no offset) ─> views (against the level, the day, the week), channels (several ways)
//!            ─> tails (how rare by the channel's own past) ─> rarest ─> times so far ─> hold ─> Verdict
//! ```
//!
//! No channel has a limit of its own: each is as alarming as it is rare. State is bounded (about
//! 60 KiB a series: 57 measured after three weeks of rows every five minutes, 35 after 700), is told its time, and goes
//! into a checkpoint whole.
//! It deliberately does not know what a series is about, whether up is bad, or what an alert is.

pub mod burn;
mod channels;
mod door;
pub mod ramp;
mod season;
mod shape;
pub mod shift;
mod tail;
mod view;

use serde::Serialize;
use stella_protocol::Timestamp;

use crate::keep::{Keep, Reader, keep_fields};
use channels::Channels;
use door::Door;

/// Rows before anything is told of a series: its unit and its step are learned from them.
const FIRST_ROWS: usize = 64;
/// Rows of which the spread of the moment, and the shape, are told.
pub(crate) const SPREAD_ROWS: usize = 32;
/// Rows besides those of a day before anything is told: twice the longest window.
const PROVED_ROWS: u32 = 128;
/// An alert holds for half a day at least, in milliseconds: with a whole one, a second problem of the same day
/// would not be told; with less, one that comes and goes would be told each time.
const HOLD_MS: i64 = 43_200_000;
/// And for so many rows, the longest window, which sees one event for so long.
const HOLD_ROWS: i64 = 64;
/// And for this part of the age: what lasts for a twentieth of all that was seen is one event.
const HOLD_AGE_PART: i64 = 20;
/// What is so many powers of ten rarer than what holds is told again.
const RARER: f64 = 1.0;

/// A way in which a row can be odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Above what was expected.
    PointHigh,
    /// Below what was expected.
    PointLow,
    /// The mean of eight rows is above what was expected.
    ShortHigh,
    /// The mean of eight rows is below it.
    ShortLow,
    /// The mean of sixty-four rows is above what was expected.
    LongHigh,
    /// The mean of sixty-four rows is below it.
    LongLow,
    /// Jumped up from the row before.
    JumpUp,
    /// Jumped down from the row before.
    JumpDown,
    /// Rows move more than usual.
    Restless,
    /// Rows move less than usual.
    Still,
    /// The same value again and again.
    Repeats,
    /// Nothing came for long.
    Gap,
    /// The last rows look like none before.
    Shape,
}

impl Channel {
    /// Every channel, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::PointHigh,
        Self::PointLow,
        Self::ShortHigh,
        Self::ShortLow,
        Self::LongHigh,
        Self::LongLow,
        Self::JumpUp,
        Self::JumpDown,
        Self::Restless,
        Self::Still,
        Self::Repeats,
        Self::Gap,
        Self::Shape,
    ];
}

/// What is told of a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// 1 / (1 + how often so rare a thing was to be expected, by what was rarest, since the series began): above 0.5,
    /// less than once. 0 while a row before holds, and while too little was seen.
    pub score: f64,
    /// The probability that at a row like those of the past something as rare begins, in any of the channels.
    pub rarity: f64,
    /// What was rarest.
    pub channel: Channel,
    /// What the row was expected to be.
    pub expected: f64,
    /// How far rows usually are from that: the mean absolute deviation.
    pub spread: f64,
}

/// A series, as far as it was seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    first: Vec<(i64, f64)>,
    known: Option<Known>,
}

#[derive(Debug, Clone, PartialEq)]
struct Known {
    door: Door,
    channels: Channels,
    began: i64,
    rows: u64,
    /// Rows that are only learned from.
    quiet_rows: u64,
    hold: Hold,
}

/// The rarest row of an alert that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Hold {
    surprise: f64,
    until: i64,
}

impl Series {
    /// Milliseconds between rows, once that is known.
    pub fn step_ms(&self) -> Option<i64> {
        self.known.as_ref().map(|known| known.channels.step_ms())
    }

    /// Takes a row in and says how odd it is. None: nothing can be told yet, or the value is no number.
    pub fn observe(&mut self, at: Timestamp, value: f64) -> Option<Verdict> {
        if !value.is_finite() {
            return None;
        }
        let at = at.millis();
        if let Some(known) = &mut self.known {
            return Some(known.observe(at, value));
        }
        self.first.push((at, value));
        if self.first.len() == FIRST_ROWS {
            let first = std::mem::take(&mut self.first);
            let mut known = Known::new(&first);
            for (at, value) in first {
                known.observe(at, value);
            }
            self.known = Some(known);
        }
        None
    }
}

impl Known {
    fn new(first: &[(i64, f64)]) -> Self {
        let mut steps: Vec<i64> = first.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        steps.sort_unstable();
        let step_ms = steps.get(steps.len() / 2).copied().unwrap_or(1).max(1);
        let began = first.first().map_or(0, |(at, _)| *at);
        Self {
            door: Door::of(first.iter().map(|(_, value)| *value)),
            channels: Channels::new(step_ms, began),
            began,
            rows: 0,
            quiet_rows: u64::from(season::rows_of_a_day(step_ms) + PROVED_ROWS),
            hold: Hold::default(),
        }
    }

    /// Milliseconds for which an alert of this row holds.
    fn holds_ms(&self, at: i64) -> i64 {
        let rows = HOLD_ROWS.saturating_mul(self.channels.step_ms());
        HOLD_MS.max(rows).max(at.saturating_sub(self.began) / HOLD_AGE_PART)
    }

    fn observe(&mut self, at: i64, value: f64) -> Verdict {
        let steps = self.door.pass(value);
        let looked = self.channels.take(at, steps);
        let mut rarest = (1.0, Channel::PointHigh);
        for (rarity, channel) in looked.rarities.into_iter().zip(Channel::ALL) {
            if rarity < rarest.0 {
                rarest = (rarity, channel);
            }
        }
        // Before a day was seen and proved as a guess, its first evening would be odd.
        self.rows += 1;
        if self.rows <= self.quiet_rows {
            rarest.0 = 1.0;
        }
        let times = rarest.0 * self.rows as f64;
        let holds = self.hold.pass(at, self.holds_ms(at), -times.log10());
        Verdict {
            score: if holds || rarest.0 >= 1.0 { 0.0 } else { rounded(1.0 / (1.0 + times)) },
            // The rarest of so many: Bonferroni's bound.
            rarity: (rarest.0 * Channel::ALL.len() as f64).min(1.0),
            channel: rarest.1,
            expected: self.door.value(looked.expected),
            spread: self.door.value(looked.spread) - self.door.value(0.0),
        }
    }
}

impl Hold {
    /// True while an alert that was told before holds. `surprise`: how much rarer than once, in powers of ten; what is
    /// rarer than once makes it hold for half as long again.
    fn pass(&mut self, at: i64, holds_ms: i64, surprise: f64) -> bool {
        let holds = at < self.until;
        let until = |part: i64| at.saturating_add(holds_ms / part);
        if surprise <= 0.0 {
            return holds;
        }
        if holds && surprise <= self.surprise + RARER {
            self.until = self.until.max(until(2));
            return true;
        }
        *self = Self { surprise, until: until(1) };
        false
    }
}

impl Keep for Channel {
    fn keep(&self, to: &mut Vec<u8>) {
        (*self as u8).keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        Self::ALL.get(usize::from(u8::wake(from)?)).copied()
    }
}

keep_fields!(Series { first, known });
keep_fields!(Known { door, channels, began, rows, quiet_rows, hold });
keep_fields!(Hold { surprise, until });

/// Six digits: what is beyond them is arithmetic and not evidence.
fn rounded(score: f64) -> f64 {
    (score * 1e6).round() / 1e6
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A day wave with noise of two decimals, and a level that moves up at row 1500.
    fn values() -> Vec<f64> {
        let noise = |row: usize| ((row * 7919 + row * row % 613) % 997) as f64 / 100.0;
        let wave = |row: usize| 30.0 * (row as f64 / 288.0 * std::f64::consts::TAU).sin();
        let shift = |row: usize| if row >= 1500 { 60.0 } else { 0.0 };
        (0..1800).map(|row| ((wave(row) + noise(row) + shift(row)) * 100.0).round() / 100.0).collect()
    }

    fn scores(values: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut series = Series::default();
        let score = |(row, value): (usize, f64)| {
            let at = Timestamp::from_millis(row as i64 * 300_000);
            series.observe(at, value).map_or(0.0, |verdict| verdict.score)
        };
        values.enumerate().map(score).collect()
    }

    #[test]
    fn a_level_that_moves_is_the_oddest_and_constants_and_holes_are_not_odd() {
        let found = scores(values().into_iter());
        let odd = (0..found.len()).max_by(|left, right| found[*left].total_cmp(&found[*right])).unwrap();
        assert!((1500..1564).contains(&odd), "{odd}");
        assert!(scores(std::iter::repeat_n(7.0, 1800)).iter().all(|score| *score < 0.5));
        assert_eq!(Series::default().observe(Timestamp::from_millis(0), f64::NAN), None);
    }

    #[test]
    fn a_checkpoint_goes_on_as_if_there_had_been_none() {
        let (mut whole, values) = (Series::default(), values());
        let mut kept = Series::default();
        for (row, value) in values.into_iter().enumerate() {
            let at = Timestamp::from_millis(row as i64 * 300_000);
            assert_eq!(whole.observe(at, value), kept.observe(at, value), "row {row}");
            if row % 450 == 40 {
                let mut bytes = Vec::new();
                kept.keep(&mut bytes);
                kept = Series::wake(&mut Reader(&bytes)).unwrap();
            }
        }
        assert_eq!(whole, kept);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn scale_and_offset_change_no_score(scale in -9.0..9.0_f64, offset in -1e3..1e3_f64, two in -30..30_i32) {
            let plain = scores(values().into_iter());
            let a = 10.0_f64.powf(scale);
            prop_assert_eq!(&scores(values().into_iter().map(|value| value * a + offset * a)), &plain);
            prop_assert_eq!(&scores(values().into_iter().map(|value| value * 2.0_f64.powi(two))), &plain);
        }
    }
}
