//! `POST /logs`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stella_protocol::{Code, Role};

use crate::harness::{Ndjson, Running, problem};

const LOGS: &str = "/api/stella/logs";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_forms_of_a_batch_are_taken_packed_or_not() {
    let server = Running::start().await;
    let line = r#"{"level":"info","message":"hello"}"#;
    let forms = [
        ("application/x-ndjson", format!("{line}\n{line}\n")),
        ("application/json", format!("[{line},{line}]")),
        ("application/json; charset=utf-8", format!(r#"{{"logs":[{line},{line}]}}"#)),
        ("text/plain", "2026-01-01T00:00:00Z INFO one\n2026-01-01T00:00:01Z INFO two\n".to_owned()),
    ];
    for (kind, body) in forms {
        let plain = server.request(Method::POST, LOGS, &server.ingest).header("Content-Type", kind);
        let packed = server.request(Method::POST, LOGS, &server.ingest).header("Content-Type", kind);
        let packed = packed.header("Content-Encoding", "gzip").body(gzip(body.as_bytes()));
        for request in [plain.body(body.clone()), packed] {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{kind}");
            let answer: Value = answer.json().await.unwrap();
            assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(2), &json!(0)), "{kind}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_is_named_and_does_not_cost_the_others() {
    let server = Running::start().await;
    let body = "{\"message\":\"one\"}\n{broken\n{\"message\":\"three\"}\n";
    let request = server.request(Method::POST, LOGS, &server.ingest).header("Content-Type", "application/x-ndjson");
    let answer: Value = request.body(body).send().await.unwrap().json().await.unwrap();
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(2), &json!(1)));
    assert_eq!(answer["errors"][0]["line"], 2);
    let kept = server.get_json("/api/stella/logs?q=three").await;
    assert_eq!(kept["items"][0]["event"]["message"], "three");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_its_limit_is_refused_packed_or_not() {
    let server = Running::start().await;
    let large = vec![b'\n'; (8 << 20) + 1];
    let request = server.request(Method::POST, LOGS, &server.ingest).header("Content-Type", "text/plain");
    assert_eq!(problem(request.body(large).send().await.unwrap()).await.code, Code::TooLarge);
    let bomb = gzip(&vec![b'\n'; (64 << 20) + 1]);
    let request = server.request(Method::POST, LOGS, &server.ingest).header("Content-Type", "text/plain");
    let answer = request.header("Content-Encoding", "gzip").body(bomb).send().await.unwrap();
    assert_eq!(problem(answer).await.code, Code::TooLarge);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_keeps_its_time_and_only_some_tokens_may_send_one() {
    let server = Running::start().await;
    let line = json!({ "timestamp": "2026-01-01T12:00:00.000Z", "message": "long ago", "level": "INFO" });
    let path = format!("{LOGS}?recording=pipe");
    let sent = server.request(Method::POST, &path, &server.ingest).ndjson(std::slice::from_ref(&line)).send().await;
    assert_eq!(sent.unwrap().status(), StatusCode::OK);
    let snapshot = server.wait_for("/api/stella/snapshot", |body| !body["engine"]["last"].is_null()).await;
    assert_eq!(snapshot["engine"]["recording"], true);
    assert_eq!(snapshot["engine"]["last"], "2026-01-01T12:00:00.000Z");

    let other = server.token(Role::Ingest, "app").await;
    let refused = server.request(Method::POST, &path, &other).ndjson(&[line]).send().await.unwrap();
    assert_eq!(problem(refused).await.code, Code::RecordingNotAllowed);
    server.stop().await;
}
