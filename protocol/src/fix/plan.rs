//! A plan: exactly what runs. Its canonical JSON (keys sorted, no spaces) is what an approval binds to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Policy, Risk};
use crate::Text;

/// What would run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixPlan {
    /// Of which definition.
    pub definition_id: Text,
    /// SHA-256 of the definition's text, hex: a changed file makes another plan.
    pub definition_digest: Text,
    /// What can go wrong.
    pub risk: Risk,
    /// Who decides.
    pub policy: Policy,
    /// What it changes, as one name (`service:search`, `user:u~1.…`): one open fix each.
    pub target: Text,
    /// The values that were filled in.
    pub parameters: Vec<PlanParameter>,
    /// In this order.
    pub steps: Vec<PlanStep>,
    /// What it touches, in words.
    #[serde(default)]
    pub touches: Vec<Text>,
    /// What a rollback will not bring back, in words.
    #[serde(default)]
    pub will_not_undo: Vec<Text>,
    /// How success is told; None: by its steps alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// What must stay so while it runs, else it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Check>,
}

/// A value that was filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanParameter {
    /// Its name.
    pub name: Text,
    /// Its value: parsed and printed again, never as it came.
    pub value: Text,
    /// Its type: `enum`, `inventory`, `ip`, `user`, `operation`.
    pub kind: Text,
    /// Where it came from: a label of the alert, a person, a constant.
    pub source: Text,
    /// The matching entry of the inventory, and how old that is, in words.
    #[serde(default)]
    pub entry: Text,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanStep {
    /// What it does, in words.
    pub title: Text,
    /// What runs.
    pub act: Act,
    /// How to tell whether it happened; None: nothing but the document store's own look can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// What takes it back; None: nothing does. Documents are put back from their before-images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// Doing it twice is the same as once.
    #[serde(default)]
    pub idempotent: bool,
    /// The target refuses a lower fence than it has seen.
    #[serde(default)]
    pub fenced: bool,
    /// Tries after the first, for clean failures.
    #[serde(default)]
    pub retries: u32,
}

/// What takes a step back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "how")]
#[expect(clippy::large_enum_variant, reason = "plans are few, and their parts are matched as they stand")]
pub enum Undo {
    /// By this.
    Act {
        /// In words.
        title: Text,
        /// What runs.
        act: Act,
        /// How to tell whether it happened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<Probe>,
        /// Doing it twice is the same as once.
        #[serde(default)]
        idempotent: bool,
    },
    /// From the before-images of its documents.
    Restore,
    /// A way this reader does not know.
    #[serde(other)]
    Unknown,
}

/// Something that can be run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Act {
    /// A call of an allow-listed base address.
    Http(HttpAct),
    /// A command, without a shell.
    Argv(ArgvAct),
    /// A change of one document.
    Document(DocumentAct),
    /// References to a user in a wrong form, put right in the document store.
    Repair(RepairAct),
    /// A kind this reader does not know.
    #[serde(other)]
    Unknown,
}

/// Methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Reads.
    Get,
    /// Does something.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl HttpMethod {
    /// As on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpAct {
    /// How.
    pub method: HttpMethod,
    /// Name of the base address in the server's configuration.
    pub base: Text,
    /// The whole address: base, path, query; values percent-encoded.
    pub url: Text,
    /// Sent besides the server's own (idempotency key, fence, secrets of the base).
    #[serde(default)]
    pub headers: BTreeMap<String, Text>,
    /// Sent as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Statuses that mean done; empty: 200 to 299.
    #[serde(default)]
    pub success: Vec<u16>,
    /// Longest wait for the answer, in ms.
    pub timeout_ms: u64,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArgvAct {
    /// Absolute path of the program, allow-listed.
    pub program: Text,
    /// One argument each, passed as they are.
    pub arguments: Vec<Text>,
    /// Names that are taken over from the server's environment; all else is empty.
    #[serde(default)]
    pub environment: Vec<Text>,
    /// Exit codes that mean done; empty: 0.
    #[serde(default)]
    pub success: Vec<i32>,
    /// Exit codes that mean that surely nothing was done; any other leaves it unknown.
    #[serde(default)]
    pub clean: Vec<i32>,
    /// Longest run, in ms.
    pub timeout_ms: u64,
}

/// A change of one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentAct {
    /// Path of the collection.
    pub collection: Text,
    /// Id of the document.
    pub id: Text,
    /// What is changed.
    pub change: DocumentChange,
}

/// What is changed of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum DocumentChange {
    /// It is deleted.
    Delete,
    /// Some top-level fields get new values.
    Set {
        /// By name.
        fields: BTreeMap<String, Value>,
    },
    /// A change this reader does not know.
    #[serde(other)]
    Unknown,
}

/// References to one user, put right: fields, arrays and maps in place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairAct {
    /// The right id.
    pub user: Text,
    /// The forms that stand where it should.
    pub wrong: Vec<Text>,
    /// Where to look.
    pub collections: Vec<Text>,
}

/// How to tell whether a step happened. Reads only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// In words.
    pub title: Text,
    /// What is asked: a GET, or a command that reads.
    pub act: Act,
    /// It happened when this holds.
    pub done: Condition,
    /// It did not when this holds; neither: nobody can tell.
    pub not_done: Condition,
}

/// What an answer must be like: all that is given must hold; a condition without any holds never.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// One of these HTTP statuses.
    #[serde(default)]
    pub status: Vec<u16>,
    /// One of these exit codes.
    #[serde(default)]
    pub exit: Vec<i32>,
    /// At this JSON pointer of the answer …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<Text>,
    /// … stands this value; None: anything but null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
}

/// How success is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// What must hold.
    pub check: Check,
    /// For so long without a break, in ms.
    pub hold_ms: i64,
    /// Within so long after the last step, in ms; else it failed.
    pub within_ms: i64,
}

/// Something that holds or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "of")]
pub enum Check {
    /// The alert has no match any more: quiet or resolved.
    AlertQuiet,
    /// A series is on this side of a limit.
    Series {
        /// Its id.
        series: Text,
        /// Which side is good.
        side: Side,
        /// Of what, in the series' unit.
        limit: f64,
    },
    /// A check this reader does not know.
    #[serde(other)]
    Unknown,
}

/// A side of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// At most the limit.
    Below,
    /// At least the limit.
    Above,
    /// A side this reader does not know.
    #[serde(other)]
    Unknown,
}
