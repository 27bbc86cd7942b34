//! What the walks after the cut-over found: documents with old ids that were told already, and how much each
//! owner had at the last walk.
//!
//! A walk that did not end says nothing: the next one begins anew and is compared with the last that did.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use stella_protocol::migration::TroubleKind;

use super::owned::owned;
use super::{Ledger, LedgerError, Owned, Stop, held, word};
use crate::documents::DocumentKey;

/// Says that a walk began and did not end.
const UNDER_WAY: &str = "walk";

impl Ledger {
    /// Which of these documents, in these versions, were written by others since and are news: neither left so by
    /// this migration or by its look at the data, nor parked, nor told before.
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
            mark(tx, true)
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

    /// The walk ended, and what it found was told.
    ///
    /// # Errors
    /// When the ledger does not take it: it will be told again.
    pub fn end_walk(&self) -> Result<(), LedgerError> {
        self.write("end counting what people see", |tx| mark(tx, false))
    }
}

fn is_under_way(connection: &Connection) -> Result<bool, Stop> {
    let mark: Option<i64> =
        connection.query_row("SELECT value FROM marks WHERE name = ?1", [UNDER_WAY], |row| row.get(0)).optional()?;
    Ok(mark == Some(1))
}

fn mark(tx: &Transaction<'_>, under_way: bool) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO marks (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![UNDER_WAY, under_way],
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
            ledger.end_walk().unwrap();
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
