//! `key=value` as logfmt and as it stands inside sentences.

use std::borrow::Cow;

use super::json::{Json, Pairs};

/// Longest key; a longer run before `=` is data.
const LONGEST_KEY: usize = 40;

/// The pairs of a line that is nothing but pairs; None: it is something else.
pub(super) fn logfmt(line: &str) -> Option<Pairs<'_>> {
    let mut pairs = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let key_len = rest.bytes().take_while(|byte| is_key(*byte)).count();
        if key_len == 0 || key_len > LONGEST_KEY {
            return None;
        }
        let key = &rest[..key_len];
        let after = &rest[key_len..];
        let Some(after) = after.strip_prefix('=') else {
            // A key alone is a flag, but a line cannot begin with it: that would be a sentence.
            if pairs.len() < 2 || !(after.is_empty() || after.starts_with(' ')) {
                return None;
            }
            pairs.push((Cow::Borrowed(key), Json::Flag(true)));
            rest = after.trim_start();
            continue;
        };
        let (value, len) = value(after, b" ");
        pairs.push((Cow::Borrowed(key), Json::Text(value)));
        rest = after[len..].trim_start_matches([' ', ',']);
    }
    (pairs.len() >= 2).then_some(pairs)
}

/// The pairs that stand somewhere in a sentence.
pub(super) fn within(text: &str) -> Pairs<'_> {
    let bytes = text.as_bytes();
    let mut pairs = Vec::new();
    let mut from = 0;
    for at in memchr::memchr_iter(b'=', bytes) {
        if at < from {
            continue;
        }
        let run = bytes[from..at].iter().rev().take(LONGEST_KEY + 1).take_while(|byte| is_key(**byte)).count();
        if run == 0 || run > LONGEST_KEY {
            continue;
        }
        let (found, len) = value(&text[at + 1..], b" ,;|)]}");
        from = at + 1 + len;
        pairs.push((Cow::Borrowed(&text[at - run..at]), Json::Text(found)));
    }
    pairs
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@')
}

/// The value at the start of `text` and how many bytes it took.
fn value<'a>(text: &'a str, ends: &[u8]) -> (Cow<'a, str>, usize) {
    let bytes = text.as_bytes();
    let closing = match bytes.first() {
        Some(b'"') => b'"',
        Some(b'\'') => b'\'',
        Some(b'<') => b'>',
        _ => {
            let len = bytes.iter().position(|byte| ends.contains(byte) || *byte == b'\n').unwrap_or(bytes.len());
            return (Cow::Borrowed(&text[..len]), len);
        }
    };
    let mut at = 1;
    let mut escaped = false;
    while at < bytes.len() && bytes[at] != closing {
        if bytes[at] == b'\\' && at + 1 < bytes.len() {
            escaped = true;
            at += 1;
        }
        at += 1;
    }
    let inner = text.get(1..at.min(bytes.len())).unwrap_or_default();
    let value = if escaped { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) };
    let mut len = (at + 1).min(bytes.len());
    while !text.is_char_boundary(len) {
        len += 1;
    }
    (value, len)
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pairs: &Pairs<'_>) -> String {
        let one = |(key, value): &(Cow<'_, str>, Json<'_>)| match value {
            Json::Text(text) => format!("{key}:{text}"),
            _ => key.to_string(),
        };
        pairs.iter().map(one).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn a_line_of_pairs_is_read_and_a_sentence_is_not() {
        let pairs = logfmt(r#"level=warn msg="no \"luck\"" user= ip=192.0.2.7 cached"#).unwrap_or_default();
        assert_eq!(shown(&pairs), r#"level:warn|msg:no "luck"|user:|ip:192.0.2.7|cached"#);
        assert_eq!(logfmt("failed for user=x from=y"), None);
        assert_eq!(logfmt("a=1"), None);
    }

    #[test]
    fn pairs_in_a_sentence_end_where_their_value_ends() {
        let text = "Disconnected (auth failed): user=<a@b>, rip=192.0.2.7, TLS; q='x y' =5 open=\"never";
        assert_eq!(shown(&within(text)), "user:a@b|rip:192.0.2.7|q:x y|open:never");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "[a-c= \"'<>\\\\é,]{0,40}") {
            let _ = (logfmt(&text), within(&text));
        }
    }
}
