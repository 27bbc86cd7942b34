//! The feed as bytes, read by a reader that forgives nothing: every line has one of four shapes, every
//! body is JSON of the event's kind on one line.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use stella_protocol::{Cursor, FeedEvent};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::api::{Api, PATIENCE};

/// Kinds that are asked for: what may be left out otherwise, too.
const KINDS: &str = "log,log_line,alert,alert_counts,metrics";

/// An open feed, read from its beginning on: one that nobody reads is closed.
pub struct Feed {
    pieces: UnboundedReceiver<reqwest::Result<bytes::Bytes>>,
}

/// Opens it.
pub fn open(api: &Api) -> Feed {
    let request = api.request(Method::GET, "server-logs-stream", &api.console).query(&[("events", KINDS)]);
    // As long as something is sent, and is waited for after it.
    let response = api.wait(async { request.timeout(2 * PATIENCE).send().await }).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let (came, pieces) = mpsc::unbounded_channel();
    api.beside(async move {
        let mut bytes = response.bytes_stream();
        while let Some(piece) = bytes.next().await {
            if came.send(piece).is_err() {
                break;
            }
        }
    });
    Feed { pieces }
}

impl Feed {
    /// Reads until all of these were carried as they are: as somebody's service, or as a message.
    pub fn read_all(mut self, api: &Api, wanted: &BTreeSet<String>) -> Vec<FeedEvent> {
        let (mut bytes, mut events, mut missing) = (Vec::new(), Vec::new(), wanted.clone());
        let until = Instant::now() + PATIENCE;
        while !missing.is_empty() {
            let piece = api.wait(async { tokio::time::timeout_at(until.into(), self.pieces.recv()).await });
            let Ok(Some(Ok(piece))) = piece else { panic!("never carried: {missing:?}; the feed said {piece:?}") };
            bytes.extend_from_slice(&piece);
            while let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = bytes.drain(..end + 2).collect();
                if let Some(event) = event(&String::from_utf8(block).unwrap()) {
                    for text in carried(&event) {
                        missing.remove(text);
                    }
                    events.push(event);
                }
            }
        }
        events
    }
}

/// Texts of an application that an event carries.
fn carried(event: &FeedEvent) -> Vec<&str> {
    match event {
        FeedEvent::Alert(alert) => vec![alert.service.raw(), alert.title.raw()],
        FeedEvent::LogLine(line) => vec![line.event.service.raw(), line.event.message.raw()],
        FeedEvent::Log(log) => vec![log.message.raw()],
        _ => Vec::new(),
    }
}

/// The event of a block; None: it holds comments only.
fn event(block: &str) -> Option<FeedEvent> {
    let (mut name, mut body) = (None, None);
    for line in block.trim_end_matches('\n').split('\n') {
        assert!(!line.contains('\r'), "a carriage return in {line:?}");
        if let Some(id) = line.strip_prefix("id: ") {
            id.parse::<Cursor>().unwrap();
        } else if let Some(said) = line.strip_prefix("event: ") {
            assert!(name.replace(said).is_none(), "two names in {block:?}");
        } else if let Some(said) = line.strip_prefix("data: ") {
            assert!(body.replace(said).is_none(), "two bodies in {block:?}");
        } else {
            assert!(line.starts_with(':') || line.is_empty(), "{line:?}");
        }
    }
    let Some(body) = body else {
        assert!(name.is_none(), "a name without a body: {block:?}");
        return None;
    };
    let event = FeedEvent::parse(name.unwrap_or_default(), body).unwrap_or_else(|error| panic!("{error}: {block:?}"));
    assert!(event != FeedEvent::Unknown, "nobody knows {block:?}");
    Some(event)
}
