//! Taking back what was done, last first, and what stays where that cannot be (rows 9, 11, 13, 15).

use stella_protocol::fix::StepState;
use stella_protocol::{FixStatus, Text, Timestamp};

use super::super::{Effect, FixState, Refusal, Step};
use super::people::because;
use super::turn::Turn;
use super::{illegal, words};

/// Row 11: at once between steps, else after the step under way.
pub(super) fn stop(state: &FixState, by: &Text, why: &Text, now: Timestamp) -> Result<Step, Refusal> {
    let mut turn = Turn::by(state, by, now);
    let what = format!("stopped by {}{}", by.raw(), because(why));
    match state.fix.status {
        FixStatus::Running if state.work.stop.is_some() => return Ok(turn.unchanged()),
        FixStatus::Running if is_between_steps(state) => {
            let at = state.work.at;
            begin(&mut turn, at, &what);
        }
        FixStatus::Running => turn.state.work.stop = Some(words::paragraph(&what)),
        FixStatus::Verifying => give_up(&mut turn, &what),
        FixStatus::Undoing => {
            return Err(illegal(&state.fix, "it is being taken back already", "wait until that is done"));
        }
        FixStatus::Proposed | FixStatus::Pending | FixStatus::Approved => {
            return Err(illegal(&state.fix, "it does not run yet", "reject it if it must not"));
        }
        _ => return Err(illegal(&state.fix, "it does not run", "there is nothing to stop")),
    }
    Ok(turn.changed("stop", &format!("stopped it{}", because(why))))
}

/// True while the step under way has no effect that could have happened.
fn is_between_steps(state: &FixState) -> bool {
    state.fix.steps.get(state.work.at).is_none_or(|step| matches!(step.state, StepState::Waiting | StepState::Failed))
}

/// Row 13, failing: all is taken back, or, where a done step has no undo, nothing is and all is listed.
pub(super) fn give_up(turn: &mut Turn, why: &str) {
    let steps = turn.state.fix.steps.len();
    let done = |turn: &Turn, number: usize| turn.state.fix.steps[number].state == StepState::Done;
    if (0..steps).all(|number| !done(turn, number) || turn.undo_of(number).is_some()) {
        begin(turn, steps, why);
    } else {
        turn.state.fix.stays = what_stays(turn, steps);
        turn.end(FixStatus::Failed, &format!("failed: {why}; not taken back, since not all of it could be"));
    }
}

/// Takes back the done steps below `from`.
pub(super) fn begin(turn: &mut Turn, from: usize, why: &str) {
    turn.state.fix.stays.clear();
    turn.state.fix.result = words::paragraph(why);
    turn.state.work.stop = None;
    turn.state.work.holds_since = None;
    descend(turn, from);
}

/// Row 15: goes down to the next done step with an undo, or to the end. The words of why stand in the result.
pub(super) fn descend(turn: &mut Turn, from: usize) {
    for number in (0..from).rev() {
        if turn.state.fix.steps[number].state != StepState::Done {
            continue;
        }
        if turn.undo_of(number).is_some() {
            turn.state.fix.status = FixStatus::Undoing;
            turn.state.work.at = number;
            turn.state.fix.steps[number].attempt = 0;
            return;
        }
        let stays = words::line(&Text::from(format!("{}: done, nothing takes it back", turn.step_words(number))));
        turn.state.fix.stays.push(stays);
    }
    finish(turn);
}

fn finish(turn: &mut Turn) {
    let why = turn.state.fix.result.raw().to_owned();
    let undone = turn.state.fix.steps.iter().any(|step| step.state == StepState::Undone);
    if !turn.state.fix.stays.is_empty() {
        let rest = if undone { "the rest was taken back" } else { "what was done stays" };
        turn.end(FixStatus::Failed, &format!("failed: {why}; {rest}"));
    } else if undone {
        turn.end(FixStatus::RolledBack, &format!("rolled back: {why}"));
        turn.ask(Effect::Suppress(words::paragraph(&format!("rolled back: {why}"))));
    } else {
        turn.end(FixStatus::Failed, &format!("failed: {why}; nothing was done"));
    }
}

/// Row 15, failing: the step under way and all below it stay.
pub(super) fn fail(turn: &mut Turn, note: &str) {
    let at = turn.state.work.at;
    let why = turn.state.fix.result.raw().to_owned();
    let step = turn.step_words(at);
    let mut stays = vec![words::line(&Text::from(format!("{step}: done, its undo failed")))];
    stays.append(&mut what_stays(turn, at));
    turn.state.fix.stays.append(&mut stays);
    turn.end(
        FixStatus::RollbackFailed,
        &format!("{step} could not be taken back: {note}. Put it right by hand, then close it. It was to be taken back: {why}"),
    );
}

/// Row 10, where nothing can tell: a person has to look.
pub(super) fn doubt(turn: &mut Turn, note: &str) {
    let at = turn.state.work.at;
    let step = turn.step_words(at);
    let undoing = turn.state.fix.status == FixStatus::Undoing;
    let what = if undoing { "was taken back" } else { "happened" };
    turn.state.fix.steps[at].state = StepState::Unknown;
    turn.state.work.doubted = Some(turn.state.fix.status);
    let mut stays = vec![words::line(&Text::from(format!("{step}: whether it {what} is not known")))];
    stays.append(&mut what_stays(turn, at));
    turn.state.fix.stays.append(&mut stays);
    turn.end(
        FixStatus::InDoubt,
        &format!("whether {step} {what} is not known: {note}. Look at the target, then close it with what you found"),
    );
}

/// True when a done step has an undo.
pub(super) fn can_undo_any(state: &FixState) -> bool {
    let steps = state.fix.steps.iter().zip(&state.fix.plan.steps);
    steps.into_iter().any(|(step, plan)| step.state == StepState::Done && plan.undo.is_some())
}

/// The done steps below `from`, last first, in words.
fn what_stays(turn: &Turn, from: usize) -> Vec<Text> {
    let done = |number: &usize| turn.state.fix.steps[*number].state == StepState::Done;
    let word = |number: usize| words::line(&Text::from(format!("{}: done", turn.step_words(number))));
    (0..from).rev().filter(done).map(word).collect()
}
