//! What people of the application had said already of who is who, before anybody asks.

use stella_protocol::Timestamp;
use stella_protocol::migration::DecisionKind;

use super::cast::{Cast, SETTLED};
use super::misfiled;
use crate::demo::{COLLEAGUE, Options};

/// 2025-11-07T15:30:00Z.
const AT_MS: i64 = 1_762_529_400_000;

/// An answer to a question that a migration of user ids asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// What the question is about.
    pub kind: DecisionKind,
    /// The id that several user documents call their own.
    pub id: String,
    /// The ids of these user documents.
    pub people: Vec<String>,
    /// The option: all of them are one person.
    pub option: &'static str,
    /// Who said so.
    pub by: &'static str,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: &'static str,
}

/// What was said in this world: the two accounts with one sign-in are one person's.
#[must_use]
pub fn agreed(options: &Options) -> Vec<Agreed> {
    let cast = Cast::new(options.seed, misfiled(options.seed));
    let accounts = &cast.members[SETTLED].accounts;
    let one = accounts.iter().find_map(|account| account.google.clone()).map(|id| Agreed {
        kind: DecisionKind::SeveralAccounts,
        id,
        people: accounts.iter().map(|account| account.id.clone()).collect(),
        option: "one-person",
        by: COLLEAGUE,
        at: Timestamp::from_millis(AT_MS),
        reason: "I asked them: both accounts are theirs, the second one was made for a test",
    });
    one.into_iter().collect()
}
