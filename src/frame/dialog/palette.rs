//! The command line: what is typed, and what it could become.
//!
//! Knows words, not what they do.

use stella_widgets::text::sanitise;
use tui_input::Input;

use super::{Lines, type_into};
use crate::keys::{Key, KeyCode};

/// A command being typed.
#[derive(Debug)]
pub(super) struct Palette {
    input: Input,
    /// Every command that can be completed, whole.
    known: Vec<String>,
}

impl Palette {
    pub(super) fn new(known: Vec<String>) -> Self {
        Self { input: Input::default(), known }
    }

    /// More commands are known now.
    pub(super) fn learn(&mut self, known: Vec<String>) {
        self.known = known;
    }

    /// The command, once Enter was pressed on something.
    pub(super) fn key(&mut self, key: Key) -> Option<String> {
        match key.code {
            KeyCode::Tab => {
                self.complete();
                None
            }
            KeyCode::Enter => Some(self.meant()),
            _ => {
                self.edit(key);
                None
            }
        }
    }

    pub(super) fn edit(&mut self, key: Key) {
        type_into(&mut self.input, key);
    }

    pub(super) fn lines(&self) -> Lines<'_> {
        let offers = self.offers();
        let hint = match (offers.is_empty(), self.input.value().trim().is_empty()) {
            (true, false) if self.goes_on() => "Enter runs it, Esc leaves".to_owned(),
            (true, false) => "no command begins so; Esc leaves".to_owned(),
            _ => sanitise(&format!("Enter runs, Tab completes: {}", offers.join(" | "))).into_string(),
        };
        Lines {
            question: "command".to_owned(),
            ask: String::new(),
            field: Some((self.input.value(), self.input.visual_cursor())),
            choices: Vec::new(),
            hint,
            wrong: false,
        }
    }

    fn offers(&self) -> Vec<&str> {
        let typed = self.input.value().trim_start();
        self.known.iter().map(String::as_str).filter(|command| command.starts_with(typed)).collect()
    }

    /// True when it begins with a whole word that commands begin with: it may say more than can be completed.
    fn goes_on(&self) -> bool {
        let Some((first, _)) = self.input.value().trim_start().split_once(' ') else { return false };
        self.known.iter().any(|command| command.split(' ').next() == Some(first))
    }

    /// What was typed; the one command that begins so, when there is just one.
    fn meant(&self) -> String {
        let typed = self.input.value().trim();
        match self.offers().as_slice() {
            [only] if !typed.is_empty() => (*only).to_owned(),
            _ => typed.to_owned(),
        }
    }

    /// Types as far as all that can follow agree.
    fn complete(&mut self) {
        let offers = self.offers();
        let Some(first) = offers.first() else { return };
        let agreed = offers.iter().fold(first.len(), |length, other| {
            let same = first.char_indices().zip(other.chars()).find(|((_, mine), its)| mine != its);
            length.min(same.map_or(first.len().min(other.len()), |((at, _), _)| at))
        });
        if agreed > self.input.value().trim_start().len() {
            self.input = Input::new(first[..agreed].to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn palette(typed: &str) -> Palette {
        let known = ["fixes", "fixes off", "fixes on", "help", "propose restart_service"].map(str::to_owned);
        let mut palette = Palette::new(known.to_vec());
        typed.chars().for_each(|letter| palette.edit(Key::char(letter)));
        palette
    }

    #[test]
    fn tab_types_as_far_as_it_is_clear() {
        let mut some = palette("fi");
        assert_eq!(some.key(Key::plain(KeyCode::Tab)), None);
        assert_eq!(some.input.value(), "fixes");
        let mut one = palette("pro");
        one.key(Key::plain(KeyCode::Tab));
        assert_eq!(one.input.value(), "propose restart_service");
    }

    #[test]
    fn what_says_more_than_can_be_completed_is_not_called_unknown() {
        assert_eq!(palette("propose restart_service service=pay").lines().hint, "Enter runs it, Esc leaves");
        assert_eq!(palette("porpose x").lines().hint, "no command begins so; Esc leaves");
    }

    #[test]
    fn enter_means_the_one_that_begins_so_or_what_was_typed() {
        let enter = Key::plain(KeyCode::Enter);
        assert_eq!(palette("he").key(enter), Some("help".to_owned()));
        assert_eq!(palette("fixes").key(enter), Some("fixes".to_owned()));
        assert_eq!(palette("nothing").key(enter), Some("nothing".to_owned()));
        assert_eq!(palette("").key(enter), Some(String::new()));
    }
}
