//! The lock on a data folder: two servers never share one.
//!
//! The lock belongs to the open file, so the kernel gives it back however a server ends.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::StoreError;

/// Held as long as the store is open.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of `folder`, or says at once that somebody else has it.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        let open = File::options().create(true).truncate(false).write(true).open(folder.join("stella.lock"));
        let file = open.map_err(StoreError::Folder)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(Errno::WOULDBLOCK) => Err(StoreError::Locked),
            Err(error) => Err(StoreError::Folder(error.into())),
        }
    }
}
