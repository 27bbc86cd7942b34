//! What people read of a migration.

use serde_json::{Value, json};

use super::super::tests::{migration, progress as at};
use super::*;

fn line(change: &Value) -> String {
    progress(&at(change), false)
}

#[test]
fn a_progress_is_one_line() {
    assert_eq!(line(&json!({})), "✓ batch 57/120 · 2850/8402 documents (33.9 %) · 8/s · ETA 9–12 min");
    let held = json!({
        "holdReason": "the store answers slowly\u{1b}[2J\n", "eta": {"is": "unknown", "why": "on hold"},
        "counts": {"parked": 3, "failed": 1}, "rate": null,
    });
    assert_eq!(
        line(&held),
        "! batch 57/120 · 2850/8402 documents (33.9 %) · 3 parked · 1 refused · ETA unknown: on hold · \
         held: the store answers slowly^[[2J↵"
    );
    let scan = json!({"phase": "scan", "batches": [0, 0], "total": 0, "done": 0, "rate": 0.4});
    assert_eq!(line(&scan), "✓ scan · 0 documents · 0.4/s");
    assert!(!line(&json!({})).contains('\u{1b}'));
    assert!(progress(&at(&json!({})), true).starts_with("\u{1b}[32m✓\u{1b}[39m batch"));
}

#[test]
fn only_what_is_done_is_a_hundred_percent() {
    assert_eq!(percent(8_401, 8_402), "99.9 %");
    assert_eq!([percent(8_402, 8_402), percent(9_000, 8_402)], ["100.0 %", "100.0 %"]);
    assert_eq!(percent(u64::MAX - 1, u64::MAX), "99.9 %");
}

#[test]
fn a_range_is_rounded_outwards() {
    let ranges =
        [(540_000, 720_000), (540_001, 719_999), (3_000, 59_000), (0, 400), (60_000, 60_000), (3_600_000, 9_000_000)];
    let words = ranges.map(|(low, high)| range(low, high));
    assert_eq!(words, ["9–12 min", "9–12 min", "3–59 s", "0–1 s", "60 s", "1–3 h"]);
}

#[test]
fn the_next_step_is_a_command_that_can_be_given() {
    let one = migration(&json!({"next": {"verb": "rehearse", "words": "rehearse: all 31 batches are computed"}}));
    assert_eq!(next(&one, &Named::Usual), "next: stella-tui migrate rehearse mig-1   (all 31 batches are computed)");
    assert_eq!(
        next(&one, &Named::Server("it's mine\u{1b}".to_owned())),
        r"next: stella-tui migrate rehearse mig-1 --server 'it'\''s mine^['   (all 31 batches are computed)"
    );
    assert!(next(&one, &Named::Demo).contains("stella-tui --demo"));
    let waits =
        |status: &str| next(&migration(&json!({"status": status, "next": {"words": "it goes on"}})), &Named::Usual);
    assert_eq!(waits("copying"), "next: stella-tui migrate status mig-1 --follow   (it goes on)");
    assert_eq!(waits("needs_decision"), "next: stella-tui migrate decisions mig-1   (it goes on)");
    assert_eq!(waits("completed"), "next: it goes on");
}

#[test]
fn a_step_tells_what_began_and_what_ended_once() {
    let phase = |name: &str, state: &str| json!({"name": name, "state": state, "startedAt": "2026-01-01T00:00:00Z"});
    let mut backup = phase("backup", "done");
    backup["endedAt"] = "2026-01-01T00:01:05Z".into();
    backup["note"] = "973 documents".into();
    let before =
        migration(&json!({"status": "backing_up", "phases": [phase("scan", "done"), phase("backup", "running")]}));
    let after =
        migration(&json!({"status": "copying", "phases": [phase("scan", "done"), backup, phase("copy", "running")]}));
    assert_eq!(step(None, &before), ["· backup running", "mig-1 backing_up"]);
    assert_eq!(
        step(Some(&before), &after),
        ["✓ backup done: 973 documents · 1 min 05 s", "· copy running", "mig-1 copying"]
    );
    assert_eq!(step(Some(&after), &after), [""; 0]);
}

#[test]
fn a_step_tells_by_whom_it_was_handed_over_and_why_it_stands() {
    let entry = |by: &str| json!([{"at": "2026-01-01T00:00:00Z", "by": by, "what": "bo leads it now"}]);
    let before = migration(&json!({"status": "copying"}));
    let given = migration(&json!({"status": "copying", "leader": "bo", "trail": entry("op")}));
    assert_eq!(step(Some(&before), &given), ["· op handed mig-1 over to bo"]);
    let taken = migration(&json!({"status": "copying", "leader": "b\u{1b}o", "trail": entry("b\u{1b}o")}));
    assert_eq!(step(Some(&given), &taken), ["· b^[o took mig-1 over"]);
    let paused = json!({"status": "paused", "leader": "bo", "holdReason": "paused by ana: late", "trail": entry("op")});
    assert_eq!(step(Some(&given), &migration(&paused)), ["mig-1 paused: paused by ana: late"]);
}

#[test]
fn a_size_has_the_largest_unit_of_which_there_is_one() {
    assert_eq!([0, 1_023, 1_024, 1 << 20, 5 << 29].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "2.5 GiB"]);
}
