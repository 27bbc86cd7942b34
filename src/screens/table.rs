//! A list's table: the names over its columns, a row's cells below them, and what stands there while there is none.
//!
//! Knows neither what stands in a cell nor where the columns came from.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use stella_widgets::columns::Place;
use stella_widgets::text::fit;

use super::View;
use crate::board::link::LinkState;
use crate::frame::{put, tint};
use crate::theme::Role;

/// Columns left of the first one: the cursor, and room for a mark.
pub(super) const MARGIN: u16 = 3;

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

/// Writes what an empty list says.
pub(super) fn says(view: &View<'_>, lines: &[&str], area: Rect, buffer: &mut Buffer) {
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        let room = area.width.saturating_sub(MARGIN);
        put(buffer, area.x + MARGIN, y, room, &Line::styled(*line, view.style(Role::Muted)));
    }
}

/// Marks the row under the cursor.
pub(super) fn point(view: &View<'_>, row: Rect, buffer: &mut Buffer) {
    put(buffer, row.x, row.y, 1, &Line::styled(">", view.style(Role::Accent)));
    tint(buffer, row, view.style(Role::Selection));
}
