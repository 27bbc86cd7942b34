//! How the lines of one request lie in their block: a compact binary form, written once and read by
//! borrowing, because the engine, the search and the warm-up after a restart all read it.
//!
//! Engine times and weights are not in it: they are given after packing and kept in columns of their own.
//! Everything read is checked; a block that says nonsense is an error and never a panic.

mod columns;
mod words;

use serde_json::{Map, Value};
use stella_protocol::{LogEvent, Severity, Timestamp, Untrusted, Weight};

pub use columns::{decode_times, decode_weights, encode_times, encode_weights};
use words::{
    category_code, category_of, health_code, health_of, level_code, level_of, login_code, login_of, severity_of,
};

/// Edition of this form, first byte of every block.
const EDITION: u8 = 1;
/// Least bytes an event takes: bounds what a lying count can make us reserve.
const LEAST_EVENT: usize = 5;

/// The block does not have the form this edition writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a block of lines: it is not in the form it was written in")]
pub struct BadBlock;

/// Writes `events` without their engine times and weights.
pub fn encode(events: &[LogEvent<'_>]) -> Vec<u8> {
    let base = events.first().map_or(0, |event| event.received_at.millis());
    let mut out = Vec::with_capacity(64 + events.len() * 256);
    out.push(EDITION);
    put(&mut out, events.len() as u64);
    put_signed(&mut out, base);
    for event in events {
        encode_event(&mut out, event, base);
    }
    out
}

/// Reads what [`encode`] wrote; the texts borrow from `bytes`, engine times are those of `times` in
/// order (missing ones stay at the epoch).
pub fn decode<'a>(bytes: &'a [u8], times: &[Timestamp]) -> Result<Vec<LogEvent<'a>>, BadBlock> {
    let mut from = Reader { bytes };
    if from.byte()? != EDITION {
        return Err(BadBlock);
    }
    let count = from.number()? as usize;
    let base = from.signed()?;
    let mut events = Vec::with_capacity(count.min(bytes.len() / LEAST_EVENT));
    for at in 0..count {
        let mut event = decode_event(&mut from, base)?;
        event.engine_time = times.get(at).copied().unwrap_or_default();
        events.push(event);
    }
    if from.bytes.is_empty() { Ok(events) } else { Err(BadBlock) }
}

/// Bits of the mask that says which fields follow.
mod has {
    pub const TIMESTAMP: u64 = 1;
    pub const CATEGORY: u64 = 1 << 1;
    pub const SEVERITY: u64 = 1 << 2;
    pub const HOST: u64 = 1 << 3;
    pub const OPERATION: u64 = 1 << 4;
    pub const DURATION: u64 = 1 << 5;
    pub const SUCCESS: u64 = 1 << 6;
    pub const ERROR_TYPE: u64 = 1 << 7;
    pub const USER: u64 = 1 << 8;
    pub const SESSION: u64 = 1 << 9;
    pub const CONVERSATION: u64 = 1 << 10;
    pub const ADDR: u64 = 1 << 11;
    pub const RETRIES: u64 = 1 << 12;
    pub const COMPONENT: u64 = 1 << 13;
    pub const HEALTH: u64 = 1 << 14;
    pub const LOGIN: u64 = 1 << 15;
    pub const METRIC: u64 = 1 << 16;
    pub const VALUE: u64 = 1 << 17;
    pub const UNIT: u64 = 1 << 18;
    pub const ACTIONS: u64 = 1 << 19;
    pub const AUTO_FIX: u64 = 1 << 20;
    pub const AFFECTED: u64 = 1 << 21;
    pub const TRACE: u64 = 1 << 22;
    pub const ATTRIBUTES: u64 = 1 << 23;
    pub const SUCCEEDED: u64 = 1 << 24;
}

fn encode_event(out: &mut Vec<u8>, event: &LogEvent<'_>, base: i64) {
    // Taken apart by name, so that a field added to the event cannot be forgotten here.
    let LogEvent {
        timestamp,
        received_at,
        engine_time: _,
        weight: _,
        level,
        category,
        severity,
        message,
        service,
        host,
        operation,
        duration_ms,
        success,
        error_type,
        user_id,
        session_id,
        conversation_id,
        remote_addr,
        retry_count,
        component,
        health,
        login,
        metric,
        value,
        unit,
        suggested_actions,
        auto_fix_available,
        affected_users,
        trace_id,
        attributes,
    } = event;
    let bit = |there: bool, bit: u64| if there { bit } else { 0 };
    let mask = bit(timestamp.is_some(), has::TIMESTAMP)
        | bit(category.is_some(), has::CATEGORY)
        | bit(severity.is_some(), has::SEVERITY)
        | bit(host.is_some(), has::HOST)
        | bit(operation.is_some(), has::OPERATION)
        | bit(duration_ms.is_some(), has::DURATION)
        | bit(success.is_some(), has::SUCCESS)
        | bit(*success == Some(true), has::SUCCEEDED)
        | bit(error_type.is_some(), has::ERROR_TYPE)
        | bit(user_id.is_some(), has::USER)
        | bit(session_id.is_some(), has::SESSION)
        | bit(conversation_id.is_some(), has::CONVERSATION)
        | bit(remote_addr.is_some(), has::ADDR)
        | bit(retry_count.is_some(), has::RETRIES)
        | bit(component.is_some(), has::COMPONENT)
        | bit(health.is_some(), has::HEALTH)
        | bit(login.is_some(), has::LOGIN)
        | bit(metric.is_some(), has::METRIC)
        | bit(value.is_some(), has::VALUE)
        | bit(unit.is_some(), has::UNIT)
        | bit(!suggested_actions.is_empty(), has::ACTIONS)
        | bit(*auto_fix_available, has::AUTO_FIX)
        | bit(!affected_users.is_empty(), has::AFFECTED)
        | bit(trace_id.is_some(), has::TRACE)
        | bit(!attributes.is_empty(), has::ATTRIBUTES);
    put(out, mask);
    out.push(level_code(*level));
    put_signed(out, received_at.millis() - base);
    put_text(out, message.raw());
    put_text(out, service.raw());
    if let Some(at) = timestamp {
        put_signed(out, at.millis() - base);
    }
    out.extend(category.map(category_code));
    out.extend(severity.map(Severity::rank));
    out.extend(health.map(health_code));
    out.extend(login.map(login_code));
    for number in [duration_ms, value].into_iter().flatten() {
        out.extend_from_slice(&number.to_le_bytes());
    }
    if let Some(retries) = retry_count {
        put(out, u64::from(*retries));
    }
    let texts = [
        host,
        operation,
        error_type,
        user_id,
        session_id,
        conversation_id,
        remote_addr,
        component,
        metric,
        unit,
        trace_id,
    ];
    for text in texts.into_iter().flatten() {
        put_text(out, text.raw());
    }
    for list in [suggested_actions, affected_users].into_iter().filter(|list| !list.is_empty()) {
        put(out, list.len() as u64);
        for text in list {
            put_text(out, text.raw());
        }
    }
    if !attributes.is_empty() {
        put_text(out, &serde_json::to_string(attributes).unwrap_or_else(|_| "{}".to_owned()));
    }
}

fn decode_event<'a>(from: &mut Reader<'a>, base: i64) -> Result<LogEvent<'a>, BadBlock> {
    let mask = from.number()?;
    let there = |bit: u64| mask & bit != 0;
    let level = level_of(from.byte()?);
    let received_at = from.time(base)?;
    let message = from.text()?;
    let service = from.text()?;
    Ok(LogEvent {
        received_at,
        level,
        message,
        service,
        timestamp: if there(has::TIMESTAMP) { Some(from.time(base)?) } else { None },
        category: if there(has::CATEGORY) { Some(category_of(from.byte()?)) } else { None },
        severity: if there(has::SEVERITY) { Some(severity_of(from.byte()?)) } else { None },
        health: if there(has::HEALTH) { Some(health_of(from.byte()?)) } else { None },
        login: if there(has::LOGIN) { Some(login_of(from.byte()?)) } else { None },
        duration_ms: if there(has::DURATION) { Some(from.float()?) } else { None },
        value: if there(has::VALUE) { Some(from.float()?) } else { None },
        retry_count: if there(has::RETRIES) {
            Some(u32::try_from(from.number()?).map_err(|_| BadBlock)?)
        } else {
            None
        },
        success: there(has::SUCCESS).then_some(there(has::SUCCEEDED)),
        auto_fix_available: there(has::AUTO_FIX),
        host: from.maybe(there(has::HOST))?,
        operation: from.maybe(there(has::OPERATION))?,
        error_type: from.maybe(there(has::ERROR_TYPE))?,
        user_id: from.maybe(there(has::USER))?,
        session_id: from.maybe(there(has::SESSION))?,
        conversation_id: from.maybe(there(has::CONVERSATION))?,
        remote_addr: from.maybe(there(has::ADDR))?,
        component: from.maybe(there(has::COMPONENT))?,
        metric: from.maybe(there(has::METRIC))?,
        unit: from.maybe(there(has::UNIT))?,
        trace_id: from.maybe(there(has::TRACE))?,
        suggested_actions: from.list(there(has::ACTIONS))?,
        affected_users: from.list(there(has::AFFECTED))?,
        attributes: from.attributes(there(has::ATTRIBUTES))?,
        engine_time: Timestamp::default(),
        weight: Weight::ONE,
    })
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], BadBlock> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(BadBlock)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, BadBlock> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u64, BadBlock> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(BadBlock)
    }

    fn signed(&mut self) -> Result<i64, BadBlock> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn time(&mut self, base: i64) -> Result<Timestamp, BadBlock> {
        base.checked_add(self.signed()?).map(Timestamp::from_millis).ok_or(BadBlock)
    }

    fn float(&mut self) -> Result<f64, BadBlock> {
        let bytes = self.take(8)?.try_into().map_err(|_| BadBlock)?;
        Ok(f64::from_le_bytes(bytes))
    }

    fn text(&mut self) -> Result<Untrusted<'a>, BadBlock> {
        let length = self.number()?;
        let bytes = self.take(usize::try_from(length).map_err(|_| BadBlock)?)?;
        std::str::from_utf8(bytes).map(Untrusted::from).map_err(|_| BadBlock)
    }

    fn maybe(&mut self, there: bool) -> Result<Option<Untrusted<'a>>, BadBlock> {
        if there { self.text().map(Some) } else { Ok(None) }
    }

    fn list(&mut self, there: bool) -> Result<Vec<Untrusted<'a>>, BadBlock> {
        let count = if there { self.number()? } else { 0 };
        (0..count).map(|_| self.text()).collect()
    }

    fn attributes(&mut self, there: bool) -> Result<Map<String, Value>, BadBlock> {
        if !there {
            return Ok(Map::new());
        }
        serde_json::from_str(self.text()?.raw()).map_err(|_| BadBlock)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn full() -> LogEvent<'static> {
        serde_json::from_value(serde_json::json!({
            "timestamp": "2026-03-01T10:00:00.250Z", "receivedAt": "2026-03-01T10:00:01.000Z",
            "engineTime": "2026-03-01T10:00:00.250Z", "level": "ERROR", "category": "user_friction",
            "severity": "critical", "message": "a\u{1b}[2J\nb", "service": "web", "host": "h", "operation": "op",
            "durationMs": 734.25, "success": false, "errorType": "TypeError", "userId": "ann@example.com",
            "sessionId": "s", "conversationId": "c", "remoteAddr": "203.0.113.9", "retryCount": 3,
            "component": "pool", "health": "down", "login": "locked_out", "metric": "m", "value": -0.5, "unit": "%",
            "suggestedActions": ["one", "two"], "autoFixAvailable": true, "affectedUsers": ["bob"], "traceId": "t",
            "attributes": {"k": [1, {"x": null}]}
        }))
        .unwrap()
    }

    #[test]
    fn every_field_of_an_event_survives() {
        let (full, bare) = (full(), LogEvent { message: "m".into(), success: Some(true), ..LogEvent::default() });
        let bytes = encode(&[full.clone(), bare.clone()]);
        assert_eq!(decode(&bytes, &[full.engine_time]).unwrap(), [full, bare]);
    }

    #[test]
    fn a_block_cut_anywhere_is_refused() {
        let bytes = encode(&[full()]);
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length], &[]), Err(BadBlock), "{length}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = decode(&[&[EDITION, 2], bytes.as_slice()].concat(), &[]);
        }
    }
}
