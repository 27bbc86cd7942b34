//! What a process loses when it is killed: from one point on its store answers nothing, and nothing that
//! it asks of the world comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{BoxFuture, pending};
use stella_protocol::command::Action;
use stella_protocol::fix::{Maintenance, Record, Suppression};
use stella_protocol::{ActionId, Alert, AlertId, Deploy, Evidence, FixId, FixOutput, MigrationId, Text, Timestamp};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::alerts::AlertState;
use crate::marks::Marked;
use crate::migrate::MigrationState;
use crate::remedy::run::{Call, Output, Runner};
use crate::remedy::{BeforeImage, FixState, Outcome, Said};
use crate::store::{
    ActionRecord, AlertQuery, AlertRecord, Answered, AuditBroken, AuditRow, Commit, FixNumbers, FixQuery, Found,
    FoundFixes, FoundMigrations, Head, Meta, MigrationQuery, Replay, Retention, SqliteStore, Store, StoreError,
    StoredToken, Tx, Write,
};

/// Counts points, and cuts everything at one of them; or only drops one answer of the store.
#[derive(Default)]
pub(super) struct Power {
    cut_at: Option<u64>,
    blinks: bool,
    seen: AtomicU64,
    pub cut: CancellationToken,
}

impl Power {
    /// Until the point with this number, from 1. None: for ever.
    pub fn until(cut_at: Option<u64>) -> Arc<Self> {
        Arc::new(Self { cut_at, ..Self::default() })
    }

    /// With one point of the store lost, and none after it.
    pub fn blinking(at: u64) -> Arc<Self> {
        Arc::new(Self { cut_at: Some(at), blinks: true, ..Self::default() })
    }

    pub fn points(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    fn is_on(&self) -> bool {
        !self.cut.is_cancelled()
    }

    /// A point; false: there is no power from here on.
    fn point(&self) -> bool {
        let here = self.is_on() && Some(self.seen.fetch_add(1, Ordering::SeqCst) + 1) == self.cut_at;
        if here && !self.blinks {
            self.cut.cancel();
        }
        !here && self.is_on()
    }

    /// A point outside of the store.
    fn point_outside(&self) -> bool {
        if self.blinks { self.is_on() } else { self.point() }
    }
}

/// A store of such a process. A point stands before and after every commit of a fix.
pub(super) struct Kept {
    pub store: Arc<SqliteStore>,
    pub power: Arc<Power>,
    /// Goes after the store, so that whoever waits for it finds that free.
    pub _going: oneshot::Sender<()>,
}

impl Kept {
    fn read<T>(&self, ask: impl FnOnce(&SqliteStore) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.power.is_on() { ask(&self.store) } else { Err(StoreError::Row("thing without power")) }
    }
}

#[rustfmt::skip]
impl Store for Kept {
    fn commit_all(&self, txs: Vec<Tx>) -> Vec<Commit> {
        let none = || txs.iter().map(|_| Commit::Unavailable).collect::<Vec<_>>();
        let of_fixes = txs.iter().flat_map(|tx| &tx.writes).any(|write| matches!(write, Write::Fix { .. }));
        let lost = none();
        if !self.power.is_on() || of_fixes && !self.power.point() {
            return lost;
        }
        let done = self.store.commit_all(txs);
        if of_fixes && !self.power.point() { lost } else { done }
    }
    fn alert(&self, id: &AlertId) -> Result<Option<AlertState>, StoreError> { self.read(|store| store.alert(id)) }
    fn latest(&self, fingerprint: &str) -> Result<Option<AlertState>, StoreError> { self.read(|store| store.latest(fingerprint)) }
    fn episodes(&self, fingerprint: &str) -> Result<u32, StoreError> { self.read(|store| store.episodes(fingerprint)) }
    fn recent(&self, since: Timestamp) -> Result<Vec<AlertState>, StoreError> { self.read(|store| store.recent(since)) }
    fn query(&self, ask: &AlertQuery) -> Result<Found, StoreError> { self.read(|store| store.query(ask)) }
    fn alert_records(&self) -> Result<Vec<AlertRecord>, StoreError> { self.read(Store::alert_records) }
    fn alert_records_of(&self, of: &[&str]) -> Result<Vec<AlertRecord>, StoreError> { self.read(|store| store.alert_records_of(of)) }
    fn evidence(&self, id: &AlertId) -> Result<Option<Evidence>, StoreError> { self.read(|store| store.evidence(id)) }
    fn events(&self, after: u64, limit: u32) -> Result<Replay, StoreError> { self.read(|store| store.events(after, limit)) }
    fn head(&self) -> Result<Head, StoreError> { self.read(Store::head) }
    fn answer(&self, principal: &str, key: &str) -> Result<Option<Answered>, StoreError> { self.read(|store| store.answer(principal, key)) }
    fn action(&self, id: &ActionId) -> Result<Option<ActionRecord>, StoreError> { self.read(|store| store.action(id)) }
    fn actions(&self, mine: Option<&str>, limit: u32) -> Result<Vec<Action>, StoreError> { self.read(|store| store.actions(mine, limit)) }
    fn last_action(&self) -> Result<u64, StoreError> { self.read(Store::last_action) }
    fn fix(&self, id: &FixId) -> Result<Option<FixState>, StoreError> { self.read(|store| store.fix(id)) }
    fn recent_fixes(&self, ended: u32) -> Result<Vec<FixState>, StoreError> { self.read(|store| store.recent_fixes(ended)) }
    fn proposed(&self, definition: &str, target: &str, since: Timestamp) -> Result<Vec<FixState>, StoreError> { self.read(|store| store.proposed(definition, target, since)) }
    fn fixes(&self, ask: &FixQuery) -> Result<FoundFixes, StoreError> { self.read(|store| store.fixes(ask)) }
    fn fix_numbers(&self) -> Result<FixNumbers, StoreError> { self.read(Store::fix_numbers) }
    fn marks(&self) -> Result<Vec<Marked>, StoreError> { self.read(Store::marks) }
    fn deploys(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<Deploy>, StoreError> { self.read(|store| store.deploys(from, to, limit)) }
    fn begun(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<AlertState>, StoreError> { self.read(|store| store.begun(from, to, limit)) }
    fn similar(&self, alert: &Alert, limit: usize) -> Result<Vec<AlertState>, StoreError> { self.read(|store| store.similar(alert, limit)) }
    fn migration(&self, id: &MigrationId) -> Result<Option<MigrationState>, StoreError> { self.read(|store| store.migration(id)) }
    fn recent_migrations(&self, ended: u32) -> Result<Vec<MigrationState>, StoreError> { self.read(|store| store.recent_migrations(ended)) }
    fn migrations(&self, ask: &MigrationQuery) -> Result<FoundMigrations, StoreError> { self.read(|store| store.migrations(ask)) }
    fn last_migration(&self) -> Result<u64, StoreError> { self.read(Store::last_migration) }
    fn fence(&self, target: &str) -> Result<u64, StoreError> { self.read(|store| store.fence(target)) }
    fn fix_images(&self, id: &FixId, step: usize) -> Result<Vec<BeforeImage>, StoreError> { self.read(|store| store.fix_images(id, step)) }
    fn fix_output(&self, id: &FixId, step: Option<u32>, after: u64, limit: u32) -> Result<Vec<FixOutput>, StoreError> {
        self.read(|store| store.fix_output(id, step, after, limit))
    }
    fn fix_record(&self, definition: &str) -> Result<Record, StoreError> { self.read(|store| store.fix_record(definition)) }
    fn suppressions(&self) -> Result<Vec<Suppression>, StoreError> { self.read(Store::suppressions) }
    fn maintenance(&self, now: Timestamp) -> Result<Vec<Maintenance>, StoreError> { self.read(|store| store.maintenance(now)) }
    fn meta(&self, key: Meta) -> Result<Option<String>, StoreError> { self.read(|store| store.meta(key)) }
    fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> { self.read(Store::tokens) }
    fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> { self.read(|store| store.audit(after, limit)) }
    fn verify_audit(&self) -> Result<Result<u64, AuditBroken>, StoreError> { self.read(Store::verify_audit) }
    fn sweep(&self, retention: &Retention, now: Timestamp) -> Result<bool, StoreError> { self.read(|store| store.sweep(retention, now)) }
}

/// What such a process performs with. A point stands before and after everything that leaves it.
pub(super) struct Reach {
    pub runner: Arc<dyn Runner>,
    pub power: Arc<Power>,
}

impl Reach {
    async fn out<T>(&self, what: impl Future<Output = T>) -> T {
        if !self.power.point_outside() {
            return pending().await;
        }
        let back = what.await;
        if self.power.point_outside() { back } else { pending().await }
    }
}

impl Runner for Reach {
    fn rehearse<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        Box::pin(self.out(self.runner.rehearse(call)))
    }

    fn prepare<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<BeforeImage>, Text>> {
        Box::pin(self.out(self.runner.prepare(call)))
    }

    fn perform<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(self.out(self.runner.perform(call, images, output)))
    }

    fn undo<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(self.out(self.runner.undo(call, images, output)))
    }

    fn probe<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage], undoing: bool) -> BoxFuture<'a, Said> {
        Box::pin(self.out(self.runner.probe(call, images, undoing)))
    }

    fn changed<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage]) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        Box::pin(self.out(self.runner.changed(call, images)))
    }
}
