//! Documents in and out, and the scan of the demo's world.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::demo;
use crate::documents::DocumentKey;
use crate::documents::firestore::tests as firestore;
use crate::documents::firestore::tests::double::Double;

/// A folder with the demo's documents, taken in as lines.
fn demo() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let line = |(collection, id, fields)| {
        let path = format!("{collection}/{id}");
        serde_json::json!({ "path": path, "fields": serde_json::Value::Object(fields) }).to_string() + "\n"
    };
    let lines: String = demo::documents(&demo::Options::default()).map(line).collect();
    let file = folder.path().join("demo.jsonl");
    std::fs::write(&file, &lines).unwrap();
    assert_eq!(import(folder.path(), &file).unwrap(), lines.lines().count() as u64);
    folder
}

fn told(report: &Report) -> String {
    let lines: Vec<String> = words(report).iter().map(|line| line.raw().to_owned()).collect();
    lines.join("\n")
}

#[test]
fn a_scan_of_the_demo_says_what_the_shipped_map_misses() {
    let folder = demo();
    let report = scan(folder.path(), None).unwrap();
    assert!(!report.is_complete());
    insta::assert_snapshot!("scan_demo", told(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_says_the_same_of_the_same_documents_in_a_firestore() {
    let folder = demo();
    let wanted = told(&scan(folder.path(), None).unwrap());
    let double = Double::start().await;
    let store = firestore::on_a(&double);
    let documents = demo::documents(&demo::Options::default());
    let said = |(collection, id, fields): demo::Seeded| {
        let mut fields = serde_json::Value::Object(fields);
        firestore::as_it_says(&mut fields);
        (DocumentKey::new(collection, id), serde_json::from_value(fields).unwrap())
    };
    firestore::fill(&store, documents.map(said)).await;
    let commits = double.asked().commits;
    let report = survey_of(&store, &shipped::application().unwrap()).await.unwrap();
    assert_eq!(told(&report), wanted);
    assert_eq!(double.asked().commits, commits, "a scan writes nothing");
}

#[test]
fn a_map_of_ones_own_can_say_what_was_missed() {
    let folder = demo();
    let own = folder.path().join("own.toml");
    let agents = "[[collection]]\nname = \"agent_contexts\"\nrefs = \"userId\"\n";
    let shipped = include_str!("../../../maps/application.toml");
    let more = shipped
        .replace("ids = [\"googleUserId\", \"userId\"]", "ids = [\"googleUserId\", \"userId\", \"formerIds[]\"]");
    std::fs::write(&own, format!("{more}\n{agents}")).unwrap();
    let report = scan(folder.path(), Some(&own)).unwrap();
    assert!(report.is_complete(), "{:?}", report.missed);
    assert_eq!(report.orphans.len(), 3, "whom no document of a user names is nobody");
}

#[test]
fn a_scan_names_what_is_not_done_here_and_what_must_be_gone() {
    let folder = demo();
    let own = folder.path().join("own.toml");
    let beside = "[[elsewhere]]\nwhat = \"BigQuery chat_messages\"\nby = \"data team\"\n\
                  [[workaround]]\nwhat = \"queries by googleUserId\"\nat = \"src/chats.ts\"\n";
    std::fs::write(&own, format!("{}\n{beside}", shipped::TEXT)).unwrap();
    let told = told(&scan(folder.path(), Some(&own)).unwrap());
    for line in [
        "not in the documents, so not done here: 1\n  BigQuery chat_messages: data team",
        "workarounds that must be gone before a cut-over: 1\n  queries by googleUserId: src/chats.ts",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

#[test]
fn a_scan_writes_nothing() {
    let folder = demo();
    let store = Embedded::open(folder.path(), Clock::system()).unwrap();
    let (journal, last) = (store.journal(0, usize::MAX >> 1).unwrap(), folder.path().join("before.jsonl"));
    export(folder.path(), &last).unwrap();
    scan(folder.path(), None).unwrap();
    assert_eq!(store.journal(0, usize::MAX >> 1).unwrap(), journal);
    let after = folder.path().join("after.jsonl");
    export(folder.path(), &after).unwrap();
    assert_eq!(std::fs::read(last).unwrap(), std::fs::read(after).unwrap());
}

#[test]
fn what_was_written_out_is_taken_in_as_the_same_world_and_nothing_is_overwritten() {
    let (folder, other) = (demo(), tempfile::tempdir().unwrap());
    let [out, again] = ["out.jsonl", "again.jsonl"].map(|name| folder.path().join(name));
    let written = export(folder.path(), &out).unwrap();
    assert_eq!(import(other.path(), &out).unwrap(), written);
    export(other.path(), &again).unwrap();
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&again).unwrap());
    let before = std::fs::read(&out).unwrap();
    assert!(matches!(export(folder.path(), &out), Err(CommandError::File { doing: "make", .. })));
    assert_eq!(std::fs::read(&out).unwrap(), before);
    assert!(matches!(import(other.path(), &out), Err(CommandError::Lines { .. })), "all of it is there already");
}

#[test]
fn where_there_are_no_documents_none_are_made() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(scan(folder.path(), None), Err(CommandError::NoStore(_))));
    assert!(matches!(export(folder.path(), Path::new(STREAM)), Err(CommandError::NoStore(_))));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_wrong_map_is_told_with_its_lines() {
    let folder = demo();
    let own = folder.path().join("own.toml");
    std::fs::write(&own, "title = 7\n").unwrap();
    let Err(CommandError::Map(problems)) = scan(folder.path(), Some(&own)) else { unreachable!("it has no users") };
    assert!(problems[0].to_string().contains("own.toml:1: "), "{problems:?}");
}

#[test]
fn json_is_ascii_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.jsonl");
    let odd = "usr_\u{202e}\u{1b}[2J\u{1f600}\u{7f}";
    std::fs::write(&file, serde_json::json!({"path": "folders/f", "fields": {"userId": odd}}).to_string()).unwrap();
    import(folder.path(), &file).unwrap();
    let report = scan(folder.path(), None).unwrap();
    let text = json(&report).unwrap();
    assert!(text.chars().all(|letter| letter == '\n' || (' '..='~').contains(&letter)));
    let back: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(back, serde_json::to_value(&report).unwrap());
    assert_eq!(back["orphans"][0]["id"], odd);
}
