//! The program itself: its first line, its signals, what survives SIGKILL.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use stella_protocol::Role;

use crate::harness::{Feed, Ndjson, PATIENCE, client, guesses, request, token};

struct Process {
    child: Child,
    addr: SocketAddr,
}

impl Process {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stella-server"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env_remove("STELLA_SERVER_CONFIG")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim_end().strip_prefix("stella-server listening on http://").unwrap().parse().unwrap();
        Self { child, addr }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn end(&mut self) -> Option<i32> {
        let begun = Instant::now();
        let status = self.child.wait().unwrap();
        assert!(begun.elapsed() < PATIENCE);
        status.code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already: that is what most tests are about.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn send(client: &Client, addr: SocketAddr, token: &str, lines: &[Value]) {
    let sent = request(client, addr, Method::POST, "/api/stella/logs", token).ndjson(lines).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_and_the_feed_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let mut first = Process::start(data.path());
    let client = client();
    let (ana, app) = (token(data.path(), Role::Responder, "ana").await, token(data.path(), Role::Ingest, "app").await);
    let mut feed = Feed::open(&client, first.addr, &ana, "?events=alert", None).await;
    send(&client, first.addr, &app, &guesses("203.0.113.90", 8)).await;
    let (seen, alert) = feed.until("alert", |_| true).await;
    let (id, version) = (alert["id"].as_str().unwrap(), alert["version"].as_u64().unwrap());
    let acknowledge = |addr| {
        request(&client, addr, Method::POST, &format!("/api/stella/alerts/{id}/acknowledge"), &ana)
            .header("Idempotency-Key", "press-1")
            .header("If-Match", format!("\"{version}\""))
    };
    let done = acknowledge(first.addr).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::OK);
    let done: Value = done.json().await.unwrap();

    first.signal("-KILL");
    assert_eq!(first.end(), None);
    let second = Process::start(data.path());
    let again = acknowledge(second.addr).send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), done);

    let mut feed = Feed::open(&client, second.addr, &ana, "", Some(&seen.id)).await;
    let (event, replayed) = feed.until("alert", |alert| alert["status"] == "acknowledged").await;
    assert_eq!((replayed["id"].as_str(), &replayed["acknowledgedBy"]), (Some(id), &Value::from("ana")));
    assert!(event.id > seen.id);
    let kept = request(&client, second.addr, Method::GET, "/api/stella/logs?q=wrong", &ana).send().await.unwrap();
    assert_eq!(kept.json::<Value>().await.unwrap()["items"].as_array().unwrap().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_in_order_with_a_bye_to_every_reader() {
    let data = tempfile::tempdir().unwrap();
    let mut process = Process::start(data.path());
    let client = client();
    let viewer = token(data.path(), Role::Viewer, "ana").await;
    let mut feed = Feed::open(&client, process.addr, &viewer, "", None).await;
    feed.until("hello", |_| true).await;
    process.signal("-TERM");
    let (_, bye) = feed.until("bye", |_| true).await;
    assert_eq!(bye["reason"], "shutdown");
    assert_eq!(process.end(), Some(0));
}

#[test]
fn two_servers_never_share_a_folder() {
    let data = tempfile::tempdir().unwrap();
    let _first = Process::start(data.path());
    let second = Command::new(env!("CARGO_BIN_EXE_stella-server"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stdout.is_empty());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server is using it"));
}

#[test]
fn a_token_is_printed_alone_with_and_without_a_running_server() {
    let data = tempfile::tempdir().unwrap();
    let create = || {
        let made = Command::new(env!("CARGO_BIN_EXE_stella-server"))
            .args(["token", "create", "--role", "viewer", "--name", "ana", "--data"])
            .arg(data.path())
            .output()
            .unwrap();
        assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
        let text = String::from_utf8(made.stdout).unwrap();
        assert!(text.starts_with("stella_") && text.ends_with('\n') && text.lines().count() == 1, "{text}");
        text
    };
    let without = create();
    let _running = Process::start(data.path());
    assert_ne!(create(), without);
}

#[test]
fn a_role_that_there_is_not_is_a_mistake_of_usage_and_makes_no_token() {
    let data = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_stella-server"))
        .args(["token", "create", "--role", "king", "--name", "ana", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert_eq!(made.status.code(), Some(2));
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(said.contains("king") && said.contains("responder"), "{said}");
    assert!(made.stdout.is_empty() && std::fs::read_dir(data.path()).unwrap().next().is_none());
}

#[test]
fn a_demo_refuses_a_folder_with_other_data() {
    let data = tempfile::tempdir().unwrap();
    drop(Process::start(data.path()));
    let demo = Command::new(env!("CARGO_BIN_EXE_stella-server"))
        .args(["serve", "--listen", "127.0.0.1:0", "--demo", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert_eq!(demo.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&demo.stderr).contains("holds other data"));
}
