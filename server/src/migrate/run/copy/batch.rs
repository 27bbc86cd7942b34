//! One batch: its documents are read, rewritten and written, or only computed.
//!
//! The same way for a rehearsal as for the writing itself: what a rehearsal would have written is imagined, so
//! that two documents that become one meet there too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use stella_protocol::Text;
use stella_protocol::migration::{Counts, PhaseName, TroubleKind};

use super::hand::{Asked, Deed, Hand, Work, target};
use crate::documents::{Document, DocumentKey, Expect, Leave};
use crate::migrate::Rewritten;
use crate::migrate::run::ledger::{Batch, BatchDone, Fold, NewTrouble, Pass, Seen, WrittenDocument};
use crate::migrate::run::site::reach::Put;
use crate::migrate::run::site::walk::PAGE;
use crate::migrate::run::site::{Ended, Run, apart};

/// Most documents of a batch.
pub const MOST_DOCUMENTS: usize = 500;
/// Most bytes that a batch writes.
pub const MOST_BYTES: u64 = 3_500_000;
/// Tries of a document that others change meanwhile.
const TRIES: u32 = 5;

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything is computed and nothing is written.
    Compute,
    /// It is written.
    Write,
}

/// What batches of one pass are done with.
#[derive(Debug)]
pub struct Bench {
    /// Which pass.
    pub pass: Pass,
    /// Whether it writes.
    pub mode: Mode,
    hand: Arc<Hand>,
    /// What would stand there, had it been written.
    imagined: Mutex<HashMap<DocumentKey, Document>>,
    /// Documents that are not as they were when the data was looked at.
    drifted: AtomicU64,
}

/// A document that was computed, and what was found to be done.
#[derive(Debug)]
pub struct Told {
    /// The document as it was read.
    pub document: Document,
    /// What it becomes.
    pub rewritten: Rewritten,
    /// What is to be done.
    pub deed: Deed,
}

/// What comes of a batch while it is done.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Counts,
    written: BTreeMap<DocumentKey, WrittenDocument>,
    troubles: Vec<NewTrouble>,
    before: Fold,
    after: Fold,
    pending: Vec<(Document, Work)>,
    bytes: u64,
    /// Keys that something is pending for, or was written or imagined for, since the page was computed.
    claimed: BTreeSet<DocumentKey>,
    /// In a pass that only computes: everything that was computed.
    pub told: Vec<Told>,
}

impl Bench {
    /// Of a pass.
    pub fn new(pass: Pass, mode: Mode, hand: Arc<Hand>) -> Self {
        Self { pass, mode, hand, imagined: Mutex::default(), drifted: AtomicU64::new(0) }
    }

    /// Decides.
    pub fn hand(&self) -> &Arc<Hand> {
        &self.hand
    }

    /// Documents of its batches that others changed, made or deleted since the data was looked at.
    pub fn drifted(&self) -> u64 {
        self.drifted.load(Ordering::Relaxed)
    }

    /// True where documents that need nothing any more are counted: once, and not by the canary.
    fn counts_skips(&self) -> bool {
        self.pass.round == 0 && matches!(self.pass.phase, PhaseName::Copy | PhaseName::Rehearse)
    }

    fn imagined(&self) -> MutexGuard<'_, HashMap<DocumentKey, Document>> {
        self.imagined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a batch.
    ///
    /// # Errors
    /// When the store or the ledger does not answer; what was written of it is known again then.
    pub async fn perform(&self, run: &Run, batch: &Batch) -> Result<BatchDone, Ended> {
        let begun = Instant::now();
        let mut tally = Tally::default();
        let mut after = batch.after.clone();
        loop {
            let mut page = run.scan(&batch.collection, after.as_deref(), PAGE).await?;
            page.documents.retain(|document| document.key.id <= batch.upto);
            let next = page.next.filter(|next| *next < batch.upto);
            if self.counts_skips() {
                let upto = next.clone().unwrap_or_else(|| batch.upto.clone());
                self.gone(run, batch, (after, upto), &page.documents, &mut tally).await?;
            }
            self.page(run, page.documents, &mut tally).await?;
            tally.told.clear();
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        self.flush(run, &mut tally).await?;
        Ok(BatchDone {
            pass: self.pass,
            number: batch.number,
            digest_before: tally.before.done(),
            digest_after: tally.after.done(),
            written: tally.written.into_values().collect(),
            counts: tally.counts,
            troubles: tally.troubles,
            ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            at: run.site.clock.now(),
        })
    }

    /// Documents that were to be written and are not there any more need nothing.
    async fn gone(
        &self,
        run: &Run,
        batch: &Batch,
        (mut after, upto): (Option<String>, String),
        documents: &[Document],
        tally: &mut Tally,
    ) -> Result<(), Ended> {
        let there: BTreeMap<&str, u64> =
            documents.iter().map(|document| (document.key.id.as_str(), document.version)).collect();
        let mut as_seen = 0;
        loop {
            let (collection, from, to) = (batch.collection.clone(), after.clone(), upto.clone());
            let seen: Vec<Seen> =
                run.ask(move |ledger| ledger.seen_in(&collection, from.as_deref(), Some(&to), PAGE)).await?;
            let now = |one: &Seen| there.get(one.key.id.as_str()).copied();
            tally.counts.skipped += seen.iter().filter(|one| one.changes && now(one).is_none()).count() as u64;
            as_seen += seen.iter().filter(|one| now(one) == Some(one.version)).count();
            self.drifted.fetch_add(seen.iter().filter(|one| now(one).is_none()).count() as u64, Ordering::Relaxed);
            match seen.last() {
                Some(last) if seen.len() == PAGE => after = Some(last.key.id.clone()),
                _ => break,
            }
        }
        self.drifted.fetch_add(documents.len().saturating_sub(as_seen) as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Does a page of documents.
    ///
    /// # Errors
    /// When the store or the ledger does not answer.
    pub async fn page(&self, run: &Run, documents: Vec<Document>, tally: &mut Tally) -> Result<(), Ended> {
        let mut asked = Vec::with_capacity(documents.len());
        for document in documents {
            asked.push(self.asked(run, document).await?);
        }
        let hand = Arc::clone(&self.hand);
        let deeds: Vec<(Asked, Deed)> = apart(move || {
            asked.into_iter().map(|asked| hand.deed(&asked).map(|deed| (asked, deed))).collect::<Result<_, _>>()
        })
        .await?;
        tally.claimed.clear();
        for (asked, deed) in deeds {
            let touched = |key: &DocumentKey| tally.claimed.contains(key);
            let stale = touched(&asked.document.key) || asked.target().is_some_and(touched);
            let (asked, deed) = if stale {
                self.flush(run, tally).await?;
                self.once_more(run, asked.document).await?
            } else {
                (asked, deed)
            };
            self.take(run, asked, deed, tally).await?;
        }
        Ok(())
    }

    async fn asked(&self, run: &Run, document: Document) -> Result<Asked, Ended> {
        let rewritten = self.hand.rewritten(&document);
        let there = match target(&document, &rewritten) {
            Some(key) => {
                let imagined = self.imagined().get(key).cloned();
                if imagined.is_some() { imagined } else { run.get(key).await? }
            }
            None => None,
        };
        Ok(Asked { document, rewritten, there })
    }

    async fn once_more(&self, run: &Run, document: Document) -> Result<(Asked, Deed), Ended> {
        let asked = self.asked(run, document).await?;
        let hand = Arc::clone(&self.hand);
        apart(move || hand.deed(&asked).map(|deed| (asked, deed))).await
    }

    async fn take(&self, run: &Run, asked: Asked, deed: Deed, tally: &mut Tally) -> Result<(), Ended> {
        if self.mode == Mode::Compute {
            if let Deed::Write(work) = &deed {
                self.imagine(work, tally);
            }
            self.count(&asked.document.key, &deed, tally);
            tally.told.push(Told { document: asked.document, rewritten: asked.rewritten, deed });
            return Ok(());
        }
        self.count(&asked.document.key, &deed, tally);
        if let Deed::Write(work) = deed {
            let bytes = bytes(&work);
            if tally.pending.len() >= MOST_DOCUMENTS || tally.bytes + bytes > MOST_BYTES {
                self.flush(run, tally).await?;
            }
            tally.bytes += bytes;
            tally.claimed.insert(work.write.key.clone());
            tally.pending.push((asked.document, *work));
        }
        Ok(())
    }

    fn imagine(&self, work: &Work, tally: &mut Tally) {
        if let Leave::Fields(fields) = &work.write.leave
            && work.written.source.is_some()
        {
            let document = Document { key: work.write.key.clone(), version: 0, fields: fields.clone() };
            tally.claimed.insert(work.write.key.clone());
            self.imagined().insert(work.write.key.clone(), document);
        }
    }

    /// What is known without asking the store. What is to be written counts when it was, or at once where
    /// nothing is.
    fn count(&self, key: &DocumentKey, deed: &Deed, tally: &mut Tally) {
        match deed {
            Deed::Nothing => {}
            Deed::Skip(_) => tally.counts.skipped += u64::from(self.counts_skips()),
            Deed::Park(why) => tally.park(key, why),
            Deed::Known(work) => tally.wrote(work, work.written.version),
            Deed::Write(work) => {
                if self.mode == Mode::Compute {
                    tally.counts.done += 1;
                    tally.fold(work);
                }
            }
        }
    }

    /// Writes what is pending: first into the backup what is not there yet.
    async fn flush(&self, run: &Run, tally: &mut Tally) -> Result<(), Ended> {
        tally.bytes = 0;
        let pending = std::mem::take(&mut tally.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let answers = self.put(run, pending.iter().map(|(_, work)| work).collect()).await?;
        for ((document, work), answer) in pending.into_iter().zip(answers) {
            if !tally.answered(&document.key, &work, answer) {
                self.retry(run, &document.key, tally).await?;
            }
        }
        Ok(())
    }

    /// Writes. Before it, what stood there is copied away, and what is about to be made is known to the ledger.
    async fn put(&self, run: &Run, works: Vec<&Work>) -> Result<Vec<Put>, Ended> {
        self.copy_away(works.iter().flat_map(|work| work.images.clone()).collect()).await?;
        let makes = |work: &&&Work| work.write.expect == Expect::Absent;
        let made: Vec<DocumentKey> = works.iter().filter(makes).map(|work| work.write.key.clone()).collect();
        if !made.is_empty() {
            run.ask(move |ledger| ledger.intend(&made)).await?;
        }
        let answers = run.put(works.iter().map(|work| work.write.clone()).collect()).await?;
        let others = works.iter().zip(&answers).filter(|(work, answer)| makes(work) && !matches!(answer, Put::Done(_)));
        let others: Vec<DocumentKey> = others.map(|(work, _)| work.write.key.clone()).collect();
        if !others.is_empty() {
            run.ask(move |ledger| ledger.give_up(&others)).await?;
        }
        Ok(answers)
    }

    async fn copy_away(&self, images: Vec<Document>) -> Result<(), Ended> {
        let Some(backup) = self.hand.backup.clone().filter(|_| !images.is_empty()) else { return Ok(()) };
        apart(move || Ok(backup.append(&images)?)).await
    }

    /// Somebody else was faster: it is read and computed again.
    async fn retry(&self, run: &Run, key: &DocumentKey, tally: &mut Tally) -> Result<(), Ended> {
        for _ in 1..TRIES {
            tally.counts.conflicts += 1;
            let Some(document) = run.get(key).await? else {
                tally.counts.skipped += u64::from(self.counts_skips());
                return Ok(());
            };
            let (asked, deed) = self.once_more(run, document).await?;
            let Deed::Write(work) = deed else {
                self.count(&asked.document.key, &deed, tally);
                return Ok(());
            };
            let answer = self.put(run, vec![&*work]).await?.into_iter().next();
            if answer.is_some_and(|answer| tally.answered(key, &work, answer)) {
                return Ok(());
            }
        }
        tally.counts.conflicts += 1;
        tally.park(key, &format!("others changed it {TRIES} times while it was written; resume tries it again"));
        Ok(())
    }
}

impl Tally {
    /// Takes an answer of the store; false: something else stood there.
    fn answered(&mut self, source: &DocumentKey, work: &Work, answer: Put) -> bool {
        match answer {
            Put::Done(version) => self.wrote(work, version),
            Put::Conflict(_) => return false,
            Put::Refused(why) => {
                self.counts.failed += 1;
                self.trouble(TroubleKind::Failed, source, format!("the store refused it: {why}"));
            }
        }
        true
    }

    fn wrote(&mut self, work: &Work, version: u64) {
        self.counts.done += 1;
        self.fold(work);
        let written = WrittenDocument { version, ..work.written.clone() };
        if self.written.insert(written.key.clone(), written).is_some() {
            // Written twice in one batch: still one document.
            self.counts.done -= 1;
        }
    }

    fn fold(&mut self, work: &Work) {
        let source = work.written.source.as_ref().unwrap_or(&work.written.key);
        self.before.take(source, &work.before);
        self.after.take(&work.written.key, &work.after);
    }

    fn park(&mut self, key: &DocumentKey, why: &str) {
        self.counts.parked += 1;
        self.trouble(TroubleKind::Parked, key, why.to_owned());
    }

    fn trouble(&mut self, kind: TroubleKind, document: &DocumentKey, what: String) {
        self.troubles.push(NewTrouble { kind, document: document.clone(), what: Text::new(what) });
    }

    /// What was left alone so far, and what was refused.
    pub fn take_troubles(&mut self) -> Vec<NewTrouble> {
        std::mem::take(&mut self.troubles)
    }
}

/// What a write brings, in bytes of JSON.
pub fn bytes(work: &Work) -> u64 {
    match &work.write.leave {
        Leave::Fields(fields) => serde_json::to_vec(fields).map_or(0, |text| text.len() as u64),
        Leave::Nothing => 0,
    }
}
