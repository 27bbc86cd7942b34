//! Marks and deploys over HTTP: who may, what is answered, and that a restart keeps them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stella_protocol::rule::MarkPage;
use stella_protocol::{Alert, Code, Role};

use crate::harness::{Running, post, refused};

/// A path part as a URL carries it.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02x}"))
}

async fn marks(server: &Running) -> MarkPage {
    serde_json::from_value(server.get_json("/api/stella/marks").await).unwrap()
}

async fn call_false(server: &Running, alert: &Alert, key: &str, body: Value) -> Value {
    let answer = server.verb(&server.admin, alert, "false-positive", key).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_positive_is_a_mark_that_an_admin_takes_back_and_that_outlives_a_restart() {
    let server = Running::start().await;
    let alerts = [server.alert("203.0.113.71").await, server.alert("203.0.113.72").await];
    call_false(&server, &alerts[0], "k1", json!({"part": "normal"})).await;
    call_false(&server, &alerts[1], "k2", json!({"part": "misread"})).await;
    let page = marks(&server).await;
    assert_eq!(
        (page.items.len(), &page.items[0].fingerprint),
        (1, &alerts[0].fingerprint),
        "misread lines teach nothing"
    );
    let mark = &page.items[0];
    // Five failures were enough for an alert, eight there were: half as many again, by what was counted until then.
    assert!((7..=12).contains(&mark.needed) && mark.times == 1, "{mark:?}");
    assert!(mark.title.as_ref().is_some_and(|title| title.raw().contains("203.0.113.71")), "{mark:?}");

    let server = Running::start_on(server.stop().await).await;
    let kept = marks(&server).await.items.remove(0);
    assert_eq!((&kept.fingerprint, kept.times, kept.at, &kept.by), (&mark.fingerprint, 1, mark.at, &mark.by));
    let path = format!("/api/stella/marks/{}", encoded(mark.fingerprint.raw()));
    let responder = server.token(Role::Responder, "ana").await;
    let delete = |token: &str| server.request(Method::DELETE, &path, token);
    refused("a responder", delete(&responder).header("Idempotency-Key", "k3"), Code::Forbidden).await;
    refused("no key", delete(&server.admin), Code::KeyMissing).await;
    let unknown = server.request(Method::DELETE, "/api/stella/marks/nothing", &server.admin);
    refused("no mark", unknown.header("Idempotency-Key", "k4"), Code::NotFound).await;
    for replayed in [None, Some("true")] {
        let answer = delete(&server.admin).header("Idempotency-Key", "k5").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers().get("idempotency-replayed").map(|value| value.to_str().unwrap()), replayed);
        let was: Value = answer.json().await.unwrap();
        assert_eq!(was["fingerprint"], mark.fingerprint.raw());
    }
    assert_eq!(marks(&server).await, MarkPage::default());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_is_told_once_by_whoever_deploys_and_stands_in_list_feed_and_snapshot() {
    let server = Running::start().await;
    let mut feed = server.feed("?events=deploy", None).await;
    let path = "/api/stella/deploys";
    let tell = |token: &str, body: &Value| server.request(Method::POST, path, token).json(body);
    let body = json!({"service": "api", "revision": "r8812", "by": "ci"});
    let mut said = Vec::new();
    let viewer = server.token(Role::Viewer, "vera").await;
    let responder = server.token(Role::Responder, "ana").await;
    for token in [&server.ingest, &responder] {
        let answer = tell(token, &body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        said.push(answer.json::<Value>().await.unwrap());
    }
    assert_eq!(said[0], said[1], "the same again changes nothing");
    refused("a viewer", tell(&viewer, &body), Code::Forbidden).await;
    for (name, body) in [
        ("no service", json!({"service": " ", "revision": "r1"})),
        ("no revision", json!({"service": "api"})),
        ("a long one", json!({"service": "api", "revision": "x".repeat(257)})),
        ("the future", json!({"service": "api", "revision": "r1", "at": "2999-01-01T00:00:00Z"})),
        ("unknown", json!({"service": "api", "revision": "r1", "colour": "red"})),
    ] {
        refused(name, tell(&responder, &body), Code::BadBody).await;
    }
    let (event, body) = feed.until("deploy", |_| true).await;
    assert_eq!((body, event.id.is_empty()), (said[0].clone(), false), "it can be replayed");
    let before = event.id.rsplit_once('.').map(|(epoch, seq)| format!("{epoch}.{}", seq.parse::<u64>().unwrap() - 1));
    drop(feed);
    let server = Running::start_on(server.stop().await).await;
    assert_eq!(server.get_json(path).await, json!({"items": [said[0]], "next": null}));
    assert_eq!(server.get_json("/api/stella/snapshot").await["deploys"], json!([said[0]]));
    let (again, _) = server.feed("?events=deploy", before.as_deref()).await.until("deploy", |_| true).await;
    assert_eq!(again.id, event.id);
    let lines = server.get_json("/api/stella/logs?q=deploy").await;
    let said: Vec<&Value> = lines["items"].as_array().unwrap().iter().map(|line| &line["event"]["message"]).collect();
    assert_eq!(said, ["deployed r8812"]);
    refused("no key is asked for, a body is", post(&server, "deploys", &server.admin, "k"), Code::UnsupportedMediaType)
        .await;
    server.stop().await;
}
