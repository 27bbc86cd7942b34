//! The line under a plot: times and marks written into one rule without running into each other.
//!
//! Marks are placed first, then times, each only where a blank of rule stays on both sides: a label
//! that does not fit is left out rather than written over another.

use super::{Mark, Span};
use crate::text::{cut, width};

/// Points at the instant of a mark.
pub(super) const MARK_SIGN: char = '^';

/// A mark's words are cut at this width, in columns.
const MARK_WIDTH: u16 = 16;

/// What a piece of the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Time,
    Mark,
}

/// Words on the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) column: u16,
    pub(super) words: String,
    pub(super) kind: Kind,
}

/// The words on a line of `columns` columns.
pub(super) fn pieces(span: Span, columns: u16, marks: &[Mark<'_>], times: &[(i64, &str)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for mark in marks {
        if let Some(at) = span.column(mark.t, columns) {
            place_mark(&mut pieces, at, mark.label, columns);
        }
    }
    for (t, label) in times {
        if let Some(at) = span.column(*t, columns) {
            place_time(&mut pieces, at, label, columns);
        }
    }
    pieces
}

/// Behind its sign where there is room, else before it, else the sign alone.
fn place_mark(pieces: &mut Vec<Piece>, at: u16, label: &str, columns: u16) {
    let label = cut(label, MARK_WIDTH);
    let needed = width(&label) + 1;
    let behind = (at, format!("{MARK_SIGN}{label}"));
    let before = ((at + 1).checked_sub(needed), format!("{label}{MARK_SIGN}"));
    let places = [Some(behind), before.0.map(|column| (column, before.1)), Some((at, MARK_SIGN.to_string()))];
    let fitting =
        places.into_iter().flatten().find(|(column, words)| is_free(pieces, *column, width(words), columns, 0));
    if let Some((column, words)) = fitting {
        pieces.push(Piece { column, words, kind: Kind::Mark });
    }
}

/// Around its instant, moved inwards at the edges.
fn place_time(pieces: &mut Vec<Piece>, at: u16, label: &str, columns: u16) {
    let needed = width(label);
    let last = columns.saturating_sub(needed);
    let column = at.saturating_sub(needed / 2).min(last);
    if needed > 0 && is_free(pieces, column, needed, columns, 1) {
        pieces.push(Piece { column, words: (*label).to_owned(), kind: Kind::Time });
    }
}

/// True when the place lies on the line and `distance` columns from every piece.
fn is_free(pieces: &[Piece], column: u16, needed: u16, columns: u16, distance: u16) -> bool {
    let end = column.saturating_add(needed);
    end <= columns
        && pieces.iter().all(|piece| {
            let piece_end = piece.column + width(&piece.words);
            end + distance <= piece.column || piece_end + distance <= column
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { from: 0, to: 40 };

    fn line(marks: &[Mark<'_>], times: &[(i64, &str)]) -> String {
        let mut cells = vec!['-'; 40];
        for piece in pieces(SPAN, 40, marks, times) {
            for (place, c) in piece.words.chars().enumerate() {
                cells[usize::from(piece.column) + place] = c;
            }
        }
        cells.into_iter().collect()
    }

    #[test]
    fn times_stand_around_their_instant_and_inside_the_line() {
        let shown = line(&[], &[(0, "14:00"), (20, "14:10"), (39, "14:20")]);
        assert_eq!(shown, "14:00-------------14:10------------14:20");
    }

    #[test]
    fn a_mark_pushes_a_time_out_and_turns_round_at_the_edge() {
        let mark = |t| Mark { t, label: "deploy" };
        let shown = line(&[mark(18), mark(38)], &[(20, "14:10"), (5, "14:02")]);
        assert_eq!(shown, "---14:02----------^deploy-------deploy^-");
    }

    #[test]
    fn what_lies_outside_is_not_shown() {
        let shown = line(&[Mark { t: 99, label: "x" }], &[(-1, "early")]);
        assert_eq!(shown, "-".repeat(40));
    }
}
