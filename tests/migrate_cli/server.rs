//! A server that says what a test wrote down, and notes what it is asked.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What one route says: one answer after the other, the last one for ever.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl From<Value> for Answer {
    fn from(body: Value) -> Self {
        Self { status: 200, body }
    }
}

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// `GET migrations/mig-1`.
    pub(super) route: String,
    pub(super) query: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Value,
}

#[derive(Debug, Default)]
struct Script {
    routes: Mutex<HashMap<String, Vec<Answer>>>,
    asked: Mutex<Vec<Asked>>,
    /// Frames of the feed; who reads it gets all, and waits for more.
    frames: Mutex<Vec<String>>,
    more: Condvar,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) address: String,
    script: Arc<Script>,
}

impl Server {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { address, script: Arc::default() };
        let script = server.script.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let script = script.clone();
                // Whoever asked may be gone before the answer.
                thread::spawn(move || drop(script.serve(&stream.unwrap())));
            }
        });
        server.says("GET snapshot", [snapshot(&json!([]))]);
        server.sends("hello", &hello(), false);
        server
    }

    /// What a route says from now on.
    pub(super) fn says<const N: usize>(&self, route: &str, answers: [Value; N]) {
        self.answers(route, answers.map(Answer::from).to_vec());
    }

    pub(super) fn refuses(&self, route: &str, status: u16, code: &str) {
        let body = json!({"type": "", "code": code, "title": "no\u{1b}[2J", "detail": "", "retry": "never"});
        self.answers(route, vec![Answer { status, body }]);
    }

    pub(super) fn answers(&self, route: &str, mut answers: Vec<Answer>) {
        answers.reverse();
        self.script.routes.lock().unwrap().insert(route.to_owned(), answers);
    }

    /// Puts an event behind what the feed has.
    pub(super) fn sends(&self, event: &str, body: &Value, is_kept: bool) {
        let mut frames = self.script.frames.lock().unwrap();
        let place = frames.iter().filter(|frame| frame.starts_with("id:")).count() + 1;
        let id = if is_kept { format!("id: 7.{place}\n") } else { String::new() };
        frames.push(format!("{id}event: {event}\ndata: {body}\n\n"));
        self.script.more.notify_all();
    }

    /// What was asked, but for questions where the others are what counts.
    pub(super) fn changes(&self) -> Vec<Asked> {
        let asked = self.script.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.route.starts_with("POST")).cloned().collect()
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }
}

impl Script {
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let mut first = String::new();
            if reader.read_line(&mut first)? == 0 {
                return Ok(());
            }
            let mut headers = HashMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line)?;
                let Some((name, value)) = line.trim_end().split_once(": ") else { break };
                headers.insert(name.to_lowercase(), value.to_owned());
            }
            let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let mut words = first.split_whitespace();
            let (method, target) = (words.next().unwrap(), words.next().unwrap());
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let route = format!("{method} {}", path.trim_start_matches("/api/stella/"));
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let limit = query.split('&').find_map(|one| one.strip_prefix("limit="));
            assert!(limit.is_none_or(|limit| (1..=100).contains(&limit.parse().unwrap())), "a server refuses {query}");
            self.asked.lock().unwrap().push(Asked { route: route.clone(), query: query.to_owned(), headers, body });
            if route == "GET server-logs-stream" {
                return self.feed(stream);
            }
            let answer = self.next(&route);
            let body = answer.body.to_string();
            let status = answer.status;
            write!(
                &mut &*stream,
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
        }
    }

    fn next(&self, route: &str) -> Answer {
        let mut routes = self.routes.lock().unwrap();
        let missing = || Answer {
            status: 404,
            body: json!({"type": "", "code": "not_found", "title": format!("nothing at {route}"), "retry": "never"}),
        };
        match routes.get_mut(route) {
            Some(answers) if answers.len() > 1 => answers.pop().unwrap(),
            Some(answers) => answers.last().cloned().unwrap_or_else(missing),
            None => missing(),
        }
    }

    fn feed(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")?;
        let mut frames = self.frames.lock().unwrap();
        let mut sent = 0;
        loop {
            for frame in &frames[sent..] {
                stream.write_all(frame.as_bytes())?;
            }
            sent = frames.len();
            frames = self.more.wait(frames).unwrap();
        }
    }
}

fn hello() -> Value {
    json!({
        "epoch": 7, "head": 0, "oldest": 0, "serverTime": "2026-01-01T00:00:00Z", "heartbeatMs": 5000,
        "serverVersion": "0", "schema": 1, "principal": "op", "role": "admin",
    })
}

/// A snapshot that has these migrations.
pub(super) fn snapshot(migrations: &Value) -> Value {
    json!({
        "cursor": "7.0", "serverTime": "2026-01-01T00:00:00Z", "health": {"status": "healthy", "reason": ""}, "engine": {"last": null, "recording": false, "lines": 0},
        "alerts": [], "migrations": migrations,
    })
}
