//! What is known of each document, for the judge. On a thread that may block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stella_protocol::migration::{TroubleKind, Verification};
use stella_protocol::{MigrationId, Text};
use tokio::sync::mpsc::Receiver;

use super::BEHIND_ALL;
use crate::clock::Clock;
use crate::documents::{Document, DocumentKey};
use crate::migrate::Rewritten;
use crate::migrate::check::{Case, Content, Ids, Judge, Left, Others, Verdict, Was, owner};
use crate::migrate::run::copy::hand::{Fields, Hand};
use crate::migrate::run::cutover::tombstone;
use crate::migrate::run::ledger::{How, NewTrouble, Seen, Standing, WrittenDocument, content_digest};
use crate::migrate::run::site::Ended;
use crate::migrate::run::site::walk::PAGE;

/// Differences that are kept one by one.
const KEPT: u64 = 10_000;

/// What comes to the judge.
pub enum Item {
    /// Documents of a collection between two ids.
    Page {
        /// Its path.
        collection: String,
        /// Behind the first, up to the second; None: from the beginning, to the end.
        range: (Option<String>, Option<String>),
        /// In order.
        documents: Vec<Document>,
        /// Those of which another one is all that is left.
        merged: BTreeSet<DocumentKey>,
    },
    /// What was made here and is gone.
    Gone(DocumentKey),
    /// An alias, or the document that names the run.
    Alias {
        /// As it was written.
        row: WrittenDocument,
        /// As it is.
        now: Option<Document>,
    },
}

/// Where it is judged.
pub struct Bar {
    /// Knows what documents become.
    pub hand: Arc<Hand>,
    /// Which migration.
    pub id: MigrationId,
    /// The old ids of each id that stays.
    pub olds: BTreeMap<String, Vec<String>>,
    /// Ids that may stand anywhere.
    pub listed: BTreeSet<String>,
    /// Server time.
    pub clock: Clock,
}

impl Others for Bar {
    fn copied(&self, copy: &DocumentKey) -> Option<u64> {
        let row = self.hand.ledger.written(copy).ok().flatten().filter(|row| row.back.is_none())?;
        row.document.source.as_ref()?;
        row.document.source_version
    }

    fn was_seen(&self, key: &DocumentKey) -> bool {
        self.hand.ledger.seen_one(key).ok().flatten().is_some()
    }
}

/// Documents that became one with others, by who owned them and the collection.
type Merged = BTreeMap<(String, String), u64>;

impl Bar {
    /// Judges all that comes.
    ///
    /// # Errors
    /// When ledger or backup cannot be read.
    pub fn judge(self, mut items: Receiver<Item>) -> Result<Verification, Ended> {
        let ids = Ids { mapping: &self.hand.mapping, listed: &self.listed, olds: &self.olds };
        let mut judge = Judge::new(&self.hand.map, ids, &self);
        let (mut merged, mut told) = (Merged::new(), 0);
        while let Some(item) = items.blocking_recv() {
            let mut troubles = Vec::new();
            match item {
                Item::Page { collection, range, documents, merged: gone } => {
                    let (apart, documents): (Vec<Document>, Vec<Document>) =
                        documents.into_iter().partition(|document| gone.contains(&document.key));
                    for document in &apart {
                        self.became_one(document, &mut merged);
                    }
                    let skipped = apart.into_iter().map(|document| document.key).collect();
                    self.page(&mut judge, (&collection, range), &documents, &skipped, &mut merged, &mut troubles)?;
                }
                Item::Gone(key) => self.case(&mut judge, &key, None, None, &mut merged, &mut troubles)?,
                Item::Alias { row, now } => alias(&mut judge, &row, now.as_ref(), &mut troubles),
            }
            let keep = KEPT.saturating_sub(told).min(troubles.len() as u64);
            told += keep;
            troubles.truncate(usize::try_from(keep).unwrap_or(0));
            self.hand.ledger.trouble(&troubles, self.clock.now())?;
        }
        self.owned(&mut judge, &merged)?;
        Ok(judge.done(self.clock.now()).0)
    }

    /// What people owned before, without what became one with another.
    fn owned(&self, judge: &mut Judge<'_>, merged: &Merged) -> Result<(), Ended> {
        let mut merged = merged.clone();
        let mut after: Option<(String, String)> = None;
        loop {
            let from = after.as_ref().map(|(user, name)| (user.as_str(), name.as_str()));
            let rows = self.hand.ledger.owned(from, PAGE)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some((last.user.clone(), last.name.clone()));
            for row in rows {
                let less = merged.remove(&(row.user.clone(), row.name.clone())).unwrap_or(0);
                judge.owned(&row.user, &row.name, row.documents.saturating_sub(less));
            }
        }
    }

    fn became_one(&self, document: &Document, merged: &mut Merged) {
        if let Some(owned) = self.owner_of(document) {
            *merged.entry(owned).or_default() += 1;
        }
    }

    /// Who owns a document, as they are called in it, and the collection's name.
    fn owner_of(&self, document: &Document) -> Option<(String, String)> {
        let collection = self.hand.map.collection(&document.key.collection)?;
        let owner = owner(&self.hand.map, collection, document, &|id| self.hand.mapping.knows(id))?;
        Some((owner, collection.name.clone()))
    }

    fn page(
        &self,
        judge: &mut Judge<'_>,
        (collection, (after, upto)): (&str, (Option<String>, Option<String>)),
        documents: &[Document],
        skipped: &BTreeSet<DocumentKey>,
        merged: &mut Merged,
        troubles: &mut Vec<NewTrouble>,
    ) -> Result<(), Ended> {
        let mut seen = self.seen(collection, after, upto.as_deref())?;
        seen.retain(|key, _| !skipped.contains(key));
        for document in documents {
            let was = seen.remove(&document.key);
            self.case(judge, &document.key, was, Some(document), merged, troubles)?;
        }
        for (key, was) in seen {
            self.case(judge, &key, Some(was), None, merged, troubles)?;
        }
        Ok(())
    }

    fn seen(
        &self,
        collection: &str,
        mut after: Option<String>,
        upto: Option<&str>,
    ) -> Result<BTreeMap<DocumentKey, Seen>, Ended> {
        let mut all = BTreeMap::new();
        loop {
            let rows = self.hand.ledger.seen_in(collection, after.as_deref(), upto.or(Some(BEHIND_ALL)), PAGE)?;
            let full = rows.len() == PAGE;
            after = rows.last().map(|row| row.key.id.clone());
            all.extend(rows.into_iter().map(|row| (row.key.clone(), row)));
            if !full {
                return Ok(all);
            }
        }
    }

    fn case(
        &self,
        judge: &mut Judge<'_>,
        key: &DocumentKey,
        seen: Option<Seen>,
        now: Option<&Document>,
        merged: &mut Merged,
        troubles: &mut Vec<NewTrouble>,
    ) -> Result<(), Ended> {
        let row = self.hand.ledger.written(key)?.filter(|row| row.back.is_none());
        let source = row.as_ref().and_then(|row| row.document.source.clone());
        let image = |key: &DocumentKey| self.hand.backup.as_ref().map(|backup| backup.get(key)).transpose();
        let before = image(source.as_ref().unwrap_or(key))?.flatten();
        let exact = match &row {
            Some(row) if row.document.how == How::Tombstone => self.tombstone_of(before.as_ref()),
            _ => None,
        };
        if let (Some(row), Some(_)) = (&row, &seen) {
            self.overwritten(row, image(key)?.flatten().as_ref(), before.as_ref(), merged);
        }
        if row.as_ref().is_some_and(|row| matches!(row.document.how, How::Changed | How::Created))
            && self.hand.ledger.seen_one(source.as_ref().unwrap_or(key))?.is_none()
            && let Some((owner, name)) = before.as_ref().and_then(|before| self.owner_of(before))
        {
            // Others made it after the data was looked at, with an old id, and it was migrated with the rest.
            judge.owned(&owner, &name, 1);
        }
        if row.is_none()
            && now.is_some_and(|now| self.was_copied_again(now, seen.as_ref()))
            && let Some((owner, name)) = before.as_ref().and_then(|before| self.owner_of(before))
        {
            // An original that others changed is told for that; its copy has what they wrote, and counts.
            judge.owned(&owner, &name, 1);
        }
        let parked = self.hand.ledger.is_troubled(key, TroubleKind::Parked)?;
        if let Some(now) = now.filter(|now| parked && self.is_kept_out(now)) {
            self.became_one(now, merged);
        }
        let content = exact.as_ref().map_or(Content::Rewritten, Content::Exactly);
        let verdict = judge.judge(&Case {
            key,
            seen: seen.map(|seen| Was { version: seen.version, digest: seen.digest }),
            left: row.map(|row| Left { version: row.document.version, content }),
            parked,
            before: before.as_ref(),
            now: now.map(|now| (now, content_digest(&now.fields))),
        });
        note(key, verdict, troubles);
        Ok(())
    }

    /// A document that was there and was replaced by one that became one with it; and the original of one
    /// whose like stood there already, when it is a tombstone by now.
    fn overwritten(&self, row: &Standing, own: Option<&Document>, before: Option<&Document>, merged: &mut Merged) {
        let replaced = row.document.source.is_some() && !row.document.made;
        let tombstone = row.document.how == How::Tombstone;
        if let Some(own) = own.filter(|_| replaced) {
            self.became_one(own, merged);
        }
        if tombstone
            && let Some(before) = before
            && !self.has_copy(before)
        {
            self.became_one(before, merged);
        }
    }

    /// The copy that was made of it, when there is one of its own.
    fn has_copy(&self, before: &Document) -> bool {
        let Rewritten::Changed(changed) = self.hand.rewritten(before) else { return false };
        let row = self.hand.ledger.written(&changed.key).ok().flatten();
        row.is_some_and(|row| row.document.source.as_ref() == Some(&before.key))
    }

    /// An original that others changed or made since the data was looked at, and that was copied as it is now.
    fn was_copied_again(&self, now: &Document, seen: Option<&Seen>) -> bool {
        let Rewritten::Changed(changed) = self.hand.rewritten(now) else { return false };
        let row = self.hand.ledger.written(&changed.key).ok().flatten().filter(|row| row.back.is_none());
        let of_this = row.is_some_and(|row| {
            row.document.source.as_ref() == Some(&now.key) && row.document.source_version == Some(now.version)
        });
        of_this && seen.is_none_or(|seen| seen.version != now.version)
    }

    /// Left alone, while another one was moved to where it is to go: the judge counts it with that one.
    fn is_kept_out(&self, document: &Document) -> bool {
        let Rewritten::Changed(changed) = self.hand.rewritten(document) else { return false };
        let row = self.hand.ledger.written(&changed.key).ok().flatten().filter(|row| row.back.is_none());
        let source = row.and_then(|row| row.document.source);
        changed.key != document.key && source.is_some_and(|source| source != document.key)
    }

    fn tombstone_of(&self, before: Option<&Document>) -> Option<Fields> {
        match self.hand.rewritten(before?) {
            Rewritten::Changed(changed) => Some(tombstone(&changed.key, &self.id)),
            _ => None,
        }
    }
}

fn alias(judge: &mut Judge<'_>, row: &WrittenDocument, now: Option<&Document>, troubles: &mut Vec<NewTrouble>) {
    let same = now.filter(|now| now.version == row.version).map(|now| &now.fields);
    let none = Fields::new();
    let content = Content::Exactly(same.unwrap_or(&none));
    let verdict = judge.judge(&Case {
        key: &row.key,
        seen: None,
        left: Some(Left { version: row.version, content }),
        parked: false,
        before: None,
        now: now.map(|now| (now, content_digest(&now.fields))),
    });
    note(&row.key, verdict, troubles);
}

fn note(key: &DocumentKey, verdict: Verdict, troubles: &mut Vec<NewTrouble>) {
    if let Verdict::Differs(difference) = verdict {
        let what = format!("{}: {}", difference.check.raw(), difference.detail.raw());
        troubles.push(NewTrouble { kind: TroubleKind::Differs, document: key.clone(), what: Text::new(what) });
    }
}
