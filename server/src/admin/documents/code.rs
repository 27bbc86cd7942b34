//! `stella-server documents search-code`: which ids of users stand in files of source, scripts and configuration.
//!
//! Every file is read, also hidden ones and those that version control leaves out: a `.env` is where such an id stands.
//! What is passed over is counted and named. One piece of one file is in memory, and the ids of the users.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{DirEntry, WalkBuilder};
use serde::Serialize;
use serde_json::json;

use super::words::{ascii, harmless};
use super::{CommandError, at, existing, read_map};
use crate::clock::Clock;
use crate::documents::place::Place;
use crate::documents::{Document, tour};
use crate::migrate::Roll;
use crate::migrate::code::{Reading, Sighting, Sought, Whose};
use crate::migrate::map::shipped;

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// In so many bytes at its beginning a binary file has a zero, as version control tells it.
const BEGINNING: usize = 8_000;
/// Paths that are named of what is passed over for one reason; those beyond are counted.
const NAMED: usize = 20;
/// Folders of version control: what stands there stands in the files, or did once.
const HISTORY: [&str; 4] = [".git", ".hg", ".svn", ".jj"];

/// How what is found is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line each.
    Text,
    /// One object.
    Json,
}

/// Why something was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// A pattern says so.
    Excluded,
    /// It is version control's.
    History,
    /// It is no text.
    Binary,
    /// What it leads to is searched where it stands, if there.
    Link,
    /// A pipe, a socket, a device.
    NoFile,
    /// The system does not let us.
    Unreadable,
    /// Words in it are longer than any id.
    LongWords,
}

/// What was passed over for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Passed {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub paths: Vec<PathBuf>,
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Searched {
    /// Files that were read.
    pub files: u64,
    /// Ids in them.
    pub ids: u64,
    /// Files with one.
    pub with_ids: u64,
    /// What was passed over.
    pub passed: BTreeMap<Why, Passed>,
}

impl Searched {
    /// True when everything was read, and held no id.
    pub fn is_clean(&self) -> bool {
        self.ids == 0 && !self.passed.contains_key(&Why::Unreadable)
    }

    fn pass(&mut self, why: Why, path: &Path) {
        let passed = self.passed.entry(why).or_default();
        passed.count += 1;
        if passed.paths.len() < NAMED {
            passed.paths.push(path.to_owned());
        }
    }

    /// In words, for people.
    pub fn words(&self) -> Vec<String> {
        let mut lines = vec![format!("{} ids in {} of {} files", self.ids, self.with_ids, self.files)];
        for (why, passed) in &self.passed {
            let paths: Vec<String> = passed.paths.iter().map(|path| harmless(&path.display().to_string())).collect();
            let more = if passed.count > paths.len() as u64 { ", …" } else { "" };
            lines.push(format!("passed over, {}: {} ({}{more})", why.words(), passed.count, paths.join(", ")));
        }
        lines
    }
}

impl Why {
    fn words(self) -> &'static str {
        match self {
            Self::Excluded => "as --exclude says",
            Self::History => "of version control",
            Self::Binary => "no text",
            Self::Link => "links",
            Self::NoFile => "no files",
            Self::Unreadable => "not to be read",
            Self::LongWords => "words longer than an id, in",
        }
    }
}

/// Who the users are, by the user documents.
///
/// # Errors
/// When there is no store, the map is wrong, or the store cannot be read.
pub async fn roll(place: &Place, map: Option<&Path>) -> Result<Roll, CommandError> {
    let map = map.map_or_else(|| shipped::application().map_err(CommandError::Map), read_map)?;
    let mut roll = Roll::default();
    let learn = |user: Document| roll.learn(&map.users, &user.key.id, &user.fields);
    match place {
        Place::Embedded(folder) => tour::one(&existing(folder)?, &map.users.collection, learn).await?,
        Place::Firestore(_) => {
            let documents = place.open(&Clock::system()).map_err(CommandError::Place)?;
            tour::one(&*documents, &map.users.collection, learn).await?;
        }
    }
    Ok(roll)
}

/// Searches files and folders for ids of these users and for old ones of nobody, and writes each as it is found. Blocks.
///
/// # Errors
/// When a pattern is none, one of the paths is not there, or `out` does not take it. A reader that has gone is none.
pub fn search(
    roll: &Roll,
    paths: &[PathBuf],
    exclude: &[String],
    (form, out): (Form, &mut dyn Write),
) -> Result<Searched, CommandError> {
    let mut patterns = GitignoreBuilder::new("");
    for pattern in exclude {
        let wrong = |why: ignore::Error| at("use the pattern", Path::new(pattern), io::Error::other(why.to_string()));
        patterns.add_line(None, pattern).map_err(wrong)?;
    }
    let patterns = patterns
        .build()
        .map_err(|why| at("use the patterns of", Path::new("--exclude"), io::Error::other(why.to_string())))?;
    let sought = Sought::new(roll);
    let mut search = Search { sought: &sought, patterns, form, out, searched: Searched::default() };
    let written = search.everything(paths);
    match written {
        Err(Stop::Output(why)) if why.kind() != ErrorKind::BrokenPipe => {
            return Err(at("write to", Path::new("stdout"), why));
        }
        Err(Stop::Missing(path, why)) => return Err(at("search", &path, why)),
        Ok(()) | Err(Stop::Output(_)) => {}
    }
    Ok(search.searched)
}

/// Why it does not go on.
enum Stop {
    Output(io::Error),
    Missing(PathBuf, io::Error),
}

struct Search<'a> {
    sought: &'a Sought<'a>,
    patterns: Gitignore,
    form: Form,
    out: &'a mut dyn Write,
    searched: Searched,
}

impl Search<'_> {
    fn everything(&mut self, paths: &[PathBuf]) -> Result<(), Stop> {
        for path in paths {
            path.symlink_metadata().map_err(|why| Stop::Missing(path.clone(), why))?;
        }
        if self.form == Form::Json {
            write!(self.out, "{{\"found\":[").map_err(Stop::Output)?;
        }
        for path in paths {
            self.below(path)?;
        }
        if self.form == Form::Json {
            let rest = ascii(&json!(self.searched).to_string());
            writeln!(self.out, "\n],\"searched\":{rest}}}").map_err(Stop::Output)?;
        }
        self.out.flush().map_err(Stop::Output)
    }

    fn below(&mut self, root: &Path) -> Result<(), Stop> {
        let mut walk = WalkBuilder::new(root);
        // Nothing is left out in silence: what is passed over is told here.
        walk.standard_filters(false).follow_links(false).sort_by_file_name(std::ffi::OsStr::cmp);
        let (passed, patterns) = (Arc::new(Mutex::new(Vec::new())), self.patterns.clone());
        let told = Arc::clone(&passed);
        walk.filter_entry(move |entry| {
            let why = left_out(&patterns, entry);
            if let Some(why) = why {
                told.lock().unwrap_or_else(PoisonError::into_inner).push((why, entry.path().to_owned()));
            }
            why.is_none()
        });
        for entry in walk.build() {
            match entry {
                Ok(entry) => self.entry(&entry)?,
                Err(why) => self.searched.pass(Why::Unreadable, &of(&why).unwrap_or_else(|| root.to_owned())),
            }
            self.left(&passed);
        }
        self.left(&passed);
        Ok(())
    }

    /// Takes over what the walk left out since it was asked last.
    fn left(&mut self, passed: &Mutex<Vec<(Why, PathBuf)>>) {
        for (why, path) in std::mem::take(&mut *passed.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.searched.pass(why, &path);
        }
    }

    fn entry(&mut self, entry: &DirEntry) -> Result<(), Stop> {
        let (path, kind) = (entry.path(), entry.file_type());
        match kind {
            Some(kind) if kind.is_dir() => {}
            Some(kind) if kind.is_symlink() => self.searched.pass(Why::Link, path),
            Some(kind) if kind.is_file() => return self.file(path),
            _ => self.searched.pass(Why::NoFile, path),
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), Stop> {
        let before = self.searched.ids;
        let read = File::open(path).map_err(|_| Halt::Read).and_then(|file| self.text(file, path));
        if self.searched.ids > before {
            self.searched.with_ids += 1;
        }
        match read {
            Ok(true) => self.searched.files += 1,
            Ok(false) => self.searched.pass(Why::Binary, path),
            Err(Halt::Read) => self.searched.pass(Why::Unreadable, path),
            Err(Halt::Write(why)) => return Err(Stop::Output(why)),
        }
        Ok(())
    }

    /// False: it is no text, as its beginning says.
    fn text(&mut self, mut file: File, path: &Path) -> Result<bool, Halt> {
        let (mut piece, mut reading) = (vec![0; PIECE], Reading::new(self.sought));
        let (mut is_first, mut found) = (true, Vec::new());
        loop {
            let length = match file.read(&mut piece) {
                Err(why) if why.kind() == ErrorKind::Interrupted => continue,
                read => read.map_err(|_| Halt::Read)?,
            };
            if std::mem::take(&mut is_first) && piece[..length.min(BEGINNING)].contains(&0) {
                return Ok(false);
            }
            if length == 0 {
                reading.end(&mut |one| found.push(one));
            } else {
                reading.feed(&piece[..length], &mut |one| found.push(one));
            }
            for one in found.drain(..) {
                self.tell(path, &one).map_err(Halt::Write)?;
            }
            if length == 0 {
                break;
            }
        }
        if reading.passed_over > 0 {
            self.searched.pass(Why::LongWords, path);
        }
        Ok(true)
    }

    fn tell(&mut self, path: &Path, one: &Sighting) -> io::Result<()> {
        self.searched.ids += 1;
        let Sighting { line, column, id, form, whose } = one;
        if self.form == Form::Text {
            let (path, id) = (harmless(&path.display().to_string()), harmless(id));
            let whose = match whose {
                Whose::User(users) => users.iter().map(|user| harmless(user)).collect::<Vec<_>>().join(", "),
                Whose::Several => "could be several people's".to_owned(),
                Whose::Nobody => "of no user".to_owned(),
            };
            return writeln!(self.out, "{path}:{line}:{column}: {form} {id}: {whose}");
        }
        let users: &[String] = if let Whose::User(users) = whose { users } else { &[] };
        let object = json!({
            "path": path.display().to_string(), "line": line, "column": column, "id": id, "form": form,
            "users": users, "isSeveralPeoples": *whose == Whose::Several,
        });
        let comma = if self.searched.ids == 1 { "" } else { "," };
        write!(self.out, "{comma}\n{}", ascii(&object.to_string()))
    }
}

/// Why a file is not read to its end: the system does not let us, or nobody takes what is found.
enum Halt {
    Read,
    Write(io::Error),
}

fn left_out(patterns: &Gitignore, entry: &DirEntry) -> Option<Why> {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    // What was named on the command line is searched in any case.
    if entry.depth() == 0 {
        return None;
    }
    if patterns.matched(entry.path(), is_folder).is_ignore() {
        return Some(Why::Excluded);
    }
    let is_history = is_folder && HISTORY.iter().any(|name| entry.file_name() == *name);
    is_history.then_some(Why::History)
}

/// Which path an error of the walk is of.
fn of(error: &ignore::Error) -> Option<PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.clone()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => of(err),
        ignore::Error::Partial(several) => several.first().and_then(of),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::admin::documents::import;

    const GOOGLE: &str = "100000000000000000001";

    /// A store with one user, and a folder with files.
    fn scene(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Roll) {
        let folder = tempfile::tempdir().unwrap();
        let line = json!({"path": "users/usr_a1b2c3d4e5f6g7h8i9j0",
                          "fields": {"email": "ana@example.com", "googleUserId": GOOGLE}});
        let lines = folder.path().join("lines");
        std::fs::write(&lines, format!("{line}\n")).unwrap();
        let store = tempfile::tempdir().unwrap();
        import(store.path(), &lines).unwrap();
        std::fs::remove_file(&lines).unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let roll = runtime.block_on(roll(&Place::Embedded(store.path().to_owned()), None)).unwrap();
        (folder, roll)
    }

    fn searched(folder: &Path, roll: &Roll, exclude: &[&str], form: Form) -> (Searched, String) {
        let (mut out, exclude) = (Vec::new(), exclude.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        let found = search(roll, &[folder.to_owned()], &exclude, (form, &mut out)).unwrap();
        (found, String::from_utf8(out).unwrap().replace(&format!("{}/", folder.display()), ""))
    }

    #[test]
    fn ids_in_files_are_told_with_their_place_their_form_and_whose_they_are() {
        let (folder, roll) = scene(&[
            (".env", b"OWNER=ana_example_com\n"),
            (".gitignore", b".env\n"),
            ("src/a.ts", format!("// one\n  if (id === '{GOOGLE}') {{}}\n").as_bytes()),
            ("src/b.sql", b"select '145346981684696626088';"),
            ("src/clean.ts", b"get_user_name(system)"),
        ]);
        let (found, told) = searched(folder.path(), &roll, &[], Form::Text);
        let user = "usr_a1b2c3d4e5f6g7h8i9j0";
        let want = [
            format!(".env:1:7: A email-derived ana_example_com: {user}"),
            format!("src/a.ts:2:15: B numeric {GOOGLE}: {user}"),
            "src/b.sql:1:9: B numeric 145346981684696626088: of no user".to_owned(),
        ];
        assert_eq!(told.lines().collect::<Vec<_>>(), want);
        assert_eq!((found.files, found.ids, found.with_ids, found.is_clean()), (5, 3, 3, false));
        let (_, told) = searched(folder.path(), &roll, &[], Form::Json);
        let object: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(object["found"][1]["users"], json!([user]));
        assert_eq!((&object["found"][2]["form"], &object["searched"]["files"]), (&json!("numeric"), &json!(5)));
    }

    #[test]
    fn whatever_is_passed_over_is_told_and_what_could_not_be_read_is_not_clean() {
        let (folder, roll) = scene(&[
            (".git/config", b"ana_example_com"),
            ("image.png", b"\x89PNG\0ana_example_com"),
            ("node_modules/x/y.js", b"ana_example_com"),
            ("long.min.js", &b"x".repeat(100_000)),
        ]);
        symlink(folder.path().join("long.min.js"), folder.path().join("again.js")).unwrap();
        let (found, told) = searched(folder.path(), &roll, &["node_modules"], Form::Text);
        let count = |why| found.passed.get(&why).map(|passed| passed.count);
        let whys = [Why::Excluded, Why::History, Why::Binary, Why::Link, Why::LongWords, Why::Unreadable];
        assert_eq!(whys.map(count), [Some(1), Some(1), Some(1), Some(1), Some(1), None], "{:?}", found.words());
        assert_eq!((told.as_str(), found.is_clean()), ("", true));
        let mut unread = found.clone();
        unread.pass(Why::Unreadable, Path::new("x"));
        assert!(!unread.is_clean());
        let missing = search(&roll, &[folder.path().join("no")], &[], (Form::Text, &mut Vec::new()));
        assert!(missing.unwrap_err().to_string().starts_with("search "));
    }
}
