//! How far a migration is: counted in its ledger, never estimated from a clock.

use serde::{Deserialize, Serialize};

use super::PhaseName;
use crate::id::MigrationId;
use crate::{Text, Timestamp};

/// Documents, by what became of them. All from the ledger; `planned` from the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Documents that the plan changes, moves and copies counted once.
    pub planned: u64,
    /// Written and kept in the ledger.
    pub done: u64,
    /// Found to be as they must be already.
    pub skipped: u64,
    /// Left alone for a person: a clash, or five lost races.
    pub parked: u64,
    /// Refused by the store.
    pub failed: u64,
    /// Tries that lost against another writer and were made again.
    pub conflicts: u64,
}

impl Counts {
    /// Documents that need nothing more, at most `planned`.
    pub fn settled(&self) -> u64 {
        (self.done + self.skipped + self.parked + self.failed).min(self.planned)
    }
}

/// How long it still takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Eta {
    /// Between so many milliseconds.
    #[serde(rename_all = "camelCase")]
    Range {
        /// At the least.
        low_ms: u64,
        /// At the most.
        high_ms: u64,
    },
    /// Nobody can tell.
    Unknown {
        /// Why: too little was done yet, a hold, a pause.
        why: Text,
    },
}

/// How fast, how far, how long still. Replaceable, at most four a second: event `migration_progress`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Whose.
    pub id: MigrationId,
    /// In which phase.
    pub phase: PhaseName,
    /// When.
    pub at: Timestamp,
    /// What the phase has to do, in its own unit: documents.
    pub total: u64,
    /// How much of it is done; never more than `total`.
    pub done: u64,
    /// Documents a second since the last checkpoints; None: too little was done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The same over ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_10m: Option<f64>,
    /// How long still.
    pub eta: Eta,
    /// The documents by what became of them.
    pub counts: Counts,
    /// The collection under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<Text>,
    /// Why it is slower than it could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_reason: Option<Text>,
    /// When the ledger was written last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_at: Option<Timestamp>,
    /// Batches kept in the ledger, and of how many.
    pub batches: (u64, u64),
}
