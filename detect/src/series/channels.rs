//! What is looked at in a series: few cheap numbers a row, each of them large when something is odd.
//!
//! Here they are only computed, in units of the series' own spread; how rare they are is for `tail`.
//! Learning is winsorised: what is far out teaches a little at a time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Channel;
use super::season::Season;
use super::shape::Shape;

/// Rows of the windows whose mean is compared: a point, a short time, a long one (each eight times
/// the one before, so that a change of any length is not far from one of them).
const WINDOWS: [usize; 3] = [1, 8, 64];
/// Rows from which the spread of the moment is told.
const SPREAD_ROWS: usize = 32;
/// Rows after which a level is forgotten: four of the longest window, so that it does not follow it.
const LEVEL_ROWS: f64 = 256.0;
/// The same of a spread, which needs more rows to be known.
const SCALE_ROWS: f64 = 512.0;
/// Spreads (mean absolute deviations) beyond which a residual teaches no more: five standard
/// deviations of a normal noise.
const WINSOR: f64 = 4.0;
/// Rows before a forecast may be chosen: twice the longest window.
pub(super) const PROVED_ROWS: u32 = 128;
/// A forecast is chosen when its error is less than this part of the present one's: better by more
/// than chance makes it.
const BETTER: f64 = 0.9;

/// A mean that forgets; the first rows weigh alike.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Mean {
    value: f64,
    rows: u32,
}

impl Mean {
    fn add(&mut self, value: f64, memory: f64) {
        self.rows = self.rows.saturating_add(1);
        self.value += (value - self.value) / f64::from(self.rows).min(memory);
    }
}

/// What a series should be now, one of several guesses, and how wrong it was.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Guess {
    /// What is to be added: the level that the guess does not know.
    level: Mean,
    error: Mean,
}

impl Guess {
    fn residual(&self, value: f64, expected: f64) -> f64 {
        value - expected - self.level.value
    }

    fn learn(&mut self, residual: f64) {
        // The first rows teach all they have: there is no spread yet to call them far out.
        let limit = if self.error.rows < SPREAD_ROWS as u32 { f64::MAX } else { WINSOR * self.error.value + 1.0 };
        let taught = residual.clamp(-limit, limit);
        self.level.add(self.level.value + taught, LEVEL_ROWS);
        self.error.add(taught.abs(), SCALE_ROWS);
    }
}

/// What is known of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Channels {
    step_ms: i64,
    last_at: i64,
    last: f64,
    season: Season,
    /// By nothing but the level, by the day, by the week.
    guesses: [Guess; 3],
    chosen: usize,
    /// The last residuals, oldest first.
    residuals: VecDeque<f64>,
    turn: Mean,
    all: Mean,
    run: u32,
    shape: Shape,
    nearest: Mean,
}

/// What is told of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looked {
    /// How odd, by channel.
    pub(super) strengths: [f64; Channel::ALL.len()],
    /// What the row should have been, and how far rows usually are from that.
    pub(super) expected: f64,
    pub(super) spread: f64,
}

impl Channels {
    /// For rows that come about every `step_ms`.
    pub(super) fn new(step_ms: i64, at: i64) -> Self {
        Self {
            step_ms: step_ms.max(1),
            last_at: at,
            last: 0.0,
            season: Season::new(step_ms, at),
            guesses: [Guess::default(); 3],
            chosen: 0,
            residuals: VecDeque::new(),
            turn: Mean::default(),
            all: Mean::default(),
            run: 0,
            shape: Shape::default(),
            nearest: Mean::default(),
        }
    }

    /// Takes a row in and tells what is odd about it.
    pub(super) fn take(&mut self, at: i64, value: f64) -> Looked {
        let (residual, expected) = self.guess(at, value);
        let before = self.residuals.back().copied().unwrap_or(residual);
        if self.residuals.len() == 2 * WINDOWS[2] {
            self.residuals.pop_front();
        }
        self.residuals.push_back(residual);
        let spread = f64::midpoint(self.guesses[self.chosen].error.value, self.all.value) + 1.0;
        let turn = self.turn.value + 1.0;
        let mut strengths = [0.0; Channel::ALL.len()];
        self.levels(spread, turn, &mut strengths);
        self.spreads(turn, &mut strengths);
        strengths[Channel::Repeats as usize] = self.repeats(value);
        strengths[Channel::Gap as usize] = self.gap(at);
        strengths[Channel::Shape as usize] = self.shape(value);
        self.learn(residual, residual - before);
        Looked { strengths, expected, spread }
    }

    /// The residual of the best guess so far, and the guess; all guesses learn.
    fn guess(&mut self, at: i64, value: f64) -> (f64, f64) {
        let expected = [Some(0.0), self.season.usual_day(at), self.season.usual_week(at)];
        let present = &self.guesses[self.chosen];
        let (mut best, mut error) = (self.chosen, present.error.value * BETTER);
        for (nth, guess) in self.guesses.iter().enumerate() {
            if guess.error.rows >= PROVED_ROWS && guess.error.value < error && nth != self.chosen {
                (best, error) = (nth, guess.error.value);
            }
        }
        self.chosen = best;
        // A season that was not measured at this time is no guess: the plain level is.
        let used = expected[best].map_or(0, |_| best);
        let guess = self.guesses[used];
        let residual = guess.residual(value, expected[used].unwrap_or_default());
        for (guess, expected) in self.guesses.iter_mut().zip(expected) {
            if let Some(expected) = expected {
                guess.learn(guess.residual(value, expected));
            }
        }
        self.season.note(at, value);
        (residual, value - residual)
    }

    fn learn(&mut self, residual: f64, turn: f64) {
        let limit = WINSOR * self.turn.value + 1.0;
        let young = self.turn.rows < SPREAD_ROWS as u32;
        self.turn.add(if young { turn.abs() } else { turn.abs().min(limit) }, SCALE_ROWS);
        let limit = WINSOR * self.all.value + 1.0;
        self.all.add(if young { residual.abs() } else { residual.abs().min(limit) }, f64::MAX);
    }

    /// Means of the last rows: against what was expected, and against as many rows before them.
    fn levels(&self, spread: f64, turn: f64, strengths: &mut [f64]) {
        let newest = |from: usize, rows: usize| -> f64 { self.residuals.iter().rev().skip(from).take(rows).sum() };
        for (nth, rows) in WINDOWS.into_iter().enumerate() {
            if self.residuals.len() < 2 * rows {
                break;
            }
            let (now, before) = (newest(0, rows), newest(rows, rows));
            let root = (rows as f64).sqrt();
            let level = now / (spread * root);
            let unit = if rows == 1 { turn } else { spread };
            // The part of a change that leads away from what was expected: a return is no news.
            let (up, down) = ((now - before).min(now), (before - now).min(-now));
            let place = 4 * nth;
            strengths[place] = level;
            strengths[place + 1] = -level;
            strengths[place + 2] = up / (unit * root);
            strengths[place + 3] = down / (unit * root);
        }
    }

    /// How much the last rows move, against how much rows move.
    fn spreads(&self, turn: f64, strengths: &mut [f64]) {
        if self.residuals.len() <= SPREAD_ROWS || f64::from(self.turn.rows) < 2.0 * SPREAD_ROWS as f64 {
            return;
        }
        let last: Vec<f64> = self.residuals.iter().rev().take(SPREAD_ROWS + 1).copied().collect();
        let moved: f64 = last.windows(2).map(|pair| (pair[0] - pair[1]).abs()).sum();
        let ratio = (moved / SPREAD_ROWS as f64 + 1.0) / turn;
        strengths[Channel::Restless as usize] = ratio;
        strengths[Channel::Still as usize] = 1.0 / ratio;
    }

    /// Equal values in a row.
    fn repeats(&mut self, value: f64) -> f64 {
        // Values behind the door are whole numbers.
        let same = (value - self.last).abs() < 0.5;
        self.run = if same { self.run.saturating_add(1) } else { 1 };
        self.last = value;
        f64::from(self.run)
    }

    /// Time since the row before, in usual steps.
    fn gap(&mut self, at: i64) -> f64 {
        let gap = (at - self.last_at) as f64 / self.step_ms as f64;
        self.last_at = self.last_at.max(at);
        gap
    }

    /// How far the last rows are from any rows of the past, against how far they usually are.
    fn shape(&mut self, value: f64) -> f64 {
        let Some(distance) = self.shape.take(value) else { return 0.0 };
        let strength = (distance + 1.0) / (self.nearest.value + 1.0);
        let limit = WINSOR * self.nearest.value + 1.0;
        let young = self.nearest.rows < SPREAD_ROWS as u32;
        self.nearest.add(if young { distance } else { distance.min(limit) }, SCALE_ROWS);
        if young { 0.0 } else { strength }
    }
}
