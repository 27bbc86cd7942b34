//! One document with other ids: nothing else of it changes, every value keeps its type. One whose owner is an id
//! without a user that somebody chose to archive is marked besides.
//!
//! Paths in a storage stay, but where the map says that the objects were moved: nobody here can move one. A document
//! with a clash that nobody can settle stays as it is, whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use stella_protocol::Text;

use super::clash::{Clash, Outcome, keep};
use super::mapping::Mapping;
use super::{ID, PATH, first_segment, id_in, owner};
use crate::documents::shape::is_typed;
use crate::documents::{Document, DocumentKey};
use crate::migrate::map::place::{Place, Step, key_path};
use crate::migrate::map::{ClashPolicy, Collection, DataMap, Declared, IdPattern, Kind, OWNER};

/// The field that marks a document as archived for want of a user. One that has it is not marked again, whatever
/// else people changed in it.
pub const ARCHIVED: &str = "_archived";
/// What stands there.
const WHY_ARCHIVED: &str = "its id has no user";

/// What became of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Rewritten {
    /// No id in it becomes another, and it is not to be marked.
    Same,
    /// This.
    Changed(Box<Changed>),
    /// Left as it is, for a person to look at: at least one of these clashes nobody can settle.
    Parked(Vec<Clash>),
}

/// A document with other ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Where it stands then: another key when its own holds an id.
    pub key: DocumentKey,
    /// Its fields then.
    pub fields: BTreeMap<String, Value>,
    /// What changed, in the order of the map.
    pub changes: Vec<Change>,
    /// What became one, and was settled.
    pub clashes: Vec<Clash>,
    /// It is marked as archived.
    pub archived: bool,
}

/// One reference that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where: a concrete path in the document as it was, [`ID`] or [`PATH`].
    pub path: Text,
    /// The id before.
    pub from: Text,
    /// After.
    pub to: Text,
}

/// The document with every id that the mapping has a target for replaced.
pub fn rewrite(map: &DataMap, collection: &Collection, document: &Document, mapping: &Mapping) -> Rewritten {
    let mut work = Work::new(map, collection, mapping, document.fields.clone());
    work.before = arrays(collection, &document.fields);
    let key = work.key(collection, &document.key);
    for declared in &collection.places {
        work.values(declared);
    }
    for declared in collection.places.iter().filter(|declared| declared.place.is_unique()) {
        work.sets(&declared.place);
    }
    // Last: the paths of all others lead through the keys as they were.
    for declared in collection.places.iter().filter(|declared| declared.place.steps().contains(&Step::Key)) {
        work.keys(&declared.place);
    }
    if mapping.archives_any() && !document.fields.contains_key(ARCHIVED) {
        let known = |id: &str| mapping.knows(id) || mapping.archives(id);
        if owner(map, collection, document, &known).is_some_and(|owner| mapping.archives(&owner)) {
            work.archive(collection);
        }
    }
    work.done(key)
}

/// The same of a document that nobody needs any more as it was: where nothing of it can clash, its fields become those of
/// what it becomes, without a copy. One that stays as it is keeps them.
pub fn turn(map: &DataMap, collection: &Collection, document: &mut Document, mapping: &Mapping) -> Rewritten {
    let can_clash = |declared: &Declared| declared.place.is_unique() || declared.place.steps().contains(&Step::Key);
    if mapping.archives_any() || collection.moves() || collection.places.iter().any(can_clash) {
        return rewrite(map, collection, document, mapping);
    }
    let mut work = Work::new(map, collection, mapping, std::mem::take(&mut document.fields));
    for declared in &collection.places {
        work.values(declared);
    }
    if work.changes.is_empty() {
        document.fields = work.after;
        return Rewritten::Same;
    }
    work.done(document.key.clone())
}

/// The fields of a document in which its sets stand.
fn arrays(collection: &Collection, fields: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let sets = collection.places.iter().filter(|declared| declared.place.is_unique());
    let names = sets.filter_map(|declared| match declared.place.steps().first() {
        Some(Step::Field(name)) => fields.get_key_value(name),
        _ => None,
    });
    names.map(|(name, value)| (name.clone(), value.clone())).collect()
}

struct Work<'w> {
    users: &'w str,
    mapping: &'w Mapping,
    policy: &'w ClashPolicy,
    /// The fields with sets as they were, but for items that were dropped: the items of their arrays stand beside those
    /// of `after`.
    before: BTreeMap<String, Value>,
    after: BTreeMap<String, Value>,
    changes: Vec<Change>,
    clashes: Vec<Clash>,
    archived: bool,
}

impl<'w> Work<'w> {
    fn new(
        map: &'w DataMap,
        collection: &'w Collection,
        mapping: &'w Mapping,
        fields: BTreeMap<String, Value>,
    ) -> Self {
        Self {
            users: &map.users.collection,
            mapping,
            policy: &collection.clash,
            before: BTreeMap::new(),
            after: fields,
            changes: Vec::new(),
            clashes: Vec::new(),
            archived: false,
        }
    }

    fn changed(&mut self, path: &str, from: &str, to: &str) {
        let owned = |text: &str| Text::new(text.to_owned());
        self.changes.push(Change { path: owned(path), from: owned(from), to: owned(to) });
    }

    fn clashed(&mut self, path: &str, from: BTreeSet<String>, to: &str, outcome: Outcome) {
        let from = from.into_iter().map(Text::new).collect();
        self.clashes.push(Clash { path: Text::new(path.to_owned()), from, to: Text::new(to.to_owned()), outcome });
    }

    fn done(self, key: DocumentKey) -> Rewritten {
        if self.clashes.iter().any(|clash| clash.outcome == Outcome::Parked) {
            return Rewritten::Parked(self.clashes);
        }
        if self.changes.is_empty() && !self.archived {
            return Rewritten::Same;
        }
        let (fields, changes, clashes, archived) = (self.after, self.changes, self.clashes, self.archived);
        Rewritten::Changed(Box::new(Changed { key, fields, changes, clashes, archived }))
    }

    /// Marks it, and as the application does where the map says how.
    fn archive(&mut self, collection: &Collection) {
        self.after.insert(ARCHIVED.to_owned(), WHY_ARCHIVED.into());
        if let Some(mark) = &collection.archive {
            self.after.insert(mark.field.clone(), mark.word.clone().into());
        }
        self.archived = true;
    }

    /// Where the document stands then.
    fn key(&mut self, collection: &Collection, key: &DocumentKey) -> DocumentKey {
        let mut parts: Vec<&str> = key.collection.split('/').collect();
        for (part, name) in parts.iter_mut().zip(collection.name.split('/')) {
            if let (OWNER, Some(to)) = (name, self.mapping.target(part)) {
                self.changed(PATH, part, to);
                *part = to;
            }
        }
        let id = collection.id.as_ref().and_then(|pattern| self.id(pattern, &key.id));
        DocumentKey { collection: parts.join("/"), id: id.unwrap_or_else(|| key.id.clone()) }
    }

    fn id(&mut self, pattern: &IdPattern, id: &str) -> Option<String> {
        let mapping = self.mapping;
        let known = |user: &str| {
            if pattern.is_pseudonym() { mapping.knows_pseudonym(user) } else { mapping.knows(user) }
        };
        let becomes = |user: &str| {
            let to = if pattern.is_pseudonym() { mapping.pseudonym_target(user) } else { mapping.target(user) };
            to.map(str::to_owned)
        };
        let cuts: Vec<_> = pattern.cuts(id).into_iter().filter(|cut| known(cut.user)).collect();
        let people: BTreeSet<String> =
            cuts.iter().map(|cut| becomes(cut.user).unwrap_or_else(|| cut.user.to_owned())).collect();
        if people.len() > 1 {
            let from = cuts.iter().map(|cut| cut.user.to_owned()).collect();
            self.clashed(ID, from, "", Outcome::Parked);
            return None;
        }
        let cut = cuts.last()?;
        let to = becomes(cut.user)?;
        self.changed(ID, cut.user, &to);
        Some(format!("{}{to}{}", cut.before, cut.behind))
    }

    /// Replaces the values at a place.
    fn values(&mut self, declared: &Declared) {
        let (mapping, users) = (self.mapping, self.users);
        let mut changes = Vec::new();
        declared.place.change(&mut self.after, &mut |path, value| {
            let Some(whole) = id_in(value, users).map(str::to_owned) else { return };
            let from = if declared.kind.is_path() { first_segment(&whole) } else { &whole };
            let to = match declared.kind {
                Kind::Id | Kind::Mixed | Kind::StorageMoved => mapping.target(from),
                Kind::Pseudonym => mapping.pseudonym_target(from),
                Kind::Storage => None,
            };
            if let Some(to) = to {
                put(value, users, &format!("{to}{}", &whole[from.len()..]));
                changes.push((path.to_owned(), from.to_owned(), to));
            }
        });
        for (path, from, to) in changes {
            self.changed(&path, &from, to);
        }
    }

    /// Lets every person stand once in the arrays of a place, where ids that were different became one.
    fn sets(&mut self, place: &Place) {
        let (users, policy) = (self.users, self.policy);
        let owner = |item: &Value| place.in_item(item).and_then(|value| id_in(value, users)).map(str::to_owned);
        let mut olds: Vec<Vec<Option<String>>> = Vec::new();
        place.containers(&mut self.before, &Step::Each, &mut |_, array| {
            olds.push(array.as_array().into_iter().flatten().map(owner).collect());
        });
        let (mut olds, mut drops, mut clashes) = (olds.into_iter(), Vec::new(), Vec::new());
        place.containers(&mut self.after, &Step::Each, &mut |path, array| {
            let (Some(old), Value::Array(items)) = (olds.next(), array) else { return drops.push(BTreeSet::new()) };
            let mut dropped = BTreeSet::new();
            for (to, group) in groups(&old, items.iter().map(owner)) {
                let entries: Vec<&Value> = group.iter().map(|number| &items[*number]).collect();
                let kept = keep(policy, &entries);
                let from = group.iter().filter_map(|number| old[*number].clone()).collect();
                clashes.push((path.to_owned(), from, to, kept.map_or(Outcome::Parked, |(_, why)| why)));
                if let Some((kept, _)) = kept {
                    dropped.extend(group.iter().enumerate().filter(|(at, _)| *at != kept).map(|(_, number)| *number));
                }
            }
            drop_items(items, &dropped);
            drops.push(dropped);
        });
        let mut drops = drops.into_iter();
        place.containers(&mut self.before, &Step::Each, &mut |_, array| {
            if let (Some(dropped), Value::Array(items)) = (drops.next(), array) {
                drop_items(items, &dropped);
            }
        });
        for (path, from, to, outcome) in clashes {
            self.clashed(&path, from, &to, outcome);
        }
    }

    /// Replaces the keys of the objects at a place.
    fn keys(&mut self, place: &Place) {
        let (mapping, policy) = (self.mapping, self.policy);
        let (mut changes, mut clashes) = (Vec::new(), Vec::new());
        place.containers(&mut self.after, &Step::Key, &mut |path, object| {
            let Value::Object(object) = object else { return };
            if is_typed(object) {
                return;
            }
            for (to, from) in becoming(object, mapping) {
                let entries: Vec<&Value> = from.iter().filter_map(|key| object.get(key)).collect();
                let kept = keep(policy, &entries);
                if from.len() > 1 {
                    let outcome = kept.map_or(Outcome::Parked, |(_, why)| why);
                    clashes.push((path.to_owned(), from.iter().cloned().collect(), to.clone(), outcome));
                }
                let Some(value) = kept.map(|(kept, _)| entries[kept].clone()) else { continue };
                for key in from {
                    object.remove(&key);
                    if key != to {
                        changes.push((key_path(path, &key), key, to.clone()));
                    }
                }
                object.insert(to, value);
            }
        });
        for (path, from, to) in changes {
            self.changed(&path, &from, &to);
        }
        for (path, from, to, outcome) in clashes {
            self.clashed(&path, from, &to, outcome);
        }
    }
}

/// Writes an id where [`id_in`] found one; a reference stays a reference.
fn put(value: &mut Value, users: &str, to: &str) {
    match value {
        Value::Object(object) => {
            object.insert("$reference".to_owned(), format!("{users}/{to}").into());
        }
        other => *other = to.into(),
    }
}

/// The items that different ids made one person's: that person, and which ones.
fn groups(old: &[Option<String>], new: impl Iterator<Item = Option<String>>) -> BTreeMap<String, Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, id) in new.enumerate().filter_map(|(number, id)| Some((number, id?))) {
        groups.entry(id).or_default().push(number);
    }
    let became_one = |group: &Vec<usize>| {
        let ids: BTreeSet<&Option<String>> = group.iter().filter_map(|number| old.get(*number)).collect();
        ids.len() > 1
    };
    groups.retain(|_, group| became_one(group));
    groups
}

/// The keys that become another: that one, and from which, in order, itself with them when it is there.
fn becoming(object: &Map<String, Value>, mapping: &Mapping) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in object.keys() {
        if let Some(to) = mapping.target(key) {
            groups.entry(to.to_owned()).or_default().push(key.clone());
        }
    }
    for (to, keys) in &mut groups {
        if object.contains_key(to) {
            keys.insert(0, to.clone());
        }
    }
    groups
}

fn drop_items(items: &mut Vec<Value>, dropped: &BTreeSet<usize>) {
    let mut number = 0;
    items.retain(|_| {
        number += 1;
        !dropped.contains(&(number - 1))
    });
}
