//! The one error body: `application/problem+json`.

use serde::{Deserialize, Serialize};

use crate::{Alert, Fix, Migration, Rule, Text};

/// Why a request was refused. One enum for both sides; unknown ones read as `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No token, or not in the right form.
    Unauthenticated,
    /// The token's time is over.
    TokenExpired,
    /// The token was taken back.
    TokenRevoked,
    /// The role does not allow it.
    Forbidden,
    /// No such route.
    UnknownRoute,
    /// The route does not take this method.
    MethodNotAllowed,
    /// No such object.
    NotFound,
    /// The id has not the form of one.
    BadId,
    /// The body is not what the route takes.
    BadBody,
    /// A field of the query is not what the route takes.
    BadQuery,
    /// The content type is not one the route reads.
    UnsupportedMediaType,
    /// The body, or what it unpacks to, is too large.
    TooLarge,
    /// Too many targets in one request.
    TooManyTargets,
    /// JSON nested too deep.
    TooDeep,
    /// The gzip stream is broken.
    BadCompression,
    /// `Idempotency-Key` is missing.
    KeyMissing,
    /// `Idempotency-Key` is not one.
    BadKey,
    /// The key came before with another body.
    KeyReused,
    /// The first request with this key is still under way.
    InFlight,
    /// `If-Match` is missing.
    VersionMissing,
    /// `If-Match` is not a version.
    BadVersion,
    /// Somebody changed the object first.
    VersionConflict,
    /// Somebody else has acknowledged it.
    AlreadyAcknowledged,
    /// The machine has no such step from here.
    IllegalTransition,
    /// Another alert of the same fingerprint is open.
    AlreadyOpen,
    /// The plan is another one than the one that was approved or seen.
    PlanChanged,
    /// Whoever proposed a fix, or owns its definition, does not approve it.
    OwnProposal,
    /// A fix is open for this target, or was proposed for it a moment ago.
    TargetBusy,
    /// All fixes are switched off, the target is in maintenance, or the rule is suppressed for it.
    FixesOff,
    /// A value does not parse, or is in no inventory.
    BadParameter,
    /// Too many fixes are open.
    TooManyFixes,
    /// What a rollback would put back was changed since.
    TargetChanged,
    /// Nothing says that readers understand both ids: the application was not asked, and nobody stated it.
    DualReadMissing,
    /// Decisions are open, or this one is not among the ways to decide.
    NotDecided,
    /// The action can no longer be undone.
    UndoExpired,
    /// The action was undone already.
    AlreadyUndone,
    /// Too many streams of one principal.
    TooManyStreams,
    /// Too many requests.
    RateLimited,
    /// The cursor is not one.
    BadCursor,
    /// `recording` by a principal that may not.
    RecordingNotAllowed,
    /// The disk is full or the store does not answer.
    StoreUnavailable,
    /// The server is ending or not ready yet.
    Unavailable,
    /// A fault of ours; the request id names it in our log.
    Internal,
    /// A code this reader does not know.
    #[serde(other)]
    Unknown,
}

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It cannot.
    Never,
    /// Later, as `Retry-After` says.
    After,
    /// At once.
    Now,
    /// A word this reader does not know.
    #[serde(other)]
    Unknown,
}

/// The object as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Current {
    /// An alert.
    Alert(Box<Alert>),
    /// A fix.
    Fix(Box<Fix>),
    /// A migration.
    Migration(Box<Migration>),
    /// A rule.
    Rule(Box<Rule>),
}

/// The body. Never holds a stack trace, SQL or a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:stella:problem:CODE`.
    #[serde(rename = "type")]
    pub kind: Text,
    /// For programs.
    pub code: Code,
    /// What happened.
    pub title: Text,
    /// What to do next.
    #[serde(default)]
    pub detail: Text,
    /// Names this request in the server's log.
    #[serde(default)]
    pub request_id: Text,
    /// Whether asking again can help.
    pub retry: Retry,
    /// The object as it is now, on a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Current>,
}
