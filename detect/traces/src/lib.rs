//! Labelled traces of invented applications, and what a detector makes of them: for daily work on detection,
//! for its tests and for its figures.
//!
//! ```text
//! Town ─> Place (a town under a seed) ─> Draft ─> Schedule: labels, what is benign, effects
//!                    └─> Trace: people act, meet the effects, leave lines ─> Detector ─> Score
//! ```
//!
//! The same town, seed and traffic give the same lines and labels. What goes wrong is drawn from what happens to
//! applications, not from what a detector can do; half of the towns are held out (see [`Town::held_out`]).
//! Nothing here is part of the product.

mod detector;
mod dice;
mod incident;
mod line;
mod naive;
mod people;
mod place;
mod plan;
mod score;
mod town;
mod trace;

pub use detector::{Detector, Notice};
pub use incident::{Benign, Kind, Label};
pub use naive::Naive;
pub use plan::{Cause, Span};
pub use score::{False, Missed, Score, Tally, judge};
pub use town::{Deed, Fault, Gauge, Ids, Op, Shape, Speech, TOWNS, Town, Worker};
pub use trace::{Line, Trace, midnight};
