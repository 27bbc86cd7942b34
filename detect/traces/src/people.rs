//! Who uses an application, and from where. All are invented, all addresses are of documentation and benchmark
//! ranges. Nothing is stored: whoever has a number has a name, an address and belongings that follow from it.

use crate::dice::{Dice, Urn};
use crate::town::{Ids, Town};

const FIRST: [&str; 16] = [
    "ada", "ben", "cleo", "dan", "edda", "finn", "gwen", "hal", "ida", "jan", "kim", "lena", "mo", "nils", "oona",
    "pia",
];

/// Everybody.
#[derive(Debug)]
pub(crate) struct People {
    seed: u64,
    ids: Ids,
    offices: (f64, usize),
    urn: Urn,
    pub(crate) count: usize,
}

impl People {
    pub(crate) fn new(town: &Town, seed: u64, count: usize) -> Self {
        let count = count.max(40);
        Self { seed, ids: town.ids, offices: town.offices, urn: Urn::zipf(count, town.skew), count }
    }

    fn dice(&self, person: usize, part: &str) -> Dice {
        Dice::new(self.seed ^ (person as u64).rotate_left(24), part)
    }

    /// Somebody, the busy ones more often.
    pub(crate) fn draw(&self, dice: &mut Dice) -> usize {
        self.urn.draw(dice)
    }

    /// Somebody who is seen now and then, as most are: not of the busiest tenth.
    pub(crate) fn ordinary(&self, dice: &mut Dice) -> usize {
        self.count / 10 + dice.below(self.count - self.count / 10)
    }

    /// The user id.
    pub(crate) fn name(&self, person: usize) -> String {
        let word = self.dice(person, "name").next();
        match self.ids {
            Ids::Email => format!("{}.{person}@example.org", FIRST[(word % 16) as usize]),
            Ids::Opaque(prefix) => format!("{prefix}{:010x}", word >> 24),
            Ids::Number => format!("{:09}", word % 1_000_000_000),
            Ids::Device(prefix) => format!("{prefix}{person:05}"),
        }
    }

    /// The same person in a form that nobody should write any more.
    pub(crate) fn wrong_name(&self, person: usize) -> String {
        let name = self.name(person);
        match self.ids {
            Ids::Email => name.replace(['@', '.'], "_"),
            Ids::Opaque(_) | Ids::Device(_) => format!("{}@example.org", name.replace('-', "")),
            Ids::Number => format!("acc:{}", name.trim_start_matches('0')),
        }
    }

    /// From where they come.
    pub(crate) fn addr(&self, person: usize) -> String {
        let mut dice = self.dice(person, "addr");
        if dice.chance(self.offices.0) {
            return Self::office(dice.below(self.offices.1));
        }
        let home = dice.next();
        if home.is_multiple_of(3) {
            return format!("2001:db8:{:x}:{:x}::{:x}", home >> 8 & 0xffff, home >> 24 & 0xffff, person);
        }
        format!("198.{}.{}.{}", 18 + (home >> 9 & 1), home >> 16 & 0xff, 1 + (home >> 32) % 254)
    }

    /// An address that many share.
    pub(crate) fn office(office: usize) -> String {
        format!("192.0.2.{}", 1 + office)
    }

    /// Everybody behind a shared address, up to `most`.
    pub(crate) fn at_office(&self, office: usize, most: usize) -> Vec<usize> {
        let addr = Self::office(office);
        (0..self.count).filter(|person| self.addr(*person) == addr).take(most).collect()
    }

    /// How many things they own: most a few, some many, some none.
    pub(crate) fn owned(&self, person: usize) -> i64 {
        let mut dice = self.dice(person, "owned");
        if dice.chance(0.08) { 0 } else { 1 + dice.about(9.0, 0.9) as i64 }
    }

    /// How much slower than others their calls are: who has more waits longer.
    pub(crate) fn weight(&self, person: usize) -> f64 {
        self.dice(person, "weight").about(1.0, 0.15)
    }
}

/// Somebody who does not belong here: an address of a range of its own, another one for each number below 254.
pub(crate) fn stranger(number: usize) -> String {
    let range = if number.is_multiple_of(2) { "203.0.113" } else { "198.51.100" };
    // Three has no factor in common with 254.
    format!("{range}.{}", 1 + number * 3 % 254)
}

/// One of very many addresses, as botnets have them.
pub(crate) fn bot(dice: &mut Dice) -> String {
    format!("2001:db8:b07:{:x}::{:x}", dice.below(0xffff), dice.below(0xffff))
}
