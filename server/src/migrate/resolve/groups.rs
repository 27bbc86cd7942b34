//! People of whom somebody said that they are one.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::Name;

/// Who is one person with whom. The smallest name stands for all.
#[derive(Debug)]
pub(super) struct Groups {
    heads: BTreeMap<Name, Name>,
}

impl Groups {
    pub fn new(names: &BTreeSet<Name>) -> Self {
        Self { heads: names.iter().map(|name| (name.clone(), name.clone())).collect() }
    }

    /// Who stands for somebody.
    pub fn head<'g>(&'g self, name: &'g Name) -> &'g Name {
        self.heads.get(name).unwrap_or(name)
    }

    pub fn unite(&mut self, people: &BTreeSet<Name>) {
        let olds: BTreeSet<Name> = people.iter().map(|name| self.head(name).clone()).collect();
        let Some(head) = olds.first().cloned() else { return };
        for one in self.heads.values_mut() {
            if olds.contains(one) {
                one.clone_from(&head);
            }
        }
    }

    /// Everybody, by who stands for them.
    pub fn all(&self) -> BTreeMap<&Name, BTreeSet<&Name>> {
        let mut all: BTreeMap<&Name, BTreeSet<&Name>> = BTreeMap::new();
        for (name, head) in &self.heads {
            all.entry(head).or_default().insert(name);
        }
        all
    }
}
