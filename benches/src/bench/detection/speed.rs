//! Row 5: events a second on one core, of events as ingest hands them over, the seconds between them included.

use std::hint::black_box;
use std::time::Instant;

use stella_detect::{Engine, Rules};
use stella_protocol::Timestamp;
use stella_traces::{Detector, Line, Naive, Span, TOWNS, Trace};

use super::table::{Cell, Table};
use crate::figures::Bound;

/// Lines of a round: they and the engine's memory are far more than a cache holds.
const LINES: usize = 150_000;
/// Rounds, engine and naive rules by turns.
const ROUNDS: usize = 5;
/// Traffic: of a busy application.
const TRAFFIC: f64 = 5.0;

/// Measures.
pub fn measure(table: &mut Table) {
    let trace = Trace::new(&TOWNS[0], 1, TRAFFIC, Span::Shift);
    let lines: Vec<Line> = trace.take(LINES).collect();
    let (mut engine, mut naive) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        engine.push(rate(&lines, &mut Engine::new(Rules::default())));
        naive.push(rate(&lines, &mut Naive::default()));
    }
    let cells = vec![Cell::median(engine), Cell::median(naive)];
    table.row("5 decoded events a second, one core", "/s", Some(Bound::AtLeast(1e6)), cells);
}

fn rate(lines: &[Line], detector: &mut impl Detector) -> f64 {
    let begun = Instant::now();
    let mut second = lines.first().map_or(0, |line| line.event.engine_time.seconds());
    for line in lines {
        let at = line.event.engine_time.seconds();
        while second < at {
            second += 1;
            detector.advance(Timestamp::from_millis(second * 1000));
            black_box(detector.drain());
        }
        detector.observe(line);
    }
    lines.len() as f64 / begun.elapsed().as_secs_f64()
}
