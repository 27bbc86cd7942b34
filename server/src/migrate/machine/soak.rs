//! After the cut-over: uses of old ids are counted until there was none for long enough (row 18).

use stella_protocol::migration::{PhaseName, PhaseState};
use stella_protocol::{MigrationStatus, Timestamp};

use super::super::{MigrationState, Step};
use super::turn::Turn;
use super::words;

/// A use after so large a part of the soak without one is news by itself.
const QUIET: i64 = 100;

/// An old id was used. Nobody counts before the copy is verified (until then everybody uses them) or after the end.
///
/// Seen at once when it was quiet before, else whenever their number has doubled: a writer of old ids must not
/// raise the version every second, under the hands of those who decide.
pub(super) fn used(state: &MigrationState, times: u64, at: Timestamp, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    let counts = [MigrationStatus::Verified, MigrationStatus::CuttingOver, MigrationStatus::Soaking];
    if !counts.contains(&state.migration.status) || times == 0 {
        return turn.unchanged();
    }
    let (at, before) = (at.min(now), state.migration.last_old_id_use);
    let uses = state.migration.old_id_uses.saturating_add(times);
    let doubled = uses.ilog2() != state.migration.old_id_uses.max(1).ilog2();
    let was_quiet = before.is_none_or(|last| at.since(last) > state.migration.limits.soak_ms / QUIET);
    turn.state.migration.old_id_uses = uses;
    turn.state.migration.last_old_id_use = Some(before.map_or(at, |last| last.max(at)));
    if doubled || was_quiet { turn.seen("old-id-used") } else { turn.renewed() }
}

/// True when nobody used an old id for long enough; a check that is under way is waited for.
pub(super) fn is_over(state: &MigrationState, now: Timestamp) -> bool {
    let begun = state.migration.phases.iter().find(|row| row.name == PhaseName::Soak).map(|row| row.started_at);
    let since = begun.max(state.migration.last_old_id_use);
    state.work.wanted.is_none() && since.is_some_and(|since| now.since(since) >= state.migration.limits.soak_ms)
}

/// It is complete.
pub(super) fn over(mut turn: Turn) -> Step {
    let uses = words::count(turn.state.migration.old_id_uses, "use");
    let span = words::span(turn.state.migration.limits.soak_ms);
    turn.close(PhaseName::Soak, PhaseState::Done, &format!("{uses} of old ids, none for {span}"));
    turn.end(MigrationStatus::Completed, &format!("completed: nobody used an old id for {span}"));
    turn.changed("complete", &format!("nobody used an old id for {span}"))
}
