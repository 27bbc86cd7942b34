//! The machine of a fix (4-machines.md, 4.2): what may happen next, what comes of it, and why not.
//!
//! Pure: one function of a state, an event and a moment. It does not know who keeps the state, who
//! performs a step, or whether a target is free: whoever claims a fix asks that first and says so in
//! the event. What it does know by itself, it never takes on trust: digests, quorum, expiries, fences.
//!
//! Architecture Invariant: a step either changes nothing that readers see, or raises the version by
//! exactly one and says so by one [`Effect::Changed`]. `in_doubt` and `rollback_failed` are left by a
//! person's `close` and by nothing else.

mod execution;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod model_test;
mod people;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(in crate::remedy) mod sample;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod table_test;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
mod turn;
mod unwind;
pub(super) mod words;

use stella_protocol::fix::{Act, Check, DocumentChange, FixPlan, FixStep, Policy, Risk, Trail, Undo};
use stella_protocol::{Code, Fix, FixId, FixStatus, Text, Timestamp};

use super::{Draft, Event, FixState, Refusal, Step, Superseded, Work};
pub(super) use execution::can_look;
pub(super) use people::{quorum_of, role_for, same};
use turn::{DRY_RUN, Turn};
use words::plain;

const MINUTE: i64 = 60 * 1000;
/// How long people have to approve, from the end of the first dry run, in milliseconds. Nothing makes it
/// longer: neither another dry run nor an approval taken back.
pub const APPROVE_MS: i64 = 15 * MINUTE;
/// How long an approved fix may wait for an executor, in milliseconds.
pub const EXECUTE_MS: i64 = 10 * MINUTE;
/// From the end of a dry run that somebody asked for to the next one, in milliseconds: nobody approves
/// while one is under way, so they must not follow one another.
pub const REHEARSE_EVERY_MS: i64 = MINUTE;
/// How long an executor has a fix without saying so again, in milliseconds.
pub const LEASE_MS: i64 = 30 * 1000;
/// The version of a fix that was just proposed.
const OPENED: u64 = 1;

/// The first state of a proposal. None: there is nothing in it that could run: no step at all, a word
/// that this server does not know, or a policy under which nothing is proposed.
///
/// The quorum of the draft is raised to one where people decide, and is zero where the policy does;
/// what is of high risk is never left to the policy.
pub fn open(draft: Draft, id: FixId, now: Timestamp) -> Option<FixState> {
    if !is_runnable(&draft.plan) {
        return None;
    }
    let policy = match (draft.policy, draft.plan.risk) {
        (Policy::Auto, Risk::High) | (Policy::Approve, _) => Policy::Approve,
        (Policy::Auto, _) => Policy::Auto,
        (Policy::Off | Policy::Unknown, _) => return None,
    };
    let proposed = Trail { at: now, by: draft.proposed_by.clone(), asked_by: None, what: Text::from("proposed it") };
    let fix = Fix {
        id,
        definition_id: draft.plan.definition_id.clone(),
        title: draft.title,
        alert_id: draft.alert_id,
        risk: draft.plan.risk,
        policy,
        steps: vec![FixStep::default(); draft.plan.steps.len()],
        plan: draft.plan,
        plan_digest: draft.plan_digest,
        proposed_by: draft.proposed_by,
        proposed_at: now,
        status: FixStatus::Proposed,
        approvals: Vec::new(),
        quorum: if policy == Policy::Auto { 0 } else { draft.quorum.max(1) },
        by_policy: false,
        approve_by: now.plus_millis(APPROVE_MS),
        execute_by: None,
        rehearsal: Vec::new(),
        verifying_since: None,
        result: Text::default(),
        stays: Vec::new(),
        guards: draft.guards,
        observed: draft.observed,
        ended_at: None,
        trail: vec![proposed],
        version: OPENED,
    };
    Some(FixState { fix, work: Work { owner: draft.owner, ..Work::default() } })
}

/// The machine.
///
/// No effect at all: it was so already. [`super::Effect::Renewed`] alone: only what the executor needs
/// was changed (its lease, since when the verification holds). A plan without a verification is verified
/// by the first [`super::Verdict::Holds`].
///
/// # Errors
/// Why the step is not taken, and what to do instead.
pub fn step(state: &FixState, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    let steps = state.fix.plan.steps.len();
    if steps != state.fix.steps.len() || state.work.at >= steps {
        return Err(Refusal::new(Code::Internal, format!("{} was kept with other steps than its plan", state.fix.id)));
    }
    match event {
        Event::Rehearsed(said) => rehearsed(state, said, now),
        Event::Decided(decision) => people::decide(state, decision, now),
        Event::Tick => Ok(tick(state, now)),
        Event::Superseded(cause, why) => superseded(state, *cause, why, now),
        Event::Stopped(why) => unwind::stop(state, &Text::from(super::SYSTEM), why, now),
        Event::Claimed { .. }
        | Event::Renewed { .. }
        | Event::Intended { .. }
        | Event::Performed { .. }
        | Event::Probed { .. }
        | Event::Watched { .. } => execution::step(state, event, now),
    }
}

/// True when [`Event::Tick`] would do something now; cheap, for looking at many.
pub fn is_due(state: &FixState, now: Timestamp) -> bool {
    match state.fix.status {
        FixStatus::Pending => now >= state.fix.approve_by,
        FixStatus::Approved => state.fix.execute_by.is_some_and(|end| now >= end),
        _ => false,
    }
}

/// Row 2.
fn rehearsed(state: &FixState, said: &Result<Vec<Text>, Text>, now: Timestamp) -> Result<Step, Refusal> {
    if state.fix.status != FixStatus::Proposed {
        return Err(illegal(&state.fix, "it waits for no dry run", "ask for one with dry-run while it is pending"));
    }
    let mut turn = Turn::of(state, now);
    let lines = match said {
        Ok(lines) => lines,
        Err(why) => {
            turn.end(FixStatus::Invalid, &format!("the dry run says that it would not work: {}", why.raw()));
            return Ok(turn.changed(DRY_RUN, "its dry run failed"));
        }
    };
    turn.state.fix.rehearsal = lines.iter().take(words::MOST_LINES).map(words::line).collect();
    if turn.state.fix.policy == Policy::Auto {
        turn.state.fix.by_policy = true;
        turn.state.fix.status = FixStatus::Approved;
        turn.state.fix.execute_by = Some(now.plus_millis(EXECUTE_MS));
        return Ok(turn.changed(DRY_RUN, "its dry run was good; approved by policy"));
    }
    turn.state.fix.status = FixStatus::Pending;
    if state.fix.version == OPENED {
        turn.state.fix.approve_by = now.plus_millis(APPROVE_MS);
    } else {
        turn.state.work.rehearsed_at = Some(now);
    }
    Ok(turn.changed(DRY_RUN, "its dry run was good; it waits for approvals"))
}

/// Row 5.
fn tick(state: &FixState, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    if !is_due(state, now) {
        return turn.unchanged();
    }
    let why = if state.fix.status == FixStatus::Pending {
        format!("{} of {} approvals when the time to approve was over", state.fix.approvals.len(), state.fix.quorum)
    } else {
        "no executor began it in time after it was approved".to_owned()
    };
    turn.end(FixStatus::Expired, &why);
    turn.changed("expire", &why)
}

/// Row 6; also while the first dry run is under way, since what it is for may end meanwhile.
fn superseded(state: &FixState, cause: Superseded, why: &Text, now: Timestamp) -> Result<Step, Refusal> {
    match state.fix.status {
        FixStatus::Proposed | FixStatus::Pending | FixStatus::Approved => {
            let mut turn = Turn::of(state, now);
            turn.state.work.superseded = Some(cause);
            turn.end(FixStatus::Superseded, why.raw());
            Ok(turn.changed("supersede", &format!("superseded: {}", why.raw())))
        }
        _ => Err(illegal(&state.fix, "nothing of it waits any more", "stop it if it runs")),
    }
}

/// The refusal of an event for which the table has no row.
fn illegal(fix: &Fix, why: &str, todo: &str) -> Refusal {
    let stands = fix.status.word().replace('_', " ");
    Refusal::new(Code::IllegalTransition, format!("{} is {stands}: {why}; {todo}", fix.id))
}

/// The refusal of an executor that lost the fix, or never had it.
fn fenced(state: &FixState, fence: u64) -> Refusal {
    let holder = state.work.holder.as_ref().map_or_else(|| "nobody".to_owned(), plain);
    let kept = state.work.fence;
    Refusal::new(
        Code::VersionConflict,
        format!("fenced: {} is held by {holder} with fence {kept}, not {fence}; claim it again", state.fix.id),
    )
}

/// True when every word of the plan means something to this server.
fn is_runnable(plan: &FixPlan) -> bool {
    let check = |check: &Check| match check {
        Check::AlertQuiet => true,
        Check::Series { side, .. } => *side != stella_protocol::fix::Side::Unknown,
        Check::Unknown => false,
    };
    let act = |act: &Act| match act {
        Act::Http(_) | Act::Argv(_) | Act::Repair(_) => true,
        Act::Document(document) => document.change != DocumentChange::Unknown,
        Act::Unknown => false,
    };
    let undo = |undo: &Undo| match undo {
        Undo::Act { act: back, probe, .. } => act(back) && probe.as_ref().is_none_or(|probe| act(&probe.act)),
        Undo::Restore => true,
        Undo::Unknown => false,
    };
    !plan.steps.is_empty()
        && plan.risk != Risk::Unknown
        && plan.verification.as_ref().is_none_or(|wanted| check(&wanted.check))
        && plan.guard.as_ref().is_none_or(check)
        && plan.steps.iter().all(|step| {
            act(&step.act)
                && step.probe.as_ref().is_none_or(|probe| act(&probe.act))
                && step.undo.as_ref().is_none_or(undo)
        })
}
