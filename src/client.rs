//! The server as the console sees it: commands and questions by HTTP, and the feed.
//!
//! [`Client`] asks and answers; [`feed::follow`] keeps the subscription alive; [`mailbox`] hands what it
//! brings to the loop. Nothing here knows what an alert means or what is on the screen.

pub mod backoff;
mod decoder;
pub mod feed;
pub mod fixes;
mod idempotency;
pub mod mailbox;
pub mod migrations;
mod place;
mod presence;
pub mod rules;
pub mod target;
pub mod trouble;

#[cfg(test)]
mod reference;

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stella_protocol::ingest::IngestResponse;
use stella_protocol::query::{QueryError, parse};
use stella_protocol::snapshot::LogPage;
use stella_protocol::{Code, Cursor, Problem, Retry, Snapshot, Text};

use crate::effect::{Command, LogAsk, Query, Refusal, Reply, RequestId, SeriesAsk};
use backoff::Backoff;
use fixes::{FixAsk, Wire};
use idempotency::Keys;
use target::Target;
use trouble::{Silence, Trouble};

/// How long a connection may take to be made; on a bad line a handshake is three round trips of a second.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take as a whole; a snapshot over a slow line is the longest.
const ANSWER: Duration = Duration::from_secs(20);

/// The feed sends something each 5 s; after four times that the connection is dead.
const SILENCE: Duration = Duration::from_secs(20);

/// How often a command is tried altogether when the network fails.
const TRIES: u32 = 3;

/// Fixes of a page of the past.
const HISTORY: u32 = 100;

/// A request that changes something.
struct Change {
    /// Under whose key.
    id: RequestId,
    method: Method,
    path: String,
    /// The version that was seen, where the route wants one.
    version: Option<u64>,
}

/// Asks one server.
#[derive(Debug)]
pub struct Client {
    target: Target,
    /// For commands and questions.
    api: reqwest::Client,
    /// For the feed: a connection of its own, without a limit on the whole.
    feed: reqwest::Client,
    keys: Keys,
}

impl Client {
    /// Prepares to ask `target`; nothing is sent yet.
    ///
    /// # Errors
    /// When the token cannot stand in a header or no TLS can be set up.
    pub fn new(target: Target) -> Result<Self, Trouble> {
        // A second installation reports the first one, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let api = builder(&target)?.timeout(ANSWER).build();
        let feed = builder(&target)?.read_timeout(SILENCE).http1_only().build();
        let broken = |error: reqwest::Error| Trouble::setup(&target, &error);
        Ok(Self { api: api.map_err(broken)?, feed: feed.map_err(broken)?, keys: Keys::default(), target })
    }

    /// Whom this client asks.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Performs a command; network failures are tried again with the same key.
    pub async fn send(&self, id: RequestId, command: &Command) -> Reply {
        let post = |path: &str| Change { id, method: Method::POST, path: path.to_owned(), version: None };
        match command {
            Command::Act(request) => Reply::Acted(self.change(post("alerts/actions"), Some(request)).await),
            Command::Undo(action) => {
                Reply::Acted(self.change(post(&format!("actions/{action}/undo")), None::<&()>).await)
            }
            Command::Propose(proposal) => Reply::Decided(self.propose_fix(id, proposal).await.map(Wire::boxed)),
            Command::DecideFix { id: fix, version, verb, request } => {
                Reply::Decided(self.decide_fix(id, fix, *version, *verb, request).await.map(Wire::boxed))
            }
            Command::SwitchFixes(request) => Reply::Surrounded(self.switch_fixes(id, request).await.map(Wire::boxed)),
            Command::Maintain(request) => Reply::Maintained(self.put_maintenance(id, request).await.map(Wire::boxed)),
            Command::LiftSuppression(suppression) => {
                Reply::Surrounded(self.lift_suppression(id, suppression).await.map(Wire::boxed))
            }
            Command::EndMaintenance(window) => {
                Reply::Surrounded(self.end_maintenance(id, window).await.map(Wire::boxed))
            }
            Command::CreateMigration(proposal) => {
                Reply::Migrated(self.create_migration(id, proposal).await.map(Wire::boxed))
            }
            Command::DecideMigration { id: which, version, verb, request } => {
                Reply::Migrated(self.decide_migration(id, which, *version, *verb, request).await.map(Wire::boxed))
            }
            Command::AnswerMigration { id: which, version, request } => {
                Reply::Migrated(self.answer_migration(id, which, *version, request).await.map(Wire::boxed))
            }
            Command::ChangeRule { id: rule, version, change } => {
                Reply::RuleChanged(self.change_rule(id, rule, *version, change).await.map(Wire::boxed))
            }
            Command::AddDeploy(request) => Reply::DeployAdded(self.add_deploy(id, request).await.map(Wire::boxed)),
            Command::UndoMark(fingerprint) => Reply::MarkUndone(self.undo_mark(id, fingerprint).await.map(drop)),
        }
    }

    /// Answers a question.
    pub async fn fetch(&self, query: &Query) -> Reply {
        match query {
            Query::Alert(alert) => {
                let answer = self.ask(&format!("alerts/{}", alert.as_str()), &[]).await;
                Reply::Alert(alert.clone(), answer.map(Box::new))
            }
            Query::Evidence(alert) => {
                let path = format!("alerts/{}/evidence", alert.as_str());
                Reply::Evidence(alert.clone(), self.ask(&path, &[]).await.map(Box::new))
            }
            Query::Logs(ask) => Reply::Logs(match check(ask) {
                Ok(()) => self.ask("logs", &log_parameters(ask)).await.map(oldest_first),
                Err(error) => Err(Refusal::Query(error)),
            }),
            Query::Series(ask) => Reply::Series(self.ask("series", &series_parameters(ask)).await),
            Query::Fix(id) => Reply::Review(id.clone(), self.fix_review(id).await.map(Wire::boxed)),
            Query::FixOutput { id, after } => {
                Reply::Output(id.clone(), self.fix_output(id, None, *after).await.map(|wire| wire.read))
            }
            Query::Definitions => Reply::Definitions(self.fix_definitions().await.map(|wire| wire.read)),
            Query::FixHistory(after) => {
                let ask = FixAsk { after: after.clone(), limit: HISTORY, ..FixAsk::default() };
                Reply::FixHistory(self.fix_page(&ask).await.map(|wire| wire.read))
            }
            Query::Migration(id) => Reply::Migration(id.clone(), self.migration(id).await.map(Wire::boxed)),
            Query::MigrationPart { id, list, after } => {
                Reply::MigrationPart(id.clone(), *list, self.migration_list(id, *list, after.clone()).await)
            }
            Query::MigrationUser { id, who } => {
                Reply::MigrationUser(id.clone(), self.migration_user(id, who).await.map(Wire::boxed))
            }
            Query::Rules => Reply::Rules(self.rules().await.map(|wire| wire.read)),
            Query::RulePreview { id, change } => {
                Reply::RulePreview(self.rule_preview(id, change).await.map(Wire::boxed))
            }
            Query::Marks => Reply::Marks(self.marks().await.map(|wire| wire.read)),
        }
    }

    /// The whole state.
    ///
    /// # Errors
    /// When there is none to be had now.
    pub async fn snapshot(&self) -> Result<Snapshot, Trouble> {
        let response = self.request(&self.api, Method::GET, "snapshot").send().await;
        let response = self.accept(response).await?;
        response.json().await.map_err(|error| Trouble::answer(&self.target, &error))
    }

    /// Opens the feed behind `cursor`.
    ///
    /// # Errors
    /// When it cannot be opened, or what answers is not a feed.
    pub async fn open(&self, cursor: Cursor) -> Result<Response, Trouble> {
        let request = self.request(&self.feed, Method::GET, "server-logs-stream");
        let request = request.header(ACCEPT, "text/event-stream").header("Last-Event-ID", cursor.to_string());
        let response = self.accept(request.send().await).await?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/event-stream") { Ok(response) } else { Err(Trouble::not_stella(&self.target)) }
    }

    /// Sends lines to be taken in, as they are (`text/plain`); answers the server's count. A server
    /// that asks for patience gets it; nothing else is tried again, since lines have no key.
    ///
    /// # Errors
    /// In the server's words, or in those of the network.
    pub async fn ingest(&self, recording: &str, lines: Bytes) -> Result<IngestResponse, Refusal> {
        let mut backoff = Backoff::default();
        loop {
            let request = self.request(&self.api, Method::POST, "logs").query(&[("recording", recording)]);
            let request = request.header(CONTENT_TYPE, "text/plain; charset=utf-8").body(lines.clone());
            let refusal = match request.send().await {
                Ok(response) => match read(response, &self.target).await {
                    Err(Refusal::Problem(problem)) if matches!(problem.retry, Retry::After | Retry::Now) => problem,
                    answered => return answered,
                },
                Err(error) => return Err(Refusal::Unknown(Trouble::network(&self.target, &error).cause.what)),
            };
            tracing::warn!(code = ?refusal.code, "lines are not taken in yet");
            tokio::time::sleep(Duration::from_millis(backoff.next(rand::random()))).await;
        }
    }

    /// True when the server has done what it does before it is ready.
    pub async fn is_ready(&self) -> bool {
        let answer = self.api.get(self.target.root("readyz")).send().await;
        answer.is_ok_and(|response| response.status().is_success())
    }

    async fn change<T: DeserializeOwned>(&self, change: Change, body: Option<&impl Serialize>) -> Result<T, Refusal> {
        let Change { id, method, path, version } = change;
        let key = self.keys.key_of(id);
        let request = || {
            let request = self.request(&self.api, method.clone(), &path);
            let request = request.header("Idempotency-Key", key.uuid.to_string());
            let request = match version {
                Some(version) => request.header(IF_MATCH, format!("\"{version}\"")),
                None => request,
            };
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        let answer = self.persist(request).await.map_err(|failure| match failure {
            // One that was asked before may have happened then.
            Failure::Silence(silence) if silence.nothing_was_sent && !key.is_known => silence.refusal(),
            failure => failure.into(),
        });
        if !matches!(answer, Err(Refusal::Unknown(_))) {
            self.keys.forget(id);
        }
        answer
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, String)]) -> Result<T, Refusal> {
        let answer = self.persist(|| self.request(&self.api, Method::GET, path).query(parameters)).await;
        answer.map_err(Refusal::from)
    }

    /// Sends a request until it is answered, [`TRIES`] times at most. Every request made must be the
    /// same one, by its key or by its nature.
    async fn persist<T: DeserializeOwned>(&self, request: impl Fn() -> RequestBuilder) -> Result<T, Failure> {
        let mut backoff = Backoff::default();
        let mut tries = 1;
        let mut nothing_was_sent = true;
        loop {
            let failure = match request().send().await {
                Ok(response) => match read(response, &self.target).await {
                    Err(refusal) if may_pass(&refusal) => Failure::Said(refusal),
                    answered => return answered.map_err(Failure::Said),
                },
                Err(error) => {
                    nothing_was_sent &= error.is_connect();
                    let cause = Trouble::network(&self.target, &error).cause;
                    Failure::Silence(Silence { cause, nothing_was_sent })
                }
            };
            nothing_was_sent &= matches!(failure, Failure::Silence(_));
            if tries == TRIES {
                return Err(failure);
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(backoff.next(rand::random()))).await;
        }
    }

    fn request(&self, client: &reqwest::Client, method: Method, path: &str) -> RequestBuilder {
        client.request(method, self.target.at(path))
    }

    async fn accept(&self, response: reqwest::Result<Response>) -> Result<Response, Trouble> {
        let response = response.map_err(|error| Trouble::network(&self.target, &error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status();
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let problem: Option<Problem> = response.json().await.ok();
        Err(Trouble::status(&self.target, status, wait, problem.as_ref()))
    }
}

/// Why a request brought nothing, as the last try left it.
enum Failure {
    /// Something answered.
    Said(Refusal),
    /// Nothing did.
    Silence(Silence),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Said(refusal) => refusal,
            Failure::Silence(silence) => Self::Unknown(silence.cause.what),
        }
    }
}

/// True for a refusal that the same request may not meet again in a moment.
fn may_pass(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Problem(problem) => problem.code == Code::InFlight || problem.retry == Retry::Now,
        Refusal::Unknown(_) => true,
        Refusal::Query(_) => false,
    }
}

fn builder(target: &Target) -> Result<reqwest::ClientBuilder, Trouble> {
    let mut headers = HeaderMap::new();
    if let Some(token) = target.token() {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Trouble::bad_token())?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    let builder = reqwest::Client::builder()
        .user_agent(concat!("stella-tui/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        // A token must not follow a redirect to somebody else.
        .redirect(redirect::Policy::none());
    let builder = if target.is_loopback() { builder.no_proxy() } else { builder };
    Ok(if target.is_encrypted() {
        builder.tls_certs_merge(roots())
    } else {
        // Without any certificate the library looks for the system's, and fails where there is none.
        builder.tls_certs_only([])
    })
}

/// The public roots, beside those of the system: small images have none of their own.
fn roots() -> Vec<Certificate> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    roots.filter_map(|root| Certificate::from_der(root).ok()).collect()
}

async fn read<T: DeserializeOwned>(response: Response, target: &Target) -> Result<T, Refusal> {
    let status = response.status();
    let unclear = || Text::from(format!("{} answered {} and no word of Stella's", target.name(), status.as_u16()));
    let body = response.bytes().await.map_err(|error| Refusal::Unknown(Trouble::network(target, &error).cause.what))?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| Refusal::Unknown(unclear()));
    }
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Err(Refusal::Problem(Box::new(problem))),
        Err(_) => Err(Refusal::Unknown(unclear())),
    }
}

/// A query that the server would refuse is refused here, with the place of the error in it.
fn check(ask: &LogAsk) -> Result<(), QueryError> {
    parse(&ask.q).map(drop)
}

fn log_parameters(ask: &LogAsk) -> Vec<(&'static str, String)> {
    let mut parameters = vec![("limit", ask.limit.to_string())];
    let mut add = |name, value: Option<String>| parameters.extend(value.map(|value| (name, value)));
    add("q", (!ask.q.is_empty()).then(|| ask.q.clone()));
    add("alert", ask.alert.as_ref().map(|id| id.as_str().to_owned()));
    add("from", ask.from.map(|at| at.to_string()));
    add("to", ask.to.map(|at| at.to_string()));
    add("after", ask.after.map(|line| line.0.to_string()));
    add("before", ask.before.map(|line| line.0.to_string()));
    // A page that has an end and no beginning is filled from its end.
    let has_beginning = ask.after.is_some() || ask.alert.is_some() || ask.from.is_some();
    add("order", (ask.before.is_some() || !has_beginning).then(|| "newest".to_owned()));
    parameters
}

fn series_parameters(ask: &SeriesAsk) -> Vec<(&'static str, String)> {
    vec![
        ("ids", ask.ids.join(",")),
        ("from", ask.from.to_string()),
        ("to", ask.to.to_string()),
        ("step", format!("{}s", (ask.step_ms / 1000).max(1))),
    ]
}

/// Lines stand as they came in, whichever end the page was filled from.
fn oldest_first(mut page: LogPage) -> LogPage {
    page.items.sort_by_key(|line| line.id);
    page
}

#[cfg(test)]
mod tests;
