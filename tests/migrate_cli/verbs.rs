//! What a verb sends, who consents to what, and what a refusal is to a script.

use portable_pty::CommandBuilder;
use serde_json::json;

use crate::server::{Answer, Server};
use crate::{DIGEST, asked, migration, page, plan, planned, program, with};

#[test]
fn a_script_consents_to_the_plan_that_it_names_and_no_other() {
    for (verb, status) in
        [("approve", "rehearsed"), ("start", "approved"), ("cutover", "verified"), ("rollback", "halted")]
    {
        let server = with(&migration("mig-1", status, 5, &json!({"plan": plan()})));
        let route = format!("POST migrations/mig-1/{verb}");
        server.says(&route, [migration("mig-1", "verified", 6, &json!({"plan": plan()}))]);
        assert_eq!(asked(&server, &[verb, "mig-1"]).code, Some(2), "{verb}");
        let other = asked(&server, &[verb, "mig-1", "--plan-digest", "00112233"]);
        assert_eq!(other.code, Some(4), "{verb}: {other:?}");
        assert!(server.changes().is_empty(), "{verb}");

        let done = asked(&server, &[verb, "mig-1", "--plan-digest", "5F0E2D1C"]);
        assert_eq!(done.code, Some(0), "{verb}: {done:?}");
        assert!(done.last_line().starts_with("next: "), "{verb}: {done:?}");
        let sent = server.changes();
        assert_eq!((sent.len(), sent[0].route.as_str()), (1, route.as_str()));
        assert_eq!(sent[0].body, json!({"planDigest": DIGEST}), "{verb}");
        assert_eq!(sent[0].headers["if-match"], "\"5\"");
        assert!(sent[0].headers.contains_key("idempotency-key"), "{verb}");
    }
}

#[test]
fn verbs_send_what_was_said() {
    let server = with(&migration("mig-1", "copying", 5, &json!({"plan": plan()})));
    let after = migration("mig-1", "copying", 6, &json!({}));
    for (words, route, body) in [
        (&["rehearse"][..], "rehearse", json!({})),
        (&["pause", "--reason", "peak"], "pause", json!({"text": "peak"})),
        (&["resume"], "resume", json!({})),
        (&["rate", "25"], "rate", json!({"rate": 25})),
        (&["rate", "max", "mig-1"], "rate", json!({"rate": 0})),
        (&["verify"], "verify", json!({})),
        (&["stop", "mig"], "stop", json!({})),
        (&["hand-over", "--to", "op2"], "hand-over", json!({"to": "op2"})),
        (&["take-over"], "take-over", json!({})),
        (&["retry"], "retry", json!({})),
        (&["close", "mig-1", "--statement", "I looked"], "close", json!({"text": "I looked"})),
        (&["cancel", "mig-1"], "cancel", json!({})),
        (
            &["start", "--plan-digest", "5f0e2d1c", "--dual-read", "readers of v12 know both"],
            "start",
            json!({"planDigest": DIGEST, "text": "readers of v12 know both"}),
        ),
    ] {
        server.says(&format!("POST migrations/mig-1/{route}"), [after.clone()]);
        let said = asked(&server, words);
        assert_eq!(said.code, Some(0), "{words:?}: {said:?}");
        let sent = server.changes().pop().unwrap();
        assert_eq!((sent.route, sent.body), (format!("POST migrations/mig-1/{route}"), body), "{words:?}");
    }
}

#[test]
fn a_brake_is_meant_whatever_happened_meanwhile_and_nothing_else_is() {
    let server = with(&migration("mig-1", "copying", 5, &json!({})));
    let conflict = |current: u64| Answer {
        status: 412,
        body: json!({"type": "", "code": "version_conflict", "title": "it went on", "retry": "never",
                     "current": migration("mig-1", "copying", current, &json!({}))}),
    };
    let paused = Answer::from(migration("mig-1", "paused", 8, &json!({})));
    server.answers("POST migrations/mig-1/pause", vec![conflict(6), conflict(7), paused]);
    server.says("GET migrations/mig-1", [5, 6, 7].map(|version| migration("mig-1", "copying", version, &json!({}))));
    let said = asked(&server, &["pause", "mig-1"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let seen: Vec<String> = server.changes().iter().map(|sent| sent.headers["if-match"].clone()).collect();
    assert_eq!(seen, ["\"5\"", "\"6\"", "\"7\""]);

    server.answers("POST migrations/mig-1/verify", vec![conflict(8)]);
    let said = asked(&server, &["verify", "mig-1"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.beside.contains("mig-1 is copying now"), "{said:?}");
}

#[test]
fn a_question_and_an_orphan_are_decided_by_name() {
    let server = with(&migration("mig-1", "needs_decision", 5, &json!({"openDecisions": 1})));
    let open = |id: &str| {
        json!({"id": id, "kind": "shared_id", "question": "whose?", "ids": [], "evidence": [],
               "options": [{"name": "first", "words": ""}, {"name": "second", "words": ""}]})
    };
    server.says("GET migrations/mig-1/decisions", [page(&json!([open("dec-1"), open("dec-20")]))]);
    server.says("POST migrations/mig-1/decisions", [migration("mig-1", "draft", 6, &json!({}))]);
    let decide = |words: &[&str]| asked(&server, &[&["decide"], words, &["--reason", "I asked her"]].concat());
    let said = decide(&["--question", "dec-2", "--option", "s"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let question = json!({"about": "question", "id": "dec-20", "option": "second", "reason": "I asked her"});
    let sent = server.changes().pop().unwrap();
    assert_eq!((sent.headers["if-match"].as_str(), sent.body), ("\"5\"", question));
    assert_eq!(decide(&["--question", "dec-3", "--option", "s"]).code, Some(3));
    assert_eq!(decide(&["--question", "dec-1", "--option", "third"]).code, Some(3));

    assert_eq!(decide(&["--orphan", "1000", "--choice", "map", "--user", "usr_a"]).code, Some(0));
    let orphan = json!({"about": "orphan", "id": "1000", "choice": "map", "user": "usr_a", "reason": "I asked her"});
    assert_eq!(server.changes().pop().unwrap().body, orphan);
}

#[test]
fn a_refusal_has_the_exit_code_of_its_kind() {
    let server = with(&planned());
    for (code, wanted) in [
        ("forbidden", 5),
        ("dual_read_missing", 4),
        ("not_decided", 4),
        ("illegal_transition", 4),
        ("target_busy", 4),
        ("bad_body", 2),
        ("store_unavailable", 6),
        ("internal", 1),
    ] {
        server.refuses("POST migrations/mig-1/rehearse", 409, code);
        let said = asked(&server, &["rehearse"]);
        assert_eq!(said.code, Some(wanted), "{code}: {said:?}");
    }
}

/// Runs a verb at a terminal, typing this when asked.
fn typed(server: &Server, words: &[&str], typed: &str) -> (u32, String) {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_stella-tui"));
    command.arg("migrate");
    command.args(words);
    command.env_clear();
    command.env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.env("STELLA_SERVER", &server.address);
    program::typed(command, typed)
}

#[test]
fn at_a_terminal_the_plan_is_shown_and_a_name_has_to_be_typed() {
    for (verb, status, wrong, right) in [
        ("approve", "rehearsed", "mig-1", "demo-app"),
        ("start", "approved", "demo-app", "mig-1"),
        ("rollback", "halted", "y", "MIG-1"),
        ("cutover", "verified", "mig-1", "mig-1 demo-app"),
    ] {
        let server = with(&migration("mig-1", status, 5, &json!({"plan": plan()})));
        let after = migration("mig-1", "soaking", 6, &json!({}));
        server.says(&format!("POST migrations/mig-1/{verb}"), [after]);
        for other in [wrong, ""] {
            let (code, seen) = typed(&server, &[verb], &format!("{other}\r"));
            assert_eq!(code, 1, "{verb} {other:?}: {seen}");
            assert!(seen.contains("nothing was changed"), "{verb}: {seen}");
        }
        assert!(server.changes().is_empty(), "{verb}");
        let (code, seen) = typed(&server, &[verb], &format!("{right}\r"));
        assert_eq!(code, 0, "{verb}: {seen}");
        assert!(seen.contains("whole map") && seen.contains(DIGEST), "{verb}: {seen}");
        assert_eq!(server.changes()[0].body["planDigest"], DIGEST, "{verb}");
    }
    let mut strange = plan();
    strange["surprise"] = "what this program does not know".into();
    let server = with(&migration("mig-1", "rehearsed", 5, &json!({"plan": strange})));
    let (code, seen) = typed(&server, &["approve"], "demo-app\r");
    assert_eq!(code, 1, "{seen}");
    assert!(server.changes().is_empty() && seen.contains("does not know"), "{seen}");
}
