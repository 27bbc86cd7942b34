//! What every document store must do, as one function over the trait.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Document, DocumentKey, DocumentWrite, Documents, DocumentsError, Expect, Leave, Written, shape};

const WRITERS: usize = 8;

/// Runs all of it, in collections of its own: the store may hold others.
pub(crate) async fn holds(store: &dyn Documents) {
    values_come_back_as_they_were(store).await;
    pages_are_in_order_and_stable_under_inserts(store).await;
    a_conflict_tells_what_is_there(store).await;
    one_of_many_writers_wins(store).await;
    presence_and_absence_are_told_apart(store).await;
    a_batch_answers_in_order(store).await;
    a_deleted_document_is_gone_and_its_version_never_comes_again(store).await;
    collections_are_listed_at_the_root_and_below(store).await;
    ids_without_a_document_lead_on(store).await;
    what_cannot_be_kept_is_refused(store).await;
}

fn key(collection: &str, id: &str) -> DocumentKey {
    DocumentKey::new(collection, id)
}

fn map(fields: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(fields).unwrap()
}

fn put(key: &DocumentKey, expect: Expect, fields: Value) -> DocumentWrite {
    DocumentWrite { key: key.clone(), expect, leave: Leave::Fields(map(fields)) }
}

fn delete(key: &DocumentKey, version: u64) -> DocumentWrite {
    DocumentWrite { key: key.clone(), expect: Expect::Version(version), leave: Leave::Nothing }
}

async fn one(store: &dyn Documents, write: DocumentWrite) -> Written {
    let mut answers = store.write(vec![write]).await.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

async fn create(store: &dyn Documents, key: &DocumentKey, fields: Value) -> u64 {
    match one(store, put(key, Expect::Absent, fields)).await {
        Written::Done(version) => version,
        other => panic!("{key:?}: {other:?}"),
    }
}

async fn ids(store: &dyn Documents, collection: &str, limit: usize) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.scan(collection, after.as_deref(), limit).await.unwrap();
        assert!(page.documents.len() <= limit);
        all.extend(page.documents.into_iter().map(|document| document.key.id));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

async fn values_come_back_as_they_were(store: &dyn Documents) {
    let fields = json!({
        "null": null, "yes": true, "text": "ñ\u{0}\u{1b}[31m\u{202e}", "empty": "", "list": [], "map": {},
        "whole": 7, "negative": -7, "largest": 9_007_199_254_740_992_u64, "double": 7.0,
        "tiny": 5e-324, "third": 0.333_333_333_333_333_3, "sum": 0.1 + 0.2, "huge": 1.797_693_134_862_315_7e308,
        "integer": {"$integer": "9223372036854775807"}, "when": {"$timestamp": "2025-11-09T10:00:00.123456Z"},
        "bytes": {"$bytes": "AAEC/w=="}, "reference": {"$reference": "users/ana"},
        "where": {"$geo": {"latitude": -33.45, "longitude": -70.66}},
        "nested": {"list": [{"deep": [null, {"$integer": "-9223372036854775808"}]}], "a/b": 1, "ключ": 2},
        "digits": "100000000000000000001", "no number": {"$double": "NaN"}, "minus zero": -0.0,
        "endless": [{"$double": "Infinity"}, {"$double": "-Infinity"}], "looks typed": {"$map": {"$bytes": 7}},
        "midnight": {"$timestamp": "0001-01-01T00:00:00Z"}, "sealed": {"$bytes": ""},
    });
    let key = key("cf_values", "all of them");
    let version = create(store, &key, fields.clone()).await;
    let read = store.get(&key).await.unwrap().unwrap();
    assert_eq!(read, Document { key: key.clone(), version, fields: map(fields) });
    assert_eq!(store.scan("cf_values", None, 10).await.unwrap().documents, [read]);
}

async fn pages_are_in_order_and_stable_under_inserts(store: &dyn Documents) {
    for id in ["b", "d", "é", "a1", "Z", "f"] {
        create(store, &key("cf_pages", id), json!({"id": id})).await;
    }
    let order = ["Z", "a1", "b", "d", "f", "é"];
    for limit in 1..8 {
        assert_eq!(ids(store, "cf_pages", limit).await, order, "by {limit}");
    }
    let first = store.scan("cf_pages", None, 3).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("b"));
    create(store, &key("cf_pages", "a0"), json!({})).await;
    create(store, &key("cf_pages", "c"), json!({})).await;
    let second = store.scan("cf_pages", first.next.as_deref(), 10).await.unwrap();
    let rest: Vec<_> = second.documents.iter().map(|document| document.key.id.as_str()).collect();
    assert_eq!((rest, second.next), (vec!["c", "d", "f", "é"], None));
    assert_eq!(store.count("cf_pages").await.unwrap(), 8);
    assert_eq!(store.count("cf_nothing").await.unwrap(), 0);
    assert_eq!(store.scan("cf_nothing", None, 5).await.unwrap(), super::DocumentPage::default());
}

async fn a_conflict_tells_what_is_there(store: &dyn Documents) {
    let key = key("cf_conflicts", "a");
    let first = create(store, &key, json!({"n": 1})).await;
    let Written::Done(second) = one(store, put(&key, Expect::Version(first), json!({"n": 2}))).await else {
        panic!("the version was right");
    };
    assert_ne!(first, second);
    let current = Document { key: key.clone(), version: second, fields: map(json!({"n": 2})) };
    for late in [
        put(&key, Expect::Version(first), json!({"n": 3})),
        put(&key, Expect::Absent, json!({"n": 3})),
        delete(&key, first),
        DocumentWrite { key: key.clone(), expect: Expect::Absent, leave: Leave::Nothing },
    ] {
        assert_eq!(one(store, late).await, Written::Conflict(Some(Box::new(current.clone()))));
        assert_eq!(store.get(&key).await.unwrap().as_ref(), Some(&current));
    }
}

async fn one_of_many_writers_wins(store: &dyn Documents) {
    let key = key("cf_race", "a");
    let mut version = create(store, &key, json!({"writer": null})).await;
    for round in 0..20 {
        let race = (0..WRITERS).map(|writer| {
            store.write(vec![put(&key, Expect::Version(version), json!({"writer": writer, "round": round}))])
        });
        let answers: Vec<Written> = join_all(race).await.into_iter().map(|answer| answer.unwrap().remove(0)).collect();
        let won: Vec<_> = (0..WRITERS).filter(|writer| matches!(answers[*writer], Written::Done(_))).collect();
        let current = store.get(&key).await.unwrap().unwrap();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert_eq!(answers[won[0]], Written::Done(current.version));
        assert_eq!(current.fields, map(json!({"writer": won[0], "round": round})));
        let lost = Written::Conflict(Some(Box::new(current.clone())));
        assert!((0..WRITERS).filter(|writer| *writer != won[0]).all(|writer| answers[writer] == lost));
        version = current.version;
    }
}

async fn presence_and_absence_are_told_apart(store: &dyn Documents) {
    let key = key("cf_absence", "a");
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert_eq!(one(store, put(&key, Expect::Version(1), json!({}))).await, Written::Conflict(None));
    assert_eq!(one(store, delete(&key, 1)).await, Written::Conflict(None));
    create(store, &key, json!({})).await;
    assert_eq!(store.get(&key).await.unwrap().unwrap().fields, BTreeMap::new());
}

async fn a_batch_answers_in_order(store: &dyn Documents) {
    assert_eq!(store.write(Vec::new()).await.unwrap(), []);
    let ten: Vec<_> = (0..10).map(|number| key("cf_batch", &format!("{:02}", 9 - number))).collect();
    let writes = ten.iter().map(|key| put(key, Expect::Absent, json!({"id": key.id}))).collect();
    let answers = store.write(writes).await.unwrap();
    for (key, answer) in ten.iter().zip(&answers) {
        let read = store.get(key).await.unwrap().unwrap();
        assert_eq!((Written::Done(read.version), &read.fields), (answer.clone(), &map(json!({"id": key.id}))));
    }
    let [old, new] = [&ten[0], &key("cf_batch", "new")];
    let current = store.get(old).await.unwrap().unwrap();
    let late = [put(new, Expect::Absent, json!({})), put(old, Expect::Absent, json!({}))];
    let answers = store.write(late.to_vec()).await.unwrap();
    assert_eq!(answers[1], Written::Conflict(Some(Box::new(current))));
    let made = store.get(new).await.unwrap();
    if store.capabilities().atomic_batch {
        assert_eq!((&answers[0], made), (&Written::Held, None));
    } else {
        assert_eq!(answers[0], Written::Done(made.unwrap().version));
    }
    let full: Vec<_> = (0..store.capabilities().batch)
        .map(|number| put(&key("cf_full", &format!("{number:04}")), Expect::Absent, json!({})))
        .collect();
    let one_more = full.iter().cloned().chain([put(&key("cf_full", "x"), Expect::Absent, json!({}))]).collect();
    assert!(matches!(store.write(one_more).await, Err(DocumentsError::Refused(_))));
    assert_eq!(store.count("cf_full").await.unwrap(), 0);
    assert_eq!(store.write(full).await.unwrap().len(), store.capabilities().batch);
    assert_eq!(store.count("cf_full").await.unwrap(), store.capabilities().batch as u64);
}

async fn a_deleted_document_is_gone_and_its_version_never_comes_again(store: &dyn Documents) {
    let key = key("cf_deleted", "a");
    let mut seen = Vec::new();
    for round in 0..5 {
        let version = create(store, &key, json!({"same": true})).await;
        assert!(!seen.contains(&version), "round {round}: {version} again");
        if let Some(earlier) = seen.last() {
            let stale = one(store, delete(&key, *earlier)).await;
            assert!(matches!(stale, Written::Conflict(Some(_))), "{stale:?}");
        }
        seen.push(version);
        assert_eq!(one(store, delete(&key, version)).await, Written::Done(0));
        assert_eq!(store.get(&key).await.unwrap(), None);
        assert_eq!(store.count("cf_deleted").await.unwrap(), 0);
    }
}

async fn collections_are_listed_at_the_root_and_below(store: &dyn Documents) {
    for (collection, id) in [
        ("cf_tree", "a"),
        ("cf_tree-x", "a"),
        ("cf_tree/a/shares", "s"),
        ("cf_tree/a/notes", "n"),
        ("cf_tree/a-b/other", "o"),
        ("cf_tree/a/shares/s/views", "v"),
    ] {
        create(store, &key(collection, id), json!({})).await;
    }
    let root = store.collections(None).await.unwrap();
    assert!(root.is_sorted());
    let ours: Vec<_> = root.iter().filter(|name| name.starts_with("cf_tree")).collect();
    assert_eq!(ours, ["cf_tree", "cf_tree-x"]);
    for collection in ["cf_tree", "cf_tree/a/shares"] {
        assert!(store.has_below(collection).await.unwrap(), "{collection}: what is there is never denied");
    }
    assert_eq!(store.collections(Some("cf_tree/a")).await.unwrap(), ["notes", "shares"]);
    assert_eq!(store.collections(Some("cf_tree/a/shares/s")).await.unwrap(), ["views"]);
    assert_eq!(store.collections(Some("cf_tree/none")).await.unwrap(), [""; 0]);
    assert_eq!(ids(store, "cf_tree", 10).await, ["a"]);
    assert_eq!(ids(store, "cf_tree/a/shares", 10).await, ["s"]);
}

async fn ids_without_a_document_lead_on(store: &dyn Documents) {
    for (collection, id) in [
        ("cf_absent", "there"),
        ("cf_absent/there/shares", "s"),
        ("cf_absent/gone/shares", "s"),
        ("cf_absent/a gone/deep/gone/shares", "s"),
        ("cf_absent/gone/notes/n/more", "m"),
        ("cf_absent-x/other/shares", "s"),
    ] {
        create(store, &key(collection, id), json!({})).await;
    }
    assert_eq!(absent(store, "cf_absent").await, ["a gone", "gone"]);
    assert_eq!(store.collections(Some("cf_absent/gone")).await.unwrap(), ["notes", "shares"]);
    assert_eq!(absent(store, "cf_absent/a gone/deep").await, ["gone"]);
    assert_eq!(absent(store, "cf_absent/gone/shares").await, [""; 0]);
    assert_eq!(absent(store, "cf_nothing").await, [""; 0]);
    create(store, &key("cf_absent", "gone"), json!({})).await;
    assert_eq!(absent(store, "cf_absent").await, ["a gone"]);
}

async fn absent(store: &dyn Documents, collection: &str) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.absent(collection, after.as_deref()).await.unwrap();
        all.extend(page.ids);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

async fn what_cannot_be_kept_is_refused(store: &dyn Documents) {
    let good = key("cf_refused", "a");
    let large = json!({"text": "x".repeat(shape::DOCUMENT_BYTES)});
    for bad in [
        put(&key("cf_refused/a", "b"), Expect::Absent, json!({})),
        put(&key("cf_refused", ""), Expect::Absent, json!({})),
        put(&key("cf_refused", "a/b"), Expect::Absent, json!({})),
        put(&good, Expect::Absent, json!({"n": 9_007_199_254_740_993_u64})),
        put(&good, Expect::Absent, large),
    ] {
        let other = put(&key("cf_refused", "other"), Expect::Absent, json!({}));
        let answer = store.write(vec![other, bad]).await;
        assert!(matches!(answer, Err(DocumentsError::Refused(_))), "{answer:?}");
    }
    let twice = put(&good, Expect::Absent, json!({}));
    assert!(matches!(store.write(vec![twice.clone(), twice]).await, Err(DocumentsError::Refused(_))));
    assert_eq!(store.count("cf_refused").await.unwrap(), 0);
    assert!(matches!(store.scan("a/b", None, 1).await, Err(DocumentsError::Refused(_))));
    assert!(matches!(store.collections(Some("a")).await, Err(DocumentsError::Refused(_))));
}
