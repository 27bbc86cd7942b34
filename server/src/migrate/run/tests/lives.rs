//! A migration from its draft to its end.

use std::sync::atomic::Ordering;

use stella_protocol::MigrationStatus;
use stella_protocol::migration::{PhaseName, TroubleKind};

use super::power::shared;
use super::scene::{Scene, data, done_phases};
use super::world::{derived, document_id, google};

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_goes_from_its_draft_to_its_end() {
    let scene = Scene::new(1, 3);
    let before = scene.contents();
    let process = scene.start();
    process.propose(&scene).await;
    let verified = process.drive(&scene, &[MigrationStatus::Verified], None).await;
    let counts = verified.counts;
    assert_eq!(counts.done + counts.skipped + counts.parked, counts.planned, "{counts:?}");
    assert!(counts.done > 200 && counts.failed == 0 && counts.conflicts == 0, "{counts:?}");
    let found = verified.verification.clone().unwrap();
    assert_eq!((found.differences, found.changed_since), (0, 0), "{:?}", found.first);
    let ended = process.drive(&scene, &[MigrationStatus::Completed], None).await;
    assert_eq!(
        done_phases(&ended),
        [
            PhaseName::Scan,
            PhaseName::Rehearse,
            PhaseName::Backup,
            PhaseName::Canary,
            PhaseName::Copy,
            PhaseName::Verify,
            PhaseName::CutOver,
            PhaseName::Soak
        ]
    );
    let after = scene.contents();
    assert_eq!(after["user_id_aliases/_current"]["_run"], "mig-1");
    let alias = after[&format!("user_id_aliases/{}", derived(2))]["userId"].as_str().unwrap().to_owned();
    assert_eq!(alias, document_id(2), "who has a valid id keeps it");
    assert_eq!(after[&format!("user_id_aliases/{}", google(2))]["userId"], alias.as_str());
    let parked: Vec<String> = scene
        .ledger()
        .troubles(None, 100)
        .unwrap()
        .items
        .iter()
        .filter(|one| one.kind == TroubleKind::Parked)
        .map(|one| one.document.raw().to_owned())
        .collect();
    assert!(parked.iter().all(|path| path == "users/p0_example_com" || path == "users/P0_example_com"), "{parked:?}");
    // All that is left of old ids is what was left alone, what is nobody's, and what is not declared.
    let text = |contents: &super::scene::Contents| serde_json::to_string(contents).unwrap();
    assert!(text(&data(&before)).contains("p3_example_com") && !text(&data(&after)).contains("p3_example_com"));
    assert_eq!(data(&after)["messages/m0000"]["text"], before["messages/m0000"]["text"]);
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_look_and_the_rehearsal_write_nothing() {
    let scene = Scene::new(2, 1);
    let before = (scene.contents(), scene.documents.journal(0, 10_000).unwrap().len());
    let store = shared(&scene.documents);
    let process = scene.start_with(store.clone());
    process.propose(&scene).await;
    let rehearsed = process.drive(&scene, &[MigrationStatus::Rehearsed], None).await;
    assert_eq!(store.writes.load(Ordering::SeqCst), 0);
    assert_eq!((scene.contents(), scene.documents.journal(0, 10_000).unwrap().len()), before);
    let plan = rehearsed.plan.unwrap();
    let counts = scene.ledger().counts(PhaseName::Rehearse).unwrap();
    assert_eq!(counts.planned, plan.changes + plan.moves);
    assert_eq!(counts.done + counts.skipped + counts.parked, counts.planned, "{counts:?}");
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_migration_after_the_first_finds_nothing_to_do() {
    let scene = Scene::new(3, 1);
    let process = scene.start();
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Completed], None).await;
    process.propose(&scene).await;
    let second = "mig-2".parse().unwrap();
    let looked = process.until_of(&second, |now| now.plan.is_some() || now.status == MigrationStatus::PlanFailed).await;
    let plan = looked.plan.unwrap_or_else(|| panic!("{}", looked.result.raw()));
    // The two documents of one person that differ are still for a person.
    assert!(plan.changes + plan.moves <= 2, "{plan:?}");
    process.end().await;
}
