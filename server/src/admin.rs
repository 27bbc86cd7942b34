//! Administrative commands: one JSON line each way over `DIR/admin.sock`, or on the store itself while
//! no server runs.
//!
//! Whoever may open the socket (mode 0600, and the same user on the other end) is an administrator:
//! that is how the first token of a server comes to be. Knows no HTTP.

mod command;
pub mod documents;
pub mod fixes;
mod socket;

pub(crate) use command::known_tokens;
pub use command::{AdminAnswer, AdminError, AdminRequest, TokenRow, run};
pub(crate) use socket::{Office, open, serve};
