//! State at one moment, from one read transaction; and pages of lists.

use serde::{Deserialize, Serialize};

use crate::health::EngineClock;
use crate::{
    Alert, Cursor, Deploy, Fix, Health, LineId, LogEvent, Migration, Presence, Remedy, Rule, Series, Timestamp,
};

/// `GET /snapshot`: everything a console needs before it follows the feed from `cursor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Follow the feed from here.
    pub cursor: Cursor,
    /// The server's clock.
    pub server_time: Timestamp,
    /// How the application is.
    pub health: Health,
    /// Where the engine's clock stands.
    pub engine: EngineClock,
    /// Open ones, and those resolved in the last hour.
    pub alerts: Vec<Alert>,
    /// Open ones, and the last 50 that ended.
    #[serde(default)]
    pub fixes: Vec<Fix>,
    /// What holds for all fixes.
    #[serde(default)]
    pub remedy: Remedy,
    /// Unfinished ones, and the last 10 that ended.
    #[serde(default)]
    pub migrations: Vec<Migration>,
    /// Consoles that are there, in the order in which they came.
    #[serde(default)]
    pub presence: Vec<Presence>,
    /// Of the last day, newest first.
    #[serde(default)]
    pub deploys: Vec<Deploy>,
    /// By id.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Every series, the last 30 minutes at one minute.
    #[serde(default)]
    pub series: Vec<Series>,
}

/// `GET /alerts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertPage {
    /// In the order asked for.
    pub items: Vec<Alert>,
    /// Pass as `after` for the next page; None: this was the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// `GET /logs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogPage {
    /// Oldest first.
    pub items: Vec<LogLine>,
    /// Pass as `after` for the next page; None: this was the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// One kept line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Which line.
    pub id: LineId,
    /// It belongs to what was asked for (`alert=`); the others are its surroundings.
    #[serde(default)]
    pub matched: bool,
    /// What it said, as kept.
    pub event: LogEvent<'static>,
}
