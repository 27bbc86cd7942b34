//! Log event in, findings out: pure, deterministic, bounded. No IO, no clock, no async, no randomness.
//!
//! ```text
//! line ─> Mark (keys and flags) ─> Recent: tape of marks, kept lines, half hours of operations
//!           └─> rules/* ─> Desk of problems ─> Story (what the rule tells) ─> evidence ─> Finding
//! ```
//!
//! Every number in the evidence is a [`Figure`](stella_protocol::Figure): [`recompute`] counts it
//! again from the kept lines and gets the same.
//!
//! Architecture Invariant: nothing here knows where lines come from or where findings go.

mod cells;
mod counts;
mod engine;
mod evidence;
mod finding;
mod incident;
mod kept;
mod key;
mod mark;
mod measure;
mod recent;
mod rules;
mod scope;
pub mod series;
mod tape;
mod template;

pub use engine::Engine;
pub use finding::{Finding, Phase};
pub use measure::recompute;
pub use rules::Rules;
