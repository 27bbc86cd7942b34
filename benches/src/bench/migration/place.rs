//! Where a migration is measured: what outlives a process (folders, documents, the time), and the processes
//! that work there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle as Thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use chrono::Utc;
use stella_protocol::migration::DualRead;
use stella_protocol::{Migration, MigrationId, MigrationStatus, MigrationVerb, Principal, Role, Text, Timestamp};
use stella_server::Clock;
use stella_server::documents::embedded::Embedded;
use stella_server::hub::Hub;
use stella_server::migrate::machine::LEASE_MS;
use stella_server::migrate::run::backup::BackupKey;
use stella_server::migrate::run::conductor::Conductor;
use stella_server::migrate::run::site::{Ledgers, Pace, Site};
use stella_server::migrate::{DataMap, Decision, Draft, MintKey};
use stella_server::store::{SqliteStore, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::world;

/// How often it is looked at what stands.
pub const LOOK: Duration = Duration::from_millis(10);
/// Longest wait for a process to leave its files.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often the time goes on.
const TICK: Duration = Duration::from_millis(2);
/// Users in the canary.
const CANARY: u32 = 2;
/// Ends after what is measured.
const SOAK_MS: i64 = 60_000;

/// What outlives a process.
pub struct Place {
    /// What is migrated.
    pub documents: Embedded,
    /// The time as the processes know it: the machine's, and what was skipped.
    clock: Clock,
    skipped: Arc<AtomicI64>,
    over: Arc<AtomicBool>,
    data: std::path::PathBuf,
    keys: AtomicU64,
}

/// A process.
pub struct Process {
    /// Keeps where the migration stands.
    pub hub: Hub,
    /// Keeps what is long of it.
    pub site: Arc<Site>,
    thread: Thread<()>,
    ending: CancellationToken,
    conductor: JoinHandle<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Place {
    /// In these folders; the time begins to pass.
    pub fn open(documents: &Path, data: &Path) -> anyhow::Result<Self> {
        let clock = Clock::scripted(Utc::now().into());
        let (skipped, over) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
        let (ticking, by, done) = (clock.clone(), Arc::clone(&skipped), Arc::clone(&over));
        let pass = move || {
            while !done.load(Ordering::Relaxed) {
                ticking.advance_to(Timestamp::from(Utc::now()).plus_millis(by.load(Ordering::Relaxed)));
                std::thread::sleep(TICK);
            }
        };
        std::thread::Builder::new().name("clock".to_owned()).spawn(pass).context("let the time pass")?;
        let documents = Embedded::open(documents, clock.clone()).context("open the documents")?;
        Ok(Self { documents, clock, skipped, over, data: data.to_owned(), keys: AtomicU64::new(0) })
    }

    /// Whatever lease there was, it is over.
    pub fn skip_lease(&self) {
        let skipped = self.skipped.fetch_add(LEASE_MS + 1, Ordering::Relaxed) + LEASE_MS + 1;
        self.clock.advance_to(Timestamp::from(Utc::now()).plus_millis(skipped));
    }

    /// A process that works, as a server does.
    pub fn start(&self) -> anyhow::Result<Process> {
        let store = SqliteStore::open(&self.data, self.clock.now()).context("open the store")?;
        let (hub, thread) = Hub::start(Arc::new(store) as Arc<dyn Store>, self.clock.clone()).context("start")?;
        let map = DataMap::parse("map.toml", world::MAP).map_err(|wrong| anyhow!("read the data map: {wrong:?}"))?;
        let site = Arc::new(Site {
            hub: hub.clone(),
            documents: Arc::new(self.documents.clone()),
            map: Arc::new(map),
            map_digest: "measured".to_owned(),
            data: self.data.clone(),
            mint: MintKey::from_bytes([7; 32]),
            backup_key: BackupKey::from_bytes([8; 32]),
            target: Text::from("documents"),
            canary: CANARY,
            soak_ms: SOAK_MS,
            given: BTreeMap::new(),
            application: None,
            watch_writers: false,
            clock: self.clock.clone(),
            pace: Pace::default(),
            holder: Text::new(format!("bench-{}", self.keys.fetch_add(1, Ordering::Relaxed))),
            ledgers: Ledgers::default(),
        });
        let ending = CancellationToken::new();
        let conductor = tokio::spawn(Conductor::new(Arc::clone(&site)).run(ending.clone()));
        Ok(Process { hub, site, thread, ending, conductor })
    }

    fn key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }
}

/// The only one there is.
pub fn id() -> anyhow::Result<MigrationId> {
    "mig-1".parse().map_err(|_| anyhow!("name the migration"))
}

fn somebody() -> Principal {
    Principal { name: Text::from("ana"), role: Role::Admin }
}

impl Process {
    /// Makes the migration.
    pub async fn propose(&self, place: &Place) -> anyhow::Result<()> {
        let draft = Draft {
            by: Text::from("ana"),
            target: Text::from("documents"),
            map_title: Text::from("the measured world"),
            canary: CANARY,
            soak_ms: SOAK_MS,
        };
        let made = self.hub.propose_migration(&somebody(), &place.key(), [1; 32], draft).await;
        made.map(drop).map_err(|problem| anyhow!("propose the migration: {problem:?}"))
    }

    /// How it stands.
    pub fn migration(&self) -> anyhow::Result<Migration> {
        let state = self.hub.migration(&id()?).context("read the migration")?.context("find the migration")?;
        Ok(state.migration.clone())
    }

    /// A verb on it as it stands.
    pub async fn says(&self, place: &Place, verb: MigrationVerb) -> anyhow::Result<()> {
        let now = self.migration()?;
        let decision = Decision {
            verb,
            by: Text::from("ana"),
            role: Role::Admin,
            plan_digest: now.plan.as_ref().map(|plan| plan.digest.clone()),
            rate: None,
            to: None,
            text: Text::from("measured"),
            dual_read: Some(DualRead::Probe { at: place.clock.now() }),
        };
        let said = self.hub.decide_migration(&somebody(), &place.key(), &id()?, now.version, decision).await;
        said.map(drop).map_err(|problem| anyhow!("{}: {problem:?}", verb.word()))
    }

    /// Waits until it stands so and nothing is under way.
    pub async fn until(&self, status: MigrationStatus, every: Duration) -> anyhow::Result<()> {
        loop {
            let now = self.going()?;
            let working = status == MigrationStatus::Copying || status == MigrationStatus::Verifying;
            if now.status == status && (working || now.under_way.is_none()) {
                return Ok(());
            }
            tokio::time::sleep(every).await;
        }
    }

    /// How it stands, unless it stands still.
    pub fn going(&self) -> anyhow::Result<Migration> {
        let now = self.migration()?;
        let stuck = [
            MigrationStatus::Halted,
            MigrationStatus::PlanFailed,
            MigrationStatus::BackupFailed,
            MigrationStatus::NeedsDecision,
        ];
        if stuck.contains(&now.status) {
            bail!("migrate: it is {:?}: {:?}", now.status, now.result);
        }
        Ok(now)
    }

    /// What is under way is dropped: as good as killed, for whoever comes after it. Waits until nobody has its
    /// files.
    pub async fn abort(self) -> anyhow::Result<()> {
        let Self { hub, site, thread, ending, conductor } = self;
        ending.cancel();
        conductor.await.context("end the conductor")?;
        hub.stop();
        tokio::task::spawn_blocking(move || thread.join()).await?.map_err(|_| anyhow!("end the hub"))?;
        let ledger = Arc::downgrade(&site.ledger(&id()?).context("open the ledger")?);
        drop((hub, site));
        let since = Instant::now();
        while ledger.strong_count() > 0 {
            if since.elapsed() > PATIENCE {
                bail!("end a process: somebody still has its ledger");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}
