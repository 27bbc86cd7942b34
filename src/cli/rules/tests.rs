//! What is sent and what is written, against a server of a few canned answers.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use clap::Parser;
use serde_json::{Value, json};

use crate::cli::plan::{Stdin, Surroundings};
use crate::cli::{Arguments, perform};
use crate::config::{Places, SaidBy};

/// A request: its first line, its head in lower case, its body.
#[derive(Debug)]
struct Heard {
    line: String,
    head: String,
    body: String,
}

fn hear(stream: &mut TcpStream) -> Heard {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "it ended early");
        read.push(byte[0]);
    }
    let whole = String::from_utf8(read).unwrap();
    let head = whole.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let line = whole.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    Heard { line, head, body: String::from_utf8(body).unwrap() }
}

/// Answers so many requests, one a connection.
fn served(answers: Vec<(u16, Value)>) -> (String, JoinHandle<Vec<Heard>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let answer = |(status, body): (u16, Value)| {
            let (mut stream, _) = listener.accept().unwrap();
            let heard = hear(&mut stream);
            let body = body.to_string();
            let length = body.len();
            let above = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all((above + &body).as_bytes()).unwrap();
            heard
        };
        answers.into_iter().map(answer).collect()
    });
    (address, server)
}

/// Runs the program with these words; its exit code or what failed, its output, what the server heard.
fn said(words: &[&str], answers: Vec<(u16, Value)>) -> (Result<u8, (u8, String)>, String, Vec<Heard>) {
    let (address, server) = served(answers);
    let folder = tempfile::tempdir().unwrap();
    let places = Places { file: PathBuf::from("none"), said_by: SaidBy::Default, state: folder.path().to_owned() };
    let around =
        Surroundings { look: Box::new(|_| None), places, stdin: Stdin::Other, has_screen: false, host: String::new() };
    let line = ["stella-tui"].into_iter().chain(words.iter().copied()).chain(["--server", &address]);
    let arguments = Arguments::try_parse_from(line).unwrap();
    let mut out = Vec::new();
    let code = perform(arguments.command.as_ref().unwrap(), &arguments, &around, &mut out);
    let code = code.map_err(|failure| (failure.exit_code(), failure.to_string()));
    (code, String::from_utf8(out).unwrap(), server.join().unwrap())
}

fn page() -> Value {
    let rule = |id: &str, version: u64| {
        json!({
            "id": id, "kind": "performance_degradation", "title": "slower than usual\u{1b}[2J", "origin": "built_in",
            "enabled": true, "sensitivity": 0.2, "version": version,
            "limits": [{"name": "durationMs", "value": 500.0, "unit": "ms"}],
            "score": {"alerts": 4, "markedFalse": 1, "acknowledged": 3, "medianAcknowledgeMs": 130_000},
        })
    };
    json!({"items": [rule("login.address", 1), rule("slow", 7)], "problems": []})
}

fn counted() -> Value {
    json!({
        "from": "2026-01-01T00:00:00.000Z", "to": "2026-01-03T00:00:00.000Z", "lines": 900, "before": 4, "after": 5,
        "gained": [{"fingerprint": "slow|x", "at": "2026-01-02T00:00:00.000Z", "severity": "high", "title": "x slow"}],
        "lost": [], "gainedCount": 1, "lostCount": 0, "marks": 2, "learnedAnew": true, "version": 8,
    })
}

#[test]
fn rules_are_listed_and_shown_and_json_is_the_servers_own() {
    let (code, out, heard) = said(&["rules"], vec![(200, page())]);
    assert_eq!((code, heard[0].line.as_str()), (Ok(0), "GET /api/stella/rules"));
    let row = out.lines().find(|line| line.starts_with("slow")).unwrap();
    let wanted =
        ["slow", "on", "0.20/h", "4", "25.0%", "2m10s", "built", "in", "durationMs", "500", "ms", "everything"];
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), wanted);
    let (code, out, _) = said(&["rules", "show", "slo"], vec![(200, page())]);
    assert_eq!(code, Ok(0));
    assert!(out.starts_with("slow  slower than usual^[[2J"), "{out}");
    let (code, out, _) = said(&["rules", "show", "slow", "-o", "json"], vec![(200, page())]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()), (Ok(0), page()["items"][1].clone()));
    let (code, out, _) = said(&["rules", "-o", "jsonl"], vec![(200, page())]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, &lines), (Ok(0), page()["items"].as_array().unwrap()), "an item a line");
    let (code, _, _) = said(&["rules", "show", "nothing"], vec![(200, page())]);
    assert_eq!(code.unwrap_err().0, 3);
    let (code, out, _) = said(&["rules", "list"], vec![(200, json!({"items": []}))]);
    assert_eq!((code, out.as_str()), (Ok(3), ""));
}

#[test]
fn a_preview_changes_nothing_and_a_change_names_the_version_that_was_read() {
    let words = ["rules", "preview", "slow", "sensitivity=0.5"];
    let (code, out, heard) = said(&words, vec![(200, page()), (200, counted())]);
    assert_eq!((code, heard[1].line.as_str()), (Ok(0), "POST /api/stella/rules/slow/preview"));
    assert_eq!(serde_json::from_str::<Value>(&heard[1].body).unwrap(), json!({"sensitivity": 0.5}));
    assert!(out.contains("\nboth know the 2 marks; what was usual before is learned again"), "{out}");
    assert!(!heard[1].head.contains("idempotency-key"), "{heard:?}");
    assert!(out.contains("sensitivity 0.20/h -> 0.50/h") && out.contains("GAINED 1\n2026-01-02"), "{out}");
    let words = ["rules", "set", "slow", "durationMs=none", "enabled=off", "--yes", "--reason", "at night"];
    let (code, _, heard) = said(&words, vec![(200, page()), (200, page()["items"][1].clone())]);
    assert_eq!((code, heard[1].line.as_str()), (Ok(0), "PUT /api/stella/rules/slow"));
    assert!(heard[1].head.contains("if-match: \"7\"") && heard[1].head.contains("idempotency-key: "), "{heard:?}");
    let wanted = json!({"enabled": false, "limits": {"durationMs": null}, "reason": "at night"});
    assert_eq!(serde_json::from_str::<Value>(&heard[1].body).unwrap(), wanted);
}

#[test]
fn what_cannot_be_done_has_the_exit_code_of_its_kind() {
    let (code, _, heard) = said(&["rules", "set", "slow", "enabled=off"], Vec::new());
    assert!(heard.is_empty());
    let (exit, words) = code.unwrap_err();
    assert!(exit == 2 && words.contains("add --yes"), "{words}");
    let (code, _, _) = said(&["rules", "set", "slow", "enabled=maybe", "--yes"], Vec::new());
    assert_eq!(code.unwrap_err().0, 2);
    let (code, _, _) = said(&["--readonly", "rules", "set", "slow", "enabled=off", "--yes"], Vec::new());
    assert_eq!(code.unwrap_err().0, 5);
    let current = page()["items"][1].clone();
    let conflict = json!({
        "type": "", "code": "version_conflict", "title": "it has changed meanwhile", "detail": "op2 set it last",
        "retry": "never", "current": current,
    });
    let words = ["rules", "set", "slow", "enabled=off", "--yes"];
    let (code, _, _) = said(&words, vec![(200, page()), (409, conflict)]);
    let (exit, words) = code.unwrap_err();
    assert!(exit == 4 && words.contains("op2 set it last"), "{words}");
}

#[test]
fn a_mark_is_taken_back_by_the_beginning_of_its_fingerprint() {
    let fingerprint = "slow|operation=a/b c";
    let marks = json!({"items": [{
        "fingerprint": fingerprint, "title": "b slow", "at": "2026-01-02T00:00:00.000Z", "by": "op2", "times": 2,
        "needed": 41,
    }]});
    let (code, out, _) = said(&["marks"], vec![(200, marks.clone())]);
    assert_eq!(code, Ok(0));
    assert!(out.lines().any(|line| line.ends_with(fingerprint) && line.contains("41")), "{out}");
    let (code, out, heard) = said(&["marks", "undo", "slow|op"], vec![(200, marks), (200, json!({"items": []}))]);
    assert_eq!((code, out.as_str()), (Ok(0), "taken back: b slow\n"));
    assert_eq!(heard[1].line, "DELETE /api/stella/marks/slow%7Coperation%3Da%2Fb%20c");
    assert!(heard[1].head.contains("idempotency-key: "), "{heard:?}");
}

#[test]
fn a_deploy_is_told_and_listed() {
    let deploy = json!({"service": "api", "revision": "r2", "at": "2026-01-02T00:00:00.000Z", "by": "ci"});
    let words = ["deploys", "add", "api", "r2", "--by", "ci", "--at", "2026-01-02T00:00:00Z"];
    let (code, out, heard) = said(&words, vec![(200, deploy.clone())]);
    assert_eq!((code, heard[0].line.as_str()), (Ok(0), "POST /api/stella/deploys"));
    assert_eq!(serde_json::from_str::<Value>(&heard[0].body).unwrap(), deploy);
    assert!(out.contains("api      r2        ci  told"), "{out}");
    let (code, out, _) = said(&["deploys"], vec![(200, json!({"items": []}))]);
    assert_eq!((code, out.as_str()), (Ok(3), ""));
}
