//! What a server is started with: the values, the file they may stand in, and how the two meet.
//!
//! Flags win over the file, the file over the defaults. An unknown key is an error with a suggestion,
//! because a misspelled limit that is silently ignored is worse than no start. Reads no environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::clock::Clock;
use crate::demo;
use crate::documents::place::Place;
use crate::migrate::queries;
use crate::remedy::settings::{FixesSection, MigrationSection, NotifySection, Settings};
use crate::rules::{self, RuleFile};
use crate::toml_source::Problem;

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
    /// What is said of fixes; None: nothing, and there are none.
    pub remedy: Option<Settings>,
    /// How rules are set.
    pub rules: RuleFile,
    /// The file they are read from again when it changes; None: they stay so.
    pub watched: Option<PathBuf>,
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
        let remedy = Some(Settings::default());
        Self {
            listen,
            data: None,
            redaction: Redaction::Local,
            embedded,
            demo: None,
            remedy,
            rules: RuleFile::default(),
            watched: None,
            clock: Clock::system(),
        }
    }

    /// A server of its own: what stands in the file, and defaults.
    pub fn serve(file: &File) -> Self {
        Self {
            listen: file.listen.unwrap_or(DEFAULT_LISTEN),
            data: file.data.clone(),
            redaction: file.redaction(),
            embedded: None,
            demo: None,
            remedy: file.remedy.clone(),
            rules: file.rules.clone(),
            watched: file.path.clone(),
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
    /// What is said of fixes.
    pub fixes: Option<FixesSection>,
    /// Where to tell of what waits.
    pub notify: Option<NotifySection>,
    /// How documents are migrated.
    pub migration: Option<MigrationSection>,
    /// Where documents are: read by [`Place::read`], which tells every mistake with its line.
    pub documents: Option<toml::Value>,
    /// How much is borne, and whether the fixed rules are on: read by [`rules::read`].
    pub detection: Option<toml::Value>,
    /// How rules are set: read by the same.
    pub rule: Option<toml::Value>,
    /// What both mean.
    #[serde(skip)]
    pub remedy: Option<Settings>,
    /// What those of rules mean.
    #[serde(skip)]
    pub rules: RuleFile,
    /// Where it lies; None: there is none.
    #[serde(skip)]
    pub path: Option<PathBuf>,
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
    /// Values of it cannot be used.
    #[error("read the configuration: {}", lines(.0))]
    Problems(Vec<Problem>),
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
const KEYS: [&str; 42] = [
    "listen",
    "data",
    "redact",
    "redact.mode",
    "redact.remote_addr",
    "fixes",
    "fixes.folder",
    "fixes.inventories",
    "fixes.shipped",
    "fixes.people",
    "fixes.never_block",
    "fixes.documents",
    "fixes.base",
    "fixes.base.name",
    "fixes.base.url",
    "fixes.base.addresses",
    "fixes.base.header",
    "fixes.base.prefix",
    "fixes.base.secret_env",
    "fixes.base.secret_file",
    "fixes.program",
    "fixes.program.name",
    "fixes.program.path",
    "fixes.program.arguments",
    "fixes.program.environment",
    "notify",
    "notify.webhook",
    "notify.secret_env",
    "notify.secret_file",
    "documents",
    "detection",
    "rule",
    "migration",
    "migration.target",
    "migration.map",
    "migration.canary",
    "migration.soak_days",
    "migration.dual_read_base",
    "migration.dual_read_path",
    "migration.query",
    "migration.watch_minutes",
    "migration.watch_writers",
];
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
        Ok(Self { path: Some(path.to_owned()), ..Self::parse(&text, path)? })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is not TOML, or holds what cannot be used.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let malformed =
            |error: toml::de::Error| ConfigError::Malformed { path: path.to_owned(), what: error.to_string() };
        let mut unknown = Vec::new();
        let table = toml::Deserializer::parse(text).map_err(malformed)?;
        let mut file: Self =
            serde_ignored::deserialize(table, |key| unknown.push(plain_key(&key.to_string()))).map_err(malformed)?;
        if let Some(key) = unknown.into_iter().next() {
            return Err(ConfigError::UnknownKey { path: path.to_owned(), suggestion: suggest(&key), key });
        }
        let settings = Settings::read(file.fixes.as_ref(), file.notify.as_ref());
        let wrong = |what| ConfigError::Malformed { path: path.to_owned(), what };
        file.remedy = settings.map_err(wrong)?;
        if let Some(section) = &file.migration {
            let settings = file.remedy.take().unwrap_or_default();
            file.remedy = Some(settings.with_migration(section).map_err(wrong)?);
        }
        if let Some(place) = Place::read(&path.display().to_string(), text).map_err(ConfigError::Problems)? {
            let settings = file.remedy.get_or_insert_default();
            if settings.documents.replace(place).is_some() {
                return Err(wrong(
                    "`fixes.documents` and `[documents]` both say where documents are; keep one".to_owned(),
                ));
            }
        }
        let settings = file.fixes_or_default();
        let bases: Vec<&str> = settings.bases.iter().map(|base| base.name.as_str()).collect();
        let own = queries::read(&path.display().to_string(), text, &bases).map_err(ConfigError::Problems)?;
        if !own.is_empty() {
            file.remedy.get_or_insert_default().migration.queries = own;
        }
        file.rules = rules::read(&path.display().to_string(), text).map_err(ConfigError::Problems)?;
        Ok(file)
    }

    /// What is said of fixes, or what holds when nothing is.
    pub fn fixes_or_default(&self) -> Settings {
        self.remedy.clone().unwrap_or_default()
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

/// A key without the marks of optional values and the numbers of list entries.
fn plain_key(path: &str) -> String {
    let words = path.split('.').filter(|word| *word != "?" && word.parse::<usize>().is_err());
    words.collect::<Vec<_>>().join(".")
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
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
    fn what_is_said_of_fixes_is_taken_and_no_secret_stands_in_it() {
        let text = "[fixes]\npeople = 1\nnever_block = [\"192.0.2.0/24\"]\n[[fixes.base]]\nname = \"application\"\n\
                    url = \"http://127.0.0.1:9000/\"\nsecret_env = \"APP_TOKEN\"\n[[fixes.program]]\nname = \"operate\"\n\
                    path = \"/usr/local/bin/operate\"\n[notify]\nwebhook = \"https://hooks.example/x\"\n";
        let settings = Config::serve(&parse(text).unwrap()).remedy.unwrap();
        assert_eq!(settings.base("application").unwrap().url, "http://127.0.0.1:9000");
        assert!(settings.single_person(false, false) && settings.notify.is_some());
        assert!(Config::serve(&parse("").unwrap()).remedy.is_none());
    }

    #[test]
    fn fixes_that_cannot_be_used_as_written_are_errors_that_say_what_to_write() {
        for (text, wanted) in [
            ("[fixes]\nfoldr = \"x\"\n", "unknown key `fixes.foldr`; did you mean `fixes.folder`?"),
            (
                "[[fixes.base]]\nname = \"a\"\nurl = \"http://a\"\nsecret_evn = \"X\"\n",
                "did you mean `fixes.base.secret_env`?",
            ),
            ("[[fixes.base]]\nname = \"a\"\nurl = \"http://u@a\"\n", "`fixes.base` a: `url`"),
            ("[[fixes.program]]\nname = \"a\"\npath = \"bin/a\"\n", "`path` is absolute"),
            ("[fixes]\nnever_block = [\"x\"]\n", "`fixes.never_block`"),
            ("[fixes]\npeople = \"two\"\n", "\"one\", \"many\" or a number"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn documents_are_where_one_section_says_with_the_line_of_every_mistake() {
        let text = "[documents]\nkind = \"firestore\"\nproject = \"p\"\n[migration]\ntarget = \"prod\"\n";
        let settings = Config::serve(&parse(text).unwrap()).remedy.unwrap();
        assert!(matches!(&settings.documents, Some(Place::Firestore(place)) if place.project == "p"));
        assert_eq!(settings.migration.target, "prod");
        let old = Config::serve(&parse("[fixes]\ndocuments = \"/d\"\n").unwrap()).remedy.unwrap();
        assert_eq!(old.documents, Some(Place::Embedded(PathBuf::from("/d"))));
        for (text, wanted) in [
            (
                "[documents]\nkind = \"firestore\"\nprojct = \"p\"\n",
                "stella-server.toml:3: unknown key `documents.projct`",
            ),
            ("[fixes]\ndocuments = \"/d\"\n[documents]\nkind = \"embedded\"\nfolder = \"/e\"\n", "keep one"),
            ("[docments]\nkind = \"embedded\"\n", "did you mean `documents`?"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn the_applications_own_queries_go_to_bases_that_are_there_and_every_mistake_has_its_line() {
        let base = "[[fixes.base]]\nname = \"app\"\nurl = \"https://app.example\"\n";
        let query = "[[migration.query]]\nname = \"list\"\nbase = \"app\"\npath = \"/{userId}\"\ncount = \"/n\"\n";
        let settings = Config::serve(&parse(&format!("{base}[migration]\ntarget = \"prod\"\n{query}")).unwrap()).remedy;
        let migration = settings.unwrap().migration;
        assert_eq!((migration.target.as_str(), migration.queries.len()), ("prod", 1));
        for (text, wanted) in [
            (query.to_owned(), "stella-server.toml:3: `base` is `app`"),
            (format!("{base}{query}cuont = 1\n"), "stella-server.toml:9: unknown key `migration.query.cuont`"),
            (format!("{base}[[migration.qury]]\nname = \"x\"\n"), "did you mean `migration.query`?"),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn the_guide_names_every_key() {
        let guide = include_str!("../../docs/configuration.md");
        let is_table = |key: &str| KEYS.iter().any(|other| other.starts_with(&format!("{key}.")));
        for key in KEYS.into_iter().filter(|key| !is_table(key)) {
            // A row may name two of one table, and what is read elsewhere is told as a table.
            let (_, last) = key.rsplit_once('.').unwrap_or(("", key));
            let told = [format!("`{key}`"), format!(", `.{last}`"), format!("`[[{key}]]`"), format!("`{key}.")];
            assert!(told.iter().any(|told| guide.contains(told)), "{key}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error_with_its_place() {
        let error = parse("\nlisten = 3\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
