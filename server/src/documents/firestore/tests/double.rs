//! A double of the service for tests: not the emulator, and not made from it, but from the public description of
//! the REST interface. It takes nothing that the description does not know, keeps its limits, checks every
//! precondition, answers in pages and in other orders where it may, and on demand as badly as a network can.
//!
//! What it does not have: transactions, queries but by name, indexes, rules.

mod checked;
mod verbs;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// `projects/P/databases/D` of every double.
pub(crate) const PROJECT: &str = "p";
/// The token that opens it.
pub(crate) const TOKEN: &str = "owner";
/// Longest request, in bytes: the service's limit.
const REQUEST: usize = 10 * 1024 * 1024;
/// When its first document is made, in microseconds: 2025-11-09T10:00:00Z.
const BEGIN: u64 = 1_762_682_400_000_000;

/// A document as it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    fields: Value,
    created: u64,
    updated: u64,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not done, and answered so.
    Status(u16, &'static str),
    /// It is not done: a proxy answers without the reason.
    Proxy(u16),
    /// It is done, and the answer is this error.
    DoneThen(u16, &'static str),
    /// It is done, and the answer breaks off in its middle.
    DoneThenBroken,
    /// It is done, and the answer never comes.
    DoneThenSilent,
    /// It is not done, and the answer never comes.
    Silent,
    /// It is done, and the answer is a page for people.
    DoneThenPage,
    /// It is not done: a redirect.
    Redirect,
    /// A stream ends with an error after its first answer.
    HalfWay,
}

/// What was asked so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Asked {
    /// Commits that came in.
    pub commits: u64,
    /// Commits that were done.
    pub done: u64,
    /// Everything else that came in.
    pub reads: u64,
}

/// What all requests see.
pub(super) struct World {
    pub documents: Mutex<BTreeMap<String, Stored>>,
    clock: AtomicU64,
    faults: Mutex<(VecDeque<Fault>, VecDeque<Fault>)>,
    asked: watch::Sender<Asked>,
    /// A commit takes one; nobody has to wait while there are many.
    gate: Semaphore,
    token: Mutex<String>,
}

/// A service that runs until it is dropped.
pub(crate) struct Double {
    addr: SocketAddr,
    world: Arc<World>,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Double {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let world = Arc::new(World {
            documents: Mutex::default(),
            clock: AtomicU64::new(BEGIN),
            faults: Mutex::default(),
            asked: watch::Sender::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            token: Mutex::new(TOKEN.to_owned()),
        });
        let app = Router::new().fallback(take).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&world));
        let running = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { addr, world, running }
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> String {
        self.addr.to_string()
    }

    /// What comes of the next commits, in order; then they are done as usual.
    pub(crate) fn commits_meet(&self, faults: impl IntoIterator<Item = Fault>) {
        self.world.faults.lock().unwrap().0.extend(faults);
    }

    /// The same for everything else.
    pub(crate) fn reads_meet(&self, faults: impl IntoIterator<Item = Fault>) {
        self.world.faults.lock().unwrap().1.extend(faults);
    }

    /// From now on this many commits are let through; the others wait until more are.
    pub(crate) fn hold_after(&self, commits: usize) {
        self.world.gate.forget_permits(Semaphore::MAX_PERMITS);
        self.world.gate.add_permits(commits);
    }

    /// Nobody waits any more.
    pub(crate) fn let_all_through(&self) {
        self.world.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Only this token opens it from now on.
    pub(crate) fn opens_to(&self, token: &str) {
        token.clone_into(&mut self.world.token.lock().unwrap());
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Asked {
        *self.world.asked.borrow()
    }

    /// Waits until it was asked so.
    pub(crate) async fn until(&self, holds: impl FnMut(&Asked) -> bool) {
        self.world.asked.subscribe().wait_for(holds).await.unwrap();
    }

    /// Puts a document there, as another client would.
    pub(crate) fn put(&self, path: &str, fields: Value) {
        let now = self.world.tick();
        let stored = Stored { fields, created: now, updated: now };
        self.world.documents().insert(path.to_owned(), stored);
    }

    /// Takes one away, as another client would.
    pub(crate) fn remove(&self, path: &str) {
        self.world.documents().remove(path).unwrap();
    }

    /// Every document's fields by its path, as the service has them.
    pub(crate) fn contents(&self) -> BTreeMap<String, Value> {
        self.world.documents().iter().map(|(path, stored)| (path.clone(), stored.fields.clone())).collect()
    }

    /// The same with the time of each one's last change.
    pub(crate) fn versions(&self) -> BTreeMap<String, u64> {
        self.world.documents().iter().map(|(path, stored)| (path.clone(), stored.updated)).collect()
    }
}

impl World {
    pub fn documents(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.documents.lock().unwrap()
    }

    /// A time that was never given before.
    pub fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn fault(&self, commit: bool) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        if commit { faults.0.pop_front() } else { faults.1.pop_front() }
    }
}

/// A refusal in the form of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct No {
    code: u16,
    status: &'static str,
    message: String,
}

impl No {
    fn new(code: u16, status: &'static str, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    fn body(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message, "status": self.status } })
    }
}

async fn take(State(world): State<Arc<World>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let commit = uri.path().ends_with(":commit");
    world.asked.send_modify(|asked| if commit { asked.commits += 1 } else { asked.reads += 1 });
    if commit {
        world.gate.acquire().await.unwrap().forget();
    }
    let streams = [":runQuery", ":batchGet", ":runAggregationQuery"].iter().any(|verb| uri.path().ends_with(verb));
    let opened = format!("Bearer {}", world.token.lock().unwrap());
    let may = headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes() == opened.as_bytes());
    if !may {
        return answer(Err(No::new(401, "UNAUTHENTICATED", "who is it?")), streams);
    }
    let fault = world.fault(commit);
    match fault {
        Some(Fault::Status(code, status)) => return answer(Err(No::new(code, status, "on demand")), streams),
        Some(Fault::Proxy(code)) => {
            return (StatusCode::from_u16(code).unwrap(), "<html>busy</html>").into_response();
        }
        Some(Fault::Redirect) => {
            return (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:1/")], "").into_response();
        }
        Some(Fault::Silent) => return std::future::pending().await,
        _ => {}
    }
    let done = if body.len() > REQUEST {
        Err(No::invalid("the request is too long"))
    } else {
        verbs::perform(&world, &method, &uri, &headers, &body)
    };
    if commit && done.is_ok() {
        world.asked.send_modify(|asked| asked.done += 1);
    }
    match fault {
        Some(Fault::DoneThen(code, status)) => answer(Err(No::new(code, status, "on demand")), streams),
        Some(Fault::DoneThenPage) => ([(header::CONTENT_TYPE, "text/html")], "<html>hello</html>").into_response(),
        Some(Fault::DoneThenSilent) => std::future::pending().await,
        Some(Fault::DoneThenBroken) => {
            let text = done.unwrap().to_string();
            let half = Bytes::from(text[..text.len() / 2].to_owned());
            let broken = stream::iter([Ok(half), Err(std::io::Error::other("the line broke"))]);
            Response::new(Body::from_stream(broken))
        }
        Some(Fault::HalfWay) => {
            let Ok(Value::Array(mut items)) = done else { unreachable!("no stream") };
            items.truncate(1);
            items.push(No::new(503, "UNAVAILABLE", "on demand").body());
            answer(Ok(Value::Array(items)), streams)
        }
        _ => answer(done, streams),
    }
}

fn answer(done: Result<Value, No>, streams: bool) -> Response {
    let (code, body) = match done {
        Ok(body) => (200, body),
        Err(no) if streams => (no.code, json!([no.body()])),
        Err(no) => (no.code, no.body()),
    };
    let code = StatusCode::from_u16(code).unwrap();
    (code, [(header::CONTENT_TYPE, "application/json; charset=UTF-8")], body.to_string()).into_response()
}
