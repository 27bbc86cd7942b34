//! What a server is started with: the values, the file they may stand in, and how the two meet.
//!
//! Flags win over the file, the file over the defaults. An unknown key is an error with a suggestion,
//! because a misspelled limit that is silently ignored is worse than no start. Reads no environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::clock::Clock;
use crate::demo;

/// Where a server listens when nobody says: this machine only.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7676);

/// Everything a server is started with.
#[derive(Debug)]
pub struct Config {
    /// Where to listen; port 0: any free one.
    pub listen: SocketAddr,
    /// Where to keep state; None: a temporary folder that is removed at the end.
    pub data: Option<PathBuf>,
    /// What is taken out of lines before anything is kept.
    pub redaction: Redaction,
    /// The server lives inside a console, which gets tokens of its own.
    pub embedded: Option<Embedded>,
    /// A simulated application sends lines.
    pub demo: Option<demo::Options>,
    /// Says what time it is.
    pub clock: Clock,
}

/// What is taken out of lines before anything is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redaction {
    /// Secrets only: lines stay on the machine of whoever reads them.
    Local,
    /// Secrets and whatever names a person.
    Strict {
        /// Network addresses too.
        remote_addr: bool,
    },
}

/// The console around an embedded server.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Who runs it: the principal is `LOGIN@local`.
    pub login: String,
}

impl Config {
    /// A server inside the console of `login`: loopback, any port, local redaction.
    pub fn embedded(login: String) -> Self {
        let listen = SocketAddr::new(DEFAULT_LISTEN.ip(), 0);
        let embedded = Some(Embedded { login });
        Self { listen, data: None, redaction: Redaction::Local, embedded, demo: None, clock: Clock::system() }
    }

    /// A server of its own: what stands in the file, and defaults.
    pub fn serve(file: &File) -> Self {
        Self {
            listen: file.listen.unwrap_or(DEFAULT_LISTEN),
            data: file.data.clone(),
            redaction: file.redaction(),
            embedded: None,
            demo: None,
            clock: Clock::system(),
        }
    }
}

/// `stella-server.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct File {
    /// As [`Config::listen`].
    pub listen: Option<SocketAddr>,
    /// As [`Config::data`].
    pub data: Option<PathBuf>,
    /// What is taken out of lines.
    #[serde(default)]
    pub redact: RedactSection,
}

/// `[redact]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct RedactSection {
    /// `local` or `strict`; absent: strict.
    pub mode: Option<RedactMode>,
    /// Replace network addresses too (strict only); absent: no, the attacker's address is the evidence.
    pub remote_addr: Option<bool>,
}

/// The word for a [`Redaction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedactMode {
    /// [`Redaction::Local`].
    Local,
    /// [`Redaction::Strict`].
    Strict,
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("read the configuration {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or a value has the wrong type.
    #[error("read the configuration {}: {what}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What and where.
        what: String,
    },
    /// It holds a key that means nothing.
    #[error("read the configuration {}: unknown key `{key}`{suggestion}", path.display())]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// What may have been meant.
        suggestion: String,
    },
}

/// Every key, for suggestions.
const KEYS: [&str; 5] = ["listen", "data", "redact", "redact.mode", "redact.remote_addr"];
/// Least likeness (0 to 1) of a key that is suggested.
const LIKENESS: f64 = 0.7;

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or holds an unknown key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let malformed =
            |error: toml::de::Error| ConfigError::Malformed { path: path.to_owned(), what: error.to_string() };
        let mut unknown = Vec::new();
        let table = toml::Deserializer::parse(text).map_err(malformed)?;
        let file: Self = serde_ignored::deserialize(table, |key| unknown.push(key.to_string())).map_err(malformed)?;
        match unknown.into_iter().next() {
            Some(key) => Err(ConfigError::UnknownKey { path: path.to_owned(), suggestion: suggest(&key), key }),
            None => Ok(file),
        }
    }

    fn redaction(&self) -> Redaction {
        match self.redact.mode {
            Some(RedactMode::Local) => Redaction::Local,
            Some(RedactMode::Strict) | None => {
                Redaction::Strict { remote_addr: self.redact.remote_addr.unwrap_or(false) }
            }
        }
    }
}

fn suggest(key: &str) -> String {
    let likeness = |known: &&str| strsim::jaro_winkler(known, key);
    let best = KEYS.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match best {
        Some(known) if likeness(&known) >= LIKENESS => format!("; did you mean `{known}`?"),
        _ => format!("; known are {}", KEYS.join(", ")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, ConfigError> {
        File::parse(text, Path::new("stella-server.toml"))
    }

    #[test]
    fn an_empty_file_gives_loopback_and_strict_redaction_that_keeps_addresses() {
        let config = Config::serve(&parse("").unwrap());
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.redaction, Redaction::Strict { remote_addr: false });
    }

    #[test]
    fn what_stands_in_the_file_is_taken() {
        let file = parse("listen = \"127.0.0.1:0\"\n[redact]\nremote_addr = true\n").unwrap();
        let config = Config::serve(&file);
        assert_eq!((config.listen.port(), config.redaction), (0, Redaction::Strict { remote_addr: true }));
    }

    #[test]
    fn a_misspelled_key_is_an_error_that_names_the_right_one() {
        let error = parse("[redact]\nremote_adr = true\n").unwrap_err().to_string();
        assert!(error.contains("unknown key `redact.remote_adr`; did you mean `redact.remote_addr`?"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error_with_its_place() {
        let error = parse("\nlisten = 3\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
