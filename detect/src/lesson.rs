//! What people called false: for that fingerprint, and for it alone, more is needed next time.
//!
//! A mark says "as much as this was nothing". So half as much again is asked for, in offending lines
//! since the onset, and that fades: a real incident is told of later, never not at all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stella_protocol::Timestamp;

use crate::keep::keep_fields;

/// Half-life of a mark, in milliseconds: thirty days. What was nothing a season ago may be something now.
const HALF_MS: f64 = 30.0 * 86_400_000.0;
/// How much more than what was called false is asked for with the first mark, and with each more: the same
/// pattern differs by a third from day to day (a Poisson count of ten does), and by half hardly ever.
const MORE: f64 = 0.5;
/// Fingerprints that marks are kept for, the oldest go first; and whose sizes are remembered.
const MOST: usize = 1000;

/// A fingerprint that somebody called false.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lesson {
    /// Which problem. Made of outside text.
    pub fingerprint: String,
    /// When it was called false last.
    pub at: Timestamp,
    /// How often.
    pub times: u32,
    /// How many offending lines it had when it was.
    pub lines: u64,
}

impl Lesson {
    /// Offending lines since the onset that it needs now to be told of.
    pub fn needed(&self, now: Timestamp) -> u64 {
        let age = now.since(self.at).max(0) as f64;
        let more = 1.0 + MORE * f64::from(self.times);
        (self.lines as f64 * more * (-age / HALF_MS).exp2()) as u64
    }
}

/// All marks, and how large what was told of was.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Lessons {
    marked: BTreeMap<String, Lesson>,
    /// Lines of what was told of lately, and when.
    sizes: BTreeMap<String, (u64, i64)>,
}

impl Lessons {
    /// Notes how large a problem is that is told of.
    pub(crate) fn told(&mut self, fingerprint: &str, lines: u64, at: i64) {
        match self.sizes.get_mut(fingerprint) {
            Some(size) => *size = (lines, at),
            None => {
                if self.sizes.len() >= MOST {
                    let oldest = self.sizes.iter().min_by_key(|(name, (_, at))| (*at, name.as_str()));
                    let oldest = oldest.map(|(name, _)| name.clone());
                    oldest.map(|name| self.sizes.remove(&name));
                }
                self.sizes.insert(fingerprint.to_owned(), (lines, at));
            }
        }
    }

    /// It was false. False: nothing is known of it.
    pub(crate) fn mark(&mut self, fingerprint: &str, at: Timestamp) -> bool {
        let Some((lines, _)) = self.sizes.get(fingerprint).copied() else { return false };
        if !self.marked.contains_key(fingerprint) && self.marked.len() >= MOST {
            let oldest = self.marked.values().min_by_key(|lesson| (lesson.at, lesson.fingerprint.as_str()));
            let oldest = oldest.map(|lesson| lesson.fingerprint.clone());
            oldest.map(|name| self.marked.remove(&name));
        }
        let fresh = || Lesson { fingerprint: fingerprint.to_owned(), at, times: 0, lines: 0 };
        let lesson = self.marked.entry(fingerprint.to_owned()).or_insert_with(fresh);
        (lesson.at, lesson.times, lesson.lines) = (at, lesson.times.saturating_add(1), lesson.lines.max(lines));
        true
    }

    /// What was marked while it lasted is as large as it becomes.
    pub(crate) fn goes_on(&mut self, fingerprint: &str, lines: u64) {
        if let Some(lesson) = self.marked.get_mut(fingerprint) {
            lesson.lines = lesson.lines.max(lines);
        }
    }

    /// Takes a lesson as it was kept elsewhere.
    pub(crate) fn learn(&mut self, lesson: Lesson) {
        self.marked.insert(lesson.fingerprint.clone(), lesson);
    }

    /// It was not false after all. False: it had not been marked.
    pub(crate) fn undo(&mut self, fingerprint: &str) -> bool {
        self.marked.remove(fingerprint).is_some()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Lesson> {
        self.marked.values()
    }

    /// True when it was marked.
    pub(crate) fn knows(&self, fingerprint: &str) -> bool {
        self.marked.contains_key(fingerprint)
    }

    /// True when a problem of so many lines is still too small to be told of.
    pub(crate) fn hides(&self, fingerprint: &str, lines: u64, now: i64) -> bool {
        let lesson = self.marked.get(fingerprint);
        lesson.is_some_and(|lesson| lines <= lesson.needed(Timestamp::from_millis(now)))
    }
}

keep_fields!(Lesson { fingerprint, at, times, lines });
keep_fields!(Lessons { marked, sizes });

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn half_as_much_again_is_asked_for_and_that_fades() {
        let mut lessons = Lessons::default();
        assert!(!lessons.mark("slow|a", Timestamp::from_millis(0)));
        lessons.told("slow|a", 100, 0);
        assert!(lessons.mark("slow|a", Timestamp::from_millis(0)));
        assert!(lessons.hides("slow|a", 150, 0) && !lessons.hides("slow|a", 151, 0));
        assert!(lessons.hides("slow|a", 75, 30 * DAY) && !lessons.hides("slow|a", 76, 30 * DAY));
        assert!(!lessons.hides("slow|b", 1, 0), "another fingerprint is not concerned");
        assert!(lessons.undo("slow|a") && !lessons.undo("slow|a") && !lessons.hides("slow|a", 1, 0));
    }

    #[test]
    fn marks_add_up_and_never_hide_for_good() {
        let mut lessons = Lessons::default();
        lessons.told("data|a", 1, 0);
        for times in 1..5 {
            lessons.mark("data|a", Timestamp::from_millis(times));
        }
        assert!(lessons.hides("data|a", 3, 4) && !lessons.hides("data|a", 4, 4));
    }

    #[test]
    fn a_million_fingerprints_do_not_make_it_grow() {
        let mut lessons = Lessons::default();
        (0..3000).for_each(|nth| lessons.told(&format!("f{nth}"), 1, nth));
        assert_eq!(lessons.sizes.len(), MOST);
        assert!(lessons.mark("f2999", Timestamp::from_millis(9)) && !lessons.mark("f1", Timestamp::from_millis(9)));
    }
}
