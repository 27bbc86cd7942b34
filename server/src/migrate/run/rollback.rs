//! The way back: what was written last goes first; what others changed since stays as they left it, and is
//! listed.

use std::sync::Arc;

use futures_util::future::{try_join, try_join_all};
use stella_protocol::Text;
use stella_protocol::migration::TroubleKind;

use super::backup::Backup;
use super::ledger::{Back, How, Ledger, NewTrouble, Standing, WrittenBack};
use super::site::reach::Put;
use super::site::{Ended, Run, apart};
use crate::documents::{Document, DocumentKey, DocumentWrite, Expect, Leave};
use crate::migrate::Event;

/// Most documents that are put back together.
const TOGETHER: usize = 500;
/// Documents that are read at once.
const AT_ONCE: usize = 16;
/// Most bytes that are put back together.
const BYTES: usize = 3_500_000;

/// Takes it back.
///
/// # Errors
/// When the store, the ledger or the backup does not answer: what was put back until then is known.
pub async fn roll_back(run: &Run) -> Result<Event, Ended> {
    say(run).await?;
    let backup = run.known_backup().await?;
    loop {
        run.check_ours()?;
        // One write of the store each, so that it is seen to go.
        let most = run.most_writes().min(TOGETHER);
        let rows = run.ask(move |ledger| ledger.written_backwards(None, most)).await?;
        if rows.is_empty() {
            break;
        }
        together(run, backup.as_ref(), rows).await?;
        say(run).await?;
    }
    let (back, kept, _) = run.ask(Ledger::rolled_back).await?;
    run.log(format!("rolled back: {back} documents put back, {kept} kept as others changed them")).await?;
    Ok(Event::RolledBack { fence: run.fence, done: Ok((back, kept)) })
}

async fn say(run: &Run) -> Result<(), Ended> {
    let (back, kept, left) = run.ask(Ledger::rolled_back).await?;
    run.voice.at(back + kept, back + kept + left, "");
    Ok(())
}

/// A document, and what it is to be again; None: nothing.
struct Way {
    row: Standing,
    before: Option<Document>,
    write: Option<DocumentWrite>,
}

async fn together(run: &Run, backup: Option<&Arc<Backup>>, rows: Vec<Standing>) -> Result<(), Ended> {
    let mut back = WrittenBack { documents: Vec::new(), troubles: Vec::new(), at: run.site.clock.now() };
    let mut ways: Vec<Way> = Vec::new();
    let mut bytes = 0;
    for (row, before, now) in looked_at(run, backup, rows).await? {
        match aim(&row, before.as_ref(), now.as_ref()) {
            Aim::Is(how, why) => note(&mut back, &row.document.key, how, why),
            Aim::Write(write) => {
                let size = match &write.leave {
                    Leave::Fields(fields) => serde_json::to_vec(fields).map_or(0, |text| text.len()),
                    Leave::Nothing => 0,
                };
                if bytes + size > BYTES && !ways.is_empty() {
                    put_back(run, std::mem::take(&mut ways), &mut back).await?;
                    bytes = 0;
                }
                bytes += size;
                ways.push(Way { row, before, write: Some(write) });
            }
        }
    }
    put_back(run, ways, &mut back).await?;
    run.ask(move |ledger| ledger.mark_rolled_back(&back)).await
}

/// The documents as they were, and as they are: some at a time, since a store answers each on its own.
async fn looked_at(
    run: &Run,
    backup: Option<&Arc<Backup>>,
    rows: Vec<Standing>,
) -> Result<Vec<(Standing, Option<Document>, Option<Document>)>, Ended> {
    let mut looked = Vec::with_capacity(rows.len());
    for some in rows.chunks(AT_ONCE) {
        run.check_ours()?;
        let each = some.iter().map(|row| try_join(image(backup, row), run.get(&row.document.key)));
        let found = try_join_all(each).await?;
        looked.extend(some.iter().cloned().zip(found).map(|(row, (before, now))| (row, before, now)));
    }
    Ok(looked)
}

async fn put_back(run: &Run, mut ways: Vec<Way>, back: &mut WrittenBack) -> Result<(), Ended> {
    let writes = ways.iter_mut().filter_map(|way| way.write.take()).collect();
    let answers = run.put(writes).await?;
    for (way, answer) in ways.into_iter().zip(answers) {
        let key = &way.row.document.key;
        match answer {
            Put::Done(_) => note(back, key, Back::PutBack, None),
            Put::Refused(why) => {
                return Err(Ended::broke(format!("the store refused to put a document back: {why}")));
            }
            // Somebody was faster; what stands there now tells whether that was a life before.
            Put::Conflict(now) => match aim(&way.row, way.before.as_ref(), now.as_deref()) {
                Aim::Is(how, why) => note(back, key, how, why),
                Aim::Write(_) => note(back, key, Back::Kept, Some("others changed it while it was put back")),
            },
        }
    }
    Ok(())
}

async fn image(backup: Option<&Arc<Backup>>, row: &Standing) -> Result<Option<Document>, Ended> {
    let Some(backup) = backup.cloned() else { return Ok(None) };
    let key = row.document.key.clone();
    apart(move || Ok(backup.get(&key)?)).await
}

fn note(back: &mut WrittenBack, key: &DocumentKey, how: Back, why: Option<&str>) {
    back.documents.push((key.clone(), how));
    if let Some(why) = why {
        let what = Text::new(why.to_owned());
        back.troubles.push(NewTrouble { kind: TroubleKind::Kept, document: key.clone(), what });
    }
}

enum Aim {
    /// Nothing is to be written.
    Is(Back, Option<&'static str>),
    Write(DocumentWrite),
}

/// What is to be done with a document that stands so.
fn aim(row: &Standing, before: Option<&Document>, now: Option<&Document>) -> Aim {
    let made = row.document.made || matches!(row.document.how, How::Alias | How::Placeholder);
    let ours = now.is_some_and(|now| now.version == row.document.version);
    match (before, now) {
        (Some(before), Some(now)) if now.fields == before.fields => Aim::Is(Back::PutBack, None),
        (None, None) if made => Aim::Is(Back::PutBack, None),
        (_, None) => Aim::Is(Back::Kept, Some("others deleted it since it was written")),
        (None, Some(_)) if !made && row.document.how == How::Created => {
            Aim::Is(Back::Kept, Some("others made it: it was found under its new id, not written"))
        }
        (None, Some(_)) if !made => Aim::Is(Back::Kept, Some("the backup has no image of it")),
        (_, Some(_)) if !ours => Aim::Is(Back::Kept, Some("others changed it since it was written")),
        (before, Some(now)) => Aim::Write(DocumentWrite {
            key: now.key.clone(),
            expect: Expect::Version(now.version),
            leave: before.map_or(Leave::Nothing, |before| Leave::Fields(before.fields.clone())),
        }),
    }
}
