//! Offending lines, whole, for samples: a ring bounded in lines and in the size of each.

use std::collections::VecDeque;
use std::sync::Arc;

use stella_protocol::{LineId, LogEvent, Text, Untrusted};

use crate::keep::keep_fields;

/// A kept line.
pub(crate) type Line = (LineId, Arc<LogEvent<'static>>);

/// Largest line that is kept as it is, in bytes of text.
const LARGEST: usize = 8192;
/// What is kept of each text of a larger one.
const CUT: usize = 1024;

/// The ring.
#[derive(Debug)]
pub(crate) struct Kept {
    cap: usize,
    lines: VecDeque<Line>,
    floor: i64,
}

impl Kept {
    pub(crate) fn new(cap: usize) -> Self {
        Self { cap: cap.max(16), lines: VecDeque::new(), floor: i64::MIN }
    }

    /// From here on every kept line is here, with its whole message.
    pub(crate) fn floor(&self) -> i64 {
        self.floor
    }

    pub(crate) fn push(&mut self, line: LineId, event: &LogEvent<'_>) {
        if self.lines.back().is_some_and(|(last, _)| *last >= line) {
            return;
        }
        if self.lines.len() == self.cap
            && let Some((_, gone)) = self.lines.pop_front()
        {
            self.floor = self.floor.max(gone.engine_time.millis() + 1);
        }
        let large = size(event) > LARGEST;
        if large {
            self.floor = self.floor.max(event.engine_time.millis() + 1);
        }
        let event = if large { shrunk(event) } else { event.clone().into_owned() };
        self.lines.push_back((line, Arc::new(event)));
    }

    pub(crate) fn get(&self, line: u64) -> Option<&Line> {
        let place = self.lines.binary_search_by_key(&LineId(line), |(line, _)| *line).ok()?;
        self.lines.get(place)
    }
}

/// Bytes of text in a line, roughly; stops counting where it is too much.
fn size(event: &LogEvent<'_>) -> usize {
    let maybe = |text: &Option<Untrusted<'_>>| text.as_ref().map_or(0, Untrusted::len);
    let all = |texts: &[Untrusted<'_>]| texts.iter().map(Untrusted::len).sum::<usize>();
    let texts = [&event.host, &event.operation, &event.error_type, &event.user_id, &event.session_id];
    let more =
        [&event.conversation_id, &event.remote_addr, &event.component, &event.metric, &event.unit, &event.trace_id];
    let plain = event.message.len() + event.service.len() + all(&event.suggested_actions) + all(&event.affected_users);
    let named: usize = texts.into_iter().chain(more).map(maybe).sum();
    plain + named + event.attributes.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>()
}

fn weight(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(values) => values.len() * 8 + values.iter().map(weight).sum::<usize>(),
        serde_json::Value::Object(fields) => fields.iter().map(|(name, value)| 8 + name.len() + weight(value)).sum(),
        _ => 8,
    }
}

/// The facts of a large line with its texts cut; its attributes and lists are left to the kept original.
fn shrunk(event: &LogEvent<'_>) -> LogEvent<'static> {
    let cut = |text: &Untrusted<'_>| {
        let raw = text.raw();
        let end = raw.floor_char_boundary(CUT);
        Text::from(if end < raw.len() { format!("{}…", &raw[..end]) } else { raw.to_owned() })
    };
    let maybe = |text: &Option<Untrusted<'_>>| text.as_ref().map(cut);
    LogEvent {
        timestamp: event.timestamp,
        received_at: event.received_at,
        engine_time: event.engine_time,
        level: event.level,
        category: event.category,
        severity: event.severity,
        message: cut(&event.message),
        service: cut(&event.service),
        host: maybe(&event.host),
        operation: maybe(&event.operation),
        duration_ms: event.duration_ms,
        success: event.success,
        error_type: maybe(&event.error_type),
        user_id: maybe(&event.user_id),
        session_id: maybe(&event.session_id),
        conversation_id: maybe(&event.conversation_id),
        remote_addr: maybe(&event.remote_addr),
        retry_count: event.retry_count,
        component: maybe(&event.component),
        health: event.health,
        metric: maybe(&event.metric),
        value: event.value,
        unit: maybe(&event.unit),
        login: event.login,
        trace_id: maybe(&event.trace_id),
        ..LogEvent::default()
    }
}

keep_fields!(Kept { cap, lines, floor });

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use stella_protocol::Timestamp;

    use super::*;

    #[test]
    fn a_huge_line_is_cut_and_the_floor_says_that_its_text_is_not_whole() {
        let mut kept = Kept::new(16);
        let event = LogEvent {
            message: "é".repeat(9000).into(),
            engine_time: Timestamp::from_millis(5),
            ..LogEvent::default()
        };
        kept.push(LineId(1), &event);
        let (_, line) = kept.get(1).unwrap();
        assert!(line.message.len() <= CUT + 3);
        assert_eq!(kept.floor(), 6);
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let mut kept = Kept::new(16);
        (0..20).for_each(|line| kept.push(LineId(line), &LogEvent::default()));
        assert!(kept.get(3).is_none() && kept.get(4).is_some() && kept.get(19).is_some());
    }
}
