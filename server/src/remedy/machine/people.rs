//! What people do to a fix: the rows of the machine that begin with a verb (3, 4, 11, 14, 16).

use stella_protocol::fix::{Approval, FixVerb};
use stella_protocol::{Code, Fix, FixStatus, Role, Text, Timestamp};

use super::super::{Decision, Effect, FixState, Refusal, Step, policy};
use super::turn::{DRY_RUN, Turn};
use super::words::{self, plain};
use super::{EXECUTE_MS, REHEARSE_EVERY_MS, illegal, unwind};

/// Performs a verb.
pub(super) fn decide(state: &FixState, decision: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    may(decision)?;
    match decision.verb {
        FixVerb::DryRun => dry_run(state, decision, now),
        FixVerb::Approve => approve(state, decision, now),
        FixVerb::Reject => reject(state, decision, now),
        FixVerb::Withdraw => withdraw(state, decision, now),
        FixVerb::Stop => unwind::stop(state, &decision.by, &decision.text, now),
        FixVerb::Rollback => rollback(state, decision, now),
        FixVerb::Close => close(state, decision, now),
    }
}

/// The least role that a verb asks for.
pub(in super::super) fn role_for(verb: FixVerb) -> Role {
    match verb {
        FixVerb::DryRun | FixVerb::Stop => Role::Responder,
        FixVerb::Approve | FixVerb::Reject | FixVerb::Withdraw | FixVerb::Rollback => Role::Approver,
        FixVerb::Close => Role::Admin,
    }
}

fn may(decision: &Decision) -> Result<(), Refusal> {
    let wanted = role_for(decision.verb);
    if decision.role.allows(wanted) {
        return Ok(());
    }
    let (verb, wanted, role) = (decision.verb.word(), wanted.word(), decision.role.word());
    Err(Refusal::new(
        Code::Forbidden,
        format!("{verb} needs the role {wanted}, yours is {role}; ask somebody who has it"),
    ))
}

/// Looks again, once in a while. Approvals stay, since they are of the plan, which is the same; so does the
/// time to give them, and the version that somebody is about to approve stays good for that.
fn dry_run(state: &FixState, decision: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let mut turn = Turn::by(state, &decision.by, now);
    match state.fix.status {
        FixStatus::Proposed => Ok(turn.unchanged()),
        FixStatus::Pending => {
            let next = state.work.rehearsed_at.map(|last| last.plus_millis(REHEARSE_EVERY_MS));
            if let Some(next) = next.filter(|next| *next > now) {
                let what_to_do = format!("ask again in {}", words::left(now, next));
                return Err(illegal(&state.fix, "it was looked at again a moment ago", &what_to_do));
            }
            turn.state.fix.status = FixStatus::Proposed;
            turn.state.work.only_rehearsed_since.get_or_insert(state.fix.version);
            Ok(turn.changed(DRY_RUN, "asked for another dry run"))
        }
        _ => Err(illegal(&state.fix, "a dry run is for what waits for approvals", "propose it again to look again")),
    }
}

/// Row 3.
fn approve(state: &FixState, decision: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let fix = &state.fix;
    if fix.status != FixStatus::Pending {
        return Err(illegal(fix, "it does not wait for approvals", "look at it again"));
    }
    same_plan(fix, decision)?;
    if now >= fix.approve_by {
        return Err(illegal(fix, "the time to approve it is over", "propose it again"));
    }
    if fix.approvals.iter().any(|approval| same(&approval.by, &decision.by)) {
        return Ok(Turn::of(state, now).unchanged());
    }
    not_your_own(state, decision)?;
    let mut turn = Turn::by(state, &decision.by, now);
    turn.state.fix.approvals.push(Approval {
        by: decision.by.clone(),
        at: now,
        plan_digest: fix.plan_digest.clone(),
        reason: words::paragraph(decision.text.raw()),
        single_person: decision.single_person,
        simulated: decision.simulated,
    });
    let (have, need) = quorum(&turn.state);
    if !decision.single_person {
        turn.state.fix.quorum = need;
    }
    if have >= usize::from(need) {
        turn.state.fix.status = FixStatus::Approved;
        turn.state.fix.execute_by = Some(now.plus_millis(EXECUTE_MS));
    }
    let single = if decision.single_person { ", as the single person of this server" } else { "" };
    Ok(turn.changed("approve", &format!("approved it, {have} of {need}{single}")))
}

/// Row 4, no.
fn reject(state: &FixState, decision: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    if !matches!(state.fix.status, FixStatus::Pending | FixStatus::Approved) {
        return Err(illegal(
            &state.fix,
            "only what waits for approval or execution is rejected",
            what_else(&state.fix),
        ));
    }
    let mut turn = Turn::by(state, &decision.by, now);
    let why = because(&decision.text);
    turn.end(FixStatus::Rejected, &format!("rejected by {}{why}", decision.by.raw()));
    Ok(turn.changed("reject", &format!("rejected it{why}")))
}

/// Row 4, a yes taken back. The time to approve is not given again, so that no yes outlives it.
fn withdraw(state: &FixState, decision: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    if !matches!(state.fix.status, FixStatus::Pending | FixStatus::Approved) {
        return Err(illegal(&state.fix, "its approvals are used or void", what_else(&state.fix)));
    }
    let mut turn = Turn::by(state, &decision.by, now);
    let fix = &mut turn.state.fix;
    fix.approvals.retain(|approval| !same(&approval.by, &decision.by));
    if fix.approvals.len() == state.fix.approvals.len() {
        return Err(illegal(&state.fix, "you have not approved it", "reject it if it must not run"));
    }
    let (have, need) = quorum(&turn.state);
    if have < usize::from(need) {
        turn.state.fix.status = FixStatus::Pending;
        turn.state.fix.execute_by = None;
    }
    Ok(turn.changed("withdraw", &format!("took the approval back, {have} of {need}{}", because(&decision.text))))
}

/// Row 14.
fn rollback(state: &FixState, decision: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let fix = &state.fix;
    if !matches!(fix.status, FixStatus::Executed | FixStatus::Failed) {
        return Err(illegal(fix, "only what was executed, or failed, is rolled back", what_else(fix)));
    }
    same_plan(fix, decision)?;
    if !decision.changed.is_empty() {
        let what = words::list(&decision.changed);
        let why = format!("what {} would put back was changed since: {what}; put it right by hand", fix.id);
        return Err(Refusal::new(Code::TargetChanged, why));
    }
    if !unwind::can_undo_any(state) {
        return Err(illegal(fix, "nothing that it did can be taken back", "put it right by hand"));
    }
    let mut turn = Turn::by(state, &decision.by, now);
    turn.state.fix.ended_at = None;
    if fix.status == FixStatus::Executed {
        turn.ask(Effect::ReopenAlert);
    }
    let why = because(&decision.text);
    unwind::begin(&mut turn, fix.steps.len(), &format!("asked for by {}{why}", decision.by.raw()));
    Ok(turn.changed("rollback", &format!("rolls it back{why}")))
}

/// Row 16.
fn close(state: &FixState, decision: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    if !matches!(state.fix.status, FixStatus::InDoubt | FixStatus::RollbackFailed) {
        return Err(illegal(
            &state.fix,
            "only what is in doubt, or could not be taken back, is closed by hand",
            what_else(&state.fix),
        ));
    }
    if decision.text.raw().trim().is_empty() {
        return Err(Refusal::new(
            Code::BadBody,
            "close needs a statement: what you found at the target, and what you did",
        ));
    }
    let mut turn = Turn::by(state, &decision.by, now);
    let single = if decision.single_person { ", the single person of this server" } else { "" };
    turn.end(
        FixStatus::ClosedManually,
        &format!("closed by {}{single}: {}", decision.by.raw(), decision.text.raw().trim()),
    );
    Ok(turn.changed("close", &format!("closed it{}", because(&decision.text))))
}

/// How many approvals count, and how many it takes: what was asked when it was proposed, and what its
/// risk asks. A proposer's or owner's own counts only where one person was everybody when they gave it;
/// and only as long as such a yes stands does one suffice.
pub(super) fn quorum(state: &FixState) -> (usize, u8) {
    quorum_of(state, |_| true)
}

/// The same, of those alone of whom `stands` says that they may still approve.
pub(in super::super) fn quorum_of(state: &FixState, stands: impl Fn(&Text) -> bool) -> (usize, u8) {
    let fix = &state.fix;
    let counts = |approval: &&Approval| {
        let own = same(&approval.by, &fix.proposed_by) || same(&approval.by, &state.work.owner);
        approval.plan_digest == fix.plan_digest && (!own || approval.single_person) && stands(&approval.by)
    };
    let alone = fix.approvals.iter().any(|approval| approval.single_person);
    let by_risk = policy::quorum(fix.risk, alone);
    (fix.approvals.iter().filter(counts).count(), if alone { by_risk } else { fix.quorum.max(by_risk) })
}

fn same_plan(fix: &Fix, decision: &Decision) -> Result<(), Refusal> {
    match &decision.plan_digest {
        Some(seen) if *seen == fix.plan_digest => Ok(()),
        Some(_) => {
            let why = format!("the plan of {} is not the one that you saw; read it again, then decide", fix.id);
            Err(Refusal::new(Code::PlanChanged, why))
        }
        None => {
            let why = format!("{} names no plan; send the planDigest of the plan that you saw", decision.verb.word());
            Err(Refusal::new(Code::PlanChanged, why))
        }
    }
}

fn not_your_own(state: &FixState, decision: &Decision) -> Result<(), Refusal> {
    if decision.single_person {
        return Ok(());
    }
    let why = if same(&decision.by, &state.fix.proposed_by) {
        "you proposed it"
    } else if same(&decision.by, &state.work.owner) {
        "you answer for its definition"
    } else {
        return Ok(());
    };
    let (id, by) = (&state.fix.id, plain(&decision.by));
    Err(Refusal::new(Code::OwnProposal, format!("{by} may not approve {id}: {why}; ask somebody else")))
}

/// One person under two spellings is one person: better to ask another one for nothing than to count one twice.
pub(in super::super) fn same(one: &Text, other: &Text) -> bool {
    !one.is_empty() && one.raw().to_lowercase() == other.raw().to_lowercase()
}

fn what_else(fix: &Fix) -> &'static str {
    match fix.status {
        FixStatus::Running | FixStatus::Verifying => "stop it if it must not go on",
        FixStatus::Proposed => "wait for the end of its dry run",
        FixStatus::Undoing => "wait until it is taken back",
        FixStatus::InDoubt | FixStatus::RollbackFailed => "an admin closes it with a statement",
        FixStatus::Executed | FixStatus::Failed => "roll it back if it must not stay",
        _ => "propose it again if it is still needed",
    }
}

/// A reason, as the end of a sentence.
pub(super) fn because(text: &Text) -> String {
    let text = text.raw().trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
