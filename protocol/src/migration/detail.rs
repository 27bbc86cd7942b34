//! The long parts of a migration, each with a route of its own.

use serde::{Deserialize, Serialize};

use super::{Counts, Migration, OrphanChoice};
use crate::id::MigrationId;
use crate::{Text, Timestamp};

/// A page of something: what `GET /migrations/{id}/…` answers.
macro_rules! page {
    ($(#[$doc:meta])* $name:ident, $item:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// In the order that the route names.
            pub items: Vec<$item>,
            /// Pass as `after` for the next page; None: this was the last.
            #[serde(default)]
            pub next: Option<String>,
        }
    };
}

page!(
    /// `GET /migrations/{id}/collections`: in the order they are written.
    CollectionPage,
    CollectionRow
);
page!(
    /// `GET /migrations/{id}/orphans`: most documents first.
    OrphanPage,
    Orphan
);
page!(
    /// `GET /migrations/{id}/mapping`: by old id.
    MappingPage,
    MappingRow
);
page!(
    /// `GET /migrations/{id}/errors`: newest first.
    TroublePage,
    Trouble
);
page!(
    /// `GET /migrations/{id}/log`: oldest first.
    LogPage,
    LogRow
);
page!(
    /// `GET /migrations/{id}/decisions`: open ones first.
    DecisionPage,
    Decision
);

/// A collection of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionRow {
    /// Its path.
    pub name: Text,
    /// 0: what people see is gone without it; 3: nobody notices. None: not declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Documents in it when it was looked at; None: it is declared and there is no such collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
    /// References to rewrite.
    pub references: u64,
    /// Documents to move.
    pub moves: u64,
    /// Documents that only an id without a user holds.
    pub orphans: u64,
    /// What became of its documents.
    pub counts: Counts,
}

/// Why two ids are one person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// In words.
    pub what: Text,
    /// Which document says so.
    pub document: Text,
}

/// An old id and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingRow {
    /// The old id.
    pub from: Text,
    /// Its form in words (`e-mail derived`, `numeric`, …).
    pub form: Text,
    /// The new one; the same where a valid one stays.
    pub to: Text,
    /// The new id was made for this; else it was there.
    pub minted: bool,
    /// References to the old one.
    pub references: u64,
    /// Why, per document.
    pub evidence: Vec<Evidence>,
    /// Who decided it; None: the evidence alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Text>,
}

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Two users hold one id.
    SharedId,
    /// One person seems to have several accounts.
    SeveralAccounts,
    /// An id fits several users.
    SeveralUsers,
    /// A kind this reader does not know.
    #[serde(other)]
    Unknown,
}

/// One way to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionOption {
    /// Its name, to be given back.
    pub name: Text,
    /// What it means.
    pub words: Text,
}

/// A question that only a person can answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// `dec-` and ten hexadecimal digits: the same question has the same in every look at the data.
    pub id: Text,
    /// What it is about.
    pub kind: DecisionKind,
    /// In words.
    pub question: Text,
    /// The ids it is about.
    pub ids: Vec<Text>,
    /// What is known.
    pub evidence: Vec<Evidence>,
    /// The ways to decide.
    pub options: Vec<DecisionOption>,
    /// What was decided; None: it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// The option's name.
    pub option: Text,
    /// Who.
    pub by: Text,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Text,
}

/// A user whose id an orphan could be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidateId {
    /// The user's id.
    pub user: Text,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
}

/// What was decided of an id without a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrphanDecision {
    /// What.
    pub choice: OrphanChoice,
    /// Whose, for `map`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// Who said so.
    pub by: Text,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Text,
    /// Who approved a `map`; None: nobody yet, so it stays in quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<Text>,
}

/// An id without a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// The id.
    pub id: Text,
    /// Its form in words.
    pub form: Text,
    /// Documents that hold it, by collection.
    pub documents: Vec<(Text, u64)>,
    /// References to it.
    pub references: u64,
    /// What is known of it: copies of e-mails and names beside it.
    pub known: Vec<Evidence>,
    /// Users whose it could be. Never acted upon.
    pub candidates: Vec<CandidateId>,
    /// What was decided; None: quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<OrphanDecision>,
}

/// What went wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// Left alone for a person.
    Parked,
    /// The store refused it.
    Failed,
    /// Verification found something else than it must be.
    Differs,
    /// Changed by others since: left as it is by the rollback.
    Kept,
    /// A kind this reader does not know.
    #[serde(other)]
    Unknown,
}

/// A document with which something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// Dense within a migration, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub kind: TroubleKind,
    /// Which document, its whole path.
    pub document: Text,
    /// What, and what to do.
    pub what: Text,
}

/// A line of the operation's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogRow {
    /// Dense within a migration, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: Text,
}

/// Something that verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Which check.
    pub check: Text,
    /// Which document, person or collection.
    pub what: Text,
    /// What is there, and what must be.
    pub detail: Text,
}

/// What a check of everything found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// When it ended.
    pub at: Timestamp,
    /// Documents looked at.
    pub documents: u64,
    /// The checks that were made, in words with their counts.
    pub checks: Vec<Text>,
    /// How many differences there are.
    pub differences: u64,
    /// Documents that somebody else changed, made or deleted since they were looked at: no difference by itself.
    pub changed_since: u64,
    /// The first 100 of those.
    #[serde(default)]
    pub first_changed: Vec<Text>,
    /// The first 100 differences.
    pub first: Vec<Difference>,
    /// Collections that are declared and were not there: not checked, not clean.
    pub not_checked: Vec<Text>,
}

/// What one person sees of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserPlace {
    /// The collection.
    pub collection: Text,
    /// Documents found under the id that the application asks with, before.
    pub before: u64,
    /// The same now.
    pub now: u64,
    /// As many as they must see in the end.
    pub expected: u64,
}

/// `GET /migrations/{id}/users/{who}`, and the rows of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserCheck {
    /// The id that stays.
    pub user: Text,
    /// The others.
    pub old_ids: Vec<Text>,
    /// Per collection.
    pub places: Vec<UserPlace>,
    /// Old ids that the application still asked for, or its lines said, since the cut-over; the last first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub old_id_uses: Vec<OldIdUse>,
}

/// That an old id was used since the cut-over: somebody's session, or a writer, still has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OldIdUse {
    /// Which.
    pub old_id: Text,
    /// How often.
    pub times: u64,
    /// When last.
    pub last_at: Timestamp,
}

/// `GET /aliases/{oldId}`: who an old id is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alias {
    /// The old id.
    pub old_id: Text,
    /// The one that stays.
    pub new_id: Text,
    /// The migration that moved it.
    pub migration: MigrationId,
}

/// `GET /migrations/{id}/report`: how it went, reconciled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The migration.
    pub migration: Migration,
    /// Every collection.
    pub collections: Vec<CollectionRow>,
    /// Every person who was touched.
    pub users: Vec<UserCheck>,
    /// Every id without a user.
    pub orphans: Vec<Orphan>,
    /// Every document with which something is wrong.
    pub troubles: Vec<Trouble>,
    /// What must add up and does, or does not, in words.
    pub reconciliation: Vec<Text>,
}
