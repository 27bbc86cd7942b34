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
use crate::migrate::check::{Case, Content, Copied, Ids, Judge, Left, Others, Unread, Verdict, Was};
use crate::migrate::run::copy::hand::{Fields, Hand};
use crate::migrate::run::cutover::tombstone;
use crate::migrate::run::ledger::{How, LedgerError, NewTrouble, Seen, WrittenDocument, content_digest};
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
        /// What stands, or was left, where one of them is to go and did not come from it.
        there: BTreeMap<DocumentKey, Fields>,
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
    /// User documents that were made for ids without a user.
    pub placeholders: BTreeMap<DocumentKey, Fields>,
    /// The old ids of each id that stays.
    pub olds: BTreeMap<String, Vec<String>>,
    /// Ids that may stand anywhere.
    pub listed: BTreeSet<String>,
    /// Server time.
    pub clock: Clock,
}

impl Others for Bar {
    fn copied(&self, copy: &DocumentKey) -> Result<Option<Copied>, Unread> {
        let row = self.hand.ledger.written(copy).map_err(unread)?.filter(|row| row.back.is_none());
        let made_of = row.and_then(|row| row.document.source.zip(row.document.source_version));
        Ok(made_of.map(|(source, version)| Copied { source, version }))
    }

    fn was_seen(&self, key: &DocumentKey) -> Result<bool, Unread> {
        Ok(self.hand.ledger.seen_one(key).map_err(unread)?.is_some())
    }
}

fn unread(error: LedgerError) -> Unread {
    Unread(Box::new(error))
}

impl Bar {
    /// Judges all that comes.
    ///
    /// # Errors
    /// When ledger or backup cannot be read.
    pub fn judge(self, mut items: Receiver<Item>) -> Result<Verification, Ended> {
        let ids = Ids { mapping: &self.hand.mapping, listed: &self.listed, olds: &self.olds };
        let mut judge = Judge::new(&self.hand.map, ids, &self);
        let mut told = 0;
        while let Some(item) = items.blocking_recv() {
            let mut troubles = Vec::new();
            match item {
                Item::Page { collection, range, documents, there } => {
                    self.page(&mut judge, (&collection, range), &documents, &there, &mut troubles)?;
                }
                Item::Gone(key) => self.case(&mut judge, &key, None, (None, None), &mut troubles)?,
                Item::Alias { row, now } => alias(&mut judge, &row, now.as_ref(), &mut troubles)?,
            }
            let keep = KEPT.saturating_sub(told).min(troubles.len() as u64);
            told += keep;
            troubles.truncate(usize::try_from(keep).unwrap_or(0));
            self.hand.ledger.trouble(&troubles, self.clock.now())?;
        }
        self.owned(&mut judge)?;
        Ok(judge.done(self.clock.now()))
    }

    /// What people owned before.
    fn owned(&self, judge: &mut Judge<'_>) -> Result<(), Ended> {
        let mut after: Option<(String, String)> = None;
        loop {
            let from = after.as_ref().map(|(user, name)| (user.as_str(), name.as_str()));
            let rows = self.hand.ledger.owned(from, PAGE)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some((last.user.clone(), last.name.clone()));
            for row in rows {
                judge.owned(&row.user, &row.name, row.documents);
            }
        }
    }

    fn page(
        &self,
        judge: &mut Judge<'_>,
        (collection, (after, upto)): (&str, (Option<String>, Option<String>)),
        documents: &[Document],
        there: &BTreeMap<DocumentKey, Fields>,
        troubles: &mut Vec<NewTrouble>,
    ) -> Result<(), Ended> {
        let mut seen = self.seen(collection, after, upto.as_deref())?;
        for document in documents {
            let was = seen.remove(&document.key);
            self.case(judge, &document.key, was, (Some(document), there.get(&document.key)), troubles)?;
        }
        for (key, was) in seen {
            self.case(judge, &key, Some(was), (None, None), troubles)?;
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
        (now, there): (Option<&Document>, Option<&Fields>),
        troubles: &mut Vec<NewTrouble>,
    ) -> Result<(), Ended> {
        let row = self.hand.standing(key)?;
        let source = row.as_ref().and_then(|row| row.document.source.as_ref());
        let image = |key: &DocumentKey| self.hand.backup.as_ref().map(|backup| backup.get(key)).transpose();
        let before = image(source.unwrap_or(key))?.flatten();
        let replaced = source.is_some() && row.as_ref().is_some_and(|row| !row.document.made);
        let replaced = if replaced { image(key)?.flatten() } else { None };
        let exact = match &row {
            Some(row) if row.document.how == How::Tombstone => self.tombstone_of(before.as_ref()),
            Some(row) if row.document.how == How::Placeholder => self.placeholders.get(key).cloned(),
            _ => None,
        };
        let content = exact.as_ref().map_or(Content::Rewritten, Content::Exactly);
        let verdict = judge.judge(&Case {
            key,
            seen: seen.map(|seen| Was { version: seen.version, digest: seen.digest }),
            left: row.as_ref().map(|row| Left { version: row.document.version, content }),
            parked: self.hand.ledger.is_troubled(key, TroubleKind::Parked)?,
            before: before.as_ref(),
            replaced: replaced.as_ref(),
            there,
            now: now.map(|now| (now, content_digest(&now.fields))),
        })?;
        note(key, verdict, troubles);
        Ok(())
    }

    fn tombstone_of(&self, before: Option<&Document>) -> Option<Fields> {
        match self.hand.rewritten(before?) {
            Rewritten::Changed(changed) => Some(tombstone(&changed.key, &self.id)),
            _ => None,
        }
    }
}

fn alias(
    judge: &mut Judge<'_>,
    row: &WrittenDocument,
    now: Option<&Document>,
    troubles: &mut Vec<NewTrouble>,
) -> Result<(), Ended> {
    let same = now.filter(|now| now.version == row.version).map(|now| &now.fields);
    let none = Fields::new();
    let content = Content::Exactly(same.unwrap_or(&none));
    let verdict = judge.judge(&Case {
        key: &row.key,
        seen: None,
        left: Some(Left { version: row.version, content }),
        parked: false,
        before: None,
        replaced: None,
        there: None,
        now: now.map(|now| (now, content_digest(&now.fields))),
    })?;
    note(&row.key, verdict, troubles);
    Ok(())
}

fn note(key: &DocumentKey, verdict: Verdict, troubles: &mut Vec<NewTrouble>) {
    if let Verdict::Differs(difference) = verdict {
        let what = format!("{}: {}", difference.check.raw(), difference.detail.raw());
        troubles.push(NewTrouble { kind: TroubleKind::Differs, document: key.clone(), what: Text::new(what) });
    }
}
