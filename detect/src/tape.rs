//! The last lines as marks, in a ring, threaded by operation; the rare ones of them once more, side by side.
//!
//! Walking a thread visits only lines that can matter, and rare lines lie in a row: every figure that is told is
//! made of them, and marks all over the memory would be waited for one by one. What fell off the ring is known to be gone:
//! nobody counts over a span that the ring does not hold.

use crate::keep::keep_fields;
use crate::mark::Mark;

/// Most steps of one walk; so many rare marks and one more are held, which says that there were more.
pub(crate) const MOST_STEPS: usize = 10_000;

/// Most marks of a ring: so far back a mark can point.
const MOST_MARKS: usize = 1 << 16;

/// A place on the tape; rises by one with every mark.
pub(crate) type Seq = u64;

/// How many rare marks a ring of `cap` marks holds: no more than there are marks.
fn rare_cap(cap: usize) -> usize {
    cap.min(MOST_STEPS + 1)
}

/// The ring.
#[derive(Debug)]
pub(crate) struct Tape {
    cap: usize,
    marks: Vec<Mark>,
    next: Seq,
    /// One past the engine time of the newest mark that fell off.
    floor: i64,
    /// Copies of the newest rare marks, a ring of its own, and where the next one goes.
    rare: Vec<Mark>,
    rare_next: usize,
}

impl Tape {
    /// A ring of at least sixteen marks, and of no more than can point to each other. Room for all is asked for at once, which costs nothing before it fills; a
    /// ring that grows is copied many times, and leaves holes behind.
    pub(crate) fn new(cap: usize) -> Self {
        let cap = cap.clamp(16, MOST_MARKS);
        let rare = Vec::with_capacity(rare_cap(cap));
        Self { cap, marks: Vec::with_capacity(cap), next: 0, floor: i64::MIN, rare, rare_next: 0 }
    }

    /// Spans from here on are whole.
    pub(crate) fn floor(&self) -> i64 {
        self.floor
    }

    /// The mark at `seq`, while the ring holds it.
    pub(crate) fn get(&self, seq: Seq) -> Option<&Mark> {
        let held = seq < self.next && self.next - seq <= self.marks.len() as u64;
        held.then(|| &self.marks[(seq % self.cap as u64) as usize])
    }

    /// Gives the newest mark its template.
    pub(crate) fn name_newest(&mut self, template: u32) {
        let Some(newest) = self.next.checked_sub(1) else { return };
        if let Some(mark) = self.marks.get_mut((newest % self.cap as u64) as usize) {
            mark.template = template;
            let is_rare = mark.flags.is_rare();
            let place = self.rare_next.checked_sub(1).unwrap_or(self.rare.len().saturating_sub(1));
            if let Some(rare) = self.rare.get_mut(place).filter(|_| is_rare) {
                rare.template = template;
            }
        }
    }

    /// Adds a mark behind `last_op`, the one before of its operation.
    pub(crate) fn push(&mut self, mut mark: Mark, last_op: Option<Seq>) -> Seq {
        let seq = self.next;
        mark.back_op = last_op.map_or(0, |before| u16::try_from(seq - before).unwrap_or(0));
        if mark.flags.is_rare() {
            self.push_rare(mark);
        }
        if self.marks.len() < self.cap {
            self.marks.push(mark);
        } else {
            let place = &mut self.marks[(seq % self.cap as u64) as usize];
            self.floor = place.at + 1;
            *place = mark;
        }
        self.next += 1;
        seq
    }

    fn push_rare(&mut self, mark: Mark) {
        let cap = rare_cap(self.cap);
        if self.rare.len() < cap {
            self.rare.push(mark);
            self.rare_next = self.rare.len() % cap;
        } else {
            self.rare[self.rare_next] = mark;
            self.rare_next = (self.rare_next + 1) % cap;
        }
    }

    /// The marks of an operation from `start` back, newest first.
    pub(crate) fn back(&self, start: Option<Seq>) -> impl Iterator<Item = &Mark> {
        let step = move |&seq: &Seq| {
            let distance = self.get(seq)?.back_op;
            (distance > 0).then(|| seq - u64::from(distance))
        };
        std::iter::successors(start, step).map_while(|seq| self.get(seq))
    }

    /// The rare marks of all, newest first. Some of them may have fallen off the ring: those are before the floor.
    pub(crate) fn rare(&self) -> impl Iterator<Item = &Mark> {
        let full = self.rare.len() == rare_cap(self.cap);
        let (newer, older) = self.rare.split_at(if full { self.rare_next } else { self.rare.len() });
        newer.iter().rev().chain(older.iter().rev())
    }
}

keep_fields!(Tape { cap, marks, next, floor, rare, rare_next });

#[cfg(test)]
mod tests {
    use stella_protocol::LogEvent;

    use super::*;
    use crate::key::Names;

    #[test]
    fn a_thread_ends_where_the_ring_ends_and_the_ring_says_so() {
        let mut tape = Tape::new(16);
        let mut last = None;
        for line in 0..40_u64 {
            let event = LogEvent { success: Some(line % 2 == 0), ..LogEvent::default() };
            last = Some(tape.push(Mark::of(line, line as i64 * 10, &event, &mut Names::default()), last));
        }
        assert_eq!(tape.back(last).map(|mark| mark.line).collect::<Vec<_>>(), (24..40).rev().collect::<Vec<_>>());
        let rare = tape.rare().filter(|mark| mark.at >= tape.floor()).map(|mark| mark.line).collect::<Vec<_>>();
        assert_eq!(rare, (24..40).rev().filter(|line| line % 2 == 1).collect::<Vec<_>>());
        assert_eq!(tape.floor(), 231);
    }

    #[test]
    fn rare_marks_lie_newest_first_also_when_their_ring_is_full_and_the_newest_can_be_named() {
        let mut tape = Tape::new(2 * MOST_STEPS);
        for line in 0..3 * MOST_STEPS as u64 {
            let event = LogEvent { success: Some(line % 3 == 0), ..LogEvent::default() };
            tape.push(Mark::of(line, line as i64, &event, &mut Names::default()), None);
            if line % 3 == 2 {
                let template = line as u32 + 1;
                tape.name_newest(template);
                assert_eq!(tape.rare().next().map(|mark| (mark.line, mark.template)), Some((line, template)));
            }
        }
        assert_eq!(tape.rare().count(), MOST_STEPS + 1);
        assert!(tape.rare().zip(tape.rare().skip(1)).all(|(newer, older)| newer.line > older.line));
    }
}
