//! The references to users that one document holds, as the map declares them; and the document with
//! other ids in their stead ([`rewrite()`]).
//!
//! One walk for all: whoever counts references and whoever changes them see the same ones.
//!
//! Deliberately not looked at: what the map does not declare (that is [`super::survey`]'s), and other
//! documents.

mod clash;
mod mapping;
mod owner;
mod rewrite;

pub use clash::{Clash, Outcome, Stays, of_documents};
pub use mapping::{Mapping, MappingError};
pub use owner::{owner, people};
pub use rewrite::{ARCHIVED, Change, Changed, Rewritten, rewrite, turn};

use std::borrow::Cow;

use serde_json::Value;

use super::form::Form;
use super::map::place::Found;
use super::map::{Collection, DataMap, IdPattern, Kind, OWNER, id_pattern::Cut};
use crate::documents::{Document, DocumentKey};

/// Stands for the id of a document where a path is wanted.
pub const ID: &str = "(id)";
/// Stands for the collection's path where a path is wanted.
pub const PATH: &str = "(path)";
/// Most letters that are kept of a value that is no text.
const ODD_LETTERS: usize = 40;

/// A reference to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'d> {
    /// Where: a concrete path of a field, [`ID`], or [`PATH`].
    pub path: String,
    /// Which of the collection's places it is; None: the document's key holds it.
    pub place: Option<usize>,
    /// What the map says stands there.
    pub kind: Kind,
    /// The id; empty when there is none; as JSON, and perhaps cut, when it is no text.
    pub id: Cow<'d, str>,
    /// Its form, by its letters alone.
    pub form: Form,
}

/// Every reference of a document, in the order of the map: first what its key holds. `known` says which
/// ids are a user's; it decides in ids that can be cut in several ways, and at mixed places.
pub fn references<'d>(
    map: &DataMap,
    collection: &Collection,
    document: &'d Document,
    known: &dyn Fn(&str) -> bool,
) -> Vec<Reference<'d>> {
    let key = |path: &str, kind, id: &'d str| Reference {
        path: path.to_owned(),
        place: None,
        kind,
        id: id.into(),
        form: Form::of(id),
    };
    let mut found: Vec<Reference<'d>> =
        owners(collection, &document.key).map(|owner| key(PATH, Kind::Id, owner)).collect();
    if let Some(pattern) = &collection.id {
        let kind = if pattern.is_pseudonym() { Kind::Pseudonym } else { Kind::Id };
        let id = cut(pattern, &document.key.id, known).map_or(document.key.id.as_str(), |cut| cut.user);
        found.push(key(ID, kind, id));
    }
    for (place, declared) in collection.places.iter().enumerate() {
        let kind = declared.kind;
        declared.place.visit(&document.fields, &mut |path, seen| {
            let (id, form) = match seen {
                Found::Key(key) => (Cow::Borrowed(key), Form::of(key)),
                Found::Value(value) => told(value, kind, &map.users.collection),
            };
            if kind != Kind::Mixed || known(&id) {
                found.push(Reference { path: path.to_owned(), place: Some(place), kind, id, form });
            }
        });
    }
    found
}

/// What a value at a declared place says.
fn told<'d>(value: &'d Value, kind: Kind, users: &str) -> (Cow<'d, str>, Form) {
    match (id_in(value, users), value) {
        (Some(path), _) if kind.is_path() => (first_segment(path).into(), Form::of(first_segment(path))),
        (Some(id), _) => (id.into(), Form::of(id)),
        (None, Value::Null) => ("".into(), Form::Empty),
        (None, odd) => (odd.to_string().chars().take(ODD_LETTERS).collect(), Form::NotText),
    }
}

/// The id of a user in a value: a text, or a reference to the document of a user.
pub(super) fn id_in<'v>(value: &'v Value, users: &str) -> Option<&'v str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(object) if object.len() == 1 => {
            let path = object.get("$reference")?.as_str()?;
            let id = path.strip_prefix(users)?.strip_prefix('/')?;
            (!id.contains('/')).then_some(id)
        }
        _ => None,
    }
}

/// What stands before the first slash of the path of an object in a storage.
fn first_segment(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// The parts of a document's path that the map says are ids of users.
fn owners<'d>(collection: &Collection, key: &'d DocumentKey) -> impl Iterator<Item = &'d str> {
    let names: Vec<bool> = collection.name.split('/').map(|name| name == OWNER).collect();
    key.collection.split('/').zip(names).filter_map(|(part, is_owner)| is_owner.then_some(part))
}

/// The way to cut the id of a document: the longest user that is known; else the first that looks like
/// an id; else the first. None: the id does not have this pattern at all.
fn cut<'i>(pattern: &IdPattern, id: &'i str, known: &dyn Fn(&str) -> bool) -> Option<Cut<'i>> {
    let cuts = pattern.cuts(id);
    let looks = |cut: &&Cut<'_>| Form::of(cut.user) != Form::Unknown;
    let known = cuts.iter().rev().find(|cut| known(cut.user));
    known.or_else(|| cuts.iter().find(looks)).or_else(|| cuts.first()).copied()
}

#[cfg(test)]
pub(super) mod tests;
