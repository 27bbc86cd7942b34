//! Following one: a line a progress, its end, and going away before.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::Said;
use crate::{asked, command, migration, plan, progress, with};

#[test]
fn following_writes_a_line_a_progress_and_ends_with_what_people_see() {
    let copying = migration("mig-1", "copying", 7, &json!({"plan": plan()}));
    let server = with(&copying);
    let user = json!({"user": "usr_a", "oldIds": ["a_example_com"], "places": [
        {"collection": "conversations", "before": 0, "now": 240, "expected": 240}]});
    let verified = migration("mig-1", "verified", 9, &json!({"plan": plan()}));
    let report = json!({"migration": verified, "collections": [], "users": [user], "orphans": [], "troubles": [],
                        "reconciliation": []});
    server.says("GET migrations/mig-1/report", [report]);
    let mut follower = command(&server, &["status", "--follow"]).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "mig-1 copying");
    server.sends("migration_progress", &progress(2850, 57), false);
    let line = lines.next().unwrap().unwrap();
    assert_eq!(line, "✓ batch 57/120 · 2850/8402 documents (33.9 %) · 8/s · ETA 9–12 min");
    let mut held = progress(2851, 57);
    held["holdReason"] = "the store is slow".into();
    server.sends("migration_progress", &held, false);
    assert!(lines.next().unwrap().unwrap().starts_with("! batch 57/120"), "a hold does not wait for its second");
    server.sends("migration", &migration("mig-1", "verifying", 8, &json!({})), true);
    assert_eq!(lines.next().unwrap().unwrap(), "mig-1 verifying");
    server.sends("migration", &verified, true);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(rest[0], "mig-1 verified");
    assert!(rest.iter().any(|line| line.contains("240") && line.ends_with("usr_a")), "{rest:?}");
    assert!(rest.last().unwrap().starts_with("next: "), "{rest:?}");
    assert_eq!(follower.wait().unwrap().code(), Some(0));
}

#[test]
fn what_ends_badly_ends_with_one_and_a_program_gets_objects() {
    let server = with(&migration("mig-1", "copying", 7, &json!({})));
    server.sends("migration_progress", &progress(2850, 57), false);
    let why = json!({"result": "116 documents are parked"});
    server.sends("migration", &migration("mig-1", "halted", 8, &why), true);
    let said = asked(&server, &["status", "1", "--follow", "-o", "jsonl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let objects = said.objects();
    assert_eq!(objects[0]["migration"]["status"], "copying");
    assert_eq!(objects.last().unwrap()["migration"]["result"], "116 documents are parked");
    assert!(objects.iter().any(|object| object["progress"]["done"] == 2850), "{objects:?}");
}

/// Waits until it said this, or the time of a slow machine is over.
fn wait_for(follower: &mut Child, wanted: &str) {
    let mut lines = BufReader::new(follower.stdout.as_mut().unwrap()).lines();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if lines.next().unwrap().unwrap().contains(wanted) {
            return;
        }
    }
    unreachable!("{wanted} was not said");
}

#[test]
fn an_interrupt_detaches_and_changes_nothing() {
    let server = with(&migration("mig-1", "copying", 7, &json!({})));
    server.sends("migration_progress", &progress(2850, 57), false);
    let mut follower = command(&server, &["status", "--follow"]).spawn().unwrap();
    wait_for(&mut follower, "batch 57/120");
    let interrupted = Command::new("kill").args(["-INT", &follower.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let said = Said::of(&follower.wait_with_output().unwrap());
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.beside.contains("mig-1 goes on in the server"), "{said:?}");
    assert!(server.changes().is_empty());
}
