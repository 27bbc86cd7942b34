//! What verification judges: every document, one by one, by what is known of it.
//!
//! A document that stands as we left it must be what its image becomes; one that we did not touch must be
//! as it was; one that others changed is listed, and must hold no old id and nobody's, and must have its owner.
//! Documents that became one count as one. What a document is told for is not told again as a count.
//!
//! Deliberately not here: reading documents, ledger and backup. One case at a time comes in.

mod count;
mod tally;
#[cfg(test)]
mod tests;

use tally::Tally;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stella_protocol::migration::{Difference, Verification};
use stella_protocol::{Text, Timestamp};

use super::form::{self, Form};
use super::map::{Collection, DataMap, Kind};
use super::reference::{Changed, Mapping, Reference, Rewritten, Stays, of_documents, references, rewrite};
pub use super::reference::{owner, people};
use crate::documents::{Document, DocumentKey};

/// Most documents that are told one by one in a [`Verification`].
const FIRST: usize = 100;

/// A document as it was when the data was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Was {
    /// Its version.
    pub version: u64,
    /// The digest of its content.
    pub digest: [u8; 32],
}

/// A document as we left it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Left<'c> {
    /// Its version.
    pub version: u64,
    /// What it is.
    pub content: Content<'c>,
}

/// What a document that we wrote must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content<'c> {
    /// What its image, or that of the document it was moved from, becomes.
    Rewritten,
    /// Exactly this: a tombstone, an alias or a placeholder. Nobody owned it.
    Exactly(&'c BTreeMap<String, Value>),
}

/// All that is known of one document.
#[derive(Debug, Clone, Copy)]
pub struct Case<'c> {
    /// Which.
    pub key: &'c DocumentKey,
    /// As it was looked at; None: it was not there.
    pub seen: Option<Was>,
    /// As we left it; None: we did not write it.
    pub left: Option<Left<'c>>,
    /// Left alone for a person.
    pub parked: bool,
    /// Its image in the backup, or that of the document that it was moved from; None: there is none.
    pub before: Option<&'c Document>,
    /// Its own image, where another one was moved over it; None: none was.
    pub replaced: Option<&'c Document>,
    /// What was left, else stands, where it is to go, unless that was made of it; None: nothing, or it does not
    /// move.
    pub there: Option<&'c BTreeMap<String, Value>>,
    /// As it is now, and the digest of its content; None: it is gone.
    pub now: Option<(&'c Document, [u8; 32])>,
}

/// An original as it was when a copy was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Which.
    pub source: DocumentKey,
    /// Its version.
    pub version: u64,
}

/// What the ledger says of other documents.
pub trait Others {
    /// The original of which we made the copy under this key; None: we made none.
    ///
    /// # Errors
    /// When the ledger cannot be read: nobody knows then.
    fn copied(&self, copy: &DocumentKey) -> Result<Option<Copied>, Unread>;
    /// True when a document was there when the data was looked at.
    ///
    /// # Errors
    /// When the ledger cannot be read: nobody knows then.
    fn was_seen(&self, key: &DocumentKey) -> Result<bool, Unread>;
}

/// The ledger did not say what was asked: nothing is judged without it.
#[derive(Debug, thiserror::Error)]
#[error("judge a document")]
pub struct Unread(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What came of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it must be.
    Fine,
    /// Somebody else changed or made it since: in words. No difference.
    ChangedSince(Text),
    /// It is not as it must be.
    Differs(Difference),
}

/// What becomes of a document as it stands.
enum Becomes {
    /// Nothing: it is as it must be.
    Same,
    /// Another, with other ids: what of it is old.
    Other(String),
    /// The same, marked as archived.
    Archived,
    /// A tombstone: it was copied, in this version.
    Copied(u64),
    /// A tombstone: it and another, which stands where it is to go, became one.
    One,
}

/// Ids of whom everything is known.
#[derive(Debug, Clone, Copy)]
pub struct Ids<'j> {
    /// Of the plan.
    pub mapping: &'j Mapping,
    /// Ids without a user that were listed, and ids that nobody could decide: they may stand anywhere.
    pub listed: &'j BTreeSet<String>,
    /// The old ids of each id that stays.
    pub olds: &'j BTreeMap<String, Vec<String>>,
}

/// Judges documents, one after another, in any order.
pub struct Judge<'j> {
    map: &'j DataMap,
    ids: Ids<'j>,
    others: &'j dyn Others,
    documents: u64,
    written: u64,
    untouched: u64,
    seen: BTreeSet<&'j str>,
    changed: u64,
    /// Of those, how many name other people than before.
    renamed: u64,
    first_changed: Vec<Text>,
    differences: u64,
    first: Vec<Difference>,
    tally: Tally,
    /// Paths of stored objects that begin with an old id.
    stored: u64,
}

impl<'j> Judge<'j> {
    /// Of a store with this map.
    pub fn new(map: &'j DataMap, ids: Ids<'j>, others: &'j dyn Others) -> Self {
        Self {
            map,
            ids,
            others,
            documents: 0,
            written: 0,
            untouched: 0,
            seen: BTreeSet::new(),
            changed: 0,
            renamed: 0,
            first_changed: Vec::new(),
            differences: 0,
            first: Vec::new(),
            tally: Tally::default(),
            stored: 0,
        }
    }

    /// Takes in how many documents an id owned in a collection when the data was looked at.
    pub fn owned(&mut self, id: &str, collection: &str, documents: u64) {
        let owner = self.ids.mapping.target(id).unwrap_or(id);
        self.tally.before(owner, collection, documents);
    }

    /// Judges one document. Every one that is there now comes once, and every one that was seen or written
    /// and is gone.
    ///
    /// # Errors
    /// When what is to be known of other documents is not.
    pub fn judge(&mut self, case: &Case<'_>) -> Result<Verdict, Unread> {
        let collection = self.map.collection(&case.key.collection);
        let becomes = match collection {
            Some(collection) => self.becomes(case, collection)?,
            None => Becomes::Same,
        };
        let verdict = match case.now {
            None => gone(case),
            Some((now, digest)) => {
                self.documents += 1;
                self.seen.extend(collection.map(|one| one.name.as_str()));
                self.stored += collection.map_or(0, |one| self.stored_under_old_ids(one, now));
                self.there(case, collection, (now, &digest), &becomes)?
            }
        };
        if let Some(collection) = collection {
            self.count(case, collection, &becomes, &verdict)?;
        }
        match &verdict {
            Verdict::Fine => {}
            Verdict::ChangedSince(_) => {
                self.changed += 1;
                if self.first_changed.len() < FIRST {
                    self.first_changed.push(Text::new(case.key.path()));
                }
            }
            Verdict::Differs(difference) => self.differs(difference.clone()),
        }
        Ok(verdict)
    }

    /// As it stands; when it is gone, as it was.
    fn becomes(&self, case: &Case<'_>, collection: &Collection) -> Result<Becomes, Unread> {
        let own = case.before.filter(|before| before.key == *case.key);
        let document = match case.now {
            Some((now, _)) if is_exactly(case, now) => return Ok(Becomes::Same),
            Some((now, _)) => now,
            None => match own {
                Some(before) => before,
                None => return Ok(Becomes::Same),
            },
        };
        Ok(match rewrite(self.map, collection, document, self.ids.mapping) {
            Rewritten::Same => Becomes::Same,
            Rewritten::Parked(_) => Becomes::Other("it holds an old id, and two become one".to_owned()),
            Rewritten::Changed(changed) if changed.changes.is_empty() => Becomes::Archived,
            Rewritten::Changed(changed) if changed.key == *case.key => Becomes::Other(first_change(&changed.changes)),
            Rewritten::Changed(changed) => match self.others.copied(&changed.key)? {
                Some(copied) if copied.source == *case.key => Becomes::Copied(copied.version),
                _ if is_one(case, collection, &changed) => Becomes::One,
                _ => Becomes::Other(first_change(&changed.changes)),
            },
        })
    }

    fn differs(&mut self, difference: Difference) {
        self.differences += 1;
        if self.first.len() < FIRST {
            self.first.push(difference);
        }
    }

    fn there(
        &mut self,
        case: &Case<'_>,
        collection: Option<&Collection>,
        (now, digest): (&Document, &[u8; 32]),
        becomes: &Becomes,
    ) -> Result<Verdict, Unread> {
        if let Some(left) = case.left {
            self.written += 1;
            return Ok(if left.version == now.version {
                self.as_left(case, collection, left.content, now)
            } else {
                self.changed_since(case, collection, now, becomes)
            });
        }
        Ok(match case.seen {
            Some(was) if was.version == now.version => {
                self.untouched += 1;
                if was.digest != *digest {
                    return Ok(differs(case.key, "damaged", "its content is another, in the same version"));
                }
                if case.parked { Verdict::Fine } else { holds_no_old_id(now, becomes, Verdict::Fine) }
            }
            Some(_) => self.changed_since(case, collection, now, becomes),
            None => self.new_one(collection, now, becomes)?,
        })
    }

    fn as_left(
        &self,
        case: &Case<'_>,
        collection: Option<&Collection>,
        content: Content<'_>,
        now: &Document,
    ) -> Verdict {
        if let Content::Exactly(fields) = content {
            return if *fields == now.fields {
                Verdict::Fine
            } else {
                differs(case.key, "damaged", "it is not what was written")
            };
        }
        let (Some(before), Some(_)) = (case.before, collection) else {
            return differs(case.key, "damaged", "the backup has no image to compare it with");
        };
        // An image has its own collection: that of an owner's path is another after the move.
        let Some(own) = self.map.collection(&before.key.collection) else {
            return differs(case.key, "damaged", "the data map does not declare where its image stood");
        };
        let same = match rewrite(self.map, own, before, self.ids.mapping) {
            Rewritten::Changed(changed) => changed.key == now.key && changed.fields == now.fields,
            Rewritten::Same => before.key == now.key && before.fields == now.fields,
            Rewritten::Parked(_) => false,
        };
        if same { Verdict::Fine } else { differs(case.key, "damaged", "it is not what its image becomes") }
    }

    fn changed_since(
        &mut self,
        case: &Case<'_>,
        collection: Option<&Collection>,
        now: &Document,
        becomes: &Becomes,
    ) -> Verdict {
        let since = Verdict::ChangedSince(Text::new("somebody else changed it".to_owned()));
        let Some(collection) = collection else { return since };
        if let Some(id) = self.nobodys(collection, now) {
            return differs(case.key, "orphan", &format!("{id} is nobody's"));
        }
        if let Some(before) = case.before
            && let Some(own) = self.map.collection(&before.key.collection)
        {
            let owned = self.owner(own, before);
            if owned.is_some() && owned != self.owner(collection, now) {
                return differs(case.key, "wrong owner", "others changed it, and it is not its owner's any more");
            }
            let named = |collection, document| people(self.map, collection, document, self.ids.mapping);
            self.renamed += u64::from(named(own, before) != named(collection, now));
        }
        if case.parked { since } else { holds_no_old_id(now, becomes, since) }
    }

    fn new_one(&self, collection: Option<&Collection>, now: &Document, becomes: &Becomes) -> Result<Verdict, Unread> {
        let since = Verdict::ChangedSince(Text::new("somebody else made it".to_owned()));
        let Some(collection) = collection else { return Ok(since) };
        if self.stands_where_one_moves_to(collection, now)? {
            let why = "it stands where another one moves to, and nobody here made it";
            return Ok(differs(&now.key, "extra", why));
        }
        if let Some(id) = self.nobodys(collection, now) {
            return Ok(differs(&now.key, "orphan", &format!("{id} is nobody's")));
        }
        Ok(holds_no_old_id(now, becomes, since))
    }

    /// An id that is nobody's and was not listed.
    fn nobodys(&self, collection: &Collection, now: &Document) -> Option<String> {
        let mapping = self.ids.mapping;
        let is_listed = |id: &str| self.ids.listed.contains(id) || self.ids.listed.contains(form::folded(id).as_ref());
        let known = |id: &str| mapping.knows(id) || is_listed(id);
        let all = references(self.map, collection, now, &known);
        let ids = all.iter().filter(|one| matches!(one.kind, Kind::Id | Kind::Mixed));
        let told = ids.filter(|one| !matches!(one.form, Form::Empty | Form::NotText | Form::Dummy));
        told.map(|one| one.id.as_ref()).find(|id| !known(id)).map(str::to_owned)
    }

    /// Paths of stored objects that begin with an old id: they stay, since the objects stand there.
    fn stored_under_old_ids(&self, collection: &Collection, now: &Document) -> u64 {
        if collection.places.iter().all(|declared| declared.kind != Kind::Storage) {
            return 0;
        }
        let all = references(self.map, collection, now, &|id| self.ids.mapping.knows(id));
        let old = |one: &&Reference<'_>| one.kind == Kind::Storage && self.ids.mapping.target(&one.id).is_some();
        all.iter().filter(old).count() as u64
    }

    fn stands_where_one_moves_to(&self, collection: &Collection, now: &Document) -> Result<bool, Unread> {
        let Some(pattern) = collection.id.as_ref().filter(|pattern| !pattern.is_pseudonym()) else { return Ok(false) };
        for cut in pattern.cuts(&now.key.id) {
            for old in self.ids.olds.get(cut.user).into_iter().flatten() {
                let id = format!("{}{old}{}", cut.before, cut.behind);
                if self.others.was_seen(&DocumentKey::new(now.key.collection.clone(), id))? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// What was found.
    pub fn done(mut self, at: Timestamp) -> Verification {
        let tally = std::mem::take(&mut self.tally);
        for difference in tally.differences() {
            self.differs(difference);
        }
        let absent = self.map.collections.iter().filter(|one| !self.seen.contains(one.name.as_str()));
        let not_checked: Vec<Text> = absent.map(|one| Text::new(one.name.clone())).collect();
        let sums = tally.sums();
        let stored =
            format!("{} paths of stored objects begin with an old id, and stay: the objects stand there", self.stored);
        let checks = [
            format!("{} documents written: each is what its image becomes", self.written),
            format!("{} documents not written: each is as it was", self.untouched),
            format!("{} documents looked at for old ids and for ids without a user", self.documents),
            sums.to_string(),
            format!(
                "{} documents changed by others: their owners compared, {} name other people than before",
                self.changed, self.renamed
            ),
        ];
        let checks = checks.into_iter().chain((self.stored > 0).then_some(stored));
        Verification {
            at,
            documents: self.documents,
            checks: checks.map(Text::new).collect(),
            differences: self.differences,
            changed_since: self.changed,
            first_changed: self.first_changed,
            first: self.first,
            not_checked,
        }
    }
}

fn gone(case: &Case<'_>) -> Verdict {
    if case.left.is_some() || case.seen.is_some() {
        return differs(case.key, "missing", "it was there and is gone");
    }
    Verdict::Fine
}

/// True for what stands as we left it and must be exactly that: nobody owned it.
fn is_exactly(case: &Case<'_>, now: &Document) -> bool {
    case.left.is_some_and(|left| left.version == now.version && matches!(left.content, Content::Exactly(_)))
}

/// True when what is there is all that is left of both.
fn is_one(case: &Case<'_>, collection: &Collection, changed: &Changed) -> bool {
    let stays = case.there.and_then(|there| of_documents(&collection.clash, there, &changed.fields));
    matches!(stays, Some(Stays::Either | Stays::First))
}

/// `otherwise`, unless it holds an old id and is no original that waits to be a tombstone.
fn holds_no_old_id(now: &Document, becomes: &Becomes, otherwise: Verdict) -> Verdict {
    match becomes {
        Becomes::Same | Becomes::One => otherwise,
        Becomes::Copied(version) if *version == now.version => otherwise,
        Becomes::Copied(_) => differs(&now.key, "stale copy", "it was changed after it was moved"),
        Becomes::Other(old) => differs(&now.key, "old id", old),
        // What others write meanwhile for an archived id is listed as theirs.
        Becomes::Archived if otherwise != Verdict::Fine => otherwise,
        Becomes::Archived => differs(&now.key, "not archived", "its id is archived, and it is not marked"),
    }
}

fn first_change(changes: &[super::reference::Change]) -> String {
    changes.first().map_or_else(String::new, |change| format!("{} at {}", change.from.raw(), change.path.raw()))
}

fn differs(key: &DocumentKey, check: &str, detail: &str) -> Verdict {
    Verdict::Differs(Difference {
        check: Text::new(check.to_owned()),
        what: Text::new(key.path()),
        detail: Text::new(detail.to_owned()),
    })
}
