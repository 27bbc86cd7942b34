//! What the routes ask of migrations that only the world and the ledgers can answer: what one would be of
//! here, its long parts, what a person decides in it, who an old id is now. Nothing here steps a migration:
//! that is the hub's.

use futures_util::future::BoxFuture;
use stella_protocol::migration::{
    Alias, CollectionPage, DecisionPage, DecisionRequest, DualRead, LogPage, MappingPage, OrphanPage, Report,
    TroublePage, UserCheck,
};
use stella_protocol::{Migration, MigrationId, Principal, Text};

use crate::migrate::{Draft, Refusal};

/// What comes of a question.
pub type Said<'a, T> = BoxFuture<'a, Result<T, Refusal>>;

/// From where a page goes on, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The `next` of the page before; None: from the beginning. `bad_query` is for one that was never given.
    pub after: Option<String>,
    /// Most rows, at least 1.
    pub limit: u32,
}

/// What a person decided, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// In words, for audit and trail.
    pub what: Text,
    /// How many questions are open now.
    pub open: u64,
}

/// Where people's questions about migrations are answered.
///
/// Every `id` is that of a migration that is there; one that was not looked at yet has empty pages.
pub trait MigrationDesk: Send + Sync {
    /// What a migration of the application's documents is made from.
    ///
    /// # Errors
    /// Why none can be made: no data map, no key.
    fn draft<'a>(&'a self, by: &'a Principal) -> Said<'a, Draft>;

    /// Why readers understand both ids: the application is asked (in at most a few seconds), and when it does
    /// not say so, `statement` is what `by` stated. None: neither.
    fn dual_read<'a>(&'a self, by: &'a Principal, statement: Option<Text>) -> BoxFuture<'a, Option<DualRead>>;

    /// The collections of the plan.
    fn collections<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, CollectionPage>;

    /// Ids without a user.
    fn orphans<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, OrphanPage>;

    /// Documents with which something is wrong.
    fn errors<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, TroublePage>;

    /// The operation's log.
    fn log<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, LogPage>;

    /// Old ids and where they go.
    fn mapping<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, MappingPage>;

    /// Questions that only a person can answer.
    fn decisions<'a>(&'a self, id: &'a MigrationId, place: &'a Place) -> Said<'a, DecisionPage>;

    /// Enters a decision into the ledger. The same one by the same person once more is answered as if it were
    /// the first: between ledger and hub a server may end, and the request comes again.
    ///
    /// # Errors
    /// `not_decided`: no such question, option or id; `version_conflict`: it was decided otherwise, and by whom.
    fn decide<'a>(&'a self, id: &'a MigrationId, by: &'a Principal, ask: DecisionRequest) -> Said<'a, Entered>;

    /// What one person sees, before and now and in the end. `who` is an id or an e-mail.
    ///
    /// # Errors
    /// `not_found`: nobody of that name.
    fn check_user<'a>(&'a self, id: &'a MigrationId, who: &'a str) -> Said<'a, UserCheck>;

    /// How it went, reconciled.
    fn report(&self, migration: Migration) -> Said<'_, Report>;

    /// Who an old id is now; None: no migration that was cut over made an alias of it.
    fn alias<'a>(&'a self, old: &'a str) -> Said<'a, Option<Alias>>;
}
