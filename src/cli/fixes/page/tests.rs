//! What people read of a fix.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;

fn fix(id: &str, change: &Value) -> Value {
    let at = "2026-01-01T02:05:00.000Z";
    let mut fix = json!({
        "id": id, "definitionId": "restart", "title": "Restart search", "risk": "medium", "policy": "approve",
        "planDigest": "0011aaff", "proposedBy": "rule:restart", "proposedAt": at, "status": "pending", "quorum": 2,
        "approveBy": "2026-01-01T02:20:00.000Z", "steps": [{"state": "waiting"}], "version": 2,
        "plan": {
            "definitionId": "restart", "definitionDigest": "00", "risk": "medium", "policy": "approve",
            "target": "service:search", "parameters": [{
                "name": "service", "value": "search", "kind": "inventory", "source": "label service", "entry": "1 min old"
            }],
            "steps": [{
                "title": "Restart it", "retries": 1, "idempotent": true,
                "act": {
                    "kind": "argv", "program": "/usr/bin/restart", "arguments": ["--unit", "search \u{1b}[2J"],
                    "timeoutMs": 30000, "clean": [3]
                },
                "probe": {
                    "title": "ask it",
                    "act": {
                        "kind": "http", "method": "GET", "base": "app", "url": "http://h/state", "timeoutMs": 500
                    },
                    "done": {"status": [200], "pointer": "/up", "equals": true}, "notDone": {"status": [404, 503]}
                },
                "undo": {"how": "restore"}
            }],
            "willNotUndo": ["what users typed"],
            "verification": {"check": {"of": "alert_quiet"}, "holdMs": 60000, "withinMs": 300_000},
            "guard": {"of": "series", "series": "errors", "side": "below", "limit": 0.5}
        }
    });
    fix.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    fix
}

fn read(id: &str, change: &Value) -> Fix {
    serde_json::from_value(fix(id, change)).unwrap()
}

#[test]
fn the_list_is_aligned_and_says_who_still_has_to_decide_until_when() {
    let by = json!({"by": "op2", "at": "2026-01-01T02:06:00.000Z", "planDigest": "0011aaff"});
    let rows = fixes(&[
        read("fx-12", &json!({"approvals": [by], "alertId": "a-4f21abc"})),
        read("fx-3", &json!({"status": "executed", "byPolicy": true, "title": "a\u{202e}b"})),
    ]);
    assert_eq!(
        rows,
        [
            "ID     STATUS    RISK    YES     PROPOSED              UNTIL                 ALERT      TARGET          TITLE",
            "fx-12  pending   medium  1/2     2026-01-01T02:05:00Z  2026-01-01T02:20:00Z  a-4f21abc  service:search  Restart search",
            "fx-3   executed  medium  policy  2026-01-01T02:05:00Z  -                     -          service:search  a<U+202E>b",
        ]
    );
}

#[test]
fn what_runs_is_shown_whole_with_how_it_is_told_and_taken_back() {
    let review = FixReview {
        fix: read("fx-12", &json!({})),
        gates: serde_json::from_value(json!([{"state": "shut", "text": "one more approval"}])).unwrap(),
        differences: vec![Text::from("the alert is quiet")],
        record: Record { runs: 12, good: 11, marked: 0, false_positive: 0 },
    };
    let shown = super::review(&review, true).join("\n");
    let wanted = r#"
what will run
  1. Restart it
     run "/usr/bin/restart" "--unit" "search \u001b[2J"
     done when exit 0, surely nothing done when 3, within 30 s
     twice is the same as once, tried 1 times more
     probe: ask it
       GET "http://h/state"
       at app, done when status 200 to 299, within 500 ms
       it happened when status 200 and "/up" is true
       it did not when status 404 or 503
     undo: the documents are put back as they were before

values
  service = "search" (inventory, from label service, 1 min old)

will not be undone
  - what users typed

success
  the alert is quiet for 1 min, within 5 min after the last step; else taken back
  stopped and taken back unless errors is at most 0.5

gates
  SHUT  one more approval

differs since it was proposed
  - the alert is quiet

record      11 of 12 runs helped
plan digest 0011aaff"#;
    assert!(shown.contains(wanted), "{shown}");
    assert!(shown.contains("needs       2 approvals"), "{shown}");
    assert!(!super::review(&review, false).join("\n").eq(&shown), "what is not known of the plan is said");
}

#[test]
fn gates_are_told_only_of_what_still_waits_for_them() {
    let gates = vec![Gate { state: GateState::Shut, text: Text::from("it is not pending") }];
    let shown = |status: &str| {
        let fix = read("fx-12", &json!({"status": status}));
        let review = FixReview { fix, gates: gates.clone(), differences: Vec::new(), record: Record::default() };
        super::review(&review, true).join("\n")
    };
    for status in ["proposed", "pending", "approved"] {
        assert!(shown(status).contains("SHUT  it is not pending"), "{status}");
    }
    for status in ["running", "executed", "failed", "rejected", "in_doubt"] {
        assert!(!shown(status).contains("SHUT") && !shown(status).contains("gates"), "{status}");
    }
}

#[test]
fn what_must_hold_first_is_a_part_of_what_is_shown() {
    let mut fix = read("fx-12", &json!({}));
    let mut wanted = fix.plan.steps[0].probe.clone().unwrap();
    wanted.title = Text::from("the pool has a spare");
    fix.plan.preconditions = vec![wanted];
    let review = FixReview { fix, gates: Vec::new(), differences: Vec::new(), record: Record::default() };
    let shown = super::review(&review, true).join("\n");
    assert!(shown.contains("runs only if\n  the pool has a spare\n     GET \"http://h/state\""), "{shown}");
    assert!(shown.contains("     it holds when status 200 and \"/up\" is true"), "{shown}");
}

#[test]
fn what_has_no_undo_is_not_promised_to_be_taken_back() {
    let mut fix = read("fx-12", &json!({}));
    fix.plan.steps[0].undo = None;
    let said = plan::success(&fix.plan).join("\n");
    assert!(said.contains("else it stays done and counts as failed; nothing is taken back"), "{said}");
    assert!(said.contains("stopped unless errors is at most 0.5; what was done stays done"), "{said}");
}

#[test]
fn no_text_from_outside_reaches_a_terminal_as_it_is() {
    let bad = "x\u{1b}]0;y\u{7}\u{202e}\u{9b}z";
    let hostile = json!({
        "title": bad, "definitionId": bad, "proposedBy": bad, "planDigest": bad, "result": bad, "rehearsal": [bad],
        "stays": [bad], "steps": [{"state": "failed", "attempt": 2, "note": bad}],
        "approvals": [{"by": bad, "at": "2026-01-01T02:06:00.000Z", "planDigest": bad, "reason": bad}],
        "trail": [{"at": "2026-01-01T02:06:00.000Z", "by": bad, "what": bad}]
    });
    let fix = read("fx-1", &hostile);
    let gates = vec![Gate { state: GateState::Open, text: Text::from(bad) }];
    let review = FixReview { fix: fix.clone(), gates, differences: vec![Text::from(bad)], record: Record::default() };
    let shown = [super::review(&review, true), fixes(std::slice::from_ref(&fix)), outcome(&fix)].concat();
    for line in shown {
        assert!(!line.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}']), "{line:?}");
    }
}

#[test]
fn a_step_is_counted_from_one_in_the_output_too() {
    let one = json!({
        "id": "fx-1", "number": 1, "step": 0, "stream": "stella", "at": "2026-01-01T02:05:00.250Z", "text": "begun"
    });
    assert_eq!(line(&serde_json::from_value(one).unwrap()), "2026-01-01T02:05:00.250Z 1 stella begun");
}
