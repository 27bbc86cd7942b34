//! The pass that turns hostile characters into text a terminal can only draw.
//!
//! One character at a time, with a fixed amount of memory: what is read is bounded by
//! [`READ_LIMIT`], what is written by [`SHOWN_LIMIT`], whatever the length of the line. The output
//! is a fixed point: writing it again changes nothing. This module never looks at bytes or lines;
//! cutting those is the work of its parent.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::class::{Class, classify};
use super::{FOLD_MARK, LINE_MARK, SHOWN_LIMIT};
use crate::number;

/// A line is read at most this far, in bytes. It is larger than what is shown so that a long run of
/// folded marks does not swallow the text behind it.
pub(super) const READ_LIMIT: usize = 16 * SHOWN_LIMIT;

/// Where a line that is too long is cut: the words about its true length fit behind it.
const ROOM: usize = SHOWN_LIMIT - 32;

/// Combining marks kept on one base; the living scripts need two.
const MARKS_KEPT: u8 = 2;

/// Precomposed Hangul syllables: first code point, and how many finals a leading pair has.
const SYLLABLES: u32 = 0xac00;
const VOWELS: u32 = 21;
const FINALS: u32 = 28;

/// What has been read but can only be written once the next character is known.
#[derive(Clone, Copy)]
enum Pending {
    Nothing,
    /// A run of hidden characters: the first, and how many more.
    Hidden(char, usize),
    /// Inside the brackets of a run of regional indicators.
    Regions,
    /// A leading Hangul consonant.
    Lead(char),
}

/// Writes sanitised text.
pub(super) struct Pen {
    out: String,
    /// The last place, not beyond [`ROOM`], where a character with its marks begins.
    cut: usize,
    /// The character that marks would land on; NUL at the beginning.
    base: char,
    marks: u8,
    /// A fold mark stands behind the base already: what else modifies it is covered by that mark.
    folded: bool,
    pending: Pending,
}

impl Pen {
    pub(super) fn new(expected: usize) -> Self {
        Self {
            out: String::with_capacity(expected.min(SHOWN_LIMIT) + 32),
            cut: 0,
            base: '\0',
            marks: 0,
            folded: false,
            pending: Pending::Nothing,
        }
    }

    /// True when no more can be shown.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() > SHOWN_LIMIT
    }

    /// Writes as much of the text as can be shown; true when all of it was read.
    pub(super) fn text(&mut self, text: &str) -> bool {
        let mut rest = text;
        while !rest.is_empty() {
            if self.is_full() {
                return false;
            }
            let most = rest.len().min(SHOWN_LIMIT + 1);
            let plain = plain_prefix(&rest.as_bytes()[..most]);
            if plain > 0 {
                self.plain_run(&rest[..plain]);
                rest = &rest[plain..];
                continue;
            }
            let mut chars = rest.chars();
            if let Some(c) = chars.next() {
                self.put(c);
            }
            rest = chars.as_str();
        }
        true
    }

    /// Shows a byte that is no text in any encoding we read.
    pub(super) fn stray_byte(&mut self, byte: u8) {
        self.settle();
        self.code(&format!("<{byte:02X}>"));
    }

    /// Ends the line. `length` is that of the whole original in bytes, `complete` whether all of it
    /// was read.
    pub(super) fn finish(mut self, length: usize, complete: bool) -> String {
        self.settle();
        if complete && !self.is_full() {
            return self.out;
        }
        if self.out.len() > ROOM {
            self.out.truncate(self.cut);
        }
        self.out.push_str("… ");
        self.out.push_str(&number::bytes(length as f64));
        self.out.push_str(" in all");
        self.out
    }

    fn put(&mut self, c: char) {
        let class = classify(c);
        if self.continues(c, class) {
            return;
        }
        self.settle();
        match class {
            Class::Plain => self.plain(c),
            Class::Space(width) => (0..width).for_each(|_| self.glyph(' ')),
            Class::Break => self.glyph(LINE_MARK),
            Class::Control => self.caret(c),
            Class::HighControl => self.code(&format!("<{:02X}>", u32::from(c))),
            Class::Mark => self.mark(c),
            Class::Modifier => self.fold(),
            Class::Region => {
                self.glyph('[');
                self.glyph(region_letter(c));
                self.pending = Pending::Regions;
            }
            Class::Lead => self.pending = Pending::Lead(c),
            Class::Hidden => self.pending = Pending::Hidden(c, 0),
        }
    }

    /// Joins the character to what is pending, where it belongs to it.
    fn continues(&mut self, c: char, class: Class) -> bool {
        match self.pending {
            Pending::Hidden(first, more) if class == Class::Hidden => {
                self.pending = Pending::Hidden(first, more + 1);
            }
            Pending::Regions if class == Class::Region => self.glyph(region_letter(c)),
            Pending::Lead(lead) => {
                let Some(syllable) = with_vowel(lead, c) else {
                    return false;
                };
                self.pending = Pending::Nothing;
                self.glyph(syllable);
            }
            Pending::Nothing if self.marks == 0 && !self.folded => {
                let Some(syllable) = with_final(self.base, c) else {
                    return false;
                };
                self.out.pop();
                self.glyph(syllable);
            }
            _ => return false,
        }
        true
    }

    /// Writes what is pending.
    fn settle(&mut self) {
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => {}
            Pending::Hidden(first, 0) | Pending::Lead(first) => {
                self.code(&format!("<U+{:04X}>", u32::from(first)));
            }
            Pending::Hidden(first, more) => {
                self.code(&format!("<U+{:04X}+{more}>", u32::from(first)));
            }
            Pending::Regions => self.glyph(']'),
        }
    }

    /// A run of printable ASCII, which joins with nothing.
    fn plain_run(&mut self, run: &str) {
        self.settle();
        let start = self.out.len();
        self.out.push_str(run);
        // The last character may still receive marks, so the cut may stand before it, not behind.
        let before_last = (self.out.len() - 1).min(ROOM);
        if before_last >= start {
            self.cut = before_last;
        }
        self.base = run.chars().next_back().unwrap_or(' ');
        self.marks = 0;
        self.folded = false;
    }

    /// A plain character; a fold mark keeps it from melting into its neighbour where a ligature
    /// would be measured differently (lam and alef).
    fn plain(&mut self, c: char) {
        if joins(self.base, c) {
            self.glyph(FOLD_MARK);
        }
        self.glyph(c);
    }

    fn mark(&mut self, c: char) {
        let bare = self.base == '\0';
        if bare || self.folded || self.marks == MARKS_KEPT {
            self.fold();
        } else {
            self.out.push(c);
            self.marks += 1;
        }
    }

    fn fold(&mut self) {
        if !self.folded {
            self.glyph(FOLD_MARK);
            self.folded = true;
        }
    }

    fn caret(&mut self, c: char) {
        self.glyph('^');
        // DEL is `^?`: the same bit flipped as for the others.
        self.glyph(char::from((u32::from(c) as u8) ^ 0x40));
    }

    fn code(&mut self, code: &str) {
        code.chars().for_each(|c| self.glyph(c));
    }

    /// Writes one character that begins a new cell.
    fn glyph(&mut self, c: char) {
        if self.out.len() <= ROOM {
            self.cut = self.out.len();
        }
        self.out.push(c);
        self.base = c;
        self.marks = 0;
        self.folded = false;
    }
}

/// How many bytes from the start are printable ASCII.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !(b' '..=b'~').contains(byte)).unwrap_or(bytes.len())
}

/// True when the two are measured together otherwise than one by one.
fn joins(left: char, right: char) -> bool {
    if left.is_ascii() || right.is_ascii() {
        return false;
    }
    let apart = left.width().unwrap_or(0) + right.width().unwrap_or(0);
    let mut room = [0; 8];
    let first = left.encode_utf8(&mut room).len();
    let both = first + right.encode_utf8(&mut room[first..]).len();
    std::str::from_utf8(&room[..both]).is_ok_and(|pair| pair.width() != apart)
}

/// The letter that a regional indicator stands for.
fn region_letter(c: char) -> char {
    let place = u32::from(c).saturating_sub(0x1_f1e6).min(25);
    char::from(b'A' + place as u8)
}

/// The syllable of a leading consonant and a vowel.
fn with_vowel(lead: char, vowel: char) -> Option<char> {
    let lead = u32::from(lead).checked_sub(0x1100).filter(|&n| n < 19)?;
    let vowel = u32::from(vowel).checked_sub(0x1161).filter(|&n| n < VOWELS)?;
    char::from_u32(SYLLABLES + (lead * VOWELS + vowel) * FINALS)
}

/// The syllable that a final consonant completes, when `open` is one without a final.
fn with_final(open: char, last: char) -> Option<char> {
    let last = u32::from(last).checked_sub(0x11a7).filter(|&n| n > 0 && n < FINALS)?;
    let place = u32::from(open).checked_sub(SYLLABLES)?;
    let is_open = place < 19 * VOWELS * FINALS && place.is_multiple_of(FINALS);
    is_open.then(|| char::from_u32(u32::from(open) + last))?
}
