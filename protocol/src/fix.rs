//! Fixes: what is proposed, who approved it, what ran, what came of it.
//!
//! A fix is one execution of a definition. Its plan is complete: what stands in it is what runs, byte
//! for byte, so that an approval of the plan's digest is an approval of the effect.

mod plan;
mod request;

use serde::{Deserialize, Serialize};

use crate::id::FixId;
use crate::{AlertId, Text, Timestamp};

pub use plan::{
    Act, ArgvAct, Check, Condition, DocumentAct, DocumentChange, FixPlan, HttpAct, HttpMethod, PlanParameter, PlanStep,
    Probe, RepairAct, Side, Undo, Verification,
};
pub use request::{
    DefinitionPage, DefinitionView, FixPage, FixRequest, FixReview, FixVerb, Gate, GateState, Maintenance,
    MaintenanceRequest, OutputPage, Proposal, Record, Remedy, Suppression, SwitchRequest, Switched,
};

/// What can go wrong when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Little.
    Low,
    /// Something that can be taken back.
    Medium,
    /// Users may notice.
    High,
    /// A word this reader does not know.
    #[serde(other)]
    Unknown,
}

impl Risk {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Unknown => "unknown",
        }
    }
}

/// Who decides that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It runs by itself once its dry run is good.
    Auto,
    /// People approve it.
    Approve,
    /// It is never proposed.
    Off,
    /// A word this reader does not know.
    #[serde(other)]
    Unknown,
}

impl Policy {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Approve => "approve",
            Self::Off => "off",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a fix stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixStatus {
    /// Its dry run is under way.
    Proposed,
    /// It waits for approvals.
    Pending,
    /// Its dry run failed.
    Invalid,
    /// It may run.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Nobody decided, or nobody executed it, in time.
    Expired,
    /// What it was for is over, or it changed.
    Superseded,
    /// Its steps run.
    Running,
    /// They are done; whether it helped is watched.
    Verifying,
    /// It helped.
    Executed,
    /// It did not, or could not; what stays is listed.
    Failed,
    /// Its steps are taken back, last first.
    Undoing,
    /// They were.
    RolledBack,
    /// They could not all be.
    RollbackFailed,
    /// Whether a step took effect is not known, and nothing can tell.
    InDoubt,
    /// A person said how it ended.
    ClosedManually,
    /// A status this reader does not know.
    #[serde(other)]
    Unknown,
}

impl FixStatus {
    /// All that a server gives.
    pub const ALL: [Self; 16] = [
        Self::Proposed,
        Self::Pending,
        Self::Invalid,
        Self::Approved,
        Self::Rejected,
        Self::Expired,
        Self::Superseded,
        Self::Running,
        Self::Verifying,
        Self::Executed,
        Self::Failed,
        Self::Undoing,
        Self::RolledBack,
        Self::RollbackFailed,
        Self::InDoubt,
        Self::ClosedManually,
    ];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Pending => "pending",
            Self::Invalid => "invalid",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Running => "running",
            Self::Verifying => "verifying",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::RolledBack => "rolled_back",
            Self::RollbackFailed => "rollback_failed",
            Self::InDoubt => "in_doubt",
            Self::ClosedManually => "closed_manually",
            Self::Unknown => "unknown",
        }
    }

    /// True while it holds its target: nothing else is proposed for that one meanwhile.
    pub fn is_open(self) -> bool {
        self.waits_for_people() || self.is_under_way() || self.waits_to_begin()
    }

    /// True while people have to decide: an approval, or how it ended.
    pub fn waits_for_people(self) -> bool {
        matches!(self, Self::Pending | Self::InDoubt | Self::RollbackFailed)
    }

    /// True while nobody has begun it, and somebody may.
    pub fn waits_to_begin(self) -> bool {
        matches!(self, Self::Proposed | Self::Pending | Self::Approved)
    }

    /// True while an executor works on it.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Running | Self::Verifying | Self::Undoing)
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    #[default]
    Waiting,
    /// Its intent is kept; its effect may have happened.
    Begun,
    /// Its effect happened.
    Done,
    /// It did not happen.
    Failed,
    /// Whether it happened is not known.
    Unknown,
    /// It is being taken back.
    Undoing,
    /// It was taken back.
    Undone,
    /// It could not be taken back.
    UndoFailed,
    /// A state this reader does not know.
    #[serde(other)]
    Other,
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixStep {
    /// Where it stands.
    pub state: StepState,
    /// Which try, from 1; 0: none yet.
    #[serde(default)]
    pub attempt: u32,
    /// When its last try began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What it said last, or why it failed.
    #[serde(default)]
    pub note: Text,
}

/// A person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Whose.
    pub by: Text,
    /// When.
    pub at: Timestamp,
    /// Of which plan.
    pub plan_digest: Text,
    /// Why, if they said.
    #[serde(default)]
    pub reason: Text,
    /// The approver may have been the proposer too: one person runs this server.
    #[serde(default)]
    pub single_person: bool,
    /// A simulated colleague of the demo.
    #[serde(default)]
    pub simulated: bool,
}

/// Something that happened to a fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trail {
    /// When.
    pub at: Timestamp,
    /// Who; `system` when by itself.
    pub by: Text,
    /// Who asked for it, where that came to pass by itself later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<Text>,
    /// What, in words.
    pub what: Text,
}

/// An execution of a definition, from its proposal to its end.
///
/// `version` rises with every step of its machine; never with output or a renewed lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// Its name.
    pub id: FixId,
    /// Of which definition.
    pub definition_id: Text,
    /// What it does, in a line.
    pub title: Text,
    /// What it is for; None: a person proposed it without an alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_id: Option<AlertId>,
    /// What can go wrong.
    pub risk: Risk,
    /// Who decides.
    pub policy: Policy,
    /// What runs, exactly.
    pub plan: FixPlan,
    /// SHA-256 of the canonical plan, hex.
    pub plan_digest: Text,
    /// Who proposed it: a person, or `rule:ID`.
    pub proposed_by: Text,
    /// When.
    pub proposed_at: Timestamp,
    /// Where it stands.
    pub status: FixStatus,
    /// Who said yes.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// How many have to.
    pub quorum: u8,
    /// The policy `auto` approved it, nobody else did.
    #[serde(default)]
    pub by_policy: bool,
    /// Until when people may approve.
    pub approve_by: Timestamp,
    /// Until when it may start once approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute_by: Option<Timestamp>,
    /// What the dry run said.
    #[serde(default)]
    pub rehearsal: Vec<Text>,
    /// One a step of the plan.
    pub steps: Vec<FixStep>,
    /// When the watch on its success began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifying_since: Option<Timestamp>,
    /// How it ended, or why it stands where it stands.
    #[serde(default)]
    pub result: Text,
    /// What stays done after a failure.
    #[serde(default)]
    pub stays: Vec<Text>,
    /// Series worth watching while it runs.
    #[serde(default)]
    pub guards: Vec<Text>,
    /// What was observed in the alert when it was proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<f64>,
    /// When it reached its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What happened, oldest first; at most 64, the first and the last ones.
    #[serde(default)]
    pub trail: Vec<Trail>,
    /// What a change must name.
    pub version: u64,
}

/// Where a line of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// The child's standard output, or an answer's body.
    Out,
    /// The child's standard error.
    Err,
    /// The runner itself.
    Stella,
    /// A stream this reader does not know.
    #[serde(other)]
    Unknown,
}

/// A line of a running fix: event `fix_output`, and `GET /fixes/{id}/output`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixOutput {
    /// Whose.
    pub id: FixId,
    /// Dense within a fix, from 1.
    pub number: u64,
    /// Which step, from 0.
    pub step: u32,
    /// Where it came from.
    pub stream: Stream,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub text: Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_open_exactly_until_its_machine_has_no_step_left_but_a_rollback() {
        let open: Vec<&str> =
            FixStatus::ALL.into_iter().filter(|status| status.is_open()).map(FixStatus::word).collect();
        let expected =
            ["proposed", "pending", "approved", "running", "verifying", "undoing", "rollback_failed", "in_doubt"];
        assert_eq!(open, expected);
    }
}
