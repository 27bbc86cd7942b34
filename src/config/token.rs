//! Where a token is to be had: the environment, a file only its owner can read, or a command.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A source of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// None is named; `STELLA_TOKEN` is taken when it is set.
    Nowhere,
    /// A variable of the environment.
    Environment(String),
    /// A file with mode 0600 or stricter.
    File(PathBuf),
    /// The output of a command, as its arguments.
    Command(Vec<String>),
}

/// A token cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The variable is not set.
    #[error("read the token: {0} is not set")]
    Unset(String),
    /// The file cannot be read.
    #[error("read the token from {}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("read the token: others can read {}; chmod 600 it", .0.display())]
    Open(PathBuf),
    /// The command failed or cannot be started.
    #[error("read the token: the command `{0}` failed")]
    Command(String),
}

/// Longest token file that is read; a token is some 60 characters.
const LIMIT: u64 = 16 * 1024;

impl Token {
    /// Fetches the token; `look` is the environment.
    ///
    /// # Errors
    /// When a named source has none.
    pub fn fetch(&self, look: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, TokenError> {
        match self {
            Self::Nowhere => Ok(look("STELLA_TOKEN")),
            Self::Environment(name) => look(name).map(Some).ok_or_else(|| TokenError::Unset(name.clone())),
            Self::File(file) => read(file).map(Some),
            Self::Command(argv) => run(argv).map(Some),
        }
    }
}

fn read(file: &PathBuf) -> Result<String, TokenError> {
    let failed = |source| TokenError::File { file: file.clone(), source };
    let mode = fs::metadata(file).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(TokenError::Open(file.clone()));
    }
    let mut text = String::new();
    File::open(file).and_then(|open| open.take(LIMIT).read_to_string(&mut text)).map_err(failed)?;
    Ok(text.trim().to_owned())
}

fn run(argv: &[String]) -> Result<String, TokenError> {
    let name = argv.first().map_or("", String::as_str);
    let failed = || TokenError::Command(name.escape_debug().to_string());
    // The terminal stays the command's for prompts; only its output is ours.
    let output = Command::new(name).args(&argv[1.min(argv.len())..]).stderr(Stdio::inherit()).output();
    let output = output.ok().filter(|output| output.status.success()).ok_or_else(failed)?;
    String::from_utf8(output.stdout).map(|text| text.trim().to_owned()).map_err(|_| failed())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "s3cret\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Token::File(file.clone()).fetch(&none), Err(TokenError::Open(_))));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Token::File(file).fetch(&none).unwrap().as_deref(), Some("s3cret"));
    }

    #[test]
    fn a_command_s_output_is_the_token_and_its_failure_an_error() {
        let argv = |words: &[&str]| Token::Command(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(argv(&["echo", "abc"]).fetch(&none).unwrap().as_deref(), Some("abc"));
        assert!(argv(&["false"]).fetch(&none).is_err());
        assert!(argv(&[]).fetch(&none).is_err());
    }

    #[test]
    fn a_variable_that_is_not_set_is_an_error_only_when_it_was_named() {
        assert!(Token::Environment("X".to_owned()).fetch(&none).is_err());
        assert_eq!(Token::Nowhere.fetch(&none).unwrap(), None);
    }
}
