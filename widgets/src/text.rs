//! Text from outside, made safe to draw: the one sanitiser.
//!
//! A log line, a host name or a server's answer may hold escape sequences, reordering marks or
//! characters that terminals measure differently. Everything passes here first, and what comes out
//! is [`Clean`]: no control, nothing invisible, nothing whose width terminals disagree on.
//! A thing that was taken away always leaves a visible mark, because on a console evidence that
//! changes silently is worse than evidence that looks odd:
//!
//! | seen | shown |
//! |---|---|
//! | C0 and DEL | caret notation, `^[` |
//! | C1, bytes that are not UTF-8 | `<9B>` |
//! | line feed inside a line | `↵` |
//! | bidi, zero-width, TAG, unassigned, private | `<U+202E>`; a run as `<U+E0041+2>` |
//! | selectors, joiners, skin tones, stacked marks | one `·` behind the base |
//! | regional indicators | their letters, `[DE]` |
//! | conjoining jamo | the composed syllable |
//! | any other blank | spaces |
//!
//! Deliberately not done here: redaction, markup, and any judgement of meaning. A text in a foreign
//! script stays as it is; [`looks_mixed`] only says that it deserves a second look.

mod class;
mod fit;
mod lookalike;
mod pen;

pub(crate) use class::{Class, classify};
pub(crate) use fit::head;
pub use fit::{Align, cut, cut_middle, cut_words, fit, width};
pub use lookalike::looks_mixed;

use std::fmt;
use std::ops::Deref;

use pen::{Pen, READ_LIMIT, plain_prefix};

/// A line shows at most this many bytes; a longer one is cut and says its true length.
pub const SHOWN_LIMIT: usize = 4096;

/// A text of many lines shows at most this many.
pub const LINES_LIMIT: usize = 1000;

/// Columns that a tab takes.
pub const TAB_WIDTH: u8 = 4;

/// Stands behind a character that lost a selector, joiner, skin tone or surplus marks.
pub const FOLD_MARK: char = '·';

/// Stands where a line ended inside a text of one line.
pub const LINE_MARK: char = '↵';

/// Text that has passed the sanitiser, or was written by us.
///
/// Holds no control character and nothing that hides, reorders or is measured differently by
/// terminals; at most [`SHOWN_LIMIT`] bytes when it comes from the sanitiser.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clean(String);

impl Clean {
    /// Our own words, which the compiler has seen.
    pub fn from_static(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl Deref for Clean {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Clean {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Makes one line of hostile text safe to draw.
///
/// Total and idempotent; reads a bounded piece of the line however long it is, and writes at most
/// eight times what it read.
///
/// ```
/// use stella_widgets::text::sanitise;
///
/// assert_eq!(sanitise("\x1b[31mRED").as_str(), "^[[31mRED");
/// assert_eq!(sanitise("exe\u{202e}gpj").as_str(), "exe<U+202E>gpj");
/// ```
pub fn sanitise(raw: &str) -> Clean {
    if raw.len() <= SHOWN_LIMIT && plain_prefix(raw.as_bytes()) == raw.len() {
        return Clean(raw.to_owned());
    }
    let read = raw.floor_char_boundary(READ_LIMIT);
    let mut pen = Pen::new(raw.len());
    let complete = pen.text(&raw[..read]) && read == raw.len();
    Clean(pen.finish(raw.len(), complete))
}

/// Makes one line of hostile bytes safe to draw; bytes that are not UTF-8 show as `<FF>`.
pub fn sanitise_bytes(raw: &[u8]) -> Clean {
    let read = &raw[..boundary(raw)];
    let mut pen = Pen::new(raw.len());
    let mut complete = read.len() == raw.len();
    for chunk in read.utf8_chunks() {
        complete &= pen.text(chunk.valid());
        for &byte in chunk.invalid() {
            pen.stray_byte(byte);
        }
        if pen.is_full() {
            complete = false;
            break;
        }
    }
    Clean(pen.finish(raw.len(), complete))
}

/// Makes a text of several lines safe to draw: one entry a line.
///
/// Lines end at a line feed, with or without a carriage return before it; a line feed at the very
/// end begins no further line. Behind [`LINES_LIMIT`] lines one more says how much is not shown.
pub fn sanitise_lines(raw: &str) -> Vec<Clean> {
    let mut lines = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() {
        if lines.len() == LINES_LIMIT {
            let left = crate::number::bytes(rest.len() as f64);
            lines.push(Clean(format!("… {left} more")));
            break;
        }
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        lines.push(sanitise(line.strip_suffix('\r').unwrap_or(line)));
        rest = behind;
    }
    lines
}

/// How far the bytes are read: a line that is cut is not cut inside a character.
fn boundary(raw: &[u8]) -> usize {
    if raw.len() <= READ_LIMIT {
        return raw.len();
    }
    let is_inside = |at: usize| raw[at] & 0xc0 == 0x80;
    (READ_LIMIT - 3..=READ_LIMIT).rev().find(|&at| !is_inside(at)).unwrap_or(READ_LIMIT)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
