//! Gauges with a limit, some of which run into it: how long before that a forecast says so, and how many of its
//! alerts nothing follows; beside it the rule that people write by hand, a straight line through the last ten
//! minutes, held for two.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use stella_detect::series::ramp::{Ramp, Side};
use stella_protocol::Timestamp;

use crate::dice::Dice;

/// Seconds between samples, samples of a minute, and of a gauge: two days.
const STEP_S: usize = 15;
const MINUTE: usize = 60 / STEP_S;
const ROWS: usize = 2 * 1440 * MINUTE;
/// Every gauge ends here.
const LIMIT: f64 = 100.0;
/// An alert goes on while it is said again within a quarter of an hour; it was right when the gauge ends within
/// an hour of its first word.
const MERGE: usize = 15 * MINUTE;
const RIGHT: usize = 60 * MINUTE;
/// The rule by hand: minutes looked at, ahead, and for how long it must hold.
const BACK: usize = 10 * MINUTE;
const AHEAD: f64 = 30.0 * MINUTE as f64;
const HELD: usize = 2 * MINUTE;

const LIVES: [&str; 8] = ["flat", "noisy", "day", "saw", "slow_saw", "walk", "steps", "bursts"];

struct Gauge {
    values: Vec<f64>,
    /// Rows at which it ends.
    ends: Vec<usize>,
}

fn live(life: &str, dice: &mut Dice) -> Vec<f64> {
    let (level, noise) = (dice.between(20.0, 45.0), dice.between(0.2, 2.0));
    let (mut state, mut burst) = (0.0_f64, 0_usize);
    let period = if life == "saw" { dice.between(8.0, 20.0) } else { dice.between(60.0, 240.0) } * MINUTE as f64;
    (0..ROWS)
        .map(|row| {
            let at = row as f64;
            state = match life {
                "noisy" => dice.normal() * noise * 3.0,
                "day" => -20.0 * (at / (1440 * MINUTE) as f64 * TAU).cos(),
                "saw" | "slow_saw" => 30.0 * (at % period) / period,
                "walk" => (state * 0.9995 + dice.normal() * 0.15).clamp(-18.0, 30.0),
                "steps" if dice.chance(0.002) => dice.between(-15.0, 25.0),
                "steps" => state,
                "bursts" => {
                    if burst == 0 && dice.chance(0.0005) {
                        burst = MINUTE * (5 + dice.below(20));
                    }
                    burst = burst.saturating_sub(1);
                    state + (if burst > 0 { 25.0 } else { 0.0 } - state) / (6 * MINUTE) as f64
                }
                _ => 0.0,
            };
            (level + state + dice.normal() * noise).clamp(0.0, LIMIT)
        })
        .collect()
}

/// A gauge that runs out `times` times, within about half an hour each, and as often seems to.
fn gauge(life: &str, times: usize, dice: &mut Dice) -> Gauge {
    let mut values = live(life, dice);
    let mut ends = Vec::new();
    let part = (ROWS - ROWS / 4) / (2 * times).max(1);
    for nth in 0..2 * times {
        let at = ROWS / 4 + nth * part + dice.below(part / 2);
        let long = (dice.between(28.0, 34.0) * MINUTE as f64) as usize;
        let (real, bend) = (nth % 2 == 0, dice.between(0.8, 1.4));
        // What only seems to run out stops on its way and stays there for a while.
        let height = (LIMIT - values[at] + 3.0) * if real { 1.0 } else { dice.between(0.15, 0.5) };
        let stop = if real { long } else { long / 2 };
        for (nth, value) in values[at..].iter_mut().take(stop + 20 * MINUTE).enumerate() {
            let part = (nth as f64 / stop as f64).min(1.0);
            *value = (*value + height * part.powf(bend)).min(LIMIT);
        }
        // On top of a tooth, what was to stop halfway may get there as well.
        ends.extend((at..ROWS.min(at + stop + 20 * MINUTE)).find(|row| values[*row] >= LIMIT));
    }
    Gauge { values, ends }
}

/// Slope of least squares over the last ten minutes, far enough ahead to be over the limit.
struct ByHand {
    last: VecDeque<f64>,
    held: usize,
}

impl ByHand {
    fn observe(&mut self, value: f64) -> bool {
        if self.last.len() == BACK {
            self.last.pop_front();
        }
        self.last.push_back(value);
        let count = self.last.len() as f64;
        let (middle, mean) = ((count - 1.0) / 2.0, self.last.iter().sum::<f64>() / count);
        let (mut product, mut square) = (0.0, 0.0);
        for (nth, value) in self.last.iter().enumerate() {
            product += (nth as f64 - middle) * (value - mean);
            square += (nth as f64 - middle).powi(2);
        }
        let slope = if square > 0.0 { product / square } else { 0.0 };
        let ahead = mean + slope * (middle + AHEAD);
        let says = self.last.len() == BACK && ahead > LIMIT && value < LIMIT;
        self.held = if says { self.held + 1 } else { 0 };
        self.held > HELD
    }
}

/// Alerts of one rule over all gauges.
#[derive(Default)]
struct Tally {
    alerts: usize,
    wrong: usize,
    ends: usize,
    leads: Vec<f64>,
}

impl Tally {
    fn add(&mut self, gauge: &Gauge, said: &[usize]) {
        let firsts = said.iter().enumerate().filter(|(nth, at)| *nth == 0 || *at - said[nth - 1] > MERGE);
        let firsts: Vec<usize> = firsts.map(|(_, at)| *at).collect();
        self.ends += gauge.ends.len();
        self.alerts += firsts.len();
        let follows = |at: usize| gauge.ends.iter().any(|end| (at..at + RIGHT).contains(end));
        self.wrong += firsts.iter().filter(|at| !follows(**at)).count();
        for end in &gauge.ends {
            let first = firsts.iter().find(|at| (**at..**at + RIGHT).contains(end));
            self.leads.push(first.map_or(0.0, |at| (end - at) as f64 / MINUTE as f64));
        }
    }

    fn tell(mut self, name: &str) {
        self.leads.sort_unstable_by(f64::total_cmp);
        let lead = |part: usize| self.leads.get(self.leads.len() * part / 100).copied().unwrap_or_default();
        let told = self.leads.iter().filter(|lead| **lead > 0.0).count();
        let early = self.leads.iter().filter(|lead| **lead >= 10.0).count();
        println!(
            "{name:16} told {told}/{} ten minutes ahead {early} lead median {:.1} min, worst tenth {:.1}; alerts {} wrong {} ({:.1} %)",
            self.ends,
            lead(50),
            lead(10),
            self.alerts,
            self.wrong,
            self.wrong as f64 * 100.0 / self.alerts.max(1) as f64
        );
    }
}

/// Prints both rules beside each other.
pub fn forecasts(seeds: &[u64]) {
    let (mut ours, mut by_hand) = (Tally::default(), Tally::default());
    for (nth, life) in LIVES.into_iter().enumerate() {
        let (mut own, mut other) = (Tally::default(), Tally::default());
        for seed in seeds {
            for times in [0, 1, 2] {
                let mut dice = Dice::new(seed * 100 + (nth * 3 + times) as u64);
                let gauge = gauge(life, times, &mut dice);
                let (mut ramp, mut line) = (Ramp::new(LIMIT, Side::Above), ByHand { last: VecDeque::new(), held: 0 });
                let (mut said, mut said_by_hand) = (Vec::new(), Vec::new());
                for (row, value) in gauge.values.iter().enumerate() {
                    let at = Timestamp::from_millis((row * STEP_S * 1000) as i64);
                    said.extend(ramp.observe(at, *value).map(|_| row));
                    said_by_hand.extend(line.observe(*value).then_some(row));
                }
                for tally in [&mut ours, &mut own] {
                    tally.add(&gauge, &said);
                }
                for tally in [&mut by_hand, &mut other] {
                    tally.add(&gauge, &said_by_hand);
                }
            }
        }
        own.tell(life);
        other.tell("  by hand");
    }
    ours.tell("all");
    by_hand.tell("all by hand");
}
