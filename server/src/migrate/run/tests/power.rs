//! What a process loses when it is killed, and what a store does on a bad day.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::pending;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::gate::{Call, Gate};
use super::world::Dice;
use crate::documents::before::{Answer, Before, Read};
use crate::documents::embedded::Embedded;
use crate::documents::{Capabilities, DocumentWrite, Documents, DocumentsError, Written};

/// A store of documents with switches.
pub(super) struct Switched {
    pub inner: Embedded,
    /// Most documents of a write; None: as many as the one behind it takes.
    pub most: Option<usize>,
    /// From this point on nothing comes back. A point stands before and after every write.
    pub dies_at: Option<u64>,
    pub points: AtomicU64,
    /// Writes that were asked for.
    pub writes: AtomicU64,
    /// Times that somebody began to walk over it, from its root.
    pub walks: watch::Sender<u64>,
    pub dead: CancellationToken,
    /// How bad the day is; None: it is a good one.
    pub weather: Option<Mutex<Dice>>,
    /// Documents that it refuses.
    pub refused: BTreeSet<String>,
    /// So many writes more end in a panic.
    pub panics: AtomicU64,
    /// What others write just before the first write.
    pub others: Mutex<Vec<DocumentWrite>>,
    /// What it is asked to do goes through here first.
    pub gate: Gate,
}

impl Switched {
    pub fn new(inner: Embedded) -> Self {
        Self {
            inner,
            most: None,
            dies_at: None,
            points: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            walks: watch::Sender::default(),
            dead: CancellationToken::new(),
            weather: None,
            refused: BTreeSet::new(),
            panics: AtomicU64::new(0),
            others: Mutex::default(),
            gate: Gate::default(),
        }
    }

    /// False: it is dead from here on.
    fn point(&self) -> bool {
        if self.points.fetch_add(1, Ordering::SeqCst) + 1 == self.dies_at.unwrap_or(0) {
            self.dead.cancel();
        }
        !self.dead.is_cancelled()
    }

    async fn alive<T>(&self, what: impl Future<Output = T>) -> T {
        if self.dead.is_cancelled() {
            return pending().await;
        }
        self.gate.pass(Call::Read).await;
        let done = what.await;
        if self.dead.is_cancelled() { pending().await } else { done }
    }

    fn luck(&self) -> usize {
        self.weather.as_ref().map_or(99, |dice| dice.lock().unwrap().below(20))
    }

    /// Somebody else writes one of the documents first, without changing it.
    async fn disturb(&self, writes: &[DocumentWrite]) {
        for write in writes.iter().take(2) {
            let Some(now) = self.inner.get(&write.key).await.unwrap() else { continue };
            let same = DocumentWrite {
                key: now.key,
                expect: crate::documents::Expect::Version(now.version),
                leave: crate::documents::Leave::Fields(now.fields),
            };
            self.inner.write(vec![same]).await.unwrap();
        }
    }

    async fn put(&self, writes: Vec<DocumentWrite>) -> Result<Vec<Written>, DocumentsError> {
        assert!(writes.len() <= self.promises().batch, "{}", writes.len());
        self.writes.fetch_add(1, Ordering::SeqCst);
        let others = std::mem::take(&mut *self.others.lock().unwrap());
        if !others.is_empty() {
            self.inner.write(others).await.unwrap();
        }
        let panics = self.panics.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(panics.is_err(), "a mistake of a programmer");
        if writes.iter().any(|write| self.refused.contains(&write.key.path())) {
            return Err(DocumentsError::Refused("it is locked".to_owned()));
        }
        if !self.point() {
            return pending().await;
        }
        self.gate.pass(Call::Write).await;
        let luck = self.luck();
        if luck < 2 {
            return Err(DocumentsError::Unavailable("bad weather".to_owned()));
        }
        if luck < 4 {
            self.disturb(&writes).await;
        }
        let done = self.inner.write(writes).await;
        if !self.point() {
            return pending().await;
        }
        if luck == 4 || luck == 5 {
            return Err(DocumentsError::Unknown("the line went dead".to_owned()));
        }
        done
    }
}

impl Before for Switched {
    fn behind(&self) -> &dyn Documents {
        &self.inner
    }

    fn promises(&self) -> Capabilities {
        let inner = self.inner.capabilities();
        Capabilities { batch: self.most.unwrap_or(inner.batch), ..inner }
    }

    fn reads<'a, T: Send + 'a>(&'a self, what: Read<'a>, answer: Answer<'a, T>) -> Answer<'a, T> {
        if what == Read::Collections(None) {
            self.walks.send_modify(|walks| *walks += 1);
        }
        if what == Read::Count { answer } else { Box::pin(self.alive(answer)) }
    }

    fn writes(&self, writes: Vec<DocumentWrite>) -> Answer<'_, Vec<Written>> {
        Box::pin(self.put(writes))
    }
}

pub(super) fn shared(inner: &Embedded) -> Arc<Switched> {
    Arc::new(Switched::new(inner.clone()))
}
