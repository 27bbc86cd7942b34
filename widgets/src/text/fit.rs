//! Text measured and cut in terminal columns.
//!
//! Works on text that is clean already: the widths of hostile text mean nothing. Nothing here looks
//! at colours or wraps over lines; `wrap` does the latter.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Stands where text was cut.
const CUT_MARK: char = '…';

/// Where text stands in a field that is wider than it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// At the left edge: words.
    #[default]
    Left,
    /// At the right edge: numbers.
    Right,
    /// In the middle.
    Centre,
}

/// Width in terminal columns.
pub fn width(text: &str) -> u16 {
    let columns = if text.is_ascii() { text.len() } else { text.width() };
    u16::try_from(columns).unwrap_or(u16::MAX)
}

/// The text in exactly `columns` columns: cut with `…` when longer, padded when shorter.
///
/// ```
/// use stella_widgets::text::{Align, fit};
///
/// assert_eq!(fit("88k", 6, Align::Right), "   88k");
/// assert_eq!(fit("replica lag", 8, Align::Left), "replica…");
/// ```
pub fn fit(text: &str, columns: u16, align: Align) -> String {
    let shown = cut(text, columns);
    let missing = usize::from(columns.saturating_sub(width(&shown)));
    let before = match align {
        Align::Left => 0,
        Align::Right => missing,
        Align::Centre => missing / 2,
    };
    let mut out = String::with_capacity(shown.len() + missing);
    out.extend(std::iter::repeat_n(' ', before));
    out.push_str(&shown);
    out.extend(std::iter::repeat_n(' ', missing - before));
    out
}

/// The text in at most `columns` columns; its end gives way to `…`.
pub fn cut(text: &str, columns: u16) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let mut out = String::from(head(text, room));
    out.push(CUT_MARK);
    Cow::Owned(out)
}

/// The text in at most `columns` columns; its last words give way to `…`, each as a whole. One word alone is cut.
pub fn cut_words(text: &str, columns: u16) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let shown = head(text, columns.saturating_sub(1));
    let ends_whole = text[shown.len()..].trim_start_matches([',', ';', ':']).starts_with(' ');
    let whole = if ends_whole { Some(shown) } else { shown.rfind(' ').map(|at| &shown[..at]) };
    match whole.map(|whole| whole.trim_end_matches([' ', ',', ';', ':'])) {
        Some(whole) if !whole.is_empty() => Cow::Owned(format!("{whole}{CUT_MARK}")),
        _ => cut(text, columns),
    }
}

/// The text in at most `columns` columns; its middle gives way to `…`.
///
/// For paths and long names, whose two ends say the most; the end gets the larger half.
pub fn cut_middle(text: &str, columns: u16) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let mut out = String::from(head(text, room / 2));
    out.push(CUT_MARK);
    out.push_str(tail(text, room - room / 2));
    Cow::Owned(out)
}

/// The longest beginning that fits.
pub(crate) fn head(text: &str, columns: u16) -> &str {
    let mut used = 0u16;
    for (at, grapheme) in text.grapheme_indices(true) {
        used = used.saturating_add(width(grapheme));
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// The longest end that fits.
fn tail(text: &str, columns: u16) -> &str {
    let mut used = 0u16;
    let mut from = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used = used.saturating_add(width(grapheme));
        if used > columns {
            break;
        }
        from = at;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_padded_to_the_side_it_is_aligned_to() {
        assert_eq!(fit("ab", 4, Align::Left), "ab  ");
        assert_eq!(fit("ab", 4, Align::Right), "  ab");
        assert_eq!(fit("ab", 5, Align::Centre), " ab  ");
    }

    #[test]
    fn a_wide_character_is_never_cut_in_half() {
        assert_eq!(fit("日本語", 4, Align::Left), "日… ");
        assert_eq!(width(&fit("日本語", 4, Align::Left)), 4);
    }

    #[test]
    fn a_path_keeps_both_ends() {
        assert_eq!(cut_middle("/var/log/pay/api.log", 11), "/var/…i.log");
    }

    #[test]
    fn no_columns_means_no_text() {
        assert_eq!(cut("abc", 0), "");
        assert_eq!(cut_middle("abc", 0), "");
        assert_eq!(fit("abc", 1, Align::Right), "…");
    }
}
