//! What the application was asked and how it answered: evidence, kept whole for each side and taken again when
//! it is missing.

use rusqlite::params;

use super::{Ledger, LedgerError, from_json, json};
use crate::migrate::queries::Asked;

/// When it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before the first write.
    Before,
    /// Of the canary's users, when they were migrated.
    Canary,
    /// After the copy.
    After,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Canary => "canary",
            Self::After => "after",
        }
    }
}

impl Ledger {
    /// Keeps all of a side, in place of what was kept of it.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn keep_asked(&self, side: Side, asked: &[Asked]) -> Result<(), LedgerError> {
        self.write("keep what the application answered", |tx| {
            tx.prepare_cached("DELETE FROM asked WHERE side = ?1")?.execute([side.word()])?;
            let mut statement = tx.prepare_cached("INSERT INTO asked (side, number, body) VALUES (?1, ?2, ?3)")?;
            for (number, one) in asked.iter().enumerate() {
                statement.execute(params![side.word(), number as i64, json(one, "an answer")?])?;
            }
            Ok(())
        })
    }

    /// All of a side, in the order in which it was kept; empty: it was not asked.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn asked(&self, side: Side) -> Result<Vec<Asked>, LedgerError> {
        self.read("read what the application answered", |connection| {
            let mut statement = connection.prepare_cached("SELECT body FROM asked WHERE side = ?1 ORDER BY number")?;
            let mut rows = statement.query([side.word()])?;
            let mut asked = Vec::new();
            while let Some(row) = rows.next()? {
                asked.push(from_json(&row.get::<_, String>(0)?, "an answer")?);
            }
            Ok(asked)
        })
    }
}
