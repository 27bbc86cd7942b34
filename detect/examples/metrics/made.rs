//! Series that are made: ordinary lives of metrics, with what ordinarily disturbs them, and
//! anomalies whose place is known. The kinds are those that an operator meets; none was fitted to a
//! public data set.

use std::f64::consts::TAU;

use crate::dice::Dice;

/// Rows of a series, and of a day in it: most are two weeks of five minutes, some are short, hourly or long.
const SIZES: [(usize, usize); 8] =
    [(4032, 288), (4032, 288), (1600, 24), (4032, 288), (2200, 144), (9000, 48), (4032, 288), (15_900, 288)];
/// Part of the rows (one in so many) that the labelled windows of a series take together, each around the
/// onset of what it labels: the rule of the Numenta Anomaly Benchmark.
const WINDOWS_PART: usize = 10;

/// A series with the rows in which its anomalies are.
pub struct Made {
    pub values: Vec<f64>,
    pub windows: Vec<(usize, usize)>,
    day: usize,
}

impl Made {
    /// Milliseconds between rows.
    pub fn step_ms(&self) -> i64 {
        86_400_000 / self.day as i64
    }
}

/// Lives of metrics.
pub const LIVES: [&str; 12] = [
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
];

/// What goes wrong.
pub const WRONGS: [&str; 12] =
    ["nothing", "spike", "dip", "shift", "bump", "restless", "still", "flat", "missed_day", "drift", "faster", "zero"];

/// The life `life` with `times` of `wrong` in it.
pub fn make(life: &str, wrong: &str, times: usize, seed: u64) -> Made {
    let mut dice = Dice::new(seed);
    let (rows, day) = SIZES[dice.below(SIZES.len())];
    let mut values = live(life, rows, day, &mut dice);
    let daily = matches!(life, "day_wave" | "work_week" | "counts" | "plateau_day");
    let scale = spread(&values, if daily { day } else { 1 });
    let mut windows = Vec::new();
    if wrong != "nothing" {
        for nth in 0..times {
            // After the third of a series that detectors learn from, and far enough apart.
            let window = rows / WINDOWS_PART / times;
            let part = (rows - rows / 4 - 300) / times;
            let at = rows / 4 + nth * part + dice.below(part.saturating_sub(window).max(1));
            disturb(wrong, &mut values, at, (scale, day), &mut dice);
            let first = at - window / 2;
            windows.push((first, first + window - 1));
        }
    }
    if life == "counts" {
        for value in &mut values {
            *value = value.max(0.0).round();
        }
    }
    Made { values, windows, day }
}

/// How far rows usually are from the row a season before: the scale of what is unusual.
fn spread(values: &[f64], season: usize) -> f64 {
    let mut steps: Vec<f64> = values.windows(season + 1).map(|part| (part[season] - part[0]).abs()).collect();
    steps.sort_unstable_by(f64::total_cmp);
    let most = steps[steps.len() * 9 / 10];
    if most > 0.0 { most } else { steps[steps.len() - 1].max(1.0) }
}

fn day_part(row: usize, day: usize) -> f64 {
    (row % day) as f64 / day as f64
}

fn wave(row: usize, day: usize) -> f64 {
    let phase = TAU * day_part(row, day);
    -(phase.cos()) + 0.3 * (2.0 * phase + 1.0).sin()
}

fn live(life: &str, rows: usize, day: usize, dice: &mut Dice) -> Vec<f64> {
    let (level, height) = (dice.between(20.0, 200.0), dice.between(5.0, 60.0));
    let mut state = 0.0_f64;
    let mut until = 0;
    (0..rows)
        .map(|row| match life {
            "day_wave" => level + height * wave(row, day) + dice.normal() * height * 0.1,
            "work_week" => {
                let busy = if (row / day) % 7 >= 5 { 0.35 } else { 1.0 };
                state = 0.9 * state + 0.1 * dice.normal();
                level + height * busy * (1.2 + wave(row, day)) * (1.0 + 0.3 * state) + dice.normal() * height * 0.04
            }
            "counts" => {
                let mean = (3.0 + 2.0 * wave(row, day)).max(0.2) * height / 4.0;
                let burst = if dice.chance(0.01) { dice.between(1.0, 3.0) * mean } else { 0.0 };
                mean + dice.normal() * mean.sqrt() * 1.5 + burst
            }
            "wander" => {
                state = 0.995 * state + dice.normal();
                level + state
            }
            "noise" => level + dice.normal() * height * 0.1,
            "heavy" => level + dice.heavy() * height * 0.1,
            "sawtooth" => {
                state = if state > height { 0.0 } else { state + height / 70.0 * dice.between(0.7, 1.3) };
                level + state + dice.normal() * height * 0.01
            }
            "rare_bursts" => {
                if until == 0 && dice.chance(0.01) {
                    until = 1 + dice.below(4);
                    state = dice.between(5.0, 20.0);
                }
                let burst = if until > 0 { state * dice.between(0.8, 1.2) } else { 0.0 };
                until = until.saturating_sub(1);
                burst
            }
            "steps" => {
                if dice.chance(0.005) {
                    state = dice.between(-1.0, 1.0) * height * 0.2;
                }
                level + state + dice.normal() * height * 0.03
            }
            "daily_job" => {
                let job = if (day / 12..day / 12 + day.div_ceil(48)).contains(&(row % day)) { height } else { 0.0 };
                level + job + dice.normal() * height * 0.05
            }
            "plateau_day" => {
                let on = if (day * 3 / 8..day * 3 / 4).contains(&(row % day)) { height } else { 0.0 };
                level + on + dice.between(-1.0, 1.0) * height * 0.1
            }
            "utilisation" => {
                state = 0.8 * state + dice.normal() * 2.0;
                let spike = if dice.chance(0.004) { dice.between(10.0, 25.0) } else { 0.0 };
                ((4.0 + state.abs() + spike) * 500.0).round() / 500.0
            }
            other => unreachable!("no life {other}"),
        })
        .collect()
}

fn disturb(wrong: &str, values: &mut [f64], at: usize, (scale, day): (f64, usize), dice: &mut Dice) {
    let strength = dice.between(3.0, 8.0) * scale;
    let sign = if dice.chance(0.5) { 1.0 } else { -1.0 };
    let long = 40 + dice.below(120);
    let mean = values[at..at + long].iter().sum::<f64>() / long as f64;
    match wrong {
        "spike" => (at..at + 1 + dice.below(4)).for_each(|row| values[row] += strength * 1.5),
        "dip" => (at..at + 2 + dice.below(6)).for_each(|row| values[row] -= strength * 1.5),
        "shift" => (at..values.len()).for_each(|row| values[row] += sign * strength * 0.6),
        "bump" => (at..at + long).for_each(|row| values[row] += sign * strength * 0.5),
        "restless" => (at..at + long).for_each(|row| values[row] += dice.normal() * strength * 0.6),
        "still" => (at..at + long).for_each(|row| values[row] = mean + (values[row] - mean) * 0.05),
        "flat" => (at..at + long).for_each(|row| values[row] = values[at]),
        "missed_day" => {
            let low = values[at - day..at].iter().copied().fold(f64::MAX, f64::min);
            (at..at + day / 2).for_each(|row| values[row] = low + (values[row] - low) * 0.2);
        }
        "drift" => {
            let end = (at + 2 * day).min(values.len());
            (at..end).for_each(|row| values[row] += sign * strength * ((row - at) as f64 / 100.0).min(1.0));
        }
        "faster" => {
            let old = values.to_vec();
            (at..at + long).for_each(|row| values[row] = old[at + (row - at) * 3 % (long * 3).min(old.len() - at)]);
        }
        "zero" => (at..at + 6 + dice.below(30)).for_each(|row| values[row] = 0.0),
        other => unreachable!("no wrong {other}"),
    }
}
