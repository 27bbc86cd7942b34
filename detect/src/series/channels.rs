//! What is looked at in a series: few cheap numbers a row, each of them rare when something is odd.
//!
//! Three guesses of what a row should be run side by side, each a [`View`] with its own past; the one
//! that errs least is believed. Besides them: what needs no guess.

use super::Channel;
use super::season::Season;
use super::shape::Shape;
use super::tail::Tail;
use super::view::{Mean, VIEWED, View};
use crate::keep::keep_fields;

/// Rows before a guess may be believed: as many as a spread needs to be known, which are sixteen blocks of a
/// past to judge it by.
const PROVED_ROWS: u32 = 512;
/// A guess is believed when its error is less than this part of the present one's: better by more
/// than chance makes it.
const BETTER: f64 = 0.9;
/// Rows after which the distance to the nearest shape is forgotten, and of which it is no distance yet.
const NEAREST_ROWS: (f64, u32) = (512.0, 32);
/// Channels that need no guess.
const PLAIN: usize = Channel::ALL.len() - VIEWED;

/// What is known of the past.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Channels {
    step_ms: i64,
    last_at: i64,
    last: f64,
    season: Season,
    /// By nothing but the level, by the day, by the week.
    views: [View; 3],
    chosen: usize,
    run: u32,
    shape: Shape,
    nearest: Mean,
    tails: Vec<Tail>,
}

/// What is told of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looked {
    /// How rare, by channel.
    pub(super) rarities: [f64; Channel::ALL.len()],
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
            views: std::array::from_fn(|_| View::new()),
            chosen: 0,
            run: 0,
            shape: Shape::default(),
            nearest: Mean::default(),
            tails: vec![Tail::default(); PLAIN],
        }
    }

    pub(super) fn step_ms(&self) -> i64 {
        self.step_ms
    }

    /// Takes a row in and tells what is odd about it.
    pub(super) fn take(&mut self, at: i64, value: f64) -> Looked {
        let usual = [Some(0.0), self.season.usual_day(at), self.season.usual_week(at)];
        self.choose();
        // A season that was not measured at this time is no guess: the plain level is.
        let used = usual[self.chosen].map_or(0, |_| self.chosen);
        let view = &self.views[used];
        let (expected, spread) = (view.expected(usual[used].unwrap_or_default()), view.spread());
        let mut rarities = [1.0; Channel::ALL.len()];
        for (nth, (view, usual)) in self.views.iter_mut().zip(usual).enumerate() {
            let Some(usual) = usual else { continue };
            let seen = view.take(value, usual);
            if nth == used {
                rarities[..VIEWED].copy_from_slice(&seen);
            }
        }
        self.season.note(at, value);
        let plain = [self.repeats(value), self.gap(at), self.shape(value)];
        for ((rarity, tail), strength) in rarities[VIEWED..].iter_mut().zip(&mut self.tails).zip(plain) {
            *rarity = tail.take(strength);
        }
        Looked { rarities, expected, spread }
    }

    /// Believes the guess that erred least so far.
    fn choose(&mut self) {
        let mut error = self.views[self.chosen].error.value * BETTER;
        for (nth, view) in self.views.iter().enumerate() {
            if view.error.rows >= PROVED_ROWS && view.error.value < error && nth != self.chosen {
                (self.chosen, error) = (nth, view.error.value);
            }
        }
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
        let young = self.nearest.rows < NEAREST_ROWS.1;
        self.nearest.add_size(distance, NEAREST_ROWS.0);
        if young { 0.0 } else { strength }
    }
}

keep_fields!(Channels { step_ms, last_at, last, season, views, chosen, run, shape, nearest, tails });
