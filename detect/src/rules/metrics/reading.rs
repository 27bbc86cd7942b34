//! What an odd series has to tell: what was seen with its last odd sample.

use stella_protocol::series::{Baseline, Point, Spread};
use stella_protocol::{AlertType, Category, Figure, Measure, Severity, Timestamp};

use super::{SeriesName, Watched};
use crate::budget::Kind;
use crate::counts::STEP_MS;
use crate::evidence::{Card, Case, Chart, Story, Usual, reason_at, several};
use crate::keep::keep_fields;
use crate::rules::Rules;
use crate::series::ramp::Side;
use crate::series::{Channel, SPREAD_ROWS, Verdict};

const CARD: Card = Card { id: "metric", kind: AlertType::MetricAnomaly, category: Category::Performance };
/// Its rule.
pub(crate) const RULE: &str = CARD.id;

/// Points of the chart, and of the sparkline.
const CHART_POINTS: usize = 120;
const SPARK_POINTS: usize = 30;
/// An odd series is calm again after so many samples that are not odd, and not sooner than the window for what
/// is rare: one sample more or less is chance.
const CALM_SAMPLES: i64 = 8;
/// Spreads (mean absolute deviations) from what was expected that are seen in a chart: half as much again as the
/// standard deviation of a normal noise.
const SEEN_SPREADS: f64 = 2.0;
/// Part of the room to its limit from which a move of a gauge is worth waking somebody: nine more such moves are
/// left, and a slow way there is told by `forecast`.
const ROOM_PART: f64 = 0.1;

/// A series at its last odd sample.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) name: SeriesName,
    channel: Channel,
    step_ms: i64,
    nats: f64,
    expected: f64,
    spread: f64,
    /// The number that is odd.
    observed: Figure,
    usual: Option<Usual>,
    points: Vec<(i64, f64)>,
}

impl Reading {
    /// The reading of a problem that began at `onset`; None: there is no number.
    pub(super) fn of(watched: &Watched, verdict: Verdict, nats: f64, onset: i64, line: u64) -> Option<Self> {
        let rows = rows_of(verdict.channel);
        let (name, measure) = if rows == 1 {
            ("the last sample", Measure::LastValue)
        } else {
            ("mean of the last samples", Measure::MeanValue)
        };
        let span = (watched.time_of(rows - 1), watched.time_of(0) + 1);
        let samples: Vec<(i64, f64)> = watched.samples().collect();
        let drawn = samples.len().saturating_sub(CHART_POINTS);
        Some(Self {
            name: watched.name.clone(),
            channel: verdict.channel,
            step_ms: watched.step_ms(),
            nats,
            expected: verdict.expected,
            spread: verdict.spread,
            observed: watched.figure(name, measure, span, line)?,
            usual: watched.usual(onset, line),
            points: samples[drawn..].to_vec(),
        })
    }

    /// True when somebody who looks at the chart sees it as well. Samples that move less than usual, or came
    /// late, wake nobody, however rare they are; nor does a gauge that is as good as as far from its limit as before.
    pub(super) fn is_worth_waking(&self, limit: Option<(f64, Side)>) -> bool {
        let moved = (self.observed.value - self.expected).abs();
        if limit.is_some_and(|(limit, _)| moved < ROOM_PART * (limit - self.expected).abs()) {
            return false;
        }
        match self.channel {
            Channel::Still | Channel::Repeats | Channel::Gap => false,
            Channel::Restless | Channel::Shape => true,
            _ => moved >= SEEN_SPREADS * self.spread,
        }
    }

    /// Milliseconds without an odd sample after which it is over.
    pub(crate) fn holds_ms(&self, rules: &Rules) -> i64 {
        rules.slow_window_ms.max(CALM_SAMPLES.saturating_mul(self.step_ms))
    }
}

/// Samples that a channel looks at.
fn rows_of(channel: Channel) -> usize {
    match channel {
        Channel::ShortHigh | Channel::ShortLow => 8,
        Channel::LongHigh | Channel::LongLow => 64,
        Channel::Restless | Channel::Still | Channel::Shape => SPREAD_ROWS,
        Channel::PointHigh
        | Channel::PointLow
        | Channel::JumpUp
        | Channel::JumpDown
        | Channel::Repeats
        | Channel::Gap => 1,
    }
}

/// What a channel says of a series, after its name.
fn words_of(channel: Channel) -> &'static str {
    match channel {
        Channel::PointHigh => "is higher than ever at this time",
        Channel::PointLow => "is lower than ever at this time",
        Channel::JumpUp => "jumped up",
        Channel::JumpDown => "jumped down",
        Channel::ShortHigh | Channel::LongHigh => "is unusually high",
        Channel::ShortLow | Channel::LongLow => "is unusually low",
        Channel::Restless => "moves more than usual",
        Channel::Still => "moves less than usual",
        Channel::Repeats => "stands still",
        Channel::Gap => "came late",
        Channel::Shape => "runs as it never did",
    }
}

/// A value as people read it: three digits that say something.
pub(crate) fn amount(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i64).clamp(0, 6) };
    let text = format!("{value:.0$}", digits as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A value with its unit.
pub(crate) fn measured(figure: &Figure) -> String {
    let text = format!("{} {}", amount(figure.value), figure.unit.raw());
    text.trim_end().to_owned()
}

/// Samples as points of equal width, with gaps where there was none.
pub(crate) fn points(samples: &[(i64, f64)], step_ms: i64) -> Vec<Point> {
    let Some(((first, _), (last, _))) = samples.first().zip(samples.last()) else { return Vec::new() };
    let (first, last) = (first.div_euclid(step_ms), last.div_euclid(step_ms));
    let first = first.max(last - CHART_POINTS as i64 + 1);
    let mut points: Vec<Point> = (first..=last).map(|nth| Point::gap(Timestamp::from_millis(nth * step_ms))).collect();
    let mut counts = vec![0.0; points.len()];
    for (at, value) in samples {
        let Ok(place) = usize::try_from(at.div_euclid(step_ms) - first) else { continue };
        let spread = points[place].value.get_or_insert(Spread { mean: 0.0, min: *value, max: *value });
        counts[place] += 1.0;
        spread.mean += (value - spread.mean) / counts[place];
        (spread.min, spread.max) = (spread.min.min(*value), spread.max.max(*value));
    }
    points
}

/// The chart of some samples.
pub(crate) fn chart(name: &SeriesName, samples: &[(i64, f64)], step_ms: i64) -> Chart {
    let step_ms = step_ms.max(STEP_MS);
    let points = points(samples, step_ms);
    let skipped = points.len().saturating_sub(SPARK_POINTS);
    let spark = points.iter().skip(skipped).map(|point| point.value.map(|spread| spread.mean)).collect();
    Chart { step_ms, ..Chart::of_tens(name.metric.to_string(), &name.unit, points, spark) }
}

/// A series that is odd.
pub(crate) fn tell(case: &Case<'_>, reading: &Reading) -> Story {
    let (metric, what, observed) = (&reading.name.metric, words_of(reading.channel), &reading.observed);
    let (low, high) = (reading.expected - reading.spread, reading.expected + reading.spread);
    let mut reasons = vec![case.reason(0.6, format!("{what}: {}", measured(observed)), vec![observed.clone()])];
    reasons.extend(case.chance(Kind::Series, reading.nats));
    let onset = case.incident.first_at;
    reasons.push(match &reading.usual {
        None => reason_at(onset, -0.2, "no baseline yet: too little was seen before the onset".into(), Vec::new()),
        Some(Usual { figure, sample }) => {
            let apart = (figure.value - observed.value).abs() > reading.spread;
            let over = several(sample.value, "sample", "samples");
            let text = format!("mean of the {over} before: {}", measured(figure));
            let same = if apart { "" } else { ", about the same as now" };
            reason_at(onset, if apart { 0.4 } else { -0.3 }, text + same, vec![figure.clone(), sample.clone()])
        }
    });
    reasons.extend(case.deploys());
    reasons.push(case.reason(-0.2, "its own past alone says so: nobody set a limit for it".into(), Vec::new()));
    let (service, expected) = (&reading.name.op.service, amount(reading.expected));
    let mut chart = chart(&reading.name, &reading.points, reading.step_ms);
    chart.baseline = Some(Baseline { low, mid: reading.expected, high });
    Story {
        card: CARD,
        severity: Severity::Medium,
        title: format!("{metric} {what}: {} (expected about {expected})", measured(observed)),
        summary: format!(
            "{metric} of {} {what}. It was expected between {} and {}.",
            if service.is_empty() { "an unnamed service" } else { service },
            amount(low),
            amount(high)
        ),
        service: service.to_string(),
        operation: reading.name.op.operation.as_ref().map(ToString::to_string),
        labels: reading.name.labels(),
        actions: vec![
            format!("Compare {metric} with what else changed at the onset"),
            "Mark it false if the change was meant: the next one of its kind then needs more".into(),
        ],
        window_ms: reading.holds_ms(case.rules),
        scope: reading.name.scope(),
        q: Some(reading.name.q()),
        observed: Some(observed.clone()),
        usual: reading.usual.clone(),
        threshold: None,
        reasons,
        chart: Some(chart),
    }
}

keep_fields!(Reading { name, channel, step_ms, nats, expected, spread, observed, usual, points });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_the_digits_that_matter() {
        for (value, wanted) in
            [(0.0, "0"), (0.934, "0.934"), (12.0, "12"), (12.345, "12.3"), (5321.7, "5322"), (0.000_012, "0.000012")]
        {
            assert_eq!(amount(value), wanted);
        }
    }

    #[test]
    fn points_of_a_width_keep_peaks_and_gaps() {
        let points = points(&[(5, 1.0), (7, 3.0), (31, 9.0)], 10);
        assert_eq!(points.len(), 4);
        assert_eq!(points[0].value.map(|spread| (spread.mean, spread.max)), Some((2.0, 3.0)));
        assert!(points[1].value.is_none() && points[2].value.is_none() && points[3].value.is_some());
    }
}
