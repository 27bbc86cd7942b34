//! Where documents are put while a world is made, and the values that they have in common.

use serde_json::{Map, Value, json};
use stella_protocol::Timestamp;

use super::Seeded;
use crate::demo::dice::Dice;

/// 2025-06-02T08:00:00Z: the documents are older than any demo, and the same in each.
const EPOCH_MS: i64 = 1_748_851_200_000;
/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// The first day of the migration by scripts, in days after the first: 2025-11-09.
pub(super) const SCRIPTS_DAY: i64 = 160;

/// Documents so far, and the dice.
#[derive(Debug)]
pub(super) struct Ground {
    documents: Vec<Seeded>,
    /// For whatever does not matter to the figures.
    pub dice: Dice,
}

impl Ground {
    pub fn new(dice: Dice) -> Self {
        Self { documents: Vec::new(), dice }
    }

    /// Another document.
    pub fn put(&mut self, collection: &str, id: impl Into<String>, fields: Value) {
        self.documents.push(object(collection, id.into(), fields));
    }

    /// An instant of the days before the scripts ran.
    pub fn some_day(&mut self) -> Value {
        let (day, of_day) = (self.dice.between(1, SCRIPTS_DAY - 1), self.dice.between(0, DAY_MS / 2));
        instant(day, of_day)
    }

    /// One of these.
    pub fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.dice.below(of.len())]
    }

    pub fn into_documents(self) -> Vec<Seeded> {
        self.documents
    }
}

/// An instant so many days after the first, and milliseconds into that day.
pub(super) fn instant(day: i64, of_day: i64) -> Value {
    json!({ "$timestamp": Timestamp::from_millis(EPOCH_MS + day * DAY_MS + of_day) })
}

pub(super) fn object(collection: &str, id: String, fields: Value) -> Seeded {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    (collection.to_owned(), id, fields)
}
