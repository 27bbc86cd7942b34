//! How a migration stops, goes on and goes back (rows 12 to 14 and 19).
//!
//! What writes never ends in the middle: it is asked to stop, ends its writes in flight, and says so. Only
//! when nobody has it, nothing is in flight and it stops at once.

use stella_protocol::migration::{Counts, PhaseName, PhaseState};
use stella_protocol::{Code, MigrationStatus, Timestamp};

use super::super::{Decision, MigrationState, Refusal, Step, Stop};
use super::people::{self, free, same_plan};
use super::turn::{Turn, own_phase};
use super::words::{self, because, count};
use super::{illegal, refuse, slow};

/// Row 12, pause.
pub(super) fn pause(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    match state.migration.status {
        MigrationStatus::Copying => request(state, said, MigrationStatus::Paused, now),
        MigrationStatus::Paused => Ok(Turn::of(state, now).unchanged()),
        MigrationStatus::BackedUp | MigrationStatus::Verifying | MigrationStatus::CuttingOver => {
            Err(illegal(state, "only copying is paused", "stop it if it must not go on"))
        }
        _ => Err(illegal(state, "no batches are written", "pause it while it copies")),
    }
}

/// Row 13, a person's stop. What only reads ends at once, and the status stays.
pub(super) fn stop(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let status = state.migration.status;
    match (status, state.work.wanted) {
        (_, Some(phase @ (PhaseName::Rehearse | PhaseName::Verify))) if own_phase(status) != Some(phase) => {
            let mut turn = Turn::by(state, &said.by, now);
            turn.interrupt(&format!("stopped by {}{}", said.by.raw(), because(&said.text)));
            Ok(turn.changed("stop", &format!("stopped to {}{}", phase.word(), because(&said.text))))
        }
        (MigrationStatus::BackedUp | MigrationStatus::Copying | MigrationStatus::Verifying, _)
        | (MigrationStatus::CuttingOver, Some(_)) => request(state, said, MigrationStatus::Halted, now),
        (MigrationStatus::Halted, _) => Ok(Turn::of(state, now).unchanged()),
        (MigrationStatus::Draft | MigrationStatus::BackingUp, _) => {
            Err(illegal(state, "nothing is written", "cancel it if it must not go on"))
        }
        (MigrationStatus::RollingBack, _) => {
            Err(illegal(state, "it puts back what was there before", "wait until it is taken back"))
        }
        _ => Err(illegal(state, "nothing of it is under way", what_else(status))),
    }
}

/// Row 14. What was refused and left alone until now was looked at: the guards count from here, and a query of the
/// application that was too slow may be so.
pub(super) fn resume(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let status = state.migration.status;
    let mut turn = Turn::by(state, &said.by, now);
    let going = state.work.stop.as_ref().is_some_and(|stop| stop.becomes == MigrationStatus::Paused);
    if status == MigrationStatus::Copying && going {
        turn.state.work.stop = None;
        return Ok(turn.changed("resume", "goes on: took the pause back"));
    }
    if !matches!(status, MigrationStatus::Paused | MigrationStatus::Halted) {
        return Err(illegal(state, "only what is paused or halted goes on", what_else(status)));
    }
    free(state)?;
    people::approved_plan(state)?;
    let Some((goes, phase)) = state.work.interrupted.and_then(|goes| Some((goes, own_phase(goes)?))) else {
        let why = "nothing says which phase it stopped in";
        return Err(refuse(state, Code::Internal, why, "roll it back"));
    };
    let counts = &state.migration.counts;
    turn.state.work.accepted = (counts.failed, counts.parked);
    if goes == MigrationStatus::Verifying {
        turn.state.work.accepted_slow = slow::names(&state.migration);
    }
    turn.state.work.interrupted = None;
    turn.say("");
    turn.enter(goes, phase);
    Ok(turn.changed("resume", &format!("goes on with {}{}", phase.word(), because(&said.text))))
}

/// Row 19, and again after row 20.
pub(super) fn rollback(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    let status = state.migration.status;
    let may = match status {
        MigrationStatus::RollingBack => return Ok(Turn::of(state, now).unchanged()),
        MigrationStatus::Copying
        | MigrationStatus::Paused
        | MigrationStatus::Halted
        | MigrationStatus::Verifying
        | MigrationStatus::Verified
        | MigrationStatus::CuttingOver
        | MigrationStatus::Soaking
        | MigrationStatus::RollbackFailed => true,
        _ => false,
    };
    if !may {
        return Err(illegal(state, "only what was written is rolled back", what_else(status)));
    }
    same_plan(state, said)?;
    if own_phase(status).is_some() && own_phase(status) == state.work.wanted {
        return request(state, said, MigrationStatus::RollingBack, now);
    }
    let mut turn = Turn::by(state, &said.by, now);
    let stop = wish(said, MigrationStatus::RollingBack);
    turn.interrupt(stop.why.raw());
    turn.close(PhaseName::Soak, PhaseState::Stopped, stop.why.raw());
    come_to(&mut turn, &stop, status);
    Ok(turn.changed("rollback", &format!("rolls it back{}", because(&said.text))))
}

/// Row 12, rate.
pub(super) fn rate(state: &MigrationState, said: &Decision, now: Timestamp) -> Result<Step, Refusal> {
    if !matches!(state.migration.status, MigrationStatus::Copying | MigrationStatus::Paused) {
        return Err(illegal(state, "no batches are written", "set the rate while it copies or is paused"));
    }
    let Some(wanted) = said.rate else {
        let todo = "send rate, documents a second; 0: as fast as the guards allow";
        return Err(refuse(state, Code::BadBody, "rate names none", todo));
    };
    let wanted = (wanted > 0).then_some(wanted);
    let mut turn = Turn::by(state, &said.by, now);
    if state.migration.limits.rate == wanted {
        return Ok(turn.unchanged());
    }
    turn.state.migration.limits.rate = wanted;
    let most =
        wanted.map_or_else(|| "as fast as the guards allow".to_owned(), |rate| format!("at most {rate} a second"));
    Ok(turn.changed("rate", &format!("{most}{}", because(&said.text))))
}

/// Asks what is under way to end after its writes in flight, and to become this.
pub(super) fn request(
    state: &MigrationState,
    said: &Decision,
    becomes: MigrationStatus,
    now: Timestamp,
) -> Result<Step, Refusal> {
    let mut turn = Turn::by(state, &said.by, now);
    if let Some(asked) = &state.work.stop {
        if asked.becomes == becomes {
            return Ok(turn.unchanged());
        }
        if weight(asked.becomes) >= weight(becomes) {
            let why = format!("it ends after the writes in flight and is {} then", word(asked.becomes));
            return Err(illegal(state, &why, "wait for that"));
        }
    }
    let stop = wish(said, becomes);
    let what = format!("{} after the writes in flight{}", does(becomes), because(&said.text));
    if state.work.holder.is_some() {
        turn.state.work.stop = Some(stop);
        return Ok(turn.changed(audit(becomes), &what));
    }
    let status = state.migration.status;
    come_to(&mut turn, &stop, status);
    Ok(turn.changed(audit(becomes), stop.why.raw()))
}

/// What a person asks for, with the words that stand there from then on, while it comes to pass and after.
fn wish(said: &Decision, becomes: MigrationStatus) -> Stop {
    let asked = if becomes == MigrationStatus::RollingBack { "rollback asked for" } else { word(becomes) };
    let why = format!("{asked} by {}{}", said.by.raw(), because(&said.text));
    Stop { becomes, why: words::paragraph(&why), by: Some(said.by.clone()) }
}

/// What becomes of a phase that ended by itself, and who asked for that, if anybody.
pub(super) fn by_itself(state: &MigrationState, becomes: MigrationStatus, why: &str) -> Stop {
    let asked = state.work.stop.as_ref().filter(|stop| stop.becomes == becomes);
    Stop { becomes, why: words::paragraph(why), by: asked.and_then(|stop| stop.by.clone()) }
}

/// The writes in flight have ended.
pub(super) fn stopped(
    state: &MigrationState,
    phase: PhaseName,
    counts: &Counts,
    now: Timestamp,
) -> Result<Step, Refusal> {
    let Some(stop) = state.work.stop.clone() else {
        return Err(illegal(state, "nobody asked it to stop any more", "read it again, then go on"));
    };
    let mut turn = Turn::of(state, now);
    turn.count(phase, counts);
    turn.close(phase, PhaseState::Stopped, stop.why.raw());
    let what = stop.why.raw().to_owned();
    come_to(&mut turn, &stop, state.migration.status);
    Ok(turn.changed("stopped", &format!("{} stopped: {what}", phase.word())))
}

/// It becomes what it was asked to become. Called off is only what has written nothing; else it halts, and
/// says how to go back.
pub(super) fn come_to(turn: &mut Turn, stop: &Stop, resumes: MigrationStatus) {
    let done = turn.state.migration.counts.done;
    let why = stop.why.raw();
    turn.wished_by(stop.by.as_ref());
    match stop.becomes {
        MigrationStatus::RollingBack => {
            turn.state.work.interrupted = None;
            turn.enter(MigrationStatus::RollingBack, PhaseName::RollBack);
            turn.say(why);
        }
        MigrationStatus::Cancelled if done == 0 && resumes == MigrationStatus::BackedUp => {
            turn.end(MigrationStatus::Cancelled, why);
        }
        MigrationStatus::Cancelled => {
            let why = format!("{why}; the canary had written already, {}: roll it back", count(done, "document"));
            turn.stand(MigrationStatus::Halted, resumes, &why);
        }
        MigrationStatus::Paused => turn.stand(MigrationStatus::Paused, resumes, why),
        _ => turn.stand(MigrationStatus::Halted, resumes, why),
    }
}

/// What becomes of a phase that ended by itself: it goes back when somebody asked for that, else it halts.
pub(super) fn goes_back(turn: &Turn) -> MigrationStatus {
    match &turn.state.work.stop {
        Some(stop) if stop.becomes == MigrationStatus::RollingBack => MigrationStatus::RollingBack,
        _ => MigrationStatus::Halted,
    }
}

/// A later wish of more weight replaces an earlier one.
fn weight(becomes: MigrationStatus) -> u8 {
    match becomes {
        MigrationStatus::Paused => 0,
        MigrationStatus::Halted => 1,
        MigrationStatus::Cancelled => 2,
        _ => 3,
    }
}

fn word(becomes: MigrationStatus) -> &'static str {
    match becomes {
        MigrationStatus::Paused => "paused",
        MigrationStatus::Halted => "halted",
        MigrationStatus::Cancelled => "called off",
        _ => "rolled back",
    }
}

/// What it does then, as a sentence about it goes on.
fn does(becomes: MigrationStatus) -> &'static str {
    match becomes {
        MigrationStatus::Paused => "pauses it",
        MigrationStatus::Halted => "halts it",
        MigrationStatus::Cancelled => "calls it off",
        _ => "rolls it back",
    }
}

fn audit(becomes: MigrationStatus) -> &'static str {
    match becomes {
        MigrationStatus::Paused => "pause",
        MigrationStatus::Halted => "stop",
        MigrationStatus::Cancelled => "cancel",
        _ => "rollback",
    }
}

/// What else there is to do, for a refusal.
pub(super) fn what_else(status: MigrationStatus) -> &'static str {
    match status {
        MigrationStatus::Draft => "wait until the data was looked at",
        MigrationStatus::NeedsDecision => "answer its open questions",
        MigrationStatus::PlanFailed => "retry looks at the data again",
        MigrationStatus::Planned => "rehearse it",
        MigrationStatus::Rehearsed => "approve it",
        MigrationStatus::Approved => "start it",
        MigrationStatus::BackingUp => "wait for its backup, or cancel it",
        MigrationStatus::BackedUp => "wait for its canary, or cancel it",
        MigrationStatus::BackupFailed => "retry backs up again",
        MigrationStatus::Copying => "pause it, stop it, or roll it back",
        MigrationStatus::Paused | MigrationStatus::Halted => "resume it, or roll it back",
        MigrationStatus::Verifying => "wait for its end, stop it, or roll it back",
        MigrationStatus::Verified => "cut it over, or roll it back",
        MigrationStatus::CuttingOver => "retry it if it failed, or roll it back",
        MigrationStatus::Soaking => "wait until nobody uses an old id, or roll it back",
        MigrationStatus::RollingBack => "wait until it is taken back",
        MigrationStatus::RollbackFailed => "roll it back again, or close it with a statement",
        MigrationStatus::Completed
        | MigrationStatus::RolledBack
        | MigrationStatus::Cancelled
        | MigrationStatus::ClosedManually
        | MigrationStatus::Unknown => "make a new one if it is still needed",
    }
}
