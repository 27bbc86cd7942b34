//! The data folder: given and kept, or temporary and removed at the end.
//!
//! Knows which files lie in it and that some are for their owner's eyes only, not what they mean.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::Rng;

/// Only the owner may enter.
const OWNER_ONLY_FOLDER: u32 = 0o700;
/// Only the owner may read and write.
const OWNER_ONLY_FILE: u32 = 0o600;

/// The socket of administrative commands.
pub(crate) const ADMIN_SOCKET: &str = "admin.sock";
/// Says that the state in a folder is a demo's.
const DEMO_MARK: &str = "demo.mark";

/// Where a server keeps its files.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    lifetime: Lifetime,
}

#[derive(Debug, PartialEq, Eq)]
enum Lifetime {
    Kept,
    UntilDropped,
}

impl Folder {
    /// The given folder, made when it is not there; None: a temporary one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(given: Option<&Path>) -> io::Result<Self> {
        let (path, lifetime) = match given {
            Some(path) => (path.to_owned(), Lifetime::Kept),
            None => (temporary(), Lifetime::UntilDropped),
        };
        DirBuilder::new().recursive(lifetime == Lifetime::Kept).mode(OWNER_ONLY_FOLDER).create(&path)?;
        Ok(Self { path, lifetime })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket of administrative commands.
    pub fn admin_socket(&self) -> PathBuf {
        admin_socket(&self.path)
    }

    /// True when a server has kept its state here.
    pub fn holds_state(&self) -> bool {
        self.path.join("stella.db").exists()
    }

    /// True when the state here is a demo's.
    pub fn holds_demo(&self) -> bool {
        self.path.join(DEMO_MARK).exists()
    }

    /// Notes that the state here is a demo's, before there is any.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn mark_demo(&self) -> io::Result<()> {
        fs::write(self.path.join(DEMO_MARK), b"")
    }

    /// Writes a file that only its owner can read, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_secret(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (new, target) = (self.path.join(format!("{name}.new")), self.path.join(name));
        if new.exists() {
            fs::remove_file(&new)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY_FILE).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &target)
    }

    /// Reads a file of the folder; None: there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file of the folder; it may be gone already.
    pub fn remove(&self, name: &str) {
        if let Err(error) = fs::remove_file(self.path.join(name))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(name, kind = ?error.kind(), "a file stays behind");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::UntilDropped
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(kind = ?error.kind(), "the temporary folder stays behind");
        }
    }
}

/// The socket of administrative commands in a data folder.
pub(crate) fn admin_socket(data: &Path) -> PathBuf {
    data.join(ADMIN_SOCKET)
}

fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("stella-{:016x}", rand::rng().random::<u64>()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_temporary_folder_is_private_and_gone_at_the_end() {
        let folder = Folder::open(None).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ONLY_FOLDER);
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_given_folder_stays_and_its_secrets_are_the_owners() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a").join("b");
        let folder = Folder::open(Some(&path)).unwrap();
        folder.write_secret("x", b"1").unwrap();
        folder.write_secret("x", b"2").unwrap();
        drop(folder);
        assert_eq!(fs::read(path.join("x")).unwrap(), b"2");
        assert_eq!(fs::metadata(path.join("x")).unwrap().permissions().mode() & 0o777, OWNER_ONLY_FILE);
    }
}
