//! A definition's own caps: never looser than those that hold for all fixes.

use std::sync::Arc;

use stella_protocol::{Code, Timestamp};

use crate::remedy::{Draft, FixState, Refusal};

/// Shortest time between two proposals for one target, in milliseconds: the cap of all fixes.
pub const LEAST_EVERY_MS: i64 = 15 * 60_000;
/// Longest, in milliseconds: a week.
pub const MOST_EVERY_MS: i64 = 7 * 86_400_000;
/// Most open fixes in all.
pub const MOST_OPEN: i64 = 50;
/// Most runs an hour that a definition may allow itself.
pub const MOST_AN_HOUR: i64 = 60;

/// How often a definition may be proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Shortest time between two proposals for one target, in milliseconds.
    pub every_ms: i64,
    /// Most open fixes of it.
    pub open: usize,
    /// Most proposals of it within an hour, over all targets.
    pub per_hour: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { every_ms: LEAST_EVERY_MS, open: 5, per_hour: 20 }
    }
}

impl Limits {
    /// Whether one more of it may be proposed. `fixes`: open ones and such as ended lately.
    ///
    /// # Errors
    /// `too_many_fixes`, with what stands in the way.
    pub fn admit(&self, draft: &Draft, fixes: &[Arc<FixState>], now: Timestamp) -> Result<(), Refusal> {
        let refused = |why: String| Err(Refusal::new(Code::TooManyFixes, why));
        let id = draft.plan.definition_id.raw();
        let mine = || fixes.iter().map(|state| &state.fix).filter(|fix| fix.definition_id.raw() == id);
        let open = mine().filter(|fix| fix.status.is_open()).count();
        if open >= self.open {
            return refused(format!("{open} fixes of this definition are open, {} may be", self.open));
        }
        let lately = mine().filter(|fix| now.since(fix.proposed_at) < 3_600_000).count();
        if lately >= self.per_hour {
            return refused(format!(
                "this definition was proposed {lately} times within the hour; {} may be",
                self.per_hour
            ));
        }
        let same = mine().filter(|fix| fix.plan.target == draft.plan.target);
        match same.map(|fix| now.since(fix.proposed_at)).min() {
            Some(since) if since < self.every_ms => {
                let wait = (self.every_ms - since).div_euclid(60_000) + 1;
                refused(format!("it was proposed for this target a short time ago; again in {wait} min"))
            }
            _ => Ok(()),
        }
    }
}
