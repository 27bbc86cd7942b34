//! Reads the filter language. Recursive descent with a depth limit, errors with the place.

use regex::{Regex, RegexBuilder};

use super::{Node, Op, Query, Wanted};
use crate::Timestamp;

/// Deepest nesting of brackets and negations.
const DEEPEST: usize = 32;
/// Longest query in bytes.
const LONGEST: usize = 4096;
/// Largest compiled pattern, so that a query cannot take the server's memory.
const PATTERN_BYTES: usize = 1 << 20;

/// A text was not a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the filter: {what}")]
pub struct QueryError {
    /// Where, as a byte offset: put the caret under it.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Reads a query. The empty text is the query that everything fits.
///
/// # Errors
/// With the place and what was expected there.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    if text.len() > LONGEST {
        return Err(QueryError { at: LONGEST, what: format!("longer than {LONGEST} bytes") });
    }
    let mut reader = Reader { text, at: 0, depth: 0 };
    if reader.at_end() {
        return Ok(Query::default());
    }
    let root = reader.any_of()?;
    if !reader.at_end() {
        return Err(reader.error(reader.at, "a bracket closes that was never opened"));
    }
    Ok(Query { root: Some(root) })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    #[expect(clippy::unused_self, reason = "reads as a sentence at every call")]
    fn error(&self, at: usize, what: &str) -> QueryError {
        QueryError { at, what: what.to_owned() }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn at_end(&mut self) -> bool {
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.rest().is_empty()
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = self.rest().starts_with(mark);
        self.at += if found { mark.len() } else { 0 };
        found
    }

    /// Takes `word` when it stands alone.
    fn take_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let found = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && rest[word.len()..].starts_with(|next: char| next.is_whitespace() || next == '(' || next == '!');
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn any_of(&mut self) -> Result<Node, QueryError> {
        let mut nodes = vec![self.all_of()?];
        while !self.at_end() && self.take_word("or") {
            nodes.push(self.all_of()?);
        }
        Ok(if nodes.len() == 1 { nodes.swap_remove(0) } else { Node::Or(nodes) })
    }

    fn all_of(&mut self) -> Result<Node, QueryError> {
        let mut nodes = vec![self.negated()?];
        while !self.at_end() && !self.rest().starts_with(')') && !self.stands_or() {
            self.take_word("and");
            nodes.push(self.negated()?);
        }
        Ok(if nodes.len() == 1 { nodes.swap_remove(0) } else { Node::And(nodes) })
    }

    fn stands_or(&mut self) -> bool {
        let before = self.at;
        let found = self.take_word("or");
        self.at = before;
        found
    }

    fn negated(&mut self) -> Result<Node, QueryError> {
        if self.at_end() {
            return Err(self.error(self.at, "something to look for is missing here"));
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(self.at, "nested too deep"));
        }
        let node = if self.take("!") || self.take_word("not") {
            Node::Not(Box::new(self.negated()?))
        } else if self.take("(") {
            let inner = self.any_of()?;
            if self.at_end() || !self.take(")") {
                return Err(self.error(self.at, "a `)` is missing here"));
            }
            inner
        } else {
            self.term()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn term(&mut self) -> Result<Node, QueryError> {
        let start = self.at;
        if self.take("~") {
            return Ok(Node::Pattern(self.pattern(start)?));
        }
        if self.rest().starts_with('"') {
            return Ok(Node::Text(self.value()?.0.to_lowercase()));
        }
        let name = self.bare(|letter| "=<>!~()\"".contains(letter) || letter.is_whitespace());
        if self.take("~") {
            let pattern = self.pattern(start)?;
            return Ok(Node::FieldPattern { name: name.to_ascii_lowercase(), pattern });
        }
        let Some(op) = self.op() else {
            return self.word(start, name);
        };
        if name.is_empty() {
            return Err(self.error(start, "a field name is missing before the comparison"));
        }
        let at = self.at;
        let (word, exact) = self.value()?;
        if word.is_empty() && !exact {
            return Err(self.error(at, "a value is missing after the comparison"));
        }
        let name = name.to_ascii_lowercase();
        let wanted = Wanted { number: number(&word), rank: rank(&word), word, exact };
        let ranked = matches!(name.as_str(), "sev" | "severity" | "risk");
        if ranked && wanted.rank.is_none() {
            return Err(self.error(at, "want low, medium, high or critical"));
        }
        if !ranked && !matches!(op, Op::Is | Op::IsNot) && wanted.number.is_none() {
            return Err(self.error(at, "want a number, a duration such as 10m, or a time"));
        }
        Ok(Node::Field { name, op, wanted })
    }

    fn word(&mut self, start: usize, word: &str) -> Result<Node, QueryError> {
        if word.is_empty() {
            return Err(self.error(start, "something to look for is missing here"));
        }
        let word = word.to_lowercase();
        let flag = matches!(word.as_str(), "snoozed" | "mine" | "firing" | "quiet" | "open" | "unacked");
        Ok(if flag { Node::Flag(word) } else { Node::Text(word) })
    }

    fn op(&mut self) -> Option<Op> {
        [("!=", Op::IsNot), ("<=", Op::AtMost), (">=", Op::AtLeast), ("=", Op::Is), ("<", Op::Less), (">", Op::More)]
            .into_iter()
            .find_map(|(mark, op)| self.take(mark).then_some(op))
    }

    fn pattern(&mut self, start: usize) -> Result<Regex, QueryError> {
        let (pattern, _) = self.value()?;
        RegexBuilder::new(&pattern)
            .case_insensitive(true)
            .size_limit(PATTERN_BYTES)
            .build()
            .map_err(|_| self.error(start, "not a regular expression this filter can run"))
    }

    fn bare(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(ends).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// A value, and whether it stood in quotes.
    fn value(&mut self) -> Result<(String, bool), QueryError> {
        let start = self.at;
        if !self.take("\"") {
            return Ok((self.bare(|letter| letter == ')' || letter.is_whitespace()).to_owned(), false));
        }
        let mut value = String::new();
        let mut letters = self.rest().char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.at += at + 1;
                    return Ok((value, true));
                }
                '\\' => value.push(letters.next().map_or('\\', |(_, next)| next)),
                _ => value.push(letter),
            }
        }
        Err(self.error(start, "a closing quote is missing"))
    }
}

/// `12`, `0.5`, `88k`, `10m`, `1h30m`, `12%`, or an RFC 3339 time in milliseconds.
fn number(word: &str) -> Option<f64> {
    if let Ok(plain) = word.trim_end_matches('%').parse::<f64>() {
        return plain.is_finite().then_some(plain);
    }
    if let Some(at) = Timestamp::parse(word) {
        return Some(at.millis() as f64);
    }
    let mut total = 0.0;
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|letter: char| letter.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let factor = match &rest[digits..unit_end] {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            "k" if unit_end == rest.len() => 1000.0,
            _ => return None,
        };
        total += amount * factor;
        rest = &rest[unit_end..];
    }
    Some(total)
}

fn rank(word: &str) -> Option<u8> {
    Some(match word.to_ascii_lowercase().as_str() {
        "low" => 1,
        "med" | "medium" => 2,
        "high" => 3,
        "crit" | "critical" => 4,
        _ => return None,
    })
}
