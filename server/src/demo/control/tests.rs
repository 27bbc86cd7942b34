//! The operations interface over real HTTP, with a world behind it.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use stella_protocol::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Ledger, Operations};
use crate::demo::World;
use crate::demo::courier::client;
use crate::demo::operate::code_of;

/// A world that stands still at so many seconds after its "now", and its operations interface.
struct Site {
    client: Client,
    url: String,
    token: String,
    _ending: tokio_util::sync::DropGuard,
}

impl Site {
    async fn at(seconds: i64) -> Self {
        let ending = CancellationToken::new();
        let mut operations = Operations::open(None).await.unwrap();
        let (url, token) = (operations.control().url.clone(), operations.control().token.clone());
        operations.serve(&ending);
        let start = Timestamp::from_millis(1_800_000_000_000);
        let now = start.plus_millis(600_000 + seconds * 1_000);
        let mut world = World::new(1, start, Duration::from_mins(10));
        world.step(now);
        tokio::spawn(async move {
            let mut ledger = Ledger::default();
            while let Some(waiting) = operations.next().await {
                waiting.settle(&mut world, &mut ledger, now).tell();
            }
        });
        Self { client: client().unwrap(), url, token, _ending: ending.drop_guard() }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn tell(&self, method: Method, path: &str, key: &str, fence: u64) -> (StatusCode, Value) {
        let answer = self.named(method, path, key, fence).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    fn named(&self, method: Method, path: &str, key: &str, fence: u64) -> reqwest::RequestBuilder {
        self.request(method, path).header("Idempotency-Key", key).header("Stella-Fence", fence)
    }

    /// Keys and paths of what was done.
    async fn effects(&self) -> Vec<(u64, String, String)> {
        let (_, page) = self.get("/effects").await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| (item["number"].as_u64().unwrap(), text(&item["key"]), text(&item["path"]))).collect()
    }
}

#[tokio::test]
async fn whoever_asks_hears_that_both_ids_are_read_and_that_a_cache_is_somebodys_under_any_of_their_ids() {
    let site = Site::at(0).await;
    let said = site.get("/reads-both-ids").await;
    assert_eq!(said, (StatusCode::OK, serde_json::json!({ "readsBothIds": true })));
    let people = crate::demo::people::People::new(1);
    let person = people.person(0);
    let (status, by_email) = site.get(&format!("/cache/{}", person.email)).await;
    assert_eq!(status, StatusCode::OK);
    for id in [&person.hash, &person.google, &person.derived()] {
        let (_, said) = site.get(&format!("/cache/{id}")).await;
        assert_eq!((&said["state"], &said["ageMinutes"]), (&by_email["state"], &by_email["ageMinutes"]), "{id}");
    }
    let (_, cleared) = site.tell(Method::POST, &format!("/cache/{}/clear", person.hash), "k", 1).await;
    assert_eq!(cleared["ageMinutes"], 0);
}

#[tokio::test]
async fn nobody_without_the_token_hears_or_does_anything() {
    let site = Site::at(30).await;
    for token in ["", "stella_x", &site.token[1..]] {
        let address = format!("{}/pools/conversations/restart", site.url);
        let request = site.client.post(address).bearer_auth(token).header("Idempotency-Key", "k");
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    assert_eq!(site.get("/pools/conversations").await.1["state"], "exhausted");
    assert!(site.effects().await.is_empty());
}

#[tokio::test]
async fn the_same_key_has_one_effect_and_the_first_answer() {
    let site = Site::at(30).await;
    let path = "/pools/db-pool-conversations/restart";
    let (status, first) = site.tell(Method::POST, path, "fx-1.0.do", 4).await;
    assert_eq!((status.as_u16(), &first["state"]), (200, &"ok".into()));
    assert!(first["effect"].as_str().unwrap().contains("8 leaked connections returned"), "{first}");
    assert_eq!(site.tell(Method::POST, path, "fx-1.0.do", 5).await, (status, first));
    assert_eq!(site.get("/pools/conversations").await.1["restarts"], 1);
    assert_eq!(site.effects().await, [(1, "fx-1.0.do".to_owned(), path.to_owned())]);
    assert_eq!(site.tell(Method::POST, "/pools/agents/restart", "fx-1.0.do", 9).await.0, 422);
}

#[tokio::test]
async fn a_lower_fence_changes_nothing_even_under_another_name_of_the_same_thing() {
    let site = Site::at(30).await;
    assert_eq!(site.tell(Method::POST, "/pools/conversations/restart", "a", 7).await.0, 200);
    assert_eq!(site.tell(Method::POST, "/pools/db-pool-conversations/restart", "b", 6).await.0, 409);
    assert_eq!(site.tell(Method::POST, "/sources/handbook/reindex", "c", 6).await.0, 200);
    let keys: Vec<String> = site.effects().await.into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys, ["a", "c"]);
}

#[tokio::test]
async fn what_was_done_can_be_looked_at_and_taken_back() {
    let site = Site::at(330).await;
    let block = "/blocks/198.51.100.7";
    assert_eq!(site.get(block).await.0, 404);
    assert_eq!(site.tell(Method::PUT, &format!("{block}?seconds=60"), "a", 1).await.0, 200);
    let (status, state) = site.get(block).await;
    assert_eq!((status.as_u16(), &state["blocked"]), (200, &true.into()));
    assert_eq!(site.tell(Method::DELETE, block, "b", 1).await.0, 200);
    assert_eq!(site.get(block).await.0, 404);

    let (_, before) = site.get("/services/mail-sender").await;
    assert_eq!(site.tell(Method::POST, "/services/mail-sender/scale?to=4", "c", 1).await.1["replicas"], 4);
    let back = format!("/services/mail-sender/scale?to={}", before["replicas"]);
    assert_eq!(site.tell(Method::POST, &back, "d", 1).await.1["replicas"], before["replicas"]);

    let (_, before) = site.get("/deploys/api").await;
    assert_eq!(site.tell(Method::POST, "/deploys/api/rollback", "e", 1).await.1["state"], "rolled_back");
    assert_eq!(site.tell(Method::POST, "/deploys/api/forward", "f", 1).await.1["release"], before["release"]);
    assert_eq!(site.effects().await.len(), 6);
}

#[tokio::test]
async fn the_deaf_pool_does_what_it_is_told_and_never_says_so() {
    let site = Site::at(560).await;
    assert_eq!(site.get("/pools/chunks").await.0, 200);
    let path = "/pools/chunks/restart";
    assert!(site.named(Method::POST, path, "a", 1).send().await.is_err());
    assert_eq!(site.get("/pools/chunks").await.0, 503);
    assert!(site.named(Method::POST, path, "a", 1).send().await.is_err());
    assert!(site.named(Method::POST, path, "b", 1).send().await.is_err());
    assert_eq!(site.effects().await, [(1, "a".to_owned(), path.to_owned())]);
    assert_eq!(site.get("/pools/agents").await.0, 200);
}

#[tokio::test]
async fn a_remembered_interface_listens_where_it_did_and_behind_the_same_token() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let first = Operations::open(Some(folder.path())).await.unwrap();
    let (control, file) = (first.control().clone(), first.file().unwrap().to_owned());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(super::Control::read(&file), Some(control.clone()));
    // Its port is taken: another one, the same token.
    let second = Operations::open(Some(folder.path())).await.unwrap();
    assert!(second.control().url != control.url && second.control().token == control.token);
    let control = second.control().clone();
    drop((first, second));
    assert_eq!(*Operations::open(Some(folder.path())).await.unwrap().control(), control);
}

#[tokio::test]
async fn a_user_who_is_nobody_has_no_cache() {
    let site = Site::at(1).await;
    assert_eq!(site.get("/cache/nobody%40example.com").await.0, 404);
    assert_eq!(site.tell(Method::POST, "/cache/nobody%40example.com/clear", "a", 1).await.0, 404);
    assert_eq!(site.get("/cache/ana.alba%40example.com").await.1["state"], "fresh");
    assert!(site.effects().await.is_empty());
}

#[tokio::test]
async fn the_command_line_says_by_its_exit_what_came_of_it() {
    let site = Site::at(230).await;
    let place = (site.url.clone(), site.token.clone());
    assert_eq!(code_of(&["scale", "mail-sender", "4"], &place, "a").await, Some(0));
    assert_eq!(code_of(&["status", "mail-sender"], &place, "b").await, Some(4));
    assert_eq!(code_of(&["status", "reranker"], &place, "b").await, Some(0));
    assert_eq!(code_of(&["restart", "nobody"], &place, "c").await, Some(3));
    let keys: Vec<String> = site.effects().await.into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys, ["a"]);
}
