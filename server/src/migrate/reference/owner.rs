//! Whose a document is, and who can open it: what must be the same before and after.

use std::collections::BTreeSet;

use super::{Mapping, PATH, Reference, references};
use crate::documents::Document;
use crate::migrate::map::place::Step;
use crate::migrate::map::{Collection, DataMap, Kind};

/// The id under which the application asks for a document: the one that its own id holds, else the first
/// declared field that is one id. None: it is nobody's in particular.
pub fn owner(
    map: &DataMap,
    collection: &Collection,
    document: &Document,
    known: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let all = references(map, collection, document, known);
    let is_owner = |one: &&Reference<'_>| match one.place {
        None => one.path != PATH && one.kind == Kind::Id,
        Some(place) => {
            let steps = collection.places.get(place).map(|declared| declared.place.steps());
            one.kind == Kind::Id && matches!(steps, Some([Step::Field(_)]))
        }
    };
    let mut owners = all.iter().filter(is_owner).filter(|one| !one.id.is_empty());
    owners.next().map(|one| one.id.to_string())
}

/// Everybody whom a document names at a place where ids stand, as they are called after the migration.
pub fn people(map: &DataMap, collection: &Collection, document: &Document, mapping: &Mapping) -> BTreeSet<String> {
    let all = references(map, collection, document, &|id| mapping.knows(id));
    let ids = all.iter().filter(|one| matches!(one.kind, Kind::Id | Kind::Mixed) && !one.id.is_empty());
    ids.map(|one| mapping.target(&one.id).unwrap_or(&one.id).to_owned()).collect()
}
