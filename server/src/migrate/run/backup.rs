//! Every document as it was before this migration wrote it, enciphered, in the data folder
//! (`backups/mig-N/`).
//!
//! Documents go in, parts come out, the manifest comes last: until then there is no backup. What was written
//! is read back and compared with what was taken in before anybody relies on it. A document that is found
//! later is appended before it is written; the newest image of a document is the one that counts, so that a
//! rollback never takes an edit back that others made meanwhile.
//!
//! Deliberately no judgement of what belongs in it: that is the plan's. All methods but
//! [`Backup::restore_into`] block; what is held at once are a few parts of 1 MiB.

mod parts;
mod seal;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stella_protocol::migration::Backup as Summary;
use stella_protocol::{MigrationId, Text, Timestamp};

use super::ledger::{Fold, Image, ImagePart, Ledger, LedgerError, content_digest};
use super::throttle;
use crate::documents::{Document, DocumentKey, DocumentWrite, Documents, DocumentsError, Expect, Leave, Written};
use crate::migrate::plan::hex;
use parts::{Files, Manifest, PART_BYTES, Part};
pub use seal::BackupKey;

/// Parts whose text is held: one for each batch in flight, so that they do not drive each other out.
const HELD: usize = throttle::MOST;
/// Most bytes of documents that a restore writes at once.
const RESTORE_BYTES: usize = 3_500_000;

/// Why a backup did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file of it could not be read or written.
    #[error("{doing}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// What the disk said.
        source: io::Error,
    },
    /// Something of it is missing, cut, changed, or of another key or run: nothing of it is used.
    #[error("use the backup: {0} is not as it was written")]
    Refused(String),
    /// There is one already, finished.
    #[error("begin the backup: there is one, finished")]
    Finished,
    /// Its index in the ledger could not be kept or read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store did not take what was restored.
    #[error(transparent)]
    Documents(#[from] DocumentsError),
    /// Where it is restored to, there are documents already.
    #[error("restore the backup: a document stands there already")]
    Occupied,
}

/// The backup of one migration. Clones share it.
#[derive(Debug, Clone)]
pub struct Backup(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: Files,
    ledger: Arc<Ledger>,
    state: Mutex<State>,
    held: Mutex<VecDeque<(u64, Arc<Vec<u8>>)>>,
}

#[derive(Debug)]
struct State {
    manifest: Manifest,
    /// SHA-256 of the manifest's file; None: it was not written yet.
    finished: Option<String>,
    /// The part that is being filled.
    text: Vec<u8>,
    images: Vec<Image>,
}

impl Backup {
    /// Begins the backup of a migration in the data folder. What an unfinished one left is removed.
    ///
    /// # Errors
    /// When there is a finished one, or the folder cannot be made.
    pub fn create(data: &Path, id: &MigrationId, key: &BackupKey, ledger: Arc<Ledger>) -> Result<Self, BackupError> {
        let files = Files::new(data, id.as_str(), key);
        if files.manifest()?.is_some() {
            return Err(BackupError::Finished);
        }
        files.keep_only(None)?;
        ledger.forget_images()?;
        let manifest = files.empty_manifest();
        Ok(Self::of(files, ledger, manifest, None))
    }

    /// The finished backup of a migration; None: there is none. Its index is made again where the ledger
    /// lost it.
    ///
    /// # Errors
    /// When its manifest is not the one that was written, or a part that has to be read is not.
    pub fn open(
        data: &Path,
        id: &MigrationId,
        key: &BackupKey,
        ledger: Arc<Ledger>,
    ) -> Result<Option<Self>, BackupError> {
        let files = Files::new(data, id.as_str(), key);
        let Some((manifest, digest)) = files.manifest()? else { return Ok(None) };
        files.keep_only(Some(&manifest))?;
        let backup = Self::of(files, ledger, manifest, Some(digest));
        backup.index()?;
        Ok(Some(backup))
    }

    fn of(files: Files, ledger: Arc<Ledger>, manifest: Manifest, finished: Option<String>) -> Self {
        let state = Mutex::new(State { manifest, finished, text: Vec::new(), images: Vec::new() });
        Self(Arc::new(Inner { files, ledger, state, held: Mutex::new(VecDeque::new()) }))
    }

    /// Copies documents away. Of a backup that is finished already: they are on the disk, and the manifest
    /// names them, when this returns. Of one that is not: a part at a time.
    ///
    /// # Errors
    /// When the disk or the ledger does not take them.
    pub fn append(&self, documents: &[Document]) -> Result<(), BackupError> {
        let mut state = self.state();
        for document in documents {
            let line = parts::line(document)?;
            if !state.text.is_empty() && state.text.len() + line.len() >= PART_BYTES {
                self.put_part(&mut state)?;
            }
            let start = state.text.len() as u64;
            let part = state.manifest.parts.len() as u64 + 1;
            state.images.push(Image {
                key: document.key.clone(),
                version: document.version,
                digest: content_digest(&document.fields),
                part,
                start,
                length: line.len() as u64,
            });
            state.text.extend_from_slice(&line);
            state.text.push(b'\n');
        }
        if state.finished.is_some() {
            self.put_part(&mut state)?;
            state.finished = Some(self.0.files.write_manifest(&state.manifest)?);
        }
        Ok(())
    }

    /// Writes what is left and the manifest, then reads every part back and compares it with what was taken
    /// in. May be called again, after more was appended.
    ///
    /// # Errors
    /// When the disk does not take it, or gives something else back.
    pub fn finish(&self, now: Timestamp) -> Result<Summary, BackupError> {
        {
            let mut state = self.state();
            self.put_part(&mut state)?;
            state.finished = Some(self.0.files.write_manifest(&state.manifest)?);
        }
        self.verify(now)
    }

    /// Reads every part and the manifest, and compares them with what was taken in.
    ///
    /// # Errors
    /// When anything is not as it was written, or the backup is not finished.
    pub fn verify(&self, now: Timestamp) -> Result<Summary, BackupError> {
        let unfinished = || BackupError::Refused("its manifest".to_owned());
        let (manifest, digest) = self.0.files.manifest()?.ok_or_else(unfinished)?;
        if self.state().manifest != manifest {
            return Err(unfinished());
        }
        for (number, part) in numbered(&manifest) {
            let text = self.0.files.read_part(number, part)?;
            compare(number, part, &text)?;
        }
        Ok(Summary {
            documents: manifest.parts.iter().map(|part| part.documents).sum(),
            bytes: manifest.parts.iter().map(|part| part.bytes).sum(),
            parts: manifest.parts.len() as u64,
            digest: Text::new(digest),
            verified_at: now,
        })
    }

    /// A document as it was copied away last; None: it was not, or its part is not written yet.
    ///
    /// # Errors
    /// When its part is not as it was written.
    pub fn get(&self, key: &DocumentKey) -> Result<Option<Document>, BackupError> {
        let Some(image) = self.0.ledger.image(key)? else { return Ok(None) };
        let refused = || BackupError::Refused(format!("part {}", image.part));
        let text = self.part_text(image.part)?;
        let line = text.get(image.start as usize..(image.start + image.length) as usize).ok_or_else(refused)?;
        let document = parts::document(line).ok_or_else(refused)?;
        let same = document.key == *key && content_digest(&document.fields) == image.digest;
        if same { Ok(Some(document)) } else { Err(refused()) }
    }

    /// The version and [`content_digest`] of a document as it was copied away last, without reading it; None:
    /// it was not.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn holds(&self, key: &DocumentKey) -> Result<Option<(u64, [u8; 32])>, BackupError> {
        Ok(self.0.ledger.image(key)?.map(|image| (image.version, image.digest)))
    }

    /// Writes the newest image of every document into a store that has none of them; how many.
    ///
    /// # Errors
    /// When a part is not as it was written, when one of the documents is there already, or when the store
    /// does not take them.
    pub async fn restore_into(&self, store: &dyn Documents) -> Result<u64, BackupError> {
        let most = store.capabilities().batch.max(1);
        let parts = self.state().manifest.parts.len() as u64;
        let mut restored = 0;
        for number in 1..=parts {
            let backup = self.clone();
            let newest = tokio::task::spawn_blocking(move || backup.newest_of(number)).await;
            let newest = newest
                .map_err(|_| parts::file("read a part of the backup")(io::Error::other("its reader ended")))??;
            restored += newest.len() as u64;
            let (mut batch, mut bytes) = (Vec::new(), 0);
            for (document, length) in newest {
                if !batch.is_empty() && (batch.len() == most || bytes + length > RESTORE_BYTES) {
                    write(store, std::mem::take(&mut batch)).await?;
                    bytes = 0;
                }
                bytes += length;
                let leave = Leave::Fields(document.fields);
                batch.push(DocumentWrite { key: document.key, expect: Expect::Absent, leave });
            }
            if !batch.is_empty() {
                write(store, batch).await?;
            }
        }
        Ok(restored)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the part that is being filled, when there is anything in it.
    fn put_part(&self, state: &mut State) -> Result<(), BackupError> {
        if state.images.is_empty() {
            return Ok(());
        }
        let number = state.manifest.parts.len() as u64 + 1;
        let mut fold = Fold::default();
        for image in &state.images {
            fold.take(&image.key, &image.digest);
        }
        let part = self.0.files.write_part(number, state.images.len() as u64, fold.done(), &state.text)?;
        let images = std::mem::take(&mut state.images);
        let taken = ImagePart { number, file: part.sha256.clone(), images };
        if let Err(error) = self.0.ledger.put_images(&taken) {
            // Not numbered yet: it is written again.
            state.images = taken.images;
            return Err(error.into());
        }
        state.manifest.parts.push(part);
        state.text.clear();
        Ok(())
    }

    /// Makes the index in the ledger that of the manifest's parts.
    fn index(&self) -> Result<(), BackupError> {
        let manifest = self.state().manifest.clone();
        let ledger = &self.0.ledger;
        let mut complete = ledger.image_parts()? == manifest.parts.len() as u64;
        for (number, part) in numbered(&manifest) {
            complete = complete && ledger.image_part(number)?.as_deref() == Some(&part.sha256);
        }
        if complete {
            return Ok(());
        }
        ledger.forget_images()?;
        for (number, part) in numbered(&manifest) {
            let text = self.0.files.read_part(number, part)?;
            compare(number, part, &text)?;
            let images = lines(number, &text).map(|one| one.map(|(_, image)| image)).collect::<Result<_, _>>()?;
            ledger.put_images(&ImagePart { number, file: part.sha256.clone(), images })?;
        }
        Ok(())
    }

    fn part_text(&self, number: u64) -> Result<Arc<Vec<u8>>, BackupError> {
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = held.iter().position(|(part, _)| *part == number)
            && let Some(found) = held.remove(place)
        {
            held.push_front(found.clone());
            return Ok(found.1);
        }
        let part = self.state().manifest.parts.get((number as usize).wrapping_sub(1)).cloned();
        let part = part.ok_or_else(|| BackupError::Refused(format!("part {number}")))?;
        let text = Arc::new(self.0.files.read_part(number, &part)?);
        held.truncate(HELD - 1);
        held.push_front((number, Arc::clone(&text)));
        Ok(text)
    }

    /// The documents of a part that no later one has again, and how long their lines are.
    fn newest_of(&self, number: u64) -> Result<Vec<(Document, usize)>, BackupError> {
        let text = self.part_text(number)?;
        let mut newest = Vec::new();
        for one in lines(number, &text) {
            let (document, image) = one?;
            let current = self.0.ledger.image(&image.key)?;
            if current.is_some_and(|current| (current.part, current.start) == (image.part, image.start)) {
                newest.push((document, image.length as usize));
            }
        }
        Ok(newest)
    }
}

fn numbered(manifest: &Manifest) -> impl Iterator<Item = (u64, &Part)> {
    (1..).zip(&manifest.parts)
}

/// The documents of a part's text, and where they stand in it.
fn lines(number: u64, text: &[u8]) -> impl Iterator<Item = Result<(Document, Image), BackupError>> {
    let mut start = 0;
    let ends = text.split_inclusive(|byte| *byte == b'\n');
    ends.map(move |line| {
        let refused = || BackupError::Refused(format!("part {number}"));
        let own = line.strip_suffix(b"\n").ok_or_else(refused)?;
        let document = parts::document(own).ok_or_else(refused)?;
        let image = Image {
            key: document.key.clone(),
            version: document.version,
            digest: content_digest(&document.fields),
            part: number,
            start,
            length: own.len() as u64,
        };
        start += line.len() as u64;
        Ok((document, image))
    })
}

/// Whether a part that was read has what was taken in.
fn compare(number: u64, part: &Part, text: &[u8]) -> Result<(), BackupError> {
    let (mut fold, mut documents) = (Fold::default(), 0);
    for one in lines(number, text) {
        let (_, image) = one?;
        fold.take(&image.key, &image.digest);
        documents += 1;
    }
    let same = documents == part.documents && hex(&fold.done()) == part.content;
    if same { Ok(()) } else { Err(BackupError::Refused(format!("part {number}"))) }
}

async fn write(store: &dyn Documents, batch: Vec<DocumentWrite>) -> Result<(), BackupError> {
    let written = store.write(batch).await?;
    let all = written.iter().all(|one| matches!(one, Written::Done(_)));
    if all { Ok(()) } else { Err(BackupError::Occupied) }
}
