//! A real server, and a client of its interface for tests that wait instead of being asynchronous.
//!
//! The server runs in this process; where a test has one elsewhere, it brings the address and tokens.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use stella_protocol::ingest::IngestResponse;
use stella_protocol::snapshot::AlertPage;
use stella_protocol::{Alert, Snapshot};
use stella_server::{Config, Secret};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// How long anything that should happen may take.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// What is waited for comes with one of these.
const CHANGES: &str = "alert,fix,migration,migration_progress";

/// Asks one server.
pub struct Api {
    runtime: Runtime,
    client: Client,
    /// `http://HOST:PORT`.
    pub base: String,
    /// A token that may triage.
    pub console: String,
    /// A token that may send lines.
    pub sender: String,
}

impl Api {
    /// Starts a server on any free port; it ends with the test.
    pub fn start() -> Self {
        let runtime = runtime();
        let config = Config::embedded("tester".to_owned());
        let server = runtime.block_on(stella_server::bind(config)).unwrap();
        let exposed = |secret: Option<&Secret>| secret.unwrap().expose().to_owned();
        let (console, sender) = (exposed(server.console_token()), exposed(server.ingest_token()));
        let base = format!("http://{}", server.addr());
        runtime.spawn(server.run(CancellationToken::new()));
        Self { runtime, client: client(), base, console, sender }
    }

    /// Asks the server at `base`.
    pub fn at(base: String, console: String, sender: String) -> Self {
        Self { runtime: runtime(), client: client(), base, console, sender }
    }

    /// A request below the contract's path; nothing is sent yet.
    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/api/stella/{path}", self.base)).bearer_auth(token)
    }

    /// Sends it; answers with the status and the body, null when that is no JSON.
    pub fn ask(&self, request: RequestBuilder) -> Result<(StatusCode, Value), reqwest::Error> {
        self.runtime.block_on(async {
            let response = request.send().await?;
            let status = response.status();
            Ok((status, serde_json::from_slice(&response.bytes().await?).unwrap_or_default()))
        })
    }

    /// What a GET answers; it must answer 200.
    pub fn get<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, String)]) -> T {
        let request = self.request(Method::GET, path, &self.console).query(parameters);
        let (status, body) = self.ask(request).unwrap();
        assert_eq!(status, StatusCode::OK, "{path} {parameters:?}: {body}");
        serde_json::from_value(body).unwrap()
    }

    /// A verb on an alert at its version; it must be done.
    pub fn verb(&self, alert: &Alert, verb: &str, key: &str, body: &Value) -> Value {
        let request = self.request(Method::POST, &format!("alerts/{}/{verb}", alert.id), &self.console);
        let request = request.header("Idempotency-Key", key).header("If-Match", format!("\"{}\"", alert.version));
        let (status, answer) = self.ask(request.json(body)).unwrap();
        assert_eq!(status, StatusCode::OK, "{verb}: {answer}");
        answer
    }

    /// Sends lines; answers with what came of them.
    pub fn send(&self, kind: &str, body: Vec<u8>, recording: Option<&str>) -> IngestResponse {
        let request =
            self.request(Method::POST, "logs", &self.sender).query(&recording.map(|name| [("recording", name)]));
        let (status, answer) = self.ask(request.header("Content-Type", kind).body(body)).unwrap();
        assert_eq!(status, StatusCode::OK, "{answer}");
        serde_json::from_value(answer).unwrap()
    }

    /// Sends lines as an application does.
    pub fn send_json(&self, lines: &[Value]) -> IngestResponse {
        let body: Vec<String> = lines.iter().map(Value::to_string).collect();
        self.send("application/x-ndjson", body.join("\n").into_bytes(), None)
    }

    /// Every alert, page by page.
    pub fn alerts(&self) -> Vec<Alert> {
        let (mut alerts, mut after) = (Vec::new(), None::<String>);
        loop {
            let mut parameters = vec![("limit", "200".to_owned())];
            parameters.extend(after.take().map(|after| ("after", after)));
            let page: AlertPage = self.get("alerts", &parameters);
            alerts.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return alerts,
            }
        }
    }

    /// Waits until the engine has seen `lines` lines and nothing moves any more.
    pub fn rest(&self, lines: u64) {
        let mut before = None;
        self.until("the engine at rest", |api| {
            let snapshot: Snapshot = api.get("snapshot", &[]);
            let now = Some((snapshot.cursor, snapshot.engine.last, snapshot.engine.lines));
            let rests = snapshot.engine.lines >= lines && before == now;
            before = now;
            rests.then_some(())
        });
    }

    /// Asks until there is an answer.
    pub fn until<T>(&self, what: &str, ask: impl FnMut(&Self) -> Option<T>) -> T {
        self.until_within(PATIENCE, what, ask)
    }

    /// The same, for so long at most. Asks again whenever the feed says something: that anything changed, or by a
    /// heartbeat that the server lives.
    pub fn until_within<T>(&self, patience: Duration, what: &str, mut ask: impl FnMut(&Self) -> Option<T>) -> T {
        let end = Instant::now() + patience;
        let mut feed = self.listen(patience);
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            let said = self.wait(async { tokio::time::timeout_at(end.into(), feed.chunk()).await });
            assert!(matches!(said, Ok(Ok(Some(_)))), "waited for {what}; the feed: {said:?}");
            // What else has come is no reason to ask once more for each.
            while let Some(Ok(Some(_))) = self.wait(async { feed.chunk().now_or_never() }) {}
        }
    }

    /// The feed of what changes, behind its first words: all that is not in what is asked from here on comes on it.
    fn listen(&self, patience: Duration) -> Response {
        let request = self.request(Method::GET, "server-logs-stream", &self.console).query(&[("events", CHANGES)]);
        let mut feed = self.wait(async { request.timeout(patience + PATIENCE).send().await }).unwrap();
        assert_eq!(feed.status(), StatusCode::OK);
        assert!(self.wait(async { feed.chunk().await }).unwrap().is_some(), "the feed ended");
        feed
    }

    /// Lets something asynchronous run beside the test.
    pub fn beside(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// Runs something asynchronous.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn client() -> Client {
    // Another test of this process may have set the same provider before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build().unwrap()
}
