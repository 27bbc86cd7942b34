//! The corpus of hostile text, and lines of a log in which it stands everywhere.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Hostile bytes with a name.
pub struct Payload {
    /// Number and name, as in the corpus.
    pub name: String,
    /// The very bytes.
    pub bytes: Vec<u8>,
}

impl Payload {
    /// As text, the way everything reads it that wants text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// As the name of a file: whatever may stand in one does.
    pub fn file_name(&self, longest: usize) -> Vec<u8> {
        let fits = |byte: &&u8| !matches!(**byte, 0 | b'/');
        let mut name: Vec<u8> = self.bytes.iter().filter(fits).take(longest).copied().collect();
        name.extend_from_slice(b".log");
        name
    }
}

/// All that are kept as files, and text that tries to forge events of a stream.
pub fn payloads() -> Vec<Payload> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/terminal");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut payloads: Vec<Payload> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .map(|path| Payload { name: path.file_stem().unwrap().display().to_string(), bytes: fs::read(&path).unwrap() })
        .collect();
    payloads.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(payloads.len(), 40, "39 and 40 are made in code");
    for (name, text) in [
        ("forged-lf", "x\n\nevent: bye\ndata: {\"reason\":\"auth\",\"retryMs\":1}\n\n"),
        ("forged-crlf", "x\r\n\r\nid: 9.9\r\nevent: reset\r\ndata: {\"reason\":\"gap\"}\r\n\r\n"),
        ("forged-cr", "x\r\revent: alert\rdata: {}\r\r"),
    ] {
        payloads.push(Payload { name: name.to_owned(), bytes: text.as_bytes().to_vec() });
    }
    payloads
}

/// Lines as an application sends them, with `text` in every field that holds words. They raise alerts
/// about an address, a component, and calls that are retried.
pub fn json_lines(text: &str) -> Vec<Value> {
    let everywhere = |mut more: Value| {
        let line = json!({
            "service": text, "host": text, "operation": text, "errorType": text, "sessionId": text,
            "conversationId": text, "traceId": text, "component": text, "suggestedActions": [text],
            "affectedUsers": [text], "attributes": {text: text, "nested": {text: [text]}}, text: text,
        });
        let fields = more.as_object_mut().unwrap();
        for (name, value) in line.as_object().unwrap() {
            fields.entry(name.clone()).or_insert_with(|| value.clone());
        }
        more
    };
    let guess = |count: usize| {
        everywhere(json!({
            "level": "WARN", "message": format!("login failed: {text}"), "success": false,
            "userId": format!("{text} {count}"), "remoteAddr": text, "category": "security", "severity": "high",
        }))
    };
    let retry = |count: usize| {
        everywhere(json!({
            "level": "ERROR", "message": format!("{text} retried"), "retryCount": 4, "userId": text, "durationMs": count,
        }))
    };
    let mut lines: Vec<Value> = (0..6).map(guess).chain((0..4).map(retry)).collect();
    lines.push(everywhere(json!({"level": "ERROR", "message": text, "health": "down"})));
    lines
        .push(json!({"level": "METRIC", "metric": text, "value": 1.5, "unit": text, "service": text, "message": text}));
    lines
}

/// The same at a minute of some day, so that one second need not tell of them all.
pub fn dated(text: &str, minute: usize) -> impl Iterator<Item = Value> {
    json_lines(text).into_iter().map(move |mut line| {
        line["timestamp"] = json!(format!("2026-01-05T03:{minute:02}:30.000Z"));
        line
    })
}

/// Lines as programs write them at that minute, with the payload's bytes in every place that holds words.
pub fn text_lines(payload: &[u8], minute: usize) -> Vec<u8> {
    let shapes: [&[u8]; 7] = [
        b"Jan  5 03:^:0# @ sshd[90#]: Failed password for invalid user @ from @ port 4000# ssh2",
        b"level=error service=@ op=@ user=@ addr=@ error=@ @=@ msg=\"login failed @\"",
        b"2026-01-05T03:^:0#Z ERROR [@] @: it failed @",
        b"@ - @ [05/Jan/2026:03:^:0# +0000] \"GET /@ HTTP/1.1\" 500 12 \"@\" \"@\"",
        b"{\"level\":\"error\",\"msg\":\"login failed @\",\"service\":\"@\",\"@\":\"@\"}",
        b"Traceback (most recent call last):\n  File \"@\", line 3, in @\n@Error: @",
        b"@",
    ];
    let mut lines = Vec::new();
    for round in b'0'..b'6' {
        for byte in shapes.iter().flat_map(|shape| shape.iter().chain(b"\n")) {
            match byte {
                b'@' => lines.extend_from_slice(payload),
                b'#' => lines.push(round),
                b'^' => lines.extend(format!("{minute:02}").into_bytes()),
                byte => lines.push(*byte),
            }
        }
    }
    lines
}
