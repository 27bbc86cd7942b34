#![expect(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

use stella_detect::{Known, Limit};
use stella_protocol::rule::RuleOrigin;
use stella_protocol::{AlertId, AlertType, Rule, RuleChange, Status, Text, Timestamp};

use super::*;
use crate::alerts::sample::finding;
use crate::store::AlertRecord;

const FILE: &str = r#"
[detection]
sensitivity = 0.1

[[rule]]
type = "slow"
sensitivity = 0.05
runbook = "https://wiki.example/slow"

[[rule]]
id = "search-is-slow"
type = "slow"
scope = { service = "search-*", operation = "*_rag" }
limits = { durationMs = 800 }
suggested_actions = ["Look at the index", "Call the search team"]
owner = "search"

[[rule]]
type = "security_anomaly"
scope = { service = "auth" }
enabled = false
limits = { failedLogins = 10 }
"#;

fn parse(text: &str) -> Result<RuleFile, String> {
    let told = |problems: Vec<crate::toml_source::Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    read("s.toml", text).map_err(told)
}

fn book() -> RuleBook {
    RuleBook::open(parse(FILE).unwrap(), Kept::default()).0
}

fn rule(book: &RuleBook, id: &str) -> Rule {
    book.rule(id).unwrap()
}

fn change(json: serde_json::Value) -> RuleChange {
    serde_json::from_value(json).unwrap()
}

fn changed(book: &RuleBook, id: &str, json: serde_json::Value) -> (RuleBook, Option<Rule>) {
    book.changed(id, &change(json), &Text::new("ana"), Timestamp::from_millis(7)).unwrap()
}

#[test]
fn a_file_says_how_rules_are_set_and_what_it_does_not_say_is_as_shipped() {
    let book = book();
    let slow = rule(&book, "slow");
    assert_eq!((slow.origin, slow.enabled, slow.sensitivity), (RuleOrigin::File, true, 0.05));
    let search = rule(&book, "search-is-slow");
    assert_eq!(search.sensitivity, 0.05, "as the rule for all operations says");
    assert_eq!((search.limits[0].name.raw(), search.limits[0].value), ("durationMs", 800.0));
    assert_eq!(search.title.raw(), "an operation is slower than usual in *_rag of search-*");
    let logins = rule(&book, "security_anomaly-auth");
    assert_eq!((logins.kind, logins.enabled, logins.sensitivity), (AlertType::SecurityAnomaly, false, 0.1));
    let errors = rule(&book, "errors");
    assert_eq!((errors.origin, errors.enabled, errors.sensitivity), (RuleOrigin::BuiltIn, true, 0.1));
    assert_eq!(book.rules().len(), Known::ALL.len() + 2);
    let settings = &book.engine().settings;
    assert_eq!(settings.len(), 3);
    assert_eq!(settings[2].rules.len(), 5, "all that find such");
    assert_eq!(settings[1].limits[&Limit::DurationMs], Some(800.0));
}

#[test]
fn the_fixed_rules_can_be_switched_on_and_each_of_their_limits_taken_away() {
    let (book, _) = RuleBook::open(parse("[detection]\nfixed_rules = true\n").unwrap(), Kept::default());
    assert!(book.engine().fixed);
    let limit = |book: &RuleBook, id| rule(book, id).limits.first().map(|limit| limit.value);
    assert_eq!((limit(&book, "slow"), limit(&book, "login.address")), (Some(1000.0), Some(5.0)));
    let (book, _) = changed(&book, "login.address", serde_json::json!({"limits": {"failedLogins": null}}));
    assert_eq!((limit(&book, "login.address"), limit(&book, "login.account")), (None, Some(5.0)));
    assert_eq!(book.engine().settings[0].limits[&Limit::FailedLogins], None);
}

#[test]
fn every_mistake_is_told_with_its_line_and_what_to_write() {
    for (text, wanted) in [
        ("[[rule]]\n", "s.toml:1: `rule.type` is missing"),
        ("[[rule]]\ntype = \"slwo\"\n", "s.toml:2: `rule.type` is `slwo`; did you mean `slow`?"),
        (
            "[[rule]]\ntype = \"slow\"\nsensitvity = 1\n",
            "s.toml:3: unknown key `rule.sensitvity`; did you mean `sensitivity`?",
        ),
        ("[[rule]]\ntype = \"slow\"\nsensitivity = 0\n", "s.toml:3: `sensitivity` is 0; want false alerts an hour"),
        ("[[rule]]\ntype = \"slow\"\nenabled = 1\n", "s.toml:3: `rule.enabled` is an integer; want true or false"),
        (
            "[[rule]]\ntype = \"slow\"\nlimits = { duration_ms = 1 }\n",
            "s.toml:3: unknown key `rule.limits.duration_ms`; did you mean `durationMs`?",
        ),
        (
            "[[rule]]\ntype = \"slow\"\nlimits = { failedLogins = 3 }\n",
            "unknown key `rule.limits.failedLogins`; known are durationMs",
        ),
        (
            "[[rule]]\ntype = \"data\"\nlimits = { contradictions = 1.5 }\n",
            "want a whole number from 1 to 10000 (count)",
        ),
        (
            "[[rule]]\ntype = \"silence\"\nscope = { operation = \"x\" }\n",
            "s.toml:3: `silence` is not about single operations",
        ),
        (
            "[[rule]]\ntype = \"slow.everywhere\"\nscope = { service = \"x\" }\n",
            "`slow.everywhere` is not about single services",
        ),
        (
            "[[rule]]\ntype = \"slow\"\nscope = { sevice = \"x\" }\n",
            "unknown key `rule.scope.sevice`; did you mean `service`?",
        ),
        ("[[rule]]\ntype = \"slow\"\nscope = { service = \"*\" }\n", "s.toml:1: `rule.id` is missing; want a name"),
        ("[[rule]]\nid = \"A\"\ntype = \"slow\"\n", "s.toml:2: `rule.id` is `A`; want 1 to 64 small letters"),
        (
            "[[rule]]\nid = \"errors\"\ntype = \"slow\"\n",
            "s.toml:2: `rule.id` is `errors`, which is the rule of that name",
        ),
        ("[[rule]]\ntype = \"slow\"\n[[rule]]\ntype = \"slow\"\n", "two rules are called `slow`"),
        (
            "[[rule]]\ntype = \"slow\"\nrunbook = \"wiki\"\n",
            "s.toml:3: `rule.runbook` is `wiki`; want the address of a page",
        ),
        ("[[rule]]\ntype = \"slow\"\nowner = \"\"\n", "s.toml:3: it is empty"),
        ("[detection]\nfixed = true\n", "s.toml:2: unknown key `detection.fixed`; did you mean `fixed_rules`?"),
        ("rule = 3\n", "s.toml:1: `rule` is an integer; want tables, `[[rule]]`"),
    ] {
        let told = parse(text).unwrap_err();
        assert!(told.contains(wanted), "{text}: {told}");
    }
    let two = parse("[[rule]]\ntype = 3\nenabled = 3\n").unwrap_err();
    assert_eq!(two.lines().count(), 2, "{two}");
}

#[test]
fn a_change_wins_over_the_file_until_it_is_taken_back() {
    let book = book();
    let (next, told) = changed(&book, "slow", serde_json::json!({"enabled": false, "limits": {"durationMs": 900}}));
    let told = told.unwrap();
    assert_eq!((told.origin, told.enabled, told.version), (RuleOrigin::Changed, false, 2));
    assert_eq!((told.changed_by.unwrap().raw(), told.changed_at), ("ana", Some(Timestamp::from_millis(7))));
    assert_eq!(told.sensitivity, 0.05, "what is not said stays");
    assert_ne!(next.engine(), book.engine());

    let (edited, news) = next.with_file(parse(&FILE.replace("0.05", "0.01")).unwrap());
    assert!(!rule(&edited, "slow").enabled, "an edited file does not undo it");
    let news: Vec<&str> = news.iter().map(|rule| rule.id.raw()).collect();
    assert_eq!(news, ["slow", "search-is-slow"], "both have another sensitivity");
    assert_eq!(rule(&edited, "slow").version, 3);

    let (back, told) = changed(&edited, "slow", serde_json::json!({"reset": true}));
    let slow = rule(&back, "slow");
    assert_eq!((slow.enabled, slow.sensitivity, slow.version), (true, 0.01, 4));
    assert_eq!((told.unwrap().origin, slow.changed_by), (RuleOrigin::File, None));
    assert_eq!(changed(&back, "slow", serde_json::json!({"reset": true})).1, None, "it was so already");
}

#[test]
fn versions_go_on_over_restarts_and_a_rule_that_left_the_file() {
    let (book, news) = RuleBook::open(parse(FILE).unwrap(), Kept::default());
    assert!(news.is_empty(), "at first nothing is news");
    let again = |kept: &Kept| Kept::from_note(Some(&serde_json::to_string(kept).unwrap()));
    let (same, news) = RuleBook::waiting(again(book.kept())).with_file(parse(FILE).unwrap());
    assert!(news.is_empty() && same.rules() == book.rules());
    let shorter = FILE.split("[[rule]]\nid").next().unwrap();
    let (gone, news) = same.with_file(parse(shorter).unwrap());
    let told: Vec<_> = news.iter().map(|rule| (rule.id.raw(), rule.enabled, rule.version)).collect();
    assert_eq!(told, [("search-is-slow", false, 2), ("security_anomaly-auth", false, 2)]);
    assert!(gone.rule("search-is-slow").is_err());
    let (back, news) = RuleBook::waiting(again(gone.kept())).with_file(parse(FILE).unwrap());
    assert_eq!(news.len(), 2);
    assert_eq!(rule(&back, "search-is-slow").version, 3, "whoever saw version 1 saw another one");
    assert_eq!(Kept::from_note(Some("{")), Kept::default());
}

#[test]
fn what_cannot_be_changed_so_is_refused_with_what_can() {
    let book = book();
    for (id, json, wanted) in [
        ("slow", serde_json::json!({}), "say what to change"),
        ("slow", serde_json::json!({"reset": true, "enabled": true}), "reset: goes alone"),
        ("slow", serde_json::json!({"sensitivity": 0.0}), "sensitivity: false alerts an hour"),
        ("slow", serde_json::json!({"limits": {"durationsMs": 5.0}}), "did you mean `durationMs`?"),
        ("slow", serde_json::json!({"limits": {"durationMs": 0.0}}), "limits: `durationMs`: want a number from 1"),
        ("errors", serde_json::json!({"limits": {"failurePercent": 101.0}}), "from 0.1 to 100"),
        ("nobody", serde_json::json!({"enabled": true}), "no rule has this id"),
    ] {
        let refused = book.changed(id, &change(json), &Text::default(), Timestamp::default()).unwrap_err();
        assert!(refused.why.contains(wanted), "{refused:?}");
    }
}

#[test]
fn alerts_get_the_words_of_the_last_rule_that_says_some() {
    let book = book();
    let mut found = finding("f", 1000);
    (found.service, found.operation) = (Text::new("search-2"), Some(Text::new("query_rag")));
    assert_eq!(book.worded(&found).suggested_actions[0].raw(), "Look at the index");
    assert_eq!(book.runbook(&found).unwrap().raw(), "https://wiki.example/slow");
    found.service = Text::new("api");
    assert_eq!(book.worded(&found).suggested_actions, found.suggested_actions);
    found.rule_id = "errors";
    found.kind = AlertType::ErrorSpike;
    assert_eq!(book.runbook(&found), None);
}

fn record(nth: u64, operation: &str, status: Status, acknowledged_after: Option<i64>) -> AlertRecord {
    let created_at = Timestamp::from_millis(nth as i64 * 1000);
    AlertRecord {
        id: format!("{}{nth:07}", AlertId::PREFIX).parse().unwrap(),
        fingerprint: format!("slow|{nth}"),
        kind: AlertType::PerformanceDegradation,
        rule_id: "slow".to_owned(),
        service: "search-1".to_owned(),
        operation: Some(operation.to_owned()),
        status,
        closed_by: None,
        first_seen: created_at,
        last_seen: created_at,
        created_at,
        acknowledged_at: acknowledged_after.map(|after| created_at.plus_millis(after)),
    }
}

#[test]
fn each_alert_counts_for_one_rule_and_the_median_is_the_lower_one() {
    let book = book();
    let records = [
        record(1, "query_rag", Status::Resolved, Some(60_000)),
        record(2, "query_rag", Status::FalsePositive, Some(20_000)),
        record(3, "query_rag", Status::New, None),
        record(4, "list", Status::Resolved, None),
    ];
    let scores = scores(&book, &records);
    let search = &scores["search-is-slow"];
    assert_eq!((search.alerts, search.marked_false, search.acknowledged), (3, 1, 2));
    assert_eq!((search.median_acknowledge_ms, search.since), (Some(20_000), Some(Timestamp::from_millis(1000))));
    assert_eq!((scores["slow"].alerts, scores["slow"].median_acknowledge_ms), (1, None));
    assert_eq!(scores.len(), 2);
}
