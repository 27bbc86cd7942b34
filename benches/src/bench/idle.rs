//! What a console costs while nothing happens: it may stay open for a year.

use std::time::Duration;

use chrono::Utc;
use clap::Args;

use super::{Bench, PATIENCE, cause_alerts};
use crate::api::Api;
use crate::figures::{Bound, Figure, Report, Statistic};
use crate::process::{Redaction, Server, cpu_seconds};
use crate::screen::{Counts, Session, Size};

/// What is measured begins so long after a minute's edge.
const AFTER_EDGE: Duration = Duration::from_secs(3);
/// Share of a core that was promised, in percent.
const CPU_PERCENT: f64 = 0.2;
const SIZE: Size = Size(120, 36);

/// How much.
#[derive(Debug, Args)]
pub struct Options {
    /// Alerts that are open.
    #[arg(long, default_value_t = 200)]
    alerts: usize,
    /// Seconds, inside one minute.
    #[arg(long, default_value_t = 55, value_parser = clap::value_parser!(u64).range(1..=56))]
    seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { alerts: 200, seconds: 55 }
    }
}

/// Measures. Takes two to three minutes: the alerts are older than a minute before it begins.
///
/// # Errors
/// When a program does not do its part.
pub fn run(bench: &Bench, options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("idle");
    let server = Server::start(&bench.programs, Redaction::Strict)?;
    let api = Api::new(&server)?;
    bench.runtime.block_on(cause_alerts(&api, options.alerts))?;
    let (url, token) = (server.url(), server.viewers[0].as_str());
    let console = Session::start(&bench.programs.console, &["--server", &url], &[("STELLA_TOKEN", token)], SIZE)?;
    let wanted = options.alerts;
    console.when("the alerts", PATIENCE, move |screen| {
        screen.contains("LIVE") && Counts::read(screen).is_some_and(|counts| counts.open() as usize == wanted)
    })?;
    wait_for_edge();
    wait_for_edge();
    std::thread::sleep(AFTER_EDGE);
    let (console_pid, server_pid) = (console.pid()?, server.pid());
    let before = (console.bytes(), cpu_seconds(console_pid)?, cpu_seconds(server_pid)?);
    std::thread::sleep(Duration::from_secs(options.seconds));
    let after = (console.bytes(), cpu_seconds(console_pid)?, cpu_seconds(server_pid)?);
    wait_for_edge();
    std::thread::sleep(AFTER_EDGE);
    let edge = console.bytes() - after.0;
    let percent = |cpu: f64| cpu * 100.0 / options.seconds as f64;
    let what = format!("bytes to the terminal in {} s inside a minute", options.seconds);
    let bytes = Figure::one(what, "B", (after.0 - before.0) as f64);
    report.add(bytes.held_to(Statistic::Max, Bound::AtMost(0.0)));
    report.add(Figure::one("bytes to the terminal at the minute's edge", "B", edge as f64));
    let cpu = Figure::one("CPU of the console", "% of a core", percent(after.1 - before.1));
    report.add(cpu.held_to(Statistic::Max, Bound::AtMost(CPU_PERCENT)));
    report.add(Figure::one("CPU of the server", "% of a core", percent(after.2 - before.2)));
    report
        .note(format!("{wanted} open alerts, no lines coming, heartbeats each 5 s; CPU is counted in steps of 10 ms"));
    Ok(report)
}

/// Waits until a minute begins.
fn wait_for_edge() {
    let into = Utc::now().timestamp_millis().rem_euclid(60_000);
    std::thread::sleep(Duration::from_millis(60_001 - into as u64));
}
