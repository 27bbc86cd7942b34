//! Finds kept lines: a span of engine time, a query, the lines around what fits, page by page.
//!
//! One request looks at a bounded number of lines; a page that ends early says where to go on.

use std::collections::VecDeque;

use rusqlite::Connection;
use stella_protocol::query::Query;
use stella_protocol::snapshot::{LogLine, LogPage};
use stella_protocol::{Level, LineId, LogEvent, Text, Timestamp};

use super::block::Row;
use super::codec::BadBlock;
use super::{Lines, LinesError, file};

/// Lines one request looks at: a fraction of a second of one core.
const LOOKED_AT: u64 = 200_000;
/// Most lines on a page (context may add its last few).
const LONGEST_PAGE: u32 = 1000;
/// Most lines of context on each side.
const WIDEST_CONTEXT: u32 = 50;

/// What to look for.
#[derive(Debug, Clone)]
pub struct LineSearch {
    /// Which lines.
    pub query: Query,
    /// From this engine time on.
    pub from: Timestamp,
    /// Up to, but without, this one.
    pub to: Timestamp,
    /// The last line that may be found.
    pub up_to: Option<LineId>,
    /// Go on behind this line, in the direction of reading: the `next` of the page before.
    pub after: Option<LineId>,
    /// Only lines with smaller numbers.
    pub before: Option<LineId>,
    /// How many lines around each one that fits come along (50 at most), unmarked.
    pub context: u32,
    /// Lines on a page (1 to 1,000); the context of the last one may go beyond.
    pub limit: u32,
    /// Which of the lines found are marked as matched; None: all of them.
    pub mark: Option<Query>,
    /// Read from the newest line towards the past. The page itself is oldest first in both directions.
    pub newest_first: bool,
}

impl Default for LineSearch {
    /// Everything, oldest first, 200 lines a page.
    fn default() -> Self {
        Self {
            query: Query::default(),
            from: Timestamp::from_millis(i64::MIN),
            to: Timestamp::from_millis(i64::MAX),
            up_to: None,
            after: None,
            before: None,
            context: 0,
            limit: 200,
            mark: None,
            newest_first: false,
        }
    }
}

impl Lines {
    /// One page. A damaged block shows as one unmarked line that says which lines are lost.
    pub fn search(&self, ask: &LineSearch) -> Result<LogPage, LinesError> {
        self.reading(|connection| {
            let mut walk = Walk::new(ask);
            let Some(start) = start(connection, ask)? else { return Ok(walk.page()) };
            let (side, order) = if ask.newest_first { ("<=", "DESC") } else { (">=", "ASC") };
            let sql =
                format!("SELECT {} FROM blocks WHERE first_id {side} ?1 ORDER BY first_id {order}", file::COLUMNS);
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([start.0 as i64])?;
            while let Some(found) = rows.next()? {
                let row = file::row(found)?;
                if ask.is_past(&row) || walk.see_block(&row).is_break() {
                    break;
                }
            }
            Ok(walk.page())
        })
    }
}

impl LineSearch {
    /// First number that may be found.
    fn lowest(&self) -> u64 {
        if self.newest_first { 0 } else { self.after.map_or(0, |after| after.0 + 1) }
    }

    /// First number that may no longer be found.
    fn end(&self) -> u64 {
        let after = self.after.filter(|_| self.newest_first).map(|after| after.0);
        let up_to = self.up_to.map(|last| last.0.saturating_add(1));
        [after, up_to, self.before.map(|line| line.0)].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// True when neither this block nor one further on can hold anything.
    fn is_past(&self, row: &Row) -> bool {
        if self.newest_first { row.to < self.from } else { row.from >= self.to || row.first.0 >= self.end() }
    }

    fn holds(&self, id: u64, event: &LogEvent<'_>) -> bool {
        let time = event.engine_time;
        (self.lowest()..self.end()).contains(&id) && self.from <= time && time < self.to
    }
}

/// The block to begin with.
fn start(connection: &Connection, ask: &LineSearch) -> Result<Option<LineId>, rusqlite::Error> {
    if ask.newest_first {
        let last = file::last_block_before(connection, ask.to)?;
        return Ok(last.map(|last| LineId(last.0.min(ask.end().saturating_sub(1)))));
    }
    let Some(first) = file::first_block_since(connection, ask.from)? else { return Ok(None) };
    let mut statement = connection.prepare("SELECT coalesce(max(first_id), 0) FROM blocks WHERE first_id <= ?1")?;
    let lowest: i64 = statement.query_row([ask.lowest().min(i64::MAX as u64) as i64], |found| found.get(0))?;
    Ok(Some(first.max(LineId(lowest as u64))))
}

/// Goes over the lines in the direction of reading and gathers the page.
struct Walk<'q> {
    ask: &'q LineSearch,
    context: usize,
    limit: usize,
    found: Vec<LogLine>,
    /// Lines passed since the last one taken, which become context should the next one fit.
    passed: VecDeque<LogLine>,
    /// How many more lines come along behind the last one that fitted.
    trail: usize,
    looked_at: u64,
    /// The last line looked at.
    last: Option<u64>,
    more: bool,
}

type Flow = std::ops::ControlFlow<()>;

impl<'q> Walk<'q> {
    fn new(ask: &'q LineSearch) -> Self {
        Self {
            ask,
            context: ask.context.min(WIDEST_CONTEXT) as usize,
            limit: ask.limit.clamp(1, LONGEST_PAGE) as usize,
            found: Vec::new(),
            passed: VecDeque::new(),
            trail: 0,
            looked_at: 0,
            last: None,
            more: false,
        }
    }

    fn see_block(&mut self, row: &Row) -> Flow {
        if let Ok(flow) = self.see_lines(row) {
            return flow;
        }
        if row.last.0 < self.ask.lowest() || row.first.0 >= self.ask.end() {
            return Flow::Continue(());
        }
        tracing::warn!(first = row.first.0, last = row.last.0, "a block of raw lines is damaged");
        self.found.extend(self.passed.drain(..));
        self.found.push(gap(row));
        self.last = Some(if self.ask.newest_first { row.first.0 } else { row.last.0 });
        Flow::Continue(())
    }

    fn see_lines(&mut self, row: &Row) -> Result<Flow, BadBlock> {
        let unpacked = row.unpack()?;
        let events = unpacked.events()?;
        let count = events.len() as u64;
        for (at, event) in (0..count).zip(Directed::new(events, self.ask.newest_first)) {
            let id = row.first.0 + if self.ask.newest_first { count - 1 - at } else { at };
            if self.ask.holds(id, &event) && self.see(id, event).is_break() {
                return Ok(Flow::Break(()));
            }
        }
        Ok(Flow::Continue(()))
    }

    fn see(&mut self, id: u64, event: LogEvent<'_>) -> Flow {
        let full = self.found.len() >= self.limit && self.trail == 0;
        if full || self.looked_at >= LOOKED_AT {
            self.more = true;
            return Flow::Break(());
        }
        self.looked_at += 1;
        self.last = Some(id);
        if self.ask.query.matches(&event) {
            let matched = self.ask.mark.as_ref().is_none_or(|mark| mark.matches(&event));
            self.found.extend(self.passed.drain(..));
            self.found.push(LogLine { id: LineId(id), matched, event: event.into_owned() });
            self.trail = self.context;
        } else if self.trail > 0 {
            self.trail -= 1;
            self.found.push(LogLine { id: LineId(id), matched: false, event: event.into_owned() });
        } else if self.context > 0 {
            if self.passed.len() == self.context {
                self.passed.pop_front();
            }
            self.passed.push_back(LogLine { id: LineId(id), matched: false, event: event.into_owned() });
        }
        Flow::Continue(())
    }

    /// The page, oldest first. Going on begins behind the last line looked at, but for those passed:
    /// they may be the context of the next one that fits.
    fn page(mut self) -> LogPage {
        let passed = self.passed.len() as u64;
        let next = self.last.filter(|_| self.more).map(|last| {
            let from = if self.ask.newest_first { last.saturating_add(passed) } else { last.saturating_sub(passed) };
            from.to_string()
        });
        if self.ask.newest_first {
            self.found.reverse();
        }
        LogPage { items: self.found, next }
    }
}

/// Events forwards or backwards.
enum Directed<'a> {
    Forwards(std::vec::IntoIter<LogEvent<'a>>),
    Backwards(std::iter::Rev<std::vec::IntoIter<LogEvent<'a>>>),
}

impl<'a> Directed<'a> {
    fn new(events: Vec<LogEvent<'a>>, backwards: bool) -> Self {
        if backwards { Self::Backwards(events.into_iter().rev()) } else { Self::Forwards(events.into_iter()) }
    }
}

impl<'a> Iterator for Directed<'a> {
    type Item = LogEvent<'a>;

    fn next(&mut self) -> Option<LogEvent<'a>> {
        match self {
            Self::Forwards(events) => events.next(),
            Self::Backwards(events) => events.next(),
        }
    }
}

/// The line that stands for a damaged block.
fn gap(row: &Row) -> LogLine {
    let by = if row.source.is_empty() { String::new() } else { format!(" from {}", row.source.raw()) };
    let message = format!("lines {} to {}{by} are damaged on disk and cannot be shown", row.first.0, row.last.0);
    let event = LogEvent {
        received_at: row.received_at,
        engine_time: row.from,
        level: Level::Warn,
        message: Text::from(message),
        service: Text::from("stella"),
        ..LogEvent::default()
    };
    LogLine { id: row.first, matched: false, event }
}
