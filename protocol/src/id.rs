//! Identifiers. An id that came over the wire has been checked on the way in, so it may be shown.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest id that a reader accepts, in bytes.
const LONGEST_ID: usize = 32;

/// A text was not an id of the wanted form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read an id: want `{prefix}` and then letters, digits or `-`, {LONGEST_ID} characters at most")]
pub struct BadId {
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The id as written: lower case, safe to show.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let id = text.to_ascii_lowercase();
                let fits = id.len() <= LONGEST_ID
                    && id.len() > $prefix.len()
                    && id.starts_with($prefix)
                    && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                if fits { Ok(Self(id.into())) } else { Err(BadId { prefix: $prefix }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// An alert: `a-` and 7 Crockford base-32 characters.
    AlertId,
    "a-"
);
id!(
    /// One triage action, the unit of undo: `act-N`.
    ActionId,
    "act-"
);
id!(
    /// One execution of a fix: `fx-N`.
    FixId,
    "fx-"
);
id!(
    /// One migration: `mig-N`.
    MigrationId,
    "mig-"
);
id!(
    /// A console while it runs, so that two of one person are two: `con-` and what it drew at its start.
    ConsoleId,
    "con-"
);
id!(
    /// A user report: `tkt-N` (written `TKT-N` by people).
    TicketId,
    "tkt-"
);

impl ConsoleId {
    /// The id that a console gives itself from a number that it drew.
    pub fn drawn(number: u64) -> Self {
        Self(format!("{}{number:016x}", Self::PREFIX).into())
    }
}

/// A kept log line: dense, in the order in which the server took the lines in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LineId(pub u64);

/// A place in the feed: written `EPOCH.SEQ`, both decimal.
///
/// `seq` is dense over all replayable events of an epoch; the epoch changes when history was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cursor {
    /// Which history this sequence belongs to.
    pub epoch: u64,
    /// The number of the last event seen.
    pub seq: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}

/// A text was not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a cursor: want EPOCH.SEQ, two decimal numbers")]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let decimal = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten().ok_or(BadCursor)
        };
        let (epoch, seq) = text.split_once('.').ok_or(BadCursor)?;
        Ok(Self { epoch: decimal(epoch)?, seq: decimal(seq)? })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_case_insensitive_and_refuse_what_cannot_be_shown() {
        assert_eq!("A-4F21ABC".parse::<AlertId>().map(|id| id.to_string()), Ok("a-4f21abc".into()));
        for bad in ["", "a-", "4f21", "a-\u{1b}[2J", "a-x y", "a-\u{202e}", &"a-x".repeat(20)] {
            assert!(bad.parse::<AlertId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_cursor_is_two_decimal_numbers_and_nothing_else() {
        assert_eq!("7.48213".parse(), Ok(Cursor { epoch: 7, seq: 48_213 }));
        for bad in ["", "7", "7.", ".1", "+7.1", "7.-1", "7.1.2", "99999999999999999999.1", "a.b"] {
            assert_eq!(bad.parse::<Cursor>(), Err(BadCursor), "{bad:?}");
        }
    }
}
