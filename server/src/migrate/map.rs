//! The data map: every place where the application keeps the id of a user, declared once in one TOML
//! file. Whatever looks for references, changes them or checks them reads it; nobody keeps a list beside.
//!
//! Deliberately not said here: which ids go where (a plan's), and in which store the documents are.

pub mod id_pattern;
mod parse;
pub mod place;
pub mod shipped;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::toml_source::Problem;
pub use id_pattern::IdPattern;
use place::Place;

/// Every place with ids of users.
#[derive(Debug, Clone, PartialEq)]
pub struct DataMap {
    /// Whose data, for people.
    pub title: String,
    /// Where the users are.
    pub users: Users,
    /// The collections with references, in the order of the file.
    pub collections: Vec<Collection>,
    /// Ids of users that are not in the documents, and who sees to them: Stella does not.
    pub elsewhere: Vec<Beside>,
    /// What works only while old ids are in the data, and must be gone before a cut-over.
    pub workarounds: Vec<Beside>,
}

/// Something that a migration of the documents does not do, and that goes with it all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// What it is.
    pub what: String,
    /// Who does it, or where it is.
    pub by: String,
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.by)
    }
}

/// The collection whose documents are the users.
#[derive(Debug, Clone, PartialEq)]
pub struct Users {
    /// Its path.
    pub collection: String,
    /// Where a user's e-mail stands; the first that is there counts.
    pub email: Vec<Place>,
    /// Where other ids of the same user stand. They say who somebody is and are not changed.
    pub ids: Vec<Place>,
    /// What a user document holds that is made for an id without a user, beside what marks it as such.
    pub placeholder: BTreeMap<String, Value>,
}

/// A collection with references.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Its path: `users`, or `agents/*/shares` where `*` is any document and `{userId}` one whose id is that
    /// of a user.
    pub name: String,
    /// 0: what people see is gone without it; 3: nobody notices.
    pub priority: u8,
    /// What to do where two become one.
    pub clash: ClashPolicy,
    /// How the ids of its documents hold the id of a user.
    pub id: Option<IdPattern>,
    /// The places with references.
    pub places: Vec<Declared>,
    /// Copies of e-mails, names and sign-in ids beside a reference: never changed, no finding, evidence
    /// of whose an id without a user may be.
    pub copies: Vec<Place>,
    /// How the application marks a document of it as archived; None: it has no such mark.
    pub archive: Option<Mark>,
}

/// A field, and the word that stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The field.
    pub field: String,
    /// The word.
    pub word: String,
}

/// A place and what stands there.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: Kind,
}

/// What stands at a declared place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The id of a user, in any form.
    Id,
    /// Ids of users among other things: what nobody holds is no reference.
    Mixed,
    /// A pseudonym (form E) made of the id of a user.
    Pseudonym,
    /// The path of a stored object whose first segment is the id of a user; the object stands there.
    Storage,
    /// The same, of an object that stands under the new id already.
    StorageMoved,
}

impl Kind {
    /// True where an id is the first segment of what stands there.
    pub fn is_path(self) -> bool {
        matches!(self, Self::Storage | Self::StorageMoved)
    }
}

/// What to do where two entries of a set of people, or two keys of a map, become one person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClashPolicy {
    /// Leave the document as it is, for a person to look at.
    Park,
    /// Keep one where they are equal; else the one with the highest rank; else park.
    Merge(Option<Rank>),
    /// Keep one where they are equal; else the one whose field has the latest time; else park.
    Newest(String),
}

/// Words of a field, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rank {
    /// The field of an entry.
    pub field: String,
    /// Its words.
    pub words: Vec<String>,
}

impl Collection {
    /// True when its documents move: their keys hold ids. Two of them can become one.
    pub fn moves(&self) -> bool {
        self.id.is_some() || self.name.contains(OWNER)
    }
}

impl DataMap {
    /// Reads a map; `file` is its name in what is told of problems.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        parse::parse(file, text)
    }

    /// The declared collection of this path: by its whole name, else by the first pattern that fits.
    pub fn collection(&self, path: &str) -> Option<&Collection> {
        let named = self.collections.iter().find(|collection| collection.name == path);
        named.or_else(|| self.collections.iter().find(|collection| fits(&collection.name, path)))
    }
}

/// Stands for a document whose id is that of a user, in the path of a collection.
pub(super) const OWNER: &str = "{userId}";

fn fits(name: &str, path: &str) -> bool {
    let (mut name, mut path) = (name.split('/'), path.split('/'));
    loop {
        match (name.next(), path.next()) {
            (None, None) => return true,
            (Some(name), Some(part)) if name == "*" || name == OWNER || name == part => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_document_and_a_whole_name_goes_first() {
        assert!(fits("agents/*/shares", "agents/a-7/shares"));
        assert!(!fits("agents/*/shares", "agents/a-7/shares/s/more"));
        assert!(!fits("agents/*/shares", "agents/shares"));
        assert!(fits("users/{userId}/keys", "users/ana/keys"));
        let text = "title = \"t\"\n[users]\ncollection = \"users\"\nemail = \"email\"\n\
                    [[collection]]\nname = \"a/*/b\"\nrefs = \"x\"\n[[collection]]\nname = \"a/1/b\"\nrefs = \"y\"\n";
        let map = DataMap::parse("m.toml", text).unwrap_or_else(|problems| unreachable!("{problems:?}"));
        assert_eq!(map.collection("a/1/b").map(|found| found.name.as_str()), Some("a/1/b"));
        assert_eq!(map.collection("a/2/b").map(|found| found.name.as_str()), Some("a/*/b"));
        assert_eq!(map.collection("a"), None);
    }
}
