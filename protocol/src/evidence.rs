//! Why an alert stands: figures, reasons for and against, the lines they were counted from.

use serde::{Deserialize, Serialize};

use crate::series::Baseline;
use crate::{AlertId, LineId, LogEvent, Point, Text, Timestamp};

/// Kept lines, named by a query (see [`crate::query`]) over a span of engine time.
///
/// The span holds `from` and excludes `to`; `up_to` cuts between lines of one millisecond, so that
/// a number counted at a line can be counted again exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLink {
    /// Which lines.
    pub q: Text,
    /// From this engine time on.
    pub from: Timestamp,
    /// Up to, but without, this one.
    pub to: Timestamp,
    /// The last line that counts; None: all of the span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<LineId>,
}

/// How a figure is computed from the lines of its link. All of them are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Number of lines.
    Count,
    /// Mean of `durationMs` over the lines that have one.
    MeanDuration,
    /// Greatest `durationMs`.
    MaxDuration,
    /// Median of `durationMs` (the lower one of an even number).
    MedianDuration,
    /// Number of lines that failed (`LogEvent::failed`).
    Failures,
    /// Failures per hundred lines.
    FailurePercent,
    /// Number of different users.
    DistinctUsers,
    /// Number of different network addresses.
    DistinctAddresses,
    /// Greatest `retryCount`.
    MaxRetries,
    /// Seconds from the last line of the link to the link's end.
    SecondsSinceLast,
    /// `value` of the last line that has one.
    LastValue,
    /// Mean of `value` over the lines that have one.
    MeanValue,
    /// A measure this reader does not know.
    #[serde(other)]
    Unknown,
}

/// A number with the lines it was computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// What it is called, in words.
    pub name: Text,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: Text,
    /// How it is computed.
    pub measure: Measure,
    /// From which lines.
    pub lines: LogLink,
}

/// One thing that speaks for the alert (weight above 0) or against it (below 0).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// In words, with its numbers.
    pub text: Text,
    /// From −1 (speaks against) to 1 (speaks for).
    pub weight: f64,
    /// When it was so.
    pub at: Timestamp,
    /// The numbers in the words, each recomputable.
    #[serde(default)]
    pub figures: Vec<Figure>,
}

/// Why a sample was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleRole {
    /// The first match.
    First,
    /// The last match.
    Last,
    /// One like the others.
    Representative,
    /// A role this reader does not know.
    #[serde(other)]
    Unknown,
}

/// One of the lines that matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Which line.
    pub line: LineId,
    /// Why this one.
    pub role: SampleRole,
    /// What it said.
    pub event: LogEvent<'static>,
}

/// The message with its variables marked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// `Slow <*>: <*>ms`.
    pub text: Text,
    /// How many matches had it.
    pub count: u64,
    /// Values that stood at the marks, a few.
    #[serde(default)]
    pub examples: Vec<Text>,
}

/// Something else that happened about then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Correlated {
    /// What, in words.
    pub text: Text,
    /// The alert, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
    /// Milliseconds after the onset (negative: before).
    pub offset_ms: i64,
}

/// An alert of the past that looks alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Similar {
    /// Which.
    pub alert: AlertId,
    /// When it began.
    pub at: Timestamp,
    /// How it ended, in words.
    pub outcome: Text,
    /// What put it right, in words, where that is known: a fix that helped, or what a person wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_by: Option<Text>,
}

/// The points behind the chart of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceSeries {
    /// What is drawn.
    pub title: Text,
    /// Unit of the values.
    pub unit: Text,
    /// Width of a point, in milliseconds.
    pub step_ms: i64,
    /// Oldest first.
    pub points: Vec<Point>,
    /// The fixed limit, where the rule has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// What is usual, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onset: Option<Timestamp>,
}

/// Everything the server can say for and against an alert. The default says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// One or two sentences.
    pub summary: Text,
    /// Which rule.
    pub rule_id: Text,
    /// In which edition.
    pub rule_version: u32,
    /// What was measured: the value of the figure it names.
    #[serde(default)]
    pub observed: Option<Figure>,
    /// What is usual; absent while unknown, and then a reason says so.
    #[serde(default)]
    pub baseline: Option<Figure>,
    /// What is too much.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// Unit of the three.
    pub unit: Text,
    /// Span of engine time that was looked at, from.
    pub from: Timestamp,
    /// Up to.
    pub to: Timestamp,
    /// What to draw.
    #[serde(default)]
    pub series: Option<EvidenceSeries>,
    /// For and against, in time order; at least one that was searched and not found.
    pub reasons: Vec<Reason>,
    /// At most 50.
    pub samples: Vec<Sample>,
    /// The message with its variables marked.
    #[serde(default)]
    pub template: Option<Template>,
    /// What else happened about then.
    #[serde(default)]
    pub correlated: Vec<Correlated>,
    /// What happened before.
    #[serde(default)]
    pub similar: Vec<Similar>,
    /// The lines of the whole alert.
    pub lines: LogLink,
    /// Engine time of this state.
    pub refreshed_at: Timestamp,
    /// Rises with every refresh.
    pub version: u64,
}
