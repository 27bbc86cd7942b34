//! A running server, a client for it, and a reader of its feed.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use eventsource_stream::{Event, Eventsource};
use futures_util::{Stream, StreamExt};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use stella_protocol::{Alert, Code, Problem, Role};
use stella_server::admin::{self, AdminAnswer, AdminRequest};
use stella_server::{Config, Secret, Server};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything that should happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often an answer is asked for that does not come by itself.
const LOOK: Duration = Duration::from_millis(20);

/// A server inside this process, on a folder of its own.
pub struct Running {
    pub addr: SocketAddr,
    pub admin: String,
    pub ingest: String,
    pub client: Client,
    pub shutdown: CancellationToken,
    pub ended: JoinHandle<()>,
    pub data: TempDir,
}

impl Running {
    pub async fn start() -> Self {
        Self::start_on(tempfile::tempdir().unwrap()).await
    }

    pub async fn start_on(data: TempDir) -> Self {
        Self::start_with(data, |config| config).await
    }

    /// A server whose configuration says more.
    pub async fn start_with(data: TempDir, more: impl FnOnce(Config) -> Config) -> Self {
        // Fixes are put there by the tests themselves: nobody proposes or runs any.
        let config = Config { data: Some(data.path().to_owned()), remedy: None, ..Config::embedded("tester".into()) };
        let config = more(config);
        let server: Server = stella_server::bind(config).await.unwrap();
        let exposed = |secret: Option<&Secret>| secret.unwrap().expose().to_owned();
        let (addr, admin, ingest) = (server.addr(), exposed(server.console_token()), exposed(server.ingest_token()));
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let ended = tokio::spawn(async move { server.run(stop).await.unwrap() });
        Self { addr, admin, ingest, client: client(), shutdown, ended, data }
    }

    /// Ends the server in order and gives its folder back.
    pub async fn stop(self) -> TempDir {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.ended).await.unwrap().unwrap();
        self.data
    }

    /// A token of a role, made over the administrative socket.
    pub async fn token(&self, role: Role, name: &str) -> String {
        token(self.data.path(), role, name).await
    }

    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        request(&self.client, self.addr, method, path, token)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path, &self.admin).send().await.unwrap()
    }

    pub async fn get_json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    /// Asks again until the answer fits: lines are answered when they are kept, and looked at after.
    pub async fn wait_for(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            let mut look = tokio::time::interval(LOOK);
            loop {
                look.tick().await;
                let body = self.get_json(path).await;
                if fits(&body) {
                    return body;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap()
    }

    /// Sends lines as they come from an application.
    pub async fn send(&self, lines: &[Value]) -> Value {
        let response = self.request(Method::POST, "/api/stella/logs", &self.ingest).ndjson(lines).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// Causes an alert (somebody guesses passwords from `address`) and waits for it on the feed.
    pub async fn alert(&self, address: &str) -> Alert {
        let mut feed = self.feed("?events=alert", None).await;
        self.send(&guesses(address, 8)).await;
        feed.alert(|alert| alert.title.raw().contains(address)).await
    }

    pub async fn feed(&self, query: &str, last_id: Option<&str>) -> Feed {
        Feed::open(&self.client, self.addr, &self.admin, query, last_id).await
    }

    /// A verb on one alert.
    pub fn verb(&self, token: &str, alert: &Alert, verb: &str, key: &str) -> RequestBuilder {
        self.request(Method::POST, &format!("/api/stella/alerts/{}/{verb}", alert.id), token)
            .header("Idempotency-Key", key)
            .header("If-Match", format!("\"{}\"", alert.version))
    }
}

pub trait Ndjson {
    fn ndjson(self, lines: &[Value]) -> Self;
}

impl Ndjson for RequestBuilder {
    fn ndjson(self, lines: &[Value]) -> Self {
        let body: Vec<String> = lines.iter().map(Value::to_string).collect();
        self.header("Content-Type", "application/x-ndjson").body(body.join("\n"))
    }
}

/// Failed logins from one address.
pub fn guesses(address: &str, count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| {
            json!({
                "level": "WARN", "service": "auth", "operation": "login", "message": "login failed: wrong password",
                "success": false, "userId": format!("u{number}@example.com"), "remoteAddr": address,
            })
        })
        .collect()
}

pub async fn token(data: &Path, role: Role, name: &str) -> String {
    let (data, name) = (data.to_owned(), name.to_owned());
    let request = AdminRequest::CreateToken { role, name, expires_days: None };
    let answer = tokio::task::spawn_blocking(move || admin::run(&data, &request)).await.unwrap().unwrap();
    let AdminAnswer::Token { token } = answer else { panic!("{answer:?}") };
    token
}

pub fn client() -> Client {
    // Another test of this process may have set the same provider before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|root| Certificate::from_der(root).ok());
    Client::builder().no_proxy().tls_certs_merge(roots).build().unwrap()
}

pub fn request(client: &Client, addr: SocketAddr, method: Method, path: &str, token: &str) -> RequestBuilder {
    client.request(method, format!("http://{addr}{path}")).bearer_auth(token)
}

/// A change that is asked for at the routes of Stella, under a key.
pub fn post(server: &Running, path: &str, token: &str, key: &str) -> RequestBuilder {
    server.request(Method::POST, &format!("/api/stella/{path}"), token).header("Idempotency-Key", key)
}

/// Sends what has to be refused with this code, as the fault of whoever sent it.
pub async fn refused(name: &str, request: RequestBuilder, code: Code) {
    let answer = request.send().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let status = answer.status();
    let found = problem(answer).await;
    assert_eq!(found.code, code, "{name}: {status}, {found:?}");
    assert!(!status.is_server_error(), "{name}: {status}");
}

/// The problem in an answer, checked for what every problem must be.
pub async fn problem(response: Response) -> Problem {
    let status = response.status();
    assert!(status.is_client_error() || status.is_server_error(), "{status}");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body = response.bytes().await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let problem: Problem = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(problem.request_id.raw(), id);
    if problem.current.is_none() {
        assert!(body.len() <= 2048, "{} bytes", body.len());
    }
    for leak in ["SELECT", "sqlite", "panicked", "/tmp", "src/", "\\u001b"] {
        assert!(!text.contains(leak), "{leak} in {text}");
    }
    problem
}

/// A reader of the feed.
pub struct Feed {
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
}

impl Feed {
    pub async fn open(client: &Client, addr: SocketAddr, token: &str, query: &str, last_id: Option<&str>) -> Self {
        let path = format!("/api/stella/server-logs-stream{query}");
        let mut request = request(client, addr, Method::GET, &path, token);
        if let Some(id) = last_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store, no-transform");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let events = response.bytes_stream().eventsource().filter_map(|event| async { event.ok() });
        Self { events: Box::pin(events) }
    }

    /// The next event; None: the server ended the stream.
    pub async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(PATIENCE, self.events.next()).await.unwrap()
    }

    /// The next event of this name (`message` is the unnamed one) that fits.
    pub async fn until(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> (Event, Value) {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before `{name}` came"));
            if event.event == name {
                let body = serde_json::from_str(&event.data).unwrap();
                if fits(&body) {
                    return (event, body);
                }
            }
        }
    }

    pub async fn alert(&mut self, fits: impl Fn(&Alert) -> bool) -> Alert {
        loop {
            let (_, body) = self.until("alert", |_| true).await;
            let alert: Alert = serde_json::from_value(body).unwrap();
            if fits(&alert) {
                return alert;
            }
        }
    }
}
