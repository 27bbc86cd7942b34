//! What is to be done: named by `update`, performed by the runtime, answered by an event.

use stella_protocol::deploy::{Deploy, DeployRequest};
use stella_protocol::fix::{
    DefinitionPage, FixPage, FixRequest, FixReview, Maintenance, MaintenanceRequest, OutputPage, Proposal,
    SwitchRequest,
};
use stella_protocol::migration::{
    CollectionPage, DecisionPage, DecisionRequest, LogPage as MigrationLog, MappingPage, MigrationProposal,
    MigrationRequest, OrphanPage, TroublePage, UserCheck,
};
use stella_protocol::query::QueryError;
use stella_protocol::rule::{MarkPage, Rule, RuleChange, RulePage, RulePreview};
use stella_protocol::series::SeriesPage;
use stella_protocol::snapshot::LogPage;
use stella_protocol::{
    ActionId, ActionRequest, ActionResponse, Alert, AlertId, Evidence, Fix, FixId, FixVerb, LineId, Migration,
    MigrationId, MigrationVerb, PresenceRequest, Problem, Remedy, Text, Timestamp,
};

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
    /// Tell others what this console looks at; nothing comes back.
    Attend(PresenceRequest),
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
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A triage verb on some alerts.
    Act(ActionRequest),
    /// Take an action back.
    Undo(ActionId),
    /// Propose a fix.
    Propose(Proposal),
    /// A verb on a fix.
    DecideFix {
        /// Which.
        id: FixId,
        /// As it was seen.
        version: u64,
        /// What is done to it.
        verb: FixVerb,
        /// With what.
        request: FixRequest,
    },
    /// Switch all fixes off, or on again.
    SwitchFixes(SwitchRequest),
    /// Let no fix start for a time.
    Maintain(MaintenanceRequest),
    /// Let a definition be proposed again where it was rolled back: `sup-N`.
    LiftSuppression(String),
    /// End a window in which nothing starts before its time: `win-N`.
    EndMaintenance(String),
    /// Make a migration: its look at the data begins.
    CreateMigration(MigrationProposal),
    /// A verb on a migration.
    DecideMigration {
        /// Which.
        id: MigrationId,
        /// As it was seen.
        version: u64,
        /// What is done to it.
        verb: MigrationVerb,
        /// With what.
        request: MigrationRequest,
    },
    /// Answer a question of a migration, or say what becomes of an id without a user.
    AnswerMigration {
        /// Which.
        id: MigrationId,
        /// As it was seen.
        version: u64,
        /// What is decided.
        request: DecisionRequest,
    },
    /// Set a rule otherwise.
    ChangeRule {
        /// Which.
        id: String,
        /// As it was seen.
        version: u64,
        /// What is changed.
        change: RuleChange,
    },
    /// Take the mark of a fingerprint back.
    UndoMark(String),
    /// Tell of a deploy.
    AddDeploy(DeployRequest),
}

/// A question to the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// An alert that the board does not have: one of the past.
    Alert(AlertId),
    /// Why this alert stands.
    Evidence(AlertId),
    /// Kept lines.
    Logs(LogAsk),
    /// Buckets of series.
    Series(SeriesAsk),
    /// A fix, and what a decision on it needs besides.
    Fix(FixId),
    /// What the steps of a fix said.
    FixOutput {
        /// Which fix.
        id: FixId,
        /// Lines behind this one; 0: from the first.
        after: u64,
    },
    /// What can be proposed.
    Definitions,
    /// Fixes, the newest first, behind this page.
    FixHistory(Option<String>),
    /// A migration, as it is now.
    Migration(MigrationId),
    /// A part of a long list of a migration.
    MigrationPart {
        /// Whose.
        id: MigrationId,
        /// Which list.
        list: MigrationList,
        /// Behind this page; None: from the first.
        after: Option<String>,
    },
    /// What one person sees: an id of theirs, or their e-mail.
    MigrationUser {
        /// In which migration.
        id: MigrationId,
        /// Who, as it was typed.
        who: String,
    },
    /// All rules, and what is wrong with their file.
    Rules,
    /// What a change of a rule would have made of the kept lines.
    RulePreview {
        /// Which rule.
        id: String,
        /// What would be changed.
        change: RuleChange,
    },
    /// What was called false.
    Marks,
}

/// The long lists of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MigrationList {
    /// In the order in which they are written.
    Collections,
    /// Ids without a user.
    Orphans,
    /// Questions that only a person can answer.
    Decisions,
    /// Documents with which something is wrong.
    Errors,
    /// What it did.
    Log,
    /// Which id goes where.
    Mapping,
}

/// A page of one of them.
#[derive(Debug, Clone, PartialEq)]
pub enum MigrationPart {
    /// Of the collections.
    Collections(CollectionPage),
    /// Of the ids without a user.
    Orphans(OrphanPage),
    /// Of the questions.
    Decisions(DecisionPage),
    /// Of the errors.
    Errors(TroublePage),
    /// Of the log.
    Log(MigrationLog),
    /// Of the mapping.
    Mapping(MappingPage),
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
    /// Of `Query::Alert`.
    Alert(AlertId, Result<Box<Alert>, Refusal>),
    /// Of `Query::Evidence`.
    Evidence(AlertId, Result<Box<Evidence>, Refusal>),
    /// Of `Query::Logs`.
    Logs(Result<LogPage, Refusal>),
    /// Of `Query::Series`.
    Series(Result<SeriesPage, Refusal>),
    /// Of `Command::Propose` and `Command::DecideFix`: the fix as it is then.
    Decided(Result<Box<Fix>, Refusal>),
    /// Of `Command::SwitchFixes`, `Command::LiftSuppression` and `Command::EndMaintenance`.
    Surrounded(Result<Box<Remedy>, Refusal>),
    /// Of `Command::Maintain`.
    Maintained(Result<Box<Maintenance>, Refusal>),
    /// Of `Query::Fix`.
    Review(FixId, Result<Box<FixReview>, Refusal>),
    /// Of `Query::FixOutput`.
    Output(FixId, Result<OutputPage, Refusal>),
    /// Of `Query::Definitions`.
    Definitions(Result<DefinitionPage, Refusal>),
    /// Of `Query::FixHistory`.
    FixHistory(Result<FixPage, Refusal>),
    /// Of `Command::CreateMigration`, `DecideMigration` and `AnswerMigration`: the migration as it is then.
    Migrated(Result<Box<Migration>, Refusal>),
    /// Of `Query::Migration`.
    Migration(MigrationId, Result<Box<Migration>, Refusal>),
    /// Of `Query::MigrationPart`.
    MigrationPart(MigrationId, MigrationList, Result<MigrationPart, Refusal>),
    /// Of `Query::MigrationUser`.
    MigrationUser(MigrationId, Result<Box<UserCheck>, Refusal>),
    /// Of `Query::Rules`.
    Rules(Result<RulePage, Refusal>),
    /// Of `Query::RulePreview`.
    RulePreview(Result<Box<RulePreview>, Refusal>),
    /// Of `Command::ChangeRule`: the rule as it is then.
    RuleChanged(Result<Box<Rule>, Refusal>),
    /// Of `Query::Marks`.
    Marks(Result<MarkPage, Refusal>),
    /// Of `Command::UndoMark`.
    MarkUndone(Result<(), Refusal>),
    /// Of `Command::AddDeploy`: the deploy as it is kept.
    DeployAdded(Result<Box<Deploy>, Refusal>),
    /// Of `Effect::Copy`: whether the terminal was asked to take it (and how many bytes).
    Copied(Result<usize, Text>),
}

impl Command {
    /// The answer to it that says no.
    pub fn refused(&self, refusal: Refusal) -> Reply {
        match self {
            Self::Act(_) | Self::Undo(_) => Reply::Acted(Err(refusal)),
            Self::Propose(_) | Self::DecideFix { .. } => Reply::Decided(Err(refusal)),
            Self::SwitchFixes(_) | Self::LiftSuppression(_) | Self::EndMaintenance(_) => {
                Reply::Surrounded(Err(refusal))
            }
            Self::Maintain(_) => Reply::Maintained(Err(refusal)),
            Self::CreateMigration(_) | Self::DecideMigration { .. } | Self::AnswerMigration { .. } => {
                Reply::Migrated(Err(refusal))
            }
            Self::ChangeRule { .. } => Reply::RuleChanged(Err(refusal)),
            Self::UndoMark(_) => Reply::MarkUndone(Err(refusal)),
            Self::AddDeploy(_) => Reply::DeployAdded(Err(refusal)),
        }
    }
}

impl Query {
    /// The answer to it that brings nothing.
    pub fn refused(self, refusal: Refusal) -> Reply {
        match self {
            Self::Alert(alert) => Reply::Alert(alert, Err(refusal)),
            Self::Evidence(alert) => Reply::Evidence(alert, Err(refusal)),
            Self::Logs(_) => Reply::Logs(Err(refusal)),
            Self::Series(_) => Reply::Series(Err(refusal)),
            Self::Fix(id) => Reply::Review(id, Err(refusal)),
            Self::FixOutput { id, .. } => Reply::Output(id, Err(refusal)),
            Self::Definitions => Reply::Definitions(Err(refusal)),
            Self::FixHistory(_) => Reply::FixHistory(Err(refusal)),
            Self::Migration(id) => Reply::Migration(id, Err(refusal)),
            Self::MigrationPart { id, list, .. } => Reply::MigrationPart(id, list, Err(refusal)),
            Self::MigrationUser { id, .. } => Reply::MigrationUser(id, Err(refusal)),
            Self::Rules => Reply::Rules(Err(refusal)),
            Self::RulePreview { .. } => Reply::RulePreview(Err(refusal)),
            Self::Marks => Reply::Marks(Err(refusal)),
        }
    }
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
