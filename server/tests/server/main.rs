//! The real server on port 0, asked over HTTP as its clients ask it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod actions;
#[cfg(not(target_env = "musl"))]
mod allocator;
mod bad_input;
mod documents;
mod feed;
mod fixes;
mod guide;
mod guides;
mod harness;
mod intake;
mod migrations;
mod presence;
mod process;
mod reads;
mod roles;
mod rules;
mod teaching;
mod waiting;
