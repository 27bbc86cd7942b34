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

impl Filter {
    /// Reads a filter.
    pub fn read(text: &str) -> Result<Self, QueryError> {
        let query = parse(text)?;
        let names_status = ["status", "state", "open", "id="].iter().any(|word| text.contains(word));
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
