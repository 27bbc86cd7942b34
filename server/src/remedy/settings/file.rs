//! `[fixes]` and `[notify]` as they are written, and what they mean.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Base, MigrationSettings, People, Program, SecretHeader, SecretPlace, Settings, Webhook, read_base_url};
use crate::documents::place::Place;
use crate::remedy::parameter::Network;

/// Name of the header when nobody says.
const USUAL_HEADER: &str = "authorization";

/// `[fixes]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct FixesSection {
    /// As [`Settings::folder`].
    pub folder: Option<PathBuf>,
    /// As [`Settings::inventories`].
    pub inventories: Option<PathBuf>,
    /// Whether shipped definitions and inventories are there; absent: they are.
    pub shipped: Option<bool>,
    /// `one`, `many`, or the number 1.
    pub people: Option<PeopleWord>,
    /// Addresses and networks that no fix touches.
    #[serde(default)]
    pub never_block: Vec<String>,
    /// The folder of documents, in short for a `[documents]` with `kind = "embedded"`.
    pub documents: Option<PathBuf>,
    /// Addresses that may be called.
    #[serde(default)]
    pub base: Vec<BaseSection>,
    /// Programs that may be run.
    #[serde(default)]
    pub program: Vec<ProgramSection>,
}

/// `people = "one"`, `people = "many"` or `people = 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeopleWord(People);

impl<'de> Deserialize<'de> for PeopleWord {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl serde::de::Visitor<'_> for Word {
            type Value = PeopleWord;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"one\", \"many\" or a number of people from 1")
            }

            fn visit_i64<E: serde::de::Error>(self, people: i64) -> Result<PeopleWord, E> {
                match people {
                    1 => Ok(PeopleWord(People::One)),
                    2.. => Ok(PeopleWord(People::Many)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Signed(people), &self)),
                }
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<PeopleWord, E> {
                match word {
                    "one" => Ok(PeopleWord(People::One)),
                    "many" => Ok(PeopleWord(People::Many)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
                }
            }
        }
        deserializer.deserialize_any(Word)
    }
}

/// `[[fixes.base]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct BaseSection {
    /// Its name in definitions.
    pub name: String,
    /// Its address.
    pub url: String,
    /// What its host may resolve to.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Name of the header with the secret; absent: `authorization`.
    pub header: Option<String>,
    /// Stands before the secret; absent: `Bearer ` in `authorization`, else nothing.
    pub prefix: Option<String>,
    /// The variable with the secret.
    pub secret_env: Option<String>,
    /// The file with the secret.
    pub secret_file: Option<PathBuf>,
}

/// `[[fixes.program]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct ProgramSection {
    /// Its name in definitions.
    pub name: String,
    /// Absolute path.
    pub path: PathBuf,
    /// Arguments that come before those of the definition.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Names taken over from the server's environment.
    #[serde(default)]
    pub environment: Vec<String>,
}

/// `[notify]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct NotifySection {
    /// The whole address.
    pub webhook: String,
    /// The variable with the secret that signs.
    pub secret_env: Option<String>,
    /// The file with it.
    pub secret_file: Option<PathBuf>,
}

impl Settings {
    /// What both sections mean; None: neither is there.
    ///
    /// # Errors
    /// Which value cannot be used, and why.
    pub fn read(fixes: Option<&FixesSection>, notify: Option<&NotifySection>) -> Result<Option<Self>, String> {
        if fixes.is_none() && notify.is_none() {
            return Ok(None);
        }
        let notify = notify.map(read_webhook).transpose()?;
        let Some(section) = fixes else { return Ok(Some(Self { notify, ..Self::default() })) };
        let never_block = section.never_block.iter().map(|text| text.parse::<Network>());
        let never_block = never_block.collect::<Result<_, _>>().map_err(|why| format!("`fixes.never_block`: {why}"))?;
        let settings = Self {
            folder: section.folder.clone(),
            inventories: section.inventories.clone(),
            without_shipped: section.shipped == Some(false),
            bases: section.base.iter().map(read_base).collect::<Result<_, _>>()?,
            programs: section.program.iter().map(read_program).collect::<Result<_, _>>()?,
            people: section.people.map(|PeopleWord(people)| people),
            never_block,
            documents: section.documents.clone().map(Place::Embedded),
            migration: MigrationSettings::default(),
            notify,
        };
        settings.names_are_unique()?;
        Ok(Some(settings))
    }

    fn names_are_unique(&self) -> Result<(), String> {
        let bases = self.bases.iter().map(|base| ("base", &base.name));
        let programs = self.programs.iter().map(|program| ("program", &program.name));
        let mut seen = std::collections::BTreeSet::new();
        for (kind, name) in bases.chain(programs) {
            if !is_name(name) {
                let name = name.escape_default();
                return Err(format!("`fixes.{kind}.name` is `{name}`; want letters, digits, `-`, `_` and `.`"));
            }
            if !seen.insert((kind, name)) {
                return Err(format!("two `[[fixes.{kind}]]` have the name `{name}`"));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn read_base(section: &BaseSection) -> Result<Base, String> {
    let of = |why: String| format!("`fixes.base` {}: {why}", section.name.escape_default());
    let url = read_base_url(&section.url).map_err(|error| of(format!("`url`: {}", error.0)))?;
    let place = secret_place(section.secret_env.as_ref(), section.secret_file.as_ref()).map_err(of)?;
    let header = section.header.clone().unwrap_or_else(|| USUAL_HEADER.to_owned()).to_ascii_lowercase();
    if header.is_empty() || !header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(of("`header` is no name of a header".to_owned()));
    }
    let usual = if header == USUAL_HEADER { "Bearer " } else { "" };
    let prefix = section.prefix.clone().unwrap_or_else(|| usual.to_owned());
    if !prefix.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(of("`prefix` cannot stand in a header".to_owned()));
    }
    let secret = place.map(|place| SecretHeader { header, prefix, place });
    Ok(Base { name: section.name.clone(), url, addresses: section.addresses.clone(), secret })
}

fn secret_place(variable: Option<&String>, file: Option<&PathBuf>) -> Result<Option<SecretPlace>, String> {
    match (variable, file) {
        (Some(_), Some(_)) => Err("give `secret_env` or `secret_file`, not both".to_owned()),
        (Some(variable), None) => Ok(Some(SecretPlace::Variable(variable.clone()))),
        (None, Some(file)) => Ok(Some(SecretPlace::File(file.clone()))),
        (None, None) => Ok(None),
    }
}

fn read_program(section: &ProgramSection) -> Result<Program, String> {
    let of = |why: &str| format!("`fixes.program` {}: {why}", section.name.escape_default());
    if !section.path.is_absolute() {
        return Err(of("`path` is absolute: `/usr/local/bin/…`; no folder is searched"));
    }
    let variable =
        |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !section.environment.iter().all(variable) {
        return Err(of("`environment` lists names of variables, without values"));
    }
    Ok(Program {
        name: section.name.clone(),
        path: section.path.clone(),
        arguments: section.arguments.clone(),
        environment: section.environment.clone(),
    })
}

fn read_webhook(section: &NotifySection) -> Result<Webhook, String> {
    let plain = section.webhook.bytes().all(|byte| byte.is_ascii_graphic());
    let known = section.webhook.starts_with("https://") || section.webhook.starts_with("http://");
    if !plain || !known {
        return Err("`notify.webhook` is no address; want `https://…`".to_owned());
    }
    let secret = secret_place(section.secret_env.as_ref(), section.secret_file.as_ref());
    let secret = secret.map_err(|why| format!("`notify`: {why}"))?;
    Ok(Webhook { url: section.webhook.clone(), secret })
}
