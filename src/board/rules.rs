//! The rules as the server last told them, by id.

use std::collections::BTreeMap;

use stella_protocol::Rule;

/// What is looked for, how it is set, how it did.
#[derive(Debug, Default)]
pub struct Rules {
    by_id: BTreeMap<String, Rule>,
    revision: u64,
}

impl Rules {
    /// One rule.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.by_id.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.by_id.values()
    }

    /// Rises with every rule that is told.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Takes a rule; one that is older than what we have is dropped (events come at least once).
    pub(super) fn put(&mut self, rule: Rule) {
        if self.get(rule.id.raw()).is_some_and(|known| known.version > rule.version) {
            return;
        }
        self.revision += 1;
        self.by_id.insert(rule.id.raw().to_owned(), rule);
    }

    /// Takes the whole state: what is not in it is gone.
    pub(super) fn replace(&mut self, rules: Vec<Rule>) {
        self.revision += 1;
        self.by_id = rules.into_iter().map(|rule| (rule.id.raw().to_owned(), rule)).collect();
    }
}
