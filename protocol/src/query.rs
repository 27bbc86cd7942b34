//! The one filter language: the console's list, saved views, the log search, `q=` of the routes and
//! the command line all speak it.
//!
//! `sev>=high service=pay* age<10m !snoozed text` with `and or ! ( )`, `~regex`, `"quoted words"`.
//! Terms beside each other are joined by `and`. It knows no object: whoever is searched answers by
//! [`Searchable`].

mod parse;

pub use parse::{QueryError, parse};

use regex::Regex;

/// What a field of an object holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Not there.
    Absent,
    /// Words. Bare ones in the query are compared without regard to case and `*` stands for anything;
    /// quoted ones must be equal.
    Word(&'a str),
    /// Several words: one that fits is enough.
    Words(Vec<&'a str>),
    /// A number; durations are milliseconds, times milliseconds since the epoch.
    Number(f64),
    /// A ranked word (severity): compared by rank.
    Rank(u8),
    /// A yes or a no.
    Flag(bool),
}

/// Something that a query can be asked of.
pub trait Searchable {
    /// What stands in the field with this (lower-case) name; None: there is no such field here.
    fn field(&self, name: &str) -> Option<Value<'_>>;

    /// True when `fits` holds for one of the texts that free words look at.
    fn any_text(&self, fits: &mut dyn FnMut(&str) -> bool) -> bool;
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Is,
    /// `!=`
    IsNot,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// A parsed query.
#[derive(Debug, Clone, Default)]
pub struct Query {
    root: Option<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Text(String),
    Pattern(Regex),
    Flag(String),
    Field { name: String, op: Op, wanted: Wanted },
    FieldPattern { name: String, pattern: Regex },
}

/// The right side of a comparison, read once.
#[derive(Debug, Clone)]
struct Wanted {
    word: String,
    /// Written in quotes: compared letter by letter, and `*` is only a star.
    exact: bool,
    number: Option<f64>,
    rank: Option<u8>,
}

impl Query {
    /// True when nothing is asked: everything fits.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// True when `object` fits. A field that the object does not have fits nothing.
    pub fn matches(&self, object: &impl Searchable) -> bool {
        self.root.as_ref().is_none_or(|node| node.matches(object))
    }

    /// The fields and flags that the query names, in the order in which they stand.
    pub fn fields(&self) -> Vec<&str> {
        let mut found = Vec::new();
        if let Some(node) = &self.root {
            node.fields(&mut found);
        }
        found
    }

    /// The free words and patterns that stand in the query un-negated, for marking them in a text.
    pub fn words(&self) -> Vec<&str> {
        let mut found = Vec::new();
        if let Some(node) = &self.root {
            node.words(&mut found);
        }
        found
    }
}

impl Node {
    fn matches(&self, object: &impl Searchable) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.matches(object)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(object)),
            Self::Not(node) => !node.matches(object),
            Self::Text(word) => object.any_text(&mut |text| contains(text, word)),
            Self::Pattern(pattern) => object.any_text(&mut |text| pattern.is_match(text)),
            Self::Flag(name) => object.field(name).is_some_and(|value| value == Value::Flag(true)),
            Self::FieldPattern { name, pattern } => match object.field(name) {
                Some(Value::Word(word)) => pattern.is_match(word),
                Some(Value::Words(words)) => words.iter().any(|word| pattern.is_match(word)),
                _ => false,
            },
            Self::Field { name, op, wanted } => object.field(name).is_some_and(|value| compare(&value, *op, wanted)),
        }
    }

    fn fields<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().for_each(|node| node.fields(found)),
            Self::Not(node) => node.fields(found),
            Self::Flag(name) | Self::Field { name, .. } | Self::FieldPattern { name, .. } => found.push(name),
            Self::Text(_) | Self::Pattern(_) => {}
        }
    }

    fn words<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().for_each(|node| node.words(found)),
            Self::Text(word) => found.push(word),
            _ => {}
        }
    }
}

fn compare(value: &Value<'_>, op: Op, wanted: &Wanted) -> bool {
    let order = |left: f64, right: Option<f64>| right.and_then(|right| left.partial_cmp(&right));
    let ordering = match value {
        Value::Absent => return op == Op::IsNot || (op == Op::Is && wanted.word == "-"),
        Value::Word(word) => return by_word(&[word], op, wanted),
        Value::Words(words) => return by_word(words, op, wanted),
        Value::Flag(flag) => {
            let same = wanted.word == if *flag { "true" } else { "false" };
            return same == (op == Op::Is);
        }
        Value::Number(number) => order(*number, wanted.number),
        Value::Rank(rank) => order(f64::from(*rank), wanted.rank.map(f64::from)),
    };
    let Some(ordering) = ordering else { return op == Op::IsNot };
    match op {
        Op::Is => ordering.is_eq(),
        Op::IsNot => ordering.is_ne(),
        Op::Less => ordering.is_lt(),
        Op::AtMost => ordering.is_le(),
        Op::More => ordering.is_gt(),
        Op::AtLeast => ordering.is_ge(),
    }
}

fn by_word(words: &[&str], op: Op, wanted: &Wanted) -> bool {
    let fits = |word: &&str| if wanted.exact { *word == wanted.word } else { like(word, &wanted.word) };
    let any = words.iter().any(fits);
    match op {
        Op::Is => any,
        Op::IsNot => !any,
        Op::Less | Op::AtMost | Op::More | Op::AtLeast => false,
    }
}

/// True when `text` holds `word`, without regard to ASCII case. `word` is lower case.
fn contains(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    word.is_empty() || text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// True when `text` is `wanted`, where `*` stands for any run of characters. Linear in the product
/// of both lengths at worst, without backtracking over more than one star.
fn like(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    let (mut t, mut w, mut star) = (0, 0, None);
    while t < text.len() {
        if w < wanted.len() && wanted[w] == b'*' {
            star = Some((w, t));
            w += 1;
        } else if w < wanted.len() && wanted[w].eq_ignore_ascii_case(&text[t]) {
            (t, w) = (t + 1, w + 1);
        } else if let Some((at, begun)) = star {
            star = Some((at, begun + 1));
            (t, w) = (begun + 1, at + 1);
        } else {
            return false;
        }
    }
    wanted[w..].iter().all(|&byte| byte == b'*')
}

/// Writes `field=value` so that [`parse`] reads back exactly this value.
pub fn term(field: &str, value: &str) -> String {
    let mut quoted = String::with_capacity(field.len() + value.len() + 3);
    quoted.push_str(field);
    quoted.push_str("=\"");
    for letter in value.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row;

    impl Searchable for Row {
        fn field(&self, name: &str) -> Option<Value<'_>> {
            Some(match name {
                "sev" => Value::Rank(3),
                "service" => Value::Word("Pay-API"),
                "user" => Value::Words(vec!["ana", "b*b"]),
                "age" => Value::Number(90_000.0),
                "snoozed" => Value::Flag(false),
                "owner" => Value::Absent,
                _ => return None,
            })
        }

        fn any_text(&self, fits: &mut dyn FnMut(&str) -> bool) -> bool {
            fits("Slow get_shared_agents: 734ms")
        }
    }

    fn holds(query: &str) -> bool {
        parse(query).is_ok_and(|query| query.matches(&Row))
    }

    #[test]
    fn a_query_says_what_its_reader_expects() {
        for query in [
            "",
            "sev>=high service=pay* age<10m !snoozed slow",
            "sev=high and (service=auth or service=pay-api)",
            "~get_.*agents",
            "service=\"Pay-API\"",
            "service~^Pay",
            "user=\"b*b\"",
            "owner=-",
            "not owner=sre-1",
            "age>=1m30s",
            "\"slow get_shared\"",
        ] {
            assert!(holds(query), "{query}");
        }
        for query in ["sev=critical", "service=\"pay-api\"", "user=\"a*\"", "nofield=1", "snoozed", "age>90s", "fast"] {
            assert!(!holds(query), "{query}");
        }
    }

    #[test]
    fn a_wrong_query_names_the_place() {
        for (query, at) in
            [("sev>=", 5), ("(a", 2), ("a)", 1), ("~[", 0), ("\"open", 0), ("sev>=huge", 5), ("age<soon", 4)]
        {
            assert_eq!(parse(query).err().map(|error| error.at), Some(at), "{query}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_value_written_as_a_term_is_found_again(value in ".{0,40}") {
            struct Named(String);
            impl Searchable for Named {
                fn field(&self, _: &str) -> Option<Value<'_>> { Some(Value::Word(&self.0)) }
                fn any_text(&self, _: &mut dyn FnMut(&str) -> bool) -> bool { false }
            }
            let query = parse(&term("user", &value));
            proptest::prop_assert!(query.is_ok_and(|query| query.matches(&Named(value))));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }
    }
}
