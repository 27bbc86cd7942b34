//! The rows of a list whose cursor is an id: while a key was pressed a moment ago they keep their places,
//! whatever the feed says of them.
//!
//! Knows neither what a row is nor how rows are ordered.

use stella_widgets::list::Window;

use super::alerts::STILL_MS;
use crate::keys::Motion;

/// Ids as shown, top first, and which of them is under the cursor.
#[derive(Debug)]
pub(super) struct Rows<Id> {
    ids: Vec<Id>,
    cursor: Option<Id>,
    offset: usize,
    seen_revision: u64,
    is_behind: bool,
    /// Nothing stands under a finger: something else was on the screen.
    is_free: bool,
}

impl<Id> Default for Rows<Id> {
    fn default() -> Self {
        Self { ids: Vec::new(), cursor: None, offset: 0, seen_revision: 0, is_behind: false, is_free: true }
    }
}

impl<Id: Clone + PartialEq> Rows<Id> {
    /// As shown, top first.
    pub(super) fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// What is under the cursor.
    pub(super) fn cursor(&self) -> Option<&Id> {
        self.cursor.as_ref()
    }

    /// True for what is under the cursor.
    pub(super) fn is_here(&self, id: &Id) -> bool {
        self.cursor.as_ref() == Some(id)
    }

    /// The cursor goes to this one.
    pub(super) fn point_at(&mut self, id: &Id) {
        self.cursor = Some(id.clone());
    }

    /// Notes how new the board is; true when the rows are to be arranged anew. `since_key`: ms since the last key.
    pub(super) fn is_due(&mut self, revision: u64, since_key: u64) -> bool {
        self.is_behind |= self.seen_revision != revision;
        self.seen_revision = revision;
        self.is_behind && (since_key >= STILL_MS || self.is_free || self.ids.is_empty())
    }

    /// Something else was on the screen meanwhile: the next news do not wait for the hand.
    pub(super) fn let_go(&mut self) {
        self.is_free = true;
    }

    /// True when rows wait for the hand to rest.
    pub(super) fn will_settle(&self) -> bool {
        self.is_behind
    }

    /// Shows these. The cursor stays on its id; where that is gone, in its place.
    pub(super) fn arrange(&mut self, ids: Vec<Id>) {
        let before = self.position().unwrap_or(0);
        self.ids = ids;
        (self.is_behind, self.is_free) = (false, false);
        if self.position().is_none() {
            self.cursor = self.ids.get(before.min(self.ids.len().saturating_sub(1))).cloned();
        }
    }

    /// Where the cursor is.
    pub(super) fn position(&self) -> Option<usize> {
        let cursor = self.cursor.as_ref()?;
        self.ids.iter().position(|id| id == cursor)
    }

    /// Which rows stand in `height` lines.
    pub(super) fn window(&self, height: usize) -> Window {
        Window::new(self.ids.len(), height.max(1)).following(self.position(), self.offset)
    }

    /// How many there are, and which of them the cursor is on where `height` lines do not hold all; empty: none.
    pub(super) fn count(&self, height: usize) -> String {
        match (self.ids.len(), self.position()) {
            (0, _) => String::new(),
            (all, Some(at)) if all > height => format!("{} of {all}", at + 1),
            (all, _) => all.to_string(),
        }
    }

    /// Remembers what stands in `height` lines, so that the next picture begins there.
    pub(super) fn keep_in_sight(&mut self, height: usize) {
        self.offset = self.window(height).offset;
    }

    /// Moves the cursor; true when it was on the last row already.
    pub(super) fn go(&mut self, motion: Motion, page: usize) -> bool {
        let (at, last) = (self.position().unwrap_or(0), self.ids.len().saturating_sub(1));
        self.cursor = self.ids.get(motion.lead(at, last, page.max(1))).cloned();
        at == last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_wait_for_the_hand_and_the_cursor_for_nobody() {
        let mut rows = Rows::default();
        assert!(rows.is_due(1, 0), "an empty list has nothing under a finger");
        rows.arrange(vec!["a", "b", "c"]);
        rows.go(Motion::Down, 10);
        assert!(!rows.is_due(2, STILL_MS - 1) && rows.will_settle());
        assert!(rows.is_due(2, STILL_MS));
        rows.let_go();
        assert!(rows.is_due(2, 0), "nobody saw how they stood");
        rows.arrange(vec!["new", "a", "b", "c"]);
        assert_eq!((rows.cursor(), rows.will_settle()), (Some(&"b"), false));
        rows.arrange(vec!["new", "a"]);
        assert_eq!(rows.cursor(), Some(&"a"), "what is gone leaves its place");
        assert!(rows.go(Motion::Down, 10) && rows.is_here(&"a"));
    }

    #[test]
    fn where_the_cursor_is_is_told_once_the_rows_do_not_all_stand_there() {
        let mut rows = Rows::default();
        assert_eq!(rows.count(2), "");
        rows.arrange(vec!["a", "b", "c"]);
        rows.go(Motion::Down, 10);
        assert_eq!([rows.count(3), rows.count(2)], ["3", "2 of 3"]);
    }
}
