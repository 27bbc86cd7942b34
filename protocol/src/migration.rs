//! Migrations: what is planned, who approved it, how far it is, what was found when it was looked at.
//!
//! A migration's figures come from its ledger: what stands here was counted there, never estimated from a
//! clock. What is not known is absent, never 0.

mod detail;
mod phase;
mod plan;
mod progress;
mod queries;
mod request;
mod status;

use serde::{Deserialize, Serialize};

use crate::fix::{Approval, Trail};
use crate::id::MigrationId;
use crate::{Text, Timestamp};

pub use detail::{
    Alias, CandidateId, CollectionPage, CollectionRow, Decided, Decision, DecisionKind, DecisionOption, DecisionPage,
    Difference, Evidence, LogPage, LogRow, MappingPage, MappingRow, OldIdUse, Orphan, OrphanDecision, OrphanPage,
    Report, Trouble, TroubleKind, TroublePage, UserCheck, UserPlace, Verification,
};
pub use phase::{Phase, PhaseName, PhaseState};
pub use plan::{FirstScope, PlanSummary};
pub use progress::{Counts, Eta, Progress};
pub use queries::{OwnQueries, OwnQuery, QueryChange, QueryTiming, QueryVerdict};
pub use request::{DecisionRequest, MigrationPage, MigrationProposal, MigrationRequest, MigrationVerb, OrphanChoice};
pub use status::{MigrationKind, MigrationStatus};

/// Limits that a person may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Most documents a second; None: as fast as the guards allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Users in the canary.
    pub canary: u32,
    /// How long nobody may use an old id before it is complete, in milliseconds.
    pub soak_ms: i64,
}

/// The backup of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// Documents in it.
    pub documents: u64,
    /// Its size, in bytes, encrypted.
    pub bytes: u64,
    /// Its parts.
    pub parts: u64,
    /// SHA-256 of its manifest, hex.
    pub digest: Text,
    /// When it had been read back and compared.
    pub verified_at: Timestamp,
}

/// Who asks that it goes on, and how the two ids are read meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum DualRead {
    /// The application was asked and said so.
    Probe {
        /// When.
        at: Timestamp,
    },
    /// A person stated it.
    Statement {
        /// Who.
        who: Text,
        /// What they typed.
        text: Text,
    },
}

/// What comes next, for the one line that names one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    /// The verb; None: nothing is to be done but wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<MigrationVerb>,
    /// In words: what it does, or what is waited for.
    pub words: Text,
}

/// A migration, from its draft to its end.
///
/// `version` rises with every step of its machine; never with progress or a renewed lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// Its name.
    pub id: MigrationId,
    /// What is migrated.
    pub kind: MigrationKind,
    /// The store, as a person types it to approve.
    pub target: Text,
    /// The data map's title.
    pub map_title: Text,
    /// Where it stands.
    pub status: MigrationStatus,
    /// Who made it.
    pub created_by: Text,
    /// When.
    pub created_at: Timestamp,
    /// Who answers for it now.
    pub leader: Text,
    /// What would be done; None: not looked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSummary>,
    /// Open decisions.
    #[serde(default)]
    pub open_decisions: u64,
    /// A look or a rehearsal or a check that was asked for and is under way without a status of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<PhaseName>,
    /// What it becomes as soon as the writes in flight have ended: somebody, or a guard, asked it to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<MigrationStatus>,
    /// The phases that were begun, in order.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// Documents, as the ledger had them at the last step.
    #[serde(default)]
    pub counts: Counts,
    /// Limits that a person may set.
    pub limits: Limits,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Why readers understand both ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dual_read: Option<DualRead>,
    /// Its backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    /// Why it is slower than it could be, or stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_reason: Option<Text>,
    /// What a check found, the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The application's own queries; None: none is declared, and nobody asked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_queries: Option<OwnQueries>,
    /// Reads and writes with an old id since the cut-over.
    #[serde(default)]
    pub old_id_uses: u64,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_old_id_use: Option<Timestamp>,
    /// How it ended, or why it stands where it stands.
    #[serde(default)]
    pub result: Text,
    /// When it reached its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The single next step.
    pub next: Next,
    /// What happened, oldest first; at most 64, the first and the last ones.
    #[serde(default)]
    pub trail: Vec<Trail>,
    /// What a change must name.
    pub version: u64,
}
