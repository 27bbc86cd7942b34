//! Works a pass off: several batches in flight, as many as the throttle lets. When somebody asks it to stop none
//! is begun any more, and those in flight end behind the store write that they are at.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use stella_protocol::migration::PhaseName;
use tokio::time::sleep;

use super::batch::Bench;
use crate::migrate::DataMap;
use crate::migrate::map::Collection;
use crate::migrate::run::ledger::{Batch, BatchDone, Ledger, Progressed};
use crate::migrate::run::site::{Ended, Run};

/// Batches that are fetched at once.
const FETCH: usize = 32;
/// How soon a wish to stop is heard at most.
const HEARD: Duration = Duration::from_millis(250);

/// The batches of a pass that are to be done.
struct Queue {
    fetched: VecDeque<Batch>,
    /// The number of the last that was fetched.
    last: u64,
    more: bool,
}

impl Queue {
    async fn refill(&mut self, run: &Run, bench: &Bench) -> Result<(), Ended> {
        if !self.fetched.is_empty() || !self.more {
            return Ok(());
        }
        let (pass, last) = (bench.pass, self.last);
        self.fetched = run.ask(move |ledger| ledger.undone(pass, last, FETCH)).await?.into();
        self.more = self.fetched.len() == FETCH;
        self.last = self.fetched.back().map_or(last, |batch| batch.number);
        Ok(())
    }
}

/// Does every batch of the pass that is not done.
///
/// # Errors
/// When somebody asked it to stop, after the writes in flight; when a batch could not be done.
pub async fn work_off(run: &Run, bench: &Bench) -> Result<(), Ended> {
    let mut queue = Queue { fetched: VecDeque::new(), last: 0, more: true };
    let mut flying = FuturesUnordered::new();
    let mut names: Vec<(u64, String)> = Vec::new();
    let mut ended: Option<Ended> = None;
    told(run, bench.pass.phase, "").await?;
    loop {
        ended = ended.or_else(|| run.check().err());
        while ended.is_none() && flying.len() < run.throttle().lanes() {
            queue.refill(run, bench).await?;
            let waits = |batch: &Batch| {
                moves(&bench.hand().map, &batch.name) && names.iter().any(|(_, name)| *name == batch.name)
            };
            let Some(batch) = queue.fetched.pop_front_if(|batch| !waits(batch)) else { break };
            names.push((batch.number, batch.name.clone()));
            flying.push(one(run, bench, batch));
            ended = run.check().err();
        }
        if flying.is_empty() && (ended.is_some() || (queue.fetched.is_empty() && !queue.more)) {
            run.voice.hold(None);
            return ended.map_or(Ok(()), Err);
        }
        tokio::select! {
            Some((batch, done)) = flying.next(), if !flying.is_empty() => {
                names.retain(|(one, _)| *one != batch.number);
                ended = ended.or(done.err());
            }
            () = sleep(HEARD) => {}
        }
    }
}

async fn one(run: &Run, bench: &Bench, batch: Batch) -> (Batch, Result<(), Ended>) {
    let done = bench.perform(run, &batch).await;
    (batch, done)
}

/// Tells the ledger, and says how far it is by then.
///
/// # Errors
/// When it does not take it: the batch is undone then.
pub async fn settle(run: &Run, done: BatchDone, collection: &str) -> Result<(), Ended> {
    run.check_ours()?;
    let phase = done.pass.phase;
    let settle = move |ledger: &Ledger| ledger.settle(&done).and_then(|_| ledger.progressed(phase));
    say(run, run.ask(settle).await?, collection);
    Ok(())
}

/// Says how far it is.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn told(run: &Run, phase: PhaseName, collection: &str) -> Result<(), Ended> {
    say(run, run.ask(move |ledger| ledger.progressed(phase)).await?, collection);
    Ok(())
}

fn say(run: &Run, so_far: Progressed, collection: &str) {
    run.voice.at(so_far.documents.0, so_far.documents.1, collection);
    run.voice.batches(so_far.batches, so_far.at);
}

/// Batches of collections whose documents move go one after the other.
fn moves(map: &DataMap, name: &str) -> bool {
    map.collections.iter().find(|one| one.name == name).is_some_and(Collection::moves)
}
