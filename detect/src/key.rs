//! Names as 64-bit keys, so that a line costs no allocation.
//!
//! The hash is keyed with a constant: the same lines give the same findings in every run. It is a
//! `SipHash`, so nobody can cheaply invent a name that falls on somebody else's key.

use std::hash::{DefaultHasher, Hasher};

use stella_protocol::Untrusted;

/// The key of nothing: no name has it.
pub(crate) const NONE: u64 = 0;

/// Longest name that can stand in a query, in bytes; what is longer is not a name.
pub(crate) const LONGEST_NAME: usize = 256;

/// The key of a name.
pub(crate) fn of(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish().max(1)
}

/// The key of a name that may be missing. A lone dash is how a query writes "missing".
pub(crate) fn maybe(name: Option<&Untrusted<'_>>) -> u64 {
    name.filter(|name| name.raw() != "-").map_or(NONE, |name| of(name.raw()))
}

/// The key of several keys together, in this order.
pub(crate) fn join(parts: &[u64]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        hasher.write_u64(*part);
    }
    hasher.finish().max(1)
}
