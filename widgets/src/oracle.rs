//! Judges the bytes of a rendered frame: the rule that tests hold the whole console to.
//!
//! A terminal obeys what it is sent. A frame may hold printable text and the few sequences that
//! drawing needs: `ESC [`, an optional `?`, digits and `;`, then one of `H m l h J K r S T L M @`
//! (the alternate screen and synchronised output come under `h` and `l`). Everything else is
//! foreign. Written apart from the sanitiser's pass on purpose: it sees bytes, after the fact. Titles,
//! bells and copies are not frames and have their own tests.

use crate::text::{Class, classify};

/// Final bytes of the sequences that a frame may hold.
const FINALS: &[u8] = b"HmlhJKrSTLM@";

/// The bytes of a frame that have no business there, each with its offset.
///
/// Reports every byte of an invisible, reordering or control character, and of bytes that are not
/// UTF-8; of a foreign escape sequence it reports the ESC, since the rest is then plain text.
///
/// ```
/// use stella_widgets::oracle::foreign_bytes;
///
/// assert!(foreign_bytes(b"\x1b[?2026h\x1b[1;1Hok\x1b[0m").is_empty());
/// assert_eq!(foreign_bytes(b"a\x1b]0;t\x07"), vec![(1, 0x1b), (6, 0x07)]);
/// ```
pub fn foreign_bytes(frame: &[u8]) -> Vec<(usize, u8)> {
    let mut foreign = Vec::new();
    let mut at = 0;
    for chunk in frame.utf8_chunks() {
        judge_text(chunk.valid(), at, &mut foreign);
        at += chunk.valid().len();
        for &byte in chunk.invalid() {
            foreign.push((at, byte));
            at += 1;
        }
    }
    foreign
}

fn judge_text(text: &str, offset: usize, foreign: &mut Vec<(usize, u8)>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(length) = allowed_sequence(&bytes[at..]) {
            at += length;
            continue;
        }
        let c = text[at..].chars().next().unwrap_or(' ');
        let length = c.len_utf8();
        if !is_allowed(c) {
            foreign.extend((at..at + length).map(|place| (offset + place, bytes[place])));
        }
        at += length;
    }
}

/// The length of the allowed sequence that begins here.
fn allowed_sequence(bytes: &[u8]) -> Option<usize> {
    let body = bytes.strip_prefix(b"\x1b[")?;
    let private = usize::from(body.first() == Some(&b'?'));
    let digits = body[private..].iter().position(|byte| !byte.is_ascii_digit() && *byte != b';')?;
    let end = private + digits;
    FINALS.contains(&body[end]).then_some(2 + end + 1)
}

/// Braille patterns are shapes here, the blank one too.
fn is_allowed(c: char) -> bool {
    matches!(classify(c), Class::Plain | Class::Mark) || c == '\u{2800}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drawing_needs_is_allowed() {
        let frame = "\x1b[?1049h\x1b[?2026h\x1b[2J\x1b[12;40H\x1b[38;2;1;2;3;1mpay ▁▂█ 日é\x1b[K";
        assert_eq!(foreign_bytes(frame.as_bytes()), vec![]);
    }

    #[test]
    fn other_sequences_and_controls_are_foreign() {
        for (frame, first) in [
            ("\x1b[6n", 0),
            ("ab\x1b]52;c;QQ==\x07", 2),
            ("\x1bP$q m\x1b\\", 0),
            ("\x1b[>c", 0),
            ("ok\rPASS", 2),
            ("\x1b[31", 0),
            ("a\u{202e}b", 1),
            ("a\u{200b}", 1),
            ("\u{9b}31m", 0),
            ("x\n", 1),
            ("\x7f", 0),
        ] {
            let found = foreign_bytes(frame.as_bytes());
            assert_eq!(found.first().map(|(at, _)| *at), Some(first), "{frame:?}");
        }
    }

    #[test]
    fn offsets_count_through_bytes_that_are_no_text() {
        assert_eq!(foreign_bytes(b"a\xffb\x07"), vec![(1, 0xff), (3, 0x07)]);
    }
}
