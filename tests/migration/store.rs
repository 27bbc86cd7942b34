//! What stands in `documents.db`, read past the server: the judge of what the server says that it did.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stella_server::demo;
use stella_server::documents::embedded::Embedded;
use stella_server::documents::{
    Document, DocumentKey, DocumentWrite, Documents, DocumentsError, Expect, Leave, Written,
};
use stella_server::migrate::DataMap;
use stella_server::migrate::map::Kind;
use stella_server::migrate::reference::{Reference, references};

/// Rows of the journal of a store that are read at once.
const ALL: usize = 1_000_000;

/// Every document by its path.
pub type Contents = BTreeMap<String, Document>;

/// Ids that were to go.
pub struct Old {
    /// All of them, pseudonyms too.
    pub ids: BTreeSet<String>,
    /// Pseudonyms of those that they go to: right wherever a pseudonym is what belongs there.
    pub stay: BTreeSet<String>,
}

/// Puts the demo's documents there.
pub async fn fill(store: &Embedded, options: &demo::Options) {
    let all: Vec<DocumentWrite> = demo::documents(options)
        .map(|(collection, id, fields)| DocumentWrite {
            key: DocumentKey::new(collection, id),
            expect: Expect::Absent,
            leave: Leave::Fields(fields.into_iter().collect()),
        })
        .collect();
    for batch in all.chunks(store.capabilities().batch) {
        let written = store.write(batch.to_vec()).await.unwrap();
        assert!(written.iter().all(|one| matches!(one, Written::Done(_))));
    }
}

/// All that is there.
pub fn contents(store: &Embedded) -> Contents {
    let mut contents = Contents::new();
    let read: Result<(), DocumentsError> = store.at_one_moment(|moment| {
        moment.each(None, |document| {
            contents.insert(document.key.path(), document);
            Ok(())
        })
    });
    read.unwrap();
    contents
}

/// How many writes were ever done.
pub fn writes(store: &Embedded) -> usize {
    store.journal(0, ALL).unwrap().len()
}

/// What was written since so many writes, and how often.
pub fn written(store: &Embedded, since: usize) -> BTreeMap<String, u32> {
    let mut written = BTreeMap::new();
    for entry in store.journal(since as u64, ALL).unwrap() {
        *written.entry(entry.key.path()).or_default() += 1;
    }
    written
}

/// Somebody adds a word to a document.
pub async fn edit(store: &Embedded, path: &str) {
    let mut now = store.get(&DocumentKey::parse(path).unwrap()).await.unwrap().unwrap();
    now.fields.insert("edited".to_owned(), json!(true));
    let write = DocumentWrite { key: now.key, expect: Expect::Version(now.version), leave: Leave::Fields(now.fields) };
    let written = store.write(vec![write]).await.unwrap();
    assert!(matches!(written[..], [Written::Done(_)]), "{written:?}");
}

/// Paths whose fields are other ones, that are gone or new; by the name that the map has for their collection.
pub fn changed(map: &DataMap, before: &Contents, after: &Contents) -> BTreeMap<String, BTreeSet<String>> {
    let mut changed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for path in paths {
        let fields = |contents: &Contents| contents.get(path).map(|document| document.fields.clone());
        if fields(before) != fields(after) {
            let collection = DocumentKey::parse(path).unwrap().collection;
            let name = map.collection(&collection).map_or(collection, |declared| declared.name.clone());
            changed.entry(name).or_default().insert(path.clone());
        }
    }
    changed
}

/// Paths of documents that hold one of these ids where the map says that an id of a user stands; not in the
/// path of a stored object, which stays where it is.
pub fn holding(map: &DataMap, contents: &Contents, old: &Old) -> BTreeSet<String> {
    let is_old = |reference: &Reference<'_>| match reference.kind {
        Kind::Id | Kind::Mixed | Kind::StorageMoved => old.ids.contains(&*reference.id),
        Kind::Pseudonym => old.ids.contains(&*reference.id) && !old.stay.contains(&*reference.id),
        Kind::Storage => false,
    };
    let holds = |document: &&Document| {
        let Some(collection) = map.collection(&document.key.collection) else { return false };
        references(map, collection, document, &|id| old.ids.contains(id)).iter().any(is_old)
    };
    contents.values().filter(holds).map(|document| document.key.path()).collect()
}

/// True when one of these ids is a text anywhere in the fields: no map is asked.
pub fn says(document: &Document, ids: &BTreeSet<String>) -> bool {
    fn any(value: &Value, ids: &BTreeSet<String>) -> bool {
        match value {
            Value::String(text) => ids.contains(text),
            Value::Array(items) => items.iter().any(|item| any(item, ids)),
            Value::Object(fields) => fields.iter().any(|(name, value)| ids.contains(name) || any(value, ids)),
            _ => false,
        }
    }
    document.fields.values().any(|value| any(value, ids))
}
