//! What people do: the rows of the machine that begin with a verb, and why they may be refused.

use stella_protocol::command::WrongPart;
use stella_protocol::{AlertId, Note, Status, Text, Timestamp, Verb};

use super::machine::{Cause, Step, close, reopen};
use super::{AlertState, Moment, Triage};
use crate::words::{clip, wire_len};

/// How long an acknowledgement holds while the alert still fires, in milliseconds.
const ACK_HOLDS: i64 = 4 * 60 * 60 * 1000;
/// Most that the notes of one alert may take on the wire together, so that an event stays below 64 KiB.
const NOTES_ROOM: usize = 24 * 1024;
/// Most that a reason may take on the wire.
const REASON_ROOM: usize = 2 * 1024;

/// A verb, by whom, on which version.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// What to do.
    pub verb: Verb,
    /// By whom.
    pub by: &'a Text,
    /// The version its author saw.
    pub version: u64,
    /// The words of the verb.
    pub text: Option<&'a Text>,
    /// What was wrong, for `false-positive`.
    pub part: Option<WrongPart>,
    /// Another alert of the same fingerprint that is open.
    pub rival: Option<&'a AlertId>,
}

/// Why a step is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody changed it since it was read.
    Stale,
    /// Somebody else has it.
    AlreadyAcknowledged {
        /// Who.
        by: Text,
    },
    /// The table has no such row.
    IllegalTransition,
    /// Another alert of the same fingerprint is open.
    AlreadyOpen(AlertId),
    /// There is no room for another note.
    NotesFull,
}

/// Performs a verb. Nothing changed and no effect: it was so already.
pub(super) fn act(state: &AlertState, act: &Act<'_>, now: Moment) -> Result<Step, Refusal> {
    if let Some(settled) = already(state, act)? {
        return Ok(settled);
    }
    if state.alert.version != act.version {
        return Err(Refusal::Stale);
    }
    let mut step = Step::of(state);
    let next = &mut step.state;
    match (act.verb, state.alert.status) {
        (Verb::Acknowledge, Status::New) => hold(next, act.by, now.server),
        (Verb::Release, Status::Acknowledged) => {
            owned_by(state, act.by)?;
            let_go(next);
        }
        (Verb::TakeOver, Status::Acknowledged) => take_over(next, act.by, now.server),
        (Verb::Note, Status::New | Status::Acknowledged) => write(next, act, now.server)?,
        (Verb::Resolve, Status::New | Status::Acknowledged) => end(next, Status::Resolved, act, now),
        (Verb::FalsePositive, Status::New | Status::Acknowledged) => {
            end(next, Status::FalsePositive, act, now);
            next.watch.wrong = act.part;
        }
        (Verb::Reopen, Status::Resolved | Status::FalsePositive) => {
            if let Some(rival) = act.rival {
                return Err(Refusal::AlreadyOpen(rival.clone()));
            }
            write(next, act, now.server)?;
            reopen(next, now.engine);
        }
        _ => return Err(Refusal::IllegalTransition),
    }
    step.changed(Cause::Verb(act.verb));
    Ok(step)
}

/// Brings back the state before an action, as long as nobody changed what the action left.
pub(super) fn undo(
    state: &AlertState,
    before: &Triage,
    left: u64,
    rival: Option<&AlertId>,
    now: Moment,
) -> Result<Step, Refusal> {
    if state.alert.version != left {
        return Err(Refusal::Stale);
    }
    let opens = before.was_open() && !state.alert.status.is_open();
    if let Some(rival) = rival.filter(|_| opens) {
        return Err(Refusal::AlreadyOpen(rival.clone()));
    }
    let mut step = Step::of(state);
    before.clone().put_back(&mut step.state);
    if opens {
        step.state.watch.opened_at = now.engine;
    }
    step.changed(Cause::Undone);
    Ok(step)
}

/// What is asked of an acknowledged alert by name is decided before versions are compared, so that
/// the second of two people learns who was first.
fn already(state: &AlertState, act: &Act<'_>) -> Result<Option<Step>, Refusal> {
    if state.alert.status != Status::Acknowledged {
        return Ok(None);
    }
    let mine = state.alert.acknowledged_by.as_ref() == Some(act.by);
    match act.verb {
        Verb::Acknowledge => owned_by(state, act.by).map(|()| Some(Step::of(state))),
        Verb::TakeOver if mine => Ok(Some(Step::of(state))),
        _ => Ok(None),
    }
}

fn owned_by(state: &AlertState, by: &Text) -> Result<(), Refusal> {
    match &state.alert.acknowledged_by {
        Some(owner) if owner != by => Err(Refusal::AlreadyAcknowledged { by: owner.clone() }),
        _ => Ok(()),
    }
}

fn hold(state: &mut AlertState, by: &Text, at: Timestamp) {
    let alert = &mut state.alert;
    alert.status = Status::Acknowledged;
    alert.assignee = Some(by.clone());
    alert.acknowledged_by = Some(by.clone());
    alert.acknowledged_at = Some(at);
    alert.ack_expires_at = Some(at.plus_millis(ACK_HOLDS));
}

/// Back to nobody's.
pub(super) fn let_go(state: &mut AlertState) {
    let alert = &mut state.alert;
    alert.status = Status::New;
    alert.assignee = None;
    alert.acknowledged_by = None;
    alert.acknowledged_at = None;
    alert.ack_expires_at = None;
}

/// Names both: the one who has it now in the fields, the one who had it in a note.
fn take_over(state: &mut AlertState, by: &Text, at: Timestamp) {
    if let Some(former) = state.alert.acknowledged_by.clone() {
        let text = Text::new(format!("took over from {}", former.raw()));
        let note = Note { at, by: by.clone(), text };
        if has_room(state, &note) {
            state.alert.notes.push(note);
        }
    }
    hold(state, by, at);
}

fn end(state: &mut AlertState, status: Status, act: &Act<'_>, now: Moment) {
    close(state, now.engine);
    state.alert.status = status;
    state.alert.resolved_at = Some(now.server);
    state.alert.resolved_by = Some(act.by.clone());
    state.alert.resolution_notes = act.text.map(|text| clip(text, REASON_ROOM));
}

fn write(state: &mut AlertState, act: &Act<'_>, at: Timestamp) -> Result<(), Refusal> {
    let Some(text) = act.text else { return Ok(()) };
    let note = Note { at, by: act.by.clone(), text: clip(text, REASON_ROOM) };
    if !has_room(state, &note) {
        return Err(Refusal::NotesFull);
    }
    state.alert.notes.push(note);
    Ok(())
}

pub(super) fn has_room(state: &AlertState, new: &Note) -> bool {
    /// Time, names of the fields and punctuation of a note.
    const FRAME: usize = 60;
    let cost = |note: &Note| wire_len(note.text.raw()) + wire_len(note.by.raw()) + FRAME;
    state.alert.notes.iter().map(cost).sum::<usize>() + cost(new) <= NOTES_ROOM
}
