//! What people do to a migration: the rows of the machine that begin with a verb or an answer (3, 6, 7, 17, 20,
//! 21, 23, 24). How it stops, goes on and goes back has a room of its own.

use stella_protocol::fix::Approval;
use stella_protocol::migration::{DualRead, PhaseName, PhaseState, PlanSummary};
use stella_protocol::{Code, MigrationStatus, MigrationVerb, Role, Text, Timestamp};

use super::super::{Decision, MigrationState, Refusal, Step};
use super::halt::{self, what_else};
use super::turn::{Turn, own_phase};
use super::words::{self, because, count};
use super::{illegal, is_stale, refuse};

/// Performs a verb.
pub(super) fn decide(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    may(state, said)?;
    match said.verb {
        MigrationVerb::Plan => plan(state, said, now),
        MigrationVerb::Rehearse => rehearse(state, said, now),
        MigrationVerb::Approve => approve(state, said, now),
        MigrationVerb::Start => start(state, said, now),
        MigrationVerb::Pause => halt::pause(state, said, now),
        MigrationVerb::Resume => halt::resume(state, said, now),
        MigrationVerb::Rate => halt::rate(state, said, now),
        MigrationVerb::Verify => verify(state, said, now),
        MigrationVerb::Cutover => cutover(state, said, now),
        MigrationVerb::Rollback => halt::rollback(state, said, now),
        MigrationVerb::Stop => halt::stop(state, said, now),
        MigrationVerb::HandOver => lead(state, said, said.to.as_ref(), now),
        MigrationVerb::TakeOver => lead(state, said, Some(&said.by), now),
        MigrationVerb::Retry => retry(state, said, now),
        MigrationVerb::Close => close(state, said, now),
        MigrationVerb::Cancel => cancel(state, said, now),
    }
}

/// The least role that a verb asks for.
pub fn role_for(verb: MigrationVerb) -> Role {
    match verb {
        MigrationVerb::Pause | MigrationVerb::Stop => Role::Responder,
        _ => Role::Admin,
    }
}

fn may(state: &MigrationState, said: &Decision) -> Result<(), Refusal> {
    let wanted = role_for(said.verb);
    if said.role.allows(wanted) {
        return Ok(());
    }
    let why = format!("{} needs the role {}, yours is {}", said.verb.word(), wanted.word(), said.role.word());
    Err(refuse(state, Code::Forbidden, &why, "ask somebody who has it"))
}

/// Rows 2 and 3. An answer changes the plan, so the data is looked at again as soon as nothing is open; while it
/// is looked at, from the beginning, since nobody can tell whether the answer was read.
pub(super) fn answered(
    state: &MigrationState,
    by: &Text,
    what: &Text,
    open: u64,
    now: Timestamp,
) -> Result<Step, Refusal> {
    let status = state.migration.status;
    if !is_unbegun(status) {
        return Err(illegal(state, "its plan is not changed any more", what_else(status)));
    }
    let mut turn = Turn::by(state, by, now);
    turn.state.migration.open_decisions = open;
    if open == 0 {
        turn.replan(&format!("looks again: {}", what.raw()));
    } else if !matches!(status, MigrationStatus::Draft | MigrationStatus::PlanFailed) {
        turn.interrupt("another plan is being decided on");
        turn.state.migration.approval = None;
        turn.state.migration.status = MigrationStatus::NeedsDecision;
    }
    Ok(turn.changed("decide", what.raw()))
}

/// True before its start: who is who can be said, and the data looked at again.
fn is_unbegun(status: MigrationStatus) -> bool {
    matches!(
        status,
        MigrationStatus::Draft
            | MigrationStatus::NeedsDecision
            | MigrationStatus::PlanFailed
            | MigrationStatus::Planned
            | MigrationStatus::Rehearsed
            | MigrationStatus::Approved
            | MigrationStatus::BackupFailed
    )
}

/// Row 2: looks again, for whatever reason.
fn plan(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let mut turn = Turn::by(state, &said.by, now);
    match state.migration.status {
        MigrationStatus::Draft => Ok(turn.unchanged()),
        status if is_unbegun(status) => {
            let why = format!("looks at the data again{}", because(&said.text));
            turn.replan(&why);
            Ok(turn.changed("plan", &why))
        }
        status => Err(illegal(state, "only what was not begun is planned again", what_else(status))),
    }
}

/// The beginning of row 4.
fn rehearse(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let status = state.migration.status;
    if !matches!(status, MigrationStatus::Planned | MigrationStatus::Rehearsed) {
        return Err(illegal(state, "only a complete plan that nobody approved is rehearsed", what_else(status)));
    }
    let mut turn = Turn::by(state, &said.by, now);
    if state.work.wanted == Some(PhaseName::Rehearse) {
        return Ok(turn.unchanged());
    }
    free(state)?;
    turn.ask(PhaseName::Rehearse);
    Ok(turn.changed("rehearse", &format!("computes every batch and writes nothing{}", because(&said.text))))
}

/// Row 6.
fn approve(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let migration = &state.migration;
    let again =
        |approval: &Approval| approval.by == said.by && Some(&approval.plan_digest) == said.plan_digest.as_ref();
    if migration.status == MigrationStatus::Approved && migration.approval.as_ref().is_some_and(again) {
        return Ok(Turn::of(state, now).unchanged());
    }
    if migration.status != MigrationStatus::Rehearsed {
        return Err(illegal(state, "only what was rehearsed is approved", what_else(migration.status)));
    }
    let plan = same_plan(state, said)?;
    fresh(state, now)?;
    if state.work.wanted == Some(PhaseName::Rehearse) {
        free(state)?;
    }
    let mut turn = Turn::by(state, &said.by, now);
    turn.state.migration.approval = Some(Approval {
        by: said.by.clone(),
        at: now,
        plan_digest: plan.digest.clone(),
        reason: words::paragraph(said.text.raw()),
        single_person: false,
        simulated: false,
    });
    turn.state.migration.status = MigrationStatus::Approved;
    Ok(turn.changed("approve", &format!("approved it{}", because(&said.text))))
}

/// Row 7.
fn start(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let status = state.migration.status;
    if status != MigrationStatus::Approved {
        return Err(illegal(state, "only what is approved is started", what_else(status)));
    }
    same_plan(state, said)?;
    approved_plan(state)?;
    fresh(state, now)?;
    let Some(dual_read) = said.dual_read.clone().filter(is_said) else {
        let todo = "let the application answer the probe, or state in text that it reads both";
        return Err(refuse(state, Code::DualReadMissing, "nobody said that readers understand both ids", todo));
    };
    free(state)?;
    let mut turn = Turn::by(state, &said.by, now);
    turn.state.migration.dual_read = Some(short(dual_read));
    turn.say("");
    turn.enter(MigrationStatus::BackingUp, PhaseName::Backup);
    Ok(turn.changed("start", &format!("started it{}", because(&said.text))))
}

fn short(dual_read: DualRead) -> DualRead {
    match dual_read {
        DualRead::Probe { .. } => dual_read,
        DualRead::Statement { who, text } => DualRead::Statement { who, text: words::paragraph(text.raw()) },
    }
}

fn is_said(dual_read: &DualRead) -> bool {
    match dual_read {
        DualRead::Probe { .. } => true,
        DualRead::Statement { text, .. } => !text.raw().trim().is_empty(),
    }
}

/// Row 23.
fn verify(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let status = state.migration.status;
    let planned = !matches!(
        status,
        MigrationStatus::Draft
            | MigrationStatus::NeedsDecision
            | MigrationStatus::PlanFailed
            | MigrationStatus::Unknown
    );
    if !planned || !status.is_unfinished() {
        return Err(illegal(state, "there is no plan under way to look by", what_else(status)));
    }
    let mut turn = Turn::by(state, &said.by, now);
    if state.work.wanted == Some(PhaseName::Verify) {
        return Ok(turn.unchanged());
    }
    free(state)?;
    turn.ask(PhaseName::Verify);
    turn.state.migration.hold_reason.clone_from(&state.migration.hold_reason);
    Ok(turn.changed("verify", &format!("looks at every document{}", because(&said.text))))
}

/// The beginning of row 17.
fn cutover(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let migration = &state.migration;
    if migration.status == MigrationStatus::CuttingOver && state.work.wanted.is_some() {
        return Ok(Turn::of(state, now).unchanged());
    }
    if migration.status != MigrationStatus::Verified {
        return Err(illegal(state, "only what was verified is cut over", what_else(migration.status)));
    }
    same_plan(state, said)?;
    approved_plan(state)?;
    free(state)?;
    let differences = migration.verification.as_ref().map(|found| found.differences);
    if differences != Some(0) {
        let why = differences.map_or_else(
            || "nobody looked at every document".to_owned(),
            |found| format!("the last check found {}", count(found, "difference")),
        );
        return Err(illegal(state, &why, "put them right and verify again, or roll back"));
    }
    let gone = migration.plan.as_ref().map_or(&[][..], |plan| &plan.workarounds);
    if !gone.is_empty() && said.text.raw().trim().is_empty() {
        let why = format!("the data map has {} that must be gone before", count(gone.len() as u64, "workaround"));
        return Err(illegal(state, &why, "say in a reason that they are: it is kept under your name"));
    }
    let mut turn = Turn::by(state, &said.by, now);
    turn.enter(MigrationStatus::CuttingOver, PhaseName::CutOver);
    Ok(turn.changed("cutover", &format!("cuts over{}", because(&said.text))))
}

/// Row 21: the step that failed, again.
fn retry(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let (migration, mut turn) = (&state.migration, Turn::by(state, &said.by, now));
    let failed = |name: PhaseName| {
        let mut rows = migration.phases.iter();
        rows.any(|row| row.name == name && row.state == PhaseState::Failed)
    };
    let phase = match migration.status {
        MigrationStatus::PlanFailed => PhaseName::Scan,
        MigrationStatus::Planned if failed(PhaseName::Rehearse) => PhaseName::Rehearse,
        MigrationStatus::BackupFailed => PhaseName::Backup,
        MigrationStatus::CuttingOver => PhaseName::CutOver,
        status => return Err(illegal(state, "nothing of it failed that is done again so", what_else(status))),
    };
    if state.work.wanted == Some(phase) {
        return Ok(turn.unchanged());
    }
    free(state)?;
    match phase {
        PhaseName::Scan => turn.replan("looks at the data again"),
        PhaseName::Backup => {
            approved_plan(state)?;
            fresh(state, now)?;
            turn.enter(MigrationStatus::BackingUp, phase);
        }
        _ => turn.ask(phase),
    }
    turn.say("");
    Ok(turn.changed("retry", &format!("{} again{}", phase.word(), because(&said.text))))
}

/// Row 21. Until its backup nothing was changed and it ends at once; with a canary under way, after its batches
/// in flight, if it wrote nothing.
fn cancel(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let status = state.migration.status;
    match status {
        MigrationStatus::Cancelled => return Ok(Turn::of(state, now).unchanged()),
        MigrationStatus::BackedUp => return halt::request(state, said, MigrationStatus::Cancelled, now),
        MigrationStatus::BackingUp => {}
        status if is_unbegun(status) => {}
        _ => return Err(illegal(state, "only what has changed nothing is called off", what_else(status))),
    }
    let mut turn = Turn::by(state, &said.by, now);
    let why = format!("called off by {}{}", said.by.raw(), because(&said.text));
    turn.interrupt(&why);
    turn.end(MigrationStatus::Cancelled, &format!("{why}; nothing was changed"));
    Ok(turn.changed("cancel", &why))
}

/// Row 20, its last way out.
fn close(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let status = state.migration.status;
    if status != MigrationStatus::RollbackFailed {
        return Err(illegal(state, "only what could not be rolled back is closed by hand", what_else(status)));
    }
    if said.text.raw().trim().is_empty() {
        let todo = "say what you found in the store, and what you did";
        return Err(refuse(state, Code::BadBody, "close needs a statement", todo));
    }
    let mut turn = Turn::by(state, &said.by, now);
    let why = format!("closed by {}{}", said.by.raw(), because(&said.text));
    turn.interrupt(&why);
    turn.end(MigrationStatus::ClosedManually, &why);
    Ok(turn.changed("close", &format!("closed it{}", because(&said.text))))
}

/// Row 24.
fn lead(state: &MigrationState, said: &Decision, to: Option<&Text>, now: Timestamp) -> Result<Step, Refusal> {
    if !state.migration.status.is_unfinished() {
        return Err(illegal(state, "it is over, nobody answers for it", what_else(state.migration.status)));
    }
    let Some(to) = to.filter(|to| !to.raw().trim().is_empty()) else {
        return Err(refuse(state, Code::BadBody, "it is handed over to nobody", "name them in to"));
    };
    let mut turn = Turn::by(state, &said.by, now);
    if *to == state.migration.leader {
        return Ok(turn.unchanged());
    }
    turn.state.migration.leader = words::line(to.raw());
    let from = state.migration.leader.raw();
    Ok(turn.changed(said.verb.word(), &format!("{} leads it now, before {from}{}", to.raw(), because(&said.text))))
}

/// Nothing may be under way that somebody asked for.
pub(super) fn free(state: &MigrationState) -> Result<(), Refusal> {
    let Some(phase) = state.work.wanted else { return Ok(()) };
    let own = own_phase(state.migration.status) == Some(phase);
    let todo = if own { what_else(state.migration.status) } else { "wait for its end, or stop it" };
    Err(illegal(state, &format!("{} is under way", phase.word()), todo))
}

/// The plan, if it is the one that they saw.
pub(super) fn same_plan<'a>(state: &'a MigrationState, said: &Decision) -> Result<&'a PlanSummary, Refusal> {
    let why = match (&said.plan_digest, &state.migration.plan) {
        (Some(seen), Some(plan)) if *seen == plan.digest => return Ok(plan),
        (Some(_), _) => "its plan is not the one that you saw".to_owned(),
        (None, _) => format!("{} names no plan", said.verb.word()),
    };
    Err(refuse(state, Code::PlanChanged, &why, "read it again, then decide and send its planDigest"))
}

/// The plan, if this very one was approved.
pub(super) fn approved_plan(state: &MigrationState) -> Result<&PlanSummary, Refusal> {
    let approval = state.migration.approval.as_ref();
    let plan = state.migration.plan.as_ref();
    plan.filter(|plan| approval.is_some_and(|approval| approval.plan_digest == plan.digest)).ok_or_else(|| {
        let why = "nobody approved this plan as it is";
        refuse(state, Code::PlanChanged, why, "plan, rehearse and approve it again")
    })
}

fn fresh(state: &MigrationState, now: Timestamp) -> Result<(), Refusal> {
    if !is_stale(state, now) {
        return Ok(());
    }
    Err(refuse(state, Code::PlanChanged, "its plan is older than 24 h", "plan looks at the data again"))
}
