//! Fixes from the log line to the effect and back: the real server in a process of its own, and three
//! targets whose own records prove what was done to them: a command, an HTTP service, a document store.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "hostile/api.rs"]
mod api;
#[path = "fixes/guide.rs"]
mod guide;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "served/process.rs"]
mod process;
#[path = "fixes/server.rs"]
mod server;
#[path = "fixes/target.rs"]
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use api::PATIENCE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::Home;
use stella_protocol::{Fix, FixStatus, Role, Status};
use stella_server::admin::{self, AdminAnswer, AdminRequest};
use stella_server::documents::embedded::Embedded;
use stella_server::documents::{Document, DocumentKey, DocumentWrite, Documents, Expect, Leave};
use stella_server::remedy::settings::{People, Settings};
use stella_server::{Clock, Config, StartError};
use target::{Call, Silence, Target};
use tokio_util::sync::CancellationToken;

/// The queues that may be drained.
const QUEUES: &str = "as_of = \"2026-11-01\"\n[[entry]]\nvalue = \"mail\"\naliases = [\"queue-mail\"]\n\
                      [[entry]]\nvalue = \"push\"\naliases = [\"queue-push\"]\n";

/// Drains a queue of the HTTP service, with the word of the policy and the bounds of the watch on its success.
fn drain(policy: &str, risk: &str, within: &str) -> String {
    format!(
        r#"
title = "Drain {{queue}}"
risk = "{risk}"
policy = "{policy}"
owner = "platform"
target = "queue:{{queue}}"

[[match]]
type = "health"
labels.component = "queue-*"

[[parameter]]
name = "queue"
kind = "inventory"
inventory = "queues"
from = "label.component"

[[step]]
title = "Drain {{queue}}"
fenced = true
idempotent = true
http = {{ method = "POST", base = "queues", path = "/queues/{{queue}}/drain", timeout = "60s" }}

[step.probe]
title = "Whether {{queue}} moves"
http = {{ method = "GET", base = "queues", path = "/queues/{{queue}}" }}
done = {{ status = 200, pointer = "/state", equals = "moves" }}
not_done = {{ status = 200, pointer = "/state", equals = "held" }}

[step.undo]
title = "Hold {{queue}} again"
idempotent = true
http = {{ method = "POST", base = "queues", path = "/queues/{{queue}}/hold" }}

[verify]
of = "alert_quiet"
hold = "1s"
within = "{within}"
"#
    )
}

fn home_with_queues(test: &'static str, target: &Target, definition: &str) -> Home {
    let base = format!("[[fixes.base]]\nname = \"queues\"\nurl = \"http://{}\"", target.address);
    Home::new(test, &[("fixes.d/drain-queue.toml", definition), ("inventories.d/queues.toml", QUEUES)], &base)
}

fn call(what: &str, fix: &Fix, way: &str, fence: u64) -> Call {
    Call { what: what.to_owned(), key: format!("{}.0.{way}", fix.id), fence }
}

/// The alert was ended by the fix, and says so.
fn is_resolved_by(home: &Home, fix: &Fix) {
    let alert = home
        .api
        .until("the end of the alert", |_| Some(home.alert_of(fix)).filter(|alert| alert.status == Status::Resolved));
    let alert = serde_json::to_value(alert).unwrap();
    assert_eq!(alert["resolvedBy"], "system", "{alert}");
    assert_eq!(alert["resolutionNotes"], format!("fixed by {}: {}", fix.id, fix.title.raw()));
    assert_eq!(alert["fixes"], json!([fix.id]));
}

fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["code"].as_str().unwrap_or_default())
}

#[test]
fn the_fix_of_the_guide_is_proposed_approved_run_and_taken_back_by_its_command() {
    if server::serves() {
        return;
    }
    let name = "the_fix_of_the_guide_is_proposed_approved_run_and_taken_back_by_its_command";
    let application = tempfile::tempdir().unwrap();
    let program = application.path().join("queue");
    std::fs::write(&program, guide::file("app/queue")).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(application.path().join("mail"), "held\n").unwrap();
    let (definition, queues) = (guide::file("fixes.d/drain-queue.toml"), guide::file("inventories.d/queues.toml"));
    let allowed = format!("[[fixes.program]]\nname = \"queue\"\npath = \"{}\"", program.display());
    let files = [("fixes.d/drain-queue.toml", &*definition), ("inventories.d/queues.toml", &*queues)];
    let home = Home::new(name, &files, &allowed);
    let said = || std::fs::read_to_string(application.path().join("log")).unwrap_or_default();
    let state = || std::fs::read_to_string(application.path().join("mail")).unwrap();
    let _server = home.start();

    home.says("queue-mail", "down");
    let pending = home.until("queue:mail", FixStatus::Pending);
    assert_eq!(pending.proposed_by.raw(), "rule:health");
    assert_eq!(said(), "", "a dry run writes nothing");
    home.approve("ana", &pending);
    home.until("queue:mail", FixStatus::Verifying);
    home.says("queue-mail", "ok");
    let executed = home.until("queue:mail", FixStatus::Executed);
    let id = &executed.id;
    assert_eq!((said(), state()), (format!("drain mail fence 1 key {id}.0.do\n"), "moves\n".to_owned()));
    is_resolved_by(&home, &executed);

    let (status, answer) = home.decide("ana", "rollback", &executed, &json!({ "planDigest": executed.plan_digest }));
    assert_eq!(status, StatusCode::OK, "{answer}");
    home.until("queue:mail", FixStatus::RolledBack);
    assert!(said().ends_with(&format!("hold mail fence 2 key {id}.0.undo\n")), "{}", said());
    assert_eq!((said().lines().count(), state()), (2, "held\n".to_owned()));
    assert_eq!(home.suppressed("drain-queue"), ["queue:mail"]);
    let again = json!({ "definitionId": "drain-queue", "parameters": { "queue": "mail" } });
    assert_eq!(code(&home.ask("ben", Method::POST, "fixes", &again)), (409, "fixes_off"));
}

#[test]
fn an_automatic_fix_ends_its_alert_and_one_that_does_not_help_takes_itself_back() {
    if server::serves() {
        return;
    }
    let name = "an_automatic_fix_ends_its_alert_and_one_that_does_not_help_takes_itself_back";
    let target = Target::start();
    let home = home_with_queues(name, &target, &drain("auto", "low", "8s"));
    let _server = home.start();

    home.says("queue-mail", "down");
    home.until("queue:mail", FixStatus::Verifying);
    home.says("queue-mail", "ok");
    let executed = home.until("queue:mail", FixStatus::Executed);
    assert!(executed.by_policy && executed.approvals.is_empty(), "{executed:?}");
    is_resolved_by(&home, &executed);
    let done = call("drain mail", &executed, "do", 1);
    assert_eq!(target.effects(), std::slice::from_ref(&done));

    // This queue moves now, and never says that all is well.
    home.says("queue-push", "down");
    let ended = |fix: &Fix| fix.plan.target.raw() == "queue:push" && fix.ended_at.is_some();
    let undone = home.api.until("a fix that takes itself back", |_| home.fixes().into_iter().find(ended));
    assert_eq!(undone.status, FixStatus::RolledBack, "{undone:?}");
    let effects = target.effects();
    assert_eq!(effects[0], done);
    assert_eq!(effects[1], call("drain push", &undone, "do", 1));
    assert_eq!((effects.len(), effects[2].what.as_str(), effects[2].fence), (3, "hold push", 1), "{effects:?}");
    assert_eq!(home.suppressed("drain-queue"), ["queue:push"]);
    assert!(home.alert_of(&undone).status.is_open());
}

#[test]
fn a_document_is_deleted_and_a_rollback_puts_it_back_as_it_was() {
    if server::serves() {
        return;
    }
    let name = "a_document_is_deleted_and_a_rollback_puts_it_back_as_it_was";
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), Clock::system()).unwrap();
    let definition = "title = \"Reset {agent}\"\nrisk = \"medium\"\npolicy = \"approve\"\nowner = \"agents\"\n\
                      target = \"agent:{agent}\"\n[[match]]\ntype = \"health\"\nlabels.component = \"agent-*\"\n\
                      [[parameter]]\nname = \"agent\"\nkind = \"inventory\"\ninventory = \"agents\"\n\
                      from = \"label.component\"\n[[step]]\ntitle = \"Mark {agent}\"\n\
                      document = { collection = \"agents\", id = \"{agent}\", set = { state = \"reset\" } }\n\
                      [[step]]\ntitle = \"Delete the context of {agent}\"\n\
                      document = { collection = \"agent_contexts\", id = \"{agent}\", delete = true }\n\
                      [verify]\nof = \"alert_quiet\"\nhold = \"1s\"\nwithin = \"1m\"\n";
    let documents = format!("documents = \"{}\"", folder.path().display());
    let home = Home::new(name, &[("fixes.d/reset.toml", definition)], &documents);
    let keys = [DocumentKey::new("agents", "agent-7"), DocumentKey::new("agent_contexts", "agent-7")];
    let other = DocumentKey::new("agent_contexts", "agent-8");
    let fields = |name: &str| BTreeMap::from([("name".to_owned(), json!(name)), ("turns".to_owned(), json!([1, 2.5]))]);
    let write = |key: &DocumentKey| {
        let leave = Leave::Fields(fields(&key.path()));
        DocumentWrite { key: key.clone(), expect: Expect::Absent, leave }
    };
    home.api.wait(store.write([&keys[0], &keys[1], &other].map(write).to_vec())).unwrap();
    let read = |key: &DocumentKey| -> Option<Document> { home.api.wait(store.get(key)).unwrap() };
    let untouched = read(&other);
    let _server = home.start();

    home.says("agent-7", "down");
    let pending = home.until("agent:agent-7", FixStatus::Pending);
    assert_eq!(store.journal(0, 100).unwrap().len(), 3, "a dry run writes nothing");
    home.approve("ana", &pending);
    home.until("agent:agent-7", FixStatus::Verifying);
    home.says("agent-7", "ok");
    let executed = home.until("agent:agent-7", FixStatus::Executed);
    let mut marked = fields("agents/agent-7");
    marked.insert("state".to_owned(), json!("reset"));
    assert_eq!(read(&keys[0]).map(|document| document.fields), Some(marked));
    assert_eq!(read(&keys[1]), None);
    is_resolved_by(&home, &executed);

    let (status, answer) = home.decide("ana", "rollback", &executed, &json!({ "planDigest": executed.plan_digest }));
    assert_eq!(status, StatusCode::OK, "{answer}");
    home.until("agent:agent-7", FixStatus::RolledBack);
    for key in &keys {
        assert_eq!(read(key).map(|document| document.fields), Some(fields(&key.path())));
    }
    assert_eq!((read(&other), store.journal(0, 100).unwrap().len()), (untouched, 7));
    assert_eq!(home.suppressed("reset"), ["agent:agent-7"]);
}

/// How long a lease of a killed server lasts, and the work that follows it, at most.
const LEASE: Duration = Duration::from_secs(30);

#[test]
fn an_effect_is_there_exactly_once_when_the_server_is_killed_before_or_after_it() {
    if server::serves() {
        return;
    }
    let name = "an_effect_is_there_exactly_once_when_the_server_is_killed_before_or_after_it";
    let target = Target::start();
    let home = home_with_queues(name, &target, &drain("approve", "medium", "5m"));
    target.be_silent("mail", Silence::Before);
    target.be_silent("push", Silence::After);
    let first = home.start();
    for queue in ["mail", "push"] {
        home.says(&format!("queue-{queue}"), "down");
        home.approve("ana", &home.until(&format!("queue:{queue}"), FixStatus::Pending));
    }
    target.wait_for_calls(2);
    let running = home.until("queue:mail", FixStatus::Running);
    first.kill();
    let effects = target.effects();
    assert_eq!((effects.len(), effects[0].what.as_str()), (1, "drain push"), "{effects:?}");

    let _second = home.start();
    let runs = || home.fixes().iter().any(|fix| fix.status == FixStatus::Running);
    home.api.until_within(LEASE + PATIENCE, "the end of what runs", |_| (!runs()).then_some(()));
    for queue in ["mail", "push"] {
        home.says(&format!("queue-{queue}"), "ok");
    }
    let (mail, push) = (home.until("queue:mail", FixStatus::Executed), home.until("queue:push", FixStatus::Executed));
    assert_eq!(mail.id, running.id);
    // What had happened was seen and not done again; what had not was done, under a higher fence.
    let effects = target.effects();
    assert_eq!(effects.len(), 2, "{effects:?}");
    assert!(effects.contains(&call("drain push", &push, "do", 1)), "{effects:?}");
    assert!(effects.contains(&call("drain mail", &mail, "do", 2)), "{effects:?}");
    assert_eq!(target.calls().len(), 3, "{:?}", target.calls());
}

#[test]
fn nobody_decides_who_may_not_and_the_switch_ends_what_waits() {
    if server::serves() {
        return;
    }
    let target = Target::start();
    let name = "nobody_decides_who_may_not_and_the_switch_ends_what_waits";
    let home = home_with_queues(name, &target, &drain("approve", "medium", "5m"));
    let _server = home.start();
    let wish = json!({ "definitionId": "drain-queue", "parameters": { "queue": "mail" } });
    let (status, answer) = home.ask("ana", Method::POST, "fixes", &wish);
    assert_eq!(status, StatusCode::OK, "{answer}");
    home.says("queue-push", "down");
    let (mail, push) = (home.until("queue:mail", FixStatus::Pending), home.until("queue:push", FixStatus::Pending));
    let (seen, another) = (json!({ "planDigest": mail.plan_digest }), json!({ "planDigest": push.plan_digest }));

    assert_eq!(code(&home.decide("ana", "approve", &mail, &seen)), (409, "own_proposal"));
    assert_eq!(code(&home.decide("ben", "approve", &mail, &another)), (409, "plan_changed"));
    assert_eq!(code(&home.decide("vic", "approve", &mail, &seen)), (403, "forbidden"));
    assert_eq!(code(&home.decide("app", "approve", &mail, &seen)), (403, "forbidden"));
    let mut stale = mail.clone();
    stale.version -= 1;
    assert_eq!(code(&home.decide("ben", "approve", &stale, &seen)), (409, "version_conflict"));
    let off = json!({ "on": false, "reason": "freeze" });
    assert_eq!(code(&home.ask("ben", Method::PUT, "fixes/switch", &off)), (403, "forbidden"));
    assert!(home.review(&mail).fix.approvals.is_empty());

    let (status, answer) = home.ask("root", Method::PUT, "fixes/switch", &off);
    assert_eq!(status, StatusCode::OK, "{answer}");
    for fix in [&mail, &push] {
        let now = home.review(fix).fix;
        assert_eq!(now.status, FixStatus::Superseded);
        assert_eq!(code(&home.decide("ben", "approve", &now, &seen)), (409, "illegal_transition"));
    }
    assert_eq!(code(&home.ask("ben", Method::POST, "fixes", &wish)), (409, "fixes_off"));
    assert_eq!(target.calls(), []);
}

#[test]
fn an_approval_counts_as_long_as_whoever_gave_it_may_approve() {
    if server::serves() {
        return;
    }
    let target = Target::start();
    let name = "an_approval_counts_as_long_as_whoever_gave_it_may_approve";
    let home = home_with_queues(name, &target, &drain("approve", "medium", "5m"));
    let _server = home.start();
    let until = Clock::system().now().plus_millis(3_600_000);
    let (status, window) =
        home.ask("root", Method::POST, "maintenance", &json!({ "target": "queue:", "until": until }));
    assert_eq!((status, &window["id"]), (StatusCode::OK, &json!("win-1")));
    home.says("queue-mail", "down");
    home.approve("ben", &home.until("queue:mail", FixStatus::Pending));
    let approved = home.until("queue:mail", FixStatus::Approved);

    let data = home.folder.path().join("data");
    let AdminAnswer::Tokens { tokens } = admin::run(&data, &AdminRequest::ListTokens).unwrap() else { panic!() };
    let id = tokens.into_iter().find(|token| token.name == "ben").unwrap().id;
    assert!(matches!(admin::run(&data, &AdminRequest::RevokeToken { id }).unwrap(), AdminAnswer::Done));
    let (status, remedy) = home.ask("root", Method::DELETE, "maintenance/win-1", &Value::Null);
    assert_eq!((status, &remedy["maintenance"]), (StatusCode::OK, &json!([])));
    let shut = |text: &str| home.review(&approved).gates.iter().any(|gate| gate.text.raw().contains(text));
    assert!(shut("ben may not approve any more; 0 of 1 approvals still count"));
    // The executor begins what came later, and leaves this.
    home.says("queue-push", "down");
    home.approve("ana", &home.until("queue:push", FixStatus::Pending));
    let push = call("drain push", &home.until("queue:push", FixStatus::Verifying), "do", 1);
    assert_eq!((home.review(&approved).fix.status, target.effects()), (FixStatus::Approved, vec![push.clone()]));

    let again = AdminRequest::CreateToken { role: Role::Admin, name: "ben".to_owned(), expires_days: None };
    assert!(matches!(admin::run(&data, &again).unwrap(), AdminAnswer::Token { .. }));
    let verifying = home.until("queue:mail", FixStatus::Verifying);
    assert_eq!(target.effects(), [push, call("drain mail", &verifying, "do", 1)]);
}

#[test]
fn who_approves_alone_is_alone() {
    let folder = tempfile::tempdir().unwrap();
    let give = |role, name: &str| {
        let ask = AdminRequest::CreateToken { role, name: name.to_owned(), expires_days: None };
        matches!(admin::run(folder.path(), &ask).unwrap(), AdminAnswer::Token { .. })
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let bind = || {
        let remedy = Settings { people: Some(People::One), ..Settings::default() };
        let data = Some(folder.path().to_owned());
        let config = Config { data, embedded: None, remedy: Some(remedy), ..Config::embedded(String::new()) };
        runtime.block_on(stella_server::bind(config))
    };
    assert!(give(Role::Ingest, "app") && give(Role::Admin, "ana"));
    let server = bind().unwrap();
    let shutdown = CancellationToken::new();
    let ended = runtime.spawn(server.run(shutdown.clone()));
    assert!(!give(Role::Viewer, "ben") && give(Role::Approver, "Ana") && give(Role::Ingest, "web"));
    shutdown.cancel();
    runtime.block_on(ended).unwrap().unwrap();
    assert!(give(Role::Viewer, "ben"), "nobody keeps the folder's owner from it while no server runs");
    assert!(matches!(bind(), Err(StartError::NotAlone)));
}

/// What `stella-server fixes check` says about a folder with this definition.
fn checked(text: &str, folder: &Path) -> Vec<String> {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("shown.toml"), text).unwrap();
    let checked = admin::fixes::check(&Settings::default(), Some(folder)).unwrap();
    if checked.sound { Vec::new() } else { checked.lines }
}

#[test]
fn every_definition_that_the_guide_shows_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let (fixes, inventories) = (folder.path().join("fixes.d"), folder.path().join("inventories.d"));
    std::fs::create_dir(&inventories).unwrap();
    std::fs::write(inventories.join("queues.toml"), guide::file("inventories.d/queues.toml")).unwrap();
    let shown = guide::definitions();
    assert!(!shown.is_empty());
    let written = guide::file("fixes.d/drain-queue.toml");
    for text in shown.into_iter().chain([written.as_str()]) {
        assert_eq!(checked(text, &fixes), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_guide_names_every_key_of_a_definition() {
    let reader = include_str!("../server/src/remedy/definition/parse.rs").to_owned()
        + include_str!("../server/src/remedy/definition/parse/acts.rs")
        + include_str!("../server/src/remedy/definition/parse/when.rs");
    let named = guide::keys();
    let asks =
        ["text", "texts", "flag", "word", "words", "span", "section", "sections", "json", "number", "whole", "wholes"];
    let asked = asks.iter().flat_map(|ask| reader.split(&format!("{ask}(\"")).skip(1).collect::<Vec<_>>());
    let asked = asked.filter_map(|rest| rest.split('"').next());
    let missing: BTreeSet<&str> = asked.filter(|key| !named.contains(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
