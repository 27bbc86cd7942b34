//! What really happened, as somebody wrote it down, against what was found.
//!
//! A file of labels is JSON lines, or a table with tabs whose first row names its columns. What a label does not
//! say is anything. Two labels of one time are told apart by what they name.

mod kinds;
mod score;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use stella_protocol::{AlertType, LogEvent, Text, Timestamp};

pub use score::{Missed, Score, Tally};

/// Most labels: more than one a minute of a year's quarter is no list of incidents.
const MOST: usize = 100_000;
/// Longest line of the file, in bytes.
const LONGEST_LINE: u64 = 1 << 20;
/// Most affected lines of one incident that are timed: who needs more of them did not find it soon.
const MOST_LINES: usize = 10_000;

/// Why labels cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// The file cannot be read.
    #[error("read the labels {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A row of it says nothing that can be used.
    #[error("read the labels {}: line {line}: {what}", path.display())]
    Row {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong, and what is wanted.
        what: String,
    },
}

/// An incident as it really was.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The word for its kind, as it was written.
    pub word: String,
    /// What kind of alert says it right.
    pub kind: AlertType,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// In which service.
    pub service: Option<String>,
    /// In which operation.
    pub operation: Option<String>,
    /// Whose.
    pub user: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// Other names of which an alert must say one.
    pub names: Vec<String>,
    /// It follows from another one: no alert of its own is wanted, and one is not false.
    pub follows: bool,
}

/// All incidents, and when each touched a line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labels {
    all: Vec<Label>,
    touched: Vec<Vec<Timestamp>>,
    /// By their begin, the last first: those that have not begun.
    ahead: Vec<usize>,
    now: Vec<usize>,
}

impl Labels {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or a row of it cannot be used.
    pub fn read(path: &Path) -> Result<Self, LabelsError> {
        let unreadable = |error| LabelsError::Read(path.to_owned(), error);
        let mut input = BufReader::new(File::open(path).map_err(unreadable)?);
        let (mut labels, mut columns, mut line) = (Vec::new(), None, 0);
        loop {
            line += 1;
            let mut bytes = Vec::new();
            let read = io::Read::take(&mut input, LONGEST_LINE).read_until(b'\n', &mut bytes).map_err(unreadable)?;
            if read == 0 {
                return Ok(Self::of(labels));
            }
            let bad = |what: String| LabelsError::Row { path: path.to_owned(), line, what };
            let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?.trim_end();
            if text.is_empty() {
                continue;
            }
            if labels.len() == MOST {
                return Err(bad(format!("there are more than {MOST} labels")));
            }
            let row = match (text.starts_with('{'), &columns) {
                (true, _) => object(text).map_err(bad)?,
                (false, None) => {
                    columns = Some(text.split('\t').map(str::to_owned).collect::<Vec<_>>());
                    continue;
                }
                (false, Some(columns)) => cells(columns, text),
            };
            labels.push(label(&row).map_err(bad)?);
        }
    }

    fn of(labels: Vec<Label>) -> Self {
        let mut ahead: Vec<usize> = (0..labels.len()).collect();
        ahead.sort_by_key(|at| std::cmp::Reverse(labels[*at].from));
        Self { touched: vec![Vec::new(); labels.len()], all: labels, ahead, now: Vec::new() }
    }

    /// Notes which incidents a line belongs to.
    pub fn see(&mut self, event: &LogEvent<'_>) {
        let at = event.engine_time;
        while let Some(next) = self.ahead.pop_if(|next| self.all[*next].from <= at) {
            self.now.push(next);
        }
        self.now.retain(|label| self.all[*label].to >= at);
        for label in &self.now {
            let touched = &mut self.touched[*label];
            if touched.len() < MOST_LINES && self.all[*label].touches(event) {
                touched.push(at);
            }
        }
    }
}

impl Label {
    /// True when a line is one of those that show it.
    fn touches(&self, event: &LogEvent<'_>) -> bool {
        let is = |own: &Option<String>, said: Option<&str>| own.as_deref().is_none_or(|own| said == Some(own));
        let shows = match self.kind {
            AlertType::PerformanceDegradation => event.duration_ms.is_some(),
            AlertType::ErrorSpike | AlertType::NewError | AlertType::UserFriction => event.failed(),
            AlertType::SecurityAnomaly => event.login.is_some() || event.failed(),
            AlertType::Silence => false,
            _ => true,
        };
        shows
            && is(&self.service, Some(event.service.raw()))
            && is(&self.operation, event.operation.as_ref().map(stella_protocol::Untrusted::raw))
            && is(&self.user, event.user_id.as_ref().map(stella_protocol::Untrusted::raw))
            && is(&self.address, event.remote_addr.as_ref().map(stella_protocol::Untrusted::raw))
    }

    /// In a few words, for people. Made of outside text.
    pub fn words(&self) -> Text {
        let places = [&self.operation, &self.service, &self.user, &self.address];
        let named = places.into_iter().flatten().chain(&self.names).map(String::as_str).collect::<Vec<_>>().join(" ");
        Text::from(format!("{}  {:<23}  {named}", self.from, self.word).trim_end().to_owned())
    }
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("it is no JSON object".to_owned()),
        Err(error) => Err(format!("it is no JSON: {error}")),
    }
}

/// A row of a table; `-` and nothing are both nothing.
fn cells(columns: &[String], text: &str) -> Map<String, Value> {
    let cells = columns.iter().zip(text.split('\t')).filter(|(_, cell)| !cell.is_empty() && *cell != "-");
    cells.map(|(name, cell)| (name.trim().to_owned(), Value::from(cell.trim()))).collect()
}

fn label(row: &Map<String, Value>) -> Result<Label, String> {
    let find = |names: &[&str]| names.iter().find_map(|name| row.get(*name).filter(|value| !value.is_null()));
    let text = |names: &[&str]| find(names).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let word = text(&["type", "kind"]).ok_or("want `type`, a type of alert like error_spike")?;
    let kind = kinds::family(&word)?;
    let moment = |names: &[&str]| find(names).and_then(time).ok_or_else(|| wanted_time(names[0]));
    let (from, to) = (moment(&["from", "onset", "start"])?, moment(&["to", "end"])?);
    if to < from {
        return Err("`to` is before `from`".to_owned());
    }
    let list = |value: &Value| match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    let mut names: Vec<String> = find(&["names"]).map(list).unwrap_or_default();
    names.extend(text(&["name", "source", "component", "series"]));
    Ok(Label {
        word,
        kind,
        from,
        to,
        service: text(&["service"]),
        operation: text(&["operation"]),
        user: text(&["user", "userId"]),
        address: text(&["address", "addr", "remoteAddr"]),
        names,
        follows: find(&["parent"]).is_some(),
    })
}

fn wanted_time(name: &str) -> String {
    format!("want `{name}`, a time like 2026-01-31T10:00:00Z, or seconds since 1970")
}

/// RFC 3339, seconds or milliseconds since 1970.
fn time(value: &Value) -> Option<Timestamp> {
    /// Seconds beyond this are milliseconds: the year 5138.
    const LAST_SECOND: f64 = 1e11;
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match Timestamp::parse(text) {
            Some(at) => return Some(at),
            None => text.parse().ok(),
        },
        _ => None,
    };
    let number = number.filter(|number: &f64| number.is_finite() && *number >= 0.0)?;
    Some(Timestamp::from_millis(if number < LAST_SECOND { number * 1000.0 } else { number } as i64))
}

#[cfg(test)]
mod tests;
