//! The one filter language as the console uses it: which alerts a list shows.
//!
//! The grammar itself crosses the wire and lives in `stella_protocol::query`.

use stella_protocol::query::{Query, QueryError, parse};
use stella_protocol::{Alert, AlertView, Timestamp};

/// A filter as typed, with its meaning.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    query: Query,
    /// The filter speaks of closed alerts itself, so they are not hidden.
    names_status: bool,
}

/// Fields that an alert has, for the hint; see `stella_protocol::AlertView`.
const FIELDS: [&str; 19] = [
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
const ALIASES: [&str; 9] = ["severity", "state", "op", "owner", "firing", "quiet", "open", "unacked", "mine"];

fn is_field(name: &str) -> bool {
    FIELDS.contains(&name) || ALIASES.contains(&name) || name.starts_with("label.")
}

impl Filter {
    /// Reads a filter.
    pub fn read(text: &str) -> Result<Self, QueryError> {
        let query = parse(text)?;
        let fields = query.fields();
        if let Some(unknown) = fields.iter().find(|field| !is_field(field)) {
            let at = text.to_ascii_lowercase().find(*unknown).unwrap_or(0);
            return Err(QueryError { at, what: format!("no such field here: {}", FIELDS.join(" ")) });
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
}
