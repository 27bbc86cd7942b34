//! What somebody who tries the demo sees, and when.

use std::time::{Duration, Instant};

use clap::Args;

use super::{Bench, PATIENCE, ms};
use crate::figures::{Bound, Figure, Report, Samples, Statistic};
use crate::screen::{Counts, Session, Size};

/// Open alerts that were promised, and within how many milliseconds of the first frame.
const OPEN: (u32, f64) = (6, 2_000.0);
/// A new critical one was promised within so many seconds of the first frame.
const CRITICAL_S: f64 = 20.0;
/// Nothing opens for so long: what came at once has come.
const SETTLED: Duration = Duration::from_millis(1_500);
/// Longest wait for the critical one.
const CRITICAL_PATIENCE: Duration = Duration::from_mins(1);
const SIZE: Size = Size(120, 36);

/// How often.
#[derive(Debug, Args)]
pub struct Options {
    /// Demos, one after the other.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { runs: 3 }
    }
}

/// Measures.
///
/// # Errors
/// When the demo does not begin.
pub fn run(bench: &Bench, options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("demo");
    let (mut open, mut critical) = (Samples::default(), Samples::default());
    for _ in 0..options.runs {
        let console = Session::start(&bench.programs.console, &["--demo"], &[], SIZE)?;
        let first = console.painted(PATIENCE)?;
        let enough = |screen: &str| Counts::read(screen).is_some_and(|counts| counts.open() >= OPEN.0);
        open.push(ms(first, console.when("the first alerts", PATIENCE, enough)?));
        let Some(before) = settled(&console) else { continue };
        let Counts { critical: crit, high, medium, low } = before;
        report
            .note(format!("{} open at first: {crit} critical, {high} high, {medium} medium, {low} low", before.open()));
        let another = move |screen: &str| Counts::read(screen).is_some_and(|counts| counts.critical > crit);
        match console.when("another critical alert", CRITICAL_PATIENCE, another) {
            Ok(at) => critical.push(ms(first, at) / 1000.0),
            Err(_) => report.note(format!("no new critical alert in {} s", CRITICAL_PATIENCE.as_secs())),
        }
    }
    let within = Bound::AtMost(OPEN.1);
    let what = format!("first frame to {} open alerts", OPEN.0);
    report.add(Figure::of(what, "ms", &open).held_to(Statistic::Median, within));
    let within = Bound::AtMost(CRITICAL_S);
    report.add(Figure::of("first frame to a new critical alert", "s", &critical).held_to(Statistic::Median, within));
    Ok(report)
}

/// What is open once nothing more opens.
fn settled(console: &Session) -> Option<Counts> {
    let deadline = Instant::now() + PATIENCE;
    let mut counts = Counts::read(&console.contents());
    while Instant::now() < deadline {
        std::thread::sleep(SETTLED);
        let now = Counts::read(&console.contents());
        if now.is_some() && now == counts {
            break;
        }
        counts = now;
    }
    counts
}
