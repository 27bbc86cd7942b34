//! Rules as the hub's callers see them: kept, told, conditional, once for each key.

use serde_json::json;
use stella_protocol::rule::RuleOrigin;
use stella_protocol::{Current, Rule, RuleChange};

use super::*;
use crate::rules::{RuleFile, read};

fn file(text: &str) -> RuleFile {
    read("s.toml", text).unwrap()
}

fn change(json: serde_json::Value) -> RuleChange {
    serde_json::from_value(json).unwrap()
}

fn admin() -> Principal {
    who("ana", Role::Admin)
}

fn rule(house: &House, id: &str) -> Rule {
    house.hub.rules().rule(id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_audited_and_survives_while_the_file_says_otherwise() {
    let house = House::new();
    house.hub.load_rules(file("")).unwrap();
    let mut feed = house.hub.subscribe(CursorAsk::None);
    let off = change(json!({"enabled": false, "reason": "too loud"}));
    let answer = house.hub.change_rule(&admin(), "k1", "slow", 1, off.clone()).await.unwrap();
    assert_eq!((answer.body.enabled, answer.body.version, answer.replayed), (false, 2, false));
    let told: Rule = serde_json::from_str(&named(&mut feed, "rule").await).unwrap();
    assert_eq!(told, answer.body);
    let rows = house.store.audit(0, 100).unwrap();
    let row = rows.iter().find(|row| row.verb == "change-rule").unwrap();
    assert_eq!((row.object.as_str(), row.versions, row.principal.raw()), ("slow", (1, 2), "ana"));
    assert!(row.detail.raw().contains("too loud"));

    let again = house.hub.change_rule(&admin(), "k1", "slow", 1, off.clone()).await.unwrap();
    assert_eq!((again.replayed, again.body), (true, answer.body));
    let other = house.hub.change_rule(&admin(), "k1", "errors", 1, off).await.unwrap_err();
    assert_eq!(other.code, Code::KeyReused);

    drop(feed);
    let house = house.reopened();
    house.hub.load_rules(file("[[rule]]\ntype = \"slow\"\nenabled = true\n")).unwrap();
    let slow = rule(&house, "slow");
    assert_eq!((slow.enabled, slow.origin, slow.version), (false, RuleOrigin::Changed, 2));
    let back = change(json!({"reset": true}));
    house.hub.change_rule(&admin(), "k2", "slow", 2, back).await.unwrap();
    assert_eq!((rule(&house, "slow").enabled, rule(&house, "slow").version), (true, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_changes_a_rule_and_only_the_version_that_they_saw() {
    let house = House::new();
    house.hub.load_rules(file("")).unwrap();
    let strict = change(json!({"sensitivity": 0.01}));
    let denied = house.hub.change_rule(&who("ben", Role::Approver), "k", "slow", 1, strict.clone()).await;
    assert_eq!(denied.unwrap_err().code, Code::Forbidden);
    house.hub.change_rule(&admin(), "k1", "slow", 1, strict.clone()).await.unwrap();
    let stale = house.hub.change_rule(&who("eve", Role::Admin), "k2", "slow", 1, strict.clone()).await.unwrap_err();
    assert_eq!(stale.code, Code::VersionConflict);
    assert!(matches!(&stale.current, Some(Current::Rule(now)) if now.version == 2), "{stale:?}");
    assert!(stale.detail.raw().contains("ana"));
    let same = house.hub.change_rule(&admin(), "k3", "slow", 2, strict).await.unwrap();
    assert_eq!(same.body.version, 2, "it was so already");
    let unknown = house.hub.change_rule(&admin(), "k4", "slow.nowhere", 1, change(json!({"enabled": true}))).await;
    assert_eq!(unknown.unwrap_err().code, Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_is_told_rule_by_rule_and_a_bad_one_leaves_them() {
    let house = House::new();
    house.hub.load_rules(file("")).unwrap();
    let head = house.hub.head().cursor.seq;
    house.hub.load_rules(file("")).unwrap();
    assert_eq!(house.hub.head().cursor.seq, head, "the same is no news");
    house.hub.load_rules(file("[[rule]]\ntype = \"friction\"\nenabled = false\n")).unwrap();
    assert_eq!(house.hub.head().cursor.seq, head + 1);
    let before = house.hub.rules();
    house.hub.rules_are_wrong(read("s.toml", "[[rule]]\n").unwrap_err()).unwrap();
    let now = house.hub.rules();
    assert_eq!((now.rules(), now.engine()), (before.rules(), before.engine()));
    assert!(now.problems()[0].raw().starts_with("s.toml:1: `rule.type` is missing"), "{:?}", now.problems());
    house.hub.load_rules(file("")).unwrap();
    assert!(house.hub.rules().problems().is_empty() && rule(&house, "friction").enabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_open_with_what_people_wrote_and_count_for_their_rule() {
    let house = House::new();
    let text = "[[rule]]\ntype = \"slow\"\nrunbook = \"https://wiki.example/\"\nsuggested_actions = [\"Call ana\"]\n";
    house.hub.load_rules(file(text)).unwrap();
    let alert = house.many(1).remove(0);
    assert_eq!(alert.runbook.as_ref().unwrap().raw(), "https://wiki.example/");
    assert_eq!(alert.suggested_actions, [Text::new("Call ana")]);
    house.clock.advance_to(Timestamp::from_millis(START + 90_000));
    let by = who("ana", Role::Responder);
    let taken = ask(Verb::Acknowledge, std::slice::from_ref(&alert));
    house.hub.act(&by, "k1", taken).await.unwrap();
    let let_go = ask(Verb::Release, &[house.now(&alert)]);
    house.hub.act(&by, "k2", let_go).await.unwrap();
    let wrong = ask(Verb::FalsePositive, &[house.now(&alert)]);
    house.hub.act(&by, "k3", wrong).await.unwrap();
    let scored = house.hub.scored(&house.hub.rules()).unwrap();
    let slow = scored.iter().find(|rule| rule.id.raw() == "slow").unwrap();
    assert_eq!((slow.score.alerts, slow.score.marked_false, slow.score.acknowledged), (1, 1, 1));
    assert_eq!(slow.score.median_acknowledge_ms, Some(90_000), "that it was let go changes nothing");
}
