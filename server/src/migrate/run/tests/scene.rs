//! A place where migrations run: what outlives a process (folders, documents, the time), the processes that
//! work there, and the person who decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle as Thread;
use std::time::Duration;

use futures_util::future::pending;
use serde_json::Value;
use stella_protocol::migration::{Decided, DualRead, PhaseName};
use stella_protocol::{
    Migration, MigrationId, MigrationStatus, MigrationVerb, Principal, Problem, Role, Text, Timestamp,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::loss::Left;
use super::power::shared;
use super::world;
use crate::clock::Clock;
use crate::demo;
use crate::documents::embedded::Embedded;
use crate::documents::firestore::tests::as_it_says;
use crate::documents::{DocumentKey, Documents, DocumentsError};
use crate::hub::Hub;
use crate::migrate::machine::LEASE_MS;
use crate::migrate::map::shipped;
use crate::migrate::run::backup::BackupKey;
use crate::migrate::run::conductor::Conductor;
use crate::migrate::run::ledger::Ledger;
use crate::migrate::run::queries::Application;
use crate::migrate::run::site::{Ledgers, Pace, Site};
use crate::migrate::{DataMap, Decision, Draft, MintKey};
use crate::store::{SqliteStore, Store};

const START: i64 = 1_700_000_000_000;
/// Nothing that works takes so long.
pub(super) const TOO_LONG: Duration = Duration::from_mins(2);
const SOAK_MS: i64 = 60_000;

/// Every document's content by its path.
pub(super) type Contents = BTreeMap<String, BTreeMap<String, Value>>;

/// What outlives a process.
pub(super) struct Scene {
    pub documents: Embedded,
    pub clock: Clock,
    map: Arc<DataMap>,
    given: BTreeMap<String, Decided>,
    /// Whom it asks its own queries.
    pub application: Option<Arc<dyn Application>>,
    /// How often the watch walks where no migration was.
    pub standing: Option<Duration>,
    pub watch_writers: bool,
    data: TempDir,
    _documents: TempDir,
    /// Keys of a person's requests.
    keys: AtomicU64,
}

/// A process.
pub(super) struct Process {
    pub hub: Hub,
    pub site: Arc<Site>,
    thread: Thread<()>,
    ending: CancellationToken,
    conductor: JoinHandle<()>,
    life: Life,
}

impl Scene {
    pub fn new(seed: u64, size: usize) -> Self {
        let map = DataMap::parse("m.toml", world::MAP).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        Self::of(&world::lines(seed, size), map, BTreeMap::new())
    }

    /// The demo's world, with the data map that is shipped, and as any store says it.
    pub fn of_demo() -> Self {
        let options = demo::Options::default();
        let line = |(collection, id, fields): demo::Seeded| {
            let (path, mut fields) = (format!("{collection}/{id}"), Value::Object(fields));
            as_it_says(&mut fields);
            serde_json::json!({ "path": path, "fields": fields }).to_string() + "\n"
        };
        let lines: String = demo::documents(&options).map(line).collect();
        let map = shipped::application().unwrap_or_else(|wrong| panic!("{wrong:?}"));
        Self::of(&lines, map, demo::agreed(&options))
    }

    fn of(lines: &str, map: DataMap, given: BTreeMap<String, Decided>) -> Self {
        let (data, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let clock = Clock::scripted(Timestamp::from_millis(START));
        let documents = Embedded::open(place.path(), clock.clone()).unwrap();
        documents.import(lines.as_bytes()).unwrap();
        Self {
            documents,
            clock,
            map: Arc::new(map),
            given,
            application: None,
            standing: None,
            watch_writers: false,
            data,
            _documents: place,
            keys: AtomicU64::new(0),
        }
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(self.data.path(), self.clock.now()).unwrap()
    }

    pub fn site(&self, hub: &Hub, documents: Arc<dyn Documents>, holder: &str) -> Arc<Site> {
        let moment = Duration::from_millis(1);
        Arc::new(Site {
            hub: hub.clone(),
            documents,
            map: Arc::clone(&self.map),
            map_digest: "m".to_owned(),
            data: self.data.path().to_owned(),
            mint: MintKey::from_bytes([7; 32]),
            backup_key: BackupKey::from_bytes([8; 32]),
            target: Text::from("documents"),
            canary: 2,
            soak_ms: SOAK_MS,
            given: self.given.clone(),
            application: self.application.clone(),
            clock: self.clock.clone(),
            pace: Pace {
                idle: 5 * moment,
                again: moment,
                retry: moment,
                tries: 20,
                batch: 12,
                drift: 2 * moment,
                standing: self.standing,
            },
            watch_writers: self.watch_writers,
            holder: Text::new(holder.to_owned()),
            ledgers: Ledgers::default(),
        })
    }

    /// A process that works, with a good store.
    pub fn start(&self) -> Process {
        self.start_with(shared(&self.documents))
    }

    pub fn start_with<D: Documents + 'static>(&self, documents: Arc<D>) -> Process {
        let (hub, thread) = Hub::start(Arc::new(self.store()) as Arc<dyn Store>, self.clock.clone()).unwrap();
        let holder = format!("one-{}", self.keys.fetch_add(1, Ordering::SeqCst));
        let site = self.site(&hub, documents, &holder);
        let (ending, life) = (CancellationToken::new(), Life::begin());
        let conductor = life.spawn(Conductor::new(Arc::clone(&site)).run(ending.clone()));
        Process { hub, site, thread, ending, conductor, life }
    }

    /// Another process takes it up as soon as the lease of the one that died is over, and works until it stands so.
    pub async fn goes_on(&self, end: MigrationStatus) {
        self.pass(LEASE_MS + 1);
        let next = self.start();
        next.drive(self, &[end], None).await;
        next.end().await;
    }

    pub fn pass(&self, millis: i64) {
        self.clock.advance_to(self.clock.now().plus_millis(millis));
    }

    pub fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        let read: Result<(), DocumentsError> = self.documents.at_one_moment(|moment| {
            moment.each(None, |document| {
                contents.insert(document.key.path(), document.fields);
                Ok(())
            })
        });
        read.unwrap();
        contents
    }

    pub fn ledger(&self) -> Ledger {
        Ledger::open(self.data.path(), &id()).unwrap()
    }

    pub fn key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::SeqCst))
    }
}

pub(super) fn id() -> MigrationId {
    "mig-1".parse().unwrap()
}

pub(super) fn admin() -> Principal {
    Principal { name: Text::from("ana"), role: Role::Admin }
}

impl Process {
    /// Lets something run in it.
    pub fn spawn(&self, what: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.life.spawn(what)
    }

    /// Whether the migration stands so, whenever that is asked.
    pub fn stands(&self, status: MigrationStatus) -> impl Fn() -> bool + Send + use<> {
        let hub = self.hub.clone();
        move || hub.migration(&id()).unwrap().is_some_and(|state| state.migration.status == status)
    }

    pub fn migration(&self) -> Option<Migration> {
        self.hub.migration(&id()).unwrap().map(|state| state.migration.clone())
    }

    pub async fn propose(&self, scene: &Scene) -> Migration {
        let draft = Draft {
            by: Text::from("ana"),
            target: Text::from("documents"),
            map_title: Text::from("the small world"),
            canary: 2,
            soak_ms: SOAK_MS,
        };
        self.hub.propose_migration(&admin(), &scene.key(), [1; 32], draft).await.unwrap().body
    }

    /// A verb on the migration as it stands.
    pub async fn says(&self, scene: &Scene, verb: MigrationVerb) -> Result<Migration, Box<Problem>> {
        let now = self.migration().unwrap();
        let decision = Decision {
            verb,
            by: Text::from("ana"),
            role: Role::Admin,
            plan_digest: now.plan.as_ref().map(|plan| plan.digest.clone()),
            rate: None,
            to: None,
            text: Text::from("because"),
            dual_read: Some(DualRead::Probe { at: scene.clock.now() }),
        };
        let decided = self.hub.decide_migration(&admin(), &scene.key(), &id(), now.version, decision).await;
        decided.map(|answer| answer.body).map_err(Box::new)
    }

    /// Waits for the migration to be so.
    pub async fn until(&self, holds: impl Fn(&Migration) -> bool) -> Migration {
        self.until_of(&id(), holds).await
    }

    /// Waits for that migration to be so.
    pub async fn until_of(&self, id: &MigrationId, holds: impl Fn(&Migration) -> bool) -> Migration {
        let now = || self.hub.migration(id).unwrap().map(|state| state.migration.clone());
        let waited = timeout(TOO_LONG, self.changes(|| now().filter(|migration| holds(migration)))).await;
        waited.unwrap_or_else(|_| panic!("it stays {:#?}", now()))
    }

    /// Waits until something is there that the hub tells of.
    pub async fn sees<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let waited = timeout(TOO_LONG, self.changes(look)).await;
        waited.unwrap_or_else(|_| panic!("waited for {what}"))
    }

    /// Looks whenever the hub has something new, until something is found.
    async fn changes<T>(&self, look: impl Fn() -> Option<T>) -> T {
        let mut changed = self.hub.changed();
        loop {
            if let Some(found) = look() {
                return found;
            }
            changed.changed().await.unwrap();
        }
    }

    /// What a person would do next; None: wait.
    fn next(migration: &Migration) -> Option<MigrationVerb> {
        let busy = migration.under_way.is_some();
        match migration.status {
            MigrationStatus::Planned if !busy => Some(MigrationVerb::Rehearse),
            MigrationStatus::Rehearsed if !busy => Some(MigrationVerb::Approve),
            MigrationStatus::Approved => Some(MigrationVerb::Start),
            MigrationStatus::Verified if !busy => Some(MigrationVerb::Cutover),
            _ => None,
        }
    }

    /// Decides as a person would until it stands so, or, with a dead store, until that is dead.
    pub async fn drive(&self, scene: &Scene, ends: &[MigrationStatus], dead: Option<&CancellationToken>) -> Migration {
        let driving = async {
            let mut changed = self.hub.changed();
            loop {
                let migration = self.migration().unwrap();
                if ends.contains(&migration.status) || dead.is_some_and(CancellationToken::is_cancelled) {
                    return migration;
                }
                let stuck = [MigrationStatus::Halted, MigrationStatus::PlanFailed, MigrationStatus::BackupFailed];
                assert!(
                    !stuck.contains(&migration.status),
                    "{} {:#?}",
                    migration.result.raw(),
                    migration.verification.map(|found| found.first)
                );
                if migration.status == MigrationStatus::Soaking {
                    scene.pass(SOAK_MS);
                }
                if let Some(verb) = Self::next(&migration)
                    && self.says(scene, verb).await.is_ok()
                {
                    continue;
                }
                let died = async {
                    match dead {
                        Some(dead) => dead.cancelled().await,
                        None => pending().await,
                    }
                };
                tokio::select! {
                    word = changed.changed() => word.unwrap(),
                    () = died => {}
                }
            }
        };
        let driven = timeout(TOO_LONG, driving).await;
        driven.unwrap_or_else(|_| panic!("it stays {:#?}", self.migration()))
    }

    /// Ends it in good order, however it stands, and waits until nobody has its files.
    pub async fn end(self) {
        self.ending.cancel();
        drop(self.ended(false).await);
    }

    /// The same, without a word: its leases go on.
    pub async fn die(self) {
        drop(self.ended(true).await);
    }

    /// The same, and the machine loses its power: what the ledger did not make durable is lost. How many of its
    /// transactions were.
    pub async fn lose_power(self, scene: &Scene) -> usize {
        let ledger = self.ended(true).await;
        let file = scene.data.path().join("migrations").join(format!("{}.db", id()));
        let left = Left::of(&file);
        // At its end the database tidies up, and loses nothing.
        drop(ledger);
        left.stays(&file)
    }

    /// The last who has its ledger is whoever asks.
    async fn ended(self, dies: bool) -> Arc<Ledger> {
        let Self { hub, site, thread, ending: _ending, conductor, life } = self;
        if dies {
            conductor.abort();
        }
        assert_eq!(conductor.await.is_err(), dies);
        let ledger = site.ledger(&id()).unwrap();
        hub.stop();
        drop((hub, site));
        let left = tokio::task::spawn_blocking(move || {
            life.end();
            thread.join().unwrap();
        });
        timeout(TOO_LONG, left).await.expect("what it was doing does not end").unwrap();
        assert_eq!(Arc::strong_count(&ledger), 1, "somebody has its ledger");
        ledger
    }
}

/// What everything in a process runs on: at its end nothing of it is under way any more.
struct Life(Option<Runtime>);

impl Life {
    fn begin() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self(Some(runtime.unwrap()))
    }

    fn spawn(&self, what: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.0.as_ref().expect("it goes on").spawn(what)
    }

    /// Drops what waits, and waits for what blocks. Blocks.
    fn end(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Life {
    /// Of a test that failed: it waits for nothing.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Documents without what a migration leaves behind.
pub(super) fn data(contents: &Contents) -> Contents {
    let kept = contents.iter().filter(|(path, fields)| {
        !path.starts_with("user_id_aliases/") && !crate::migrate::run::site::walk::is_tombstone(fields)
    });
    kept.map(|(path, fields)| (path.clone(), fields.clone())).collect()
}

pub(super) fn key(path: &str) -> DocumentKey {
    DocumentKey::parse(path).unwrap()
}

pub(super) fn done_phases(migration: &Migration) -> Vec<PhaseName> {
    migration.phases.iter().map(|phase| phase.name).collect()
}
