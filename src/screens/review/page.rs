//! Rows of a column, written from the top: headings, words that wrap, words in several styles.

use ratatui::text::{Line, Span};
use stella_protocol::{Fix, Text};
use stella_widgets::text::sanitise;
use stella_widgets::wrap::wrap;

use super::State;
use crate::screens::View;
use crate::theme::Role;

/// One row.
#[derive(Debug, Clone)]
pub(super) enum Row {
    /// A heading with a rule.
    Heading(String),
    /// Words.
    Words(Line<'static>),
}

/// A column being written.
pub(super) struct Page<'a> {
    pub(super) state: &'a State,
    pub(super) view: &'a View<'a>,
    pub(super) fix: &'a Fix,
    width: u16,
    rows: Vec<Row>,
}

impl<'a> Page<'a> {
    pub(super) fn new(state: &'a State, view: &'a View<'a>, fix: &'a Fix, width: u16) -> Self {
        Self { state, view, fix, width, rows: Vec::new() }
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    pub(super) fn heading(&mut self, words: impl Into<String>) {
        self.rows.push(Row::Heading(words.into()));
    }

    /// Words in one style, wrapped behind `indent` blanks: nothing that would run is cut.
    pub(super) fn words(&mut self, indent: u16, role: Role, words: &str) {
        let style = self.view.style(role);
        for row in wrap(words, self.width.saturating_sub(indent + 1)) {
            let blank = " ".repeat(usize::from(indent));
            self.rows.push(Row::Words(Line::from(vec![Span::raw(blank), Span::styled(row.to_owned(), style)])));
        }
    }

    /// A mark in one style and words behind it, which wrap below each other.
    pub(super) fn marked(&mut self, mark: (&str, Role), role: Role, words: &str) {
        let indent = stella_widgets::text::width(mark.0) + 2;
        let rows = wrap(words, self.width.saturating_sub(indent + 1));
        for (at, row) in rows.into_iter().enumerate() {
            let shown = if at == 0 { format!(" {} ", mark.0) } else { " ".repeat(usize::from(indent)) };
            self.rows.push(Row::Words(Line::from(vec![
                Span::styled(shown, self.view.style(mark.1)),
                Span::styled(row.to_owned(), self.view.style(role)),
            ])));
        }
    }

    /// Words in several styles, on one row.
    pub(super) fn spans(&mut self, spans: impl IntoIterator<Item = (Role, String)>) {
        let styled = spans.into_iter().map(|(role, words)| Span::styled(words, self.view.style(role)));
        self.rows.push(Row::Words(Line::from(styled.collect::<Vec<_>>())));
    }
}

/// Hostile text, safe to show.
pub(super) fn clean(text: &Text) -> String {
    sanitise(text.raw()).into_string()
}
