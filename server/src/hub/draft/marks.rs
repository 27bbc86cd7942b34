//! Marks on their way: what people's verbs on alerts say of what is false.

use stella_protocol::Text;

use super::{Change, Draft};
use crate::alerts::{AlertState, Moment};
use crate::marks::{self, MOST_MARKS, Marked};

impl Draft<'_> {
    /// The mark of a problem, also one that was taken back.
    pub fn marked(&self, fingerprint: &str) -> Option<Marked> {
        let here = self.marks.get(fingerprint).cloned();
        here.or_else(|| self.shared.board().marks.get(fingerprint).cloned())
    }

    /// Notes what a step of an alert says: it was called false, or that was taken back.
    pub fn teach(&mut self, change: &mut Change, (from, to): (&AlertState, &AlertState), by: &Text, now: Moment) {
        let former = self.marked(to.alert.fingerprint.raw());
        match (marks::teaches(from), marks::teaches(to)) {
            (false, true) => {
                if former.as_ref().is_none_or(|former| former.lesson.is_none()) {
                    self.make_room(change);
                }
                self.put_mark(change, marks::mark(former.as_ref(), to, by, now));
            }
            (true, false) => {
                if let Some(back) = former.as_ref().and_then(marks::take_back) {
                    self.put_mark(change, back);
                }
            }
            _ => {}
        }
    }

    /// Keeps a mark under the next number.
    pub fn put_mark(&mut self, change: &mut Change, mut marked: Marked) {
        let last = self.marks.values().map(|marked| marked.number).max().unwrap_or_default();
        marked.number = last.max(self.shared.board().last_mark) + 1;
        self.marks.insert(marked.fingerprint.raw().to_owned(), marked.clone());
        change.marks.push(marked);
    }

    /// The oldest marks go when there are too many.
    fn make_room(&mut self, change: &mut Change) {
        let oldest = {
            let board = self.shared.board();
            let standing: Vec<&Marked> = board
                .marks
                .values()
                .map(|marked| self.marks.get(marked.fingerprint.raw()).unwrap_or(marked))
                .filter(|marked| marked.lesson.is_some())
                .collect();
            let oldest = standing.iter().min_by_key(|marked| (marked.at, marked.number));
            oldest.filter(|_| standing.len() >= MOST_MARKS).map(|marked| Marked::clone(marked))
        };
        if let Some(oldest) = oldest {
            self.put_mark(change, Marked { lesson: None, before: None, ..oldest });
        }
    }
}
