//! From the terminal library's keys to our own, and nothing more: what a key means is not known here.

use crossterm::event::{Event as Raw, KeyCode as RawCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::event::Event;
use crate::keys::{Key, KeyCode};

/// Longest paste that is handed on, in bytes: a clipboard by mistake must not fill a prompt for ever.
const PASTE_LIMIT: usize = 64 * 1024;

/// The event that a raw one is, if the console knows such.
pub(super) fn translate(raw: Raw) -> Option<Event> {
    match raw {
        Raw::Key(key) => translate_key(key).map(Event::Key),
        Raw::Paste(mut text) => {
            text.truncate(text.floor_char_boundary(PASTE_LIMIT));
            Some(Event::Paste(text))
        }
        Raw::Resize(width, height) => Some(Event::Resize { width, height }),
        Raw::FocusGained | Raw::FocusLost | Raw::Mouse(_) => None,
    }
}

fn translate_key(raw: KeyEvent) -> Option<Key> {
    // With Alt it is another key than any of ours; without this, Alt-a would acknowledge.
    if raw.kind == KeyEventKind::Release || raw.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER) {
        return None;
    }
    let ctrl = raw.modifiers.contains(KeyModifiers::CONTROL);
    let code = match raw.code {
        RawCode::Char(letter) if ctrl => KeyCode::Char(letter.to_ascii_lowercase()),
        RawCode::Char(letter) => KeyCode::Char(letter),
        RawCode::Enter => KeyCode::Enter,
        RawCode::Esc => KeyCode::Esc,
        RawCode::Tab if raw.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        RawCode::Tab => KeyCode::Tab,
        RawCode::BackTab => KeyCode::BackTab,
        RawCode::Backspace => KeyCode::Backspace,
        RawCode::Delete => KeyCode::Delete,
        RawCode::Up => KeyCode::Up,
        RawCode::Down => KeyCode::Down,
        RawCode::Left => KeyCode::Left,
        RawCode::Right => KeyCode::Right,
        RawCode::Home => KeyCode::Home,
        RawCode::End => KeyCode::End,
        RawCode::PageUp => KeyCode::PageUp,
        RawCode::PageDown => KeyCode::PageDown,
        _ => return None,
    };
    Some(Key { code, ctrl, repeat: raw.kind == KeyEventKind::Repeat })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: RawCode, modifiers: KeyModifiers, kind: KeyEventKind) -> Option<Key> {
        translate_key(KeyEvent::new_with_kind(code, modifiers, kind))
    }

    #[test]
    fn letters_carry_their_case_and_ctrl_is_a_flag() {
        let press = KeyEventKind::Press;
        assert_eq!(key(RawCode::Char('G'), KeyModifiers::SHIFT, press), Some(Key::char('G')));
        assert_eq!(key(RawCode::Char('D'), KeyModifiers::CONTROL, press), Some(Key::ctrl('d')));
    }

    #[test]
    fn releases_and_alt_are_no_keys_of_ours_and_a_held_key_is_marked() {
        assert_eq!(key(RawCode::Char('a'), KeyModifiers::NONE, KeyEventKind::Release), None);
        assert_eq!(key(RawCode::Char('a'), KeyModifiers::ALT, KeyEventKind::Press), None);
        let held = key(RawCode::Char('a'), KeyModifiers::NONE, KeyEventKind::Repeat);
        assert!(held.is_some_and(|key| key.repeat));
    }

    #[test]
    fn a_paste_is_cut_between_characters() {
        let pasted = translate(Raw::Paste("é".repeat(PASTE_LIMIT)));
        assert!(matches!(pasted, Some(Event::Paste(text)) if text.len() == PASTE_LIMIT));
    }
}
