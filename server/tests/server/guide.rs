//! docs/migration.md: its example is a map, its numbers are all there, the tests that it names exist.

use std::fs;
use std::path::Path;

use stella_server::migrate::DataMap;

/// What went wrong before, on record.
const PITFALLS: u32 = 37;

fn guide() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/migration.md")).unwrap()
}

/// Everything that is written in Rust below a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    text
}

/// The rows of the tables in the chapter on what went wrong, by their cells.
fn rows(guide: &str) -> Vec<Vec<&str>> {
    let (_, rest) = guide.split_once("## What went wrong before").unwrap();
    let chapter = rest.split("\n## ").next().unwrap();
    chapter.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Vec<&str>> {
    let cells = line.strip_prefix('|')?.strip_suffix('|')?;
    let row: Vec<&str> = cells.split('|').map(str::trim).collect();
    row[0].starts_with(|letter: char| letter.is_ascii_digit()).then_some(row)
}

#[test]
fn the_guides_example_of_a_data_map_is_one() {
    let guide = guide();
    let (_, example) = guide.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let map = DataMap::parse("docs/migration.md", example).unwrap();
    assert_eq!(map.collections.len(), 3);
}

#[test]
fn every_pitfall_is_answered_or_open_and_none_is_both() {
    let guide = guide();
    let mut numbers: Vec<u32> = rows(&guide).iter().map(|row| row[0].parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=PITFALLS).collect::<Vec<_>>());
}

#[test]
fn every_answer_names_tests_and_all_of_them_exist() {
    let (guide, root) = (guide(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let sources: String = ["src", "tests", "../src", "../tests"].map(|folder| sources(&root.join(folder))).concat();
    let answered: Vec<Vec<&str>> = rows(&guide).into_iter().filter(|row| row.len() == 4).collect();
    assert!(!answered.is_empty());
    for row in answered {
        let tests: Vec<&str> = row[3].split(", ").map(|name| name.trim_matches('`')).collect();
        for test in tests {
            let there = sources.contains(&format!("fn {test}()")) || sources.contains(&format!("fn {test}(document"));
            assert!(there, "{}: there is no test {test}", row[0]);
        }
    }
}
