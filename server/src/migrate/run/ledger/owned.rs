//! How many documents each id owned when the data was looked at: what people must see in the end.

use rusqlite::{Row, params};

use super::{Ledger, LedgerError, held};

/// Documents of one owner in one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The id of the owner, as it stood there.
    pub user: String,
    /// The collection, as the plan names it.
    pub name: String,
    /// How many.
    pub documents: u64,
}

impl Ledger {
    /// Adds to what was counted since the look began.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn add_owned(&self, counted: &[Owned]) -> Result<(), LedgerError> {
        self.write("count what people own", |tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO owned (user, name, documents) VALUES (?1, ?2, ?3)
                 ON CONFLICT (user, name) DO UPDATE SET documents = documents + excluded.documents",
            )?;
            for one in counted {
                statement.execute(params![one.user, one.name, one.documents as i64])?;
            }
            Ok(())
        })
    }

    /// By owner and collection, behind that owner and collection; at most `limit`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn owned(&self, after: Option<(&str, &str)>, limit: usize) -> Result<Vec<Owned>, LedgerError> {
        let (user, name) = after.unwrap_or_default();
        self.read("read what people owned", |connection| {
            let found = connection
                .prepare_cached(
                    "SELECT user, name, documents FROM owned WHERE (user, name) > (?1, ?2)
                     ORDER BY user, name LIMIT ?3",
                )?
                .query_map(params![user, name, held(limit) as i64], owned)?
                .collect::<Result<_, _>>()?;
            Ok(found)
        })
    }

    /// Documents that one id owned, of all collections.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn owned_by(&self, user: &str) -> Result<u64, LedgerError> {
        self.read("read what one id owned", |connection| {
            let sum = "SELECT coalesce(sum(documents), 0) FROM owned WHERE user = ?1";
            Ok(connection.prepare_cached(sum)?.query_row([user], |row| row.get::<_, i64>(0))? as u64)
        })
    }
}

pub(super) fn owned(row: &Row<'_>) -> rusqlite::Result<Owned> {
    Ok(Owned { user: row.get(0)?, name: row.get(1)?, documents: row.get::<_, i64>(2)? as u64 })
}
