//! Batches: what is to be done, what is, and how fast that goes.
//!
//! A pass is one way over a set of batches. The plan's own stand under [`Pass::PLAN`]; every phase takes
//! them for itself, so that what was rehearsed is not done.

mod parts;

use std::fmt;

use rusqlite::{Connection, Row, Transaction, params};
use stella_protocol::migration::{Counts, PhaseName};
use stella_protocol::{Text, Timestamp};

use super::notes::put_troubles;
use super::written::put_written;
use super::{Fold, Ledger, LedgerError, NewTrouble, Stop, WrittenDocument, digest_of, held, word};
use crate::documents::DocumentKey;

/// Checkpoints of a phase that are kept: more than ten minutes of them.
const CHECKPOINTS: i64 = 10_000;

/// One way over a set of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pass {
    /// Of which phase.
    pub phase: PhaseName,
    /// 0: the plan's batches; from 1: of what was found later.
    pub round: u32,
}

impl Pass {
    /// The batches of the plan: never done themselves, taken by the phases.
    pub const PLAN: Self = Self::of(PhaseName::Scan);

    /// The first of a phase.
    pub const fn of(phase: PhaseName) -> Self {
        Self { phase, round: 0 }
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.phase.word(), self.round)
    }
}

/// A range of one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Dense within its pass, from 1: the order of writing.
    pub number: u64,
    /// As the plan names the collection: its counts go there.
    pub name: String,
    /// The collection's path.
    pub collection: String,
    /// The range begins behind this id; None: with the first.
    pub after: Option<String>,
    /// It ends with this one.
    pub upto: String,
    /// Documents in it to write.
    pub documents: u64,
    /// What they are written as, in bytes, about.
    pub bytes: u64,
}

/// How far a batch is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// To its end.
    End,
    /// Up to this id, and no further: the rest is undone.
    Upto {
        /// The last one that is done.
        id: String,
        /// Documents that were taken on since the part before.
        documents: u64,
    },
}

/// What came of a batch, or of the next part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchDone {
    /// Of which pass.
    pub pass: Pass,
    /// Its number.
    pub number: u64,
    /// How far it is done now.
    pub reach: Reach,
    /// [`Fold`] of its documents before. Of a batch in parts the fold of these is kept.
    pub digest_before: [u8; 32],
    /// After.
    pub digest_after: [u8; 32],
    /// Each document that was written, once.
    pub written: Vec<WrittenDocument>,
    /// What to add to the counts of its collection; `planned` is not looked at. Of `done`, documents that
    /// were written and counted before (by the canary, by an earlier pass) are taken off.
    pub counts: Counts,
    /// What went wrong.
    pub troubles: Vec<NewTrouble>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// When it ended.
    pub at: Timestamp,
}

/// Whether telling it made a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is kept now.
    Now,
    /// It was kept before; nothing changed.
    Before,
    /// There is no such batch; nothing changed.
    NoSuch,
}

/// How far a phase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progressed {
    /// Batches done, and of how many.
    pub batches: (u64, u64),
    /// Their documents.
    pub documents: (u64, u64),
    /// When the last one was kept.
    pub at: Option<Timestamp>,
}

/// How far a phase was at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// When.
    pub at: Timestamp,
    /// Documents done, all since the phase began.
    pub done: u64,
    /// Of how many.
    pub total: u64,
    /// The collection under way.
    pub collection: Text,
}

impl Ledger {
    /// Keeps batches of a pass. One that is done already stays as it is; another of its number is replaced.
    ///
    /// # Errors
    /// When the ledger does not take them.
    pub fn put_batches(&self, pass: Pass, batches: &[Batch]) -> Result<(), LedgerError> {
        self.write("keep batches", |tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO batches (phase, round, number, name, collection, after, upto, documents, bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (phase, round, number) DO UPDATE
                 SET name = excluded.name, collection = excluded.collection, after = excluded.after,
                     upto = excluded.upto, documents = excluded.documents, bytes = excluded.bytes,
                     reached = NULL, passed = 0, counted = 0, digest_before = NULL, digest_after = NULL
                 WHERE done = 0 AND NOT (collection = excluded.collection AND after IS excluded.after
                                         AND upto = excluded.upto AND documents = excluded.documents)",
            )?;
            let phase = word(&pass.phase, "a batch")?;
            for batch in batches {
                statement.execute(params![
                    phase,
                    pass.round,
                    batch.number as i64,
                    batch.name,
                    batch.collection,
                    batch.after,
                    batch.upto,
                    batch.documents as i64,
                    batch.bytes as i64,
                ])?;
            }
            Ok(())
        })
    }

    /// Gives a pass the batches of the plan, those that it has not yet.
    ///
    /// # Errors
    /// When the ledger does not do it.
    pub fn take_plan(&self, pass: Pass) -> Result<(), LedgerError> {
        self.write("take the plan's batches", |tx| {
            tx.prepare_cached(
                "INSERT OR IGNORE INTO batches
                     (phase, round, number, name, collection, after, upto, documents, bytes)
                 SELECT ?1, ?2, number, name, collection, after, upto, documents, bytes
                 FROM batches WHERE phase = ?3 AND round = ?4",
            )?
            .execute(params![
                word(&pass.phase, "a batch")?,
                pass.round,
                word(&Pass::PLAN.phase, "a batch")?,
                Pass::PLAN.round,
            ])?;
            Ok(())
        })
    }

    /// Forgets the batches, counts and checkpoints of a phase: it is done anew. Documents written stay.
    ///
    /// # Errors
    /// When the ledger does not do it.
    pub fn forget(&self, phase: PhaseName) -> Result<(), LedgerError> {
        self.write("forget a phase", |tx| {
            let phase = word(&phase, "a batch")?;
            for table in ["batches", "counts", "checkpoints"] {
                tx.execute(&format!("DELETE FROM {table} WHERE phase = ?1"), [&phase])?;
            }
            Ok(())
        })
    }

    /// Batches that are not done, by number, behind number `after` (0: all); at most `limit`. Of one that is done
    /// in part, the rest.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn undone(&self, pass: Pass, after: u64, limit: usize) -> Result<Vec<Batch>, LedgerError> {
        self.read("read the batches", |connection| {
            let found = connection
                .prepare_cached(
                    "SELECT number, name, collection, coalesce(reached, after), upto, max(documents - passed, 0), bytes
                     FROM batches
                     WHERE phase = ?1 AND round = ?2 AND done = 0 AND number > ?3 ORDER BY number LIMIT ?4",
                )?
                .query_map(params![word(&pass.phase, "a batch")?, pass.round, after as i64, held(limit) as i64], batch)?
                .collect::<Result<_, _>>()?;
            Ok(found)
        })
    }

    /// Keeps what came of a batch, or of a part of it: documents written, counts, troubles and a checkpoint, all
    /// or nothing. A part that does not go beyond the one before makes no difference.
    ///
    /// # Errors
    /// When the ledger does not take it: the batch, or this part of it, is undone then.
    pub fn settle(&self, done: &BatchDone) -> Result<Settled, LedgerError> {
        self.write("keep what came of a batch", |tx| {
            let phase = word(&done.pass.phase, "a batch")?;
            let open = match parts::open(tx, &phase, done)? {
                Ok(open) => open,
                Err(settled) => return Ok(settled),
            };
            let known = put_written(tx, done)?;
            let counts = Counts { done: done.counts.done.saturating_sub(known), ..done.counts };
            let counted = counts.done + counts.skipped + counts.parked + counts.failed;
            parts::put(tx, &phase, done, &open, counted)?;
            add_counts(tx, done.pass.phase, &open.name, &counts)?;
            put_troubles(tx, &done.troubles, done.at)?;
            let so_far = progressed(tx, &phase)?;
            let (finished, total) = so_far.documents;
            let collection = Text::new(open.collection);
            put_checkpoint(tx, &phase, &Checkpoint { at: done.at, done: finished, total, collection })?;
            Ok(Settled::Now)
        })
    }

    /// How far a phase is, over all of its passes.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn progressed(&self, phase: PhaseName) -> Result<Progressed, LedgerError> {
        self.read("read how far it is", |connection| progressed(connection, &word(&phase, "a batch")?))
    }

    /// How far one pass is.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn progressed_in(&self, pass: Pass) -> Result<Progressed, LedgerError> {
        self.read("read how far it is", |connection| {
            let phase = word(&pass.phase, "a batch")?;
            let found = connection
                .prepare_cached(
                    "SELECT coalesce(sum(done), 0), count(*),
                            coalesce(sum(CASE done WHEN 1 THEN documents ELSE min(passed, documents) END), 0),
                            coalesce(sum(documents), 0), max(at)
                     FROM batches WHERE phase = ?1 AND round = ?2",
                )?
                .query_row(params![phase, pass.round], sums)?;
            Ok(found)
        })
    }

    /// Documents by what became of them. The canary's are counted with the copy's. `planned` are the
    /// documents of the phase's batches; of the plan's as long as it has none. Of what later passes of the copy
    /// did again only those are planned that were counted anew.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn counts(&self, phase: PhaseName) -> Result<Counts, LedgerError> {
        self.read("read the counts", |connection| counts_of(connection, phase, None))
    }

    /// Keeps how far a phase without batches is.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn checkpoint(&self, phase: PhaseName, checkpoint: &Checkpoint) -> Result<(), LedgerError> {
        self.write("keep how far it is", |tx| put_checkpoint(tx, &word(&phase, "a checkpoint")?, checkpoint))
    }

    /// The checkpoints of a phase since a time, oldest first, at most 10,000.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn checkpoints(&self, phase: PhaseName, since: Timestamp) -> Result<Vec<Checkpoint>, LedgerError> {
        self.read("read how far it was", |connection| {
            let found = connection
                .prepare_cached(
                    "SELECT at, done, total, collection FROM checkpoints WHERE phase = ?1 AND at >= ?2
                     ORDER BY number LIMIT ?3",
                )?
                .query_map(params![word(&phase, "a checkpoint")?, since.millis(), CHECKPOINTS], |row| {
                    Ok(Checkpoint {
                        at: Timestamp::from_millis(row.get(0)?),
                        done: row.get::<_, i64>(1)? as u64,
                        total: row.get::<_, i64>(2)? as u64,
                        collection: Text::new(row.get::<_, String>(3)?),
                    })
                })?
                .collect::<Result<_, _>>()?;
            Ok(found)
        })
    }

    /// One digest of all batches of a pass that are done, in their order: of their documents before, and
    /// after.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn folded(&self, pass: Pass) -> Result<([u8; 32], [u8; 32]), LedgerError> {
        self.read("read the digests of the batches", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, collection, digest_before, digest_after FROM batches
                 WHERE phase = ?1 AND round = ?2 AND done = 1 ORDER BY number",
            )?;
            let mut rows = statement.query(params![word(&pass.phase, "a batch")?, pass.round])?;
            let (mut before, mut after) = (Fold::default(), Fold::default());
            while let Some(row) = rows.next()? {
                let key = DocumentKey::new(row.get::<_, String>(1)?, row.get::<_, i64>(0)?.to_string());
                let digest = |column| digest_of(row.get_ref(column)?.as_blob().unwrap_or_default(), "a batch");
                before.take(&key, &digest(2)?);
                after.take(&key, &digest(3)?);
            }
            Ok((before.done(), after.done()))
        })
    }
}

fn batch(row: &Row<'_>) -> rusqlite::Result<Batch> {
    Ok(Batch {
        number: row.get::<_, i64>(0)? as u64,
        name: row.get(1)?,
        collection: row.get(2)?,
        after: row.get(3)?,
        upto: row.get(4)?,
        documents: row.get::<_, i64>(5)? as u64,
        bytes: row.get::<_, i64>(6)? as u64,
    })
}

fn sums(row: &Row<'_>) -> rusqlite::Result<Progressed> {
    let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
    Ok(Progressed {
        batches: (number(0)?, number(1)?),
        documents: (number(2)?, number(3)?),
        at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
    })
}

fn progressed(connection: &Connection, phase: &str) -> Result<Progressed, Stop> {
    let found = connection
        .prepare_cached(
            "SELECT coalesce(sum(done), 0), count(*),
                    coalesce(sum(CASE done WHEN 1 THEN documents ELSE min(passed, documents) END), 0),
                    coalesce(sum(documents), 0), max(at)
             FROM batches WHERE phase = ?1",
        )?
        .query_row([phase], sums)?;
    Ok(found)
}

/// Where the counts of a phase stand: what the canary did need not be done again.
fn counted(phase: PhaseName) -> PhaseName {
    if phase == PhaseName::Canary { PhaseName::Copy } else { phase }
}

fn add_counts(tx: &Transaction<'_>, phase: PhaseName, name: &str, counts: &Counts) -> Result<(), Stop> {
    tx.prepare_cached(
        "INSERT INTO counts (phase, name, done, skipped, parked, failed, conflicts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (phase, name) DO UPDATE
         SET done = done + excluded.done, skipped = skipped + excluded.skipped, parked = parked + excluded.parked,
             failed = failed + excluded.failed, conflicts = conflicts + excluded.conflicts",
    )?
    .execute(params![
        word(&counted(phase), "a count")?,
        name,
        counts.done as i64,
        counts.skipped as i64,
        counts.parked as i64,
        counts.failed as i64,
        counts.conflicts as i64,
    ])?;
    Ok(())
}

pub(super) fn counts_of(connection: &Connection, phase: PhaseName, name: Option<&str>) -> Result<Counts, Stop> {
    let counted = word(&counted(phase), "a count")?;
    let number = |row: &Row<'_>, column| row.get::<_, i64>(column).map(|number| number as u64);
    let counts = connection
        .prepare_cached(
            "SELECT coalesce(sum(done), 0), coalesce(sum(skipped), 0), coalesce(sum(parked), 0),
                    coalesce(sum(failed), 0), coalesce(sum(conflicts), 0)
             FROM counts WHERE phase = ?1 AND (?2 IS NULL OR name = ?2)",
        )?
        .query_row(params![counted, name], |row| {
            Ok(Counts {
                planned: 0,
                done: number(row, 0)?,
                skipped: number(row, 1)?,
                parked: number(row, 2)?,
                failed: number(row, 3)?,
                conflicts: number(row, 4)?,
            })
        })?;
    let mut statement = connection
        .prepare_cached("SELECT sum(documents) FROM batches WHERE phase = ?1 AND (?2 IS NULL OR name = ?2)")?;
    let mut planned = |phase: &str| statement.query_row(params![phase, name], |row| row.get::<_, Option<i64>>(0));
    let own = planned(&counted)?;
    let all = if own.is_some() { own } else { planned(&word(&Pass::PLAN.phase, "a batch")?)? };
    Ok(Counts { planned: all.unwrap_or(0) as u64, ..counts })
}

fn put_checkpoint(tx: &Transaction<'_>, phase: &str, checkpoint: &Checkpoint) -> Result<(), Stop> {
    let last: i64 = tx
        .prepare_cached("SELECT coalesce(max(number), 0) FROM checkpoints WHERE phase = ?1")?
        .query_row([phase], |row| row.get(0))?;
    tx.prepare_cached(
        "INSERT INTO checkpoints (phase, number, at, done, total, collection) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        phase,
        last + 1,
        checkpoint.at.millis(),
        checkpoint.done as i64,
        checkpoint.total as i64,
        checkpoint.collection.raw(),
    ])?;
    tx.prepare_cached("DELETE FROM checkpoints WHERE phase = ?1 AND number <= ?2")?
        .execute(params![phase, last + 1 - CHECKPOINTS])?;
    Ok(())
}
