//! What the server's configuration says of fixes: `[fixes]` and `[notify]` of `stella-server.toml`.
//!
//! Addresses, programs and secrets stand here and nowhere else: a definition can only name them. A
//! secret is read when a connection needs it, from the environment or a file; it is never shown.

mod file;
mod migration;

use std::net::IpAddr;
use std::path::PathBuf;

pub use crate::base_url::{BadAddress, read_base_url};
pub use crate::secret_place::{Hidden, SecretError, SecretPlace};
pub use file::{BaseSection, FixesSection, NotifySection, ProgramSection};
pub use migration::{DualReadProbe, MigrationSection, MigrationSettings, Watch, WatchEvery, WatchSettings};

use super::parameter::Network;
use crate::documents::place::Place;

/// Everything that is said of fixes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// Folder of definitions, `*.toml`; None: the shipped ones alone.
    pub folder: Option<PathBuf>,
    /// Folder of inventories; None: the shipped ones alone.
    pub inventories: Option<PathBuf>,
    /// Shipped definitions and inventories are left out.
    pub without_shipped: bool,
    /// Addresses that may be called.
    pub bases: Vec<Base>,
    /// Programs that may be run.
    pub programs: Vec<Program>,
    /// How many people use this server; None: nobody said.
    pub people: Option<People>,
    /// Addresses that no fix touches, besides all that are not public.
    pub never_block: Vec<Network>,
    /// Where the application's documents are.
    pub documents: Option<Place>,
    /// How they are migrated.
    pub migration: MigrationSettings,
    /// Where to tell of what waits.
    pub notify: Option<Webhook>,
}

/// How many people use a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum People {
    /// One: every quorum is 1, and they may be proposer, approver and closer at once.
    One,
    /// Several: nobody approves what they proposed.
    Many,
}

/// An address that may be called, by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// Its name in definitions.
    pub name: String,
    /// `http://HOST:PORT/PATH` or `https://…`, without a slash at its end.
    pub url: String,
    /// What its host may resolve to; empty: any public address, or its own when it is written as one.
    pub addresses: Vec<IpAddr>,
    /// A header that opens it.
    pub secret: Option<SecretHeader>,
}

/// A program that may be run, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name in definitions.
    pub name: String,
    /// Absolute path.
    pub path: PathBuf,
    /// Arguments that come before those of the definition.
    pub arguments: Vec<String>,
    /// Names taken over from the server's environment.
    pub environment: Vec<String>,
}

/// A header with a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretHeader {
    /// Name of the header.
    pub header: String,
    /// Stands before the secret: `Bearer `.
    pub prefix: String,
    /// Where the secret is.
    pub place: SecretPlace,
}

/// Where to tell of what waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// The whole address.
    pub url: String,
    /// Signs what is sent; None: nothing does.
    pub secret: Option<SecretPlace>,
}

impl SecretHeader {
    /// Name and whole value of the header. Blocks.
    ///
    /// # Errors
    /// As [`SecretPlace::read`].
    pub fn read(&self) -> Result<(String, Hidden), SecretError> {
        let secret = self.place.read()?;
        Ok((self.header.clone(), Hidden::new(format!("{}{}", self.prefix, secret.expose()))))
    }
}

impl Settings {
    /// A base by its name.
    pub fn base(&self, name: &str) -> Option<&Base> {
        self.bases.iter().find(|base| base.name == name)
    }

    /// A program by its name.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().find(|program| program.name == name)
    }

    /// Whether one human uses this server. Nobody said: so it is inside a console, but for its demo.
    pub fn single_person(&self, embedded: bool, demo: bool) -> bool {
        match self.people {
            Some(people) => people == People::One,
            None => embedded && !demo,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_without_its_line_end_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let place = SecretPlace::File(path);
        let header = SecretHeader { header: "authorization".into(), prefix: "Bearer ".into(), place };
        let (name, value) = header.read().unwrap();
        assert_eq!((name.as_str(), value.expose()), ("authorization", "Bearer s3cret"));
        assert!(!format!("{value:?} {:?}", SecretPlace::Given(Hidden::new("s3cret".into()))).contains("s3cret"));
    }

    #[test]
    fn one_person_is_assumed_inside_a_console_only_and_not_in_its_demo() {
        let nobody_said = Settings::default();
        assert!(nobody_said.single_person(true, false));
        assert!(!nobody_said.single_person(true, true) && !nobody_said.single_person(false, false));
        let one = Settings { people: Some(People::One), ..Settings::default() };
        assert!(one.single_person(false, false));
    }
}
