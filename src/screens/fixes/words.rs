//! What is said of a fix in a word or two, the same wherever it is shown.

use stella_protocol::fix::Risk;
use stella_protocol::{Fix, FixStatus, Timestamp};

use crate::screens::View;
use crate::theme::Role;

/// The status in eleven columns at most.
pub(crate) fn status(status: FixStatus) -> &'static str {
    match status {
        FixStatus::RolledBack => "rolled back",
        FixStatus::RollbackFailed => "undo failed",
        FixStatus::InDoubt => "IN DOUBT",
        FixStatus::ClosedManually => "closed",
        FixStatus::Unknown => "?",
        other => other.word(),
    }
}

/// What the status means for whoever looks.
pub(crate) fn status_role(status: FixStatus) -> Role {
    match status {
        FixStatus::Pending => Role::Waiting,
        FixStatus::InDoubt | FixStatus::RollbackFailed | FixStatus::Failed => Role::Danger,
        FixStatus::Proposed | FixStatus::Approved | FixStatus::Running | FixStatus::Verifying | FixStatus::Undoing => {
            Role::Accent
        }
        FixStatus::Executed => Role::Ok,
        _ => Role::Muted,
    }
}

/// `LOW`, `MED`, `HIGH`.
pub(crate) fn risk(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "LOW",
        Risk::Medium => "MED",
        Risk::High => "HIGH",
        Risk::Unknown => "?",
    }
}

/// The style of a risk.
pub(crate) fn risk_role(risk: Risk) -> Role {
    match risk {
        Risk::Low => Role::Low,
        Risk::Medium => Role::Medium,
        Risk::High => Role::High,
        Risk::Unknown => Role::Danger,
    }
}

/// How many have said yes, of how many that have to: `1/2`; `auto` when the policy did.
pub(crate) fn approvals(fix: &Fix) -> String {
    if fix.by_policy { "auto".to_owned() } else { format!("{}/{}", fix.approvals.len(), fix.quorum) }
}

/// The moment that counts: what is left to decide or to begin, for how long it runs, when it ended.
pub(crate) fn when(view: &View<'_>, fix: &Fix) -> String {
    let begun = fix.steps.iter().filter_map(|step| step.started_at).min().unwrap_or(fix.proposed_at);
    let ended = fix.ended_at.unwrap_or(begun);
    match (fix.status, fix.execute_by) {
        (FixStatus::Proposed | FixStatus::Pending, _) => left(view, fix.approve_by),
        (FixStatus::Approved, Some(end)) => left(view, end),
        (status, _) if status.is_under_way() && view.tells_ages() => format!("for {}", view.age(begun)),
        (status, _) if status.is_under_way() => view.clock(begun),
        _ if view.tells_ages() => format!("{} ago", view.age(ended)),
        _ => view.clock(ended),
    }
}

/// `11m left`, or `by 14:40`.
pub(crate) fn left(view: &View<'_>, end: Timestamp) -> String {
    if view.tells_ages() { format!("{} left", view.until(end)) } else { format!("by {}", view.clock(end)) }
}
