//! Where a migration is done: what reads and writes files and stores.
//!
//! The hub keeps where a migration stands; the [`ledger`] keeps what is long (every document seen, every
//! batch, every document written), the [`backup`] every document as it was before it was written. Both
//! are in the data folder and outlive the process. The [`desk`] answers what people ask of them.

pub mod backup;
pub mod copy;
pub mod desk;
pub mod ledger;
pub mod rehearse;
pub mod scan;
pub mod secure;
pub mod site;
pub mod throttle;
