//! Documents that were about to be made under their new ids: kept before the first write, so that whoever goes on
//! after a crash tells what a life before made from what others made meanwhile.
//!
//! Only of what is made: what is written in place is told by its image in the backup.

use super::{Ledger, LedgerError};
use crate::documents::DocumentKey;

impl Ledger {
    /// Keeps that these are about to be made; it survives a power loss.
    ///
    /// # Errors
    /// When the ledger does not take it: then nothing of them is to be written.
    pub fn intend(&self, keys: &[DocumentKey]) -> Result<(), LedgerError> {
        self.durably("keep what is about to be made", |tx| {
            let mut statement = tx.prepare_cached("INSERT OR IGNORE INTO intents (collection, id) VALUES (?1, ?2)")?;
            for key in keys {
                statement.execute([&key.collection, &key.id])?;
            }
            Ok(())
        })
    }

    /// Keeps that these were not made: something else stood there.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn give_up(&self, keys: &[DocumentKey]) -> Result<(), LedgerError> {
        self.durably("keep what was not made", |tx| {
            let mut statement = tx.prepare_cached("DELETE FROM intents WHERE collection = ?1 AND id = ?2")?;
            for key in keys {
                statement.execute([&key.collection, &key.id])?;
            }
            Ok(())
        })
    }

    /// True when this one was about to be made.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn is_intended(&self, key: &DocumentKey) -> Result<bool, LedgerError> {
        self.read("read what was about to be made", |connection| {
            let mut statement = connection.prepare_cached("SELECT 1 FROM intents WHERE collection = ?1 AND id = ?2")?;
            Ok(statement.exists([&key.collection, &key.id])?)
        })
    }
}
