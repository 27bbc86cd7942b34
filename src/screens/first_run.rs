//! Nothing is configured and no flag was given: the ways to begin, one key each.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use stella_widgets::text::sanitise;
use tui_input::{Input, InputRequest};

use super::View;
use crate::effect::{Choice, Effect};
use crate::frame::put;
use crate::keys::{Key, KeyCode};
use crate::theme::Role;

/// What is being typed, once a choice needs words.
#[derive(Debug, Default)]
pub struct State {
    asking: Option<(Asking, Input)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    Tail,
    Server,
}

impl State {
    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Option<Effect> {
        let Some((asking, input)) = &mut self.asking else { return self.choose(key) };
        match key.code {
            KeyCode::Esc => self.asking = None,
            KeyCode::Enter if !input.value().trim().is_empty() => {
                let words = input.value().trim().to_owned();
                return Some(Effect::Start(match asking {
                    Asking::Tail => Choice::Tail(words),
                    Asking::Server => Choice::Server(words),
                }));
            }
            KeyCode::Backspace => drop(input.handle(InputRequest::DeletePrevChar)),
            KeyCode::Char(letter) if !key.ctrl => drop(input.handle(InputRequest::InsertChar(letter))),
            _ => {}
        }
        None
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        if let Some((_, input)) = &mut self.asking {
            for letter in text.chars().filter(|letter| !letter.is_control()) {
                input.handle(InputRequest::InsertChar(letter));
            }
        }
    }

    fn choose(&mut self, key: Key) -> Option<Effect> {
        match key.code {
            KeyCode::Char('d') => return Some(Effect::Start(Choice::Demo)),
            KeyCode::Char('t') => self.asking = Some((Asking::Tail, Input::default())),
            KeyCode::Char('s') => self.asking = Some((Asking::Server, Input::default())),
            KeyCode::Char('q') => return Some(Effect::Quit),
            _ => {}
        }
        None
    }
}

const CHOICES: [(&str, &str, &str); 4] = [
    ("d", "the demo", "a small application with incidents, all inside"),
    ("t", "follow a log file", "stella-tui --tail app.log"),
    ("s", "connect to a server", "stella-tui --server https://stella.example"),
    ("q", "quit", "and then: my-app 2>&1 | stella-tui"),
];

/// Paints the page.
pub fn draw(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let x = area.x + 4;
    let width = area.width.saturating_sub(4);
    let mut y = area.y + area.height / 6;
    put(
        buffer,
        x,
        y,
        width,
        &Line::styled("Stella: what is wrong, why, and what to do about it", view.style(Role::Title)),
    );
    y += 1;
    put(buffer, x, y, width, &Line::styled("Nothing is configured yet. Begin with one key:", view.style(Role::Muted)));
    y += 2;
    for (key, name, words) in CHOICES {
        let line = Line::from(vec![
            Span::styled(format!("{key}  "), view.style(Role::Accent)),
            Span::styled(format!("{name:<22}"), view.style(Role::Text)),
            Span::styled(words, view.style(Role::Muted)),
        ]);
        put(buffer, x, y, width, &line);
        y += 1;
    }
    if let Some((asking, input)) = &state.asking {
        let question = if *asking == Asking::Tail { "path of the file" } else { "address or profile" };
        let typed = sanitise(input.value());
        let line = Line::from(vec![
            Span::styled(format!("{question}: "), view.style(Role::Focus)),
            Span::raw(typed.into_string()),
            Span::styled("_", view.style(Role::Accent)),
        ]);
        put(buffer, x, y + 1, width, &line);
    }
}
