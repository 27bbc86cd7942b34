//! What a migration's plan comes to, in figures.

use serde::{Deserialize, Serialize};

use crate::{Text, Timestamp};

/// What the plan found, and what it would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// SHA-256 of the canonical plan, hex: mapping, map, batches' documents before and after.
    pub digest: Text,
    /// When the data was looked at.
    pub scanned_at: Timestamp,
    /// The key that made new ids.
    pub key_id: Text,
    /// Documents looked at.
    pub documents: u64,
    /// Collections looked at.
    pub collections: u64,
    /// Of those, how many the data map does not declare.
    pub undeclared: u64,
    /// Documents to change in place.
    pub changes: u64,
    /// Documents whose id holds a user's: a copy under the new one.
    pub moves: u64,
    /// References to rewrite.
    pub references: u64,
    /// People who get a new id, or lose a second one.
    pub users: u64,
    /// Old ids in the data that go to one of theirs.
    pub old_ids: u64,
    /// Alias documents that a cut-over makes: one for each old id that can name a document, those that the data
    /// does not hold among them. None: nobody counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aliases: Option<u64>,
    /// Ids without a user.
    pub orphan_ids: u64,
    /// Documents that only they hold.
    pub orphan_documents: u64,
    /// Documents that will be parked.
    pub clashes: u64,
    /// Batches of writes.
    pub batches: u64,
    /// Bytes that will be written, about.
    pub bytes: u64,
    /// The same counts for what the first run by scripts would have covered: users, conversations, messages,
    /// shares, folders, groups. None: the data map names no such scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_scope: Option<FirstScope>,
    /// What the data map misses: places that hold a user's id and are not declared.
    #[serde(default)]
    pub misses: u64,
    /// What the data map says is not in the documents, and who sees to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Text>,
    /// What the data map says must be gone before a cut-over: that it is, a person states there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workarounds: Vec<Text>,
    /// User documents that are made for ids without a user.
    #[serde(default, skip_serializing_if = "is_none")]
    pub placeholders: u64,
    /// Documents of ids without a user that are marked as archived: `changes` has them too.
    #[serde(default, skip_serializing_if = "is_none")]
    pub archived: u64,
}

/// What there is none of is not sent: whoever compares what they read with what came knows no such field.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the serialiser wants it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What the first migration by scripts covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FirstScope {
    /// Owners of conversations that need moving.
    pub users: u64,
    /// Their conversations.
    pub conversations: u64,
    /// Their messages.
    pub messages: u64,
    /// Shares with an owner or a person to move.
    pub shares: u64,
    /// Folders.
    pub folders: u64,
    /// Groups.
    pub groups: u64,
    /// Conversations whose owner is no user.
    pub orphaned_conversations: u64,
    /// Ids that own those.
    pub orphan_ids: u64,
}
