//! The server's ordinary interface, as an application, a reader and an operator use it.

use std::time::Instant;

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use stella_protocol::{Alert, Migration, ingest::IngestResponse};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::process::Server;

/// What became of a request with lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// So many lines are kept.
    Kept(u64),
    /// Too much is waiting: send them again.
    Busy,
}

/// A frame of the feed and when its last byte came.
#[derive(Debug)]
pub struct Frame {
    /// When.
    pub at: Instant,
    /// Its lines, without the blank one.
    pub text: String,
}

impl Frame {
    /// The body, when the frame is an alert.
    pub fn alert(&self) -> Option<Alert> {
        let is_alert = self.text.lines().any(|line| line == "event: alert");
        let body = self.text.lines().find_map(|line| line.strip_prefix("data: ")).filter(|_| is_alert)?;
        serde_json::from_str(body).ok()
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    ingest: String,
    responder: String,
    admin: String,
}

/// A client that keeps its connections. Its roots are never asked for: everything is loopback.
///
/// # Errors
/// When the library refuses.
pub fn client() -> anyhow::Result<Client> {
    // It stands already when a second client is made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|root| Certificate::from_der(root).ok());
    Client::builder().no_proxy().tls_certs_merge(roots).build().context("make a client")
}

impl Api {
    /// Speaks to `server`.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(server: &Server) -> anyhow::Result<Self> {
        let (ingest, responder, admin) = (server.ingest.clone(), server.responder.clone(), server.admin.clone());
        Ok(Self { client: client()?, base: server.url(), ingest, responder, admin })
    }

    /// Speaks to something that only takes lines, and asks nobody who they are.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn at(url: &str) -> anyhow::Result<Self> {
        let nobody = String::new;
        Ok(Self { client: client()?, base: url.to_owned(), ingest: nobody(), responder: nobody(), admin: nobody() })
    }

    fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/api/stella/{path}", self.base)).bearer_auth(token)
    }

    /// Sends lines as an application does.
    ///
    /// # Errors
    /// When the server does not take every line.
    pub async fn send(&self, body: Bytes) -> anyhow::Result<Sent> {
        let request = self.request(Method::POST, "logs", &self.ingest);
        let request = request.header("Content-Type", "application/x-ndjson").body(body);
        let response = request.send().await.context("send lines")?;
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            return Ok(Sent::Busy);
        }
        let taken: IngestResponse = ok(response).await?.json().await.context("read what became of lines")?;
        ensure!(taken.rejected == 0, "send lines: {} were rejected", taken.rejected);
        Ok(Sent::Kept(taken.accepted))
    }

    /// How many alerts are open.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn open_alerts(&self) -> anyhow::Result<usize> {
        let response = self.request(Method::GET, "snapshot", &self.responder).send().await.context("ask for alerts")?;
        let snapshot: Value = ok(response).await?.json().await.context("read alerts")?;
        let alerts = snapshot.get("alerts").and_then(Value::as_array).context("find the alerts of a snapshot")?;
        let open = |alert: &&Value| matches!(alert["status"].as_str(), Some("new" | "acknowledged"));
        Ok(alerts.iter().filter(open).count())
    }

    /// Resolves an alert, at whatever version it has by now.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn resolve(&self, alert: &Alert) -> anyhow::Result<()> {
        const TRIES: usize = 5;
        let mut version = alert.version;
        for _ in 0..TRIES {
            let path = format!("alerts/{}/resolve", alert.id);
            let request = self.request(Method::POST, &path, &self.responder);
            let request = request.header("Idempotency-Key", uuid::Uuid::now_v7().to_string());
            let request = request.header("If-Match", format!("\"{version}\"")).json(&json!({ "text": "measured" }));
            let response = request.send().await.context("resolve an alert")?;
            if response.status() != StatusCode::CONFLICT && response.status() != StatusCode::PRECONDITION_FAILED {
                return ok(response).await.map(drop);
            }
            let path = format!("alerts/{}", alert.id);
            let response =
                self.request(Method::GET, &path, &self.responder).send().await.context("ask for an alert")?;
            let now: Alert = ok(response).await?.json().await.context("read an alert")?;
            version = now.version;
        }
        anyhow::bail!("resolve an alert: it changed each time")
    }

    /// Makes a migration of user ids.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn propose_migration(&self) -> anyhow::Result<Migration> {
        let request = self.request(Method::POST, "migrations", &self.admin);
        let request = request.header("Idempotency-Key", uuid::Uuid::now_v7().to_string());
        let response = request.json(&json!({ "kind": "user_ids" })).send().await.context("propose a migration")?;
        ok(response).await?.json().await.context("read a migration")
    }

    /// How a migration stands.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn migration(&self, id: &str) -> anyhow::Result<Migration> {
        let request = self.request(Method::GET, &format!("migrations/{id}"), &self.admin);
        let response = request.send().await.context("ask for a migration")?;
        ok(response).await?.json().await.context("read a migration")
    }

    /// A verb on a migration as it was read; that it changed since is no error.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn migrate(&self, now: &Migration, verb: &str) -> anyhow::Result<()> {
        let request = self.request(Method::POST, &format!("migrations/{}/{verb}", now.id), &self.admin);
        let request = request.header("Idempotency-Key", uuid::Uuid::now_v7().to_string());
        let digest = now.plan.as_ref().map(|plan| plan.digest.clone()).filter(|_| verb != "rehearse");
        let mut body = json!({ "text": "measured: readers understand both ids" });
        if let Some(digest) = digest {
            body["planDigest"] = json!(digest);
        }
        let response = request.header("If-Match", format!("\"{}\"", now.version)).json(&body).send().await;
        let response = response.context("decide on a migration")?;
        if matches!(response.status(), StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED) {
            return Ok(());
        }
        ok(response).await.map(drop)
    }

    /// Reads the feed in the background. The reader ends when the receiver is dropped.
    ///
    /// # Errors
    /// When the feed does not open.
    pub async fn feed(
        &self,
        token: &str,
        query: &str,
    ) -> anyhow::Result<(mpsc::UnboundedReceiver<Frame>, JoinHandle<()>)> {
        let request = self.request(Method::GET, &format!("server-logs-stream{query}"), token);
        let response = ok(request.send().await.context("open the feed")?).await?;
        let (sender, frames) = mpsc::unbounded_channel();
        Ok((frames, tokio::spawn(read(response, sender))))
    }
}

async fn read(response: Response, frames: mpsc::UnboundedSender<Frame>) {
    let mut stream = response.bytes_stream();
    let mut pending = Vec::new();
    while let Some(Ok(bytes)) = stream.next().await {
        let at = Instant::now();
        pending.extend_from_slice(&bytes);
        for text in whole_frames(&mut pending) {
            if frames.send(Frame { at, text }).is_err() {
                return;
            }
        }
    }
}

/// Takes the frames that are complete, as the server writes them: lines with `\n`, a blank one after each.
fn whole_frames(pending: &mut Vec<u8>) -> Vec<String> {
    let mut frames = Vec::new();
    while let Some(end) = pending.windows(2).position(|pair| pair == b"\n\n") {
        frames.push(String::from_utf8_lossy(&pending[..end]).into_owned());
        pending.drain(..end + 2);
    }
    frames
}

async fn ok(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let said = response.text().await.unwrap_or_default();
    anyhow::bail!("ask the server: {status}: {}", said.chars().take(200).collect::<String>().escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_however_they_are_cut() {
        let bytes = b"event: hello\ndata: {}\n\n: ping\n\ndata: {\"a\":1}\n\n";
        for cut in 0..bytes.len() {
            let mut pending = bytes[..cut].to_vec();
            let mut frames = whole_frames(&mut pending);
            pending.extend_from_slice(&bytes[cut..]);
            frames.extend(whole_frames(&mut pending));
            assert_eq!(frames, ["event: hello\ndata: {}", ": ping", "data: {\"a\":1}"]);
            assert!(pending.is_empty());
        }
    }
}
