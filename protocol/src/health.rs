//! How the application is, always with the reason in words.

use serde::{Deserialize, Serialize};

use crate::{Text, Timestamp};

/// One word for the whole application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Nothing speaks against it.
    Healthy,
    /// A critical alert is open, or too many errors.
    Degraded,
    /// A source or component that should speak is silent or says down.
    Down,
    /// A word this reader does not know.
    #[serde(other)]
    Unknown,
}

impl HealthStatus {
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

/// Health with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// One word.
    pub status: HealthStatus,
    /// Why.
    pub reason: Text,
}

/// Where the engine's clock stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineClock {
    /// Engine time of the newest line; None before the first.
    pub last: Option<Timestamp>,
    /// A recording is being read: ages count from `last`, not from the clock.
    pub recording: bool,
    /// Lines taken in since the server started.
    pub lines: u64,
}
