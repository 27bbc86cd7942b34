//! A list's table: the line above it, the names over its columns, a row's cells below them, and what stands there while there is none.
//!
//! Knows neither what stands in a cell nor where the columns came from.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use stella_widgets::Rule;
use stella_widgets::columns::{Column, Place, lay_out};
use stella_widgets::text::{cut, fit};
use stella_widgets::wrap::wrap;

use super::View;
use crate::board::link::LinkState;
use crate::frame::{put, tint};
use crate::theme::Role;

/// Columns left of the first one: the cursor, and room for a mark.
pub(super) const MARGIN: u16 = 3;

/// Rows of a peek.
const PEEK: u16 = 4;

/// Draws the line over a list or a page: what it is, and a note about it.
pub(super) fn rule(view: &View<'_>, title: &str, note: &str, row: Rect, buffer: &mut Buffer) {
    (&ruled(view, title, note)).render(Rect { height: 1, ..row }, buffer);
}

/// The same line, to be drawn by others.
pub(super) fn ruled<'t>(view: &View<'_>, title: &'t str, note: &'t str) -> Rule<'t> {
    Rule::new()
        .title(title)
        .note(note)
        .style(view.style(Role::Border))
        .title_style(view.style(Role::Title))
        .note_style(view.style(Role::Muted))
}

/// The rows of a list below its headings, and above a peek at the one under the cursor where there is room for it.
pub(super) fn list_area(body: Rect) -> Rect {
    let top = 2.min(body.height);
    let peek = if body.height > PEEK + 8 { PEEK } else { 0 };
    Rect { y: body.y + top, height: body.height.saturating_sub(top + peek), ..body }
}

/// A list whose columns share the width of the terminal: names over the columns, a row for each item, the one under
/// the cursor marked.
pub(super) struct Columns<'c, const N: usize> {
    /// The names over them.
    pub(super) names: &'c [&'c str; N],
    /// How they share the width.
    pub(super) columns: &'c [Column; N],
}

impl<const N: usize> Columns<'_, N> {
    /// Paints the names into the row above `area`, and in `area` the cells of those that stand there; `here` is the
    /// one under the cursor.
    pub(super) fn draw<T>(
        &self,
        view: &View<'_>,
        area: Rect,
        rows: impl Iterator<Item = (T, bool)>,
        cells_of: impl Fn(T) -> [(String, Style); N],
        buffer: &mut Buffer,
    ) {
        let places = lay_out(self.columns, area.width.saturating_sub(MARGIN), 1);
        headings(view, self.names, &places, Rect { y: area.y.saturating_sub(1), height: 1, ..area }, buffer);
        for ((item, is_here), y) in rows.zip(area.y..area.bottom()) {
            let row = Rect { y, height: 1, ..area };
            cells(cells_of(item), &places, row, buffer);
            if is_here {
                point(view, row, buffer);
            }
        }
    }
}

/// What is said of the row under the cursor, below the list down to the end of `body`: a line with its name, and lines
/// in the style of their meaning, safe to show.
pub(super) fn peek(
    view: &View<'_>,
    title: &str,
    lines: impl IntoIterator<Item = (String, Role)>,
    (list, body): (Rect, Rect),
    buffer: &mut Buffer,
) {
    let area = Rect { y: list.bottom(), height: body.bottom().saturating_sub(list.bottom()), ..body };
    if area.is_empty() {
        return;
    }
    let line = Rule::new().title(title).style(view.style(Role::Border)).title_style(view.style(Role::Muted));
    (&line).render(Rect { height: 1, ..area }, buffer);
    for ((words, role), y) in lines.into_iter().zip(area.y + 1..area.bottom()) {
        let shown = cut(&words, area.width.saturating_sub(2)).into_owned();
        put(buffer, area.x + 1, y, area.width, &Line::styled(shown, view.style(role)));
    }
}

/// Writes the names of the columns into a row.
pub(super) fn headings(view: &View<'_>, names: &[&str], places: &[Option<Place>], row: Rect, buffer: &mut Buffer) {
    let faint = view.style(Role::Faint);
    cells(names.iter().map(|name| ((*name).to_owned(), faint)), places, row, buffer);
}

/// Writes cells into a row; those whose column has no place are left out.
pub(super) fn cells(
    cells: impl IntoIterator<Item = (String, Style)>,
    places: &[Option<Place>],
    row: Rect,
    buffer: &mut Buffer,
) {
    for ((text, style), place) in cells.into_iter().zip(places) {
        if let Some(place) = place {
            let shown = fit(&text, place.width, place.align);
            put(buffer, row.x + MARGIN + place.x, row.y, place.width, &Line::styled(shown, style));
        }
    }
}

/// What stands in a list of which the server has told nothing yet.
pub(super) fn unheard(view: &View<'_>) -> &'static [&'static str] {
    if matches!(view.board.link.state(view.now), LinkState::Refused(_)) {
        &["The server will not let us look.", "r tries again at once."]
    } else {
        &["Waiting for the first word of the server.", "r tries again at once."]
    }
}

/// Writes what an empty list says; what is longer than a row goes on below it.
pub(super) fn says(view: &View<'_>, lines: &[&str], area: Rect, buffer: &mut Buffer) {
    let room = area.width.saturating_sub(MARGIN);
    let rows = lines.iter().flat_map(|line| wrap(line, room));
    for (row, y) in rows.zip(area.y..area.bottom()) {
        put(buffer, area.x + MARGIN, y, room, &Line::styled(row, view.style(Role::Muted)));
    }
}

/// Marks the row under the cursor.
pub(super) fn point(view: &View<'_>, row: Rect, buffer: &mut Buffer) {
    put(buffer, row.x, row.y, 1, &Line::styled(">", view.style(Role::Accent)));
    tint(buffer, row, view.style(Role::Selection));
}
