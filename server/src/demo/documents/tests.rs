//! The figures of both worlds, whatever the seed.
#![allow(clippy::unwrap_used, reason = "tests")]
