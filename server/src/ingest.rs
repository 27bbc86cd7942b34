//! Bytes in, [`LogEvent`]s out: whatever an application, a pipe or a file says becomes one shape here.
//!
//! Pure: no clock (the caller says when the body came), no files, no sockets. It deliberately does not
//! give engine time, does not redact (see [`crate::redact`]) and does not judge: a broken line is
//! reported by its number and never costs the others.

mod access;
mod address;
mod fields;
mod header;
mod joiner;
mod json;
mod level;
mod login;
mod mapper;
mod measure;
mod pairs;
mod records;
mod said;
pub(crate) mod talk;
mod text;
mod when;
mod windows;

pub use joiner::LineJoiner;
use talk::Talk;

use stella_protocol::ingest::LineError;
use stella_protocol::{LogEvent, Text, Timestamp};

/// Longest record that is read, in bytes; a longer one is refused (JSON) or cut (text).
pub const LONGEST_RECORD: usize = 1 << 20;

/// Deepest nesting of a JSON record.
pub const DEEPEST_JSON: u8 = 64;

/// Most records in one request: a body of one-byte lines must not become gigabytes of events.
pub const MOST_RECORDS: usize = 250_000;

/// Most line errors that are told one by one.
const MOST_ERRORS: usize = 100;

/// How the body is to be read; the request's content type decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// NDJSON, one array, or `{"logs":[…]}`: told apart by looking.
    Json,
    /// A record a line; continuation lines of a stack trace belong to the line above.
    PlainText,
}

/// What was read from one body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch<'a> {
    /// In the order of the body.
    pub events: Vec<LogEvent<'a>>,
    /// Records taken: the number of events.
    pub accepted: u64,
    /// Records not taken.
    pub rejected: u64,
    /// Why, for the first hundred of them; `line` counts lines, in an array its elements, from 1.
    pub errors: Vec<LineError>,
}

impl<'a> Batch<'a> {
    fn take(&mut self, line: usize, read: Result<LogEvent<'a>, String>) -> Result<(), BodyError> {
        if self.events.len() + self.rejected as usize >= MOST_RECORDS {
            return Err(BodyError::TooManyRecords);
        }
        match read {
            Ok(event) => {
                self.accepted += 1;
                self.events.push(event);
            }
            Err(detail) => {
                self.rejected += 1;
                if self.errors.len() < MOST_ERRORS {
                    self.errors.push(LineError { line: line as u64, detail: Text::from(detail) });
                }
            }
        }
        Ok(())
    }
}

/// The body as a whole could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More than [`MOST_RECORDS`].
    #[error("read the body: it holds more than {MOST_RECORDS} records")]
    TooManyRecords,
}

/// Reads a body that came at `received`. Events borrow from it; `received_at` is set, engine time is not.
///
/// `received` also completes times that stand in a line without a year or a date: the nearest past.
pub fn parse(body: &str, kind: BodyKind, received: Timestamp) -> Result<Batch<'_>, BodyError> {
    let mut batch = Batch::default();
    match kind {
        BodyKind::Json => {
            let (records, ending) = records::of(body);
            let mut talk = Talk::new();
            for (line, record) in records {
                let mut read = json::event(record, received);
                if let Ok(event) = &mut read {
                    talk.complete(record, event, received);
                }
                talk.keep(record);
                batch.take(line, read)?;
            }
            if let Some((line, complaint)) = ending {
                batch.take(line, Err(complaint.to_owned()))?;
            }
        }
        BodyKind::PlainText => {
            let mut talk = Talk::new();
            for record in joiner::split(body) {
                let mut event = text::event(record, received);
                talk.complete(record, &mut event, received);
                talk.keep(record);
                batch.take(0, Ok(event))?;
            }
        }
    }
    Ok(batch)
}

/// Reads one record of text, as a [`LineJoiner`] gives it; `received` is as in [`parse`].
pub fn record(record: &str, received: Timestamp) -> LogEvent<'_> {
    text::event(record, received)
}

/// The words of one line, without what stands in front of them: what its event would say.
///
/// For whoever needs nothing but the words: a sentence costs only its header.
pub fn message_of(line: &str) -> std::borrow::Cow<'_, str> {
    text::message(line)
}

#[cfg(test)]
#[path = "ingest/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ingest/real_logs.rs"]
mod real_logs;
