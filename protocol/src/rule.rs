//! What is looked for, how it is set, how it did; and what people called false.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AlertId, AlertType, Severity, Text, Timestamp};

/// Where the settings of a rule come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleOrigin {
    /// As the server ships it.
    BuiltIn,
    /// A `[[rule]]` of the configuration.
    File,
    /// An administrator changed it while the server ran.
    Changed,
    /// An origin this reader does not know.
    #[serde(other)]
    Unknown,
}

/// Whom a rule concerns; what is absent is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleScope {
    /// Services, with `*` for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Text>,
    /// Operations, with `*` for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Text>,
}

/// A number above which there is an alert, whatever is usual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleLimit {
    /// What it is a limit of: `durationMs`, `failurePercent`, `failedLogins`.
    pub name: Text,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: Text,
}

/// What a rule's alerts were worth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleScore {
    /// Alerts of it that are kept.
    pub alerts: u64,
    /// Of them, marked as false.
    pub marked_false: u64,
    /// Of them, acknowledged by somebody.
    pub acknowledged: u64,
    /// Median time until that, in milliseconds (the lower one of an even number); None: nobody ever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_acknowledge_ms: Option<i64>,
    /// When the first of them began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// One rule: what it looks for, how it is set, how it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// As its alerts name it (`slow`, `login.address`), or the id of a `[[rule]]`.
    pub id: Text,
    /// What kind of problem.
    pub kind: AlertType,
    /// In a few words.
    pub title: Text,
    /// Whom it concerns.
    #[serde(default)]
    pub scope: RuleScope,
    /// Where these settings come from.
    pub origin: RuleOrigin,
    /// It is looked for.
    pub enabled: bool,
    /// False alerts an hour that somebody is ready to bear, of all rules with this number together.
    pub sensitivity: f64,
    /// Fixed limits besides.
    #[serde(default)]
    pub limits: Vec<RuleLimit>,
    /// What to do, best first; empty: what the rule itself knows.
    #[serde(default)]
    pub suggested_actions: Vec<Text>,
    /// Address of the page that says what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<Text>,
    /// Whose rule it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Text>,
    /// What its alerts were worth.
    #[serde(default)]
    pub score: RuleScore,
    /// When it was changed last while the server ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<Text>,
    /// Rises with every change of a setting, never with the score.
    pub version: u64,
}

/// `GET /rules`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RulePage {
    /// By id.
    pub items: Vec<Rule>,
    /// Always None: there are few.
    #[serde(default)]
    pub next: Option<String>,
    /// What is wrong with the file of rules, so that the last good one still holds: a line each.
    #[serde(default)]
    pub problems: Vec<Text>,
}

/// `PUT /rules/{id}` and `POST /rules/{id}/preview`: what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleChange {
    /// Look for it, or do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// As [`Rule::sensitivity`], above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<f64>,
    /// Limits by name; null takes one away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Option<f64>>,
    /// Back to what the file, or the server as it is shipped, says; nothing else may be said with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// Why, for the audit trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
}

/// An alert that there would have been, or would not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewAlert {
    /// Which problem.
    pub fingerprint: Text,
    /// When it began, in engine time.
    pub at: Timestamp,
    /// How bad.
    pub severity: Severity,
    /// In words.
    pub title: Text,
    /// The kept alert of that problem and time, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
    /// What people made of it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Text>,
}

/// What a change would have made of the kept lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RulePreview {
    /// Engine time of the first line that was looked at.
    pub from: Timestamp,
    /// Of the last.
    pub to: Timestamp,
    /// How many lines.
    pub lines: u64,
    /// Alerts of all rules as they are set.
    pub before: u64,
    /// Alerts with the change.
    pub after: u64,
    /// Those that come, by time, at most [`RulePreview::MOST`].
    pub gained: Vec<PreviewAlert>,
    /// Those that go, by time, at most [`RulePreview::MOST`].
    pub lost: Vec<PreviewAlert>,
    /// How many come.
    pub gained_count: u64,
    /// How many go.
    pub lost_count: u64,
    /// Marks that both sides know, as they stand now: what they hide is neither gained nor lost.
    #[serde(default)]
    pub marks: u64,
    /// There were lines before `from` that are not looked at: what was usual is learned again on both sides, so the
    /// first hour says less than the rest.
    #[serde(default)]
    pub learned_anew: bool,
    /// The version of the rule that this was counted with.
    pub version: u64,
}

impl RulePreview {
    /// Most alerts named in each list.
    pub const MOST: usize = 50;
}

/// Something that somebody called false: more is needed for it from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FalseMark {
    /// Which problem: as in its alerts. `DELETE /marks/{fingerprint}` takes the mark back.
    pub fingerprint: Text,
    /// What its last alert was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// When it was marked last.
    pub at: Timestamp,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Text>,
    /// How often.
    pub times: u32,
    /// Offending lines since the onset that it needs now.
    pub needed: u64,
}

/// `GET /marks`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkPage {
    /// Newest first.
    pub items: Vec<FalseMark>,
    /// Always None: there are few.
    #[serde(default)]
    pub next: Option<String>,
}
