//! The parts of a migration, and how each went.

use serde::{Deserialize, Serialize};

use crate::{Text, Timestamp};

/// The parts of a migration, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// Discover, map, plan: reads only.
    Scan,
    /// All batches without their writes.
    Rehearse,
    /// Copy away what will change.
    Backup,
    /// A few users first, looked at through the application's own questions.
    Canary,
    /// All batches.
    Copy,
    /// All documents.
    Verify,
    /// Aliases, the run's name, tombstones.
    CutOver,
    /// Until nobody uses an old id any more.
    Soak,
    /// Back, last batch first.
    RollBack,
    /// A phase this reader does not know.
    #[serde(other)]
    Unknown,
}

impl PhaseName {
    /// All of them, in their order.
    pub const ALL: [Self; 9] = [
        Self::Scan,
        Self::Rehearse,
        Self::Backup,
        Self::Canary,
        Self::Copy,
        Self::Verify,
        Self::CutOver,
        Self::Soak,
        Self::RollBack,
    ];

    /// The word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Rehearse => "rehearse",
            Self::Backup => "backup",
            Self::Canary => "canary",
            Self::Copy => "copy",
            Self::Verify => "verify",
            Self::CutOver => "cut over",
            Self::Soak => "soak",
            Self::RollBack => "roll back",
            Self::Unknown => "unknown",
        }
    }
}

/// How a phase went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseState {
    /// Under way.
    Running,
    /// Begun and interrupted: it goes on where it stopped.
    Stopped,
    /// Done.
    Done,
    /// It failed; `note` says why.
    Failed,
    /// A state this reader does not know.
    #[serde(other)]
    Unknown,
}

/// A phase that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// Which.
    pub name: PhaseName,
    /// How it went.
    pub state: PhaseState,
    /// When it was begun, the last time.
    pub started_at: Timestamp,
    /// How often it was begun: more than once after a pause, a halt, a failure or a crash. What was done to its end
    /// and is done anew counts from one again.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub tries: u32,
    /// How long its earlier tries took together, in milliseconds.
    #[serde(default, skip_serializing_if = "is_none")]
    pub before_ms: i64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What came of it, in words.
    #[serde(default)]
    pub note: Text,
}

impl Phase {
    /// How long it worked in all its tries, in milliseconds, the last one up to this moment; one that ended, up to
    /// its end.
    pub fn worked_ms(&self, now: Timestamp) -> i64 {
        let last = self.ended_at.unwrap_or(now).since(self.started_at).max(0);
        self.before_ms.saturating_add(last)
    }
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the serialiser wants it")]
fn is_once(tries: &u32) -> bool {
    *tries == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the serialiser wants it")]
fn is_none(millis: &i64) -> bool {
    *millis == 0
}
