//! What is to be done with one document: nothing, a write, or to leave it for a person.
//!
//! The same answer for the same document, whoever asks and how often: so a batch that was interrupted is
//! done again from what stands there, and what a life before wrote and did not tell is known for its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use stella_protocol::Text;
use stella_protocol::migration::TroubleKind;

use super::known::{Held, Known};
use crate::documents::{Document, DocumentKey, DocumentWrite, Expect, Leave};
use crate::migrate::map::Collection;
use crate::migrate::reference::{Changed, Clash, Outcome, Stays, of_documents, rewrite, turn};
use crate::migrate::run::backup::Backup;
use crate::migrate::run::ledger::{How, Ledger, Standing, WrittenDocument, content, content_digest};
use crate::migrate::run::site::Ended;
use crate::migrate::run::site::walk::is_tombstone;
use crate::migrate::{DataMap, Mapping, Rewritten};

/// The fields of a document.
pub type Fields = BTreeMap<String, Value>;

/// Decides.
#[derive(Debug)]
pub struct Hand {
    /// Where ids stand.
    pub map: Arc<DataMap>,
    /// What they become.
    pub mapping: Mapping,
    /// What was done already.
    pub ledger: Arc<Ledger>,
    /// What stood there before; None: nothing is to be written.
    pub backup: Option<Arc<Backup>>,
    /// Where `mapping` is a part of it: the whole. What moves by the whole alone is not touched before it does.
    pub whole: Option<Mapping>,
}

/// A document, and what its new place holds when it has to move.
#[derive(Debug)]
pub struct Asked {
    /// The document as it was read. Of one that is written in place and is in the backup as it is, the fields may be
    /// gone.
    pub document: Document,
    /// What it becomes. Of what is to be written, [`Hand::deed`] takes the fields out.
    pub rewritten: Rewritten,
    /// What stands under its new key; None: nothing, or it does not move.
    pub there: Option<Document>,
}

impl Asked {
    /// Its new key, when that is another.
    pub fn target(&self) -> Option<&DocumentKey> {
        target(&self.document, &self.rewritten)
    }
}

/// The new key of a document, when that is another.
pub fn target<'r>(document: &Document, rewritten: &'r Rewritten) -> Option<&'r DocumentKey> {
    match rewritten {
        Rewritten::Changed(changed) if changed.key != document.key => Some(&changed.key),
        _ => None,
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Nothing: no id of it becomes another, or it was done and told.
    Nothing,
    /// Nothing any more: what was to be done is done. True: it moved, and its like stands there.
    Skip(bool),
    /// It was done, and not told.
    Known(Box<Work>),
    /// This.
    Write(Box<Work>),
    /// It is left as it is, for a person: why.
    Park(String),
}

/// A write.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Which document, and what it becomes.
    pub write: DocumentWrite,
    /// What the ledger is told; of what is to be written, its version is not known yet.
    pub written: WrittenDocument,
    /// What must be in the backup before.
    pub images: Vec<Document>,
    /// Digest of the document that it is made of.
    pub before: [u8; 32],
    /// Digest of what is left.
    pub after: [u8; 32],
    /// References that become others.
    pub references: u64,
    /// What is left, in bytes of JSON.
    pub bytes: u64,
}

impl Hand {
    /// What a document becomes.
    pub fn rewritten(&self, document: &Document) -> Rewritten {
        match self.map.collection(&document.key.collection) {
            Some(collection) if !is_tombstone(&document.fields) => {
                let rewritten = rewrite(&self.map, collection, document, &self.mapping);
                let moves_later = |whole: &Mapping| {
                    let by_whole = rewrite(&self.map, collection, document, whole);
                    target(document, &rewritten).is_none() && target(document, &by_whole).is_some()
                };
                if self.whole.as_ref().is_some_and(moves_later) { Rewritten::Same } else { rewritten }
            }
            _ => Rewritten::Same,
        }
    }

    /// True when a document may stand elsewhere then.
    pub fn moves(&self, document: &Document) -> bool {
        self.map.collection(&document.key.collection).is_some_and(Collection::moves)
    }

    /// The same as [`Self::rewritten`], of a document whose own fields nobody asks for any more: where it can, it makes
    /// what it becomes of them, and they are gone then.
    fn turned(&self, document: &mut Document) -> Rewritten {
        match self.map.collection(&document.key.collection) {
            Some(collection) if self.whole.is_none() && !is_tombstone(&document.fields) => {
                turn(&self.map, collection, document, &self.mapping)
            }
            _ => self.rewritten(document),
        }
    }

    /// What is to be done with a document, by what is `known` of it. Blocks.
    ///
    /// # Errors
    /// When ledger or backup cannot be read.
    pub fn deed(&self, asked: &mut Asked, known: &Known) -> Result<Deed, Ended> {
        let Asked { document, rewritten, there } = asked;
        match rewritten {
            Rewritten::Same => self.as_it_must_be(document, known),
            Rewritten::Parked(clashes) => self.park(&document.key, words(clashes)),
            Rewritten::Changed(changed) if changed.key == document.key => self.in_place(document, changed, known),
            Rewritten::Changed(changed) => self.moved(document, changed, there.as_ref(), known),
        }
    }

    /// A document that a life before left alone, and told so, is not told again.
    fn park(&self, key: &DocumentKey, why: String) -> Result<Deed, Ended> {
        let told = self.backup.is_some() && self.ledger.is_troubled(key, TroubleKind::Parked)?;
        Ok(if told { Deed::Nothing } else { Deed::Park(why) })
    }

    /// A document as we left it, when that was not taken back. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn standing(&self, key: &DocumentKey) -> Result<Option<Standing>, Ended> {
        Ok(self.ledger.written(key)?.filter(|row| row.back.is_none()))
    }

    /// What we left there: what the image of its original, else its own, becomes. Blocks.
    ///
    /// # Errors
    /// When the backup cannot be read.
    pub fn left(&self, row: &Standing) -> Result<Option<Fields>, Ended> {
        let Some(backup) = &self.backup else { return Ok(None) };
        let image = backup.get(row.document.source.as_ref().unwrap_or(&row.document.key))?;
        Ok(image.map(|image| match self.rewritten(&image) {
            Rewritten::Changed(changed) => changed.fields,
            Rewritten::Same | Rewritten::Parked(_) => image.fields,
        }))
    }

    /// Nothing is to be done; but a life before may have done it without a word.
    fn as_it_must_be(&self, document: &Document, known: &Known) -> Result<Deed, Ended> {
        let row = known.standing(self, &document.key)?;
        if row.as_ref().is_some_and(|row| row.document.version == document.version) {
            return Ok(Deed::Nothing);
        }
        if let Some(work) = self.done_before(document, row.as_deref(), known)? {
            return Ok(Deed::Known(Box::new(work)));
        }
        let planned = row.is_none() && self.ledger.seen_one(&document.key)?.is_some_and(|seen| seen.changes);
        Ok(if planned { Deed::Skip(false) } else { Deed::Nothing })
    }

    fn done_before(&self, document: &Document, row: Option<&Standing>, known: &Known) -> Result<Option<Work>, Ended> {
        let Some(backup) = &self.backup else { return Ok(None) };
        if known.held(self, &document.key)?.is_none_or(|(version, _)| version == document.version) {
            return Ok(None);
        }
        let Some(image) = backup.get(&document.key)? else { return Ok(None) };
        match self.rewritten(&image) {
            Rewritten::Changed(mut changed) if changed.key == document.key && changed.fields == document.fields => {
                let before = content_digest(&image.fields);
                let mut work = work(&image, &mut changed, Expect::Version(document.version), row, before);
                work.written.version = document.version;
                Ok(Some(work))
            }
            _ => Ok(None),
        }
    }

    fn in_place(&self, document: &Document, changed: &mut Changed, known: &Known) -> Result<Deed, Ended> {
        let row = known.standing(self, &document.key)?;
        let held = known.held(self, &document.key)?;
        let before = digest_of(document, held);
        let mut work = work(document, changed, Expect::Version(document.version), row.as_deref(), before);
        let untouched = row.as_ref().is_some_and(|row| row.document.version == document.version);
        if !untouched || self.is_found(row.as_deref(), known)? {
            self.keep(document, held, &mut work);
        }
        Ok(Deed::Write(Box::new(work)))
    }

    fn moved(
        &self,
        document: &Document,
        changed: &mut Changed,
        there: Option<&Document>,
        known: &Known,
    ) -> Result<Deed, Ended> {
        let row = known.standing(self, &changed.key)?;
        let ours = row.as_ref().filter(|row| row.document.source.as_ref() == Some(&document.key));
        let same_source = ours.is_some_and(|row| row.document.source_version == Some(document.version));
        let Some(there) = there else {
            // Somebody deleted what was made of it, and did not touch it: it is gone on purpose.
            return if same_source { Ok(Deed::Nothing) } else { self.made(document, changed, known) };
        };
        if same_source {
            return Ok(Deed::Nothing);
        }
        let Some(row) = ours else { return self.clash(document, changed, there, row.as_deref(), known) };
        // The original was changed after it was copied.
        let mut work = self.move_of(document, changed, known)?;
        work.write.expect = Expect::Version(there.version);
        work.written.made = row.document.made;
        if is_left(&work, &there.fields) {
            work.written.version = there.version;
            return Ok(Deed::Known(Box::new(work)));
        }
        if row.document.version == there.version {
            if self.is_found(Some(row), known)? {
                self.keep(there, known.held(self, &there.key)?, &mut work);
            }
            work.written.how = How::Changed;
            return Ok(Deed::Write(Box::new(work)));
        }
        self.park(&document.key, format!("it was changed after it was copied, and so was {}", changed.key.path()))
    }

    fn made(&self, document: &Document, changed: &mut Changed, known: &Known) -> Result<Deed, Ended> {
        Ok(Deed::Write(Box::new(self.move_of(document, changed, known)?)))
    }

    /// The write that makes it under its new key.
    fn move_of(&self, document: &Document, changed: &mut Changed, known: &Known) -> Result<Work, Ended> {
        let held = known.held(self, &document.key)?;
        let mut work = work(document, changed, Expect::Absent, None, digest_of(document, held));
        self.keep(document, held, &mut work);
        Ok(work)
    }

    /// What it is to become stands there already, or something else does.
    fn clash(
        &self,
        document: &Document,
        changed: &mut Changed,
        there: &Document,
        row: Option<&Standing>,
        known: &Known,
    ) -> Result<Deed, Ended> {
        let policy = self.map.collection(&document.key.collection).map(|one| &one.clash);
        let after = self.fields_after(there);
        let stays = policy.and_then(|policy| of_documents(policy, &after, &changed.fields));
        let moved = |changed| -> Result<Work, Ended> {
            let mut work = self.move_of(document, changed, known)?;
            work.write.expect = Expect::Version(there.version);
            Ok(work)
        };
        match stays {
            Some(Stays::Either) if row.is_none() && self.is_unseen(&there.key)? => {
                let mut work = moved(changed)?;
                work.written.version = there.version;
                // Others may have made the like of it since the data was looked at: that is found, not made.
                work.written.made = self.is_made(&there.key, known)?;
                Ok(Deed::Known(Box::new(work)))
            }
            Some(Stays::Either | Stays::First) => Ok(Deed::Skip(true)),
            Some(Stays::Second) => {
                let mut work = moved(changed)?;
                let made = row.map_or_else(|| self.is_made(&there.key, known), |row| Ok(row.document.made))?;
                (work.written.how, work.written.made) = (How::Changed, made);
                // What we made ourselves is no image of what stood there before.
                if !row.map_or(made, |row| row.document.version == there.version) {
                    self.keep(there, known.held(self, &there.key)?, &mut work);
                }
                Ok(Deed::Write(Box::new(work)))
            }
            None => self.park(
                &document.key,
                format!("{} is there already and is another; make them one, then resume", changed.key.path()),
            ),
        }
    }

    /// Others made it, and nobody copied it away yet: it was not written so far.
    fn is_found(&self, row: Option<&Standing>, known: &Known) -> Result<bool, Ended> {
        let Some(row) = row.filter(|row| self.backup.is_some() && !row.document.made) else { return Ok(false) };
        Ok(known.held(self, &row.document.key)?.is_none())
    }

    /// Nobody saw it when the data was looked at: a life before made it, or others did. (Without a backup nothing
    /// was made.)
    fn is_unseen(&self, key: &DocumentKey) -> Result<bool, Ended> {
        Ok(self.backup.is_some() && self.ledger.seen_one(key)?.is_none())
    }

    /// A life before was about to make it, and nothing stood there when what will change was copied away.
    fn is_made(&self, key: &DocumentKey, known: &Known) -> Result<bool, Ended> {
        Ok(self.backup.is_some() && self.ledger.is_intended(key)? && known.held(self, key)?.is_none())
    }

    /// The fields of a document that does not move, as they must be.
    pub fn fields_after(&self, document: &Document) -> Fields {
        match self.rewritten(document) {
            Rewritten::Changed(changed) if changed.key == document.key => changed.fields,
            _ => document.fields.clone(),
        }
    }

    /// Lets it be copied away before, when the backup `held` it in another form.
    fn keep(&self, document: &Document, held: Option<Held>, work: &mut Work) {
        if self.backup.is_some() && held.is_none_or(|held| held.1 != digest_of(document, Some(held))) {
            work.images.push(document.clone());
        }
    }
}

/// What is to be done with documents. Blocks.
///
/// # Errors
/// When ledger or backup cannot be read.
pub fn decide(hand: &Hand, asked: Vec<Asked>) -> Result<Vec<(Asked, Deed)>, Ended> {
    let known = Known::of(hand, asked.iter().map(|asked| &asked.document))?;
    asked.into_iter().map(|asked| decided(hand, asked, &known)).collect()
}

/// The same of documents that stay where they are. When what they become is written, those that are in the backup as
/// they are may lose their fields to it. Blocks.
///
/// # Errors
/// When ledger or backup cannot be read.
pub fn decide_in_place(hand: &Hand, documents: Vec<Document>, is_written: bool) -> Result<Vec<(Asked, Deed)>, Ended> {
    let known = Known::of(hand, documents.iter())?;
    let decide = |mut document: Document| {
        let spare = is_written && known.has_image(&document);
        let rewritten = if spare { hand.turned(&mut document) } else { hand.rewritten(&document) };
        decided(hand, Asked { document, rewritten, there: None }, &known)
    };
    documents.into_iter().map(decide).collect()
}

fn decided(hand: &Hand, mut asked: Asked, known: &Known) -> Result<(Asked, Deed), Ended> {
    hand.deed(&mut asked, known).map(|deed| (asked, deed))
}

/// The digest of a document: that of its image when it is the same version.
fn digest_of(document: &Document, held: Option<Held>) -> [u8; 32] {
    let same = held.filter(|(version, _)| *version == document.version);
    same.map_or_else(|| content_digest(&document.fields), |(_, digest)| digest)
}

fn is_left(work: &Work, fields: &Fields) -> bool {
    matches!(&work.write.leave, Leave::Fields(left) if left == fields)
}

fn work(document: &Document, changed: &mut Changed, expect: Expect, row: Option<&Standing>, before: [u8; 32]) -> Work {
    let moves = changed.key != document.key;
    let source = if moves { Some(document.key.clone()) } else { row.and_then(|row| row.document.source.clone()) };
    let source_version = match row.filter(|row| !moves && row.document.source.is_some()) {
        Some(row) => row.document.source_version,
        None => Some(document.version),
    };
    let fields = std::mem::take(&mut changed.fields);
    let (after, bytes) = content(&fields);
    Work {
        write: DocumentWrite { key: changed.key.clone(), expect, leave: Leave::Fields(fields) },
        written: WrittenDocument {
            key: changed.key.clone(),
            version: 0,
            how: if moves { How::Created } else { How::Changed },
            made: moves,
            source,
            source_version,
        },
        images: Vec::new(),
        before,
        after,
        references: changed.changes.len() as u64,
        bytes,
    }
}

/// Clashes that nobody can settle.
fn words(clashes: &[Clash]) -> String {
    let parked = clashes.iter().filter(|clash| clash.outcome == Outcome::Parked);
    let one = |clash: &Clash| {
        let from: Vec<&str> = clash.from.iter().map(Text::raw).collect();
        format!("{}: {} become one and differ", clash.path.raw(), from.join(", "))
    };
    let all: Vec<String> = parked.map(one).collect();
    format!("{}; make them one, then resume", all.join("; "))
}
