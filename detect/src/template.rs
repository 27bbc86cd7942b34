//! The message with its variables marked: learned by [`Templates`]; and its plain words, for finding the lines again.
//!
//! The plain words deliberately do not depend on what was learned: the same text always has the same ones.

mod bytes;
mod checkpoint;
mod forms;
pub(crate) mod grown;
mod hash;
mod room;
mod scan;
mod tree;
mod words;

#[cfg(test)]
#[path = "template/grown_tests.rs"]
mod grown_tests;

pub use grown::{TemplateId, TemplateRow, Templates};

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
    Variable,
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
            take(Piece::Variable);
        } else if joins(bytes[at]) {
            while at < bytes.len() && joins(bytes[at]) {
                at += 1;
            }
            let word = &text[start..at];
            let body = word.trim_end_matches(['.', ':']);
            take(if is_variable(body) { Piece::Variable } else { Piece::Fixed(body) });
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
    fn the_fragment_is_the_longest_plain_run() {
        assert_eq!(fragment("err 17: connection reset by peer at 10.0.0.1"), Some("connection reset by peer at"));
        assert_eq!(fragment("1 2 3"), None);
    }

    proptest::proptest! {
        #[test]
        fn the_fragment_stands_in_the_text_and_holds_no_digit(message in "\\PC{0,80}") {
            if let Some(fragment) = fragment(&message) {
                proptest::prop_assert!(message.contains(fragment));
                proptest::prop_assert!(!fragment.bytes().any(|byte| byte.is_ascii_digit()));
            }
        }
    }
}
