//! A change on its way: the alerts as a group of transactions would leave them, and the transactions.
//!
//! Nothing here is seen by anybody before the store has committed it; a draft that fails is dropped.

mod fixes;
mod groups;
mod marks;
mod migrations;

use std::sync::Arc;

use rand::Rng;
use rustc_hash::FxHashMap;
use stella_protocol::{AlertId, Deploy, Evidence, FixId, Remedy, Role, SampleRole, Text, Timestamp};

use super::board::Shared;
use super::json;
use crate::alerts::{AlertState, Cause, Effect, SYSTEM, Step};
use crate::marks::Marked;
use crate::remedy::FixState;
use crate::rules::RuleBook;
use crate::store::{AuditEntry, NewEvent, Store, StoreError, Tx, Verdict, Write};
pub(super) use fixes::{By, Stop, TouchedFix, shown};
pub(super) use migrations::{NotStepped, TouchedMigration, fence_name};

/// Most bytes of kept evidence: what an event may carry.
const EVIDENCE: usize = 64 << 10;

/// How an alert got where it is in a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// It was not there before.
    Opened,
    /// It had this version.
    Version(u64),
}

/// An alert that a transaction touches.
#[derive(Debug)]
pub(super) struct Touched {
    pub state: Arc<AlertState>,
    origin: Origin,
    /// Readers are told at once, so it must be kept first.
    pub loud: bool,
    /// Its counters moved.
    pub counted: bool,
    /// Readers should see it again some time soon.
    pub outdated: bool,
    pub evidence: Option<Arc<Evidence>>,
}

/// Who causes a change, for its audit rows.
#[derive(Debug, Clone)]
pub(super) struct Author {
    pub name: Text,
    pub role: Role,
    pub key: String,
}

impl Author {
    /// The server itself.
    pub fn system() -> Self {
        Self { name: Text::new(SYSTEM), role: Role::Admin, key: String::new() }
    }

    /// A row of theirs.
    pub fn audit(&self, verb: &'static str, object: &str, versions: (u64, u64), verdict: Verdict) -> AuditEntry {
        AuditEntry {
            principal: self.name.clone(),
            role: self.role,
            verb,
            object: object.to_owned(),
            versions,
            key: self.key.clone(),
            verdict,
            detail: Text::default(),
        }
    }
}

/// One transaction in the making.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub touched: Vec<Touched>,
    pub fixes: Vec<TouchedFix>,
    pub migrations: Vec<TouchedMigration>,
    /// What holds for all fixes from now on.
    pub remedy: Option<Remedy>,
    /// All rules from now on.
    pub rules: Option<Arc<RuleBook>>,
    /// What was called false, or is not any more.
    pub marks: Vec<Marked>,
    pub deploys: Vec<Deploy>,
    pub audit: Vec<AuditEntry>,
    /// What is kept besides.
    pub writes: Vec<Write>,
    /// What readers are told besides.
    pub told: Vec<NewEvent>,
}

impl Change {
    /// True when it must be kept at once, and readers told.
    pub fn is_loud(&self) -> bool {
        self.touched.iter().any(|touched| touched.loud)
            || !(self.fixes.is_empty() && self.migrations.is_empty())
            || !(self.marks.is_empty() && self.deploys.is_empty())
            || !(self.audit.is_empty() && self.writes.is_empty())
    }

    /// The transaction: every fix and migration, every loud alert with its evidence, and their events. More can be
    /// added to it.
    pub fn tx(&self, at: Timestamp) -> Tx {
        let mut tx = Tx { at, audit: self.audit.clone(), ..Tx::default() };
        self.fixes.iter().for_each(|touched| touched.add_to(&mut tx));
        self.migrations.iter().for_each(|touched| touched.add_to(&mut tx));
        for touched in self.touched.iter().filter(|touched| touched.loud) {
            let state = Arc::clone(&touched.state);
            tx.events.push(NewEvent { kind: "alert", body: json(&state.alert) });
            tx.writes.push(match touched.origin {
                Origin::Opened => Write::Open(state),
                Origin::Version(from) => Write::Alert { state, from },
            });
            tx.writes.extend(touched.evidence.iter().map(|found| evidence(&touched.state.alert.id, found)));
        }
        tx.writes.extend(self.marks.iter().map(|marked| Write::Mark(Box::new(marked.clone()))));
        for deploy in &self.deploys {
            tx.events.push(NewEvent { kind: "deploy", body: json(deploy) });
            tx.writes.push(Write::Deploy(Box::new(deploy.clone())));
        }
        tx.writes.extend(self.writes.iter().cloned());
        tx.events.extend(self.remedy.iter().map(fixes::told));
        tx.events.extend(self.told.iter().cloned());
        tx
    }

    /// Notes the result of a step of `state`.
    pub fn take(&mut self, from: &AlertState, step: Step, author: &Author, detail: &str) {
        let (mut version, mut rows) = (from.alert.version, Vec::new());
        let touched = self.touch(from, step.state);
        for effect in step.effects {
            match effect {
                Effect::Counted => touched.counted = true,
                Effect::Shown => touched.loud = true,
                Effect::Outdated => touched.outdated = true,
                Effect::OpensNext => {}
                Effect::Changed(cause) => {
                    touched.loud = true;
                    let id = touched.state.alert.id.as_str();
                    let mut row = author.audit(cause.word(), id, (version, version + 1), Verdict::Done);
                    row.detail = Text::new(detail.to_owned());
                    rows.push(row);
                    version += 1;
                }
            }
        }
        self.audit.append(&mut rows);
    }

    /// Notes a new alert.
    pub fn open(&mut self, state: AlertState, author: &Author) {
        let row = author.audit(Cause::Opened.word(), state.alert.id.as_str(), (0, 1), Verdict::Done);
        self.audit.push(row);
        self.touched.push(Touched {
            state: Arc::new(state),
            origin: Origin::Opened,
            loud: true,
            counted: false,
            outdated: false,
            evidence: None,
        });
    }

    /// The alert as this change leaves it so far; noted as touched when it was not yet.
    pub fn touch(&mut self, from: &AlertState, now: AlertState) -> &mut Touched {
        let known = self.touched.iter().position(|touched| touched.state.alert.id == now.alert.id);
        let at = known.unwrap_or_else(|| {
            let origin = Origin::Version(from.alert.version);
            let state = Arc::new(from.clone());
            self.touched.push(Touched { state, origin, loud: false, counted: false, outdated: false, evidence: None });
            self.touched.len() - 1
        });
        let touched = &mut self.touched[at];
        touched.state = Arc::new(now);
        touched
    }

    /// Attaches evidence to the alert touched last under this id.
    pub fn prove(&mut self, id: &AlertId, found: Evidence) {
        if let Some(touched) = self.touched.iter_mut().find(|touched| touched.state.alert.id == *id) {
            touched.evidence = Some(Arc::new(found));
        }
    }
}

/// Evidence as it is kept: at most 64 KiB, samples cut first, the first and the last of them last.
pub(super) fn evidence(alert: &AlertId, found: &Evidence) -> Write {
    let mut whole = json(found);
    if whole.len() > EVIDENCE {
        whole = json(&cut(found.clone()));
    }
    Write::Evidence { alert: alert.clone(), json: whole }
}

fn cut(mut found: Evidence) -> Evidence {
    let fits = |found: &Evidence| json(found).len() <= EVIDENCE;
    while !fits(&found) && !found.samples.is_empty() {
        let half = found.samples.len() / 2;
        let edges = |sample: &stella_protocol::Sample| matches!(sample.role, SampleRole::First | SampleRole::Last);
        let before = found.samples.len();
        let mut kept = 0;
        found.samples.retain(|sample| {
            kept += 1;
            edges(sample) || kept <= half
        });
        if found.samples.len() == before {
            found.samples.truncate(half);
        }
    }
    if !fits(&found) {
        found.series = None;
        found.template = None;
        found.correlated.clear();
        found.similar.clear();
    }
    while !fits(&found) && found.reasons.len() > 1 {
        found.reasons.pop();
    }
    found
}

/// The alerts as the transactions of a group would leave them, over what is in memory and in the store.
pub(super) struct Draft<'a> {
    shared: &'a Shared,
    store: &'a dyn Store,
    states: FxHashMap<AlertId, Arc<AlertState>>,
    latest: FxHashMap<String, AlertId>,
    fixes: FxHashMap<FixId, Arc<FixState>>,
    marks: FxHashMap<String, Marked>,
}

impl<'a> Draft<'a> {
    pub fn new(shared: &'a Shared, store: &'a dyn Store) -> Self {
        let (states, latest, fixes) = (FxHashMap::default(), FxHashMap::default(), FxHashMap::default());
        Self { shared, store, states, latest, fixes, marks: FxHashMap::default() }
    }

    pub fn get(&self, id: &AlertId) -> Result<Option<Arc<AlertState>>, StoreError> {
        if let Some(state) = self.states.get(id) {
            return Ok(Some(Arc::clone(state)));
        }
        if let Some(state) = self.shared.board().get(id) {
            return Ok(Some(Arc::clone(state)));
        }
        Ok(self.store.alert(id)?.map(Arc::new))
    }

    /// The alert that stands for a fingerprint.
    pub fn latest(&self, fingerprint: &str) -> Result<Option<Arc<AlertState>>, StoreError> {
        if let Some(id) = self.latest.get(fingerprint) {
            return self.get(id);
        }
        let in_memory = self.shared.board().latest(fingerprint).map(|state| state.alert.id.clone());
        match in_memory {
            Some(id) => self.get(&id),
            None => Ok(self.store.latest(fingerprint)?.map(Arc::new)),
        }
    }

    /// The open alert of the same fingerprint that is another one.
    pub fn rival(&self, state: &AlertState) -> Result<Option<AlertId>, StoreError> {
        let latest = self.latest(state.alert.fingerprint.raw())?;
        Ok(latest
            .filter(|latest| latest.alert.status.is_open() && latest.alert.id != state.alert.id)
            .map(|latest| latest.alert.id.clone()))
    }

    /// Number of the next episode of a fingerprint.
    pub fn next_episode(&self, current: Option<&AlertState>) -> Result<u32, StoreError> {
        let Some(current) = current else { return Ok(1) };
        let kept = self.store.episodes(current.alert.fingerprint.raw())?;
        Ok(kept.max(current.alert.episode) + 1)
    }

    /// An id that no alert has.
    pub fn fresh_id(&self) -> Result<AlertId, StoreError> {
        loop {
            let Ok(id) = random_id().parse::<AlertId>() else { continue };
            if self.get(&id)?.is_none() {
                return Ok(id);
            }
        }
    }

    /// From here on the draft's other transactions see the alert so.
    pub fn put(&mut self, state: Arc<AlertState>) {
        self.latest.insert(state.alert.fingerprint.raw().to_owned(), state.alert.id.clone());
        self.states.insert(state.alert.id.clone(), state);
    }
}

fn random_id() -> String {
    const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut random = rand::rng();
    let letters = (0..7).map(|_| char::from(CROCKFORD[random.random_range(0..CROCKFORD.len())]));
    std::iter::once(AlertId::PREFIX.to_owned()).chain(letters.map(String::from)).collect()
}
