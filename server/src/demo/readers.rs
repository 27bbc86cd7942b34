//! What the simulated application shows whoever signs in: their conversations, and the agents that others share
//! with them. It reads both ids, as its release of the week before does.
//!
//! ```text
//! GET /users/{id}/conversations     GET /users/{id}/agents
//! ```
//!
//! Read out of its document store whenever somebody asks, at the pace of that store. Somebody is found by the
//! document of their user, under its id or any id that it names, and by an alias; what is theirs under one of
//! these ids is shown once. A database has an index for that, and so it has one, which follows the store's journal.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{Options, Paced, USERS};
use crate::clock::Clock;
use crate::documents::embedded::{Embedded, OpenError};
use crate::documents::{Document, DocumentKey, Documents, DocumentsError};
use crate::migrate::queries::{self, Query};
use crate::migrate::run::site::ALIASES;
use crate::migrate::run::site::walk::is_tombstone;

/// As an operator would declare them.
const DECLARED: &str = r#"
[[migration.query]]
name = "list-conversations"
base = "application"
path = "/users/{userId}/conversations"
items = "/items"
item_id = "/id"
collection = "conversations"

[[migration.query]]
name = "load-shared-agents"
base = "application"
path = "/users/{userId}/agents"
items = "/items"
item_id = "/id"
"#;
/// Entries of the journal that are read at once.
const JOURNAL: usize = 1_000;
/// The collections that are looked into.
const SHELVES: [&str; 4] = [USERS, ALIASES, CONVERSATIONS, SHARES];
const CONVERSATIONS: &str = "conversations";
const SHARES: &str = "agent_shares";

/// The queries of the application that a migration of the demo asks.
#[must_use]
pub fn own_queries() -> Vec<Query> {
    queries::read("the demo", DECLARED, &["application"]).unwrap_or_default()
}

/// A list that somebody may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Their own conversations.
    Conversations,
    /// Agents that others share with them.
    Agents,
}

impl List {
    /// By the last word of its path.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "conversations" => Some(Self::Conversations),
            "agents" => Some(Self::Agents),
            _ => None,
        }
    }

    fn shelf(self) -> &'static str {
        match self {
            Self::Conversations => CONVERSATIONS,
            Self::Agents => SHARES,
        }
    }
}

/// Whoever answers such questions.
#[derive(Debug)]
pub struct Readers {
    store: Embedded,
    pace: Paced,
    index: Mutex<Index>,
}

/// Which documents of which collection are found under which id.
#[derive(Debug, Default)]
struct Index {
    shelves: HashMap<&'static str, Shelf>,
    /// Number of the last entry of the journal that it has; None: it has nothing yet.
    upto: Option<u64>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// By the document's id, the ids under which it is found.
    under: HashMap<String, Vec<String>>,
    /// The other way round.
    found: HashMap<String, BTreeSet<String>>,
}

impl Readers {
    /// Of the documents in this folder. Blocks.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn open(folder: &Path, options: &Options, clock: &Clock) -> Result<Self, OpenError> {
        let store = Embedded::open(folder, clock.clone())?;
        let pace = Paced::new(Arc::new(store.clone()), options);
        Ok(Self { store, pace, index: Mutex::default() })
    }

    /// What it shows on a list to whoever signs in with this id; None: nobody is known by it, and nothing is theirs.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn show(&self, list: List, id: &str) -> Result<Option<Value>, DocumentsError> {
        let (is_direct, items) = {
            let mut index = self.index.lock().await;
            self.follow(&mut index).await?;
            let ids = index.ids_of(id);
            let listed = index.shelves.get(list.shelf());
            let found = ids.iter().filter_map(|id| listed?.found.get(id)).flatten().cloned();
            (index.has_user(id), found.collect::<BTreeSet<String>>())
        };
        // The user's document by its id, else by what it names; then one query for all of their ids.
        self.pace.answer(is_direct, items.len()).await;
        if !is_direct && items.is_empty() {
            return Ok(None);
        }
        let items: Vec<Value> = items.into_iter().map(|id| json!({ "id": id })).collect();
        Ok(Some(json!({ "total": items.len(), "items": items })))
    }

    /// Brings the index to where the store is.
    async fn follow(&self, index: &mut Index) -> Result<(), DocumentsError> {
        let is_new = index.upto.is_none();
        loop {
            let (store, after) = (self.store.clone(), index.upto.unwrap_or(0));
            let entries = blocking(move || store.journal(after, JOURNAL)).await?;
            index.upto = Some(entries.last().map_or(after, |last| last.number));
            let changed = entries.iter().map(|entry| &entry.key);
            let changed: BTreeSet<DocumentKey> =
                changed.filter(|key| !is_new && shelf_of(key).is_some()).cloned().collect();
            for key in changed {
                match self.store.get(&key).await? {
                    Some(document) => index.put(&document),
                    None => index.take_away(&key),
                }
            }
            if entries.len() < JOURNAL {
                break;
            }
        }
        if is_new {
            // What is written from here on stands in the journal behind that entry.
            let store = self.store.clone();
            let shelves = blocking(move || {
                let mut built = Index::default();
                store.at_one_moment(|moment| {
                    SHELVES.iter().try_for_each(|shelf| {
                        moment.each(Some(shelf), |document| {
                            built.put(&document);
                            Ok::<(), DocumentsError>(())
                        })
                    })
                })?;
                Ok(built.shelves)
            });
            index.shelves = shelves.await?;
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, DocumentsError> + Send + 'static,
) -> Result<T, DocumentsError> {
    let done = tokio::task::spawn_blocking(what).await;
    done.unwrap_or_else(|_| Err(DocumentsError::Unavailable("its reader ended".to_owned())))
}

fn shelf_of(key: &DocumentKey) -> Option<&'static str> {
    SHELVES.into_iter().find(|shelf| *shelf == key.collection)
}

impl Index {
    fn put(&mut self, document: &Document) {
        let Some(name) = shelf_of(&document.key) else { return };
        self.take_away(&document.key);
        if is_tombstone(&document.fields) {
            return;
        }
        let (kept, id) = (self.shelves.entry(name).or_default(), &document.key.id);
        let under = under(name, document);
        for one in &under {
            kept.found.entry(one.clone()).or_default().insert(id.clone());
        }
        kept.under.insert(id.clone(), under);
    }

    fn take_away(&mut self, key: &DocumentKey) {
        let Some(kept) = shelf_of(key).and_then(|name| self.shelves.get_mut(name)) else { return };
        for one in kept.under.remove(&key.id).unwrap_or_default() {
            if let Some(found) = kept.found.get_mut(&one) {
                found.remove(&key.id);
            }
        }
    }

    fn has_user(&self, id: &str) -> bool {
        self.shelves.get(USERS).is_some_and(|users| users.under.contains_key(id))
    }

    /// Every id of whoever signs in with this one.
    fn ids_of(&self, id: &str) -> BTreeSet<String> {
        let alias = self.shelves.get(ALIASES).and_then(|aliases| aliases.under.get(id)).into_iter().flatten();
        let mut ids: BTreeSet<String> = alias.cloned().chain([id.to_owned()]).collect();
        if let Some(users) = self.shelves.get(USERS) {
            let known = ids.iter().filter_map(|id| users.found.get(id)).flatten();
            let named: Vec<String> = known.filter_map(|user| users.under.get(user)).flatten().cloned().collect();
            ids.extend(named);
        }
        ids
    }
}

/// The ids under which a document is found; an alias leads to the id that it names.
fn under(shelf: &str, document: &Document) -> Vec<String> {
    let fields = &document.fields;
    let texts = |value: Option<&Value>| -> Vec<String> {
        let one = value.and_then(Value::as_str).into_iter();
        let many = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        one.chain(many).map(str::to_owned).collect()
    };
    let entries = |field: &str| fields.get(field).and_then(Value::as_array).into_iter().flatten();
    match shelf {
        USERS => {
            [vec![document.key.id.clone()], texts(fields.get("googleUserId")), texts(fields.get("formerIds"))].concat()
        }
        SHARES => {
            let shared = entries("sharedWith").filter(|entry| entry["type"] != "group");
            let guests = shared.flat_map(|entry| [texts(entry.get("id")), texts(entry.get("userId"))].concat());
            guests.chain(entries("individualAccess").flat_map(|entry| texts(entry.get("userId")))).collect()
        }
        _ => texts(fields.get("userId")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::documents::{DocumentWrite, Expect, Leave};

    async fn put(store: &Embedded, path: &str, fields: Value) {
        let key = DocumentKey::parse(path).unwrap();
        let expect = store.get(&key).await.unwrap().map_or(Expect::Absent, |now| Expect::Version(now.version));
        let leave = Leave::Fields(fields.as_object().unwrap().clone().into_iter().collect());
        store.write(vec![DocumentWrite { key, expect, leave }]).await.unwrap();
    }

    async fn total(readers: &Readers, list: List, id: &str) -> Option<u64> {
        readers.show(list, id).await.unwrap().map(|shown| shown["total"].as_u64().unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn somebody_is_shown_the_same_under_every_id_of_theirs_and_what_was_written_since() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { speed: 1e6, ..Options::default() };
        let readers = Readers::open(folder.path(), &options, &Clock::system()).unwrap();
        let store = readers.store.clone();
        put(&store, "users/ana_x", json!({ "googleUserId": "7", "formerIds": ["a0"] })).await;
        for (number, owner) in ["ana_x", "7", "a0", "bo"].iter().enumerate() {
            put(&store, &format!("conversations/c{number}"), json!({ "userId": owner })).await;
        }
        let guests = json!([{ "type": "user", "id": "7" }, { "userId": "ana_x" }, { "type": "group", "id": "bo" }]);
        put(&store, "agent_shares/s1", json!({ "ownerId": "bo", "sharedWith": guests })).await;
        for id in ["ana_x", "7", "a0"] {
            assert_eq!(total(&readers, List::Conversations, id).await, Some(3), "{id}");
            assert_eq!(total(&readers, List::Agents, id).await, Some(1), "{id}");
        }
        assert_eq!(total(&readers, List::Agents, "bo").await, None, "a group is not somebody");
        assert_eq!(total(&readers, List::Conversations, "usr_new").await, None);

        put(&store, "users/usr_new", json!({ "googleUserId": "7", "formerIds": ["a0"] })).await;
        put(&store, "users/ana_x", json!({ "_movedTo": "users/usr_new", "_run": "mig-1" })).await;
        put(&store, "user_id_aliases/ana_x", json!({ "userId": "usr_new" })).await;
        for number in 0..3 {
            put(&store, &format!("conversations/c{number}"), json!({ "userId": "usr_new" })).await;
        }
        for id in ["usr_new", "7", "a0", "ana_x"] {
            assert_eq!(total(&readers, List::Conversations, id).await, Some(3), "{id}");
        }
        assert_eq!(total(&readers, List::Conversations, "bo").await, Some(1));
    }

    #[test]
    fn the_demo_declares_two_queries() {
        let names: Vec<String> = own_queries().into_iter().map(|query| query.name).collect();
        assert_eq!(names, ["list-conversations", "load-shared-agents"]);
    }
}
