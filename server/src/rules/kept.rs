//! What the store keeps of rules: changes that people made, and each rule as it was told last, so that its version
//! also rises when the file was edited while no server ran.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stella_protocol::{Rule, Text, Timestamp};

/// Rules that are not there any more but whose versions are remembered, at most.
const GONE: usize = 500;

/// Everything that is kept of rules, as one note.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    pub(super) rules: BTreeMap<String, KeptRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptRule {
    /// As it was told last; without its score.
    pub told: Rule,
    /// What somebody changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    /// It is in no file any more.
    #[serde(default)]
    pub gone: bool,
}

/// What somebody changed of a rule, all changes together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changed {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<f64>,
    /// Null: the limit was taken away.
    #[serde(default)]
    pub limits: BTreeMap<String, Option<f64>>,
    pub at: Timestamp,
    pub by: Text,
}

impl Kept {
    /// Reads a note; one that is damaged is none.
    pub fn from_note(note: Option<&str>) -> Self {
        let Some(note) = note else { return Self::default() };
        serde_json::from_str(note).unwrap_or_else(|error| {
            tracing::error!(%error, "the kept changes of rules do not read back: rules are as the file says");
            Self::default()
        })
    }

    /// True when no rule was ever told.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Forgets rules that are gone, when they are too many.
    pub(super) fn tidy(&mut self) {
        let gone: Vec<String> = self.rules.iter().filter(|(_, rule)| rule.gone).map(|(id, _)| id.clone()).collect();
        for id in gone.iter().skip(GONE) {
            self.rules.remove(id);
        }
    }
}
