//! What of a line goes out as a diagnostic log event in the original Stella form: only what somebody can
//! act on, and calls that took longer than their operation may.

use serde_json::{Map, Value};
use stella_detect::Rules;
use stella_protocol::feed::DiagnosticLog;
use stella_protocol::{Category, Level, LogEvent, Severity, Text, Untrusted};

/// How many times the limit is very slow.
const VERY_SLOW: f64 = 2.0;

/// True when [`of`] makes an event of this line; cheap.
pub(super) fn is_actionable(event: &LogEvent<'_>, rules: &Rules) -> bool {
    speaks_up(event) || slowness(event, rules).is_some()
}

/// The line in the original form; None: nobody can act on it.
pub(super) fn of(event: &LogEvent<'_>, rules: &Rules) -> Option<DiagnosticLog> {
    if speaks_up(event) {
        let severity =
            event.severity.unwrap_or(if event.level == Level::Error { Severity::High } else { Severity::Medium });
        return Some(log(event, event.level, category(event), severity, event.message.to_text()));
    }
    let Slow { operation, took, limit } = slowness(event, rules)?;
    let message = format!("Slow {}: {}ms (threshold: {}ms)", operation.raw(), took.round(), limit.round());
    let severity = if took >= limit * VERY_SLOW { Severity::High } else { Severity::Medium };
    let category = event.category.unwrap_or(Category::Performance);
    Some(log(event, event.level.max(Level::Warn), category, severity, Text::from(message)))
}

fn speaks_up(event: &LogEvent<'_>) -> bool {
    let said = event.category.is_some() || event.severity.is_some() || !event.suggested_actions.is_empty();
    said && matches!(event.level, Level::Warn | Level::Error)
}

struct Slow<'e, 'a> {
    operation: &'e Untrusted<'a>,
    took: f64,
    limit: f64,
}

/// A call that took longer than its operation may.
fn slowness<'e, 'a>(event: &'e LogEvent<'a>, rules: &Rules) -> Option<Slow<'e, 'a>> {
    let operation = event.operation.as_ref().filter(|_| event.level != Level::Metric)?;
    let took = event.duration_ms.filter(|took| took.is_finite())?;
    let limit = rules.limit_ms(operation.raw());
    (took > limit).then_some(Slow { operation, took, limit })
}

/// What the line is about, when it does not say.
fn category(event: &LogEvent<'_>) -> Category {
    let guessed = || match event {
        event if event.login.is_some() => Category::Security,
        event if event.duration_ms.is_some() => Category::Performance,
        event if event.retry_count.is_some() => Category::UserFriction,
        _ => Category::Unknown,
    };
    event.category.unwrap_or_else(guessed)
}

fn log(event: &LogEvent<'_>, level: Level, category: Category, severity: Severity, message: Text) -> DiagnosticLog {
    DiagnosticLog {
        timestamp: event.engine_time,
        level,
        category,
        message,
        severity,
        suggested_actions: event.suggested_actions.iter().map(Untrusted::to_text).collect(),
        auto_fix_available: event.auto_fix_available,
        metadata: metadata(event),
    }
}

/// What else the line said, under the original's names; the fields of the line win over its attributes.
fn metadata(event: &LogEvent<'_>) -> Map<String, Value> {
    let mut metadata = event.attributes.clone();
    let service = Some(&event.service).filter(|service| !service.is_empty());
    let texts = [
        ("operation", event.operation.as_ref()),
        ("service", service),
        ("host", event.host.as_ref()),
        ("errorType", event.error_type.as_ref()),
        ("userId", event.user_id.as_ref()),
        ("sessionId", event.session_id.as_ref()),
        ("conversationId", event.conversation_id.as_ref()),
        ("remoteAddr", event.remote_addr.as_ref()),
        ("component", event.component.as_ref()),
        ("traceId", event.trace_id.as_ref()),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, Value::from(text?.raw()))));
    let numbers = [("duration_ms", event.duration_ms.map(number)), ("retryCount", event.retry_count.map(Value::from))];
    let numbers = numbers.into_iter().filter_map(|(name, number)| Some((name, number?)));
    metadata.extend(texts.chain(numbers).map(|(name, value)| (name.to_owned(), value)));
    metadata
}

/// A whole number stays one, as the original wrote it.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { Value::from(value as i64) } else { Value::from(value) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn slow(took: f64) -> LogEvent<'static> {
        LogEvent {
            operation: Some("get_shared_agents".into()),
            duration_ms: Some(took),
            user_id: Some("ann@example.com".into()),
            message: "GET /agents".into(),
            ..LogEvent::default()
        }
    }

    fn wire(event: &LogEvent<'_>) -> Value {
        serde_json::to_value(of(event, &Rules::default()).unwrap()).unwrap()
    }

    #[test]
    fn a_slow_call_is_told_in_the_original_words() {
        let wire = wire(&slow(734.0));
        assert_eq!(wire["message"], "Slow get_shared_agents: 734ms (threshold: 200ms)");
        assert_eq!(
            (&wire["level"], &wire["category"], &wire["severity"]),
            (&"WARN".into(), &"performance".into(), &"high".into())
        );
        assert_eq!(
            wire["metadata"],
            serde_json::json!({"operation": "get_shared_agents", "duration_ms": 734, "userId": "ann@example.com"})
        );
    }

    #[test]
    fn what_nobody_can_act_on_is_not_told() {
        let rules = Rules::default();
        let bare_error = LogEvent { level: Level::Error, ..LogEvent::default() };
        let calm = LogEvent { category: Some(Category::Security), ..LogEvent::default() };
        for event in [slow(200.0), bare_error, calm] {
            assert!(!is_actionable(&event, &rules) && of(&event, &rules).is_none());
        }
    }

    #[test]
    fn a_line_that_speaks_up_keeps_its_own_words() {
        let event = LogEvent {
            level: Level::Error,
            category: Some(Category::Data),
            message: "orphaned document".into(),
            suggested_actions: vec!["look".into()],
            attributes: serde_json::json!({"collection": "agents", "userId": "forged"}).as_object().unwrap().clone(),
            ..slow(900.0)
        };
        assert!(is_actionable(&event, &Rules::default()));
        let wire = wire(&event);
        assert_eq!((&wire["message"], &wire["severity"]), (&"orphaned document".into(), &"high".into()));
        assert_eq!(wire["suggestedActions"], serde_json::json!(["look"]));
        assert_eq!(wire["metadata"]["userId"], "ann@example.com");
        assert_eq!(wire["metadata"]["collection"], "agents");
    }
}
