//! Whether something that was proposed lately stands in the way of proposing the same again.
//!
//! People are told to propose again what expired, was rejected or became another plan, so none of that
//! holds them back: what holds them is how often a definition may be proposed within the hour. A rule
//! speaks as often as there are lines, so of its proposals only those do not count that it is not to
//! blame for.

use std::sync::Arc;

use stella_protocol::{FixStatus, Timestamp};

use crate::remedy::{Draft, FixState, Superseded};

/// Begins the name of whoever proposes without being a person. No name of a person has a colon.
const RULE: &str = "rule:";
/// So many times within the span a rule may propose anew because its plan became another one. Whoever can
/// move the evidence at will must not get a proposal for each move.
const ANEW: usize = 1;

/// The latest fix of the same definition for the same target that holds a proposal back, of those that
/// were proposed less than so many milliseconds ago.
pub fn held_back_by<'a>(
    draft: &Draft,
    fixes: &'a [Arc<FixState>],
    within: i64,
    now: Timestamp,
) -> Option<&'a Arc<FixState>> {
    let (definition, target) = (&draft.plan.definition_id, &draft.plan.target);
    let same = |other: &&Arc<FixState>| other.fix.definition_id == *definition && other.fix.plan.target == *target;
    let late = |other: &&Arc<FixState>| now.since(other.fix.proposed_at) < within;
    let lately = || fixes.iter().filter(same).filter(late);
    let changed = lately().filter(|state| state.work.superseded == Some(Superseded::PlanChanged)).count();
    let by_rule = draft.proposed_by.raw().starts_with(RULE);
    let counts = |state: &&Arc<FixState>| match (by_rule, state.work.superseded) {
        (false, _) => !came_to_nothing(state.fix.status),
        (true, Some(Superseded::SwitchedOff)) => false,
        (true, Some(Superseded::PlanChanged)) => changed > ANEW,
        (true, Some(Superseded::AlertOver | Superseded::Broken) | None) => true,
    };
    lately().filter(counts).max_by_key(|state| state.fix.proposed_at)
}

/// True when nothing of it was ever begun, and nothing of it will be.
fn came_to_nothing(status: FixStatus) -> bool {
    matches!(status, FixStatus::Invalid | FixStatus::Superseded | FixStatus::Expired | FixStatus::Rejected)
}
