//! What an executor does to a fix: it claims it, and takes it from step to step (rows 7 to 10, 12, 13, 15, 17).
//!
//! The order is always: [`Event::Intended`] is kept, then the effect, then [`Event::Performed`]. Whoever
//! finds a step whose intent is kept and whose outcome is not asks, and says so by [`Event::Probed`].

use stella_protocol::fix::{Act, PlanStep, StepState, Undo};
use stella_protocol::{Code, FixStatus, Text, Timestamp};

use super::super::{Effect, Event, FixState, Outcome, Refusal, Said, Step, Verdict};
use super::turn::Turn;
use super::words::{self, left, plain};
use super::{LEASE_MS, fenced, illegal, people, unwind};

/// A step is performed again after an unknown outcome so many times beyond its retries, then it failed.
const AGAIN: u32 = 3;

/// The executor's events.
pub(super) fn step(state: &FixState, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    let fence = match event {
        Event::Claimed { .. } => return claimed(state, event, now),
        Event::Renewed { fence, .. }
        | Event::Intended { fence }
        | Event::Performed { fence, .. }
        | Event::Probed { fence, .. }
        | Event::Watched { fence, .. } => *fence,
        Event::Rehearsed(_) | Event::Decided(_) | Event::Tick | Event::Superseded(..) | Event::Stopped(_) => {
            return Err(illegal(&state.fix, "no executor says this", "send it as what it is"));
        }
    };
    if state.work.holder.is_none() || fence != state.work.fence || !state.fix.status.is_under_way() {
        return Err(fenced(state, fence));
    }
    match event {
        Event::Renewed { until, .. } => Ok(renewed(state, *until, now)),
        Event::Intended { .. } => intended(state, now),
        Event::Performed { outcome, .. } => performed(state, outcome, now),
        Event::Probed { said, .. } => probed(state, said, now),
        Event::Watched { verdict, .. } => watched(state, verdict, now),
        _ => Err(fenced(state, fence)),
    }
}

/// Rows 7 and 17.
fn claimed(state: &FixState, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    let Event::Claimed { holder, until, fence, plan_digest, gates } = event else {
        return Err(illegal(&state.fix, "no claim", "claim it"));
    };
    let fix = &state.fix;
    if *fence <= state.work.fence || *until <= now {
        return Err(fenced(state, *fence));
    }
    let mut turn = Turn::of(state, now);
    let (word, what) = match fix.status {
        FixStatus::Approved => {
            may_start(state, plan_digest, gates, now)?;
            turn.state.fix.status = FixStatus::Running;
            turn.state.work.at = 0;
            ("claim", "begun")
        }
        FixStatus::Running | FixStatus::Verifying | FixStatus::Undoing => {
            lost(state, now)?;
            // What was not looked at does not count as held without a break.
            turn.state.work.holds_since = None;
            ("take-over", "taken over")
        }
        _ => return Err(illegal(fix, "only what is approved, or lost its executor, is claimed", "wait or leave it")),
    };
    turn.state.work.holder = Some(holder.clone());
    turn.state.work.fence = *fence;
    turn.state.work.lease_until = Some(lease(*until, now));
    Ok(turn.changed(word, &format!("{what} by {}, fence {fence}", holder.raw())))
}

/// All that this state alone can say about an approved fix, once more.
fn may_start(state: &FixState, plan_digest: &Text, gates: &Result<(), Text>, now: Timestamp) -> Result<(), Refusal> {
    let fix = &state.fix;
    if *plan_digest != fix.plan_digest {
        let why = format!("the plan of {} is another one now than the one that was approved; propose it again", fix.id);
        return Err(Refusal::new(Code::PlanChanged, why));
    }
    if fix.execute_by.is_none_or(|end| now >= end) {
        return Err(illegal(fix, "the time to execute it is over", "propose it again"));
    }
    let (have, need) = people::quorum(state);
    if !fix.by_policy && have < usize::from(need) {
        return Err(illegal(fix, "its approvals do not make a quorum", "let others approve it"));
    }
    let Err(why) = gates else { return Ok(()) };
    Err(Refusal::new(
        Code::FixesOff,
        format!("{} may not start: {}; it waits until its time to execute is over", fix.id, words::sentence(why)),
    ))
}

fn lost(state: &FixState, now: Timestamp) -> Result<(), Refusal> {
    let Some(until) = state.work.lease_until.filter(|until| *until > now) else { return Ok(()) };
    let holder = state.work.holder.as_ref().map_or_else(String::new, plain);
    let why = format!("{holder} has it for {} more", left(now, until));
    Err(illegal(&state.fix, &why, "wait until its lease is over"))
}

/// A lease is never longer than the one that everybody counts with.
fn lease(until: Timestamp, now: Timestamp) -> Timestamp {
    until.min(now.plus_millis(LEASE_MS))
}

fn renewed(state: &FixState, until: Timestamp, now: Timestamp) -> Step {
    let mut turn = Turn::of(state, now);
    turn.state.work.lease_until = Some(lease(until, now));
    turn.renewed()
}

/// The intent of rows 8 and 15.
fn intended(state: &FixState, now: Timestamp) -> Result<Step, Refusal> {
    let fix = &state.fix;
    let (begun, word, what) = match (fix.status, under_way(state)) {
        (FixStatus::Running, StepState::Waiting) => (StepState::Begun, "begin", "begins"),
        (FixStatus::Undoing, StepState::Done) => (StepState::Undoing, "begin-undo", "takes back"),
        (FixStatus::Verifying, _) => return Err(illegal(fix, "all steps are done", "watch whether it helped")),
        _ => return Err(illegal(fix, "the step under way was begun already", "probe it, or say what came of it")),
    };
    if state.work.lease_until.is_none_or(|until| now >= until) {
        return Err(Refusal::new(
            Code::VersionConflict,
            format!("the lease of {} is over; renew it before an effect", fix.id),
        ));
    }
    let mut turn = Turn::of(state, now);
    turn.state.work.began.get_or_insert(now);
    let step = &mut turn.state.fix.steps[state.work.at];
    step.state = begun;
    step.attempt = step.attempt.saturating_add(1);
    step.started_at = Some(now);
    step.ended_at = None;
    let what =
        format!("{what} {}, try {}", turn.step_words(state.work.at), turn.state.fix.steps[state.work.at].attempt);
    Ok(turn.changed(word, &what))
}

/// Rows 8, 9, 12 and 15, and the beginning of row 10.
fn performed(state: &FixState, outcome: &Outcome, now: Timestamp) -> Result<Step, Refusal> {
    let undoing = match under_way(state) {
        StepState::Begun if state.fix.status == FixStatus::Running => false,
        StepState::Undoing if state.fix.status == FixStatus::Undoing => true,
        _ => return Err(illegal(&state.fix, "no step of it is begun", "keep the intent first")),
    };
    let mut turn = Turn::of(state, now);
    match outcome {
        Outcome::Done(note) => Ok(done(turn, undoing, note)),
        Outcome::Clean(note) => {
            if state.work.at == 0 && !undoing {
                // It surely did nothing: what comes of the next try is of that alone.
                turn.state.work.began = None;
            }
            let retries = plan_step(state).map_or(0, |step| step.retries);
            let again = state.work.stop.is_none() && state.fix.steps[state.work.at].attempt <= retries;
            Ok(clean(turn, undoing, note, again))
        }
        Outcome::Unknown(note) => {
            write(&mut turn, StepState::Unknown, note);
            let what = format!("{}: the outcome is not known: {}", turn.step_words(state.work.at), note.raw());
            Ok(turn.changed("unknown", &what))
        }
    }
}

/// Row 10, and its use in row 17.
fn probed(state: &FixState, said: &Said, now: Timestamp) -> Result<Step, Refusal> {
    let undoing = match (state.fix.status, under_way(state)) {
        (FixStatus::Running, StepState::Begun | StepState::Unknown) => false,
        (FixStatus::Undoing, StepState::Undoing | StepState::Unknown) => true,
        _ => return Err(illegal(&state.fix, "no step of it has an unknown outcome", "perform the next one")),
    };
    let mut turn = Turn::of(state, now);
    let stopped = state.work.stop.is_some();
    let tries = 1_u32.saturating_add(plan_step(state).map_or(0, |step| step.retries)).saturating_add(AGAIN);
    let room = state.fix.steps[state.work.at].attempt < tries;
    let way = plan_step(state).map(|step| Way::of(step, undoing)).unwrap_or_default();
    Ok(match said {
        Said::Done(note) => done(turn, undoing, note),
        Said::NotDone(note) if way.repeatable => clean(turn, undoing, note, room && !stopped),
        Said::CannotTell(note) if way.repeatable && !way.can_look && room && !stopped => {
            clean(turn, undoing, note, true)
        }
        Said::NotDone(note) => {
            unwind::doubt(&mut turn, &format!("{}; it still may, and twice is not the same as once", note.raw()));
            turn.changed("doubt", "in doubt: its probe cannot promise that it will not happen")
        }
        Said::CannotTell(note) => {
            unwind::doubt(&mut turn, note.raw());
            turn.changed("doubt", "in doubt: nothing can tell whether it happened")
        }
    })
}

/// How an effect can be asked for, and repeated.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    /// Something can tell whether it happened: a probe, or the store of a document.
    can_look: bool,
    /// Twice is the same as once: declared, or a write that is conditional on what stood there.
    repeatable: bool,
}

impl Way {
    fn of(step: &PlanStep, undoing: bool) -> Self {
        let (act, probe, declared) = match (&step.undo, undoing) {
            (Some(Undo::Act { act, probe, idempotent, .. }), true) => (act, probe.is_some(), *idempotent),
            (Some(Undo::Restore), true) => return Self { can_look: true, repeatable: true },
            _ => (&step.act, step.probe.is_some(), step.idempotent),
        };
        let conditional = matches!(act, Act::Document(_) | Act::Repair(_));
        Self { can_look: probe || conditional, repeatable: declared || conditional }
    }
}

/// Whether anything can tell if the step happened, or was taken back.
pub(in crate::remedy) fn can_look(step: &PlanStep, undoing: bool) -> bool {
    Way::of(step, undoing).can_look
}

/// The step happened, or was taken back.
fn done(mut turn: Turn, undoing: bool, note: &Text) -> Step {
    let at = turn.state.work.at;
    let words = turn.step_words(at);
    if undoing {
        write(&mut turn, StepState::Undone, note);
        unwind::descend(&mut turn, at);
        return turn.changed("undone", &format!("took back {words}"));
    }
    write(&mut turn, StepState::Done, note);
    let last = at + 1 == turn.state.fix.steps.len();
    let stop = turn.state.work.stop.take();
    match stop {
        Some(why) if last => unwind::give_up(&mut turn, why.raw()),
        Some(why) => unwind::begin(&mut turn, at + 1, why.raw()),
        None if last => {
            turn.state.fix.status = FixStatus::Verifying;
            turn.state.fix.verifying_since = Some(turn.now);
        }
        None => turn.state.work.at = at + 1,
    }
    turn.changed("done", &format!("did {words}"))
}

/// The step surely did not happen, or was surely not taken back.
fn clean(mut turn: Turn, undoing: bool, note: &Text, again: bool) -> Step {
    let at = turn.state.work.at;
    let words = turn.step_words(at);
    if again {
        write(&mut turn, if undoing { StepState::Done } else { StepState::Waiting }, note);
        return turn.changed("again", &format!("{words}: not done yet, again: {}", note.raw()));
    }
    if undoing {
        write(&mut turn, StepState::UndoFailed, note);
        unwind::fail(&mut turn, note.raw());
        return turn.changed("undo-failed", &format!("could not take back {words}: {}", note.raw()));
    }
    write(&mut turn, StepState::Failed, note);
    let why =
        turn.state.work.stop.take().map_or_else(|| format!("{words}: {}", note.raw()), |why| why.raw().to_owned());
    unwind::begin(&mut turn, at, &why);
    turn.changed("failed", &format!("{words} failed: {}", note.raw()))
}

/// Row 13. What holds at the end of its time may go on to hold as long as it must, and what cannot be told yet may
/// become clear; what breaks then has failed. What nobody can watch is executed by its steps, which is no success:
/// its alert is not resolved.
fn watched(state: &FixState, verdict: &Verdict, now: Timestamp) -> Result<Step, Refusal> {
    if state.fix.status != FixStatus::Verifying {
        return Err(illegal(&state.fix, "its steps are not done", "perform them first"));
    }
    let wanted = state.fix.plan.verification.as_ref();
    let mut turn = Turn::of(state, now);
    match verdict {
        Verdict::Holds => {
            let since = state.work.holds_since.unwrap_or(now);
            let must = wanted.map_or(0, |wanted| wanted.hold_ms);
            if now.since(since) >= must {
                let held = if wanted.is_some() {
                    format!("it held for {}", left(since, now))
                } else {
                    "by its steps".to_owned()
                };
                turn.end(FixStatus::Executed, &format!("verified: {held}"));
                turn.ask(Effect::ResolveAlert);
                return Ok(turn.changed("execute", &format!("verified: {held}")));
            }
            turn.state.work.holds_since = Some(since);
        }
        Verdict::Broken(why) => {
            let within = wanted.map_or(0, |wanted| wanted.within_ms);
            if state.fix.verifying_since.is_none_or(|since| now.since(since) >= within) {
                unwind::give_up(&mut turn, &format!("it did not help in time: {}", why.raw()));
                return Ok(turn.changed("not-verified", &format!("it did not help in time: {}", why.raw())));
            }
            turn.state.work.holds_since = None;
        }
        Verdict::Early(_) => turn.state.work.holds_since = None,
        Verdict::Unwatched(why) => {
            let words = format!("not watched: {}", why.raw());
            turn.end(FixStatus::Executed, &words);
            turn.state.work.unwatched = Some(words::line(why));
            return Ok(turn.changed("execute", &words));
        }
    }
    Ok(if turn.state == *state { turn.unchanged() } else { turn.renewed() })
}

fn under_way(state: &FixState) -> StepState {
    state.fix.steps.get(state.work.at).map_or(StepState::Other, |step| step.state)
}

fn plan_step(state: &FixState) -> Option<&PlanStep> {
    state.fix.plan.steps.get(state.work.at)
}

fn write(turn: &mut Turn, to: StepState, note: &Text) {
    let now = turn.now;
    let step = &mut turn.state.fix.steps[turn.state.work.at];
    step.state = to;
    step.note = words::line(note);
    step.ended_at = Some(now);
}
