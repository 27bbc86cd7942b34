//! What the routes ask of fixes that only the world can answer: which definitions there are, what one
//! would do here, what differs by now. It changes nothing and keeps nothing.

use futures_util::future::BoxFuture;
use stella_protocol::fix::{DefinitionView, Proposal};
use stella_protocol::{Alert, Principal, Text};

use crate::remedy::{Draft, FixState, Refusal};

/// Where people's questions about fixes are answered.
pub trait RemedyDesk: Send + Sync {
    /// All definitions, by id, with how they fared.
    fn definitions(&self) -> BoxFuture<'_, Vec<DefinitionView>>;

    /// What would be proposed; `alert` is the one that `ask` names.
    ///
    /// # Errors
    /// Why nothing can be proposed: no such definition, a value that does not parse, and what to do.
    fn draft<'a>(
        &'a self,
        by: &'a Principal,
        ask: Proposal,
        alert: Option<Alert>,
    ) -> BoxFuture<'a, Result<Draft, Refusal>>;

    /// What differs since the fix was proposed, in words: its plan computed again, its alert. Empty: nothing.
    fn differences<'a>(&'a self, state: &'a FixState, alert: Option<&'a Alert>) -> BoxFuture<'a, Vec<Text>>;

    /// What was changed since by somebody else, so that a rollback would overwrite it, in words; also what
    /// could not be looked at. Empty: it can be taken back.
    fn changed<'a>(&'a self, state: &'a FixState) -> BoxFuture<'a, Vec<Text>>;
}
