//! Ordinary lives of metrics: what they do when nothing is wrong.

use std::f64::consts::TAU;

use crate::dice::Dice;

/// Lives of metrics.
pub const LIVES: [&str; 24] = [
    "day_wave",
    "work_week",
    "counts",
    "wander",
    "noise",
    "heavy",
    "sawtooth",
    "rare_bursts",
    "steps",
    "daily_job",
    "plateau_day",
    "utilisation",
    "idle_cpu",
    "cost",
    "mentions",
    "batches",
    "latency",
    "occupancy",
    "temperature",
    "riders",
    "network",
    "two_states",
    "few_counts",
    "heavy_ar",
];

/// The part of a day, or of any `day` rows, that is behind at `row`.
pub fn day_part(row: usize, day: usize) -> f64 {
    (row % day) as f64 / day as f64
}

fn wave(row: usize, day: usize) -> f64 {
    let phase = TAU * day_part(row, day);
    -(phase.cos()) + 0.3 * (2.0 * phase + 1.0).sin()
}

/// A hill around `middle` of a day.
fn hill(row: usize, day: usize, middle: f64, width: f64) -> f64 {
    (-((day_part(row, day) - middle) / width).powi(2)).exp()
}

/// What a life remembers from row to row, and what it was born with.
struct Life {
    rows: usize,
    day: usize,
    level: f64,
    height: f64,
    /// From 0 to 1, the same for the whole life.
    traits: [f64; 3],
    state: f64,
    slow: f64,
    until: usize,
}

/// `rows` rows of the life of that name, `day` a day.
pub fn live(name: &str, rows: usize, day: usize, dice: &mut Dice) -> Vec<f64> {
    let (level, height) = (dice.between(20.0, 200.0), dice.between(5.0, 60.0));
    let traits = std::array::from_fn(|_| dice.share());
    let mut life = Life { rows, day, level, height, traits, state: 0.0, slow: 0.0, until: 0 };
    (0..rows).map(|row| life.plain(name, row, dice).unwrap_or_else(|| life.machine(name, row, dice))).collect()
}

impl Life {
    /// Lives that a formula has: waves, noises, walks.
    fn plain(&mut self, name: &str, row: usize, dice: &mut Dice) -> Option<f64> {
        let Self { day, level, height, traits: [a, ..], .. } = *self;
        Some(match name {
            "day_wave" => level + height * wave(row, day) + dice.normal() * height * (0.03 + 0.2 * a),
            "work_week" => {
                let busy = if (row / day) % 7 >= 5 { 0.35 } else { 1.0 };
                self.state = 0.9 * self.state + 0.1 * dice.normal();
                let wave = height * busy * (1.2 + wave(row, day)) * (1.0 + 0.3 * self.state);
                level + wave + dice.normal() * height * 0.04
            }
            "counts" => {
                let mean = (3.0 + 2.0 * wave(row, day)).max(0.2) * height / 4.0;
                let burst = if dice.chance(0.01) { dice.between(1.0, 3.0) * mean } else { 0.0 };
                mean + dice.normal() * mean.sqrt() * 1.5 + burst
            }
            "wander" => {
                self.state = 0.995 * self.state + dice.normal();
                level + self.state
            }
            "noise" => level + dice.normal() * height * 0.1,
            "heavy" => level + dice.heavy() * height * 0.1,
            "sawtooth" => {
                let next = self.state + height / 70.0 * dice.between(0.7, 1.3);
                self.state = if self.state > height { 0.0 } else { next };
                level + self.state + dice.normal() * height * 0.01
            }
            "rare_bursts" => {
                if self.until == 0 && dice.chance(0.01) {
                    (self.until, self.state) = (1 + dice.below(4), dice.between(5.0, 20.0));
                }
                let burst = if self.until > 0 { self.state * dice.between(0.8, 1.2) } else { 0.0 };
                self.until = self.until.saturating_sub(1);
                burst
            }
            "steps" => {
                if dice.chance(0.005) {
                    self.state = dice.between(-1.0, 1.0) * height * 0.2;
                }
                level + self.state + dice.normal() * height * 0.03
            }
            "daily_job" => {
                let job = (day / 12..day / 12 + day.div_ceil(48)).contains(&(row % day));
                level + if job { height } else { 0.0 } + dice.normal() * height * 0.05
            }
            "plateau_day" => {
                let on = (day * 3 / 8..day * 3 / 4).contains(&(row % day));
                level + if on { height } else { 0.0 } + dice.between(-1.0, 1.0) * height * 0.1
            }
            "heavy_ar" => {
                self.state = 0.9 * self.state + dice.heavy();
                level + self.state * height * 0.02
            }
            _ => return None,
        })
    }

    /// Lives of machines, and of the people who use them.
    fn machine(&mut self, name: &str, row: usize, dice: &mut Dice) -> f64 {
        let Self { rows, day, level, height, traits: [a, b, c], .. } = *self;
        let now_and_then = |share: f64, shape: f64, dice: &mut Dice| {
            if dice.chance(share) { dice.pareto(shape) } else { 0.0 }
        };
        match name {
            "utilisation" => {
                self.state = 0.8 * self.state + dice.normal() * 2.0;
                let spike = if dice.chance(0.004) { dice.between(10.0, 25.0) } else { 0.0 };
                ((4.0 + self.state.abs() + spike) * 500.0).round() / 500.0
            }
            "idle_cpu" => {
                let spike = now_and_then(0.002 + 0.006 * a, 1.5, dice) * 4.0;
                (30.0 + 25.0 * b + dice.normal() * (0.5 + c) + spike).round() / 500.0
            }
            "cost" => {
                self.state = 0.5 * self.state + dice.normal() * (0.1 + 0.25 * a);
                let spike = now_and_then(0.006, 2.0, dice) * 0.5;
                level * 0.01 * (self.state + 0.15 * wave(row, day) + spike).exp()
            }
            "mentions" => {
                self.state = 0.85 * (self.state + (0.5 + 2.0 * b) * now_and_then(0.003 + 0.004 * a, 1.8, dice));
                self.slow = 0.98 * self.slow + 0.04 * dice.normal();
                let usual = height * (1.6 + wave(row, day)).max(0.1) * self.slow.exp();
                let mean = usual * (1.0 + self.state) * 0.5;
                mean + dice.normal() * mean.sqrt() * (1.0 + 2.0 * c)
            }
            "batches" => {
                let every = (day / 24).max(4) * (1 + (a * 5.0) as usize);
                let on = row % every < 1 + (b * 3.0) as usize;
                let batch = height * 1e4 * (0.3 + 0.5 * c) * (dice.normal() * 0.4).exp();
                if on { batch } else { height * 20.0 * dice.share() }
            }
            "latency" => {
                self.state = 0.7 * self.state + dice.normal() * 0.12;
                40.0 + 10.0 * a + (self.state + now_and_then(0.003, 2.0, dice) * 0.4) * 10.0
            }
            "occupancy" => {
                let busy = hill(row, day, 0.35, 0.07) + 0.8 * hill(row, day, 0.72, 0.09) + 0.12;
                let spike = now_and_then(0.004, 2.0, dice) * 0.7;
                (busy * 14.0 * (1.0 + 0.3 * dice.normal() + spike) * 9.0).round() / 9.0
            }
            "temperature" => {
                self.state = 0.98 * self.state + dice.normal() * 0.35;
                let year = 4.0 * (row as f64 / rows as f64 * TAU * (0.5 + a)).sin();
                level * 0.2 + 50.0 + year + self.state + 1.2 * wave(row, day)
            }
            "riders" => {
                let weekday = [0.9, 0.95, 1.0, 1.0, 1.05, 1.1, 0.85][(row / day) % 7];
                self.state = 0.95 * self.state + dice.normal() * 0.012;
                let usual = height * 300.0 * weekday * (1.4 + wave(row, day)).max(0.12);
                usual * (1.0 + self.state) + dice.normal() * height * 4.0
            }
            "network" => {
                if self.until == 0 {
                    self.until = (day as f64 * (0.12 + 0.3 * a) * dice.between(0.8, 1.2)) as usize + 3;
                    self.slow = dice.between(0.6, 1.4);
                }
                self.until -= 1;
                let sync = if self.until < 2 { self.slow * height * 1e3 } else { 0.0 };
                let burst = now_and_then(0.004, 1.7, dice) * height * 150.0;
                height * 30.0 * (dice.normal() * 0.3).exp() + sync + burst
            }
            "two_states" => {
                if self.until == 0 {
                    self.until = (40.0 * (1.0 + 4.0 * a) * -(1.0 - dice.share()).ln()) as usize + 8;
                    self.slow = 1.0 - self.slow;
                }
                self.until -= 1;
                level * 0.1 + self.slow * height + dice.normal() * height * (0.02 + 0.06 * b)
            }
            "few_counts" => {
                let (mut count, mut chance, none) = (0.0, dice.share(), (-0.3 - 1.5 * a).exp());
                while chance > none {
                    chance *= dice.share();
                    count += 1.0;
                }
                count + (3.0 * now_and_then(0.003, 1.5, dice)).round()
            }
            other => unreachable!("no life {other}"),
        }
    }
}
