//! A new revision of a service: a mark in every chart, and a reason in evidence.

use serde::{Deserialize, Serialize};

use crate::{Text, Timestamp};

/// How a deploy became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploySource {
    /// Somebody said so: `POST /deploys`.
    #[default]
    Told,
    /// A log line says so.
    Line,
    /// A source this reader does not know.
    #[serde(other)]
    Unknown,
}

/// A new revision of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deploy {
    /// Which service.
    pub service: Text,
    /// Which revision of it.
    pub revision: Text,
    /// When, in engine time.
    pub at: Timestamp,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Text>,
    /// How it became known.
    #[serde(default)]
    pub source: DeploySource,
}

/// `POST /deploys`. The same service and revision again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeployRequest {
    /// As [`Deploy::service`].
    pub service: Text,
    /// As [`Deploy::revision`].
    pub revision: Text,
    /// As [`Deploy::at`]; None: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// As [`Deploy::by`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Text>,
}

/// `GET /deploys`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployPage {
    /// Newest first.
    pub items: Vec<Deploy>,
    /// Always None: what is kept is short.
    #[serde(default)]
    pub next: Option<String>,
}
