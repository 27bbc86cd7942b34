//! The series as the server last told them: half an hour at one minute, and the newest sample.

use std::collections::BTreeMap;

use stella_protocol::series::{MetricsSample, Spread};
use stella_protocol::{Point, Series, Timestamp};

/// Minutes that a sparkline shows.
pub const MINUTES: usize = 30;
/// Most series that are kept; a server that sends more is not followed into its memory.
const MOST_SERIES: usize = 5_000;
const MINUTE_MS: i64 = 60_000;

/// All series we know, in the order of their ids.
#[derive(Debug, Default)]
pub struct SeriesBoard {
    by_id: BTreeMap<String, Row>,
    newest: Option<Timestamp>,
}

/// One series.
#[derive(Debug)]
pub struct Row {
    /// As the snapshot told it; its points are kept up to date, minute by minute.
    pub series: Series,
    /// Samples that the running minute holds.
    samples: u32,
}

impl SeriesBoard {
    /// One series.
    pub fn get(&self, id: &str) -> Option<&Series> {
        self.by_id.get(id).map(|row| &row.series)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Series> {
        self.by_id.values().map(|row| &row.series)
    }

    /// Engine time of the newest sample.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    pub(super) fn replace(&mut self, series: Vec<Series>) {
        self.newest = series.iter().filter_map(|series| series.points.last().map(|point| point.at)).max();
        self.by_id = series
            .into_iter()
            .take(MOST_SERIES)
            .map(|series| (series.id.raw().to_owned(), Row { series, samples: 1 }))
            .collect();
    }

    pub(super) fn sample(&mut self, sample: &MetricsSample) {
        self.newest = Some(sample.at);
        for (id, value) in &sample.values {
            if let Some(row) = self.by_id.get_mut(id) {
                row.take(sample.at, *value);
            } else if self.by_id.len() < MOST_SERIES {
                let mut row = Row { series: unnamed(id), samples: 0 };
                row.take(sample.at, *value);
                self.by_id.insert(id.clone(), row);
            }
        }
    }
}

impl Row {
    /// Puts a sample into its minute: gaps stay gaps, spikes survive as the bucket's maximum.
    fn take(&mut self, at: Timestamp, value: Option<f64>) {
        self.series.last = value;
        let minute = Timestamp::from_millis(at.millis().div_euclid(MINUTE_MS) * MINUTE_MS);
        let points = &mut self.series.points;
        while points.last().is_some_and(|last| last.at.plus_millis(MINUTE_MS) < minute) && points.len() <= 2 * MINUTES {
            let next = points.last().map_or(minute, |last| last.at.plus_millis(MINUTE_MS));
            points.push(Point::gap(next));
        }
        if points.last().is_none_or(|last| last.at < minute) {
            points.push(Point::gap(minute));
            self.samples = 0;
        }
        if points.len() > MINUTES {
            points.drain(..points.len() - MINUTES);
        }
        let (Some(value), Some(point)) = (value, points.last_mut()) else { return };
        let before = f64::from(self.samples);
        self.samples += 1;
        point.value = Some(match point.value {
            Some(old) => Spread {
                mean: (old.mean * before + value) / f64::from(self.samples),
                min: old.min.min(value),
                max: old.max.max(value),
            },
            None => Spread { mean: value, min: value, max: value },
        });
    }
}

fn unnamed(id: &str) -> Series {
    Series {
        id: id.to_owned().into(),
        name: id.to_owned().into(),
        unit: "".into(),
        kind: stella_protocol::series::SeriesKind::Unknown,
        labels: BTreeMap::new(),
        step_ms: MINUTE_MS,
        points: Vec::new(),
        limit: None,
        baseline: None,
        last: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: i64, value: Option<f64>) -> MetricsSample {
        MetricsSample {
            at: Timestamp::from_millis(at),
            step_ms: 5000,
            values: std::iter::once(("x".to_owned(), value)).collect(),
        }
    }

    #[test]
    fn samples_fill_their_minute_and_a_missing_minute_stays_a_gap() {
        let mut board = SeriesBoard::default();
        for (at, value) in [(0, Some(1.0)), (5_000, Some(9.0)), (185_000, Some(2.0)), (190_000, None)] {
            board.sample(&sample(at, value));
        }
        let points = board.get("x").map(|series| series.points.clone()).unwrap_or_default();
        let maxima: Vec<Option<f64>> = points.iter().map(|point| point.value.map(|spread| spread.max)).collect();
        assert_eq!(maxima, [Some(9.0), None, None, Some(2.0)]);
        assert_eq!(board.get("x").and_then(|series| series.last), None, "the newest sample was empty");
    }

    #[test]
    fn half_an_hour_is_kept() {
        let mut board = SeriesBoard::default();
        for minute in 0..200 {
            board.sample(&sample(minute * MINUTE_MS, Some(1.0)));
        }
        assert_eq!(board.get("x").map(|series| series.points.len()), Some(MINUTES));
    }
}
