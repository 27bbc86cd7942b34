//! Where in the backup each document stands: the index of the newest image of each.
//!
//! The backup is the truth. What is lost here is made again from its parts.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};

use super::{Ledger, LedgerError, digest_of};
use crate::documents::DocumentKey;

/// A document in the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Which.
    pub key: DocumentKey,
    /// Its version when it was copied away.
    pub version: u64,
    /// [`super::content_digest`] of its fields.
    pub digest: [u8; 32],
    /// The part that it stands in.
    pub part: u64,
    /// Where its line begins in the part's text, in bytes.
    pub start: u64,
    /// How long its line is, without its end, in bytes.
    pub length: u64,
}

/// A part of the backup and what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImagePart {
    /// Its number.
    pub number: u64,
    /// SHA-256 of its file, hex.
    pub file: String,
    /// Its documents, in their order.
    pub images: Vec<Image>,
}

impl Ledger {
    /// Takes in a part: its images are the newest ones of their documents now, unless a later part has one.
    pub(crate) fn put_images(&self, part: &ImagePart) -> Result<(), LedgerError> {
        self.write("keep where the backup's documents are", |tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO images (collection, id, version, digest, part, start, length)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (collection, id) DO UPDATE
                 SET version = excluded.version, digest = excluded.digest, part = excluded.part,
                     start = excluded.start, length = excluded.length
                 WHERE excluded.part >= part",
            )?;
            for image in &part.images {
                let key = &image.key;
                let (start, length) = (image.start as i64, image.length as i64);
                statement.execute(params![
                    key.collection,
                    key.id,
                    image.version as i64,
                    image.digest,
                    part.number as i64,
                    start,
                    length
                ])?;
            }
            tx.prepare_cached("INSERT OR REPLACE INTO image_parts (number, file) VALUES (?1, ?2)")?
                .execute(params![part.number as i64, part.file])?;
            Ok(())
        })
    }

    /// SHA-256 of the file of a part, hex; None: it was not taken in.
    pub(crate) fn image_part(&self, number: u64) -> Result<Option<String>, LedgerError> {
        self.read("read where the backup's documents are", |connection| {
            let found = connection
                .prepare_cached("SELECT file FROM image_parts WHERE number = ?1")?
                .query_row([number as i64], |row| row.get(0))
                .optional()?;
            Ok(found)
        })
    }

    /// Forgets all images: the backup is begun anew, or they are taken in again.
    pub(crate) fn forget_images(&self) -> Result<(), LedgerError> {
        self.write("forget where the backup's documents are", |tx| {
            tx.execute("DELETE FROM images", [])?;
            tx.execute("DELETE FROM image_parts", [])?;
            Ok(())
        })
    }

    /// How many parts were taken in.
    pub(crate) fn image_parts(&self) -> Result<u64, LedgerError> {
        self.read("read where the backup's documents are", |connection| {
            let count: i64 =
                connection.prepare_cached("SELECT count(*) FROM image_parts")?.query_row([], |row| row.get(0))?;
            Ok(count as u64)
        })
    }

    /// Versions and digests of the newest images of a collection's documents, from one id to another, by id; as
    /// many as there are.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn images_in(
        &self,
        collection: &str,
        from: &str,
        to: &str,
    ) -> Result<HashMap<String, (u64, [u8; 32])>, LedgerError> {
        self.read("read where the backup's documents are", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, version, digest FROM images WHERE collection = ?1 AND id >= ?2 AND id <= ?3",
            )?;
            let mut rows = statement.query([collection, from, to])?;
            let mut found = HashMap::new();
            while let Some(row) = rows.next()? {
                let digest = digest_of(row.get_ref(2)?.as_blob().unwrap_or_default(), "an image")?;
                found.insert(row.get(0)?, (row.get::<_, i64>(1)? as u64, digest));
            }
            Ok(found)
        })
    }

    /// Where the newest image of a document is; None: the backup has none.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn image(&self, key: &DocumentKey) -> Result<Option<Image>, LedgerError> {
        self.read("read where the backup's documents are", |connection| {
            connection
                .prepare_cached(
                    "SELECT version, digest, part, start, length FROM images WHERE collection = ?1 AND id = ?2",
                )?
                .query_row([&key.collection, &key.id], |row| {
                    let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
                    let digest = digest_of(row.get_ref(1)?.as_blob().unwrap_or_default(), "an image");
                    let (version, part, start, length) = (number(0)?, number(2)?, number(3)?, number(4)?);
                    Ok(digest.map(|digest| Image { key: key.clone(), version, digest, part, start, length }))
                })
                .optional()?
                .transpose()
        })
    }
}
