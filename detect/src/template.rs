//! The message with its variables marked.
//!
//! One pass over the bytes, no regular expression: a word that holds a digit, stands in quotes or is
//! an address becomes `<*>`. It deliberately does not learn: the same text always has the same
//! template.

mod bytes;
mod checkpoint;
mod forms;
mod grown;
mod hash;
mod room;
mod scan;
mod tree;
mod words;

#[cfg(test)]
#[path = "template/grown_tests.rs"]
mod grown_tests;

pub use grown::{TemplateId, TemplateRow, Templates};

use std::hash::{DefaultHasher, Hasher};

use crate::key;

/// What stands for a variable.
pub(crate) const MARK: &str = "<*>";
/// Most bytes of a message that are looked at.
const LONGEST: usize = 512;
/// Most example values handed out.
const MOST_EXAMPLES: usize = 4;
/// Longest example, in bytes.
const LONGEST_EXAMPLE: usize = 80;

/// A piece of a message.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Fixed(&'a str),
    Variable(&'a str),
}

/// Letters that hold a word together: identifiers, paths, addresses, times.
fn joins(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(byte, b'_' | b'-' | b'.' | b':' | b'@' | b'/' | b'+' | b'~')
}

fn is_variable(word: &str) -> bool {
    let varies = |byte: u8| byte.is_ascii_digit() || byte == b'@';
    let long_hex = word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    long_hex || word.bytes().any(varies)
}

fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(LONGEST)]
}

/// Hands the pieces of `message` to `take`, in order.
fn pieces<'a>(message: &'a str, take: &mut dyn FnMut(Piece<'a>)) {
    let text = cut(message);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        if matches!(bytes[at], b'"' | b'\'' | b'`')
            && let Some(length) = memchr::memchr(bytes[at], &bytes[at + 1..])
            && (start == 0 || !bytes[start - 1].is_ascii_alphanumeric())
        {
            at += length + 2;
            take(Piece::Variable(&text[start + 1..at - 1]));
        } else if joins(bytes[at]) {
            while at < bytes.len() && joins(bytes[at]) {
                at += 1;
            }
            let word = &text[start..at];
            let body = word.trim_end_matches(['.', ':']);
            take(if is_variable(body) { Piece::Variable(body) } else { Piece::Fixed(body) });
            if body.len() < word.len() {
                take(Piece::Fixed(&word[body.len()..]));
            }
        } else {
            while at < bytes.len() && !joins(bytes[at]) && (at == start || !matches!(bytes[at], b'"' | b'\'' | b'`')) {
                at += 1;
            }
            take(Piece::Fixed(&text[start..at]));
        }
    }
}

/// The template of a message.
pub(crate) fn mask(message: &str) -> String {
    let mut masked = String::with_capacity(message.len().min(LONGEST));
    pieces(message, &mut |piece| match piece {
        Piece::Fixed(text) => masked.push_str(text),
        Piece::Variable(_) => masked.push_str(MARK),
    });
    masked
}

/// The key of the template of a message: equal for messages with equal [`mask`].
pub(crate) fn key_of(message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    pieces(message, &mut |piece| match piece {
        Piece::Fixed(text) => hasher.write(text.as_bytes()),
        Piece::Variable(_) => hasher.write(MARK.as_bytes()),
    });
    hasher.finish().max(key::NONE + 1)
}

/// Values that stand at the marks, the first few.
pub(crate) fn examples(message: &str) -> Vec<&str> {
    let mut found = Vec::new();
    pieces(message, &mut |piece| {
        if let Piece::Variable(text) = piece
            && found.len() < MOST_EXAMPLES
        {
            found.push(&text[..text.floor_char_boundary(LONGEST_EXAMPLE)]);
        }
    });
    found
}

/// The longest run of plain words, for finding the lines again; None when there is none to speak of.
pub(crate) fn fragment(message: &str) -> Option<&str> {
    const SHORTEST: usize = 6;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut joined = false;
    pieces(message, &mut |piece| {
        let Piece::Fixed(text) = piece else {
            joined = false;
            return;
        };
        let begin = text.as_ptr() as usize - message.as_ptr() as usize;
        let plain =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-' | b'.' | b':'));
        match runs.last_mut() {
            Some((_, end)) if joined && plain => *end = begin + text.len(),
            _ if plain => runs.push((begin, begin + text.len())),
            _ => {}
        }
        joined = plain;
    });
    let longest = runs
        .iter()
        .map(|&(from, to)| message[from..to].trim_matches(|letter: char| !letter.is_ascii_alphanumeric()))
        .max_by_key(|text| text.len())?;
    (longest.len() >= SHORTEST).then_some(longest)
}

/// The part of a message that the tree looks at: whole words, because half a value may not look like one.
fn head(message: &str) -> &str {
    let text = cut(message);
    if text.len() == message.len() {
        return text;
    }
    text.rfind(|letter: char| letter.is_whitespace()).map_or(text, |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_the_usual_shapes_are_marked() {
        for (message, template) in [
            ("Slow get_shared_agents: 734ms", "Slow get_shared_agents: <*>"),
            ("user ana@example.com from 203.0.113.9 failed.", "user <*> from <*> failed."),
            ("job 5f2c0a9e-1b2c-4d5e-8f90-0a1b2c3d4e5f took 12.5s", "job <*> took <*>"),
            ("cannot read 'tax_id' of undefined", "cannot read <*> of undefined"),
            ("it's a plain sentence", "it's a plain sentence"),
            ("open 'never closed", "open 'never closed"),
            ("", ""),
        ] {
            assert_eq!(mask(message), template);
        }
        assert_eq!(examples("Slow op: 734ms for \"ana\""), ["734ms", "ana"]);
    }

    #[test]
    fn equal_templates_have_equal_keys_and_others_do_not() {
        assert_eq!(key_of("took 12ms"), key_of("took 9ms"));
        assert_ne!(key_of("took 12ms"), key_of("lost 12ms"));
    }

    #[test]
    fn the_fragment_is_the_longest_plain_run() {
        assert_eq!(fragment("err 17: connection reset by peer at 10.0.0.1"), Some("connection reset by peer at"));
        assert_eq!(fragment("1 2 3"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_digit_survives_and_the_fragment_stands_in_the_text(message in "\\PC{0,80}") {
            proptest::prop_assert!(!mask(&message).bytes().any(|byte| byte.is_ascii_digit()));
            if let Some(fragment) = fragment(&message) {
                proptest::prop_assert!(message.contains(fragment));
            }
        }
    }
}
