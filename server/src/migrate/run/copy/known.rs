//! What ledger and backup know of documents: asked once for a page of them, not for each one.
//!
//! As of when the page was begun. What the same page changes since, whoever works it off asks for anew.

use std::borrow::Cow;
use std::collections::HashMap;

use super::hand::Hand;
use crate::documents::{Document, DocumentKey};
use crate::migrate::run::ledger::Standing;
use crate::migrate::run::site::Ended;

/// A document in the backup: its version when it was copied away, and the digest of its content.
pub type Held = (u64, [u8; 32]);

/// What is known of the documents from one id to another.
#[derive(Debug, Default)]
pub struct Known {
    range: Option<Range>,
}

#[derive(Debug)]
struct Range {
    collection: String,
    first: String,
    last: String,
    standing: HashMap<String, Standing>,
    held: HashMap<String, Held>,
}

impl Known {
    /// Of these documents, when they are of one collection and in order. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn of<'d>(hand: &Hand, mut documents: impl Iterator<Item = &'d Document>) -> Result<Self, Ended> {
        let Some(first) = documents.next() else { return Ok(Self::default()) };
        let mut last = first;
        for document in documents {
            if document.key.collection != first.key.collection || document.key.id <= last.key.id {
                return Ok(Self::default());
            }
            last = document;
        }
        if first.key == last.key {
            return Ok(Self::default());
        }
        let (collection, first, last) = (first.key.collection.clone(), first.key.id.clone(), last.key.id.clone());
        let rows = hand.ledger.standing_in(&collection, &first, &last)?;
        let standing = rows.into_iter().map(|row| (row.document.key.id.clone(), row)).collect();
        let held = match hand.backup {
            Some(_) => hand.ledger.images_in(&collection, &first, &last)?,
            None => HashMap::new(),
        };
        Ok(Self { range: Some(Range { collection, first, last, standing, held }) })
    }

    /// True when a document is among these, and in the backup in the version that was read.
    pub fn has_image(&self, document: &Document) -> bool {
        let held = self.range_of(&document.key).and_then(|range| range.held.get(&document.key.id));
        held.is_some_and(|(version, _)| *version == document.version)
    }

    fn range_of(&self, key: &DocumentKey) -> Option<&Range> {
        let is_in =
            |range: &&Range| range.collection == key.collection && range.first <= key.id && key.id <= range.last;
        self.range.as_ref().filter(is_in)
    }

    /// A document as we left it; None: we did not write it, or took it back.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn standing<'k>(&'k self, hand: &Hand, key: &DocumentKey) -> Result<Option<Cow<'k, Standing>>, Ended> {
        if let Some(range) = self.range_of(key) {
            return Ok(range.standing.get(&key.id).map(Cow::Borrowed));
        }
        Ok(hand.standing(key)?.map(Cow::Owned))
    }

    /// A document in the backup; None: it is not there, or there is no backup.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn held(&self, hand: &Hand, key: &DocumentKey) -> Result<Option<Held>, Ended> {
        let Some(backup) = &hand.backup else { return Ok(None) };
        match self.range_of(key) {
            Some(range) => Ok(range.held.get(&key.id).copied()),
            None => Ok(backup.holds(key)?),
        }
    }
}
