//! A batch in parts: each store write of it is kept as soon as it is answered, so that a pause acts between two
//! of them and the rest is taken up where it was left.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use stella_protocol::migration::PhaseName;

use super::{BatchDone, Reach, Settled};
use crate::documents::DocumentKey;
use crate::migrate::run::ledger::{Fold, Stop, digest_of};

/// A batch that is not done to its end.
pub(super) struct Open {
    /// As the plan names its collection.
    pub name: String,
    reached: Option<String>,
    counted: u64,
    digests: Option<([u8; 32], [u8; 32])>,
}

/// The batch that this is of. Err: what is told makes no difference.
pub(super) fn open(tx: &Transaction<'_>, phase: &str, done: &BatchDone) -> Result<Result<Open, Settled>, Stop> {
    let found = tx
        .prepare_cached(
            "SELECT done, name, reached, counted, digest_before, digest_after FROM batches
             WHERE phase = ?1 AND round = ?2 AND number = ?3",
        )?
        .query_row(params![phase, done.pass.round, done.number as i64], |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, Option<String>>(2)?, one(row)))
        })
        .optional()?;
    let Some((is_done, reached, open)) = found else { return Ok(Err(Settled::NoSuch)) };
    let is_before = match &done.reach {
        Reach::Upto { id, .. } => reached.is_some_and(|reached| *id <= reached),
        Reach::End => false,
    };
    if is_done || is_before { Ok(Err(Settled::Before)) } else { open.map(Ok) }
}

fn one(row: &Row<'_>) -> Result<Open, Stop> {
    let digest = |column| digest_of(row.get_ref(column)?.as_blob().unwrap_or_default(), "a batch");
    let begun = row.get::<_, Option<Vec<u8>>>(4)?.is_some();
    Ok(Open {
        name: row.get(1)?,
        reached: row.get(2)?,
        counted: row.get::<_, i64>(3)? as u64,
        digests: if begun { Some((digest(4)?, digest(5)?)) } else { None },
    })
}

/// Keeps how far it is; so many documents of it were counted now.
pub(super) fn put(tx: &Transaction<'_>, phase: &str, done: &BatchDone, open: &Open, counted: u64) -> Result<(), Stop> {
    let (reached, passed) = match &done.reach {
        Reach::End => (open.reached.as_ref(), 0),
        Reach::Upto { id, documents } => (Some(id), *documents),
    };
    let (before, after) = match &open.digests {
        Some((before, after)) => (folded(before, &done.digest_before), folded(after, &done.digest_after)),
        None => (done.digest_before, done.digest_after),
    };
    let counted = open.counted + counted;
    let is_done = done.reach == Reach::End;
    // What a later pass wrote again was planned and counted before.
    let planned = (is_done && done.pass.phase == PhaseName::Copy && done.pass.round > 0).then_some(counted as i64);
    tx.prepare_cached(
        "UPDATE batches
         SET done = ?4, digest_before = ?5, digest_after = ?6, ms = coalesce(ms, 0) + ?7, at = ?8, reached = ?9,
             passed = passed + ?10, counted = ?11, documents = coalesce(?12, documents)
         WHERE phase = ?1 AND round = ?2 AND number = ?3",
    )?
    .execute(params![
        phase,
        done.pass.round,
        done.number as i64,
        is_done,
        before,
        after,
        done.ms as i64,
        done.at.millis(),
        reached,
        passed as i64,
        counted as i64,
        planned,
    ])?;
    Ok(())
}

/// One digest of the parts so far and the next.
fn folded(so_far: &[u8; 32], next: &[u8; 32]) -> [u8; 32] {
    let mut fold = Fold::default();
    for (number, digest) in [so_far, next].into_iter().enumerate() {
        fold.take(&DocumentKey::new("", number.to_string()), digest);
    }
    fold.done()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use stella_protocol::Timestamp;
    use stella_protocol::migration::Counts;

    use crate::migrate::run::ledger::{Batch, Ledger, Pass, Progressed};

    use super::*;

    const COPY: Pass = Pass::of(PhaseName::Copy);

    fn ledger() -> (tempfile::TempDir, Ledger) {
        let data = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(data.path(), &"mig-1".parse().unwrap()).unwrap();
        (data, ledger)
    }

    fn batch() -> Batch {
        let (name, collection) = ("notes".to_owned(), "notes".to_owned());
        Batch { number: 1, name, collection, after: None, upto: "9".to_owned(), documents: 9, bytes: 90 }
    }

    fn part(pass: Pass, upto: Option<(&str, u64)>, counts: Counts) -> BatchDone {
        let reach = upto.map_or(Reach::End, |(id, documents)| Reach::Upto { id: id.to_owned(), documents });
        let (digest_before, digest_after) = ([1; 32], [2; 32]);
        let (written, troubles, at) = (vec![], vec![], Timestamp::from_millis(9));
        BatchDone { pass, number: 1, reach, digest_before, digest_after, written, counts, troubles, ms: 5, at }
    }

    fn wrote(done: u64) -> Counts {
        Counts { done, ..Counts::default() }
    }

    #[test]
    fn a_batch_that_is_done_in_part_is_counted_so_and_its_rest_is_what_is_undone() {
        let (_data, ledger) = ledger();
        ledger.put_batches(COPY, &[batch()]).unwrap();
        assert_eq!(ledger.settle(&part(COPY, Some(("4", 4)), wrote(3))).unwrap(), Settled::Now);
        assert_eq!(ledger.settle(&part(COPY, Some(("4", 4)), wrote(3))).unwrap(), Settled::Before);
        assert_eq!(ledger.settle(&part(COPY, Some(("3", 3)), wrote(3))).unwrap(), Settled::Before);
        let at = Some(Timestamp::from_millis(9));
        assert_eq!(ledger.progressed(PhaseName::Copy).unwrap(), Progressed { batches: (0, 1), documents: (4, 9), at });
        let rest = Batch { after: Some("4".to_owned()), documents: 5, ..batch() };
        assert_eq!(ledger.undone(COPY, 0, 10).unwrap(), std::slice::from_ref(&rest));
        ledger.put_batches(COPY, &[batch()]).unwrap();
        assert_eq!(ledger.undone(COPY, 0, 10).unwrap(), [rest], "the same batch goes on");
        let first = ledger.folded(COPY).unwrap();
        assert_eq!(ledger.settle(&part(COPY, None, wrote(5))).unwrap(), Settled::Now);
        assert_eq!(ledger.settle(&part(COPY, Some(("8", 1)), wrote(1))).unwrap(), Settled::Before);
        let counts = ledger.counts(PhaseName::Copy).unwrap();
        assert_eq!((counts.planned, counts.done), (9, 8));
        assert_eq!(ledger.progressed_in(COPY).unwrap().documents, (9, 9));
        assert_ne!(ledger.folded(COPY).unwrap(), first);
    }

    #[test]
    fn another_batch_of_the_same_number_begins_anew() {
        let (_data, ledger) = ledger();
        ledger.put_batches(COPY, &[batch()]).unwrap();
        ledger.settle(&part(COPY, Some(("4", 4)), wrote(4))).unwrap();
        let other = Batch { upto: "7".to_owned(), documents: 6, ..batch() };
        ledger.put_batches(COPY, std::slice::from_ref(&other)).unwrap();
        assert_eq!(ledger.undone(COPY, 0, 10).unwrap(), [other]);
    }

    #[test]
    fn what_a_later_pass_wrote_again_is_planned_once() {
        let (_data, ledger) = ledger();
        ledger.put_batches(COPY, &[batch()]).unwrap();
        ledger.settle(&part(COPY, None, wrote(9))).unwrap();
        let later = Pass { round: 1, ..COPY };
        ledger.put_batches(later, &[batch()]).unwrap();
        assert_eq!(ledger.counts(PhaseName::Copy).unwrap().planned, 18);
        ledger.settle(&part(later, Some(("4", 4)), wrote(1))).unwrap();
        ledger.settle(&part(later, None, wrote(1))).unwrap();
        let counts = ledger.counts(PhaseName::Copy).unwrap();
        assert_eq!((counts.planned, counts.settled()), (11, 11));
    }
}
