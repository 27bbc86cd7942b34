//! `stella-tui migrate …` against a server that says what is written here: what is printed, what is sent,
//! which exit code.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "migrate_cli/following.rs"]
mod following;
#[path = "cli/program.rs"]
mod program;
#[path = "migrate_cli/server.rs"]
mod server;
#[path = "migrate_cli/verbs.rs"]
mod verbs;

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use program::Said;
use server::{Server, snapshot};

const DIGEST: &str = "5f0e2d1c7a64b9384f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2e1f0abcd";
const AT: &str = "2026-01-01T00:00:00.000Z";

fn plan() -> Value {
    json!({
        "digest": DIGEST, "scannedAt": AT, "keyId": "key-1", "documents": 8402, "collections": 97, "undeclared": 1,
        "changes": 900, "moves": 73, "references": 1406, "users": 19, "oldIds": 24, "orphanIds": 3,
        "orphanDocuments": 38, "clashes": 1, "batches": 31, "bytes": 1_048_576, "misses": 2,
        "firstScope": {"users": 19, "conversations": 473, "messages": 600, "shares": 30, "folders": 12, "groups": 8,
                       "orphanedConversations": 38, "orphanIds": 3},
    })
}

/// A migration in this state, but for what is changed.
fn migration(id: &str, status: &str, version: u64, change: &Value) -> Value {
    let mut one = json!({
        "id": id, "kind": "user_ids", "target": "demo-app", "mapTitle": "the application\u{1b}[2J", "status": status,
        "createdBy": "op", "createdAt": AT, "leader": "op", "openDecisions": 0, "phases": [],
        "counts": {"planned": 0, "done": 0, "skipped": 0, "parked": 0, "failed": 0, "conflicts": 0},
        "limits": {"canary": 3, "soakMs": 60_000}, "oldIdUses": 0, "result": "", "next": {"words": "wait"},
        "trail": [], "version": version,
    });
    for (name, value) in change.as_object().unwrap() {
        one[name] = value.clone();
    }
    one
}

fn planned() -> Value {
    let next = json!({"verb": "rehearse", "words": "rehearse: all 31 batches are computed"});
    migration("mig-1", "planned", 3, &json!({"plan": plan(), "next": next}))
}

fn page(items: &Value) -> Value {
    json!({"items": items, "next": null})
}

fn progress(done: u64, batch: u64) -> Value {
    json!({
        "id": "mig-1", "phase": "copy", "at": AT, "total": 8402, "done": done, "rate": 8.0,
        "eta": {"is": "range", "lowMs": 540_000, "highMs": 720_000}, "counts": {}, "batches": [batch, 120],
    })
}

/// One that is there alone, in this state.
fn with(one: &Value) -> Server {
    let server = Server::start();
    server.says(&format!("GET migrations/{}", one["id"].as_str().unwrap()), [one.clone()]);
    server.says("GET migrations", [page(&json!([one]))]);
    server.says("GET snapshot", [snapshot(&json!([one]))]);
    server
}

impl Said {
    fn objects(&self) -> Vec<Value> {
        assert!(self.out.is_ascii(), "{self:?}");
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }
}

fn command(server: &Server, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stella-tui"));
    command.arg("migrate").args(words);
    command.env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR")).env("PATH", "/usr/bin:/bin");
    command.env("STELLA_SERVER", &server.address).env("STELLA_TOKEN", "secret");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn asked(server: &Server, words: &[&str]) -> Said {
    Said::of(&command(server, words).output().unwrap())
}

#[test]
fn a_plan_is_made_waited_for_and_shown_as_two_blocks() {
    let server = Server::start();
    let draft = migration("mig-1", "draft", 1, &json!({}));
    server.says("GET migrations", [page(&json!([]))]);
    server.says("POST migrations", [draft.clone()]);
    server.says("GET snapshot", [snapshot(&json!([draft]))]);
    server.says("GET migrations/mig-1", [planned()]);
    server.sends("migration", &planned(), true);
    let row = |name: &str, priority: Value, documents: u64, references: u64, moves: u64| {
        json!({"name": name, "priority": priority, "documents": documents, "references": references, "moves": moves,
               "orphans": 0, "counts": {"planned": references}})
    };
    let rows = json!([
        row("conversations", 0.into(), 511, 473, 0),
        row("user_settings", 1.into(), 38, 19, 19),
        row("quiet", 3.into(), 5, 0, 0),
        row("agent_contexts\u{1b}[2J", Value::Null, 6, 6, 0),
    ]);
    server.says("GET migrations/mig-1/collections", [page(&rows)]);
    server.says("GET migrations/mig-1/decisions", [page(&json!([]))]);

    let said = asked(&server, &["plan"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    insta::assert_snapshot!("plan", said.out);
    assert!(said.beside.contains("nothing is written"), "{said:?}");
    let sent = server.changes();
    assert_eq!(
        (sent.len(), sent[0].route.as_str(), &sent[0].body),
        (1, "POST migrations", &json!({"kind": "user_ids"}))
    );

    // There is one now that nobody approved yet: it is looked at again, under the version that was seen.
    server.says("GET migrations", [page(&json!([planned()]))]);
    server.says("POST migrations/mig-1/plan", [migration("mig-1", "draft", 4, &json!({}))]);
    let again = migration("mig-1", "needs_decision", 5, &json!({"openDecisions": 1}));
    server.says("GET snapshot", [snapshot(&json!([again]))]);
    server.says("GET migrations/mig-1", [planned(), again]);
    let open = json!({
        "id": "dec-1", "kind": "several_accounts", "question": "are these one person?", "ids": ["a_example_com", "1000"],
        "evidence": [{"what": "the same e-mail", "document": "users/1"}],
        "options": [{"name": "same", "words": "one person"}, {"name": "two", "words": "two people"}],
    });
    server.says("GET migrations/mig-1/decisions", [page(&json!([open]))]);
    let said = asked(&server, &["plan"]);
    assert_eq!(said.code, Some(4), "questions are open: {said:?}");
    assert!(
        said.out.contains("dec-1: are these one person?") && said.out.contains("--option two: two people"),
        "{said:?}"
    );
    assert!(said.last_line().starts_with("next: stella-tui migrate decisions mig-1"), "{said:?}");
    assert_eq!(server.changes()[1].headers["if-match"], "\"3\"");
}

#[test]
fn lists_come_in_pages_and_say_when_there_is_more_or_nothing() {
    let server = with(&planned());
    let row = |number: u64| json!({"number": number, "at": AT, "text": format!("line {number}\u{1b}[2J")});
    let first: Vec<Value> = (1..=2).map(row).collect();
    server.says("GET migrations/mig-1/log", [json!({"items": first, "next": "2"}), page(&json!([row(3)]))]);
    let said = asked(&server, &["log"]);
    assert_eq!((said.code, said.out.matches("line ").count()), (Some(0), 3), "{said:?}");
    assert!(said.last_line().starts_with("next: stella-tui migrate rehearse mig-1"), "{said:?}");
    let queries: Vec<String> =
        server.asked().into_iter().filter(|asked| asked.route.ends_with("/log")).map(|asked| asked.query).collect();
    assert_eq!(queries, ["limit=50", "limit=48&after=2"]);

    server.says("GET migrations/mig-1/log", [json!({"items": [row(1)], "next": "1"})]);
    let said = asked(&server, &["log", "--limit", "1", "-o", "json"]);
    assert_eq!(said.objects(), [json!({"items": [row(1)], "next": "1"})]);
    assert!(said.beside.contains("there are more"), "{said:?}");
    let said = asked(&server, &["log", "--limit", "1", "-o", "jsonl"]);
    assert_eq!(said.objects(), [row(1)]);

    for list in ["collections", "mapping", "orphans", "decisions", "errors"] {
        server.says(&format!("GET migrations/mig-1/{list}"), [page(&json!([]))]);
        let said = asked(&server, &[list]);
        assert_eq!(said.code, Some(3), "{list}: {said:?}");
        assert!(said.beside.contains("mig-1 "), "{list}: {said:?}");
    }
}

#[test]
fn without_an_id_the_unfinished_one_is_meant_and_of_several_none() {
    let server = Server::start();
    server.says("GET migrations", [page(&json!([]))]);
    let none = asked(&server, &["show"]);
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(none.beside.contains("`stella-tui migrate plan` makes one"), "{none:?}");
    let several = json!([migration("mig-12", "soaking", 2, &json!({})), migration("mig-1", "draft", 1, &json!({}))]);
    server.says("GET migrations", [page(&several)]);
    let which = asked(&server, &["pause"]);
    assert_eq!(which.code, Some(2), "{which:?}");
    assert!(which.beside.contains("mig-12 (soaking), mig-1 (draft)"), "{which:?}");
    server.says("GET migrations/mig-12", [several[0].clone()]);
    for short in ["mig-12", "12", "MIG-12"] {
        assert!(asked(&server, &["show", short]).out.starts_with("mig-12 soaking"), "{short}");
    }
    assert_eq!(asked(&server, &["show", "mig"]).code, Some(2), "it fits two");
    assert_eq!(asked(&server, &["show", "2"]).code, Some(3), "a number is a whole id");
    let listed = asked(&server, &["ls"]);
    assert_eq!(listed.out.lines().filter(|line| line.starts_with("mig-")).count(), 2, "{listed:?}");
}

#[test]
fn who_does_not_see_what_they_must_is_told_by_the_code_too() {
    let server = with(&planned());
    let check = |now: u64| {
        json!({"user": "usr_a", "oldIds": ["a_example_com"], "places": [
            {"collection": "conversations", "before": 0, "now": now, "expected": 240},
            {"collection": "agent_shares", "before": 0, "now": 9, "expected": 9}]})
    };
    let route = "GET migrations/mig-1/users/ana%40example%2Ecom";
    server.says(route, [check(0), check(240)]);
    let before = asked(&server, &["check-user", "ana@example.com"]);
    assert_eq!(before.code, Some(1), "{before:?}");
    insta::assert_snapshot!("check_user", before.out);
    assert_eq!(asked(&server, &["check-user", "ana@example.com"]).code, Some(0));
    assert_eq!(asked(&server, &["check-user", "nobody"]).code, Some(3));
}

#[test]
fn a_report_is_markdown_or_the_servers_object() {
    let found = json!({"at": AT, "documents": 8402, "checks": ["no old id is left: 8402"], "differences": 1,
        "changedSince": 0, "first": [{"check": "owner", "what": "conversations/c|1", "detail": "is *b's*"}],
        "notChecked": ["old_groups"]});
    let counts = json!({"planned": 973, "done": 970, "skipped": 1, "parked": 2, "failed": 0, "conflicts": 1});
    let phase = |name: &str, from: &str, to: &str| json!({"name": name, "state": "done", "startedAt": from, "endedAt": to, "note": ""});
    let change = json!({"plan": plan(), "counts": counts, "verification": found, "phases": [
        phase("copy", "2026-01-01T00:00:00Z", "2026-01-01T00:01:40Z"),
        phase("verify", "2026-01-01T00:01:40Z", "2026-01-01T00:02:00Z"),
        phase("soak", "2026-01-01T00:02:00Z", "2026-01-08T00:02:00Z"),
    ]});
    let one = migration("mig-1", "completed", 12, &change);
    let server = with(&one);
    let report = json!({
        "migration": one,
        "collections": [{"name": "conversations", "priority": 0, "documents": 511, "references": 473, "moves": 0,
                         "orphans": 38, "counts": counts}],
        "users": [{"user": "usr_a", "oldIds": ["a_example_com"], "places": [
            {"collection": "conversations", "before": 0, "now": 239, "expected": 240}]}],
        "orphans": [{"id": "1000", "form": "numeric", "documents": [["conversations", 36]], "references": 36,
                     "known": [], "candidates": []}],
        "troubles": [{"number": 1, "at": AT, "kind": "parked", "document": "shares/s-1", "what": "two entries differ"}],
        "reconciliation": ["970 + 1 + 2 + 0 = 973"],
    });
    server.says("GET migrations/mig-1/report", [report.clone()]);
    let said = asked(&server, &["report", "-o", "md"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    insta::assert_snapshot!("report", said.out);
    assert_eq!(asked(&server, &["report"]).out, said.out, "for people it is the same");
    assert_eq!(asked(&server, &["report", "-o", "json"]).objects(), [report]);
}

#[test]
fn a_report_can_leave_letters_and_a_table_of_ids_and_overwrites_nothing() {
    let one = migration("mig-1", "completed", 12, &json!({}));
    let server = with(&one);
    let report = json!({
        "migration": one, "collections": [], "orphans": [], "troubles": [], "reconciliation": [],
        "users": [{"user": "usr_a", "oldIds": ["ana@example.com"], "places": [
            {"collection": "conversations", "before": 0, "now": 240, "expected": 240}]}],
    });
    server.says("GET migrations/mig-1/report", [report]);
    let row = |from: &str, to: &str| json!({"from": from, "to": to, "form": "A", "minted": true, "references": 1, "evidence": []});
    server
        .says("GET migrations/mig-1/mapping", [page(&json!([row("ana_example_com", "usr_a"), row("usr_a", "usr_a")]))]);
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (letters, table) = (at("letters"), at("ids.csv"));
    let words = ["report", "--letters", &letters, "--mapping", &table];
    let said = asked(&server, &words);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.beside.contains("1 letters in") && said.beside.contains("none was sent"), "{said:?}");
    assert_eq!(std::fs::read_to_string(&table).unwrap(), "old_id,new_id\nana_example_com,usr_a\n");
    assert!(std::fs::read_to_string(format!("{letters}/0001-usr_a.txt")).unwrap().contains("240 of 240"));
    assert_eq!(asked(&server, &words).code, Some(1), "what is there stays");
    let again = asked(&server, &["report", "--mapping", &table]);
    assert!(again.code == Some(1) && again.beside.contains("exists"), "{again:?}");
    assert_eq!(server.changes().len(), 0);
}
