//! A town as it is under one seed: somewhat larger or smaller, faster or slower than the figures say, so that
//! no two traces of a town are alike.

use crate::dice::{Dice, Urn};
use crate::people::People;
use crate::town::Town;

/// An operation as it is here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habit {
    pub(crate) median_ms: f64,
    pub(crate) failing: f64,
}

/// A town under a seed.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) town: &'static Town,
    pub(crate) habits: Vec<Habit>,
    pub(crate) weights: Vec<f64>,
    pub(crate) urn: Urn,
    pub(crate) people: People,
    /// Calls a second by day at traffic 1.
    pub(crate) pace: f64,
    /// How many times the town's traffic.
    pub(crate) traffic: f64,
    pub(crate) sign_in: usize,
}

impl Place {
    /// `share` of the town's pace, `traffic` times over, with as many times the people.
    pub(crate) fn new(town: &'static Town, seed: u64, traffic: f64, share: f64) -> Self {
        let mut dice = Dice::new(seed, town.name);
        let pace = town.per_second * share * dice.within(0.6, 1.5);
        let habits = town.ops.iter().map(|op| Habit {
            median_ms: dice.about(op.median_ms, 0.25),
            failing: dice.about(op.failing, 0.4).min(0.1),
        });
        let habits = habits.collect();
        let weights: Vec<f64> = town.ops.iter().map(|op| op.weight * dice.about(1.0, 0.2)).collect();
        let count = (town.people as f64 * traffic * dice.within(0.7, 1.4)) as usize;
        Self {
            town,
            habits,
            urn: Urn::new(weights.iter().copied()),
            weights,
            people: People::new(town, seed, count),
            pace,
            traffic,
            sign_in: town.place(town.sign_in).unwrap_or(0),
        }
    }

    /// Calls a second of an operation at traffic 1, by day.
    pub(crate) fn pace_of(&self, op: usize) -> f64 {
        self.pace * self.weights[op] / self.weights.iter().sum::<f64>()
    }

    /// Operations that bring `calls` within `ms` at traffic 1. Never empty: the busiest one is always in it.
    pub(crate) fn busy(&self, calls: f64, ms: i64) -> Vec<usize> {
        let mut by_pace: Vec<usize> = (0..self.weights.len()).collect();
        by_pace.sort_by(|one, other| self.weights[*other].total_cmp(&self.weights[*one]));
        let busy = by_pace.iter().filter(|op| self.pace_of(**op) * ms as f64 / 1000.0 >= calls).count();
        by_pace.truncate(busy.max(1));
        by_pace
    }

    /// Operations whose deed is wanted.
    pub(crate) fn doing(&self, wanted: impl Fn(crate::town::Deed) -> bool) -> Vec<usize> {
        (0..self.town.ops.len()).filter(|op| wanted(self.town.ops[*op].deed)).collect()
    }
}
