//! `stella-bench`: the figures that guard a promise, measured on the real programs.
//!
//! Every figure comes from `stella-tui` and `stella-server` as child processes, over loopback, on a
//! pseudo-terminal where one is needed, bounded in time and count; but for `migration` and `security`, which are the
//! server's library in this process, on files, and `detection` and `engine`, which are the engine's. It measures and
//! judges; it does not change what it measures, and it is no test: a miss is a row that says so, not an exit code.

mod api;
mod bench;
mod figures;
mod lines;
mod process;
mod screen;

use std::fmt::Display;
use std::io::Write;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;

use bench::{demo, detection, fanout, first_frame, glass, idle, ingest, limit, memory, migration, security};
use process::Programs;

/// The server's, so that `migration` measures the library as the server runs it.
#[cfg(not(target_env = "musl"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures the console and the server beside this program.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    /// How to say it.
    #[arg(short, long, value_enum, default_value_t = Output::Table, global = true)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// From spawn to the first painted frame, and to 50 alerts on the glass.
    FirstFrame(first_frame::Options),
    /// What the demo shows, and when.
    Demo(demo::Options),
    /// Bytes and CPU of a console with 200 alerts while nothing happens.
    Idle(idle::Options),
    /// From an offending line posted to its alert on the glass, under load.
    Glass(glass::Options),
    /// Lines a core-second through the whole ingest path, beside a server that only reads bodies.
    Ingest(ingest::Options),
    /// CPU of the server for each event delivered to a reader.
    Fanout(fanout::Options),
    /// What detection finds, misses and says falsely on labelled traces, how fast and in how much memory.
    Detection(detection::Options),
    /// How fast the whole engine is, and in how much memory: rows of `detection`, in a minute.
    Engine,
    /// Real log files of login attacks: addresses told of against those that are expected.
    Security(security::Options),
    /// Documents a second of a migration of user ids, beside the same writes without one.
    Migration(migration::Options),
    /// Memory of the server in a migration of user ids, with a console that watches.
    MigrationMemory(memory::Options),
    /// Everything above but `detection`, `engine`, `security`, `migration` and `migration-memory`, with its defaults.
    All,
    /// A server that reads bodies and throws them away: the limit that `ingest` is held against.
    #[command(hide = true)]
    LimitServer,
    /// A process of its own for `detection`, so that its memory is its own.
    #[command(hide = true)]
    DetectionKeys,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match &cli.command {
        Command::Detection(options) => return say(&detection::run(options)?, cli.output),
        Command::Engine => return say(&detection::engine()?, cli.output),
        Command::Security(options) => return say(&security::run(options)?, cli.output),
        Command::DetectionKeys => return write!(std::io::stdout(), "{}", detection::keys()?).context("write the keys"),
        _ => {}
    }
    let runtime = tokio::runtime::Runtime::new().context("start the async runtime")?;
    if matches!(cli.command, Command::LimitServer) {
        return runtime.block_on(limit::serve());
    }
    if let Command::Migration(options) = &cli.command {
        return say(&runtime.block_on(migration::run(options))?, cli.output);
    }
    let bench = bench::Bench { programs: Programs::beside_this_one()?, runtime };
    let report = match &cli.command {
        Command::FirstFrame(options) => first_frame::run(&bench, options)?,
        Command::Demo(options) => demo::run(&bench, options)?,
        Command::Idle(options) => idle::run(&bench, options)?,
        Command::Glass(options) => glass::run(&bench, options)?,
        Command::Ingest(options) => ingest::run(&bench, options)?,
        Command::Fanout(options) => fanout::run(&bench, options)?,
        Command::MigrationMemory(options) => memory::run(&bench, options)?,
        Command::All
        | Command::Detection(_)
        | Command::Engine
        | Command::Security(_)
        | Command::DetectionKeys
        | Command::Migration(_)
        | Command::LimitServer => return all(&bench, cli.output),
    };
    say(&report, cli.output)
}

/// One after the other, each said as soon as it is known: a bench that fails costs the later ones only.
fn all(bench: &bench::Bench, output: Output) -> anyhow::Result<()> {
    say(&first_frame::run(bench, &first_frame::Options::default())?, output)?;
    say(&demo::run(bench, &demo::Options::default())?, output)?;
    say(&glass::run(bench, &glass::Options::default())?, output)?;
    say(&ingest::run(bench, &ingest::Options::default())?, output)?;
    say(&fanout::run(bench, &fanout::Options::default())?, output)?;
    say(&idle::run(bench, &idle::Options::default())?, output)
}

/// A table, or one JSON object on a line.
fn say(report: &(impl Serialize + Display), output: Output) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => {
            serde_json::to_writer(&mut out, report).context("write the report")?;
            writeln!(out).context("write the report")
        }
        Output::Table => write!(out, "{report}").context("write the report"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_guides_name_every_bench() {
        let guides = [include_str!("../../docs/performance.md"), include_str!("../../docs/detection.md")].concat();
        let command = Cli::command();
        for bench in command.get_subcommands().filter(|bench| !bench.is_hide_set()) {
            let name = bench.get_name();
            let told = [format!("`{name}`"), format!("`stella-bench {name}`"), format!("stella-bench {name} ")];
            assert!(told.iter().any(|told| guides.contains(told)), "{name}");
        }
    }
}
