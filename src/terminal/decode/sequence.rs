//! Which key a control code or a complete sequence is.
//!
//! Knows the forms of xterm and its descendants, of rxvt, `PuTTY`, tmux, screen and the Linux console
//! where they differ, and those of the extended protocols (`CSI … u`, `CSI 27;…~`) that another program may have left switched on.

use crate::keys::{Key, KeyCode};

/// What is held: one more than the sum of these, as xterm counts.
const SHIFT: u16 = 1;
const ALT: u16 = 2;
const CTRL: u16 = 4;
/// Super, hyper and meta: with one of them, or Alt, it is another key than any of ours.
const FOREIGN: u16 = ALT | 8 | 16 | 32;

/// Kinds of events in the extended protocol.
const PRESSED: u16 = 1;
const REPEATED: u16 = 2;
const RELEASED: u16 = 3;

/// The key of a single byte below 128.
pub(super) fn ascii(byte: u8) -> Key {
    match byte {
        b'\r' => Key::plain(KeyCode::Enter),
        b'\t' => Key::plain(KeyCode::Tab),
        0x08 | 0x7f => Key::plain(KeyCode::Backspace),
        0x00 => Key::ctrl(' '),
        0x01..=0x1f => Key::ctrl(char::from(byte | 0x40).to_ascii_lowercase()),
        _ => Key::char(char::from(byte)),
    }
}

/// The key of the byte after SS3, and of what stands between them: nothing, or what is held.
pub(super) fn single(parameters: &[u8], end: u8) -> Option<Key> {
    let modifiers = parameters.rsplit(|byte| *byte == b';').next().map_or(0, |last| numbers(last)[0]);
    let held = Held { modifiers: modifiers.saturating_sub(1), kind: PRESSED };
    match end {
        b'M' => held.with(KeyCode::Enter),
        b'a'..=b'd' => held.also(CTRL).with(moved(end.to_ascii_uppercase())?),
        _ => held.with(moved(end)?),
    }
}

/// The key of a control sequence with these parameter bytes and this final byte; `None` when it is no
/// key of ours.
pub(super) fn key(parameters: &[u8], end: u8) -> Option<Key> {
    // A private mark or an intermediate byte: an answer.
    if !parameters.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')) {
        return None;
    }
    if let Some(key) = of_rxvt(parameters, end) {
        return Some(key);
    }
    let fields: Vec<Vec<u16>> = parameters.split(|byte| *byte == b';').map(numbers).collect();
    let field = |index: usize, part: usize| fields.get(index).and_then(|parts| parts.get(part)).copied();
    let (first, third) = (field(0, 0).unwrap_or(0), field(2, 0));
    let held = Held { modifiers: field(1, 0).unwrap_or(1).saturating_sub(1), kind: field(1, 1).unwrap_or(PRESSED) };
    match (end, third) {
        (b'~', Some(code)) if first == 27 => held.character(code),
        (b'u', _) => held.character(first),
        (b'~', None) => held.with(numbered(first)?),
        (b'Z', None) => held.with(KeyCode::BackTab),
        (b'A'..=b'H', None) if first <= 1 => held.with(moved(end)?),
        _ => None,
    }
}

/// A key that rxvt says is held with Shift, Ctrl or both, by its last byte.
fn of_rxvt(parameters: &[u8], end: u8) -> Option<Key> {
    let modifiers = match end {
        b'a'..=b'd' | b'$' => SHIFT,
        b'^' => CTRL,
        b'@' => CTRL | SHIFT,
        _ => return None,
    };
    let held = Held { modifiers, kind: PRESSED };
    if parameters.is_empty() {
        return held.with(moved(end.to_ascii_uppercase())?);
    }
    let number = std::str::from_utf8(parameters).ok()?.parse().ok()?;
    if end.is_ascii_lowercase() { None } else { held.with(numbered(number)?) }
}

/// The parts of one parameter; what is not there or too large is 0.
fn numbers(field: &[u8]) -> Vec<u16> {
    let number = |part: &[u8]| std::str::from_utf8(part).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    field.split(|byte| *byte == b':').map(number).collect()
}

fn moved(end: u8) -> Option<KeyCode> {
    match end {
        b'A' => Some(KeyCode::Up),
        b'B' => Some(KeyCode::Down),
        b'C' => Some(KeyCode::Right),
        b'D' => Some(KeyCode::Left),
        b'F' => Some(KeyCode::End),
        b'H' => Some(KeyCode::Home),
        _ => None,
    }
}

fn numbered(number: u16) -> Option<KeyCode> {
    match number {
        1 | 7 => Some(KeyCode::Home),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        _ => None,
    }
}

/// What else the terminal says of a key.
#[derive(Debug, Clone, Copy)]
struct Held {
    modifiers: u16,
    kind: u16,
}

impl Held {
    fn also(self, modifiers: u16) -> Self {
        Self { modifiers: self.modifiers | modifiers, ..self }
    }

    fn with(self, code: KeyCode) -> Option<Key> {
        if self.kind == RELEASED || self.modifiers & FOREIGN != 0 {
            return None;
        }
        let shift = self.modifiers & SHIFT != 0;
        let code = if code == KeyCode::Tab && shift { KeyCode::BackTab } else { code };
        Some(Key { code, ctrl: self.modifiers & CTRL != 0, repeat: self.kind == REPEATED })
    }

    /// A key that is named by its character's number.
    fn character(self, number: u16) -> Option<Key> {
        let (ctrl, shift) = (self.modifiers & CTRL != 0, self.modifiers & SHIFT != 0);
        let letter = char::from_u32(u32::from(number))?;
        match letter {
            '\r' => self.with(KeyCode::Enter),
            '\t' => self.with(KeyCode::Tab),
            '\x1b' => self.with(KeyCode::Esc),
            '\x08' | '\x7f' => self.with(KeyCode::Backspace),
            // Function keys are numbered in the area for private use.
            '\u{e000}'..='\u{f8ff}' => None,
            letter if letter.is_control() => None,
            letter if ctrl => self.with(KeyCode::Char(letter.to_ascii_lowercase())),
            letter if shift => self.with(KeyCode::Char(letter.to_ascii_uppercase())),
            letter => self.with(KeyCode::Char(letter)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sequence: &str) -> Option<Key> {
        let (end, parameters) = sequence.as_bytes().split_last()?;
        key(parameters, *end)
    }

    #[test]
    fn letters_carry_their_case_and_ctrl_is_a_flag() {
        assert_eq!(ascii(b'G'), Key::char('G'));
        assert_eq!(ascii(0x04), Key::ctrl('d'));
        assert_eq!(of("71;2u"), Some(Key::char('G')));
        assert_eq!(of("100;5u"), Some(Key::ctrl('d')));
        assert_eq!(of("27;5;100~"), Some(Key::ctrl('d')));
    }

    #[test]
    fn every_terminals_form_of_a_movement_is_the_movement() {
        for (forms, code) in [
            (&["A", "1;2A", "1A", "a"][..], KeyCode::Up),
            (&["H", "1~", "7~", "7$"], KeyCode::Home),
            (&["F", "4~", "8~", "8$"], KeyCode::End),
            (&["5~", "5$"], KeyCode::PageUp),
            (&["6~"], KeyCode::PageDown),
            (&["3~"], KeyCode::Delete),
            (&["Z", "9;2u"], KeyCode::BackTab),
            (&["27u"], KeyCode::Esc),
        ] {
            assert!(forms.iter().all(|form| of(form) == Some(Key::plain(code))), "{code:?}");
        }
        let ctrl_up = Key { ctrl: true, ..Key::plain(KeyCode::Up) };
        assert_eq!(single(b"", b'B'), Some(Key::plain(KeyCode::Down)));
        for form in [single(b"5", b'A'), single(b"1;5", b'A'), single(b"", b'a'), of("1;5A")] {
            assert_eq!(form, Some(ctrl_up));
        }
        assert_eq!((single(b"3", b'A'), single(b"", b'w')), (None, None));
        assert_eq!((of("5^"), of("7@")), (of("5;5~"), of("7;6~")));
    }

    #[test]
    fn releases_and_alt_are_no_keys_of_ours_and_a_held_key_is_marked() {
        assert_eq!(of("97;1:3u"), None);
        assert_eq!(of("97;3u"), None);
        assert_eq!(of("1;3A"), None);
        assert!(of("97;1:2u").is_some_and(|key| key.repeat));
    }

    #[test]
    fn positions_sizes_modes_and_function_keys_are_none() {
        for other in ["24;80R", "0;0R", "8;24;80t", "?1;2c", "?2026;1$y", "11~", "57344u", "65536u", "4;1;2~", "24;80H"]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
