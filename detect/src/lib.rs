//! Log event in, findings out: pure, deterministic, bounded. No IO, no clock, no async, no randomness.
//!
//! ```text
//! line ─> Mark (keys and flags) ─> Recent: tape of marks, kept lines, half hours of operations
//!           └─> rules/*: baseline (what is usual) ─> llr (how much likelier if something changed)
//!                 └─ enough for the budget ─> Desk of problems ─> Story ─> evidence ─> Finding
//! ```
//!
//! Every number in the evidence is a [`Figure`](stella_protocol::Figure): [`recompute`] counts it
//! again from the kept lines and gets the same.
//!
//! Architecture Invariant: nothing here knows where lines come from or where findings go.

mod baseline;
mod budget;
mod cells;
mod checkpoint;
mod counts;
mod deploys;
mod engine;
mod evidence;
mod faults;
mod finding;
mod fit;
mod gate;
mod incident;
mod keep;
mod kept;
mod key;
mod kin;
mod lesson;
mod llr;
mod mark;
mod measure;
mod overall;
mod recent;
mod rules;
mod scope;
pub mod series;
mod speed;
mod subject;
mod tape;
mod template;
mod worth;

pub use checkpoint::{Checkpoint, Refused};
pub use engine::Engine;
pub use finding::{Finding, Phase};
pub use fit::Fit;
pub use lesson::Lesson;
pub use measure::recompute;
pub use rules::{GaugeLimit, Known, Limit, Objective, Pattern, Rules, Setting};
pub use template::{TemplateId, TemplateRow, Templates};
pub use worth::Worth;
