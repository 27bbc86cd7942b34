//! One pass over a message: its words as they are, its values as one mark each.
//!
//! What is a value is told by shape alone, the same for every system: a word with a digit, a path, an
//! address, a quoted word, what follows `key=`, a date, a truth value, a name that a noun introduces.
//! A list of values is one value however long it is, so is a number with its unit and with the same
//! number again in brackets. It learns nothing and allocates nothing.

use super::bytes::{self, AT, BACKSLASH, BETWEEN, CLOSE, COLON, DIGIT, DOT, LOWER, MARKED, OPEN, QUOTE, SLASH, SPACE};
use super::bytes::{UNDERSCORE, UPPER, WORD};
use super::forms::{REACH, context, find, is_dotted, is_label, is_place, is_request};

/// Stands for a value in a masked message: no text in UTF-8 holds this byte.
pub(super) const VALUE: u8 = 0xff;

/// How [`VALUE`] is written for people, and read again.
const WRITTEN: &[u8] = b"<*>";

/// Shortest run of letters inside a word with digits that says something by itself.
const TELLING: usize = 3;

/// Letters alone from here on are a number in base 16, if they can be one.
const LONG_HEX: usize = 8;

/// Writes the masked form of `message` to `out`.
pub(super) fn mask(message: &[u8], out: &mut Vec<u8>) {
    let message = &message[context(message)..];
    if Scan::new(message, out, &mut |_, _| {}, false).run() == 0 {
        // Nothing but values would fall together with every other such line: look inside the words.
        Scan::new(message, out, &mut |_, _| {}, true).run();
    }
}

/// Tells `seen` where the values stand that [`mask`] takes out.
pub(super) fn values(message: &[u8], mut seen: impl FnMut(usize, usize)) {
    let mut out = Vec::with_capacity(message.len());
    let skipped = context(message);
    let message = &message[skipped..];
    let mut seen = |from, to| seen(from + skipped, to + skipped);
    let deep = Scan::new(message, &mut out, &mut |_, _| {}, false).run() == 0;
    Scan::new(message, &mut out, &mut seen, deep).run();
}

struct Scan<'a, F> {
    text: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
    seen: &'a mut F,
    /// The end of the last value in `out`, while only separators came since.
    tail: Option<usize>,
    /// Brackets that fell away with a value inside them, to be closed.
    swallowed: usize,
    /// Words that stayed.
    fixed: usize,
    /// The last two words that stayed, the newer one first.
    last: [(usize, usize); 2],
    /// Whether words with digits are looked into.
    deep: bool,
}

impl<'a, F: FnMut(usize, usize)> Scan<'a, F> {
    fn new(text: &'a [u8], out: &'a mut Vec<u8>, seen: &'a mut F, deep: bool) -> Self {
        out.clear();
        Self { text, at: 0, out, seen, tail: None, swallowed: 0, fixed: 0, last: [(0, 0); 2], deep }
    }

    /// How many words stayed.
    fn run(mut self) -> usize {
        while let Some(&byte) = self.text.get(self.at) {
            let class = bytes::of(byte);
            if class & WORD != 0 {
                self.word();
            } else if class & SPACE != 0 {
                self.space();
            } else if class & OPEN != 0 {
                self.open(byte);
            } else if class & CLOSE != 0 {
                self.close(byte);
            } else if class & QUOTE != 0 {
                self.quote(byte);
            } else if byte == b'=' {
                self.assigned();
            } else {
                self.literal(self.at, self.at + 1);
                self.at += 1;
            }
        }
        while self.out.last() == Some(&b' ') {
            self.out.pop();
        }
        self.fixed
    }

    fn peek(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(b' ')
    }

    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(|&byte| bytes::of(byte) & SPACE != 0) {
            self.at += 1;
        }
        if self.out.last().is_some_and(|&last| last != b' ') {
            self.out.push(b' ');
        }
    }

    /// Punctuation as it is.
    fn literal(&mut self, from: usize, to: usize) {
        self.out.extend_from_slice(&self.text[from..to]);
    }

    /// A word that stays.
    fn fixed(&mut self, from: usize, to: usize) {
        self.literal(from, to);
        self.tail = None;
        self.fixed += 1;
        self.last = [(from, to), self.last[0]];
    }

    /// A value, and what belongs to it.
    fn value(&mut self, from: usize, to: usize) {
        (self.seen)(from, to);
        self.last = [(0, 0); 2];
        if let Some((end, opened)) = self.tail.and_then(|end| Some((end, opened(&self.out[end..])?))) {
            self.out.truncate(end);
            self.swallowed += opened;
        } else {
            self.out.push(VALUE);
            self.tail = Some(self.out.len());
        }
    }

    /// A value as a number is: a unit may follow.
    fn number(&mut self, from: usize, to: usize) {
        self.value(from, to);
        let start = if self.peek(self.at) == b' ' { self.at + 1 } else { self.at };
        let end = self.run_of(start, UPPER | LOWER);
        if end > start && bytes::is_unit(&self.text[start..end]) {
            // `MB/s` as well.
            let rate = if self.peek(end) == b'/' { self.run_of(end + 1, UPPER | LOWER) } else { end };
            let after = if matches!(self.peek(rate), b'.' | b':' | b'!' | b'?') { rate + 1 } else { rate };
            if bytes::of(self.peek(after)) & WORD == 0 {
                self.at = rate;
            }
        }
    }

    /// The end of the run of bytes with one of these bits.
    fn run_of(&self, from: usize, bits: u16) -> usize {
        let length =
            self.text[from.min(self.text.len())..].iter().take_while(|&&byte| bytes::of(byte) & bits != 0).count();
        from + length
    }

    fn word(&mut self) {
        while self.peek(self.at) == b':' {
            self.literal(self.at, self.at + 1);
            self.at += 1;
        }
        let from = self.at;
        let mut flags = 0;
        while let Some(&byte) = self.text.get(self.at) {
            let class = bytes::of(byte);
            if class & WORD == 0 {
                break;
            }
            flags |= class;
            self.at += 1;
        }
        let end = self.at;
        let mut to = end;
        while to > from && matches!(self.text[to - 1], b'.' | b':' | b'!' | b'?') {
            to -= 1;
        }
        if flags & (DIGIT | UPPER | LOWER) == 0 && self.text[from..end].is_ascii() {
            if self.text[from..end].iter().any(|&byte| bytes::of(byte) & BETWEEN == 0) {
                self.tail = None;
            }
            return self.literal(from, end);
        }
        self.piece(from, to, flags);
        // A unit or the rest of a path may have moved on: what was trimmed then stands before it.
        if self.at == end {
            self.literal(to, end);
        }
    }

    /// A word or a part of one.
    fn piece(&mut self, from: usize, to: usize, flags: u16) {
        if flags & DOT != 0
            && let Some(dots) = find(&self.text[from..to], b"..")
        {
            return self.around_dots(from, from + dots, to);
        }
        if flags & DIGIT != 0 {
            self.with_digit(from, to, flags);
        } else if flags & MARKED != 0 {
            self.marked(from, to, flags);
        } else {
            self.plain(from, to);
        }
    }

    fn again(&mut self, from: usize, to: usize) {
        if from < to {
            let flags = self.text[from..to].iter().fold(0, |flags, &byte| flags | bytes::of(byte));
            self.piece(from, to, flags);
        }
    }

    /// `enable......1`: dots that lead from a name to its value.
    fn around_dots(&mut self, from: usize, dots: usize, to: usize) {
        self.again(from, dots);
        let end = self.run_of(dots, DOT);
        self.literal(dots, end);
        self.again(end, to);
    }

    fn with_digit(&mut self, from: usize, to: usize, flags: u16) {
        let word = &self.text[from..to];
        if flags & COLON != 0
            && let Some(colon) = memchr::memchr(b':', word)
            && is_label(word, colon)
        {
            return self.label(from, from + colon, to);
        }
        if flags & (SLASH | AT) != 0 && is_place(word, flags) {
            return self.place(from);
        }
        if self.deep {
            return self.inside(from, to);
        }
        self.number(from, to);
    }

    /// `name:rest`.
    fn label(&mut self, from: usize, colon: usize, to: usize) {
        self.again(from, colon);
        self.literal(colon, colon + 1);
        self.again(colon + 1, to);
    }

    /// A path or an address of a page, with its query.
    fn place(&mut self, from: usize) {
        let rest = &self.text[self.at..];
        if rest.first().is_some_and(|&byte| byte == b'=') {
            let ends = |byte: u8| bytes::of(byte) & (SPACE | QUOTE | CLOSE) != 0 || matches!(byte, b',' | b';');
            self.at += rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
        }
        self.value(from, self.at);
    }

    /// The letters of a word that say something stay, what is between them is a value.
    fn inside(&mut self, from: usize, to: usize) {
        let (mut at, mut value) = (from, from);
        while at < to {
            let end = self.run_of(at, UPPER | LOWER | UNDERSCORE).min(to);
            let run = &self.text[at..end];
            if run.len() >= TELLING && !run.iter().all(u8::is_ascii_hexdigit) {
                if value < at {
                    self.value(value, at);
                }
                self.fixed(at, end);
                value = end;
            }
            at = end.max(at + 1);
        }
        if value < to {
            self.value(value, to);
        }
    }

    fn marked(&mut self, from: usize, to: usize, flags: u16) {
        let word = &self.text[from..to];
        if flags & (SLASH | AT | BACKSLASH) != 0 && is_place(word, flags) {
            return self.place(from);
        }
        if flags & COLON != 0
            && let Some(colon) = memchr::memchr(b':', word)
            && colon > 0
            && word.get(colon + 1).is_some_and(|&next| next != b':')
        {
            return self.label(from, from + colon, to);
        }
        let labels = matches!(self.peek(to), b':' | b'(');
        if flags & DOT != 0 && !labels && is_dotted(word) { self.value(from, to) } else { self.plain(from, to) }
    }

    fn plain(&mut self, from: usize, to: usize) {
        let word = &self.text[from..to];
        let hex = word.len() >= LONG_HEX && word.iter().all(u8::is_ascii_hexdigit);
        let date = word.len() >= 3 && bytes::is_calendar(word) && self.dated(to);
        if hex || date || bytes::is_truth(word) || self.is_name(from, to) {
            self.value(from, to);
        } else {
            self.fixed(from, to);
        }
    }

    /// After the name of a day or a month: a number, or the other one.
    fn dated(&self, to: usize) -> bool {
        let next = self.run_of(if self.peek(to) == b',' { to + 1 } else { to }, SPACE);
        let end = self.run_of(next, UPPER | LOWER);
        next > to
            && (self.peek(next).is_ascii_digit()
                || self.text[next..].starts_with(WRITTEN)
                || bytes::is_calendar(&self.text[next.min(end)..end]))
    }

    /// A name that the words before it introduce.
    fn is_name(&self, from: usize, to: usize) -> bool {
        let [(start, end), (before, middle)] = self.last;
        if from == 0 || end + 1 != from || self.text[end] != b' ' {
            return false;
        }
        let noun = &self.text[start..end];
        if noun == b"for" {
            let from_address = self.text[to..].strip_prefix(b" from ");
            return from_address
                .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit) || rest.starts_with(WRITTEN));
        }
        middle + 1 == start && middle > before && bytes::introduces_name(&self.text[before..middle], noun)
    }

    fn open(&mut self, byte: u8) {
        if byte == b'<' {
            if self.text[self.at..].starts_with(WRITTEN) {
                self.at += WRITTEN.len();
                return self.number(self.at - WRITTEN.len(), self.at);
            }
            if self.peek(self.at + 1).is_ascii_digit() {
                // `<1 sec`: how it compares belongs to the number.
                self.at += 1;
                return;
            }
        }
        self.out.push(byte);
        self.at += 1;
        if byte == b'(' {
            self.argument();
        }
    }

    /// `chdir(home)`: one word in brackets that stand close to a name, but for `error(s)`.
    fn argument(&mut self) {
        let close_by = self.at >= 2 && bytes::of(self.text[self.at - 2]) & (UPPER | LOWER | UNDERSCORE) != 0;
        let end = self.run_of(self.at, WORD);
        if close_by && self.peek(end) == b')' && end > self.at + 2 {
            let from = std::mem::replace(&mut self.at, end);
            self.value(from, end);
        }
    }

    fn close(&mut self, byte: u8) {
        self.at += 1;
        if self.swallowed > 0 {
            self.swallowed -= 1;
            return;
        }
        if byte == b'>' && self.peek(self.at).is_ascii_digit() {
            return;
        }
        // Empty brackets after a value are a remark that was left out.
        if let Some(end) = self.tail
            && self.out[end..].trim_ascii().len() == 1
            && self.out.last().is_some_and(|&last| bytes::of(last) & OPEN != 0)
        {
            self.out.truncate(end);
            return;
        }
        self.out.push(byte);
    }

    fn quote(&mut self, mark: u8) {
        let from = self.at + 1;
        let inside = &self.text[from..(from + REACH).min(self.text.len())];
        let opens = self.at == 0 || !self.text[self.at - 1].is_ascii_alphanumeric();
        let close = memchr::memchr(mark, inside).filter(|_| opens);
        let Some(length) = close else {
            self.at = from;
            self.tail = None;
            return self.out.push(mark);
        };
        let to = from + length;
        let spaced = memchr::memchr(b' ', &self.text[from..to]).is_some();
        if !spaced && self.peek(to + 1) == b':' && length > 0 {
            // The key of a JSON member.
            self.fixed(from, to);
            self.at = to + 1;
        } else if !spaced || !is_request(&self.text[from..to]) {
            self.at = to + 1;
            self.value(from, to);
        } else {
            self.at = from;
            self.tail = None;
            self.out.push(mark);
        }
    }

    /// `=` and the value that follows it, also when there is none.
    fn assigned(&mut self) {
        let key = self.at > 0
            && self.text[..self.at].trim_ascii_end().last().is_some_and(|&last| {
                last.is_ascii_alphanumeric() || matches!(last, b'_' | b'-' | b'"' | b']' | b')' | b'>')
            });
        self.out.push(b'=');
        self.at += 1;
        self.tail = None;
        if !key || matches!(self.peek(self.at), b'=' | b'>' | b'~') {
            return;
        }
        let start = self.run_of(self.at, SPACE);
        let first = self.peek(start);
        let rest = &self.text[start.min(self.text.len())..];
        let rest = &rest[..rest.len().min(REACH)];
        if bytes::of(first) & (QUOTE | OPEN) != 0 && !rest.starts_with(WRITTEN) {
            return self.enclosed(start, first);
        }
        let ends = |byte: u8| {
            bytes::of(byte) & (SPACE | QUOTE | CLOSE | OPEN) != 0 || matches!(byte, b',' | b';' | b'|' | b'&')
        };
        let length = if rest.starts_with(WRITTEN) {
            WRITTEN.len()
        } else {
            rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len())
        };
        let mut value = &rest[..length];
        while value.ends_with(b".") || value.ends_with(b":") {
            value = &value[..value.len() - 1];
        }
        let empty = value.is_empty() || (start > self.at && (value.contains(&b'=') || rest.get(length) == Some(&b'=')));
        if empty {
            self.value(self.at, self.at);
        } else {
            self.at = start + value.len();
            self.number(start, self.at);
        }
    }

    /// A quoted or bracketed value; a structure with keys of its own is scanned on.
    fn enclosed(&mut self, start: usize, first: u8) {
        let closing = match first {
            b'[' => b']',
            b'(' => b')',
            b'{' => b'}',
            b'<' => b'>',
            quote => quote,
        };
        let rest = &self.text[start + 1..(start + 1 + REACH).min(self.text.len())];
        self.at = start;
        let Some(length) = memchr::memchr(closing, rest) else {
            if bytes::of(first) & QUOTE != 0 {
                self.out.push(first);
                self.at += 1;
            }
            return;
        };
        if bytes::of(first) & QUOTE != 0 || memchr::memchr2(b'=', b':', &rest[..length]).is_none() {
            self.at = start + length + 2;
            self.value(start + 1, start + 1 + length);
        }
    }
}

/// Brackets that stand open after separators; None: they are not all separators, or a bracket closes
/// that was opened before.
fn opened(between: &[u8]) -> Option<usize> {
    let mut depth = 0_isize;
    for &byte in between {
        let class = bytes::of(byte);
        if class & BETWEEN == 0 {
            return None;
        }
        depth += isize::from(class & OPEN != 0) - isize::from(class & CLOSE != 0);
    }
    usize::try_from(depth).ok()
}
