//! Shipped definitions against alerts as the engine writes them, and what stands in the way.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::json;
use stella_protocol::fix::{Act, Policy, Proposal, Record, Undo};
use stella_protocol::{Alert, Evidence, Principal, Role, Text, Timestamp};

use super::{Proposer, Unfit};
use crate::clock::Clock;
use crate::remedy::definition::Seen;
use crate::remedy::run::load;
use crate::remedy::settings::{Base, Program, Settings};
use crate::remedy::{Draft, FixState};

/// The settings that the shipped definitions ask for.
pub(super) fn settings() -> Settings {
    let base = |name: &str| Base {
        name: name.to_owned(),
        url: "http://127.0.0.1:9000".to_owned(),
        addresses: vec![IpAddr::from([127, 0, 0, 1])],
        secret: None,
    };
    Settings {
        bases: ["application", "firewall", "deploys"].map(base).into(),
        programs: vec![Program {
            name: "operate".to_owned(),
            path: "/usr/local/bin/operate".into(),
            arguments: Vec::new(),
            environment: vec!["STELLA_APP_URL".to_owned()],
        }],
        ..Settings::default()
    }
}

fn proposer() -> Proposer {
    let settings = settings();
    let (catalogue, problems) = load::load(&settings).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let clock = Clock::scripted(Timestamp::parse("2026-11-23T09:00:00Z").unwrap());
    Proposer { catalogue, settings, documents: Some(store()), single_person: false, clock }
}

fn store() -> std::sync::Arc<super::sample::Shelf> {
    let shelf = super::sample::Shelf::default();
    shelf.put(
        "users",
        "ana@example.com",
        json!({ "email": "ana@example.com", "formerIds": ["100000000000000000001"] }),
    );
    shelf.put("agent_contexts", "agent-1", json!({ "tokens": 3 }));
    std::sync::Arc::new(shelf)
}

pub(super) fn alert(kind: &str, rule: &str, labels: &[(&str, &str)]) -> Alert {
    let at = "2026-11-23T08:59:00.000Z";
    let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
    let (service, operation) = (labels.get("service").copied().unwrap_or("api"), labels.get("operation"));
    serde_json::from_value(json!({
        "id": "a-4f21k3m", "fingerprint": "f", "episode": 1, "type": kind, "category": "performance",
        "severity": "high", "title": "t", "service": service, "operation": operation, "labels": labels,
        "ruleId": rule, "status": "new", "activity": { "state": "firing" }, "occurrences": 1, "firstSeen": at,
        "lastSeen": at, "detectedAt": at, "createdAt": at, "version": 1,
    }))
    .unwrap()
}

fn evidence(template: &str, reason: (&str, f64), attributes: &serde_json::Value) -> Evidence {
    let at = "2026-11-23T08:59:00.000Z";
    serde_json::from_value(json!({
        "summary": "s", "ruleId": "r", "ruleVersion": 1, "unit": "count", "from": at, "to": at,
        "reasons": [{ "text": reason.0, "weight": reason.1, "at": at }],
        "samples": [{ "line": 1, "role": "last", "event": {
            "message": "m", "receivedAt": at, "engineTime": at, "severity": "low", "category": "data", "level": "warn",
            "service": "ai", "attributes": attributes } }],
        "template": { "text": template, "count": 1 }, "lines": { "q": "", "from": at, "to": at },
        "refreshedAt": at, "version": 1,
    }))
    .unwrap()
}

fn no_record(_: &str) -> Record {
    Record::default()
}

async fn found(seen: Seen<'_>) -> Vec<Result<Draft, Unfit>> {
    proposer().for_alert(seen, &no_record).await
}

async fn one(seen: Seen<'_>) -> Draft {
    let mut drafts = found(seen).await;
    assert_eq!(drafts.len(), 1, "{drafts:?}");
    drafts.remove(0).unwrap()
}

#[tokio::test]
async fn an_exhausted_pool_gives_a_plan_with_the_inventorys_name_for_it() {
    let alert = alert("health", "health", &[("service", "store"), ("component", "db-pool-conversations")]);
    let draft = one(Seen::from(&alert)).await;
    assert_eq!((draft.plan.definition_id.raw(), draft.plan.target.raw()), ("restart-pool", "pool:conversations"));
    assert_eq!((draft.policy, draft.quorum, draft.proposed_by.raw()), (Policy::Approve, 1, "rule:health"));
    let Act::Http(call) = &draft.plan.steps[0].act else { unreachable!() };
    assert_eq!(call.url.raw(), "http://127.0.0.1:9000/pools/conversations/restart");
    assert!(draft.plan.parameters[0].entry.raw().starts_with("inventory pools, as of 2026-11-01"));
}

#[tokio::test]
async fn a_source_without_results_is_indexed_by_itself_once_its_state_says_so() {
    let alert = alert("health", "health", &[("service", "ai"), ("component", "source-handbook")]);
    let draft = one(Seen::from(&alert)).await;
    assert_eq!((draft.plan.target.raw(), draft.policy), ("source:handbook", Policy::Auto));
    assert_eq!(draft.plan.preconditions.len(), 1);
}

#[tokio::test]
async fn a_stale_cache_of_a_known_person_is_cleared_by_itself_and_a_strangers_is_not() {
    let labels = [("service", "ai"), ("operation", "search_rag"), ("user", "ana@example.com")];
    let evidence = evidence("cached context is <n> min old", ("r", 0.5), &json!({}));
    let alert_of = |user| alert("user_friction", "friction", &[labels[0], labels[1], ("user", user)]);
    let known = alert_of("ana@example.com");
    let draft = one(Seen { alert: &known, evidence: Some(&evidence) }).await;
    let Act::Http(call) = &draft.plan.steps[0].act else { unreachable!() };
    assert_eq!(call.url.raw(), "http://127.0.0.1:9000/cache/ana%40example.com/clear");
    for (user, why) in [("eve@example.com", "no document"), ("u~abcd.0123456789", "pseudonym")] {
        let alert = alert_of(user);
        let refused = found(Seen { alert: &alert, evidence: Some(&evidence) }).await.remove(0).unwrap_err();
        assert!(refused.why.raw().contains(why), "{refused:?}");
    }
    assert!(found(Seen::from(&known)).await.is_empty(), "without evidence nothing says that a cache is the cause");
}

#[tokio::test]
async fn an_attackers_address_is_kept_out_and_let_in_again_and_an_inner_one_never() {
    let attacker = alert("security_anomaly", "login.address", &[("addr", "198.51.100.7")]);
    let draft = one(Seen::from(&attacker)).await;
    let Some(Undo::Act { act: Act::Http(undo), .. }) = &draft.plan.steps[0].undo else { unreachable!() };
    assert_eq!((undo.method.word(), undo.url.raw()), ("DELETE", "http://127.0.0.1:9000/blocks/198.51.100.7"));
    let inner = alert("security_anomaly", "login.address", &[("addr", "10.0.0.7")]);
    assert!(found(Seen::from(&inner)).await.remove(0).unwrap_err().why.raw().contains("private"));
}

#[tokio::test]
async fn a_former_form_of_an_id_is_repaired_wherever_it_is_known_from() {
    let alert = alert("data_inconsistency", "data.vanished", &[("service", "api"), ("user", "ana@example.com")]);
    let draft = one(Seen::from(&alert)).await;
    let Act::Repair(repair) = &draft.plan.steps[0].act else { unreachable!() };
    let wrong: Vec<&str> = repair.wrong.iter().map(Text::raw).collect();
    assert_eq!(wrong, ["100000000000000000001", "ana_example_com"]);
    assert_eq!(draft.plan.steps[0].undo, Some(Undo::Restore));
}

#[tokio::test]
async fn a_release_is_rolled_back_by_two_people_and_only_when_one_came_before() {
    let alert = alert("new_error", "new_error", &[("service", "api"), ("error", "ShareExpiryError")]);
    let before = evidence("t", ("1 deploy line in the ten minutes before the onset", 0.4), &json!({}));
    let draft = one(Seen { alert: &alert, evidence: Some(&before) }).await;
    assert_eq!((draft.plan.target.raw(), draft.quorum, draft.policy), ("deploy:api", 2, Policy::Approve));
    let none = evidence("t", ("0 deploy lines in the ten minutes before the onset", -0.1), &json!({}));
    assert!(found(Seen { alert: &alert, evidence: Some(&none) }).await.is_empty());
}

#[tokio::test]
async fn a_silent_worker_is_restarted_and_a_slow_one_gets_company_by_one_whole_argument_each() {
    let silent = alert("silence", "silence", &[("component", "thumbnail-worker")]);
    let slow = alert("health", "health", &[("service", "jobs"), ("component", "mail-sender")]);
    for (alert, wanted) in [(silent, vec!["restart", "thumbnail-worker"]), (slow, vec!["scale", "mail-sender", "2"])] {
        let draft = one(Seen::from(&alert)).await;
        let Act::Argv(argv) = &draft.plan.steps[0].act else { unreachable!() };
        let arguments: Vec<&str> = argv.arguments.iter().map(Text::raw).collect();
        assert_eq!((argv.program.raw(), arguments), ("/usr/local/bin/operate", wanted));
    }
}

#[tokio::test]
async fn an_agents_context_is_reset_when_a_line_or_a_person_names_it_and_it_is_there() {
    let alert = alert("new_error", "new_error", &[("service", "other"), ("error", "SchemaMismatchError")]);
    let named = evidence("field 'agentConfig' is not an object", ("r", 0.1), &json!({ "agentId": "agent-1" }));
    let draft = one(Seen { alert: &alert, evidence: Some(&named) }).await;
    assert_eq!(draft.plan.target.raw(), "agent:agent-1");
    let by = Principal { name: Text::from("ana"), role: Role::Responder };
    let ask = |agent: &str| Proposal {
        definition_id: Text::from("reset-agent-context"),
        alert_id: None,
        parameters: BTreeMap::from([("agent".to_owned(), Text::new(agent.to_owned()))]),
    };
    let given = proposer().draft(&by, ask("agent-1"), None).await.unwrap();
    assert_eq!((given.proposed_by.raw(), given.plan.parameters[0].source.raw()), ("ana", "person ana"));
    let gone = proposer().draft(&by, ask("agent-9"), None).await.unwrap_err();
    assert!(gone.why.contains("does not stand in the inventory `agents`"), "{}", gone.why);
}

#[tokio::test]
async fn a_plan_made_again_is_the_same_until_something_it_stands_on_changes() {
    let alert = alert("health", "health", &[("service", "store"), ("component", "db-pool-agents")]);
    let mut proposer = proposer();
    let draft = proposer.for_alert(Seen::from(&alert), &no_record).await.remove(0).unwrap();
    let digest = draft.plan_digest.clone();
    let id = "fx-1".parse().unwrap();
    let state: FixState = crate::remedy::machine::open(draft, id, proposer.clock.now()).unwrap();
    for seen in [Some(Seen::from(&alert)), None] {
        assert_eq!(proposer.again(&state, seen).await.unwrap().1, digest);
        assert!(proposer.differences(&state, seen).await.is_empty());
    }
    proposer.settings.bases[0].url = "http://127.0.0.1:9001".to_owned();
    let words = proposer.differences(&state, Some(Seen::from(&alert))).await;
    assert_eq!(words, [Text::from("step 1 does something else")]);
    proposer.clock.advance_to(Timestamp::parse("2028-01-01T00:00:00Z").unwrap());
    assert!(proposer.differences(&state, None).await[0].raw().contains("nobody looked at the inventory"));
}

#[tokio::test]
async fn without_its_address_a_definition_is_off_and_says_what_is_missing() {
    let mut proposer = proposer();
    proposer.settings.bases.clear();
    let views = proposer.views(&no_record);
    let view = views.iter().find(|view| view.id.raw() == "restart-pool").unwrap();
    assert_eq!(view.effective_policy, Policy::Off);
    assert!(view.why.raw().contains("no `[[fixes.base]]` named `application`"), "{:?}", view.why);
    assert_eq!(views.len(), 9);
}
