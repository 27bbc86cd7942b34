//! Where a secret stands that the configuration names, and the secret itself, which is never shown.
//!
//! It is read when a connection needs it, from the environment or a file.

use std::fmt;
use std::path::PathBuf;

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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_secret_with_a_second_line_is_refused_without_being_told() {
        let error = SecretPlace::Given(Hidden::new("a\r\nx-evil: b".into())).read().unwrap_err().to_string();
        assert!(!error.contains("evil"), "{error}");
        assert!(SecretPlace::Variable("STELLA_NO_SUCH_VARIABLE".into()).read().is_err());
    }
}
