//! Whether a definition is for an alert.
//!
//! A match is a conjunction; a definition may have several, and one is enough. Patterns are whole words
//! or beginnings (`db-pool-*`); there are deliberately no regular expressions: what an attacker writes
//! into a log line should be compared, not interpreted.

use std::collections::BTreeMap;

use stella_protocol::{Alert, AlertType, Category, Evidence, Severity, Text};

use super::Given;

/// What is known of an alert.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// Its evidence, where somebody has it. Without it nothing matches that asks for it.
    pub evidence: Option<&'a Evidence>,
}

impl<'a> std::convert::From<&'a Alert> for Seen<'a> {
    fn from(alert: &'a Alert) -> Self {
        Self { alert, evidence: None }
    }
}

impl<'a> Seen<'a> {
    /// What the alert says for a parameter; None: nothing.
    pub fn says(&self, from: &Given) -> Option<&'a str> {
        let said = match from {
            Given::Label(name) => self.alert.labels.get(name).map(Text::raw),
            Given::Operation => self.alert.operation.as_ref().map(Text::raw),
            Given::Service => Some(self.alert.service.raw()),
            Given::AffectedUser => match self.alert.affected_users.as_slice() {
                [only] if self.alert.affected_user_count <= 1 => Some(only.raw()),
                _ => None,
            },
            Given::Attribute(name) => self.attribute(name),
        };
        said.filter(|text| !text.is_empty())
    }

    fn attribute(&self, name: &str) -> Option<&'a str> {
        let samples = &self.evidence?.samples;
        samples.iter().rev().find_map(|sample| sample.event.attributes.get(name)?.as_str())
    }
}

/// A word, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Exactly this.
    Whole(String),
    /// Begins with this.
    Begin(String),
}

impl Pattern {
    /// `db-pool-*` is a beginning; anything else without a `*` is a word.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('*') {
            None if text.is_empty() => Err("an empty text matches nothing".to_owned()),
            None => Ok(Self::Whole(text.to_owned())),
            Some((begin, "")) if !begin.is_empty() => Ok(Self::Begin(begin.to_owned())),
            Some(_) => Err("a `*` stands at the end only, after at least one letter: `db-pool-*`".to_owned()),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Whole(whole) => whole == text,
            Self::Begin(begin) => text.starts_with(begin.as_str()),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Whole(whole) => whole.clone(),
            Self::Begin(begin) => format!("{begin}*"),
        }
    }
}

/// What an alert must be like: all that is given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Match {
    /// One of these types.
    pub kinds: Vec<AlertType>,
    /// One of these categories.
    pub categories: Vec<Category>,
    /// At least so bad.
    pub severity: Option<Severity>,
    /// One of these rules.
    pub rules: Vec<Pattern>,
    /// One of these services.
    pub services: Vec<Pattern>,
    /// One of these operations.
    pub operations: Vec<Pattern>,
    /// Each of these labels is one of these.
    pub labels: BTreeMap<String, Vec<Pattern>>,
    /// The title holds this.
    pub title: Option<String>,
    /// The template of its lines holds this.
    pub template: Option<String>,
    /// A reason for it says this.
    pub reason: Option<String>,
    /// At least so much was observed.
    pub observed_above: Option<f64>,
    /// At most so much was.
    pub observed_below: Option<f64>,
}

impl Match {
    /// Whether the alert is so.
    pub fn fits(&self, seen: Seen<'_>) -> bool {
        let alert = seen.alert;
        let any = |patterns: &[Pattern], text: &str| patterns.is_empty() || patterns.iter().any(|one| one.fits(text));
        let labels = self.labels.iter().all(|(name, patterns)| {
            alert.labels.get(name).is_some_and(|value| patterns.iter().any(|one| one.fits(value.raw())))
        });
        (self.kinds.is_empty() || self.kinds.contains(&alert.kind))
            && (self.categories.is_empty() || self.categories.contains(&alert.category))
            && self.severity.is_none_or(|least| alert.severity >= least)
            && any(&self.rules, alert.rule_id.raw())
            && any(&self.services, alert.service.raw())
            && any(&self.operations, alert.operation.as_ref().map_or("", Text::raw))
            && labels
            && self.title.as_ref().is_none_or(|words| alert.title.raw().contains(words.as_str()))
            && self.observed_fits(alert.brief.observed)
            && self.evidence_fits(seen.evidence)
    }

    fn observed_fits(&self, observed: Option<f64>) -> bool {
        self.observed_above.is_none_or(|least| observed.is_some_and(|value| value >= least))
            && self.observed_below.is_none_or(|most| observed.is_some_and(|value| value <= most))
    }

    fn evidence_fits(&self, evidence: Option<&Evidence>) -> bool {
        let template = self.template.as_ref().is_none_or(|words| {
            let template = evidence.and_then(|evidence| evidence.template.as_ref());
            template.is_some_and(|template| template.text.raw().contains(words.as_str()))
        });
        let reason = self.reason.as_ref().is_none_or(|words| {
            let speaks = |evidence: &Evidence| {
                let for_it = evidence.reasons.iter().filter(|reason| reason.weight > 0.0);
                for_it.into_iter().any(|reason| reason.text.raw().contains(words.as_str()))
            };
            evidence.is_some_and(speaks)
        });
        template && reason
    }

    /// What it asks for, in words.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        let mut say = |what: &str, values: Vec<String>| {
            if !values.is_empty() {
                words.push(format!("{what} {}", values.join(" or ")));
            }
        };
        say("type", self.kinds.iter().map(|kind| kind.word().to_owned()).collect());
        say("category", self.categories.iter().map(|category| category.word().to_owned()).collect());
        say("severity at least", self.severity.iter().map(|severity| severity.word().to_owned()).collect());
        say("rule", self.rules.iter().map(Pattern::words).collect());
        say("service", self.services.iter().map(Pattern::words).collect());
        say("operation", self.operations.iter().map(Pattern::words).collect());
        for (name, patterns) in &self.labels {
            say(&format!("label {name}"), patterns.iter().map(Pattern::words).collect());
        }
        let quoted = |text: &Option<String>| text.iter().map(|text| format!("\"{text}\"")).collect();
        say("title with", quoted(&self.title));
        say("template with", quoted(&self.template));
        say("a reason for it with", quoted(&self.reason));
        say("observed at least", self.observed_above.iter().map(ToString::to_string).collect());
        say("observed at most", self.observed_below.iter().map(ToString::to_string).collect());
        words.join(", ")
    }

    /// True when it asks for nothing, and so would fit every alert.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
