//! A log event: what ingest turns every source into, and what detection reads.

use serde::{Deserialize, Serialize};

use crate::{Text, Timestamp, Untrusted};

/// How loud a line is. `Metric` carries a sample of a series and is never counted as a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// For developers.
    Debug,
    /// Ordinary life.
    #[default]
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
    /// A sample of a series.
    Metric,
    /// A level this reader does not know.
    #[serde(other)]
    Unknown,
}

impl Level {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Metric => "METRIC",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Speed.
    Performance,
    /// Who gets in.
    Security,
    /// What is stored.
    Data,
    /// What is shown.
    Ui,
    /// A person who cannot get on.
    UserFriction,
    /// A category this reader does not know.
    #[serde(other)]
    Unknown,
}

impl Category {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Performance => "performance",
            Self::Security => "security",
            Self::Data => "data",
            Self::Ui => "ui",
            Self::UserFriction => "user_friction",
            Self::Unknown => "unknown",
        }
    }
}

/// How bad it is. Ordered: `Unknown < Low < Medium < High < Critical`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Look at it some day.
    Low = 1,
    /// Look at it today.
    Medium = 2,
    /// Look at it now.
    High = 3,
    /// Wake somebody.
    Critical = 4,
    /// A severity this reader does not know: sorts below all others.
    #[serde(other)]
    Unknown = 0,
}

impl Severity {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Storage order: 0 unknown to 4 critical.
    pub fn rank(self) -> u8 {
        self as u8
    }
}

/// What a component says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentHealth {
    /// All well.
    Healthy,
    /// Working, not well.
    Degraded,
    /// Not working.
    Down,
    /// A word this reader does not know.
    #[serde(other)]
    Unknown,
}

impl ComponentHealth {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// One event from the application, after ingest (and redaction) and before detection.
///
/// Texts borrow from the request's body where they can. `timestamp` is the time the line carried
/// (None: it carried none); `engine_time` is given once by the server, kept, and what detection uses.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEvent<'a> {
    /// The time that stood in the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// When the server got it.
    #[serde(default)]
    pub received_at: Timestamp,
    /// The time that counts for detection, given by the server.
    #[serde(default)]
    pub engine_time: Timestamp,
    /// For how many lines it counts in detection, given by the server with the time.
    #[serde(default, skip_serializing_if = "Weight::is_one")]
    pub weight: Weight,
    /// How loud.
    pub level: Level,
    /// About what, when the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// How bad, when the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The text.
    pub message: Untrusted<'a>,
    /// Which service spoke; empty when nobody said.
    #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
    pub service: Untrusted<'a>,
    /// On which host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Untrusted<'a>>,
    /// The operation it is about, as named by the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Untrusted<'a>>,
    /// How long the operation took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Whether the operation succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Class of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<Untrusted<'a>>,
    /// Whose request it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Untrusted<'a>>,
    /// In which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Untrusted<'a>>,
    /// In which conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<Untrusted<'a>>,
    /// From which network address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_addr: Option<Untrusted<'a>>,
    /// Which try this was; 0 or none: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<u32>,
    /// A part that speaks of its own health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Untrusted<'a>>,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<ComponentHealth>,
    /// Set by ingest when the text says that a login failed or succeeded (recognised by what is said).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// Name of the series, for `Level::Metric`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Untrusted<'a>>,
    /// Sample of the series, for `Level::Metric`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Unit of the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Untrusted<'a>>,
    /// What the source suggests to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggested_actions: Vec<Untrusted<'a>>,
    /// The source knows a fix.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_fix_available: bool,
    /// Users named by the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub affected_users: Vec<Untrusted<'a>>,
    /// Trace this belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Untrusted<'a>>,
    /// Everything else the source said; keys and texts in it are hostile too.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

/// For how many lines a line counts in detection: for itself, unless more came than can be looked at one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weight(u32);

impl Weight {
    /// For itself.
    pub const ONE: Self = Self(1);
    /// For nothing: a later line like it counts for it.
    pub const NONE: Self = Self(0);

    /// For so many lines, itself among them.
    pub const fn of(lines: u32) -> Self {
        Self(lines)
    }

    /// How many.
    pub const fn lines(self) -> u32 {
        self.0
    }

    /// True when it counts for itself alone.
    pub const fn is_one(&self) -> bool {
        self.0 == 1
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::ONE
    }
}

/// What a line says about somebody signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// A try that failed.
    Failed,
    /// A try that got in.
    Succeeded,
    /// The service itself says locked out, rate-limited or brute force.
    LockedOut,
    /// A word this reader does not know.
    #[serde(other)]
    Unknown,
}

impl Login {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Succeeded => "succeeded",
            Self::LockedOut => "locked_out",
            Self::Unknown => "unknown",
        }
    }
}

impl LogEvent<'_> {
    /// A copy that owns its texts.
    pub fn into_owned(self) -> LogEvent<'static> {
        let own = |text: Option<Untrusted<'_>>| text.map(Untrusted::into_owned);
        let own_all = |texts: Vec<Untrusted<'_>>| texts.into_iter().map(Untrusted::into_owned).collect::<Vec<Text>>();
        LogEvent {
            timestamp: self.timestamp,
            received_at: self.received_at,
            engine_time: self.engine_time,
            weight: self.weight,
            level: self.level,
            category: self.category,
            severity: self.severity,
            message: self.message.into_owned(),
            service: self.service.into_owned(),
            host: own(self.host),
            operation: own(self.operation),
            duration_ms: self.duration_ms,
            success: self.success,
            error_type: own(self.error_type),
            user_id: own(self.user_id),
            session_id: own(self.session_id),
            conversation_id: own(self.conversation_id),
            remote_addr: own(self.remote_addr),
            retry_count: self.retry_count,
            component: own(self.component),
            health: self.health,
            login: self.login,
            metric: own(self.metric),
            value: self.value,
            unit: own(self.unit),
            suggested_actions: own_all(self.suggested_actions),
            auto_fix_available: self.auto_fix_available,
            affected_users: own_all(self.affected_users),
            trace_id: own(self.trace_id),
            attributes: self.attributes,
        }
    }

    /// True when this event says that something failed: by level, by outcome, or by a failed login.
    pub fn failed(&self) -> bool {
        self.level == Level::Error || self.success == Some(false) || matches!(self.login, Some(Login::Failed))
    }
}
