//! The feed as one HTTP response: hello, then what the hub hands over, with the signs of life between. A
//! change of an alert that changes how the application is brings the next of them at once.
//!
//! The bytes are the hub's own frames; nothing is serialised here but what belongs to one connection
//! (hello, heartbeat, bye). A reader that stalls is evicted by the socket, not here: see
//! [`crate::listener`].

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use rand::Rng;
use serde::Deserialize;
use stella_protocol::feed::{Bye, ByeReason, Heartbeat, Hello};
use stella_protocol::{Code, FeedEvent, Health, Role, Text};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::alerts::parse_query;
use super::problem::Refusal;
use super::state::SETTLED;
use super::{App, body};
use crate::auth::Session;
use crate::hub::{CursorAsk, Delivery, Filter, Kinds, Subscription, frame};
use crate::listener::FeedMark;

/// How often a heartbeat comes.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often a comment comes, for proxies that cut silent connections.
const PING: Duration = Duration::from_secs(15);
/// A stream is renewed after this many seconds, drawn at random so that readers do not come back at once.
const ROTATE_S: std::ops::Range<u64> = 45 * 60..55 * 60;
/// Most streams of one principal.
const SEATS: usize = 100;
/// When a reader may come back after a bye, in milliseconds.
const RETRY_MS: u64 = 500;
/// Edition of the contract.
const SCHEMA: u32 = 1;
/// What this server can do, and for whom.
const CAPABILITIES: [(&str, Role); 5] = [
    ("triage", Role::Responder),
    ("undo", Role::Responder),
    ("evidence", Role::Viewer),
    ("logs", Role::Viewer),
    ("series", Role::Viewer),
];
/// Tells proxies not to hold bytes back.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// What a browser's `EventSource` sends when it comes back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    cursor: Option<String>,
    events: Option<String>,
    q: Option<String>,
}

/// `GET /server-logs-stream`.
pub(super) async fn stream(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    mark: Option<Extension<FeedMark>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let ask: Ask = body::query(&uri)?;
    let filter = filter(&ask)?;
    let seat = app.streams.take(session.principal.name.raw())?;
    if let Some(Extension(mark)) = mark {
        mark.set();
    }
    let subscription = app.hub.subscribe(cursor(&headers, &ask)).only(filter);
    let feed = Feed::open(app, session, subscription, seat);
    let body = Body::from_stream(stream::unfold(feed, Feed::next));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
        (ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    Ok((headers, body).into_response())
}

/// `events=` names kinds; `q=` chooses among raw lines.
fn filter(ask: &Ask) -> Result<Filter, Refusal> {
    let kinds = ask.events.as_deref().map_or_else(Kinds::default, Kinds::read);
    Ok(Filter { kinds, lines: parse_query(ask.q.as_deref())? })
}

/// The header wins over the query. What is no cursor is answered on the stream (`reset`), not refused:
/// a browser's `EventSource` would never come back from an error.
fn cursor(headers: &HeaderMap, ask: &Ask) -> CursorAsk {
    let said = match headers.get(LAST_EVENT_ID) {
        Some(value) => Some(value.to_str().unwrap_or("not text")),
        None => ask.cursor.as_deref(),
    };
    match said {
        None | Some("") => CursorAsk::None,
        Some(text) => text.parse().map_or(CursorAsk::Malformed, CursorAsk::At),
    }
}

struct Feed {
    app: App,
    session: Session,
    subscription: Subscription,
    heartbeat: Interval,
    ping: Interval,
    rotate_at: Instant,
    /// The newest kept event that was delivered, and when to look at what it made of the health.
    seen: u64,
    look_at: Option<Instant>,
    /// The health that the reader was told last.
    told: Option<Health>,
    stage: Stage,
    _seat: Seat,
}

#[derive(PartialEq)]
enum Stage {
    Opening,
    Running,
    Ended,
}

impl Feed {
    fn open(app: App, session: Session, subscription: Subscription, seat: Seat) -> Self {
        let now = Instant::now();
        let every = |period: Duration| {
            let mut interval = interval_at(now + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let rotate_at = now + Duration::from_secs(rand::rng().random_range(ROTATE_S));
        let (heartbeat, ping) = (every(HEARTBEAT), every(PING));
        let seen = subscription.seq();
        Self {
            app,
            session,
            subscription,
            heartbeat,
            ping,
            rotate_at,
            seen,
            look_at: None,
            told: None,
            stage: Stage::Opening,
            _seat: seat,
        }
    }

    /// The next piece of the body; None: the stream is over.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let piece = match self.stage {
            Stage::Opening => {
                self.stage = Stage::Running;
                self.hello()
            }
            Stage::Running => self.piece().await,
            Stage::Ended => return None,
        };
        Some((Ok(piece), self))
    }

    async fn piece(&mut self) -> Bytes {
        loop {
            let look_at = self.look_at.unwrap_or(self.rotate_at);
            return tokio::select! {
                biased;
                () = self.app.ending.cancelled() => self.bye(ByeReason::Shutdown),
                () = tokio::time::sleep_until(self.rotate_at) => self.bye(ByeReason::Rotate),
                _ = self.heartbeat.tick() => self.sign_of_life(),
                () = tokio::time::sleep_until(look_at) => match self.look() {
                    Some(bytes) => bytes,
                    None => continue,
                },
                _ = self.ping.tick() => Bytes::from_static(b": ping\n\n"),
                delivery = self.subscription.next() => self.deliver(delivery),
            };
        }
    }

    fn deliver(&mut self, delivery: Delivery) -> Bytes {
        let seen = std::mem::replace(&mut self.seen, self.subscription.seq());
        if seen != self.seen {
            self.look_at.get_or_insert_with(|| Instant::now() + SETTLED);
        }
        match delivery {
            Delivery::Frames(bytes) => bytes,
            Delivery::Lagged => self.bye(ByeReason::Lag),
            Delivery::Ended => self.bye(ByeReason::Shutdown),
        }
    }

    /// A sign of life before its time, if the reader was told another health.
    fn look(&mut self) -> Option<Bytes> {
        self.look_at = None;
        let changed = self.told.as_ref() != Some(&self.app.standing().health);
        changed.then(|| self.sign_of_life())
    }

    fn hello(&self) -> Bytes {
        let head = self.app.hub.head();
        let principal = &self.session.principal;
        frame(&FeedEvent::Hello(Hello {
            epoch: head.cursor.epoch,
            head: head.cursor.seq,
            oldest: head.oldest,
            server_time: self.app.clock.now(),
            heartbeat_ms: u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX),
            server_version: Text::new(env!("CARGO_PKG_VERSION")),
            schema: SCHEMA,
            principal: principal.name.clone(),
            role: principal.role,
            capabilities: capabilities(principal.role),
        }))
    }

    fn sign_of_life(&mut self) -> Bytes {
        let now = self.app.clock.now();
        if !self.app.tokens.still_holds(&self.session, now) {
            return self.bye(ByeReason::Auth);
        }
        let standing = self.app.standing();
        self.told = Some(standing.health.clone());
        frame(&FeedEvent::Heartbeat(Heartbeat {
            head: self.app.hub.head().cursor.seq,
            server_time: now,
            health: Some(standing.health),
            engine: Some(standing.engine),
        }))
    }

    fn bye(&mut self, reason: ByeReason) -> Bytes {
        self.stage = Stage::Ended;
        frame(&FeedEvent::Bye(Bye { reason, retry_ms: RETRY_MS }))
    }
}

/// What a role may do here.
fn capabilities(role: Role) -> Vec<Text> {
    let allowed = CAPABILITIES.into_iter().filter(|(_, needed)| role.allows(*needed));
    allowed.map(|(word, _)| Text::new(word)).collect()
}

/// Counts the open streams of each principal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seats(Arc<Mutex<HashMap<String, usize>>>);

/// One open stream; gives its place back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    name: String,
}

impl Seats {
    fn take(&self, name: &str) -> Result<Seat, Refusal> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(name.to_owned()).or_default();
        if *count >= SEATS {
            return Err(Refusal::new(Code::TooManyStreams, format!("at most {SEATS} for one principal")));
        }
        *count += 1;
        Ok(Seat { seats: self.clone(), name: name.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_is_offered_no_triage_and_a_responder_everything() {
        let offered = |role| capabilities(role).iter().map(|word| word.raw().to_owned()).collect::<Vec<_>>();
        assert_eq!(offered(Role::Viewer), ["evidence", "logs", "series"]);
        assert_eq!(offered(Role::Responder).len(), CAPABILITIES.len());
        assert_eq!(offered(Role::Admin).len(), CAPABILITIES.len());
    }

    #[test]
    fn a_principal_has_so_many_seats_and_gets_one_back_when_a_stream_ends() {
        let seats = Seats::default();
        let mut taken: Vec<Seat> = (0..SEATS).map(|_| seats.take("ana").unwrap()).collect();
        assert_eq!(seats.take("ana").err().map(|refusal| refusal.0.code), Some(Code::TooManyStreams));
        assert!(seats.take("ben").is_ok());
        taken.pop();
        assert!(seats.take("ana").is_ok());
        drop(taken);
        assert!(seats.0.lock().unwrap().is_empty());
    }
}
