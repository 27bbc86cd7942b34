//! The copy: every batch of the plan, then passes over everything until one finds no old id any more.
//!
//! Writers may go on meanwhile, in old and in new form: what they write after their document was passed is
//! found by a later pass. A writer that never stops writing old ids stops the copy instead, with its words.

pub mod batch;
pub mod chart;
pub mod hand;
pub mod known;
pub mod lanes;
pub mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;

use stella_protocol::migration::PhaseName;

use super::ledger::Pass;
use super::site::walk::Walk;
use super::site::{Ended, Run, mapping};
use crate::migrate::{Event, Rewritten};
use batch::{Bench, Mode};
use chart::Chart;
use hand::{Deed, Hand};
use lanes::work_off;
use tally::Tally;

/// Passes that find something, before it is a person's turn.
const PASSES: u32 = 5;
/// Collections that are named in a reason.
const NAMED: usize = 5;

/// Copies.
///
/// # Errors
/// When it is stopped, or stops itself.
pub async fn copy(run: &Run) -> Result<Event, Ended> {
    let plan = run.plan().await?;
    let hand = Arc::new(Hand {
        map: Arc::clone(&run.site.map),
        mapping: mapping(&plan)?,
        ledger: Arc::clone(&run.ledger),
        backup: Some(run.backup().await?),
        whole: None,
    });
    let first = Pass::of(PhaseName::Copy);
    run.ask(move |ledger| ledger.take_plan(first)).await?;
    work_off(run, &Bench::new(first, Mode::Write, Arc::clone(&hand))).await?;
    close(run, &hand).await?;
    Ok(Event::Copied { fence: run.fence, counts: run.counts(PhaseName::Copy).await? })
}

/// Looks everywhere for what is left, and writes it, until nothing is.
async fn close(run: &Run, hand: &Arc<Hand>) -> Result<(), Ended> {
    let mut round = 0;
    for _ in 0..=PASSES {
        let pass = loop {
            round += 1;
            let pass = Pass { phase: PhaseName::Copy, round };
            let there = run.ask(move |ledger| ledger.progressed_in(pass)).await?;
            if there.batches.1 == 0 {
                break pass;
            }
            // A life before found it.
            work_off(run, &Bench::new(pass, Mode::Write, Arc::clone(hand))).await?;
        };
        let found = find(run, hand, pass).await?;
        if found.is_empty() {
            return Ok(());
        }
        let documents: u64 = found.values().sum();
        run.log(format!("pass {round} over everything: {documents} documents still held old ids")).await?;
        work_off(run, &Bench::new(pass, Mode::Write, Arc::clone(hand))).await?;
        run.voice.hold(None);
        if pass_is_last(round) {
            return Err(writers(&found));
        }
    }
    Ok(())
}

/// After so many passes that found something it stops; a person who resumes it gives it as many again.
fn pass_is_last(round: u32) -> bool {
    round.is_multiple_of(PASSES)
}

fn writers(found: &BTreeMap<String, u64>) -> Ended {
    let mut worst: Vec<(&String, &u64)> = found.iter().collect();
    worst.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let named: Vec<String> = worst.iter().take(NAMED).map(|(name, count)| format!("{name} ({count})")).collect();
    Ended::broke(format!(
        "old ids are still being written, after {PASSES} passes: {}; let their writers use new ids, then resume",
        named.join(", ")
    ))
}

/// Looks at everything and keeps what is left as batches of a pass; how many documents of which collection.
async fn find(run: &Run, hand: &Arc<Hand>, pass: Pass) -> Result<BTreeMap<String, u64>, Ended> {
    let looks = Bench::new(pass, Mode::Compute, Arc::clone(hand));
    let (mut chart, mut found) = (Chart::new(run.site.pace.batch), BTreeMap::new());
    let mut walk = Walk::begin(run).await?;
    while let Some(page) = walk.next(run).await? {
        let Some(collection) = run.site.map.collection(&page.collection) else { continue };
        let mut tally = Tally::default();
        looks.page(run, page.documents, &mut tally).await?;
        for told in tally.told.iter().filter(|told| !is_marked_alone(&told.rewritten)) {
            let size = match &told.deed {
                Deed::Nothing | Deed::Skip(_) => continue,
                Deed::Write(work) | Deed::Known(work) => work.bytes,
                Deed::Park(_) => 0,
            };
            chart.add(&collection.name, &page.collection, &told.document.key.id, size);
            *found.entry(collection.name.clone()).or_default() += 1;
        }
    }
    let batches = chart.done();
    run.ask(move |ledger| ledger.put_batches(pass, &batches)).await?;
    Ok(found)
}

/// What is written for an archived id meanwhile holds no old id: it is left, and listed by the check.
fn is_marked_alone(rewritten: &Rewritten) -> bool {
    matches!(rewritten, Rewritten::Changed(changed) if changed.changes.is_empty())
}
