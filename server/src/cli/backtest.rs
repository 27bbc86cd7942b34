//! `stella-server backtest`: what it takes and prints. What is found goes to stdout, how far it is to stderr.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use stella_detect::Rules;
use stella_protocol::Timestamp;
use stella_server::backtest::{self, Progress, Source};
use stella_server::redact::{Mode, Redactor};

use crate::{Output, harmless, say};

/// How often a terminal is told how far it is.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// Which lines, and how to say what was found.
#[derive(Args)]
pub struct Backtest {
    /// Files of log lines, also packed with gzip or zstd, merged by their times; `-` is stdin.
    #[arg(value_name = "FILE", required_unless_present = "data", conflicts_with = "data")]
    files: Vec<PathBuf>,
    /// A server's data folder: the lines that it kept, with the times that it gave them.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// No line is later than this, RFC 3339; for lines that do not say their year.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "data")]
    until: Option<Timestamp>,
    /// In which form.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Output,
}

/// Reads `--until`.
fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "want a time like 2026-01-31T10:00:00Z".to_owned())
}

impl Backtest {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        let source = match self.data {
            Some(folder) => Source::Kept(folder),
            None => Source::Files { paths: self.files, until: self.until },
        };
        let mut pace = Told::new();
        let report = backtest::run(&source, Rules::default(), &Redactor::new(Mode::Local), &mut |far| pace.tell(far))?;
        pace.end();
        match self.output {
            Output::Json => say(&backtest::json(&report).context("write the report as JSON")?),
            Output::Text => backtest::words(&report).iter().try_for_each(|line| say(&harmless(line.raw()))),
        }
    }
}

/// Says how far it is, on one line of a terminal.
struct Told {
    begun: Instant,
    last: Instant,
    width: usize,
}

impl Told {
    fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, last: now, width: 0 }
    }

    fn tell(&mut self, far: Progress) {
        if !std::io::stderr().is_terminal() || self.last.elapsed() < TOLD_EVERY {
            return;
        }
        self.last = Instant::now();
        let pace = far.lines as f64 / self.begun.elapsed().as_secs_f64();
        let share = far.of.filter(|of| *of > 0).map(|of| format!(", {} %", far.bytes.min(of) * 100 / of));
        let words = format!("{} lines{}, {pace:.0} lines a second", far.lines, share.unwrap_or_default());
        self.write(&words);
    }

    fn end(&mut self) {
        if self.width > 0 {
            self.write("");
            self.write("");
        }
    }

    /// Puts `words` where the last ones stood.
    fn write(&mut self, words: &str) {
        let width = self.width.max(words.len());
        // Where stderr is gone nobody wonders how far it is.
        let _ = write!(std::io::stderr(), "\r{words:<width$}\r");
        self.width = words.len();
    }
}
