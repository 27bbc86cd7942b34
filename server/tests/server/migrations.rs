//! Migrations over HTTP: what is checked, in which order, and what comes back. This server has no documents.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stella_protocol::{
    Code, Current, Migration, MigrationId, MigrationStatus, MigrationVerb, Role, Snapshot, Text, Timestamp,
};
use stella_server::migrate::{Draft, MigrationState, machine};
use stella_server::store::{SqliteStore, Store, Tx, Write};

use crate::harness::{Feed, Running, post, problem, refused};

/// A migration that somebody made.
fn made(number: u64) -> MigrationState {
    let id: MigrationId = format!("mig-{number}").parse().unwrap();
    let (by, target, map_title) = (Text::new("ana"), Text::new("main"), Text::new("the application"));
    let draft = Draft { by, target, map_title, canary: 3, soak_ms: 60_000 };
    machine::open(id, draft, Timestamp::from_millis(number as i64))
}

/// A server that finds these migrations in its folder.
async fn with(migrations: Vec<MigrationState>) -> Running {
    let data = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(data.path(), Timestamp::default()).unwrap();
    let put = |state| Write::Migration { state: Arc::new(state), from: None };
    let writes = migrations.into_iter().map(put).collect();
    store.commit_all(vec![Tx { writes, ..Tx::default() }]);
    drop(store);
    Running::start_on(data).await
}

/// A body that every verb takes as far as its fields go.
fn body_of(verb: MigrationVerb) -> Value {
    match verb {
        MigrationVerb::Approve | MigrationVerb::Start | MigrationVerb::Cutover | MigrationVerb::Rollback => {
            json!({ "planDigest": "d1" })
        }
        MigrationVerb::Rate => json!({ "rate": 50 }),
        MigrationVerb::HandOver => json!({ "to": "ben" }),
        _ => json!({ "text": "because" }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_is_looked_at_called_off_once_and_told_on_the_feed() {
    let server = with(vec![made(1)]).await;
    let answer = server.get("/api/stella/migrations/MIG-1").await;
    assert_eq!((answer.status(), answer.headers()["etag"].to_str().unwrap()), (StatusCode::OK, "\"1\""));
    let migration: Migration = answer.json().await.unwrap();
    assert_eq!(migration, made(1).migration);
    let snapshot: Snapshot = serde_json::from_value(server.get_json("/api/stella/snapshot").await).unwrap();
    assert_eq!(snapshot.migrations, std::slice::from_ref(&migration));

    let mut feed = server.feed("?events=migration", None).await;
    feed.until("hello", |_| true).await;
    let cancel = |key| {
        post(&server, "migrations/mig-1/cancel", &server.admin, key)
            .header("If-Match", "\"1\"")
            .json(&json!({ "text": "another day" }))
    };
    let first: Value = cancel("k1").send().await.unwrap().json().await.unwrap();
    assert_eq!(first["status"], "cancelled");
    let (event, told) = feed.until("migration", |_| true).await;
    assert_eq!((told, event.id.is_empty()), (first.clone(), false));
    let again = cancel("k1").send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    let stale = problem(cancel("k2").send().await.unwrap()).await;
    assert_eq!(stale.code, Code::VersionConflict);
    let Some(Current::Migration(current)) = stale.current else { unreachable!("{stale:?}") };
    assert_eq!(serde_json::to_value(current).unwrap(), first);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_about_migrations_has_a_code_of_its_own_and_the_key_is_checked_first() {
    let server = with(vec![made(1)]).await;
    let bare = |method, path: &str| server.request(method, &format!("/api/stella/{path}"), &server.admin);
    for verb in MigrationVerb::ALL {
        let word = verb.word();
        let path = format!("migrations/mig-1/{word}");
        let keyed = || post(&server, &path, &server.admin, "k");
        let seen = || keyed().header("If-Match", "\"9\"");
        refused(word, bare(Method::POST, &path), Code::KeyMissing).await;
        refused(word, keyed().body("x"), Code::VersionMissing).await;
        refused(word, seen().json(&json!({ "extra": 1 })), Code::BadBody).await;
        for field in ["planDigest", "to", "rate"] {
            let value = if field == "rate" { json!(1) } else { json!("x") };
            let foreign = body_of(verb).get(field).is_none();
            if foreign {
                refused(word, seen().json(&json!({ field: value })), Code::BadBody).await;
            }
        }
        if body_of(verb).get("text").is_none() || verb == MigrationVerb::Close {
            refused(word, seen().json(&json!({})), Code::BadBody).await;
        }
        let found = problem(seen().json(&body_of(verb)).send().await.unwrap()).await;
        if found.code == Code::NotFound {
            assert!(found.detail.raw().contains("documents under [fixes]"), "{word}: {found:?}");
        } else {
            assert_eq!(found.code, Code::VersionConflict, "{word}");
        }
        refused(word, bare(Method::POST, &format!("migrations/fx-1/{word}")), Code::BadId).await;
        let unknown = post(&server, &format!("migrations/mig-9/{word}"), &server.admin, "k");
        refused(word, unknown.header("If-Match", "\"1\"").json(&body_of(verb)), Code::NotFound).await;
    }
    refused("unknown verb", bare(Method::POST, "migrations/mig-1/explode"), Code::UnknownRoute).await;
    refused("propose", bare(Method::POST, "migrations"), Code::KeyMissing).await;
    let propose = || post(&server, "migrations", &server.admin, "k");
    refused("propose", propose().json(&json!({ "kind": "everything" })), Code::BadBody).await;
    refused("propose", propose().json(&json!({ "kind": "user_ids", "now": true })), Code::BadBody).await;
    refused("propose", propose().json(&json!({ "kind": "user_ids" })), Code::NotFound).await;
    let path = "migrations/mig-1/decisions";
    let decide = || post(&server, path, &server.admin, "k").header("If-Match", "\"1\"");
    refused(path, bare(Method::POST, path), Code::KeyMissing).await;
    refused(path, post(&server, path, &server.admin, "k").body("x"), Code::VersionMissing).await;
    let orphan = |choice: &str, user: Option<&str>, reason: &str| json!({ "about": "orphan", "id": "42", "choice": choice, "user": user, "reason": reason });
    for (bad, code) in [
        (json!({ "about": "nothing" }), Code::BadBody),
        (json!({ "about": "question", "id": "", "option": "a", "reason": "because" }), Code::BadBody),
        (orphan("delete", None, "because"), Code::BadBody),
        (orphan("map", None, "because"), Code::BadBody),
        (orphan("archive", Some("usr_1"), "because"), Code::BadBody),
        (orphan("archive", None, " "), Code::BadBody),
        (orphan("archive", None, &"x".repeat(3000)), Code::TooLarge),
        (orphan("archive", None, "because"), Code::NotFound),
    ] {
        refused(path, decide().json(&bad), code).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_newest_first_and_details_say_what_is_missing() {
    let mut migrations: Vec<MigrationState> = (1..=5).map(made).collect();
    migrations[0].migration.status = MigrationStatus::Cancelled;
    let server = with(migrations).await;
    let ids = |page: &Value| {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|migration| migration["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = server.get_json("/api/stella/migrations?limit=3&status=unfinished").await;
    assert_eq!(ids(&first), ["mig-5", "mig-4", "mig-3"]);
    let next = first["next"].as_str().unwrap();
    let last = server.get_json(&format!("/api/stella/migrations?limit=3&after={next}")).await;
    assert_eq!((ids(&last), last["next"].is_null()), (vec!["mig-2".to_owned(), "mig-1".to_owned()], true));
    assert_eq!(ids(&server.get_json("/api/stella/migrations?status=cancelled,completed").await), ["mig-1"]);
    let bare = |path: &str| server.request(Method::GET, &format!("/api/stella/{path}"), &server.admin);
    for query in ["status=sleeping", "limit=0", "limit=1000", "after=x", "nonsense=1"] {
        refused(query, bare(&format!("migrations?{query}")), Code::BadQuery).await;
    }
    for part in ["collections", "orphans", "errors", "log", "mapping", "decisions", "report", "users/a@example.com"] {
        refused(part, bare(&format!("migrations/fx-1/{part}")), Code::BadId).await;
        refused(part, bare(&format!("migrations/mig-9/{part}")), Code::NotFound).await;
        let missing = problem(bare(&format!("migrations/mig-1/{part}")).send().await.unwrap()).await;
        assert_eq!(missing.code, Code::NotFound);
        assert!(missing.detail.raw().contains("documents under [fixes]"), "{part}: {missing:?}");
        if !part.starts_with("users") && part != "report" {
            refused(part, bare(&format!("migrations/mig-1/{part}?limit=501")), Code::BadQuery).await;
            let far = "x".repeat(2049);
            refused(part, bare(&format!("migrations/mig-1/{part}?after={far}")), Code::BadQuery).await;
        }
    }
    refused("an alias", bare("aliases/42"), Code::NotFound).await;
    refused("a long alias", bare(&format!("aliases/{}", "x".repeat(513))), Code::BadId).await;
    refused("a long name", bare(&format!("migrations/mig-1/users/{}", "x".repeat(513))), Code::BadId).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_and_stop_are_a_responders_and_all_else_an_admins() {
    let server = with(vec![made(1)]).await;
    let (responder, approver) = (server.token(Role::Responder, "eve").await, server.token(Role::Approver, "ben").await);
    for verb in MigrationVerb::ALL {
        let path = format!("migrations/mig-1/{}", verb.word());
        for token in [&responder, &approver] {
            let asked = post(&server, &path, token, "k").header("If-Match", "\"1\"").json(&body_of(verb));
            let code = problem(asked.send().await.unwrap()).await.code;
            let brake = matches!(verb, MigrationVerb::Pause | MigrationVerb::Stop);
            assert_eq!(code == Code::Forbidden, !brake, "{path}: {code:?}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_hand_it_over_and_take_it_over_and_both_feeds_say_who() {
    let server = with(vec![made(1)]).await;
    let (ana, bo) = (server.token(Role::Admin, "ana").await, server.token(Role::Admin, "bo").await);
    let mut feeds = Vec::new();
    for token in [&ana, &bo] {
        let mut feed = Feed::open(&server.client, server.addr, token, "?events=migration", None).await;
        feed.until("hello", |_| true).await;
        feeds.push(feed);
    }
    let says = |token, verb: &'static str, version: u64, body| {
        let asked = post(&server, &format!("migrations/mig-1/{verb}"), token, verb);
        asked.header("If-Match", format!("\"{version}\"")).json(&body).send()
    };
    let given = says(&ana, "hand-over", 1, json!({ "to": "bo" })).await.unwrap();
    assert_eq!(given.json::<Value>().await.unwrap()["leader"], "bo");
    let early = problem(says(&bo, "take-over", 1, json!({})).await.unwrap()).await;
    assert_eq!(early.code, Code::VersionConflict, "what bo saw was older");
    let back = says(&ana, "take-over", 2, json!({ "text": "lunch" })).await.unwrap();
    assert_eq!(back.json::<Value>().await.unwrap()["leader"], "ana");
    for feed in &mut feeds {
        for (leader, by) in [("bo", "ana"), ("ana", "ana")] {
            let (_, told) = feed.until("migration", |_| true).await;
            let last = told["trail"].as_array().unwrap().last().unwrap().clone();
            assert_eq!((&told["leader"], &last["by"]), (&json!(leader), &json!(by)), "{last}");
        }
    }
    server.stop().await;
}
