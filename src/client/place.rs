//! Where in the feed this reader stands: every event is applied at most once, and a hole is noticed.

use stella_protocol::{Cursor, FeedEvent};

/// What to do with an event that has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is the next one.
    Apply,
    /// It came before.
    Drop,
    /// Something between the last one and this one is missing.
    Gap,
    /// It belongs to another history.
    Elsewhere,
}

/// The last event that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub(super) Cursor);

impl Place {
    /// Judges an event, and moves on when it is to be applied.
    pub(super) fn step(&mut self, cursor: Cursor, event: &FeedEvent) -> Step {
        let here = self.0;
        if cursor.epoch != here.epoch {
            return Step::Elsewhere;
        }
        if cursor.seq <= here.seq {
            return Step::Drop;
        }
        // A bookmark accounts for what this reader does not get.
        let first = if let FeedEvent::Bookmark(mark) = event { mark.from.min(cursor.seq) } else { cursor.seq };
        if first > here.seq.saturating_add(1) {
            return Step::Gap;
        }
        self.0 = cursor;
        Step::Apply
    }
}

#[cfg(test)]
mod tests {
    use stella_protocol::feed::Bookmark;

    use super::*;

    fn at(epoch: u64, seq: u64) -> Cursor {
        Cursor { epoch, seq }
    }

    #[test]
    fn each_event_is_applied_once_and_in_order() {
        let mut place = Place(at(7, 10));
        assert_eq!(place.step(at(7, 11), &FeedEvent::Unknown), Step::Apply);
        assert_eq!(place.step(at(7, 11), &FeedEvent::Unknown), Step::Drop);
        assert_eq!(place.step(at(7, 3), &FeedEvent::Unknown), Step::Drop);
        assert_eq!(place.step(at(7, 12), &FeedEvent::Unknown), Step::Apply);
    }

    #[test]
    fn a_hole_is_noticed_and_the_place_stays() {
        let mut place = Place(at(7, 10));
        assert_eq!(place.step(at(7, 12), &FeedEvent::Unknown), Step::Gap);
        assert_eq!(place, Place(at(7, 10)));
    }

    #[test]
    fn a_bookmark_fills_the_hole_that_it_accounts_for_and_no_other() {
        let mut place = Place(at(7, 10));
        let mark = |from, to| FeedEvent::Bookmark(Bookmark { from, to });
        assert_eq!(place.step(at(7, 20), &mark(12, 20)), Step::Gap);
        assert_eq!(place.step(at(7, 20), &mark(11, 20)), Step::Apply);
        assert_eq!(place.step(at(7, 25), &mark(15, 25)), Step::Apply);
        assert_eq!(place, Place(at(7, 25)));
    }

    #[test]
    fn another_history_is_not_mixed_in() {
        let mut place = Place(at(7, 10));
        assert_eq!(place.step(at(8, 11), &FeedEvent::Unknown), Step::Elsewhere);
    }
}
