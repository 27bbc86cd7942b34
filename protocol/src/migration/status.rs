//! Where a migration stands: the states of its machine, as words on the wire.

use serde::{Deserialize, Serialize};

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
