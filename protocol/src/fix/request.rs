//! What is asked about fixes and for them, and what surrounds them: the switch, suppressions, windows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fix, FixOutput, Policy, Risk};
use crate::{AlertId, Text, Timestamp};

/// A verb on a fix. The same word in route, command, key and palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixVerb {
    /// Look again whether it would work; writes nothing.
    DryRun,
    /// Yes, this plan.
    Approve,
    /// No.
    Reject,
    /// I take my yes back.
    Withdraw,
    /// Stop after the step under way, and take back what was done.
    Stop,
    /// Take it back.
    Rollback,
    /// Say how it ended.
    Close,
}

impl FixVerb {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::DryRun, Self::Approve, Self::Reject, Self::Withdraw, Self::Stop, Self::Rollback, Self::Close];

    /// The word in routes and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::Stop => "stop",
            Self::Rollback => "rollback",
            Self::Close => "close",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }
}

/// `POST /fixes`: somebody proposes one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proposal {
    /// Of which definition.
    pub definition_id: Text,
    /// For which alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_id: Option<AlertId>,
    /// Values that the alert does not give, by name.
    #[serde(default)]
    pub parameters: BTreeMap<String, Text>,
}

/// `POST /fixes/{id}/VERB`; the version stands in `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FixRequest {
    /// The plan that was seen: for `approve` and `rollback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<Text>,
    /// Why, for `approve` (optional), `reject`, `stop`; how it ended, for `close`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
}

/// `GET /fixes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixPage {
    /// Newest first.
    pub items: Vec<Fix>,
    /// Pass as `after` for the next page; None: this was the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// `GET /fixes/{id}/output`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputPage {
    /// Oldest first.
    pub items: Vec<FixOutput>,
    /// Pass as `after` for the next page; None: this was the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// `GET /fixes/{id}`: the fix and what a decision needs besides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixReview {
    /// The fix.
    pub fix: Fix,
    /// What stands in the way, and what does not.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// What differs since it was proposed, in words.
    #[serde(default)]
    pub differences: Vec<Text>,
    /// How the same definition fared before.
    #[serde(default)]
    pub record: Record,
}

/// Whether a gate is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// It is.
    Open,
    /// It is, but look.
    Warning,
    /// It is not: the server would refuse.
    Shut,
    /// A state this reader does not know.
    #[serde(other)]
    Unknown,
}

/// One condition of an approval or a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Whether it is open.
    pub state: GateState,
    /// What it is about, and why it stands so, in words.
    pub text: Text,
}

/// How a definition fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Runs that ended.
    pub runs: u32,
    /// Of them, such as helped.
    pub good: u32,
    /// Alerts of its rules that people closed.
    pub marked: u32,
    /// Of them, such as were false positives.
    pub false_positive: u32,
}

/// `GET /fix-definitions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionPage {
    /// By id.
    pub items: Vec<DefinitionView>,
    /// Always null: the answer is whole.
    #[serde(default)]
    pub next: Option<String>,
}

/// A definition, as far as others need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionView {
    /// Its name.
    pub id: Text,
    /// What it does, in a line.
    pub title: Text,
    /// What can go wrong.
    pub risk: Risk,
    /// As written.
    pub policy: Policy,
    /// As it is now: `auto` falls to `approve` while its figures do not hold.
    pub effective_policy: Policy,
    /// Why, with the figures.
    pub why: Text,
    /// Who answers for it, and may not approve it.
    pub owner: Text,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<Text>,
    /// Which alerts it is for, in words.
    pub matches: Text,
    /// Names and types of the values it needs.
    #[serde(default)]
    pub parameters: BTreeMap<String, Text>,
    /// How it fared.
    pub record: Record,
}

/// `PUT /fixes/switch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwitchRequest {
    /// Whether fixes may run at all.
    pub on: bool,
    /// Why.
    #[serde(default)]
    pub reason: Text,
}

/// Somebody switched all fixes off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Switched {
    /// Who.
    pub by: Text,
    /// When.
    pub at: Timestamp,
    /// Why.
    #[serde(default)]
    pub reason: Text,
}

/// A definition is not proposed for a target any more: it was rolled back there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppression {
    /// `sup-N`.
    pub id: Text,
    /// Which definition.
    pub definition_id: Text,
    /// On which target.
    pub target: Text,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: Text,
}

/// `POST /maintenance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaintenanceRequest {
    /// Targets that begin so (`service:search`); empty: all.
    #[serde(default)]
    pub target: Text,
    /// From; absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Up to; at most 7 days from now.
    pub until: Timestamp,
    /// Why.
    #[serde(default)]
    pub reason: Text,
}

/// No fix starts on these targets in this time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Maintenance {
    /// `win-N`.
    pub id: Text,
    /// Targets that begin so; empty: all.
    pub target: Text,
    /// From.
    pub from: Timestamp,
    /// Up to, but without.
    pub until: Timestamp,
    /// Who.
    pub by: Text,
    /// Why.
    #[serde(default)]
    pub reason: Text,
}

/// What holds for all fixes: event `remedy`, whole each time, and in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remedy {
    /// Fixes are switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_off: Option<Switched>,
    /// What is not proposed any more.
    #[serde(default)]
    pub suppressions: Vec<Suppression>,
    /// When nothing starts.
    #[serde(default)]
    pub maintenance: Vec<Maintenance>,
    /// One human uses this server: every quorum is 1, and rows are marked so.
    #[serde(default)]
    pub single_person: bool,
}
