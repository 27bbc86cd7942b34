//! The one filter language as the console uses it: which alerts and which fixes a list shows.
//!
//! The grammar itself crosses the wire and lives in `stella_protocol::query`.

use stella_protocol::fix::Risk;
use stella_protocol::query::{Query, QueryError, Searchable, Value, parse};
use stella_protocol::{Alert, AlertView, Fix, Timestamp};

/// What is listed: which fields there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Listed {
    /// Alerts.
    #[default]
    Alerts,
    /// Fixes.
    Fixes,
}

/// A filter as typed, with its meaning.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    query: Query,
    /// The filter speaks of closed alerts itself, so they are not hidden.
    names_status: bool,
}

/// Fields that an alert has, for the hint; see `stella_protocol::AlertView`.
const ALERT: [&str; 19] = [
    "sev",
    "status",
    "type",
    "category",
    "service",
    "operation",
    "assignee",
    "user",
    "age",
    "since",
    "until",
    "activity",
    "count",
    "fix",
    "ticket",
    "rule",
    "id",
    "snoozed",
    "label.x",
];
/// Other words for them, and flags.
const ALERT_TOO: [&str; 9] = ["severity", "state", "op", "owner", "firing", "quiet", "open", "unacked", "mine"];

/// Fields that a fix has; see [`FixView`].
const FIX: [&str; 11] = ["risk", "status", "type", "target", "alert", "by", "user", "age", "since", "until", "id"];
/// Other words for them, and flags.
const FIX_TOO: [&str; 4] = ["state", "fix", "open", "mine"];

impl Listed {
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Alerts => &ALERT,
            Self::Fixes => &FIX,
        }
    }

    fn has(self, name: &str) -> bool {
        let (too, has_labels) = match self {
            Self::Alerts => (&ALERT_TOO[..], true),
            Self::Fixes => (&FIX_TOO[..], false),
        };
        self.fields().contains(&name) || too.contains(&name) || has_labels && name.starts_with("label.")
    }

    /// What a filter can look like.
    pub fn example(self) -> &'static str {
        match self {
            Self::Alerts => "sev>=high service=pay* age<10m !firing ~regex",
            Self::Fixes => "status=pending risk>=high target=service:* !mine",
        }
    }
}

impl Filter {
    /// Reads a filter.
    pub fn read(of: Listed, text: &str) -> Result<Self, QueryError> {
        let query = parse(text)?;
        let fields = query.fields();
        if let Some(unknown) = fields.iter().find(|field| !of.has(field)) {
            let at = text.to_ascii_lowercase().find(*unknown).unwrap_or(0);
            return Err(QueryError { at, what: format!("no such field here: {}", of.fields().join(" ")) });
        }
        let names_status = fields.iter().any(|field| matches!(*field, "status" | "state" | "open" | "id"));
        Ok(Self { text: text.trim().to_owned(), query, names_status })
    }

    /// As typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True when the alert belongs in the list. Closed alerts do only when the filter names a status.
    pub fn shows(&self, alert: &Alert, now: Timestamp, me: &str) -> bool {
        (self.names_status || alert.status.is_open()) && self.query.matches(&AlertView { alert, now, me })
    }

    /// True when the fix belongs in the list.
    pub fn shows_fix(&self, fix: &Fix, now: Timestamp, me: &str) -> bool {
        self.query.matches(&FixView { fix, now, me })
    }
}

/// A fix as seen at one moment by one person.
struct FixView<'a> {
    fix: &'a Fix,
    now: Timestamp,
    me: &'a str,
}

impl Searchable for FixView<'_> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        let fix = self.fix;
        let people = || fix.approvals.iter().map(|approval| approval.by.raw());
        Some(match name {
            "risk" => match fix.risk {
                Risk::Low => Value::Rank(1),
                Risk::Medium => Value::Rank(2),
                // What this console does not know is looked at first.
                Risk::High | Risk::Unknown => Value::Rank(3),
            },
            "status" | "state" => Value::Word(fix.status.word()),
            "type" => Value::Word(fix.definition_id.raw()),
            "target" => Value::Word(fix.plan.target.raw()),
            "alert" => fix.alert_id.as_ref().map_or(Value::Absent, |alert| Value::Word(alert.as_str())),
            "by" => Value::Word(fix.proposed_by.raw()),
            "user" => Value::Words(people().collect()),
            "age" => Value::Number(self.now.since(fix.proposed_at) as f64),
            "since" => Value::Number(fix.proposed_at.millis() as f64),
            "until" => fix.ended_at.map_or(Value::Absent, |at| Value::Number(at.millis() as f64)),
            "id" | "fix" => Value::Word(fix.id.as_str()),
            "open" => Value::Flag(fix.status.is_open()),
            "mine" => Value::Flag(std::iter::once(fix.proposed_by.raw()).chain(people()).any(|who| who == self.me)),
            _ => return None,
        })
    }

    fn any_text(&self, fits: &mut dyn FnMut(&str) -> bool) -> bool {
        let fix = self.fix;
        fits(fix.title.raw())
            || fits(fix.plan.target.raw())
            || fits(fix.id.as_str())
            || fits(fix.definition_id.raw())
            || fits(fix.result.raw())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn fix() -> Fix {
        let at = "2026-01-01T00:00:00Z";
        serde_json::from_value(json!({
            "id": "fx-12", "definitionId": "restart-pool", "title": "Restart the pool", "alertId": "a-1234567",
            "risk": "medium", "policy": "approve", "planDigest": "00", "proposedBy": "rule:pool", "proposedAt": at,
            "status": "pending", "quorum": 2, "approveBy": at, "steps": [], "version": 1,
            "approvals": [{"by": "op2", "at": at, "planDigest": "00", "reason": ""}],
            "plan": {"definitionId": "restart-pool", "definitionDigest": "00", "risk": "medium", "policy": "approve",
                     "target": "service:search", "parameters": [], "steps": [], "touches": [], "willNotUndo": []},
        }))
        .unwrap()
    }

    #[test]
    fn a_fix_is_found_by_what_stands_in_its_row() {
        let (fix, now) = (fix(), Timestamp::parse("2026-01-01T00:05:00Z").unwrap());
        let shows = |text: &str| Filter::read(Listed::Fixes, text).unwrap().shows_fix(&fix, now, "op2");
        for text in [
            "",
            "pool",
            "search",
            "status=pending risk>=medium",
            "risk<high !until>0",
            "target=service:* type=restart* by=rule:*",
            "alert=a-1234567 age<10m age>=5m",
            "open mine user=op2",
        ] {
            assert!(shows(text), "{text}");
        }
        for text in ["status=executed", "risk=high", "age<1m", "!mine", "user=op3", "cache", "fix=fx-1"] {
            assert!(!shows(text), "{text}");
        }
    }

    #[test]
    fn a_field_of_the_other_list_is_an_error_with_its_place() {
        let error = Filter::read(Listed::Fixes, "risk>=high sev>=high").unwrap_err();
        assert_eq!(error.at, 11);
        assert!(error.what.contains("risk status type target"), "{error:?}");
        assert!(Filter::read(Listed::Alerts, "risk=high").is_err());
        assert_eq!(Filter::read(Listed::Fixes, "risk>=huge").unwrap_err().at, 6);
        for of in [Listed::Alerts, Listed::Fixes] {
            assert!(Filter::read(of, &of.example().replace("~regex", "~x")).is_ok(), "{of:?}");
        }
    }
}
