//! Who was active: different users in the last five minutes, exact up to a bound.

use std::collections::HashMap;
use std::hash::Hasher;

use rustc_hash::{FxBuildHasher, FxHasher};
use stella_protocol::{LogEvent, Timestamp};

/// How long a user counts as active, in milliseconds.
const ACTIVE_MS: i64 = 5 * 60_000;
/// Users told apart; beyond, the number means "at least".
const TOLD_APART: usize = 10_000;

/// Users by a 64-bit digest of their name, with the time they were last seen.
#[derive(Debug, Default)]
pub(super) struct ActiveUsers {
    seen: HashMap<u64, Timestamp, FxBuildHasher>,
    known: bool,
    full: bool,
}

impl ActiveUsers {
    /// Notes the user of a line.
    pub(super) fn see(&mut self, event: &LogEvent<'_>) {
        let Some(user) = &event.user_id else { return };
        self.known = true;
        let mut digest = FxHasher::default();
        digest.write(user.raw().as_bytes());
        let digest = digest.finish();
        if self.seen.len() < TOLD_APART || self.seen.contains_key(&digest) {
            self.seen.insert(digest, event.engine_time);
        } else {
            self.full = true;
        }
    }

    /// How many were active in the five minutes before `now`; None while no line ever named one.
    pub(super) fn count(&mut self, now: Timestamp) -> Option<f64> {
        let before = self.seen.len();
        self.seen.retain(|_, seen| now.since(*seen) <= ACTIVE_MS);
        self.full &= self.seen.len() == before;
        self.known.then_some(self.seen.len() as f64)
    }

    /// True when more users came than are told apart: the count is a lower bound.
    pub(super) fn at_least(&self) -> bool {
        self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(users: &mut ActiveUsers, name: &str, at: i64) {
        let event =
            LogEvent { user_id: Some(name.into()), engine_time: Timestamp::from_millis(at), ..LogEvent::default() };
        users.see(&event);
    }

    #[test]
    fn a_user_counts_once_and_for_five_minutes() {
        let mut users = ActiveUsers::default();
        assert_eq!(users.count(Timestamp::from_millis(0)), None);
        seen(&mut users, "ann", 0);
        seen(&mut users, "ann", 1000);
        seen(&mut users, "bob", 2000);
        assert_eq!(users.count(Timestamp::from_millis(2000)), Some(2.0));
        assert_eq!(users.count(Timestamp::from_millis(301_500)), Some(1.0));
        assert_eq!(users.count(Timestamp::from_millis(400_000)), Some(0.0));
    }

    #[test]
    fn beyond_the_bound_the_count_says_that_it_is_a_lower_one() {
        let mut users = ActiveUsers::default();
        for user in 0..=TOLD_APART {
            seen(&mut users, &user.to_string(), 0);
        }
        assert!(users.at_least());
        assert_eq!(users.count(Timestamp::from_millis(0)), Some(TOLD_APART as f64));
    }
}
