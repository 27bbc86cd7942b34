//! The last lines as marks, in a ring, threaded by operation and by rarity.
//!
//! Walking a thread visits only lines that can matter. What fell off the ring is known to be gone:
//! nobody counts over a span that the ring does not hold.

use crate::keep::keep_fields;
use crate::mark::Mark;

/// A place on the tape; rises by one with every mark.
pub(crate) type Seq = u64;

/// The ring.
#[derive(Debug)]
pub(crate) struct Tape {
    cap: usize,
    marks: Vec<Mark>,
    next: Seq,
    /// One past the engine time of the newest mark that fell off.
    floor: i64,
    last_rare: Option<Seq>,
}

impl Tape {
    /// A ring of at least sixteen marks; room is taken as it fills.
    pub(crate) fn new(cap: usize) -> Self {
        Self { cap: cap.clamp(16, u32::MAX as usize), marks: Vec::new(), next: 0, floor: i64::MIN, last_rare: None }
    }

    /// Spans from here on are whole.
    pub(crate) fn floor(&self) -> i64 {
        self.floor
    }

    /// The newest rare mark.
    pub(crate) fn last_rare(&self) -> Option<Seq> {
        self.last_rare
    }

    /// The mark at `seq`, while the ring holds it.
    pub(crate) fn get(&self, seq: Seq) -> Option<&Mark> {
        let held = seq < self.next && self.next - seq <= self.marks.len() as u64;
        held.then(|| &self.marks[(seq % self.cap as u64) as usize])
    }

    /// Gives the newest mark its template.
    pub(crate) fn name_newest(&mut self, template: u64) {
        let Some(newest) = self.next.checked_sub(1) else { return };
        if let Some(mark) = self.marks.get_mut((newest % self.cap as u64) as usize) {
            mark.template = template;
        }
    }

    /// Adds a mark behind `last_op`, the one before of its operation.
    pub(crate) fn push(&mut self, mut mark: Mark, last_op: Option<Seq>) -> Seq {
        let seq = self.next;
        let back = |before: Option<Seq>| before.map_or(0, |before| u32::try_from(seq - before).unwrap_or(0));
        mark.back_op = back(last_op);
        mark.back_rare = back(self.last_rare);
        if mark.flags.is_rare() {
            self.last_rare = Some(seq);
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

    /// The marks of a thread from `start` back, newest first.
    pub(crate) fn back(&self, start: Option<Seq>, thread: Thread) -> impl Iterator<Item = (Seq, &Mark)> {
        let step = move |&seq: &Seq| {
            let mark = self.get(seq)?;
            let distance = match thread {
                Thread::Operation => mark.back_op,
                Thread::Rare => mark.back_rare,
            };
            (distance > 0).then(|| seq - u64::from(distance))
        };
        std::iter::successors(start, step).map_while(|seq| self.get(seq).map(|mark| (seq, mark)))
    }
}

/// Which lines a walk visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thread {
    /// Those of one operation.
    Operation,
    /// The rare ones of all.
    Rare,
}

keep_fields!(Tape { cap, marks, next, floor, last_rare });

#[cfg(test)]
mod tests {
    use stella_protocol::LogEvent;

    use super::*;

    #[test]
    fn a_thread_ends_where_the_ring_ends_and_the_ring_says_so() {
        let mut tape = Tape::new(16);
        let mut last = None;
        for line in 0..40_u64 {
            let event = LogEvent { success: Some(line % 2 == 0), ..LogEvent::default() };
            last = Some(tape.push(Mark::of(line, line as i64 * 10, &event), last));
        }
        let lines = |thread| tape.back(last, thread).map(|(_, mark)| mark.line).collect::<Vec<_>>();
        assert_eq!(lines(Thread::Operation), (24..40).rev().collect::<Vec<_>>());
        assert_eq!(lines(Thread::Rare), (24..40).rev().filter(|line| line % 2 == 1).collect::<Vec<_>>());
        assert_eq!(tape.floor(), 231);
    }
}
