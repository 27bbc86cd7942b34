//! Everything that a migration is done with: the store, the data map, the ledgers and the keys; and one run of
//! it, with the right to act.
//!
//! Deliberately no phase here: what is read and written, they say.

pub mod reach;
pub mod voice;
pub mod walk;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use stella_protocol::migration::{Counts, Decided, PhaseName};
use stella_protocol::{MigrationId, Text};

use super::backup::{Backup, BackupError, BackupKey};
use super::ledger::{Ledger, LedgerError};
use super::queries::Application;
use super::throttle::Throttle;
use crate::clock::Clock;
use crate::documents::{Documents, DocumentsError};
use crate::hub::Hub;
use crate::migrate::check::Unread;
pub use crate::migrate::plan::ALIASES;
use crate::migrate::plan::Plan;
use crate::migrate::resolve::mapping_of;
use crate::migrate::{DataMap, Mapping, MigrationState, MintKey};
use reach::Slots;
use voice::Voice;

/// Most documents of a batch: what a store takes at once.
const MOST_DOCUMENTS: usize = 500;
/// Ledgers that are held open.
const LEDGERS: usize = 16;

/// How long it waits where it has to wait.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From one look around to the next, at most: leases and soaks pass without a word.
    pub idle: Duration,
    /// A migration whose runner ended is left alone for so long.
    pub again: Duration,
    /// What the store did not answer is asked again after this long, doubled with each try.
    pub retry: Duration,
    /// Tries of what the store does not answer.
    pub tries: u32,
    /// Most documents of a batch.
    pub batch: usize,
    /// From the end of one walk over the documents after a copy to the next.
    pub drift: Duration,
    /// The same where no migration was; None: nobody walks there.
    pub standing: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(1),
            again: Duration::from_millis(500),
            retry: Duration::from_millis(250),
            tries: 7,
            batch: MOST_DOCUMENTS,
            drift: Duration::from_mins(5),
            standing: None,
        }
    }
}

/// Where migrations are done.
pub struct Site {
    /// Keeps every step.
    pub hub: Hub,
    /// What is migrated.
    pub documents: Arc<dyn Documents>,
    /// Where ids stand.
    pub map: Arc<DataMap>,
    /// SHA-256 of the data map's text, hex.
    pub map_digest: String,
    /// The data folder: ledgers and backups are in it.
    pub data: PathBuf,
    /// Makes new ids.
    pub mint: MintKey,
    /// Seals backups.
    pub backup_key: BackupKey,
    /// The store, as a person types it to approve.
    pub target: Text,
    /// Users in the canary.
    pub canary: u32,
    /// How long nobody may use an old id before it is complete, in milliseconds.
    pub soak_ms: i64,
    /// Questions that are decided already, by their names: of a world that comes with its answers.
    pub given: BTreeMap<String, Decided>,
    /// Asks the application its own queries; None: none is declared.
    pub application: Option<Arc<dyn Application>>,
    /// Server time.
    pub clock: Clock,
    /// How long it waits.
    pub pace: Pace,
    /// Names this server in leases: another one at every start.
    pub holder: Text,
    /// The application's writers are said to know new ids alone: a new document with an old one is told.
    pub watch_writers: bool,
    /// The ledgers that are open, the newest last.
    pub ledgers: Ledgers,
}

/// Ledgers that are open.
#[derive(Debug, Default)]
pub struct Ledgers(Mutex<Vec<(MigrationId, Arc<Ledger>)>>, OnceLock<Arc<Ledger>>);

impl Site {
    /// The ledger of a migration; made when there is none. Blocks.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn ledger(&self, id: &MigrationId) -> Result<Arc<Ledger>, LedgerError> {
        let mut open = self.ledgers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ledger)) = open.iter().find(|(one, _)| one == id) {
            return Ok(Arc::clone(ledger));
        }
        let ledger = Arc::new(Ledger::open(&self.data, id)?);
        if open.len() >= LEDGERS {
            open.remove(0);
        }
        open.push((id.clone(), Arc::clone(&ledger)));
        Ok(ledger)
    }

    /// What the watch knows where no migration was. Blocks.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn standing_ledger(&self) -> Result<Arc<Ledger>, LedgerError> {
        if let Some(ledger) = self.ledgers.1.get() {
            return Ok(Arc::clone(ledger));
        }
        let ledger = Arc::new(Ledger::of_watch(&self.data)?);
        Ok(Arc::clone(self.ledgers.1.get_or_init(|| ledger)))
    }

    /// The ledger of a migration; None: it was not looked at yet. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn known_ledger(&self, id: &MigrationId) -> Result<Option<Arc<Ledger>>, LedgerError> {
        if Ledger::exists(&self.data, id) { self.ledger(id).map(Some) } else { Ok(None) }
    }
}

/// Why a phase did not reach its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Something is in the way, in words.
    Broke(String),
    /// Somebody asked it to stop.
    Asked,
    /// It is not this server's any more.
    Lost,
}

impl Ended {
    /// Because of this.
    pub fn broke(why: impl Into<String>) -> Self {
        Self::Broke(why.into())
    }

    pub(super) fn because(error: &dyn Error) -> Self {
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            words.push_str(": ");
            words.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::Broke(format!("failed to {words}"))
    }
}

impl From<LedgerError> for Ended {
    fn from(error: LedgerError) -> Self {
        Self::because(&error)
    }
}

impl From<Unread> for Ended {
    fn from(error: Unread) -> Self {
        Self::because(&error)
    }
}

impl From<BackupError> for Ended {
    fn from(error: BackupError) -> Self {
        Self::because(&error)
    }
}

impl From<DocumentsError> for Ended {
    fn from(error: DocumentsError) -> Self {
        Self::because(&error)
    }
}

/// A migration that this server has.
pub struct Run {
    /// Where.
    pub site: Arc<Site>,
    /// Which.
    pub id: MigrationId,
    /// What it acts under.
    pub fence: u64,
    /// What is long of it.
    pub ledger: Arc<Ledger>,
    /// How many batches at once.
    pub throttle: Mutex<Throttle>,
    /// Says how far it is.
    pub voice: Voice,
    slots: Slots,
    backup: tokio::sync::Mutex<Option<Arc<Backup>>>,
}

impl Run {
    /// Of a migration that was claimed.
    pub fn new(site: Arc<Site>, id: MigrationId, fence: u64, ledger: Arc<Ledger>) -> Self {
        Self {
            site,
            id,
            fence,
            ledger,
            throttle: Mutex::default(),
            voice: Voice::default(),
            slots: Slots::default(),
            backup: tokio::sync::Mutex::default(),
        }
    }

    /// How it stands.
    pub fn state(&self) -> Result<Arc<MigrationState>, Ended> {
        self.site.hub.migration(&self.id).ok().flatten().ok_or(Ended::Lost)
    }

    /// Whether it may go on: asked before every page and every write.
    ///
    /// # Errors
    /// When it is another's by now, or is to end.
    pub fn check(&self) -> Result<(), Ended> {
        let state = self.state()?;
        if state.work.fence != self.fence || state.work.holder.is_none() {
            return Err(Ended::Lost);
        }
        if state.work.stop.is_some() { Err(Ended::Asked) } else { Ok(()) }
    }

    /// The same, whether somebody asked it to stop or not: what is in flight is told.
    ///
    /// # Errors
    /// When it is another's by now.
    pub fn check_ours(&self) -> Result<(), Ended> {
        match self.check() {
            Err(Ended::Asked) => Ok(()),
            other => other,
        }
    }

    /// Waits until it may not go on any more: why.
    pub async fn ended(&self) -> Ended {
        let mut changed = self.site.hub.changed();
        loop {
            if let Err(ended) = self.check() {
                return ended;
            }
            if changed.changed().await.is_err() {
                return Ended::Lost;
            }
        }
    }

    /// Asks the ledger where that may block.
    ///
    /// # Errors
    /// What the ledger says.
    pub async fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Ended> {
        let ledger = Arc::clone(&self.ledger);
        apart(move || what(&ledger).map_err(Ended::from)).await
    }

    /// What the throttle knows.
    pub fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line of the operation's log.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub async fn log(&self, words: impl Into<String>) -> Result<(), Ended> {
        let (now, words) = (self.site.clock.now(), words.into());
        self.ask(move |ledger| ledger.log(now, &words)).await
    }

    /// The counts of a phase.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn counts(&self, phase: PhaseName) -> Result<Counts, Ended> {
        self.ask(move |ledger| ledger.counts(phase)).await
    }

    /// The plan.
    ///
    /// # Errors
    /// When there is none.
    pub async fn plan(&self) -> Result<Plan, Ended> {
        let plan = self.ask(Ledger::plan).await?;
        plan.map(|(plan, _)| plan).ok_or_else(|| Ended::broke("its ledger has no plan; plan it again"))
    }

    /// The backup, finished: one for the whole run, so that what is appended is appended once.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub async fn backup(&self) -> Result<Arc<Backup>, Ended> {
        let known = self.known_backup().await?;
        known.ok_or_else(|| Ended::broke("there is no backup; nothing is written without one"))
    }

    /// The same; None: there is none yet.
    ///
    /// # Errors
    /// When it is damaged.
    pub async fn known_backup(&self) -> Result<Option<Arc<Backup>>, Ended> {
        let mut held = self.backup.lock().await;
        if held.is_none() {
            let (site, id, ledger) = (Arc::clone(&self.site), self.id.clone(), Arc::clone(&self.ledger));
            let opened = apart(move || Ok(Backup::open(&site.data, &id, &site.backup_key, ledger)?)).await?;
            *held = opened.map(Arc::new);
        }
        Ok(held.clone())
    }
}

/// Does what blocks.
///
/// # Errors
/// What it says; when it panicked, that.
pub async fn apart<T: Send + 'static>(what: impl FnOnce() -> Result<T, Ended> + Send + 'static) -> Result<T, Ended> {
    match tokio::task::spawn_blocking(what).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Ended::Lost),
    }
}

/// The ids of a plan, to rewrite with.
///
/// # Errors
/// When they contradict each other: then it is no plan of this server.
pub fn mapping(plan: &Plan) -> Result<Mapping, Ended> {
    let mapping = mapping_of([&plan.mapping, &plan.further], plan.stays.iter().cloned());
    Ok(mapping.map_err(|error| Ended::because(&error))?.archiving(plan.archived().cloned()))
}

/// The same for the ids that become one of these alone; everybody else's stay as they are, and nothing is archived.
///
/// # Errors
/// When they contradict each other.
pub fn mapping_to(plan: &Plan, targets: &BTreeMap<String, u64>) -> Result<Mapping, Ended> {
    let both = || plan.mapping.iter().chain(&plan.further);
    let theirs = both().filter(|(_, to)| targets.contains_key(*to)).map(|(old, to)| (old.clone(), to.clone()));
    let others = both().filter(|(_, to)| !targets.contains_key(*to)).map(|(old, _)| old.clone());
    let theirs = theirs.collect();
    mapping_of([&theirs], plan.stays.iter().cloned().chain(others)).map_err(|error| Ended::because(&error))
}
