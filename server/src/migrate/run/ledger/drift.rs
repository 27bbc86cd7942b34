//! What the walks over the documents found: documents with old ids that were told already, and how much each
//! owner had at the last walk; and which old ids were used. Of a store that nobody migrated too: it has a ledger of its own for that.
//!
//! A walk that did not end says nothing: the next one begins anew and is compared with the last that did.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use stella_protocol::migration::{OldIdUse, TroubleKind};
use stella_protocol::{Text, Timestamp};

use super::owned::owned;
use super::{Ledger, LedgerError, Owned, Stop, held, word};
use crate::documents::DocumentKey;
use crate::migrate::drift::said::Used;
use crate::migrate::form::folded;

/// Says that a walk began and did not end.
const UNDER_WAY: &str = "walk";
/// When the last walk ended.
const WALKED: &str = "walked";
/// All documents with old ids are known since that walk: another one is new.
const GUARDED: &str = "guarded";
/// After which migration, by its number, the store stands as it does.
const STANDS: &str = "stands";

/// How a store that nobody migrates was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stood {
    /// When the last walk ended.
    pub walked: Option<Timestamp>,
    /// It knew all documents with old ids.
    pub guarded: bool,
}

impl Ledger {
    /// Which of these documents, in these versions, were written by others since and are news: neither left so by
    /// this migration or by its look at the data, nor the source of a copy that it made, nor parked, nor told before.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn are_news(&self, documents: &[(DocumentKey, u64)]) -> Result<Vec<bool>, LedgerError> {
        self.read("read what was told of old ids", |connection| {
            let parked = word(&TroubleKind::Parked, "a trouble")?;
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM drifted WHERE collection = ?1 AND id = ?2 AND version = ?3)
                 OR coalesce((SELECT version = ?3 FROM written WHERE collection = ?1 AND id = ?2 AND back IS NULL),
                             (SELECT version = ?3 FROM seen WHERE collection = ?1 AND id = ?2), 0)
                 OR EXISTS (SELECT 1 FROM written WHERE source = ?4 AND source_version = ?3 AND back IS NULL)
                 OR EXISTS (SELECT 1 FROM troubles WHERE document = ?4 AND kind = ?5)",
            )?;
            let mut news = Vec::with_capacity(documents.len());
            for (key, version) in documents {
                let asked = params![key.collection, key.id, *version as i64, key.path(), parked];
                news.push(!statement.query_row(asked, |row| row.get::<_, bool>(0))?);
            }
            Ok(news)
        })
    }

    /// Which of these documents were not told before, in whichever version.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn are_new(&self, documents: &[(DocumentKey, u64)]) -> Result<Vec<bool>, LedgerError> {
        self.read("read what was told of old ids", |connection| {
            let mut statement = connection
                .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM drifted WHERE collection = ?1 AND id = ?2)")?;
            let mut new = Vec::with_capacity(documents.len());
            for (key, _) in documents {
                new.push(statement.query_row(params![key.collection, key.id], |row| row.get::<_, bool>(0))?);
            }
            Ok(new)
        })
    }

    /// Nothing was told yet.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn forget_told(&self) -> Result<(), LedgerError> {
        self.write("forget what was told of old ids", |tx| Ok(tx.execute("DELETE FROM drifted", []).map(drop)?))
    }

    /// How the store was watched since it stands as it does after this migration, by its number. Everything that was
    /// known before is forgotten.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn stands_since(&self, number: u64) -> Result<Stood, LedgerError> {
        self.write("look how the store was watched", |tx| {
            if marked(tx, STANDS)? != Some(number as i64) {
                for table in ["sight", "drifted", "marks"] {
                    tx.execute(&format!("DELETE FROM {table}"), [])?;
                }
                mark(tx, STANDS, number as i64)?;
            }
            let walked = marked(tx, WALKED)?.map(Timestamp::from_millis);
            Ok(Stood { walked, guarded: marked(tx, GUARDED)? == Some(1) })
        })
    }

    /// Keeps that these documents, in these versions, were told.
    ///
    /// # Errors
    /// When the ledger does not take it: they will be told again.
    pub fn were_told(&self, documents: &[(DocumentKey, u64)]) -> Result<(), LedgerError> {
        self.write("keep what was told of old ids", |tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO drifted (collection, id, version) VALUES (?1, ?2, ?3)
                 ON CONFLICT (collection, id) DO UPDATE SET version = excluded.version",
            )?;
            for (key, version) in documents {
                statement.execute(params![key.collection, key.id, *version as i64])?;
            }
            Ok(())
        })
    }

    /// Adds to the uses of old ids, named as they are compared.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn add_uses(&self, uses: &BTreeMap<String, Used>) -> Result<(), LedgerError> {
        self.write("count uses of old ids", |tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO used (old, times, last) VALUES (?1, ?2, ?3)
                 ON CONFLICT (old) DO UPDATE SET times = times + excluded.times, last = max(last, excluded.last)",
            )?;
            for (old, used) in uses {
                statement.execute(params![old, used.times as i64, used.last.millis()])?;
            }
            Ok(())
        })
    }

    /// Which of these ids were used since the cut-over, the last first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn uses_of(&self, ids: &[Text]) -> Result<Vec<OldIdUse>, LedgerError> {
        self.read("read uses of old ids", |connection| {
            let mut statement = connection.prepare_cached("SELECT times, last FROM used WHERE old = ?1")?;
            let mut uses = Vec::new();
            for old_id in ids {
                let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?));
                let found = statement.query_row([folded(old_id.raw())], row).optional()?;
                uses.extend(found.map(|(times, last)| OldIdUse {
                    old_id: old_id.clone(),
                    times,
                    last_at: Timestamp::from_millis(last),
                }));
            }
            uses.sort_by_key(|used| std::cmp::Reverse(used.last_at));
            Ok(uses)
        })
    }

    /// A walk begins: what the last one that ended counted is what it is compared with.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn begin_walk(&self) -> Result<(), LedgerError> {
        self.write("begin to count what people see", |tx| {
            if !is_under_way(tx)? {
                tx.execute("DELETE FROM sight WHERE now = 0", [])?;
                tx.execute("UPDATE sight SET was = now", [])?;
            }
            tx.execute("UPDATE sight SET now = 0", [])?;
            mark(tx, UNDER_WAY, 1)
        })
    }

    /// Adds to what owners have now.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn add_sight(&self, counted: &[Owned]) -> Result<(), LedgerError> {
        self.write("count what people see", |tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO sight (user, name, was, now) VALUES (?1, ?2, 0, ?3)
                 ON CONFLICT (user, name) DO UPDATE SET now = now + excluded.now",
            )?;
            for one in counted {
                statement.execute(params![one.user, one.name, one.documents as i64])?;
            }
            Ok(())
        })
    }

    /// Owners who had so many documents of a collection at the last walk, or more, and have none now, with what
    /// they had; by collection and owner, behind that collection and owner, at most `limit`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn vanished(&self, from: u64, after: Option<(&str, &str)>, limit: usize) -> Result<Vec<Owned>, LedgerError> {
        let (name, user) = after.unwrap_or_default();
        self.read("read what people see", |connection| {
            let found = connection
                .prepare_cached(
                    "SELECT user, name, was FROM sight
                     WHERE now = 0 AND was >= ?1 AND (name, user) > (?2, ?3) ORDER BY name, user LIMIT ?4",
                )?
                .query_map(params![from as i64, name, user, held(limit) as i64], owned)?
                .collect::<Result<_, _>>()?;
            Ok(found)
        })
    }

    /// The walk ended, and what it found was told. `guards`: all documents with old ids are known since.
    ///
    /// # Errors
    /// When the ledger does not take it: it will be told again.
    pub fn end_walk(&self, at: Timestamp, guards: bool) -> Result<(), LedgerError> {
        self.write("end counting what people see", |tx| {
            mark(tx, UNDER_WAY, 0)?;
            mark(tx, WALKED, at.millis())?;
            mark(tx, GUARDED, guards.into())
        })
    }
}

fn is_under_way(connection: &Connection) -> Result<bool, Stop> {
    Ok(marked(connection, UNDER_WAY)? == Some(1))
}

fn marked(connection: &Connection, name: &str) -> Result<Option<i64>, Stop> {
    let mark = connection.query_row("SELECT value FROM marks WHERE name = ?1", [name], |row| row.get(0));
    Ok(mark.optional()?)
}

fn mark(tx: &Transaction<'_>, name: &str, value: i64) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO marks (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![name, value],
    )?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn has(user: &str, documents: u64) -> Owned {
        Owned { user: user.to_owned(), name: "notes".to_owned(), documents }
    }

    #[test]
    fn who_had_enough_and_has_none_is_told_of_once_and_a_walk_that_did_not_end_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path(), &"mig-1".parse().unwrap()).unwrap();
        let walk = |counted: &[Owned]| {
            ledger.begin_walk().unwrap();
            ledger.add_sight(counted).unwrap();
            let gone = ledger.vanished(3, None, 10).unwrap();
            ledger.end_walk(Timestamp::from_millis(1), false).unwrap();
            gone
        };
        assert_eq!(walk(&[has("ana", 2), has("bo", 2), has("ana", 2)]), []);
        ledger.begin_walk().unwrap();
        ledger.add_sight(&[has("bo", 9)]).unwrap();
        assert_eq!(walk(&[]), [has("ana", 4)], "bo had too few");
        assert_eq!(walk(&[]), []);
        assert_eq!(walk(&[has("bo", 9)]), []);
        assert_eq!(walk(&[]), [has("bo", 9)]);
    }
}
