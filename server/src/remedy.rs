//! Fixes: from a detection to an effect that was approved, proved, and can be taken back.
//!
//! A definition ([`definition`]) and an alert give a plan ([`plan`]) whose digest people approve; the
//! machine ([`machine`]) says what may happen next and why not; [`policy`] says who may decide and
//! whether anything may run at all. All of these are pure. Only [`run`] performs: intent before effect,
//! a probe where the outcome is unknown, and never a guess.
//!
//! Architecture Invariant: nothing but `run` knows tokio, the network, processes or the clock, and
//! nothing here knows how fixes are kept or who reads of them.

pub mod definition;
pub mod event;
pub mod inventory;
pub mod machine;
pub mod parameter;
pub mod plan;
pub mod policy;
pub mod run;
pub mod settings;
pub mod state;

pub use crate::problem::Refusal;
pub use event::{Decision, Effect, Event, Intent, Outcome, Said, Step, Superseded, Verdict};
pub use state::{BeforeImage, Draft, FixState, Work};

/// Who acts when nobody did, and stands in audit rows that no person caused.
pub const SYSTEM: &str = crate::alerts::SYSTEM;
