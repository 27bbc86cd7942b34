//! The console's configuration file, found, read and checked: every fault with file, line and a
//! suggestion. Flags and environment are merged over it by the command line's room.
//!
//! Reads no environment by itself: [`Places`] is told what the environment says. Holds no token: a
//! profile says where one is to be had, and it is fetched when a connection is made.

pub mod located;
mod token;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use located::{Fault, Source, suggest};
pub use token::{Token, TokenError};

/// Keys at the top of the file.
const KEYS: [&str; 6] = ["theme", "ascii", "bell", "time", "default_server", "server"];

/// Keys of a profile.
const PROFILE_KEYS: [&str; 7] = ["url", "token_env", "token_file", "token_command", "badge", "theme", "readonly"];

/// Where the console's files stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The configuration.
    pub file: PathBuf,
    /// Who says so decides what its absence means.
    pub said_by: SaidBy,
    /// The own log.
    pub state: PathBuf,
}

/// Who named the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaidBy {
    /// Nobody: the usual place. It may be missing.
    Default,
    /// The environment: missing is a warning.
    Environment,
    /// A flag: missing is an error.
    Flag,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Name of the theme.
    pub theme: Option<String>,
    /// Pure 7-bit output.
    pub ascii: Option<bool>,
    /// Ring at a new critical alert.
    pub bell: Option<bool>,
    /// Clock times are local ones.
    pub local_time: Option<bool>,
    /// The profile to take when nothing is said.
    pub default_server: Option<String>,
    /// Profiles by name.
    pub servers: BTreeMap<String, Profile>,
}

/// A server with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its address.
    pub url: String,
    /// Where its token is to be had.
    pub token: Token,
    /// The word on every screen.
    pub badge: Option<String>,
    /// Its own theme.
    pub theme: Option<String>,
    /// No verb may be sent.
    pub readonly: bool,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It holds a fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It cannot be read.
    #[error("read the configuration {}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no profile of that name.
    #[error("find the server `{name}` ({hint}); an address begins with http:// or https://")]
    UnknownServer {
        /// What was asked for, escaped.
        name: String,
        /// The nearest name, or all.
        hint: String,
    },
}

impl Places {
    /// By flag, environment and the XDG rules; `home` holds the user's own folders.
    pub fn find(flag: Option<&Path>, look: &dyn Fn(&str) -> Option<String>) -> Self {
        let named = |name: &str| look(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = named("HOME").unwrap_or_default();
        let folder = |name: &str, usual: &str| {
            let base = named(name).filter(|path| path.is_absolute()).unwrap_or_else(|| home.join(usual));
            base.join("stella")
        };
        let (file, said_by) = match (flag, named("STELLA_CONFIG")) {
            (Some(flag), _) => (flag.to_owned(), SaidBy::Flag),
            (None, Some(file)) => (file, SaidBy::Environment),
            (None, None) => (folder("XDG_CONFIG_HOME", ".config").join("stella-tui.toml"), SaidBy::Default),
        };
        let state = named("STELLA_STATE_DIR").unwrap_or_else(|| folder("XDG_STATE_HOME", ".local/state"));
        Self { file, said_by, state }
    }

    /// The operator's own theme of that name: its text, and the name of its file.
    pub fn theme(&self, name: &str) -> Option<(String, String)> {
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let path = self.file.parent().filter(|_| is_name)?.join("themes").join(format!("{name}.toml"));
        Some((std::fs::read_to_string(&path).ok()?, path.display().to_string()))
    }
}

impl Config {
    /// Reads the file; with a warning in words when it is missing and somebody named it.
    ///
    /// # Errors
    /// When it cannot be read or holds a fault, or a flag named it and it is missing.
    pub fn read(places: &Places) -> Result<(Self, Option<String>), ConfigError> {
        match std::fs::read_to_string(&places.file) {
            Ok(text) => Ok((Self::parse(&places.file.display().to_string(), &text)?, None)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && places.said_by != SaidBy::Flag => {
                let warning = format!("the configuration {} does not exist", places.file.display());
                Ok((Self::default(), (places.said_by == SaidBy::Environment).then_some(warning)))
            }
            Err(source) => Err(ConfigError::Unreadable { file: places.file.clone(), source }),
        }
    }

    /// Reads a text; `file` is its name in faults.
    ///
    /// # Errors
    /// At its first fault.
    pub fn parse(file: &str, text: &str) -> Result<Self, Fault> {
        let source = Source { file, text };
        let table = source.table()?;
        source.only(&table, "key", &KEYS)?;
        let local_time = match (source.string(&table, "time")?.as_deref(), table.get("time")) {
            (None, _) => None,
            (Some("utc"), _) => Some(false),
            (Some("local"), _) => Some(true),
            (Some(other), at) => {
                let span = at.map(toml::Spanned::span).unwrap_or_default();
                return Err(source.unknown(&span, "time", other, &["utc", "local"]));
            }
        };
        Ok(Self {
            theme: source.string(&table, "theme")?,
            ascii: source.flag(&table, "ascii")?,
            bell: source.flag(&table, "bell")?,
            local_time,
            default_server: source.string(&table, "default_server")?,
            servers: profiles(source, &table)?,
        })
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// When there is none, with the nearest.
    pub fn server(&self, name: &str) -> Result<&Profile, ConfigError> {
        let known: Vec<&str> = self.servers.keys().map(String::as_str).collect();
        let hint = if known.is_empty() { "no server is configured".to_owned() } else { suggest(name, &known) };
        let unknown = || ConfigError::UnknownServer { name: name.escape_debug().to_string(), hint };
        self.servers.get(name).ok_or_else(unknown)
    }
}

fn profiles(source: Source<'_>, table: &DeTable<'_>) -> Result<BTreeMap<String, Profile>, Fault> {
    let Some(servers) = table.get("server") else {
        return Ok(BTreeMap::new());
    };
    let wrong = |at: &toml::Spanned<_>| source.fault(&at.span(), "a server is a table: [server.NAME]");
    let mut profiles = BTreeMap::new();
    for (name, value) in servers.get_ref().as_table().ok_or_else(|| wrong(servers))? {
        let entry = value.get_ref().as_table().ok_or_else(|| wrong(value))?;
        profiles.insert(name.get_ref().to_string(), profile(source, &name.span(), entry)?);
    }
    Ok(profiles)
}

fn profile(source: Source<'_>, at: &std::ops::Range<usize>, table: &DeTable<'_>) -> Result<Profile, Fault> {
    source.only(table, "key", &PROFILE_KEYS)?;
    let url =
        source.string(table, "url")?.ok_or_else(|| source.fault(at, "a server has an address: url = \"https://…\""))?;
    let tokens = [
        source.string(table, "token_env")?.map(Token::Environment),
        source.string(table, "token_file")?.map(|file| Token::File(PathBuf::from(file))),
        source.strings(table, "token_command")?.map(Token::Command),
    ];
    let mut tokens = tokens.into_iter().flatten();
    let token = tokens.next().unwrap_or(Token::Nowhere);
    if tokens.next().is_some() {
        return Err(source.fault(at, "one of token_env, token_file, token_command is enough"));
    }
    Ok(Profile {
        url,
        token,
        badge: source.string(table, "badge")?,
        theme: source.string(table, "theme")?,
        readonly: source.flag(table, "readonly")?.unwrap_or(false),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const FULL: &str = r#"
theme = "dark"
bell = false
time = "local"

[server.prod]
url = "https://stella.example"
token_env = "PROD_TOKEN"
badge = "PROD"
readonly = true
"#;

    #[test]
    fn a_file_says_how_the_console_looks_and_which_servers_there_are() {
        let config = Config::parse("c.toml", FULL).unwrap();
        assert_eq!((config.theme.as_deref(), config.bell, config.local_time), (Some("dark"), Some(false), Some(true)));
        let prod = config.server("prod").unwrap();
        assert_eq!(prod.token, Token::Environment("PROD_TOKEN".to_owned()));
        assert!(prod.readonly);
    }

    #[test]
    fn faults_say_file_line_and_what_was_meant() {
        for (text, said) in [
            ("\nthem = 1", "read c.toml, line 2: unknown key `them` (did you mean `theme`?)"),
            ("[server.a]\nurl = 1", "read c.toml, line 2: `url` wants text in quotes"),
            ("[server.a]\nbadge = \"A\"", "read c.toml, line 1: a server has an address: url = \"https://…\""),
            ("time = \"lokal\"", "read c.toml, line 1: unknown time `lokal` (did you mean `local`?)"),
        ] {
            assert_eq!(Config::parse("c.toml", text).unwrap_err().to_string(), said);
        }
        let twice = "[server.a]\nurl = \"http://a\"\ntoken_env = \"A\"\ntoken_file = \"b\"";
        assert!(Config::parse("c.toml", twice).unwrap_err().to_string().contains("is enough"));
    }

    #[test]
    fn an_unknown_server_names_the_nearest() {
        let error = Config::parse("c.toml", FULL).unwrap().server("prd").unwrap_err();
        assert!(error.to_string().starts_with("find the server `prd` (did you mean `prod`?)"), "{error}");
    }

    #[test]
    fn the_guide_names_every_key() {
        let guide = include_str!("../docs/configuration.md");
        for key in KEYS.into_iter().filter(|key| *key != "server").chain(PROFILE_KEYS).chain(["[server.NAME]"]) {
            assert!(guide.contains(&format!("| `{key}` |")), "{key}");
        }
    }

    #[test]
    fn a_missing_file_matters_only_when_somebody_named_it() {
        let missing = |said_by| Places { file: PathBuf::from("/nowhere/x.toml"), said_by, state: PathBuf::new() };
        assert_eq!(Config::read(&missing(SaidBy::Default)).unwrap(), (Config::default(), None));
        assert!(Config::read(&missing(SaidBy::Environment)).unwrap().1.is_some());
        assert!(Config::read(&missing(SaidBy::Flag)).is_err());
    }

    #[test]
    fn places_follow_flag_then_environment_then_the_usual() {
        let look = |name: &str| match name {
            "HOME" => Some("/h".to_owned()),
            "STELLA_CONFIG" => Some("/e.toml".to_owned()),
            "XDG_STATE_HOME" => Some("relative".to_owned()),
            _ => None,
        };
        let places = Places::find(None, &look);
        assert_eq!((places.file.as_path(), places.said_by), (Path::new("/e.toml"), SaidBy::Environment));
        assert_eq!(places.state, Path::new("/h/.local/state/stella"), "a relative XDG folder is none");
        assert_eq!(Places::find(Some(Path::new("/f")), &look).said_by, SaidBy::Flag);
        let usual = Places::find(None, &|name| (name == "HOME").then(|| "/h".to_owned()));
        assert_eq!(usual.file, Path::new("/h/.config/stella/stella-tui.toml"));
    }

    #[test]
    fn a_theme_s_name_is_no_path() {
        let places = Places { file: PathBuf::from("/x/c.toml"), said_by: SaidBy::Default, state: PathBuf::new() };
        assert_eq!(places.theme("../../etc/passwd"), None);
    }
}
