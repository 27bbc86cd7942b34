//! Definitions and inventories from their folders: names and texts for the catalogue. Blocks.

use std::path::{Path, PathBuf};

use crate::remedy::definition::catalogue::{Catalogue, File};
use crate::remedy::definition::{Problem, shipped};
use crate::remedy::settings::Settings;

/// Most files of one folder: definitions are written by people.
const MOST_FILES: usize = 1_000;
/// Longest file that is read, in bytes: beyond that the parser refuses it anyway.
const LONGEST_FILE: u64 = 1 << 20;

/// A folder that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder, or a file in it.
    #[error("read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no folder of definitions.
    #[error("read {}: {what}", path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// Why.
        what: &'static str,
    },
}

/// Everything that the settings name, and what is wrong with it. What is wrong is left out.
///
/// # Errors
/// When a folder that the settings name cannot be read.
pub fn load(settings: &Settings) -> Result<(Catalogue, Vec<Problem>), LoadError> {
    let mut catalogue = Catalogue::default();
    let mut problems = Vec::new();
    if !settings.without_shipped {
        problems.extend(catalogue.add(&shipped::definitions(), &shipped::inventories()));
    }
    let read = |folder: Option<&PathBuf>| folder.map_or(Ok(Vec::new()), |folder| files(folder));
    let (definitions, inventories) = (read(settings.folder.as_ref())?, read(settings.inventories.as_ref())?);
    problems.extend(catalogue.add(&definitions, &inventories));
    Ok((catalogue, problems))
}

/// The `*.toml` files of a folder, by name. Hidden ones and folders are passed over.
///
/// # Errors
/// When the folder or one of its files cannot be read.
pub fn files(folder: &Path) -> Result<Vec<File>, LoadError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| LoadError::Unreadable { path, source }
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        if name.starts_with('.') || !is_toml {
            continue;
        }
        let kind = std::fs::metadata(&path).map_err(unreadable(&path))?;
        if !kind.is_file() {
            continue;
        }
        if kind.len() > LONGEST_FILE {
            return Err(LoadError::Unfit { path, what: "it has more than 1 MiB" });
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        found.push((name.to_owned(), text));
        if found.len() > MOST_FILES {
            return Err(LoadError::Unfit { path: folder.to_owned(), what: "it has more than 1000 files" });
        }
    }
    found.sort();
    Ok(found)
}
