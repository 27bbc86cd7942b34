//! What the guide says of the 37 things that went wrong before is kept by the tests that it names: each of them is
//! there, and no number is left out.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// As many as are on record.
const ALL: u32 = 37;

fn guide() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/migration.md")).unwrap()
}

/// Rows of tables that begin with a number.
fn rows(guide: &str) -> Vec<(u32, Vec<&str>)> {
    let (_, told) = guide.split_once("## What went wrong before").unwrap();
    told.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
            Some((cells.first()?.parse().ok()?, cells))
        })
        .collect()
}

/// What stands between backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Names of the tests in every file of source below.
fn tests_of(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_of(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            // A test is a function behind an attribute that says so, with nothing but attributes in between.
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
                if let Some((name, _)) = name.filter(|_| is_test).and_then(|rest| rest.split_once('(')) {
                    found.insert(name.to_owned());
                }
                is_test = line.starts_with("#[test]")
                    || line.starts_with("#[tokio::test")
                    || is_test && (line.starts_with("#[") || line.starts_with("///"));
            }
        }
    }
}

#[test]
fn every_test_that_the_guide_names_is_there_and_every_number_is_answered() {
    let mut known = BTreeSet::new();
    for room in ["src", "tests", "server", "protocol", "detect", "widgets", "benches"] {
        tests_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join(room), &mut known);
    }
    let guide = guide();
    let rows = rows(&guide);
    let numbers: BTreeSet<u32> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=ALL).collect(), "each of them is answered, or said to be open");
    let missing: Vec<(u32, &str)> = rows
        .iter()
        .filter_map(|(number, cells)| Some((*number, *cells.get(3)?)))
        .flat_map(|(number, tests)| named(tests).map(move |name| (number, name)))
        .filter(|(_, name)| !known.contains(*name))
        .collect();
    assert_eq!(missing, [], "the guide names tests that are not there");
    let unproven = rows.iter().filter(|(_, cells)| cells.get(3).is_some_and(|tests| named(tests).next().is_none()));
    assert_eq!(
        unproven.map(|(number, _)| *number).collect::<Vec<_>>(),
        [0; 0],
        "an answer names the test that shows it"
    );
}
