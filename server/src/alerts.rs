//! The alert machine: what matches, people and time do to an alert.
//!
//! One pure function, [`step`], takes a state, an event and the moment, and gives the next state with
//! its effects, or a refusal. It deliberately knows no store, no feed, no thread and no clock: the hub
//! performs what is returned here, and whoever replays the same events gets the same alerts.

mod fingerprint;
mod fixes;
pub(crate) mod group;
mod machine;
#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod sample;
mod state;
mod verbs;

pub use fingerprint::{fingerprint, fingerprint_of};
pub use machine::{Cause, Effect, Event, MOST_RELATED, Step, is_due, open, related, step};
pub use state::{AlertState, Moment, Triage, Watch};
pub use verbs::{Act, Refusal};

/// Who closes what ends by itself, and stands in audit rows that no person caused.
pub const SYSTEM: &str = "system";
