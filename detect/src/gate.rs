//! Who earns a cell: whoever is seen a second time. One that comes once, as an invented name does,
//! costs bits and no cell.
//!
//! A count-min sketch (Cormode and Muthukrishnan, 2005) whose counters stop at one, since one is all
//! that is asked; two generations of it, so that what was long ago is forgotten. It may take a
//! stranger for somebody it knows (one in fifty at half a million names in a generation), never the
//! other way round.

use crate::keep::keep_fields;

/// Bits of a generation: half a mebibyte, taken when the first name comes.
const BITS: u64 = 1 << 22;
/// Places of a name.
const PLACES: u32 = 3;
/// Names after which a generation ends early: full of names that somebody invents it would know everybody.
/// With so many, one stranger in fifty is taken for somebody else.
const MOST: u32 = 500_000;

/// The gate.
#[derive(Debug)]
pub(crate) struct Gate {
    generation_ms: i64,
    young: Vec<u64>,
    old: Vec<u64>,
    turned_at: i64,
    /// Names of the young generation.
    names: u32,
}

fn places(key: u64) -> impl Iterator<Item = (usize, u64)> {
    // Kirsch and Mitzenmacher (2006): two halves of one hash make all places.
    let (first, step) = (key, (key >> 32) | 1);
    (0..u64::from(PLACES)).map(move |nth| {
        let bit = first.wrapping_add(nth.wrapping_mul(step)) % BITS;
        ((bit / 64) as usize, 1 << (bit % 64))
    })
}

impl Gate {
    /// A gate that knows whoever came in the last `generation_ms`, and forgets them after twice that; sooner
    /// where very many came.
    pub(crate) fn new(generation_ms: i64) -> Self {
        Self { generation_ms, young: Vec::new(), old: Vec::new(), turned_at: 0, names: 0 }
    }

    /// Notes a name; true when it was noted before.
    pub(crate) fn knows(&mut self, key: u64, at: i64) -> bool {
        if self.young.is_empty() {
            (self.young, self.turned_at) = (vec![0; (BITS / 64) as usize], at);
        }
        if at - self.turned_at >= self.generation_ms || self.names >= MOST {
            self.turn(at);
        }
        let known = |bits: &[u64]| !bits.is_empty() && places(key).all(|(word, bit)| bits[word] & bit != 0);
        let before = known(&self.young) || known(&self.old);
        let mut fresh = false;
        for (word, bit) in places(key) {
            fresh |= self.young[word] & bit == 0;
            self.young[word] |= bit;
        }
        self.names += u32::from(fresh);
        before
    }

    /// Begins a generation, in the room of the one that is forgotten.
    fn turn(&mut self, at: i64) {
        let gone = at - self.turned_at >= 2 * self.generation_ms;
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
        self.young.resize((BITS / 64) as usize, 0);
        if gone {
            self.old.clear();
        }
        (self.turned_at, self.names) = (at, 0);
    }
}

keep_fields!(Gate { generation_ms, young, old, turned_at, names });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key;

    #[test]
    fn who_came_before_is_known_for_a_generation_at_least() {
        const GENERATION_MS: i64 = 1000 * 60;
        let mut gate = Gate::new(GENERATION_MS);
        assert!(!gate.knows(key::of("ana"), 0));
        assert!(gate.knows(key::of("ana"), 1000) && !gate.knows(key::of("ben"), 1000));
        assert!(gate.knows(key::of("ana"), GENERATION_MS + 1));
        assert!(!gate.knows(key::of("ana"), 5 * GENERATION_MS));
    }

    #[test]
    fn of_half_a_million_strangers_hardly_one_in_fifty_is_taken_for_somebody_else() {
        let mut gate = Gate::new(1000);
        let taken = (1..=500_000_u64).filter(|name| gate.knows(key::join(&[*name]), 0)).count();
        assert!(taken < 10_000, "{taken}");
    }

    #[test]
    fn a_flood_of_names_ends_a_generation_early_and_whoever_comes_again_soon_is_still_known() {
        let mut gate = Gate::new(i64::MAX / 4);
        assert!(!gate.knows(key::of("ana"), 0));
        let mut taken = 0;
        for name in 1..=4_000_000_u64 {
            taken += u32::from(gate.knows(key::join(&[name]), 0));
            if name.is_multiple_of(100_000) {
                assert!(gate.knows(key::of("ana"), 0), "{name}");
            }
        }
        assert!(taken < 400_000, "{taken}");
    }
}
