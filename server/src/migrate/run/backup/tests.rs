#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::*;
use crate::Clock;
use crate::documents::embedded::Embedded;

/// A data folder with a ledger.
struct Place {
    data: tempfile::TempDir,
    ledger: Arc<Ledger>,
}

fn id() -> MigrationId {
    "mig-7".parse().unwrap()
}

fn key() -> BackupKey {
    BackupKey::from_bytes([7; 32])
}

fn at() -> Timestamp {
    Timestamp::from_millis(5)
}

fn document(collection: &str, number: usize, bytes: usize) -> Document {
    let fields = json!({
        "userId": "ana_example_com",
        "n": number,
        "when": {"$timestamp": "2025-11-09T10:00:00.123456Z"},
        "big": {"$integer": "9007199254740993"},
        "ratio": 0.1,
        "none": null,
        "text": "é\n\u{0}x".repeat(bytes / 6),
    });
    Document {
        key: DocumentKey::new(collection, format!("d{number:05}")),
        version: number as u64 + 1,
        fields: serde_json::from_value(fields).unwrap(),
    }
}

fn documents(collection: &str, count: usize, bytes: usize) -> Vec<Document> {
    (0..count).map(|number| document(collection, number, bytes)).collect()
}

impl Place {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Ledger::open(data.path(), &id()).unwrap());
        Self { data, ledger }
    }

    fn create(&self) -> Backup {
        Backup::create(self.data.path(), &id(), &key(), Arc::clone(&self.ledger)).unwrap()
    }

    fn open(&self) -> Result<Option<Backup>, BackupError> {
        Backup::open(self.data.path(), &id(), &key(), Arc::clone(&self.ledger))
    }

    /// Opens it and reads all of it.
    fn looks_good(&self) -> bool {
        self.open().is_ok_and(|backup| backup.unwrap().verify(at()).is_ok())
    }

    fn files(&self) -> Vec<PathBuf> {
        let folder = self.data.path().join("backups").join("mig-7");
        let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// A backup of three small parts.
    fn small(&self) -> Backup {
        let backup = self.create();
        backup.append(&documents("users", 8, 60)).unwrap();
        backup.finish(at()).unwrap();
        backup.append(&documents("folders", 3, 60)).unwrap();
        backup.append(&documents("agents/a-7/shares", 3, 60)).unwrap();
        assert_eq!(self.files().len(), 4);
        backup
    }
}

fn lines(store: &Embedded) -> String {
    let mut lines = Vec::new();
    store.export(&mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

#[tokio::test]
async fn what_is_restored_into_an_empty_store_is_the_source_to_the_byte() {
    let place = Place::new();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [source, target] = folders.each_ref().map(|folder| Embedded::open(folder.path(), Clock::system()).unwrap());
    let backup = place.create();
    for collection in ["users", "agents/a-7/shares"] {
        let all = documents(collection, 1100, 4000);
        for some in all.chunks(500) {
            let write = |one: &Document| DocumentWrite {
                key: one.key.clone(),
                expect: Expect::Absent,
                leave: Leave::Fields(one.fields.clone()),
            };
            source.write(some.iter().map(write).collect()).await.unwrap();
            backup.append(some).unwrap();
        }
    }
    let summary = backup.finish(at()).unwrap();
    assert_eq!((summary.documents, summary.verified_at), (2200, at()));
    assert!(summary.parts > 2, "{}", summary.parts);
    assert_eq!(
        summary.bytes + fs::metadata(&place.files()[0]).unwrap().len(),
        place.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>()
    );
    let backup = place.open().unwrap().unwrap();
    assert_eq!(backup.restore_into(&target).await.unwrap(), 2200);
    assert_eq!(lines(&target), lines(&source));
    assert!(matches!(backup.restore_into(&target).await, Err(BackupError::Occupied)));
}

#[test]
fn any_document_is_found_again_as_it_was_and_no_other() {
    let place = Place::new();
    let all = documents("users", 2000, 6000);
    let backup = place.create();
    backup.append(&all).unwrap();
    assert!(backup.finish(at()).unwrap().parts > 2);
    let mut dice = StdRng::seed_from_u64(1);
    for _ in 0..60 {
        let wanted = &all[dice.random_range(0..all.len())];
        assert_eq!(backup.get(&wanted.key).unwrap().as_ref(), Some(wanted));
        let held = backup.holds(&wanted.key).unwrap();
        assert_eq!(held, Some((wanted.version, content_digest(&wanted.fields))));
    }
    assert_eq!(backup.get(&DocumentKey::new("users", "nobody")).unwrap(), None);
}

#[test]
fn a_document_that_is_found_later_is_there_after_a_restart_and_its_newest_image_counts() {
    let mut place = Place::new();
    let backup = place.small();
    let newer =
        Document { version: 99, fields: BTreeMap::from([("x".to_owned(), json!(1))]), ..document("users", 3, 0) };
    let before = fs::read(&place.files()[0]).unwrap();
    backup.append(std::slice::from_ref(&newer)).unwrap();
    assert_ne!(fs::read(&place.files()[0]).unwrap(), before, "the manifest names the new part");
    drop(backup);
    for lost in [false, true] {
        if lost {
            // The ledger is gone: the index is made of the parts.
            fs::remove_dir_all(place.data.path().join("migrations")).unwrap();
            place.ledger = Arc::new(Ledger::open(place.data.path(), &id()).unwrap());
        }
        let backup = place.open().unwrap().unwrap();
        assert_eq!(backup.get(&newer.key).unwrap().as_ref(), Some(&newer));
        assert_eq!(backup.get(&document("users", 4, 0).key).unwrap(), Some(document("users", 4, 60)));
        assert_eq!(backup.verify(at()).unwrap().documents, 15);
    }
}

#[test]
fn a_thousand_flipped_bits_are_a_thousand_refusals() {
    let place = Place::new();
    place.small();
    assert!(place.looks_good());
    let files = place.files();
    let mut dice = StdRng::seed_from_u64(4);
    for flip in 0..1000 {
        let file = &files[flip % files.len()];
        let mut bytes = fs::read(file).unwrap();
        let (byte, bit) = (dice.random_range(0..bytes.len()), dice.random_range(0..8));
        bytes[byte] ^= 1 << bit;
        fs::write(file, &bytes).unwrap();
        assert!(!place.looks_good(), "{file:?}: bit {bit} of byte {byte}");
        bytes[byte] ^= 1 << bit;
        fs::write(file, &bytes).unwrap();
    }
    assert!(place.looks_good(), "all of it was put back");
}

#[test]
fn files_that_are_cut_longer_gone_or_in_each_others_place_are_refused() {
    let place = Place::new();
    place.small();
    let files = place.files();
    for file in &files {
        let whole = fs::read(file).unwrap();
        for length in [0, 1, 40, whole.len() / 2, whole.len() - 1] {
            fs::write(file, &whole[..length]).unwrap();
            assert!(!place.looks_good(), "{file:?} cut to {length}");
        }
        fs::write(file, [whole.as_slice(), b"\n"].concat()).unwrap();
        assert!(!place.looks_good(), "{file:?} with a byte more");
        fs::write(file, &whole).unwrap();
    }
    for part in &files[1..] {
        let aside = place.data.path().join("aside");
        fs::rename(part, &aside).unwrap();
        assert!(!place.looks_good(), "{part:?} gone");
        fs::rename(&aside, part).unwrap();
    }
    let (first, second) = (fs::read(&files[1]).unwrap(), fs::read(&files[2]).unwrap());
    fs::write(&files[1], &second).unwrap();
    fs::write(&files[2], &first).unwrap();
    assert!(!place.looks_good(), "in each other's place");
    fs::write(&files[1], first).unwrap();
    fs::write(&files[2], second).unwrap();
    assert!(place.looks_good());
}

#[test]
fn a_backup_of_another_key_or_run_is_refused_and_not_removed() {
    let place = Place::new();
    place.small();
    let open = |id: &MigrationId, key: &BackupKey| Backup::open(place.data.path(), id, key, Arc::clone(&place.ledger));
    let other = BackupKey::from_bytes([8; 32]);
    assert!(matches!(open(&id(), &other), Err(BackupError::Refused(_))));
    let create = Backup::create(place.data.path(), &id(), &other, Arc::clone(&place.ledger));
    assert!(matches!(create, Err(BackupError::Refused(_))));
    let backups = place.data.path().join("backups");
    fs::create_dir(backups.join("mig-8")).unwrap();
    for file in place.files() {
        fs::copy(&file, backups.join("mig-8").join(file.file_name().unwrap())).unwrap();
    }
    assert!(matches!(open(&"mig-8".parse().unwrap(), &key()), Err(BackupError::Refused(_))));
    assert!(matches!(
        Backup::create(place.data.path(), &id(), &key(), Arc::clone(&place.ledger)),
        Err(BackupError::Finished)
    ));
    assert!(place.looks_good());
}

#[test]
fn one_that_was_killed_between_its_parts_is_none_and_is_begun_again() {
    let place = Place::new();
    let backup = place.create();
    backup.append(&documents("users", 1500, 6000)).unwrap();
    drop(backup);
    assert!(!place.files().is_empty(), "a part was written");
    assert!(place.open().unwrap().is_none());
    let again = place.create();
    assert_eq!(again.get(&document("users", 0, 0).key).unwrap(), None);
    again.append(&documents("folders", 2, 60)).unwrap();
    assert_eq!(again.finish(at()).unwrap().documents, 2);
    assert_eq!(place.files().len(), 2, "what the first one left is gone");
    assert_eq!(again.get(&document("users", 0, 0).key).unwrap(), None);
}

#[test]
fn a_part_that_no_manifest_names_does_not_count() {
    let place = Place::new();
    place.small();
    let stray = place.files()[0].with_file_name("part-000004.sealed");
    fs::write(&stray, b"written, and then the power went").unwrap();
    let backup = place.open().unwrap().unwrap();
    assert!(!stray.exists());
    assert_eq!(backup.verify(at()).unwrap().parts, 3);
}

#[test]
fn a_backup_of_nothing_is_one() {
    let place = Place::new();
    let summary = place.create().finish(at()).unwrap();
    assert_eq!((summary.documents, summary.parts), (0, 0));
    assert!(place.looks_good());
    place.open().unwrap().unwrap().append(&documents("users", 1, 6)).unwrap();
    assert!(place.looks_good());
}

#[test]
fn only_the_owner_can_read_it_and_nobody_without_the_key() {
    let place = Place::new();
    place.small();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.data.path().join("backups").join("mig-7")), 0o700);
    for file in place.files() {
        assert_eq!(mode(&file), 0o600);
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(3).any(|three| three == b"ana"), "{file:?}");
    }
}

#[test]
fn the_same_part_is_never_sealed_the_same_way_twice() {
    let seal = || key().seal(seal::Label { run: "mig-7", number: 1, documents: 1 }, b"same").unwrap();
    let (first, second) = (seal(), seal());
    assert_ne!(first[first.len() - 20..], second[second.len() - 20..]);
}

#[test]
fn the_seal_alone_refuses_every_flipped_bit_and_every_other_label() {
    let label = seal::Label { run: "mig-7", number: 1, documents: 2 };
    let sealed = key().seal(label, b"what was there").unwrap();
    assert_eq!(key().unseal(label, sealed.clone()).unwrap(), b"what was there");
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(key().unseal(label, flipped).is_err(), "bit {bit}");
    }
    for other in [
        seal::Label { run: "mig-8", ..label },
        seal::Label { number: 2, ..label },
        seal::Label { documents: 3, ..label },
    ] {
        assert!(key().unseal(other, sealed.clone()).is_err(), "{other:?}");
    }
}

#[test]
fn the_key_is_made_once_and_is_the_owners() {
    let data = tempfile::tempdir().unwrap();
    let first = BackupKey::kept(data.path()).unwrap();
    assert_eq!(BackupKey::kept(data.path()).unwrap().name(), first.name());
    let file = data.path().join("backup.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_ne!(BackupKey::kept(tempfile::tempdir().unwrap().path()).unwrap().name(), first.name());
    fs::write(&file, b"short").unwrap();
    assert!(BackupKey::kept(data.path()).is_err());
}
