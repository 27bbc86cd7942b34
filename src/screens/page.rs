//! Rows of a column, written from the top: headings, words that wrap, words in several styles, bars; and
//! which rows belong to the thing under the cursor.
//!
//! Does not know what it is written about: whoever writes brings that along.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::Text;
use stella_widgets::text::{sanitise, width};
use stella_widgets::wrap::wrap;
use stella_widgets::{Bar, Progress, Rule};

use crate::frame::{put, tint};
use crate::screens::View;
use crate::theme::Role;

/// One row.
#[derive(Debug, Clone)]
pub(super) enum Row {
    /// A heading with a rule.
    Heading(String),
    /// Words.
    Words(Line<'static>),
    /// Words, and behind them a bar in so many columns.
    Bar { words: Line<'static>, at: u16, columns: u16, progress: Progress, style: Style },
}

/// A column being written, about something.
pub(super) struct Page<'a, About = ()> {
    pub(super) about: About,
    pub(super) view: &'a View<'a>,
    pub(super) width: u16,
    rows: Vec<Row>,
    chosen: Range<usize>,
}

impl<'a> Page<'a> {
    pub(super) fn new(view: &'a View<'a>, width: u16) -> Self {
        Self::about((), view, width)
    }
}

impl<'a, About> Page<'a, About> {
    pub(super) fn about(about: About, view: &'a View<'a>, width: u16) -> Self {
        Self { about, view, width, rows: Vec::new(), chosen: 0..0 }
    }

    /// The rows, and which of them are the chosen thing's.
    pub(super) fn into_rows(self) -> (Vec<Row>, Range<usize>) {
        (self.rows, self.chosen)
    }

    pub(super) fn heading(&mut self, words: impl Into<String>) {
        self.rows.push(Row::Heading(words.into()));
    }

    /// Words in one style, wrapped behind `indent` blanks: nothing is cut.
    pub(super) fn words(&mut self, indent: u16, role: Role, words: &str) {
        let style = self.view.style(role);
        for row in wrap(words, self.width.saturating_sub(indent + 1)) {
            let blank = " ".repeat(usize::from(indent));
            self.rows.push(Row::Words(Line::from(vec![Span::raw(blank), Span::styled(row.to_owned(), style)])));
        }
    }

    /// A mark in one style and words behind it, which wrap below each other.
    pub(super) fn marked(&mut self, mark: (&str, Role), role: Role, words: &str) {
        let indent = width(mark.0) + 2;
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
        let line = self.line(spans);
        self.rows.push(Row::Words(line));
    }

    /// Words in several styles, and a bar in the last columns.
    pub(super) fn bar(&mut self, spans: impl IntoIterator<Item = (Role, String)>, at: u16, progress: Progress) {
        let (words, columns) = (self.line(spans), self.width.saturating_sub(at + 1));
        let style = self.view.style(Role::Chart);
        self.rows.push(Row::Bar { words, at, columns, progress, style });
    }

    fn line(&self, spans: impl IntoIterator<Item = (Role, String)>) -> Line<'static> {
        let styled = spans.into_iter().map(|(role, words)| Span::styled(words, self.view.style(role)));
        Line::from(styled.collect::<Vec<_>>())
    }

    /// Writes a thing; when it is the chosen one its rows are remembered.
    pub(super) fn thing(&mut self, is_chosen: bool, write: impl FnOnce(&mut Self)) {
        let from = self.rows.len();
        write(self);
        if is_chosen {
            self.chosen = from..self.rows.len();
        }
    }
}

/// Paints rows from `top` on. The first row of the chosen thing is marked.
pub(super) fn paint(rows: &[Row], chosen: &Range<usize>, top: usize, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    // The shorter column stays at its end instead of scrolling away.
    let top = top.min(rows.len().saturating_sub(usize::from(area.height)));
    for ((at, row), y) in rows.iter().enumerate().skip(top).zip(area.y..area.bottom()) {
        let line = Rect { y, height: 1, ..area };
        match row {
            Row::Heading(words) => {
                let rule =
                    Rule::new().title(words).style(view.style(Role::Border)).title_style(view.style(Role::Muted));
                (&rule).render(line, buffer);
            }
            Row::Words(words) => put(buffer, area.x, y, area.width, words),
            Row::Bar { words, at, columns, progress, style } => {
                put(buffer, area.x, y, (*at).min(area.width), words);
                let bar = Bar::new(*progress)
                    .done_style(*style)
                    .rest_style(view.style(Role::Faint))
                    .figure_style(view.style(Role::Text));
                (&bar).render(Rect { x: area.x + at, width: *columns, ..line }.intersection(line), buffer);
            }
        }
        if at == chosen.start && !chosen.is_empty() {
            put(buffer, area.x, y, 1, &Line::styled(">", view.style(Role::Accent)));
            tint(buffer, line, view.style(Role::Selection));
        }
    }
}

/// Hostile text, safe to show.
pub(super) fn clean(text: &Text) -> String {
    sanitise(text.raw()).into_string()
}
