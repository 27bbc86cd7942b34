//! A server that means harm: whatever it may say in words, it says in hostile ones.
//!
//! Plain sockets, because no library would send some of this.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::migrations;
use crate::payloads::{Payload, payloads};

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It speaks the contract.
    Speaks,
    /// It knows nobody.
    Unauthorised,
    /// It lets nobody in.
    Forbidden,
    /// It is a proxy with an error page.
    ErrorPage,
    /// It answers 200 with something that is no JSON.
    NoJson,
    /// Its status line is hostile.
    StatusLine,
    /// It sends the console elsewhere.
    Redirect,
}

impl Manner {
    /// Those that end the conversation with the first answer.
    pub const FIRST_WORDS: [Self; 6] =
        [Self::Unauthorised, Self::Forbidden, Self::ErrorPage, Self::NoJson, Self::StatusLine, Self::Redirect];
}

/// A running one. It ends when dropped.
pub struct Hostile {
    address: SocketAddr,
    ending: Arc<AtomicBool>,
}

impl Hostile {
    /// Starts it on any free port.
    pub fn start(manner: Manner) -> Self {
        Self::with(manner, b"")
    }

    /// Starts one whose first words are these.
    pub fn with(manner: Manner, words: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, ending, words) = (listener.local_addr().unwrap(), Arc::<AtomicBool>::default(), words.to_vec());
        let ended = ending.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let (words, ended, connection) = (words.clone(), ended.clone(), connection.unwrap());
                // A console that goes away in the middle of an answer is no failure of this test.
                thread::spawn(move || drop(converse(connection, manner, &words, &ended)));
            }
        });
        Self { address, ending }
    }

    /// `http://HOST:PORT`.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn converse(mut connection: TcpStream, manner: Manner, words: &[u8], ended: &AtomicBool) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let mut said = first.split(' ');
    let (method, target) = (said.next().unwrap_or_default(), said.next().unwrap_or_default());
    match manner {
        Manner::Speaks if target.contains("server-logs-stream") => stream(&mut connection, ended),
        Manner::Speaks => speak(&mut connection, method, target),
        Manner::Unauthorised => refuse(&mut connection, "401 Unauthorized", words),
        Manner::Forbidden => refuse(&mut connection, "403 Forbidden", words),
        Manner::ErrorPage => answer(&mut connection, "502 Bad Gateway", "text/html", words),
        Manner::NoJson => answer(&mut connection, "200 OK", "application/json", words),
        Manner::StatusLine => connection.write_all(&[b"HTTP/1.1 200 ", words, b"\r\n\r\n"].concat()),
        Manner::Redirect => connection
            .write_all(&[b"HTTP/1.1 302 Found\r\nLocation: ", words, b"\r\nContent-Length: 0\r\n\r\n"].concat()),
    }
}

fn answer(connection: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    connection.write_all(&[head.as_bytes(), body].concat())
}

fn refuse(connection: &mut TcpStream, status: &str, words: &[u8]) -> std::io::Result<()> {
    let body = problem(&String::from_utf8_lossy(words), "forbidden");
    answer(connection, status, "application/problem+json", body.to_string().as_bytes())
}

fn problem(text: &str, code: &str) -> Value {
    json!({
        "type": text, "code": code, "title": format!("title {text}"), "detail": format!("detail {text}"),
        "requestId": text, "retry": "never",
    })
}

fn speak(connection: &mut TcpStream, method: &str, target: &str) -> std::io::Result<()> {
    let path = target.split('?').next().unwrap_or_default();
    let number: usize = path.split('/').find_map(|part| part.strip_prefix("a-")?.parse().ok()).unwrap_or(0);
    let texts: Vec<String> = payloads().iter().map(Payload::text).collect();
    let text = &texts[number % texts.len()];
    let (status, body) = if method == "POST" {
        ("409 Conflict", problem(&texts[0], "version_conflict"))
    } else if path.ends_with("/snapshot") {
        ("200 OK", snapshot(&texts))
    } else if let Some(list) = migrations::list(path, &heads(&texts), &now()).filter(|_| path.contains("/migrations/"))
    {
        ("200 OK", list)
    } else if path.ends_with("/evidence") && number % 4 == 3 {
        ("500 Internal Server Error", problem(text, "internal"))
    } else if path.ends_with("/evidence") {
        ("200 OK", evidence(text))
    } else if path.ends_with("/logs") && target.contains("q=") {
        ("400 Bad Request", problem(&texts[1], "bad_query"))
    } else if path.ends_with("/logs") {
        ("200 OK", json!({"items": texts.iter().enumerate().map(|(at, text)| line(at, text)).collect::<Vec<_>>()}))
    } else if path.ends_with("/series") {
        ("200 OK", json!({"items": texts.iter().map(|text| series(text)).collect::<Vec<_>>()}))
    } else {
        ("404 Not Found", problem(text, "unknown_route"))
    };
    answer(connection, status, "application/json", body.to_string().as_bytes())
}

/// Now, as far as anybody can tell: words of a recording are old anyway.
fn now() -> String {
    stella_server::Clock::system().now().to_string()
}

fn snapshot(texts: &[String]) -> Value {
    json!({
        "cursor": "1.1", "serverTime": now(), "health": {"status": "degraded", "reason": texts[0]},
        "engine": {"last": now(), "recording": false, "lines": 7},
        "alerts": texts.iter().enumerate().map(|(at, text)| alert(at, text)).collect::<Vec<_>>(),
        "series": texts.iter().map(|text| series(text)).collect::<Vec<_>>(),
        "migrations": [migrations::migration(&heads(texts), &now())],
    })
}

fn alert(at: usize, text: &str) -> Value {
    let (now, severity) = (now(), ["critical", "high", "medium", text][at % 4]);
    let text = head(text);
    json!({
        "id": format!("a-{at}"), "fingerprint": text, "episode": 1, "type": "health", "category": "data",
        "severity": severity, "title": text, "description": text, "service": text, "operation": text,
        "labels": {text: text}, "ruleId": text, "suggestedActions": [text, text], "affectedUsers": [text],
        "affectedUserCount": 3, "status": "new", "activity": {"state": "firing"}, "assignee": text,
        "acknowledgedBy": text, "resolvedBy": text, "resolutionNotes": text, "snoozeCondition": text,
        "notes": [{"at": now, "by": text, "text": text}], "occurrences": 3, "firstSeen": now, "lastSeen": now,
        "detectedAt": now, "createdAt": now, "runbook": text, "links": [text], "source": text, "version": 1,
        "scope": {"organisation": text, "domain": text}, "brief": {"observed": 3.0, "unit": text, "spark": [1.0, null]},
    })
}

fn heads(texts: &[String]) -> Vec<&str> {
    texts.iter().map(|text| head(text)).collect()
}

/// An event is at most 64 KiB: of a longer payload only its beginning.
fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(800)]
}

fn evidence(text: &str) -> Value {
    let text = head(text);
    let link = json!({"q": text, "from": now(), "to": now()});
    let figure = json!({"name": text, "value": 3.0, "unit": text, "measure": text, "lines": link});
    json!({
        "summary": text, "ruleId": text, "ruleVersion": 1, "observed": figure, "baseline": figure, "threshold": 2.0,
        "unit": text, "from": now(), "to": now(), "series": {"title": text, "unit": text, "stepMs": 60_000, "points": []},
        "reasons": [{"text": text, "weight": 0.5, "at": now(), "figures": [figure]}],
        "samples": [{"line": 1, "role": text, "event": line(1, text)["event"]}],
        "template": {"text": text, "count": 3, "examples": [text]},
        "correlated": [{"text": text, "offsetMs": 5}], "similar": [{"alert": "a-1", "at": now(), "outcome": text}],
        "lines": link, "refreshedAt": now(), "version": 1,
    })
}

fn line(at: usize, text: &str) -> Value {
    let event = json!({
        "timestamp": now(), "receivedAt": now(), "engineTime": now(), "level": "ERROR", "message": text,
        "service": text, "host": text, "operation": text, "errorType": text, "userId": text, "remoteAddr": text,
        "traceId": text, "suggestedActions": [text], "attributes": {text: text},
    });
    json!({"id": at, "matched": true, "event": event})
}

fn series(text: &str) -> Value {
    let text = head(text);
    json!({
        "id": text, "name": text, "unit": text, "kind": "gauge", "labels": {text: text}, "stepMs": 60_000,
        "points": [], "last": 1.5,
    })
}

/// The feed: a hello, then everything that can be put between and into events, then signs of life.
fn stream(connection: &mut TcpStream, ended: &AtomicBool) -> std::io::Result<()> {
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    let payloads = payloads();
    let text = payloads[1].text();
    let hello = json!({
        "epoch": 1, "head": 1, "oldest": 1, "serverTime": now(), "heartbeatMs": 5_000, "serverVersion": text,
        "schema": 1, "principal": text, "role": "responder", "capabilities": [text],
    });
    connection.write_all(format!("event: hello\ndata: {hello}\n\n").as_bytes())?;
    for payload in payloads.iter().filter(|payload| !payload.name.starts_with("forged")) {
        let raw = &payload.bytes[..payload.bytes.len().min(4_000)];
        let words =
            [b"event: ", raw, b"\ndata: ", raw, b"\n\n: ", raw, b"\n\nevent: alert\ndata: {\"", raw, b"\":1}\n\n"];
        connection.write_all(&words.concat())?;
        let log = json!({
            "timestamp": now(), "level": "WARN", "category": "data", "message": head(&payload.text()), "severity": "low",
            "metadata": {head(&payload.text()): 1},
        });
        connection.write_all(format!("data: {log}\n\n").as_bytes())?;
        let health = json!({"status": "down", "reason": head(&payload.text())});
        connection.write_all(format!("event: heartbeat\ndata: {}\n\n", heartbeat(&health)).as_bytes())?;
    }
    while !ended.load(Ordering::SeqCst) {
        thread::park_timeout(Duration::from_millis(500));
        let health = json!({"status": "degraded", "reason": text});
        connection.write_all(format!("event: heartbeat\ndata: {}\n\n", heartbeat(&health)).as_bytes())?;
    }
    Ok(())
}

fn heartbeat(health: &Value) -> Value {
    json!({"head": 1, "serverTime": now(), "health": health})
}
