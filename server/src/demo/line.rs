//! Log lines as the guarded application writes them: its newer services like pino, the older ones
//! in words and ISO times, as grown applications do.
//!
//! Deliberately not `stella_protocol::LogEvent`: what stands here must be read by the ordinary ingest.

use serde::Serialize;
use serde_json::{Map, Value};
use stella_protocol::Timestamp;

/// How loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loudness {
    /// Ordinary life.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
    /// A sample of a series.
    Metric,
}

/// One line about to be written. Everything but service, loudness and message may be missing.
#[derive(Debug, Clone)]
pub struct Line {
    service: &'static str,
    loudness: Loudness,
    message: String,
    error: Option<&'static str>,
    rest: Rest,
}

/// What both forms write alike.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rest {
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_addr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Serialize)]
struct Pino<'a> {
    level: u8,
    time: i64,
    hostname: &'a str,
    service: &'a str,
    #[serde(flatten)]
    rest: &'a Rest,
    #[serde(skip_serializing_if = "Option::is_none")]
    err: Option<PinoError<'a>>,
    msg: &'a str,
}

#[derive(Serialize)]
struct PinoError<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Worded<'a> {
    timestamp: Timestamp,
    level: &'a str,
    service: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
    #[serde(flatten)]
    rest: &'a Rest,
}

impl Line {
    /// A line of `service`.
    pub fn new(service: &'static str, loudness: Loudness, message: impl Into<String>) -> Self {
        Self { service, loudness, message: message.into(), error: None, rest: Rest::default() }
    }

    /// A sample of a series.
    pub fn sample(service: &'static str, metric: &'static str, value: f64, unit: &'static str) -> Self {
        let mut line = Self::new(service, Loudness::Metric, metric);
        (line.rest.metric, line.rest.value, line.rest.unit) = (Some(metric), Some(value), Some(unit));
        line
    }

    /// About what.
    pub fn category(mut self, category: &'static str) -> Self {
        self.rest.category = Some(category);
        self
    }

    /// The operation, and how long it took in milliseconds.
    pub fn operation(mut self, operation: &'static str, duration_ms: i64) -> Self {
        (self.rest.operation, self.rest.duration_ms) = (Some(operation), Some(duration_ms));
        self
    }

    /// Whether the operation succeeded.
    pub fn success(mut self, success: bool) -> Self {
        self.rest.success = Some(success);
        self
    }

    /// The class of the error.
    pub fn error(mut self, kind: &'static str) -> Self {
        self.error = Some(kind);
        self
    }

    /// Whose request it was.
    pub fn user(mut self, user: &str) -> Self {
        self.rest.user_id = Some(user.to_owned());
        self
    }

    /// In which session.
    pub fn session(mut self, session: Option<&str>) -> Self {
        self.rest.session_id = session.map(str::to_owned);
        self
    }

    /// From which address.
    pub fn addr(mut self, addr: &str) -> Self {
        self.rest.remote_addr = Some(addr.to_owned());
        self
    }

    /// Which try this was; 0, the first, is not written.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.rest.retry_count = (attempt > 0).then_some(attempt);
        self
    }

    /// What a component says of itself.
    pub fn health(mut self, component: &'static str, health: &'static str) -> Self {
        (self.rest.component, self.rest.health) = (Some(component), Some(health));
        self
    }

    /// The trace.
    pub fn trace(mut self, trace: &str) -> Self {
        self.rest.trace_id = Some(trace.to_owned());
        self
    }

    /// Anything else.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.rest.more.insert(key.to_owned(), value.into());
        self
    }

    /// The line as written at this instant, one line of JSON. None: it has no JSON form.
    pub fn write(&self, at: Timestamp) -> Option<String> {
        match (self.service, self.loudness) {
            ("web" | "api" | "ai", Loudness::Info | Loudness::Warn | Loudness::Error) => self.pino(at),
            _ => self.worded(at),
        }
    }

    fn pino(&self, at: Timestamp) -> Option<String> {
        let level = match self.loudness {
            Loudness::Info | Loudness::Metric => 30,
            Loudness::Warn => 40,
            Loudness::Error => 50,
        };
        let hostname = match self.service {
            "web" => "web-1",
            "ai" => "ai-1",
            _ => "api-1",
        };
        let err = self.error.map(|kind| PinoError { kind, message: &self.message });
        let (service, rest, msg, time) = (self.service, &self.rest, self.message.as_str(), at.millis());
        serde_json::to_string(&Pino { level, time, hostname, service, rest, err, msg }).ok()
    }

    fn worded(&self, at: Timestamp) -> Option<String> {
        let level = match self.loudness {
            Loudness::Info => "info",
            Loudness::Warn => "warn",
            Loudness::Error => "error",
            Loudness::Metric => "METRIC",
        };
        let (service, message, error_type, rest) = (self.service, self.message.as_str(), self.error, &self.rest);
        serde_json::to_string(&Worded { timestamp: at, level, service, message, error_type, rest }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_services_write_like_pino_and_older_ones_in_words() {
        let at = Timestamp::from_millis(1_500);
        let line = |service| Line::new(service, Loudness::Error, "no").error("Oops").attempt(2).write(at);
        let pino = r#"{"level":50,"time":1500,"hostname":"api-1","service":"api","retryCount":2,"err":{"type":"Oops","message":"no"},"msg":"no"}"#;
        let worded = r#"{"timestamp":"1970-01-01T00:00:01.500Z","level":"error","service":"jobs","message":"no","errorType":"Oops","retryCount":2}"#;
        assert_eq!(line("api").as_deref(), Some(pino));
        assert_eq!(line("jobs").as_deref(), Some(worded));
    }
}
