//! What all operations say together: a change too small, or too thin, to be seen in any one of them,
//! or one that they share.
//!
//! Each call counts against its own operation's baseline, so a change of the traffic mix is no change
//! at all. Each operation's part is remembered, since what one of them says alone is its own affair.

use crate::keep::keep_fields;
use crate::llr::{CLIP, Page};

/// What one operation adds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Part {
    epoch: u32,
    score: f64,
    calls: u32,
}

/// The sum.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Overall {
    page: Page,
    /// One more with each fresh suspicion; parts of an older one are void.
    epoch: u32,
    /// Engine second in which the parts were last weighed.
    weighed_at: i64,
}

/// How the parts make up the sum.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Weighed {
    /// Operations that say so themselves: twenty to one, each.
    pub(crate) saying: u32,
    /// Their calls, and those of all, since the suspicion began.
    said: u32,
    calls: u32,
    /// The sum without the operation that says most.
    pub(crate) rest: f64,
}

impl Weighed {
    /// True when they make up half of what goes on.
    pub(crate) fn is_half(&self) -> bool {
        self.said.saturating_mul(2) >= self.calls
    }
}

impl Overall {
    /// Takes in what so many calls of an operation say.
    pub(crate) fn add(&mut self, part: &mut Part, (llr, calls): (f64, u32), at: i64) {
        self.page.add(llr, at);
        if !self.page.suspects() {
            self.epoch = self.epoch.wrapping_add(1);
            return;
        }
        if part.epoch != self.epoch {
            *part = Part { epoch: self.epoch, score: 0.0, calls: 0 };
        }
        part.score += llr;
        part.calls = part.calls.saturating_add(calls);
    }

    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    /// What the others say, without this operation.
    pub(crate) fn without(&self, part: &Part) -> f64 {
        self.page.score - self.score_of(part).max(0.0)
    }

    /// True when the operation itself says so.
    pub(crate) fn says(&self, part: &Part) -> bool {
        self.score_of(part) >= CLIP
    }

    fn score_of(&self, part: &Part) -> f64 {
        if part.epoch == self.epoch { part.score } else { 0.0 }
    }

    /// True once in each second of engine time in which the sum is enough.
    pub(crate) fn is_due(&mut self, needed: f64, now: i64) -> bool {
        let second = now.div_euclid(1000);
        self.page.score >= needed && std::mem::replace(&mut self.weighed_at, second) != second
    }

    /// Weighs the parts.
    pub(crate) fn weigh<'a>(&self, parts: impl Iterator<Item = &'a Part>) -> Weighed {
        let (mut weighed, mut most) = (Weighed::default(), 0.0_f64);
        for part in parts.filter(|part| part.epoch == self.epoch) {
            if self.says(part) {
                weighed.saying += 1;
                weighed.said += part.calls;
            }
            weighed.calls += part.calls;
            most = most.max(part.score);
        }
        weighed.rest = self.page.score - most;
        weighed
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        (self.page, self.epoch) = (Page::default(), self.epoch.wrapping_add(1));
    }
}

keep_fields!(Part { epoch, score, calls });
keep_fields!(Overall { page, epoch, weighed_at });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_operation_says_alone_is_not_overall() {
        let (mut overall, mut parts) = (Overall::default(), [Part::default(); 4]);
        (0..10).for_each(|at| overall.add(&mut parts[0], (2.0, 1), at));
        (0..3).for_each(|at| overall.add(&mut parts[1], (-0.5, 1), at));
        let weighed = overall.weigh(parts.iter());
        assert_eq!((weighed.saying, weighed.said, weighed.calls), (1, 10, 13));
        assert!(weighed.is_half());
        assert!(weighed.rest < 0.0 && overall.without(&parts[1]) > 15.0);
    }

    #[test]
    fn parts_of_an_older_suspicion_are_void() {
        let (mut overall, mut parts) = (Overall::default(), [Part::default(); 2]);
        overall.add(&mut parts[0], (9.0, 1), 0);
        overall.clear();
        (0..4).for_each(|at| overall.add(&mut parts[1], (1.0, 1), at));
        assert!(!overall.says(&parts[0]) && overall.says(&parts[1]));
    }
}
