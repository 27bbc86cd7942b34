//! Numbers over time.

use std::collections::BTreeMap;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Text, Timestamp};

/// One bucket of a series. On the wire `[t, mean]`, `[t, null]` or `[t, mean, min, max]`, t in ms.
///
/// A bucket without a sample is a gap (`value` None), never 0; min and max stay, so that a spike
/// survives any zoom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Start of the bucket.
    pub at: Timestamp,
    /// What was measured; None: nothing.
    pub value: Option<Spread>,
}

/// What a bucket holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Mean of its samples.
    pub mean: f64,
    /// Least of them.
    pub min: f64,
    /// Greatest of them.
    pub max: f64,
}

impl Point {
    /// A bucket with one value.
    pub fn single(at: Timestamp, value: f64) -> Self {
        Self { at, value: Some(Spread { mean: value, min: value, max: value }) }
    }

    /// A bucket in which nothing was measured.
    pub fn gap(at: Timestamp) -> Self {
        Self { at, value: None }
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let single = self.value.is_none_or(|spread| spread.min >= spread.max);
        let mut seq = serializer.serialize_seq(Some(if single { 2 } else { 4 }))?;
        seq.serialize_element(&self.at.millis())?;
        seq.serialize_element(&self.value.map(|spread| spread.mean))?;
        if let (false, Some(spread)) = (single, self.value) {
            seq.serialize_element(&spread.min)?;
            seq.serialize_element(&spread.max)?;
        }
        seq.end()
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wire;
        impl<'de> Visitor<'de> for Wire {
            type Value = Point;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("[t, mean] or [t, mean, min, max]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Point, A::Error> {
                let missing = |at| serde::de::Error::invalid_length(at, &"two or four elements");
                let at: i64 = seq.next_element()?.ok_or_else(|| missing(0))?;
                let mean: Option<f64> = seq.next_element()?.ok_or_else(|| missing(1))?;
                let min: Option<f64> = seq.next_element()?.flatten();
                let max: Option<f64> = seq.next_element()?.flatten();
                while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                let value = mean.map(|mean| Spread { mean, min: min.unwrap_or(mean), max: max.unwrap_or(mean) });
                Ok(Point { at: Timestamp::from_millis(at), value })
            }
        }
        deserializer.deserialize_seq(Wire)
    }
}

/// What the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesKind {
    /// Per second.
    Rate,
    /// Share of a whole, in percent.
    Ratio,
    /// A quantile of a distribution.
    Quantile,
    /// A level.
    Gauge,
    /// A number of things.
    Count,
    /// A kind this reader does not know.
    #[serde(other)]
    Unknown,
}

/// What is usual at this time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// Lower edge of the band.
    pub low: f64,
    /// Middle.
    pub mid: f64,
    /// Upper edge.
    pub high: f64,
}

/// A series with its points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// Stable name, e.g. `op.get_shared_agents.p95`.
    pub id: Text,
    /// In words.
    pub name: Text,
    /// Unit of the values.
    pub unit: Text,
    /// What the numbers are.
    pub kind: SeriesKind,
    /// What it is about (`operation`, `service`).
    #[serde(default)]
    pub labels: BTreeMap<String, Text>,
    /// Width of a bucket, in milliseconds.
    pub step_ms: i64,
    /// Oldest first, without holes: a gap is a point without value.
    pub points: Vec<Point>,
    /// What is too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// What is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The newest value; None: nothing was measured in the newest bucket.
    #[serde(default)]
    pub last: Option<f64>,
}

/// `GET /series`: buckets of the series asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeriesPage {
    /// In the order asked for; unknown ids are left out.
    pub items: Vec<Series>,
    /// Always null: the answer is whole.
    #[serde(default)]
    pub next: Option<String>,
}

/// A sample of every series, each 5 s on the feed (event `metrics`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricsSample {
    /// Start of the bucket, engine time.
    pub at: Timestamp,
    /// Width of the bucket, in milliseconds.
    pub step_ms: i64,
    /// Value by series id; null: nothing was measured.
    pub values: BTreeMap<String, Option<f64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_stays_a_gap_and_a_spread_keeps_its_spike() -> Result<(), serde_json::Error> {
        let at = Timestamp::from_millis(5000);
        let spread = Point { at, value: Some(Spread { mean: 2.0, min: 1.0, max: 9.0 }) };
        for (point, wire) in
            [(Point::gap(at), "[5000,null]"), (Point::single(at, 0.0), "[5000,0.0]"), (spread, "[5000,2.0,1.0,9.0]")]
        {
            assert_eq!(serde_json::to_string(&point)?, wire);
            assert_eq!(serde_json::from_str::<Point>(wire)?, point);
        }
        Ok(())
    }
}
