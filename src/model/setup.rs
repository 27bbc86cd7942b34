//! What was configured before anything was heard.

use stella_protocol::{ConsoleId, Text};

use crate::theme::Theme;

/// What was configured when the console started.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug)]
pub struct Setup {
    /// Name of the profile, or `DEMO`, `PIPE`, `TAIL`.
    pub badge: Text,
    /// What this console is called among all: two of one person are two.
    pub console: ConsoleId,
    /// This machine.
    pub host: Text,
    /// What is watched, in words.
    pub watching: Text,
    /// Who we are, until the server says better.
    pub me: Text,
    /// Three lines for a newcomer.
    pub coach: Vec<String>,
    /// No verb may be sent.
    pub readonly: bool,
    /// The server lives inside this process and ends with it.
    pub embedded: bool,
    /// Styles.
    pub theme: Theme,
    /// Pure 7-bit output.
    pub ascii: bool,
    /// Nothing is configured: offer the choices.
    pub first_run: bool,
    /// Clock times are local ones.
    pub local_time: bool,
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeFormat {
    /// Ages in lists, clock times elsewhere.
    #[default]
    Ages,
    /// UTC everywhere.
    Utc,
    /// Local time everywhere.
    Local,
}
