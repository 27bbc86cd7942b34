//! What comes of a batch while it is done, and of which part the ledger was not told yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use stella_protocol::migration::{Counts, TroubleKind};
use stella_protocol::{Text, Timestamp};

use super::batch::MOST_BYTES;
use super::hand::{Deed, Work};
use crate::documents::{Document, DocumentKey};
use crate::migrate::Rewritten;
use crate::migrate::run::ledger::{Batch, BatchDone, Fold, NewTrouble, Pass, Reach, WrittenDocument};
use crate::migrate::run::site::reach::Put;

/// A document that was computed, and what was found to be done.
#[derive(Debug)]
pub struct Told {
    /// The document as it was read.
    pub document: Document,
    /// What it becomes, without the fields of what is to be written: the deed has them.
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
    /// To be written, and of which document.
    pending: Vec<(DocumentKey, Work)>,
    bytes: u64,
    /// What the ledger is told of; None: it is not told.
    part: Option<Part>,
    /// Ids of documents that were to be written and are not there any more, in order, those not counted yet.
    pub gone: VecDeque<String>,
    /// Keys that something is pending for, or was written or imagined for, since the page was computed.
    pub claimed: BTreeSet<DocumentKey>,
    /// In a pass that only computes: everything that was computed.
    pub told: Vec<Told>,
}

/// The part of a batch that is under way.
#[derive(Debug)]
struct Part {
    number: u64,
    collection: String,
    begun: Instant,
    /// The last document that was taken.
    last: Option<String>,
    documents: u64,
}

impl Tally {
    /// Of a batch, or of what is left of one.
    pub fn of(batch: &Batch) -> Self {
        let part = Part {
            number: batch.number,
            collection: batch.collection.clone(),
            begun: Instant::now(),
            last: None,
            documents: 0,
        };
        Self { part: Some(part), ..Self::default() }
    }

    /// True when the ledger is told of it.
    pub fn is_of_a_batch(&self) -> bool {
        self.part.is_some()
    }

    /// The path of its collection.
    pub fn collection(&self) -> &str {
        self.part.as_ref().map_or("", |part| &part.collection)
    }

    /// This one was taken: counted, or to be written.
    pub fn passed(&mut self, id: String) {
        if let Some(part) = &mut self.part {
            part.last = Some(id);
            part.documents += 1;
        }
    }

    /// How far it is; None: nobody is told of it, or nothing was taken since the last part.
    pub fn reach(&self) -> Option<Reach> {
        let part = self.part.as_ref()?;
        Some(Reach::Upto { id: part.last.clone()?, documents: part.documents })
    }

    /// What was done since the last part, for the ledger; None: it is not told.
    pub fn part(&mut self, pass: Pass, reach: Reach, at: Timestamp) -> Option<BatchDone> {
        let part = self.part.as_mut()?;
        let is_reached = |id: &String| match &reach {
            Reach::End => true,
            Reach::Upto { id: upto, .. } => id <= upto,
        };
        while self.gone.front().is_some_and(is_reached) {
            self.gone.pop_front();
            self.counts.skipped += 1;
        }
        let begun = std::mem::replace(&mut part.begun, Instant::now());
        (part.last, part.documents) = (None, 0);
        Some(BatchDone {
            pass,
            number: part.number,
            reach,
            digest_before: std::mem::take(&mut self.before).done(),
            digest_after: std::mem::take(&mut self.after).done(),
            written: std::mem::take(&mut self.written).into_values().collect(),
            counts: std::mem::take(&mut self.counts),
            troubles: std::mem::take(&mut self.troubles),
            ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            at,
        })
    }

    /// True when this does not go into the same write any more, of at most so many.
    pub fn is_full(&self, work: &Work, most: usize) -> bool {
        !self.pending.is_empty() && (self.pending.len() >= most || self.bytes + work.bytes > MOST_BYTES)
    }

    /// This is to be written, of the document under this key.
    pub fn expect(&mut self, source: &DocumentKey, work: Work) {
        self.bytes += work.bytes;
        self.claimed.insert(work.write.key.clone());
        self.pending.push((source.clone(), work));
    }

    /// From here on only what is to be written is claimed.
    pub fn claim_pending(&mut self) {
        self.claimed = self.pending.iter().map(|(_, work)| work.write.key.clone()).collect();
    }

    /// Takes what is to be written.
    pub fn pending(&mut self) -> Vec<(DocumentKey, Work)> {
        self.bytes = 0;
        std::mem::take(&mut self.pending)
    }

    /// It needs nothing any more; where that counts.
    pub fn skipped(&mut self, counts: bool) {
        self.counts.skipped += u64::from(counts);
    }

    /// Somebody else was faster.
    pub fn conflict(&mut self) {
        self.counts.conflicts += 1;
    }

    /// It would be written, where nothing is.
    pub fn would_write(&mut self, work: &Work) {
        self.counts.done += 1;
        self.fold(work);
    }

    /// Takes an answer of the store; false: something else stood there.
    pub fn answered(&mut self, source: &DocumentKey, work: &Work, answer: Put) -> bool {
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

    /// It was written, and has this version since.
    pub fn wrote(&mut self, work: &Work, version: u64) {
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

    /// It is left alone.
    pub fn park(&mut self, key: &DocumentKey, why: &str) {
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
