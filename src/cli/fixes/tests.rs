//! What can be said, and what is refused before anybody is asked.
#![expect(clippy::unwrap_used, reason = "tests")]

use clap::Parser;

use super::*;
use crate::cli::Subject;
use crate::cli::plan::Stdin;

fn read(line: &str) -> Result<(Arguments, Fixes), clap::Error> {
    let mut arguments = Arguments::try_parse_from(line.split(' '))?;
    match arguments.command.take() {
        Some(Subject::Fixes(fixes)) => Ok((arguments, fixes)),
        other => unreachable!("{other:?}"),
    }
}

/// Runs it where no server is.
fn refused(line: &str, stdin: Stdin) -> Failure {
    let (arguments, fixes) = read(line).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let around = Surroundings::bare(folder.path(), stdin);
    run(&fixes, &arguments, &around, &mut Vec::new()).unwrap_err()
}

#[test]
fn where_a_server_is_named_does_not_matter() {
    for line in [
        "stella-tui --server http://h fixes ls",
        "stella-tui fixes --server http://h ls",
        "stella-tui fixes ls --server http://h",
        "stella-tui --server http://elsewhere fixes ls --server http://h",
    ] {
        let (arguments, fixes) = read(line).unwrap();
        let flags = fixes.manner.place.merged(&arguments.source).unwrap();
        assert_eq!(flags.server.as_deref(), Some("http://h"), "{line}");
    }
    let (arguments, fixes) = read("stella-tui --demo fixes ls --seed 3").unwrap();
    let flags = fixes.manner.place.merged(&arguments.source).unwrap();
    assert_eq!((flags.demo, flags.seed), (true, Some(3)));
}

#[test]
fn a_place_that_contradicts_itself_or_is_none_is_a_usage_error() {
    for line in [
        "stella-tui --demo fixes ls --server http://h",
        "stella-tui fixes ls --seed 3 --server http://h",
        "stella-tui fixes ls",
    ] {
        assert_eq!(refused(line, Stdin::Other).exit_code(), 2, "{line}");
    }
}

#[test]
fn a_script_that_approves_says_which_plan_it_saw() {
    let failure = refused("stella-tui fixes approve fx-12 --server http://127.0.0.1:1", Stdin::Other);
    assert_eq!(failure.exit_code(), 2);
    let words = failure.to_string();
    assert!(words.contains("stella-tui fixes show fx-12") && words.contains("--plan-digest"), "{words}");
    let named =
        refused("stella-tui fixes approve fx-12 --plan-digest 0011AAff --server http://127.0.0.1:1", Stdin::Lines);
    assert_eq!(named.exit_code(), 6, "{named}");
}

#[test]
fn seven_digits_of_a_digest_are_not_enough() {
    assert_eq!(digest("0011AAff").as_deref(), Ok("0011aaff"));
    for bad in ["0011aaf", "", "0011aafg", &"0".repeat(65)] {
        assert!(digest(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_is_kept_for_others_to_read_is_not_empty() {
    for line in [
        "stella-tui fixes reject fx-1",
        "stella-tui fixes stop fx-1",
        "stella-tui fixes close fx-1",
        "stella-tui fixes reject fx-1 --reason=",
        "stella-tui fixes close fx-1 --statement=",
    ] {
        assert!(read(line).is_err(), "{line}");
    }
    assert!(read("stella-tui fixes off").is_ok(), "in an emergency nothing stands in the way");
    for verb in ["reject", "stop", "close"] {
        assert!(read(&format!("stella-tui fixes {verb} fx-1 --reason because")).is_ok(), "{verb}");
    }
}

#[test]
fn a_window_is_added_only_with_its_end() {
    let is_new = |line: &str| match read(line).unwrap().1.verb {
        Verb::Maintenance(window) => window.is_new(),
        other => unreachable!("{other:?}"),
    };
    assert!(!is_new("stella-tui fixes maintenance"));
    assert!(is_new("stella-tui fixes maintenance --for 2h --target service:search"));
    assert!(is_new("stella-tui fixes maintenance --until 2026-01-31T18:00:00Z"));
    for line in ["--target x", "--reason x", "--from 2026-01-31T18:00:00Z", "--for 2h --until 2026-01-31T18:00:00Z"] {
        assert!(read(&format!("stella-tui fixes maintenance {line}")).is_err(), "{line}");
    }
    assert_eq!(["90s", "15m", "2h", "3d"].map(|text| span(text).unwrap()), [90_000, 900_000, 7_200_000, 259_200_000]);
    assert!(!is_new("stella-tui fixes maintenance end win-1"));
    let both = refused("stella-tui fixes maintenance --for 2h end win-1 --server http://127.0.0.1:1", Stdin::Other);
    assert_eq!(both.exit_code(), 2, "{both}");
    for bad in ["", "2", "h", "0h", "-1h", "2w", "2é"] {
        assert!(span(bad).is_err(), "{bad}");
    }
}

#[test]
fn where_one_only_looks_nothing_is_changed() {
    let at =
        |verb: &str| refused(&format!("stella-tui --readonly --server http://127.0.0.1:1 fixes {verb}"), Stdin::Other);
    for verb in [
        "off",
        "withdraw fx-1",
        "propose x",
        "maintenance --for 1h",
        "maintenance end win-1",
        "approve fx-1 --plan-digest 00112233",
    ] {
        assert_eq!(at(verb).exit_code(), 5, "{verb}");
    }
    for verb in ["ls", "show fx-1", "maintenance", "suppressions"] {
        assert_eq!(at(verb).exit_code(), 6, "{verb}: it is asked, and nobody is there");
    }
}
