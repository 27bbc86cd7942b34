//! What the filter language finds in a log event and in an alert.

use crate::query::{Searchable, Value};
use crate::{Activity, Alert, LogEvent, Timestamp, Untrusted};

fn word<'a>(text: &'a Untrusted<'_>) -> Value<'a> {
    Value::Word(text.raw())
}

fn maybe<'a>(text: Option<&'a Untrusted<'_>>) -> Value<'a> {
    text.map_or(Value::Absent, |text| Value::Word(text.raw()))
}

fn number(value: Option<f64>) -> Value<'static> {
    value.map_or(Value::Absent, Value::Number)
}

impl Searchable for LogEvent<'_> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "level" => Value::Word(self.level.word()),
            "service" => word(&self.service),
            "host" => maybe(self.host.as_ref()),
            "operation" | "op" => maybe(self.operation.as_ref()),
            "error" => maybe(self.error_type.as_ref()),
            "user" => match (&self.user_id, self.affected_users.as_slice()) {
                (None, []) => Value::Absent,
                (user, others) => Value::Words(user.iter().chain(others).map(Untrusted::raw).collect()),
            },
            "session" => maybe(self.session_id.as_ref()),
            "conversation" => maybe(self.conversation_id.as_ref()),
            "addr" => maybe(self.remote_addr.as_ref()),
            "trace" => maybe(self.trace_id.as_ref()),
            "component" => maybe(self.component.as_ref()),
            "metric" => maybe(self.metric.as_ref()),
            "category" => self.category.map_or(Value::Absent, |category| Value::Word(category.word())),
            "sev" | "severity" => self.severity.map_or(Value::Absent, |severity| Value::Rank(severity.rank())),
            "health" => self.health.map_or(Value::Absent, |health| Value::Word(health.word())),
            "login" => self.login.map_or(Value::Absent, |login| Value::Word(login.word())),
            "retries" => number(self.retry_count.map(f64::from)),
            "duration" => number(self.duration_ms),
            "value" => number(self.value),
            "time" => Value::Number(self.engine_time.millis() as f64),
            "success" => self.success.map_or(Value::Absent, Value::Flag),
            "failed" => Value::Flag(self.failed()),
            "message" => word(&self.message),
            _ => match self.attributes.get(name)? {
                serde_json::Value::String(text) => Value::Word(text),
                serde_json::Value::Number(value) => number(value.as_f64()),
                serde_json::Value::Bool(flag) => Value::Flag(*flag),
                _ => Value::Absent,
            },
        })
    }

    fn any_text(&self, fits: &mut dyn FnMut(&str) -> bool) -> bool {
        fits(self.message.raw())
    }
}

/// An alert as seen at one moment by one person.
#[derive(Debug, Clone, Copy)]
pub struct AlertView<'a> {
    /// Which alert.
    pub alert: &'a Alert,
    /// Ages count up to here.
    pub now: Timestamp,
    /// What `mine` means.
    pub me: &'a str,
}

impl Searchable for AlertView<'_> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        let alert = self.alert;
        let firing = alert.activity == Activity::Firing;
        let owner = alert.assignee.as_ref().or(alert.acknowledged_by.as_ref());
        Some(match name {
            "sev" | "severity" => Value::Rank(alert.severity.rank()),
            "status" | "state" => Value::Word(alert.status.word()),
            "type" => Value::Word(alert.kind.word()),
            "category" => Value::Word(alert.category.word()),
            "service" => word(&alert.service),
            "operation" | "op" => maybe(alert.operation.as_ref()),
            "assignee" | "owner" => maybe(owner),
            "user" => Value::Words(alert.affected_users.iter().map(Untrusted::raw).collect()),
            "rule" => word(&alert.rule_id),
            "id" => Value::Word(alert.id.as_str()),
            "fix" => Value::Words(alert.fixes.iter().map(crate::id::FixId::as_str).collect()),
            "ticket" => Value::Words(alert.tickets.iter().map(crate::id::TicketId::as_str).collect()),
            "age" => Value::Number(self.now.since(alert.first_seen) as f64),
            "since" => Value::Number(alert.first_seen.millis() as f64),
            "until" => Value::Number(alert.last_seen.millis() as f64),
            "count" => Value::Number(alert.occurrences as f64),
            "activity" => Value::Word(if firing { "firing" } else { "quiet" }),
            "firing" => Value::Flag(firing),
            "quiet" => Value::Flag(!firing),
            "snoozed" => Value::Flag(alert.snoozed_until.is_some_and(|until| until > self.now)),
            "open" => Value::Flag(alert.status.is_open()),
            "unacked" => Value::Flag(alert.status == crate::Status::New),
            "mine" => Value::Flag(owner.is_some_and(|owner| owner.raw() == self.me)),
            _ => maybe(alert.labels.get(name.strip_prefix("label.")?)),
        })
    }

    fn any_text(&self, fits: &mut dyn FnMut(&str) -> bool) -> bool {
        let alert = self.alert;
        fits(alert.title.raw())
            || fits(alert.service.raw())
            || fits(alert.id.as_str())
            || alert.operation.as_ref().is_some_and(|operation| fits(operation.raw()))
            || alert.labels.values().any(|label| fits(label.raw()))
    }
}
