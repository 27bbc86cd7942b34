//! A rule as somebody wrote it, and which problems it concerns.

use std::collections::BTreeMap;

use stella_detect::{Known, Limit, Pattern, Setting};
use stella_protocol::{AlertType, Text};

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// All problems of a kind.
    Kind(AlertType),
    /// What one rule of the engine finds.
    Known(Known),
}

impl What {
    /// What a `type` may say: the engine's rules by their ids, and the kinds of problems that they find.
    pub fn all() -> Vec<(&'static str, Self)> {
        let mut all: Vec<(&'static str, Self)> =
            Known::ALL.into_iter().map(|known| (known.id(), Self::Known(known))).collect();
        for known in Known::ALL {
            let word = known.kind().word();
            if all.iter().all(|(other, _)| *other != word) {
                all.push((word, Self::Kind(known.kind())));
            }
        }
        all
    }

    /// The word that says so.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.word(),
            Self::Known(known) => known.id(),
        }
    }

    /// The kind of its problems.
    pub fn kind(self) -> AlertType {
        match self {
            Self::Kind(kind) => kind,
            Self::Known(known) => known.kind(),
        }
    }

    /// The engine's rules that it is about.
    pub fn covers(self) -> Vec<Known> {
        match self {
            Self::Kind(kind) => Known::ALL.into_iter().filter(|known| known.kind() == kind).collect(),
            Self::Known(known) => vec![known],
        }
    }

    /// The limits that can be set for them.
    pub fn limits(self) -> Vec<Limit> {
        let mut limits: Vec<Limit> = self.covers().into_iter().flat_map(Known::limits).copied().collect();
        limits.sort_unstable();
        limits.dedup();
        limits
    }
}

/// A rule as it is written. What is None is as a rule before it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its name.
    pub id: String,
    /// What it is about.
    pub what: What,
    /// In which services, with `*` for any text.
    pub service: Option<String>,
    /// In which operations.
    pub operation: Option<String>,
    /// Whether anybody is told.
    pub enabled: Option<bool>,
    /// False alerts an hour that somebody is ready to bear.
    pub sensitivity: Option<f64>,
    /// Limits; None takes one away that a rule before it sets.
    pub limits: BTreeMap<Limit, Option<f64>>,
    /// What to do; empty: what the rule itself knows.
    pub actions: Vec<Text>,
    /// The page that says what to do.
    pub runbook: Option<Text>,
    /// Whose it is.
    pub owner: Option<Text>,
    /// It stands in the file.
    pub in_file: bool,
}

impl Written {
    /// A rule as the server ships it.
    pub fn shipped(known: Known) -> Self {
        Self::new(known.id().to_owned(), What::Known(known), false)
    }

    /// A rule that says nothing yet.
    pub fn new(id: String, what: What, in_file: bool) -> Self {
        Self {
            id,
            what,
            service: None,
            operation: None,
            enabled: None,
            sensitivity: None,
            limits: BTreeMap::new(),
            actions: Vec::new(),
            runbook: None,
            owner: None,
            in_file,
        }
    }

    /// True when it is about everything everywhere.
    pub fn is_everywhere(&self) -> bool {
        self.service.is_none() && self.operation.is_none()
    }

    /// What it says to the engine; None: nothing.
    pub fn setting(&self) -> Option<Setting> {
        let says = self.enabled.is_some() || self.sensitivity.is_some() || !self.limits.is_empty();
        says.then(|| Setting {
            rules: self.what.covers(),
            service: self.service.as_deref().map(Pattern::new),
            operation: self.operation.as_deref().map(Pattern::new),
            enabled: self.enabled,
            sensitivity: self.sensitivity,
            limits: self.limits.clone(),
        })
    }

    /// True when it is about such a problem.
    pub fn fits(&self, rule_id: &str, kind: AlertType, service: &str, operation: Option<&str>) -> bool {
        let about = match self.what {
            What::Kind(own) => own == kind,
            What::Known(known) => known.id() == rule_id,
        };
        let fits = |pattern: &String, name: &str| Pattern::new(pattern).fits(name);
        about
            && self.service.as_ref().is_none_or(|pattern| fits(pattern, service))
            && self.operation.as_ref().is_none_or(|pattern| operation.is_some_and(|name| fits(pattern, name)))
    }
}
