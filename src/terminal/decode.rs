//! From the terminal's bytes to keys and pastes, and nothing more: what a key means is not known here.
//!
//! Written for a keyboard that is also a hostile stranger's mouth: what a terminal says by itself
//! (answers to colour, clipboard, title, mode and position queries, reports of a mouse that another
//! program left switched on) presses no key, in whatever form it comes, and cannot swallow the keys
//! after it. We ask a terminal for nothing, so whoever made it answer was not us. Ctrl-c outside of a
//! paste gets through in any state.
//!
//! The grammar is that of ECMA-48 (5th edition, 5.4 and 5.6), read from the keyboard's end: a control
//! sequence ends at its final byte, a control string at ST or BEL. What stays without an end is over
//! after a pause; time is the caller's, see [`Decoder::patience`].

mod sequence;

use std::mem::take;
use std::time::Duration;

use crate::event::Event;
use crate::keys::{Key, KeyCode};

/// ESC alone is the Escape key when nothing follows for so long. A sequence is sent in one piece; only
/// a network parts it, and then for less than this.
const ESCAPE_PAUSE: Duration = Duration::from_millis(40);
/// What has no end is over after so long without a byte: nobody types so fast for so long.
const PAUSE: Duration = Duration::from_millis(100);
/// A paste comes at the pace of the network.
const PASTE_PAUSE: Duration = Duration::from_secs(2);

/// Longest paste that is handed on, in bytes: a clipboard by mistake must not fill a prompt for ever.
const PASTE_LIMIT: usize = 64 * 1024;
/// Longest control sequence that may be a key; more is dropped up to its end.
const SEQUENCE_LIMIT: usize = 32;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CTRL_C: u8 = 0x03;
/// Ends a control string, in its 8-bit form.
const ST: u8 = 0x9c;
const PASTE_END: &[u8] = b"\x1b[201~";

/// Turns bytes into events; a byte at a time, so that reads may cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
    /// What begins with it: a character's first bytes, a sequence's, or a paste.
    held: Vec<u8>,
    /// An ESC stands before the sequence: what it says is held with Alt, if it is a key.
    is_alt: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between keys, or inside a character.
    #[default]
    Ground,
    /// After ESC: the key, or the start of a sequence.
    Escape,
    /// After ESC twice: two keys, or a sequence that is held with Alt (rxvt, `PuTTY`).
    Twice,
    /// After ESC inside a control string, where it can only be the start of its end.
    Ending,
    /// Inside a control sequence.
    Sequence,
    /// After SS3: one byte names the key; older terminals say before it what is held.
    Single,
    /// Inside a control string (OSC, DCS, APC, PM, SOS).
    Text,
    /// Inside a bracketed paste.
    Paste,
    /// So many bytes that belong to what came before.
    Skip(u8),
}

impl Decoder {
    /// Takes one byte; the event that it completes.
    pub(super) fn take(&mut self, byte: u8) -> Option<Event> {
        if byte == CTRL_C && self.state != State::Paste {
            // A string goes on: whoever hid this byte in a title gets no more than this one key.
            if !matches!(self.state, State::Text | State::Ending) {
                self.rest();
            }
            return Some(Event::Key(Key::ctrl('c')));
        }
        match self.state {
            State::Ground => return self.character(byte),
            State::Escape if byte == ESC => self.state = State::Twice,
            State::Escape | State::Ending => self.introduce(byte),
            State::Twice => return self.after_two(byte),
            State::Sequence => return self.sequence(byte),
            State::Single => return self.single(byte),
            State::Text => self.text(byte),
            State::Paste => return self.paste(byte),
            State::Skip(_) if byte == ESC => self.introduce(ESC),
            State::Skip(1) => self.state = State::Ground,
            State::Skip(left) => self.state = State::Skip(left - 1),
        }
        None
    }

    /// After how long without a byte [`Self::pause`] is to be called; `None` when nothing is open.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Ground if self.held.is_empty() => None,
            State::Escape | State::Twice => Some(ESCAPE_PAUSE),
            State::Paste => Some(PASTE_PAUSE),
            _ => Some(PAUSE),
        }
    }

    /// No byte came for as long as [`Self::patience`] said: what is open is over. To be asked again
    /// until there is no patience left: two Escapes are two pauses.
    pub(super) fn pause(&mut self) -> Option<Event> {
        let was = self.state;
        let pasted = if was == State::Paste { pasted(&take(&mut self.held)) } else { None };
        self.rest();
        if was == State::Twice {
            self.state = State::Escape;
        }
        if matches!(was, State::Escape | State::Twice) { Some(escape()) } else { pasted }
    }

    fn rest(&mut self) {
        self.state = State::Ground;
        self.held.clear();
        self.is_alt = false;
    }

    /// A byte outside of any sequence.
    fn character(&mut self, byte: u8) -> Option<Event> {
        if byte.is_ascii() {
            self.held.clear();
            if byte == ESC {
                self.state = State::Escape;
                return None;
            }
            return Some(Event::Key(sequence::ascii(byte)));
        }
        self.held.push(byte);
        match std::str::from_utf8(&self.held) {
            Ok(text) => {
                let letter = text.chars().next();
                self.held.clear();
                return self.letter(letter?);
            }
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                self.held.clear();
                // A terminal set to 8-bit controls says these as one byte; no character begins so.
                if (0x80..0xa0).contains(&byte) {
                    self.introduce(byte - 0x40);
                }
            }
        }
        None
    }

    fn letter(&mut self, letter: char) -> Option<Event> {
        match u32::from(letter) {
            code @ 0x80..0xa0 => {
                self.introduce((code - 0x40) as u8);
                None
            }
            _ => Some(Event::Key(Key::char(letter))),
        }
    }

    /// The byte after ESC. A letter there is a key held with Alt, which is none of ours: without this,
    /// Alt-a would acknowledge.
    fn introduce(&mut self, byte: u8) {
        self.rest();
        self.state = match byte {
            b'[' => State::Sequence,
            b'O' => State::Single,
            b'P' | b'X' | b']' | b'^' | b'_' => State::Text,
            ESC => State::Escape,
            // The rest of a character that is held with Alt.
            0xc2..=0xdf => State::Skip(1),
            0xe0..=0xef => State::Skip(2),
            0xf0..=0xf4 => State::Skip(3),
            _ => State::Ground,
        };
    }

    /// The byte after two ESC. Before a sequence the first of them may be Alt, or a key of its own:
    /// the sequence's end tells. Before anything else it is a key.
    fn after_two(&mut self, byte: u8) -> Option<Event> {
        if byte == ESC {
            return Some(escape());
        }
        self.introduce(byte);
        self.is_alt = matches!(self.state, State::Sequence | State::Single);
        (!self.is_alt).then(escape)
    }

    /// What a complete sequence presses. With ESC before it a key is another one than ours, and what is
    /// no key leaves the ESC to be one.
    fn press(&mut self, key: Option<Key>) -> Option<Event> {
        match (take(&mut self.is_alt), key) {
            (false, key) => key.map(Event::Key),
            (true, Some(_)) => None,
            (true, None) => Some(escape()),
        }
    }

    fn single(&mut self, byte: u8) -> Option<Event> {
        match byte {
            b'0'..=b'9' | b';' => {
                if self.held.len() <= SEQUENCE_LIMIT {
                    self.held.push(byte);
                }
                None
            }
            ESC => {
                self.introduce(ESC);
                None
            }
            _ => {
                let held = take(&mut self.held);
                self.state = State::Ground;
                self.press(sequence::single(&held, byte))
            }
        }
    }

    /// A byte of a control string. One that ends it in 8 bits may as well be the middle of a letter.
    fn text(&mut self, byte: u8) {
        if byte.is_ascii() {
            self.held.clear();
            match byte {
                ESC => self.state = State::Ending,
                BEL => self.state = State::Ground,
                _ => {}
            }
            return;
        }
        self.held.push(byte);
        let is_end = match std::str::from_utf8(&self.held) {
            Ok(letter) => letter == "\u{9c}",
            Err(error) if error.error_len().is_none() => return,
            Err(_) => byte == ST,
        };
        self.held.clear();
        if is_end {
            self.state = State::Ground;
        }
    }

    fn sequence(&mut self, byte: u8) -> Option<Event> {
        match byte {
            // rxvt ends a key that is held with Shift by what is no end elsewhere.
            b'$' if !self.held.is_empty() && self.held.iter().all(u8::is_ascii_digit) => return self.finish(byte),
            0x20..=0x3f => {
                if self.held.len() <= SEQUENCE_LIMIT {
                    self.held.push(byte);
                }
            }
            0x40..=0x7e => return self.finish(byte),
            ESC => self.introduce(ESC),
            // Not part of any sequence; whoever sent it was not a keyboard.
            _ => self.rest(),
        }
        None
    }

    /// The final byte of a control sequence.
    fn finish(&mut self, end: u8) -> Option<Event> {
        let held = take(&mut self.held);
        self.state = match (end, held.as_slice()) {
            (b'~', b"200") => State::Paste,
            // A mouse in its oldest form: button, column, row.
            (b'M', b"") => State::Skip(3),
            // A function key of the Linux console.
            (b'[', b"") => State::Skip(1),
            _ => State::Ground,
        };
        let is_key = self.state == State::Ground && held.len() <= SEQUENCE_LIMIT;
        self.press(if is_key { sequence::key(&held, end) } else { None })
    }

    fn paste(&mut self, byte: u8) -> Option<Event> {
        self.held.push(byte);
        if self.held.ends_with(PASTE_END) {
            let text = take(&mut self.held);
            self.rest();
            return pasted(&text[..text.len() - PASTE_END.len()]);
        }
        // Beyond the limit only what may be its end is kept.
        let most = PASTE_LIMIT + PASTE_END.len();
        if self.held.len() > most {
            self.held.remove(PASTE_LIMIT);
        }
        None
    }
}

fn escape() -> Event {
    Event::Key(Key::plain(KeyCode::Esc))
}

/// The text of a paste, cut between characters; `None` when there is nothing.
fn pasted(bytes: &[u8]) -> Option<Event> {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    text.truncate(text.floor_char_boundary(PASTE_LIMIT));
    (!text.is_empty()).then_some(Event::Paste(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(bytes: &[u8]) -> Vec<Event> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|byte| decoder.take(*byte)).collect()
    }

    /// The characters that were pressed; `!` is any other key.
    fn pressed(bytes: &[u8]) -> String {
        let key = |event| match event {
            Event::Key(Key { code: KeyCode::Char(letter), ctrl: false, .. }) => letter,
            _ => '!',
        };
        events(bytes).into_iter().map(key).collect()
    }

    #[test]
    fn what_a_terminal_says_presses_no_key_and_the_next_key_counts() {
        let said: [&[u8]; 19] = [
            b"\x1b]52;c;YVJ5\x07",
            b"\x1b]11;rgb:ffff/aRy/0000\x1b\\",
            b"\x1bP1$raRy\x1b\\",
            b"\x1bP>|xterm(388)\x1b\\",
            b"\x1b_Gi=31;OK\x1b\\",
            b"\x1b^aRy\x1b\\",
            b"\x1bXaRy\x1b\\",
            b"\x1b[?2026;1$y",
            b"\x1b[?62;22c",
            b"\x1b[>41;388;0c",
            b"\x1b[0;0R",
            b"\x1b[8;24;80t",
            b"\x1b[<0;12;9M",
            b"\x1b[M aR",
            b"\x1b[I",
            b"\xc2\x9d52;c;aRy\xc2\x9c",
            "\x1b]l\u{2713}aRy\u{5dc}aRy\x1b\\".as_bytes(),
            b"\x1bOP",
            b"\x1bO5P",
        ];
        for answer in said {
            let with_key = [answer, b"j"].concat();
            assert_eq!(pressed(&with_key), "j", "{}", answer.escape_ascii());
        }
        assert_eq!(pressed(b"\x9d0;aRy\x9cj\x9b?1;2ck"), "jk");
    }

    #[test]
    fn text_of_any_script_is_typed() {
        assert_eq!(pressed("aGé日🎺]".as_bytes()), "aGé日🎺]");
        assert_eq!(pressed(b"a\xff\xe6b"), "ab");
    }

    #[test]
    fn a_lone_escape_is_a_key_after_a_pause_and_alt_is_none_of_ours() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.take(ESC), None);
        assert_eq!(decoder.patience(), Some(ESCAPE_PAUSE));
        assert_eq!(decoder.pause(), Some(Event::Key(Key::plain(KeyCode::Esc))));
        assert_eq!(decoder.patience(), None);
        assert_eq!(pressed(b"\x1baj"), "j");
        assert_eq!(pressed("\x1bßj\x1b日k\x1b🎺l".as_bytes()), "jkl");
    }

    #[test]
    fn an_arrow_behind_an_escape_is_held_with_alt_and_a_report_leaves_the_escape() {
        assert_eq!(events(b"\x1b\x1b[A\x1b\x1bOBj"), [Event::Key(Key::char('j'))]);
        assert_eq!(events(b"\x1b\x1b[?1;2c"), [escape()]);
        assert_eq!(events(b"\x1b\x1b]0;x\x07"), [escape()]);
        assert_eq!(events(b"\x1b\x1b[?1;2c\x1b[A").len(), 2);
    }

    #[test]
    fn two_escapes_are_two_keys_however_fast() {
        let mut decoder = Decoder::default();
        assert!(b"\x1b\x1b".iter().all(|byte| decoder.take(*byte).is_none()));
        assert_eq!((decoder.pause(), decoder.pause()), (Some(escape()), Some(escape())));
        assert_eq!(decoder.patience(), None);
    }

    #[test]
    fn what_begins_anew_inside_an_open_sequence_is_whole() {
        let up = [Event::Key(Key::plain(KeyCode::Up))];
        for open in [&b"\x1bO"[..], b"\x1b[", b"\x1b[M", b"\x1b[M a", b"\x1b]0;x", b"\x1bO5", b"\x1b[[", b"\xe6\x97"] {
            assert_eq!(events(&[open, b"\x1b[A"].concat()), up, "{}", open.escape_ascii());
        }
    }

    #[test]
    fn an_interrupt_hidden_in_a_string_is_that_one_key() {
        assert_eq!(events(b"\x1b]l\x03aRy\x1b\\"), [Event::Key(Key::ctrl('c'))]);
    }

    #[test]
    fn what_has_no_end_is_over_after_a_pause() {
        for open in [&b"\x1b]52;c;aR"[..], b"\x1b[?2026", b"\x1bO", b"\x1bP", b"\x1b[M", b"\xe6\x97", b"\x1b]0;x\x1b"] {
            let mut decoder = Decoder::default();
            assert!(open.iter().all(|byte| decoder.take(*byte).is_none()), "{}", open.escape_ascii());
            assert!(decoder.patience().is_some() && decoder.pause().is_none(), "{}", open.escape_ascii());
            assert_eq!(decoder.take(b'j'), Some(Event::Key(Key::char('j'))));
        }
    }

    #[test]
    fn a_paste_is_one_event_cut_between_characters() {
        assert_eq!(events(b"\x1b[200~aR\x03\x1b[A\x1b[201~j").len(), 2);
        let long = ["\x1b[200~", &"é".repeat(PASTE_LIMIT), "\x1b[201~"].concat();
        assert!(matches!(&events(long.as_bytes())[..], [Event::Paste(text)] if text.len() == PASTE_LIMIT));
    }

    #[test]
    fn a_paste_without_an_end_is_handed_on_after_a_pause() {
        let mut decoder = Decoder::default();
        assert!(b"\x1b[200~some".iter().all(|byte| decoder.take(*byte).is_none()));
        assert_eq!(decoder.pause(), Some(Event::Paste("some".to_owned())));
        assert_eq!(decoder.take(b'j'), Some(Event::Key(Key::char('j'))));
    }

    proptest! {
        #[test]
        fn whatever_came_a_pause_and_a_key_are_that_key(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut decoder = Decoder::default();
            for byte in bytes {
                decoder.take(byte);
            }
            decoder.pause();
            decoder.pause();
            prop_assert_eq!(decoder.patience(), None);
            prop_assert_eq!(decoder.take(b'q'), Some(Event::Key(Key::char('q'))));
        }

        #[test]
        fn an_interrupt_gets_through_at_once_outside_of_a_paste(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut decoder = Decoder::default();
            for byte in bytes {
                decoder.take(byte);
            }
            prop_assume!(decoder.state != State::Paste);
            prop_assert_eq!(decoder.take(CTRL_C), Some(Event::Key(Key::ctrl('c'))));
        }

        #[test]
        fn a_string_of_any_text_presses_nothing(kind in prop::sample::select(&b"PX]^_"[..]), text in "[ -~]{0,40}") {
            let said = [&[ESC, kind], text.as_bytes(), b"\x1b\\"].concat();
            prop_assert_eq!(events(&said), vec![]);
        }

        #[test]
        fn a_private_or_unknown_sequence_presses_nothing(
            private in prop::sample::select(&b"?<=>"[..]), inner in "[0-9;:$ !]{0,40}", end in 0x40..=0x7eu8
        ) {
            let said = [&[ESC, b'[', private], inner.as_bytes(), &[end]].concat();
            prop_assert_eq!(pressed(&[&said[..], b"j"].concat()), "j");
        }
    }
}
