//! docs/detection.md lists the rules and the limits that there are, each with its numbers, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use stella_detect::{Known, Limit, Rules};

const GUIDE: &str = include_str!("../../../docs/detection.md");

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table of rules: the rules of each, its type, its limits.
fn rows() -> Vec<(Vec<&'static str>, Vec<&'static str>, BTreeSet<&'static str>)> {
    let (_, table) = GUIDE.split_once("| rule | type of alert | limits |\n").unwrap();
    let lines = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            let limits = quoted(cells[2]).into_iter().filter(|word| Limit::named(word).is_some()).collect();
            (quoted(cells[0]), quoted(cells[1]), limits)
        })
        .collect()
}

#[test]
fn every_rule_stands_in_the_guide_with_its_type_and_its_limits() {
    let mut told = BTreeMap::new();
    for (rules, kind, limits) in rows() {
        for rule in rules {
            assert!(told.insert(rule, (kind.clone(), limits.clone())).is_none(), "{rule} stands there twice");
        }
    }
    for known in Known::ALL {
        let limits: BTreeSet<&str> = known.limits().iter().map(|limit| limit.name()).collect();
        assert_eq!(told.remove(known.id()), Some((vec![known.kind().word()], limits)), "{}", known.id());
    }
    assert!(told.is_empty(), "no such rules: {told:?}");
}

#[test]
fn every_type_has_its_chapter_and_every_rule_is_more_than_listed() {
    let (tuning, rest) = GUIDE.split_once("## Tuning").unwrap();
    let explained = [tuning, rest.split_once("\n## ").unwrap().1].concat();
    for known in Known::ALL {
        assert!(explained.contains(&format!("`{}`", known.id())), "{} is only listed", known.id());
        let chapter = format!("\n### {}\n", known.kind().word());
        assert!(GUIDE.contains(&chapter), "no chapter on {}", known.kind().word());
    }
}

#[test]
fn the_one_number_is_what_the_guide_says() {
    let told = format!("{} by default", Rules::default().sensitivity);
    assert!(GUIDE.contains(&told), "the guide does not say {told}");
}

#[test]
fn every_limit_stands_there_with_what_it_may_be_and_what_the_fixed_rules_make_of_it() {
    let rules = Rules { fixed: true, ..Rules::default() };
    for limit in Limit::ALL {
        let (least, most) = limit.bounds();
        let whole = if limit.unit() == "count" { ", whole" } else { "" };
        let fixed = rules.fixed_limit(limit).map_or_else(|| "none".to_owned(), |value| value.to_string());
        let row = format!("| `{}` | {least} to {most}{whole} | {fixed}", limit.name());
        let told = GUIDE.lines().find(|line| line.starts_with(&row));
        assert!(told.is_some(), "no row {row}");
        for (operation, own) in rules.limits_ms.iter().filter(|_| limit == Limit::DurationMs) {
            assert!(told.unwrap().contains(&format!("`{operation}` {own}")), "{operation}");
        }
    }
}
