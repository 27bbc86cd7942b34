use super::*;
use stella_protocol::log::{ComponentHealth, Login};
use stella_protocol::{Category, Level, Severity};

fn received() -> Timestamp {
    Timestamp::parse("2024-03-01T12:00:00Z").unwrap_or_default()
}

fn one(body: &str) -> LogEvent<'_> {
    let kind = if body.starts_with('{') { BodyKind::Json } else { BodyKind::PlainText };
    let batch = parse(body, kind, received()).unwrap_or_default();
    assert_eq!((batch.events.len(), batch.rejected), (1, 0), "{body}");
    batch.events.into_iter().next().unwrap_or_default()
}

/// Level, message, service, time.
fn shape(event: &LogEvent<'_>) -> (Level, String, String, String) {
    let at = event.timestamp.map_or_else(String::new, |at| at.to_string());
    (event.level, event.message.raw().to_owned(), event.service.raw().to_owned(), at)
}

fn wanted(level: Level, message: &str, service: &str, at: &str) -> (Level, String, String, String) {
    (level, message.to_owned(), service.to_owned(), at.to_owned())
}

const AT: &str = "2024-01-31T10:11:12.345Z";

#[test]
fn the_records_of_all_usual_loggers_say_the_same() {
    for record in [
        r#"{"level":50,"time":1706695872345,"pid":1,"hostname":"h","name":"api","msg":"it broke"}"#,
        r#"{"level":"error","message":"it broke","timestamp":"2024-01-31T10:11:12.345Z","service":"api"}"#,
        r#"{"v":0,"name":"api","level":50,"time":"2024-01-31T10:11:12.345Z","msg":"it broke"}"#,
        r#"{"level":"error","ts":1706695872.345,"caller":"a.go:1","logger":"api","msg":"it broke"}"#,
        r#"{"event":"it broke","level":"error","timestamp":"2024-01-31T10:11:12.345Z","logger":"api"}"#,
        r#"{"severity":"ERROR","textPayload":"it broke","timestamp":"2024-01-31T10:11:12.345Z","resource":{"labels":{"service_name":"api"}}}"#,
        r#"{"severity":"ERROR","jsonPayload":{"message":"it broke","service":"api"},"timestamp":"2024-01-31T10:11:12.345Z"}"#,
        r#"{"@timestamp":"2024-01-31T10:11:12.345Z","log":{"level":"error"},"message":"it broke","service":{"name":"api"}}"#,
        r#"{"timeUnixNano":"1706695872345000000","severityNumber":17,"body":"it broke","attributes":[{"key":"service.name","value":{"stringValue":"api"}}]}"#,
        r#"level=error ts=2024-01-31T10:11:12.345Z msg="it broke" service=api"#,
        "2024-01-31 10:11:12,345 - api.x - ERROR - it broke",
        "2024-01-31 10:11:12.345 [main] ERROR api.x - it broke",
    ] {
        let event = one(record);
        let service = event.service.raw().trim_end_matches(".x").to_owned();
        assert_eq!((event.level, event.message.raw(), &*service), (Level::Error, "it broke", "api"), "{record}");
        assert_eq!(event.timestamp.map(|at| at.to_string()).as_deref(), Some(AT), "{record}");
    }
}

#[test]
fn a_record_in_stellas_own_form_keeps_every_field() {
    let event = one(
        r#"{"timestamp":"2024-01-31T10:11:12.345Z","level":"WARN","category":"performance","message":"Slow x: 734ms","severity":"high",
"suggestedActions":["add an index"],"autoFixAvailable":true,"affectedUsers":["u1"],"component":"embedder","health":"degraded","login":"failed",
"metadata":{"operation":"get_shared_agents","duration_ms":734,"userId":"ana","retryCount":2,"conversationId":"c1","odd":{"deep":1}}}"#,
    );
    assert_eq!((event.category, event.severity), (Some(Category::Performance), Some(Severity::High)));
    assert_eq!((event.operation, event.duration_ms), (Some("get_shared_agents".into()), Some(734.0)));
    assert_eq!((event.user_id, event.retry_count), (Some("ana".into()), Some(2)));
    assert_eq!((event.suggested_actions.len(), event.auto_fix_available), (1, true));
    assert_eq!((event.health, event.login), (Some(ComponentHealth::Degraded), Some(Login::Failed)));
    assert_eq!(event.attributes["odd.deep"], 1);
}

#[test]
fn a_metric_is_a_sample_and_not_a_message() {
    let event = one(r#"{"level":"METRIC","metric":"cacheHitRate","value":0.93,"unit":"ratio","service":"store"}"#);
    assert_eq!((event.level, event.value), (Level::Metric, Some(0.93)));
    assert_eq!((event.metric, event.unit), (Some("cacheHitRate".into()), Some("ratio".into())));
}

#[test]
fn requests_and_errors_are_found_where_they_are_nested() {
    let event = one(
        r#"{"severity":"ERROR","httpRequest":{"requestMethod":"GET","requestUrl":"/a","status":503,"latency":"0.3s","remoteIp":"192.0.2.7:44"},
"err":{"type":"TypeError","message":"x is undefined","stack":"TypeError: x\n at f"},"logging.googleapis.com/trace":"projects/p/traces/abc"}"#,
    );
    assert_eq!((event.duration_ms, event.success), (Some(300.0), Some(false)));
    assert_eq!((event.error_type, event.remote_addr), (Some("TypeError".into()), Some("192.0.2.7".into())));
    assert_eq!((&event.attributes["status"], &event.attributes["path"]), (&503.into(), &"/a".into()));
    assert_eq!((event.trace_id, event.message.raw()), (Some("abc".into()), "GET /a 503: x is undefined"));
}

#[test]
fn the_usual_text_lines_are_taken_apart() {
    for (line, level, message, service, at) in [
        (
            "Jan 31 10:11:12 web1 sshd(pam_unix)[19]: session closed",
            Level::Info,
            "session closed",
            "sshd",
            "2024-01-31T10:11:12.000Z",
        ),
        (
            "<34>1 2024-01-31T10:11:12.345Z web1 su 12 ID47 [x y=\"z\"] failed once",
            Level::Error,
            "failed once",
            "su",
            AT,
        ),
        (
            "[Wed Jan 31 10:11:12 2024] [core:error] [pid 7] [client 192.0.2.7:1] no file",
            Level::Error,
            "no file",
            "",
            "2024-01-31T10:11:12.000Z",
        ),
        (
            "17/06/09 20:10:40 INFO executor.Backend: Registered",
            Level::Info,
            "Registered",
            "executor.Backend",
            "2017-06-09T20:10:40.000Z",
        ),
        (
            "081109 203615 148 WARN dfs.DataNode$X: gone",
            Level::Warn,
            "gone",
            "dfs.DataNode$X",
            "2008-11-09T20:36:15.000Z",
        ),
        ("ERROR:root:bad thing", Level::Error, "bad thing", "root", ""),
        ("W0131 10:11:12.345678   7 file.go:3] slow", Level::Warn, "7 file.go:3] slow", "", AT),
        ("[01.31 10:11:12] chrome.exe - open", Level::Info, "open", "chrome.exe", "2024-01-31T10:11:12.000Z"),
        ("2024-01-31T10:11:12.345Z stderr F panic: x", Level::Error, "panic: x", "", AT),
        ("api_1  | 2024-01-31T10:11:12.345Z WARN slow", Level::Warn, "slow", "api_1", AT),
        ("just words", Level::Info, "just words", "", ""),
        ("error reading the file", Level::Error, "error reading the file", "", ""),
    ] {
        assert_eq!(shape(&one(line)), wanted(level, message, service, at), "{line}");
    }
}

#[test]
fn json_behind_a_syslog_prefix_is_read_and_keeps_the_host() {
    let event = one(r#"Jan 31 10:11:12 web1 api[7]: {"level":"warn","msg":"slow","durationMs":12}"#);
    assert_eq!(shape(&event), wanted(Level::Warn, "slow", "api", "2024-01-31T10:11:12.000Z"));
    assert_eq!((event.host, event.duration_ms), (Some("web1".into()), Some(12.0)));
}

#[test]
fn a_failed_login_says_who_from_where() {
    for line in [
        "Jan 31 10:11:12 web1 sshd[7]: Failed password for invalid user ana from 192.0.2.7 port 55 ssh2",
        r#"{"event":"user.login","success":false,"user":"ana","addr.remote":"192.0.2.7:34204","message":"no"}"#,
        r#"192.0.2.7 - ana [31/Jan/2024:10:11:12 +0000] "POST /login HTTP/1.1" 401 12 "-" "curl/8""#,
        "2024-01-31 10:11:12 [warn] sign-in failed {\"ip\":\"::ffff:192.0.2.7\",\"email\":\"ana\"}",
    ] {
        let event = one(line);
        assert_eq!((event.login, event.success), (Some(Login::Failed), Some(false)), "{line}");
        assert_eq!((event.remote_addr, event.user_id), (Some("192.0.2.7".into()), Some("ana".into())), "{line}");
        assert_eq!(event.category, Some(Category::Security));
    }
}

#[test]
fn a_broken_record_costs_only_itself_and_has_its_number() {
    let deep = "[".repeat(80) + &"]".repeat(80);
    let body = format!("{{\"msg\":\"a\"}}\nnot json\n\n{{\"msg\":\"b\"}}\n{{}}\n{{\"x\":{deep}}}\n{{\"msg\":\"c\"");
    let batch = parse(&body, BodyKind::Json, received()).unwrap_or_default();
    assert_eq!((batch.accepted, batch.rejected), (2, 4));
    assert_eq!(batch.errors.iter().map(|error| error.line).collect::<Vec<_>>(), [2, 5, 6, 7]);
    assert!(batch.errors[2].detail.raw().contains("64"));
}

#[test]
fn more_records_than_allowed_are_refused_as_a_whole() {
    let body = "x\n".repeat(MOST_RECORDS + 1);
    assert_eq!(parse(&body, BodyKind::PlainText, received()), Err(BodyError::TooManyRecords));
}

proptest::proptest! {
    #[test]
    fn no_body_makes_ingest_panic(text in "\\PC{0,80}|[\\[\\]{}\"':,=| 0-9a-zA-Z<>.()\\\\\n\t-]{0,120}") {
        let _ = parse(&text, BodyKind::Json, received());
        let batch = parse(&text, BodyKind::PlainText, received()).unwrap_or_default();
        proptest::prop_assert_eq!(batch.rejected, 0);
    }
}
