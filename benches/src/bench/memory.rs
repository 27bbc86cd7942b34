//! What a migration of user ids needs in memory: the real server as a process of its own, with a console on its
//! screen of migrations, through every phase up to the cut-over.
//!
//! Only the server is measured. The documents are made before it starts, and nothing of this program is in the
//! figures.

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use stella_protocol::migration::PhaseName;
use stella_protocol::{Migration, MigrationStatus};

use super::migration::build;
use super::migration::world::{self, World};
use super::{Bench, PATIENCE};
use crate::api::Api;
use crate::figures::{Bound, Figure, Report, Statistic};
use crate::process::{Server, forget_peak, peak_mib, resident_mib};
use crate::screen::{Session, Size};

/// What was promised of it, in MiB.
const PROMISED_MIB: f64 = 100.0;
/// From one look at it to the next.
const LOOK: Duration = Duration::from_millis(20);
/// Longest that nothing of it changes: a phase over a million documents.
const TOO_LONG: Duration = Duration::from_hours(1);
const SIZE: Size = Size(120, 36);

/// How much.
#[derive(Debug, Args)]
pub struct Options {
    /// Documents in the store.
    #[arg(long, default_value_t = 100_000, value_parser = at_least_1000)]
    documents: usize,
    /// Users; one in a hundred documents is one, if nobody says.
    #[arg(long)]
    users: Option<usize>,
}

fn at_least_1000(text: &str) -> Result<usize, String> {
    let documents: usize = text.parse().map_err(|_| "it is no number".to_owned())?;
    if documents >= 1000 { Ok(documents) } else { Err("fewer than 1000 say nothing".to_owned()) }
}

/// Measures.
///
/// # Errors
/// When a program does not do its part, or the migration does not come to its end.
pub fn run(bench: &Bench, options: &Options) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let (documents, map) = (folder.path().join("documents"), folder.path().join("map.toml"));
    fs::create_dir(&documents).context("make a folder")?;
    fs::write(&map, world::MAP).context("write the data map")?;
    let users = options.users.unwrap_or(options.documents / 100);
    build(&documents, World::of_people(options.documents, users))?;
    let mut config = String::new();
    let (at, map) = (documents.display().to_string(), map.display().to_string());
    write!(config, "[fixes]\ndocuments = {at:?}\n[migration]\ntarget = \"documents\"\nmap = {map:?}\ncanary = 2\n")?;
    let server = Server::configured(&bench.programs, &config)?;
    let url = server.url();
    let token = [("STELLA_TOKEN", server.admin.as_str())];
    let console = Session::start(&bench.programs.console, &["--server", &url], &token, SIZE)?;
    console.when("the link", PATIENCE, |screen| screen.contains("LIVE"))?;
    console.press("3")?;
    let mut course = Course::begin(server.pid())?;
    bench.runtime.block_on(drive(&Api::new(&server)?, &mut course))?;
    console.when("the migration", PATIENCE, |screen| screen.contains("mig-1"))?;
    Ok(course.report((options.documents, users), resident_mib(console.pid()?)?))
}

/// Takes it through its phases.
async fn drive(api: &Api, course: &mut Course) -> anyhow::Result<()> {
    let mut now = api.propose_migration().await?;
    course.look(&now)?;
    let mut since = Instant::now();
    loop {
        let verb = match now.status {
            _ if now.under_way.is_some() => None,
            MigrationStatus::Planned => Some("rehearse"),
            MigrationStatus::Rehearsed => Some("approve"),
            MigrationStatus::Approved => Some("start"),
            MigrationStatus::Verified => Some("cutover"),
            MigrationStatus::Soaking => return course.end(),
            _ => None,
        };
        if let Some(verb) = verb {
            api.migrate(&now, verb).await?;
        }
        tokio::time::sleep(LOOK).await;
        let before = now.status;
        now = api.migration(now.id.as_str()).await?;
        course.look(&now)?;
        if before != now.status {
            since = Instant::now();
        }
        stands_still(&now, since)?;
    }
}

/// What is under way, in a word.
fn under_way(now: &Migration) -> Option<&'static str> {
    if let Some(phase) = now.under_way {
        return Some(phase.word());
    }
    Some(match now.status {
        MigrationStatus::Draft => PhaseName::Scan.word(),
        MigrationStatus::BackingUp => PhaseName::Backup.word(),
        MigrationStatus::BackedUp => PhaseName::Canary.word(),
        MigrationStatus::Copying => PhaseName::Copy.word(),
        MigrationStatus::Verifying => PhaseName::Verify.word(),
        MigrationStatus::CuttingOver => PhaseName::CutOver.word(),
        _ => return None,
    })
}

fn stands_still(now: &Migration, since: Instant) -> anyhow::Result<()> {
    let stuck = [
        MigrationStatus::Halted,
        MigrationStatus::PlanFailed,
        MigrationStatus::BackupFailed,
        MigrationStatus::NeedsDecision,
    ];
    if stuck.contains(&now.status) || since.elapsed() > TOO_LONG {
        bail!("migrate: it is {:?}: {:?}", now.status, now.result);
    }
    Ok(())
}

/// One phase.
struct Part {
    name: String,
    took: Duration,
    /// Memory when it began, and the most in it, in MiB.
    first: f64,
    peak: f64,
}

/// What was seen so far.
struct Course {
    pid: u32,
    idle: f64,
    parts: Vec<Part>,
    open: Option<(String, Instant, f64)>,
}

impl Course {
    fn begin(pid: u32) -> anyhow::Result<Self> {
        forget_peak(pid)?;
        Ok(Self { pid, idle: resident_mib(pid)?, parts: Vec::new(), open: None })
    }

    /// It stands so.
    fn look(&mut self, now: &Migration) -> anyhow::Result<()> {
        let under_way = under_way(now).map(str::to_owned);
        if self.open.as_ref().map(|(name, ..)| name) == under_way.as_ref() {
            return Ok(());
        }
        self.end()?;
        forget_peak(self.pid)?;
        if let Some(name) = under_way {
            self.open = Some((name, Instant::now(), resident_mib(self.pid)?));
        }
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if let Some((name, begun, first)) = self.open.take() {
            self.parts.push(Part { name, took: begun.elapsed(), first, peak: peak_mib(self.pid)? });
        }
        Ok(())
    }

    fn report(self, (documents, users): (usize, usize), console: f64) -> Report {
        let mut report = Report::new("migration-memory");
        report.add(Figure::one("server at rest, before", "MiB", self.idle));
        let mut most = self.idle;
        for part in &self.parts {
            most = most.max(part.peak);
            report.add(Figure::one(format!("{}: time", part.name), "s", part.took.as_secs_f64()));
            report.add(Figure::one(format!("{}: peak", part.name), "MiB", part.peak));
            report.add(Figure::one(format!("{}: growth", part.name), "MiB", part.peak - part.first));
        }
        let peak = Figure::one("peak of all phases", "MiB", most);
        report.add(peak.held_to(Statistic::Max, Bound::AtMost(PROMISED_MIB)));
        report.add(Figure::one("console, at the end", "MiB", console));
        report.note(format!("{documents} documents, {users} users, each called by four ids; embedded store"));
        report
    }
}
