//! What people do to alerts. One verb has one name in route, command, key and palette.

use serde::{Deserialize, Serialize};

use crate::{ActionId, Alert, AlertId, Problem, Text, Timestamp};

/// A triage verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// I have it.
    Acknowledge,
    /// I do not have it any more.
    Release,
    /// I have it now, not the one who had it.
    TakeOver,
    /// Write on it.
    Note,
    /// It is over.
    Resolve,
    /// It is not over.
    Reopen,
    /// It never was one.
    FalsePositive,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Acknowledge,
        Self::Release,
        Self::TakeOver,
        Self::Note,
        Self::Resolve,
        Self::Reopen,
        Self::FalsePositive,
    ];

    /// The word in routes and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Release => "release",
            Self::TakeOver => "take-over",
            Self::Note => "note",
            Self::Resolve => "resolve",
            Self::Reopen => "reopen",
            Self::FalsePositive => "false-positive",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }
}

/// An alert and the version its reader saw.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Which alert.
    pub id: AlertId,
    /// The version painted when the key was pressed.
    pub version: u64,
}

/// Which part of an alert was wrong, for `false-positive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongPart {
    /// This is normal here.
    Normal,
    /// The threshold is too low.
    Threshold,
    /// The lines were misread.
    Misread,
}

/// `POST /alerts/actions`: at most 1,000 targets, one transaction, one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionRequest {
    /// What to do.
    pub verb: Verb,
    /// To which alerts.
    pub targets: Vec<Target>,
    /// The words of the verb: what `note` writes; why, for `resolve`, `reopen` and `false-positive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// What was wrong, for `false-positive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<WrongPart>,
}

/// `POST /alerts/{id}/VERB`: the same for one; the version stands in `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerbRequest {
    /// As in [`ActionRequest::text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// As in [`ActionRequest::part`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<WrongPart>,
}

/// What came of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was so already.
    Unchanged,
    /// Somebody else changed it first.
    Conflict,
    /// The rules do not allow it now.
    Refused,
    /// There is no such alert.
    NotFound,
    /// An outcome this reader does not know.
    #[serde(other)]
    Unknown,
}

/// One target's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetResult {
    /// Which alert.
    pub id: AlertId,
    /// What came of it.
    pub outcome: Outcome,
    /// The alert as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Box<Alert>>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Box<Problem>>,
}

/// Answer to an action and to its undo; order of the targets kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionResponse {
    /// Names the action, for undo.
    pub action_id: ActionId,
    /// Until when it can be undone; None: it is itself an undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Timestamp>,
    /// One per target.
    pub results: Vec<TargetResult>,
}

/// A past action, newest first in `GET /actions?mine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Its name.
    pub id: ActionId,
    /// What was done.
    pub verb: Verb,
    /// By whom.
    pub by: Text,
    /// When.
    pub at: Timestamp,
    /// To which alerts, with the version the action left.
    pub targets: Vec<Target>,
    /// Until when it can be undone; None: not any more, or it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Timestamp>,
}
