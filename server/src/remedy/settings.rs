//! What the server's configuration says of fixes: `[fixes]` and `[notify]` of `stella-server.toml`.
//!
//! Addresses, programs and secrets stand here and nowhere else: a definition can only name them. A
//! secret is read when a connection needs it, from the environment or a file; it is never shown.

mod address;
mod file;
mod migration;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

pub use address::{BadAddress, read_base_url};
pub use file::{BaseSection, FixesSection, NotifySection, ProgramSection};
pub use migration::{DualReadProbe, MigrationSection, MigrationSettings};

use super::parameter::Network;

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
    /// Folder of the application's documents (`documents.db`).
    pub documents: Option<PathBuf>,
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

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// In this variable of the environment.
    Variable(String),
    /// In this file, without its last line's end.
    File(PathBuf),
    /// Here: for what runs inside this process.
    Given(Hidden),
}

/// A secret; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a text.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself: for the one request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// Where to tell of what waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// The whole address.
    pub url: String,
    /// Signs what is sent; None: nothing does.
    pub secret: Option<SecretPlace>,
}

/// A secret that is not to be had. Never says what it is.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or is no text.
    #[error("find a secret: the variable {0} is not set")]
    NoVariable(String),
    /// The file cannot be read.
    #[error("read the secret in {}", path.display())]
    NoFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot stand in a header.
    #[error("use a secret: it is empty, or holds what cannot stand in a header")]
    Unfit,
}

impl SecretPlace {
    /// The secret. Reads the environment or a file; blocks.
    ///
    /// # Errors
    /// When it is not there, or cannot stand in a header.
    pub fn read(&self) -> Result<Hidden, SecretError> {
        let secret = match self {
            Self::Given(secret) => secret.0.clone(),
            Self::Variable(name) => std::env::var(name).map_err(|_| SecretError::NoVariable(name.clone()))?,
            Self::File(path) => {
                let read = std::fs::read_to_string(path);
                read.map_err(|source| SecretError::NoFile { path: path.clone(), source })?
            }
        };
        let secret = secret.trim_end_matches(['\r', '\n']);
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(SecretError::Unfit);
        }
        Ok(Hidden(secret.to_owned()))
    }
}

impl SecretHeader {
    /// Name and whole value of the header. Blocks.
    ///
    /// # Errors
    /// As [`SecretPlace::read`].
    pub fn read(&self) -> Result<(String, Hidden), SecretError> {
        let secret = self.place.read()?;
        Ok((self.header.clone(), Hidden(format!("{}{}", self.prefix, secret.expose()))))
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
    fn a_secret_with_a_second_line_is_refused_without_being_told() {
        let error = SecretPlace::Given(Hidden::new("a\r\nx-evil: b".into())).read().unwrap_err().to_string();
        assert!(!error.contains("evil"), "{error}");
        assert!(SecretPlace::Variable("STELLA_NO_SUCH_VARIABLE".into()).read().is_err());
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
