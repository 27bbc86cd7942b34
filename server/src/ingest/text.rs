//! A record of text (a line with its continuation lines) becomes an event.
//!
//! Tried in order of certainty: JSON, a Windows event, logfmt, an access log; else a header is peeled
//! off and what follows is JSON, logfmt or a sentence. There is no line that is refused.

use std::borrow::Cow;

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

/// The message that [`event`] would read, without the rest.
pub(super) fn message(line: &str) -> Cow<'_, str> {
    // No time is asked for, so none completes it.
    let received = Timestamp::default();
    let record = bounded(line.trim_end());
    if record.starts_with(['{', '<']) || looks_like_logfmt(record) {
        return Cow::Owned(read(record, received).message.raw().to_owned());
    }
    let head = access::common_log(record, received).unwrap_or_else(|| header::peel(record, received));
    let message = head.message.filter(|_| !is_count(&head, record)).unwrap_or(record);
    if message.starts_with('{') || looks_like_logfmt(message) {
        return Cow::Owned(read(record, received).message.raw().to_owned());
    }
    Cow::Borrowed(message)
}

/// True when all that was taken for a header is one number of ten digits: a time as well as a count.
fn is_count(head: &Head<'_>, record: &str) -> bool {
    let digits = record.bytes().take_while(u8::is_ascii_digit).count();
    let more = head.level.is_some() || head.host.is_some() || head.service.is_some() || head.address.is_some();
    digits == 10 && !more && head.message.is_some_and(|message| message.len() + digits + 1 == record.len())
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
    head = forwarded(message, head, received);
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
    if looks_like_logfmt(text) { pairs::logfmt(text) } else { None }
}

fn looks_like_logfmt(text: &str) -> bool {
    memchr::memchr3(b'=', b' ', b'"', text.as_bytes()).is_some_and(|end| text.as_bytes()[end] == b'=')
}

/// The header of a web server's line that somebody passed on with a header of theirs.
fn forwarded<'a>(message: &'a str, head: Head<'a>, received: Timestamp) -> Head<'a> {
    match access::common_log(message, received) {
        Some(inner) if inner.address.is_some() => Head {
            time: inner.time.or(head.time),
            level: inner.level.or(head.level),
            address: inner.address,
            user: inner.user,
            ..head
        },
        _ => head,
    }
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
