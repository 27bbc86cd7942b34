//! The backup: every document that will change is copied away, and read back, before anything is written.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use stella_protocol::migration::{Counts, PhaseName, TroubleKind};

use super::backup::Backup;
use super::copy::batch::{Bench, Mode};
use super::copy::hand::{Deed, Hand, target};
use super::copy::lanes::settle;
use super::copy::tally::Tally;
use super::ledger::{Batch, BatchDone, Fold, Pass, Reach, content_digest};
use super::site::walk::PAGE;
use super::site::{Ended, Run, apart, mapping};
use crate::documents::Document;
use crate::migrate::Event;

/// Batches that are fetched at once.
const FETCH: usize = 32;

/// Copies away, from the beginning: what an earlier try left is of no use, since nothing was written yet.
///
/// # Errors
/// When the store, the ledger or the disk does not do it.
pub async fn secure(run: &Run) -> Result<Event, Ended> {
    let plan = run.plan().await?;
    if plan.key_id != run.site.mint.name() {
        return Err(Ended::broke(format!(
            "the plan's ids were made with key {}, this server has another",
            plan.key_id
        )));
    }
    let backup = Arc::new(begin(run).await?);
    let pass = Pass::of(PhaseName::Backup);
    let hand = Hand {
        map: Arc::clone(&run.site.map),
        mapping: mapping(&plan)?,
        ledger: Arc::clone(&run.ledger),
        backup: None,
        whole: None,
    };
    let bench = Bench::new(pass, Mode::Compute, Arc::new(hand));
    let mut last = 0;
    loop {
        let batches = run.ask(move |ledger| ledger.undone(pass, last, FETCH)).await?;
        let Some(end) = batches.last() else { break };
        last = end.number;
        for batch in batches {
            run.check()?;
            let done = one(run, &bench, &backup, &batch).await?;
            settle(run, done, &batch.collection).await?;
        }
    }
    let now = run.site.clock.now();
    let summary = apart(move || Ok(backup.finish(now)?)).await?;
    run.log(format!("{} documents copied away in {} parts, read back", summary.documents, summary.parts)).await?;
    Ok(Event::BackedUp { fence: run.fence, found: Ok(summary) })
}

async fn begin(run: &Run) -> Result<Backup, Ended> {
    let (site, id, ledger) = (Arc::clone(&run.site), run.id.clone(), Arc::clone(&run.ledger));
    apart(move || {
        if !ledger.written_after(None, 1)?.is_empty() {
            return Err(Ended::broke("documents were written already: its backup is not made anew"));
        }
        match fs::remove_dir_all(site.data.join("backups").join(id.as_str())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Ended::broke(format!("failed to remove an unfinished backup: {error}")));
            }
            _ => {}
        }
        ledger.forget(PhaseName::Backup)?;
        ledger.forget_troubles(TroubleKind::Parked)?;
        ledger.take_plan(Pass::of(PhaseName::Backup))?;
        Ok(Backup::create(&site.data, &id, &site.backup_key, ledger)?)
    })
    .await
}

/// Copies away what a batch would change, and what stands in its way.
async fn one(run: &Run, bench: &Bench, backup: &Arc<Backup>, batch: &Batch) -> Result<BatchDone, Ended> {
    let begun = Instant::now();
    let (mut fold, mut counts, mut after) = (Fold::default(), Counts::default(), batch.after.clone());
    loop {
        run.check()?;
        let mut page = run.scan(&batch.collection, after.as_deref(), PAGE).await?;
        page.documents.retain(|document| document.key.id <= batch.upto);
        let mut tally = Tally::default();
        bench.page(run, page.documents, &mut tally).await?;
        let mut images: Vec<Document> = Vec::new();
        for told in tally.told {
            if told.deed == Deed::Nothing {
                continue;
            }
            counts.done += 1;
            fold.take(&told.document.key, &content_digest(&told.document.fields));
            if let Some(key) = target(&told.document, &told.rewritten)
                && let Some(there) = run.get(key).await?
            {
                images.push(there);
            }
            images.push(told.document);
        }
        let backup = Arc::clone(backup);
        apart(move || Ok(backup.append(&images)?)).await?;
        match page.next.filter(|next| *next < batch.upto) {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let digest = fold.done();
    Ok(BatchDone {
        pass: bench.pass,
        number: batch.number,
        reach: Reach::End,
        digest_before: digest,
        digest_after: digest,
        written: Vec::new(),
        counts,
        troubles: Vec::new(),
        ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        at: run.site.clock.now(),
    })
}
