//! Which of two problems is the greater one: what began together and has the same cause is one group,
//! and its greatest problem is the parent.

use crate::incident::{Incident, Subject};
use crate::rules::silence::Speaker;
use crate::scope::OpName;

/// Problems whose onsets are so near, in milliseconds, began together: a rule may need two minutes of lines.
const TOGETHER_MS: i64 = 120_000;
/// The same for two operations of a service that do the same at once, without anything that says why.
const AT_ONCE_MS: i64 = 60_000;

/// How much a problem can explain.
fn rank(subject: &Subject) -> u8 {
    match subject {
        Subject::Unwell { .. } | Subject::Silent(_) => 4,
        Subject::SlowEverywhere | Subject::SpikeEverywhere | Subject::LoginsEverywhere => 3,
        Subject::Slow(_) | Subject::Spike(_) | Subject::Address { .. } | Subject::Probe { .. } => 2,
        Subject::NewError { .. } | Subject::Account { .. } => 1,
        _ => 0,
    }
}

/// The operation that a problem is about.
fn op_of(subject: &Subject) -> Option<&OpName> {
    match subject {
        Subject::Slow(op)
        | Subject::Spike(op)
        | Subject::Retries(op)
        | Subject::Friction { op, .. }
        | Subject::Rage { op, .. }
        | Subject::NewError { op, .. } => Some(op),
        _ => None,
    }
}

/// True when `greater` can be why there is `lesser`.
fn explains(greater: &Subject, lesser: &Subject) -> bool {
    match (greater, op_of(lesser)) {
        (Subject::Unwell { service, .. }, Some(op)) => !service.is_empty() && *service == op.service,
        (Subject::Silent(source), Some(op)) => source.speaker == Speaker::Service(op.service.clone()),
        (Subject::SlowEverywhere | Subject::SpikeEverywhere, Some(_)) => true,
        (Subject::SlowEverywhere, None) => matches!(lesser, Subject::SpikeEverywhere),
        (Subject::Slow(of) | Subject::Spike(of), Some(op)) => of == op || of.service == op.service && rank(lesser) == 2,
        (Subject::LoginsEverywhere, None) => matches!(lesser, Subject::Account { .. }),
        _ => false,
    }
}

/// True when `greater` is the parent of `lesser`; of two that can explain each other, the earlier one is.
pub(crate) fn is_parent(greater: &Incident, lesser: &Incident) -> bool {
    let (high, low) = (rank(&greater.subject), rank(&lesser.subject));
    let same_op = op_of(&greater.subject) == op_of(&lesser.subject);
    let near = if high == low && !same_op { AT_ONCE_MS } else { TOGETHER_MS };
    let earlier = (greater.first_at, greater.opened) < (lesser.first_at, lesser.opened);
    (greater.first_at - lesser.first_at).abs() <= near
        && (high > low || high == low && earlier)
        && explains(&greater.subject, &lesser.subject)
}

/// How good a parent it is: the greatest, and of them the earliest.
pub(crate) fn preference(incident: &Incident) -> (std::cmp::Reverse<u8>, i64, u64) {
    (std::cmp::Reverse(rank(&incident.subject)), incident.first_at, incident.opened)
}
