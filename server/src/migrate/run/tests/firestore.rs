//! Migrations of documents in a Firestore: on a double of the service, and on the emulator where there is one.

use std::sync::Arc;

use stella_protocol::{MigrationStatus, MigrationVerb};

use super::scene::{Contents, Process, Scene, key};
use super::sweep::differs;
use crate::documents::firestore::Firestore;
use crate::documents::firestore::tests::double::{Double, Fault};
use crate::documents::firestore::tests::emulator::Emulator;
use crate::documents::firestore::tests::{fill, on_a};
use crate::documents::tour;
use crate::migrate::machine::LEASE_MS;

/// Commits of a copy that are let through before the process is killed.
const COMMITS: usize = 9;

/// What a store is on.
enum Service {
    Double(Double),
    Emulator(Emulator),
}

impl Service {
    async fn double() -> Self {
        Self::Double(Double::start().await)
    }

    /// None: there is none, which is said.
    fn emulator(test: &str) -> Option<Self> {
        Emulator::find(test).map(Self::Emulator)
    }

    fn store(&self) -> Firestore {
        match self {
            Self::Double(double) => on_a(double),
            Self::Emulator(emulator) => emulator.store(),
        }
    }

    /// The double, which can be asked and held up.
    fn as_double(&self) -> Option<&Double> {
        match self {
            Self::Double(double) => Some(double),
            Self::Emulator(_) => None,
        }
    }
}

async fn contents(store: &Firestore) -> Contents {
    let mut contents = Contents::new();
    let give = |document: crate::documents::Document| {
        contents.insert(document.key.path(), document.fields);
    };
    tour::everything(store, give).await.unwrap();
    contents
}

async fn filled(store: &Firestore, scene: &Scene) {
    fill(store, scene.contents().into_iter().map(|(path, fields)| (key(&path), fields))).await;
}

/// Lets it copy until its middle, and kills it there, with requests under way.
async fn killed_in_the_middle(scene: &Scene, process: Process, double: Option<&Double>) {
    process.drive(scene, &[MigrationStatus::Approved], None).await;
    if let Some(double) = double {
        let before = double.asked();
        double.hold_after(COMMITS);
        let held = double.until(|asked| asked.commits > before.commits + COMMITS as u64);
        tokio::select! {
            ended = process.drive(scene, &[MigrationStatus::Verified], None) => panic!("not held: {ended:?}"),
            () = held => {}
        }
        assert_eq!(double.asked().done, before.done + COMMITS as u64);
    } else {
        process.says(scene, MigrationVerb::Start).await.unwrap();
        process.until(|now| now.counts.done > 0).await;
    }
    process.die().await;
    scene.pass(LEASE_MS + 1);
    if let Some(double) = double {
        double.let_all_through();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_world_is_migrated_killed_in_the_middle_resumed_verified_and_taken_back() {
    the_demos_world(Service::double().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_world_is_migrated_killed_resumed_verified_and_taken_back_on_the_emulator_too() {
    if let Some(service) = Service::emulator("the_demos_world_is_migrated_on_the_emulator_too") {
        the_demos_world(service).await;
    }
}

async fn the_demos_world(service: Service) {
    let (store, double) = (service.store(), service.as_double());
    let scene = Scene::of_demo();
    let before = scene.contents();
    filled(&store, &scene).await;
    assert!(contents(&store).await == before, "{:?}", differs(&before, &contents(&store).await));

    let process = scene.start_with(Arc::new(store.clone()));
    process.propose(&scene).await;
    let seeded = double.map(Double::asked);
    let rehearsed = process.drive(&scene, &[MigrationStatus::Rehearsed], None).await;
    assert_eq!(double.map(|double| double.asked().commits), seeded.map(|asked| asked.commits), "0 writes");
    let plan = rehearsed.plan.unwrap();
    assert!(plan.changes + plan.moves > 500, "{plan:?}");

    killed_in_the_middle(&scene, process, double).await;
    let half = contents(&store).await;
    assert!(half != before, "it was in the middle");

    let next = scene.start_with(Arc::new(store.clone()));
    next.drive(&scene, &[MigrationStatus::Verifying, MigrationStatus::Verified], None).await;
    let verified = next.drive(&scene, &[MigrationStatus::Verified], None).await;
    let counts = verified.counts;
    assert_eq!(verified.verification.unwrap().differences, 0);
    assert_eq!((counts.failed, counts.done + counts.skipped + counts.parked), (0, counts.planned), "{counts:?}");
    let after = contents(&store).await;

    // The same world on the embedded store, without any interruption, ends as the same.
    let other = Scene::of_demo();
    let undisturbed = other.start();
    undisturbed.propose(&other).await;
    undisturbed.drive(&other, &[MigrationStatus::Verified], None).await;
    assert!(after == other.contents(), "{:?}", differs(&other.contents(), &after));
    undisturbed.end().await;

    next.says(&scene, MigrationVerb::Rollback).await.unwrap();
    next.drive(&scene, &[MigrationStatus::RolledBack], None).await;
    next.end().await;
    let back = contents(&store).await;
    assert!(back == before, "{:?}", differs(&before, &back));
}

#[tokio::test(flavor = "multi_thread")]
async fn through_cut_over_and_soak_it_ends_as_on_the_embedded_store() {
    through_cut_over_and_soak(Service::double().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_cut_over_and_soak_on_the_emulator_too() {
    if let Some(service) = Service::emulator("through_cut_over_and_soak_on_the_emulator_too") {
        through_cut_over_and_soak(service).await;
    }
}

async fn through_cut_over_and_soak(service: Service) {
    let store = service.store();
    let (scene, other) = (Scene::new(61, 1), Scene::new(61, 1));
    filled(&store, &scene).await;
    let process = scene.start_with(Arc::new(store.clone()));
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Completed], None).await;
    process.end().await;
    let embedded = other.start();
    embedded.propose(&other).await;
    embedded.drive(&other, &[MigrationStatus::Completed], None).await;
    embedded.end().await;
    let after = contents(&store).await;
    assert!(after == other.contents(), "{:?}", differs(&other.contents(), &after));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_bad_line_it_ends_the_same_and_the_ledger_says_what_the_service_holds() {
    let bad = [
        Fault::Status(429, "RESOURCE_EXHAUSTED"),
        Fault::DoneThen(503, "UNAVAILABLE"),
        Fault::Status(503, "UNAVAILABLE"),
        Fault::DoneThenBroken,
        Fault::Status(409, "ABORTED"),
        Fault::DoneThenPage,
    ];
    let (scene, other) = (Scene::new(62, 1), Scene::new(62, 1));
    let double = Double::start().await;
    let store = on_a(&double);
    filled(&store, &scene).await;
    let process = scene.start_with(Arc::new(store.clone()));
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Approved], None).await;
    double.commits_meet(bad.iter().cycle().take(60).copied());
    double.reads_meet([Fault::Proxy(502), Fault::DoneThenBroken, Fault::Status(429, "RESOURCE_EXHAUSTED")]);
    let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
    assert_eq!((verified.counts.failed, verified.verification.unwrap().differences), (0, 0));
    let rows = scene.ledger().written_after(None, 1_000).unwrap();
    assert_eq!(rows.len() as u64, verified.counts.done);
    let versions = double.versions();
    for row in rows {
        assert_eq!(versions[&row.document.key.path()], row.document.version, "{:?}", row.document.key);
    }
    process.end().await;
    let embedded = other.start();
    embedded.propose(&other).await;
    embedded.drive(&other, &[MigrationStatus::Verified], None).await;
    embedded.end().await;
    let after = contents(&store).await;
    assert!(after == other.contents(), "{:?}", differs(&other.contents(), &after));
}

/// Documents below an id without one are migrated like all others.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_below_a_missing_document_is_migrated_too() {
    what_is_below_a_missing_document(Service::double().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_below_a_missing_document_is_migrated_on_the_emulator_too() {
    if let Some(service) = Service::emulator("what_is_below_a_missing_document_is_migrated_on_the_emulator_too") {
        what_is_below_a_missing_document(service).await;
    }
}

async fn what_is_below_a_missing_document(service: Service) {
    let store = service.store();
    let scene = Scene::new(63, 1);
    filled(&store, &scene).await;
    let below = key("agents/nobody knows/shares/s9");
    let owner = serde_json::json!(super::world::derived(2));
    fill(&store, [(below.clone(), [("ownerId".to_owned(), owner)].into())]).await;
    let process = scene.start_with(Arc::new(store.clone()));
    process.propose(&scene).await;
    let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
    assert_eq!(verified.verification.unwrap().differences, 0);
    let fields = &contents(&store).await[&below.path()];
    assert_eq!(fields["ownerId"], super::world::document_id(2).as_str());
    process.end().await;
}
