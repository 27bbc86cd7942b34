//! Which rows of a long list are on the screen.
//!
//! A pure calculation: it is given counts, never rows, so a list of a million costs what a list of
//! twenty does. It does not know what a row is, nor how the cursor came where it is.

use std::ops::Range;

/// Rows kept visible above and below the cursor, where there are that many.
const MARGIN: usize = 2;

/// The part of a list that is visible.
///
/// ```
/// use stella_widgets::Window;
///
/// let window = Window::new(1_000_000, 20).following(Some(500), 0);
/// assert!(window.range().contains(&500));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first visible row.
    pub offset: usize,
    /// Rows of screen.
    pub height: usize,
    /// Rows of the list.
    pub total: usize,
}

impl Window {
    /// The top of a list.
    pub fn new(total: usize, height: usize) -> Self {
        Self { offset: 0, height, total }
    }

    /// Moves as little as possible from the previous offset so that the selected row is visible with
    /// a margin around it, and no row of screen stays empty while the list could fill it.
    pub fn following(self, selected: Option<usize>, previous: usize) -> Self {
        let last = self.total.saturating_sub(self.height);
        let mut offset = previous.min(last);
        if let Some(selected) = selected.filter(|_| self.height > 0) {
            let selected = selected.min(self.total.saturating_sub(1));
            let margin = MARGIN.min((self.height - 1) / 2);
            let highest = selected.saturating_sub(margin);
            let lowest = (selected + margin + 1).saturating_sub(self.height);
            offset = offset.clamp(lowest, highest.max(lowest)).min(last);
        }
        Self { offset, ..self }
    }

    /// The visible rows.
    pub fn range(self) -> Range<usize> {
        let from = self.offset.min(self.total);
        from..self.offset.saturating_add(self.height).min(self.total)
    }

    /// How many rows lie above the screen.
    pub fn above(self) -> usize {
        self.range().start
    }

    /// How many rows lie below the screen.
    pub fn below(self) -> usize {
        self.total - self.range().end
    }

    /// The row of screen on which a row of the list stands, when it is visible.
    pub fn place(self, row: usize) -> Option<usize> {
        self.range().contains(&row).then(|| row - self.offset)
    }

    /// Where a scroll mark stands: first row of screen and length; none when all is visible.
    pub fn thumb(self) -> Option<(usize, usize)> {
        if self.total <= self.height || self.height == 0 {
            return None;
        }
        let length = (self.height * self.height / self.total).max(1);
        let travel = self.height - length;
        let start = travel * self.offset / (self.total - self.height);
        Some((start.min(travel), length))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_in_the_middle_moves_nothing() {
        let window = Window::new(100, 10).following(Some(45), 40);
        assert_eq!(window.offset, 40);
    }

    #[test]
    fn a_cursor_near_the_edge_pulls_the_list_by_the_margin() {
        assert_eq!(Window::new(100, 10).following(Some(49), 40).offset, 42);
        assert_eq!(Window::new(100, 10).following(Some(40), 40).offset, 38);
    }

    #[test]
    fn a_list_that_shrank_leaves_no_empty_rows() {
        let window = Window::new(12, 10).following(None, 90);
        assert_eq!(window.range(), 2..12);
        assert_eq!((window.above(), window.below()), (2, 0));
        assert_eq!(Window::new(3, 10).following(Some(2), 1).range(), 0..3);
    }

    #[test]
    fn the_scroll_mark_touches_both_ends() {
        assert_eq!(Window::new(100, 10).thumb(), Some((0, 1)));
        assert_eq!(Window::new(100, 10).following(Some(99), 0).thumb(), Some((9, 1)));
        assert_eq!(Window::new(10, 10).thumb(), None);
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_visible(
            total in 1usize..500, height in 1usize..60, selected in 0usize..500, previous in 0usize..900,
        ) {
            let selected = selected % total;
            let window = Window::new(total, height).following(Some(selected), previous);
            prop_assert!(window.range().contains(&selected));
            prop_assert_eq!(window.range().len(), height.min(total));
            let again = window.following(Some(selected), window.offset);
            prop_assert_eq!(again, window);
        }
    }
}
