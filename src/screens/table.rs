//! A list's table: the names over its columns, and a row's cells below them.
//!
//! Knows neither what stands in a cell nor where the columns came from.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use stella_widgets::columns::Place;
use stella_widgets::text::fit;

use super::View;
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

/// Marks the row under the cursor.
pub(super) fn point(view: &View<'_>, row: Rect, buffer: &mut Buffer) {
    put(buffer, row.x, row.y, 1, &Line::styled(">", view.style(Role::Accent)));
    tint(buffer, row, view.style(Role::Selection));
}
