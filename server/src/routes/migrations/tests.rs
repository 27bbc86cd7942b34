//! What the routes ask of a desk, and what they make of its answers, over HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use stella_protocol::migration::{
    Alias, CollectionPage, Decision as Question, DecisionPage, DecisionRequest, DualRead, LogPage, LogRow, MappingPage,
    OrphanPage, PhaseName, Report, TroublePage, UserCheck,
};
use stella_protocol::{Code, Migration, MigrationId, MigrationStatus, Principal, Text, Timestamp};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Config;
use crate::migrate::run::desk::{Entered, MigrationDesk, Place, Said};
use crate::migrate::{Draft, Refusal};
use crate::store::conformance::migrations::{id, state};
use crate::store::{SqliteStore, Store, Tx, Write};

/// A desk with two questions, one alias, and an application that does not answer.
#[derive(Default)]
struct Desk {
    asked: AtomicUsize,
    answered: Mutex<Vec<String>>,
}

fn said<'a, T: Send + 'a>(answer: Result<T, Refusal>) -> Said<'a, T> {
    async { answer }.boxed()
}

impl MigrationDesk for Desk {
    fn draft<'a>(&'a self, _: &'a Principal) -> Said<'a, Draft> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (by, target, map_title) = (Text::new("desk"), Text::new("main"), Text::new("the application"));
        said(Ok(Draft { by, target, map_title, canary: 3, soak_ms: 60_000 }))
    }

    fn dual_read<'a>(
        &'a self,
        by: &'a Principal,
        statement: Option<Text>,
    ) -> futures_util::future::BoxFuture<'a, Option<DualRead>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let stated = statement.map(|text| DualRead::Statement { who: by.name.clone(), text });
        async { stated }.boxed()
    }

    fn collections<'a>(&'a self, _: &'a MigrationId, _: &'a Place) -> Said<'a, CollectionPage> {
        said(Ok(CollectionPage { items: Vec::new(), next: None }))
    }

    fn orphans<'a>(&'a self, _: &'a MigrationId, _: &'a Place) -> Said<'a, OrphanPage> {
        said(Ok(OrphanPage { items: Vec::new(), next: None }))
    }

    fn errors<'a>(&'a self, _: &'a MigrationId, _: &'a Place) -> Said<'a, TroublePage> {
        said(Ok(TroublePage { items: Vec::new(), next: None }))
    }

    fn log<'a>(&'a self, _: &'a MigrationId, place: &'a Place) -> Said<'a, LogPage> {
        let after: u64 = place.after.as_deref().and_then(|after| after.parse().ok()).unwrap_or(0);
        let row = |number| LogRow { number, at: Timestamp::default(), text: Text::new("a\u{1b}[2Jline") };
        let items: Vec<LogRow> = (after + 1..=after + u64::from(place.limit)).map(row).collect();
        let next = items.last().map(|row| row.number.to_string());
        said(Ok(LogPage { items, next }))
    }

    fn mapping<'a>(&'a self, _: &'a MigrationId, _: &'a Place) -> Said<'a, MappingPage> {
        said(Err(Refusal::new(Code::BadQuery, "after: no such place")))
    }

    fn decisions<'a>(&'a self, _: &'a MigrationId, _: &'a Place) -> Said<'a, DecisionPage> {
        said(Ok(DecisionPage { items: Vec::<Question>::new(), next: None }))
    }

    fn decide<'a>(&'a self, _: &'a MigrationId, _: &'a Principal, ask: DecisionRequest) -> Said<'a, Entered> {
        let DecisionRequest::Question { id, option, .. } = ask else {
            return said(Err(Refusal::new(Code::NotDecided, "no such id")));
        };
        let mut answered = self.answered.lock().unwrap();
        answered.push(id.raw().to_owned());
        let mut known = answered.clone();
        known.sort();
        known.dedup();
        let what = Text::new(format!("{}: {}", id.raw(), option.raw()));
        said(Ok(Entered { what, open: 2_u64.saturating_sub(known.len() as u64) }))
    }

    fn check_user<'a>(&'a self, _: &'a MigrationId, who: &'a str) -> Said<'a, UserCheck> {
        said(Ok(UserCheck {
            user: Text::new(who.to_owned()),
            old_ids: Vec::new(),
            places: Vec::new(),
            old_id_uses: Vec::new(),
        }))
    }

    fn report(&self, migration: Migration) -> Said<'_, Report> {
        said(Ok(Report {
            migration,
            collections: Vec::new(),
            users: Vec::new(),
            orphans: Vec::new(),
            troubles: Vec::new(),
            reconciliation: Vec::new(),
        }))
    }

    fn alias<'a>(&'a self, old: &'a str) -> Said<'a, Option<Alias>> {
        let known = old == "42/a b";
        let alias = || Alias { old_id: Text::new(old.to_owned()), new_id: Text::new("usr_1"), migration: id(1) };
        said(Ok(known.then(alias)))
    }
}

/// A server with that desk, and with one migration in this state.
struct Scene {
    base: String,
    admin: String,
    ingest: String,
    client: Client,
    desk: Arc<Desk>,
    stop: CancellationToken,
    ended: JoinHandle<()>,
    _data: TempDir,
}

impl Scene {
    async fn with(status: MigrationStatus, wanted: Option<PhaseName>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(data.path(), Timestamp::default()).unwrap();
        let mut kept = state(1, "main", status);
        kept.work.wanted = wanted;
        kept.migration.open_decisions = 2;
        let writes = vec![Write::Migration { state: Arc::new(kept), from: None }];
        store.commit_all(vec![Tx { writes, ..Tx::default() }]);
        drop(store);
        let desk = Arc::new(Desk::default());
        let config =
            Config { data: Some(data.path().to_owned()), remedy: None, ..Config::embedded("tester".to_owned()) };
        let server = crate::bind(config).await.unwrap().with_migrations(Arc::clone(&desk) as Arc<dyn MigrationDesk>);
        let base = format!("http://{}/api/stella", server.addr());
        let admin = server.console_token().unwrap().expose().to_owned();
        let ingest = server.ingest_token().unwrap().expose().to_owned();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let ended = tokio::spawn(async move { server.run(stopped).await.unwrap() });
        // Another test of this process may have set the same provider before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        let roots = roots.filter_map(|root| reqwest::Certificate::from_der(root).ok());
        let client = Client::builder().no_proxy().tls_certs_merge(roots).build().unwrap();
        Self { base, admin, ingest, client, desk, stop, ended, _data: data }
    }

    fn asks(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/{path}", self.base)).bearer_auth(&self.admin)
    }

    async fn get(&self, path: &str) -> Value {
        self.asks(Method::GET, path).send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, key: &str, version: u64, body: Value) -> Value {
        let asked = self.asks(Method::POST, path).header("Idempotency-Key", key);
        asked.header("If-Match", version.to_string()).json(&body).send().await.unwrap().json().await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        self.ended.await.unwrap();
    }
}

fn question(id: &str) -> Value {
    json!({ "about": "question", "id": id, "option": "same", "reason": "one e-mail" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_is_made_of_what_the_desk_says_once_for_each_key() {
    let scene = Scene::with(MigrationStatus::Cancelled, None).await;
    let propose = || scene.post("migrations", "k", 0, json!({ "kind": "user_ids" }));
    let first = propose().await;
    assert_eq!(
        (&first["id"], &first["target"], &first["createdBy"]),
        (&json!("mig-2"), &json!("main"), &json!("tester@local"))
    );
    assert_eq!(propose().await, first);
    assert_eq!(scene.desk.asked.load(Ordering::Relaxed), 1, "the first answer again needs no desk");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_entered_once_on_the_version_that_was_seen_and_then_told() {
    let scene = Scene::with(MigrationStatus::NeedsDecision, None).await;
    let path = "migrations/mig-1/decisions";
    let stale = scene.post(path, "k0", 7, question("dec-1")).await;
    assert_eq!((&stale["code"], &stale["current"]["version"]), (&json!("version_conflict"), &json!(1)));
    let orphan = json!({ "about": "orphan", "id": "9", "choice": "archive", "reason": "gone" });
    assert_eq!(scene.post(path, "k0", 1, orphan).await["code"], "not_decided");
    assert!(scene.desk.answered.lock().unwrap().is_empty(), "nothing went into the ledger");

    let first = scene.post(path, "k1", 1, question("dec-1")).await;
    assert_eq!((&first["openDecisions"], &first["status"]), (&json!(1), &json!("needs_decision")), "{first}");
    assert_eq!(scene.post(path, "k1", 1, question("dec-1")).await, first);
    assert_eq!(scene.post(path, "k1", 1, question("dec-2")).await["code"], "key_reused");
    assert_eq!(*scene.desk.answered.lock().unwrap(), ["dec-1"]);
    let last = scene.post(path, "k2", 2, question("dec-2")).await;
    assert_eq!((&last["openDecisions"], &last["status"]), (&json!(0), &json!("draft")), "{last}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_decide_at_once_one_is_told_of_the_other_and_none_is_lost() {
    let scene = Scene::with(MigrationStatus::NeedsDecision, None).await;
    let path = "migrations/mig-1/decisions";
    let (one, two) =
        tokio::join!(scene.post(path, "k1", 1, question("dec-1")), scene.post(path, "k2", 1, question("dec-2")));
    let codes: Vec<&Value> = [&one, &two].into_iter().filter_map(|answer| answer.get("code")).collect();
    assert_eq!(codes, [&json!("version_conflict")]);
    assert_eq!(scene.desk.answered.lock().unwrap().len(), 1, "what was refused is not in the ledger");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_asks_whether_readers_understand_both_ids() {
    let scene = Scene::with(MigrationStatus::Approved, None).await;
    let start = |key: &'static str, version, body| scene.post("migrations/mig-1/start", key, version, body);
    let stale = start("k1", 7, json!({ "planDigest": "d1" })).await;
    assert_eq!(stale["code"], "version_conflict");
    assert_eq!(scene.desk.asked.load(Ordering::Relaxed), 0, "nobody is asked for a plan that is not the one seen");
    let refused = start("k2", 1, json!({ "planDigest": "d1", "text": "both are read" })).await;
    assert_eq!(scene.desk.asked.load(Ordering::Relaxed), 1);
    assert_eq!(refused["current"]["id"], "mig-1", "{refused}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn details_come_from_the_desk_with_the_place_that_was_asked_for() {
    let scene = Scene::with(MigrationStatus::Planned, None).await;
    let page = scene.get("migrations/mig-1/log?after=7&limit=2").await;
    assert_eq!((&page["items"][0]["number"], &page["next"]), (&json!(8), &json!("9")));
    assert_eq!(scene.get("migrations/mig-1/log").await["items"].as_array().unwrap().len(), 100);
    assert_eq!(scene.get("migrations/mig-1/mapping").await["code"], "bad_query");
    for part in ["collections", "orphans", "errors", "decisions"] {
        assert_eq!(
            scene.get(&format!("migrations/mig-1/{part}")).await,
            json!({ "items": [], "next": null }),
            "{part}"
        );
    }
    assert_eq!(scene.get("migrations/mig-1/users/a%2Fb@example.com").await["user"], "a/b@example.com");
    assert_eq!(scene.get("migrations/mig-1/report").await["migration"]["id"], "mig-1");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_id_is_used_when_the_application_looks_it_up_and_not_when_a_person_does() {
    let scene = Scene::with(MigrationStatus::Soaking, None).await;
    let look = |token: &str| {
        let asked = scene.client.get(format!("{}/aliases/42%2Fa%20b", scene.base)).bearer_auth(token);
        async move { asked.send().await.unwrap() }
    };
    let found: Value = look(&scene.admin).await.json().await.unwrap();
    assert_eq!(found, json!({ "oldId": "42/a b", "newId": "usr_1", "migration": "mig-1" }));
    for _ in 0..3 {
        assert_eq!(look(&scene.ingest).await.status(), StatusCode::OK);
    }
    let counted = async {
        loop {
            let uses = scene.get("migrations/mig-1").await["oldIdUses"].as_u64().unwrap();
            if uses >= 3 {
                return uses;
            }
            tokio::task::yield_now().await;
        }
    };
    let uses = tokio::time::timeout(std::time::Duration::from_secs(20), counted).await.unwrap();
    assert_eq!(uses, 3, "the person's look is none");
    let elsewhere = scene.client.get(format!("{}/migrations", scene.base)).bearer_auth(&scene.ingest);
    assert_eq!(elsewhere.send().await.unwrap().status(), StatusCode::FORBIDDEN, "nothing else is for the application");
    scene.end().await;
}
