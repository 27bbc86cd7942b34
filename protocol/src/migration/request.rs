//! What is asked of migrations.

use serde::{Deserialize, Serialize};

use super::{Migration, MigrationKind};
use crate::Text;

/// A verb on a migration. The same word in route, command, key and palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MigrationVerb {
    /// Look at the data again.
    Plan,
    /// Compute every batch, write nothing.
    Rehearse,
    /// Yes, this plan.
    Approve,
    /// Back up, try a few users, write.
    Start,
    /// Stop for a while, after the writes in flight.
    Pause,
    /// Go on.
    Resume,
    /// At most so many documents a second.
    Rate,
    /// Look at every document.
    Verify,
    /// Aliases, then tombstones.
    Cutover,
    /// Take it back.
    Rollback,
    /// Halt after the writes in flight.
    Stop,
    /// Somebody else answers for it.
    HandOver,
    /// I answer for it.
    TakeOver,
    /// The step that failed, again.
    Retry,
    /// Say how it ended.
    Close,
    /// Call it off before anything is changed.
    Cancel,
}

impl MigrationVerb {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Plan,
        Self::Rehearse,
        Self::Approve,
        Self::Start,
        Self::Pause,
        Self::Resume,
        Self::Rate,
        Self::Verify,
        Self::Cutover,
        Self::Rollback,
        Self::Stop,
        Self::HandOver,
        Self::TakeOver,
        Self::Retry,
        Self::Close,
        Self::Cancel,
    ];

    /// The word in routes and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Rehearse => "rehearse",
            Self::Approve => "approve",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Rate => "rate",
            Self::Verify => "verify",
            Self::Cutover => "cutover",
            Self::Rollback => "rollback",
            Self::Stop => "stop",
            Self::HandOver => "hand-over",
            Self::TakeOver => "take-over",
            Self::Retry => "retry",
            Self::Close => "close",
            Self::Cancel => "cancel",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }
}

/// `POST /migrations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrationProposal {
    /// What to migrate.
    pub kind: MigrationKind,
}

/// `POST /migrations/{id}/VERB`; the version stands in `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrationRequest {
    /// The plan that was seen: for `approve`, `start`, `cutover` and `rollback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<Text>,
    /// Documents a second, for `rate`; 0: as fast as the guards allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Who, for `hand-over`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Text>,
    /// Why, or how it ended; that readers understand both ids, for `start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
}

/// What to do with the documents of an id without a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrphanChoice {
    /// Leave them as they are, listed.
    Quarantine,
    /// They become those of a user document that is made for them, to which nobody can sign in.
    Placeholder,
    /// What it owns is marked as archived, the id kept; what it only stands in is left.
    Archive,
    /// They are this user's: with evidence and an approver other than whoever maps.
    Map,
    /// A choice this reader does not know.
    #[serde(other)]
    Unknown,
}

/// `POST /migrations/{id}/decisions`; the version stands in `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, tag = "about")]
pub enum DecisionRequest {
    /// Of several people or ids, this one.
    #[serde(rename_all = "camelCase")]
    Question {
        /// Which decision.
        id: Text,
        /// The option's name.
        option: Text,
        /// Why, for the record.
        reason: Text,
    },
    /// Of an id without a user.
    #[serde(rename_all = "camelCase")]
    Orphan {
        /// Which id.
        id: Text,
        /// What to do.
        choice: OrphanChoice,
        /// Whose they are, for `map`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Text>,
        /// Why: for `map` the evidence.
        reason: Text,
    },
}

/// `GET /migrations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationPage {
    /// Newest first.
    pub items: Vec<Migration>,
    /// Pass as `after` for the next page; None: this was the last.
    #[serde(default)]
    pub next: Option<String>,
}
