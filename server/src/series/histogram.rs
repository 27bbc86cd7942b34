//! A bounded histogram of durations with a known relative error, in the manner of `DDSketch` (Masson,
//! Rim and Lee, 2019): each bucket is a fixed ratio wider than the one before, so a quantile read from
//! it is off by at most [`ERROR`], and histograms add up without losing anything.

/// Relative error of a quantile at most.
pub(super) const ERROR: f64 = 0.02;
/// Values up to this one are counted together, in milliseconds.
const LEAST: f64 = 0.1;
/// Buckets above the least one: the last begins beyond 27 hours.
const BUCKETS: usize = 520;

/// Counts of values, and the exact ends.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    counts: Vec<u32>,
    count: u64,
    min: f64,
    max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Vec::new(), count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Histogram {
    /// Counts one value; one that is no number is left out.
    pub(super) fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS + 1];
        }
        self.counts[bucket(value)] += 1;
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds what `other` counted.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
        } else {
            for (count, more) in self.counts.iter_mut().zip(&other.counts) {
                *count += more;
            }
        }
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Forgets everything, keeping the room.
    pub(super) fn clear(&mut self) {
        self.counts.fill(0);
        (self.count, self.min, self.max) = (0, f64::INFINITY, f64::NEG_INFINITY);
    }

    /// The value at rank ⌈q·n⌉, off by at most [`ERROR`]; None when nothing was counted.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let rank = (q * self.count as f64).ceil().max(1.0) as u64;
        let mut passed = 0;
        let at = self.counts.iter().position(|&count| {
            passed += u64::from(count);
            passed >= rank
        })?;
        Some(middle(at).clamp(self.min, self.max))
    }
}

/// How much wider a bucket is than the one before.
fn ratio() -> f64 {
    (1.0 + ERROR) / (1.0 - ERROR)
}

fn bucket(value: f64) -> usize {
    if value <= LEAST {
        return 0;
    }
    // The logarithm of the ratio is a constant the compiler folds.
    let at = ((value / LEAST).ln() / ratio().ln()).ceil();
    (at as usize).clamp(1, BUCKETS)
}

/// The value that is off by the same share from both ends of the bucket.
fn middle(at: usize) -> f64 {
    if at == 0 { LEAST } else { LEAST * ratio().powi(at as i32) * 2.0 / (ratio() + 1.0) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn exact(values: &mut [f64], q: f64) -> f64 {
        values.sort_by(f64::total_cmp);
        values[(q * values.len() as f64).ceil().max(1.0) as usize - 1]
    }

    #[test]
    fn nothing_counted_is_nothing_known() {
        let mut histogram = Histogram::default();
        histogram.add(f64::NAN);
        assert_eq!(histogram.quantile(0.5), None);
    }

    #[test]
    fn a_single_value_is_exact() {
        let mut histogram = Histogram::default();
        histogram.add(734.0);
        assert_eq!((histogram.quantile(0.5), histogram.quantile(0.99)), (Some(734.0), Some(734.0)));
    }

    #[test]
    fn values_out_of_range_do_not_leave_the_buckets() {
        let mut histogram = Histogram::default();
        for value in [-5.0, 0.0, 1e300] {
            histogram.add(value);
        }
        assert!(histogram.quantile(1.0).unwrap() > 1e8);
        assert!(histogram.quantile(0.1).unwrap() <= LEAST);
    }

    proptest::proptest! {
        #[test]
        fn a_quantile_of_merged_parts_is_within_the_error(
            mut values in proptest::collection::vec(0.2f64..5e6, 1..300), q in 0.01f64..1.0,
        ) {
            let mut parts = [Histogram::default(), Histogram::default(), Histogram::default()];
            for (at, value) in values.iter().enumerate() {
                parts[at % 3].add(*value);
            }
            let mut whole = Histogram::default();
            for part in &parts {
                whole.merge(part);
            }
            let (found, wanted) = (whole.quantile(q).unwrap(), exact(&mut values, q));
            proptest::prop_assert!((found - wanted).abs() <= wanted * (ERROR + 1e-9), "{found} for {wanted}");
        }
    }
}
