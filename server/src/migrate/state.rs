//! A migration as the server keeps it: what everyone may see, and what only its runner needs.

use serde::{Deserialize, Serialize};
use stella_protocol::migration::PhaseName;
use stella_protocol::{Migration, MigrationStatus, Text, Timestamp};

/// A migration and how its execution stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationState {
    /// As everyone sees it.
    pub migration: Migration,
    /// As its runner does.
    pub work: Work,
}

/// How the execution stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// Of the store: rises with every claim. What names a lower one is refused.
    pub fence: u64,
    /// Which runner has it; None: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Text>,
    /// Until when, server time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// What a person asked for, to be begun or gone on with by the runner: a phase without a status of its own
    /// (`Rehearse` while planned, `Verify` at any time) or the one of its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<PhaseName>,
    /// Why the phase under way is to end after the writes in flight, and what it becomes then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// The status that a pause or a halt interrupted: where `resume` goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<MigrationStatus>,
    /// Documents refused and left alone when a person last said that it goes on: its guards count from there.
    #[serde(default)]
    pub accepted: (u64, u64),
    /// The application's own queries that were too slow when a person last said that it goes on, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_slow: Vec<Text>,
}

/// How a phase under way is to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// What it becomes: paused, halted, rolling back.
    pub becomes: MigrationStatus,
    /// Why, and who said so, in words.
    pub why: Text,
    /// Who asked for it; None: nobody, a guard did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Text>,
}

/// A migration before it has its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Who makes it.
    pub by: Text,
    /// The store, as a person types it to approve.
    pub target: Text,
    /// The data map's title.
    pub map_title: Text,
    /// Users in the canary.
    pub canary: u32,
    /// How long nobody may use an old id before it is complete, in milliseconds.
    pub soak_ms: i64,
}
