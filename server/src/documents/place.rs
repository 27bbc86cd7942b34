//! Where the application's documents are: `[documents]` of the configuration, and the store that it opens.
//!
//! Every mistake of the section is told at once, with file, line and what to write. Nothing is opened before the
//! whole of it is right, and no secret stands in it.

use std::path::PathBuf;
use std::sync::Arc;

use super::Documents;
use super::embedded::{self, Embedded};
use super::firestore::{self, Credentials, Firestore};
use crate::base_url::read_base_url;
use crate::clock::Clock;
use crate::secret_place::SecretPlace;
use crate::toml_source::{Problem, Section, Source, shown};

/// The name of the section.
const SECTION: &str = "documents";
/// Longest name of a project or a database.
const NAME: usize = 100;

/// Where documents are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this folder (`documents.db`).
    Embedded(PathBuf),
    /// In a database of Cloud Firestore.
    Firestore(firestore::Settings),
}

/// Why they cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The embedded store does not open.
    #[error(transparent)]
    Embedded(#[from] embedded::OpenError),
    /// What leads to Firestore cannot be used.
    #[error(transparent)]
    Firestore(#[from] firestore::OpenError),
}

impl Place {
    /// Opens the store. A Firestore is not asked anything yet. Blocks.
    ///
    /// # Errors
    /// When a file, a key or an address cannot be used.
    pub fn open(&self, clock: &Clock) -> Result<Arc<dyn Documents>, OpenError> {
        Ok(match self {
            Self::Embedded(folder) => Arc::new(Embedded::open(folder, clock.clone())?),
            Self::Firestore(settings) => Arc::new(Firestore::open(settings, clock)?),
        })
    }

    /// What the section says; None: it is not there.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(file: &str, text: &str) -> Result<Option<Self>, Vec<Problem>> {
        let source = Source::new(file, text);
        let place = source.parse().and_then(|table| {
            let section = Section::root(&source, &table).section(SECTION)?;
            let place = place(&section);
            section.finish();
            place
        });
        if source.is_clean() { Ok(place) } else { Err(source.into_problems()) }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Embedded,
    Firestore,
}

fn place(section: &Section<'_>) -> Option<Place> {
    match section.need_word("kind", &[("embedded", Kind::Embedded), ("firestore", Kind::Firestore)])?.value {
        Kind::Embedded => {
            let folder = section.need_text("folder", "the folder of documents.db")?;
            Some(Place::Embedded(PathBuf::from(folder.value)))
        }
        Kind::Firestore => firestore(section).map(Place::Firestore),
    }
}

fn firestore(section: &Section<'_>) -> Option<firestore::Settings> {
    let project = name(section, "project", section.need_text("project", "the id of the project"));
    let database = if section.has("database") {
        name(section, "database", section.need_text("database", "the id of the database"))
    } else {
        Some(firestore::DATABASE.to_owned())
    };
    let url = match section.text("url") {
        Some(url) => encrypted(section, url.value, url.at),
        None => Some(firestore::SERVICE.to_owned()),
    };
    let credentials = credentials(section);
    Some(firestore::Settings { project: project?, database: database?, url: url?, credentials: credentials? })
}

fn name(section: &Section<'_>, key: &str, text: Option<crate::toml_source::Placed<&str>>) -> Option<String> {
    let text = text?;
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte);
    let usual = text.value == firestore::DATABASE && key == "database";
    if usual || (text.value.len() <= NAME && text.value.bytes().all(letter) && !text.value.starts_with('.')) {
        return Some(text.value.to_owned());
    }
    let want = "want small letters, digits and `-`, as the console of the cloud shows it";
    section.problem(text.at, format!("`{SECTION}.{key}` is `{}`; {want}", shown(text.value)));
    None
}

fn encrypted(section: &Section<'_>, url: &str, at: usize) -> Option<String> {
    match read_base_url(url) {
        Ok(url) if url.starts_with("https://") => Some(url),
        Ok(_) => {
            section.problem(at, format!("`{SECTION}.url` is not encrypted; want `https://…` (an emulator is named by FIRESTORE_EMULATOR_HOST in the environment)"));
            None
        }
        Err(error) => {
            section.problem(at, format!("`{SECTION}.url` is `{}`: {}", shown(url), error.0));
            None
        }
    }
}

fn credentials(section: &Section<'_>) -> Option<Credentials> {
    let ways = [section.text("credentials"), section.text("token_env"), section.text("token_file")];
    if let Some(second) = ways.iter().flatten().nth(1) {
        let keys = "`documents.credentials`, `documents.token_env` and `documents.token_file`";
        section.problem(second.at, format!("{keys} are three ways to one thing; give one of them"));
        return None;
    }
    let [key_file, variable, token_file] = ways;
    if let Some(empty) = ways.iter().flatten().find(|way| way.value.is_empty()) {
        section.problem(empty.at, "it is empty; name a file, or a variable of the environment");
        return None;
    }
    Some(match (key_file, variable, token_file) {
        (Some(file), ..) => Credentials::File(PathBuf::from(file.value)),
        (_, Some(variable), _) => Credentials::Token(SecretPlace::Variable(variable.value.to_owned())),
        (_, _, Some(file)) => Credentials::Token(SecretPlace::File(PathBuf::from(file.value))),
        _ => Credentials::Found,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Place>, String> {
        let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        Place::read("s.toml", text).map_err(told)
    }

    #[test]
    fn both_kinds_are_read_and_what_is_not_said_is_as_usual() {
        assert_eq!(read("listen = \"127.0.0.1:0\"\n"), Ok(None));
        let embedded = read("[documents]\nkind = \"embedded\"\nfolder = \"/d\"\n").unwrap();
        assert_eq!(embedded, Some(Place::Embedded(PathBuf::from("/d"))));
        let Some(Place::Firestore(settings)) = read("[documents]\nkind = \"firestore\"\nproject = \"p-1\"\n").unwrap()
        else {
            unreachable!("it is a Firestore")
        };
        assert_eq!((settings.project.as_str(), settings.database.as_str()), ("p-1", "(default)"));
        assert_eq!((settings.url.as_str(), settings.credentials), (firestore::SERVICE, Credentials::Found));
        let all = "[documents]\nkind = \"firestore\"\nproject = \"p\"\ndatabase = \"d\"\nurl = \"https://private.example/\"\n\
                   credentials = \"/k.json\"\n";
        let Some(Place::Firestore(settings)) = read(all).unwrap() else { unreachable!("it is a Firestore") };
        assert_eq!((settings.database.as_str(), settings.url.as_str()), ("d", "https://private.example"));
        assert_eq!(settings.credentials, Credentials::File(PathBuf::from("/k.json")));
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_what_to_write() {
        for (text, wanted) in [
            ("[documents]\n", "s.toml:1: `documents.kind` is missing; want one of embedded, firestore"),
            (
                "[documents]\nkind = \"firestor\"\n",
                "s.toml:2: `documents.kind` is `firestor`; did you mean `firestore`?",
            ),
            ("[documents]\nkind = \"firestore\"\n", "`documents.project` is missing; want the id of the project"),
            (
                "[documents]\nkind = \"firestore\"\nproject = \"a/b\"\n",
                "s.toml:3: `documents.project` is `a/b`; want small",
            ),
            (
                "[documents]\nkind = \"firestore\"\nproject = \"p\"\nurl = \"http://x.example\"\n",
                "s.toml:4: `documents.url` is not encrypted",
            ),
            (
                "[documents]\nkind = \"firestore\"\nproject = \"p\"\ncredentails = \"k\"\n",
                "s.toml:4: unknown key `documents.credentails`; did you mean `credentials`?",
            ),
            (
                "[documents]\nkind = \"firestore\"\nproject = \"p\"\ncredentials = \"k\"\ntoken_env = \"T\"\n",
                "s.toml:5: `documents.credentials`, `documents.token_env`",
            ),
            ("[documents]\nkind = \"firestore\"\nproject = \"p\"\ntoken_env = \"\"\n", "s.toml:4: it is empty"),
            ("[documents]\nkind = \"embedded\"\nfolder = \"/d\"\nproject = \"p\"\n", "unknown key `documents.project`"),
            ("documents = \"/d\"\n", "s.toml:1: `documents` is a string; want a table, `[documents]`"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(wanted), "{text}: {told}");
        }
        let two = read("[documents]\nkind = \"firestore\"\nproject = 7\ndatabase = \"D B\"\n").unwrap_err();
        assert_eq!(two.lines().count(), 2, "{two}");
    }
}
