//! Whether the last rows looked like this ever before: the distance of the last window to the nearest
//! window of the past (a left discord of Yeh et al. 2016, "Matrix Profile I", not normalised).
//!
//! Kept as one running sum a lag, in whole numbers: a row costs one addition for each lag and nothing
//! drifts. Rhythms that are neither a day nor a week are known here.

use crate::keep::keep_fields;

/// Rows of a window.
pub(super) const WINDOW: usize = 32;
/// Furthest lag: a week of five-minute rows.
const LAGS: usize = 2016;
/// Rows that are remembered.
const ROWS: usize = LAGS + WINDOW;
/// Furthest step that counts: the square of a difference, times the window, is still a 64-bit number.
const FURTHEST: f64 = (1_u32 << 27) as f64;

/// The last rows, and how far the last window is from those before it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Shape {
    /// The last rows, up to twice as many as are needed, so that they lie in one piece.
    rows: Vec<i32>,
    /// Sums of squared differences, by lag.
    sums: Vec<i64>,
}

impl Shape {
    /// Takes a row in. The root of the mean squared difference between the last window and the nearest
    /// one before it that does not overlap; None while there is none.
    pub(super) fn take(&mut self, steps: f64) -> Option<f64> {
        if self.rows.len() == 2 * ROWS {
            self.rows.drain(..ROWS);
        }
        self.rows.push(steps.clamp(-FURTHEST, FURTHEST) as i32);
        self.sums.resize(self.rows.len().min(LAGS).max(self.sums.len()), 0);
        let last = self.rows.len() - 1;
        let mut nearest = i64::MAX;
        for lag in WINDOW..self.sums.len().min(last + 1) {
            let sum = &mut self.sums[lag];
            *sum += square(self.rows[last], self.rows[last - lag]);
            let old = lag + WINDOW;
            if old <= last {
                *sum -= square(self.rows[last - WINDOW], self.rows[last - old]);
            }
            if old <= last + 1 {
                nearest = nearest.min(*sum);
            }
        }
        (nearest < i64::MAX).then(|| (nearest as f64 / WINDOW as f64).sqrt())
    }
}

fn square(row: i32, before: i32) -> i64 {
    let distance = i64::from(row) - i64::from(before);
    distance * distance
}

keep_fields!(Shape { rows, sums });

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "sums of whole numbers are exact")]
mod tests {
    use super::*;

    /// The same by looking at every window.
    fn looked_up(rows: &[f64]) -> Option<f64> {
        let now = rows.len().checked_sub(WINDOW)?;
        let distance =
            |start: usize| -> f64 { (0..WINDOW).map(|nth| (rows[now + nth] - rows[start + nth]).powi(2)).sum::<f64>() };
        let oldest = (rows.len() + 1).saturating_sub(LAGS + WINDOW);
        let least = (oldest..(now + 1).saturating_sub(WINDOW)).map(distance).reduce(f64::min)?;
        Some((least / WINDOW as f64).sqrt())
    }

    #[test]
    fn running_sums_say_what_looking_at_every_window_says() {
        let mut shape = Shape::default();
        let mut rows = Vec::new();
        for nth in 0..9000_u64 {
            let row = ((nth * nth * 31 + nth * 7) % 1009) as f64;
            rows.push(row);
            let found = shape.take(row);
            if nth % 377 == 0 || nth == 8999 || (60..70).contains(&nth) {
                assert_eq!(found, looked_up(&rows), "row {nth}");
            }
        }
    }
}
