//! Which templates stay when there are too many.
//!
//! A template is on probation until it was seen twice. Probation has at least a quarter of the room and
//! empties itself, so invented messages push each other out. A template that was promoted goes only for
//! another that was seen twice, and only when it has been silent for longer than it was known: whoever
//! wants it forgotten must talk for longer than it existed.

use super::grown::{Grown, Templates};

/// Lines of silence, for each template that fits, that any promoted template is granted.
const GRACE: u64 = 64;

/// Promoted templates that are looked at for one to give up, at most: the bound of the cost of a line.
const MOST_ASKED: usize = 8;

impl Templates {
    /// Of the room, what may be promoted.
    pub(super) fn most_promoted(&self) -> usize {
        self.bound - self.bound / 4
    }

    /// A slot for one more template.
    pub(super) fn room(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        if self.slots.len() < self.bound {
            self.slots.push(None);
            return self.slots.len() as u32 - 1;
        }
        for _ in 0..MOST_ASKED {
            let Some(slot) = self.oldest_on_probation() else { break };
            let deserves = self.slots[slot as usize].as_ref().is_some_and(|grown| grown.count > 1);
            match self.losable().filter(|_| deserves) {
                Some(silent) => {
                    self.promote(slot);
                    self.forget(silent);
                }
                None => self.forget(slot),
            }
            if let Some(slot) = self.free.pop() {
                return slot;
            }
        }
        // Nobody is on probation: cannot be while a quarter of the room is its own, and costs one template if it is.
        self.forget(0);
        self.free.pop().unwrap_or(0)
    }

    fn oldest_on_probation(&mut self) -> Option<u32> {
        while let Some((slot, id)) = self.probation.pop_front() {
            let holds = |grown: &Grown| grown.ids[0] == id && !grown.promoted;
            if self.slots[slot as usize].as_ref().is_some_and(holds) {
                return Some(slot);
            }
        }
        None
    }

    /// A promoted template that has been silent for longer than it was known.
    fn losable(&mut self) -> Option<u32> {
        let grace = GRACE * self.bound as u64;
        for _ in 0..MOST_ASKED {
            self.hand = (self.hand + 1) % self.slots.len();
            let silent = |grown: &Grown| self.lines - grown.last > (grown.last - grown.first).max(grace);
            if self.slots[self.hand].as_ref().is_some_and(|grown| grown.promoted && silent(grown)) {
                return Some(self.hand as u32);
            }
        }
        None
    }

    fn promote(&mut self, slot: u32) {
        if let Some(grown) = self.slots[slot as usize].as_mut() {
            grown.promoted = true;
            self.promoted += 1;
        }
    }

    fn forget(&mut self, slot: u32) {
        let Some(grown) = self.take(slot) else { return };
        self.evicted += 1;
        for id in grown.ids {
            self.ids.remove(&id);
        }
    }

    /// Takes a template out of everything but its ids.
    pub(super) fn take(&mut self, slot: u32) -> Option<Grown> {
        let grown = self.slots[slot as usize].take()?;
        self.free.push(slot);
        self.promoted -= usize::from(grown.promoted);
        self.tree.remove(grown.path, &grown.words, slot);
        for &word in &grown.words {
            self.lexicon.release(word);
        }
        for form in &grown.forms {
            self.forms.remove(form);
        }
        Some(grown)
    }
}
