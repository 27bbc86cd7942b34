//! `stella-server backtest`: recordings, or the lines that a server kept, through the same engine, the same
//! seconds and the same alert machine as live ones, as fast as they can be read.
//!
//! The same input gives the same bytes: nothing here asks a clock. What is read is never written, kept or
//! sent anywhere, and never more of it is held than one record of each file.

mod found;
mod recording;
mod words;

use std::io;
use std::path::{Path, PathBuf};

use stella_detect::Rules;
use stella_protocol::{LineId, LogEvent, Timestamp};

use crate::lines::{self, LinesError};
use crate::pipeline::EngineTimeMode;
use crate::pipeline::pace::{Pace, is_at_present};
use crate::pipeline::time::EngineTime;
use crate::redact::Redactor;

pub use found::Found;
pub use words::{json, words};

use found::Book;
use recording::Recordings;

/// Lines between two words about how far it is.
const PROGRESS_LINES: u64 = 50_000;

/// What is to be read.
#[derive(Debug, Clone)]
pub enum Source {
    /// Files of log lines, merged by the times in them; `-` is stdin.
    Files {
        /// Which.
        paths: Vec<PathBuf>,
        /// No line is later: completes times without a year or a date.
        /// None: an hour after each file's last change, after the present for stdin.
        until: Option<Timestamp>,
    },
    /// The lines that a server kept in this folder, with the engine times that they were given.
    Kept(PathBuf),
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A file cannot be opened.
    #[error("open {}", .0.display())]
    Open(PathBuf, #[source] io::Error),
    /// A file cannot be read to its end.
    #[error("read {} after {lines} lines", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Records read until then.
        lines: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The folder has no kept lines.
    #[error("find kept lines: there is no {} in {}", lines::FILE, .0.display())]
    NothingKept(PathBuf),
    /// Kept lines cannot be read.
    #[error(transparent)]
    Lines(#[from] LinesError),
}

/// What a backtest found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Records read.
    pub lines: u64,
    /// Engine time of the first.
    pub from: Option<Timestamp>,
    /// Engine time that it ended at.
    pub to: Option<Timestamp>,
    /// Alerts, in the order in which they opened.
    pub alerts: Vec<Found>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records read.
    pub lines: u64,
    /// Bytes read of the files, as they lie on the disk.
    pub bytes: u64,
    /// Bytes that they have; None where nobody knows.
    pub of: Option<u64>,
}

/// Reads it all. `told` hears how far it is, now and then. Blocks.
///
/// # Errors
/// When a file or folder is missing or cannot be read: nothing is reported of a part.
pub fn run(
    source: &Source,
    rules: Rules,
    redactor: &Redactor,
    told: &mut dyn FnMut(Progress),
) -> Result<Report, BacktestError> {
    let mut test = Backtest::new(rules);
    match source {
        Source::Files { paths, until } => test.files(paths, *until, redactor, told)?,
        Source::Kept(folder) => test.kept(folder, told)?,
    }
    Ok(test.end())
}

struct Backtest {
    pace: Pace,
    book: Book,
    lines: u64,
    from: Option<Timestamp>,
}

impl Backtest {
    fn new(rules: Rules) -> Self {
        Self { pace: Pace::new(rules), book: Book::default(), lines: 0, from: None }
    }

    fn files(
        &mut self,
        paths: &[PathBuf],
        until: Option<Timestamp>,
        redactor: &Redactor,
        told: &mut dyn FnMut(Progress),
    ) -> Result<(), BacktestError> {
        let mut recordings = Recordings::open(paths, until)?;
        let (mut time, mode) = (EngineTime::new(None), EngineTimeMode::Recording(String::new()));
        while let Some(mut event) = recordings.next()? {
            redactor.apply(&mut event);
            let stamped = time.stamp(&[event.timestamp], &mode, event.received_at);
            event.engine_time = stamped.first().copied().unwrap_or(event.received_at);
            self.see(LineId(self.lines + 1), &event);
            if self.lines.is_multiple_of(PROGRESS_LINES) {
                told(Progress { lines: self.lines, bytes: recordings.bytes(), of: recordings.size() });
            }
        }
        Ok(())
    }

    fn kept(&mut self, folder: &Path, told: &mut dyn FnMut(Progress)) -> Result<(), BacktestError> {
        if !folder.join(lines::FILE).is_file() {
            return Err(BacktestError::NothingKept(folder.to_owned()));
        }
        lines::replay_kept(folder, &mut |id, event| {
            self.see(id, event);
            if self.lines.is_multiple_of(PROGRESS_LINES) {
                told(Progress { lines: self.lines, bytes: 0, of: None });
            }
        })?;
        Ok(())
    }

    fn see(&mut self, id: LineId, event: &LogEvent<'_>) {
        let Self { pace, book, .. } = self;
        if pace.second() != Some(event.engine_time.seconds()) {
            pace.lead_to(event.engine_time, is_at_present(event), &mut |at, _| book.pass(at));
            book.take(pace.engine.drain(), event.engine_time);
        }
        pace.engine.observe(id, event);
        self.lines += 1;
        self.from = self.from.or(Some(event.engine_time));
    }

    fn end(mut self) -> Report {
        let said = self.pace.engine.drain();
        let seen = self.pace.second().map(|second| Timestamp::from_millis(second * 1000));
        self.book.take(said, seen.unwrap_or_default());
        let mut to = seen;
        if seen.is_some() {
            let (said, at) = self.pace.end(false, i64::MAX);
            self.book.take(said, at);
            to = Some(at);
        }
        Report { lines: self.lines, from: self.from, to, alerts: self.book.end() }
    }
}

#[cfg(test)]
mod tests;
