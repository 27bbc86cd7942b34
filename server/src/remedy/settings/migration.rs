//! `[migration]` as it is written, and what it means. It says how the documents of `[fixes]` are migrated.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use stella_protocol::migration::Decided;

use super::Settings;
use crate::documents::place::Place;
use crate::migrate::queries::Query;

/// Users in the canary, when nobody says.
const CANARY: u32 = 3;
/// Days without a use of an old id, when nobody says.
const SOAK_DAYS: u32 = 7;
/// Most minutes from one walk of the watch to the next: who looks less often learns of a loss from its owner.
const LONGEST_WATCH: u32 = 7 * 24 * 60;
const DAY_MS: i64 = 86_400_000;
/// What people type to approve, when nobody says.
const TARGET: &str = "documents";

/// How documents are migrated.
#[derive(Debug, Clone, PartialEq)]
pub struct MigrationSettings {
    /// The store, as a person types it to approve.
    pub target: String,
    /// The data map; None: the shipped one.
    pub map: Option<PathBuf>,
    /// Users in the canary.
    pub canary: u32,
    /// How long nobody may use an old id before a migration is complete, in milliseconds.
    pub soak_ms: i64,
    /// Asks the application whether it reads both ids; None: people state it.
    pub dual_read: Option<DualReadProbe>,
    /// The application's own queries: timed before and after, and asked of the canary's users.
    pub queries: Vec<Query>,
    /// How the documents are watched.
    pub watch: WatchSettings,
    /// Questions that are decided already, by their names: of a world that comes with its answers.
    pub given: BTreeMap<String, Decided>,
}

impl Default for MigrationSettings {
    fn default() -> Self {
        Self {
            target: TARGET.to_owned(),
            map: None,
            canary: CANARY,
            soak_ms: i64::from(SOAK_DAYS) * DAY_MS,
            dual_read: None,
            queries: Vec::new(),
            watch: WatchSettings::default(),
            given: BTreeMap::new(),
        }
    }
}

/// What the settings say of the watch over the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchSettings {
    /// From one walk to the next.
    pub every: WatchEvery,
    /// The application's writers know new ids alone: where no migration was, a new document with an old one is told.
    pub writers: bool,
}

/// How often the watch walks over all documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WatchEvery {
    /// As what a walk costs allows.
    #[default]
    Usual,
    /// So often.
    Every(Duration),
    /// Where no migration was, never.
    AfterMigrations,
}

/// From the end of one walk of the watch to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// After a migration's copy.
    pub after: Duration,
    /// Where no migration was; None: not at all.
    pub standing: Option<Duration>,
}

impl Watch {
    /// Of documents that cost nothing to read: who lost everything is told of within the hour.
    const FREE: Self = Self { after: Duration::from_mins(5), standing: Some(Duration::from_hours(1)) };
    /// Of documents whose reading is billed: only where somebody has to look, and no oftener than must be.
    const BILLED: Self = Self { after: Duration::from_hours(1), standing: None };
}

/// Where the application says whether it reads both ids: `{"readsBothIds": true}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DualReadProbe {
    /// Name of the base.
    pub base: String,
    /// The whole address.
    pub url: String,
}

/// `[migration]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct MigrationSection {
    /// As [`MigrationSettings::target`].
    pub target: Option<String>,
    /// As [`MigrationSettings::map`].
    pub map: Option<PathBuf>,
    /// As [`MigrationSettings::canary`].
    pub canary: Option<u32>,
    /// Days without a use of an old id before a migration is complete.
    pub soak_days: Option<u32>,
    /// Name of the base that is asked whether the application reads both ids.
    pub dual_read_base: Option<String>,
    /// Which path of it.
    pub dual_read_path: Option<String>,
    /// Read by [`crate::migrate::queries::read`], which tells every mistake with its line.
    pub query: Option<toml::Value>,
    /// Minutes from one walk over all documents to the next.
    pub watch_minutes: Option<u32>,
    /// As [`WatchSettings::writers`].
    pub watch_writers: Option<bool>,
}

impl Settings {
    /// Takes in how documents are migrated.
    ///
    /// # Errors
    /// Which value cannot be used, and why.
    pub fn with_migration(mut self, section: &MigrationSection) -> Result<Self, String> {
        let usual = MigrationSettings::default();
        let target = section.target.clone().unwrap_or_else(|| usual.target.clone());
        let typed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if target.is_empty() || target.len() > 64 || !target.chars().all(typed) {
            return Err("`migration.target` is typed by people: 1 to 64 letters, digits, `-`, `_` and `.`".to_owned());
        }
        let canary = section.canary.unwrap_or(usual.canary);
        if canary == 0 {
            return Err("`migration.canary` is a number of users, at least 1".to_owned());
        }
        let soak_ms = section.soak_days.map_or(usual.soak_ms, |days| i64::from(days) * DAY_MS);
        let dual_read = self.probe(section)?;
        let watch = watch(section)?;
        if watch.writers && watch.every == WatchEvery::Usual && self.usual_watch().standing.is_none() {
            return Err(
                "`migration.watch_writers` needs `migration.watch_minutes` here: each walk is billed".to_owned()
            );
        }
        let map = section.map.clone();
        self.migration = MigrationSettings { target, map, canary, soak_ms, dual_read, watch, ..usual };
        Ok(self)
    }

    /// How often the watch walks.
    pub fn watch(&self) -> Watch {
        let usual = self.usual_watch();
        match self.migration.watch.every {
            WatchEvery::Usual => usual,
            WatchEvery::Every(every) => Watch { after: every, standing: Some(every) },
            WatchEvery::AfterMigrations => Watch { standing: None, ..usual },
        }
    }

    fn usual_watch(&self) -> Watch {
        if matches!(self.documents, Some(Place::Firestore(_))) { Watch::BILLED } else { Watch::FREE }
    }

    fn probe(&self, section: &MigrationSection) -> Result<Option<DualReadProbe>, String> {
        let (base, path) = match (&section.dual_read_base, &section.dual_read_path) {
            (None, None) => return Ok(None),
            (Some(base), Some(path)) => (base, path),
            _ => return Err("`migration.dual_read_base` and `migration.dual_read_path` go together".to_owned()),
        };
        let found = self.base(base);
        let found = found.ok_or("`migration.dual_read_base` names no `[[fixes.base]]`".to_owned())?;
        if !path.starts_with('/') {
            return Err("`migration.dual_read_path` begins with a slash".to_owned());
        }
        Ok(Some(DualReadProbe { base: base.clone(), url: format!("{}{path}", found.url) }))
    }
}

fn watch(section: &MigrationSection) -> Result<WatchSettings, String> {
    let every = match section.watch_minutes {
        None => WatchEvery::Usual,
        Some(minutes @ 1..=LONGEST_WATCH) => WatchEvery::Every(Duration::from_mins(minutes.into())),
        Some(_) => return Err(format!("`migration.watch_minutes` is 1 to {LONGEST_WATCH}, which is a week")),
    };
    Ok(WatchSettings { every, writers: section.watch_writers.unwrap_or_default() })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::documents::firestore;
    use crate::remedy::settings::Base;

    fn a_firestore() -> firestore::Settings {
        let credentials = firestore::Credentials::Found;
        firestore::Settings { project: "p".into(), database: "d".into(), url: "https://f.example".into(), credentials }
    }

    fn settings() -> Settings {
        let base = Base { name: "app".into(), url: "https://app.example".into(), addresses: vec![], secret: None };
        Settings { bases: vec![base], ..Settings::default() }
    }

    #[test]
    fn what_is_not_said_is_as_usual_and_the_probe_is_a_path_of_a_base() {
        let section = MigrationSection {
            soak_days: Some(1),
            dual_read_base: Some("app".into()),
            dual_read_path: Some("/both".into()),
            ..MigrationSection::default()
        };
        let read = settings().with_migration(&section).unwrap().migration;
        assert_eq!((read.target.as_str(), read.canary, read.soak_ms), ("documents", CANARY, DAY_MS));
        assert_eq!(read.dual_read.unwrap().url, "https://app.example/both");
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_name() {
        let refused = |section: MigrationSection| settings().with_migration(&section).unwrap_err();
        let base = MigrationSection { dual_read_base: Some("app".into()), ..MigrationSection::default() };
        assert!(refused(base).contains("dual_read_path"));
        let none = MigrationSection {
            dual_read_base: Some("other".into()),
            dual_read_path: Some("/x".into()),
            ..MigrationSection::default()
        };
        assert!(refused(none).contains("dual_read_base"));
        assert!(refused(MigrationSection { canary: Some(0), ..MigrationSection::default() }).contains("canary"));
        let target = MigrationSection { target: Some("a b".into()), ..MigrationSection::default() };
        assert!(refused(target).contains("target"));
    }

    #[test]
    fn a_walk_that_is_billed_is_asked_for_and_one_that_is_not_is_hourly() {
        let firestore = || Settings { documents: Some(Place::Firestore(a_firestore())), ..settings() };
        let said = |settings: Settings, minutes, writers| {
            let section =
                MigrationSection { watch_minutes: minutes, watch_writers: writers, ..MigrationSection::default() };
            settings.with_migration(&section).map(|settings| settings.watch())
        };
        assert_eq!(said(settings(), None, None), Ok(Watch::FREE));
        assert_eq!(said(firestore(), None, None), Ok(Watch::BILLED));
        assert_eq!(firestore().watch(), Watch::BILLED, "nor without a word on migrations");
        assert_eq!(Watch::BILLED.standing, None);
        let often = Watch { after: Duration::from_mins(20), standing: Some(Duration::from_mins(20)) };
        assert_eq!(said(firestore(), Some(20), Some(true)), Ok(often));
        assert!(said(firestore(), None, Some(true)).unwrap_err().contains("billed"));
        assert!(said(settings(), Some(0), None).unwrap_err().contains("watch_minutes"));
        assert!(said(settings(), Some(LONGEST_WATCH + 1), None).unwrap_err().contains("watch_minutes"));
    }
}
