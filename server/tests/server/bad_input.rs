//! What is wrong with a request has a code of its own, whatever it is.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use stella_protocol::{Code, Current, Verb};

use crate::harness::{Running, problem, refused};

const BULK: &str = "/api/stella/alerts/actions";
const ONE: &str = "/api/stella/alerts/a-0000000/note";

fn nested(depth: usize) -> String {
    format!(r#"{{"verb":"note","text":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_body_of_a_bulk_has_its_own_code() {
    let server = Running::start().await;
    let target = r#"{"id":"a-0000000","version":1}"#;
    let many = format!(r#"{{"verb":"note","text":"x","targets":[{}]}}"#, vec![target; 1001].join(","));
    let cases: Vec<(&str, Vec<u8>, Code)> = vec![
        ("empty body", Vec::new(), Code::BadBody),
        ("not JSON", b"verb=note".to_vec(), Code::BadBody),
        ("array for object", b"[]".to_vec(), Code::BadBody),
        ("string for object", b"\"x\"".to_vec(), Code::BadBody),
        ("64 levels and one", nested(64).into_bytes(), Code::TooDeep),
        ("5,000 levels", nested(5000).into_bytes(), Code::TooDeep),
        ("unknown field", format!(r#"{{"verb":"note","targets":[{target}],"extra":1}}"#).into_bytes(), Code::BadBody),
        ("verb missing", format!(r#"{{"targets":[{target}]}}"#).into_bytes(), Code::BadBody),
        ("targets missing", br#"{"verb":"note"}"#.to_vec(), Code::BadBody),
        ("no targets", br#"{"verb":"note","targets":[]}"#.to_vec(), Code::BadBody),
        ("id missing", br#"{"verb":"note","targets":[{"version":1}]}"#.to_vec(), Code::BadBody),
        ("version missing", br#"{"verb":"note","targets":[{"id":"a-0000000"}]}"#.to_vec(), Code::VersionMissing),
        ("verb of another type", format!(r#"{{"verb":1,"targets":[{target}]}}"#).into_bytes(), Code::BadBody),
        ("unknown verb", format!(r#"{{"verb":"explode","targets":[{target}]}}"#).into_bytes(), Code::BadBody),
        ("targets of another type", br#"{"verb":"note","targets":"a-0000000"}"#.to_vec(), Code::BadBody),
        ("version NaN", br#"{"verb":"note","targets":[{"id":"a-0000000","version":NaN}]}"#.to_vec(), Code::BadBody),
        ("version negative", br#"{"verb":"note","targets":[{"id":"a-0000000","version":-1}]}"#.to_vec(), Code::BadBody),
        ("version a word", br#"{"verb":"note","targets":[{"id":"a-0000000","version":"1"}]}"#.to_vec(), Code::BadBody),
        (
            "2^64",
            br#"{"verb":"note","targets":[{"id":"a-0000000","version":18446744073709551616}]}"#.to_vec(),
            Code::BadBody,
        ),
        ("bad id", br#"{"verb":"note","targets":[{"id":"\u001b[2J","version":1}]}"#.to_vec(), Code::BadBody),
        ("bad UTF-8", b"{\"verb\":\"note\xff\"}".to_vec(), Code::BadBody),
        ("lone surrogate", br#"{"verb":"note","text":"\ud800","targets":[]}"#.to_vec(), Code::BadBody),
        ("raw NUL", b"{\"verb\":\"note\0\"}".to_vec(), Code::BadBody),
        ("1,001 targets", many.into_bytes(), Code::TooManyTargets),
        ("1 MiB and one", vec![b' '; (1 << 20) + 1], Code::TooLarge),
    ];
    for (name, body, code) in cases {
        let request = server.request(Method::POST, BULK, &server.admin).header("Idempotency-Key", "k");
        refused(name, request.header("Content-Type", "application/json").body(body), code).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_header_of_a_change_has_its_own_code_and_the_key_is_checked_first() {
    let server = Running::start().await;
    let post = |path: &str| server.request(Method::POST, path, &server.admin);
    let typed = |request: RequestBuilder| request.header("Content-Type", "application/json");
    refused("no key, no version, no body", post(ONE), Code::KeyMissing).await;
    refused("empty key", post(ONE).header("Idempotency-Key", ""), Code::BadKey).await;
    refused("long key", post(ONE).header("Idempotency-Key", "x".repeat(65)), Code::BadKey).await;
    refused("no version", post(ONE).header("Idempotency-Key", "k"), Code::VersionMissing).await;
    for version in ["*", "x", "\"1", "-1", "1.0", "9".repeat(30).as_str()] {
        let request = post(ONE).header("Idempotency-Key", "k").header("If-Match", version);
        refused(version, request, Code::BadVersion).await;
    }
    let keyed = |path: &str| post(path).header("Idempotency-Key", "k").header("If-Match", "\"1\"");
    refused("unknown id", typed(keyed(ONE)).body(r#"{"text":"x"}"#), Code::NotFound).await;
    refused("text as a form", keyed(ONE).header("Content-Type", "text/plain").body("x"), Code::UnsupportedMediaType)
        .await;
    refused("a body of no type", keyed(ONE).body("{}"), Code::UnsupportedMediaType).await;
    let packed = typed(keyed(ONE)).header("Content-Encoding", "gzip").body("{}");
    refused("packed", packed, Code::UnsupportedMediaType).await;
    refused("unknown verb", keyed("/api/stella/alerts/a-0000000/explode"), Code::UnknownRoute).await;
    let undo = post("/api/stella/actions/act-999/undo").header("Idempotency-Key", "k2");
    refused("undo of nothing", undo, Code::NotFound).await;
    refused("undo of no action", keyed("/api/stella/actions/x/undo"), Code::BadId).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_a_conflict_that_shows_what_is() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.40").await;
    let noted = server.verb(&server.admin, &alert, "note", "k1").json(&json!({"text": "one"})).send().await.unwrap();
    assert_eq!(noted.status(), StatusCode::OK);
    let stale = server.verb(&server.admin, &alert, "note", "k2").json(&json!({"text": "two"})).send().await.unwrap();
    let found = problem(stale).await;
    assert_eq!(found.code, Code::VersionConflict);
    let Some(Current::Alert(current)) = found.current else { unreachable!("{found:?}") };
    assert_eq!((current.notes.len(), current.notes[0].text.raw()), (1, "one"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_ids_are_refused_and_not_repeated_raw() {
    let server = Running::start().await;
    for id in [
        "a-",
        "x",
        "%1b%5b2J",
        "a-%00",
        "a-%e2%80%ae",
        "..%2f..%2fetc",
        "a-'%20OR%201=1",
        "%f0%9f%92%a5",
        "a-%0d%0ax",
        "a-{{7*7}}",
    ] {
        for path in [format!("/api/stella/alerts/{id}"), format!("/api/stella/alerts/{id}/evidence")] {
            refused(id, server.request(Method::GET, &path, &server.admin), Code::BadId).await;
        }
        let path = format!("/api/stella/logs?alert={id}");
        refused(id, server.request(Method::GET, &path, &server.admin), Code::BadId).await;
    }
    refused("unknown", server.request(Method::GET, "/api/stella/alerts/a-zzzzzzz", &server.admin), Code::NotFound)
        .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_query_has_its_code_on_every_list() {
    let server = Running::start().await;
    for path in [
        "alerts?limit=0",
        "alerts?limit=-1",
        "alerts?limit=1001",
        "alerts?limit=x",
        "alerts?sort=sideways",
        "alerts?after=nonsense",
        "alerts?q=sev%3E%3D",
        "alerts?q=~%5B",
        "alerts?nonsense=1",
        "logs?from=yesterday",
        "logs?after=x",
        "logs?limit=100000",
        "logs?context=1000",
        "logs?order=sideways",
        "series",
        "series?ids=",
        "series?ids=x&step=0",
        "series?ids=x&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "series?ids=x&from=0001-01-01T00:00:00Z&to=9999-01-01T00:00:00Z&step=1s",
        "actions?mine=maybe",
        "server-logs-stream?nonsense=1",
    ] {
        refused(path, server.request(Method::GET, &format!("/api/stella/{path}"), &server.admin), Code::BadQuery).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_batch_has_its_code() {
    let server = Running::start().await;
    let post =
        |kind: &str| server.request(Method::POST, "/api/stella/logs", &server.ingest).header("Content-Type", kind);
    refused(
        "no type",
        server.request(Method::POST, "/api/stella/logs", &server.ingest).body("x"),
        Code::UnsupportedMediaType,
    )
    .await;
    refused("a form", post("multipart/form-data").body("x"), Code::UnsupportedMediaType).await;
    refused("brotli", post("text/plain").header("Content-Encoding", "br").body("x"), Code::UnsupportedMediaType).await;
    refused("no gzip", post("text/plain").header("Content-Encoding", "gzip").body("x"), Code::BadCompression).await;
    refused("bad UTF-8", post("application/x-ndjson").body(b"{\"message\":\"\xff\"}".to_vec()), Code::BadBody).await;
    let path = "/api/stella/logs?recording=%1b";
    let request = server.request(Method::POST, path, &server.ingest).header("Content-Type", "text/plain").body("x");
    refused("a recording of no name", request, Code::BadQuery).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_headers_and_addresses_are_refused() {
    let server = Running::start().await;
    let request = server.request(Method::GET, "/api/stella/alerts", &server.admin);
    refused("headers", request.header("X-Large", "x".repeat(17 << 10)), Code::TooLarge).await;
    let path = format!("/api/stella/alerts?q={}", "x".repeat(9 << 10));
    refused("address", server.request(Method::GET, &path, &server.admin), Code::TooLarge).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_of_a_person_is_kept_as_it_is_and_comes_back_as_json() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.41").await;
    let hostile = "\u{1b}]52;c;cm0=\u{7}\u{202e}\u{0}x\r\nevent: bye";
    let request = server.verb(&server.admin, &alert, Verb::Note.word(), "k1").json(&json!({"text": hostile}));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let now: Value = server.get_json(&format!("/api/stella/alerts/{}", alert.id)).await;
    assert_eq!(now["notes"][0]["text"], hostile);
    server.stop().await;
}
