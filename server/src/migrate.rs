//! The migration of user ids: every reference to a user, wherever it stands, to that user's one hash id.
//!
//! What stands here looks and tells: the forms of ids ([`form`]), who the users are ([`roll`]), where
//! references stand ([`map`]), the references of one document and the document with other ids
//! ([`reference`]), and what a whole store holds ([`survey`]). What may happen to a migration, and what
//! comes of it, is its [`machine`]; how fast it goes and how long still, its [`progress`]. What the
//! application itself is asked, and what its answers mean, says [`queries`].
//!
//! [`plan`] is what all of that comes to, and what an approval binds to; [`run`] is where it is done.
//!
//! Architecture Invariant: pure, but for [`run`]. Nothing else here knows a store, a file, a clock or the
//! network, and nothing here knows of fixes. Documents come in as they were read; nobody here writes one.

pub mod check;
pub mod code;
pub mod drift;
pub mod event;
pub mod form;
pub mod machine;
pub mod map;
pub mod placeholder;
pub mod plan;
pub mod progress;
pub mod queries;
pub mod reference;
pub mod resolve;
pub mod roll;
pub mod run;
pub mod state;
pub mod survey;

pub use crate::problem::Refusal;
pub use event::{Decision, Effect, Event, Step};
pub use form::{Email, Form, HashId, MintKey};
pub use map::DataMap;
pub use plan::Plan;
pub use reference::{Mapping, Rewritten};
pub use resolve::{Resolution, resolve};
pub use roll::Roll;
pub use state::{Draft, MigrationState, Stop, Work};
pub use survey::{Report, Survey};
