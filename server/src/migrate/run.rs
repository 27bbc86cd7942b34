//! Where a migration is done: what reads and writes files and stores.
//!
//! The hub keeps where a migration stands; the [`ledger`] keeps what is long (every document seen, every
//! batch, every document written), the [`backup`] every document as it was before it was written. Both
//! are in the data folder and outlive the process. The [`desk`] answers what people ask of them; the
//! [`conductor`] takes migrations through their phases, each a room of its own here.

pub mod backup;
pub mod canary;
pub mod conductor;
pub mod copy;
pub mod cutover;
pub mod desk;
pub mod drift;
pub mod ledger;
pub mod office;
pub mod own;
pub mod queries;
pub mod rehearse;
pub mod rollback;
pub mod scan;
pub mod secure;
pub mod site;
pub mod throttle;
pub mod verify;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests;
