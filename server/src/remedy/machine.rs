//! The machine of a fix (4-machines.md, 4.2): what may happen next, what comes of it, and why not.
//!
//! Pure: one function of a state, an event and a moment.

use stella_protocol::{Code, FixId, Timestamp};

use super::{Draft, Event, FixState, Refusal, Step};

/// The first state of a proposal.
pub fn open(_draft: Draft, _id: FixId, _now: Timestamp) -> Option<FixState> {
    None
}

/// The machine.
///
/// # Errors
/// Why the step is not taken.
pub fn step(_state: &FixState, _event: &Event, _now: Timestamp) -> Result<Step, Refusal> {
    Err(Refusal::new(Code::IllegalTransition, "not there yet"))
}
