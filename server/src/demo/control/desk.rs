//! Between a request and the application: whether it may be done, doing it, what is said.
//!
//! Pure but for the world and the ledger that it is given.

use serde_json::{Value, json};
use stella_protocol::Timestamp;

use super::ledger::Admission;
use super::wire::Command;
use super::{Asked, Ledger, Said};
use crate::demo::World;
use crate::demo::order::Subject;

/// Answers `asked` in the world as it is at `at`.
pub fn settle(asked: &Asked, world: &mut World, ledger: &mut Ledger, at: Timestamp) -> Said {
    match asked {
        Asked::Effects => Said::Answer(200, json!({ "items": ledger.effects().collect::<Vec<_>>() })),
        // Its release of the week before understands both; no later one takes that back.
        Asked::ReadsBothIds => Said::Answer(200, json!({ "readsBothIds": true })),
        Asked::Look(subject) => look(subject, world),
        Asked::Do(command) => perform(command, world, ledger, at),
    }
}

fn look(subject: &Subject, world: &mut World) -> Said {
    if world.is_deaf(subject) {
        return refused(503, "its operations interface does not answer");
    }
    match world.look(subject) {
        // Nothing stands there: that is what 404 says, and the body says of what.
        Some(state) if state["blocked"] == Value::Bool(false) => Said::Answer(404, state),
        Some(state) => Said::Answer(200, state),
        None => refused(404, "there is no such thing here"),
    }
}

fn perform(command: &Command, world: &mut World, ledger: &mut Ledger, at: Timestamp) -> Said {
    let Command { subject, deed, key, fence, method, path } = command;
    let (target, request) = (subject.path(), format!("{method} {path}"));
    match ledger.admit(&target, *fence, key, &request) {
        Admission::Fenced(seen) => return refused(409, &format!("fence {seen} was here before")),
        Admission::OtherRequest => return refused(422, "this key was for another request"),
        // Nothing is done, but whoever asks hears no more of that than of what was.
        Admission::Again(..) | Admission::New if world.is_deaf(subject) => return Said::HangUp,
        Admission::Again(status, body) => return Said::Answer(status, body),
        Admission::New => {}
    }
    let Some(effect) = world.operate(subject, *deed) else { return refused(404, "there is no such thing here") };
    ledger.done(at, key, method, path, &effect);
    let mut body = world.look(subject).unwrap_or_default();
    body["effect"] = Value::String(effect);
    ledger.answered(key, &request, 200, body.clone());
    if world.is_deaf(subject) { Said::HangUp } else { Said::Answer(200, body) }
}

/// An answer that says why not.
fn refused(status: u16, why: &str) -> Said {
    Said::Answer(status, json!({ "error": why }))
}
