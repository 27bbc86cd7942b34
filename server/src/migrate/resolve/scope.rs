//! What the first migration, by scripts, would have covered: the same figures, counted by this map.
//!
//! It knew conversations, messages, shares, folders and groups, and looked for owners in conversations only.

use std::collections::BTreeSet;

use stella_protocol::migration::FirstScope;

use super::{Resolution, Standing};
use crate::documents::Document;
use crate::migrate::map::{DataMap, Kind};
use crate::migrate::reference::{Rewritten, references, rewrite};

/// A collection that the first migration knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Conversations,
    Messages,
    Shares,
    Folders,
    Groups,
}

/// By the name of the collection.
const KNOWN: [(&str, Known); 6] = [
    ("conversations", Known::Conversations),
    ("messages", Known::Messages),
    ("agent_shares", Known::Shares),
    ("shares", Known::Shares),
    ("folders", Known::Folders),
    ("groups", Known::Groups),
];
/// Where those who own conversations stand.
const OWNER: &str = "userId";

/// Counts, document by document.
#[derive(Debug)]
pub struct Scope<'s> {
    map: &'s DataMap,
    resolution: &'s Resolution,
    counted: FirstScope,
    users: BTreeSet<String>,
    orphans: BTreeSet<String>,
}

impl<'s> Scope<'s> {
    /// None: the map does not name these collections.
    pub fn new(map: &'s DataMap, resolution: &'s Resolution) -> Option<Self> {
        let names = |known| {
            let mut names = KNOWN.iter().filter(move |(_, one)| *one == known).map(|(name, _)| *name);
            names.any(|name| map.collections.iter().any(|collection| collection.name == name))
        };
        let all = [Known::Conversations, Known::Messages, Known::Shares, Known::Folders, Known::Groups];
        let (users, orphans) = (BTreeSet::new(), BTreeSet::new());
        let counted = FirstScope::default();
        all.into_iter().all(names).then_some(Self { map, resolution, counted, users, orphans })
    }

    /// Takes in a document.
    pub fn take(&mut self, document: &Document) {
        let known = KNOWN.iter().find(|(name, _)| *name == document.key.collection).map(|(_, known)| *known);
        let (Some(known), Some(collection)) = (known, self.map.collection(&document.key.collection)) else { return };
        let changes = match rewrite(self.map, collection, document, &self.resolution.mapping) {
            Rewritten::Same => false,
            Rewritten::Changed(changed) => !changed.changes.is_empty(),
            Rewritten::Parked(_) => true,
        };
        match known {
            Known::Conversations => self.conversation(document),
            Known::Messages => self.counted.messages += u64::from(changes),
            Known::Shares => self.counted.shares += u64::from(changes),
            Known::Folders => self.counted.folders += u64::from(changes),
            Known::Groups => self.counted.groups += u64::from(changes),
        }
    }

    fn conversation(&mut self, document: &Document) {
        let Some(collection) = self.map.collection(&document.key.collection) else { return };
        let knows = |id: &str| self.resolution.mapping.knows(id);
        let all = references(self.map, collection, document, &knows);
        let owner = all.iter().find(|one| one.path == OWNER && one.kind == Kind::Id && !one.id.is_empty());
        let Some(owner) = owner.map(|one| one.id.as_ref()) else { return };
        match self.resolution.place_of(owner) {
            Standing::Goes => {
                self.counted.conversations += 1;
                self.users.extend(self.resolution.mapping.target(owner).map(str::to_owned));
            }
            Standing::Orphan => {
                self.counted.orphaned_conversations += 1;
                self.orphans.insert(owner.to_owned());
            }
            Standing::Stays | Standing::Undecided | Standing::System => {}
        }
    }

    /// What was counted.
    pub fn done(self) -> FirstScope {
        FirstScope { users: self.users.len() as u64, orphan_ids: self.orphans.len() as u64, ..self.counted }
    }
}
