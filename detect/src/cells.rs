//! A keyed store with a hard cap: what was not touched for longest goes first.
//!
//! Two halves guard against invented keys: a new cell is on probation, and only a cell that was
//! promoted (its owner did something that matters) is protected. Probation is emptied first, so a
//! million new names cannot push out one that failed many times.

use rustc_hash::FxHashMap;

use crate::keep::{Keep, Reader, keep_fields};

/// End of a list.
const END: u32 = u32::MAX;

/// Of the cap, how many eighths may be protected.
const PROTECTED_EIGHTHS: usize = 7;

#[derive(Debug)]
struct Cell<T> {
    key: u64,
    newer: u32,
    older: u32,
    protected: bool,
    value: T,
}

#[derive(Debug, Clone, Copy)]
struct List {
    newest: u32,
    oldest: u32,
    length: usize,
}

impl List {
    const EMPTY: Self = Self { newest: END, oldest: END, length: 0 };
}

/// Where a value is, without looking for its key again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u32);

/// At most `cap` values by key.
#[derive(Debug)]
pub(crate) struct Cells<T> {
    cap: usize,
    places: FxHashMap<u64, u32>,
    slots: Vec<Cell<T>>,
    /// Probation, then protected.
    lists: [List; 2],
    evicted: bool,
}

impl<T> Cells<T> {
    /// An empty store for at least eight values.
    pub(crate) fn new(cap: usize) -> Self {
        let cap = cap.clamp(8, END as usize - 1);
        Self { cap, places: FxHashMap::default(), slots: Vec::new(), lists: [List::EMPTY; 2], evicted: false }
    }

    /// True once a value had to go.
    pub(crate) fn has_evicted(&self) -> bool {
        self.evicted
    }

    /// True while there is no value.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        self.places.get(&key).map(|&place| &self.slots[place as usize].value)
    }

    /// The value, which becomes the youngest of its half.
    pub(crate) fn touch(&mut self, key: u64) -> Option<&mut T> {
        let place = *self.places.get(&key)?;
        self.refresh(place);
        Some(&mut self.slots[place as usize].value)
    }

    /// The value, made on probation when there is none.
    pub(crate) fn touch_or(&mut self, key: u64, make: impl FnOnce() -> T) -> &mut T {
        let place = self.place_or(key, make);
        self.at_mut(place)
    }

    /// Where the value is until another key is put in.
    pub(crate) fn place(&self, key: u64) -> Option<Place> {
        self.places.get(&key).copied().map(Place)
    }

    /// Where the value is until another key is put in, made on probation when there is none.
    pub(crate) fn place_or(&mut self, key: u64, make: impl FnOnce() -> T) -> Place {
        match self.places.get(&key) {
            Some(&place) => {
                self.refresh(place);
                Place(place)
            }
            None => Place(self.insert(key, make())),
        }
    }

    /// The value at a place, to be changed.
    pub(crate) fn at_mut(&mut self, place: Place) -> &mut T {
        &mut self.slots[place.0 as usize].value
    }

    /// Protects the value from invented keys.
    pub(crate) fn promote(&mut self, key: u64) {
        let Some(&place) = self.places.get(&key) else { return };
        if self.slots[place as usize].protected {
            return;
        }
        self.unlink(place);
        self.slots[place as usize].protected = true;
        self.link(place);
        if self.lists[1].length > self.cap / 8 * PROTECTED_EIGHTHS {
            let oldest = self.lists[1].oldest;
            self.unlink(oldest);
            self.slots[oldest as usize].protected = false;
            self.link(oldest);
        }
    }

    /// All values, in the order in which their places were first taken.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().map(|cell| (cell.key, &cell.value))
    }

    /// All values, to be changed, in the same order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.slots.iter_mut().map(|cell| (cell.key, &mut cell.value))
    }

    fn insert(&mut self, key: u64, value: T) -> u32 {
        let cell = Cell { key, newer: END, older: END, protected: false, value };
        let place = if self.slots.len() < self.cap {
            self.slots.push(cell);
            (self.slots.len() - 1) as u32
        } else {
            let half = usize::from(self.lists[0].length == 0);
            let place = self.lists[half].oldest;
            self.unlink(place);
            self.places.remove(&self.slots[place as usize].key);
            self.slots[place as usize] = cell;
            self.evicted = true;
            place
        };
        self.places.insert(key, place);
        self.link(place);
        place
    }

    fn refresh(&mut self, place: u32) {
        if self.slots[place as usize].newer != END {
            self.unlink(place);
            self.link(place);
        }
    }

    fn unlink(&mut self, place: u32) {
        let Cell { newer, older, protected, .. } = self.slots[place as usize];
        let list = &mut self.lists[usize::from(protected)];
        list.length -= 1;
        if newer == END {
            list.newest = older;
        } else {
            self.slots[newer as usize].older = older;
        }
        if older == END { list.oldest = newer } else { self.slots[older as usize].newer = newer }
    }

    fn link(&mut self, place: u32) {
        let list = &mut self.lists[usize::from(self.slots[place as usize].protected)];
        let before = std::mem::replace(&mut list.newest, place);
        list.length += 1;
        if before == END {
            list.oldest = place;
        } else {
            self.slots[before as usize].newer = place;
        }
        (self.slots[place as usize].newer, self.slots[place as usize].older) = (END, before);
    }
}

keep_fields!(List { newest, oldest, length });

impl<T: Keep> Keep for Cells<T> {
    fn keep(&self, to: &mut Vec<u8>) {
        self.cap.keep(to);
        self.slots.len().keep(to);
        for cell in &self.slots {
            (cell.key, (cell.newer, (cell.older, cell.protected))).keep(to);
            cell.value.keep(to);
        }
        self.lists[0].keep(to);
        self.lists[1].keep(to);
        self.evicted.keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        let cap = usize::wake(from)?;
        let (count, mut slots, mut places) = (usize::wake(from)?, Vec::new(), FxHashMap::default());
        for place in 0..count {
            let (key, (newer, (older, protected))) = <(u64, (u32, (u32, bool)))>::wake(from)?;
            places.insert(key, u32::try_from(place).ok()?);
            slots.push(Cell { key, newer, older, protected, value: T::wake(from)? });
        }
        let lists = [List::wake(from)?, List::wake(from)?];
        // A list that leads out of its cells must not be followed.
        let held = |place: u32| place == END || (place as usize) < count;
        let sound = slots.iter().all(|cell| held(cell.newer) && held(cell.older))
            && lists.iter().all(|list| held(list.newest) && held(list.oldest))
            && places.len() == count
            && count <= cap;
        sound.then_some(Self { cap, places, slots, lists, evicted: bool::wake(from)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_not_touched_for_longest_goes_first() {
        let mut cells = Cells::new(8);
        (1..=8).for_each(|key| *cells.touch_or(key, || 0) += 1);
        cells.touch(1);
        cells.touch_or(9, || 0);
        assert_eq!((cells.get(1), cells.get(2), cells.get(9)), (Some(&1), None, Some(&0)));
        assert!(cells.has_evicted());
    }

    #[test]
    fn a_million_invented_keys_do_not_push_out_a_protected_one() {
        let mut cells = Cells::new(64);
        cells.touch_or(7, || "attacker");
        cells.promote(7);
        (1000..1_001_000).for_each(|key| {
            cells.touch_or(key, || "invented");
        });
        assert_eq!(cells.get(7), Some(&"attacker"));
        assert_eq!(cells.iter().count(), 64);
    }

    #[test]
    fn protecting_everybody_protects_the_youngest() {
        let mut cells = Cells::new(16);
        for key in 1..=40 {
            cells.touch_or(key, || ());
            cells.promote(key);
        }
        assert_eq!(cells.iter().count(), 16);
        assert!(cells.get(40).is_some() && cells.get(30).is_some() && cells.get(1).is_none());
    }
}
