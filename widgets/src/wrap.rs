//! Clean text over several rows.
//!
//! Breaks between words, inside a word only when it is longer than a row. Returns slices of the
//! text: nothing is copied, nothing is hyphenated, nothing is justified.

use crate::text::{head, width};

/// The rows of the text, each at most `columns` wide and without trailing blanks.
///
/// Blanks at the very beginning stay (indentation says something), those at a break go. No columns,
/// no rows; an empty text is one empty row.
///
/// ```
/// use stella_widgets::wrap::wrap;
///
/// assert_eq!(wrap("replica lag above its limit", 12), ["replica lag", "above its", "limit"]);
/// ```
pub fn wrap(text: &str, columns: u16) -> Vec<&str> {
    if columns == 0 {
        return Vec::new();
    }
    let mut rows = Vec::new();
    let mut rest = text;
    loop {
        let (row, behind) = first_row(rest, columns);
        rows.push(row.trim_end_matches(' '));
        rest = behind.trim_start_matches(' ');
        if rest.is_empty() {
            return rows;
        }
    }
}

/// Splits off what stands on the next row.
fn first_row(text: &str, columns: u16) -> (&str, &str) {
    // Look only as far as a row can reach; a cluster has few bytes, so this bounds the work.
    let reach = head(text, columns);
    if reach.len() == text.len() {
        return (text, "");
    }
    let behind = &text[reach.len()..];
    if behind.starts_with(' ') {
        return (reach, behind);
    }
    let indent = reach.len() - reach.trim_start_matches(' ').len();
    match reach[indent..].rfind(' ') {
        Some(at) => text.split_at(indent + at),
        None if reach.is_empty() => split_first(text),
        None => text.split_at(reach.len()),
    }
}

/// A single character that is wider than the row: it is shown all the same, or nothing would ever
/// move on.
fn split_first(text: &str) -> (&str, &str) {
    let wide = head(text, 2);
    let at = if wide.is_empty() { text.len() } else { wide.len() };
    text.split_at(at)
}

/// How many rows [`wrap`] would give.
pub fn rows(text: &str, columns: u16) -> usize {
    if columns > 0 && width(text) <= columns { 1 } else { wrap(text, columns).len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_longer_than_a_row_is_broken() {
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
    }

    #[test]
    fn indentation_stays_and_blanks_at_a_break_go() {
        assert_eq!(wrap("  at main   rs", 9), ["  at main", "rs"]);
        assert_eq!(wrap("", 5), [""]);
        assert!(wrap("abc", 0).is_empty());
    }

    #[test]
    fn a_wide_character_in_a_narrow_row_does_not_stop_the_rest() {
        assert_eq!(wrap("日本", 1), ["日", "本"]);
    }

    proptest! {
        #[test]
        fn rows_fit_and_no_word_is_lost(text in "[a-z日é ]{0,80}", columns in 2u16..30) {
            let rows = wrap(&text, columns);
            prop_assert!(rows.iter().all(|row| width(row) <= columns));
            let letters = |text: &str| text.replace(' ', "");
            prop_assert_eq!(letters(&rows.concat()), letters(&text));
        }
    }
}
