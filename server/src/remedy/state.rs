//! A fix as the server keeps it: what everyone may see, and what only its executor needs.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stella_protocol::fix::{FixPlan, Policy};
use stella_protocol::{AlertId, Fix, FixStatus, Text, Timestamp};

use super::Superseded;
use super::definition::Limits;

/// A fix and how its execution stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixState {
    /// As everyone sees it.
    pub fix: Fix,
    /// As its executor does.
    pub work: Work,
}

/// How the execution stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// Who answers for the definition, and so may not approve.
    pub owner: Text,
    /// Of the target: rises with every claim. What names a lower one is refused.
    pub fence: u64,
    /// Which executor has it; None: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Text>,
    /// Until when, server time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// The step under way: of the plan while running, of what is taken back while undoing.
    #[serde(default)]
    pub at: usize,
    /// When its first step was begun that may have done something, whatever was tried again since; None: none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// Why it is to stop after the step under way; None: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Text>,
    /// Since when its verification holds without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds_since: Option<Timestamp>,
    /// Why nobody could watch whether it helped; None: somebody did, or has not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwatched: Option<Text>,
    /// Where it stood when it fell in doubt: running or undoing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<FixStatus>,
    /// When the last dry run that somebody asked for ended; None: nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed_at: Option<Timestamp>,
    /// The version since which nothing came but dry runs that somebody asked for; None: something else did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_rehearsed_since: Option<u64>,
    /// Why it was for nothing; None: it was not superseded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<Superseded>,
    /// Lines of output so far, and their bytes.
    #[serde(default)]
    pub output: (u64, u64),
}

/// A fix before it has its id: what a rule or a person proposes.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What it does, in a line.
    pub title: Text,
    /// What it is for.
    pub alert_id: Option<AlertId>,
    /// What would run. Its definition, risk and target stand in it.
    pub plan: FixPlan,
    /// SHA-256 of the canonical plan, hex.
    pub plan_digest: Text,
    /// Who decides by now: `auto` has fallen to `approve` where its figures do not hold.
    pub policy: Policy,
    /// A person, or `rule:ID`.
    pub proposed_by: Text,
    /// Who answers for the definition.
    pub owner: Text,
    /// How many have to approve.
    pub quorum: u8,
    /// Series worth watching while it runs.
    pub guards: Vec<Text>,
    /// What was observed in the alert.
    pub observed: Option<f64>,
    /// How often its definition lets itself be proposed: asked where the proposal is kept, so that many
    /// at once do not pass them together.
    pub limits: Limits,
}

/// A document before a step changed it, and as the step means to leave it. Kept in the transaction of
/// the step's intent, so that it is there before the effect is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BeforeImage {
    /// Path of its collection.
    pub collection: String,
    /// Its id.
    pub id: String,
    /// Its fields before; None: it was not there.
    pub before: Option<Value>,
    /// Its version before; what the write is conditional on. None: it must not exist.
    pub version: Option<u64>,
    /// Its fields after; None: it is not there any more.
    pub after: Option<Value>,
}
