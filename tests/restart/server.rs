//! Where a server lives, whichever process it is at the moment.

use std::net::SocketAddr;

use stella_protocol::Role;

use crate::process::{Process, bare, free_address, token};

/// Its folder and its address, the same after every restart.
pub struct Home {
    /// Its address.
    pub address: SocketAddr,
    test: &'static str,
    folder: tempfile::TempDir,
}

impl Home {
    /// A new folder, and a port that is free. `test` is the test that serves when it is told to.
    pub fn new(test: &'static str) -> Self {
        Self { address: free_address(), test, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts it, and waits until it listens.
    pub fn start(&self) -> Process {
        Process::start(self.test, &bare(self.address, self.folder.path()))
    }

    /// A token that is kept over restarts.
    pub fn token(&self, role: Role, name: &str) -> String {
        token(self.folder.path(), role, name)
    }
}
