//! The console of Stella: log lines become alerts, alerts are decided here.
//!
//! Something happened (an [`event`] with a time on it) → a pure [`model`] changes and names
//! [`effect`]s → the one loop ([`runtime`]) performs them → what they bring back is again an event.
//!
//! - [`keys`], [`model`], [`board`], [`screens`], [`frame`], [`filter`]: the pure side
//! - [`runtime`], [`terminal`], [`client`], [`embedded`], [`plain`]: where the world begins
//! - [`cli`], [`config`], [`theme`]: what was asked for

pub mod board;
pub mod cli;
pub mod client;
pub mod config;
pub mod effect;
pub mod embedded;
pub mod event;
pub mod filter;
pub mod frame;
pub mod keys;
mod lead;
pub mod model;
mod own_queries;
pub mod plain;
pub mod runtime;
pub mod screens;
mod setting;
pub mod terminal;
pub mod theme;
mod unwind;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use rustix::fs::{FileType, fstat};

use cli::Arguments;
use cli::plan::{self, Failure, Output, Plan, Stdin, Surroundings};
use config::Places;

/// Does what the arguments ask for; answers with the exit code.
///
/// # Errors
/// When it cannot be done; [`Failure::exit_code`] is the exit code then.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let around = surroundings(arguments);
    if let Some(subject) = &arguments.command {
        return cli::perform(subject, arguments, &around, &mut io::stdout().lock());
    }
    let plan = plan::plan(arguments, &around)?;
    cli::begin_log(&around.places, plan.warning.as_deref());
    if plan.output != Output::Screen {
        return plain::run(plan);
    }
    let Plan { setup, way, manner, .. } = plan;
    let choose = |choice: &effect::Choice| plan::chosen(choice, arguments, &around);
    runtime::run(setup, &way, manner, &choose)
}

fn surroundings(arguments: &Arguments) -> Surroundings {
    let look = |name: &str| std::env::var(name).ok();
    let places = Places::find(arguments.config.as_deref(), &look);
    let has_screen = terminal::is_there(look("TERM").as_deref());
    Surroundings { look: Box::new(look), places, stdin: stdin(), has_screen, host: host() }
}

fn stdin() -> Stdin {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Stdin::Terminal;
    }
    match fstat(stdin.as_fd()).map(|status| FileType::from_raw_mode(status.st_mode)) {
        Ok(FileType::Fifo | FileType::RegularFile) => Stdin::Lines,
        _ => Stdin::Other,
    }
}

/// Name of this machine, up to its first dot.
fn host() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    name.trim().split('.').next().unwrap_or_default().to_owned()
}
