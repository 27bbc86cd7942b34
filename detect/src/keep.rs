//! The engine's state as bytes: every field in its order, numbers as they stand in memory.
//!
//! Not a wire format: only the same edition reads it, and [`checkpoint`](crate::checkpoint) makes sure of
//! that. Fractions are kept bit by bit, since a restored engine must say the same bytes as one that
//! never stopped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stella_protocol::{Figure, LineId, LogEvent, Text, Timestamp};

/// What can be kept and read again.
pub(crate) trait Keep: Sized {
    fn keep(&self, to: &mut Vec<u8>);

    /// None: these are not its bytes.
    fn wake(from: &mut Reader<'_>) -> Option<Self>;
}

/// Bytes that are left to read.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of things that follow, each of which takes a byte at least (or none at all).
    fn length(&mut self) -> Option<usize> {
        usize::try_from(u64::wake(self)?).ok()
    }
}

/// Keeps a struct field by field.
macro_rules! keep_fields {
    ($name:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::keep::Keep for $name {
            fn keep(&self, to: &mut Vec<u8>) {
                $($crate::keep::Keep::keep(&self.$field, to);)+
            }

            fn wake(from: &mut $crate::keep::Reader<'_>) -> Option<Self> {
                Some(Self { $($field: $crate::keep::Keep::wake(from)?),+ })
            }
        }
    };
}
pub(crate) use keep_fields;

macro_rules! keep_numbers {
    ($($name:ty),+) => {
        $(impl Keep for $name {
            fn keep(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }

            fn wake(from: &mut Reader<'_>) -> Option<Self> {
                Some(Self::from_le_bytes(from.take(size_of::<Self>())?.try_into().ok()?))
            }
        })+
    };
}
keep_numbers!(u8, u16, u32, i32, u64, i64, f32, f64);

impl Keep for usize {
    fn keep(&self, to: &mut Vec<u8>) {
        (*self as u64).keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        usize::try_from(u64::wake(from)?).ok()
    }
}

impl Keep for bool {
    fn keep(&self, to: &mut Vec<u8>) {
        u8::from(*self).keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        match u8::wake(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Keep for crate::template::Templates {
    fn keep(&self, to: &mut Vec<u8>) {
        keep_wire(self, to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        wake_wire(from)
    }
}

impl Keep for String {
    fn keep(&self, to: &mut Vec<u8>) {
        self.len().keep(to);
        to.extend_from_slice(self.as_bytes());
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        let length = from.length()?;
        Self::from_utf8(from.take(length)?.to_vec()).ok()
    }
}

impl Keep for Box<str> {
    fn keep(&self, to: &mut Vec<u8>) {
        self.len().keep(to);
        to.extend_from_slice(self.as_bytes());
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        String::wake(from).map(Into::into)
    }
}

impl<T: Keep> Keep for Option<T> {
    fn keep(&self, to: &mut Vec<u8>) {
        self.is_some().keep(to);
        if let Some(value) = self {
            value.keep(to);
        }
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        if bool::wake(from)? { T::wake(from).map(Some) } else { Some(None) }
    }
}

impl<T: Keep> Keep for Box<T> {
    fn keep(&self, to: &mut Vec<u8>) {
        self.as_ref().keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        T::wake(from).map(Self::new)
    }
}

impl<T: Keep> Keep for Vec<T> {
    fn keep(&self, to: &mut Vec<u8>) {
        self.len().keep(to);
        for value in self {
            value.keep(to);
        }
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        // Grows as it reads: a false length must not take memory that the bytes do not back.
        let mut values = Vec::new();
        for _ in 0..from.length()? {
            values.push(T::wake(from)?);
        }
        Some(values)
    }
}

impl<T: Keep> Keep for VecDeque<T> {
    fn keep(&self, to: &mut Vec<u8>) {
        self.len().keep(to);
        for value in self {
            value.keep(to);
        }
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        Vec::wake(from).map(Into::into)
    }
}

impl<T: Keep, const N: usize> Keep for [T; N] {
    fn keep(&self, to: &mut Vec<u8>) {
        for value in self {
            value.keep(to);
        }
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        let values: Option<Vec<T>> = (0..N).map(|_| T::wake(from)).collect();
        values?.try_into().ok()
    }
}

impl<A: Keep, B: Keep> Keep for (A, B) {
    fn keep(&self, to: &mut Vec<u8>) {
        self.0.keep(to);
        self.1.keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::wake(from)?, B::wake(from)?))
    }
}

impl<A: Keep, B: Keep, C: Keep> Keep for (A, B, C) {
    fn keep(&self, to: &mut Vec<u8>) {
        self.0.keep(to);
        self.1.keep(to);
        self.2.keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::wake(from)?, B::wake(from)?, C::wake(from)?))
    }
}

impl<K: Keep + Ord, V: Keep> Keep for BTreeMap<K, V> {
    fn keep(&self, to: &mut Vec<u8>) {
        self.len().keep(to);
        for (key, value) in self {
            key.keep(to);
            value.keep(to);
        }
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        Vec::<(K, V)>::wake(from).map(|pairs| pairs.into_iter().collect())
    }
}

impl<V: Keep> Keep for FxHashMap<u64, V> {
    fn keep(&self, to: &mut Vec<u8>) {
        let mut keys: Vec<u64> = self.keys().copied().collect();
        keys.sort_unstable();
        keys.len().keep(to);
        for key in keys {
            key.keep(to);
            self[&key].keep(to);
        }
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        Vec::<(u64, V)>::wake(from).map(|pairs| pairs.into_iter().collect())
    }
}

/// Keeps what crosses the wire as it crosses it.
pub(crate) fn keep_wire<T: Serialize>(value: &T, to: &mut Vec<u8>) {
    serde_json::to_string(value).unwrap_or_default().keep(to);
}

pub(crate) fn wake_wire<T: DeserializeOwned>(from: &mut Reader<'_>) -> Option<T> {
    serde_json::from_str(&String::wake(from)?).ok()
}

macro_rules! keep_as_wire {
    ($($name:ty),+) => {
        $(impl Keep for $name {
            fn keep(&self, to: &mut Vec<u8>) {
                keep_wire(self, to);
            }

            fn wake(from: &mut Reader<'_>) -> Option<Self> {
                wake_wire(from)
            }
        })+
    };
}
keep_as_wire!(Figure, Text);

impl Keep for LineId {
    fn keep(&self, to: &mut Vec<u8>) {
        self.0.keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        u64::wake(from).map(Self)
    }
}

impl Keep for Timestamp {
    fn keep(&self, to: &mut Vec<u8>) {
        self.millis().keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        i64::wake(from).map(Self::from_millis)
    }
}

impl Keep for Arc<LogEvent<'static>> {
    fn keep(&self, to: &mut Vec<u8>) {
        keep_wire(self.as_ref(), to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        wake_wire::<LogEvent<'static>>(from).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again<T: Keep + PartialEq + std::fmt::Debug>(value: &T) {
        let mut bytes = Vec::new();
        value.keep(&mut bytes);
        let mut reader = Reader(&bytes);
        assert_eq!(T::wake(&mut reader).as_ref(), Some(value));
        assert!(reader.0.is_empty());
        for cut in 0..bytes.len() {
            assert_ne!(T::wake(&mut Reader(&bytes[..cut])).as_ref(), Some(value), "{cut} bytes are not all of it");
        }
    }

    #[test]
    fn everything_comes_back_and_a_part_of_it_does_not() {
        again(&(7_u32, -3_i64));
        again(&vec![Some(0.1_f64), None, Some(f64::MIN_POSITIVE)]);
        again(&BTreeMap::from([("a".to_owned(), true), ("é".to_owned(), false)]));
        again(&[1_u16, 2, 3]);
        again(&FxHashMap::from_iter([(9_u64, 1_u8), (3, 2)]));
    }

    #[test]
    fn a_false_length_is_refused_without_taking_its_memory() {
        let mut bytes = Vec::new();
        u64::MAX.keep(&mut bytes);
        assert_eq!(Vec::<u64>::wake(&mut Reader(&bytes)), None);
        assert_eq!(String::wake(&mut Reader(&bytes)), None);
    }

    #[test]
    fn a_number_that_is_none_stays_none() {
        let mut bytes = Vec::new();
        f64::NAN.keep(&mut bytes);
        assert!(f64::wake(&mut Reader(&bytes)).is_some_and(f64::is_nan));
    }
}
