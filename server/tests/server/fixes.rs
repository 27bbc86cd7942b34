//! Fixes over HTTP: what is checked, in which order, and what comes back.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stella_protocol::fix::{Check, Fix, FixReview, Gate, GateState, Proposal, Verification};
use stella_protocol::{Code, Current, FixStatus, FixVerb, Role, Snapshot, Text};
use stella_server::Clock;
use stella_server::remedy::FixState;

use crate::harness::{Running, post, problem, refused};
use crate::waiting::{DIGEST, keep, pending};

/// A server that finds these fixes in its folder.
async fn with(fixes: Vec<FixState>) -> Running {
    let data = tempfile::tempdir().unwrap();
    keep(data.path(), fixes, &[1, 2, 3, 4, 5].map(|number| format!("line {number}")));
    Running::start_on(data).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_is_reviewed_approved_once_and_told_on_the_feed() {
    let server = with(vec![pending(1, "service:search")]).await;
    let review: FixReview = serde_json::from_value(server.get_json("/api/stella/fixes/fx-1").await).unwrap();
    assert_eq!(review.fix.status, FixStatus::Pending);
    assert!(!review.gates.is_empty());
    let snapshot: Snapshot = serde_json::from_value(server.get_json("/api/stella/snapshot").await).unwrap();
    assert_eq!(snapshot.fixes, std::slice::from_ref(&review.fix));
    let dashboard = server.get_json("/api/stella/dashboard").await;
    assert_eq!(dashboard["pendingApprovals"][0]["id"], "fx-1");

    let mut feed = server.feed("?events=fix", None).await;
    feed.until("hello", |_| true).await;
    let approve = |key| {
        let body = json!({ "planDigest": DIGEST, "text": "go" });
        post(&server, "fixes/fx-1/approve", &server.admin, key).header("If-Match", "\"2\"").json(&body)
    };
    let first = approve("k1").send().await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    let first: Value = first.json().await.unwrap();
    assert_eq!(first["status"], "approved");
    let (event, told) = feed.until("fix", |_| true).await;
    assert_eq!((told, event.id.is_empty()), (first.clone(), false));
    let again = approve("k1").send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), first);

    let stale = problem(approve("k2").send().await.unwrap()).await;
    assert_eq!(stale.code, Code::VersionConflict);
    let Some(Current::Fix(current)) = stale.current else { unreachable!("{stale:?}") };
    assert_eq!(serde_json::to_value(current).unwrap(), first);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_says_when_nobody_could_tell_whether_it_helped() {
    let mut unwatched = pending(2, "service:db");
    let verification = Verification { check: Check::AlertQuiet, hold_ms: 30_000, within_ms: 300_000 };
    unwatched.fix.plan.verification = Some(verification);
    let server = with(vec![pending(1, "service:search"), unwatched]).await;
    for (id, is_told) in [("fx-1", false), ("fx-2", true)] {
        let review: FixReview =
            serde_json::from_value(server.get_json(&format!("/api/stella/fixes/{id}")).await).unwrap();
        let told = |gate: &Gate| gate.state == GateState::Warning && gate.text.raw().contains("not watched");
        assert_eq!(review.gates.iter().any(told), is_told, "{id}: {:?}", review.gates);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_plan_than_the_one_that_waits_is_refused() {
    let server = with(vec![pending(1, "service:search")]).await;
    let request = post(&server, "fixes/fx-1/approve", &server.admin, "k").header("If-Match", "\"2\"");
    refused("other digest", request.json(&json!({ "planDigest": "d2" })), Code::PlanChanged).await;
    let rollback = post(&server, "fixes/fx-1/rollback", &server.admin, "k").header("If-Match", "\"2\"");
    refused("nothing can look", rollback, Code::FixesOff).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_about_fixes_has_a_code_of_its_own_and_the_key_is_checked_first() {
    let server = with(vec![pending(1, "service:search")]).await;
    let bare = |method, path: &str| server.request(method, &format!("/api/stella/{path}"), &server.admin);
    let keyed = |path: &str| post(&server, path, &server.admin, "k");
    for verb in FixVerb::ALL {
        let path = format!("fixes/fx-1/{}", verb.word());
        refused("no key", bare(Method::POST, &path), Code::KeyMissing).await;
        refused("no version", keyed(&path), Code::VersionMissing).await;
        refused("no version, bad body", keyed(&path).body("x"), Code::VersionMissing).await;
        let versioned = keyed(&path).header("If-Match", "\"9\"");
        refused("unknown field", versioned.json(&json!({ "extra": 1 })), Code::BadBody).await;
        let unknown = post(&server, &format!("fixes/fx-99/{}", verb.word()), &server.admin, "k");
        refused(
            "unknown fix",
            unknown.header("If-Match", "\"1\"").json(&json!({})),
            if verb == FixVerb::Rollback { Code::FixesOff } else { Code::NotFound },
        )
        .await;
        refused("no fix", bare(Method::POST, &format!("fixes/a-1/{}", verb.word())), Code::BadId).await;
    }
    refused("unknown verb", bare(Method::POST, "fixes/fx-1/explode"), Code::UnknownRoute).await;
    for (method, path) in [(Method::POST, "fixes"), (Method::PUT, "fixes/switch"), (Method::POST, "maintenance")] {
        refused(path, bare(method.clone(), path), Code::KeyMissing).await;
        let request = bare(method, path).header("Idempotency-Key", "k");
        refused(path, request.json(&json!({ "nonsense": 1 })), Code::BadBody).await;
    }
    refused("lift without a key", bare(Method::DELETE, "suppressions/sup-1"), Code::KeyMissing).await;
    refused(
        "lift of nothing",
        bare(Method::DELETE, "suppressions/sup-1").header("Idempotency-Key", "k"),
        Code::NotFound,
    )
    .await;
    refused("lift of no id", bare(Method::DELETE, "suppressions/x").header("Idempotency-Key", "k"), Code::BadId).await;
    refused("end without a key", bare(Method::DELETE, "maintenance/win-1"), Code::KeyMissing).await;
    let end = |id: &str| bare(Method::DELETE, &format!("maintenance/{id}")).header("Idempotency-Key", "k");
    refused("end of nothing", end("win-1"), Code::NotFound).await;
    refused("end of no id", end("sup-1"), Code::BadId).await;
    let ask = Proposal { definition_id: Text::new("restart-pool"), alert_id: None, parameters: BTreeMap::new() };
    refused("no definitions", keyed("fixes").json(&ask), Code::FixesOff).await;
    for query in [
        "fixes?status=sleeping",
        "fixes?alert=x",
        "fixes?limit=0",
        "fixes?after=x",
        "fixes?nonsense=1",
        "fixes/fx-1/output?step=x",
    ] {
        let code = if query == "fixes?alert=x" { Code::BadId } else { Code::BadQuery };
        refused(query, bare(Method::GET, query), code).await;
    }
    refused("unknown fix", bare(Method::GET, "fixes/fx-99"), Code::NotFound).await;
    refused("its output", bare(Method::GET, "fixes/fx-99/output"), Code::NotFound).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_newest_first() {
    let server = with((1..=5).map(|number| pending(number, &format!("service:{number}"))).collect()).await;
    let ids = |page: &Value| {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|fix| serde_json::from_value::<Fix>(fix.clone()).unwrap().id.to_string()).collect::<Vec<_>>()
    };
    let first = server.get_json("/api/stella/fixes?limit=3&status=open").await;
    assert_eq!(ids(&first), ["fx-5", "fx-4", "fx-3"]);
    let next = first["next"].as_str().unwrap();
    let last = server.get_json(&format!("/api/stella/fixes?limit=3&after={next}")).await;
    assert_eq!((ids(&last), last["next"].is_null()), (vec!["fx-2".to_owned(), "fx-1".to_owned()], true));
    assert!(ids(&server.get_json("/api/stella/fixes?status=executed,failed").await).is_empty());
    let said = server.get_json("/api/stella/fixes/fx-2/output?limit=2&after=1").await;
    assert_eq!((said["items"][0]["text"].as_str(), said["next"].as_str()), (Some("line 2"), Some("3")));
    assert_eq!(server.get_json("/api/stella/fix-definitions").await, json!({ "items": [], "next": null }));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_and_windows_are_an_admins_and_stand_in_snapshot_and_feed() {
    let server = with(vec![pending(1, "service:search")]).await;
    let approver = server.token(Role::Approver, "ben").await;
    let put = |token: &str| {
        let request = server.request(Method::PUT, "/api/stella/fixes/switch", token).header("Idempotency-Key", "k1");
        request.json(&json!({ "on": false, "reason": "freeze" }))
    };
    refused("an approver", put(&approver), Code::Forbidden).await;
    let mut feed = server.feed("?events=fix,remedy", None).await;
    feed.until("hello", |_| true).await;
    let switched: Value = put(&server.admin).send().await.unwrap().json().await.unwrap();
    assert_eq!(switched["switchedOff"]["reason"], "freeze");
    feed.until("fix", |fix| fix["id"] == "fx-1" && fix["status"] == "superseded").await;
    feed.until("remedy", |remedy| *remedy == switched).await;
    let until = Clock::system().now().plus_millis(60_000);
    let window = json!({ "target": "service:", "until": until, "reason": "move" });
    let made = post(&server, "maintenance", &server.admin, "k2").json(&window).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::OK);
    let listed = server.get_json("/api/stella/maintenance").await;
    assert_eq!(listed["items"][0], made.json::<Value>().await.unwrap());
    let snapshot = server.get_json("/api/stella/snapshot").await;
    assert_eq!(snapshot["remedy"]["maintenance"], listed["items"]);
    assert_eq!(snapshot["remedy"]["switchedOff"], switched["switchedOff"]);
    assert_eq!(server.get_json("/api/stella/suppressions").await["items"], json!([]));

    let end = |token: &str| {
        server.request(Method::DELETE, "/api/stella/maintenance/WIN-1", token).header("Idempotency-Key", "k3")
    };
    refused("an approver", end(&approver), Code::Forbidden).await;
    let ended = end(&server.admin).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::OK);
    let ended: Value = ended.json().await.unwrap();
    assert_eq!((&ended["maintenance"], &ended["switchedOff"]), (&json!([]), &switched["switchedOff"]));
    feed.until("remedy", |remedy| *remedy == ended).await;
    assert_eq!(server.get_json("/api/stella/maintenance").await["items"], json!([]));
    let again = end(&server.admin).send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), ended);
    server.stop().await;
}
