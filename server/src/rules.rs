//! What is looked for and how it is set: as the server ships it, as the configuration file says, as an
//! administrator changed it while the server ran.
//!
//! ```text
//! shipped ─┐
//! [[rule]] ─┼─> RuleBook ─> stella_detect::Rules (the engine), words for alerts, Rule (the wire)
//! changes  ─┘
//! ```
//!
//! A rule is told by its id. Where several fit a problem, the last one counts, for what it says; those of the file
//! come behind the shipped ones, in the order of the file. Nothing here decides whether somebody may change one,
//! and nothing keeps it: that is [`crate::hub`].

mod book;
mod kept;
pub mod preview;
mod read;
mod score;
mod target;
#[cfg(test)]
mod tests;
pub mod watch;
mod written;

pub use book::{NotChanged, RuleBook};
pub use kept::Kept;
pub use read::{RuleFile, is_id, read};
pub use score::{give, scores};
pub use written::{What, Written};
