//! From a request's bytes to alerts: read and redact (in parallel, by whoever brought it), give each line
//! its engine time, keep it, let the engine and the series see it, hand what was found to the hub.
//!
//! One thread does all but the reading, so that lines have one order. It looks at the very bytes that are
//! kept: reading the kept lines again gives the engine the same events. The sender is answered as soon as
//! its lines are kept; a crash after that costs nothing, because a restart reads them again.
//!
//! When lines come faster than the engine can look at them, it looks at a part of what is plainly normal; when they
//! come faster than they can be kept, the senders are told to come back. No line is dropped.

mod checkpoint;
pub(crate) mod deploys;
mod diagnostic;
mod group;
mod keeper;
mod load;
mod marks;
mod notice;
pub(crate) mod pace;
mod sample;
pub(crate) mod time;
mod worker;

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use stella_protocol::deploy::DeployRequest;
use stella_protocol::health::EngineClock;
use stella_protocol::ingest::IngestResponse;
use stella_protocol::{Deploy, Text, Timestamp};
use tokio::sync::{Semaphore, oneshot};

use crate::clock::Clock;
use crate::hub::Hub;
use crate::ingest::{self, BodyError, BodyKind};
use crate::lines::Packed;
use crate::migrate::drift::said::OldIds;
use crate::redact::Redactor;

pub use checkpoint::StateFile;
pub use time::EngineTimeMode;
pub use worker::Rooms;

use worker::Worker;

/// Requests that may wait for the engine.
const QUEUE: usize = 256;
/// Bytes of packed lines that may wait for the engine: a few of the largest requests.
const QUEUE_BYTES: usize = 256 << 20;
/// When a sender that was turned away should come back, in seconds.
const RETRY_AFTER_S: u64 = 1;

/// The lines of a request were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// JSON is UTF-8.
    #[error("read the body: it is not UTF-8")]
    NotUtf8,
    /// The body as a whole cannot be taken.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Too much is waiting.
    #[error("take the lines: too much is waiting, come back in {retry_after_s} s")]
    Busy {
        /// When to come back, in seconds.
        retry_after_s: u64,
    },
    /// The disk is full.
    #[error("keep the lines: the disk is full")]
    DiskFull,
    /// The file of raw lines refused.
    #[error("keep the lines")]
    NotKept,
    /// The server is ending.
    #[error("take the lines: the server is ending")]
    Ending,
}

/// The engine thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("start the engine thread")]
pub struct StartError(#[source] std::io::Error);

/// One request on its way to the engine.
struct Request {
    packed: Packed,
    mode: EngineTimeMode,
    received: Timestamp,
    /// Since when it waits for the engine.
    waits_from: Timestamp,
    answer: oneshot::Sender<Result<(), IngestError>>,
}

/// What the engine thread is asked for.
enum Order {
    /// To keep lines and look at them.
    Take(Request),
    /// To say what was held back, since a recording has ended; answered once that is told.
    End(oneshot::Sender<()>),
    /// To answer once all before it is looked at and handed over.
    Rest(oneshot::Sender<()>),
}

/// What the handle and the engine thread both see.
struct Shared {
    waiting_bytes: AtomicUsize,
    warm: AtomicBool,
    clock: Mutex<EngineClock>,
}

impl Shared {
    fn clock(&self) -> std::sync::MutexGuard<'_, EngineClock> {
        // Every change is one assignment: what a panicked holder left is whole.
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way in for lines. Clones are the same pipeline; its thread ends when the last one is gone.
#[derive(Clone)]
pub struct Pipeline {
    queue: SyncSender<Order>,
    reading: Arc<Semaphore>,
    shared: Arc<Shared>,
    hub: Hub,
    clock: Clock,
}

impl Pipeline {
    /// Starts the engine thread. It goes on from the state that was kept of the engine, and reads the lines behind
    /// it again (where there is none, the last 15 minutes), with what it finds muted up to the line that the hub
    /// has applied; then it takes what comes. It keeps the series and the engine's state up to date.
    pub fn start(rooms: Rooms) -> Result<(Self, JoinHandle<()>), StartError> {
        let (queue, requests) = mpsc::sync_channel(QUEUE);
        let (hub, clock) = (rooms.hub.clone(), rooms.clock.clone());
        let shared = Arc::new(Shared {
            waiting_bytes: AtomicUsize::new(0),
            warm: AtomicBool::new(false),
            clock: Mutex::new(EngineClock { lines: 0, ..hub.engine_clock() }),
        });
        let worker = Worker::new(rooms, Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || worker.run(&requests));
        let reading = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));
        Ok((Self { queue, reading, shared, hub, clock }, thread.map_err(StartError)?))
    }

    /// Takes one request. `source` says in words who sent it. On return every accepted line survives SIGKILL.
    ///
    /// An empty body of a recording says that it has ended: engine time is led on by seconds until the engine
    /// has nothing left to say of it, and on return that is told.
    pub async fn take(
        &self,
        body: Bytes,
        kind: BodyKind,
        mode: EngineTimeMode,
        redactor: Arc<Redactor>,
        source: Text,
    ) -> Result<IngestResponse, IngestError> {
        if body.is_empty() && matches!(mode, EngineTimeMode::Recording(_)) {
            return self.end().await;
        }
        let received = self.clock.now();
        let permit = Arc::clone(&self.reading).acquire_owned().await.map_err(|_| IngestError::Ending)?;
        let old_ids = self.hub.old_ids();
        let looked_for = old_ids.as_ref().map(|ids| ids.migration().clone());
        let read = tokio::task::spawn_blocking(move || {
            let read = read(&body, kind, &redactor, received, source, old_ids.as_deref());
            drop(permit);
            read
        });
        let (packed, response, old_id_uses) = read.await.map_err(|_| IngestError::NotKept)??;
        if !packed.is_empty() {
            let (answer, kept) = oneshot::channel();
            self.enqueue(Request { packed, mode, received, waits_from: self.clock.now(), answer })?;
            kept.await.map_err(|_| IngestError::Ending)??;
        }
        if let Some(migration) = looked_for.filter(|_| old_id_uses > 0) {
            self.hub.old_id_used(&migration, old_id_uses);
        }
        Ok(response)
    }

    /// Takes in that a service was deployed, as a line that survives SIGKILL; `by` is whoever says so. Answers with the
    /// deploy; without another line when it is the one of its service that became known last.
    ///
    /// # Errors
    /// When it was not kept.
    pub async fn deploy(&self, ask: &DeployRequest, by: &Text, redactor: &Redactor) -> Result<Deploy, IngestError> {
        let received = self.clock.now();
        let mut line = deploys::line(ask, by, received);
        redactor.apply(&mut line);
        let said = deploys::of(&line).ok_or(IngestError::NotKept)?;
        let known = |hub: &Hub| hub.last_deploy(said.service.raw()).filter(|last| last.revision == said.revision);
        if let Some(known) = known(&self.hub) {
            return Ok(known);
        }
        let (answer, kept) = oneshot::channel();
        let packed = Packed::new(&[line], by.clone());
        let mode = EngineTimeMode::Along;
        self.enqueue(Request { packed, mode, received, waits_from: received, answer })?;
        kept.await.map_err(|_| IngestError::Ending)??;
        let (told, is_told) = oneshot::channel();
        self.send(Order::Rest(told))?;
        is_told.await.map_err(|_| IngestError::Ending)?;
        Ok(known(&self.hub).unwrap_or(said))
    }

    async fn end(&self) -> Result<IngestResponse, IngestError> {
        let (told, is_told) = oneshot::channel();
        self.send(Order::End(told))?;
        is_told.await.map_err(|_| IngestError::Ending)?;
        Ok(IngestResponse::default())
    }

    /// Where the engine's clock stands.
    pub fn engine_clock(&self) -> EngineClock {
        self.shared.clock().clone()
    }

    /// True once the kept lines were read again after a start.
    pub fn is_warm(&self) -> bool {
        self.shared.warm.load(Ordering::Acquire)
    }

    fn enqueue(&self, request: Request) -> Result<(), IngestError> {
        let busy = IngestError::Busy { retry_after_s: RETRY_AFTER_S };
        let bytes = request.packed.bytes();
        let waiting = self.shared.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        let sent = if waiting > QUEUE_BYTES { Err(busy) } else { self.send(Order::Take(request)) };
        if sent.is_err() {
            self.shared.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
        }
        sent
    }

    fn send(&self, order: Order) -> Result<(), IngestError> {
        self.queue.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => IngestError::Busy { retry_after_s: RETRY_AFTER_S },
            TrySendError::Disconnected(_) => IngestError::Ending,
        })
    }
}

/// Reads, redacts and packs: everything that needs no order. Lines that say an old id are counted before
/// redaction: only their number goes on.
fn read(
    body: &[u8],
    kind: BodyKind,
    redactor: &Redactor,
    received: Timestamp,
    source: Text,
    old_ids: Option<&OldIds>,
) -> Result<(Packed, IngestResponse, u64), IngestError> {
    let text = match kind {
        BodyKind::Json => Cow::Borrowed(std::str::from_utf8(body).map_err(|_| IngestError::NotUtf8)?),
        BodyKind::PlainText => String::from_utf8_lossy(body),
    };
    let mut batch = ingest::parse(&text, kind, received)?;
    let says = |ids: &OldIds| batch.events.iter().filter(|event| ids.is_said_in(event)).count() as u64;
    let old_id_uses = old_ids.map_or(0, says);
    for event in &mut batch.events {
        redactor.apply(event);
    }
    let packed = Packed::new(&batch.events, source);
    let response = IngestResponse { accepted: batch.accepted, rejected: batch.rejected, errors: batch.errors };
    Ok((packed, response, old_id_uses))
}

#[cfg(test)]
mod tests;
