//! Somebody goes on writing old ids after the copy or the cut-over, or loses everything without any migration: it is
//! seen, said once, and counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use stella_protocol::{Alert, AlertType, MigrationStatus, MigrationVerb, Text};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::power::{Switched, shared};
use super::scene::{self, Process, Scene, TOO_LONG, key};
use super::world::{derived, document_id};
use crate::documents::{DocumentWrite, Documents, Expect, Leave};
use crate::ingest::BodyKind;
use crate::lines::{Caps, Lines};
use crate::migrate::drift::said::Used;
use crate::migrate::run::desk::MigrationDesk;
use crate::migrate::run::drift::Drift;
use crate::migrate::run::office::Office;
use crate::pipeline::{EngineTimeMode, Pipeline, Rooms, StateFile};
use crate::redact::{Mode, PseudonymKey, Redactor};
use crate::series::SeriesFile;

/// The watch of a process.
struct Watch {
    ending: CancellationToken,
    task: JoinHandle<()>,
}

impl Watch {
    fn begin(process: &Process) -> Self {
        let ending = CancellationToken::new();
        let task = process.spawn(Drift::new(Arc::clone(&process.site)).run(ending.clone()));
        Self { ending, task }
    }

    async fn end(self) {
        self.ending.cancel();
        self.task.await.unwrap();
    }
}

/// One round of the watch's own: lines, then documents.
async fn look(watch: &mut Drift) {
    watch.look_for().await.unwrap();
    watch.keep_uses().await.unwrap();
    watch.walk().await.unwrap();
}

async fn verified() -> (Scene, Arc<Switched>, Process) {
    let scene = Scene::new(31, 1);
    let store = shared(&scene.documents);
    let process = scene.start_with(Arc::clone(&store));
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    (scene, store, process)
}

async fn soaking() -> (Scene, Arc<Switched>, Process) {
    let (scene, store, process) = verified().await;
    process.says(&scene, MigrationVerb::Cutover).await.unwrap();
    process.until(|now| now.status == MigrationStatus::Soaking).await;
    (scene, store, process)
}

/// Waits until two more walks began: then one ended that had not begun before.
async fn walked(store: &Switched) {
    let mut walks = store.walks.subscribe();
    let begun = *walks.borrow() + 2;
    let walking = tokio::time::timeout(TOO_LONG, walks.wait_for(|walks| *walks >= begun)).await;
    walking.expect("the watch does not walk on").expect("the store is there");
}

async fn write(scene: &Scene, path: &str, user: &str) {
    let at = key(path);
    let now = scene.documents.get(&at).await.unwrap();
    let expect = now.map_or(Expect::Absent, |now| Expect::Version(now.version));
    let leave = Leave::Fields(BTreeMap::from([("userId".to_owned(), json!(user))]));
    scene.documents.write(vec![DocumentWrite { key: at, expect, leave }]).await.unwrap();
}

fn alerts(process: &Process, rule: &str) -> Vec<Alert> {
    process.hub.snapshot().1.into_iter().filter(|alert| alert.rule_id.raw() == rule).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_written_with_an_old_id_is_an_alert_and_a_use_once_for_each_write() {
    let (scene, store, process) = soaking().await;
    let watch = Watch::begin(&process);
    walked(&store).await;
    assert_eq!(alerts(&process, "migration.drift"), [], "what the migration left is no news");
    assert_eq!(process.migration().unwrap().old_id_uses, 0);

    write(&scene, "messages/late-1", &derived(2)).await;
    write(&scene, "messages/late-2", &document_id(2)).await;
    let alert = process.sees("an alert", || alerts(&process, "migration.drift").pop()).await;
    assert_eq!((alert.kind, alert.labels["collection"].raw()), (AlertType::DataInconsistency, "messages"));
    let said = process.hub.evidence(&alert.id).unwrap().unwrap().reasons[0].text.raw().to_owned();
    assert_eq!(said, "written with an old id: messages/late-1 (userId)");
    assert_eq!(alert.affected_users[0].raw(), document_id(2), "named by the id that stays");
    process.until(|now| now.old_id_uses == 1).await;
    walked(&store).await;
    assert_eq!(alerts(&process, "migration.drift").len(), 1);
    assert_eq!(alerts(&process, "migration.drift")[0].occurrences, 1, "one write is told once");

    write(&scene, "messages/late-1", &derived(3)).await;
    process.until(|now| now.old_id_uses == 2).await;
    write(&scene, &format!("users/{}/keys/late", document_id(2)), &derived(2)).await;
    let below = |alert: &Alert| alert.labels["collection"].raw() == "users/{userId}/keys";
    process.sees("an alert below users", || alerts(&process, "migration.drift").into_iter().find(below)).await;
    walked(&store).await;
    watch.end().await;
    let watch = Watch::begin(&process);
    walked(&store).await;
    assert_eq!(
        alerts(&process, "migration.drift").iter().map(|alert| alert.occurrences).sum::<u64>(),
        3,
        "a restart tells nothing again"
    );
    watch.end().await;
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_had_documents_and_has_none_is_an_alert() {
    let (scene, store, process) = soaking().await;
    for number in 0..3 {
        write(&scene, &format!("badges/b{number}"), &document_id(2)).await;
    }
    write(&scene, "badges/other", &document_id(6)).await;
    let watch = Watch::begin(&process);
    walked(&store).await;
    remove(&scene, &["badges/b0", "badges/b1", "badges/b2", "badges/other"]).await;
    let alert = process.sees("an alert", || alerts(&process, "migration.vanished").pop()).await;
    assert_eq!(alert.title.raw(), "1 owner lost all of badges", "one document less is nobody's loss");
    assert_eq!(alert.affected_users[0].raw(), document_id(2));
    assert_eq!(process.migration().unwrap().old_id_uses, 0);
    watch.end().await;
    process.end().await;
}

async fn remove(scene: &Scene, paths: &[&str]) {
    let mut writes = Vec::new();
    for path in paths {
        let now = scene.documents.get(&key(path)).await.unwrap().unwrap();
        writes.push(DocumentWrite { key: now.key, expect: Expect::Version(now.version), leave: Leave::Nothing });
    }
    scene.documents.write(writes).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_of_old_ids_is_told_before_the_cut_over_and_what_the_copy_left_is_not() {
    let (scene, store, process) = verified().await;
    let watch = Watch::begin(&process);
    walked(&store).await;
    assert_eq!(alerts(&process, "migration.drift"), [], "documents that were copied still stand under their old ids");
    write(&scene, "messages/late-1", &derived(2)).await;
    let alert = process.sees("an alert", || alerts(&process, "migration.drift").pop()).await;
    let evidence = process.hub.evidence(&alert.id).unwrap().unwrap();
    assert!(evidence.summary.raw().starts_with("since the copy of mig-1 1 document"), "{:?}", evidence.summary);
    let now = process.until(|now| now.old_id_uses == 1).await;
    assert_eq!(now.status, MigrationStatus::Verified, "it is said before it is too late, and stops nothing");
    walked(&store).await;
    assert_eq!(alerts(&process, "migration.drift")[0].occurrences, 1);
    process.says(&scene, MigrationVerb::Cutover).await.unwrap();
    process.until(|now| now.status == MigrationStatus::Soaking).await;
    walked(&store).await;
    assert_eq!(
        alerts(&process, "migration.drift")[0].occurrences,
        1,
        "nor is it told again, nor what the cut-over left"
    );
    watch.end().await;
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn which_old_id_a_session_still_has_is_told_with_its_last_use() {
    let (scene, _store, process) = soaking().await;
    let mut watch = Drift::new(Arc::clone(&process.site));
    look(&mut watch).await;
    let old_ids = process.hub.old_ids().unwrap();
    let last = scene.clock.now();
    old_ids.remember(&derived(2).to_uppercase(), Used { times: 2, last });
    look(&mut watch).await;
    // Nothing that was used last is lost at the end.
    old_ids.remember(&derived(2), Used { times: 1, last });
    let ending = CancellationToken::new();
    ending.cancel();
    watch.run(ending).await;
    let office = Office::new(Arc::clone(&process.site), None);
    let check = office.check_user(&scene::id(), &document_id(2)).await.unwrap();
    let used: Vec<_> = check.old_id_uses.iter().map(|used| (used.old_id.raw(), used.times, used.last_at)).collect();
    assert_eq!(used, [(derived(2).as_str(), 3, last)]);
    let report = office.report(process.migration().unwrap()).await.unwrap();
    let all: Vec<_> = report.users.iter().flat_map(|user| &user.old_id_uses).collect();
    assert_eq!(all, check.old_id_uses.iter().collect::<Vec<_>>(), "and of nobody else");
    drop(office);
    process.end().await;
}

const HOUR_MS: i64 = 3_600_000;

/// An owner with three badges, before any migration.
async fn standing(writers: bool) -> (Scene, Process) {
    let mut scene = Scene::new(31, 1);
    (scene.standing, scene.watch_writers) = (Some(Duration::from_hours(1)), writers);
    for number in 0..3 {
        write(&scene, &format!("badges/b{number}"), &derived(2)).await;
    }
    let process = scene.start();
    look(&mut Drift::new(Arc::clone(&process.site))).await;
    (scene, process)
}

const BADGES: [&str; 3] = ["badges/b0", "badges/b1", "badges/b2"];

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_everything_without_any_migration_is_told_also_by_the_next_process_and_once() {
    let (scene, process) = standing(false).await;
    remove(&scene, &BADGES).await;
    write(&scene, "messages/late-1", &derived(2)).await;
    let mut next = Drift::new(Arc::clone(&process.site));
    look(&mut next).await;
    assert_eq!(alerts(&process, "migration.vanished"), [], "it walks once an hour, also after a restart");
    for _ in 0..2 {
        scene.pass(HOUR_MS);
        look(&mut next).await;
        let told = alerts(&process, "migration.vanished");
        assert_eq!((told.len(), told[0].occurrences, told[0].affected_users[0].raw()), (1, 1, derived(2).as_str()));
        assert_eq!((told[0].labels["collection"].raw(), told[0].labels.get("migration")), ("badges", None));
    }
    assert_eq!(alerts(&process, "migration.drift"), [], "everybody still writes old ids");
    drop(next);
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_documents_with_old_ids_are_told_where_writers_are_said_to_know_new_ones() {
    let (scene, process) = standing(true).await;
    let mut watch = Drift::new(Arc::clone(&process.site));
    write(&scene, "badges/b0", &document_id(2)).await;
    write(&scene, "messages/late-1", &derived(2)).await;
    for _ in 0..2 {
        scene.pass(HOUR_MS);
        look(&mut watch).await;
        let told = alerts(&process, "migration.drift");
        assert_eq!(told.len(), 1, "what stood there before is known: {told:?}");
        assert_eq!((told[0].occurrences, told[0].labels["collection"].raw()), (1, "messages"));
    }
    drop(watch);
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_migration_moves_and_takes_back_is_no_loss() {
    let (scene, process) = standing(true).await;
    let mut watch = Drift::new(Arc::clone(&process.site));
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    process.says(&scene, MigrationVerb::Rollback).await.unwrap();
    process.until(|now| now.status == MigrationStatus::RolledBack).await;
    remove(&scene, &BADGES).await;
    for _ in 0..2 {
        scene.pass(HOUR_MS);
        look(&mut watch).await;
    }
    let (lost, written) = (alerts(&process, "migration.vanished"), alerts(&process, "migration.drift"));
    assert_eq!((lost, written), (vec![], vec![]), "what was before it is forgotten");
    drop(watch);
    process.end().await;
}

fn pipeline(process: &Process, scene: &Scene, folder: &Path) -> (Pipeline, std::thread::JoinHandle<()>) {
    let rules = stella_detect::Rules::default();
    let lines = Arc::new(Lines::open(folder, Caps::default()).unwrap());
    let file = SeriesFile::open(folder).unwrap();
    let series = Arc::new(Mutex::new(file.load(&rules).unwrap()));
    let (hub, clock) = (process.hub.clone(), scene.clock.clone());
    let state = StateFile::in_folder(folder);
    Pipeline::start(Rooms { lines, series, file, state, hub, clock, rules }).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_looked_through_for_old_ids_from_the_cut_over_on_and_not_after_a_rollback() {
    let (scene, _store, process) = soaking().await;
    let watch = Watch::begin(&process);
    process.sees("ids to look for", || process.hub.old_ids()).await;
    let folder = tempfile::tempdir().unwrap();
    let (pipeline, thread) = pipeline(&process, &scene, folder.path());
    let line = |user: &str| json!({"message": "m", "userId": user}).to_string();
    let before = json!({"timestamp": "2023-01-01T00:00:00Z", "message": "m", "userId": derived(3)});
    let body = format!("{}\n{}\n{}\n{before}\n", line(&derived(3)), line(&document_id(2)), line("p3@example.com"));
    let strict = Mode::Strict { key: PseudonymKey::from_bytes([1; 32]), remote_addr: true };
    for (times, mode) in [(1, Mode::Local), (2, strict)] {
        let (body, redactor) = (Bytes::from(body.clone()), Arc::new(Redactor::new(mode)));
        let taken = pipeline.take(body, BodyKind::Json, EngineTimeMode::Live, redactor, Text::from("test")).await;
        assert_eq!(taken.unwrap().accepted, 4);
        process.until(|now| now.old_id_uses >= times).await;
        assert_eq!(process.migration().unwrap().old_id_uses, times, "one of four says an old id, redacted or not");
    }
    drop(pipeline);
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
    process.says(&scene, MigrationVerb::Rollback).await.unwrap();
    process.until(|now| now.status == MigrationStatus::RolledBack).await;
    process.sees("no ids to look for", || process.hub.old_ids().is_none().then_some(())).await;
    watch.end().await;
    process.end().await;
}
