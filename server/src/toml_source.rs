//! Reads TOML with its places, and collects every problem instead of stopping at the first.
//!
//! Whoever writes a definition or a data map wants to hear of all mistakes at once, each with file, line and what to
//! write instead. A key that nobody asked for is a mistake too. Knows neither fixes nor migrations.

mod section;
mod span;

use std::cell::RefCell;
use std::fmt;

use toml::Spanned;
use toml::de::DeTable;

pub use section::Section;
pub use span::{read_span, span_words};

/// Least likeness (0 to 1) of a word that is suggested.
const LIKENESS: f64 = 0.7;

/// Something wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Name of the file.
    pub file: String,
    /// From 1; 0: the file as a whole.
    pub line: usize,
    /// What is wrong, and what to write instead. Pieces of the file in it are escaped.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.what);
        }
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A file that is being read.
#[derive(Debug)]
pub struct Source<'a> {
    file: &'a str,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

/// A value and where it stands: bytes from the file's begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub at: usize,
}

impl<T> Placed<T> {
    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Placed<U> {
        Placed { value: change(self.value), at: self.at }
    }
}

impl<'a> Source<'a> {
    /// A file by its name and text.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, problems: RefCell::default() }
    }

    /// Its tables; None, and a problem, when it is no TOML.
    pub fn parse(&self) -> Option<Spanned<DeTable<'a>>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table),
            Err(error) => {
                self.problem(error.span().map_or(0, |span| span.start), shown(error.message()));
                None
            }
        }
    }

    /// Adds a problem at a place.
    pub fn problem(&self, at: usize, what: impl Into<String>) {
        let problem = Problem { file: self.file.to_owned(), line: self.line(at), what: what.into() };
        self.problems.borrow_mut().push(problem);
    }

    /// Everything that was wrong, in the order of the file.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems.dedup();
        problems
    }

    /// True when nothing was wrong so far.
    pub fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        1 + before.filter(|byte| **byte == b'\n').count()
    }
}

/// What may have been meant instead, or what is known at all.
pub fn suggestion<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    known.dedup();
    let likeness = |known: &&str| strsim::jaro_winkler(known, word);
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match best {
        Some(best) if likeness(&best) >= LIKENESS => format!("; did you mean `{best}`?"),
        Some(_) => format!("; known are {}", known.join(", ")),
        None => "; nothing is known here".to_owned(),
    }
}

/// A piece of a file, harmless for a terminal, and cut.
pub fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect::<String>().replace("\\'", "'").replace("\\\"", "\"")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_named_with_its_line_and_the_nearest_word() {
        let text = "title = 3\nrisc = \"low\"\n\n[limits]\nevery = \"soon\"\n";
        let source = Source::new("x.toml", text);
        let table = source.parse().unwrap();
        let root = Section::root(&source, &table);
        assert!(root.text("title").is_none());
        assert!(root.word("risk", &[("low", 1)]).is_none());
        let limits = root.section("limits").unwrap();
        assert!(limits.span("every", &(1_000..=60_000)).is_none());
        limits.finish();
        root.finish();
        let problems: Vec<String> = source.into_problems().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "x.toml:1: `title` is an integer; want a text",
                "x.toml:2: unknown key `risc`; did you mean `risk`?",
                "x.toml:5: `limits.every` is `soon`, which is no span; want a span from 1s to 1m, like `30s`",
            ]
        );
    }

    #[test]
    fn what_a_file_says_reaches_no_terminal_raw() {
        let source = Source::new("x.toml", "a = \"\u{1b}");
        assert!(source.parse().is_none());
        assert!(source.into_problems().iter().all(|problem| !problem.what.contains('\u{1b}')));
    }
}
