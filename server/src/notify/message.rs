//! What is told: a line for people, and the fields for programs.

use std::fmt::Write as _;

use serde::Serialize;
use stella_protocol::{Alert, Cursor, FeedEvent, Fix};

use super::words::{clean, escaped};
use crate::store::StoredEvent;

/// Longest title or name in a message, in characters.
const TITLE: usize = 200;
/// Longest sentence, in characters.
const SENTENCE: usize = 400;

/// What a kept event shows.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// An alert, whole.
    Alert(Box<Alert>),
    /// A fix, whole.
    Fix(Box<Fix>),
}

impl Subject {
    /// What the event shows, if it is of a kind that can be told.
    pub fn read(event: &StoredEvent) -> Option<Self> {
        if !matches!(event.kind.as_str(), "alert" | "fix") {
            return None;
        }
        match FeedEvent::parse(&event.kind, &event.body) {
            Ok(FeedEvent::Alert(alert)) => Some(Self::Alert(alert)),
            Ok(FeedEvent::Fix(fix)) => Some(Self::Fix(fix)),
            Ok(_) => None,
            Err(_) => {
                tracing::error!(seq = event.seq, "a kept event does not read back: nobody is notified of it");
                None
            }
        }
    }

    /// Its name.
    pub fn id(&self) -> &str {
        match self {
            Self::Alert(alert) => alert.id.as_str(),
            Self::Fix(fix) => fix.id.as_str(),
        }
    }
}

/// Why it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Whether a fix took effect is not known.
    FixInDoubt,
    /// A fix could not be taken back.
    FixRollbackFailed,
    /// An alert is critical, or is again.
    CriticalAlert,
    /// A fix waits for approval.
    FixPending,
    /// Many of these.
    Summary,
}

impl Kind {
    /// So many of it, in words.
    pub fn counted(self, count: u64) -> String {
        let (one, more) = match self {
            Self::FixInDoubt => ("fix in doubt", "fixes in doubt"),
            Self::FixRollbackFailed => ("failed rollback", "failed rollbacks"),
            Self::CriticalAlert => ("critical alert", "critical alerts"),
            Self::FixPending => ("fix waiting for approval", "fixes waiting for approval"),
            Self::Summary => ("summary", "summaries"),
        };
        format!("{count} {}", if count == 1 { one } else { more })
    }
}

/// A message. Its texts are clean; `text` is also escaped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Message {
    /// The same for the same event, however often it is told.
    #[serde(skip)]
    pub delivery: String,
    /// For people.
    pub text: String,
    /// Why.
    pub kind: Kind,
    /// Of what.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its title.
    pub title: String,
    /// Of an alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<&'static str>,
    /// Of a fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<&'static str>,
    /// The service of an alert, what a fix changes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// How many messages this one stands for.
    pub count: u64,
}

impl Message {
    /// Of one object, as the event at `at` shows it.
    pub fn about(subject: &Subject, kind: Kind, at: Cursor) -> Self {
        let delivery = format!("{at}.{}", subject.id());
        let id = subject.id().to_owned();
        match subject {
            Subject::Alert(alert) => {
                let (title, service) = (clean(alert.title.raw(), TITLE), clean(alert.service.raw(), TITLE));
                let severity = Some(alert.severity.word());
                let text = escaped(&alert_text(alert, &title, &service));
                Self { delivery, text, kind, id, title, severity, risk: None, service, count: 1 }
            }
            Subject::Fix(fix) => {
                let (title, service) = (clean(fix.title.raw(), TITLE), clean(fix.plan.target.raw(), TITLE));
                let text = escaped(&fix_text(fix, kind, &title, &service));
                Self { delivery, text, kind, id, title, severity: None, risk: Some(fix.risk.word()), service, count: 1 }
            }
        }
    }

    /// Of many, in a line.
    pub fn summary(delivery: String, count: u64, title: String) -> Self {
        let text = escaped(&title);
        let (id, service) = (String::new(), String::new());
        Self { delivery, text, kind: Kind::Summary, id, title, severity: None, risk: None, service, count }
    }
}

fn alert_text(alert: &Alert, title: &str, service: &str) -> String {
    // The name first: whatever else is cut off, it can be looked up.
    let back = if alert.reopened > 0 { " is back" } else { "" };
    let mut text = format!("Critical alert {}{back}: {title}", alert.id);
    if !service.is_empty() {
        let _infallible = write!(text, " · {service}");
    }
    if let Some(first) = alert.suggested_actions.first() {
        let _infallible = write!(text, " · {}", clean(first.raw(), SENTENCE));
    }
    text
}

fn fix_text(fix: &Fix, kind: Kind, title: &str, target: &str) -> String {
    let stands = match kind {
        Kind::FixInDoubt => "is in doubt: a person must say how it ended".to_owned(),
        Kind::FixRollbackFailed => "could not be taken back: a person must look".to_owned(),
        _ => {
            let missing = usize::from(fix.quorum).saturating_sub(fix.approvals.len());
            let words = if missing == 1 { "approval" } else { "approvals" };
            format!("waits for {missing} {words}")
        }
    };
    let mut text = format!("Fix {} {stands}: {title} · {target} · risk {}", fix.id, fix.risk.word());
    if kind != Kind::FixPending && !fix.result.is_empty() {
        let _infallible = write!(text, " · {}", clean(fix.result.raw(), SENTENCE));
    }
    if let Some(alert) = &fix.alert_id {
        let _infallible = write!(text, " · for {alert}");
    }
    text
}

#[cfg(test)]
mod tests {
    use stella_protocol::{FixStatus, Text};

    use super::super::tests::{critical, fix};
    use super::*;

    const AT: Cursor = Cursor { epoch: 3, seq: 9 };

    #[test]
    fn a_hostile_title_is_text_in_every_field() {
        let mut alert = critical(1);
        alert.title = Text::new(format!("\x1b]0;x\x07<!channel>\u{202e}\n{}", "&".repeat(5000)));
        alert.service = Text::new("se\u{200b}arch");
        alert.suggested_actions = vec![Text::new("look <there>".repeat(99))];
        let message = Message::about(&Subject::Alert(Box::new(alert)), Kind::CriticalAlert, AT);
        let body = serde_json::to_string(&message).unwrap_or_default();
        assert!(!body.contains("\\u00") && !body.contains(['\u{202e}', '\u{200b}']) && !body.contains("\\n"), "{body}");
        assert!(
            message.text.starts_with("Critical alert a-0000001: \u{fffd}]0;x\u{fffd}&lt;!channel&gt;\u{fffd} &amp;")
        );
        assert!(message.text.chars().count() <= 1000 && message.text.ends_with('…'));
        assert_eq!(message.title.chars().count(), TITLE);
    }

    #[test]
    fn a_fix_says_what_is_wanted_of_whom() {
        let mut one = fix(4, FixStatus::Pending);
        one.quorum = 2;
        let told = Message::about(&Subject::Fix(Box::new(one.clone())), Kind::FixPending, AT);
        assert_eq!(told.text, "Fix fx-4 waits for 2 approvals: Restart the pool · service:search · risk medium");
        assert_eq!((told.delivery.as_str(), told.risk, told.severity), ("3.9.fx-4", Some("medium"), None));
        one.result = Text::new("the answer was lost");
        let told = Message::about(&Subject::Fix(Box::new(one)), Kind::FixInDoubt, AT);
        assert!(told.text.starts_with("Fix fx-4 is in doubt: a person must say how it ended: Restart"));
        assert!(told.text.ends_with(" · the answer was lost"), "{}", told.text);
    }
}
