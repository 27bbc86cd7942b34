//! Which verbs a fix takes from whoever looks, as far as the console can tell; the server decides.

use stella_protocol::{Fix, FixStatus, FixVerb, Role as Rank};

use super::plan;
use crate::board::link::Allowed;
use crate::screens::View;
use crate::unwind;

/// Why a verb would be refused; None: nothing is known against it.
pub fn off(verb: FixVerb, fix: &Fix, view: &View<'_>) -> Option<String> {
    by_status(verb, fix, view).or_else(|| view.lacks(role_for(verb))).or_else(|| by_link(verb, view))
}

fn role_for(verb: FixVerb) -> Rank {
    match verb {
        FixVerb::DryRun | FixVerb::Stop => Rank::Responder,
        FixVerb::Approve | FixVerb::Reject | FixVerb::Withdraw | FixVerb::Rollback => Rank::Approver,
        FixVerb::Close => Rank::Admin,
    }
}

/// True when whoever looks has said yes.
pub(super) fn is_mine(fix: &Fix, view: &View<'_>) -> bool {
    fix.approvals.iter().any(|approval| same(approval.by.raw(), view.me()))
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn by_status(verb: FixVerb, fix: &Fix, view: &View<'_>) -> Option<String> {
    let status = fix.status;
    let waits = matches!(status, FixStatus::Pending | FixStatus::Approved);
    let only = |wanted: &str| Some(format!("it is {}, not {wanted}", status.word().replace('_', " ")));
    match verb {
        FixVerb::Approve | FixVerb::DryRun if status != FixStatus::Pending => only("pending"),
        FixVerb::Approve => not_mine_to_approve(fix, view),
        FixVerb::Reject | FixVerb::Withdraw if !waits => only("waiting for a decision"),
        FixVerb::Withdraw if !is_mine(fix, view) => Some("you have not approved it".to_owned()),
        FixVerb::Stop if !matches!(status, FixStatus::Running | FixStatus::Verifying) => only("running"),
        FixVerb::Rollback if !matches!(status, FixStatus::Executed | FixStatus::Failed) => only("executed or failed"),
        FixVerb::Rollback if !unwind::can_undo_any(fix) => Some("nothing that it did can be taken back".to_owned()),
        FixVerb::Close if !matches!(status, FixStatus::InDoubt | FixStatus::RollbackFailed) => only("in doubt"),
        _ => None,
    }
}

fn not_mine_to_approve(fix: &Fix, view: &View<'_>) -> Option<String> {
    let remedy = view.board.fixes.remedy();
    if remedy.switched_off.is_some() {
        return Some("all fixes are switched off".to_owned());
    }
    if is_mine(fix, view) {
        return Some("you have approved it already, others have to follow".to_owned());
    }
    if same(fix.proposed_by.raw(), view.me()) && !remedy.single_person {
        return Some("you proposed it: somebody else has to approve it".to_owned());
    }
    if view.board.clock(view.now) >= fix.approve_by {
        return Some("the time to approve it is over".to_owned());
    }
    (!plan::is_known(&fix.plan)).then(|| "this console cannot show all that would run".to_owned())
}

fn by_link(verb: FixVerb, view: &View<'_>) -> Option<String> {
    let link = view.board.link.state(view.now);
    let has_effect = matches!(verb, FixVerb::Approve | FixVerb::Rollback);
    let may = match link.allows() {
        Allowed::Triage => !has_effect || link.is_live(),
        Allowed::AcknowledgeNow => verb == FixVerb::Stop,
        Allowed::Reading => false,
    };
    (!may).then(|| "the feed is not live: r reconnects".to_owned())
}
