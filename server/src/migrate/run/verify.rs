//! The check of everything: every document of the store, and every one that was there or was written and is
//! gone. Reads only.
//!
//! What a document must be, [`crate::migrate::check`] says. It judges on a thread of its own, where it may
//! ask ledger and backup; documents come to it page by page.

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stella_protocol::Text;
use stella_protocol::migration::TroubleKind;
use tokio::sync::mpsc::{self, Sender};

use super::copy::hand::{Fields, Hand, target};
use super::ledger::{How, Ledger, Seen};
use super::queries;
use super::site::walk::{PAGE, Walk};
use super::site::{ALIASES, Ended, Run, apart, mapping};
use crate::documents::{Document, DocumentKey};
use crate::migrate::Event;
use crate::migrate::placeholder::placeholders;
use cases::{Bar, Item};

/// Pages that wait to be judged.
const WAITING: usize = 4;
/// Behind every id of a document.
const BEHIND_ALL: &str = "\u{10ffff}";

/// Looks at everything.
///
/// # Errors
/// When the store, the ledger or the backup does not answer.
pub async fn verify(run: &Run) -> Result<Event, Ended> {
    let plan = run.plan().await?;
    run.ask(|ledger| ledger.forget_troubles(TroubleKind::Differs)).await?;
    let backup = run.known_backup().await?;
    let hand = Arc::new(Hand {
        map: Arc::clone(&run.site.map),
        mapping: mapping(&plan)?,
        ledger: Arc::clone(&run.ledger),
        backup,
        whole: None,
    });
    let (items, judged) = mpsc::channel(WAITING);
    let bar = Bar {
        hand: Arc::clone(&hand),
        id: run.id.clone(),
        placeholders: placeholders(&plan, &run.site.map.users, &run.id, run.state()?.migration.created_at),
        olds: olds(&plan.mapping),
        listed: run.ask(listed).await?.into_iter().chain(plan.stays.iter().cloned()).collect(),
        clock: run.site.clock.clone(),
    };
    let judge = tokio::spawn(apart(move || bar.judge(judged)));
    let sent = send_all(run, &hand, items).await;
    let found = judge.await.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Ended::Lost,
    });
    let total = sent?;
    let mut found = found??;
    found.checks.push(Text::new(queries::after(run, &plan).await?));
    run.voice.at(total, total, "");
    run.log(format!("verified: {} documents, {} differences", found.documents, found.differences)).await?;
    Ok(Event::Verified { fence: run.fence, found })
}

/// The old ids of each id that stays.
fn olds(mapping: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let mut olds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (old, new) in mapping.iter().filter(|(old, new)| old != new) {
        olds.entry(new.clone()).or_default().push(old.clone());
    }
    olds
}

/// Ids without a user that are listed.
fn listed(ledger: &Ledger) -> Result<BTreeSet<String>, super::ledger::LedgerError> {
    let (mut listed, mut after) = (BTreeSet::new(), None);
    loop {
        let page = ledger.orphans(after.as_deref(), PAGE)?;
        listed.extend(page.items.iter().map(|orphan| orphan.id.raw().to_owned()));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(listed),
        }
    }
}

/// Sends every document to the judge; how many there are.
async fn send_all(run: &Run, hand: &Arc<Hand>, items: Sender<Item>) -> Result<u64, Ended> {
    let expected = run.ask(Ledger::plan).await?.map_or(0, |(_, summary)| summary.documents);
    let (mut walk, mut total) = (Walk::begin(run).await?, 0);
    let mut walked: BTreeSet<String> = BTreeSet::new();
    while let Some(page) = walk.next(run).await? {
        total += page.documents.len() as u64;
        let there = there(run, hand, &page.documents).await?;
        run.voice.at(total, expected.max(total), &page.collection);
        walked.insert(page.collection.clone());
        let (collection, range) = (page.collection, (page.after, page.upto));
        send(&items, Item::Page { collection, range, documents: page.documents, there }).await?;
    }
    send_lost_collections(run, &items, &walked).await?;
    send_lost_copies(run, &items).await?;
    send_left_behind(run, &items).await?;
    Ok(total)
}

async fn send(items: &Sender<Item>, item: Item) -> Result<(), Ended> {
    // A judge that is gone has said why.
    items.send(item).await.map_err(|_| Ended::broke("the check ended early"))
}

/// Of a page, documents that are to stand elsewhere: what was left there, else stands there, when it was not made
/// of them.
async fn there(run: &Run, hand: &Arc<Hand>, documents: &[Document]) -> Result<BTreeMap<DocumentKey, Fields>, Ended> {
    let goes = |one: &Document| Some((one.key.clone(), target(one, &hand.rewritten(one))?.clone()));
    let moving: Vec<(DocumentKey, DocumentKey)> = documents.iter().filter_map(goes).collect();
    let known = Arc::clone(hand);
    let (mut there, untouched) = apart(move || {
        let (mut there, mut untouched) = (BTreeMap::new(), Vec::new());
        for (from, to) in moving {
            match known.standing(&to)? {
                Some(row) if row.document.source.as_ref() == Some(&from) => {}
                Some(row) => there.extend(known.left(&row)?.map(|fields| (from, fields))),
                None => untouched.push((from, to)),
            }
        }
        Ok((there, untouched))
    })
    .await?;
    for (from, to) in untouched {
        if let Some(now) = run.get(&to).await? {
            there.insert(from, hand.fields_after(&now));
        }
    }
    Ok(there)
}

/// Documents of collections that were there and are not any more.
async fn send_lost_collections(run: &Run, items: &Sender<Item>, walked: &BTreeSet<String>) -> Result<(), Ended> {
    let mut last = DocumentKey::new("", "");
    loop {
        let from = last.clone();
        let found = run.ask(move |ledger| ledger.seen(Some(&from), 1)).await?;
        let Some(Seen { key, .. }) = found.into_iter().next() else { return Ok(()) };
        if !walked.contains(&key.collection) {
            let (collection, range) = (key.collection.clone(), (None, None));
            let item = Item::Page { collection, range, documents: Vec::new(), there: BTreeMap::new() };
            send(items, item).await?;
        }
        last = DocumentKey::new(key.collection, BEHIND_ALL);
    }
}

/// What was made and is gone.
async fn send_lost_copies(run: &Run, items: &Sender<Item>) -> Result<(), Ended> {
    let mut after: Option<DocumentKey> = None;
    loop {
        run.check()?;
        let from = after.clone();
        let rows = run.ask(move |ledger| ledger.written_after(from.as_ref(), PAGE)).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(last.document.key.clone());
        for row in rows {
            if row.back.is_some() || !row.document.made {
                continue;
            }
            let key = row.document.key;
            let was = key.clone();
            let seen = run.ask(move |ledger| ledger.seen_one(&was)).await?;
            if seen.is_none() && run.get(&key).await?.is_none() {
                send(items, Item::Gone(key)).await?;
            }
        }
    }
}

/// Aliases: they stand apart from the data, and are as they were written.
async fn send_left_behind(run: &Run, items: &Sender<Item>) -> Result<(), Ended> {
    let mut after = DocumentKey::new(ALIASES, "");
    loop {
        run.check()?;
        let from = after.clone();
        let rows = run.ask(move |ledger| ledger.written_after(Some(&from), PAGE)).await?;
        let mut last = None;
        for row in rows {
            if row.document.key.collection != ALIASES {
                continue;
            }
            last = Some(row.document.key.clone());
            if row.back.is_none() && row.document.how == How::Alias {
                let now = run.get(&row.document.key).await?;
                send(items, Item::Alias { row: row.document, now }).await?;
            }
        }
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}
