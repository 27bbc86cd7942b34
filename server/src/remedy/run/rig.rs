//! For tests: somebody who listens, a target that counts who comes, and hostile texts.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use stella_protocol::fix::{Act, ArgvAct, HttpAct, HttpMethod, PlanStep, Stream};
use stella_protocol::{FixId, Text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Call, Output};

/// Keeps what it hears.
#[derive(Default)]
pub(super) struct Heard(pub(super) Vec<(Stream, String)>);

impl Heard {
    pub(super) fn texts(&self) -> Vec<String> {
        self.0.iter().map(|(_, text)| text.clone()).collect()
    }
}

impl Output for Heard {
    fn line(&mut self, stream: Stream, text: Text) {
        self.0.push((stream, text.raw().to_owned()));
    }
}

/// An HTTP server of few words: counts connections, keeps requests, answers what it was told.
pub(super) struct Target {
    pub(super) at: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Target {
    /// At this address, with these bytes as its answers, in turn, the last one for ever. None: the
    /// machine has no such address.
    pub(super) async fn start(at: (IpAddr, u16), answers: &[&str]) -> Option<Self> {
        let listener = TcpListener::bind(at).await.ok()?;
        let at = listener.local_addr().ok()?;
        let target = Self { at, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (target.connections.clone(), target.requests.clone());
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let nth = connections.fetch_add(1, Ordering::SeqCst);
                let answer = answers.get(nth).or(answers.last()).cloned().unwrap_or_default();
                tokio::spawn(serve(stream, answer, requests.clone()));
            }
        });
        Some(target)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().map(|requests| requests.clone()).unwrap_or_default()
    }
}

/// The word that stands for an answer that never comes.
pub(super) const SILENCE: &str = "silence";

/// An answer with this status and body.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

async fn serve(mut stream: TcpStream, answer: String, requests: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read(&mut stream).await else { return };
    if let Ok(mut requests) = requests.lock() {
        requests.push(request);
    }
    if answer == SILENCE {
        let _ = stream.read(&mut [0]).await;
        return;
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

pub(super) async fn read(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(Some(0), |length| length.parse::<usize>().ok())?;
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

pub(super) fn http_act(method: HttpMethod, base: &str, url: String, body: Option<Value>) -> HttpAct {
    let headers = BTreeMap::new();
    HttpAct {
        method,
        base: Text::from(base.to_owned()),
        url: Text::from(url),
        headers,
        body,
        success: vec![],
        timeout_ms: 5_000,
    }
}

pub(super) fn argv_act(program: &str, arguments: &[&str]) -> ArgvAct {
    ArgvAct {
        program: Text::from(program.to_owned()),
        arguments: arguments.iter().map(|text| Text::from((*text).to_owned())).collect(),
        environment: vec![],
        success: vec![],
        clean: vec![],
        timeout_ms: 20_000,
    }
}

fn fix() -> FixId {
    "fx-12".parse().unwrap_or_else(|_| unreachable!("a literal that is an id"))
}

pub(super) fn call(act: Act) -> Call {
    let title = Text::from("a step");
    let step = PlanStep { title, act, probe: None, undo: None, idempotent: false, fenced: false, retries: 0 };
    Call { fix: fix(), number: 0, step, fence: 7, key: "fx-12.0.do".to_owned() }
}

/// Five hundred texts that mean something to a shell, a parser of arguments, a template, a path, a
/// header, an address or JSON.
pub(super) fn payloads() -> Vec<String> {
    const SEEDS: [&str; 50] = [
        "; id",
        "| id",
        "|| id",
        "&& id",
        "& id &",
        "$(id)",
        "`id`",
        "${IFS}id",
        "\n id",
        "\r\n id",
        "> /tmp/x",
        "< /etc/passwd",
        "<(id)",
        "'; id; '",
        "\"; id; \"",
        "\\",
        "C:\\x",
        "*",
        "~root",
        "!!",
        "#",
        "-rf",
        "--help",
        "-",
        "--",
        "-o ProxyCommand=id",
        "@/etc/passwd",
        "%s%n",
        "%d%x",
        "%00",
        "{{7*7}}",
        "{name}",
        "${jndi:ldap://h/a}",
        "<%= 1 %>",
        "../../etc/passwd",
        "..%2f..%2f",
        "%2e%2e/",
        "/etc/passwd",
        "a\r\nX-Evil: 1",
        "a\r\n\r\nGET / HTTP/1.1",
        "\"}, {\"a\": \"",
        "\u{0}",
        "\u{1b}[2J",
        "\u{202e}",
        "é\u{301}",
        "http://169.254.169.254/",
        "?admin=1",
        "&admin=1",
        "#frag",
        ";v=1",
    ];
    const AROUND: [(&str, &str); 10] = [
        ("", ""),
        ("x", ""),
        ("", "x"),
        ("x ", " y"),
        ("'", "'"),
        ("\"", "\""),
        ("\\", ""),
        ("{", "}"),
        ("\t", "\n"),
        ("%", "%"),
    ];
    let wrapped = |seed: &str| AROUND.map(|(before, after)| format!("{before}{seed}{after}"));
    SEEDS.iter().flat_map(|seed| wrapped(seed)).collect()
}

/// Each byte but the plainest as `%XX`, as a plan does it.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

pub(super) fn json_body(text: &str) -> Value {
    json!({"value": text, "inside": [{"again": text}]})
}
