//! A migration of user ids, from the first look to the last: documents a second beside the store itself with
//! the same writes, and how soon it goes on after it was cut off in the middle.
//!
//! The server's own library on files in a temporary folder, in this process, with a conductor, a hub and a
//! clock as a server has them. What a server needs in memory, `migration-memory` says: there it is a process of
//! its own.

mod bare;
mod place;
pub mod world;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::Utc;
use clap::Args;
use stella_protocol::migration::PhaseName;
use stella_protocol::{MigrationStatus, MigrationVerb};
use stella_server::Clock;
use stella_server::documents::embedded::Embedded;
use stella_server::migrate::run::ledger::{Pass, Progressed};

use crate::figures::{Bound, Figure, Report, Statistic};
use place::{LOOK, Place, Process, id};
use world::World;

/// Share of the limit that was promised.
const SHARE: f64 = 0.70;
/// Going on that was promised, in milliseconds.
const RESUME_MS: f64 = 100.0;
/// At this share of it, it is cut off.
const CUT: f64 = 0.5;
/// How often it is looked at what stands, where it is about moments.
const SOON: Duration = Duration::from_millis(1);

/// How much.
#[derive(Debug, Args)]
pub struct Options {
    /// Documents in the store.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1000..))]
    documents: u64,
}

/// What the copy gave.
struct Copied {
    documents: u64,
    /// The plan's batches; what passed between the cut and the next batch is not in it.
    batches: Duration,
    /// The pass over everything after them.
    closing: Duration,
    resumed: Duration,
}

/// Measures.
///
/// # Errors
/// When the migration does not come to its end.
pub async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("migration");
    let folder = tempfile::tempdir().context("make a folder")?;
    let [documents, twin, data] = ["documents", "twin", "data"].map(|name| folder.path().join(name));
    for folder in [&documents, &twin, &data] {
        fs::create_dir(folder).context("make a folder")?;
    }
    build(&documents, World::of(usize::try_from(options.documents)?))?;
    duplicate(&documents, &twin)?;
    let place = Place::open(&documents, &data)?;
    let process = place.start()?;
    before_the_copy(&place, &process, &mut report).await?;
    let (process, copied) = copy(&place, process).await?;
    phase(&process, "verify", MigrationStatus::Verified, &mut report).await?;
    let counts = process.migration()?.counts;
    process.abort().await?;
    let before = Embedded::open(&twin, Clock::system()).context("open the twin")?;
    let limit = bare::write(&before, &place.documents).await?;
    say(&mut report, &copied, limit);
    report.note(format!(
        "{} documents; written {}, skipped {}, left alone {}, refused {}; limit: {} documents, batches of 500",
        options.documents, counts.done, counts.skipped, counts.parked, counts.failed, limit.0
    ));
    Ok(report)
}

/// Makes a store with these documents.
///
/// # Errors
/// When it does not take them.
pub fn build(folder: &Path, world: World) -> anyhow::Result<()> {
    let store = Embedded::open(folder, Clock::scripted(Utc::now().into())).context("open the documents")?;
    store.import(world).map(drop).context("take the documents in")
}

/// The same files once more. Nobody has them open.
fn duplicate(from: &Path, to: &Path) -> anyhow::Result<()> {
    for file in fs::read_dir(from).context("list the files of the documents")? {
        let file = file.context("list the files of the documents")?;
        fs::copy(file.path(), to.join(file.file_name())).context("copy the documents")?;
    }
    Ok(())
}

/// Up to where documents are written.
async fn before_the_copy(place: &Place, process: &Process, report: &mut Report) -> anyhow::Result<()> {
    process.propose(place).await?;
    phase(process, "scan", MigrationStatus::Planned, report).await?;
    process.says(place, MigrationVerb::Rehearse).await?;
    phase(process, "rehearsal", MigrationStatus::Rehearsed, report).await?;
    process.says(place, MigrationVerb::Approve).await?;
    process.says(place, MigrationVerb::Start).await?;
    phase(process, "backup, read back, and canary", MigrationStatus::Copying, report).await
}

/// Waits for the end of a phase.
async fn phase(process: &Process, name: &str, ends: MigrationStatus, report: &mut Report) -> anyhow::Result<()> {
    let begun = Instant::now();
    process.until(ends, LOOK).await?;
    report.add(Figure::one(format!("{name}: time"), "s", begun.elapsed().as_secs_f64()));
    Ok(())
}

/// The copy, cut off in the middle.
async fn copy(place: &Place, process: Process) -> anyhow::Result<(Process, Copied)> {
    let begun = Instant::now();
    reach(&process, CUT).await?;
    let mut batches = begun.elapsed();
    process.abort().await?;
    place.skip_lease();
    let cut = Instant::now();
    let process = place.start()?;
    let at = so_far(&process)?.batches.0;
    while so_far(&process)?.batches.0 == at {
        process.going()?;
        tokio::time::sleep(SOON).await;
    }
    let resumed = cut.elapsed();
    let goes_on = Instant::now();
    reach(&process, 1.0).await?;
    batches += goes_on.elapsed();
    let closing = Instant::now();
    let documents = so_far(&process)?.documents.0;
    while process.going()?.status == MigrationStatus::Copying {
        tokio::time::sleep(LOOK).await;
    }
    let closing = closing.elapsed();
    Ok((process, Copied { documents, batches, closing, resumed }))
}

/// What the ledger has of the plan's batches.
fn so_far(process: &Process) -> anyhow::Result<Progressed> {
    let ledger = process.site.ledger(&id()?).context("open the ledger")?;
    ledger.progressed_in(Pass::of(PhaseName::Copy)).context("read the ledger")
}

/// Waits until this share of the batches is done.
async fn reach(process: &Process, share: f64) -> anyhow::Result<()> {
    loop {
        let (done, all) = so_far(process)?.batches;
        if all > 0 && done as f64 >= share * all as f64 {
            return Ok(());
        }
        process.going()?;
        tokio::time::sleep(LOOK).await;
    }
}

fn say(report: &mut Report, copied: &Copied, (documents, took): (u64, Duration)) {
    let a_second = |documents: u64, took: Duration| documents as f64 / took.as_secs_f64();
    let limit = a_second(documents, took);
    let batches = a_second(copied.documents, copied.batches);
    let whole = a_second(copied.documents, copied.batches + copied.closing);
    report.add(Figure::one("the store itself, the same writes (limit)", "documents/s", limit));
    report.add(Figure::one("copy, its batches", "documents/s", batches));
    report.add(Figure::one("copy, with its last pass over everything", "documents/s", whole));
    let share = Figure::one("copy, its batches: share of the limit", "x", batches / limit);
    report.add(share.held_to(Statistic::Max, Bound::AtLeast(SHARE)));
    report.add(Figure::one("copy, with its last pass: share of the limit", "x", whole / limit));
    let resumed = Figure::one("start after the cut (lease over) to the next batch kept", "ms", millis(copied.resumed));
    report.add(resumed.held_to(Statistic::Max, Bound::AtMost(RESUME_MS)));
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}
