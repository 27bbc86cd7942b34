//! Row 12: two runs give the same bytes; so do lines read back as they are kept, heard a second at a time as a
//! backtest does, and so does an engine that is taken up in the middle from its kept state.

use anyhow::Context;
use stella_detect::{Checkpoint, Engine, Rules};
use stella_protocol::{LogEvent, Timestamp};
use stella_traces::{Line, Span, TOWNS, Trace};

use super::table::{Cell, Table};
use crate::figures::Bound;

/// How findings are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    AfterEachLine,
    EachSecond,
    /// As the first, by an engine that is kept and taken up again half-way.
    AcrossARestart,
}

/// Measures: the number of traces of daily work whose findings differ.
///
/// # Errors
/// When an event has no JSON form.
pub fn measure(table: &mut Table) -> anyhow::Result<()> {
    let towns = TOWNS.iter().filter(|town| !town.held_out);
    let (mut runs, mut backtest, mut restarts, mut n) = (0, 0, 0, 0);
    for town in towns {
        let lines: Vec<Line> = Trace::new(town, 1, 1.0, Span::Shift).take(120_000).collect();
        let live = findings(&lines, Asked::AfterEachLine)?;
        runs += usize::from(findings(&lines, Asked::AfterEachLine)? != live);
        let kept = lines.iter().map(kept).collect::<anyhow::Result<Vec<Line>>>()?;
        backtest += usize::from(findings(&kept, Asked::EachSecond)? != live);
        restarts += usize::from(findings(&lines, Asked::AcrossARestart)? != live);
        n += 1;
    }
    let mut row = |what: &str, differ: usize| {
        let cells = vec![Cell::of(n, Some(differ as f64)), Cell::none()];
        table.row(what, "traces", Some(Bound::AtMost(0.0)), cells);
    };
    row("12 differ between two runs", runs);
    row("12 differ between live and backtest", backtest);
    row("12 differ across a restart", restarts);
    Ok(())
}

/// The line as it comes back from where it is kept.
fn kept(line: &Line) -> anyhow::Result<Line> {
    let text = serde_json::to_string(&line.event).context("write an event")?;
    let event: LogEvent<'_> = serde_json::from_str(&text).context("read an event")?;
    Ok(Line { event: event.into_owned(), ..*line })
}

fn findings(lines: &[Line], asked: Asked) -> anyhow::Result<Vec<u8>> {
    let (mut engine, mut said) = (Engine::new(Rules::default()), Vec::new());
    let mut second = lines.first().map_or(0, |line| line.event.engine_time.seconds());
    for (nth, line) in lines.iter().enumerate() {
        let at = line.event.engine_time.seconds();
        while second < at {
            second += 1;
            engine.advance(Timestamp::from_millis(second * 1000));
            said.extend(engine.drain());
        }
        engine.observe(line.id, &line.event);
        if asked != Asked::EachSecond {
            said.extend(engine.drain());
        }
        if asked == Asked::AcrossARestart && nth == lines.len() / 2 {
            let kept = Checkpoint::from_bytes(&engine.checkpoint().to_bytes()).context("read the kept state")?;
            engine = Engine::restore(Rules::default(), &kept).context("take up the kept state")?;
        }
    }
    said.extend(engine.drain());
    let mut bytes = Vec::new();
    for finding in said {
        serde_json::to_writer(&mut bytes, &finding).context("write a finding")?;
    }
    Ok(bytes)
}
