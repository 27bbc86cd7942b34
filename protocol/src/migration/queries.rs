//! What the application itself shows some users before and after, and how long it takes to say so.
//!
//! Measured by the server that migrates, from the outside: nothing here was said by the application of itself.

use serde::{Deserialize, Serialize};

use crate::Text;

/// The application's own queries of a migration, as far as they were asked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnQueries {
    /// Each query that is declared, in that order; none: the application is not asked.
    pub items: Vec<OwnQuery>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnQuery {
    /// Its name.
    pub name: Text,
    /// Before the first write, under old ids; None: not asked, or not answered once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<QueryTiming>,
    /// After the copy, under the ids that stay; None as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<QueryTiming>,
    /// How both compare; None: one of them is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<QueryChange>,
    /// Calls that were not answered, of all that are kept.
    #[serde(default)]
    pub silent: u64,
    /// Why the first of those was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_silent: Option<Text>,
}

/// How long a query took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryTiming {
    /// Median of all calls, in milliseconds, from the call to the end of its answer.
    pub median_ms: f64,
    /// Calls that were answered and timed.
    pub calls: u64,
    /// Users they were for.
    pub users: u64,
}

/// How long a query takes after, as a multiple of before, each user compared with themselves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryChange {
    /// The median of the users' ratios: 1.2 is 20 % slower.
    pub ratio: f64,
    /// From there …
    pub low: f64,
    /// … to there it is, for all that noise can do.
    pub high: f64,
    /// Users who were compared.
    pub users: u64,
    /// What that means.
    pub verdict: QueryVerdict,
}

/// What became of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryVerdict {
    /// Faster, and that is no noise.
    Faster,
    /// No difference that noise could not make.
    Same,
    /// Slower, and that is no noise; within what is let pass.
    Slower,
    /// Slower by more than is let pass, and that is no noise: a person has to say that it goes on.
    TooSlow,
    /// A verdict this reader does not know.
    #[serde(other)]
    Unknown,
}
