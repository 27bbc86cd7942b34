//! From spawn to a picture: how long somebody who is called at night looks at nothing.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::{Bench, PATIENCE, cause_alerts, ms};
use crate::api::Api;
use crate::figures::{Bound, Figure, Report, Samples, Statistic};
use crate::process::{Redaction, Server};
use crate::screen::{Counts, Session, Size, firing_rows};

/// What was promised, in milliseconds.
const GOAL_MS: f64 = 50.0;
/// Tall enough for all the alerts.
const SIZE: Size = Size(100, 72);
/// The least program that writes something.
const LEAST: &str = "/bin/echo";

/// How often, and how much.
#[derive(Debug, Args)]
pub struct Options {
    /// Starts of each kind, one after the other in turns.
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Alerts that the server holds.
    #[arg(long, default_value_t = 50)]
    alerts: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { runs: 20, alerts: 50 }
    }
}

/// Measures.
///
/// # Errors
/// When a program does not do its part.
pub fn run(bench: &Bench, options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("first-frame");
    let server = Server::start(&bench.programs, Redaction::Strict)?;
    let api = Api::new(&server)?;
    bench.runtime.block_on(cause_alerts(&api, options.alerts))?;
    let (url, token) = (server.url(), server.viewers[0].as_str());
    let (mut least, mut frame, mut all, mut demo) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());
    for _ in 0..options.runs {
        least.push(painted(Path::new(LEAST), &["x"], &[])?);
        let wanted = options.alerts;
        let console = Session::start(&bench.programs.console, &["--server", &url], &[("STELLA_TOKEN", token)], SIZE)?;
        console.watch(move |screen| {
            firing_rows(screen) == wanted && Counts::read(screen).is_some_and(|counts| counts.open() as usize == wanted)
        });
        frame.push(ms(console.started(), console.painted(PATIENCE)?));
        all.push(ms(console.started(), console.hit(PATIENCE)?));
        drop(console);
        demo.push(painted(&bench.programs.console, &["--demo"], &[])?);
    }
    let goal = Bound::AtMost(GOAL_MS);
    report.add(Figure::of(format!("{LEAST} on a pseudo-terminal (limit)"), "ms", &least));
    report.add(Figure::of("stella-tui --server: first frame", "ms", &frame).held_to(Statistic::Median, goal));
    report.add(Figure::of(format!("stella-tui --server: {} alerts on the glass", options.alerts), "ms", &all));
    report.add(Figure::of("stella-tui --demo: first frame", "ms", &demo).held_to(Statistic::Median, goal));
    for (name, samples) in [("--server", &frame), ("--demo", &demo)] {
        if let (Some(limit), Some(ours)) = (least.median(), samples.median()) {
            report.add(Figure::one(format!("first frame of {name}, times the limit"), "x", ours / limit));
        }
    }
    Ok(report)
}

fn painted(program: &Path, arguments: &[&str], more: &[(&str, &str)]) -> anyhow::Result<f64> {
    const AT_MOST: Duration = Duration::from_secs(10);
    let session = Session::start(program, arguments, more, SIZE)?;
    Ok(ms(session.started(), session.painted(AT_MOST)?))
}
