//! What people are told of a migration, and what they decide in it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;
use stella_protocol::migration::{DecisionRequest, DualRead, OrphanChoice, UserCheck};
use stella_protocol::{Code, MigrationStatus, Principal, Role, Text};

use super::scene::{Process, Scene, admin, id};
use super::world::{NOBODY, derived, document_id, google};
use crate::migrate::run::desk::{MigrationDesk, Place, Said};
use crate::migrate::run::office::{Office, Probe};

/// An application that says this.
struct Says(bool);

impl Probe for Says {
    fn reads_both_ids(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { self.0 })
    }
}

/// The same person's second account: who is who, only a person knows.
const TWICE: &str = "usr_z000000000000000000";

fn office(process: &Process) -> Office {
    Office::new(Arc::clone(&process.site), None)
}

fn first(limit: u32) -> Place {
    Place { after: None, limit }
}

fn orphan(choice: OrphanChoice, user: Option<&str>) -> DecisionRequest {
    let user = user.map(|user| Text::new(user.to_owned()));
    DecisionRequest::Orphan { id: Text::from(NOBODY), choice, user, reason: Text::from("ticket 7") }
}

fn person(name: &str) -> Principal {
    Principal { name: Text::new(name.to_owned()), role: Role::Admin }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_is_asked_first_and_a_person_stands_in_for_it() {
    let scene = Scene::new(51, 1);
    let process = scene.start();
    let site = &process.site;
    let statement = || Some(Text::from("release 12 reads both"));
    let stated = Some(DualRead::Statement { who: Text::from("ana"), text: Text::from("release 12 reads both") });
    let asked = Some(DualRead::Probe { at: scene.clock.now() });
    let yes = Office::new(Arc::clone(site), Some(Arc::new(Says(true))));
    assert_eq!(yes.dual_read(&admin(), None).await, asked);
    assert_eq!(yes.dual_read(&admin(), statement()).await, asked, "what it says itself counts more");
    let no = Office::new(Arc::clone(site), Some(Arc::new(Says(false))));
    assert_eq!(no.dual_read(&admin(), statement()).await, stated);
    assert_eq!(no.dual_read(&admin(), None).await, None);
    assert_eq!(no.dual_read(&admin(), Some(Text::from(" \n"))).await, None, "nothing was stated");
    let silent = office(&process);
    assert_eq!(silent.dual_read(&admin(), statement()).await, stated);
    assert_eq!(silent.dual_read(&admin(), None).await, None);
    let draft = silent.draft(&admin()).await.unwrap();
    assert_eq!((draft.by.raw(), draft.target.raw(), draft.map_title.raw()), ("ana", "documents", "the small world"));
    assert_eq!((draft.canary, draft.soak_ms), (site.canary, site.soak_ms));
    drop((yes, no, silent));
    process.end().await;
}

/// Every row of a kind, by pages of two.
async fn walk<T>(page: impl AsyncFn(Place) -> (Vec<T>, Option<String>)) -> Vec<T> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (items, next) = page(Place { after, limit: 2 }).await;
        assert!(items.len() <= 2);
        all.extend(items);
        match next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

async fn code<T>(said: Said<'_, T>) -> Option<Code> {
    said.await.err().map(|refusal| refusal.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_everything_once_and_what_was_not_looked_at_has_none() {
    let scene = Scene::new(52, 1);
    let process = scene.start();
    let desk = office(&process);
    let (mig, other) = (id(), "mig-9".parse().unwrap());
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    macro_rules! pages {
        ($($page:ident),*) => {$(
            let all = walk(async |place| {
                let page = desk.$page(&mig, &place).await.unwrap();
                (page.items, page.next)
            }).await;
            assert_eq!(all, desk.$page(&mig, &first(500)).await.unwrap().items, stringify!($page));
            assert!(desk.$page(&other, &first(9)).await.unwrap().items.is_empty(), stringify!($page));
        )*};
    }
    pages!(collections, orphans, errors, log, mapping, decisions);
    let never = Place { after: Some("never given".to_owned()), limit: 5 };
    assert_eq!(code(desk.log(&mig, &never)).await, Some(Code::BadQuery));
    assert_eq!(code(desk.errors(&mig, &never)).await, Some(Code::BadQuery));
    assert_eq!(code(desk.decisions(&mig, &never)).await, Some(Code::BadQuery));
    let orphans = desk.orphans(&mig, &first(9)).await.unwrap().items;
    assert!(orphans.iter().any(|one| one.id.raw() == NOBODY), "{orphans:?}");
    assert!(desk.mapping(&mig, &first(500)).await.unwrap().items.len() > 20);
    drop(desk);
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_and_an_id_of_nobody_is_mapped_by_two() {
    let scene = Scene::new(53, 1);
    let twice = json!({"path": format!("users/{TWICE}"),
        "fields": {"email": "p100@example.com", "googleUserId": google(1), "name": "who"}});
    scene.documents.import(twice.to_string().as_bytes()).unwrap();
    let process = scene.start();
    let (desk, mig) = (office(&process), id());
    let (ana, bo) = (person("ana"), person("bo"));
    let early = orphan(OrphanChoice::Placeholder, None);
    assert_eq!(code(desk.decide(&mig, &ana, early)).await, Some(Code::NotDecided), "it was not looked at");
    process.propose(&scene).await;
    let asks = process.until(|now| now.status == MigrationStatus::NeedsDecision).await;
    let questions = desk.decisions(&mig, &first(9)).await.unwrap().items;
    assert_eq!((asks.open_decisions, questions.len()), (1, 1), "{questions:?}");
    let answer = |option: &str| DecisionRequest::Question {
        id: questions[0].id.clone(),
        option: Text::new(option.to_owned()),
        reason: Text::from("asked them"),
    };
    assert_eq!(code(desk.decide(&mig, &ana, answer("no such way"))).await, Some(Code::NotDecided));
    let option = questions[0].options[0].name.raw().to_owned();
    let entered = desk.decide(&mig, &ana, answer(&option)).await.unwrap();
    assert_eq!(entered.open, 0);
    assert!(entered.what.raw().contains(&option), "{}", entered.what.raw());
    assert_eq!(desk.decide(&mig, &ana, answer(&option)).await.unwrap(), entered, "a request that comes again");
    let user = document_id(2);
    let map = || orphan(OrphanChoice::Map, Some(&user));
    assert!(desk.decide(&mig, &ana, map()).await.unwrap().what.raw().contains("somebody else"));
    assert_eq!(code(desk.decide(&mig, &ana, map())).await, Some(Code::OwnProposal));
    assert!(desk.decide(&mig, &bo, map()).await.unwrap().what.raw().contains("approved"));
    let refusal = desk.decide(&mig, &bo, orphan(OrphanChoice::Archive, None)).await.unwrap_err();
    assert_eq!(refusal.code, Code::VersionConflict);
    assert!(refusal.why.contains("put it back into quarantine first"), "{}", refusal.why);
    let orphans = desk.orphans(&mig, &first(9)).await.unwrap().items;
    let decided = orphans.iter().find(|one| one.id.raw() == NOBODY).unwrap().decision.clone().unwrap();
    assert_eq!((decided.choice, decided.approved_by), (OrphanChoice::Map, Some(Text::from("bo"))));
    drop(desk);
    process.end().await;
}

fn sums(seen: &UserCheck) -> (u64, u64, u64) {
    seen.places.iter().fold((0, 0, 0), |sum, place| (sum.0 + place.before, sum.1 + place.now, sum.2 + place.expected))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_found_by_every_id_and_the_report_adds_up() {
    let scene = Scene::new(54, 2);
    let process = scene.start();
    let (desk, mig) = (office(&process), id());
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Rehearsed], None).await;
    let before = desk.check_user(&mig, &google(2)).await.unwrap();
    let (was, now, expected) = sums(&before);
    assert!(was == now && now < expected, "nothing was written: {before:?}");
    let planned = desk.report(process.migration().unwrap()).await.unwrap();
    let told = |report: &stella_protocol::migration::Report| -> String {
        report.reconciliation.iter().map(Text::raw).collect::<Vec<_>>().join("\n")
    };
    assert!(told(&planned).contains("people do not see what they must"), "{}", told(&planned));
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    let after = desk.check_user(&mig, &google(2)).await.unwrap();
    assert_eq!(after.user.raw(), document_id(2));
    assert!(after.old_ids.iter().any(|old| old.raw() == derived(2)), "{after:?}");
    assert!(after.places.iter().all(|place| place.now == place.expected), "{after:?}");
    assert_eq!((sums(&after).0, sums(&after).2), (was, expected), "what was and what must be stay the same");
    for who in [derived(2), document_id(2), "P2@Example.com".to_owned(), "p2@example.com".to_owned()] {
        assert_eq!(desk.check_user(&mig, &who).await.unwrap(), after, "{who}");
    }
    assert_eq!(code(desk.check_user(&mig, "nobody@example.com")).await, Some(Code::NotFound));
    let report = desk.report(process.migration().unwrap()).await.unwrap();
    let told = told(&report);
    assert!(told.contains("it adds up") && told.contains("everybody sees what they must"), "{told}");
    assert!(told.contains("documents checked, 0 differences"), "{told}");
    let counts = report.migration.counts;
    assert_eq!(counts.done + counts.skipped + counts.parked + counts.failed, counts.planned);
    assert!(report.users.contains(&after) && report.users.len() > 10, "{}", report.users.len());
    assert!(report.collections.len() > 10 && report.orphans.iter().any(|one| one.id.raw() == NOBODY));
    drop(desk);
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_id_is_somebodys_once_it_was_cut_over_and_not_before() {
    let scene = Scene::new(55, 1);
    let process = scene.start();
    let desk = office(&process);
    process.propose(&scene).await;
    process.drive(&scene, &[MigrationStatus::Verified], None).await;
    assert_eq!(desk.alias(&derived(2)).await.unwrap(), None);
    process.drive(&scene, &[MigrationStatus::Completed], None).await;
    for old in [derived(2), google(2)] {
        let alias = desk.alias(&old).await.unwrap().unwrap();
        assert_eq!((alias.old_id.raw(), alias.new_id.raw()), (old.as_str(), document_id(2).as_str()));
        assert_eq!(alias.migration, id());
    }
    assert_eq!(desk.alias(&document_id(2)).await.unwrap(), None, "it is no old one");
    assert_eq!(desk.alias("never heard of").await.unwrap(), None);
    drop(desk);
    process.end().await;
}
