//! HTTP of the operations interface: connections, the token, reading a request, writing an answer.
//!
//! Knows how things are named in paths, not what they are.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Ask, Said};
use crate::demo::order::{Deed, Subject};
use crate::demo::readers::{List, Readers};

/// Names a request, so that it is done once however often it is sent.
const KEY: &str = "idempotency-key";
/// Rises with everybody who may change a thing.
const FENCE: &str = "stella-fence";
/// Longest key.
const LONGEST_KEY: usize = 200;
/// Longest body: nothing here needs one but a block's duration.
const LONGEST_BODY: usize = 16 << 10;
/// Longest wait for the head of a request, also on an idle connection.
const HEAD_WAIT: Duration = Duration::from_secs(12);
/// Pause after a failed accept: trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// How something is.
    Look(Subject),
    /// What was done so far.
    Effects,
    /// Whether it finds what is somebody's under their old ids and their new one.
    ReadsBothIds,
    /// Something is to be done.
    Do(Command),
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// To what.
    pub subject: Subject,
    /// What.
    pub deed: Deed,
    /// Names the request.
    pub key: String,
    /// Refused when a higher one was seen.
    pub fence: Option<u64>,
    /// As it came, for the log of effects.
    pub method: String,
    /// The same, with its query.
    pub path: String,
}

/// A request that is refused before the application hears of it.
#[derive(Debug, PartialEq)]
struct Refusal(u16, &'static str);

/// The connection ends here.
#[derive(Debug, thiserror::Error)]
#[error("answer: the operations interface went away")]
struct HungUp;

/// An answer's body, whole.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// Where requests go: to the application as it lives, and to what it reads for people.
type Rooms = (mpsc::Sender<Ask>, Arc<OnceLock<Readers>>);

/// Serves connections until `shutdown`, then cuts them.
pub async fn serve(listener: TcpListener, token: String, rooms: Rooms, shutdown: CancellationToken) {
    let token: Arc<str> = token.into();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let serving = connection(stream, Arc::clone(&token), rooms.clone());
                let ending = shutdown.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = ending.cancelled() => {}
                        () = serving => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "the demo's operations interface did not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, token: Arc<str>, rooms: Rooms) {
    let service = service_fn(move |request| answer(request, Arc::clone(&token), rooms.clone()));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(user = error.is_user(), "a connection of the demo's operations interface ended early");
    }
}

async fn answer(
    request: Request<Incoming>,
    token: Arc<str>,
    (door, readers): Rooms,
) -> Result<Response<Whole>, HungUp> {
    let (head, body) = request.into_parts();
    if !is_known(&head.headers, &token) {
        return Ok(refuse(&Refusal(401, "the bearer token is missing or wrong")));
    }
    let Some(body) = whole(body).await else { return Ok(refuse(&Refusal(413, "the body is too long or broken"))) };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    if let Some((list, user)) = list(&head.method, path) {
        return Ok(shown(readers.get(), list, &user).await);
    }
    let asked = match read(&head.method, path, &head.headers, &body) {
        Ok(asked) => asked,
        Err(refusal) => return Ok(refuse(&refusal)),
    };
    let (reply, said) = oneshot::channel();
    door.send(Ask { asked, reply }).await.map_err(|_| HungUp)?;
    match said.await.map_err(|_| HungUp)? {
        Said::Answer(status, body) => Ok(response(status, &body)),
        Said::HangUp => Err(HungUp),
    }
}

/// A list, and for whom, when that is asked for.
fn list(method: &Method, target: &str) -> Option<(List, String)> {
    let path = target.split('?').next().filter(|_| method == Method::GET)?;
    let (user, list) = path.strip_prefix("/users/")?.split_once('/')?;
    Some((List::from_word(list)?, decoded(user)?))
}

async fn shown(readers: Option<&Readers>, list: List, user: &str) -> Response<Whole> {
    let Some(readers) = readers else { return refuse(&Refusal(503, "its documents are not open")) };
    match readers.show(list, user).await {
        Ok(Some(body)) => response(200, &body),
        Ok(None) => refuse(&Refusal(404, "nobody is known by this id")),
        Err(_) => refuse(&Refusal(503, "its documents do not answer")),
    }
}

fn is_known(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    given.as_bytes().ct_eq(token.as_bytes()).into()
}

/// All of a body. None: it is too long, or it broke off.
async fn whole(mut body: Incoming) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(bytes) = frame.ok()?.into_data() {
            if read.len() + bytes.len() > LONGEST_BODY {
                return None;
            }
            read.extend_from_slice(&bytes);
        }
    }
    Some(read)
}

/// Reads what a request asks for.
fn read(method: &Method, target: &str, headers: &HeaderMap, body: &[u8]) -> Result<Asked, Refusal> {
    const UNKNOWN: Refusal = Refusal(404, "there is no such thing here");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path == "/effects" {
        return if method == Method::GET { Ok(Asked::Effects) } else { Err(Refusal(405, "effects are only read")) };
    }
    if path == "/reads-both-ids" && method == Method::GET {
        return Ok(Asked::ReadsBothIds);
    }
    let parts: Option<Vec<String>> = path.trim_start_matches('/').split('/').map(decoded).collect();
    let parts = parts.ok_or(UNKNOWN)?;
    let (kind, name, word) = match parts.as_slice() {
        [kind, name] => (kind, name, None),
        [kind, name, word] => (kind, name, Some(word.as_str())),
        _ => return Err(UNKNOWN),
    };
    let subject = Subject::read(kind, name).ok_or(UNKNOWN)?;
    let deed = match (method.as_str(), word) {
        ("GET", None) => return Ok(Asked::Look(subject)),
        ("POST", Some(word)) => subject.deed(word, number(query, body, "to")),
        ("PUT", None) => subject.put(number(query, body, "seconds")),
        ("DELETE", None) => subject.delete(),
        _ => None,
    };
    let deed = deed.ok_or(Refusal(405, "that cannot be done to it"))?;
    let (key, fence) = named(headers)?;
    // The body belongs to what was asked: another one under the same key is another request.
    let body = String::from_utf8_lossy(body);
    let path = if body.is_empty() { target.to_owned() } else { format!("{target} {body}") };
    Ok(Asked::Do(Command { subject, deed, key, fence, method: method.to_string(), path }))
}

/// The key and the fence of a request that changes something.
fn named(headers: &HeaderMap) -> Result<(String, Option<u64>), Refusal> {
    let key = headers.get(KEY).and_then(|key| key.to_str().ok()).filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
    let key = key.ok_or(Refusal(400, "name an Idempotency-Key of 1 to 200 characters"))?;
    let fence = match headers.get(FENCE) {
        None => None,
        Some(fence) => {
            let read = fence.to_str().ok().and_then(|fence| fence.parse().ok());
            Some(read.ok_or(Refusal(400, "a Stella-Fence is a whole number"))?)
        }
    };
    Ok((key.to_owned(), fence))
}

/// A number of the query, else of the JSON body.
fn number<N: TryFrom<u64>>(query: &str, body: &[u8], name: &str) -> Option<N> {
    let asked = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
    let read = match asked {
        Some((_, value)) => value.parse().ok(),
        None => serde_json::from_slice::<Value>(body).ok().and_then(|body| body[name].as_u64()),
    };
    read.and_then(|read| N::try_from(read).ok())
}

/// A path's segment without its percent signs. None: it was not encoded rightly.
fn decoded(segment: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { digit(rest.next()?)? * 16 + digit(rest.next()?)? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

fn refuse(refusal: &Refusal) -> Response<Whole> {
    response(refusal.0, &json!({ "error": refusal.1 }))
}

fn response(status: u16, body: &Value) -> Response<Whole> {
    let mut response = Response::new(Whole(Some(Bytes::from(body.to_string()))));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_request_that_changes_something_must_have_a_name() {
        let read = |method, target, pairs| read(&method, target, &headers(pairs), b"");
        let refused = |target, pairs| read(Method::POST, target, pairs).unwrap_err().0;
        assert_eq!(refused("/pools/agents/restart", &[]), 400);
        assert_eq!(refused("/pools/agents/restart", &[("idempotency-key", "k"), ("stella-fence", "x")]), 400);
        assert_eq!(refused("/pools/agents/clear", &[("idempotency-key", "k")]), 405);
        assert_eq!(refused("/pools/nobody/restart", &[("idempotency-key", "k")]), 404);
        let asked =
            read(Method::POST, "/services/mail-sender/scale?to=4", &[("idempotency-key", "k"), ("stella-fence", "3")]);
        let command = match asked.unwrap() {
            Asked::Do(command) => Some((command.deed, command.fence, command.key)),
            Asked::Look(_) | Asked::Effects | Asked::ReadsBothIds => None,
        };
        assert_eq!(command, Some((Deed::Scale(4), Some(3), "k".to_owned())));
    }

    #[test]
    fn a_name_in_a_path_is_decoded_once() {
        assert_eq!(decoded("ana%40example.com").as_deref(), Some("ana@example.com"));
        assert_eq!(decoded("a%2540").as_deref(), Some("a%40"));
        assert_eq!([decoded("a%4"), decoded("a%zz"), decoded("%ff")], [const { None }; 3]);
        let asked = read(&Method::GET, "/cache/a%2Fb", &HeaderMap::new(), b"");
        assert_eq!(asked, Ok(Asked::Look(Subject::Cache("a/b".to_owned()))));
    }
}
