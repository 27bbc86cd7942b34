//! A definition's own caps: never looser than those that hold for all fixes.

use std::sync::Arc;

use stella_protocol::{Code, Timestamp};

use crate::remedy::machine::words::plain;
use crate::remedy::policy::again;
use crate::remedy::{Draft, FixState, Refusal};

/// Shortest time between two proposals for one target, in milliseconds: the cap of all fixes.
pub const LEAST_EVERY_MS: i64 = 15 * 60_000;
/// Longest, in milliseconds: a week.
pub const MOST_EVERY_MS: i64 = 7 * 86_400_000;
/// The hour of [`Limits::per_hour`], in milliseconds.
pub const HOUR_MS: i64 = 60 * 60_000;
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
    /// Whether one more of it may be proposed. `fixes`: open ones, those that were proposed within the
    /// hour, and those that were proposed of it for this target within [`Limits::every_ms`].
    ///
    /// # Errors
    /// `too_many_fixes` or `target_busy`, with what stands in the way.
    pub fn admit(&self, draft: &Draft, fixes: &[Arc<FixState>], now: Timestamp) -> Result<(), Refusal> {
        let refused = |why: String| Err(Refusal::new(Code::TooManyFixes, why));
        let id = plain(&draft.plan.definition_id);
        let mine = || fixes.iter().map(|state| &state.fix).filter(|fix| fix.definition_id == draft.plan.definition_id);
        let open = mine().filter(|fix| fix.status.is_open()).count();
        if open >= self.open {
            return refused(format!(
                "{open} fixes of {id} are open, {} at most; decide or close some of them first",
                self.open
            ));
        }
        let lately = mine().filter(|fix| now.since(fix.proposed_at) < HOUR_MS).count();
        if lately >= self.per_hour {
            return refused(format!(
                "{id} was proposed {lately} times within the hour, {} at most; wait, or do it by hand",
                self.per_hour
            ));
        }
        let last = again::held_back_by(draft, fixes, self.every_ms, now);
        match last.map(|state| now.since(state.fix.proposed_at)) {
            // Within the cap of all fixes, what refuses is that one: it knows of suppressions and the switch.
            Some(since) if (LEAST_EVERY_MS..self.every_ms).contains(&since) => {
                let wait = (self.every_ms - since).div_euclid(60_000) + 1;
                let why = format!("{id} was proposed for this target a short time ago; in {wait} min it may be again");
                Err(Refusal::new(Code::TargetBusy, why))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use stella_protocol::fix::{FixPlan, Policy};
    use stella_protocol::{FixStatus, Text};

    use super::*;
    use crate::remedy::machine;

    fn draft(target: &str) -> Draft {
        let plan: FixPlan = serde_json::from_value(json!({
            "definitionId": "x", "definitionDigest": "d", "risk": "low", "policy": "approve", "target": target,
            "parameters": [],
            "steps": [{ "title": "s", "act": { "kind": "document", "collection": "c", "id": "i", "change": { "op": "delete" } } }],
        }))
        .unwrap();
        Draft {
            title: Text::from("t"),
            alert_id: None,
            plan,
            plan_digest: Text::from("d"),
            policy: Policy::Approve,
            proposed_by: Text::from("ana"),
            owner: Text::from("o"),
            quorum: 1,
            guards: Vec::new(),
            observed: None,
            limits: Limits::default(),
        }
    }

    fn kept(target: &str, at: i64, status: FixStatus) -> Arc<FixState> {
        let id = format!("fx-{at}").parse().unwrap();
        let mut state = machine::open(draft(target), id, Timestamp::from_millis(at)).unwrap();
        state.fix.status = status;
        Arc::new(state)
    }

    #[test]
    fn its_own_caps_count_open_ones_the_hour_and_the_time_for_one_target() {
        let limits = Limits { every_ms: 30 * 60_000, open: 2, per_hour: 3 };
        let now = Timestamp::from_millis(10_000_000);
        let admitted = |target: &str, fixes: &[Arc<FixState>]| limits.admit(&draft(target), fixes, now).is_ok();
        let ended = |target: &str, ago: i64| kept(target, 10_000_000 - ago * 60_000, FixStatus::Executed);
        let open = |target: &str| kept(target, 1_000, FixStatus::Pending);
        assert!(admitted("a", &[open("b")]) && !admitted("a", &[open("b"), open("c")]));
        assert!(!admitted("a", &[ended("a", 29)]) && admitted("a", &[ended("a", 30), ended("b", 1)]));
        assert!(!admitted("a", &[ended("b", 1), ended("c", 2), ended("d", 59)]));
        assert!(admitted("a", &[ended("b", 1), ended("c", 2), ended("d", 60)]));
    }
}
