//! What the hub holds in memory: the alerts that matter now, what of them is not kept yet, and the ring.
//!
//! Only the writer changes the alerts, and always together with the ring, so that a snapshot and its
//! cursor belong together. Anybody may add to the ring what is not kept.

mod approvers;
mod deploys;
mod fixes;
mod migrations;
mod presence;
mod scores;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};
use stella_protocol::feed::LogLineEvent;
use stella_protocol::health::EngineClock;
use stella_protocol::{
    Activity, AlertId, Cursor, Deploy, Evidence, FeedEvent, FixId, LineId, MigrationId, Presence, Remedy, Timestamp,
};
use tokio::sync::watch;

use super::frame::{Kind, frame};
use super::ring::Ring;
use super::unpoisoned;
use crate::alerts::AlertState;
use crate::marks::Marked;
use crate::migrate::MigrationState;
use crate::migrate::drift::said::OldIds;
use crate::presence::Attendance;
use crate::remedy::FixState;
use crate::rules::{Kept, RuleBook};
use crate::store::{FixNumbers, Meta, Store, StoreError};
use approvers::Approvers;
use deploys::Deploys;
pub(super) use migrations::Spoken;
use scores::LastScores;

/// How long a closed alert stays in memory and in snapshots, in milliseconds.
const CLOSED_STAYS: i64 = 60 * 60 * 1000;
/// Most raw lines that wait for the readers who ask for them.
const LINES: usize = 1024;

/// The alerts that matter now.
#[derive(Debug)]
pub(super) struct Board {
    alerts: FxHashMap<AlertId, Arc<AlertState>>,
    by_fingerprint: FxHashMap<String, AlertId>,
    /// Evidence that is newer than the kept one.
    pub evidence: FxHashMap<AlertId, Arc<Evidence>>,
    /// Alerts whose counters are newer than the kept ones.
    pub dirty: FxHashSet<AlertId>,
    /// Alerts whose counters were not told yet.
    pub counted: FxHashSet<AlertId>,
    /// Alerts that readers should see again some time soon.
    pub outdated: FxHashSet<AlertId>,
    /// The last line that is counted in here.
    pub applied_line: LineId,
    /// Where the engine's clock stands.
    pub engine: EngineClock,
    fixes: FxHashMap<FixId, Arc<FixState>>,
    remedy: Remedy,
    /// The last ones given.
    pub numbers: FixNumbers,
    migrations: FxHashMap<MigrationId, Arc<MigrationState>>,
    /// The number of the last migration.
    pub last_migration: u64,
    /// What is looked for, and how it is set.
    pub rules: Arc<RuleBook>,
    /// What people called false, by fingerprint; also what was taken back lately.
    pub marks: BTreeMap<String, Marked>,
    /// The greatest number of a mark.
    pub last_mark: u64,
    deploys: Deploys,
}

impl Board {
    fn new(applied_line: LineId, engine: EngineClock) -> Self {
        Self {
            alerts: FxHashMap::default(),
            by_fingerprint: FxHashMap::default(),
            evidence: FxHashMap::default(),
            dirty: FxHashSet::default(),
            counted: FxHashSet::default(),
            outdated: FxHashSet::default(),
            applied_line,
            engine,
            fixes: FxHashMap::default(),
            remedy: Remedy::default(),
            numbers: FixNumbers::default(),
            migrations: FxHashMap::default(),
            last_migration: 0,
            rules: Arc::default(),
            marks: BTreeMap::new(),
            last_mark: 0,
            deploys: Deploys::default(),
        }
    }

    pub fn get(&self, id: &AlertId) -> Option<&Arc<AlertState>> {
        self.alerts.get(id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<AlertState>> {
        self.alerts.values()
    }

    /// The alert that stands for a fingerprint, as far as it is in memory.
    pub fn latest(&self, fingerprint: &str) -> Option<&Arc<AlertState>> {
        self.by_fingerprint.get(fingerprint).and_then(|id| self.alerts.get(id))
    }

    /// Takes a mark in.
    pub fn put_mark(&mut self, marked: Marked) {
        self.last_mark = self.last_mark.max(marked.number);
        self.marks.insert(marked.fingerprint.raw().to_owned(), marked);
    }

    pub fn fresh_evidence(&self, id: &AlertId) -> Option<Arc<Evidence>> {
        self.evidence.get(id).cloned()
    }

    pub fn put(&mut self, state: Arc<AlertState>) {
        let fingerprint = state.alert.fingerprint.raw();
        let stands = self.latest(fingerprint).is_none_or(|latest| {
            latest.alert.id == state.alert.id || state.alert.status.is_open() || !latest.alert.status.is_open()
        });
        if stands {
            self.by_fingerprint.insert(fingerprint.to_owned(), state.alert.id.clone());
        }
        self.alerts.insert(state.alert.id.clone(), state);
    }

    /// Forgets an alert, so that the next look at it is one into the store.
    pub fn forget(&mut self, id: &AlertId) {
        if let Some(state) = self.alerts.remove(id) {
            self.by_fingerprint.retain(|_, latest| *latest != state.alert.id);
        }
        self.evidence.remove(id);
        self.dirty.remove(id);
        self.counted.remove(id);
        self.outdated.remove(id);
    }

    /// Forgets what has been closed and still for an hour and is wholly kept.
    pub fn purge(&mut self, horizon: Timestamp) {
        let over: FxHashSet<AlertId> = self
            .alerts
            .values()
            .filter(|state| !in_sight(state, horizon) && state.alert.last_seen < horizon)
            .map(|state| state.alert.id.clone())
            .filter(|id| !self.dirty.contains(id) && !self.counted.contains(id) && !self.outdated.contains(id))
            .collect();
        self.alerts.retain(|id, _| !over.contains(id));
        self.by_fingerprint.retain(|_, id| !over.contains(id));
        self.evidence.retain(|id, _| !over.contains(id));
    }

    /// Before this, what was closed is past. The clock that lags decides, so that a recording of last
    /// year shows what it closed.
    pub fn horizon(&self, now: Timestamp) -> Timestamp {
        self.engine.last.map_or(now, |engine| engine.min(now)).plus_millis(-CLOSED_STAYS)
    }
}

fn in_sight(state: &AlertState, horizon: Timestamp) -> bool {
    state.alert.status.is_open() || state.alert.resolved_at.is_some_and(|closed| closed >= horizon)
}

/// Raw lines for those who ask for them.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub events: VecDeque<Arc<LogLineEvent>>,
    /// Index of the first of them.
    pub first: u64,
}

/// What is in sight at one moment.
pub(super) struct InSight {
    pub cursor: Cursor,
    pub alerts: Vec<Arc<AlertState>>,
    pub fixes: Vec<Arc<FixState>>,
    pub remedy: Remedy,
    pub migrations: Vec<Arc<MigrationState>>,
    pub presence: Vec<Presence>,
    pub rules: Arc<RuleBook>,
    pub deploys: Vec<Deploy>,
}

/// What the writer and all readers share.
#[derive(Debug)]
pub(super) struct Shared {
    board: RwLock<Board>,
    ring: Mutex<Ring>,
    lines: Mutex<Lines>,
    spoken: Mutex<Spoken>,
    attendance: Mutex<Attendance>,
    wake: watch::Sender<()>,
    ended: AtomicBool,
    /// One human uses this server.
    pub single_person: AtomicBool,
    pub approvers: Approvers,
    /// What alerts were worth when somebody last asked.
    pub scores: LastScores,
    /// Old ids that lines are looked through for.
    pub old_ids: RwLock<Option<Arc<OldIds>>>,
    pub readers: AtomicUsize,
    pub line_readers: AtomicUsize,
}

impl Shared {
    /// Reads what matters now from the store.
    pub fn load(store: &dyn Store, now: Timestamp) -> Result<Self, StoreError> {
        let applied = store.meta(Meta::AppliedLine)?.and_then(|line| line.parse().ok()).unwrap_or_default();
        let engine = store.meta(Meta::EngineClock)?.and_then(|clock| serde_json::from_str::<EngineClock>(&clock).ok());
        let engine = engine.unwrap_or(EngineClock { last: None, recording: false, lines: 0 });
        let mut board = Board::new(LineId(applied), engine);
        board.rules = Arc::new(RuleBook::waiting(Kept::from_note(store.meta(Meta::Rules)?.as_deref())));
        board.load_fixes(store, now)?;
        board.load_migrations(store)?;
        store.marks()?.into_iter().for_each(|marked| board.put_mark(marked));
        board.load_deploys(store)?;
        for mut state in store.recent(board.horizon(now))? {
            state.watch.held = board.has_fix_under_way(&state.alert.id, None);
            board.put(Arc::new(state));
        }
        Ok(Self {
            board: RwLock::new(board),
            ring: Mutex::new(Ring::new(store.head()?)),
            lines: Mutex::new(Lines::default()),
            spoken: Mutex::new(Spoken::default()),
            attendance: Mutex::default(),
            wake: watch::Sender::new(()),
            ended: AtomicBool::new(false),
            single_person: AtomicBool::new(false),
            approvers: Approvers::default(),
            scores: LastScores::default(),
            old_ids: RwLock::default(),
            readers: AtomicUsize::new(0),
            line_readers: AtomicUsize::new(0),
        })
    }

    pub fn board(&self) -> RwLockReadGuard<'_, Board> {
        unpoisoned(self.board.read())
    }

    /// For the writer alone.
    pub fn board_mut(&self) -> RwLockWriteGuard<'_, Board> {
        unpoisoned(self.board.write())
    }

    pub fn ring(&self) -> MutexGuard<'_, Ring> {
        unpoisoned(self.ring.lock())
    }

    pub fn lines(&self) -> MutexGuard<'_, Lines> {
        unpoisoned(self.lines.lock())
    }

    /// What runners said of migrations. To be locked before the ring, never after it.
    pub fn spoken(&self) -> MutexGuard<'_, Spoken> {
        unpoisoned(self.spoken.lock())
    }

    /// Wakes whoever waits for something new.
    pub fn wake(&self) {
        self.wake.send_replace(());
    }

    pub fn watch(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }

    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.wake();
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Tells every reader something that is not kept.
    pub fn publish(&self, event: FeedEvent) {
        if let FeedEvent::LogLine(line) = event {
            if self.line_readers.load(Ordering::Relaxed) == 0 {
                return;
            }
            let mut lines = self.lines();
            if lines.events.len() == LINES {
                lines.events.pop_front();
                lines.first += 1;
            }
            lines.events.push_back(Arc::from(line));
        } else {
            let bytes = frame(&event);
            self.ring().push(Kind::of(&event), bytes);
        }
        self.wake();
    }

    /// What is in sight, and the place in the feed that it belongs to.
    pub fn snapshot(&self, now: Timestamp) -> InSight {
        let board = self.board();
        let horizon = board.horizon(now);
        let presence = self.attendance().present(Instant::now());
        let cursor = self.ring().head().cursor;
        let alerts = board.all().filter(|state| in_sight(state, horizon)).cloned().collect();
        let (fixes, migrations) = (board.fixes_in_sight(), board.migrations_in_sight());
        let (remedy, rules) = (self.remedy_of(&board, now), Arc::clone(&board.rules));
        let deploys = board.deploys_in_sight(now);
        InSight { cursor, alerts, fixes, remedy, migrations, presence, rules, deploys }
    }

    /// What holds for all fixes now.
    pub fn remedy(&self, now: Timestamp) -> Remedy {
        self.remedy_of(&self.board(), now)
    }

    fn remedy_of(&self, board: &Board, now: Timestamp) -> Remedy {
        Remedy { single_person: self.single_person.load(Ordering::Relaxed), ..board.remedy(now) }
    }
}

/// True when something about an alert could still change by time alone.
pub(super) fn may_change(state: &AlertState) -> bool {
    state.alert.status.is_open() || state.alert.activity == Activity::Firing
}
