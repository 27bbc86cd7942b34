//! What a migration does: the ids and what they become, what people decided, and how much that is for each
//! collection. The digest that approvals bind to is made of exactly this.
//!
//! The same data, map, key and decisions always make the same plan: no time goes in. What was measured on
//! the way ([`Measured`]) is for people and is not bound.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stella_protocol::migration::{FirstScope, MigrationKind, OrphanChoice, PlanSummary};
use stella_protocol::{Text, Timestamp};

use crate::documents::{DocumentKey, shape};

/// Where aliases of old ids stand.
pub const ALIASES: &str = "user_id_aliases";

/// A complete plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What is migrated.
    pub kind: MigrationKind,
    /// Names the key that made new ids.
    pub key_id: String,
    /// The data map's title.
    pub map_title: String,
    /// SHA-256 of the data map's text, hex.
    pub map_digest: String,
    /// Every id that is known, and the hash id that it becomes; the same where a valid one stays.
    pub mapping: BTreeMap<String, String>,
    /// Further ids of the same people, that the data did not hold: rewritten where they turn up.
    pub further: BTreeMap<String, String>,
    /// Ids that could be several people's and of which nobody could say whose: they stay.
    pub stays: BTreeSet<String>,
    /// What is done with ids without a user, where something is: one that is not here stays in quarantine,
    /// and so does one whose `map` nobody approved.
    pub orphan_choices: BTreeMap<String, OrphanChosen>,
    /// The option that was decided, by the id of the decision.
    pub decided: BTreeMap<String, String>,
    /// In the order in which they are written; what is not declared, or declared and not there, stands
    /// among them.
    pub collections: Vec<PlannedCollection>,
}

/// What is done with the documents of an id without a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrphanChosen {
    /// What.
    pub choice: OrphanChoice,
    /// Whose they are, for `map`; which user document is made for them, for `placeholder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A collection of the plan. Counts are documents, but for `references`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedCollection {
    /// As the data map or the survey names it: collections below documents have one name for all.
    pub name: String,
    /// 0: what people see is gone without it; 3: nobody notices. None: not declared.
    pub priority: Option<u8>,
    /// All of it; None: it is declared and is not there.
    pub documents: Option<u64>,
    /// References to rewrite.
    pub references: u64,
    /// To move: their id holds a user's.
    pub moves: u64,
    /// To change in place.
    pub changes: u64,
    /// That hold an id without a user and none that changes.
    pub orphans: u64,
    /// That will be parked.
    pub clashes: u64,
    /// Of those to change, how many are marked as archived.
    #[serde(default, skip_serializing_if = "is_none")]
    pub archived: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the serialiser wants it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What a look measured besides the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// When it ended.
    pub scanned_at: Timestamp,
    /// Ids without a user.
    pub orphan_ids: u64,
    /// Batches of writes.
    pub batches: u64,
    /// Bytes that will be written, about.
    pub bytes: u64,
    /// What the first run by scripts would have covered; None: the map names no such scope.
    pub first_scope: Option<FirstScope>,
    /// Places that hold a user's id and are not declared.
    pub misses: u64,
}

impl Plan {
    /// SHA-256 of its canonical JSON (keys sorted, no spaces), hex.
    ///
    /// # Errors
    /// When it holds what JSON has no word for.
    pub fn digest(&self) -> Result<String, serde_json::Error> {
        let canonical = serde_json::to_value(self)?.to_string();
        Ok(hex(&Sha256::digest(canonical.as_bytes())))
    }

    /// Ids without a user whose documents are archived.
    pub fn archived(&self) -> impl Iterator<Item = &String> {
        self.orphan_choices.iter().filter(|(_, chosen)| chosen.choice == OrphanChoice::Archive).map(|(id, _)| id)
    }

    /// User documents that it makes, by their ids, and the ids without a user that each is made for.
    pub fn placeholders(&self) -> BTreeMap<&String, Vec<&String>> {
        let mut made: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for (id, chosen) in &self.orphan_choices {
            if let (OrphanChoice::Placeholder, Some(user)) = (chosen.choice, &chosen.user) {
                made.entry(user).or_default().push(id);
            }
        }
        made
    }

    /// The old ids that a cut-over makes alias documents of: those that can name a document.
    pub fn aliases(&self) -> impl Iterator<Item = &String> {
        let all = self.mapping.iter().chain(&self.further).filter(|(old, new)| old != new);
        all.map(|(old, _)| old).filter(|old| is_aliased(old))
    }

    /// As everyone sees it.
    ///
    /// # Errors
    /// When it has no digest.
    pub fn summary(&self, measured: Measured) -> Result<PlanSummary, serde_json::Error> {
        let sum = |of: fn(&PlannedCollection) -> u64| self.collections.iter().map(of).sum();
        let there = self.collections.iter().filter(|one| one.documents.is_some());
        let moving: Vec<&String> = self.mapping.iter().filter(|(old, new)| old != new).map(|(_, new)| new).collect();
        Ok(PlanSummary {
            digest: Text::new(self.digest()?),
            scanned_at: measured.scanned_at,
            key_id: Text::new(self.key_id.clone()),
            documents: sum(|one| one.documents.unwrap_or(0)),
            collections: there.clone().count() as u64,
            undeclared: there.filter(|one| one.priority.is_none()).count() as u64,
            changes: sum(|one| one.changes),
            moves: sum(|one| one.moves),
            references: sum(|one| one.references),
            users: moving.iter().collect::<BTreeSet<_>>().len() as u64,
            old_ids: moving.len() as u64,
            aliases: Some(self.aliases().count() as u64),
            orphan_ids: measured.orphan_ids,
            orphan_documents: sum(|one| one.orphans),
            clashes: sum(|one| one.clashes),
            batches: measured.batches,
            bytes: measured.bytes,
            first_scope: measured.first_scope,
            misses: measured.misses,
            placeholders: self.placeholders().len() as u64,
            archived: sum(|one| one.archived),
            elsewhere: Vec::new(),
            workarounds: Vec::new(),
        })
    }
}

/// True for an id that can name a document.
pub fn is_aliased(old: &str) -> bool {
    shape::key(&DocumentKey::new(ALIASES, old)).is_ok()
}

/// Bytes in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        hex.push_str(&format!("{byte:02x}"));
        hex
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
        let users = PlannedCollection {
            name: "users".into(),
            priority: Some(0),
            documents: Some(3),
            moves: 2,
            ..Default::default()
        };
        let odd = PlannedCollection { name: "odd".into(), documents: Some(5), orphans: 1, ..Default::default() };
        let gone = PlannedCollection { name: "gone".into(), priority: Some(3), ..Default::default() };
        Plan {
            kind: MigrationKind::UserIds,
            key_id: "k".into(),
            map_title: "m".into(),
            map_digest: "d".into(),
            mapping: BTreeMap::from([pair("7", "usr_a"), pair("ana_example_com", "usr_a"), pair("usr_b", "usr_b")]),
            further: BTreeMap::new(),
            stays: BTreeSet::new(),
            orphan_choices: BTreeMap::new(),
            decided: BTreeMap::new(),
            collections: vec![users, odd, gone],
        }
    }

    fn measured() -> Measured {
        let scanned_at = Timestamp::from_millis(1);
        Measured { scanned_at, orphan_ids: 1, batches: 1, bytes: 9, first_scope: None, misses: 0 }
    }

    #[test]
    fn everything_in_a_plan_binds_and_nothing_else() {
        let (one, mut other) = (plan(), plan());
        assert_eq!(one.digest().unwrap(), other.digest().unwrap());
        let later = Measured { scanned_at: Timestamp::from_millis(2), ..measured() };
        assert_eq!(one.summary(measured()).unwrap().digest, one.summary(later).unwrap().digest);
        let mut digests = BTreeSet::from([one.digest().unwrap()]);
        let mut differs = |plan: &Plan| assert!(digests.insert(plan.digest().unwrap()));
        other.mapping.insert("8".into(), "usr_c".into());
        differs(&other);
        other.collections[0].changes += 1;
        differs(&other);
        other.decided.insert("dec-1".into(), "first".into());
        differs(&other);
        let user = Some("usr_a".to_owned());
        other.orphan_choices.insert("9".into(), OrphanChosen { choice: OrphanChoice::Map, user });
        differs(&other);
        other.orphan_choices.insert("9".into(), OrphanChosen { choice: OrphanChoice::Archive, user: None });
        differs(&other);
        other.collections[0].archived += 1;
        differs(&other);
        other.key_id.push('x');
        differs(&other);
        other.map_digest.push('x');
        differs(&other);
    }

    #[test]
    fn a_summary_counts_people_once_and_what_stays_not_at_all() {
        let summary = plan().summary(measured()).unwrap();
        assert_eq!((summary.users, summary.old_ids, summary.aliases), (1, 2, Some(2)));
        assert_eq!((summary.documents, summary.collections, summary.undeclared), (8, 2, 1));
        assert_eq!((summary.moves, summary.orphan_documents), (2, 1));
        assert_eq!((summary.placeholders, summary.archived), (0, 0));
    }

    #[test]
    fn an_alias_is_made_of_every_old_id_that_can_name_a_document_also_of_those_the_data_does_not_hold() {
        let mut plan = plan();
        for old in ["ana@example.com", "usr_ana_example_com", "not/one"] {
            plan.further.insert(old.into(), "usr_a".into());
        }
        assert_eq!(
            plan.aliases().collect::<Vec<_>>(),
            ["7", "ana_example_com", "ana@example.com", "usr_ana_example_com"]
        );
        let summary = plan.summary(measured()).unwrap();
        assert_eq!((summary.old_ids, summary.aliases), (2, Some(4)));
    }

    #[test]
    fn a_summary_tells_what_is_done_with_ids_without_a_user() {
        let mut plan = plan();
        for (id, choice, user) in [
            ("1", OrphanChoice::Placeholder, Some("usr_p")),
            ("1 ", OrphanChoice::Placeholder, Some("usr_p")),
            ("2", OrphanChoice::Placeholder, Some("usr_q")),
            ("3", OrphanChoice::Archive, None),
            ("4", OrphanChoice::Map, Some("usr_a")),
        ] {
            plan.orphan_choices.insert(id.into(), OrphanChosen { choice, user: user.map(str::to_owned) });
        }
        (plan.collections[0].archived, plan.collections[1].archived) = (3, 1);
        let summary = plan.summary(measured()).unwrap();
        assert_eq!((summary.placeholders, summary.archived), (2, 4));
        assert_eq!(plan.archived().collect::<Vec<_>>(), ["3"]);
    }
}
