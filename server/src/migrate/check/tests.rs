//! What verification finds, and what it lets pass.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;
use sha2::{Digest, Sha256};

use super::*;
use crate::migrate::form::HashId;
use crate::migrate::reference::ARCHIVED;

mod counted;

const MAP: &str = r#"
title = "t"
[users]
collection = "users"
email = "email"
[[collection]]
name = "notes"
refs = ["userId", "with[]"]
[[collection]]
name = "settings"
id = "{userId}"
refs = "by"
clash = "newest"
newest = "at"
[[collection]]
name = "badges"
refs = "userId"
"#;
const STRANGER: &str = "100000000000000000009";

fn new_id(person: usize) -> String {
    format!("usr_{person:020}")
}

fn old_id(person: usize) -> String {
    format!("p{person}_example_com")
}

fn number(person: usize) -> String {
    format!("2{person:020}")
}

fn document(path: &str, version: u64, fields: Value) -> Document {
    Document { key: DocumentKey::parse(path).unwrap(), version, fields: serde_json::from_value(fields).unwrap() }
}

fn digest(document: &Document) -> [u8; 32] {
    Sha256::digest(serde_json::to_vec(&document.fields).unwrap()).into()
}

/// A store in memory, with what the ledger and the backup know of it.
struct World {
    map: DataMap,
    mapping: Mapping,
    listed: BTreeSet<String>,
    olds: BTreeMap<String, Vec<String>>,
    before: BTreeMap<DocumentKey, Document>,
    /// What was copied away.
    images: BTreeMap<DocumentKey, Document>,
    now: BTreeMap<DocumentKey, Document>,
    /// The version that we left, and which document it was made of.
    left: BTreeMap<DocumentKey, (u64, DocumentKey)>,
    tombstones: BTreeMap<DocumentKey, BTreeMap<String, Value>>,
    parked: BTreeSet<DocumentKey>,
}

impl Others for World {
    fn copied(&self, copy: &DocumentKey) -> Result<Option<Copied>, Unread> {
        let made_of = self.left.get(copy).map(|(_, source)| source).filter(|source| *source != copy);
        let image = made_of.and_then(|source| self.images.get(source));
        Ok(image.map(|image| Copied { source: image.key.clone(), version: image.version }))
    }

    fn was_seen(&self, key: &DocumentKey) -> Result<bool, Unread> {
        Ok(self.before.contains_key(key))
    }
}

impl World {
    /// So many people with two old ids each, and these documents, migrated but for the tombstones.
    fn migrated(people: usize, before: Vec<Document>) -> Self {
        Self::archiving(people, [], before)
    }

    /// The same, and what these ids without a user own is archived.
    fn archiving(people: usize, archived: impl IntoIterator<Item = String>, before: Vec<Document>) -> Self {
        let map = DataMap::parse("m.toml", MAP).unwrap();
        let pair = |one| [old_id(one), number(one)].map(|old| (old, HashId::parse(&new_id(one)).unwrap()));
        let olds = (0..people).map(|one| (new_id(one), vec![old_id(one), number(one)])).collect();
        let mut world = Self {
            mapping: Mapping::new((0..people).flat_map(pair), []).unwrap().archiving(archived),
            map,
            listed: BTreeSet::new(),
            olds,
            before: before.iter().map(|one| (one.key.clone(), one.clone())).collect(),
            images: BTreeMap::new(),
            now: before.iter().map(|one| (one.key.clone(), one.clone())).collect(),
            left: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            parked: BTreeSet::new(),
        };
        for document in before {
            world.migrate(document);
        }
        world
    }

    /// As the copy does.
    fn migrate(&mut self, document: Document) {
        let collection = self.map.collection(&document.key.collection).unwrap();
        let Rewritten::Changed(changed) = rewrite(&self.map, collection, &document, &self.mapping) else { return };
        self.images.insert(document.key.clone(), document.clone());
        if let Some(there) = self.now.get(&changed.key).filter(|there| there.key != document.key) {
            let ours = self.left.get(&changed.key).is_some_and(|(_, source)| *source == document.key);
            match of_documents(&collection.clash, &there.fields, &changed.fields) {
                _ if ours => {}
                Some(Stays::Second) => drop(self.images.entry(there.key.clone()).or_insert(there.clone())),
                Some(Stays::Either | Stays::First) => return,
                None => {
                    self.parked.insert(document.key);
                    return;
                }
            }
        }
        let version = document.version + 1_000_000;
        self.left.insert(changed.key.clone(), (version, document.key));
        self.now.insert(changed.key.clone(), Document { key: changed.key, version, fields: changed.fields });
    }

    /// As the cut-over does.
    fn bury(&mut self, path: &str) {
        let key = DocumentKey::parse(path).unwrap();
        let fields = BTreeMap::from([("_movedTo".to_owned(), json!("there")), ("_run".to_owned(), json!("mig-1"))]);
        self.now.insert(key.clone(), Document { key: key.clone(), version: 9, fields: fields.clone() });
        self.left.insert(key.clone(), (9, key.clone()));
        self.tombstones.insert(key, fields);
    }

    /// What was left, or stands, where one is to go that did not go there.
    fn there(&self, document: &Document) -> Option<BTreeMap<String, Value>> {
        let collection = self.map.collection(&document.key.collection).filter(|one| one.id.is_some())?;
        let becomes = |one: &Document| match rewrite(&self.map, collection, one, &self.mapping) {
            Rewritten::Changed(changed) => (changed.key, changed.fields),
            _ => (one.key.clone(), one.fields.clone()),
        };
        let (to, _) = becomes(document);
        match self.left.get(&to) {
            _ if to == document.key => None,
            Some((_, source)) if *source == document.key => None,
            Some((_, source)) => Some(becomes(&self.images[source]).1),
            None => self.now.get(&to).map(|there| becomes(there).1),
        }
    }

    fn verified(&self) -> (Vec<Difference>, Verification, Tally) {
        let ids = Ids { mapping: &self.mapping, listed: &self.listed, olds: &self.olds };
        let mut judge = Judge::new(&self.map, ids, self);
        for document in self.before.values() {
            let collection = self.map.collection(&document.key.collection).unwrap();
            if let Some(owner) = owner(&self.map, collection, document, &|id| self.mapping.knows(id)) {
                judge.owned(&owner, &collection.name, 1);
            }
        }
        let keys: BTreeSet<&DocumentKey> = self.before.keys().chain(self.left.keys()).chain(self.now.keys()).collect();
        let mut found = Vec::new();
        for key in keys {
            let (left, tombstone) = (self.left.get(key), self.tombstones.get(key));
            let content = tombstone.map_or(Content::Rewritten, Content::Exactly);
            let now = self.now.get(key);
            let there = now.and_then(|now| self.there(now));
            let source = left.map_or(key, |(_, source)| source);
            let verdict = judge.judge(&Case {
                key,
                seen: self.before.get(key).map(|one| Was { version: one.version, digest: digest(one) }),
                left: left.map(|(version, _)| Left { version: *version, content }),
                parked: self.parked.contains(key),
                before: self.images.get(source),
                replaced: self.images.get(key).filter(|_| source != key),
                there: there.as_ref(),
                now: now.map(|now| (now, digest(now))),
            });
            let verdict = verdict.unwrap();
            if let Verdict::Differs(difference) = verdict {
                found.push(difference);
            }
        }
        let tally = judge.tally.clone();
        (found, judge.done(Timestamp::from_millis(1)), tally)
    }

    fn found(&self) -> Vec<(String, String)> {
        let (found, verification, _) = self.verified();
        assert_eq!(found.len() as u64, verification.differences, "{:?}", verification.first);
        found.iter().map(|one| (one.check.raw().to_owned(), one.what.raw().to_owned())).collect()
    }

    fn edit(&mut self, path: &str, field: &str, value: Value) {
        let document = self.now.get_mut(&DocumentKey::parse(path).unwrap()).unwrap();
        document.version += 1;
        document.fields.insert(field.to_owned(), value);
    }
}

fn note(number: usize, owner: &str) -> Document {
    document(&format!("notes/n{number:06}"), number as u64 + 1, json!({"userId": owner, "text": "x", "with": []}))
}

fn settings(person: usize) -> Document {
    document(&format!("settings/{}", old_id(person)), 7, json!({"by": old_id(person), "theme": "dark"}))
}

fn small() -> World {
    let mut documents: Vec<Document> = (0..6).map(|number| note(number, &old_id(number % 3))).collect();
    documents.extend((0..3).map(settings));
    documents.push(note(6, &new_id(1)));
    documents.push(note(7, "system"));
    World::migrated(3, documents)
}

fn pair(check: &str, what: &str) -> (String, String) {
    (check.to_owned(), what.to_owned())
}

/// A ledger that does not answer.
struct Silent;

impl Others for Silent {
    fn copied(&self, _: &DocumentKey) -> Result<Option<Copied>, Unread> {
        Err(Unread("the disk is gone".into()))
    }

    fn was_seen(&self, _: &DocumentKey) -> Result<bool, Unread> {
        Err(Unread("the disk is gone".into()))
    }
}

#[test]
fn what_the_ledger_does_not_say_is_taken_neither_for_yes_nor_for_no() {
    let world = small();
    let ids = Ids { mapping: &world.mapping, listed: &world.listed, olds: &world.olds };
    let extra = document(&format!("settings/{}", new_id(0)), 1, json!({"by": new_id(0)}));
    for (now, was_seen) in [(settings(0), true), (extra, false)] {
        let mut judge = Judge::new(&world.map, ids, &Silent);
        let verdict = judge.judge(&Case {
            key: &now.key,
            seen: was_seen.then(|| Was { version: now.version, digest: digest(&now) }),
            left: None,
            parked: false,
            before: None,
            replaced: None,
            there: None,
            now: Some((&now, digest(&now))),
        });
        assert!(verdict.is_err(), "{}: {verdict:?}", now.key.path());
    }
}

#[test]
fn a_store_that_was_migrated_is_fine_before_and_after_the_tombstones() {
    let mut world = small();
    assert_eq!(world.found(), []);
    let (_, verification, tally) = world.verified();
    assert_eq!((verification.documents, verification.changed_since), (14, 0));
    let not_checked: Vec<&str> = verification.not_checked.iter().map(Text::raw).collect();
    assert_eq!(not_checked, ["badges"]);
    assert_eq!(tally.of_one(&new_id(1)), [("notes", 3, 3), ("settings", 1, 1)]);
    for person in 0..3 {
        world.bury(&format!("settings/{}", old_id(person)));
    }
    assert_eq!(world.found(), []);
}

#[test]
fn five_of_five_planted_damages_are_found_among_a_hundred_thousand() {
    let documents = (0..99_000).map(|number| match number % 3 {
        0 => note(number, &new_id(number % 1000)),
        _ => note(number, &old_id(number % 1000)),
    });
    let mut world = World::migrated(1000, documents.chain((0..999).map(settings)).collect());
    assert_eq!(world.found(), []);
    let at = |path: &str| DocumentKey::parse(path).unwrap();
    world.now.get_mut(&at("notes/n000301")).unwrap().fields.insert("text".to_owned(), json!("y"));
    world.now.remove(&at("notes/n050000"));
    // The ledger knows of no move: somebody else put it where one goes to.
    let extra = document(&format!("settings/{}", new_id(5)), 3, json!({"by": new_id(5)}));
    world.left.remove(&extra.key);
    world.now.insert(extra.key.clone(), extra.clone());
    world.edit("notes/n000400", "userId", json!(STRANGER));
    world.edit("notes/n000500", "userId", json!(new_id(7)));
    let mut found = world.found();
    let mut want = [
        pair("damaged", "notes/n000301"),
        pair("missing", "notes/n050000"),
        pair("orphan", "notes/n000400"),
        pair("wrong owner", "notes/n000500"),
        pair("extra", &format!("settings/{}", new_id(5))),
        // The original that the extra one stands in the way of waits for a copy that was never made.
        pair("old id", &format!("settings/{}", old_id(5))),
    ];
    found.sort();
    want.sort();
    assert_eq!(found, want);
}

#[test]
fn what_others_did_since_is_listed_and_no_difference_while_it_is_of_the_same_people() {
    let mut world = small();
    world.edit("notes/n000001", "text", json!("edited"));
    let made = note(40, &new_id(2));
    world.now.insert(made.key.clone(), made);
    assert_eq!(world.found(), []);
    let (_, verification, tally) = world.verified();
    let changed: Vec<&str> = verification.first_changed.iter().map(Text::raw).collect();
    assert_eq!(changed, ["notes/n000001", "notes/n000040"]);
    assert_eq!(tally.of_one(&new_id(2))[0], ("notes", 3, 3));
}

#[test]
fn a_share_that_somebody_adds_or_takes_back_is_listed_and_another_owner_is_a_difference() {
    let mut world = small();
    world.edit("notes/n000001", "with", json!([new_id(2)]));
    assert_eq!(world.found(), []);
    let (_, verification, _) = world.verified();
    assert_eq!(verification.changed_since, 1);
    let told: Vec<&str> = verification.checks.iter().map(Text::raw).collect();
    assert!(told.contains(&"1 documents changed by others: their owners compared, 1 name other people than before"));
    world.edit("notes/n000001", "with", json!([]));
    assert_eq!(world.found(), [], "and taken back");
    world.edit("notes/n000001", "with", json!([STRANGER]));
    assert_eq!(world.found(), [pair("orphan", "notes/n000001")], "a share with nobody");
    world.edit("notes/n000001", "with", json!([old_id(2)]));
    assert_eq!(world.found(), [pair("old id", "notes/n000001")], "a share under an old id");
    world.edit("notes/n000001", "with", json!([]));
    world.edit("notes/n000001", "userId", json!(new_id(2)));
    assert_eq!(world.found(), [pair("wrong owner", "notes/n000001")]);
    world.edit("notes/n000001", "userId", Value::Null);
    assert_eq!(world.found(), [pair("wrong owner", "notes/n000001")], "nobody's any more");
}
