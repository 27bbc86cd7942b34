//! Rules over HTTP: looked at, changed, tried out, read again from the file.

use std::fs;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use stella_protocol::rule::RulePage;
use stella_protocol::{Code, Current, Role, Rule, RulePreview};
use stella_server::Config;
use stella_server::config::File;

use crate::harness::{Running, guesses, problem, refused};

fn change(server: &Running, token: &str, id: &str, version: u64, key: &str) -> RequestBuilder {
    let request = server.request(Method::PUT, &format!("/api/stella/rules/{id}"), token);
    request.header("Idempotency-Key", key).header("If-Match", format!("\"{version}\""))
}

async fn rules(server: &Running) -> RulePage {
    serde_json::from_value(server.get_json("/api/stella/rules").await).unwrap()
}

fn named<'r>(page: &'r [Rule], id: &str) -> &'r Rule {
    page.iter().find(|rule| rule.id.raw() == id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_is_listed_with_its_score_also_in_the_snapshot() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.60").await;
    let taken = server.verb(&server.admin, &alert, "acknowledge", "k").send().await.unwrap();
    assert_eq!(taken.status(), StatusCode::OK);
    let page = server.wait_for("/api/stella/rules", |page| {
        let items = page["items"].as_array().unwrap();
        items.iter().any(|rule| rule["id"] == "login.address" && rule["score"]["acknowledged"] == 1)
    });
    let page: RulePage = serde_json::from_value(page.await).unwrap();
    assert!(page.items.is_sorted_by(|a, b| a.id.raw() < b.id.raw()) && page.problems.is_empty());
    let logins = named(&page.items, "login.address");
    assert_eq!((logins.score.alerts, logins.enabled, logins.version), (1, true, 1));
    assert!(logins.score.median_acknowledge_ms.is_some() && logins.score.since.is_some());
    let snapshot = server.get_json("/api/stella/snapshot").await;
    assert_eq!(snapshot["rules"], serde_json::to_value(&page.items).unwrap());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_changes_a_rule_and_the_next_lines_are_seen_with_it_also_after_a_restart() {
    let server = Running::start().await;
    let mut feed = server.feed("?events=rule", None).await;
    feed.until("hello", |_| true).await;
    let off = json!({"enabled": false, "reason": "pen test"});
    let done = change(&server, &server.admin, "login.address", 1, "k1").json(&off).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::OK);
    let rule: Rule = done.json().await.unwrap();
    assert_eq!((rule.enabled, rule.version), (false, 2));
    feed.until("rule", |told| told["id"] == "login.address" && told["enabled"] == false).await;
    quiet(&server, "203.0.113.61", "cache").await;

    let server = Running::start_on(server.stop().await).await;
    assert!(!named(&rules(&server).await.items, "login.address").enabled);
    quiet(&server, "203.0.113.62", "queue").await;
    let mut feed = server.feed("?events=alert", None).await;
    let on = change(&server, &server.admin, "login.address", 2, "k2").json(&json!({"reset": true}));
    assert_eq!(on.send().await.unwrap().status(), StatusCode::OK);
    feed.alert(|alert| alert.title.raw().contains("203.0.113.62")).await;
    server.stop().await;
}

/// Guesses that nobody is told of, and what says that they were looked at.
async fn quiet(server: &Running, address: &str, component: &str) {
    let mut feed = server.feed("?events=alert", None).await;
    let down = json!({"service": "api", "component": component, "health": "down", "message": "no answer"});
    server.send(&[guesses(address, 12), vec![down]].concat()).await;
    feed.alert(|alert| {
        assert!(!alert.title.raw().contains(address), "{alert:?}");
        alert.title.raw().contains(component)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_change_has_its_own_code() {
    let server = Running::start().await;
    let body = json!({"enabled": false});
    let bare = server.request(Method::PUT, "/api/stella/rules/slow", &server.admin).json(&body);
    refused("no key", bare, Code::KeyMissing).await;
    let unversioned = server.request(Method::PUT, "/api/stella/rules/slow", &server.admin);
    refused("no version", unversioned.header("Idempotency-Key", "k").json(&body), Code::VersionMissing).await;
    refused("id", change(&server, &server.admin, "SLOW", 1, "k").json(&body), Code::BadId).await;
    refused("unknown", change(&server, &server.admin, "slwo", 1, "k").json(&body), Code::NotFound).await;
    refused("field", change(&server, &server.admin, "slow", 1, "k").json(&json!({"on": 1})), Code::BadBody).await;
    refused("nothing", change(&server, &server.admin, "slow", 1, "k").json(&json!({})), Code::BadBody).await;
    let limit = json!({"limits": {"durationsMs": 1.0}});
    refused("limit", change(&server, &server.admin, "slow", 1, "k").json(&limit), Code::BadParameter).await;
    let viewer = server.token(Role::Viewer, "vic").await;
    refused("role", change(&server, &viewer, "slow", 1, "k").json(&body), Code::Forbidden).await;
    let tried = server.request(Method::POST, "/api/stella/rules/slow/preview", &viewer).json(&body);
    refused("preview's role", tried, Code::Forbidden).await;
    let stale = change(&server, &server.admin, "slow", 7, "k").json(&body).send().await.unwrap();
    let stale = problem(stale).await;
    assert_eq!(stale.code, Code::VersionConflict);
    assert!(matches!(&stale.current, Some(Current::Rule(now)) if now.version == 1), "{stale:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_which_alerts_would_come_and_go_and_changes_nothing() {
    let server = Running::start().await;
    let alert = server.alert("203.0.113.64").await;
    let try_out = |body: Value| {
        let path = "/api/stella/rules/login.address/preview";
        server.request(Method::POST, path, &server.admin).json(&body).send()
    };
    let preview: RulePreview = try_out(json!({"enabled": false})).await.unwrap().json().await.unwrap();
    assert_eq!((preview.before, preview.after, preview.version), (1, 0, 1));
    assert_eq!((preview.gained_count, preview.lost_count, preview.lines), (0, 1, 8));
    let lost = &preview.lost[0];
    assert_eq!((lost.alert.as_ref(), lost.outcome.is_some()), (Some(&alert.id), true));
    assert!(lost.title.raw().contains("203.0.113.64"));
    let same: RulePreview = try_out(json!({"limits": {"failedLogins": 5}})).await.unwrap().json().await.unwrap();
    assert_eq!((same.before, same.after, same.gained_count, same.lost_count), (1, 1, 0, 0));
    assert_eq!(problem(try_out(json!({"reset": true, "enabled": true})).await.unwrap()).await.code, Code::BadBody);
    assert!(named(&rules(&server).await.items, "login.address").enabled);
    assert_eq!((preview.marks, preview.learned_anew), (0, false), "the first line that there ever was is among them");
    let wrong = server.verb(&server.admin, &alert, "false-positive", "k").json(&json!({"part": "normal"}));
    assert_eq!(wrong.send().await.unwrap().status(), StatusCode::OK);
    let marked: RulePreview = try_out(json!({"enabled": false})).await.unwrap().json().await.unwrap();
    assert_eq!((marked.marks, marked.after), (1, 0), "what it hides is the engine's to say");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_lines_there_is_nothing_to_try_a_change_on() {
    let server = Running::start().await;
    let path = "/api/stella/rules/slow/preview";
    let none = server.request(Method::POST, path, &server.admin).json(&json!({"enabled": false}));
    refused("no lines", none, Code::NotFound).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_file_holds_without_a_restart_and_a_bad_one_keeps_the_last_good() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("stella-server.toml");
    fs::write(&path, "[[rule]]\ntype = \"slow\"\nsensitivity = 0.05\n").unwrap();
    let file = File::read(&path).unwrap();
    let server = Running::start_with(tempfile::tempdir().unwrap(), |config| Config {
        rules: file.rules.clone(),
        watched: file.path.clone(),
        ..config
    })
    .await;
    let slow = |page: &Value| {
        let items = page["items"].as_array().unwrap();
        items.iter().find(|rule| rule["id"] == "slow").unwrap().clone()
    };
    let page = server.get_json("/api/stella/rules").await;
    assert_eq!((slow(&page)["sensitivity"].as_f64(), slow(&page)["origin"].as_str()), (Some(0.05), Some("file")));

    fs::write(&path, "[[rule]]\ntype = \"slow\"\nenabled = false\nowner = \"ana\"\n").unwrap();
    let page = server.wait_for("/api/stella/rules", |page| slow(page)["enabled"] == false).await;
    assert_eq!((slow(&page)["version"].as_u64(), slow(&page)["owner"].as_str()), (Some(2), Some("ana")));

    fs::write(&path, "[[rule]]\ntype = \"slow\"\nenabeld = true\n").unwrap();
    let page = server.wait_for("/api/stella/rules", |page| page["problems"].as_array().unwrap().len() == 1).await;
    let problem = page["problems"][0].as_str().unwrap();
    assert_eq!(problem, "stella-server.toml:3: unknown key `rule.enabeld`; did you mean `enabled`?");
    assert_eq!(slow(&page)["enabled"], false, "the last good one holds");

    let told = |page: &Value| {
        let found = page["items"].as_array().unwrap().iter().find(|alert| alert["ruleId"] == "rules_file").cloned();
        found.unwrap_or_default()
    };
    let page = server.wait_for("/api/stella/alerts", |page| told(page)["status"] == "new").await;
    assert!(told(&page)["title"].as_str().is_some_and(|title| title.starts_with(problem)), "{page}");

    fs::write(&path, "listen = 3\n").unwrap();
    let other = |page: &Value| page["problems"][0].as_str().is_some_and(|problem| problem.contains("listen"));
    server.wait_for("/api/stella/rules", other).await;

    // No line came: engine time stands still, and yet the second mistake opens the alert again.
    for (text, status) in [("", "resolved"), ("rule = 1\n", "new"), ("", "resolved")] {
        let new = home.path().join("new.toml");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &path).unwrap();
        server.wait_for("/api/stella/alerts", |page| told(page)["status"] == status).await;
    }
    let page = server.get_json("/api/stella/rules").await;
    assert_eq!((slow(&page)["enabled"].as_bool(), page["problems"].as_array().map(Vec::len)), (Some(true), Some(0)));
    server.stop().await;
}
