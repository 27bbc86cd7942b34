//! Documents that a migration makes of nothing: aliases, and user documents for ids without a user.
//!
//! In batches, in the ledger: a life that goes on finds what is left to do, and a rollback takes them away with
//! the rest.

use stella_protocol::migration::PhaseName;

use super::copy::hand::Fields;
use super::copy::lanes::settle;
use super::cutover::Done;
use super::ledger::{Batch, How, Pass, Reach, WrittenDocument, content_digest};
use super::site::reach::Put;
use super::site::{ALIASES, Ended, Run, apart};
use crate::documents::{DocumentKey, DocumentWrite, Expect, Leave};
use crate::migrate::Plan;
use crate::migrate::placeholder::placeholders;

/// Tries of a document that others are faster than.
const TRIES: u32 = 5;

/// What they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// An alias, or the document that names the run: it replaces that of an earlier run.
    Alias,
    /// A user document: where another stands, that is somebody's.
    Placeholder,
}

impl Own {
    /// Where they stand.
    fn collection(self, run: &Run) -> String {
        match self {
            Self::Alias => ALIASES.to_owned(),
            Self::Placeholder => run.site.map.users.collection.clone(),
        }
    }

    fn how(self) -> How {
        match self {
            Self::Alias => How::Alias,
            Self::Placeholder => How::Placeholder,
        }
    }
}

/// Makes a user document for each id without a user that is to have one, before anything refers to it.
///
/// # Errors
/// When the store, the ledger or the backup does not answer, or somebody else made one of them meanwhile.
pub async fn make_placeholders(run: &Run, plan: &Plan) -> Result<(), Ended> {
    let made = placeholders(plan, &run.site.map.users, &run.id, run.state()?.migration.created_at);
    if made.is_empty() {
        return Ok(());
    }
    let count = made.len();
    let most = run.site.pace.batch.max(1);
    let all: Vec<(DocumentKey, Fields)> = made.into_iter().collect();
    let pieced: Vec<Piece> = all.chunks(most).map(<[_]>::to_vec).collect();
    pieces(run, Own::Placeholder, Pass { phase: PhaseName::Canary, round: 1 }, &pieced).await?;
    run.log(format!("{count} placeholders stand")).await
}

/// Documents of our own that are a batch.
pub type Piece = Vec<(DocumentKey, Fields)>;

/// A piece as a batch of the ledger.
pub fn batch_of(collection: &str, number: u64, piece: &Piece) -> Batch {
    Batch {
        number,
        name: collection.to_owned(),
        collection: collection.to_owned(),
        after: None,
        upto: piece.last().map_or_else(String::new, |(key, _)| key.id.clone()),
        documents: piece.len() as u64,
        bytes: 0,
    }
}

/// Writes documents, a batch each.
///
/// # Errors
/// When the store, the ledger or the backup does not answer, or somebody else's stands in the way.
pub async fn pieces(run: &Run, own: Own, pass: Pass, all: &[Piece]) -> Result<(), Ended> {
    let name = own.collection(run);
    let batches: Vec<Batch> = (1..).zip(all).map(|(number, piece)| batch_of(&name, number, piece)).collect();
    run.ask(move |ledger| ledger.put_batches(pass, &batches)).await?;
    for (number, piece) in (1..).zip(all) {
        write_piece(run, own, pass, number, piece).await?;
    }
    Ok(())
}

/// Writes what is left of a batch that the ledger knows.
///
/// # Errors
/// When the store, the ledger or the backup does not answer, or somebody else's stands in the way.
pub async fn write_piece(run: &Run, own: Own, pass: Pass, number: u64, piece: &Piece) -> Result<(), Ended> {
    run.check()?;
    let undone = run.ask(move |ledger| ledger.undone(pass, number - 1, 1)).await?;
    let Some(batch) = undone.into_iter().next().filter(|batch| batch.number == number) else { return Ok(()) };
    let left = piece.iter().position(|(key, _)| batch.after.as_ref().is_none_or(|after| key.id > *after));
    let left = &piece[left.unwrap_or(piece.len())..];
    let mut writes = left.chunks(run.most_writes()).peekable();
    loop {
        let mut done = Done::begin(pass, number);
        let some = writes.next().unwrap_or_default();
        write(run, own, some, &mut done).await?;
        let upto = some.last().filter(|_| writes.peek().is_some());
        let reach = upto.map(|(key, _)| Reach::Upto { id: key.id.clone(), documents: some.len() as u64 });
        let is_last = reach.is_none();
        let mut done = done.end(run, reach.unwrap_or(Reach::End));
        if own == Own::Placeholder {
            // The plan counts documents that it changes or moves, and these are neither.
            done.counts.done = 0;
        }
        settle(run, done, &batch.collection).await?;
        if is_last {
            return Ok(());
        }
        run.check()?;
    }
}

/// Together where nothing stands, one by one where something does.
async fn write(run: &Run, own: Own, piece: &[(DocumentKey, Fields)], done: &mut Done) -> Result<(), Ended> {
    let absent = |(key, fields): &(DocumentKey, Fields)| DocumentWrite {
        key: key.clone(),
        expect: Expect::Absent,
        leave: Leave::Fields(fields.clone()),
    };
    let answers = run.put(piece.iter().map(absent).collect()).await?;
    for ((key, fields), answer) in piece.iter().zip(answers) {
        match answer {
            Put::Done(version) => made(done, own, key, (version, None), fields),
            _ => one(run, own, (key, fields), done).await?,
        }
    }
    Ok(())
}

/// Made; replaced where an earlier run left its own; known where a life before made it.
async fn one(run: &Run, own: Own, (key, fields): (&DocumentKey, &Fields), done: &mut Done) -> Result<(), Ended> {
    for _ in 0..TRIES {
        let now = run.get(key).await?;
        if let Some(now) = now.as_ref().filter(|now| now.fields == *fields) {
            let of = key.clone();
            let row = run.ask(move |ledger| ledger.written(&of)).await?.filter(|row| row.back.is_none());
            if row.is_none_or(|row| row.document.version != now.version) {
                made(done, own, key, (now.version, None), fields);
            }
            return Ok(());
        }
        if let Some(now) = now.clone() {
            if own == Own::Placeholder {
                return placeholder_is_there(run, key).await;
            }
            let backup = run.backup().await?;
            apart(move || Ok(backup.append(std::slice::from_ref(&now))?)).await?;
        }
        let expect = now.as_ref().map_or(Expect::Absent, |now| Expect::Version(now.version));
        let write = DocumentWrite { key: key.clone(), expect, leave: Leave::Fields(fields.clone()) };
        match run.put(vec![write]).await?.pop() {
            Some(Put::Done(version)) => {
                made(done, own, key, (version, now.map(|now| now.version)), fields);
                return Ok(());
            }
            Some(Put::Refused(why)) => {
                return Err(Ended::broke(format!("the store refused {}: {why}", key.path())));
            }
            _ => {}
        }
    }
    Err(Ended::broke(format!("others keep writing {}", key.path())))
}

/// One that we made may have been edited since. One that we did not is somebody's.
async fn placeholder_is_there(run: &Run, key: &DocumentKey) -> Result<(), Ended> {
    let of = key.clone();
    let row = run.ask(move |ledger| ledger.written(&of)).await?;
    if row.is_some_and(|row| row.back.is_none() && row.document.how == How::Placeholder) {
        return Ok(());
    }
    Err(Ended::broke(format!("somebody else made {} meanwhile: roll back, and plan again", key.path())))
}

/// `version` after, and that of what stood there.
fn made(done: &mut Done, own: Own, key: &DocumentKey, (version, before): (u64, Option<u64>), fields: &Fields) {
    let (how, made) = (own.how(), before.is_none());
    let written = WrittenDocument { key: key.clone(), version, how, made, source: None, source_version: before };
    done.wrote(written, [0; 32], content_digest(fields));
}
