//! What can happen to a migration, what comes of it, and why not. The words of the machine.

use stella_protocol::migration::{Backup, Counts, DualRead, OwnQueries, PlanSummary, Verification};
use stella_protocol::{MigrationVerb, Role, Text, Timestamp};

use super::state::MigrationState;

/// A person who decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub verb: MigrationVerb,
    /// Who.
    pub by: Text,
    /// With which role.
    pub role: Role,
    /// The plan that they saw: for `approve`, `start`, `cutover` and `rollback`.
    pub plan_digest: Option<Text>,
    /// Documents a second, for `rate`; 0: as fast as the guards allow.
    pub rate: Option<u32>,
    /// Who, for `hand-over`.
    pub to: Option<Text>,
    /// Why, or how it ended.
    pub text: Text,
    /// For `start`: what the application said when it was asked whether it reads both ids, or the statement.
    pub dual_read: Option<DualRead>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A person decided.
    Decided(Decision),
    /// A person answered a question or chose for an id without a user; how many questions are open still.
    Answered {
        /// Who.
        by: Text,
        /// What, in words.
        what: Text,
        /// Questions that are open now.
        open: u64,
    },
    /// A runner takes it.
    Claimed {
        /// Which.
        holder: Text,
        /// Until when it has it.
        until: Timestamp,
        /// One more than the store's last.
        fence: u64,
    },
    /// Its runner still has it.
    Renewed {
        /// By this fence.
        fence: u64,
        /// Until then.
        until: Timestamp,
    },
    /// Its runner ends in good order and nothing of it is in flight: whoever comes need not wait for the lease.
    Released {
        /// By this fence.
        fence: u64,
    },
    /// The data was looked at. Err: it could not be.
    Scanned {
        /// By this fence.
        fence: u64,
        /// The plan and the open questions.
        found: Result<(PlanSummary, u64), Text>,
    },
    /// The source is another one than the plan's: how many documents of how many, in words.
    Drifted(Text),
    /// Every batch was computed. Err: one could not be.
    Rehearsed {
        /// By this fence.
        fence: u64,
        /// What came of it.
        found: Result<Counts, Text>,
    },
    /// What will change was copied away and read back. Err: it was not; nothing was changed.
    BackedUp {
        /// By this fence.
        fence: u64,
        /// The backup.
        found: Result<Backup, Text>,
    },
    /// A few users were migrated and looked at. Err: what differs.
    Canary {
        /// By this fence.
        fence: u64,
        /// In words.
        found: Result<Text, Text>,
    },
    /// The application was asked its own queries, or will be; in the middle of a phase.
    Asked {
        /// By this fence.
        fence: u64,
        /// As far as they were; None: none is declared.
        queries: Option<OwnQueries>,
    },
    /// The ledger went on.
    Checkpoint {
        /// By this fence.
        fence: u64,
        /// The ledger's counts.
        counts: Counts,
        /// Why it is slower than it could be.
        hold: Option<Text>,
    },
    /// All writes in flight ended, after a stop was asked for.
    Stopped {
        /// By this fence.
        fence: u64,
        /// The ledger's counts.
        counts: Counts,
    },
    /// A guard broke: the phase has ended by itself.
    Broke {
        /// By this fence.
        fence: u64,
        /// Why, and what to do.
        why: Text,
        /// The ledger's counts.
        counts: Counts,
    },
    /// The last batch, and a pass over everything that found nothing left.
    Copied {
        /// By this fence.
        fence: u64,
        /// The ledger's counts.
        counts: Counts,
    },
    /// Every document was looked at.
    Verified {
        /// By this fence.
        fence: u64,
        /// What was found.
        found: Verification,
    },
    /// Aliases and tombstones are complete. Err: the store refused; it is tried again by `retry`.
    CutOver {
        /// By this fence.
        fence: u64,
        /// What was written, in words.
        done: Result<Text, Text>,
    },
    /// An old id was used: a look-up of an alias, a log event or a write with it.
    OldIdUsed {
        /// How often since the last such event.
        times: u64,
        /// When last.
        at: Timestamp,
    },
    /// Time passed: a soak may be over.
    Tick,
    /// It was taken back. Err: the store refused.
    RolledBack {
        /// By this fence.
        fence: u64,
        /// How many documents were put back, how many were left as others changed them.
        done: Result<(u64, u64), Text>,
    },
}

/// What a step asks for, besides keeping the new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The version rose: kept, audited under this word, sent.
    Changed(&'static str),
    /// Only the lease moved: kept, not sent, no audit.
    Renewed,
}

/// The next state and what to do about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How it stands now.
    pub state: MigrationState,
    /// What to do; empty: it was so already.
    pub effects: Vec<Effect>,
}
