//! A transaction as data, and what can come of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stella_protocol::command::Action;
use stella_protocol::fix::{Maintenance, Suppression};
use stella_protocol::{AlertId, Deploy, FixId, FixOutput, Role, Text, Timestamp};

use super::audit::AuditEntry;
use crate::alerts::{AlertState, Triage};
use crate::marks::Marked;
use crate::migrate::MigrationState;
use crate::remedy::{BeforeImage, FixState};

/// What stands or falls together: writes, audit rows, events, and the answer to a key.
#[derive(Debug, Clone, Default)]
pub struct Tx {
    /// Server time.
    pub at: Timestamp,
    /// The answer that this key gets from now on; checked before all else.
    pub answer: Option<KeyedAnswer>,
    /// What is written, in order.
    pub writes: Vec<Write>,
    /// Who did it.
    pub audit: Vec<AuditEntry>,
    /// What readers of the feed are told, in order.
    pub events: Vec<NewEvent>,
}

/// One change of the kept state.
#[derive(Debug, Clone)]
pub enum Write {
    /// A new alert; a conflict when one of its fingerprint is open.
    Open(Arc<AlertState>),
    /// A changed alert; a conflict unless the kept one has the version `from`.
    Alert {
        /// How it stands now.
        state: Arc<AlertState>,
        /// The version that is replaced.
        from: u64,
    },
    /// Evidence, replacing what was kept: JSON of at most 64 KiB.
    Evidence {
        /// Of which alert.
        alert: AlertId,
        /// The object.
        json: String,
    },
    /// A new action.
    Action(Box<ActionRecord>),
    /// An action was taken back.
    Undone {
        /// Number of the action.
        action: u64,
    },
    /// A note of the server to itself.
    Meta(Meta, String),
    /// A new token, or a changed one of the same fingerprint.
    Token(Box<StoredToken>),
    /// A fix. A conflict when another one of its target is open; a changed one also unless the kept one
    /// has the version `from`.
    Fix {
        /// How it stands now.
        state: Arc<FixState>,
        /// The version that is replaced; None: it is new.
        from: Option<u64>,
    },
    /// A migration. A conflict when another one of its target holds the store, and this one would; a changed
    /// one also unless the kept one has the version `from`.
    Migration {
        /// How it stands now.
        state: Arc<MigrationState>,
        /// The version that is replaced; None: it is new.
        from: Option<u64>,
    },
    /// Whoever writes this acts under this fence; a conflict when a higher one of the target is kept.
    Fence {
        /// What is changed.
        target: Text,
        /// Kept from now on.
        fence: u64,
    },
    /// What stands where a step will write, replacing what was kept for that step.
    FixImages {
        /// Of which fix.
        fix: FixId,
        /// Of which step.
        step: usize,
        /// In their order.
        images: Vec<BeforeImage>,
    },
    /// A new line of output.
    FixOutput(Box<FixOutput>),
    /// A new suppression.
    Suppression(Box<Suppression>),
    /// A suppression was lifted.
    Lifted {
        /// Its `sup-N`.
        id: String,
    },
    /// A new maintenance window.
    Maintenance(Box<Maintenance>),
    /// A problem that somebody called false, or took that back of; replaces what was kept of it.
    Mark(Box<Marked>),
    /// A new deploy.
    Deploy(Box<Deploy>),
    /// A maintenance window was ended before its time.
    MaintenanceEnded {
        /// Its `win-N`.
        id: String,
    },
}

/// What the server notes for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meta {
    /// The last line whose findings are in the state.
    AppliedLine,
    /// Where the engine's clock stood, as JSON.
    EngineClock,
    /// Who switched all fixes off, as JSON; `null`: they are on.
    FixSwitch,
    /// How rules were told last and what people changed of them, as JSON.
    Rules,
    /// Anything of another room, under its own name.
    Room(&'static str),
}

impl Meta {
    /// The name of its row.
    pub fn name(self) -> &'static str {
        match self {
            Self::AppliedLine => "applied_line",
            Self::EngineClock => "engine_clock",
            Self::FixSwitch => "fix_switch",
            Self::Rules => "rules",
            Self::Room(name) => name,
        }
    }
}

/// A replayable event before it has its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its SSE name.
    pub kind: &'static str,
    /// Its JSON body, on one line.
    pub body: String,
}

/// The first answer to a request, kept under the key of its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedAnswer {
    /// Who asked.
    pub principal: String,
    /// Under which key.
    pub key: String,
    /// SHA-256 of what was asked.
    pub digest: [u8; 32],
    /// The answer's body.
    pub body: String,
}

/// What was answered before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// SHA-256 of what was asked.
    pub digest: [u8; 32],
    /// The answer's body.
    pub body: String,
}

/// How an alert stood before an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undoable {
    /// Which alert.
    pub id: AlertId,
    /// The version that the action left.
    pub left: u64,
    /// How it stood.
    pub before: Triage,
    /// Who was under it, when the action ended it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub led: Vec<AlertId>,
}

/// An action and what its undo needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRecord {
    /// The N of `act-N`.
    pub number: u64,
    /// What everyone may know of it. `undo_until` is None once it was undone.
    pub action: Action,
    /// Its targets that were done.
    pub undoable: Vec<Undoable>,
    /// It was taken back.
    pub undone: bool,
}

/// A token as it is kept: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// SHA-256 of the token.
    pub fingerprint: [u8; 32],
    /// Name of its principal.
    pub name: Text,
    /// What its holder may do.
    pub role: Role,
    /// Whether its holder may send recordings.
    pub recording: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; None: it does not.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// What came of a transaction.
#[derive(Debug)]
pub enum Commit {
    /// All of it is durable; its events have the numbers from `first_seq` on.
    Committed {
        /// Number of its first event; head + 1 when it had none.
        first_seq: u64,
    },
    /// Nothing was done: something was not as expected. What stands in the way, where something does.
    Conflict(Option<InTheWay>),
    /// Nothing was done: the key came before, and this was the answer.
    Duplicate(Answered),
    /// The store did not answer as it should; whether the transaction was done is not known.
    Unavailable,
}

/// What a transaction ran into.
#[derive(Debug, Clone, PartialEq)]
pub enum InTheWay {
    /// An alert as it is kept.
    Alert(Box<AlertState>),
    /// A fix as it is kept: the same in another version, or another open one of the same target.
    Fix(Box<FixState>),
    /// A migration as it is kept: the same in another version, or the one that holds the store.
    Migration(Box<MigrationState>),
    /// The fence of a target that is kept, higher than the one that was shown.
    Fence(u64),
}
