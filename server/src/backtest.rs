//! `stella-server backtest`: recordings, or the lines that a server kept, through the same engine, the same
//! seconds and the same alert machine as live ones, as fast as they can be read.
//!
//! The same input gives the same bytes: nothing here asks a clock. What is read is never written, kept or
//! sent anywhere, and never more of it is held than one record of each file.

mod compare;
mod found;
mod labels;
mod recording;
mod words;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use stella_detect::{Lesson, Rules};
use stella_protocol::{LineId, LogEvent, Timestamp};

use crate::lines::{self, LinesError};
use crate::pipeline::EngineTimeMode;
use crate::pipeline::pace::{Pace, is_at_present};
use crate::pipeline::time::EngineTime;
use crate::redact::Redactor;

pub use compare::{Compared, SAME_MS, compare};
pub use found::Found;
pub use labels::{Labels, LabelsError, Missed, Score, Tally};
pub use words::{Whole, json, words};

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
    /// The lines that a server kept, with the engine times that they were given.
    Kept {
        /// Its data folder.
        folder: PathBuf,
        /// The first of them.
        from: LineId,
    },
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
    /// A file is no text.
    #[error("read {}: it is no log, it holds bytes that no text has", .0.display())]
    NotText(PathBuf),
    /// The folder has no kept lines.
    #[error("find kept lines: there is no {} in {}", lines::FILE, .0.display())]
    NothingKept(PathBuf),
    /// Kept lines cannot be read.
    #[error(transparent)]
    Lines(#[from] LinesError),
}

/// How an engine is set that has learned nothing yet.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its rules.
    pub rules: Rules,
    /// What people called false before.
    pub lessons: Vec<Lesson>,
}

impl From<Rules> for Setting {
    /// Nothing was called false.
    fn from(rules: Rules) -> Self {
        Self { rules, lessons: Vec::new() }
    }
}

/// What a backtest found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Records read.
    pub lines: u64,
    /// Of them, without a time of their own: they have that of the one before.
    pub untimed: u64,
    /// The number of the first. A server counts all lines that it ever kept, from 1.
    pub first: Option<LineId>,
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

/// Who hears of a backtest while it goes on.
pub trait Listener {
    /// A line with its engine time, before any rule sees it.
    fn line(&mut self, _event: &LogEvent<'_>) {}

    /// How far it is, now and then. Break: it ends here, as if nothing more came.
    fn far(&mut self, _far: Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Nobody listens.
impl Listener for () {}

/// Reads it all and says what was found. Blocks.
///
/// # Errors
/// When a file or folder is missing or cannot be read: nothing is reported of a part.
pub fn run(
    source: &Source,
    rules: Rules,
    redactor: &Redactor,
    listener: &mut dyn Listener,
) -> Result<Report, BacktestError> {
    let mut reports = run_each(source, vec![rules.into()], redactor, listener)?;
    Ok(reports.pop().unwrap_or_default())
}

/// Reads it all once and says what each of several settings would have found; in their order. Blocks.
///
/// # Errors
/// As [`run`].
pub fn run_each(
    source: &Source,
    settings: Vec<Setting>,
    redactor: &Redactor,
    listener: &mut dyn Listener,
) -> Result<Vec<Report>, BacktestError> {
    let mut test = Backtest::new(settings, listener);
    match source {
        Source::Files { paths, until } => test.files(paths, *until, redactor)?,
        Source::Kept { folder, from } => test.kept(folder, *from)?,
    }
    Ok(test.end())
}

/// What one setting makes of the lines.
struct Side {
    pace: Pace,
    book: Book,
}

impl Side {
    fn new(Setting { rules, lessons }: Setting) -> Self {
        let mut pace = Pace::new(rules);
        for lesson in lessons {
            pace.engine.learn(lesson);
        }
        Self { pace, book: Book::default() }
    }

    fn see(&mut self, id: LineId, event: &LogEvent<'_>) {
        let Self { pace, book } = self;
        if pace.second() != Some(event.engine_time.seconds()) {
            pace.lead_to(event.engine_time, is_at_present(event), &mut |at, _| book.pass(at));
            book.take(&pace.engine.drain(), event.engine_time);
            // Nobody is told of deploys here, and what is never taken is kept.
            pace.engine.drain_deploys();
        }
        pace.engine.observe(id, event);
    }

    fn end(mut self, bare: &Report) -> Report {
        let said = self.pace.engine.drain();
        let seen = self.pace.second().map(|second| Timestamp::from_millis(second * 1000));
        self.book.take(&said, seen.unwrap_or_default());
        let mut to = seen;
        if seen.is_some() {
            let (said, at) = self.pace.end(false, i64::MAX);
            self.book.take(&said, at);
            to = Some(at);
        }
        Report { to, alerts: self.book.end(), ..*bare }
    }
}

struct Backtest<'l> {
    sides: Vec<Side>,
    listener: &'l mut dyn Listener,
    lines: u64,
    untimed: u64,
    first: Option<(LineId, Timestamp)>,
}

impl<'l> Backtest<'l> {
    fn new(settings: Vec<Setting>, listener: &'l mut dyn Listener) -> Self {
        let sides = settings.into_iter().map(Side::new).collect();
        Self { sides, listener, lines: 0, untimed: 0, first: None }
    }

    fn files(&mut self, paths: &[PathBuf], until: Option<Timestamp>, redactor: &Redactor) -> Result<(), BacktestError> {
        let mut recordings = Recordings::open(paths, until)?;
        let (mut time, mode) = (EngineTime::new(None), EngineTimeMode::Recording(String::new()));
        while let Some(mut event) = recordings.next()? {
            redactor.apply(&mut event);
            let stamped = time.stamp(&[event.timestamp], &mode, event.received_at);
            event.engine_time = stamped.first().copied().unwrap_or(event.received_at);
            self.untimed += u64::from(event.timestamp.is_none());
            let far = |lines| Progress { lines, bytes: recordings.bytes(), of: recordings.size() };
            if self.see(LineId(self.lines + 1), &event, &far).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn kept(&mut self, folder: &Path, from: LineId) -> Result<(), BacktestError> {
        if !folder.join(lines::FILE).is_file() {
            return Err(BacktestError::NothingKept(folder.to_owned()));
        }
        let far = |lines| Progress { lines, bytes: 0, of: None };
        lines::replay_kept(folder, from, &mut |id, event| self.see(id, event, &far))?;
        Ok(())
    }

    fn see(&mut self, id: LineId, event: &LogEvent<'_>, far: &dyn Fn(u64) -> Progress) -> ControlFlow<()> {
        self.listener.line(event);
        self.sides.iter_mut().for_each(|side| side.see(id, event));
        self.lines += 1;
        self.first = self.first.or(Some((id, event.engine_time)));
        if self.lines.is_multiple_of(PROGRESS_LINES) {
            return self.listener.far(far(self.lines));
        }
        ControlFlow::Continue(())
    }

    fn end(self) -> Vec<Report> {
        let (lines, untimed, (first, from)) = (self.lines, self.untimed, self.first.unzip());
        let bare = Report { lines, untimed, first, from, ..Report::default() };
        self.sides.into_iter().map(|side| side.end(&bare)).collect()
    }
}

#[cfg(test)]
mod tests;
