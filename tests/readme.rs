//! The README's key table is the key table.
//!
//! `UPDATE_README=1 cargo test --test readme` writes it anew.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::path::Path;

use stella_tui::keys::{self, Class, Mode, TABLE};

const BEGIN: &str = "<!-- keys: made from the key table, a test compares them -->\n";
const END: &str = "<!-- /keys -->";

fn table() -> String {
    let mut rows = String::from("| keys | what they do | where | |\n|---|---|---|---|\n");
    for row in TABLE {
        let places: Vec<&str> = row
            .modes
            .iter()
            .map(|mode| match mode {
                Mode::List => "list",
                Mode::Detail => "alert",
                Mode::Fixes => "fixes",
                Mode::Review => "review",
                Mode::Migrations => "migrations",
                Mode::Migration => "migration",
                Mode::Metrics => "metrics",
                Mode::Log => "log",
                Mode::Rules => "rules",
                Mode::Rule => "rule",
                Mode::Marks => "marks",
                Mode::Deploys => "deploys",
            })
            .collect();
        let place = if places.len() == Mode::ALL.len() { "everywhere".to_owned() } else { places.join(", ") };
        let class = match row.class {
            Class::View => "",
            Class::Safe => "at once",
            Class::Reversible => "`u` undoes",
            Class::Closing => "asks first",
            Class::Outside => "its id is typed",
        };
        let written = keys::written(row).replace('|', "\\|");
        rows.push_str(&format!("| `{written}` | {} | {place} | {class} |\n", row.words));
    }
    rows
}

#[test]
fn the_readme_lists_every_key() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (kept, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(kept, table(), "the README's keys are stale: UPDATE_README=1 cargo test --test readme writes them anew");
}
