//! `stella-server backtest`: what it takes and prints. What is found goes to stdout, how far it is to stderr.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use stella_detect::{Lesson, Rules};
use stella_protocol::{LineId, LogEvent, Timestamp};
use stella_server::backtest::{self, Labels, Listener, Progress, Setting, Source, Whole};
use stella_server::redact::{Mode, Redactor};
use stella_server::rules::{self, Kept, RuleBook};
use stella_server::store;
use stella_server::toml_source::Problem;

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
    /// A file with `[[rule]]`: which alerts would come, and which would go.
    #[arg(long, value_name = "RULES")]
    rules: Option<PathBuf>,
    /// Against these rules instead of the shipped ones.
    #[arg(long, value_name = "RULES", requires = "rules")]
    against: Option<PathBuf>,
    /// With what people called false, as the server of --data kept it; without --rules: which alerts that hides.
    #[arg(long, requires = "data", conflicts_with = "files")]
    marks: bool,
    /// What really happened, as JSON lines or a table with tabs: what is found, missed and false.
    #[arg(long, value_name = "LABELS")]
    labels: Option<PathBuf>,
    /// Say how far it is also when stderr is no terminal.
    #[arg(short, long)]
    verbose: bool,
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
        let new = self.rules.as_deref().map(read).transpose()?;
        let old = self.against.as_deref().map(read).transpose()?.unwrap_or_default();
        let labels = self.labels.as_deref().map(Labels::read).transpose()?;
        let lessons = self.data.as_deref().filter(|_| self.marks).map(lessons).transpose()?;
        let source = match self.data {
            Some(folder) => Source::Kept { folder, from: LineId(0) },
            None => Source::Files { paths: self.files, until: self.until },
        };
        let mut ears = Ears { told: Told::new(self.verbose), labels };
        let settings = settings(old, new, lessons.as_deref());
        let reports = backtest::run_each(&source, settings, &Redactor::new(Mode::Local), &mut ears)?;
        ears.told.end();
        let (old, newest) = (reports.first(), reports.last());
        let report = newest.context("look at the lines")?;
        let compared = old.filter(|_| reports.len() > 1).map(|old| (old, backtest::compare(old, report)));
        let score = ears.labels.map(|labels| labels.score(report));
        let whole = Whole { report, compared, score };
        match self.output {
            Output::Json => say(&backtest::json(&whole).context("write the report as JSON")?),
            Output::Text => backtest::words(&whole).iter().try_for_each(|line| say(&harmless(line.raw()))),
        }
    }
}

/// What is compared, the older first: rules; where there is one side of them only, that without the marks and with.
fn settings(old: Rules, new: Option<Rules>, lessons: Option<&[Lesson]>) -> Vec<Setting> {
    let with = |rules: Rules| Setting { rules, lessons: lessons.unwrap_or_default().to_vec() };
    match (new, lessons) {
        (Some(new), _) => vec![with(old), with(new)],
        (None, Some(_)) => vec![old.clone().into(), with(old)],
        (None, None) => vec![old.into()],
    }
}

/// What people called false, as the server of this folder kept it.
fn lessons(folder: &Path) -> anyhow::Result<Vec<Lesson>> {
    let kept = store::kept_marks(folder).with_context(|| format!("read the marks of {}", folder.display()))?;
    Ok(kept.into_iter().filter_map(|marked| marked.lesson).collect())
}

/// The rules that a file sets.
fn read(path: &Path) -> anyhow::Result<Rules> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("read the rules {name}"))?;
    let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let file = rules::read(&name, &text).map_err(|problems| anyhow::anyhow!("read the rules: {}", told(problems)))?;
    Ok(RuleBook::open(file, Kept::default()).0.engine().clone())
}

/// Hears the lines for whoever scores, and how far it is for whoever waits.
struct Ears {
    told: Told,
    labels: Option<Labels>,
}

impl Listener for Ears {
    fn line(&mut self, event: &LogEvent<'_>) {
        if let Some(labels) = &mut self.labels {
            labels.see(event);
        }
    }

    fn far(&mut self, far: Progress) -> ControlFlow<()> {
        self.told.tell(far);
        ControlFlow::Continue(())
    }
}

/// Says how far it is: on one line of a terminal, line by line elsewhere.
struct Told {
    begun: Instant,
    last: Instant,
    width: usize,
    is_terminal: bool,
    verbose: bool,
}

impl Told {
    fn new(verbose: bool) -> Self {
        let now = Instant::now();
        Self { begun: now, last: now, width: 0, is_terminal: std::io::stderr().is_terminal(), verbose }
    }

    fn tell(&mut self, far: Progress) {
        if !(self.is_terminal || self.verbose) || self.last.elapsed() < TOLD_EVERY {
            return;
        }
        self.last = Instant::now();
        let pace = far.lines as f64 / self.begun.elapsed().as_secs_f64();
        let share = far.of.filter(|of| *of > 0).map(|of| format!(", {} %", far.bytes.min(of) * 100 / of));
        let words = format!("{} lines{}, {pace:.0} lines a second", far.lines, share.unwrap_or_default());
        self.write(&words);
    }

    fn end(&mut self) {
        if self.width > 0 && self.is_terminal {
            self.write("");
            self.write("");
        }
    }

    /// Puts `words` where the last ones stood.
    fn write(&mut self, words: &str) {
        let width = self.width.max(words.len());
        // Where stderr is gone nobody wonders how far it is.
        let _ = if self.is_terminal {
            write!(std::io::stderr(), "\r{words:<width$}\r")
        } else {
            writeln!(std::io::stderr(), "{words}")
        };
        self.width = words.len();
    }
}
