//! Every document as it was when the data was looked at, and what documents are compared by.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Ledger, LedgerError, Stop, digest_of, held};
use crate::documents::DocumentKey;

/// A document that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub key: DocumentKey,
    /// Its version then.
    pub version: u64,
    /// [`content_digest`] of its fields then.
    pub digest: [u8; 32],
    /// The plan changes or moves it.
    pub changes: bool,
}

/// SHA-256 of a document's fields as canonical JSON: the same for the same values, wherever they are kept.
pub fn content_digest(fields: &BTreeMap<String, Value>) -> [u8; 32] {
    content(fields).0
}

/// The same, and how long that JSON is, in bytes.
pub fn content(fields: &BTreeMap<String, Value>) -> ([u8; 32], u64) {
    // Fields were JSON when they came: there is nothing in them that could not be written as such.
    let canonical = serde_json::to_vec(fields);
    canonical.map_or(([0; 32], 0), |canonical| (Sha256::digest(&canonical).into(), canonical.len() as u64))
}

/// One digest of many documents, in the order in which they are taken.
#[derive(Debug, Clone, Default)]
pub struct Fold(Sha256);

impl Fold {
    /// Takes in a document.
    pub fn take(&mut self, key: &DocumentKey, digest: &[u8; 32]) {
        for part in [&key.collection, &key.id] {
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part.as_bytes());
        }
        self.0.update(digest);
    }

    /// Of all that were taken.
    pub fn done(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl Ledger {
    /// Keeps a page of documents as they are now; one that was seen before is replaced.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn see(&self, page: &[Seen]) -> Result<(), LedgerError> {
        self.write("keep the documents seen", |tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO seen (collection, id, version, digest, changes) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (collection, id) DO UPDATE
                 SET version = excluded.version, digest = excluded.digest, changes = excluded.changes",
            )?;
            for seen in page {
                let key = &seen.key;
                statement.execute(params![key.collection, key.id, seen.version as i64, seen.digest, seen.changes])?;
            }
            Ok(())
        })
    }

    /// Documents that were seen, by collection and id, behind `after`; at most `limit`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn seen(&self, after: Option<&DocumentKey>, limit: usize) -> Result<Vec<Seen>, LedgerError> {
        let (collection, id) = after.map_or(("", ""), |key| (&key.collection, &key.id));
        self.read("read the documents seen", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT collection, id, version, digest, changes FROM seen WHERE (collection, id) > (?1, ?2)
                 ORDER BY collection, id LIMIT ?3",
            )?;
            let mut rows = statement.query(params![collection, id, held(limit) as i64])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(seen(row)?);
            }
            Ok(found)
        })
    }

    /// One collection's, behind `after` and not behind `upto`; at most `limit`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn seen_in(
        &self,
        collection: &str,
        after: Option<&str>,
        upto: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Seen>, LedgerError> {
        self.read("read the documents seen", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT collection, id, version, digest, changes FROM seen
                 WHERE collection = ?1 AND id > ?2 AND (?3 IS NULL OR id <= ?3) ORDER BY id LIMIT ?4",
            )?;
            let mut rows = statement.query(params![collection, after.unwrap_or_default(), upto, held(limit) as i64])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(seen(row)?);
            }
            Ok(found)
        })
    }

    /// Ids of one collection's documents that the plan changes or moves, behind `after` and not behind `upto`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn changing_in(&self, collection: &str, after: Option<&str>, upto: &str) -> Result<Vec<String>, LedgerError> {
        self.read("read the documents seen", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id FROM seen WHERE collection = ?1 AND id > ?2 AND id <= ?3 AND changes = 1 ORDER BY id",
            )?;
            let rows = statement.query_map([collection, after.unwrap_or_default(), upto], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// One document as it was seen; None: it was not.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn seen_one(&self, key: &DocumentKey) -> Result<Option<Seen>, LedgerError> {
        self.read("read a document seen", |connection| {
            connection
                .prepare_cached(
                    "SELECT collection, id, version, digest, changes FROM seen WHERE collection = ?1 AND id = ?2",
                )?
                .query_row(params![key.collection, key.id], |row| Ok(seen(row)))
                .optional()?
                .transpose()
        })
    }
}

fn seen(row: &Row<'_>) -> Result<Seen, Stop> {
    Ok(Seen {
        key: DocumentKey::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?),
        version: row.get::<_, i64>(2)? as u64,
        digest: digest_of(row.get_ref(3)?.as_blob().unwrap_or_default(), "a document seen")?,
        changes: row.get(4)?,
    })
}
