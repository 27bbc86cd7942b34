//! What can be said, and what is refused before anybody is asked.
#![expect(clippy::unwrap_used, reason = "tests")]

use clap::Parser;
use serde_json::{Value, json};
use stella_protocol::migration::Progress;

use super::verbs::rate;
use super::*;
use crate::cli::Subject;

/// An object with fields of it replaced or added.
pub(super) fn changed(mut object: Value, change: &Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// A migration that is planned, but for what is changed.
pub(super) fn migration(change: &Value) -> Migration {
    let at = "2026-01-01T00:00:00Z";
    let one = json!({
        "id": "mig-1", "kind": "user_ids", "target": "demo-app", "mapTitle": "the application", "status": "planned",
        "createdBy": "op", "createdAt": at, "leader": "op", "limits": {"canary": 3, "soakMs": 60_000},
        "next": {"words": "wait"}, "version": 2,
    });
    serde_json::from_value(changed(one, change)).unwrap()
}

/// A copy that is under way, but for what is changed.
pub(super) fn progress(change: &Value) -> Progress {
    let one = json!({
        "id": "mig-1", "phase": "copy", "at": "2026-01-01T00:00:00Z", "total": 8402, "done": 2850, "rate": 8.0,
        "eta": {"is": "range", "lowMs": 540_000, "highMs": 720_000}, "counts": {}, "batches": [57, 120],
    });
    serde_json::from_value(changed(one, change)).unwrap()
}

fn read(line: &str) -> Result<(Arguments, Migrate), clap::Error> {
    let mut arguments = Arguments::try_parse_from(line.split(' '))?;
    match arguments.command.take() {
        Some(Subject::Migrate(asked)) => Ok((arguments, asked)),
        other => unreachable!("{other:?}"),
    }
}

/// Runs it where no server is.
fn refused(line: &str, stdin: Stdin) -> Failure {
    let (arguments, asked) = read(line).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let around = Surroundings::bare(folder.path(), stdin);
    run(&asked, &arguments, &around, &mut Vec::new()).unwrap_err()
}

#[test]
fn a_script_that_consents_says_to_which_plan() {
    for verb in ["approve", "start", "cutover", "rollback"] {
        let at = |line: &str, stdin| {
            refused(&format!("stella-tui migrate {verb} {line} --server http://127.0.0.1:1"), stdin)
        };
        for stdin in [Stdin::Other, Stdin::Lines] {
            let failure = at("mig-1", stdin);
            let words = failure.to_string();
            assert_eq!(failure.exit_code(), 2, "{verb}: {words}");
            assert!(words.contains("stella-tui migrate show mig-1") && words.contains("--plan-digest"), "{words}");
        }
        assert_eq!(at("mig-1 --plan-digest 0011AAff", Stdin::Other).exit_code(), 6, "{verb}: it is asked");
        assert_eq!(at("mig-1", Stdin::Terminal).exit_code(), 6, "{verb}: somebody types");
        assert!(
            read(&format!("stella-tui migrate {verb} mig-1 --plan-digest 0011aaf")).is_err(),
            "{verb}: seven digits"
        );
    }
}

#[test]
fn where_one_only_looks_nothing_is_changed() {
    let at = |line: &str| {
        refused(&format!("stella-tui --readonly --server http://127.0.0.1:1 migrate {line}"), Stdin::Other).exit_code()
    };
    for line in [
        "plan",
        "rehearse",
        "approve --plan-digest 00112233",
        "pause",
        "resume",
        "rate 5",
        "verify",
        "stop",
        "decide --question dec-1 --option a --reason b",
        "hand-over --to op2",
        "take-over",
        "retry",
        "close mig-1 --statement x",
        "cancel mig-1",
    ] {
        assert_eq!(at(line), 5, "{line}");
    }
    for line in ["ls", "check-user x", "report"] {
        assert_eq!(at(line), 6, "{line}: it is asked, and nobody is there");
    }
}

#[test]
fn a_report_alone_is_markdown() {
    let failure = refused("stella-tui migrate show -o md --server http://127.0.0.1:1", Stdin::Other);
    assert_eq!(failure.exit_code(), 2, "{failure}");
    let failure = refused("stella-tui migrate report -o md --server http://127.0.0.1:1", Stdin::Other);
    assert_eq!(failure.exit_code(), 6, "{failure}");
}

#[test]
fn a_decision_is_one_thing_and_has_a_reason() {
    let is_read = |line: &str| read(&format!("stella-tui migrate decide {line}")).is_ok();
    for line in [
        "mig-1 --question dec-1 --option same --reason x",
        "--orphan 100 --choice archive --reason x",
        "--orphan 100 --choice map --user usr_a --reason x",
    ] {
        assert!(is_read(line), "{line}");
    }
    for line in [
        "--question dec-1 --option same",
        "--question dec-1 --option same --reason=",
        "--question dec-1 --reason x",
        "--option same --reason x",
        "--orphan 100 --reason x",
        "--orphan 100 --choice delete --reason x",
        "--orphan 100 --option same --reason x",
        "--question dec-1 --orphan 100 --option same --choice map --reason x",
        "--question dec-1 --option same --user a --reason x",
    ] {
        assert!(!is_read(line), "{line}");
    }
    let words = "stella-tui migrate decide --orphan 100 --choice map --reason x --server http://127.0.0.1:1";
    assert_eq!(refused(words, Stdin::Other).exit_code(), 2, "map whose?");
}

#[test]
fn a_rate_is_a_number_or_max() {
    assert_eq!((rate("8"), rate("max")), (Ok(8), Ok(0)));
    for bad in ["0", "-1", "", "fast", "1.5"] {
        assert!(rate(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_ends_a_migration_names_it() {
    for line in ["cancel", "close --statement x", "close mig-1", "close mig-1 --statement=", "hand-over", "rate"] {
        assert!(read(&format!("stella-tui migrate {line}")).is_err(), "{line}");
    }
}
