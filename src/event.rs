//! What happened: the only way anything gets into the console's state.
//!
//! Every event is stamped by the runtime before `update` sees it; nothing below reads a clock.

use stella_protocol::{Envelope, Snapshot, Text, Timestamp};

use crate::effect::{Reply, RequestId};
use crate::keys::Key;

/// When an event happened, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// The wall clock, for display and ages.
    pub wall: Timestamp,
    /// Milliseconds since the console started, never backwards, for time-outs and liveness.
    pub steady: u64,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted (bracketed paste).
    Paste(String),
    /// The terminal has another size.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// The feed brought an event.
    Feed(Box<Envelope>),
    /// The connection changed.
    Link(LinkEvent),
    /// A request was answered.
    Reply(RequestId, Box<Reply>),
    /// What the embedded server, the pipe or the tail says of itself.
    Source(SourceEvent),
    /// Time passed: the moment that `Model::wake_at` asked for.
    Tick,
}

/// How the connection fares.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkEvent {
    /// A try begins.
    Connecting,
    /// The stream is open: headers came, no hello yet.
    Opened,
    /// Bytes came that brought no event (pings).
    Alive,
    /// A snapshot was loaded; the feed goes on from its cursor.
    Snapshot(Box<Snapshot>),
    /// The stream ended or could not be opened.
    Lost {
        /// Why.
        cause: Cause,
        /// When the next try begins, in ms from now.
        retry_ms: u64,
    },
    /// Nothing more is tried until the operator acts.
    Refused(Cause),
    /// Connected, and no hello within 10 s.
    Buffered,
    /// An event came that cannot be shown (too large, not readable).
    NotShown,
}

/// Why a connection is not there, in words that are safe to show and say what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What happened.
    pub what: Text,
    /// What to do next.
    pub then: Text,
}

/// What brings lines in, when this console carries its own server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// Something is being prepared: what, in words.
    Preparing(Text),
    /// The server listens; what the console watches, in words (`demo`, `pipe`, `app.log`).
    Ready,
    /// The pipe ended or a file went away, in words.
    Ended(Text),
    /// Lines cannot be taken in: why.
    Trouble(Text),
}
