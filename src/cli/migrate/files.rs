//! What `migrate report` writes into files beside the report: a letter for each person who could not see everything,
//! and the table of old and new ids for what is not in the documents.
//!
//! Nothing here sends anything. Files are new, and for the eyes of their owner alone: they name people.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use stella_protocol::migration::{MappingPage, MappingRow, Report, UserCheck, UserPlace};
use stella_protocol::{Migration, MigrationStatus};

use super::{Desk, Failure};
use crate::cli::refused::Asked;
use crate::cli::words::{clean, moment};
use crate::client::migrations::Part;

/// Only the owner may enter.
const OWNER_ONLY_FOLDER: u32 = 0o700;
/// Only the owner may read and write.
const OWNER_ONLY_FILE: u32 = 0o600;
/// Longest template, in bytes: a letter is no book.
const TEMPLATE_BYTES: u64 = 64 * 1024;
/// Rows of a mapping that are asked for at once.
const PAGE: u32 = 100;

/// A letter, when nobody wrote a better one.
const TEMPLATE: &str = "\
To: {to}
Subject: {application}: what you see of your data

Hello,

some of what is yours was kept under another id of yours, so you did not see all of it:

{before}

{state}

{now}

Nothing of it was deleted. If something of yours is missing from this list, please sign out and in again; if it is
missing then, answer this letter.

({migration}, {user})
";

/// What stands between braces in a template.
const PLACES: [&str; 7] = ["to", "user", "application", "before", "state", "now", "migration"];

/// Writes a letter for each person who did not see, or does not see, what they must: how many, and how many people
/// had nothing to be told.
pub(super) fn letters(folder: &Path, template: Option<&Path>, report: &Report) -> Result<(usize, usize), Failure> {
    let template = template.map_or_else(|| Ok(TEMPLATE.to_owned()), read)?;
    check(&template)?;
    let told: Vec<&UserCheck> = report.users.iter().filter(|user| user.places.iter().any(is_news)).collect();
    empty(folder)?;
    for (number, user) in told.iter().enumerate() {
        // Numbered: two ids may look alike once they are a name of a file.
        let file = folder.join(format!("{:04}-{}.txt", number + 1, file_name(&clean(&user.user))));
        let written = new(&file).and_then(|mut file| file.write_all(letter(&template, report, user).as_bytes()));
        written.map_err(|error| not_done("write", &file, &error))?;
    }
    Ok((told.len(), report.users.len() - told.len()))
}

/// There is something to be said of this collection.
fn is_news(place: &UserPlace) -> bool {
    place.before != place.expected || place.now != place.expected
}

fn letter(template: &str, report: &Report, user: &UserCheck) -> String {
    let lines = |line: fn(&UserPlace) -> String| {
        let places = user.places.iter().filter(|place| is_news(place));
        places.map(line).collect::<Vec<_>>().join("\n")
    };
    let before = lines(|place| format!("- {}: {} of {}", clean(&place.collection), place.before, place.expected));
    let now = lines(|place| {
        let later = if place.now == place.expected { "" } else { ", not yet all" };
        format!("- {}: {} of {}{later}", clean(&place.collection), place.now, place.expected)
    });
    let address = user.old_ids.iter().map(clean).find(|id| id.contains('@'));
    let values = BTreeMap::from([
        ("to", address.unwrap_or_else(|| format!("(the address of {})", clean(&user.user)))),
        ("user", clean(&user.user)),
        ("application", clean(&report.migration.map_title)),
        ("before", before),
        ("state", state(&report.migration)),
        ("now", now),
        ("migration", report.migration.id.to_string()),
    ]);
    filled(template, |name| values.get(name).cloned())
}

/// What was done about it, as the migration stands.
fn state(migration: &Migration) -> String {
    match migration.status {
        MigrationStatus::Verified
        | MigrationStatus::CuttingOver
        | MigrationStatus::Soaking
        | MigrationStatus::Completed => {
            let at = migration.verification.as_ref().map(|found| format!(" on {}", moment(found.at)));
            format!("It was brought together, and checked{}. You see now:", at.unwrap_or_default())
        }
        MigrationStatus::RollingBack | MigrationStatus::RolledBack | MigrationStatus::RollbackFailed => {
            "We began to bring it together and took that back; we will try again. You see now:".to_owned()
        }
        _ => "We are about to bring it together; until then you see:".to_owned(),
    }
}

/// A template with what stands between its braces; a brace that holds no name stays.
fn filled(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let (mut text, mut rest) = (String::with_capacity(template.len()), template);
    while let Some((before, behind)) = rest.split_once('{') {
        text.push_str(before);
        let named = behind.split_once('}').and_then(|(name, after)| Some((value(name)?, after)));
        rest = if let Some((value, after)) = named {
            text.push_str(&value);
            after
        } else {
            text.push('{');
            behind
        };
    }
    text + rest
}

/// A name that nothing is known by would stand in everybody's letter.
fn check(template: &str) -> Result<(), Failure> {
    for piece in template.split('{').skip(1) {
        let name = piece.split_once('}').map(|(name, _)| name);
        let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_lowercase());
        if let Some(name) = name.filter(is_name).filter(|name| !PLACES.contains(name)) {
            let known = PLACES.map(|name| format!("{{{name}}}")).join(", ");
            return Err(Failure::Usage(format!("read the template: {{{name}}} is none of {known}")));
        }
    }
    Ok(())
}

fn read(template: &Path) -> Result<String, Failure> {
    use io::Read;
    let mut text = String::new();
    let read = File::open(template).and_then(|file| file.take(TEMPLATE_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| not_done("read", template, &error))?;
    if text.len() as u64 > TEMPLATE_BYTES {
        return Err(Failure::Usage(format!("read the template: it has more than {TEMPLATE_BYTES} bytes")));
    }
    Ok(text)
}

/// A folder with nothing in it, made when it is not there.
fn empty(folder: &Path) -> Result<(), Failure> {
    match folder.read_dir().map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let what =
                format!("write letters into {}: something is there already; want a new folder", folder.display());
            Err(Failure::NotDone(what))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = DirBuilder::new().mode(OWNER_ONLY_FOLDER).create(folder);
            made.map_err(|error| not_done("make", folder, &error))
        }
        Err(error) => Err(not_done("look into", folder, &error)),
    }
}

fn new(file: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY_FILE).open(file)
}

fn file_name(id: &str) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() || "_-".contains(letter) { letter } else { '-' };
    id.chars().take(64).map(safe).collect()
}

fn not_done(doing: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::NotDone(format!("{doing} {}: {error}", path.display()))
}

/// Writes every id that goes and the one that it becomes, for whoever has ids outside of the documents: how many.
pub(super) async fn mapping(desk: &Desk<'_>, of: &Migration, file: &Path) -> Result<usize, Failure> {
    let wrong = |error: &io::Error| not_done("write", file, error);
    let mut out = BufWriter::new(new(file).map_err(|error| wrong(&error))?);
    writeln!(out, "old_id,new_id").map_err(|error| wrong(&error))?;
    let (mut after, mut written) = (None, 0);
    loop {
        let part = Part { after, limit: PAGE };
        let page = desk.client.migration_mapping(&of.id, &part).await;
        let MappingPage { items, next } = Asked::Look.of(page)?.read;
        for row in items.iter().filter(|row| row.from != row.to) {
            writeln!(out, "{}", pair(row)).map_err(|error| wrong(&error))?;
            written += 1;
        }
        after = next;
        if after.is_none() || items.is_empty() {
            break;
        }
    }
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(|error| wrong(&error))?;
    Ok(written)
}

/// A row of RFC 4180. The ids are as they are: they are compared with others, not shown.
fn pair(row: &MappingRow) -> String {
    let quoted = |id: &str| {
        if id.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", id.replace('"', "\"\"")) } else { id.to_owned() }
    };
    format!("{},{}", quoted(row.from.raw()), quoted(row.to.raw()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::super::tests::migration;
    use super::*;

    fn report(status: &str) -> Report {
        let place = |name: &str, before: u64, now: u64, expected: u64| json!({"collection": name, "before": before, "now": now, "expected": expected});
        let user = |user: &str, old: &[&str], places: serde_json::Value| json!({"user": user, "oldIds": old, "places": places});
        let users = json!([
            user(
                "usr_a",
                &["ana@example.com", "7"],
                json!([place("conversations\u{1b}[2J", 0, 240, 240), place("groups", 2, 2, 2)])
            ),
            user("../usr_b", &["8"], json!([place("notes", 1, 3, 4)])),
            user("usr_c", &["9"], json!([place("notes", 5, 5, 5)])),
        ]);
        let migration = migration(&json!({"status": status}));
        serde_json::from_value(json!({
            "migration": migration, "collections": [], "users": users, "orphans": [], "troubles": [], "reconciliation": [],
        }))
        .unwrap()
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn whoever_did_not_see_everything_gets_a_letter_and_nobody_else() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("letters");
        assert_eq!(letters(&folder, None, &report("soaking")).unwrap(), (2, 1));
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let first = read("0001-usr_a.txt");
        assert!(first.starts_with("To: ana@example.com\nSubject: the application"), "{first}");
        assert!(first.contains("- conversations^[[2J: 0 of 240\n\nIt was brought together"), "{first}");
        assert!(first.contains("- conversations^[[2J: 240 of 240\n"), "{first}");
        assert!(!first.contains("groups"), "what was right is no news: {first}");
        let second = read("0002----usr_b.txt");
        assert!(second.contains("To: (the address of ../usr_b)"), "{second}");
        assert!(second.contains("- notes: 1 of 4\n\n") && second.contains("- notes: 3 of 4, not yet all"), "{second}");
        assert_eq!((mode(&folder), mode(&folder.join("0001-usr_a.txt"))), (0o700, 0o600));
    }

    #[test]
    fn letters_are_written_into_a_new_folder_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("letters");
        letters(&folder, None, &report("soaking")).unwrap();
        let before = std::fs::read(folder.join("0001-usr_a.txt")).unwrap();
        let again = letters(&folder, None, &report("planned")).unwrap_err();
        assert!(again.to_string().contains("something is there already"), "{again}");
        assert_eq!(std::fs::read(folder.join("0001-usr_a.txt")).unwrap(), before);
    }

    #[test]
    fn a_template_of_ones_own_is_filled_and_a_place_that_nothing_is_known_by_is_told_before_anything_is_written() {
        let place = tempfile::tempdir().unwrap();
        let (folder, template) = (place.path().join("letters"), place.path().join("letter.txt"));
        std::fs::write(&template, "{user} {\"a\": 1} {now}{").unwrap();
        letters(&folder, Some(&template), &report("planned")).unwrap();
        let first = std::fs::read_to_string(folder.join("0001-usr_a.txt")).unwrap();
        assert_eq!(first, "usr_a {\"a\": 1} - conversations^[[2J: 240 of 240{");
        std::fs::write(&template, "Dear {name}").unwrap();
        let other = place.path().join("other");
        let refused = letters(&other, Some(&template), &report("planned")).unwrap_err();
        assert!(refused.to_string().contains("{name} is none of {to}, {user}"), "{refused}");
        assert!(!other.exists());
    }

    #[test]
    fn a_letter_says_what_was_done_as_the_migration_stands() {
        let said = |status: &str| state(&report(status).migration);
        assert!(said("planned").starts_with("We are about to"));
        assert!(said("completed").starts_with("It was brought together"));
        assert!(said("rolled_back").contains("took that back"));
    }

    #[test]
    fn ids_in_a_table_are_as_they_are() {
        let row = |from: &str| -> MappingRow {
            serde_json::from_value(json!({"from": from, "to": "usr_b", "form": "", "minted": true, "evidence": [],
                                          "references": 1}))
            .unwrap()
        };
        assert_eq!(pair(&row("100000000000000000001")), "100000000000000000001,usr_b");
        assert_eq!(pair(&row("a\",b")), "\"a\"\",b\",usr_b");
    }
}
