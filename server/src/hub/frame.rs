//! Frames: the bytes of an event, made once for all readers.
//!
//! `id` comes first, so that a reader that cannot take a body still knows which event it was. Nothing
//! in a frame comes from outside but the JSON, which never holds a line break.

use bytes::Bytes;
use stella_protocol::{Cursor, FeedEvent};

/// What a reader can ask for by name; the stream's own events (hello, heartbeat, …) always come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// Diagnostic log events; `log` in a filter, unnamed on the wire.
    Log = 1,
    /// Alerts.
    Alert = 2,
    /// Counters of busy alerts.
    AlertCounts = 4,
    /// Samples of every series.
    Metrics = 8,
    /// Raw lines, only for those who ask by name.
    LogLine = 16,
    /// The stream's own.
    Control = 32,
    /// Fixes.
    Fix = 64,
    /// Lines of running fixes.
    FixOutput = 128,
    /// What holds for all fixes.
    Remedy = 256,
    /// Migrations.
    Migration = 512,
    /// How far migrations are.
    MigrationProgress = 1024,
    /// Who looks at what.
    Presence = 2048,
    /// Rules that were set anew.
    Rule = 4096,
    /// New revisions of services.
    Deploy = 8192,
}

impl Kind {
    const ALL: [(Self, &str); 13] = [
        (Self::Log, "log"),
        (Self::Alert, "alert"),
        (Self::AlertCounts, "alert_counts"),
        (Self::Metrics, "metrics"),
        (Self::LogLine, "log_line"),
        (Self::Fix, "fix"),
        (Self::FixOutput, "fix_output"),
        (Self::Remedy, "remedy"),
        (Self::Migration, "migration"),
        (Self::MigrationProgress, "migration_progress"),
        (Self::Presence, "presence"),
        (Self::Rule, "rule"),
        (Self::Deploy, "deploy"),
    ];

    /// Of an event.
    pub fn of(event: &FeedEvent) -> Self {
        match event {
            FeedEvent::Log(_) => Self::Log,
            FeedEvent::Alert(_) => Self::Alert,
            FeedEvent::AlertCounts(_) => Self::AlertCounts,
            FeedEvent::Metrics(_) => Self::Metrics,
            FeedEvent::LogLine(_) => Self::LogLine,
            FeedEvent::Fix(_) => Self::Fix,
            FeedEvent::FixOutput(_) => Self::FixOutput,
            FeedEvent::Remedy(_) => Self::Remedy,
            FeedEvent::Migration(_) => Self::Migration,
            FeedEvent::MigrationProgress(_) => Self::MigrationProgress,
            FeedEvent::Presence(_) => Self::Presence,
            FeedEvent::Rule(_) => Self::Rule,
            FeedEvent::Deploy(_) => Self::Deploy,
            _ => Self::Control,
        }
    }

    /// Of a kept event, by its name.
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map_or(Self::Control, |(kind, _)| kind)
    }
}

/// Some kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds(u16);

impl Default for Kinds {
    /// All but raw lines.
    fn default() -> Self {
        Self(!(Kind::LogLine as u16))
    }
}

impl Kinds {
    /// Reads `alert,metrics`. Names that this server does not know ask for nothing.
    pub fn read(names: &str) -> Self {
        let asked = names.split(',').map(|name| Kind::named(name.trim()));
        Self(asked.fold(Kind::Control as u16, |kinds, kind| kinds | kind as u16))
    }

    /// True when a reader who asked for these wants `kind`.
    pub fn wants(self, kind: Kind) -> bool {
        self.0 & kind as u16 != 0
    }
}

/// The bytes of an event that is not kept; empty when its body is no JSON.
pub fn frame(event: &FeedEvent) -> Bytes {
    let Ok(body) = event.body() else { return Bytes::new() };
    Bytes::from(written(None, event.name(), &body))
}

/// The bytes of a kept event.
pub(super) fn kept(id: Cursor, name: &str, body: &str) -> Bytes {
    Bytes::from(written(Some(id), name, body))
}

fn written(id: Option<Cursor>, name: &str, body: &str) -> String {
    debug_assert!(!body.contains(['\n', '\r']), "JSON on one line");
    let mut frame = String::with_capacity(body.len() + 64);
    if let Some(id) = id {
        frame.push_str("id: ");
        frame.push_str(&id.to_string());
        frame.push('\n');
    }
    if !name.is_empty() {
        frame.push_str("event: ");
        frame.push_str(name);
        frame.push('\n');
    }
    frame.push_str("data: ");
    frame.push_str(body);
    frame.push_str("\n\n");
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use stella_protocol::feed::{Reset, ResetReason};

    #[test]
    fn the_id_stands_first_and_an_unnamed_event_is_only_data() {
        assert_eq!(kept(Cursor { epoch: 7, seq: 42 }, "alert", "{}"), "id: 7.42\nevent: alert\ndata: {}\n\n");
        assert_eq!(written(None, "", "{}"), "data: {}\n\n");
        let reset = FeedEvent::Reset(Reset { reason: ResetReason::Gap });
        assert_eq!(frame(&reset), "event: reset\ndata: {\"reason\":\"gap\"}\n\n");
    }

    #[test]
    fn a_filter_names_what_it_wants_and_never_hides_the_streams_own() {
        let kinds = Kinds::read("alert, log_line,fix");
        assert!(kinds.wants(Kind::Alert) && kinds.wants(Kind::LogLine) && kinds.wants(Kind::Control));
        assert!(kinds.wants(Kind::Fix) && !kinds.wants(Kind::FixOutput) && !kinds.wants(Kind::Remedy));
        let far = Kinds::read("migration_progress");
        assert!(far.wants(Kind::MigrationProgress) && !far.wants(Kind::Migration));
        assert!(!kinds.wants(Kind::Metrics) && !kinds.wants(Kind::Log));
        assert!(!Kinds::default().wants(Kind::LogLine) && Kinds::default().wants(Kind::Log));
        assert!(Kinds::default().wants(Kind::Fix) && Kinds::default().wants(Kind::Remedy));
    }
}
