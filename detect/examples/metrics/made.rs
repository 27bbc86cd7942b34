//! Series that are made: ordinary [lives](crate::lives) of metrics, with what ordinarily disturbs them, and
//! anomalies whose place is known. The kinds are those that an operator meets; none was fitted to a
//! public data set.
//!
//! What is labelled can be seen in a chart of the whole series: its size is measured against the
//! band in which nine rows in ten lie. What is smaller than that happens as well, and is not labelled; and some
//! series begin with something that is not ordinary, or had the same trouble before.

use crate::dice::Dice;
use crate::lives::{day_part, live};

pub use crate::lives::LIVES;

/// Rows of a series, and of a day in it: most are two weeks of five minutes, some are short, hourly or long.
const SIZES: [(usize, usize); 8] =
    [(4032, 288), (4032, 288), (1600, 24), (4032, 288), (2200, 144), (9000, 48), (4032, 288), (15_900, 288)];
/// Part of the rows (one in so many) that the labelled windows of a series take together, each around the
/// onset of what it labels: the rule of the Numenta Anomaly Benchmark.
const WINDOWS_PART: usize = 10;
/// Part of the rows (one in so many) before the first label.
const QUIET_PART: usize = 5;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A series with the rows in which its anomalies are.
pub struct Made {
    /// Times in milliseconds, and values.
    pub rows: Vec<(i64, f64)>,
    pub windows: Vec<(usize, usize)>,
}

/// What goes wrong.
pub const WRONGS: [&str; 16] = [
    "nothing",
    "spike",
    "dip",
    "shift",
    "bump",
    "restless",
    "still",
    "flat",
    "missed_day",
    "drift",
    "faster",
    "zero",
    "spikes",
    "taller_day",
    "late_day",
    "fades",
];

/// The life `life` with `times` of `wrong` in it.
pub fn make(life: &str, wrong: &str, times: usize, seed: u64) -> Made {
    let mut dice = Dice::new(seed);
    let (rows, day) = SIZES[dice.below(SIZES.len())];
    let mut values = live(life, rows, day, &mut dice);
    let daily =
        matches!(life, "day_wave" | "work_week" | "counts" | "plateau_day" | "mentions" | "occupancy" | "riders");
    let noise = noise(&values, if daily { day } else { 1 });
    let band = band(&values).max(noise);
    for _ in 0..dice.below(5) {
        let kind = ["spike", "dip", "bump", "restless", "spikes"][dice.below(5)];
        let at = day + dice.below(rows - 2 * day - 400);
        let size = dice.between(0.3, 1.2) * noise;
        disturb(kind, &mut values, at, (size, day), &mut dice);
    }
    let size = dice.between(0.6_f64.ln(), 5.0_f64.ln()).exp() * band;
    before(wrong, &mut values, (size, band, day), &mut dice);
    let mut windows = Vec::new();
    for nth in 0..if wrong == "nothing" { 0 } else { times } {
        let (window, part) = (rows / WINDOWS_PART / times, (rows - rows / QUIET_PART - 300) / times);
        let at = rows / QUIET_PART + nth * part + dice.below(part.saturating_sub(window).max(1));
        let size = size * dice.between(0.8, 1.25);
        disturb(wrong, &mut values, at, (size, day), &mut dice);
        let first = at - window / 2;
        windows.push((first, first + window - 1));
    }
    bound(life, &mut values);
    Made { rows: timed(life, values, day, &mut dice), windows }
}

/// What no label tells of: a beginning that is not ordinary, and the same trouble once before.
fn before(wrong: &str, values: &mut [f64], (size, band, day): (f64, f64, usize), dice: &mut Dice) {
    let rows = values.len();
    if dice.chance(0.3) {
        let (long, up, restless) = (rows * (2 + dice.below(8)) / 100, dice.between(-0.5, 1.5) * band, dice.chance(0.5));
        values[..long].iter_mut().for_each(|value| *value += up * if restless { dice.share() } else { 1.0 });
    }
    if dice.chance(0.3) && !matches!(wrong, "nothing" | "shift") {
        let at = day.max(rows / 20) + dice.below(rows / 10);
        let size = size * dice.between(0.6, 1.2);
        disturb(wrong, values, at, (size, day), dice);
    }
}

/// No counts below nothing, and no parts of one.
fn bound(life: &str, values: &mut [f64]) {
    let whole = matches!(life, "counts" | "mentions" | "few_counts" | "riders");
    let least = if matches!(life, "utilisation" | "idle_cpu" | "occupancy" | "latency" | "cost" | "batches" | "network")
    {
        0.0
    } else {
        f64::MIN
    };
    for value in values {
        *value = if whole { value.max(0.0).round() } else { value.max(least) };
    }
}

/// Rows at their times; a detector in a road misses some.
fn timed(life: &str, values: Vec<f64>, day: usize, dice: &mut Dice) -> Vec<(i64, f64)> {
    let (mut at, step) = (1_704_067_200_000, DAY_MS / day as i64);
    let row = |value| {
        let row = (at, value);
        at += step;
        if life == "occupancy" && dice.chance(0.15) {
            at += step * (1 + dice.below(6) as i64);
        }
        row
    };
    values.into_iter().map(row).collect()
}

/// How far rows usually are from the row a season before.
fn noise(values: &[f64], season: usize) -> f64 {
    let mut steps: Vec<f64> = values.windows(season + 1).map(|part| (part[season] - part[0]).abs()).collect();
    steps.sort_unstable_by(f64::total_cmp);
    let most = steps[steps.len() * 9 / 10];
    if most > 0.0 { most } else { steps[steps.len() - 1].max(1.0) }
}

/// Where nine rows in ten lie.
fn band(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() * 95 / 100] - sorted[sorted.len() * 5 / 100]
}

fn disturb(wrong: &str, values: &mut [f64], at: usize, (strength, day): (f64, usize), dice: &mut Dice) {
    let sign = if dice.chance(0.5) { 1.0 } else { -1.0 };
    let rows = values.len();
    let end = (at + 40 + dice.below(120)).min(rows - 1);
    let mean = values[at..end].iter().sum::<f64>() / (end - at) as f64;
    let yesterday = &values[at.saturating_sub(day)..at];
    let low = yesterday.iter().copied().fold(f64::MAX, f64::min);
    let middle = yesterday.iter().sum::<f64>() / yesterday.len().max(1) as f64;
    let days = |days: f64| (at + (day as f64 * days) as usize).min(rows);
    match wrong {
        "spike" => (at..at + 1 + dice.below(4)).for_each(|row| values[row] += strength * 1.5),
        "dip" => (at..at + 2 + dice.below(6)).for_each(|row| values[row] -= strength * 1.5),
        "shift" => (at..rows).for_each(|row| values[row] += sign * strength * 0.6),
        "bump" => (at..end).for_each(|row| values[row] += sign * strength * 0.6),
        "restless" => (at..end).for_each(|row| values[row] += dice.normal() * strength * 0.6),
        "still" => (at..end).for_each(|row| values[row] = mean + (values[row] - mean) * 0.05),
        "flat" => (at..end).for_each(|row| values[row] = values[at]),
        "missed_day" => (at..days(0.5)).for_each(|row| values[row] = low + (values[row] - low) * 0.2),
        "drift" => {
            (at..days(2.0)).for_each(|row| values[row] += sign * strength * ((row - at) as f64 / 100.0).min(1.0));
        }
        "faster" => {
            let old = values.to_vec();
            let most = (3 * (end - at)).min(rows - at);
            (at..end).for_each(|row| values[row] = old[at + (row - at) * 3 % most]);
        }
        "zero" => (at..(at + 6 + dice.below(30)).min(rows)).for_each(|row| values[row] = 0.0),
        "spikes" => {
            for _ in 0..3 + dice.below(5) {
                values[at + dice.below(end - at)] += strength * dice.between(0.7, 1.3);
            }
        }
        "taller_day" => {
            let times = 1.0 + dice.between(0.4, 1.2);
            (at..days(1.0)).for_each(|row| values[row] = middle + (values[row] - middle) * times);
        }
        "late_day" => {
            let old = values.to_vec();
            (at..days(1.0)).for_each(|row| values[row] = old[row - day / 5]);
        }
        "fades" => {
            let end = days(1.0).max((at + 60).min(rows));
            (at..end).for_each(|row| {
                let left = 1.0 - day_part(row - at, end - at);
                values[row] = low + (values[row] - low) * left;
            });
        }
        other => unreachable!("no wrong {other}"),
    }
}
