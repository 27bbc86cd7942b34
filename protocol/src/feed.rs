//! The feed: `GET /api/stella/server-logs-stream`.
//!
//! A diagnostic log event is an unnamed SSE message in the original form; everything newer is a
//! named event. This module knows names and bodies, not bytes: framing is the two ends' business.

use serde::{Deserialize, Serialize};

use crate::health::EngineClock;
use crate::migration::Progress;
use crate::series::MetricsSample;
use crate::{
    Alert, AlertCount, Category, Cursor, Deploy, Fix, FixOutput, Health, LogEvent, Migration, Present, Remedy, Role,
    Rule, Severity, Text, Timestamp,
};

/// First on every connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// Which history.
    pub epoch: u64,
    /// The newest event.
    pub head: u64,
    /// The oldest that can be replayed.
    pub oldest: u64,
    /// The server's clock.
    pub server_time: Timestamp,
    /// How often a heartbeat comes.
    pub heartbeat_ms: u64,
    /// The server's version.
    pub server_version: Text,
    /// Edition of this contract.
    pub schema: u32,
    /// Who the server thinks is reading.
    pub principal: Text,
    /// What they may do.
    pub role: Role,
    /// What this server can do.
    #[serde(default)]
    pub capabilities: Vec<Text>,
}

/// Still here: every 5 s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// The newest event.
    pub head: u64,
    /// The server's clock.
    pub server_time: Timestamp,
    /// How the application is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Where the engine's clock stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineClock>,
}

/// Accounts for events that this reader did not ask for or may not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bookmark {
    /// First sequence number accounted for.
    pub from: u64,
    /// Last one, the same as in the event's id.
    pub to: u64,
}

/// Why a cursor cannot be honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// Older than what is kept.
    Gap,
    /// Of another history.
    EpochChanged,
    /// Newer than the newest.
    CursorAhead,
    /// Not a cursor.
    Malformed,
    /// A reason this reader does not know.
    #[serde(other)]
    Unknown,
}

/// Take a snapshot: the stream goes on live from head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reset {
    /// Why.
    pub reason: ResetReason,
}

/// Why the server ends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByeReason {
    /// The reader is too far behind.
    Lag,
    /// The server ends.
    Shutdown,
    /// The stream is old enough to be renewed.
    Rotate,
    /// The token ended or was taken back.
    Auth,
    /// A reason this reader does not know.
    #[serde(other)]
    Unknown,
}

/// The server ends the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bye {
    /// Why.
    pub reason: ByeReason,
    /// When to come back, in milliseconds.
    pub retry_ms: u64,
}

/// A diagnostic log event in the original Stella form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosticLog {
    /// When.
    pub timestamp: Timestamp,
    /// `DEBUG`, `INFO`, `WARN`, `ERROR`.
    pub level: crate::Level,
    /// About what.
    pub category: Category,
    /// In words.
    pub message: Text,
    /// How bad.
    pub severity: Severity,
    /// What to do.
    #[serde(default)]
    pub suggested_actions: Vec<Text>,
    /// A fix is known.
    #[serde(default)]
    pub auto_fix_available: bool,
    /// `operation`, `duration_ms`, `userId` and what else the source said.
    #[serde(default)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// Raw lines, only when asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLineEvent {
    /// The line.
    pub event: LogEvent<'static>,
    /// How many lines were left out since the last one sent.
    #[serde(default)]
    pub skipped: u64,
}

/// What the stream can bring.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedEvent {
    /// First on every connection.
    Hello(Hello),
    /// A diagnostic log event (unnamed on the wire, `log` in filters).
    Log(Box<DiagnosticLog>),
    /// An alert, whole.
    Alert(Box<Alert>),
    /// Counters of busy alerts.
    AlertCounts(Vec<AlertCount>),
    /// A fix, whole.
    Fix(Box<Fix>),
    /// A line of a running fix.
    FixOutput(Box<FixOutput>),
    /// What holds for all fixes, whole.
    Remedy(Box<Remedy>),
    /// A migration, whole.
    Migration(Box<Migration>),
    /// How far a migration is; replaceable.
    MigrationProgress(Box<Progress>),
    /// A rule that was set anew, whole.
    Rule(Box<Rule>),
    /// A new revision of a service.
    Deploy(Box<Deploy>),
    /// Who looks at what, all of them; replaceable.
    Presence(Box<Present>),
    /// A sample of every series.
    Metrics(MetricsSample),
    /// A raw line.
    LogLine(Box<LogLineEvent>),
    /// Still here.
    Heartbeat(Heartbeat),
    /// Events not meant for this reader.
    Bookmark(Bookmark),
    /// The cursor cannot be honoured.
    Reset(Reset),
    /// The server ends the stream.
    Bye(Bye),
    /// A name this reader does not know: counted and skipped.
    Unknown,
}

/// An event with its place in the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// On replayable events only.
    pub cursor: Option<Cursor>,
    /// What it brings.
    pub event: FeedEvent,
}

impl FeedEvent {
    /// The SSE event name; empty for the unnamed diagnostic log event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Log(_) => "",
            Self::Alert(_) => "alert",
            Self::AlertCounts(_) => "alert_counts",
            Self::Fix(_) => "fix",
            Self::FixOutput(_) => "fix_output",
            Self::Remedy(_) => "remedy",
            Self::Migration(_) => "migration",
            Self::MigrationProgress(_) => "migration_progress",
            Self::Rule(_) => "rule",
            Self::Deploy(_) => "deploy",
            Self::Presence(_) => "presence",
            Self::Metrics(_) => "metrics",
            Self::LogLine(_) => "log_line",
            Self::Heartbeat(_) => "heartbeat",
            Self::Bookmark(_) => "bookmark",
            Self::Reset(_) => "reset",
            Self::Bye(_) => "bye",
            Self::Unknown => "unknown",
        }
    }

    /// The JSON body on one line.
    pub fn body(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Hello(body) => serde_json::to_string(body),
            Self::Log(body) => serde_json::to_string(body),
            Self::Alert(body) => serde_json::to_string(body),
            Self::AlertCounts(body) => serde_json::to_string(body),
            Self::Fix(body) => serde_json::to_string(body),
            Self::FixOutput(body) => serde_json::to_string(body),
            Self::Remedy(body) => serde_json::to_string(body),
            Self::Migration(body) => serde_json::to_string(body),
            Self::MigrationProgress(body) => serde_json::to_string(body),
            Self::Rule(body) => serde_json::to_string(body),
            Self::Deploy(body) => serde_json::to_string(body),
            Self::Presence(body) => serde_json::to_string(body),
            Self::Metrics(body) => serde_json::to_string(body),
            Self::LogLine(body) => serde_json::to_string(body),
            Self::Heartbeat(body) => serde_json::to_string(body),
            Self::Bookmark(body) => serde_json::to_string(body),
            Self::Reset(body) => serde_json::to_string(body),
            Self::Bye(body) => serde_json::to_string(body),
            Self::Unknown => Ok("null".to_owned()),
        }
    }

    /// Reads a body by its event name (`""` and `"message"` are the unnamed one).
    ///
    /// # Errors
    /// When the name is known and the body does not have its shape.
    pub fn parse(name: &str, body: &str) -> Result<Self, serde_json::Error> {
        Ok(match name {
            "" | "message" => Self::Log(serde_json::from_str(body)?),
            "hello" => Self::Hello(serde_json::from_str(body)?),
            "alert" => Self::Alert(serde_json::from_str(body)?),
            "alert_counts" => Self::AlertCounts(serde_json::from_str(body)?),
            "fix" => Self::Fix(serde_json::from_str(body)?),
            "fix_output" => Self::FixOutput(serde_json::from_str(body)?),
            "remedy" => Self::Remedy(serde_json::from_str(body)?),
            "migration" => Self::Migration(serde_json::from_str(body)?),
            "migration_progress" => Self::MigrationProgress(serde_json::from_str(body)?),
            "rule" => Self::Rule(serde_json::from_str(body)?),
            "deploy" => Self::Deploy(serde_json::from_str(body)?),
            "presence" => Self::Presence(serde_json::from_str(body)?),
            "metrics" => Self::Metrics(serde_json::from_str(body)?),
            "log_line" => Self::LogLine(serde_json::from_str(body)?),
            "heartbeat" => Self::Heartbeat(serde_json::from_str(body)?),
            "bookmark" => Self::Bookmark(serde_json::from_str(body)?),
            "reset" => Self::Reset(serde_json::from_str(body)?),
            "bye" => Self::Bye(serde_json::from_str(body)?),
            _ => Self::Unknown,
        })
    }
}
