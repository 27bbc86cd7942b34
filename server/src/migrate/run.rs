//! Where a migration is done: what reads and writes files and stores.
//!
//! The hub keeps where a migration stands; the [`ledger`] keeps what is long (every document seen, every
//! batch, every document written), the [`backup`] every document as it was before it was written. Both
//! are in the data folder and outlive the process.

pub mod backup;
pub mod ledger;
