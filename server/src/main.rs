//! `stella-server`: arguments in, exit code out. Everything else is the library's.

mod cli;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use rustix::fs::Mode;
use stella_server::admin::documents::harmless;

/// The C library's allocator keeps an arena for each thread that ever took a turn: three times what a migration needs.
/// `.cargo/config.toml` has its settings. Not tried where the C library is musl.
#[cfg(not(target_env = "musl"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Exit code of an error, and of the end by a second signal.
const ERROR: u8 = 1;

/// Takes in logs, detects patterns, keeps alerts, streams them to consoles.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT.
    Serve(cli::serve::Serve),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(cli::token::Token),
    /// Look at definitions of fixes.
    #[command(subcommand)]
    Fixes(cli::fixes::Fixes),
    /// Bring documents in and out, and look at the ids of users in them.
    #[command(subcommand)]
    Documents(cli::documents::Documents),
    /// Say which alerts there would have been in recordings, or in the lines that a server kept.
    Backtest(cli::backtest::Backtest),
    /// Print the template id of each line: one id a line, for every line.
    Templates(cli::templates::Templates),
    /// Say how odd each row of a series is, from the rows before it: a score in 0 to 1 a row.
    Detect(cli::detect::Detect),
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

fn main() -> ExitCode {
    // The demo's services are restarted by a command of this program.
    let mut arguments = std::env::args().skip(1);
    if arguments.next().is_some_and(|first| first == stella_server::demo::OPERATE) {
        return stella_server::demo::operate(&arguments.collect::<Vec<_>>());
    }
    let cli = Cli::parse();
    say_to_stderr();
    // What is kept names people: also in a folder that others may enter, only the owner reads it.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let done = match cli.command {
        Command::Serve(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Fixes(command) => command.run(),
        Command::Documents(command) => command.run(),
        Command::Backtest(command) => command.run(),
        Command::Templates(command) => command.run(),
        Command::Detect(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last words of a program that cannot go on; where even stderr is gone nobody reads them.
            let _ = writeln!(std::io::stderr(), "stella-server: failed to {error:#}");
            ExitCode::from(ERROR)
        }
    }
}

/// The log goes to stderr, so that stdout stays a contract: `RUST_LOG` says how much of it.
fn say_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,stella_server=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}

/// One line on stdout; a reader that has gone is no error of ours.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("write to stdout"),
        _ => Ok(()),
    }
}
