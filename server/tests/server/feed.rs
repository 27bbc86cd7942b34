//! The feed as its readers see it.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use stella_protocol::{Code, Status};

use crate::harness::{Running, problem};

#[tokio::test(flavor = "multi_thread")]
async fn hello_comes_first_and_says_who_reads() {
    let server = Running::start().await;
    let mut feed = server.feed("", None).await;
    let hello = feed.next().await.unwrap();
    assert_eq!((hello.event.as_str(), hello.id.as_str()), ("hello", ""));
    let body: serde_json::Value = serde_json::from_str(&hello.data).unwrap();
    assert_eq!((&body["principal"], &body["role"]), (&json!("tester@local"), &json!("admin")));
    assert_eq!(body["heartbeatMs"], 5000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_event_source_gets_a_slow_operation_in_the_original_shape() {
    let server = Running::start().await;
    let mut feed = server.feed("", None).await;
    feed.until("hello", |_| true).await;
    let line = json!({
        "level": "WARN", "category": "performance", "severity": "high", "service": "api", "message": "slow call",
        "operation": "get_shared_agents", "durationMs": 734, "userId": "ana@example.com",
    });
    server.send(&[line]).await;
    let (event, body) = feed.until("message", |body| body["metadata"]["operation"] == "get_shared_agents").await;
    assert_eq!(event.id, "");
    for field in ["timestamp", "level", "category", "message", "severity", "suggestedActions", "autoFixAvailable"] {
        assert!(!body[field].is_null(), "{field} in {body}");
    }
    assert_eq!(body["metadata"]["duration_ms"], 734.0);
    assert_eq!(body["metadata"]["userId"], "ana@example.com");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_says_bye_when_the_server_ends_and_is_over() {
    let server = Running::start().await;
    let mut feed = server.feed("", None).await;
    feed.until("hello", |_| true).await;
    server.shutdown.cancel();
    let (_, bye) = feed.until("bye", |_| true).await;
    assert_eq!(bye["reason"], "shutdown");
    assert!(feed.next().await.is_none());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_back_gets_what_it_missed_also_across_a_restart() {
    let server = Running::start().await;
    let first = server.alert("203.0.113.7").await;
    let cursor = server.get_json("/api/stella/snapshot").await["cursor"].as_str().unwrap().to_owned();
    let second = server.alert("203.0.113.8").await;
    let mut replayed = server.feed("?events=alert", Some(&cursor)).await;
    assert_eq!(replayed.alert(|alert| alert.id != first.id).await.id, second.id);

    let server = Running::start_on(server.stop().await).await;
    let mut replayed = server.feed(&format!("?events=alert&cursor={cursor}"), None).await;
    let again = replayed.alert(|alert| alert.id != first.id).await;
    assert_eq!((again.id, again.status), (second.id, Status::New));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_cannot_be_honoured_is_answered_on_the_stream() {
    let server = Running::start().await;
    let head = server.get_json("/api/stella/snapshot").await["cursor"].as_str().unwrap().to_owned();
    let epoch = head.split('.').next().unwrap().to_owned();
    for (cursor, reason) in [
        ("nonsense".to_owned(), "malformed"),
        ("-1.1".to_owned(), "malformed"),
        ("1.99999999999999999999".to_owned(), "malformed"),
        ("1.2.3".to_owned(), "malformed"),
        ("1.1".to_owned(), "epoch_changed"),
        (format!("{epoch}.999999"), "cursor_ahead"),
    ] {
        let mut feed = server.feed("", Some(&cursor)).await;
        let (_, reset) = feed.until("reset", |_| true).await;
        assert_eq!(reset["reason"], reason, "{cursor}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_ends_when_its_token_is_revoked() {
    use stella_protocol::Role;
    use stella_server::admin::{self, AdminAnswer, AdminRequest};

    let server = Running::start().await;
    let token = server.token(Role::Viewer, "ana").await;
    let mut feed = crate::harness::Feed::open(&server.client, server.addr, &token, "", None).await;
    feed.until("hello", |_| true).await;
    let data = server.data.path().to_owned();
    let revoked = tokio::task::spawn_blocking(move || {
        let AdminAnswer::Tokens { tokens } = admin::run(&data, &AdminRequest::ListTokens).unwrap() else { panic!() };
        admin::run(&data, &AdminRequest::RevokeToken { id: tokens[0].id.clone() }).unwrap()
    });
    assert!(matches!(revoked.await.unwrap(), AdminAnswer::Done));
    let (_, bye) = feed.until("bye", |_| true).await;
    assert_eq!(bye["reason"], "auth");
    let refused = server.request(reqwest::Method::GET, "/api/stella/snapshot", &token).send().await.unwrap();
    assert_eq!(problem(refused).await.code, Code::TokenRevoked);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_follows_an_alert_before_the_next_heartbeat_is_due() {
    /// Half of the time between two heartbeats.
    const SOON: Duration = Duration::from_millis(2500);
    let server = Running::start().await;
    let mut feed = server.feed("", None).await;
    let said = |health: &str| json!({ "service": "ai", "component": "embedder", "health": health, "message": "beat" });
    // After a heartbeat that came in its time the next one is five seconds away.
    feed.until("heartbeat", |beat| beat["health"]["status"] == "healthy").await;
    let due = Instant::now() + SOON;
    server.send(&[said("down")]).await;
    let alert = feed.alert(|alert| alert.title.raw() == "embedder is down").await;
    let (_, beat) = feed.until("heartbeat", |_| true).await;
    assert_eq!((&beat["health"]["status"], &beat["health"]["reason"]), (&"down".into(), &"embedder is down".into()));
    let done = server.verb(&server.admin, &alert, "resolve", "key-1").send().await.unwrap();
    assert_eq!(done.status(), StatusCode::OK);
    let (_, beat) = feed.until("heartbeat", |_| true).await;
    assert_eq!(beat["health"]["status"], "healthy", "what was resolved is not down any more");
    assert!(Instant::now() < due);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_principal_cannot_take_all_streams() {
    let server = Running::start().await;
    let path = "/api/stella/server-logs-stream";
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(server.get(path).await);
    }
    let refused = server.get(path).await;
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(problem(refused).await.code, Code::TooManyStreams);
    drop(open);
    server.stop().await;
}
