//! What is counted, what the map misses, who is nobody and who is there twice.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;
use stella_protocol::Text;

use super::*;
use crate::documents::DocumentKey;
use crate::migrate::form::pseudonym;

const MAP: &str = r#"
title = "the test's"
[users]
collection = "users"
email = "email"
ids = "googleUserId"
[[collection]]
name = "users"
priority = 0
id = "{userId}"
refs = "createdBy"
[[collection]]
name = "conversations"
priority = 0
refs = ["userId", "sharedWith[].id where type = user"]
copies = ["userEmail", "sharedWith[].email"]
[[collection]]
name = "settings"
id = "{userId}"
refs = "prefs.{userId}"
[[collection]]
name = "audit"
pseudonyms = "hashed"
storage = "file"
[[collection]]
name = "never"
refs = "userId"
"#;

const ANA: &str = "ana_example_com";
const HASH: &str = "usr_a1b2c3d4e5f6g7h8i9j0";
const GOOGLE: &str = "100000000000000000001";
const STRANGER: &str = "100000000000000000009";

fn document(path: &str, fields: Value) -> Document {
    let fields = serde_json::from_value(fields).unwrap();
    Document { key: DocumentKey::parse(path).unwrap(), version: 1, fields }
}

/// Ana has two user documents, Bo a good id; Cleo claims Bo's sign-in.
fn users() -> Vec<Document> {
    vec![
        document(&format!("users/{ANA}"), json!({"email": "ana@example.com", "createdBy": "system"})),
        document("users/ANA_example_com", json!({"email": "ANA@example.com", "createdBy": "ana@example.com"})),
        document(&format!("users/{HASH}"), json!({"email": "bo@example.com", "googleUserId": GOOGLE})),
        document("users/cleo_example_com", json!({"email": "cleo@example.com", "googleUserId": GOOGLE})),
    ]
}

fn surveyed_within(most: Most, documents: &[Document]) -> Report {
    let map = DataMap::parse("m.toml", MAP).unwrap();
    let mut roll = Roll::default();
    for user in documents.iter().filter(|one| one.key.collection == "users") {
        roll.learn(&map.users, &user.key.id, &user.fields);
    }
    let mut survey = Survey::bounded(&map, &roll, most);
    for document in documents {
        survey.take(document);
    }
    survey.report()
}

fn surveyed(more: Vec<Document>) -> Report {
    let documents: Vec<Document> = users().into_iter().chain(more).collect();
    surveyed_within(Most { ids: MOST_IDS, missed: MOST_MISSED }, &documents)
}

fn missed(report: &Report) -> Vec<(&str, &str, u64)> {
    report.missed.iter().map(|miss| (miss.collection.raw(), miss.path.raw(), miss.values)).collect()
}

#[test]
fn every_reference_is_counted_once_by_form_by_place_and_by_collection() {
    let report = surveyed(vec![
        document("conversations/1", json!({"userId": ANA, "sharedWith": [{"type": "user", "id": HASH}]})),
        document("conversations/2", json!({"userId": "", "sharedWith": [{"type": "group", "id": "staff"}]})),
        document("conversations/3", json!({"userId": 7, "archived": true, "hidden": true, "status": null})),
        document(&format!("settings/{HASH}"), json!({"prefs": {ANA: 1, "cleo_example_com": 2}})),
        document("audit/1", json!({"hashed": pseudonym(ANA), "file": format!("{HASH}/a/b.pdf")})),
    ]);
    let forms: Vec<(Form, u64, u64)> = report.forms.iter().map(|one| (one.form, one.ids, one.references)).collect();
    let want = [
        (Form::EmailDerived, 3, 6),
        (Form::Hash, 1, 4),
        (Form::Pseudonym, 1, 1),
        (Form::Dummy, 1, 1),
        (Form::Email, 1, 1),
        (Form::Empty, 0, 1),
        (Form::NotText, 0, 1),
    ];
    assert_eq!(forms, want);
    assert_eq!(report.references, 15);
    assert_eq!(report.collections.iter().map(|one| one.references).sum::<u64>(), 15);
    let places = report.collections.iter().flat_map(|one| &one.places);
    assert_eq!(places.map(|place| place.forms.values().sum::<u64>()).sum::<u64>(), 15);
    assert_eq!((report.documents, report.users, report.people), (9, 4, 3));
    assert_eq!(report.absent, [Text::from("never")], "nobody can say that it is clean");
    assert_eq!(missed(&report), []);
    assert!(report.is_complete());
}

#[test]
fn a_known_id_where_the_map_has_no_place_is_a_finding_wherever_it_stands() {
    let report = surveyed(vec![
        document("conversations/1", json!({"userId": "x", "owner": ANA, "more": {"by": [{"who": GOOGLE}]}})),
        document("conversations/2", json!({"sharedWith": [{"type": "group", "id": ANA}], "userId": [{"is": ANA}]})),
        document("conversations/3", json!({"votes": {ANA: 1, "Ana_Example_Com": 2}})),
        document(
            "conversations/4",
            json!({"at": {"$reference": "users/ana_example_com"}, "file": format!("in/{HASH}/x")}),
        ),
        document(&format!("conversations/{HASH}_2025-11"), json!({})),
        document(&format!("conversations/x-{ANA}"), json!({"hashed": pseudonym(ANA)})),
        document("strangers/1", json!({"mail": "BO@example.com"})),
        document(&format!("strangers/{ANA}"), json!({})),
        document(&format!("strangers/{ANA}/keys/k"), json!({"n": 1})),
        document("users/ana_example_com/keys/k", json!({"n": 1})),
    ]);
    let want = [
        ("conversations", "votes.{userId}", 2),
        ("conversations", "(id) first part", 1),
        ("conversations", "(id) last part", 1),
        ("conversations", "at (a path)", 1),
        ("conversations", "file (a path)", 1),
        ("conversations", "hashed", 1),
        ("conversations", "more.by[].who", 1),
        ("conversations", "owner", 1),
        ("conversations", "sharedWith[].id", 1),
        ("conversations", "userId[].is", 1),
        ("strangers", "(id)", 1),
        ("strangers", "mail", 1),
        ("strangers/*/keys", "(path)", 1),
        ("users/*/keys", "(path)", 1),
    ];
    assert_eq!(missed(&report), want);
    assert!(!report.is_complete());
    let strangers: Vec<bool> = report.collections.iter().map(|one| one.declared).collect();
    assert_eq!(strangers, [true, false, false, true, false]);
}

#[test]
fn what_nobody_has_is_told_with_what_stands_beside_it() {
    let share = json!([{"type": "user", "id": STRANGER, "email": "ANA@example.com"}, {"type": "user", "id": ANA, "email": "x"}]);
    let report = surveyed(vec![
        document("conversations/1", json!({"userId": STRANGER, "userEmail": "no@example.com"})),
        document("conversations/2", json!({"userId": HASH, "userEmail": "bo@example.com", "sharedWith": share})),
        document("conversations/3", json!({"userId": "test_user_001"})),
        document("conversations/4", json!({"userId": "odd"})),
    ]);
    let ids: Vec<(&str, Form, u64)> =
        report.orphans.iter().map(|orphan| (orphan.id.raw(), orphan.form, orphan.references)).collect();
    assert_eq!(ids, [(STRANGER, Form::Numeric, 2), ("odd", Form::Unknown, 1)]);
    let stranger = &report.orphans[0];
    let places: Vec<&str> = stranger.places.iter().map(|place| place.path.raw()).collect();
    assert_eq!(places, ["sharedWith[].id where type = user", "userId"]);
    let copies: Vec<(&str, usize)> = stranger.copies.iter().map(|copy| (copy.text.raw(), copy.users.len())).collect();
    assert_eq!(copies, [("ANA@example.com", 2), ("no@example.com", 0)], "beside the other one stands another");
    assert!(report.is_complete(), "an id without a user is no fault of the map");
}

#[test]
fn what_is_there_twice_is_told() {
    let report = surveyed(vec![
        document("users/nameless", json!({"email": "none"})),
        document("conversations/1", json!({"userId": GOOGLE})),
        document("conversations/2", json!({"userId": "bo_example_com"})),
    ]);
    let twice = &report.duplicates;
    let emails: Vec<(&str, usize)> = twice.same_email.iter().map(|same| (same.email.raw(), same.users.len())).collect();
    assert_eq!(emails, [("ana@example.com", 2)]);
    let shared: Vec<&str> = twice.shared_ids.iter().map(|shared| shared.id.raw()).collect();
    assert_eq!(shared, [GOOGLE]);
    let contested: Vec<&str> = report.contested.iter().map(|one| one.id.raw()).collect();
    assert_eq!(contested, [GOOGLE]);
    assert_eq!(report.contested[0].people, [[Text::from("cleo_example_com")], [Text::from(HASH)]]);
    let several: Vec<Vec<&str>> =
        twice.several_ids.iter().map(|one| one.ids.iter().map(|id| id.id.raw()).collect()).collect();
    let ana = vec!["ANA_example_com", "ana@example.com", ANA];
    assert_eq!(several, [ana, vec![GOOGLE, "cleo_example_com"], vec![GOOGLE, "bo_example_com", HASH]]);
    let other_id: Vec<&str> = report.lacking.other_id.iter().map(Text::raw).collect();
    assert_eq!(other_id, ["ANA_example_com", ANA, "nameless"]);
    assert_eq!(report.lacking.email, [Text::from("nameless")]);
}

#[test]
fn a_text_that_is_too_long_to_be_an_id_is_not_held() {
    let prose = "x".repeat(ID_BYTES + 1);
    let report = surveyed(vec![document(
        "conversations/1",
        json!({"userId": prose, "sharedWith": [{"type": "user", "id": "odd"}]}),
    )]);
    assert_eq!(report.orphans.len(), 1);
    assert_eq!(report.not_listed.references, 1);
}

#[test]
fn what_is_too_much_to_tell_is_counted() {
    let documents: Vec<Document> = users()
        .into_iter()
        .chain((0..4).map(|n| {
            document(&format!("conversations/{n}"), json!({"userId": format!("odd{n}"), format!("f{n}"): ANA}))
        }))
        .collect();
    let report = surveyed_within(Most { ids: 6, missed: 1 }, &documents);
    assert_eq!((report.missed.len(), report.not_listed.missed), (1, 3));
    let told: u64 = report.orphans.iter().map(|orphan| orphan.references).sum();
    assert_eq!(told + report.not_listed.references, 4, "of 6 ids, 6 are the users' own");
    assert_eq!(report.forms.iter().map(|form| form.references).sum::<u64>(), report.references);
    let none = surveyed_within(Most { ids: 6, missed: 0 }, &documents);
    assert!(!none.is_complete(), "also when none is told");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_documents_makes_no_difference(order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let mut documents = users();
        for (number, id) in [ANA, HASH, GOOGLE, STRANGER, "", "odd", "bo_example_com", "user_1x2k9q"].iter().enumerate() {
            let shares = json!([{"type": "user", "id": id, "email": format!("{number}@example.com")}]);
            let fields = json!({"userId": id, "userEmail": format!("{number}@x.com"), "by": id, "sharedWith": shares});
            documents.push(document(&format!("conversations/{number}"), fields));
        }
        let shuffled: Vec<Document> = order.iter().map(|number| documents[*number].clone()).collect();
        let most = Most { ids: MOST_IDS, missed: MOST_MISSED };
        prop_assert_eq!(surveyed_within(most, &shuffled), surveyed_within(most, &documents));
    }
}
