//! Ids that are known to be a user's, at places that the map does not declare.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::documents::{Document, shape};
use crate::migrate::form::Form;
use crate::migrate::map::place::{Found, Place, item_path, join, key_path};
use crate::migrate::map::{Collection, DataMap, OWNER};
use crate::migrate::reference::{ID, PATH};
use crate::migrate::roll::Roll;

/// What stands between the parts of ids and of names of objects.
const MARKS: [char; 6] = ['_', '-', ':', '.', '~', '|'];
/// Longest text whose parts are looked at, in bytes: the longest name that an object in a storage has, and
/// more than any id of a document. What is longer is prose.
const PATH_BYTES: usize = 2048;

/// The path of a collection, with any document in it.
pub(super) fn any(path: &str) -> String {
    let part = |(place, part): (usize, &'_ str)| if place % 2 == 1 { "*".to_owned() } else { part.to_owned() };
    path.split('/').enumerate().map(part).collect::<Vec<String>>().join("/")
}

/// What holds the field or the item at a concrete path; empty: the document.
pub(super) fn parent(path: &str) -> &str {
    let (mut quoted, mut escaped, mut last) = (false, false, None);
    for (at, letter) in path.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '`' => quoted = !quoted,
            '.' | '[' if !quoted => last = Some(at),
            _ => {}
        }
    }
    last.map_or("", |at| &path[..at])
}

/// Every known id that stands where the map does not declare one: the place, with `[]` for any item and
/// `{userId}` for a key that is one, and the id's form.
pub(super) fn known_ids(
    map: &DataMap,
    declared: Option<&Collection>,
    document: &Document,
    roll: &Roll,
) -> Vec<(String, Form)> {
    let mut walk = Walk { roll, declared: BTreeSet::new(), found: Vec::new() };
    for (place, inside) in places(map, declared, &document.key.collection) {
        place.visit(&document.fields, &mut |path, found| {
            // What has parts is no id, whatever the map says: it is looked into. A copy may be anything.
            if inside || !has_parts(found) {
                walk.declared.insert(path.to_owned());
            }
        });
    }
    walk.key(declared, document);
    for (name, value) in &document.fields {
        walk.field("", "", name, value);
    }
    walk.found
}

/// Everything that is declared, and whether that says something of all inside it too.
fn places<'m>(
    map: &'m DataMap,
    declared: Option<&'m Collection>,
    collection: &str,
) -> impl Iterator<Item = (&'m Place, bool)> {
    let users = (map.users.collection == collection).then_some(&map.users);
    let own = users.into_iter().flat_map(|users| users.email.iter().chain(&users.ids));
    let places = declared.into_iter().flat_map(|one| one.places.iter().map(|declared| &declared.place));
    let copies = declared.into_iter().flat_map(|one| &one.copies);
    own.chain(places).map(|place| (place, false)).chain(copies.map(|place| (place, true)))
}

fn has_parts(found: Found<'_>) -> bool {
    match found {
        Found::Value(Value::Object(object)) => !shape::is_typed(object),
        Found::Value(Value::Array(_)) => true,
        _ => false,
    }
}

/// The place of keys that are ids.
fn any_user(shown: &str) -> String {
    if shown.is_empty() { OWNER.to_owned() } else { format!("{shown}.{OWNER}") }
}

struct Walk<'w> {
    roll: &'w Roll,
    declared: BTreeSet<String>,
    found: Vec<(String, Form)>,
}

impl Walk<'_> {
    /// The id of the document, and the ids in the path to it.
    fn key(&mut self, declared: Option<&Collection>, document: &Document) {
        let names: Vec<&str> = declared.map_or_else(Vec::new, |one| one.name.split('/').collect());
        for (place, part) in document.key.collection.split('/').enumerate().filter(|(place, _)| place % 2 == 1) {
            if names.get(place) != Some(&OWNER) && self.roll.knows(part) {
                self.found.push((PATH.to_owned(), self.roll.form(part)));
            }
        }
        if declared.is_none_or(|one| one.id.is_none())
            && let Some((id, part)) = self.in_id(&document.key.id)
        {
            self.found.push((format!("{ID}{part}"), self.roll.form(id)));
        }
    }

    /// A known id that is the id of a document, or begins or ends it; and how to say which.
    fn in_id<'i>(&self, id: &'i str) -> Option<(&'i str, &'static str)> {
        if self.roll.knows(id) {
            return Some((id, ""));
        }
        let marks = || id.match_indices(MARKS).filter(|_| id.len() <= PATH_BYTES);
        let first = marks().map(|(at, _)| &id[..at]).rfind(|part| self.roll.knows(part));
        let last = marks().map(|(at, mark)| &id[at + mark.len()..]).find(|part| self.roll.knows(part));
        first.map(|part| (part, " first part")).or(last.map(|part| (part, " last part")))
    }

    /// `path` is the concrete one, `shown` the one that is told.
    fn field(&mut self, path: &str, shown: &str, name: &str, value: &Value) {
        let is_id = self.roll.knows(name);
        let name_shown = if is_id { any_user(shown) } else { join(shown, name) };
        if is_id && !self.declared.contains(&key_path(path, name)) {
            self.found.push((name_shown.clone(), self.roll.form(name)));
        }
        self.value(&join(path, name), &name_shown, value);
    }

    fn value(&mut self, path: &str, shown: &str, value: &Value) {
        if self.declared.contains(path) {
            return;
        }
        match value {
            Value::String(text) => self.text(shown, text),
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    self.value(&item_path(path, number), &format!("{shown}[]"), item);
                }
            }
            Value::Object(object) if shape::is_typed(object) => {
                if let Some(text) = object.get("$reference").and_then(Value::as_str) {
                    self.text(shown, text);
                }
            }
            Value::Object(object) => {
                for (name, value) in object {
                    self.field(path, shown, name, value);
                }
            }
            _ => {}
        }
    }

    /// A text that is an id, or a path with one in it.
    fn text(&mut self, shown: &str, text: &str) {
        if self.roll.knows(text) {
            self.found.push((shown.to_owned(), self.roll.form(text)));
        } else if text.contains('/')
            && text.len() <= PATH_BYTES
            && let Some(part) = text.split('/').find(|part| self.roll.knows(part))
        {
            self.found.push((format!("{shown} (a path)"), self.roll.form(part)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_place_is_its_path_without_the_last_part() {
        for (path, holds) in [
            ("a", ""),
            ("a.b", "a"),
            ("s[2].id", "s[2]"),
            ("m[0]", "m"),
            ("d.`x.com`.by", "d.`x.com`"),
            ("d.`x.com`", "d"),
            ("`a.b`", ""),
            ("`a\\`.b`", ""),
            (ID, ""),
        ] {
            assert_eq!(parent(path), holds, "{path}");
        }
        assert_eq!(any("agents/a-7/shares"), "agents/*/shares");
        assert_eq!(any("agents"), "agents");
    }
}
