//! Where things stand in a chart: numbers in, columns and eighths of rows out.
//!
//! Pure, and free of drawing: everything that could put a value in the wrong place is here and
//! tested here. Times are milliseconds; they may be anything an `i64` holds.

/// One point of a series: what was seen from `t` on, for as long as the series' step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Beginning, in milliseconds.
    pub t: i64,
    /// What was seen; none when nothing was.
    pub reading: Option<Reading>,
}

/// What was seen within one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
    /// Mean value.
    pub mean: f64,
}

impl Point {
    /// A point of one value.
    pub fn single(t: i64, value: f64) -> Self {
        let reading = Reading { min: value, max: value, mean: value };
        Self { t, reading: Some(reading) }
    }

    /// A point at which nothing was seen.
    pub fn gap(t: i64) -> Self {
        Self { t, reading: None }
    }

    /// The reading, unless it holds something that is no number.
    fn sound(self) -> Option<Reading> {
        self.reading.filter(|r| r.min.is_finite() && r.max.is_finite() && r.mean.is_finite())
    }
}

/// Times shown: from the first inclusive to the second exclusive, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from: i64,
    /// The instant behind the last.
    pub to: i64,
}

impl Span {
    /// The column of an instant in a plot of `width` columns; none outside the span.
    pub fn column(self, t: i64, width: u16) -> Option<u16> {
        (self.from <= t && t < self.to).then(|| self.clamped_column(t, width))?
    }

    /// The column of an instant, at the nearest edge when it lies outside; none without columns.
    fn clamped_column(self, t: i64, width: u16) -> Option<u16> {
        let length = i128::from(self.to) - i128::from(self.from);
        if length <= 0 || width == 0 {
            return None;
        }
        let passed = (i128::from(t) - i128::from(self.from)).clamp(0, length - 1);
        u16::try_from(passed * i128::from(width) / length).ok()
    }

    /// The first and last column that a point from `t` to `end` is shown in: those whose middle it
    /// covers, so that neighbours do not share columns while there are enough; else, for a point
    /// shorter than a column or cut off by the edge, the one it begins in.
    fn columns_of(self, t: i64, end: i64, width: u16) -> Option<(u16, u16)> {
        let begins = self.clamped_column(t, width)?;
        let length = i128::from(self.to) - i128::from(self.from);
        let columns = i128::from(width);
        // The first column whose middle is not before an instant.
        let middle_from = |instant: i64| {
            let passed = i128::from(instant) - i128::from(self.from);
            (2 * columns * passed - length).div_euclid(2 * length)
                + i128::from((2 * columns * passed - length).rem_euclid(2 * length) > 0)
        };
        let first = middle_from(t).clamp(0, columns - 1);
        let last = middle_from(end) - 1;
        if first > last {
            return Some((begins, begins));
        }
        let last = last.min(columns - 1);
        Some((u16::try_from(first).ok()?, u16::try_from(last).ok()?))
    }

    /// The instant at the left edge of a column.
    pub fn instant(self, column: u16, width: u16) -> i64 {
        let length = i128::from(self.to) - i128::from(self.from);
        let passed = length * i128::from(column) / i128::from(width.max(1));
        i64::try_from(i128::from(self.from) + passed).unwrap_or(self.to)
    }
}

/// What one column of the plot shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The lowest mean that fell here: the column is solid up to it, so a drop of one point shows.
    pub low: f64,
    /// The highest value that fell here: shaded up to it, so a spike of one value shows.
    pub high: f64,
}

/// The series folded into `width` columns. A column nothing fell into is none: a gap.
///
/// `step` is how long a point lasts, in milliseconds. When a gap and a value share a column, the
/// value is shown.
pub fn buckets(points: &[Point], span: Span, step: i64, width: u16) -> Vec<Option<Bucket>> {
    let mut buckets: Vec<Option<Bucket>> = vec![None; usize::from(width)];
    for point in points {
        let Some(reading) = point.sound() else {
            continue;
        };
        let end = point.t.saturating_add(step.max(1));
        if point.t >= span.to || end <= span.from {
            continue;
        }
        if let Some((first, last)) = span.columns_of(point.t, end, width) {
            for bucket in &mut buckets[usize::from(first)..=usize::from(last)] {
                *bucket = Some(joined(*bucket, reading));
            }
        }
    }
    buckets
}

fn joined(bucket: Option<Bucket>, reading: Reading) -> Bucket {
    match bucket {
        Some(Bucket { low, high }) => Bucket { low: low.min(reading.mean), high: high.max(reading.max) },
        None => Bucket { low: reading.mean, high: reading.max },
    }
}

/// How long a point lasts: the shortest distance between neighbours, in milliseconds.
pub fn natural_step(points: &[Point]) -> i64 {
    points
        .windows(2)
        .map(|pair| pair[1].t.saturating_sub(pair[0].t))
        .filter(|&distance| distance > 0)
        .min()
        .unwrap_or(1)
}

/// Lowest and highest value within the span; none when there is no value.
pub fn extent(points: &[Point], span: Span, step: i64) -> Option<(f64, f64)> {
    points
        .iter()
        .filter(|point| point.t < span.to && point.t.saturating_add(step.max(1)) > span.from)
        .filter_map(|point| point.sound())
        .map(|reading| (reading.min, reading.max))
        .reduce(|(low, high), (min, max)| (low.min(min), high.max(max)))
}

/// A vertical scale with round ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The value at the bottom edge.
    pub floor: f64,
    /// The value at the top edge.
    pub ceiling: f64,
    /// The distance between ticks.
    pub step: f64,
}

/// Which round numbers a scale uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// 1, 2, 2.5 and 5 times a power of ten.
    #[default]
    Decimal,
    /// Powers of two: sizes in bytes.
    Binary,
}

/// Below this part of its own height a range counts as flat.
const FLAT: f64 = 1e-9;

impl Scale {
    /// The scale that shows `low` to `high` with at most `ticks` distances between round ticks.
    ///
    /// Values that are no numbers, or no range at all, give the scale from 0 to 1.
    pub fn nice(low: f64, high: f64, ticks: u16, rounding: Rounding) -> Self {
        let (low, high) = widened(low, high);
        let least = (high - low) / f64::from(ticks.max(1));
        let mut step = round_up(least, rounding);
        // Rounding both ends outwards may need one distance more than there is room for.
        for _ in 0..2 {
            let distances = (high / step - FLAT).ceil() - (low / step + FLAT).floor();
            if distances <= f64::from(ticks.max(1)) {
                break;
            }
            step = round_up(step * 1.01, rounding);
        }
        Self { floor: (low / step + FLAT).floor() * step, ceiling: (high / step - FLAT).ceil() * step, step }
    }

    /// The values of the ticks, from the floor up.
    pub fn ticks(self) -> Vec<f64> {
        let distances = ((self.ceiling - self.floor) / self.step).round();
        (0..=distances as u32).map(|tick| self.floor + f64::from(tick) * self.step).collect()
    }

    /// The height of a value, in eighths of a row, in a plot of `rows` rows; clamped to the plot.
    pub fn eighths(self, value: f64, rows: u16) -> u16 {
        let part = (value - self.floor) / (self.ceiling - self.floor);
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        (part * f64::from(rows) * 8.0).round() as u16
    }

    /// The row, counted from the top, whose upper edge is nearest to a value; `rows` is the axis.
    pub fn edge_row(self, value: f64, rows: u16) -> u16 {
        rows - (self.eighths(value, rows) + 4) / 8
    }

    /// The row, counted from the top, that a value lies in.
    pub fn row(self, value: f64, rows: u16) -> u16 {
        let filled = self.eighths(value, rows).div_ceil(8).max(1);
        rows.saturating_sub(filled)
    }
}

/// A range that has a height.
fn widened(low: f64, high: f64) -> (f64, f64) {
    // Beyond this, heights overflow; no real measurement comes near it.
    const MOST: f64 = 1e300;
    if !low.is_finite() || !high.is_finite() || low > high {
        return (0.0, 1.0);
    }
    let (low, high) = (low.clamp(-MOST, MOST), high.clamp(-MOST, MOST));
    let flat = (high - low) <= FLAT * low.abs().max(high.abs());
    match (flat, low) {
        (false, _) => (low, high),
        (true, value) if value > 0.0 => (0.0, value),
        (true, value) if value < 0.0 => (value, 0.0),
        _ => (0.0, 1.0),
    }
}

/// The smallest round number that is not below `least`.
fn round_up(least: f64, rounding: Rounding) -> f64 {
    let least = least.max(f64::MIN_POSITIVE);
    match rounding {
        Rounding::Binary => least.log2().ceil().exp2().max(1.0),
        Rounding::Decimal => {
            let power = 10f64.powf(least.log10().floor());
            [1.0, 2.0, 2.5, 5.0]
                .into_iter()
                .map(|factor| factor * power)
                .find(|&step| step >= least * (1.0 - FLAT))
                .unwrap_or(10.0 * power)
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "round figures are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Span = Span { from: 0, to: 3_600_000 };

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        let scale = Scale::nice(0.0, 12.1, 3, Rounding::Decimal);
        assert_eq!((scale.ceiling, scale.step), (15.0, 5.0));
        assert_eq!(scale.ticks(), [0.0, 5.0, 10.0, 15.0]);
        let bytes = Scale::nice(0.0, 3e6, 4, Rounding::Binary);
        assert_eq!(bytes.ceiling, 3.0 * 1_048_576.0);
    }

    #[test]
    fn a_flat_series_stands_at_full_height_and_nothing_at_none() {
        assert_eq!(Scale::nice(5.0, 5.0, 4, Rounding::Decimal).floor, 0.0);
        assert_eq!(Scale::nice(0.0, 0.0, 4, Rounding::Decimal).ceiling, 1.0);
        assert_eq!(Scale::nice(f64::NAN, 1.0, 4, Rounding::Decimal).ceiling, 1.0);
    }

    #[test]
    fn heights_count_in_eighths_and_labels_stand_at_edges() {
        let scale = Scale::nice(0.0, 10.0, 2, Rounding::Decimal);
        assert_eq!(scale.eighths(5.0, 8), 32);
        assert_eq!(scale.eighths(99.0, 8), 64);
        assert_eq!(scale.edge_row(10.0, 8), 0);
        assert_eq!(scale.edge_row(0.0, 8), 8);
        assert_eq!(scale.row(5.0, 8), 4);
        assert_eq!(scale.row(0.0, 8), 7);
    }

    #[test]
    fn a_point_fills_its_step_and_a_gap_stays_open() {
        let points = [Point::single(0, 1.0), Point::gap(900_000), Point::single(1_800_000, 3.0)];
        let columns = buckets(&points, HOUR, 900_000, 8);
        let seen: Vec<bool> = columns.iter().map(Option::is_some).collect();
        assert_eq!(seen, [true, true, false, false, true, true, false, false]);
    }

    #[test]
    fn a_drop_of_one_point_shows_in_the_solid_part() {
        let points: Vec<Point> =
            (0..60).map(|minute| Point::single(minute * 60_000, if minute == 31 { 0.0 } else { 9.0 })).collect();
        let columns = buckets(&points, HOUR, 60_000, 6);
        assert_eq!(columns[3], Some(Bucket { low: 0.0, high: 9.0 }));
    }

    #[test]
    fn columns_and_instants_agree_at_the_edges_of_time() {
        let all = Span { from: i64::MIN, to: i64::MAX };
        assert_eq!(all.column(i64::MIN, 10), Some(0));
        assert_eq!(all.column(i64::MAX - 1, 10), Some(9));
        assert_eq!(HOUR.column(HOUR.to, 10), None);
        assert_eq!(HOUR.instant(5, 10), 1_800_000);
        assert_eq!(Span { from: 5, to: 5 }.column(5, 10), None);
    }

    proptest! {
        #[test]
        fn a_planted_spike_survives_any_zoom(
            count in 1usize..2000, place in 0usize..2000, width in 1u16..240,
        ) {
            let place = place % count;
            let points: Vec<Point> = (0..count)
                .map(|n| Point::single(n as i64 * 1000, if n == place { 100.0 } else { 1.0 }))
                .collect();
            let span = Span { from: 0, to: count as i64 * 1000 };
            let highest = buckets(&points, span, 1000, width)
                .into_iter()
                .flatten()
                .map(|bucket| bucket.high)
                .fold(0.0, f64::max);
            prop_assert_eq!(highest, 100.0);
        }

        #[test]
        fn a_scale_encloses_its_range_with_few_ticks(
            low in -1e12f64..1e12, size in 0.0f64..1e12, ticks in 1u16..8, binary in any::<bool>(),
        ) {
            let rounding = if binary { Rounding::Binary } else { Rounding::Decimal };
            let scale = Scale::nice(low, low + size, ticks, rounding);
            let slack = 1e-6 * scale.step;
            prop_assert!(scale.floor <= low + slack && scale.ceiling >= low + size - slack);
            prop_assert!(scale.ticks().len() <= usize::from(ticks) + 3);
        }
    }
}
