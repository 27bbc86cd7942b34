//! Every key of a view, made from the one table.
//!
//! ```text
//! -- keys of the alert list --------------------------------------
//!  a        acknowledge (on another's: take over)         undo: u
//!  R        resolve (on a resolved one: reopen)       asks first
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_widgets::Rule;
use stella_widgets::text::{Align, fit};
use stella_widgets::wrap::wrap;

use super::{Bar, View};
use crate::frame::put;
use crate::keys::{self, Binding, Class, Key, KeyCode, Mode};
use crate::theme::Role;

/// Which keys, how far scrolled.
#[derive(Debug, Clone, Copy)]
pub struct State {
    mode: Mode,
    top: usize,
}

impl State {
    /// The keys of this mode.
    pub fn new(mode: Mode) -> Self {
        Self { mode, top: 0 }
    }

    /// Takes a key on a terminal of this size; true when the page is to be closed.
    pub fn key(&mut self, key: Key, size: (u16, u16)) -> bool {
        let half = usize::from(size.1) / 2;
        let last = rows(self.mode, size.0).len().saturating_sub(half);
        match key.code {
            KeyCode::Char('d' | 'f') if key.ctrl => self.top = (self.top + half).min(last),
            KeyCode::Char('u') if key.ctrl => self.top = self.top.saturating_sub(half),
            KeyCode::Char('j') | KeyCode::Down => self.top = (self.top + 1).min(last),
            KeyCode::Char('k') | KeyCode::Up => self.top = self.top.saturating_sub(1),
            KeyCode::PageDown => self.top = (self.top + half).min(last),
            KeyCode::PageUp => self.top = self.top.saturating_sub(half),
            KeyCode::Char('G') | KeyCode::End => self.top = last,
            KeyCode::Char('g') | KeyCode::Home => self.top = 0,
            KeyCode::Char('?' | 'q') | KeyCode::Esc | KeyCode::Enter => return true,
            _ => {}
        }
        false
    }
}

/// Columns beside the words: the keys, and how careful the verb is.
const BESIDE: u16 = 30;

/// A row for each line of words; the first of each names the keys.
fn rows(mode: Mode, columns: u16) -> Vec<(&'static Binding, &'static str, bool)> {
    let room = columns.saturating_sub(BESIDE);
    keys::of(mode)
        .flat_map(|binding| {
            let lines = wrap(binding.words, room).into_iter().enumerate();
            lines.map(move |(at, words)| (binding, words, at == 0))
        })
        .collect()
}

fn title(mode: Mode) -> &'static str {
    match mode {
        Mode::List => "keys of the alert list",
        Mode::Detail => "keys of an alert",
        Mode::Fixes => "keys of the fixes",
        Mode::Review => "keys of a review",
        Mode::Migrations => "keys of the migrations",
        Mode::Migration => "keys of a migration",
        Mode::Metrics => "keys of the metrics",
        Mode::Log => "keys of the log",
        Mode::Rules => "keys of the rules",
        Mode::Rule => "keys of a rule",
        Mode::Marks => "keys of what was called false",
        Mode::Deploys => "keys of the deploys",
    }
}

/// Paints the page.
pub fn draw(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let rule =
        Rule::new().title(title(state.mode)).style(view.style(Role::Border)).title_style(view.style(Role::Title));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    let all = rows(state.mode, area.width);
    for ((binding, words, is_first), y) in all.into_iter().skip(state.top).zip(area.y + 1..area.bottom()) {
        let (words_after, colour) = match binding.class {
            Class::View => ("", Role::Muted),
            Class::Safe => ("at once", Role::Ok),
            Class::Reversible => ("undo: u", Role::Ok),
            Class::Closing => ("asks first", Role::Waiting),
            Class::Outside => ("typed id", Role::Danger),
        };
        let off = view.bar().filter(|_| binding.class > Class::View);
        let style = view.style(if off.is_some() { Role::Faint } else { Role::Text });
        let (written, after) =
            if is_first { (keys::written(binding), off.map_or(words_after, Bar::short)) } else { (String::new(), "") };
        let line = Line::from(vec![
            Span::styled(format!(" {} ", fit(&written, 12, Align::Left)), view.style(Role::Accent)),
            Span::styled(fit(words, area.width.saturating_sub(BESIDE), Align::Left), style),
            Span::styled(format!(" {after}"), view.style(colour)),
        ]);
        put(buffer, area.x, y, area.width, &line);
    }
}
