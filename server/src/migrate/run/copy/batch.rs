//! One batch: its documents are read, rewritten and written, or only computed.
//!
//! The same way for a rehearsal as for the writing itself: what a rehearsal would have written is imagined, so
//! that two documents that become one meet there too.
//!
//! What is written goes out in writes as large as the store takes, and each is told to the ledger as soon as it
//! is answered. Between two of them it ends when somebody asked for that; the rest of the batch is undone then.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stella_protocol::migration::PhaseName;

use super::hand::{Asked, Deed, Hand, Work, decide, decide_in_place, target};
use super::known::Known;
use super::lanes::settle;
use super::tally::{Tally, Told};
use crate::documents::{Document, DocumentKey, DocumentWrite, Expect, Leave};
use crate::migrate::Rewritten;
use crate::migrate::run::ledger::{Batch, Pass, Reach, Seen};
use crate::migrate::run::site::reach::{Put, Slot};
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
    /// What would stand there, had it been written: under which key, and of which document it is made. The
    /// document itself is read again where two meet, so that nothing of its size is held.
    imagined: Mutex<HashMap<DocumentKey, DocumentKey>>,
    /// Documents that are not as they were when the data was looked at.
    drifted: AtomicU64,
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

    fn imagined(&self) -> MutexGuard<'_, HashMap<DocumentKey, DocumentKey>> {
        self.imagined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a batch, or what is left of it, and tells the ledger.
    ///
    /// # Errors
    /// When the store or the ledger does not answer; what was written of it is known again then. When somebody
    /// asked it to end: what was written is told, and the rest of it is undone.
    pub async fn perform(&self, run: &Run, batch: &Batch) -> Result<(), Ended> {
        let mut tally = Tally::of(batch);
        let mut after = batch.after.clone();
        loop {
            run.check()?;
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
        self.write_out(run, &mut tally).await?;
        self.settle(run, &mut tally, Reach::End).await
    }

    /// Tells the ledger what was done since it was last told.
    async fn settle(&self, run: &Run, tally: &mut Tally, reach: Reach) -> Result<(), Ended> {
        let Some(done) = tally.part(self.pass, reach, run.site.clock.now()) else { return Ok(()) };
        settle(run, done, tally.collection()).await
    }

    /// Documents that were to be written and are not there any more need nothing.
    async fn gone(
        &self,
        run: &Run,
        batch: &Batch,
        (after, upto): (Option<String>, String),
        documents: &[Document],
        tally: &mut Tally,
    ) -> Result<(), Ended> {
        let there: HashMap<&str, u64> =
            documents.iter().map(|document| (document.key.id.as_str(), document.version)).collect();
        let (collection, from, to) = (batch.collection.clone(), after.clone(), upto.clone());
        let changing = run.ask(move |ledger| ledger.changing_in(&collection, from.as_deref(), &to)).await?;
        tally.gone.extend(changing.into_iter().filter(|id| !there.contains_key(id.as_str())));
        if self.mode == Mode::Compute {
            self.drift(run, batch, (after, upto), &there).await?;
        }
        Ok(())
    }

    /// Counts what others did since the data was looked at.
    async fn drift(
        &self,
        run: &Run,
        batch: &Batch,
        (mut after, upto): (Option<String>, String),
        there: &HashMap<&str, u64>,
    ) -> Result<(), Ended> {
        let mut as_seen = 0;
        loop {
            let (collection, from, to) = (batch.collection.clone(), after.clone(), upto.clone());
            let seen: Vec<Seen> =
                run.ask(move |ledger| ledger.seen_in(&collection, from.as_deref(), Some(&to), PAGE)).await?;
            let now = |one: &Seen| there.get(one.key.id.as_str()).copied();
            as_seen += seen.iter().filter(|one| now(one) == Some(one.version)).count();
            self.drifted.fetch_add(seen.iter().filter(|one| now(one).is_none()).count() as u64, Ordering::Relaxed);
            match seen.last() {
                Some(last) if seen.len() == PAGE => after = Some(last.key.id.clone()),
                _ => break,
            }
        }
        self.drifted.fetch_add(there.len().saturating_sub(as_seen) as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Does a page of documents.
    ///
    /// # Errors
    /// When the store or the ledger does not answer; when it is to end, between two writes.
    pub async fn page(&self, run: &Run, documents: Vec<Document>, tally: &mut Tally) -> Result<(), Ended> {
        let deeds = if documents.iter().any(|one| self.hand.moves(one)) {
            self.deeds_of_moving(run, documents, tally).await?
        } else {
            let (hand, is_written) = (Arc::clone(&self.hand), self.mode == Mode::Write);
            apart(move || decide_in_place(&hand, documents, is_written)).await?
        };
        tally.claim_pending();
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

    /// What is to be done with documents that may stand elsewhere then.
    async fn deeds_of_moving(
        &self,
        run: &Run,
        documents: Vec<Document>,
        tally: &Tally,
    ) -> Result<Vec<(Asked, Deed)>, Ended> {
        let hand = Arc::clone(&self.hand);
        let rewritten = apart(move || {
            Ok(documents.into_iter().map(|one| (hand.rewritten(&one), one)).collect::<Vec<(Rewritten, Document)>>())
        })
        .await?;
        let mut asked = Vec::with_capacity(rewritten.len());
        for (rewritten, document) in rewritten {
            if tally.is_of_a_batch() && target(&document, &rewritten).is_some() {
                run.check()?;
            }
            asked.push(self.asked(run, document, rewritten).await?);
        }
        let hand = Arc::clone(&self.hand);
        apart(move || decide(&hand, asked)).await
    }

    async fn asked(&self, run: &Run, document: Document, rewritten: Rewritten) -> Result<Asked, Ended> {
        let there = match target(&document, &rewritten) {
            Some(key) => {
                let source = self.imagined().get(key).cloned();
                let imagined = match source {
                    Some(source) => self.imagine_again(run, &source, key).await?,
                    None => None,
                };
                if imagined.is_some() { imagined } else { run.get(key).await? }
            }
            None => None,
        };
        Ok(Asked { document, rewritten, there })
    }

    /// What would stand under a key, had it been made of this document.
    async fn imagine_again(
        &self,
        run: &Run,
        source: &DocumentKey,
        key: &DocumentKey,
    ) -> Result<Option<Document>, Ended> {
        let Some(source) = run.get(source).await? else { return Ok(None) };
        Ok(match self.hand.rewritten(&source) {
            Rewritten::Changed(changed) if changed.key == *key => {
                Some(Document { key: changed.key, version: 0, fields: changed.fields })
            }
            _ => None,
        })
    }

    async fn once_more(&self, run: &Run, document: Document) -> Result<(Asked, Deed), Ended> {
        let rewritten = self.hand.rewritten(&document);
        let mut asked = self.asked(run, document, rewritten).await?;
        let hand = Arc::clone(&self.hand);
        apart(move || hand.deed(&mut asked, &Known::default()).map(|deed| (asked, deed))).await
    }

    async fn take(&self, run: &Run, asked: Asked, deed: Deed, tally: &mut Tally) -> Result<(), Ended> {
        let key = asked.document.key.clone();
        if self.mode == Mode::Compute {
            if let Deed::Write(work) = &deed {
                self.imagine(work, tally);
            }
            self.count(&key, &deed, tally);
            tally.told.push(Told { document: asked.document, rewritten: asked.rewritten, deed });
            return Ok(());
        }
        if let Deed::Write(work) = deed {
            if tally.is_full(&work, most_at_once(run)?) {
                self.flush(run, tally).await?;
            }
            tally.expect(&key, *work);
        } else {
            self.count(&key, &deed, tally);
        }
        tally.passed(key.id);
        Ok(())
    }

    fn imagine(&self, work: &Work, tally: &mut Tally) {
        if let Some(source) = &work.written.source {
            tally.claimed.insert(work.write.key.clone());
            self.imagined().insert(work.write.key.clone(), source.clone());
        }
    }

    /// What is known without asking the store. What is to be written counts when it was, or at once where
    /// nothing is.
    fn count(&self, key: &DocumentKey, deed: &Deed, tally: &mut Tally) {
        match deed {
            Deed::Nothing => {}
            Deed::Skip(_) => tally.skipped(self.counts_skips()),
            Deed::Park(why) => tally.park(key, why),
            Deed::Known(work) => tally.wrote(work, work.written.version),
            Deed::Write(work) => {
                if self.mode == Mode::Compute {
                    tally.would_write(work);
                }
            }
        }
    }

    /// Writes what is pending and tells it; ends here when somebody asked for that.
    async fn flush(&self, run: &Run, tally: &mut Tally) -> Result<(), Ended> {
        self.write_out(run, tally).await?;
        if let Some(reach) = tally.reach() {
            self.settle(run, tally, reach).await?;
            run.check()?;
        }
        Ok(())
    }

    /// Writes what is pending: first into the backup what is not there yet.
    async fn write_out(&self, run: &Run, tally: &mut Tally) -> Result<(), Ended> {
        let pending = tally.pending();
        if pending.is_empty() {
            return Ok(());
        }
        // Until it is due, and the store has a place for it, nothing is begun.
        run.due(pending.len()).await?;
        let slot = run.slot().await?;
        let (keys, mut works): (Vec<DocumentKey>, Vec<Work>) = pending.into_iter().unzip();
        let answers = self.put(run, &slot, &mut works).await?;
        for ((key, work), answer) in keys.iter().zip(&works).zip(answers) {
            if !tally.answered(key, work, answer) {
                self.retry(run, &slot, key, tally).await?;
            }
        }
        Ok(())
    }

    /// Writes; what is left of the works is what the ledger is told. Before it, what stood there is copied away, and
    /// what is about to be made is known to the ledger.
    async fn put(&self, run: &Run, slot: &Slot<'_>, works: &mut [Work]) -> Result<Vec<Put>, Ended> {
        self.copy_away(works.iter_mut().flat_map(|work| std::mem::take(&mut work.images)).collect()).await?;
        let makes = |work: &&Work| work.write.expect == Expect::Absent;
        let made: Vec<DocumentKey> = works.iter().filter(makes).map(|work| work.write.key.clone()).collect();
        if !made.is_empty() {
            run.ask(move |ledger| ledger.intend(&made)).await?;
        }
        let write = |work: &mut Work| DocumentWrite {
            key: work.write.key.clone(),
            expect: work.write.expect,
            leave: std::mem::replace(&mut work.write.leave, Leave::Nothing),
        };
        let answers = slot.put(works.iter_mut().map(write).collect()).await?;
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
    async fn retry(&self, run: &Run, slot: &Slot<'_>, key: &DocumentKey, tally: &mut Tally) -> Result<(), Ended> {
        for _ in 1..TRIES {
            tally.conflict();
            let Some(document) = run.get(key).await? else {
                tally.skipped(self.counts_skips());
                return Ok(());
            };
            let (asked, deed) = self.once_more(run, document).await?;
            let Deed::Write(mut work) = deed else {
                self.count(&asked.document.key, &deed, tally);
                return Ok(());
            };
            run.due(1).await?;
            let answer = self.put(run, slot, std::slice::from_mut(&mut *work)).await?.into_iter().next();
            if answer.is_some_and(|answer| tally.answered(key, &work, answer)) {
                return Ok(());
            }
        }
        tally.conflict();
        tally.park(key, &format!("others changed it {TRIES} times while it was written; resume tries it again"));
        Ok(())
    }
}

/// Documents of one write: no more than the store takes, and than a limit lets through in a second.
fn most_at_once(run: &Run) -> Result<usize, Ended> {
    let limit = run.rate()?.map_or(MOST_DOCUMENTS, |rate| usize::try_from(rate).unwrap_or(MOST_DOCUMENTS));
    Ok(run.most_writes().min(MOST_DOCUMENTS).min(limit))
}
