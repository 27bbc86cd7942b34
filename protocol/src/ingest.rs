//! What `POST /logs` answers.

use serde::{Deserialize, Serialize};

use crate::Text;

/// Why one line of a batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineError {
    /// Which line of the request, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub detail: Text,
}

/// The answer. A 2xx means that every accepted line survives SIGKILL.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestResponse {
    /// Lines taken.
    pub accepted: u64,
    /// Lines not taken.
    pub rejected: u64,
    /// Why, for the first 100 of them.
    #[serde(default)]
    pub errors: Vec<LineError>,
}
