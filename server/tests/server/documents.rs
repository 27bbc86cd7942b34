//! `stella-server documents …` as a program: what goes to stdout, which exit code, no matter who serves.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A map that declares one field.
const MAP: &str = "title = \"t\"\n[users]\ncollection = \"users\"\nemail = \"email\"\n\
                   [[collection]]\nname = \"users\"\nid = \"{userId}\"\n[[collection]]\nname = \"notes\"\nrefs = \"userId\"\n";

fn run(arguments: &[&str], folder: &Path, input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stella-server"))
        .arg("documents")
        .args(arguments)
        .arg("--documents")
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn line(path: &str, fields: &Value) -> String {
    format!("{}\n", json!({ "path": path, "fields": fields }))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_scan_ends_with_1_when_the_map_misses_something_and_says_so_on_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("map.toml");
    std::fs::write(&map, MAP).unwrap();
    let scan = ["scan", "--map", map.to_str().unwrap()];
    let world =
        line("users/ana", &json!({ "email": "ana@example.com" })) + &line("notes/1", &json!({ "userId": "ana" }));
    let taken = run(&["import", "-"], folder.path(), &world);
    assert_eq!((taken.status.code(), text(&taken.stdout)), (Some(0), "-: 2 documents\n".to_owned()));
    let clean = run(&scan, folder.path(), "");
    assert_eq!(clean.status.code(), Some(0), "{}", text(&clean.stderr));
    assert!(text(&clean.stdout).contains("what the map misses: none\n"));

    let more = line("notes/2", &json!({ "by": "ana", "userId": "\u{1b}[2J\u{202e}" }));
    assert_eq!(run(&["import", "-"], folder.path(), &more).status.code(), Some(0));
    let dirty = run(&scan, folder.path(), "");
    assert_eq!(dirty.status.code(), Some(1));
    let said = text(&dirty.stdout);
    assert!(said.contains("  notes by: 1 value in 1 document (unknown 1), as in notes/2\n"), "{said}");
    assert!(
        said.contains("\\u{1b}[2J\\u{202e}") && said.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
    );

    let report = run(&[&scan[..], &["-o", "json"]].concat(), folder.path(), "");
    assert_eq!(report.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&report["missed"][0]["path"], &report["documents"]), (&json!("by"), &json!(3)));
    let written = run(&["export", "-"], folder.path(), "");
    assert_eq!(text(&written.stdout).lines().count(), 3);
}

#[test]
fn a_wrong_map_and_a_folder_without_documents_are_errors_and_neither_is_a_clean_scan() {
    let folder = tempfile::tempdir().unwrap();
    let none = run(&["scan"], folder.path(), "");
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("there is no documents.db"), "{}", text(&none.stderr));
    let map = folder.path().join("map.toml");
    std::fs::write(&map, MAP.replace("refs", "reefs")).unwrap();
    let wrong = run(&["scan", "--map", map.to_str().unwrap()], folder.path(), "");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        text(&wrong.stdout).contains("unknown key `collection.reefs`; did you mean `refs`?"),
        "{}",
        text(&wrong.stdout)
    );
    let both = run(&["scan", "--data", "."], folder.path(), "");
    assert_eq!(both.status.code(), Some(2), "one place, not two");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the map");
}

#[test]
fn a_line_that_is_wrong_takes_its_whole_file_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = line("notes/1", &json!({})) + "{\n";
    let taken = run(&["import", "-"], folder.path(), &world);
    assert_eq!(taken.status.code(), Some(1));
    assert!(text(&taken.stderr).contains("read line 2: "), "{}", text(&taken.stderr));
    assert_eq!(run(&["export", "-"], folder.path(), "").stdout, b"");
}
