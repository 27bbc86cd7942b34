//! The old ids that log lines may say after a cut-over, to be looked for in every line.
//!
//! An e-mail is never one of them: it says who somebody is, whichever id is in use.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashSet;
use serde_json::Value;
use stella_protocol::{LogEvent, MigrationId, Timestamp, Untrusted};

use crate::migrate::map::Kind;
use crate::migrate::map::place::{Place, Step};
use crate::migrate::{DataMap, Form, Plan, form};

/// Most old ids that are looked for: 8 bytes each and the room between them.
const MOST: usize = 1_000_000;

/// Most of them whose use is remembered until it is taken: as many people at once use no application of ours.
const REMEMBERED: usize = 10_000;

/// Old ids of one migration, as keyed hashes: whoever reads the memory finds no ids in it but those that were used
/// a moment ago.
#[derive(Debug)]
pub struct OldIds {
    migration: MigrationId,
    since: Timestamp,
    ids: FxHashSet<u64>,
    keyed: RandomState,
    fields: Vec<String>,
    used: Mutex<BTreeMap<String, Used>>,
}

/// How an old id was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// How often.
    pub times: u64,
    /// When last.
    pub last: Timestamp,
}

impl OldIds {
    /// Those of a plan, at most a million; looked for in lines from the cut-over on.
    pub fn new(migration: MigrationId, since: Timestamp, plan: &Plan, map: &DataMap) -> Self {
        let keyed = RandomState::new();
        let pairs = plan.mapping.iter().chain(&plan.further).filter(|(old, new)| old != new);
        let old = pairs.map(|(old, _)| old).filter(|old| Form::of(old) != Form::Email).take(MOST);
        let ids = old.map(|old| keyed.hash_one(form::folded(old).as_ref())).collect();
        Self { migration, since, ids, keyed, fields: fields(map), used: Mutex::default() }
    }

    /// Whose.
    pub fn migration(&self) -> &MigrationId {
        &self.migration
    }

    /// True when the line was written since the cut-over and says an old id where ids of users stand: its user,
    /// its affected users, or an attribute called like a field of the data map that holds them. Remembers which.
    pub fn is_said_in(&self, event: &LogEvent<'_>) -> bool {
        if event.timestamp.unwrap_or(event.received_at) < self.since {
            return false;
        }
        let users = event.user_id.iter().chain(&event.affected_users).map(Untrusted::raw);
        let named = event.attributes.iter().filter(|(name, _)| self.fields.binary_search(name).is_ok());
        let said = users.chain(named.filter_map(|(_, value)| Value::as_str(value))).find(|id| self.holds(id));
        if let Some(id) = said {
            self.remember(id, Used { times: 1, last: event.received_at });
        }
        said.is_some()
    }

    /// Remembers that this one was used.
    pub fn remember(&self, id: &str, used: Used) {
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let id = form::folded(id);
        if all.len() < REMEMBERED || all.contains_key(id.as_ref()) {
            let one = all.entry(id.into_owned()).or_insert(Used { times: 0, last: used.last });
            *one = Used { times: one.times.saturating_add(used.times), last: one.last.max(used.last) };
        }
    }

    /// Those that were used since this was asked last, as they are compared.
    pub fn take_used(&self) -> BTreeMap<String, Used> {
        std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn holds(&self, id: &str) -> bool {
        self.ids.contains(&self.keyed.hash_one(form::folded(id).as_ref()))
    }
}

/// The names of fields that hold ids of users, sorted. What says who somebody is at the sign-in is none.
fn fields(map: &DataMap) -> Vec<String> {
    let declared = map.collections.iter().flat_map(|collection| &collection.places);
    let ids = declared.filter(|declared| declared.kind == Kind::Id).filter_map(|declared| last_field(&declared.place));
    let signs: Vec<&str> = map.users.ids.iter().chain(&map.users.email).filter_map(last_field).collect();
    let mut names: Vec<String> = ids.filter(|name| !signs.contains(name)).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn last_field(place: &Place) -> Option<&str> {
    place.steps().iter().rev().find_map(|step| if let Step::Field(name) = step { Some(name.as_str()) } else { None })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use stella_protocol::migration::MigrationKind;

    use super::*;
    use crate::ingest::{self, BodyKind};

    const MAP: &str = "title = \"t\"\n[users]\ncollection = \"users\"\nemail = \"email\"\nids = \"googleUserId\"\n\
        [[collection]]\nname = \"users\"\nid = \"{userId}\"\nrefs = [\"createdBy\"]\n\
        [[collection]]\nname = \"notes\"\nrefs = [\"ownerId\"]\n";

    fn ids() -> OldIds {
        let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
        let new = "usr_aaaaaaaaaaaaaaaaaaaa";
        let plan = Plan {
            kind: MigrationKind::UserIds,
            key_id: String::new(),
            map_title: String::new(),
            map_digest: String::new(),
            mapping: BTreeMap::from([pair("ana_example_com", new), pair("ana@example.com", new), pair(new, new)]),
            further: BTreeMap::from([pair("100000000000000000042", new)]),
            stays: BTreeSet::new(),
            orphan_choices: BTreeMap::new(),
            decided: BTreeMap::new(),
            collections: Vec::new(),
        };
        let map = DataMap::parse("m.toml", MAP).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        OldIds::new("mig-1".parse().unwrap(), Timestamp::from_millis(1_780_000_000_000), &plan, &map)
    }

    fn said(line: &str) -> bool {
        let batch = ingest::parse(line, BodyKind::Json, Timestamp::from_millis(1_780_000_000_000)).unwrap();
        ids().is_said_in(&batch.events[0])
    }

    #[test]
    fn an_old_id_counts_as_the_user_or_in_a_field_of_the_map_since_the_cut_over() {
        assert!(said(r#"{"message":"m","userId":"ana_example_com"}"#));
        assert!(said(r#"{"message":"m","userId":"Ana_Example_com"}"#));
        assert!(said(r#"{"message":"m","ownerId":"100000000000000000042"}"#));
        assert!(!said(r#"{"timestamp":"2020-01-01T00:00:00Z","message":"m","userId":"ana_example_com"}"#));
    }

    #[test]
    fn which_old_id_was_used_is_remembered_until_it_is_taken() {
        let (ids, at) = (ids(), Timestamp::from_millis);
        ids.remember("ANA_example_com", Used { times: 2, last: at(5) });
        ids.remember("ana_example_com", Used { times: 1, last: at(3) });
        let used = BTreeMap::from([("ana_example_com".to_owned(), Used { times: 3, last: at(5) })]);
        assert_eq!(ids.take_used(), used);
        assert_eq!(ids.take_used(), BTreeMap::new());
        for number in 0..REMEMBERED + 5 {
            ids.remember(&format!("{number}"), Used { times: 1, last: at(1) });
        }
        assert_eq!(ids.take_used().len(), REMEMBERED);
    }

    #[test]
    fn new_ids_e_mails_sign_ins_and_other_texts_do_not() {
        assert!(!said(r#"{"message":"m","userId":"usr_aaaaaaaaaaaaaaaaaaaa"}"#));
        assert!(!said(r#"{"message":"m","userId":"ana@example.com"}"#));
        assert!(!said(r#"{"message":"m","googleUserId":"100000000000000000042"}"#));
        assert!(!said(r#"{"message":"ana_example_com","note":"ana_example_com"}"#));
    }
}
