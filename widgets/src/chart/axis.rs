//! The line under a plot: times and marks written into one rule without running into each other.
//!
//! Marks are placed first, then times, each only where a blank of rule stays on both sides: a label
//! that does not fit is left out rather than written over another. No label covers another mark's sign;
//! marks in one column share it. Behind the plot's end a mark's words may go on, where there is room.

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

impl Piece {
    /// The first column behind it.
    fn end(&self) -> u16 {
        self.column + width(&self.words)
    }
}

/// The words on a line of `columns` columns; those of marks may reach up to `room`.
pub(super) fn pieces(span: Span, columns: u16, room: u16, marks: &[Mark<'_>], times: &[(i64, &str)]) -> Vec<Piece> {
    let signs: Vec<(u16, &str)> =
        marks.iter().filter_map(|mark| Some((span.column(mark.t, columns)?, mark.label))).collect();
    let mut pieces = Vec::new();
    for (at, label) in &signs {
        place_mark(&mut pieces, &signs, *at, label, room.max(columns));
    }
    for (t, label) in times {
        if let Some(at) = span.column(*t, columns) {
            place_time(&mut pieces, at, label, columns);
        }
    }
    pieces
}

/// Behind its sign where there is room, else before it, else the sign alone.
fn place_mark(pieces: &mut Vec<Piece>, signs: &[(u16, &str)], at: u16, label: &str, room: u16) {
    let label = cut(label, MARK_WIDTH);
    let is_shared = pieces.iter().any(|piece| (piece.column..piece.end()).contains(&at));
    let (sign, own) = if is_shared { (String::new(), 0) } else { (MARK_SIGN.to_string(), 1) };
    let behind = (at + 1 - own, format!("{sign}{label}"));
    let before = ((at + own).checked_sub(width(&label) + own), format!("{label}{sign}"));
    let places = [Some(behind), before.0.map(|column| (column, before.1)), Some((at, sign))];
    let covers_another = |column: u16, needed: u16| {
        signs.iter().any(|(other, _)| *other != at && (column..column.saturating_add(needed)).contains(other))
    };
    let fitting = places.into_iter().flatten().find(|(column, words)| {
        let needed = width(words);
        needed > 0 && !covers_another(*column, needed) && is_free(pieces, *column, words, room, touching)
    });
    if let Some((column, words)) = fitting {
        pieces.push(Piece { column, words, kind: Kind::Mark });
    }
}

/// Around its instant, moved inwards at the edges.
fn place_time(pieces: &mut Vec<Piece>, at: u16, label: &str, columns: u16) {
    let needed = width(label);
    let last = columns.saturating_sub(needed);
    let column = at.saturating_sub(needed / 2).min(last);
    if needed > 0 && is_free(pieces, column, label, columns, |_, _| 1) {
        pieces.push(Piece { column, words: (*label).to_owned(), kind: Kind::Time });
    }
}

/// Columns between two pieces: signs may stand beside words, words of two marks would be read as one.
fn touching(left: &str, right: &str) -> u16 {
    u16::from(!left.ends_with(MARK_SIGN) && !right.starts_with(MARK_SIGN))
}

/// True when the place lies on the line, as far from every piece as `distance` says of what stands left and right.
fn is_free(pieces: &[Piece], column: u16, words: &str, columns: u16, distance: impl Fn(&str, &str) -> u16) -> bool {
    let end = column.saturating_add(width(words));
    let is_apart = |piece: &Piece| {
        end + distance(words, &piece.words) <= piece.column || piece.end() + distance(&piece.words, words) <= column
    };
    end <= columns && pieces.iter().all(is_apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { from: 0, to: 40 };

    fn line(marks: &[Mark<'_>], times: &[(i64, &str)]) -> String {
        let mut cells = vec!['-'; 40];
        for piece in pieces(SPAN, 40, 40, marks, times) {
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
    fn marks_near_each_other_and_near_the_end_keep_their_words() {
        let marks = [Mark { t: 36, label: "onset" }, Mark { t: 33, label: "deploy" }];
        assert_eq!(line(&marks, &[]), format!("{}deploy^--^---", "-".repeat(27)), "the sign of the other stays");
        let words = |room| pieces(SPAN, 40, room, &marks, &[]).into_iter().map(|piece| (piece.column, piece.words));
        let behind: Vec<_> = words(55).collect();
        assert_eq!(behind, [(36, "^onset".to_owned()), (27, "deploy^".to_owned())], "words go on behind the plot");
        let one = [Mark { t: 20, label: "onset" }, Mark { t: 20, label: "deploy" }];
        assert_eq!(line(&one, &[]), format!("{}deploy^onset{}", "-".repeat(14), "-".repeat(14)), "one sign for both");
    }

    #[test]
    fn the_words_of_two_marks_are_never_read_as_one() {
        let marks = [Mark { t: 14, label: "onset" }, Mark { t: 15, label: "near" }, Mark { t: 2, label: "deploy" }];
        assert_eq!(line(&marks, &[]), format!("--^------onset^^near{}", "-".repeat(20)), "not `deployonset`");
    }

    #[test]
    fn what_lies_outside_is_not_shown() {
        let shown = line(&[Mark { t: 99, label: "x" }], &[(-1, "early")]);
        assert_eq!(shown, "-".repeat(40));
    }
}
