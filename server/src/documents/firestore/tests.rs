//! The contract on the emulator, where there is one, and on a double; then everything that a network can do to it.
#![allow(clippy::unwrap_used, reason = "tests")]

pub(crate) mod double;
pub(crate) mod emulator;
mod faults;
mod reads;
mod tokens;

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::documents::{Expect, Leave, conformance};
use double::{Double, PROJECT};
use emulator::Emulator;

/// As usual, but not as slow.
pub(super) fn pace() -> Pace {
    Pace { first: Duration::from_millis(1), longest: Duration::from_millis(4), ..Pace::default() }
}

pub(super) fn settings(project: &str) -> Settings {
    Settings {
        project: project.to_owned(),
        database: DATABASE.to_owned(),
        url: SERVICE.to_owned(),
        credentials: Credentials::Found,
    }
}

/// On a double, and without long waits.
pub(crate) fn on_a(double: &Double) -> Firestore {
    on(double, pace())
}

/// On a double.
pub(super) fn on(double: &Double, pace: Pace) -> Firestore {
    let around = Surroundings { emulator: Some(double.host()), key_file: None };
    Firestore::within(&settings(PROJECT), around, pace, &Clock::system()).unwrap()
}

/// Fields with every time as the service says it.
pub(crate) fn as_it_says(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(object) => {
            if let Some(serde_json::Value::String(text)) = object.get_mut("$timestamp") {
                let time = chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc();
                *text = time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            }
            object.values_mut().for_each(as_it_says);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(as_it_says),
        _ => {}
    }
}

/// Puts documents there that were not there before, by their paths.
pub(crate) async fn fill(store: &Firestore, documents: impl IntoIterator<Item = (DocumentKey, value::Fields)>) {
    let write = |(key, fields)| DocumentWrite { key, expect: Expect::Absent, leave: Leave::Fields(fields) };
    let writes: Vec<DocumentWrite> = documents.into_iter().map(write).collect();
    for batch in writes.chunks(shape::BATCH) {
        let written = store.write(batch.to_vec()).await.unwrap();
        assert!(written.iter().all(|one| matches!(one, Written::Done(_))));
    }
}

pub(super) fn key(id: &str) -> DocumentKey {
    DocumentKey::new("things", id)
}

pub(super) fn put(id: &str, expect: Expect, number: i64) -> DocumentWrite {
    let leave = Leave::Fields([("n".to_owned(), json!(number))].into());
    DocumentWrite { key: key(id), expect, leave }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_keeps_the_contract() {
    let double = Double::start().await;
    conformance::holds(&on(&double, pace())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulator_keeps_the_contract() {
    if let Some(emulator) = Emulator::find("the_emulator_keeps_the_contract") {
        conformance::holds(&emulator.store()).await;
    }
}

#[tokio::test]
async fn a_write_that_changes_nothing_is_done_and_leaves_the_version() {
    let double = Double::start().await;
    let store = on(&double, pace());
    let Written::Done(version) = store.write(vec![put("a", Expect::Absent, 1)]).await.unwrap()[0] else {
        unreachable!("nothing stood there")
    };
    let same = store.write(vec![put("a", Expect::Version(version), 1)]).await.unwrap();
    assert_eq!(same, [Written::Done(version)]);
}

#[test]
fn only_encrypted_addresses_and_emulators_on_plain_ones_are_reached() {
    let opened = |settings: &Settings, emulator: Option<&str>| {
        let around = Surroundings { emulator: emulator.map(str::to_owned), key_file: None };
        Firestore::within(settings, around, pace(), &Clock::system())
    };
    let plain = Settings { url: "http://firestore.example".to_owned(), ..settings("p") };
    assert!(matches!(opened(&plain, None), Err(OpenError::Address)));
    for host in ["127.0.0.1:8080/x", "u@h:1", "a b", "h:99999"] {
        let error = opened(&settings("p"), Some(host)).err();
        assert!(matches!(error, Some(OpenError::Emulator)), "{host}");
    }
    let store = opened(&settings("p"), Some("127.0.0.1:8080")).unwrap();
    assert_eq!(store.0.rest.base, "http://127.0.0.1:8080");
    let store = opened(&settings("p"), None).unwrap();
    assert_eq!(store.0.rest.base, SERVICE);
    assert_eq!(format!("{store:?}"), "Firestore(Database(\"projects/p/databases/(default)\"))");
    let folder = tempfile::tempdir().unwrap();
    let no_key = Settings { credentials: Credentials::File(folder.path().join("none.json")), ..settings("p") };
    let told = opened(&no_key, None).err().unwrap().to_string();
    assert!(told.contains("read the credentials") && told.contains("none.json"), "{told}");
}
