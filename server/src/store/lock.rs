//! The lock on a data folder: two servers never share one.
//!
//! The lock belongs to the open file, so the kernel gives it back however a server ends. A store that is
//! closed gives it back by itself: a child that was forked a moment before shares the open file, and would
//! hold the lock until it runs its own program.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::StoreError;

/// Held as long as the store is open.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Takes the lock of `folder`, or says at once that somebody else has it.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        let open = File::options().create(true).truncate(false).write(true).open(folder.join("stella.lock"));
        let file = open.map_err(StoreError::Folder)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { file }),
            Err(Errno::WOULDBLOCK) => Err(StoreError::Locked),
            Err(error) => Err(StoreError::Folder(error.into())),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Nobody can be told; where this fails, the kernel does it when the last holder of the file ends.
        let _ = flock(&self.file, FlockOperation::NonBlockingUnlock);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_given_back_is_free_though_a_child_still_shares_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        assert!(matches!(FolderLock::take(folder.path()), Err(StoreError::Locked)));
        // What a fork makes: another descriptor of the same open file.
        let shared = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(FolderLock::take(folder.path()).is_ok());
        drop(shared);
    }
}
