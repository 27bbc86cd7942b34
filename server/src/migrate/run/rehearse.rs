//! The rehearsal: every batch of the plan, computed as it will be, and nothing written.

use std::sync::Arc;

use stella_protocol::Text;
use stella_protocol::migration::{PhaseName, TroubleKind};

use super::copy::batch::{Bench, Mode};
use super::copy::hand::Hand;
use super::copy::lanes::work_off;
use super::ledger::{Ledger, Pass};
use super::site::{Ended, Run, mapping};
use crate::migrate::Event;

/// Of so many documents, one may be another by now: 0.1 %.
const ONE_OF: u64 = 1000;
/// Fewer say nothing: a small store has more than that in an hour.
const FEW: u64 = 10;

/// Rehearses, from the beginning.
///
/// # Errors
/// When the store or the ledger does not answer.
pub async fn rehearse(run: &Run) -> Result<Event, Ended> {
    let plan = run.plan().await?;
    let pass = Pass::of(PhaseName::Rehearse);
    run.ask(move |ledger| {
        ledger.forget(PhaseName::Rehearse)?;
        ledger.forget_troubles(TroubleKind::Parked)?;
        ledger.take_plan(pass)
    })
    .await?;
    let hand = Hand {
        map: Arc::clone(&run.site.map),
        mapping: mapping(&plan)?,
        ledger: Arc::clone(&run.ledger),
        backup: None,
        whole: None,
    };
    let bench = Bench::new(pass, Mode::Compute, Arc::new(hand));
    work_off(run, &bench).await?;
    let summary = run.ask(Ledger::plan).await?.map(|(_, summary)| summary);
    let documents = summary.map_or(0, |summary| summary.documents);
    let drifted = bench.drifted();
    if drifted > FEW && drifted.saturating_mul(ONE_OF) > documents {
        let why = format!("{drifted} of {documents} documents changed since it was planned");
        run.log(why.clone()).await?;
        return Ok(Event::Drifted(Text::new(why)));
    }
    let counts = run.counts(PhaseName::Rehearse).await?;
    run.log(format!("rehearsed: {} computed, {} would be left alone, none written", counts.done, counts.parked))
        .await?;
    Ok(Event::Rehearsed { fence: run.fence, found: Ok(counts) })
}
