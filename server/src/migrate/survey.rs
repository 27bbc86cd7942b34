//! What a whole store holds: documents go in one by one, a report comes out.
//!
//! Counts what the map declares, and looks everywhere else for ids that are known to be a user's: what the
//! map misses is a finding. The order of the documents makes no difference.
//!
//! What is held grows with ids and places, not with documents, and both have a bound: what lies beyond is
//! only counted, and said to be (which of them are told one by one is then a matter of order).

mod report;
mod undeclared;

pub use report::{
    Beside, CollectionReport, Contested, Duplicates, FormCount, Missed, NotListed, Orphan, PlaceCount, PlaceReport,
    Report, SameEmail, SeenId, SeveralIds, SharedId,
};

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::form::Form;
use super::map::place::Found;
use super::map::{Collection, DataMap, Kind};
use super::reference::{ID, PATH, Reference, references};
use super::roll::{Holder, Roll};
use crate::documents::Document;

/// Most ids that are told one by one: several times as many as there are users anywhere yet.
const MOST_IDS: usize = 100_000;
/// Most places of one collection that the map misses: a map whose keys are anything could have one a document.
const MOST_MISSED: usize = 1_000;
/// Longest id that is told, in bytes: no document can have a longer one.
const ID_BYTES: usize = 1500;
/// Most letters of a copy that are told: no e-mail is longer.
const COPY_LETTERS: usize = 254;
/// Most different copies beside an id without a user.
const MOST_COPIES: usize = 3;

/// How often each form was seen.
type Forms = BTreeMap<Form, u64>;
/// A declared place by its number; None: the key of the document.
type PlaceNumber = (Kind, Option<usize>, &'static str);

/// What was seen so far.
#[derive(Debug)]
pub struct Survey<'m> {
    map: &'m DataMap,
    roll: &'m Roll,
    most: Most,
    documents: u64,
    collections: BTreeMap<String, Seen<'m>>,
    ids: BTreeMap<String, Id>,
    /// References to ids that are not told one by one.
    unlisted: u64,
    /// Values at places that are not told one by one.
    unplaced: u64,
}

#[derive(Debug, Clone, Copy)]
struct Most {
    ids: usize,
    missed: usize,
}

/// A collection.
#[derive(Debug, Default)]
struct Seen<'m> {
    declared: Option<&'m Collection>,
    documents: u64,
    places: BTreeMap<PlaceNumber, Forms>,
    missed: BTreeMap<String, Miss>,
}

/// A place that the map misses.
#[derive(Debug, Default)]
struct Miss {
    documents: u64,
    values: u64,
    forms: Forms,
    example: String,
}

/// An id that was seen at declared places.
#[derive(Debug)]
struct Id {
    form: Form,
    references: u64,
    places: BTreeMap<(String, String), u64>,
    /// By collection, and the last one that was counted: its references come one after another.
    documents: BTreeMap<String, u64>,
    last: u64,
    copies: BTreeSet<(String, String)>,
    example: String,
}

impl<'m> Survey<'m> {
    /// Of a store whose users are these.
    pub fn new(map: &'m DataMap, roll: &'m Roll) -> Self {
        Self::bounded(map, roll, Most { ids: MOST_IDS, missed: MOST_MISSED })
    }

    fn bounded(map: &'m DataMap, roll: &'m Roll, most: Most) -> Self {
        let (collections, ids) = (BTreeMap::new(), BTreeMap::new());
        Self { map, roll, most, documents: 0, collections, ids, unlisted: 0, unplaced: 0 }
    }

    /// Takes in a document.
    pub fn take(&mut self, document: &Document) {
        self.documents += 1;
        let declared = self.map.collection(&document.key.collection);
        let name = declared.map_or_else(|| undeclared::any(&document.key.collection), |one| one.name.clone());
        let seen = self.collections.entry(name.clone()).or_default();
        seen.declared = declared;
        seen.documents += 1;
        if let Some(collection) = declared {
            self.count(&name, collection, document);
        }
        self.look_beside(&name, declared, document);
    }

    /// Counts what the map declares.
    fn count(&mut self, name: &str, collection: &'m Collection, document: &Document) {
        let roll = self.roll;
        let copies = copies(collection, document);
        for reference in references(self.map, collection, document, &|id| roll.knows(id)) {
            let form = if reference.form == Form::Hash { roll.form(&reference.id) } else { reference.form };
            let at = if reference.place.is_some() {
                ""
            } else if reference.path == PATH {
                PATH
            } else {
                ID
            };
            let seen = self.collections.entry(name.to_owned()).or_default();
            *seen.places.entry((reference.kind, reference.place, at)).or_default().entry(form).or_default() += 1;
            if !matches!(form, Form::Empty | Form::NotText) {
                self.count_id(name, collection, document, &reference, form, &copies);
            }
        }
    }

    fn count_id(
        &mut self,
        name: &str,
        collection: &Collection,
        document: &Document,
        reference: &Reference<'_>,
        form: Form,
        copies: &[(String, String, String)],
    ) {
        let is_new = !self.ids.contains_key(reference.id.as_ref());
        if is_new && (self.ids.len() >= self.most.ids || reference.id.len() > ID_BYTES) {
            self.unlisted += 1;
            return;
        }
        let known = matches!(self.roll.holder(&reference.id), Holder::One(_));
        let id = self.ids.entry(reference.id.clone().into_owned()).or_insert_with(|| Id {
            form,
            references: 0,
            places: BTreeMap::new(),
            documents: BTreeMap::new(),
            last: 0,
            copies: BTreeSet::new(),
            example: document.key.path(),
        });
        id.references += 1;
        id.example = id.example.as_str().min(&document.key.path()).to_owned();
        if known {
            return;
        }
        // Whose it is must be found out: by where it stands and by what stands beside it.
        let at = report::place_words(collection, reference.place, &reference.path);
        *id.places.entry((name.to_owned(), at)).or_default() += 1;
        if id.last != self.documents {
            id.last = self.documents;
            *id.documents.entry(name.to_owned()).or_default() += 1;
        }
        let beside = undeclared::parent(&reference.path);
        for (_, place, value) in copies.iter().filter(|(parent, ..)| parent == beside) {
            id.copies.insert((place.clone(), value.clone()));
        }
        while id.copies.len() > MOST_COPIES {
            id.copies.pop_last();
        }
    }

    /// Looks for known ids where the map does not say that there are any.
    fn look_beside(&mut self, name: &str, declared: Option<&Collection>, document: &Document) {
        let found = undeclared::known_ids(self.map, declared, document, self.roll);
        let mut here = BTreeSet::new();
        let seen = self.collections.entry(name.to_owned()).or_default();
        for (path, form) in found {
            if !seen.missed.contains_key(&path) && seen.missed.len() >= self.most.missed {
                self.unplaced += 1;
                continue;
            }
            let miss = seen.missed.entry(path.clone()).or_default();
            miss.values += 1;
            *miss.forms.entry(form).or_default() += 1;
            if here.insert(path) {
                miss.documents += 1;
                let path = document.key.path();
                if miss.example.is_empty() || path < miss.example {
                    miss.example = path;
                }
            }
        }
    }

    /// All that was seen.
    pub fn report(self) -> Report {
        report::of(self)
    }
}

/// The copies in a document: beside what, where, which text.
fn copies(collection: &Collection, document: &Document) -> Vec<(String, String, String)> {
    let mut copies = Vec::new();
    for place in &collection.copies {
        place.visit(&document.fields, &mut |path, found| {
            if let Found::Value(Value::String(text)) = found {
                let text = text.chars().take(COPY_LETTERS).collect();
                copies.push((undeclared::parent(path).to_owned(), place.to_string(), text));
            }
        });
    }
    copies
}

#[cfg(test)]
mod tests;
