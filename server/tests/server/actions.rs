//! Triage over HTTP: conflicts, retries, undo, bulk.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stella_protocol::{Code, Current, Role, Status};

use crate::harness::{Running, problem};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_acknowledge_one_wins_and_the_other_is_told_who() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.20").await;
    let (ana, ben) = (server.token(Role::Responder, "ana").await, server.token(Role::Responder, "ben").await);
    let (one, two) = tokio::join!(
        server.verb(&ana, &alert, "acknowledge", "key-ana").send(),
        server.verb(&ben, &alert, "acknowledge", "key-ben").send(),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    let (winner, loser, name) = if one.status() == StatusCode::OK { (one, two, "ana") } else { (two, one, "ben") };
    assert_eq!((winner.status(), loser.status()), (StatusCode::OK, StatusCode::CONFLICT));
    let problem = problem(loser).await;
    assert!(matches!(problem.code, Code::AlreadyAcknowledged | Code::VersionConflict), "{:?}", problem.code);
    let Some(Current::Alert(current)) = problem.current else { unreachable!("{problem:?}") };
    assert_eq!(current.acknowledged_by.unwrap().raw(), name);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_first_answer_again_and_another_body_is_refused() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.21").await;
    let first = server.verb(&server.admin, &alert, "acknowledge", "key-1").send().await.unwrap();
    assert!(first.headers().get("idempotency-replayed").is_none());
    let first: Value = first.json().await.unwrap();
    let again = server.verb(&server.admin, &alert, "acknowledge", "key-1").send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    let other = server.verb(&server.admin, &alert, "resolve", "key-1").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem(other).await.code, Code::KeyReused);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_undone_once_and_stands_in_its_authors_list() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.22").await;
    let done = server.verb(&server.admin, &alert, "resolve", "key-1").json(&json!({"text": "blocked"}));
    let done: Value = done.send().await.unwrap().json().await.unwrap();
    let action = done["actionId"].as_str().unwrap();
    assert!(done["undoUntil"].is_string());
    let mine = server.get_json("/api/stella/actions?mine").await;
    assert_eq!(mine["items"][0]["id"], action);

    let undo = |key| {
        server
            .request(Method::POST, &format!("/api/stella/actions/{action}/undo"), &server.admin)
            .header("Idempotency-Key", key)
    };
    let undone: Value = undo("key-2").send().await.unwrap().json().await.unwrap();
    assert_eq!(undone["results"][0]["outcome"], "done");
    let now = server.get_json(&format!("/api/stella/alerts/{}", alert.id)).await;
    assert_eq!(now["status"], "new");
    let twice = undo("key-3").send().await.unwrap();
    assert_eq!(problem(twice).await.code, Code::AlreadyUndone);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_says_for_each_target_what_came_of_it_in_order() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.23").await;
    let body = json!({ "verb": "acknowledge", "targets": [
        { "id": "a-zzzzzzz", "version": 1 },
        { "id": alert.id, "version": alert.version },
    ]});
    let request = server.request(Method::POST, "/api/stella/alerts/actions", &server.admin);
    let answer = request.header("Idempotency-Key", "bulk-1").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["results"][0]["outcome"], "not_found");
    assert_eq!(answer["results"][1]["outcome"], "done");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_comes_back_on_the_feed() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.24").await;
    let mut feed = server.feed("?events=alert", None).await;
    feed.until("hello", |_| true).await;
    let done = server.verb(&server.admin, &alert, "acknowledge", "key-1").send().await.unwrap();
    assert_eq!(done.status(), StatusCode::OK);
    let told = feed.alert(|told| told.id == alert.id && told.status == Status::Acknowledged).await;
    assert!(told.version > alert.version);
    server.stop().await;
}
