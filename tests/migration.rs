//! A migration of user ids from its plan to its end: the real server in a process of its own, the real commands,
//! and the store itself as the judge of what was done.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "hostile/api.rs"]
mod api;
#[path = "migration/home.rs"]
mod home;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "served/process.rs"]
mod process;
#[path = "migration/store.rs"]
mod store;

use std::collections::{BTreeMap, BTreeSet};

use home::{Home, World};
use serde_json::json;
use stella_protocol::migration::{Alias, CollectionRow, MappingRow, Trouble, TroubleKind};
use stella_protocol::{Migration, MigrationStatus};
use stella_server::migrate::DataMap;
use stella_server::migrate::form::pseudonym;
use stella_server::migrate::map::shipped;
use store::{Contents, Old};

/// The statement of whoever knows the application, where it cannot be asked.
const READS_BOTH: &str = "version 12 is everywhere and reads both";
/// So many times the demo's documents: enough batches to be met on the way.
const BIG: u32 = 9;
/// Documents a second while it is waited for.
const SLOWLY: u32 = 700;

fn map() -> DataMap {
    shipped::application().unwrap()
}

fn digest(migration: &Migration) -> String {
    migration.plan.as_ref().unwrap().digest.raw().to_owned()
}

/// Ids that were to go, by what the server says of its mapping, and those that they go to.
fn old_ids(home: &Home, id: &str) -> Old {
    let rows: Vec<MappingRow> = home.rows(id, "mapping");
    let moved = rows.iter().filter(|row| row.from != row.to);
    Old {
        ids: moved.map(|row| row.from.raw().to_owned()).collect(),
        stay: rows.iter().map(|row| pseudonym(row.to.raw())).collect(),
    }
}

/// Documents of which the server says that this is wrong with them.
fn troubled(home: &Home, id: &str, kind: TroubleKind) -> BTreeSet<String> {
    let rows: Vec<Trouble> = home.rows(id, "errors");
    let these = rows.into_iter().filter(|row| row.kind == kind);
    these.map(|row| row.document.raw().to_owned()).collect()
}

/// What the plan tells of the first scope, as a person reads it.
fn told(out: &str, what: &str) -> u64 {
    let line = out.lines().find_map(|line| line.trim_start().strip_prefix(what));
    let figure = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    figure.unwrap_or_else(|| panic!("no figure of {what} in {out}"))
}

fn differing(before: &Contents, after: &Contents) -> Vec<String> {
    store::changed(&map(), before, after).into_values().flatten().collect()
}

/// Every collection's row says what the store shows; in all, the migration's counts do.
fn adds_up(home: &Home, migration: &Migration, before: &Contents, after: &Contents) {
    let changed = store::changed(&map(), before, after);
    let rows: Vec<CollectionRow> = home.rows(migration.id.as_str(), "collections");
    let mut said: BTreeMap<String, u64> = BTreeMap::new();
    for row in &rows {
        *said.entry(row.name.raw().to_owned()).or_default() += row.counts.done;
    }
    said.retain(|_, done| *done > 0);
    let there: BTreeMap<String, u64> = changed.iter().map(|(name, paths)| (name.clone(), paths.len() as u64)).collect();
    assert_eq!(said, there, "the rows and the store");
    let sum: u64 = there.values().sum();
    assert_eq!(migration.counts.done, sum, "{:?}", migration.counts);
    let counts = migration.counts;
    assert_eq!(counts.failed, 0);
    assert_eq!(counts.done + counts.skipped + counts.parked, counts.planned, "{counts:?}");
}

#[test]
fn a_migration_whose_server_is_killed_on_its_way_goes_on_by_itself_to_its_end() {
    if home::serves() {
        return;
    }
    let name = "a_migration_whose_server_is_killed_on_its_way_goes_on_by_itself_to_its_end";
    let home = Home::new(name, World::Still(BIG));
    let documents = home.store();
    let server = home.start();
    let approved = home.approved();
    let (id, plan) = (approved.id.as_str(), digest(&approved));
    let (before, first) = (store::contents(&documents), store::writes(&documents));
    home.done(&["start", id, "--plan-digest", &plan, "--dual-read", READS_BOTH]);
    home.until(id, MigrationStatus::Copying);
    // At full speed it is over before anybody has looked twice.
    home.say(id, "pause", &json!({}));
    home.until(id, MigrationStatus::Paused);
    let tried = store::written(&documents, first);
    home.say(id, "rate", &json!({"rate": SLOWLY}));
    home.say(id, "resume", &json!({}));

    let part = |now: &Migration| now.counts.settled() as f64 / now.counts.planned as f64;
    let met = home.until_it(id, "a third", |now| now.status == MigrationStatus::Copying && part(now) >= 0.3);
    assert!(part(&met) <= 0.45, "met too late: {:?}", met.counts);
    server.kill();
    let half = store::contents(&documents);
    assert!(!differing(&before, &half).is_empty());

    let _server = home.start();
    let again = home.migration(id);
    assert_eq!(again.status, MigrationStatus::Copying);
    assert!(again.counts.settled() >= met.counts.settled(), "what was done is kept: {:?}", again.counts);
    let on = home.until_it(id, "on its way again", |now| now.counts.settled() > again.counts.settled());
    if on.status == MigrationStatus::Copying {
        home.say(id, "rate", &json!({"rate": 0}));
    }
    let verified = home.until(id, MigrationStatus::Verified);
    let found = verified.verification.as_ref().unwrap();
    assert_eq!((found.differences, found.changed_since), (0, 0), "{found:?}");

    let after = store::contents(&documents);
    adds_up(&home, &verified, &before, &after);
    // What the canary wrote may hold another one's id too, and is written again for that.
    let again = |(path, times): &(&String, &u32)| **times > 1 && !tried.contains_key(*path);
    let written = store::written(&documents, first);
    assert_eq!(written.iter().find(again), None, "nothing is written twice, killed or not");
    assert_eq!(written.len(), differing(&before, &after).len());
    assert!(tried.len() < written.len() / 3, "{} of {}", tried.len(), written.len());
    let (old, parked) = (old_ids(&home, id), troubled(&home, id, TroubleKind::Parked));
    assert!(store::holding(&map(), &before, &old).len() > 1_000, "there was something to do");
    for path in store::holding(&map(), &after, &old) {
        // Those that are to become tombstones stand as they were.
        assert!(parked.contains(&path) || before.get(&path) == after.get(&path), "{path} holds an old id");
    }
    // No map is asked here; e-mails stand beside ids as copies.
    let ids: BTreeSet<String> = old.ids.iter().filter(|one| !one.contains('@')).cloned().collect();
    let seen = after.values().filter(|one| ["conversations", "messages"].contains(&one.key.collection.as_str()));
    let left: Vec<String> = seen.filter(|one| store::says(one, &ids)).map(|one| one.key.path()).collect();
    assert!(left.iter().all(|path| parked.contains(path)), "{left:?}");

    home.done(&["cutover", id, "--plan-digest", &plan]);
    let ended = home.until(id, MigrationStatus::Completed);
    assert!(ended.ended_at.is_some() && ended.old_id_uses == 0, "{ended:?}");
    let cut = store::contents(&documents);
    let holds = store::holding(&map(), &cut, &old);
    let tombstone = |path: &String| cut[path].fields.contains_key("_movedTo");
    let left: Vec<&String> = holds.iter().filter(|path| !parked.contains(*path) && !tombstone(path)).collect();
    assert!(left.is_empty(), "{left:?}");
    for path in holds.iter().filter(|path| tombstone(path)) {
        let new = cut[path].fields["_movedTo"].as_str().unwrap();
        assert!(cut.contains_key(new), "{path} was moved to {new}, where nothing is");
    }
    let rows: Vec<MappingRow> = home.rows(id, "mapping");
    for row in rows.iter().filter(|row| row.from != row.to && !row.from.raw().is_empty()) {
        let alias: Alias = home.api.get(&format!("aliases/{}", row.from.raw()), &[]);
        assert_eq!((&alias.new_id, alias.migration.as_str()), (&row.to, id));
    }
}

#[test]
fn the_demo_is_planned_as_the_first_run_was_rehearsed_without_a_write_and_taken_back() {
    if home::serves() {
        return;
    }
    let name = "the_demo_is_planned_as_the_first_run_was_rehearsed_without_a_write_and_taken_back";
    let home = Home::new(name, World::Demo);
    let _server = home.start();
    let documents = home.store();
    let (before, writes) = (store::contents(&documents), store::writes(&documents));

    let out = home.done(&["plan"]);
    let scope = ["users", "conversations", "messages", "shares", "orphaned conversations"].map(|what| told(&out, what));
    assert_eq!(scope, [19, 473, 600, 30, 38], "{out}");
    assert!(out.contains("of 3 ids without a user"), "{out}");
    let id = out.split_whitespace().next().unwrap().to_owned();
    let first = home.migration(&id).plan.unwrap().first_scope.unwrap();
    assert_eq!((first.orphaned_conversations, first.orphan_ids), (38, 3));
    home.done(&["rehearse", "--follow"]);
    assert_eq!(store::writes(&documents), writes, "neither a look nor a rehearsal writes");

    let plan = digest(&home.migration(&id));
    home.done(&["approve", "--plan-digest", &plan[..8]]);
    home.done(&["start", "--plan-digest", &plan, "--follow"]);
    let verified = home.migration(&id);
    assert_eq!(verified.status, MigrationStatus::Verified);
    // Its application was asked what it shows, and answered out of these documents.
    let asked = verified.own_queries.unwrap().items;
    let names: Vec<&str> = asked.iter().map(|query| query.name.raw()).collect();
    assert_eq!(names, ["list-conversations", "load-shared-agents"]);
    for query in &asked {
        let (before, after) = (query.before.unwrap(), query.after.unwrap());
        assert!(query.silent == 0 && before.users > 10 && after.users == before.users, "{query:?}");
        assert!(before.median_ms > 0.0 && after.calls == after.users * 3, "{query:?}");
    }
    let report = home.done(&["report"]);
    assert!(
        report.contains("## The application's own queries") && report.contains("- list-conversations: "),
        "{report}"
    );
    let copied = store::contents(&documents);
    let done = differing(&before, &copied);
    assert!(done.len() > 1_000, "{}", done.len());

    // A document that was written, and one that was not.
    let written = done.iter().find(|path| path.starts_with("messages/")).unwrap().clone();
    let other = copied.keys().find(|path| path.starts_with("messages/") && !done.contains(path)).cloned();
    for path in std::iter::once(&written).chain(&other) {
        home.api.wait(store::edit(&documents, path));
    }
    let edited = store::contents(&documents);
    home.done(&["rollback", "--plan-digest", &plan, "--follow"]);
    assert_eq!(home.migration(&id).status, MigrationStatus::RolledBack);
    let back = store::contents(&documents);
    let kept = troubled(&home, &id, TroubleKind::Kept);
    assert_eq!(kept, BTreeSet::from([written.clone()]));
    for path in differing(&before, &back) {
        if path == written || Some(&path) == other.as_ref() {
            assert_eq!(back[&path].fields, edited[&path].fields, "{path} is as its editor left it");
            continue;
        }
        // The demo renames one conversation under the migration's hands: that stays.
        let mut renamed = before[&path].fields.clone();
        let title = format!("{} (renamed)", renamed["title"].as_str().unwrap());
        renamed.insert("title".to_owned(), json!(title));
        assert_eq!(back[&path].fields, renamed, "{path}");
    }
}

#[test]
fn of_two_migrations_that_are_started_at_once_one_has_the_store() {
    if home::serves() {
        return;
    }
    let name = "of_two_migrations_that_are_started_at_once_one_has_the_store";
    let home = Home::new(name, World::Still(1));
    let _server = home.start();
    let both = [home.approved(), home.approved()];
    assert_ne!(both[0].id, both[1].id);
    let answers: Vec<home::Said> = std::thread::scope(|scope| {
        let starts = both.each_ref().map(|one| {
            let home = &home;
            scope.spawn(move || {
                let plan = digest(one);
                home.migrate(&["start", one.id.as_str(), "--plan-digest", &plan, "--dual-read", READS_BOTH])
            })
        });
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let codes: BTreeSet<Option<i32>> = answers.iter().map(|said| said.code).collect();
    assert_eq!(codes, BTreeSet::from([Some(0), Some(4)]), "{answers:?}");
    let winner = answers.iter().position(|said| said.code == Some(0)).unwrap();
    let loser = &answers[1 - winner];
    assert!(loser.beside.contains(both[winner].id.as_str()), "it says who has the store: {loser:?}");
    let waits = home.migration(both[1 - winner].id.as_str());
    assert_eq!((waits.status, waits.backup), (MigrationStatus::Approved, None));
    home.until(both[winner].id.as_str(), MigrationStatus::Verified);
    assert!(!home.migration(waits.id.as_str()).status.holds_the_store());
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_reason_and_changes_nothing() {
    if home::serves() {
        return;
    }
    let name = "what_cannot_be_meant_is_refused_with_its_reason_and_changes_nothing";
    let home = Home::new(name, World::Still(1));
    let documents = home.store();
    let _server = home.start();
    let approved = home.approved();
    let (writes, version) = (store::writes(&documents), format!("\"{}\"", approved.version));
    let (seen, other) = (json!({"planDigest": digest(&approved)}), json!({"planDigest": "0".repeat(64)}));
    let start = format!("migrations/{}/start", approved.id);
    let asked = [
        ("root", start.as_str(), version.as_str(), &other, 409, "plan_changed"),
        ("vic", &start, &version, &seen, 403, "forbidden"),
        ("app", &start, &version, &seen, 403, "forbidden"),
        ("root", "migrations/mig-999/start", &version, &seen, 404, "not_found"),
        ("root", "migrations/fix-1/start", &version, &seen, 400, "bad_id"),
        ("root", &start, "\"latest\"", &seen, 400, "bad_version"),
        ("root", &start, "\"-1\"", &seen, 400, "bad_version"),
        ("root", &start, "\"99999999999999999999999\"", &seen, 400, "bad_version"),
        ("root", &start, "\"1\"", &seen, 409, "version_conflict"),
        ("root", &start, &version, &json!({}), 400, "bad_body"),
        ("root", &start, &version, &json!({"planDigest": 7}), 400, "bad_body"),
        ("root", &start, &version, &seen, 409, "dual_read_missing"),
    ];
    for (by, path, version, body, status, code) in asked {
        let (said, answer) = home.ask(by, path, version, body);
        let what = format!("{by} {path} {version} {body}: {answer}");
        assert_eq!((said, answer["code"].as_str().unwrap_or_default()), (status, code), "{what}");
    }
    assert_eq!(home.migrate(&["start", "mig-999", "--plan-digest", "00000000"]).code, Some(3));
    assert_eq!(home.migrate(&["start", "--plan-digest", "00000000"]).code, Some(4));
    assert_eq!(home.migrate(&["start"]).code, Some(2), "nobody is there to type");
    assert_eq!(home.migration(approved.id.as_str()), approved);
    assert_eq!(store::writes(&documents), writes);
}
