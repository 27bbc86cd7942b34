//! `stella-server documents import|export|scan|search-code`: whole worlds of documents in and out of the embedded
//! store, and what the ids of users in it look like.
//!
//! A scan writes nothing; it reads the embedded store at one moment, another one page by page. A server may run
//! meanwhile.

pub mod code;
mod words;

pub use words::{harmless, json, words};

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::documents::embedded::{Embedded, FILE, LinesError, OpenError};
use crate::documents::place::{self, Place};
use crate::documents::{Document, Documents, DocumentsError, tour};
use crate::migrate::map::{DataMap, shipped};
use crate::migrate::{Report, Roll, Survey};
use crate::toml_source::Problem;

/// Stands for stdin or stdout.
pub const STREAM: &str = "-";
/// Longest data map that is read, in bytes.
const MAP_BYTES: u64 = 4 * 1024 * 1024;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is nothing to look at.
    #[error("find documents: there is no {FILE} in {}", .0.display())]
    NoStore(PathBuf),
    /// The store cannot be opened.
    #[error("open the documents")]
    Open(#[source] OpenError),
    /// The store that the configuration names cannot be opened.
    #[error("open the documents")]
    Place(#[source] place::OpenError),
    /// The store did not do it.
    #[error(transparent)]
    Documents(#[from] DocumentsError),
    /// A file cannot be opened, read or made.
    #[error("{doing} {}", .path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file's lines cannot be read in or written out.
    #[error("move the documents of {}", .path.display())]
    Lines {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: LinesError,
    },
    /// The data map cannot be used.
    #[error("use the data map: {} problems", .0.len())]
    Map(Vec<Problem>),
}

/// Takes in the lines of a file as new documents, all of them or none; makes the store when there is
/// none. How many. Blocks.
///
/// # Errors
/// Which line is wrong, or what the file or the store said.
pub fn import(folder: &Path, file: &Path) -> Result<u64, CommandError> {
    let store = Embedded::open(folder, Clock::system()).map_err(CommandError::Open)?;
    let taken = if file == Path::new(STREAM) {
        store.import(io::stdin().lock())
    } else {
        store.import(BufReader::new(File::open(file).map_err(|source| at("open", file, source))?))
    };
    taken.map_err(|source| CommandError::Lines { path: file.to_owned(), source })
}

/// Writes every document into a new file, as a line. How many. Blocks.
///
/// # Errors
/// When the file is there already, or what it or the store said.
pub fn export(folder: &Path, file: &Path) -> Result<u64, CommandError> {
    let store = existing(folder)?;
    let lines = |source| CommandError::Lines { path: file.to_owned(), source };
    if file == Path::new(STREAM) {
        return store.export(BufWriter::new(io::stdout().lock())).map_err(lines);
    }
    let mut new = OpenOptions::new().write(true).create_new(true).open(file).map_err(|why| at("make", file, why))?;
    let written = store.export(BufWriter::new(&mut new)).map_err(lines);
    let kept = written.and_then(|written| {
        new.flush().and_then(|()| new.sync_all()).map_err(|why| at("write", file, why)).map(|()| written)
    });
    if kept.is_err() {
        // A part of a world looks like a whole one.
        std::fs::remove_file(file).map_err(|why| at("remove the unfinished", file, why))?;
    }
    kept
}

/// Looks at every document, by a map of one's own or the shipped one. Blocks.
///
/// # Errors
/// When there is no store, the map is wrong, or the store cannot be read.
pub fn scan(folder: &Path, map: Option<&Path>) -> Result<Report, CommandError> {
    let map = map.map_or_else(|| shipped::application().map_err(CommandError::Map), read_map)?;
    survey(&existing(folder)?, &map)
}

/// The same of the documents that a configuration names, whichever store has them.
///
/// # Errors
/// When the store cannot be opened or read, or the map is wrong.
pub async fn scan_place(place: &Place, map: Option<&Path>) -> Result<Report, CommandError> {
    match place {
        Place::Embedded(folder) => scan(folder, map),
        Place::Firestore(_) => {
            let map = map.map_or_else(|| shipped::application().map_err(CommandError::Map), read_map)?;
            let documents = place.open(&Clock::system()).map_err(CommandError::Place)?;
            Ok(survey_of(&*documents, &map).await?)
        }
    }
}

/// First the users, then everything.
pub(crate) async fn survey_of(documents: &dyn Documents, map: &DataMap) -> Result<Report, DocumentsError> {
    let mut roll = Roll::default();
    let learn = |user: Document| roll.learn(&map.users, &user.key.id, &user.fields);
    tour::one(documents, &map.users.collection, learn).await?;
    let mut survey = Survey::new(map, &roll);
    tour::everything(documents, |document| survey.take(&document)).await?;
    Ok(survey.report())
}

fn read_map(file: &Path) -> Result<DataMap, CommandError> {
    use io::Read;
    let mut text = String::new();
    let opened = File::open(file).map_err(|why| at("open", file, why))?;
    opened.take(MAP_BYTES + 1).read_to_string(&mut text).map_err(|why| at("read", file, why))?;
    if text.len() as u64 > MAP_BYTES {
        return Err(at("read", file, io::Error::other(format!("a data map has at most {MAP_BYTES} bytes"))));
    }
    DataMap::parse(&file.display().to_string(), &text).map_err(CommandError::Map)
}

/// First the users, then everything, both of one moment.
fn survey(store: &Embedded, map: &DataMap) -> Result<Report, CommandError> {
    store.at_one_moment(|moment| {
        let mut roll = Roll::default();
        moment.each(Some(&map.users.collection), |user: Document| {
            roll.learn(&map.users, &user.key.id, &user.fields);
            Ok::<(), CommandError>(())
        })?;
        let mut survey = Survey::new(map, &roll);
        moment.each(None, |document| {
            survey.take(&document);
            Ok::<(), CommandError>(())
        })?;
        Ok(survey.report())
    })
}

fn existing(folder: &Path) -> Result<Embedded, CommandError> {
    if !folder.join(FILE).is_file() {
        return Err(CommandError::NoStore(folder.to_owned()));
    }
    Embedded::open(folder, Clock::system()).map_err(CommandError::Open)
}

fn at(doing: &'static str, path: &Path, source: io::Error) -> CommandError {
    CommandError::File { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
