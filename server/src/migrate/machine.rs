//! The machine of a migration (4-machines.md, 4.3): what may happen next, what comes of it, and why not.
//!
//! Pure: one function of a state, an event and a moment. It does not know who keeps the state, who
//! performs a phase, or whether the store is free: whoever keeps it asks that first. What it does know by
//! itself, it never takes on trust: the plan that was approved, how old it is, leases, fences, guards.
//!
//! Architecture Invariant: a step raises the version by exactly one and says so by one
//! [`Effect::Changed`], or it moves only the lease and what is counted ([`Effect::Renewed`]), or it
//! changes nothing. No phase that writes begins without an approval of the very plan that it executes,
//! and `halted`, `paused` and `rollback_failed` are left by people and by nothing else.
//!
//! [`Effect::Changed`]: super::Effect::Changed
//! [`Effect::Renewed`]: super::Effect::Renewed

mod halt;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod model_test;
mod next;
mod people;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod sample;
mod slow;
mod soak;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod table_test;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tries_test;
mod turn;
mod words;
mod work;

use stella_protocol::fix::Trail;
use stella_protocol::migration::{Counts, Limits, MigrationKind, Next, PhaseName};
use stella_protocol::{Code, Migration, MigrationId, MigrationStatus, Text, Timestamp};

use super::{Draft, Event, MigrationState, Refusal, Step, Work};
pub use people::role_for;
use turn::Turn;

/// How long a runner has a migration without saying so again, in milliseconds.
pub const LEASE_MS: i64 = 30 * 1000;
/// How old a plan may be when it is approved or started, in milliseconds: what it counted a day ago says
/// too little of today.
pub const PLAN_MS: i64 = 24 * 60 * 60 * 1000;
/// Who did what nobody did.
const SYSTEM: &str = "system";

/// The first state: a draft whose scan is to be begun.
pub fn open(id: MigrationId, draft: Draft, now: Timestamp) -> MigrationState {
    let made = Trail { at: now, by: draft.by.clone(), asked_by: None, what: Text::from("made it") };
    let migration = Migration {
        id,
        kind: MigrationKind::UserIds,
        target: draft.target,
        map_title: draft.map_title,
        status: MigrationStatus::Draft,
        created_by: draft.by.clone(),
        created_at: now,
        leader: draft.by,
        plan: None,
        open_decisions: 0,
        under_way: None,
        stopping: None,
        phases: Vec::new(),
        counts: Counts::default(),
        limits: Limits { rate: None, canary: draft.canary, soak_ms: draft.soak_ms.max(0) },
        approval: None,
        dual_read: None,
        backup: None,
        hold_reason: None,
        verification: None,
        own_queries: None,
        old_id_uses: 0,
        last_old_id_use: None,
        result: Text::default(),
        ended_at: None,
        next: Next { verb: None, words: Text::default() },
        trail: vec![made],
        version: 1,
    };
    let work = Work { wanted: Some(PhaseName::Scan), ..Work::default() };
    let mut state = MigrationState { migration, work };
    state.migration.next = next::of(&state);
    state
}

/// The machine.
///
/// No effect at all: it was so already; the same event of a runner twice is no second effect.
/// [`super::Effect::Renewed`] alone: only the lease, counts and the words of a hold moved.
///
/// # Errors
/// Why the step is not taken, and what to do instead.
pub fn step(state: &MigrationState, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    if state.migration.status == MigrationStatus::Unknown {
        return Err(refuse(state, Code::Internal, "this server does not know where it stands", "use a newer server"));
    }
    match event {
        Event::Decided(decision) => people::decide(state, decision, now),
        Event::Answered { by, what, open } => people::answered(state, by, what, *open, now),
        Event::Drifted(why) => drifted(state, why, now),
        Event::Tick => Ok(tick(state, now)),
        Event::OldIdUsed { times, at } => Ok(soak::used(state, *times, *at, now)),
        Event::Claimed { .. }
        | Event::Renewed { .. }
        | Event::Released { .. }
        | Event::Scanned { .. }
        | Event::Rehearsed { .. }
        | Event::BackedUp { .. }
        | Event::Canary { .. }
        | Event::Asked { .. }
        | Event::Checkpoint { .. }
        | Event::Stopped { .. }
        | Event::Broke { .. }
        | Event::Copied { .. }
        | Event::Verified { .. }
        | Event::CutOver { .. }
        | Event::RolledBack { .. } => work::step(state, event, now),
    }
}

/// True when [`Event::Tick`] would do something now; cheap, for looking at many.
pub fn is_due(state: &MigrationState, now: Timestamp) -> bool {
    match state.migration.status {
        MigrationStatus::Planned | MigrationStatus::Rehearsed | MigrationStatus::Approved => is_stale(state, now),
        MigrationStatus::Soaking => soak::is_over(state, now),
        _ => false,
    }
}

/// True when the plan is too old to be acted upon, or there is none.
fn is_stale(state: &MigrationState, now: Timestamp) -> bool {
    state.migration.plan.as_ref().is_none_or(|plan| now.since(plan.scanned_at) > PLAN_MS)
}

/// Row 5.
fn drifted(state: &MigrationState, why: &Text, now: Timestamp) -> Result<Step, Refusal> {
    match state.migration.status {
        MigrationStatus::Planned | MigrationStatus::Rehearsed | MigrationStatus::Approved => {
            let mut turn = Turn::of(state, now);
            turn.replan(&format!("looks again: {}", why.raw()));
            Ok(turn.changed("drift", &format!("the data is another one than the plan's: {}", why.raw())))
        }
        MigrationStatus::Draft => Ok(Turn::of(state, now).unchanged()),
        _ => Err(illegal(state, "only a plan that was not begun is made again by itself", "verify says what changed")),
    }
}

/// Rows 5 and 18.
fn tick(state: &MigrationState, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    if !is_due(state, now) {
        return turn.unchanged();
    }
    if state.migration.status == MigrationStatus::Soaking {
        return soak::over(turn);
    }
    turn.replan("looks again: the plan was older than 24 h");
    turn.changed("drift", "the plan was older than 24 h")
}

/// The refusal of an event for which the table has no row.
fn illegal(state: &MigrationState, why: &str, todo: &str) -> Refusal {
    refuse(state, Code::IllegalTransition, why, todo)
}

/// A refusal that says where it stands, what stands in the way, and what to do.
fn refuse(state: &MigrationState, code: Code, why: &str, todo: &str) -> Refusal {
    let (id, stands) = (&state.migration.id, state.migration.status.word().replace('_', " "));
    Refusal::new(code, format!("{id} is {stands}: {why}; {todo}"))
}

/// The refusal of a runner that lost the migration, or never had it.
fn fenced(state: &MigrationState, fence: u64) -> Refusal {
    let holder = state.work.holder.as_ref().map_or_else(|| "nobody".to_owned(), words::plain);
    let (id, kept) = (&state.migration.id, state.work.fence);
    Refusal::new(
        Code::VersionConflict,
        format!("fenced: {id} is held by {holder} with fence {kept}, not {fence}; claim it again"),
    )
}
