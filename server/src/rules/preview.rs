//! What a change would have made of the kept lines: both settings over the newest of them, off the engine's thread.
//!
//! Bounded: so many lines, so much time, two engines. Both know what people called false by now, because an alert that
//! nobody would be told of any more is neither gained nor lost. What is usual they learn from the lines themselves, as
//! the live engine did; where older lines are gone, or too many, the first of them say less, and that is told.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use stella_detect::{Lesson, Rules};
use stella_protocol::rule::PreviewAlert;
use stella_protocol::{LineId, RulePreview, Status, Text};

use crate::backtest::{self, BacktestError, Found, Listener, Progress, SAME_MS, Setting, Source};
use crate::redact::{Mode, Redactor};
use crate::store::{AlertRecord, StoreError};

/// Most lines: a day of twenty a second.
pub const LINES: u64 = 2_000_000;
/// Longest time: whoever asked looks at a screen.
const LONGEST: Duration = Duration::from_secs(20);

/// What is asked.
#[derive(Debug)]
pub struct Ask {
    /// The server's data folder.
    pub folder: PathBuf,
    /// The newest kept line.
    pub newest: LineId,
    /// As rules are set.
    pub old: Rules,
    /// As they would be.
    pub new: Rules,
    /// What people called false, as it stands now.
    pub lessons: Vec<Lesson>,
    /// The version of the rule that is to change.
    pub version: u64,
    /// Whoever asked has gone.
    pub gone: Arc<AtomicBool>,
}

/// There is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The lines cannot be read.
    #[error(transparent)]
    Lines(#[from] BacktestError),
    /// The alerts that there were cannot be read.
    #[error(transparent)]
    Alerts(#[from] StoreError),
}

struct Patience {
    begun: Instant,
    gone: Arc<AtomicBool>,
}

impl Listener for Patience {
    fn far(&mut self, _far: Progress) -> ControlFlow<()> {
        if self.gone.load(Ordering::Relaxed) || self.begun.elapsed() >= LONGEST {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// Looks at the kept lines with both settings. `kept` are the alerts that there were of these fingerprints, oldest
/// first. Blocks. None: there are no lines.
///
/// # Errors
/// When the lines, or the alerts, cannot be read.
pub fn preview(
    ask: Ask,
    kept: impl FnOnce(&[&str]) -> Result<Vec<AlertRecord>, StoreError>,
) -> Result<Option<RulePreview>, PreviewError> {
    let from = LineId(ask.newest.0.saturating_sub(LINES - 1));
    let source = Source::Kept { folder: ask.folder, from };
    let mut patience = Patience { begun: Instant::now(), gone: ask.gone };
    let marks = ask.lessons.len() as u64;
    let settings = [ask.old, ask.new].map(|rules| Setting { rules, lessons: ask.lessons.clone() }).to_vec();
    // Kept lines are redacted already.
    let reports = backtest::run_each(&source, settings, &Redactor::new(Mode::Local), &mut patience);
    let reports = match reports {
        Err(BacktestError::NothingKept(_)) => return Ok(None),
        reports => reports?,
    };
    let [old, new] = reports.as_slice() else { return Ok(None) };
    let (Some(from), Some(to)) = (new.from, new.to) else { return Ok(None) };
    let compared = backtest::compare(old, new);
    let (gained, lost) = (few(&compared.gained), few(&compared.lost));
    let fingerprints: Vec<&str> = gained.iter().chain(lost).map(|found| found.fingerprint.raw()).collect();
    let kept = if fingerprints.is_empty() { Vec::new() } else { kept(&fingerprints)? };
    let told = |found: &[&Found]| found.iter().map(|found| told(found, &kept)).collect();
    Ok(Some(RulePreview {
        from,
        to,
        lines: new.lines,
        before: old.alerts.len() as u64,
        after: new.alerts.len() as u64,
        gained: told(gained),
        lost: told(lost),
        gained_count: compared.gained.len() as u64,
        lost_count: compared.lost.len() as u64,
        marks,
        learned_anew: new.first.is_some_and(|first| first > LineId(1)),
        version: ask.version,
    }))
}

/// As many as are named.
fn few<'a, 'f>(found: &'a [&'f Found]) -> &'a [&'f Found] {
    &found[..found.len().min(RulePreview::MOST)]
}

fn told(found: &Found, kept: &[AlertRecord]) -> PreviewAlert {
    let near = |record: &&AlertRecord| {
        record.fingerprint == found.fingerprint.raw()
            && record.first_seen.since(found.last_seen) <= SAME_MS
            && found.first_seen.since(record.last_seen) <= SAME_MS
    };
    let record = kept.iter().rfind(near);
    PreviewAlert {
        fingerprint: found.fingerprint.clone(),
        at: found.detected_at,
        severity: found.severity,
        title: found.title.clone(),
        alert: record.map(|record| record.id.clone()),
        outcome: record.map(outcome),
    }
}

/// What people made of an alert.
fn outcome(record: &AlertRecord) -> Text {
    let by = record.closed_by.as_ref().map_or("somebody", Text::raw);
    let words = match record.status {
        Status::FalsePositive => format!("{by} called it false"),
        Status::Resolved if by == crate::alerts::SYSTEM => match record.acknowledged_at {
            Some(_) => "somebody took it, and it ended by itself".to_owned(),
            None => "it ended by itself, nobody took it".to_owned(),
        },
        Status::Resolved => format!("{by} resolved it"),
        Status::Acknowledged => "it is open, and somebody has it".to_owned(),
        Status::New | Status::Unknown => "it is open, and nobody has it".to_owned(),
    };
    Text::from(words)
}
