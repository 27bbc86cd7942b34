//! What a command's failure is called: refused, or unknown.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::Ipv4Addr;

use stella_protocol::fix::{FixRequest, Proposal, SwitchRequest};
use stella_protocol::migration::{DecisionRequest, MigrationKind, MigrationProposal, MigrationRequest};
use stella_protocol::{FixVerb, MigrationVerb};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;

async fn listener() -> (TcpListener, Client) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let target = Target::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
    (listener, Client::new(target).unwrap())
}

async fn undo(client: &Client, id: u64) -> Refusal {
    match client.send(RequestId(id), &Command::Undo("act-1".parse().unwrap())).await {
        Reply::Acted(Err(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Takes connections and lets each of them go as soon as the request is there.
async fn hang_up(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    }
}

#[tokio::test]
async fn a_command_that_nobody_listens_to_is_refused_in_words() {
    let (listener, client) = listener().await;
    drop(listener);
    let Refusal::Problem(problem) = undo(&client, 1).await else { panic!("nothing was sent") };
    assert!(problem.title.raw().starts_with("nothing was sent, nobody listens at 127.0.0.1:"), "{problem:?}");
    assert!(!problem.detail.raw().is_empty());
}

#[tokio::test]
async fn a_command_that_may_have_arrived_is_unknown_and_stays_so_until_somebody_answers() {
    let (listener, client) = listener().await;
    let server = tokio::spawn(hang_up(listener));
    assert!(matches!(undo(&client, 1).await, Refusal::Unknown(_)));
    server.abort();
    assert!(server.await.is_err_and(|ended| ended.is_cancelled()));
    assert!(matches!(undo(&client, 1).await, Refusal::Unknown(_)), "it may have happened the first time");
    assert!(matches!(undo(&client, 2).await, Refusal::Problem(_)), "this one cannot have");
}

/// Takes one request, says nothing useful, and hands its head over.
async fn head(listener: TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let count = stream.read(&mut part).await.unwrap();
        head.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&head).to_lowercase()
}

#[tokio::test]
async fn a_change_of_fixes_or_migrations_has_its_method_its_key_and_the_version_that_was_seen() {
    let request = FixRequest { plan_digest: Some("7c1e".into()), text: None };
    let id = "fx-1".parse().unwrap();
    let decide = Command::DecideFix { id, version: 3, verb: FixVerb::DryRun, request };
    let which = || "mig-2".parse().unwrap();
    let (verb, request) = (MigrationVerb::HandOver, MigrationRequest::default());
    let hand_over = Command::DecideMigration { id: which(), version: 4, verb, request };
    let request = DecisionRequest::Question { id: "dec-1".into(), option: "a".into(), reason: "b".into() };
    let answer = Command::AnswerMigration { id: which(), version: 5, request };
    let make = Command::CreateMigration(MigrationProposal { kind: MigrationKind::UserIds });
    for (command, line, version) in [
        (make, "post /api/stella/migrations http", None),
        (hand_over, "post /api/stella/migrations/mig-2/hand-over http", Some("if-match: \"4\"")),
        (answer, "post /api/stella/migrations/mig-2/decisions http", Some("if-match: \"5\"")),
        (decide, "post /api/stella/fixes/fx-1/dry-run http", Some("if-match: \"3\"")),
        (Command::Propose(Proposal::default()), "post /api/stella/fixes http", None),
        (
            Command::SwitchFixes(SwitchRequest { on: false, reason: "x".into() }),
            "put /api/stella/fixes/switch http",
            None,
        ),
        (Command::LiftSuppression("sup-3".to_owned()), "delete /api/stella/suppressions/sup-3 http", None),
        (Command::EndMaintenance("win-3".to_owned()), "delete /api/stella/maintenance/win-3 http", None),
    ] {
        let (listener, client) = listener().await;
        let server = tokio::spawn(head(listener));
        drop(tokio::spawn(async move { client.send(RequestId(1), &command).await }));
        let head = server.await.unwrap();
        assert!(head.starts_with(line) && head.contains("idempotency-key: "), "{head}");
        assert_eq!(head.contains("if-match"), version.is_some(), "{head}");
        assert!(version.is_none_or(|version| head.contains(version)), "{head}");
    }
}

#[tokio::test]
async fn what_is_looked_at_is_put_once_without_key_and_version() {
    let (listener, client) = listener().await;
    let server = tokio::spawn(head(listener));
    let said = serde_json::json!({ "console": "con-1", "screen": "migrations", "object": "mig-7" });
    let said = serde_json::from_value(said).unwrap();
    client.attend(&said).await;
    let head = server.await.unwrap();
    assert!(head.starts_with("put /api/stella/presence http"), "{head}");
    assert!(!head.contains("idempotency-key") && !head.contains("if-match"), "{head}");
}
