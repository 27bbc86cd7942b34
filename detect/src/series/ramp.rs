//! When a budget runs out: a robust slope over the last minutes, and how sure it is that the limit is
//! reached within half an hour.
//!
//! The slope is the median of all pairwise slopes (Theil 1950; Sen 1968, "Estimates of the regression
//! coefficient based on Kendall's tau"). How sure: Kendall's S of what is left after taking away the
//! slope that would just reach the limit, over its deviation, widened by how much neighbours resemble
//! each other (Hamed and Rao 1998). A height that was reached in an earlier hour without running out
//! is no forecast: so a daily wave and a collector's sawtooth are not.
//!
//! No slope says that it will not end. What has come a part of the way is believed to come the rest with a
//! probability that depends on that part alone, as for anything of which nothing but its past is known (Gott
//! 1993, "Implications of the Copernican principle for our future prospects"); how often such ways end is
//! learned from those that this gauge began.

use std::collections::VecDeque;

use stella_protocol::Timestamp;

use crate::keep::{Keep, Reader, keep_fields};

/// Width of a point, in milliseconds: two in a minute, so that ten minutes are enough points.
const POINT_MS: i64 = 30_000;
/// Points of the two spans that must agree: eight minutes and fifteen, half of the time there is. The long one
/// is not fooled by what rises for ten minutes and stops, the short one sees a slope that ends.
const SPANS: [usize; 2] = [16, 30];
/// How far ahead is looked, in milliseconds.
const AHEAD_MS: i64 = 1_800_000;
/// How sure it must be.
const SURE: f64 = 0.9;
/// Points in which the start of a way is looked for: an hour, twice as far back as is looked ahead.
const WAY: usize = 120;
/// Points whose median is a height there.
const HEIGHT: usize = 8;
/// Ways that are believed to have ended before any was seen, and how long all were together, as a sum of
/// logarithms. Four, so that one of its own says not much alone; together so long that 0.55 of the way is as sure as
/// is asked for (`ln(1 / 0.55) / (0.9^(-1/4) - 1)`): the later, the fewer end, and of half an hour that leaves
/// ten minutes, and three to see it.
const ENDED: f64 = 4.0;
const WENT: f64 = 22.4;
/// Part of a way from which it is one: noise rises by less.
const BEGUN: f64 = 0.1;
/// Width and number of the maxima that say what was reached before: hours, of a week.
const HOUR_MS: i64 = 3_600_000;
const HOURS: usize = 168;

/// From which side the limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The value rises to it.
    Above,
    /// The value falls to it.
    Below,
}

/// What is foreseen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Foreseen {
    /// How sure it is that the limit is reached within half an hour: above 0.9.
    pub probability: f64,
    /// Milliseconds until then, by the middle slope.
    pub in_ms: i64,
    /// The slope, in units of the value a second.
    pub slope: f64,
    /// Milliseconds until then, by the slope that one in twenty pairs exceeds, and by the one that
    /// nineteen in twenty do; None: never.
    pub earliest_ms: Option<i64>,
    /// The other end of the band.
    pub latest_ms: Option<i64>,
}

/// The last minutes of a gauge with a limit, and what it reached before.
#[derive(Debug, Clone, PartialEq)]
pub struct Ramp {
    limit: f64,
    side: Side,
    /// Time of the point and its mean, turned so that the limit is above.
    points: VecDeque<(i64, f64)>,
    open: (i64, f64, u32),
    /// Hour and the greatest point in it, the present hour last.
    hours: VecDeque<(i64, f64)>,
    ways: Ways,
}

/// The ways towards the limit that a gauge began.
#[derive(Debug, Clone, PartialEq, Default)]
struct Ways {
    ended: u32,
    /// Sum over all ways of the logarithms of the factor by which the part grew that was behind.
    went: f64,
    open: Option<Way>,
}

/// A way that may go on: the part of it that was behind when it was first seen, and at most; and the last time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Way {
    from: f64,
    to: f64,
    last: i64,
}

impl Ways {
    /// A way of which the part `behind` is behind, now.
    fn goes_on(&mut self, behind: f64, at: i64) {
        let way = self.open.get_or_insert(Way { from: behind, to: behind, last: at });
        (way.to, way.last) = (way.to.max(behind), at);
    }

    /// Closes the open way when it arrived, or was not seen for as long as it takes to see one.
    fn close(&mut self, arrived: bool, at: i64) {
        let over = |way: &mut Way| arrived || at - way.last > SPANS[1] as i64 * POINT_MS;
        if let Some(way) = self.open.take_if(over) {
            self.ended += u32::from(!arrived);
            self.went += (if arrived { 1.0 } else { way.to } / way.from).ln();
        }
    }

    /// The probability that a way goes on to its end of which the part `behind` is behind: the rate of ends
    /// integrated out under a gamma distribution.
    fn to_the_end(&self, behind: f64) -> f64 {
        let went = WENT + self.went;
        (went / (went - behind.ln())).powf(ENDED + f64::from(self.ended))
    }
}

impl Ramp {
    /// A gauge that should not reach `limit`.
    pub fn new(limit: f64, side: Side) -> Self {
        let (points, hours, ways) = (VecDeque::new(), VecDeque::new(), Ways::default());
        Self { limit, side, points, open: (i64::MIN, 0.0, 0), hours, ways }
    }

    /// Its limit, and from which side that is reached.
    pub fn limit(&self) -> (f64, Side) {
        (self.limit, self.side)
    }

    /// True while the last half minute was at the limit.
    pub fn has_run_out(&self) -> bool {
        self.points.back().is_some_and(|(_, height)| *height >= self.turned(self.limit))
    }

    fn turned(&self, value: f64) -> f64 {
        match self.side {
            Side::Above => value,
            Side::Below => -value,
        }
    }

    /// Takes a value in; at the end of each half minute says what is foreseen.
    pub fn observe(&mut self, at: Timestamp, value: f64) -> Option<Foreseen> {
        if !value.is_finite() {
            return None;
        }
        let (point, value) = (at.millis().div_euclid(POINT_MS), self.turned(value));
        let (open, sum, count) = self.open;
        if point <= open {
            self.open = (open, sum + value, count + 1);
            return None;
        }
        self.open = (point, value, 1);
        if count == 0 {
            return None;
        }
        self.close((open + 1) * POINT_MS, sum / f64::from(count));
        self.foresee()
    }

    fn close(&mut self, at: i64, mean: f64) {
        // Over a hole nothing can be said: a slope needs its points.
        if self.points.back().is_some_and(|(last, _)| at - last > 4 * POINT_MS) {
            self.points.clear();
        }
        if self.points.len() == WAY {
            self.points.pop_front();
        }
        self.points.push_back((at, mean));
        let hour = at.div_euclid(HOUR_MS);
        match self.hours.back_mut() {
            Some((last, most)) if *last == hour => *most = most.max(mean),
            _ => self.hours.push_back((hour, mean)),
        }
        if self.hours.len() > HOURS {
            self.hours.pop_front();
        }
    }

    /// The greatest height of earlier hours; hours in which it did run out teach nothing. None: no earlier hour
    /// was seen, and what it does of itself is not known.
    fn reached(&self, first: i64) -> Option<f64> {
        let (limit, hour) = (self.turned(self.limit), first.div_euclid(HOUR_MS));
        let before = self.hours.iter().filter(|(at, _)| *at < hour);
        before.map(|(_, most)| if *most < limit { *most } else { f64::MIN }).reduce(f64::max)
    }

    /// The lowest height of the last hour.
    fn start(&self) -> f64 {
        let heights: Vec<f64> = self.points.iter().map(|(_, height)| *height).collect();
        heights.chunks_exact(HEIGHT).map(median).fold(f64::MAX, f64::min)
    }

    fn foresee(&mut self) -> Option<Foreseen> {
        let now = self.points.back()?.0;
        self.ways.close(self.has_run_out(), now);
        let rising = self.rising()?;
        let rise = (rising.level - self.start()).max(0.0);
        let behind = rise / (rise + rising.left);
        if behind < BEGUN {
            return None;
        }
        let probability = rising.foreseen.probability * self.ways.to_the_end(behind);
        // Also a way that stays below what was reached before teaches how ways of this gauge end.
        self.ways.goes_on(behind, now);
        let further = rising.height > self.reached(rising.first)?;
        (further && probability > SURE).then_some(Foreseen { probability, ..rising.foreseen })
    }

    /// A slope that would reach the limit in time, and how sure it is that it is one.
    fn rising(&self) -> Option<Rising> {
        let skipped = self.points.len().checked_sub(SPANS[1])?;
        let points: Vec<(i64, f64)> = self.points.iter().skip(skipped).copied().collect();
        let whole = Line::of(&points);
        let left = self.turned(self.limit) - whole.level;
        let until = |slope: f64| (slope > 0.0).then(|| (left / slope) as i64);
        let in_ms = until(whole.slope()).filter(|in_ms| left > 0.0 && *in_ms <= AHEAD_MS)?;
        let needed = left / AHEAD_MS as f64;
        let sure = SPANS.map(|span| Line::of(&points[SPANS[1] - span..]).probability_of_more_than(needed));
        let probability = sure.into_iter().fold(1.0, f64::min);
        let slope = self.turned(1.0) * whole.slope() * 1000.0;
        let (earliest_ms, latest_ms) = (until(whole.quantile(0.95)), until(whole.quantile(0.05)));
        let foreseen = Foreseen { probability, in_ms, slope, earliest_ms, latest_ms };
        // Two points, since of one noise alone may make a height that was never reached.
        let height = points[SPANS[1] - 2].1.min(points[SPANS[1] - 1].1).min(whole.level);
        let rising = Rising { first: points[0].0, level: whole.level, height, left, foreseen };
        (probability > SURE).then_some(rising)
    }
}

/// A gauge that rises fast enough.
struct Rising {
    /// Time of the first point that says so.
    first: i64,
    level: f64,
    /// What it surely reached by now.
    height: f64,
    /// From the level to the limit.
    left: f64,
    foreseen: Foreseen,
}

/// The middle one of some heights.
fn median(heights: &[f64]) -> f64 {
    let mut sorted = heights.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// All pairwise slopes of some points.
struct Line<'a> {
    points: &'a [(i64, f64)],
    slopes: Vec<f64>,
    /// The height at the last point.
    level: f64,
}

impl<'a> Line<'a> {
    fn of(points: &'a [(i64, f64)]) -> Self {
        let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
        for (nth, (at, value)) in points.iter().enumerate() {
            slopes.extend(points[..nth].iter().map(|(before, lower)| (value - lower) / (at - before) as f64));
        }
        slopes.sort_unstable_by(f64::total_cmp);
        let mut line = Self { points, slopes, level: 0.0 };
        line.level = median(&line.residuals(line.slope()));
        line
    }

    fn quantile(&self, part: f64) -> f64 {
        self.slopes[((self.slopes.len() - 1) as f64 * part).round() as usize]
    }

    fn slope(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The points brought to the time of the last one along `slope`.
    fn residuals(&self, slope: f64) -> Vec<f64> {
        let now = self.points.last().map_or(0, |(at, _)| *at);
        self.points.iter().map(|(at, value)| value + slope * (now - at) as f64).collect()
    }

    /// How sure it is that the slope is more than `slope`.
    fn probability_of_more_than(&self, slope: f64) -> f64 {
        let more = self.slopes.iter().filter(|one| **one > slope).count() as f64;
        let less = self.slopes.iter().filter(|one| **one < slope).count() as f64;
        let rows = self.points.len() as f64;
        let variance = rows * (rows - 1.0) * (2.0 * rows + 5.0) / 18.0;
        let alike = likeness(&self.residuals(self.slope()));
        normal((more - less) / (variance * (1.0 + alike) / (1.0 - alike)).sqrt())
    }
}

/// Correlation of neighbours, from 0 to 0.9: beyond it so few points say nothing.
fn likeness(rows: &[f64]) -> f64 {
    let mean = rows.iter().sum::<f64>() / rows.len() as f64;
    let square: f64 = rows.iter().map(|row| (row - mean).powi(2)).sum();
    let product: f64 = rows.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    if square > 0.0 { (product / square).clamp(0.0, 0.9) } else { 0.0 }
}

/// The normal distribution function (Abramowitz and Stegun 1964, 26.2.17; error below 1e-7).
fn normal(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    let polynomial = series.into_iter().fold(0.0, |sum, factor| (sum + factor) * t);
    let upper = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt() * polynomial;
    if x > 0.0 { 1.0 - upper } else { upper }
}

impl Keep for Side {
    fn keep(&self, to: &mut Vec<u8>) {
        (*self == Self::Below).keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        bool::wake(from).map(|below| if below { Self::Below } else { Self::Above })
    }
}

keep_fields!(Way { from, to, last });
keep_fields!(Ways { ended, went, open });
keep_fields!(Ramp { limit, side, points, open, hours, ways });

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// First alarm of a gauge with limit 100 that is asked every ten seconds, in minutes.
    fn first(minutes: i64, side: Side, value: impl Fn(f64) -> f64) -> Option<(f64, Foreseen)> {
        let mut ramp = Ramp::new(if side == Side::Above { 100.0 } else { -100.0 }, side);
        (0..minutes * 6).find_map(|nth| {
            let minute = nth as f64 / 6.0;
            let noise = ((nth * 7919 % 101) as f64 - 50.0) / 50.0;
            let value = value(minute) + noise;
            let value = if side == Side::Above { value } else { -value };
            ramp.observe(Timestamp::from_millis(nth * 10_000), value).map(|foreseen| (minute, foreseen))
        })
    }

    #[test]
    fn a_ramp_of_half_an_hour_is_told_ten_minutes_ahead() {
        for side in [Side::Above, Side::Below] {
            let rise = |minute: f64| 40.0 + 2.0 * (minute - 120.0).max(0.0);
            let (at, foreseen) = first(150, side, rise).unwrap();
            assert!((120.0..140.0).contains(&at), "{at}");
            let end = at + foreseen.in_ms as f64 / 60_000.0;
            assert!((145.0..=156.0).contains(&end), "{end}");
            assert!(foreseen.earliest_ms.unwrap() <= foreseen.in_ms);
        }
    }

    #[test]
    fn a_sawtooth_and_a_wave_that_turn_in_time_are_no_forecast() {
        let saw = |minute: f64| 30.0 + 2.0 * (minute % 25.0);
        assert_eq!(first(600, Side::Above, saw).map(|(at, _)| at), None);
        let wave = |minute: f64| 55.0 - 35.0 * (minute / 1440.0 * std::f64::consts::TAU).cos();
        assert_eq!(first(3 * 1440, Side::Above, wave).map(|(at, _)| at), None);
    }

    #[test]
    fn ways_that_ended_are_believed_less_and_ways_that_arrived_more() {
        let hour = |nth: i64| nth * 3_600_000;
        let after = |arrived: bool| {
            let mut ways = Ways::default();
            for nth in 0..5 {
                ways.goes_on(0.2, hour(nth));
                ways.goes_on(0.4, hour(nth) + 60_000);
                ways.close(arrived, hour(nth) + 120_000);
                ways.close(arrived, hour(nth + 1));
                assert_eq!(ways.open, None);
            }
            ways.to_the_end(0.55)
        };
        let new = Ways::default().to_the_end(0.55);
        assert!((new - SURE).abs() < 1e-3, "{new}");
        assert!(after(false) < new - 0.05 && after(true) > new + 0.02, "{} {}", after(false), after(true));
        assert!(Ways::default().to_the_end(0.3) < 0.85);
    }

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        assert!((normal(1.959_964) - 0.975).abs() < 1e-6 && (normal(-1.0) - 0.158_655).abs() < 1e-6);
    }
}
