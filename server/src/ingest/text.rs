//! A record of text (a line with its continuation lines) becomes an event.
//!
//! Tried in order of certainty: JSON, a Windows event, logfmt, an access log; else a header is peeled
//! off and what follows is JSON, logfmt or a sentence. There is no line that is refused.

use serde_json::Value;
use stella_protocol::{LogEvent, Timestamp};

use super::mapper::{Head, Mapper};
use super::{LONGEST_RECORD, access, header, json, measure, pairs, windows};

/// Reads one record.
pub(super) fn event(record: &str, received: Timestamp) -> LogEvent<'_> {
    let whole = record.trim_end();
    let record = bounded(whole);
    let mut event = read(record, received);
    if record.len() < whole.len() {
        event.attributes.insert("cut".to_owned(), Value::Bool(true));
    }
    event
}

fn bounded(record: &str) -> &str {
    let mut end = record.len().min(LONGEST_RECORD);
    while !record.is_char_boundary(end) {
        end -= 1;
    }
    &record[..end]
}

fn read(record: &str, received: Timestamp) -> LogEvent<'_> {
    let pairs = structured(record).or_else(|| windows::event(record)).or_else(|| logfmt(record));
    if let Some(pairs) = pairs {
        let mut mapper = Mapper::new(received);
        mapper.take(pairs);
        return mapper.finish(record);
    }
    let mut head = access::common_log(record, received).unwrap_or_else(|| header::peel(record, received));
    let message = head.message.unwrap_or(record);
    if let Some(pairs) = structured(message).or_else(|| logfmt(message)) {
        head.message = None;
        let mut mapper = Mapper::with_head(received, head);
        mapper.take(pairs);
        return mapper.finish(message);
    }
    sentence(record, message, head, received)
}

fn structured(text: &str) -> Option<json::Pairs<'_>> {
    if !text.starts_with('{') || !text.ends_with('}') {
        return None;
    }
    json::object(text).ok().filter(|pairs| !pairs.is_empty())
}

/// Logfmt begins with `key=`; anything else is not worth a try.
fn logfmt(text: &str) -> Option<json::Pairs<'_>> {
    let end = memchr::memchr3(b'=', b' ', b'"', text.as_bytes())?;
    if text.as_bytes()[end] == b'=' { pairs::logfmt(text) } else { None }
}

fn sentence<'a>(record: &'a str, message: &'a str, mut head: Head<'a>, received: Timestamp) -> LogEvent<'a> {
    if head.path.is_none() {
        access::request(message, &mut head);
    }
    if head.millis.is_none()
        && let Some(found) = measure::find(message)
    {
        head.millis = Some(found.millis);
        head.operation = found.operation;
    }
    let mut mapper = Mapper::with_head(received, head);
    mapper.take_prose(pairs::within(message));
    if message.ends_with('}')
        && let Some(at) = message.find(" {\"")
        && let Some(pairs) = structured(&message[at + 1..])
    {
        mapper.take_prose(pairs);
    }
    mapper.finish(record)
}
