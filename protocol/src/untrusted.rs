//! Text from outside, marked as such by its type until a sanitiser has seen it.
//!
//! There is deliberately no `Display`: a log line, a user name or a server's answer cannot reach a
//! terminal, a log or an error message by accident. `raw` is the one door, and easy to search for.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Hostile text, borrowed from the bytes that brought it or owned.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Untrusted<'a>(Cow<'a, str>);

/// Owned hostile text.
pub type Text = Untrusted<'static>;

impl<'a> Untrusted<'a> {
    /// Marks text as coming from outside.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self(text.into())
    }

    /// The text as it came. Never print what this returns: pass it through the sanitiser.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text, owned.
    pub fn into_owned(self) -> Text {
        Untrusted(Cow::Owned(self.0.into_owned()))
    }

    /// A copy that owns its text.
    pub fn to_text(&self) -> Text {
        Untrusted(Cow::Owned(self.0.to_string()))
    }

    /// The same text as a view that does not own it.
    pub fn borrowed(&self) -> Untrusted<'_> {
        Untrusted(Cow::Borrowed(&self.0))
    }
}

impl fmt::Debug for Untrusted<'_> {
    /// Escaped, so that even a debug print cannot carry a control sequence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Untrusted(\"{}\")", self.0.escape_default())
    }
}

impl<'a> From<&'a str> for Untrusted<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Untrusted<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl Serialize for Untrusted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Always owned: the ingest mapper, which is where borrowing pays, builds its values by hand.
impl<'de> Deserialize<'de> for Untrusted<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_carries_no_control_byte() {
        let shown = format!("{:?}", Untrusted::from("\x1b[2Jboo\u{202e}"));
        assert!(shown.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{shown}");
    }
}
