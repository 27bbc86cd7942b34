//! The limit: what the store itself takes for the same conditional writes in batches of the same size. Only
//! its answers to writes are timed; what is to be written is found out between them.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use stella_server::documents::embedded::Embedded;
use stella_server::documents::{DocumentWrite, Documents, Expect, Leave, Written};

/// Writes of a batch: as many as a migration's.
const BATCH: usize = 500;

/// Writes into `before`, which is as everything was, whatever is other in `after`: documents, and how long
/// that took.
///
/// # Errors
/// When a store does not answer, or something else stands in `before`.
pub async fn write(before: &Embedded, after: &Embedded) -> anyhow::Result<(u64, Duration)> {
    let (mut documents, mut took) = (0, Duration::ZERO);
    for collection in after.collections(None).await.context("list the collections")? {
        let (mut last, mut writes) = (None::<String>, Vec::new());
        loop {
            let page = after.scan(&collection, last.as_deref(), BATCH).await.context("read a page")?;
            for document in page.documents {
                let there = before.get(&document.key).await.context("read a document")?;
                if there.as_ref().is_some_and(|there| there.fields == document.fields) {
                    continue;
                }
                let expect = there.map_or(Expect::Absent, |there| Expect::Version(there.version));
                writes.push(DocumentWrite { key: document.key, expect, leave: Leave::Fields(document.fields) });
            }
            let end = page.next.is_none();
            while writes.len() >= BATCH || (end && !writes.is_empty()) {
                let rest = writes.split_off(writes.len().min(BATCH));
                let batch = std::mem::replace(&mut writes, rest);
                documents += batch.len() as u64;
                took += one(before, batch).await?;
            }
            last = page.next;
            if end {
                break;
            }
        }
    }
    Ok((documents, took))
}

async fn one(store: &Embedded, batch: Vec<DocumentWrite>) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let written = store.write(batch).await.context("write a batch")?;
    let took = begun.elapsed();
    ensure!(written.iter().all(|one| matches!(one, Written::Done(_))), "write a batch: something else stands there");
    Ok(took)
}
