//! Names as 64-bit keys, so that a line costs no allocation.
//!
//! The same lines give the same findings in every run, so nothing here is random. Names from outside go through
//! `SipHash`, so nobody can cheaply invent a name that falls on somebody else's key; what is joined of such keys, and
//! our own names, need no more than to be spread.

use std::hash::{DefaultHasher, Hasher};

use rustc_hash::FxHasher;
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

/// Names whose keys are remembered, and the longest of them, in bytes: those of services and operations are few and
/// short.
const REMEMBERED: usize = 256;
const LONGEST_REMEMBERED: usize = 64;

/// Keys of names that come again and again: to compare one costs less than to hash it. A name is found by a cheap hash
/// and known by itself, so whoever invents names makes this slow and never wrong.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<(Box<str>, u64)>);

impl Names {
    /// The key of a name.
    pub(crate) fn of(&mut self, name: &str) -> u64 {
        if name.len() > LONGEST_REMEMBERED {
            return of(name);
        }
        if self.0.is_empty() {
            self.0 = vec![(Box::default(), of("")); REMEMBERED];
        }
        let mut hasher = FxHasher::default();
        hasher.write(name.as_bytes());
        let (held, key) = &mut self.0[hasher.finish() as usize % REMEMBERED];
        if **held != *name {
            (*held, *key) = (name.into(), of(name));
        }
        *key
    }

    /// The key of a name that may be missing, as [`maybe`] has it.
    pub(crate) fn maybe(&mut self, name: Option<&Untrusted<'_>>) -> u64 {
        name.filter(|name| name.raw() != "-").map_or(NONE, |name| self.of(name.raw()))
    }
}

/// The key of several keys together, in this order.
pub(crate) const fn join(parts: &[u64]) -> u64 {
    let (mut mixed, mut nth) = (0, 0);
    while nth < parts.len() {
        mixed = mix(mixed ^ parts[nth]);
        nth += 1;
    }
    if mixed == NONE { 1 } else { mixed }
}

/// The key of a name of our own, made while compiling.
pub(crate) const fn own(name: &str) -> u64 {
    let (bytes, mut mixed, mut nth) = (name.as_bytes(), 0, 0);
    while nth < bytes.len() {
        mixed = mix(mixed ^ bytes[nth] as u64);
        nth += 1;
    }
    mixed
}

/// Adds the golden ratio, so that nothing stays nothing, and spreads every bit over all: one step of `SplitMix64`
/// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), which loses nothing.
const fn mix(key: u64) -> u64 {
    let key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_joined_depends_on_every_part_and_on_their_order() {
        let parts = [of("api"), of("read"), NONE];
        let ways = [&parts[..2], &parts[..], &[parts[1], parts[0]], &[parts[0]], &[NONE], &[NONE, NONE]];
        let keys: BTreeSet<u64> = ways.into_iter().map(join).collect();
        assert_eq!(keys.len(), 6);
        let near: BTreeSet<u64> = (0..10_000).map(|n| join(&[n, 1]) >> 40).collect();
        assert!(near.len() > 9_990, "{} differ in their upper bits", near.len());
    }

    #[test]
    fn a_remembered_key_is_the_key() {
        let mut names = Names::default();
        for nth in 0..2000 {
            let name = format!("operation-{}", nth % 700);
            assert_eq!(names.of(&name), of(&name));
        }
        let long = "x".repeat(LONGEST_REMEMBERED + 1);
        assert_eq!((names.of(""), names.of(&long)), (of(""), of(&long)));
        assert_eq!(names.maybe(Some(&Untrusted::from("-"))), NONE);
    }

    #[test]
    fn our_own_names_differ() {
        assert_ne!(own("data.form"), own("data.forn"));
        assert_ne!(own("data"), own("data\0"));
    }
}
