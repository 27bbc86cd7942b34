//! What a word or a quoted text is, told by its letters.

use super::bytes::{self, AT, BACKSLASH, LOWER, SLASH, UNDERSCORE, UPPER, WORD};

/// Farthest that a closing quote or bracket is looked for, in bytes: a value is not longer.
pub(super) const REACH: usize = 256;

/// The length of the brackets that open a message and hold nothing but values and dashes: a request's ids,
/// a process, a place in the source. They say in whose course something was said, and not what.
pub(super) fn context(message: &[u8]) -> usize {
    let mut at = place(message);
    while message.get(at) == Some(&b'[')
        && let Some(length) = memchr::memchr(b']', &message[at..message.len().min(at + REACH)])
    {
        let inside = message[at + 1..at + length].split(u8::is_ascii_whitespace);
        let value = |word: &[u8]| word.is_empty() || word == b"-" || word.iter().any(u8::is_ascii_digit);
        let end = at + length + 1;
        let gap = message[end..].iter().take_while(|&&byte| byte == b' ' || byte == b':').count();
        let says = inside.into_iter().all(value)
            && message.get(end + gap).is_some_and(|&byte| bytes::of(byte) & WORD != 0 || byte == b'[' || byte == b'"');
        if !says {
            break;
        }
        at = end + gap;
    }
    at
}

/// The length of `7 relay.go:12] `, the process and the place that glog puts in front.
fn place(message: &[u8]) -> usize {
    let blanks = |from: usize| from + message[from..].iter().take_while(|&&byte| byte == b' ').count();
    let digits = message.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let start = blanks(digits);
    let length = message[start..].iter().take_while(|&&byte| bytes::of(byte) & WORD != 0).count();
    let end = start + length;
    let mut halves = message[start..end].splitn(2, |&byte| byte == b':');
    let (file, line) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let told = start > digits && digits > 0 && file.contains(&b'.') && !line.is_empty();
    let told = told && line.iter().all(u8::is_ascii_digit) && message[end..].starts_with(b"] ");
    if told { blanks(end + 1) } else { 0 }
}

pub(super) fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// `GET /x HTTP/1.1`: the one quoted text whose first word says what is done.
pub(super) fn is_request(quoted: &[u8]) -> bool {
    let method = quoted.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    method >= 3 && (quoted[method..].starts_with(b" /") || quoted[method..].starts_with(b" http"))
}

/// True when what stands before the colon names what follows: `action:7`, not `FF:F2:9F`, `host.net:80`.
pub(super) fn is_label(word: &[u8], colon: usize) -> bool {
    let (name, rest) = (&word[..colon], &word[colon + 1..]);
    let letters = name.iter().all(|&byte| bytes::of(byte) & (UPPER | LOWER | UNDERSCORE) != 0);
    let hex = name.iter().all(u8::is_ascii_hexdigit) && rest.contains(&b':');
    name.len() >= 2 && letters && !hex && !rest.is_empty() && !rest.starts_with(b"//")
}

/// A path, the address of a page or of a mailbox.
pub(super) fn is_place(word: &[u8], flags: u16) -> bool {
    let slashes = || memchr::memchr_iter(b'/', word).count();
    let inner = |byte: u8| word.len() > 2 && word[1..word.len() - 1].contains(&byte);
    let rooted = || word.len() > 1 && (word[0] == b'/' || word.starts_with(b"./") || word.starts_with(b"~/"));
    (flags & SLASH != 0 && (rooted() || slashes() >= 2))
        || (flags & AT != 0 && inner(b'@'))
        || (flags & BACKSLASH != 0 && (find(word, b":\\").is_some() || memchr::memchr_iter(b'\\', word).count() >= 2))
}

/// Names of machines, packages and files: small letters with dots inside.
pub(super) fn is_dotted(word: &[u8]) -> bool {
    let small = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'-';
    let mut labels = word.split(|&byte| byte == b'.');
    let last = word.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    last.len() >= 2 && word.iter().all(|byte| small(byte) || *byte == b'.') && labels.all(|label| !label.is_empty())
}
