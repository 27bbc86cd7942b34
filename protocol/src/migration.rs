//! Migrations: what is planned, who approved it, how far it is, what was found when it was looked at.
//!
//! A migration's figures come from its ledger: what stands here was counted there, never estimated from a
//! clock. What is not known is absent, never 0.

mod detail;
mod request;

use serde::{Deserialize, Serialize};

use crate::fix::{Approval, Trail};
use crate::id::MigrationId;
use crate::{Text, Timestamp};

pub use detail::{
    Alias, CandidateId, CollectionPage, CollectionRow, Decided, Decision, DecisionKind, DecisionOption, DecisionPage,
    Difference, Evidence, LogPage, LogRow, MappingPage, MappingRow, Orphan, OrphanDecision, OrphanPage, Report,
    Trouble, TroubleKind, TroublePage, UserCheck, UserPlace, Verification,
};
pub use request::{DecisionRequest, MigrationPage, MigrationProposal, MigrationRequest, MigrationVerb, OrphanChoice};

/// What is migrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationKind {
    /// Every reference to a user, to that user's one hash id.
    UserIds,
    /// A kind this reader does not know.
    #[serde(other)]
    Unknown,
}

/// Where a migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationStatus {
    /// The data is being looked at.
    Draft,
    /// A person has to say who is who.
    NeedsDecision,
    /// The look failed; nothing was changed.
    PlanFailed,
    /// The plan is complete.
    Planned,
    /// Every batch was computed, nothing was written.
    Rehearsed,
    /// It may start.
    Approved,
    /// What will change is being copied away.
    BackingUp,
    /// It was, and was read back; the canary is under way.
    BackedUp,
    /// It could not be; nothing was changed.
    BackupFailed,
    /// Batches are written.
    Copying,
    /// A person paused it.
    Paused,
    /// It stopped by itself, or a person stopped it; it can go on or go back.
    Halted,
    /// Every document is looked at.
    Verifying,
    /// Every one was as it must be.
    Verified,
    /// Aliases are made complete, then old copies become tombstones.
    CuttingOver,
    /// It is done; reads of old ids are still counted.
    Soaking,
    /// Nobody uses an old id any more.
    Completed,
    /// It is taken back, last first.
    RollingBack,
    /// It was; what could not be is listed.
    RolledBack,
    /// The store refused.
    RollbackFailed,
    /// Somebody called it off before anything was changed.
    Cancelled,
    /// A person said how it ended.
    ClosedManually,
    /// A status this reader does not know.
    #[serde(other)]
    Unknown,
}

impl MigrationStatus {
    /// All that a server gives.
    pub const ALL: [Self; 22] = [
        Self::Draft,
        Self::NeedsDecision,
        Self::PlanFailed,
        Self::Planned,
        Self::Rehearsed,
        Self::Approved,
        Self::BackingUp,
        Self::BackedUp,
        Self::BackupFailed,
        Self::Copying,
        Self::Paused,
        Self::Halted,
        Self::Verifying,
        Self::Verified,
        Self::CuttingOver,
        Self::Soaking,
        Self::Completed,
        Self::RollingBack,
        Self::RolledBack,
        Self::RollbackFailed,
        Self::Cancelled,
        Self::ClosedManually,
    ];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::NeedsDecision => "needs_decision",
            Self::PlanFailed => "plan_failed",
            Self::Planned => "planned",
            Self::Rehearsed => "rehearsed",
            Self::Approved => "approved",
            Self::BackingUp => "backing_up",
            Self::BackedUp => "backed_up",
            Self::BackupFailed => "backup_failed",
            Self::Copying => "copying",
            Self::Paused => "paused",
            Self::Halted => "halted",
            Self::Verifying => "verifying",
            Self::Verified => "verified",
            Self::CuttingOver => "cutting_over",
            Self::Soaking => "soaking",
            Self::Completed => "completed",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
            Self::RollbackFailed => "rollback_failed",
            Self::Cancelled => "cancelled",
            Self::ClosedManually => "closed_manually",
            Self::Unknown => "unknown",
        }
    }

    /// True until its machine has no step left.
    pub fn is_unfinished(self) -> bool {
        !matches!(self, Self::Completed | Self::RolledBack | Self::Cancelled | Self::ClosedManually)
    }

    /// True from the first write to the store until the last: one migration at a time may be so.
    pub fn holds_the_store(self) -> bool {
        matches!(
            self,
            Self::BackingUp
                | Self::BackedUp
                | Self::Copying
                | Self::Paused
                | Self::Halted
                | Self::Verifying
                | Self::Verified
                | Self::CuttingOver
                | Self::RollingBack
                | Self::RollbackFailed
        )
    }
}

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
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What came of it, in words.
    #[serde(default)]
    pub note: Text,
}

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

/// What the plan found, and what it would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// SHA-256 of the canonical plan, hex: mapping, map, batches' documents before and after.
    pub digest: Text,
    /// When the data was looked at.
    pub scanned_at: Timestamp,
    /// The key that made new ids.
    pub key_id: Text,
    /// Documents looked at.
    pub documents: u64,
    /// Collections looked at.
    pub collections: u64,
    /// Of those, how many the data map does not declare.
    pub undeclared: u64,
    /// Documents to change in place.
    pub changes: u64,
    /// Documents whose id holds a user's: a copy under the new one.
    pub moves: u64,
    /// References to rewrite.
    pub references: u64,
    /// People who get a new id, or lose a second one.
    pub users: u64,
    /// Old ids that go to one of theirs.
    pub old_ids: u64,
    /// Ids without a user.
    pub orphan_ids: u64,
    /// Documents that only they hold.
    pub orphan_documents: u64,
    /// Documents that will be parked.
    pub clashes: u64,
    /// Batches of writes.
    pub batches: u64,
    /// Bytes that will be written, about.
    pub bytes: u64,
    /// The same counts for what the first run by scripts would have covered: users, conversations, messages,
    /// shares, folders, groups. None: the data map names no such scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_scope: Option<FirstScope>,
    /// What the data map misses: places that hold a user's id and are not declared.
    #[serde(default)]
    pub misses: u64,
    /// User documents that are made for ids without a user.
    #[serde(default, skip_serializing_if = "is_none")]
    pub placeholders: u64,
    /// Documents of ids without a user that are marked as archived: `changes` has them too.
    #[serde(default, skip_serializing_if = "is_none")]
    pub archived: u64,
}

/// What there is none of is not sent: whoever compares what they read with what came knows no such field.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the serialiser wants it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What the first migration by scripts covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FirstScope {
    /// Owners of conversations that need moving.
    pub users: u64,
    /// Their conversations.
    pub conversations: u64,
    /// Their messages.
    pub messages: u64,
    /// Shares with an owner or a person to move.
    pub shares: u64,
    /// Folders.
    pub folders: u64,
    /// Groups.
    pub groups: u64,
    /// Conversations whose owner is no user.
    pub orphaned_conversations: u64,
    /// Ids that own those.
    pub orphan_ids: u64,
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
