//! Snapshot, lists, evidence, lines and series.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use stella_protocol::Snapshot;

use crate::harness::Running;

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_holds_the_alerts_and_is_packed_for_who_asks() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.60").await;
    let request = server.request(Method::GET, "/api/stella/snapshot", &server.admin);
    let packed = request.header("Accept-Encoding", "gzip").send().await.unwrap();
    let snapshot: Snapshot = packed.json().await.unwrap();
    assert!(snapshot.alerts.iter().any(|found| found.id == alert.id));
    assert!(snapshot.cursor.seq >= 1);
    assert!(snapshot.series.iter().any(|series| series.id.raw() == "events.rate"));

    // Asked by hand, because the client unpacks and then hides that it did.
    let raw = raw_get(&server, "/api/stella/snapshot", "Accept-Encoding: gzip\r\n").await;
    assert!(raw.to_ascii_lowercase().contains("content-encoding: gzip"), "{raw}");
    let feed = raw_get(&server, "/api/stella/server-logs-stream", "Accept-Encoding: gzip\r\n").await;
    assert!(!feed.to_ascii_lowercase().contains("content-encoding"), "{feed}");
    server.stop().await;
}

/// The head of an answer, as it stood on the wire.
async fn raw_get(server: &Running, path: &str, headers: &str) -> String {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let mut stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    let token = &server.admin;
    let request = format!("GET {path} HTTP/1.1\r\nHost: stella\r\nAuthorization: Bearer {token}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        let mut line = Vec::new();
        assert_ne!(reader.read_until(b'\n', &mut line).await.unwrap(), 0);
        head.push_str(&String::from_utf8_lossy(&line));
    }
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_has_a_tag_and_is_not_sent_twice() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.61").await;
    let path = format!("/api/stella/alerts/{}/evidence", alert.id);
    let first = server.get(&path).await;
    let tag = first.headers()["etag"].clone();
    let evidence: Value = first.json().await.unwrap();
    assert!(!evidence["samples"].as_array().unwrap().is_empty());
    assert!(!evidence["reasons"].as_array().unwrap().is_empty());
    let again = server.request(Method::GET, &path, &server.admin).header("If-None-Match", tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_an_alert_are_marked_among_those_around_them() {
    let server = Running::start().await;
    server.send(&[serde_json::json!({"level": "INFO", "service": "web", "message": "just before"})]).await;
    let alert = server.alert("203.0.113.62").await;
    let page = server.get_json(&format!("/api/stella/logs?alert={}", alert.id)).await;
    let items = page["items"].as_array().unwrap();
    let marked = items.iter().filter(|line| line["matched"] == true).count();
    assert_eq!(marked, 8, "{page}");
    assert!(items.iter().any(|line| line["event"]["message"] == "just before" && line["matched"] == false));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_pages_through_all_alerts_without_gap_or_double() {
    let server = Running::start().await;
    let mut made = Vec::new();
    for host in 70..75 {
        made.push(server.alert(&format!("203.0.113.{host}")).await.id.to_string());
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get_json(&format!("/api/stella/alerts?sort=newest&limit=2{after}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|alert| alert["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    made.sort();
    seen.sort();
    let doubles = seen.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(doubles, 0);
    assert!(made.iter().all(|id| seen.contains(id)), "{made:?} in {seen:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_why_on_the_dashboard() {
    let server = Running::start().await;
    let board = server.get_json("/api/stella/dashboard").await;
    assert_eq!(board["systemHealth"]["status"], "healthy");
    assert!(!board["systemHealth"]["reason"].as_str().unwrap().is_empty());
    assert_eq!(server.get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(server.get("/readyz").await.status(), StatusCode::OK);
    server.stop().await;
}
