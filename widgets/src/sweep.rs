//! The last look at a finished frame, before it goes to the terminal.
//!
//! The sanitiser at the edge should leave nothing to find; this is the second lock. A cell that
//! could move the cursor, hide, reorder or take another width than the layout gave it is replaced
//! by [`SWEPT_MARK`], whatever widget wrote it. It does not say where the text came from: a count
//! above zero is a fault to be looked for in the screens.

use ratatui::buffer::{Buffer, Cell};

use crate::text::{Class, classify, width};

/// Stands in a cell whose content was not fit for a terminal.
pub const SWEPT_MARK: char = '\u{fffd}';

/// No agreed cluster is wider: a wide base with a spacing vowel sign.
const WIDEST: u16 = 4;

/// Replaces every cell that is not fit for a terminal; returns how many there were.
///
/// A wide character that something was drawn over (the edge of a dialog) becomes a blank, uncounted:
/// a terminal would show it whole, and what was drawn over it not at all.
pub fn sweep(buffer: &mut Buffer) -> usize {
    let columns = usize::from(buffer.area.width).max(1);
    let mut swept = 0;
    for index in 0..buffer.content.len() {
        let cell = &buffer.content[index];
        if is_plain(cell) {
            continue;
        }
        let room = columns - index % columns;
        if !is_fit(cell.symbol(), room) {
            buffer.content[index].set_char(SWEPT_MARK);
            swept += 1;
        } else if is_cut(&buffer.content[index..index + room]) {
            buffer.content[index].set_char(' ');
        }
    }
    swept
}

/// Whether anything stands in the cells that the first one covers.
fn is_cut(row: &[Cell]) -> bool {
    row.first().is_some_and(|first| {
        let covered = usize::from(width(first.symbol()));
        row.iter().take(covered).skip(1).any(|cell| cell.symbol() != " ")
    })
}

/// The common case, decided without Unicode tables: one printable ASCII byte, or one of the shapes
/// that widgets draw (box drawing, blocks).
fn is_plain(cell: &Cell) -> bool {
    match *cell.symbol().as_bytes() {
        [byte] => (b' '..=b'~').contains(&byte),
        [0xe2, second, _] => (0x94..=0x96).contains(&second),
        _ => false,
    }
}

fn is_fit(symbol: &str, room: usize) -> bool {
    let mut chars = symbol.chars();
    let Some(first) = chars.next() else {
        return false;
    };
    let measured = width(symbol);
    let one_by_one: u16 = symbol.chars().map(|c| width(c.encode_utf8(&mut [0; 4]))).sum();
    is_base(first)
        && chars.all(|c| matches!(classify(c), Class::Plain | Class::Mark))
        && measured == one_by_one
        && (1..=WIDEST).contains(&measured)
        && usize::from(measured) <= room
}

/// Plain, or a Braille pattern: the blank one is hostile in a text and ordinary in a picture.
fn is_base(c: char) -> bool {
    classify(c) == Class::Plain || c == '\u{2800}'
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    fn row_of(symbols: &[&str]) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, symbols.len() as u16, 1));
        for (cell, symbol) in buffer.content.iter_mut().zip(symbols) {
            cell.set_symbol(symbol);
        }
        buffer
    }

    #[test]
    fn a_wide_character_that_was_drawn_over_makes_room() {
        let mut buffer = row_of(&["日", "│", "日", " ", "x", "日", "日"]);
        assert_eq!(sweep(&mut buffer), 1);
        let left: String = buffer.content.iter().map(Cell::symbol).collect();
        assert_eq!(left, " │日 x \u{fffd}");
    }

    #[test]
    fn what_a_terminal_could_execute_or_hide_is_replaced_and_counted() {
        let bad = ["\x1b", "\x1b[2J", "\u{9b}", "\u{202e}", "\u{200b}", "\u{e0041}", "❤\u{fe0f}", "", "\u{301}", "🇩🇪"];
        let mut buffer = row_of(&bad);
        assert_eq!(sweep(&mut buffer), bad.len());
        assert!(buffer.content.iter().all(|cell| cell.symbol() == "\u{fffd}"));
    }

    #[test]
    fn honest_cells_stay() {
        let good = ["a", " ", "─", "█", "…", "日", " ", "e\u{301}", "⣿", "\u{2800}", "·"];
        let mut buffer = row_of(&good);
        let before = buffer.clone();
        assert_eq!(sweep(&mut buffer), 0);
        assert_eq!(buffer, before);
    }

    #[test]
    fn a_wide_character_that_would_leave_the_screen_is_replaced() {
        let mut buffer = row_of(&["a", "日"]);
        assert_eq!(sweep(&mut buffer), 1);
        assert_eq!(buffer.content[1].symbol(), "\u{fffd}");
    }
}
