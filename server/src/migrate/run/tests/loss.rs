//! The power fails, and the ledger loses what it had not made durable: what comes after ends as if it had not.
//!
//! A file system that was told to keep something keeps it. Of the database's journal that is all up to the last
//! transaction that was made durable, and what it moved into its file since; the rest is taken away here.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::iter;
use rusqlite::Connection;
use stella_protocol::{MigrationStatus, MigrationVerb};

use super::power::shared;
use super::scene::{Contents, Scene, id};
use super::sweep::{AT_ONCE, SEED, differs, dying, uninterrupted};
use crate::migrate::machine::LEASE_MS;

/// Of the journal: its header, and the header of each page.
const HEADER: usize = 32;
const FRAME: usize = 24;
/// Where its index says how many pages were moved into the file.
const MOVED: Range<usize> = 96..100;
/// Every so many points of the writes the power fails.
const STEP: usize = 7;

/// The files of a database, as they are on the disk.
pub(super) struct Left {
    file: Vec<u8>,
    journal: Vec<u8>,
    /// Ends of the transactions in the journal, in bytes, that only the journal has; the first is where they begin.
    ends: Vec<usize>,
}

fn beside(file: &Path, what: &str) -> PathBuf {
    PathBuf::from(format!("{}-{what}", file.display()))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

impl Left {
    /// Of a database that somebody has open and nobody uses.
    pub fn of(file: &Path) -> Self {
        let journal = fs::read(beside(file, "wal")).unwrap();
        let index = fs::read(beside(file, "shm")).unwrap();
        let moved = u32::from_ne_bytes(index[MOVED].try_into().unwrap()) as usize;
        let mut ends = vec![0];
        if journal.len() > HEADER {
            let page = FRAME + number(&journal, 8) as usize;
            ends[0] = HEADER + moved * page;
            // Pages of an earlier use of the journal stand behind those of this one, under another salt.
            let frames = journal[HEADER..].chunks_exact(page).take_while(|frame| frame[8..16] == journal[16..24]);
            let commits = frames.enumerate().filter(|(_, frame)| number(frame, 4) > 0);
            ends.extend(commits.map(|(at, _)| HEADER + (at + 1) * page).filter(|end| *end > HEADER + moved * page));
        }
        Self { file: fs::read(file).unwrap(), journal, ends }
    }

    fn put(&self, file: &Path, end: usize) {
        let _none = fs::remove_file(beside(file, "shm"));
        fs::write(file, &self.file).unwrap();
        fs::write(beside(file, "wal"), &self.journal[..end]).unwrap();
    }

    /// The number of the last transaction that was made durable, if the journal ended there.
    fn durable(&self, end: usize) -> i64 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.db");
        self.put(&file, end);
        let read = Connection::open(&file).and_then(|ledger| {
            ledger.query_row("SELECT value FROM marks WHERE name = 'durable'", [], |row| row.get(0))
        });
        read.unwrap_or(0)
    }

    /// Puts it back as it is after a power loss; how many transactions are lost.
    pub fn stays(&self, file: &Path) -> usize {
        let last = self.durable(*self.ends.last().unwrap());
        let kept = self.ends.partition_point(|end| self.durable(*end) < last);
        self.put(file, self.ends[kept]);
        self.ends.len() - 1 - kept
    }
}

/// A life that ends with the power when a version is reached, then another one; and how much was lost.
async fn dark_at(version: u64) -> (Contents, usize) {
    let scene = Scene::new(SEED, 1);
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    let hub = process.hub.clone();
    let is_there = move || hub.migration(&id()).unwrap().is_some_and(|state| state.migration.version >= version);
    store.gate.hold(move |_, _| is_there());
    process.propose(&scene).await;
    tokio::select! {
        _ = process.until(|now| now.version >= version) => {}
        _ = process.drive(&scene, &[MigrationStatus::Completed], None) => {}
    }
    if process.hub.migration(&id()).unwrap().unwrap().work.wanted.is_some() {
        // The next phase has begun, up to what it asks of the store.
        store.gate.has_one().await;
    }
    let lost = process.lose_power(&scene).await;
    drop(store);
    scene.goes_on(MigrationStatus::Completed).await;
    (scene.contents(), lost)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_right_behind_the_end_of_a_phase_and_it_ends_as_if_it_had_not() {
    let (end, _, versions) = uninterrupted().await;
    let lives = (2..=versions).map(|version| async move { (version, dark_at(version).await) });
    let mut lives = iter(lives).buffer_unordered(AT_ONCE);
    let mut losses = 0;
    while let Some((version, (contents, lost))) = lives.next().await {
        assert!(contents == end, "dark at version {version}: {:?}", differs(&end, &contents));
        losses += usize::from(lost > 0);
    }
    assert!(losses > 0, "nothing was ever lost: nothing was shown");
}

/// A life that ends with the power at a point of its writes; another one takes all of it back.
async fn taken_back(point: u64) -> (Contents, Contents, usize) {
    let scene = Scene::new(SEED, 1);
    let before = scene.contents();
    let lost = dying(&scene, Some(point), None).await.lose_power(&scene).await;
    scene.pass(LEASE_MS + 1);
    let next = scene.start();
    next.drive(&scene, &[MigrationStatus::Verified, MigrationStatus::Soaking], None).await;
    next.says(&scene, MigrationVerb::Rollback).await.unwrap();
    next.drive(&scene, &[MigrationStatus::RolledBack], None).await;
    next.end().await;
    (before, scene.contents(), lost)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_between_its_writes_and_all_that_it_wrote_is_taken_back() {
    let (_, points, _) = uninterrupted().await;
    let lives = (1..=points).step_by(STEP).map(|point| async move { (point, taken_back(point).await) });
    let mut lives = iter(lives).buffer_unordered(AT_ONCE);
    let mut losses = 0;
    while let Some((point, (before, after, lost))) = lives.next().await {
        assert!(before == after, "dark at {point}: {:?}", differs(&before, &after));
        losses += usize::from(lost > 0);
    }
    assert!(losses > 0, "nothing was ever lost: nothing was shown");
}
