//! What a runner does to a migration: it claims it, and takes it from phase to phase (rows 2, 4, 8 to 11, 13,
//! 15, 16, 18, 20 and 22).
//!
//! The ledger has what an event says before the event is sent. So whoever takes over after a crash may end a
//! phase twice, and never writes twice: an event that was taken already is taken for done.

use stella_protocol::migration::{Backup, Counts, OwnQueries, PhaseName, PhaseState, PlanSummary, Verification};
use stella_protocol::{Code, MigrationStatus, Text, Timestamp};

use super::super::{Event, MigrationState, Refusal, Step, Stop};
use super::turn::{Turn, own_phase};
use super::words::{self, count, left, plain};
use super::{LEASE_MS, fenced, halt, illegal, people, refuse, slow};

/// More documents left alone than so many, and a person has to look.
pub(super) const MOST_PARKED: u64 = 100;
/// Of so many planned documents, one may be refused by the store: 0.1 %.
const ONE_REFUSED_OF: u64 = 1000;

/// The runner's events.
pub(super) fn step(state: &MigrationState, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    let (fence, end) = match event {
        Event::Claimed { holder, until, fence } => return claimed(state, holder, *until, *fence, now),
        Event::Renewed { fence, .. }
        | Event::Released { fence }
        | Event::Asked { fence, .. }
        | Event::Checkpoint { fence, .. }
        | Event::Stopped { fence, .. }
        | Event::Broke { fence, .. } => (*fence, None),
        Event::Scanned { fence, found } => (*fence, Some((PhaseName::Scan, found.is_ok()))),
        Event::Rehearsed { fence, found } => (*fence, Some((PhaseName::Rehearse, found.is_ok()))),
        Event::BackedUp { fence, found } => (*fence, Some((PhaseName::Backup, found.is_ok()))),
        Event::Canary { fence, found } => (*fence, Some((PhaseName::Canary, found.is_ok()))),
        Event::Copied { fence, .. } => (*fence, Some((PhaseName::Copy, true))),
        Event::Verified { fence, found } => (*fence, Some((PhaseName::Verify, found.differences == 0))),
        Event::CutOver { fence, done } => (*fence, Some((PhaseName::CutOver, done.is_ok()))),
        Event::RolledBack { fence, done } => (*fence, Some((PhaseName::RollBack, done.is_ok()))),
        Event::Decided(_) | Event::Answered { .. } | Event::Drifted(_) | Event::OldIdUsed { .. } | Event::Tick => {
            return Err(illegal(state, "no runner says this", "send it as what it is"));
        }
    };
    if fence != state.work.fence || is_told(state, event, end) {
        let told = fence == state.work.fence;
        return if told { Ok(Turn::of(state, now).unchanged()) } else { Err(fenced(state, fence)) };
    }
    let Some(phase) = state.work.wanted.filter(|_| state.work.holder.is_some()) else {
        return Err(fenced(state, fence));
    };
    if end.is_some_and(|(ended, _)| ended != phase) {
        return Err(illegal(state, &format!("{} is what is to be done", phase.word()), "read it again, then go on"));
    }
    Ok(match event {
        Event::Renewed { until, .. } => renewed(state, *until, now),
        Event::Released { .. } => released(state, phase, now),
        Event::Asked { queries, .. } => asked(state, queries.as_ref(), now),
        Event::Checkpoint { counts, hold, .. } => checkpoint(state, phase, counts, hold.as_ref(), now),
        Event::Stopped { counts, .. } => return halt::stopped(state, phase, counts, now),
        Event::Broke { why, counts, .. } => broke(state, phase, why, counts, now),
        Event::Scanned { found, .. } => scanned(state, found, now),
        Event::Rehearsed { found, .. } => rehearsed(state, found, now),
        Event::BackedUp { found, .. } => backed_up(state, found, now),
        Event::Canary { found, .. } => canary(state, found, now),
        Event::Copied { counts, .. } => copied(state, counts, now),
        Event::Verified { found, .. } => verified(state, found, now),
        Event::CutOver { done, .. } => cut_over(state, done, now),
        Event::RolledBack { done, .. } => rolled_back(state, done, now),
        _ => return Err(fenced(state, fence)),
    })
}

/// True when this very thing was said already, by whoever has the fence.
fn is_told(state: &MigrationState, event: &Event, end: Option<(PhaseName, bool)>) -> bool {
    let free = state.work.holder.is_none();
    match (event, end) {
        (_, Some((phase, good))) => {
            let how = if good { PhaseState::Done } else { PhaseState::Failed };
            let mut rows = state.migration.phases.iter();
            rows.any(|row| row.name == phase && row.state == how && (free || state.work.wanted != Some(phase)))
        }
        (Event::Stopped { .. }, None) => match state.migration.status {
            MigrationStatus::Paused | MigrationStatus::Halted | MigrationStatus::Cancelled => free,
            status => status == MigrationStatus::RollingBack,
        },
        (Event::Released { .. }, None) => free,
        (Event::Broke { why, .. }, None) => {
            let note = words::line(why.raw());
            free && state.migration.phases.iter().any(|row| row.state != PhaseState::Running && row.note == note)
        }
        _ => false,
    }
}

/// Row 22 too: whoever lost it, another one takes it from its checkpoint.
fn claimed(
    state: &MigrationState,
    holder: &Text,
    until: Timestamp,
    fence: u64,
    now: Timestamp,
) -> Result<Step, Refusal> {
    let Some(phase) = state.work.wanted else {
        return Err(illegal(state, "nothing of it is to be run", "wait until somebody asks for something"));
    };
    if let (Some(other), Some(end)) = (&state.work.holder, state.work.lease_until.filter(|end| *end > now)) {
        let why = format!("{} has it for {} more", plain(other), left(now, end));
        return Err(refuse(state, Code::TargetBusy, &why, "wait until its lease is over"));
    }
    if fence <= state.work.fence || until <= now {
        return Err(fenced(state, fence));
    }
    if matches!(phase, PhaseName::Backup | PhaseName::Canary | PhaseName::Copy | PhaseName::CutOver) {
        people::approved_plan(state)?;
    }
    let mut turn = Turn::of(state, now);
    // Its lease was renewed last so long before it ended.
    let heard = state.work.lease_until.map_or(now, |until| until.plus_millis(-LEASE_MS));
    turn.lost(phase, heard.min(now));
    let work = &mut turn.state.work;
    let again = work.holder.is_some();
    (work.holder, work.fence, work.lease_until) = (Some(holder.clone()), fence, Some(lease(until, now)));
    turn.begin(phase);
    let what = if again { "taken over" } else { "begun" };
    Ok(turn.changed("claim", &format!("{} {what} by {}, fence {fence}", phase.word(), holder.raw())))
}

/// A lease is never longer than the one that everybody counts with.
fn lease(until: Timestamp, now: Timestamp) -> Timestamp {
    until.min(now.plus_millis(LEASE_MS))
}

fn renewed(state: &MigrationState, until: Timestamp, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    turn.state.work.lease_until = Some(lease(until, now));
    turn.renewed()
}

/// Row 22, before its lease is over: the next one goes on from the checkpoint. A stop that was asked for has
/// nothing to wait for any more.
fn released(state: &MigrationState, phase: PhaseName, now: Timestamp) -> Step {
    let holder = state.work.holder.as_ref().map_or_else(String::new, |holder| holder.raw().to_owned());
    let (mut turn, status) = (Turn::of(state, now), state.migration.status);
    (turn.state.work.holder, turn.state.work.lease_until) = (None, None);
    if let Some(stop) = &state.work.stop {
        turn.close(phase, PhaseState::Stopped, stop.why.raw());
        halt::come_to(&mut turn, stop, status);
        return turn.changed("stopped", &format!("{} stopped: {}", phase.word(), stop.why.raw()));
    }
    turn.close(phase, PhaseState::Stopped, "its runner ended; the next one goes on");
    if own_phase(status) == Some(phase) {
        turn.state.migration.hold_reason = None;
    }
    turn.changed("release", &format!("{} given up by {holder}, which ended", phase.word()))
}

/// Rows 10 to 13. A hold is seen when it begins and when it ends, not whenever its words change.
fn checkpoint(state: &MigrationState, phase: PhaseName, counts: &Counts, hold: Option<&Text>, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    // Where a check goes on beside a halt, what stands there says why it halted.
    let own = own_phase(state.migration.status) == Some(phase);
    let hold = if own { hold.map(|why| words::paragraph(why.raw())) } else { state.migration.hold_reason.clone() };
    let counted = turn.count(phase, counts);
    let same = !counted && hold == state.migration.hold_reason;
    let slower = (state.migration.hold_reason.is_some(), hold.is_some());
    turn.state.migration.hold_reason = hold;
    let asked = state.work.stop.as_ref().is_some_and(|stop| stop.becomes != MigrationStatus::Paused);
    if let Some(why) = broken_guard(&turn.state, phase).filter(|_| !asked) {
        let what = format!("ends after the writes in flight: {why}");
        turn.state.work.stop = Some(Stop { becomes: MigrationStatus::Halted, why: words::paragraph(&why), by: None });
        return turn.changed("guard", &what);
    }
    match slower {
        (false, true) => {
            let why = turn.state.migration.hold_reason.as_ref().map_or_else(String::new, |why| why.raw().to_owned());
            turn.changed("hold", &format!("slower: {why}"))
        }
        (true, false) => turn.changed("unhold", "as fast as before"),
        _ if same => turn.unchanged(),
        _ => turn.renewed(),
    }
}

/// Row 13: which guard the counts break, counted from where a person last said that it goes on.
fn broken_guard(state: &MigrationState, phase: PhaseName) -> Option<String> {
    if !matches!(phase, PhaseName::Canary | PhaseName::Copy) {
        return None;
    }
    let (counts, (failed, parked)) = (&state.migration.counts, state.work.accepted);
    let (failed, parked) = (counts.failed.saturating_sub(failed), counts.parked.saturating_sub(parked));
    if failed.saturating_mul(ONE_REFUSED_OF) > counts.planned {
        let (failed, planned) = (count(failed, "document"), counts.planned);
        return Some(format!(
            "the store refused {failed}, more than 0.1 % of {planned}; look at the errors, then resume or roll back"
        ));
    }
    (parked > MOST_PARKED).then(|| {
        format!(
            "{} were left alone, more than {MOST_PARKED}; look at them, then resume or roll back",
            count(parked, "document")
        )
    })
}

/// A phase ended by itself. What reads without a status of its own changes none.
fn broke(state: &MigrationState, phase: PhaseName, why: &Text, counts: &Counts, now: Timestamp) -> Step {
    let (mut turn, why) = (Turn::of(state, now), why.raw());
    turn.count(phase, counts);
    let status = state.migration.status;
    if own_phase(status) != Some(phase) {
        turn.close(phase, PhaseState::Failed, why);
        turn.idle();
        return turn.changed("broke", &format!("{} failed: {why}", phase.word()));
    }
    match phase {
        PhaseName::Scan => fail(turn, phase, MigrationStatus::PlanFailed, why),
        PhaseName::Backup => fail(turn, phase, MigrationStatus::BackupFailed, why),
        PhaseName::RollBack => fail(turn, phase, MigrationStatus::RollbackFailed, why),
        _ => {
            turn.close(phase, PhaseState::Stopped, why);
            let back = halt::goes_back(&turn);
            // Nobody has it any more: the same word again must not break the way back too.
            turn.idle();
            halt::come_to(&mut turn, &halt::by_itself(state, back, why), status);
            turn.changed("halt", &format!("{} ended by itself: {why}", phase.word()))
        }
    }
}

fn fail(mut turn: Turn, phase: PhaseName, status: MigrationStatus, why: &str) -> Step {
    turn.close(phase, PhaseState::Failed, why);
    turn.rest(status);
    turn.say(why);
    turn.changed("fail", &format!("{} failed: {why}", phase.word()))
}

/// Row 2.
fn scanned(state: &MigrationState, found: &Result<(PlanSummary, u64), Text>, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    let (plan, open) = match found {
        Ok(found) => found,
        Err(why) => return fail(turn, PhaseName::Scan, MigrationStatus::PlanFailed, why.raw()),
    };
    let (documents, writes) = (count(plan.documents, "document"), plan.changes.saturating_add(plan.moves));
    let note = format!("{documents} looked at, {writes} to write, {} open", count(*open, "question"));
    turn.close(PhaseName::Scan, PhaseState::Done, &note);
    turn.rest(if *open > 0 { MigrationStatus::NeedsDecision } else { MigrationStatus::Planned });
    turn.state.work.accepted = (0, 0);
    turn.state.work.accepted_slow.clear();
    let migration = &mut turn.state.migration;
    migration.plan = Some(plan.clone());
    migration.open_decisions = *open;
    migration.counts = Counts { planned: writes, ..Counts::default() };
    (migration.approval, migration.verification, migration.result) = (None, None, Text::default());
    // A rehearsal or a backup was of the plan before.
    migration.phases.retain(|row| row.name == PhaseName::Scan);
    migration.backup = None;
    turn.changed("plan", &note)
}

/// Row 4; a later rehearsal that fails takes an earlier one's word back.
fn rehearsed(state: &MigrationState, found: &Result<Counts, Text>, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    match found {
        Ok(counts) => {
            let settled = count(counts.done.saturating_add(counts.skipped), "document");
            let note = format!("{settled} computed, {} would be left alone, nothing written", counts.parked);
            turn.close(PhaseName::Rehearse, PhaseState::Done, &note);
            turn.rest(MigrationStatus::Rehearsed);
            turn.say("");
            turn.changed("rehearse", &note)
        }
        Err(why) => fail(turn, PhaseName::Rehearse, MigrationStatus::Planned, why.raw()),
    }
}

/// Row 8.
fn backed_up(state: &MigrationState, found: &Result<Backup, Text>, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    let backup = match found {
        Ok(backup) => backup,
        Err(why) => return fail(turn, PhaseName::Backup, MigrationStatus::BackupFailed, why.raw()),
    };
    let note = format!("{} in {}, read back", count(backup.documents, "document"), count(backup.parts, "part"));
    turn.close(PhaseName::Backup, PhaseState::Done, &note);
    turn.state.migration.backup = Some(backup.clone());
    turn.enter(MigrationStatus::BackedUp, PhaseName::Canary);
    turn.changed("back-up", &note)
}

/// Row 9.
fn canary(state: &MigrationState, found: &Result<Text, Text>, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    match found {
        Ok(words) => {
            turn.close(PhaseName::Canary, PhaseState::Done, words.raw());
            let what = format!("canary equal: {}", words.raw());
            match turn.state.work.stop.take() {
                Some(stop) => halt::come_to(&mut turn, &stop, MigrationStatus::Copying),
                None => turn.enter(MigrationStatus::Copying, PhaseName::Copy),
            }
            turn.changed("canary", &what)
        }
        Err(why) => {
            turn.close(PhaseName::Canary, PhaseState::Failed, why.raw());
            let becomes = halt::goes_back(&turn);
            halt::come_to(&mut turn, &halt::by_itself(state, becomes, why.raw()), MigrationStatus::BackedUp);
            turn.changed("canary", &format!("canary differs: {}", why.raw()))
        }
    }
}

/// What the application was asked is evidence: it moves nothing by itself.
fn asked(state: &MigrationState, queries: Option<&OwnQueries>, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    let queries = queries.map(words::few);
    if state.migration.own_queries == queries {
        return turn.unchanged();
    }
    turn.state.migration.own_queries = queries;
    let what = slow::told(&turn.state.migration);
    turn.changed("ask", &what)
}

/// Row 15. The last batch may have broken a guard as well as any other.
fn copied(state: &MigrationState, counts: &Counts, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    turn.count(PhaseName::Copy, counts);
    let counts = &turn.state.migration.counts;
    let (done, parked) = (count(counts.done, "document"), counts.parked);
    let note = format!("{done} written, {} skipped, {parked} left alone, {} refused", counts.skipped, counts.failed);
    turn.close(PhaseName::Copy, PhaseState::Done, &note);
    let guard =
        broken_guard(&turn.state, PhaseName::Copy).map(|why| halt::by_itself(state, MigrationStatus::Halted, &why));
    match turn.state.work.stop.take().or(guard) {
        Some(stop) => halt::come_to(&mut turn, &stop, MigrationStatus::Verifying),
        None => turn.enter(MigrationStatus::Verifying, PhaseName::Verify),
    }
    turn.changed("copy", &note)
}

/// Rows 16 and 23. A check that has found all equal needs no stop any more, but a way back that was asked for
/// is gone all the same.
fn verified(state: &MigrationState, found: &Verification, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    let equal = found.differences == 0;
    let slow = slow::words(state);
    let note = format!("{} looked at, {}", count(found.documents, "document"), count(found.differences, "difference"));
    let note = slow.as_ref().map_or(note.clone(), |slow| format!("{note}; {slow}"));
    turn.close(PhaseName::Verify, if equal { PhaseState::Done } else { PhaseState::Failed }, &note);
    turn.state.migration.verification = Some(words::short(found));
    if state.migration.status != MigrationStatus::Verifying {
        turn.idle();
        return turn.changed("verify", &note);
    }
    let first = found.first.first().map_or_else(String::new, |first| format!(", the first at {}", first.what.raw()));
    let why = format!("{note}{first}; look at them, put them right and resume, or roll back");
    if halt::goes_back(&turn) == MigrationStatus::RollingBack || !equal {
        let becomes = halt::goes_back(&turn);
        halt::come_to(&mut turn, &halt::by_itself(state, becomes, &why), MigrationStatus::Verifying);
    } else if let Some(slow) = slow {
        let why = format!("no difference, but {slow}; resume lets it go on like that, or roll back");
        let stop = halt::by_itself(state, MigrationStatus::Halted, &why);
        halt::come_to(&mut turn, &stop, MigrationStatus::Verifying);
    } else {
        turn.rest(MigrationStatus::Verified);
        turn.say("");
    }
    turn.changed("verify", &note)
}

/// Row 17, its end.
fn cut_over(state: &MigrationState, done: &Result<Text, Text>, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    let back = halt::goes_back(&turn) == MigrationStatus::RollingBack;
    match done {
        Ok(words) => turn.close(PhaseName::CutOver, PhaseState::Done, words.raw()),
        Err(why) => turn.close(PhaseName::CutOver, PhaseState::Failed, why.raw()),
    }
    let (Ok(said) | Err(said)) = done;
    if let Some(stop) = turn.state.work.stop.take_if(|_| back || done.is_err()) {
        halt::come_to(&mut turn, &stop, MigrationStatus::CuttingOver);
        return turn.changed("cut-over", &format!("cut over ended: {}", said.raw()));
    }
    if done.is_err() {
        turn.idle();
        turn.say(&format!("the cut-over is not complete: {}; retry goes on with it", said.raw()));
        return turn.changed("cut-over", &format!("the store refused: {}", said.raw()));
    }
    turn.rest(MigrationStatus::Soaking);
    turn.begin(PhaseName::Soak);
    turn.say("");
    turn.changed("cut-over", &format!("cut over: {}", said.raw()))
}

/// Row 20.
fn rolled_back(state: &MigrationState, done: &Result<(u64, u64), Text>, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    let (back, kept) = match done {
        Ok(done) => *done,
        Err(why) => return fail(turn, PhaseName::RollBack, MigrationStatus::RollbackFailed, why.raw()),
    };
    let note = format!("{} put back, {kept} kept as others changed them since", count(back, "document"));
    turn.close(PhaseName::RollBack, PhaseState::Done, &note);
    turn.end(MigrationStatus::RolledBack, &format!("rolled back: {note}"));
    turn.changed("roll-back", &note)
}
