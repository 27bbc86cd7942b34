//! What people of the application had said already of who is who, before anybody asks.

use std::collections::BTreeMap;

use stella_protocol::migration::{Decided, DecisionKind};
use stella_protocol::{Text, Timestamp};

use super::cast::{Cast, SETTLED};
use super::misfiled;
use crate::demo::{COLLEAGUE, Options};
use crate::migrate::resolve::{ONE_PERSON, question_id};

/// 2025-11-07T15:30:00Z.
const AT_MS: i64 = 1_762_529_400_000;
const REASON: &str = "I asked them: both accounts are theirs, the second one was made for a test";

/// What was decided in this world, by the names of the questions that a migration asks: two accounts with
/// one sign-in are one person's.
#[must_use]
pub fn agreed(options: &Options) -> BTreeMap<String, Decided> {
    let cast = Cast::new(options.seed, misfiled(options.seed));
    let accounts = &cast.members[SETTLED].accounts;
    let shared = accounts.iter().find_map(|account| account.google.as_deref());
    let answer = shared.map(|sign_in| {
        let users = accounts.iter().map(|account| account.id.as_str());
        let decided = Decided {
            option: Text::from(ONE_PERSON),
            by: Text::from(COLLEAGUE),
            at: Timestamp::from_millis(AT_MS),
            reason: Text::from(REASON),
        };
        (question_id(DecisionKind::SeveralAccounts, sign_in, users), decided)
    });
    answer.into_iter().collect()
}
