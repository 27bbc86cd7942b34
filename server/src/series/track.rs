//! One series: its buckets at three widths, and the ones still open.

use std::collections::{BTreeMap, VecDeque};

use stella_protocol::series::{Baseline, SeriesKind, Spread};
use stella_protocol::{Point, Series, Text, Timestamp};

/// A width of bucket and how many of them are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Width {
    /// Milliseconds.
    pub step: i64,
    /// Buckets.
    pub kept: usize,
}

impl Width {
    /// Number of the bucket that holds `at`.
    pub(super) fn index(self, at: Timestamp) -> i64 {
        at.millis().div_euclid(self.step)
    }
}

/// The three widths, finest first; each divides the next. One hour, one day, two weeks.
pub(super) const WIDTHS: [Width; 3] =
    [Width { step: 5_000, kept: 720 }, Width { step: 60_000, kept: 1440 }, Width { step: 600_000, kept: 2016 }];

/// What a bucket gathers: a weighted sum and the ends.
#[derive(Debug, Clone, Copy)]
struct Fold {
    sum: f64,
    weight: f64,
    min: f64,
    max: f64,
}

const EMPTY: Fold = Fold { sum: 0.0, weight: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };

impl Fold {
    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.weight += other.weight;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    fn spread(&self) -> Option<Spread> {
        (self.weight > 0.0).then(|| Spread { mean: self.sum / self.weight, min: self.min, max: self.max })
    }
}

/// Closed buckets of one width, oldest first, without holes.
#[derive(Debug, Clone, Default)]
struct Ring {
    /// Index (time divided by the step) of the first one.
    first: i64,
    buckets: VecDeque<Option<Spread>>,
}

impl Ring {
    /// Puts a bucket behind the others; those between were not measured. An older one is left out.
    fn push(&mut self, index: i64, value: Option<Spread>, kept: usize) {
        let end = self.first + self.buckets.len() as i64;
        if self.buckets.is_empty() || index - end >= kept as i64 {
            self.buckets.clear();
            self.first = index;
        } else if index < end {
            return;
        } else {
            self.buckets.extend((end..index).map(|_| None));
        }
        self.buckets.push_back(value);
        while self.buckets.len() > kept {
            self.buckets.pop_front();
            self.first += 1;
        }
    }

    fn get(&self, index: i64) -> Option<Spread> {
        let at = usize::try_from(index - self.first).ok()?;
        self.buckets.get(at).copied().flatten()
    }
}

/// A series with everything kept of it.
#[derive(Debug)]
pub(super) struct Track {
    /// Number under which it is kept on disk.
    pub no: u32,
    /// What it is; without points.
    pub about: Series,
    rings: [Ring; 3],
    open: [Fold; 3],
}

impl Track {
    pub(super) fn new(no: u32, about: Series) -> Self {
        Self { no, about, rings: <[Ring; 3]>::default(), open: [EMPTY; 3] }
    }

    /// Adds to a rate (`sum` events in `weight` seconds) or a ratio (`sum` percent over `weight` cases).
    pub(super) fn add(&mut self, sum: f64, weight: f64) {
        self.open[0].sum += sum;
        self.open[0].weight += weight;
    }

    /// Adds one sample of a gauge; one that is no number is left out.
    pub(super) fn sample(&mut self, value: f64) {
        if value.is_finite() {
            self.open[0].merge(&Fold { sum: value, weight: 1.0, min: value, max: value });
        }
    }

    /// Closes the finest bucket and returns its value.
    pub(super) fn close_finest(&mut self, index: i64) -> Option<Spread> {
        let mut closed = std::mem::replace(&mut self.open[0], EMPTY);
        if closed.weight > 0.0 && closed.min > closed.max {
            // A rate or a ratio: the bucket has one value, and the coarser ones keep its spike.
            let value = closed.sum / closed.weight;
            (closed.min, closed.max) = (value, value);
        }
        self.open[1].merge(&closed);
        self.open[2].merge(&closed);
        let spread = closed.spread();
        self.about.last = spread.map(|spread| spread.mean);
        self.rings[0].push(index, spread, WIDTHS[0].kept);
        spread
    }

    /// Closes a coarser bucket. `mean` replaces the mean of its parts, for what does not average.
    pub(super) fn close(&mut self, width: usize, index: i64, mean: Option<f64>) -> Option<Spread> {
        let closed = self.peek(width, mean);
        self.open[width] = EMPTY;
        self.rings[width].push(index, closed, WIDTHS[width].kept);
        closed
    }

    /// What the open bucket of a width would be if it closed now.
    pub(super) fn peek(&self, width: usize, mean: Option<f64>) -> Option<Spread> {
        let spread = self.open[width].spread()?;
        Some(mean.map_or(spread, |mean| Spread { mean: mean.clamp(spread.min, spread.max), ..spread }))
    }

    /// Puts back a bucket that was kept on disk.
    pub(super) fn restore(&mut self, width: usize, index: i64, value: Spread) {
        self.rings[width].push(index, Some(value), WIDTHS[width].kept);
        if width == 0 {
            self.about.last = None;
        }
    }

    /// The series with the closed buckets of one width from index `from` to before `to`, gaps included.
    pub(super) fn series(&self, width: usize, from: i64, to: i64) -> Series {
        let step = WIDTHS[width].step;
        let point =
            |index: i64| Point { at: Timestamp::from_millis(index * step), value: self.rings[width].get(index) };
        Series { step_ms: step, points: (from..to).map(point).collect(), ..self.about.clone() }
    }

    /// Means of the closed buckets of one width from index `from` to before `to`, without the gaps.
    pub(super) fn means(&self, width: usize, from: i64, to: i64) -> impl Iterator<Item = f64> {
        (from..to).filter_map(move |index| self.rings[width].get(index)).map(|spread| spread.mean)
    }
}

/// A series without points.
pub(super) fn about(id: &str, name: &str, unit: &'static str, kind: SeriesKind) -> Series {
    Series {
        id: Text::from(id.to_owned()),
        name: Text::from(name.to_owned()),
        unit: Text::from(unit),
        kind,
        labels: BTreeMap::new(),
        step_ms: WIDTHS[0].step,
        points: Vec::new(),
        limit: None,
        baseline: None::<Baseline>,
        last: None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn gauge() -> Track {
        Track::new(0, about("g", "g", "", SeriesKind::Gauge))
    }

    #[test]
    fn a_spike_survives_in_the_ends_of_a_coarser_bucket() {
        let mut track = gauge();
        for index in 0..12 {
            track.sample(if index == 5 { 900.0 } else { 1.0 });
            track.close_finest(index);
        }
        let minute = track.close(1, 0, None).unwrap();
        assert_eq!((minute.min, minute.max), (1.0, 900.0));
        assert!((minute.mean - 911.0 / 12.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_measured_is_a_gap_and_not_zero() {
        let mut track = gauge();
        track.sample(1.0);
        track.close_finest(10);
        track.close_finest(11);
        track.sample(3.0);
        track.close_finest(14);
        let values: Vec<_> = track.series(0, 9, 15).points.iter().map(|point| point.value.map(|v| v.mean)).collect();
        assert_eq!(values, [None, Some(1.0), None, None, None, Some(3.0)]);
    }

    #[test]
    fn no_more_buckets_are_kept_than_said_even_after_a_jump() {
        let mut ring = Ring::default();
        for index in [0, 1, 5, 6, 7, 8] {
            ring.push(index, None, 4);
        }
        assert_eq!((ring.first, ring.buckets.len()), (5, 4));
        ring.push(i64::MAX / 2, None, 4);
        assert_eq!(ring.buckets.len(), 1);
    }
}
