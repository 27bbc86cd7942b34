//! What stands before the port is opened: folder, store, lines, series, hub and the engine.

use std::sync::{Arc, Mutex};

use rand::TryRngCore;
use rand::rngs::OsRng;

use super::{StartError, Threads};
use crate::auth::NoRandomness;
use crate::config::{Config, Redaction};
use crate::folder::Folder;
use crate::hub::Hub;
use crate::lines::{Caps, Lines};
use crate::pipeline::{self, Pipeline, StateFile};
use crate::readiness::Readiness;
use crate::redact::{Mode, PseudonymKey, Redactor};
use crate::series::{SeriesBook, SeriesFile};
use crate::store::{SqliteStore, Store};

/// The key of pseudonyms.
const KEY_FILE: &str = "pseudonym.key";
/// Length of that key.
const KEY_BYTES: usize = 32;

/// What stands before the port is opened.
pub(super) struct Ground {
    pub(super) folder: Folder,
    pub(super) store: Arc<dyn Store>,
    pub(super) lines: Arc<Lines>,
    pub(super) series: Arc<Mutex<SeriesBook>>,
    pub(super) hub: Hub,
    pub(super) pipeline: Pipeline,
    pub(super) redactor: Arc<Redactor>,
    pub(super) readiness: Readiness,
    pub(super) threads: Threads,
}

impl Ground {
    /// Opens all of it, in the order in which each needs the one before.
    ///
    /// # Errors
    /// With what could not be opened.
    pub(super) fn open(folder: Folder, config: &Config) -> Result<Self, StartError> {
        let redactor = Arc::new(redactor(&folder, config.redaction)?);
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path(), config.clock.now())?);
        let lines = Arc::new(Lines::open(folder.path(), Caps::default())?);
        let file = SeriesFile::open(folder.path())?;
        let (hub, hub_thread) = Hub::start(store.clone(), config.clock.clone())?;
        hub.load_rules(config.rules.clone())?;
        let rules = hub.rules().engine().clone();
        let series = Arc::new(Mutex::new(file.load(&rules)?));
        let readiness = Readiness::default();
        let (state, clock) = (StateFile::in_folder(folder.path()), config.clock.clone());
        let rooms = pipeline::Rooms { lines, series, file, state, hub, clock, rules };
        let (lines, series, hub) = (rooms.lines.clone(), rooms.series.clone(), rooms.hub.clone());
        let (pipeline, engine_thread) = Pipeline::start(rooms)?;
        let threads = Threads { engine: engine_thread, hub: hub_thread };
        Ok(Self { folder, store, lines, series, hub, pipeline, redactor, readiness, threads })
    }
}

fn redactor(folder: &Folder, redaction: Redaction) -> Result<Redactor, StartError> {
    Ok(match redaction {
        Redaction::Local => Redactor::new(Mode::Local),
        Redaction::Strict { remote_addr } => Redactor::new(Mode::Strict { key: pseudonym_key(folder)?, remote_addr }),
    })
}

/// The folder's own key, made at the first start.
fn pseudonym_key(folder: &Folder) -> Result<PseudonymKey, StartError> {
    if let Some(kept) = folder.read(KEY_FILE).map_err(StartError::Folder)? {
        return Ok(PseudonymKey::from_bytes(kept.try_into().map_err(|_| StartError::Key)?));
    }
    let mut bytes = [0; KEY_BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| NoRandomness)?;
    folder.write_secret(KEY_FILE, &bytes).map_err(StartError::Folder)?;
    Ok(PseudonymKey::from_bytes(bytes))
}
