//! Faults in files that people write: which file, which line, what is wrong, what was perhaps meant.
//!
//! Used for the configuration and for themes, so that both complain alike. Reads no file itself.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A fault with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// Name of the file, as the operator knows it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What was perhaps meant, or what could stand there.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read {}, line {}: {}", self.file, self.line, self.what)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// A text with its name, for turning byte spans into lines.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// What stands in it.
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// Reads the whole text as TOML.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn table(self) -> Result<DeTable<'a>, Fault> {
        let parsed = DeTable::parse(self.text);
        parsed.map(Spanned::into_inner).map_err(|error| self.fault(&error.span().unwrap_or(0..0), error.message()))
    }

    /// A fault at a place.
    pub fn fault(self, at: &Range<usize>, what: impl Into<String>) -> Fault {
        let before = self.text.get(..at.start).unwrap_or_default();
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        Fault { file: self.file.to_owned(), line, what: what.into(), hint: None }
    }

    /// A fault about a name that is not one of `known`, with the nearest of them.
    pub fn unknown(self, at: &Range<usize>, kind: &str, name: &str, known: &[&str]) -> Fault {
        let what = format!("unknown {kind} `{}`", name.escape_debug());
        Fault { hint: Some(suggest(name, known)), ..self.fault(at, what) }
    }

    /// The keys of a table must be among `known`.
    ///
    /// # Errors
    /// At the first that is not.
    pub fn only(self, table: &DeTable<'_>, kind: &str, known: &[&str]) -> Result<(), Fault> {
        let stranger = table.iter().find(|(key, _)| !known.contains(&key.get_ref().as_ref()));
        stranger.map_or(Ok(()), |(key, _)| Err(self.unknown(&key.span(), kind, key.get_ref(), known)))
    }

    /// A string, if the key is there.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn string(self, table: &DeTable<'_>, key: &str) -> Result<Option<String>, Fault> {
        self.value(table, key, "text in quotes", |value| value.as_str().map(str::to_owned))
    }

    /// A yes or no, if the key is there.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn flag(self, table: &DeTable<'_>, key: &str) -> Result<Option<bool>, Fault> {
        let read = |value: &DeValue<'_>| if let DeValue::Boolean(flag) = value { Some(*flag) } else { None };
        self.value(table, key, "`true` or `false`", read)
    }

    /// A list of strings, if the key is there.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn strings(self, table: &DeTable<'_>, key: &str) -> Result<Option<Vec<String>>, Fault> {
        let read = |value: &DeValue<'_>| {
            let items = value.as_array()?;
            items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
        };
        self.value(table, key, "a list of texts in quotes", read)
    }

    fn value<T>(
        self,
        table: &DeTable<'_>,
        key: &str,
        wanted: &str,
        read: impl for<'v> Fn(&DeValue<'v>) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(found) = table.get(key) else {
            return Ok(None);
        };
        let wrong = || self.fault(&found.span(), format!("`{key}` wants {wanted}"));
        read(found.get_ref()).map(Some).ok_or_else(wrong)
    }
}

/// Names nearer than this are offered (Jaro–Winkler, 1 is equal): below it suggestions mislead.
const NEAR: f64 = 0.75;

/// The nearest of `known`, or all of them, in words.
pub fn suggest(name: &str, known: &[&str]) -> String {
    let scored = known.iter().map(|&word| (strsim::jaro_winkler(name, word), word));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0));
    match best {
        Some((score, word)) if score >= NEAR => format!("did you mean `{word}`?"),
        Some(_) => format!("known: {}", known.join(", ")),
        None => "there is none".to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_file_line_and_the_nearest_name() {
        let source = Source { file: "x.toml", text: "theme = \"dark\"\n\nbel = true\n" };
        let table = source.table().unwrap();
        let fault = source.only(&table, "key", &["theme", "bell"]).unwrap_err();
        assert_eq!(fault.to_string(), "read x.toml, line 3: unknown key `bel` (did you mean `bell`?)");
    }

    #[test]
    fn what_is_not_toml_says_where() {
        let fault = Source { file: "x.toml", text: "a = 1\nb = = 2\n" }.table().unwrap_err();
        assert_eq!(fault.line, 2);
    }
}
