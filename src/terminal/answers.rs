//! What a terminal says by itself is nobody's key press.
//!
//! Answers to colour, clipboard, title and capability queries (OSC, DCS, APC, PM, SOS strings) reach the
//! reader as Alt and their introducer, then letter by letter. We ask for none, so whoever made the
//! terminal answer was not us: everything up to the string's end is dropped. Answers in CSI form are known
//! to the terminal library and are no keys.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What begins such a string after ESC: DCS, SOS, OSC, PM, APC.
const INTRODUCERS: [char; 5] = ['P', 'X', ']', '^', '_'];
/// A string without an end is over after this long without a byte: nobody types so fast for so long.
const PAUSE: Duration = Duration::from_millis(100);
/// ESC and its introducer come apart only when a read ends between them.
const APART: Duration = Duration::from_millis(10);

/// Tells key presses from what the terminal says.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// When the last byte of a string came that has not ended.
    inside: Option<Instant>,
    /// When a lone ESC came last.
    escape: Option<Instant>,
}

impl Answers {
    /// True when somebody pressed this key.
    pub(super) fn is_pressed(&mut self, key: KeyEvent, at: Instant) -> bool {
        // The way out is open whatever the terminal says: no answer holds this byte.
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            *self = Self::default();
            return true;
        }
        if self.inside.take().is_some_and(|last| at.duration_since(last) < PAUSE) {
            if !ends(key) {
                self.inside = Some(at);
            }
            return false;
        }
        let follows = self.escape.take().is_some_and(|last| at.duration_since(last) < APART);
        let begins = matches!(key.code, KeyCode::Char(letter) if INTRODUCERS.contains(&letter))
            && (follows || key.modifiers.contains(KeyModifiers::ALT));
        if begins {
            self.inside = Some(at);
        } else if key.code == KeyCode::Esc {
            self.escape = Some(at);
        }
        !begins
    }
}

/// BEL, or ST (ESC and a backslash).
fn ends(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    matches!(key.code, KeyCode::Char('g') if control) || matches!(key.code, KeyCode::Char('\\') if alt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(keys: &[(char, KeyModifiers)]) -> String {
        let (mut answers, at) = (Answers::default(), Instant::now());
        let mut passed = String::new();
        for (letter, held) in keys {
            if answers.is_pressed(KeyEvent::new(KeyCode::Char(*letter), *held), at) {
                passed.push(*letter);
            }
        }
        passed
    }

    #[test]
    fn a_clipboard_answer_presses_nothing_and_the_next_key_counts() {
        let (none, alt, ctrl) = (KeyModifiers::NONE, KeyModifiers::ALT, KeyModifiers::CONTROL);
        assert_eq!(pressed(&[(']', alt), ('a', none), ('R', none), ('g', ctrl), ('j', none)]), "j");
        assert_eq!(pressed(&[('P', alt), ('a', none), ('\\', alt), ('k', none)]), "k");
        assert_eq!(pressed(&[(']', none), ('a', none)]), "]a");
    }

    #[test]
    fn a_string_without_an_end_is_over_after_a_pause() {
        let (mut answers, at) = (Answers::default(), Instant::now());
        let key = |letter, held| KeyEvent::new(KeyCode::Char(letter), held);
        assert!(!answers.is_pressed(key(']', KeyModifiers::ALT), at));
        assert!(!answers.is_pressed(key('a', KeyModifiers::NONE), at + Duration::from_millis(50)));
        assert!(answers.is_pressed(key('a', KeyModifiers::NONE), at + Duration::from_millis(200)));
    }

    #[test]
    fn an_introducer_that_was_parted_from_its_escape_is_still_one() {
        let (mut answers, at) = (Answers::default(), Instant::now());
        assert!(answers.is_pressed(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE), at));
        assert!(!answers.is_pressed(KeyEvent::new(KeyCode::Char(']'), KeyModifiers::NONE), at));
        assert!(!answers.is_pressed(KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE), at));
    }
}
