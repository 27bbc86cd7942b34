//! What is to be done: named by `update`, performed by the runtime, answered by an event.

use stella_protocol::query::QueryError;
use stella_protocol::series::SeriesPage;
use stella_protocol::snapshot::LogPage;
use stella_protocol::{ActionId, ActionRequest, ActionResponse, AlertId, Evidence, LineId, Problem, Text, Timestamp};

/// Names a request of this console. A command asked again keeps its id, and with it its
/// idempotency key: the client gives one key to one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RequestId(pub u64);

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Change something on the server.
    Send(RequestId, Command),
    /// Ask the server for something.
    Fetch(RequestId, Query),
    /// Put text on the clipboard (OSC 52).
    Copy(String),
    /// Name the window; already sanitised by the terminal room.
    Title(String),
    /// Ring the bell: a new critical alert.
    Bell,
    /// Try the connection again now.
    Reconnect,
    /// Throw the stream away and start from a snapshot.
    Resync,
    /// Give the terminal back and stop, until the shell continues us.
    Suspend,
    /// Clear the terminal and draw everything anew.
    Redraw,
    /// Open one of the first-run page's choices.
    Start(Choice),
    /// End the console.
    Quit,
}

/// What the first-run page offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The demo.
    Demo,
    /// Follow a file.
    Tail(String),
    /// Connect to a server.
    Server(String),
}

/// A change to the server's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A triage verb on some alerts.
    Act(ActionRequest),
    /// Take an action back.
    Undo(ActionId),
}

/// A question to the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// Why this alert stands.
    Evidence(AlertId),
    /// Kept lines.
    Logs(LogAsk),
    /// Buckets of series.
    Series(SeriesAsk),
}

/// Which lines.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogAsk {
    /// In the filter language; empty: all.
    pub q: String,
    /// Around this alert: its lines are marked.
    pub alert: Option<AlertId>,
    /// From this engine time on.
    pub from: Option<Timestamp>,
    /// Up to, but without, this one.
    pub to: Option<Timestamp>,
    /// Lines after this one, oldest first.
    pub after: Option<LineId>,
    /// Lines before this one (the page ends with the one just before it).
    pub before: Option<LineId>,
    /// At most this many.
    pub limit: u32,
}

/// Which buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesAsk {
    /// Of these series.
    pub ids: Vec<String>,
    /// From.
    pub from: Timestamp,
    /// Up to, but without.
    pub to: Timestamp,
    /// Wanted width of a bucket, in ms; the server answers with one of its own.
    pub step_ms: i64,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Of `Command`.
    Acted(Result<ActionResponse, Refusal>),
    /// Of `Query::Evidence`.
    Evidence(AlertId, Result<Box<Evidence>, Refusal>),
    /// Of `Query::Logs`.
    Logs(Result<LogPage, Refusal>),
    /// Of `Query::Series`.
    Series(Result<SeriesPage, Refusal>),
    /// Of `Effect::Copy`: whether the terminal was asked to take it (and how many bytes).
    Copied(Result<usize, Text>),
}

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The server said no.
    Problem(Box<Problem>),
    /// No answer: the change may or may not have happened.
    Unknown(Text),
    /// The filter cannot be read.
    Query(QueryError),
}
