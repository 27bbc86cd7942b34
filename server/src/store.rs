//! Stella's own truth: alerts, evidence, actions, fixes, migrations, audit, events, tokens, behind one trait.
//!
//! Everything that changes goes through [`Store::commit_all`]: checks, writes, audit rows and events of
//! a [`Tx`] stand or fall together, and a number given to an event is durable when it is told. There is
//! deliberately no subscription here: whoever follows asks for `events(after)` until nothing comes.

mod audit;
#[cfg(test)]
pub(crate) mod conformance;
mod lock;
mod sqlite;
mod tx;

use stella_protocol::command::Action;
use stella_protocol::fix::{Maintenance, Record, Suppression};
use stella_protocol::query::Query;
use stella_protocol::{
    ActionId, Alert, AlertId, AlertType, Cursor, Deploy, Evidence, Fix, FixId, FixOutput, FixStatus, Migration,
    MigrationId, MigrationStatus, Severity, Status, Text, Timestamp,
};

use crate::alerts::AlertState;
use crate::marks::Marked;
use crate::migrate::MigrationState;
use crate::remedy::{BeforeImage, FixState};

pub use audit::{AuditBroken, AuditEntry, AuditRow, Verdict};
pub use sqlite::{SqliteStore, kept_marks};
pub use tx::{ActionRecord, Answered, Commit, InTheWay, KeyedAnswer, Meta, NewEvent, StoredToken, Tx, Undoable, Write};

/// Why the store could not be opened or asked. Holds neither SQL nor a path.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another server has the folder.
    #[error("take the data folder: another server is using it")]
    Locked,
    /// The folder or a file in it cannot be used.
    #[error("open the data folder")]
    Folder(#[source] std::io::Error),
    /// The file is damaged.
    #[error("check the database: {0} is damaged")]
    Damaged(&'static str),
    /// The database would not promise that what it acknowledged survives a power loss.
    #[error("open the database: it does not keep its journal as asked")]
    NotDurable,
    /// The file was made by a newer server.
    #[error("open the database: its tables are not those of this server")]
    Schema(#[source] rusqlite_migration::Error),
    /// The database refused.
    #[error("{doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        #[source]
        source: rusqlite::Error,
    },
    /// A kept row does not read back.
    #[error("read a kept {0}")]
    Row(&'static str),
}

/// In which order alerts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Open before closed, worst first, newest first.
    #[default]
    Severity,
    /// Newest first.
    Newest,
}

/// Which alerts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// New and acknowledged ones.
    Open,
    /// All that are kept.
    #[default]
    All,
}

/// A question for a page of alerts.
#[derive(Debug, Clone)]
pub struct AlertQuery {
    /// Which.
    pub query: Query,
    /// What `mine` in it means.
    pub me: String,
    /// Ages in it count up to here.
    pub now: Timestamp,
    /// Open ones or all.
    pub scope: Scope,
    /// In which order.
    pub sort: Sort,
    /// What the page before gave as `next`.
    pub after: Option<AlertKey>,
    /// Most alerts on the page.
    pub limit: u32,
}

/// A place in a list of alerts. Opaque to clients; written `open.rank.created.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertKey {
    /// Whether the alert is open.
    pub open: bool,
    /// Its severity's rank.
    pub rank: u8,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its id.
    pub id: AlertId,
}

impl AlertKey {
    /// The place of `alert`.
    pub fn of(alert: &Alert) -> Self {
        Self {
            open: alert.status.is_open(),
            rank: alert.severity.rank(),
            created_at: alert.created_at,
            id: alert.id.clone(),
        }
    }

    /// Reads what [`AlertKey::to_string`](ToString) wrote; None: it is not one.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let open = parts.next()?.parse::<u8>().ok().filter(|open| *open <= 1)? == 1;
        let rank = parts.next()?.parse().ok().filter(|rank| *rank <= Severity::Critical.rank())?;
        let created_at = Timestamp::from_millis(parts.next()?.parse().ok()?);
        Some(Self { open, rank, created_at, id: parts.next()?.parse().ok()? })
    }
}

impl std::fmt::Display for AlertKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}.{}", u8::from(self.open), self.rank, self.created_at.millis(), self.id)
    }
}

/// Found alerts, and where the next page begins.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// In the order asked for.
    pub items: Vec<Alert>,
    /// None: this was the last page. A page may hold fewer than asked for and still have a next.
    pub next: Option<AlertKey>,
}

/// What is told of an alert without reading all of it: how it is counted, and found again.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRecord {
    /// Its name.
    pub id: AlertId,
    /// Which problem.
    pub fingerprint: String,
    /// What kind of problem.
    pub kind: AlertType,
    /// Which rule of the engine found it.
    pub rule_id: String,
    /// Which service.
    pub service: String,
    /// Which operation.
    pub operation: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// Who closed it last, if somebody did.
    pub closed_by: Option<Text>,
    /// Engine time of the first match.
    pub first_seen: Timestamp,
    /// Engine time of the last match.
    pub last_seen: Timestamp,
    /// Server time at which it opened.
    pub created_at: Timestamp,
    /// When somebody acknowledged it first, whatever came after.
    pub acknowledged_at: Option<Timestamp>,
}

impl AlertRecord {
    /// True when somebody called it false.
    pub fn is_false_positive(&self) -> bool {
        self.status == Status::FalsePositive
    }
}

/// A question for a page of fixes, newest first. What is None or empty lets everything through.
#[derive(Debug, Clone, Default)]
pub struct FixQuery {
    /// In one of these.
    pub status: Vec<FixStatus>,
    /// For this alert.
    pub alert: Option<AlertId>,
    /// Of this definition.
    pub definition: Option<String>,
    /// With an approval of theirs.
    pub approved_by: Option<String>,
    /// Older than `fx-` and this number.
    pub after: Option<u64>,
    /// Most fixes on the page.
    pub limit: u32,
}

/// Found fixes, and where the next page begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoundFixes {
    /// Newest first.
    pub items: Vec<Fix>,
    /// None: this was the last page.
    pub next: Option<u64>,
}

/// A question for a page of migrations, newest first. What is None or empty lets everything through.
#[derive(Debug, Clone, Default)]
pub struct MigrationQuery {
    /// In one of these.
    pub status: Vec<MigrationStatus>,
    /// Older than `mig-` and this number.
    pub after: Option<u64>,
    /// Most migrations on the page.
    pub limit: u32,
}

/// Found migrations, and where the next page begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoundMigrations {
    /// Newest first.
    pub items: Vec<Migration>,
    /// None: this was the last page.
    pub next: Option<u64>,
}

/// The greatest numbers that were given; 0: none was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FixNumbers {
    /// The N of `fx-N`.
    pub fix: u64,
    /// The N of `sup-N`, lifted ones too.
    pub suppression: u64,
    /// The N of `win-N`, past ones too.
    pub window: u64,
}

/// The N of an id that was made from a counter; None: this one was not.
pub fn number_in(id: &str, prefix: &str) -> Option<u64> {
    let digits = id.strip_prefix(prefix).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|number| i64::try_from(*number).is_ok())
}

/// A kept event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number.
    pub seq: u64,
    /// Its SSE name.
    pub kind: String,
    /// Its JSON body, on one line.
    pub body: String,
}

/// What `events` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// The next events, oldest first; empty: there are none yet.
    Page(Vec<StoredEvent>),
    /// The next event is not kept any more.
    Expired {
        /// The oldest one that is.
        oldest: u64,
    },
}

/// Where the feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// History and number of the newest event.
    pub cursor: Cursor,
    /// Number of the oldest event that can be replayed; head + 1 when none is kept.
    pub oldest: u64,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Events, in milliseconds.
    pub events_ms: i64,
    /// Most events.
    pub events: u64,
    /// Most bytes of events.
    pub event_bytes: u64,
    /// Events younger than this stay whatever their number, in milliseconds.
    pub events_at_least_ms: i64,
    /// Closed alerts, in milliseconds.
    pub closed_ms: i64,
    /// Answers by idempotency key and actions, in milliseconds.
    pub answers_ms: i64,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        Self {
            events_ms: 7 * DAY,
            events: 1_000_000,
            event_bytes: 512 << 20,
            events_at_least_ms: DAY,
            closed_ms: 180 * DAY,
            answers_ms: 2 * DAY,
        }
    }
}

/// Closed alerts that are looked through for similar ones.
pub const LOOKED_AT: usize = 500;

/// The store. Methods block; none of them holds anything between two calls.
pub trait Store: Send + Sync {
    /// Performs transactions in order, each whole or not at all, and makes them durable together.
    /// One answer a transaction, in order.
    fn commit_all(&self, txs: Vec<Tx>) -> Vec<Commit>;

    /// One alert.
    fn alert(&self, id: &AlertId) -> Result<Option<AlertState>, StoreError>;

    /// The alert that stands for a fingerprint: the open one, else the one closed last.
    fn latest(&self, fingerprint: &str) -> Result<Option<AlertState>, StoreError>;

    /// How many episodes of a fingerprint are kept at most: the greatest episode number, 0 for none.
    fn episodes(&self, fingerprint: &str) -> Result<u32, StoreError>;

    /// All open alerts, and those closed (server time) since.
    fn recent(&self, closed_since: Timestamp) -> Result<Vec<AlertState>, StoreError>;

    /// A page of alerts.
    fn query(&self, ask: &AlertQuery) -> Result<Found, StoreError>;

    /// All kept alerts in short, oldest first.
    fn alert_records(&self) -> Result<Vec<AlertRecord>, StoreError>;

    /// The same of these fingerprints alone.
    fn alert_records_of(&self, fingerprints: &[&str]) -> Result<Vec<AlertRecord>, StoreError>;

    /// The evidence of an alert.
    fn evidence(&self, id: &AlertId) -> Result<Option<Evidence>, StoreError>;

    /// At most `limit` events after number `after`.
    fn events(&self, after: u64, limit: u32) -> Result<Replay, StoreError>;

    /// Where the feed stands.
    fn head(&self) -> Result<Head, StoreError>;

    /// What was answered to a key before.
    fn answer(&self, principal: &str, key: &str) -> Result<Option<Answered>, StoreError>;

    /// An action with what its undo needs.
    fn action(&self, id: &ActionId) -> Result<Option<ActionRecord>, StoreError>;

    /// Actions, newest first; of one principal, or of all.
    fn actions(&self, mine: Option<&str>, limit: u32) -> Result<Vec<Action>, StoreError>;

    /// The greatest number given to an action, 0 for none.
    fn last_action(&self) -> Result<u64, StoreError>;

    /// One fix.
    fn fix(&self, id: &FixId) -> Result<Option<FixState>, StoreError>;

    /// All open fixes, and the `ended` newest ones that are not.
    fn recent_fixes(&self, ended: u32) -> Result<Vec<FixState>, StoreError>;

    /// What was proposed of a definition for a target after `since`, newest first.
    fn proposed(&self, definition: &str, target: &str, since: Timestamp) -> Result<Vec<FixState>, StoreError>;

    /// A page of fixes.
    fn fixes(&self, ask: &FixQuery) -> Result<FoundFixes, StoreError>;

    /// The greatest numbers given so far.
    fn fix_numbers(&self) -> Result<FixNumbers, StoreError>;

    /// All problems that somebody called false, or did lately and took back.
    fn marks(&self) -> Result<Vec<Marked>, StoreError>;

    /// At most `limit` deploys of a span of engine time, both ends included; newest first.
    fn deploys(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<Deploy>, StoreError>;

    /// At most `limit` alerts that began in a span of engine time, both ends included; oldest first.
    fn begun(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<AlertState>, StoreError>;

    /// At most `limit` closed alerts that look like this one: those of its fingerprint first, then those of its rule
    /// for the same service and operation among the last [`LOOKED_AT`] of its type; newest first.
    fn similar(&self, alert: &Alert, limit: usize) -> Result<Vec<AlertState>, StoreError>;

    /// One migration.
    fn migration(&self, id: &MigrationId) -> Result<Option<MigrationState>, StoreError>;

    /// All unfinished migrations, and the `ended` newest ones that are not.
    fn recent_migrations(&self, ended: u32) -> Result<Vec<MigrationState>, StoreError>;

    /// A page of migrations.
    fn migrations(&self, ask: &MigrationQuery) -> Result<FoundMigrations, StoreError>;

    /// The greatest number given to a migration, 0 for none.
    fn last_migration(&self) -> Result<u64, StoreError>;

    /// The last fence of a target; 0: it never had one.
    fn fence(&self, target: &str) -> Result<u64, StoreError>;

    /// What stood where a step of a fix writes, in order.
    fn fix_images(&self, id: &FixId, step: usize) -> Result<Vec<BeforeImage>, StoreError>;

    /// At most `limit` lines of a fix after line `after`, oldest first; of one step, or of all.
    fn fix_output(&self, id: &FixId, step: Option<u32>, after: u64, limit: u32) -> Result<Vec<FixOutput>, StoreError>;

    /// How the fixes of a definition fared, and what people said of the alerts they were for.
    fn fix_record(&self, definition: &str) -> Result<Record, StoreError>;

    /// Suppressions that were not lifted, oldest first.
    fn suppressions(&self) -> Result<Vec<Suppression>, StoreError>;

    /// Maintenance windows that end after `now`, oldest first.
    fn maintenance(&self, now: Timestamp) -> Result<Vec<Maintenance>, StoreError>;

    /// A kept note of the server to itself.
    fn meta(&self, key: Meta) -> Result<Option<String>, StoreError>;

    /// All tokens.
    fn tokens(&self) -> Result<Vec<StoredToken>, StoreError>;

    /// At most `limit` audit rows after number `after`, oldest first.
    fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError>;

    /// Computes the chain of all audit rows again; their number, or the first that is not as written.
    fn verify_audit(&self) -> Result<Result<u64, AuditBroken>, StoreError>;

    /// Deletes a bounded part of what is older than it must be; true: there is more to delete.
    fn sweep(&self, retention: &Retention, now: Timestamp) -> Result<bool, StoreError>;
}
