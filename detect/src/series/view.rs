//! One guess of what a series should be, how wrong it is, and how odd rows are against it.
//!
//! Every guess has its own past: rows that are odd against one are ordinary against another, so when a
//! better guess takes over, its rows are judged by the errors that it made itself.

use std::collections::VecDeque;

use super::tail::Tail;
use super::{Channel, SPREAD_ROWS};
use crate::keep::keep_fields;

/// Rows of the windows whose mean is compared: a point, a short time, a long one (each eight times
/// the one before, so that a change of any length is not far from one of them).
const WINDOWS: [usize; 3] = [1, 8, 64];
/// Rows after which a level is forgotten: sixteen of the longest window, so that it does not follow what that
/// window should see.
const LEVEL_ROWS: f64 = 1024.0;
/// The same of a spread, which needs more rows to be known.
const SCALE_ROWS: f64 = 512.0;
/// Spreads (mean absolute deviations) beyond which a residual teaches no more: five standard
/// deviations of a normal noise.
const WINSOR: f64 = 4.0;
/// Channels that a view has: all against what was expected.
pub(super) const VIEWED: usize = 10;

/// A mean that forgets; the first rows weigh alike.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Mean {
    pub(super) value: f64,
    pub(super) rows: u32,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64, memory: f64) {
        self.rows = self.rows.saturating_add(1);
        self.value += (value - self.value) / f64::from(self.rows).min(memory);
    }

    /// Takes a size in that is at least 0, winsorised once there are rows enough to call it far out.
    pub(super) fn add_size(&mut self, size: f64, memory: f64) {
        let limit = if self.rows < SPREAD_ROWS as u32 { f64::MAX } else { WINSOR * self.value + 1.0 };
        self.add(size.min(limit), memory);
    }
}

/// A guess with its past.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct View {
    /// What is to be added: the level that the guess does not know.
    level: Mean,
    pub(super) error: Mean,
    /// The last residuals, oldest first.
    residuals: VecDeque<f64>,
    turn: Mean,
    all: Mean,
    tails: Vec<Tail>,
}

impl View {
    pub(super) fn new() -> Self {
        Self { tails: vec![Tail::default(); VIEWED], ..Self::default() }
    }

    /// What a row should be where the guess says `usual`.
    pub(super) fn expected(&self, usual: f64) -> f64 {
        usual + self.level.value
    }

    /// How far rows usually are from that.
    pub(super) fn spread(&self) -> f64 {
        f64::midpoint(self.error.value, self.all.value) + 1.0
    }

    /// Takes a row in where the guess says `usual`; how rare it is, by channel.
    pub(super) fn take(&mut self, value: f64, usual: f64) -> [f64; VIEWED] {
        let residual = value - self.expected(usual);
        let before = self.residuals.back().copied().unwrap_or(residual);
        if self.residuals.len() == WINDOWS[2] {
            self.residuals.pop_front();
        }
        self.residuals.push_back(residual);
        let mut strengths = [0.0; VIEWED];
        self.levels(&mut strengths);
        self.moves(&mut strengths);
        self.learn(residual, residual - before);
        for (strength, tail) in strengths.iter_mut().zip(&mut self.tails) {
            *strength = tail.take(*strength);
        }
        strengths
    }

    fn learn(&mut self, residual: f64, turn: f64) {
        // The first rows teach all they have: there is no spread yet to call them far out.
        let limit = if self.error.rows < SPREAD_ROWS as u32 { f64::MAX } else { WINSOR * self.error.value + 1.0 };
        let taught = residual.clamp(-limit, limit);
        self.level.add(self.level.value + taught, LEVEL_ROWS);
        self.error.add(taught.abs(), SCALE_ROWS);
        self.turn.add_size(turn.abs(), SCALE_ROWS);
        self.all.add_size(residual.abs(), f64::MAX);
    }

    /// Means of the last rows against what was expected, and the last row against the one before.
    fn levels(&self, strengths: &mut [f64]) {
        let spread = self.spread();
        for (nth, rows) in WINDOWS.into_iter().enumerate() {
            if self.residuals.len() < rows {
                break;
            }
            let sum: f64 = self.residuals.iter().rev().take(rows).sum();
            let level = sum / (spread * (rows as f64).sqrt());
            strengths[2 * nth] = level;
            strengths[2 * nth + 1] = -level;
        }
        let mut last = self.residuals.iter().rev();
        if let (Some(now), Some(before)) = (last.next(), last.next()) {
            // The part of a change that leads away from what was expected: a return is no news.
            let turn = self.turn.value + 1.0;
            strengths[Channel::JumpUp as usize] = (now - before).min(*now) / turn;
            strengths[Channel::JumpDown as usize] = (before - now).min(-now) / turn;
        }
    }

    /// How much the last rows move, against how much rows move.
    fn moves(&self, strengths: &mut [f64]) {
        if self.residuals.len() <= SPREAD_ROWS || self.turn.rows < 2 * SPREAD_ROWS as u32 {
            return;
        }
        let last: Vec<f64> = self.residuals.iter().rev().take(SPREAD_ROWS + 1).copied().collect();
        let moved: f64 = last.windows(2).map(|pair| (pair[0] - pair[1]).abs()).sum();
        let ratio = (moved / SPREAD_ROWS as f64 + 1.0) / (self.turn.value + 1.0);
        strengths[Channel::Restless as usize] = ratio;
        strengths[Channel::Still as usize] = 1.0 / ratio;
    }
}

keep_fields!(Mean { value, rows });
keep_fields!(View { level, error, residuals, turn, all, tails });
