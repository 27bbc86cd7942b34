//! What references a document holds, what becomes of it, and what never does.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use stella_protocol::Text;

use super::*;
use crate::migrate::form::{HashId, pseudonym};
use crate::migrate::map::place::Step;
use crate::migrate::map::shipped;

/// Every kind of place there is.
const MAP: &str = r#"
title = "t"
[users]
collection = "users"
email = "email"
[[collection]]
name = "owned/{userId}/things"
id = "{userId}_{rest}"
clash = "merge"
rank = "access: view < edit"
refs = ["userId", "s[].id where type = user unique", "members[] unique", "votes.{userId}", "d.*.by[].u", "n[][]"]
mixed = "maybe"
pseudonyms = "hashed"
storage = "file"
[[collection]]
name = "network"
id = "{pseudonym}"
refs = "by"
[[collection]]
name = "talks"
id = "{userId}_{rest}"
refs = ["userId", "with[]"]
archive = "status = archived"
[[collection]]
name = "notes"
refs = ["userId", "with[].u"]
"#;

const ANA: &str = "ana_example_com";
const GOOGLE: &str = "100000000000000000001";
const BO: &str = "Bo@Example.com";
const STRANGER: &str = "100000000000000000009";

pub(in crate::migrate) fn hash(letter: char) -> HashId {
    HashId::parse(&format!("usr_{}", letter.to_string().repeat(20))).unwrap()
}

fn new_ana() -> String {
    hash('a').as_str().to_owned()
}

fn map() -> DataMap {
    DataMap::parse("m.toml", MAP).unwrap()
}

/// Two ids of Ana become one, one of Bo becomes his.
fn mapping() -> Mapping {
    let pairs = [(ANA, hash('a')), (GOOGLE, hash('a')), ("bo@example.com", hash('b'))];
    Mapping::new(pairs.map(|(old, new)| (old.to_owned(), new)), []).unwrap()
}

fn document(path: &str, fields: Value) -> Document {
    let fields = serde_json::from_value(fields).unwrap();
    Document { key: DocumentKey::parse(path).unwrap(), version: 1, fields }
}

fn told(document: &Document, known: &dyn Fn(&str) -> bool) -> Vec<(String, String)> {
    let map = map();
    let collection = map.collection(&document.key.collection).unwrap();
    let references = references(&map, collection, document, known);
    references.into_iter().map(|one| (one.path, one.id.into_owned())).collect()
}

fn rewritten(document: &Document) -> Rewritten {
    let map = map();
    rewrite(&map, map.collection(&document.key.collection).unwrap(), document, &mapping())
}

fn changed(document: &Document) -> Changed {
    match rewritten(document) {
        Rewritten::Changed(changed) => *changed,
        other => unreachable!("{other:?}"),
    }
}

fn parked(path: &str, fields: Value) -> Vec<Clash> {
    match rewritten(&document(path, fields)) {
        Rewritten::Parked(clashes) => clashes,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_document_that_is_turned_becomes_what_it_is_rewritten_to_and_one_that_stays_keeps_its_fields() {
    let map = map();
    for (path, fields) in [
        ("notes/n", json!({"userId": ANA, "with": [{"u": GOOGLE}, {"u": STRANGER}], "title": "t"})),
        ("notes/n", json!({"userId": STRANGER, "with": [{"u": new_ana()}]})),
        (AT, json!({"s": [{"type": "user", "id": ANA}, {"type": "user", "id": GOOGLE}]})),
        (AT, json!({"votes": {ANA: 1, GOOGLE: 2}})),
        ("network/n", json!({"by": GOOGLE})),
    ] {
        let before = document(path, fields);
        let collection = map.collection(&before.key.collection).unwrap();
        let mut turned = before.clone();
        let becomes = turn(&map, collection, &mut turned, &mapping());
        assert_eq!(becomes, rewritten(&before), "{path}");
        assert!(turned == before || matches!(becomes, Rewritten::Changed(_)), "{path}");
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(path, id)| ((*path).to_owned(), (*id).to_owned())).collect()
}

const AT: &str = "owned/o/things/x";

#[test]
fn every_reference_is_told_with_its_place() {
    let fields = json!({
        "userId": {"$reference": "users/ana_example_com"},
        "s": [{"type": "user", "id": BO}, {"type": "group", "id": "g"}],
        "members": [GOOGLE, null, 7],
        "votes": {ANA: 1},
        "d": {"x.com": {"by": [{"u": STRANGER}]}},
        "n": [[ANA], []],
        "maybe": "some words",
        "hashed": pseudonym(ANA),
        "file": "ana_example_com/a-7/x.pdf",
        "title": "ana_example_com",
    });
    let document = document(&format!("owned/{GOOGLE}/things/{ANA}_2025_11"), fields);
    let hashed = pseudonym(ANA);
    let want = [
        (PATH, GOOGLE),
        (ID, ANA),
        ("userId", ANA),
        ("s[0].id", BO),
        ("members[0]", GOOGLE),
        ("members[1]", ""),
        ("members[2]", "7"),
        ("votes.{ana_example_com}", ANA),
        ("d.`x.com`.by[0].u", STRANGER),
        ("n[0][0]", ANA),
        ("hashed", hashed.as_str()),
        ("file", ANA),
    ];
    assert_eq!(told(&document, &|id| id == ANA), pairs(&want));
    let map = map();
    let collection = map.collection(&document.key.collection).unwrap();
    let forms: Vec<Form> = references(&map, collection, &document, &|_| false).iter().map(|one| one.form).collect();
    assert!(forms.contains(&Form::Empty) && forms.contains(&Form::NotText));
}

#[test]
fn an_id_that_can_be_cut_in_several_ways_is_cut_where_a_user_is_known() {
    let id = |id: &str, known: &dyn Fn(&str) -> bool| {
        let found = told(&document(&format!("owned/o/things/{id}"), json!({})), known);
        found.into_iter().find(|(path, _)| path == ID).unwrap().1
    };
    assert_eq!(id("ana_example_com_x_y", &|id| id == "ana_example" || id == ANA), ANA, "the longest");
    assert_eq!(id(&format!("{}_x_y", new_ana()), &|_| false), new_ana(), "what looks like an id");
    assert_eq!(id("one_x_y", &|_| false), "one");
    assert_eq!(id("one", &|_| false), "one", "it does not have the pattern: all of it");
}

#[test]
fn only_ids_change_and_every_value_keeps_its_type() {
    let fields = json!({
        "userId": {"$reference": "users/ana_example_com"},
        "votes": {ANA: {"$timestamp": "2025-11-09T10:00:00Z"}, "other": null},
        "d": {"x.com": {"by": [{"u": BO, "n": 0.1}]}},
        "hashed": pseudonym(GOOGLE),
        "maybe": GOOGLE,
        "file": "ana_example_com/a-7/x.pdf",
        "title": ANA,
        "updatedAt": {"$timestamp": "2025-11-09T10:00:00Z"},
        "archived": true,
    });
    let changed = changed(&document(&format!("owned/{GOOGLE}/things/{ANA}_7"), fields));
    let (ana, bo) = (new_ana(), hash('b').as_str().to_owned());
    let want = json!({
        "userId": {"$reference": format!("users/{ana}")},
        "votes": {ana.clone(): {"$timestamp": "2025-11-09T10:00:00Z"}, "other": null},
        "d": {"x.com": {"by": [{"u": bo, "n": 0.1}]}},
        "hashed": pseudonym(&ana),
        "maybe": ana,
        "file": "ana_example_com/a-7/x.pdf",
        "title": ANA,
        "updatedAt": {"$timestamp": "2025-11-09T10:00:00Z"},
        "archived": true,
    });
    assert_eq!(serde_json::to_value(&changed.fields).unwrap(), want);
    assert_eq!(changed.key.path(), format!("owned/{ana}/things/{ana}_7"));
    assert_eq!(changed.changes.len(), 7);
    assert_eq!(changed.clashes, []);
}

#[test]
fn a_pseudonym_that_is_the_id_of_a_document_follows_the_id() {
    let changed = changed(&document(&format!("network/{}", pseudonym(ANA)), json!({"by": "someone"})));
    assert_eq!(changed.key.id, pseudonym(&new_ana()));
}

#[test]
fn a_person_with_two_old_ids_stands_once_in_a_set_with_the_highest_access() {
    let shares = json!([
        {"type": "user", "id": ANA, "access": "view"},
        {"type": "user", "id": "bo", "access": "view"},
        {"type": "user", "id": GOOGLE, "access": "edit"},
        {"type": "group", "id": ANA},
    ]);
    let changed = changed(&document(AT, json!({"s": shares, "members": [ANA, "bo", new_ana(), "bo"]})));
    let kept = json!([
        {"type": "user", "id": "bo", "access": "view"},
        {"type": "user", "id": new_ana(), "access": "edit"},
        {"type": "group", "id": ANA},
    ]);
    assert_eq!(changed.fields["s"], kept);
    assert_eq!(changed.fields["members"], json!([new_ana(), "bo", "bo"]), "what was there twice stays so");
    let outcomes: Vec<(&str, Outcome)> = changed.clashes.iter().map(|one| (one.path.raw(), one.outcome)).collect();
    assert_eq!(outcomes, [("s", Outcome::Chosen), ("members", Outcome::Equal)]);
    assert_eq!(changed.clashes[0].from, [Text::from(GOOGLE), Text::from(ANA)]);
}

#[test]
fn a_document_that_nobody_can_settle_stays_whole() {
    let clashes = parked(AT, json!({"userId": BO, "votes": {ANA: 1, GOOGLE: 2}}));
    assert_eq!(clashes.len(), 1);
    assert_eq!((clashes[0].path.raw(), clashes[0].outcome), ("votes", Outcome::Parked));
    let odd = [json!({"type": "user", "id": ANA}), json!({"type": "user", "id": GOOGLE, "access": "edit"})];
    assert_eq!(parked(AT, json!({ "s": odd })).len(), 1);
    let pairs = [("bo", hash('b')), ("bo_x", hash('a'))].map(|(old, new)| (old.to_owned(), new));
    let (map, two) = (map(), document("owned/o/things/bo_x_7", json!({})));
    let stays = Mapping::new([("bo".to_owned(), hash('b'))], ["bo_x".to_owned()]);
    for mapping in [Mapping::new(pairs, []), stays] {
        let both = rewrite(&map, &map.collections[0], &two, &mapping.unwrap());
        assert!(matches!(both, Rewritten::Parked(clashes) if clashes[0].path.raw() == ID), "whose is it?");
    }
}

#[test]
fn a_key_that_becomes_one_that_is_there_is_settled_like_an_entry_of_a_set() {
    let vote = |access: &str| json!({"access": access});
    let changed = changed(&document(AT, json!({"votes": {ANA: vote("edit"), new_ana(): vote("view"), "bo": 1}})));
    assert_eq!(changed.fields["votes"], json!({new_ana(): vote("edit"), "bo": 1}));
    assert_eq!(changed.clashes[0].outcome, Outcome::Chosen);
}

#[test]
fn the_path_of_a_stored_object_changes_where_the_map_says_that_it_was_moved_and_stays_elsewhere() {
    let map = DataMap::parse(
        "m.toml",
        "title = \"t\"\n[users]\ncollection = \"users\"\nemail = \"email\"\n\
         [[collection]]\nname = \"files\"\nstorage = \"here\"\nstorage_moved = [\"there\", \"all[].path\"]\n",
    )
    .unwrap();
    let (path, odd) = (format!("{ANA}/a-7/{ANA}.pdf"), format!("tool-inputs/{ANA}/x"));
    let all = json!([{ "path": path }, { "path": odd }, { "path": ANA }, { "path": "" }, { "path": 7 }]);
    let before = document("files/f", json!({ "here": path, "there": path, "all": all }));
    let Rewritten::Changed(changed) = rewrite(&map, &map.collections[0], &before, &mapping()) else {
        unreachable!("it was moved")
    };
    let moved = format!("{}/a-7/{ANA}.pdf", new_ana());
    let all = json!([{ "path": moved }, { "path": odd }, { "path": new_ana() }, { "path": "" }, { "path": 7 }]);
    let after = document("files/f", json!({ "here": path, "there": moved, "all": all }));
    assert_eq!((changed.fields, changed.key), (after.fields, before.key));
    let told: Vec<(&str, &str)> = changed.changes.iter().map(|one| (one.path.raw(), one.from.raw())).collect();
    assert_eq!(told, [("there", ANA), ("all[0].path", ANA), ("all[2].path", ANA)]);
}

/// Fields with `leaf` at a place, and what its condition wants beside it.
fn fields_with(declared: &crate::migrate::map::Declared, leaf: &str) -> Value {
    let text = declared.place.to_string();
    let beside = text.split_once(" where ").and_then(|(_, condition)| condition.split_once(" = "));
    declared.place.steps().iter().rev().enumerate().fold(Value::from(leaf), |inner, (number, step)| match step {
        Step::Field(name) => {
            let mut object = serde_json::Map::from_iter([(name.clone(), inner)]);
            object.extend(beside.filter(|_| number == 0).map(|(field, is)| (field.to_owned(), is.into())));
            Value::Object(object)
        }
        Step::Each => json!([inner]),
        Step::Any => json!({ "x.com": inner }),
        Step::Key => json!({ leaf: true }),
    })
}

#[test]
fn every_place_of_the_shipped_map_is_found_and_changed() {
    let (map, mapping) = (shipped::application().unwrap(), mapping());
    let (hashed, path) = (pseudonym(ANA), format!("{ANA}/a-7/x.pdf"));
    let mut places = 0;
    for collection in &map.collections {
        for (number, declared) in collection.places.iter().enumerate() {
            let leaf = match declared.kind {
                Kind::Id | Kind::Mixed => ANA,
                Kind::Pseudonym => hashed.as_str(),
                Kind::Storage | Kind::StorageMoved => path.as_str(),
            };
            let document = document(&format!("{}/none", collection.name), fields_with(declared, leaf));
            let at = |document: &Document| -> Vec<String> {
                let found = references(&map, collection, document, &known).into_iter();
                found.filter(|one| one.place == Some(number)).map(|one| one.id.into_owned()).collect()
            };
            let told = format!("{} {}", collection.name, declared.place);
            let stays = declared.kind == Kind::Storage;
            assert_eq!(at(&document), [if declared.kind.is_path() { ANA } else { leaf }], "{told}");
            match rewrite(&map, collection, &document, &mapping) {
                Rewritten::Same => assert!(stays, "{told}"),
                Rewritten::Changed(changed) => {
                    assert_eq!(changed.changes.len(), 1, "{told}");
                    let new = if declared.kind == Kind::Pseudonym { pseudonym(&new_ana()) } else { new_ana() };
                    assert_eq!(at(&Document { key: changed.key, version: 2, fields: changed.fields }), [new], "{told}");
                }
                Rewritten::Parked(clashes) => unreachable!("{told}: {clashes:?}"),
            }
            places += 1;
        }
        if let Some(pattern) = &collection.id {
            let id = pattern.text().replace("{userId}", ANA).replace("{pseudonym}", &hashed);
            let document = document(&format!("{}/{}", collection.name, id.replace(['{', '}'], "")), json!({}));
            let Rewritten::Changed(changed) = rewrite(&map, collection, &document, &mapping) else {
                unreachable!("{} {}", collection.name, pattern.text())
            };
            assert!([ID.to_owned()].iter().eq(changed.changes.iter().map(|change| change.path.raw())));
            assert_ne!(changed.key.id, document.key.id);
        }
    }
    assert!(places > 150, "{places}");
}

fn id() -> impl Strategy<Value = String> {
    let known = [ANA, GOOGLE, BO, STRANGER, "system", "", "ANA_Example_Com"].map(str::to_owned);
    prop_oneof![3 => prop::sample::select(known.to_vec()), 1 => Just(new_ana()), 1 => "[a-z_.@]{0,6}"]
}

/// Ids that never become one: one old id for each person, and no new ones.
fn lone_id() -> impl Strategy<Value = String> {
    prop::sample::select([ANA, BO, STRANGER, "system", ""].map(str::to_owned).to_vec())
}

fn value(id: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = Value> {
    let typed = id.clone().prop_map(|id| json!({"$reference": format!("users/{id}")}));
    prop_oneof![6 => id.prop_map(Value::from), 1 => typed, 1 => Just(Value::Null), 1 => any::<i32>().prop_map(Value::from),
        1 => Just(json!({"$timestamp": "2025-11-09T10:00:00Z"}))]
}

/// Documents with ids in every kind of place, and in places that are none.
fn documents(id: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = Document> {
    let values = || prop::collection::vec(value(id.clone()), 0..4);
    let share = (value(id.clone()), prop::sample::select(vec!["user", "group"]), "view|edit|odd");
    let share =
        share.prop_map(|(id, kind, access)| json!({"id": id, "type": kind, "access": access, "ana_example_com": 1}));
    let votes = prop::collection::btree_map(id.clone(), 0..2_i32, 0..4);
    let fields = (value(id.clone()), prop::collection::vec(share, 0..4), values(), votes, values(), value(id.clone()));
    (fields, id.clone(), value(id), "[a-z]{1,3}").prop_map(
        |((user, shares, members, votes, by, maybe), id, other, rest)| {
            let by: Vec<Value> = by.into_iter().map(|by| json!({"u": by, "v": other})).collect();
            let part = if id.is_empty() { "none" } else { id.as_str() };
            let fields = json!({
                "userId": user, "s": shares, "members": members, "votes": votes, "d": {"x.y": {"by": by}, "z": 1},
                "n": [[maybe], other], "maybe": maybe, "hashed": pseudonym(&id), "file": format!("{id}/x"),
                "title": other, "more": {"userId": other},
            });
            document(&format!("owned/{part}/things/{part}_{rest}"), fields)
        },
    )
}

fn known(id: &str) -> bool {
    mapping().knows(id)
}

/// What a reference is after it was rewritten.
fn becomes(reference: &Reference<'_>) -> String {
    let mapping = mapping();
    let target = match reference.kind {
        Kind::Id | Kind::Mixed | Kind::StorageMoved => mapping.target(&reference.id),
        Kind::Pseudonym => mapping.pseudonym_target(&reference.id),
        Kind::Storage => None,
    };
    target.unwrap_or(&reference.id).to_owned()
}

/// The document with every text, key and part of its key that has a target replaced, everywhere.
fn blurred(value: &Value) -> Value {
    let mapping = mapping();
    let blur = |text: &str| {
        let (start, id) = text.strip_prefix("users/").map_or(("", text), |id| ("users/", id));
        let target = mapping.target(id).or_else(|| mapping.pseudonym_target(id)).unwrap_or(id);
        format!("{start}{target}")
    };
    match value {
        Value::String(text) => blur(text).into(),
        Value::Array(items) => items.iter().map(blurred).collect(),
        Value::Object(object) => object.iter().map(|(key, value)| (blur(key), blurred(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn what_an_archived_id_owns_is_marked_once_and_keeps_its_ids_and_all_else() {
    let (map, mapping) = (map(), mapping().archiving([STRANGER.to_owned(), "GONE_example_com".to_owned()]));
    let becomes = |path: &str, fields: &Value| {
        let document = document(path, fields.clone());
        rewrite(&map, map.collection(&document.key.collection).unwrap(), &document, &mapping)
    };
    let mine = |id: &str| json!({"userId": id, "with": [ANA], "status": "active", "updatedAt": "x"});
    let Rewritten::Changed(found) = becomes(&format!("talks/{STRANGER}_1"), &mine(STRANGER)) else { unreachable!() };
    assert!(found.archived && found.key.id == format!("{STRANGER}_1"));
    let after = json!({"userId": STRANGER, "with": [new_ana()], "status": "archived", "updatedAt": "x", ARCHIVED: "its id has no user"});
    assert_eq!(serde_json::to_value(&found.fields).unwrap(), after);
    assert_eq!(becomes(&format!("talks/{STRANGER}_1"), &after), Rewritten::Same, "once");
    let undone = json!({"userId": STRANGER, "status": "active", ARCHIVED: "its id has no user"});
    assert_eq!(becomes(&format!("talks/{STRANGER}_1"), &undone), Rewritten::Same, "people take it out again");
    // Where the map knows no mark of the application's, only ours.
    let Rewritten::Changed(found) = becomes("network/n", &json!({"by": "gone_example_com"})) else { unreachable!() };
    assert!(found.archived && found.changes.is_empty() && !found.fields.contains_key("status"));
    // It only stands in what is somebody else's.
    let theirs = json!({"userId": new_ana(), "with": [STRANGER]});
    assert_eq!(becomes("talks/x", &theirs), Rewritten::Same);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn doing_it_twice_is_doing_it_once(document in documents(id().boxed())) {
        let Rewritten::Changed(changed) = rewritten(&document) else { return Ok(()) };
        let again = Document { key: changed.key, version: 2, fields: changed.fields };
        prop_assert_eq!(rewritten(&again), Rewritten::Same);
        for (path, id) in told(&again, &known) {
            prop_assert!(path == "file" || mapping().target(&id).is_none(), "{} {}", path, id);
        }
    }

    #[test]
    fn the_references_afterwards_are_those_before_with_other_ids(document in documents(lone_id().boxed())) {
        let map = map();
        let collection = map.collection(&document.key.collection).unwrap();
        let want: BTreeSet<(String, String)> = references(&map, collection, &document, &known)
            .iter()
            .filter(|one| !one.path.starts_with("votes."))
            .map(|one| (one.path.clone(), becomes(one)))
            .collect();
        let after = match rewritten(&document) {
            Rewritten::Changed(changed) => Document { key: changed.key, version: 2, fields: changed.fields },
            Rewritten::Same => document.clone(),
            // Somebody stood there twice under two spellings.
            Rewritten::Parked(clashes) => return Err(TestCaseError::fail(format!("{clashes:?}"))),
        };
        let found: BTreeSet<(String, String)> =
            told(&after, &known).into_iter().filter(|(path, _)| !path.starts_with("votes.")).collect();
        prop_assert_eq!(found, want);
    }

    #[test]
    fn nothing_but_ids_changes(document in documents(lone_id().boxed())) {
        let Rewritten::Changed(changed) = rewritten(&document) else { return Ok(()) };
        for name in ["title", "more", "file"] {
            prop_assert_eq!(&changed.fields[name], &document.fields[name], "not declared, or not ours to change");
        }
        let (before, after) = (serde_json::to_value(&document.fields).unwrap(), serde_json::to_value(&changed.fields).unwrap());
        prop_assert_eq!(blurred(&after), blurred(&before));
    }

    #[test]
    fn no_document_breaks_the_walk(document in documents(id().boxed())) {
        let first = rewritten(&document);
        prop_assert_eq!(&first, &rewritten(&document), "the same every time");
        match first {
            Rewritten::Same => {
                let stays = |(path, id): &(String, String)| path == "file" || mapping().target(id).is_none();
                prop_assert!(told(&document, &known).iter().all(stays));
            }
            Rewritten::Changed(changed) => prop_assert!(!changed.changes.is_empty()),
            Rewritten::Parked(clashes) => {
                prop_assert!(clashes.iter().any(|clash| clash.outcome == Outcome::Parked));
            }
        }
    }
}
