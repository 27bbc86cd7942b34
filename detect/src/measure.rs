//! How a figure is computed from lines: one way, for the engine and for whoever checks it.

use rustc_hash::FxHashSet;
use stella_protocol::query::parse;
use stella_protocol::{Figure, LineId, LogEvent, Measure, Weight};

use crate::key;

/// What a measure needs of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) at: i64,
    /// Not a number: the line has none.
    pub(crate) duration: f64,
    pub(crate) failed: bool,
    pub(crate) user: u64,
    pub(crate) addr: u64,
    pub(crate) retries: u32,
    /// Of a sample of a series. Not a number: the line has none.
    pub(crate) value: f64,
    /// For how many lines it counts.
    pub(crate) weight: u32,
}

impl Facts {
    /// A sample of a series.
    pub(crate) fn sample(at: i64, value: f64) -> Self {
        Self { at, duration: f64::NAN, failed: false, user: key::NONE, addr: key::NONE, retries: 0, value, weight: 1 }
    }
}

/// A measure over lines that are added in their order.
#[derive(Debug)]
pub(crate) struct Tally {
    measure: Measure,
    lines: u64,
    failures: u64,
    /// Durations, or values of samples, and for how many lines each counts.
    numbers: Vec<(f64, u32)>,
    distinct: FxHashSet<u64>,
    retries: u32,
    last: i64,
}

impl Tally {
    pub(crate) fn new(measure: Measure) -> Self {
        let distinct = FxHashSet::default();
        Self { measure, lines: 0, failures: 0, numbers: Vec::new(), distinct, retries: 0, last: 0 }
    }

    pub(crate) fn add(&mut self, facts: &Facts) {
        self.lines += u64::from(facts.weight);
        self.failures += if facts.failed { u64::from(facts.weight) } else { 0 };
        self.retries = self.retries.max(facts.retries);
        self.last = facts.at;
        match self.measure {
            Measure::MeanDuration | Measure::MaxDuration | Measure::MedianDuration if facts.duration.is_finite() => {
                self.numbers.push((facts.duration, facts.weight));
            }
            Measure::LastValue | Measure::MeanValue if facts.value.is_finite() => {
                self.numbers.push((facts.value, facts.weight));
            }
            Measure::DistinctUsers if facts.user != key::NONE => _ = self.distinct.insert(facts.user),
            Measure::DistinctAddresses if facts.addr != key::NONE => _ = self.distinct.insert(facts.addr),
            _ => {}
        }
    }

    fn lines_with_a_number(&self) -> u64 {
        self.numbers.iter().map(|(_, weight)| u64::from(*weight)).sum()
    }

    /// The lower median of the lines' numbers, of which there are some.
    fn median(&mut self) -> f64 {
        let by_value = |one: &(f64, u32), other: &(f64, u32)| one.0.total_cmp(&other.0);
        let lines = self.lines_with_a_number();
        if lines == self.numbers.len() as u64 {
            let middle = (self.numbers.len() - 1) / 2;
            return self.numbers.select_nth_unstable_by(middle, by_value).1.0;
        }
        self.numbers.sort_unstable_by(by_value);
        let mut below = 0;
        let middle = self.numbers.iter().find(|(_, weight)| {
            below += u64::from(*weight);
            below > (lines - 1) / 2
        });
        middle.map_or(f64::NAN, |(value, _)| *value)
    }

    /// The value at `to`; None where no line says anything.
    pub(crate) fn value(mut self, to: i64) -> Option<f64> {
        let some = self.lines > 0;
        match self.measure {
            Measure::Count => Some(self.lines as f64),
            Measure::Failures => Some(self.failures as f64),
            Measure::FailurePercent => some.then(|| self.failures as f64 * 100.0 / self.lines as f64),
            Measure::DistinctUsers | Measure::DistinctAddresses => Some(self.distinct.len() as f64),
            Measure::MaxRetries => some.then_some(f64::from(self.retries)),
            Measure::SecondsSinceLast => some.then(|| (to - self.last) as f64 / 1000.0),
            Measure::LastValue => self.numbers.last().map(|(value, _)| *value),
            Measure::MeanDuration | Measure::MedianDuration | Measure::MeanValue if self.numbers.is_empty() => None,
            Measure::MeanDuration | Measure::MeanValue => {
                let sum: f64 = self.numbers.iter().map(|(value, weight)| value * f64::from(*weight)).sum();
                Some(sum / self.lines_with_a_number() as f64)
            }
            Measure::MaxDuration => self.numbers.into_iter().map(|(value, _)| value).reduce(f64::max),
            Measure::MedianDuration => Some(self.median()),
            Measure::Unknown => None,
        }
    }
}

/// Computes a figure again from kept lines, which come in the order of their ids. A line counts for as many as it
/// was given weight for; one that another counts for is left out, as it was when the figure was made.
///
/// Users and addresses are counted by `userId` and `remoteAddr`. None: the query cannot be read, or
/// no line says anything about the measure.
pub fn recompute<'a>(figure: &Figure, lines: impl Iterator<Item = (LineId, &'a LogEvent<'a>)>) -> Option<f64> {
    let link = &figure.lines;
    let query = parse(link.q.raw()).ok()?;
    let mut tally = Tally::new(figure.measure);
    for (line, event) in lines {
        let inside = event.engine_time >= link.from && event.engine_time < link.to;
        let counts = event.weight != Weight::NONE;
        if inside && counts && link.up_to.is_none_or(|last| line <= last) && query.matches(event) {
            tally.add(&facts(event));
        }
    }
    tally.value(link.to.millis())
}

fn facts(event: &LogEvent<'_>) -> Facts {
    Facts {
        at: event.engine_time.millis(),
        duration: event.duration_ms.unwrap_or(f64::NAN),
        failed: event.failed(),
        user: event.user_id.as_ref().map_or(key::NONE, |user| key::of(user.raw())),
        addr: event.remote_addr.as_ref().map_or(key::NONE, |addr| key::of(addr.raw())),
        retries: event.retry_count.unwrap_or(0),
        value: event.value.unwrap_or(f64::NAN),
        weight: event.weight.lines(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(measure: Measure, durations: &[f64]) -> Option<f64> {
        let mut tally = Tally::new(measure);
        for (at, &duration) in durations.iter().enumerate() {
            let failed = at % 2 == 1;
            let (retries, value) = (at as u32, duration / 10.0);
            tally.add(&Facts {
                at: at as i64 * 1000,
                duration,
                failed,
                user: 1,
                addr: at as u64,
                retries,
                value,
                weight: 1,
            });
        }
        tally.value(10_000)
    }

    #[test]
    fn every_measure_says_what_its_name_says() {
        let durations = [30.0, 10.0, f64::NAN, 20.0, 40.0];
        for (measure, wanted) in [
            (Measure::Count, 5.0),
            (Measure::Failures, 2.0),
            (Measure::FailurePercent, 40.0),
            (Measure::MeanDuration, 25.0),
            (Measure::MaxDuration, 40.0),
            (Measure::MedianDuration, 20.0),
            (Measure::DistinctUsers, 1.0),
            (Measure::DistinctAddresses, 4.0),
            (Measure::MaxRetries, 4.0),
            (Measure::SecondsSinceLast, 6.0),
            (Measure::LastValue, 4.0),
            (Measure::MeanValue, 2.5),
        ] {
            assert_eq!(value(measure, &durations), Some(wanted), "{measure:?}");
        }
    }

    #[test]
    fn a_line_that_counts_for_many_is_measured_as_if_all_of_them_stood_there() {
        let lines = [(30.0, 7), (10.0, 1), (20.0, 4), (900.0, 1)];
        for measure in [Measure::Count, Measure::FailurePercent, Measure::MeanDuration, Measure::MedianDuration] {
            let value = |all: &[(f64, u32)]| {
                let mut tally = Tally::new(measure);
                for (duration, weight) in all {
                    let failed = *duration > 100.0;
                    tally.add(&Facts { duration: *duration, failed, weight: *weight, ..Facts::sample(0, f64::NAN) });
                }
                tally.value(0)
            };
            let spread: Vec<(f64, u32)> =
                lines.iter().flat_map(|(duration, weight)| vec![(*duration, 1); *weight as usize]).collect();
            assert_eq!(value(&lines), value(&spread), "{measure:?}");
        }
    }

    #[test]
    fn nothing_measured_is_nothing_and_not_zero() {
        assert_eq!(value(Measure::MedianDuration, &[f64::NAN]), None);
        assert_eq!(value(Measure::FailurePercent, &[]), None);
        assert_eq!(value(Measure::LastValue, &[f64::NAN]), None);
        assert_eq!(value(Measure::Count, &[]), Some(0.0));
    }
}
