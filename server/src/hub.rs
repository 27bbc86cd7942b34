//! The one writer, and everyone who watches.
//!
//! One thread takes what people, the engine and the executor of fixes want, in order; runs the machines
//! of alerts, fixes and migrations; commits state, audit and events together; and only then tells anybody. Readers
//! follow a ring of frames that were made once. The hub decides nothing by itself: what may happen to an
//! alert is [`crate::alerts`], to a fix [`crate::remedy`], to a migration [`crate::migrate`], what is durable is [`crate::store`].
//!
//! Counters of busy alerts, and their evidence, live in memory and are kept once a second, always
//! together with the line up to which they were counted: after a crash, reading on from that line
//! counts every line exactly once.

mod act;
mod around;
mod board;
mod draft;
mod fixes;
mod frame;
mod marks;
mod migrations;
mod presence;
mod refusal;
mod ring;
mod rules;
mod subscription;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;
use stella_detect::Finding;
use stella_protocol::command::Action;
use stella_protocol::health::EngineClock;
use stella_protocol::{
    ActionId, ActionRequest, ActionResponse, Alert, AlertId, Code, Cursor, Deploy, Evidence, FeedEvent, LineId,
    Principal, Problem, Timestamp,
};
use tokio::sync::oneshot;

use crate::alerts::AlertState;
use crate::clock::Clock;
use crate::problem::problem;
use crate::store::{
    AlertQuery, AuditEntry, Commit, Found, Head, Meta, Replay, Store, StoreError, StoredToken, Tx, Verdict, Write,
};
use board::Shared;
use writer::{Job, Writer};

pub use fixes::{InSight, role_of};
pub use frame::{Kind, Kinds, frame};
pub use subscription::{CursorAsk, Delivery, Filter, Subscription};

/// Most jobs that wait for the writer; whoever comes then is asked to come back.
const QUEUE: usize = 4096;

/// Why the hub did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store did not answer as it should; nothing was told to anybody.
    #[error("commit to the store")]
    Unavailable,
    /// The writer has ended.
    #[error("reach the writer: it has ended")]
    Stopped,
    /// The writer's thread could not be started.
    #[error("start the writer")]
    Thread(#[source] std::io::Error),
}

/// An answer, and whether it is the first one again.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// The body.
    pub body: T,
    /// The same request came before under the same key.
    pub replayed: bool,
}

/// The hub. Clones are the same hub.
#[derive(Clone)]
pub struct Hub {
    queue: SyncSender<Job>,
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    clock: Clock,
}

impl Hub {
    /// Reads the open alerts and starts the writer. The thread ends after [`Hub::stop`].
    ///
    /// # Errors
    /// When the store cannot be read, or no thread started.
    pub fn start(store: Arc<dyn Store>, clock: Clock) -> Result<(Self, JoinHandle<()>), HubError> {
        let shared = Arc::new(Shared::load(&*store, clock.now())?);
        let (queue, jobs) = mpsc::sync_channel(QUEUE);
        let writer = Writer::new(Arc::clone(&store), Arc::clone(&shared), clock.clone())?;
        let thread = std::thread::Builder::new()
            .name("hub".to_owned())
            .spawn(move || writer.run(&jobs))
            .map_err(HubError::Thread)?;
        Ok((Self { queue, shared, store, clock }, thread))
    }

    /// Performs a verb on up to 1,000 alerts in one transaction, once for each key of a principal.
    ///
    /// # Errors
    /// A refusal of the request as a whole; what came of each target stands in the answer.
    pub async fn act(&self, by: &Principal, key: &str, ask: ActionRequest) -> Result<Answer<ActionResponse>, Problem> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Act { by: by.clone(), key: key.to_owned(), ask, reply })?;
        answer.await.unwrap_or_else(|_| Err(refusal::stopped()))
    }

    /// Takes an action back: each target that is still as the action left it.
    ///
    /// # Errors
    /// As for [`Hub::act`]; besides when there is no such action, it is another one's, too old or undone.
    pub async fn undo(&self, by: &Principal, key: &str, id: ActionId) -> Result<Answer<ActionResponse>, Problem> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Undo { by: by.clone(), key: key.to_owned(), id, reply })?;
        answer.await.unwrap_or_else(|_| Err(refusal::stopped()))
    }

    /// Notes that somebody was refused for their role. Does not wait.
    pub fn denied(&self, by: &Principal, verb: &'static str, object: &str) {
        let audit = AuditEntry {
            principal: by.name.clone(),
            role: by.role,
            verb,
            object: object_of(object),
            versions: (0, 0),
            key: String::new(),
            verdict: Verdict::Denied,
            detail: stella_protocol::Text::default(),
        };
        let tx = Tx { at: self.clock.now(), audit: vec![audit], ..Tx::default() };
        if self.queue.try_send(Job::Commit { tx, reply: None }).is_err() {
            tracing::warn!("failed to note a denied request: the writer is busy");
        }
    }

    /// Keeps a token: a new one, or a change (its end) of one that is known by the same fingerprint.
    ///
    /// # Errors
    /// When it was not kept.
    pub async fn put_token(&self, by: &Principal, token: StoredToken) -> Result<(), HubError> {
        let verb = if token.revoked_at.is_some() { "revoke-token" } else { "create-token" };
        let audit = AuditEntry {
            principal: by.name.clone(),
            role: by.role,
            verb,
            object: object_of(token.name.raw()),
            versions: (0, 0),
            key: String::new(),
            verdict: Verdict::Done,
            detail: stella_protocol::Text::new(token.role.word()),
        };
        let writes = vec![Write::Token(Box::new(token))];
        self.commit(Tx { at: self.clock.now(), writes, audit: vec![audit], ..Tx::default() }).await
    }

    /// Commits a transaction of another room through the one writer. It must not write alerts or hold
    /// events: those would not reach anybody.
    ///
    /// # Errors
    /// When it was not committed.
    pub async fn commit(&self, tx: Tx) -> Result<(), HubError> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job::Commit { tx, reply: Some(reply) }).map_err(|_| HubError::Unavailable)?;
        match answer.await {
            Ok(Commit::Committed { .. }) => Ok(()),
            Ok(_) => Err(HubError::Unavailable),
            Err(_) => Err(HubError::Stopped),
        }
    }

    /// Takes in what the engine found up to line `up_to`. Blocks; on return every alert that was opened
    /// or changed is durable and on its way to the readers. Only counts may still wait, for a second,
    /// and [`Hub::applied_line`] with them.
    ///
    /// # Errors
    /// When the store does not answer: nothing of it was taken in, and it can be asked again.
    pub fn apply(
        &self,
        findings: Vec<Finding>,
        up_to: LineId,
        engine_now: Timestamp,
        clock: EngineClock,
    ) -> Result<(), HubError> {
        self.take_in(findings, Vec::new(), up_to, engine_now, clock)
    }

    /// The same with deploys that lines told of.
    ///
    /// # Errors
    /// As for [`Hub::apply`].
    pub fn take_in(
        &self,
        findings: Vec<Finding>,
        deploys: Vec<Deploy>,
        up_to: LineId,
        engine_now: Timestamp,
        clock: EngineClock,
    ) -> Result<(), HubError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let job = Job::Apply { findings, deploys, up_to, engine_now, clock, reply };
        self.queue.send(job).map_err(|_| HubError::Stopped)?;
        answer.recv().unwrap_or(Err(HubError::Stopped))
    }

    /// Makes all that memory holds durable, counts too. Blocks; false: the store does not answer.
    pub fn settle(&self) -> bool {
        let (reply, answer) = mpsc::sync_channel(1);
        self.queue.send(Job::Settle { reply }).is_ok() && answer.recv().unwrap_or(false)
    }

    /// Takes in what no line says, as of now. Does not wait until that is durable.
    pub fn notice(&self, finding: Finding) {
        let _stopped = self.queue.send(Job::Found { findings: vec![finding], reply: None });
    }

    /// Lets time pass for all alerts: what ends by itself, falls quiet, or lapses. Does not wait; a tick
    /// that finds the writer busy is left out, because the next one does the same.
    pub fn tick(&self, engine_now: Timestamp) {
        let _skipped = self.queue.try_send(Job::Tick { engine_now });
    }

    /// Tells every reader something that is not kept.
    pub fn publish(&self, event: FeedEvent) {
        self.shared.publish(event);
    }

    /// True while somebody asks for raw lines: without one, making them is a waste.
    pub fn wants_lines(&self) -> bool {
        self.shared.line_readers.load(Ordering::Relaxed) > 0
    }

    /// Readers at present.
    pub fn readers(&self) -> usize {
        self.shared.readers.load(Ordering::Relaxed)
    }

    /// Open alerts and those closed in the last hour, with the place in the feed they belong to.
    pub fn snapshot(&self) -> (Cursor, Vec<Alert>) {
        let sight = self.shared.snapshot(self.clock.now());
        (sight.cursor, sight.alerts.iter().map(|state| state.alert.clone()).collect())
    }

    /// One alert, also a past one. Blocks when it has to be read from the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn alert(&self, id: &AlertId) -> Result<Option<Alert>, StoreError> {
        Ok(self.alert_state(id)?.map(|state| state.alert))
    }

    /// The same, with what the machine remembers of it. Blocks likewise.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn alert_state(&self, id: &AlertId) -> Result<Option<AlertState>, StoreError> {
        if let Some(state) = self.shared.board().get(id) {
            return Ok(Some(AlertState::clone(state)));
        }
        self.store.alert(id)
    }

    /// The newest evidence of an alert. Blocks when it has to be read from the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn evidence(&self, id: &AlertId) -> Result<Option<Evidence>, StoreError> {
        if let Some(fresh) = self.shared.board().fresh_evidence(id) {
            return Ok(Some(Evidence::clone(&fresh)));
        }
        self.store.evidence(id)
    }

    /// A page of alerts, past ones too, with the counts of now. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn alerts(&self, ask: &AlertQuery) -> Result<Found, StoreError> {
        let mut found = self.store.query(ask)?;
        let board = self.shared.board();
        for alert in &mut found.items {
            if let Some(state) = board.get(&alert.id) {
                alert.clone_from(&state.alert);
            }
        }
        Ok(found)
    }

    /// Actions, newest first; of one principal, or of all. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn actions(&self, mine: Option<&str>, limit: u32) -> Result<Vec<Action>, StoreError> {
        let now = self.clock.now();
        let mut actions = self.store.actions(mine, limit)?;
        for action in &mut actions {
            action.undo_until = action.undo_until.filter(|until| *until > now);
        }
        Ok(actions)
    }

    /// All tokens. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        self.store.tokens()
    }

    /// The last line whose findings are kept: after a restart the engine is muted up to here.
    pub fn applied_line(&self) -> LineId {
        self.shared.board().applied_line
    }

    /// Where the engine's clock stood when it last spoke, also before a restart.
    pub fn engine_clock(&self) -> EngineClock {
        self.shared.board().engine.clone()
    }

    /// Where the feed stands.
    pub fn head(&self) -> Head {
        self.shared.ring().head()
    }

    /// What another room noted for itself. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn room_note(&self, room: &'static str) -> Result<Option<String>, StoreError> {
        self.store.meta(Meta::Room(room))
    }

    /// At most `limit` kept events after number `after`. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn events_after(&self, after: u64, limit: u32) -> Result<Replay, StoreError> {
        self.store.events(after, limit)
    }

    /// Follows the feed from a place in it.
    pub fn subscribe(&self, cursor: CursorAsk) -> Subscription {
        Subscription::new(Arc::clone(&self.shared), Arc::clone(&self.store), cursor)
    }

    /// Ends the writer after what it has, and then every subscription.
    pub fn stop(&self) {
        let _ended_before = self.queue.send(Job::Stop);
    }

    fn send(&self, job: Job) -> Result<(), Problem> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => problem(Code::Unavailable, "too much is being changed at once: ask again"),
            TrySendError::Disconnected(_) => refusal::stopped(),
        })
    }
}

/// The body of an event or an answer: JSON on one line. A value that is no JSON (none of ours) is null.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// What an audit row is about, as somebody named it: without controls, and no longer than a row may hold.
fn object_of(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(64).collect()
}

/// A lock whose holder panicked holds what it held: every change under it is one assignment.
fn unpoisoned<T>(result: Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
