//! A level that jumped and stays: sure after some samples, however short the past is.
//!
//! How rare one sample is, a past of an hour cannot say; a run of them can. A run begins five spreads from the level
//! of the rows just before, and is as unlikely as a first row so far out (Student's t with three degrees of freedom,
//! heavy and not absurd) times, for each row more, how often a row of this series stays on the side on which the one
//! before was: what depends on its neighbours needs longer runs. The other side of the likelihood ratio is a level that
//! moved, of which nine rows in ten stay out.
//!
//! Where the series stayed within the last week it may go again: what a backup does is told once. It deliberately
//! sees no slow change, which the level follows, and no series that never moved, which has no spread.

use std::collections::VecDeque;

use crate::keep::keep_fields;

/// Rows before anything is told: enough for a spread, and for how rows depend on each other.
const FIRST_ROWS: u32 = 128;
/// Rows whose mean is the level: it is known to a quarter of a spread, and follows a morning.
const LEVEL_ROWS: usize = 16;
/// Rows after which a spread is forgotten, and spreads beyond which a row teaches no more of it.
const SPREAD_ROWS: f64 = 512.0;
const WINSOR: f64 = 4.0;
/// The smallest shift that is worth waking somebody, in spreads (mean absolute deviations).
const WORTH: f64 = 5.0;
/// And of the band in which the series stayed before, beyond that: half as much room as it ever used.
const BEYOND_PART: f64 = 0.5;
/// Rows that make a stay: fewer are a spike.
const STAY: usize = 4;
/// Rows after which the new level is the level.
const SETTLED: u32 = 64;
/// How often a row of a level that moved stays out.
const STAYS: f64 = 0.9;
/// Usual steps without a row after which nothing is known of the level.
const HOLE: i64 = 8;
/// A day, in milliseconds, and days for which a stay is remembered: each weekday, and today.
const DAY_MS: i64 = 86_400_000;
const DAYS: i64 = 8;

/// A level that moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shifted {
    /// Evidence for it, in nats.
    pub nats: f64,
    /// True: it moved up.
    pub up: bool,
    /// The level before.
    pub expected: f64,
    /// How far rows usually are from it: the mean absolute deviation.
    pub spread: f64,
}

/// Rows that stay far out.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    up: bool,
    level: f64,
    rows: u32,
    /// The rows of it that are nearest to the level, and farthest from it.
    nearest: f64,
    farthest: f64,
}

impl Run {
    /// True when it is half of the way back already: a cache that warms up again has not moved.
    fn comes_back(&self) -> bool {
        (self.nearest - self.level).abs() * 2.0 < (self.farthest - self.level).abs()
    }
}

/// Between which values a series stayed on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Band {
    day: i64,
    low: f64,
    high: f64,
}

/// What is known of a series: its level, its spread, and where it stayed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shift {
    /// The last rows outside of a run, and the last rows at all, oldest first.
    level: VecDeque<f64>,
    last: VecDeque<f64>,
    rows: u32,
    last_at: i64,
    spread: f64,
    /// Rows more than a spread from the level, and those after which the next was there as well.
    out: u32,
    stayed: u32,
    /// The side on which the last row was out: 1 above, -1 below, 0 neither.
    side: i32,
    run: Option<Run>,
    bands: VecDeque<Band>,
}

impl Shift {
    /// Takes a finite value in, `step_ms` being usual between two; tells when the level moved, and as long as the
    /// new one is new.
    pub fn observe(&mut self, at: i64, value: f64, step_ms: i64) -> Option<Shifted> {
        if self.rows > 0 && step_ms > 0 && at - self.last_at > HOLE * step_ms {
            (self.run, self.side) = (None, 0);
            self.level.clear();
            self.last.clear();
        }
        (self.rows, self.last_at) = (self.rows.saturating_add(1), at);
        keep_last(&mut self.last, value, STAY);
        if self.level.len() < LEVEL_ROWS {
            self.settle(at, value);
            return None;
        }
        let run = self.run_with(value);
        if let Some(ended) = self.run.filter(|was| run.is_none_or(|run| run.up != was.up)) {
            self.ended(at, ended);
        }
        self.run = run;
        match run {
            Some(run) if run.rows < SETTLED => self.shifted(run),
            Some(run) => {
                self.ended(at, run);
                // It has become the level; what was below it may be seen again.
                (self.run, self.side) = (None, 0);
                self.level.clear();
                self.settle(at, value);
                None
            }
            None => {
                self.learn(value);
                self.settle(at, value);
                None
            }
        }
    }

    /// The run that goes on or begins with this value.
    fn run_with(&self, value: f64) -> Option<Run> {
        let level = self.run.map_or_else(|| self.level.iter().sum::<f64>() / self.level.len() as f64, |run| run.level);
        let far = (value - level).abs() >= WORTH * self.spread && self.spread > 0.0 && self.rows > FIRST_ROWS;
        let up = value > level;
        far.then(|| match self.run {
            Some(run) if run.up == up => {
                let (low, high) = (run.nearest.min(run.farthest).min(value), run.nearest.max(run.farthest).max(value));
                let (nearest, farthest) = if up { (low, high) } else { (high, low) };
                Run { rows: run.rows + 1, nearest, farthest, ..run }
            }
            _ => Run { up, level, rows: 1, nearest: value, farthest: value },
        })
    }

    fn shifted(&self, run: Run) -> Option<Shifted> {
        if (run.rows as usize) < STAY || !self.is_beyond(run) || run.comes_back() {
            return None;
        }
        let first = far_out((run.nearest - run.level).abs() / self.spread);
        // Laplace's rule: one of two before anything was seen.
        let again = f64::from(self.stayed + 1) / f64::from(self.out + 2);
        let nats = f64::from(run.rows - 1) * (STAYS / again).ln().max(0.0) - first.ln();
        Some(Shifted { nats, up: run.up, expected: run.level, spread: self.spread })
    }

    /// True when the run is where the series did not stay before.
    fn is_beyond(&self, run: Run) -> bool {
        let low = self.bands.iter().map(|band| band.low).fold(f64::INFINITY, f64::min);
        let high = self.bands.iter().map(|band| band.high).fold(f64::NEG_INFINITY, f64::max);
        let room = BEYOND_PART * (high - low).max(0.0);
        if run.up { run.nearest >= high + room } else { run.nearest <= low - room }
    }

    /// An ordinary row, or one of a run that ended or settled.
    fn settle(&mut self, at: i64, value: f64) {
        keep_last(&mut self.level, value, LEVEL_ROWS);
        if self.last.len() < STAY {
            return;
        }
        let low = self.last.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let high = self.last.iter().copied().fold(f64::INFINITY, f64::min);
        self.stayed_between(at, low, high);
    }

    /// Where a run stayed is known from its end on.
    fn ended(&mut self, at: i64, run: Run) {
        if run.rows as usize >= STAY {
            self.stayed_between(at, run.nearest, run.nearest);
        }
    }

    fn stayed_between(&mut self, at: i64, low: f64, high: f64) {
        let day = at.div_euclid(DAY_MS);
        match self.bands.back_mut() {
            Some(band) if band.day == day => (band.low, band.high) = (band.low.min(low), band.high.max(high)),
            _ => self.bands.push_back(Band { day, low, high }),
        }
        while self.bands.front().is_some_and(|band| band.day <= day - DAYS) {
            self.bands.pop_front();
        }
    }

    /// What an ordinary row teaches of the spread, and of how rows depend on each other.
    fn learn(&mut self, value: f64) {
        let residual = value - self.level.iter().sum::<f64>() / self.level.len() as f64;
        let limit = if self.rows < FIRST_ROWS { f64::MAX } else { WINSOR * self.spread };
        let moved = residual.abs().min(limit);
        self.spread += (moved - self.spread) / f64::from(self.rows - LEVEL_ROWS as u32).clamp(1.0, SPREAD_ROWS);
        let side = if moved > self.spread { residual.signum() as i32 } else { 0 };
        if self.side != 0 {
            self.out = self.out.saturating_add(1);
            self.stayed += u32::from(side == self.side);
        }
        self.side = side;
    }
}

fn keep_last(rows: &mut VecDeque<f64>, value: f64, most: usize) {
    if rows.len() == most {
        rows.pop_front();
    }
    rows.push_back(value);
}

/// The probability of a row more than so many mean absolute deviations above its level, for Student's t with three
/// degrees of freedom, whose own is `2 sqrt(3) / pi`.
fn far_out(spreads: f64) -> f64 {
    let times = spreads * 2.0 / std::f64::consts::PI;
    // Far out the difference below is less than its own rounding; its series has the same first term.
    if times > 1e3 {
        return 2.0 / (3.0 * std::f64::consts::PI * times.powi(3));
    }
    ((1.0 / times).atan() - times / (1.0 + times * times)) / std::f64::consts::PI
}

keep_fields!(Shift { level, last, rows, last_at, spread, out, stayed, side, run, bands });
keep_fields!(Run { up, level, rows, nearest, farthest });
keep_fields!(Band { day, low, high });

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i64 = 15_000;

    /// Noise of a spread of about a quarter, the same in every run.
    fn noise(row: i64) -> f64 {
        ((row * 7919 + row * row % 613) % 997) as f64 / 997.0
    }

    /// Rows at which something was told, with noise or what stands in for it.
    fn told(value: impl Fn(i64) -> f64, rows: i64) -> Vec<i64> {
        let mut shift = Shift::default();
        let needed = |shifted: Shifted| shifted.nats > 10.5;
        (0..rows).filter(|row| shift.observe(row * STEP, value(*row), STEP).is_some_and(needed)).collect()
    }

    #[test]
    fn a_jump_that_stays_is_told_within_two_minutes_of_an_hour_of_past() {
        let rows = told(|row| noise(row) + if row >= 240 { 4.0 } else { 0.0 }, 400);
        assert!(rows.first().is_some_and(|row| (243..=248).contains(row)), "{rows:?}");
        assert!(rows.iter().all(|row| *row < 240 + i64::from(SETTLED)), "{rows:?}");
    }

    #[test]
    fn spikes_slow_rises_noise_and_what_never_moved_are_no_jumps() {
        assert!(told(noise, 6000).is_empty());
        assert!(told(|row| noise(row) + if row % 40 < 3 { 40.0 } else { 0.0 }, 2000).is_empty());
        assert!(told(|row| noise(row) + row as f64 / 100.0, 4000).is_empty());
        assert!(told(|row| if row < 500 { 7.0 } else { 9.0 }, 1000).is_empty());
    }

    #[test]
    fn what_comes_back_by_itself_has_not_moved_and_is_not_told_again_and_again() {
        let cold = |row: i64| if row >= 240 { -40.0 * (-((row - 240) as f64) / 3.0).exp() } else { 0.0 };
        assert_eq!(told(|row| noise(row) + cold(row), 400), [0_i64; 0]);
    }

    #[test]
    fn where_it_stayed_before_it_may_go_again_within_a_week() {
        let day = DAY_MS / STEP;
        let rows = told(|row| noise(row) + if (300..340).contains(&(row % day)) { 4.0 } else { 0.0 }, 3 * day);
        assert!(!rows.is_empty() && rows.iter().all(|row| *row < day), "{rows:?}");
    }

    #[test]
    fn far_out_is_the_tail_of_students_t_and_has_no_step() {
        // A t of three degrees of freedom is above 3.182 once in forty: 2.887 of its mean deviations.
        assert!((far_out(3.182 / (2.0 * 3f64.sqrt() / std::f64::consts::PI)) - 0.025).abs() < 1e-4);
        let edge = 1e3 * std::f64::consts::PI / 2.0;
        assert!((far_out(edge * 0.9999) / far_out(edge * 1.0001) - 1.0).abs() < 1e-2);
    }
}
