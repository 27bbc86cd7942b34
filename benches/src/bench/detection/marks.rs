//! Row 11: what one mark of "false positive" does. The same day happens twice; what was false on the first is
//! marked before the second, and the second is held against a second day without marks.

use std::collections::BTreeSet;

use stella_detect::{Engine, Rules};
use stella_protocol::{LineId, Timestamp};
use stella_traces::{Detector, Line, Notice, Score, Span, TOWNS, Town, Trace, judge};

use super::table::{Cell, Table};
use crate::figures::Bound;

/// Between the two, in milliseconds: the same hour of the next day.
const DAY_MS: i64 = 86_400_000;
/// Traces of daily work, by towns in turn.
const TRACES: usize = 8;

/// An engine that is shown a trace as if it were so many milliseconds later, behind so many lines.
struct Later<'a> {
    engine: &'a mut Engine,
    by_ms: i64,
    behind: u64,
}

impl Detector for Later<'_> {
    fn observe(&mut self, line: &Line) {
        let mut event = line.event.clone();
        event.timestamp = event.timestamp.map(|at| at.plus_millis(self.by_ms));
        event.received_at = event.received_at.plus_millis(self.by_ms);
        event.engine_time = event.engine_time.plus_millis(self.by_ms);
        self.engine.observe(LineId(line.id.0 + self.behind), &event);
    }

    fn advance(&mut self, now: Timestamp) {
        self.engine.advance(now.plus_millis(self.by_ms));
    }

    fn drain(&mut self) -> Vec<Notice> {
        Detector::drain(self.engine)
    }
}

/// What two days gave.
struct Days {
    marked: BTreeSet<String>,
    second: Score,
}

impl Days {
    fn live(town: &'static Town, seed: u64, marks: bool) -> Self {
        let trace = || Trace::new(town, seed, 1.0, Span::Shift);
        let mut engine = Engine::new(Rules::default());
        let first = judge("first", trace(), &mut engine);
        let mut marked = BTreeSet::new();
        for wrong in first.falses {
            if marks {
                engine.mark_false(&wrong.fingerprint, wrong.at);
            }
            marked.insert(wrong.fingerprint);
        }
        let second = judge("second", trace(), &mut Later { engine: &mut engine, by_ms: DAY_MS, behind: first.lines });
        Self { marked, second }
    }

    /// Notifications that were false on the first day and came again.
    fn again(&self) -> usize {
        self.second.falses.iter().filter(|wrong| self.marked.contains(&wrong.fingerprint)).count()
    }
}

/// Measures.
pub fn measure(table: &mut Table) {
    let towns: Vec<_> = TOWNS.iter().filter(|town| !town.held_out).collect();
    let (mut with, mut without, mut lost, mut incidents) = (0, 0, 0, 0);
    for nth in 0..TRACES {
        let live = |marks| Days::live(towns[nth % towns.len()], nth as u64 + 1, marks);
        let (plain, taught) = (live(false), live(true));
        without += plain.again();
        with += taught.again();
        let (n, found) = plain.second.found(|_| true);
        incidents += n;
        lost += found.saturating_sub(taught.second.found(|_| true).1);
    }
    let mut row = |what: &str, unit, bound, cell| table.row(what, unit, Some(bound), vec![cell, Cell::none()]);
    row("11 repeats after one mark, of those without", "%", Bound::AtMost(10.0), Cell::percent(with, without));
    row("11 incidents lost by marks", "", Bound::AtMost(0.0), Cell::of(incidents, Some(lost as f64)));
}
