//! Where a series loses its unit: whatever comes after this door sees whole numbers that do not
//! depend on offset and scale of the values.
//!
//! Middle and unit are differences and order statistics of the first values, frozen once known, so
//! `values * a + b` (a above 0) passes as the very same numbers and everything after it decides the
//! same. Rounding here, once, is what makes that exact and not merely close.

use crate::keep::keep_fields;

/// Steps in a unit: fine enough for a noise of a thousandth of the unit, coarse enough that the last
/// bits of a float (which an offset disturbs) do not reach a step.
const STEPS: f64 = 65_536.0;
/// Where steps are cut. Values often lie on a lattice, and halves of steps on it would round by
/// chance; the golden section is the number that lattices come closest to least.
const CUT: f64 = 0.381_966_011_250_105;
/// Furthest step: further ones are this one. A square of it, and sums of squares, stay whole numbers.
const FURTHEST: f64 = (1_u64 << 46) as f64;

/// Values in, whole steps out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Door {
    middle: f64,
    /// None until two values differed.
    unit: Option<f64>,
}

impl Door {
    /// The door for a series that began with `first` (at least one finite value).
    pub(super) fn of(first: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = first.collect();
        let middle = lower_median(&mut values).unwrap_or_default();
        for value in &mut values {
            *value = (*value - middle).abs();
        }
        values.retain(|distance| *distance > 0.0);
        Self { middle, unit: lower_median(&mut values) }
    }

    /// The steps of a finite value.
    pub(super) fn pass(&mut self, value: f64) -> f64 {
        let distance = value - self.middle;
        if distance == 0.0 {
            return 0.0;
        }
        let unit = *self.unit.get_or_insert(distance.abs());
        // Halves first: the distance of two finite values may be no finite value.
        let steps = if distance.is_finite() && unit.is_finite() {
            distance / unit
        } else {
            (value / 2.0 - self.middle / 2.0) / (unit / 2.0).min(f64::MAX / 2.0)
        };
        (steps * STEPS + CUT).floor().clamp(-FURTHEST, FURTHEST)
    }

    /// The value that stands at `steps`.
    pub(super) fn value(&self, steps: f64) -> f64 {
        self.middle + steps / STEPS * self.unit.unwrap_or_default()
    }
}

/// The middle one, or the lower of two; None of nothing.
fn lower_median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len().checked_sub(1)? / 2;
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

keep_fields!(Door { middle, unit });

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "whole steps are exact")]
mod tests {
    use super::*;

    #[test]
    fn steps_do_not_depend_on_unit_and_offset() {
        let values: Vec<f64> = (0..300).map(|nth| f64::from((nth * 7919) % 1013) * 0.37 - 55.0).collect();
        let steps = |a: f64, b: f64| -> Vec<f64> {
            let moved: Vec<f64> = values.iter().map(|value| value * a + b).collect();
            let mut door = Door::of(moved.iter().take(64).copied());
            moved.iter().map(|value| door.pass(*value)).collect()
        };
        let plain = steps(1.0, 0.0);
        for (a, b) in [(4.0, 0.0), (1.0 / 1024.0, 0.0), (3.7, 1e4), (1e-6, -2.5), (86.4e6, 1e9), (0.001, 32.0)] {
            assert_eq!(steps(a, b), plain, "{a} {b}");
        }
    }

    #[test]
    fn what_never_moved_has_no_unit_until_it_does() {
        let mut door = Door::of([5.0; 64].into_iter());
        assert_eq!((door.pass(5.0), door.pass(7.0), door.pass(3.0)), (0.0, STEPS, -STEPS));
        assert_eq!(door.value(STEPS), 7.0);
    }

    #[test]
    fn the_largest_values_pass() {
        let mut door = Door::of([f64::MAX, -f64::MAX, 0.0].into_iter());
        assert!([f64::MAX, -f64::MAX, 1.0].into_iter().all(|value| door.pass(value).is_finite()));
    }
}
