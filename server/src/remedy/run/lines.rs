//! What a step says, cut into lines while it comes: no more than a fixed number of bytes, no control
//! character left bare, no secret of ours among it.
//!
//! Does not know who says it or who listens. What it hands on is still outside text.

use std::borrow::Cow;

use memchr::memmem;
use stella_protocol::Text;
use stella_protocol::fix::Stream;

use super::Output;

/// Most bytes that are taken of one stream; what comes after them is read and dropped.
pub(super) const MOST_BYTES: usize = 256 * 1024;

/// Longest line; a longer one comes in pieces.
const LONGEST: usize = 4 * 1024;

/// Stands where a secret of ours was said back to us.
const MASK: &[u8] = b"[secret]";

/// Listens to nothing: for what is only looked at.
pub(super) struct Deaf;

impl Output for Deaf {
    fn line(&mut self, _: Stream, _: Text) {}
}

/// One stream of a step.
pub(super) struct Lines {
    stream: Stream,
    taken: Vec<u8>,
    open: Vec<u8>,
    dropped: u64,
    secrets: Vec<Vec<u8>>,
}

impl Lines {
    /// Lines of this stream, with these texts masked wherever they stand in one line.
    pub(super) fn new(stream: Stream, secrets: Vec<Vec<u8>>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| !secret.is_empty()).collect();
        Self { stream, taken: Vec::new(), open: Vec::new(), dropped: 0, secrets }
    }

    /// Takes what came and hands on every line that is whole by now.
    pub(super) fn push(&mut self, bytes: &[u8], output: &mut dyn Output) {
        let room = MOST_BYTES - self.taken.len();
        let (kept, beyond) = bytes.split_at(bytes.len().min(room));
        self.dropped += beyond.len() as u64;
        self.taken.extend_from_slice(kept);
        let mut rest = kept;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.append(&rest[..end], output);
            self.mask();
            self.hand_on(self.open.len(), output);
            rest = &rest[end + 1..];
        }
        self.append(rest, output);
    }

    /// Hands on what stands without an end, and tells how much was dropped.
    pub(super) fn finish(&mut self, output: &mut dyn Output) {
        self.mask();
        if self.dropped > 0 {
            // The limit may have cut a secret in two: its beginning is not told either.
            self.open.truncate(self.settled());
        }
        if !self.open.is_empty() {
            self.hand_on(self.open.len(), output);
        }
        if self.dropped > 0 {
            let words = format!("{} more bytes were not kept: at most {MOST_BYTES} are", self.dropped);
            output.line(Stream::Stella, Text::from(words));
        }
    }

    /// All that was taken, as it came. None: there was more than is kept, so it proves nothing.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        (self.dropped == 0).then_some(self.taken.as_slice())
    }

    fn append(&mut self, bytes: &[u8], output: &mut dyn Output) {
        for piece in bytes.chunks(LONGEST) {
            self.open.extend_from_slice(piece);
            while self.open.len() >= LONGEST {
                self.mask();
                let end = boundary(&self.open, self.settled().min(LONGEST));
                if end == 0 || self.open.len() < LONGEST {
                    break;
                }
                self.hand_on(end, output);
            }
        }
    }

    fn hand_on(&mut self, end: usize, output: &mut dyn Output) {
        let line: Vec<u8> = self.open.drain(..end).collect();
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        output.line(self.stream, Text::from(visible(&String::from_utf8_lossy(line)).into_owned()));
    }

    fn mask(&mut self) {
        for secret in &self.secrets {
            while let Some(at) = memmem::find(&self.open, secret) {
                self.open.splice(at..at + secret.len(), MASK.iter().copied());
            }
        }
    }

    /// How much of the open line no secret can still begin in.
    fn settled(&self) -> usize {
        let begins = |secret: &Vec<u8>| {
            let longest = self.open.len().min(secret.len() - 1);
            (1..=longest).rev().find(|&long| self.open.ends_with(&secret[..long])).unwrap_or(0)
        };
        self.open.len() - self.secrets.iter().map(begins).max().unwrap_or(0)
    }
}

/// The last place at or before `end` that does not stand inside a letter.
fn boundary(bytes: &[u8], end: usize) -> usize {
    let inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (end.saturating_sub(3)..=end).rev().find(|at| !inside(at)).unwrap_or(end)
}

/// Control characters as escapes that can be read; a tab is none that harms.
fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |letter: char| letter.is_control() && letter != '\t';
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if hidden(letter) { shown.extend(letter.escape_default()) } else { shown.push(letter) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::super::rig::Heard;
    use super::*;

    fn said(secrets: &[&str], pieces: &[&[u8]]) -> Vec<String> {
        let mut heard = Heard::default();
        let mut lines = Lines::new(Stream::Out, secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect());
        for piece in pieces {
            lines.push(piece, &mut heard);
        }
        lines.finish(&mut heard);
        heard.texts()
    }

    #[test]
    fn a_line_is_whole_however_it_comes() {
        assert_eq!(said(&[], &[b"on", b"e\r\ntw", b"o\n\nthree"]), ["one", "two", "", "three"]);
    }

    #[test]
    fn no_control_character_goes_on_bare() {
        assert_eq!(said(&[], &[b"a\tb\x1b[2J\xff\x9b\0"]), ["a\tb\\u{1b}[2J\u{fffd}\u{fffd}\\u{0}"]);
    }

    #[test]
    fn a_secret_is_masked_even_where_a_long_line_is_cut_or_the_limit_falls() {
        let secret = "s3cr3t-t0k3n";
        for before in (LONGEST - 15..=LONGEST + 1).chain(MOST_BYTES - 13..=MOST_BYTES) {
            let text = format!("{}{secret} after\nit was {secret}", "x".repeat(before));
            for piece in [7, 4096, text.len()] {
                let pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
                let whole = said(&[secret], &pieces).concat();
                assert!(!whole.contains("s3c"), "{before} {piece}");
            }
        }
        assert_eq!(said(&[secret], &[b"is s3cr3t", b"-t0k3n."]), ["is [secret]."]);
    }

    #[test]
    fn what_is_too_much_is_dropped_counted_and_told() {
        let line = [b'y'; 1023].iter().copied().chain([b'\n']).collect::<Vec<u8>>();
        let pieces: Vec<&[u8]> = std::iter::repeat_n(line.as_slice(), 300).collect();
        let lines = said(&[], &pieces);
        assert_eq!(lines.len(), MOST_BYTES / 1024 + 1);
        let beyond = 300 * 1024 - MOST_BYTES;
        assert_eq!(
            lines.last().map(String::as_str),
            Some(&*format!("{beyond} more bytes were not kept: at most 262144 are"))
        );
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_cut_no_letter() {
        let text = "é".repeat(LONGEST);
        let lines = said(&[], &[text.as_bytes()]);
        assert!(lines.len() >= 2 && lines.iter().all(|line| line.len() <= LONGEST));
        assert_eq!(lines.concat(), text);
    }
}
