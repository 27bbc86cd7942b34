//! The cut-over: an alias for every old id, then the document that names the run, then tombstones where
//! documents stood that were moved.
//!
//! In batches like the copy, in the same ledger: what is written here is rolled back with the rest.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use stella_protocol::migration::{Counts, PhaseName, TroubleKind};
use stella_protocol::{MigrationId, Text};

use super::copy::batch::{Bench, Mode};
use super::copy::hand::{Deed, Fields, Hand, target};
use super::copy::lanes::settle;
use super::copy::tally::Tally;
use super::ledger::{Batch, BatchDone, Fold, How, NewTrouble, Pass, Reach, WrittenDocument, content_digest};
use super::own::{Own, Piece, batch_of, pieces, write_piece};
use super::site::reach::Put;
use super::site::walk::{MOVED_TO, PAGE, RUN, Walk, is_tombstone};
use super::site::{ALIASES, Ended, Run, apart, mapping};
use crate::documents::{Document, DocumentKey, DocumentWrite, Expect, Leave};
use crate::migrate::plan::is_aliased;
use crate::migrate::{Event, Rewritten};

/// Names the run that was cut over last.
const CURRENT: &str = "_current";
/// So many documents name the run.
const CURRENTS: u64 = 1;
/// Documents that are written together.
const TOGETHER: usize = 500;
/// Tries of a tombstone that others are faster than.
const TRIES: u32 = 5;

const fn round(round: u32) -> Pass {
    Pass { phase: PhaseName::CutOver, round }
}

/// What is left where a document stood that was moved.
pub fn tombstone(moved_to: &DocumentKey, run: &MigrationId) -> Fields {
    Fields::from([(MOVED_TO.to_owned(), json!(moved_to.path())), (RUN.to_owned(), json!(run.as_str()))])
}

/// Cuts over.
///
/// # Errors
/// When the store, the ledger or the backup does not answer: what was written until then is known.
pub async fn cut_over(run: &Run) -> Result<Event, Ended> {
    let plan = run.plan().await?;
    let moves = run.state()?.migration.plan.as_ref().map_or(0, |plan| plan.moves);
    run.voice.expect(plan.aliases().count() as u64 + CURRENTS + moves);
    let hand = Arc::new(Hand {
        map: Arc::clone(&run.site.map),
        mapping: mapping(&plan)?,
        ledger: Arc::clone(&run.ledger),
        backup: Some(run.backup().await?),
        whole: None,
    });
    let aliases = aliases(run).await?;
    let current = Fields::from([(RUN.to_owned(), json!(run.id.as_str()))]);
    let current = vec![vec![(DocumentKey::new(ALIASES, CURRENT), current)]];
    pieces(run, Own::Alias, round(1), &current).await?;
    let tombstones = tombstones(run, &hand).await?;
    let done = format!("{aliases} aliases, {tombstones} tombstones");
    run.log(format!("cut over: {done}")).await?;
    Ok(Event::CutOver { fence: run.fence, done: Ok(Text::new(done)) })
}

/// An alias for every old id that can name a document.
async fn aliases(run: &Run) -> Result<u64, Ended> {
    let pass = round(0);
    let (mut batches, mut place, mut count) = (Vec::new(), Place::First, 0);
    while let Some(piece) = next_aliases(run, &mut place).await? {
        count += piece.len() as u64;
        batches.push(batch_of(ALIASES, batches.len() as u64 + 1, &piece));
    }
    run.ask(move |ledger| ledger.put_batches(pass, &batches)).await?;
    let (mut number, mut place) = (0, Place::First);
    while let Some(piece) = next_aliases(run, &mut place).await? {
        number += 1;
        write_piece(run, Own::Alias, pass, number, &piece).await?;
    }
    Ok(count)
}

/// Where in the mapping the next aliases begin.
enum Place {
    First,
    Behind(String),
    End,
}

/// The next aliases from a place on; None: that was all. A page of the mapping at a time.
async fn next_aliases(run: &Run, place: &mut Place) -> Result<Option<Piece>, Ended> {
    loop {
        let from = match place {
            Place::First => None,
            Place::Behind(id) => Some(id.clone()),
            Place::End => return Ok(None),
        };
        let page = run.ask(move |ledger| ledger.mapping(from.as_deref(), TOGETHER)).await?;
        *place = page.next.map_or(Place::End, Place::Behind);
        let pairs = page.items.iter().filter(|row| row.from != row.to).map(|row| (row.from.raw(), row.to.raw()));
        let made = pairs.map(|(old, new)| (DocumentKey::new(ALIASES, old), alias(run, new)));
        let made: Piece = made.filter(|(key, _)| is_aliased(&key.id)).collect();
        if !made.is_empty() {
            return Ok(Some(made));
        }
    }
}

fn alias(run: &Run, new: &str) -> Fields {
    Fields::from([("userId".to_owned(), json!(new)), (RUN.to_owned(), json!(run.id.as_str()))])
}

/// A tombstone where a document stood that was moved.
async fn tombstones(run: &Run, hand: &Arc<Hand>) -> Result<u64, Ended> {
    let pass = round(2);
    if run.ask(move |ledger| ledger.progressed_in(pass)).await?.batches.1 == 0 {
        let batches = moved(run, hand).await?;
        run.ask(move |ledger| {
            ledger.put_batches(pass, &batches)?;
            // A tombstone does not say that something is to be looked for there: without its batch, a life after a
            // power loss would not know it for its own, and a rollback would leave it.
            ledger.make_durable()
        })
        .await?;
    }
    // From here on the ledger knows all there is to do.
    run.voice.expect(0);
    loop {
        run.check()?;
        let undone = run.ask(move |ledger| ledger.undone(pass, 0, 1)).await?;
        let Some(batch) = undone.into_iter().next() else { break };
        let mut after = batch.after.clone();
        loop {
            run.check()?;
            let mut page = run.scan(&batch.collection, after.as_deref(), run.most_writes().min(PAGE)).await?;
            page.documents.retain(|document| document.key.id <= batch.upto);
            let next = page.next.filter(|next| *next < batch.upto);
            let documents = page.documents.len();
            let mut done = Done::begin(pass, batch.number);
            bury_all(run, hand, page.documents, &mut done).await?;
            done.told(run, next.clone().map(|next| (next, documents)), &batch.collection).await?;
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    let so_far = run.ask(move |ledger| ledger.progressed_in(pass)).await?;
    Ok(so_far.documents.0)
}

/// Where documents were moved, in batches.
async fn moved(run: &Run, hand: &Arc<Hand>) -> Result<Vec<Batch>, Ended> {
    let mut chart = super::copy::chart::Chart::new(run.site.pace.batch);
    let mut walk = Walk::begin(run).await?;
    while let Some(page) = walk.next(run).await? {
        let Some(collection) = run.site.map.collection(&page.collection) else { continue };
        for document in &page.documents {
            if target(document, &hand.rewritten(document)).is_none() {
                continue;
            }
            chart.add(&collection.name, &page.collection, &document.key.id, 0);
        }
    }
    Ok(chart.done())
}

/// Makes tombstones of a page's documents that were moved: of those together that nobody touched since, of
/// others one by one.
async fn bury_all(run: &Run, hand: &Arc<Hand>, documents: Vec<Document>, done: &mut Done) -> Result<(), Ended> {
    let looks = Bench::new(done.pass, Mode::Compute, Arc::clone(hand));
    let mut tally = Tally::default();
    looks.page(run, documents, &mut tally).await?;
    let hand_of = Arc::clone(hand);
    let (plain, others) = apart(move || {
        let (mut plain, mut others) = (Vec::new(), Vec::new());
        for told in tally.told {
            let moved = target(&told.document, &told.rewritten).cloned();
            let held = hand_of.backup.as_ref().map(|backup| backup.holds(&told.document.key)).transpose()?.flatten();
            let same = held.is_some_and(|(_, digest)| digest == content_digest(&told.document.fields));
            let parked = hand_of.ledger.is_troubled(&told.document.key, TroubleKind::Parked)?;
            match (moved, &told.deed) {
                (Some(new), Deed::Nothing | Deed::Skip(true)) if same && !parked => plain.push((told.document, new)),
                _ => others.push(told.document),
            }
        }
        Ok((plain, others))
    })
    .await?;
    let write = |(document, new): &(Document, DocumentKey)| DocumentWrite {
        key: document.key.clone(),
        expect: Expect::Version(document.version),
        leave: Leave::Fields(tombstone(new, &run.id)),
    };
    let answers = run.put(plain.iter().map(write).collect()).await?;
    for ((document, new), answer) in plain.into_iter().zip(answers) {
        match answer {
            Put::Done(version) => done.buried(&document, version, &tombstone(&new, &run.id)),
            _ => {
                if let Some(now) = run.get(&document.key).await? {
                    bury(run, hand, now, done).await?;
                }
            }
        }
    }
    for document in others {
        bury(run, hand, document, done).await?;
    }
    Ok(())
}

/// Makes a document that was moved a tombstone. One whose copy is not there, or was left alone, stays.
async fn bury(run: &Run, hand: &Arc<Hand>, first: Document, done: &mut Done) -> Result<(), Ended> {
    let looks = Bench::new(done.pass, Mode::Compute, Arc::clone(hand));
    let mut document = Some(first);
    for _ in 0..TRIES {
        let Some(current) = document.take() else { return Ok(()) };
        if is_tombstone(&current.fields) {
            return done.known(hand, &current, &run.id).await;
        }
        let rewritten = hand.rewritten(&current);
        let Some(new) = target(&current, &rewritten).cloned() else { return Ok(()) };
        let mut tally = Tally::default();
        looks.page(run, vec![current.clone()], &mut tally).await?;
        match tally.told.pop().map(|told| told.deed) {
            Some(Deed::Nothing | Deed::Skip(true)) => {}
            Some(Deed::Write(work) | Deed::Known(work)) => {
                // Somebody wrote it under its old id since it was copied.
                let backup = hand.backup.clone();
                let images = work.images.clone();
                apart(move || backup.map_or(Ok(()), |backup| Ok(backup.append(&images)?))).await?;
                let answer = run.put(vec![work.write.clone()]).await?.pop();
                if let Some(Put::Done(version)) = answer {
                    done.wrote(WrittenDocument { version, ..work.written.clone() }, work.before, work.after);
                } else {
                    document = run.get(&current.key).await?;
                    continue;
                }
            }
            _ => {
                done.left(&current.key, "it was not moved, so it stays under its old id");
                return Ok(());
            }
        }
        let parked = current.key.clone();
        if run.ask(move |ledger| ledger.is_troubled(&parked, TroubleKind::Parked)).await? {
            return Ok(());
        }
        let kept = (hand.backup.clone(), current.clone());
        apart(move || {
            let (Some(backup), document) = kept else { return Ok(()) };
            let digest = content_digest(&document.fields);
            let same = backup.holds(&document.key)?.is_some_and(|(_, held)| held == digest);
            if same { Ok(()) } else { Ok(backup.append(std::slice::from_ref(&document))?) }
        })
        .await?;
        let fields = tombstone(&new, &run.id);
        let write = DocumentWrite {
            key: current.key.clone(),
            expect: Expect::Version(current.version),
            leave: Leave::Fields(fields.clone()),
        };
        match run.put(vec![write]).await?.pop() {
            Some(Put::Done(version)) => {
                done.buried(&current, version, &fields);
                return Ok(());
            }
            Some(Put::Refused(why)) => return Err(Ended::broke(format!("the store refused a tombstone: {why}"))),
            _ => document = run.get(&current.key).await?,
        }
    }
    Err(Ended::broke("others keep changing a document that was moved, under its old id"))
}

/// What comes of a batch.
pub(super) struct Done {
    pub pass: Pass,
    number: u64,
    begun: Instant,
    before: Fold,
    after: Fold,
    written: Vec<WrittenDocument>,
    troubles: Vec<NewTrouble>,
}

impl Done {
    pub(super) fn begin(pass: Pass, number: u64) -> Self {
        let (before, after) = (Fold::default(), Fold::default());
        Self { pass, number, begun: Instant::now(), before, after, written: Vec::new(), troubles: Vec::new() }
    }

    pub(super) fn wrote(&mut self, written: WrittenDocument, before: [u8; 32], after: [u8; 32]) {
        self.before.take(&written.key, &before);
        self.after.take(&written.key, &after);
        self.written.retain(|one| one.key != written.key);
        self.written.push(written);
    }

    fn buried(&mut self, document: &Document, version: u64, fields: &Fields) {
        let written = WrittenDocument {
            key: document.key.clone(),
            version,
            how: How::Tombstone,
            made: false,
            source: None,
            source_version: Some(document.version),
        };
        self.wrote(written, content_digest(&document.fields), content_digest(fields));
    }

    fn left(&mut self, key: &DocumentKey, why: &str) {
        let what = Text::new(why.to_owned());
        self.troubles.push(NewTrouble { kind: TroubleKind::Parked, document: key.clone(), what });
    }

    /// A tombstone that a life before made and did not tell.
    async fn known(&mut self, hand: &Arc<Hand>, current: &Document, id: &MigrationId) -> Result<(), Ended> {
        let (hand, key, id, fields) = (Arc::clone(hand), current.key.clone(), id.clone(), current.fields.clone());
        let source_version = apart(move || {
            if hand.ledger.written(&key)?.is_some_and(|row| row.document.how == How::Tombstone) {
                return Ok(None);
            }
            let Some(backup) = &hand.backup else { return Ok(None) };
            let Some(image) = backup.get(&key)? else { return Ok(None) };
            let ours =
                matches!(hand.rewritten(&image), Rewritten::Changed(changed) if tombstone(&changed.key, &id) == fields);
            Ok(ours.then_some((image.version, content_digest(&image.fields))))
        })
        .await?;
        if let Some((version, before)) = source_version {
            let written = WrittenDocument {
                key: current.key.clone(),
                version: current.version,
                how: How::Tombstone,
                made: false,
                source: None,
                source_version: Some(version),
            };
            self.wrote(written, before, content_digest(&current.fields));
        }
        Ok(())
    }

    /// Tells the ledger: up to this document, after so many more; None: to the end of the batch.
    async fn told(self, run: &Run, upto: Option<(String, usize)>, collection: &str) -> Result<(), Ended> {
        let upto = upto.map(|(id, documents)| Reach::Upto { id, documents: documents as u64 });
        settle(run, self.end(run, upto.unwrap_or(Reach::End)), collection).await
    }

    pub(super) fn end(self, run: &Run, reach: Reach) -> BatchDone {
        BatchDone {
            pass: self.pass,
            number: self.number,
            reach,
            digest_before: self.before.done(),
            digest_after: self.after.done(),
            counts: Counts { done: self.written.len() as u64, ..Counts::default() },
            written: self.written,
            troubles: self.troubles,
            ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            at: run.site.clock.now(),
        }
    }
}
