//! Migrations as a server would tell them, and consoles that show them.

use serde_json::{Value, json};
use stella_protocol::migration::{MigrationVerb, Progress};
use stella_protocol::{FeedEvent, Migration, Role};
use stella_tui::effect::{Command, MigrationList, MigrationPart, Query, Reply};
use stella_tui::event::{Event, LinkEvent};

use crate::remedies::at;
use crate::scene::{self, Scene, morning};

pub const DIGEST: &str = "7c1e5a90d3f2b4481e6a";

pub fn plan() -> Value {
    json!({
        "digest": DIGEST, "scannedAt": at(-900), "keyId": "key-2026-11", "documents": 8402, "collections": 31,
        "undeclared": 2, "changes": 4831, "moves": 312, "references": 9120, "users": 38, "oldIds": 61,
        "orphanIds": 3, "orphanDocuments": 38, "clashes": 2, "batches": 120, "bytes": 32_500_000, "misses": 4,
        "firstScope": {"users": 19, "conversations": 473, "messages": 600, "shares": 30, "folders": 12, "groups": 4,
            "orphanedConversations": 38, "orphanIds": 3}
    })
}

fn phase(name: &str, state: &str, from: i64, to: Option<i64>, note: &str) -> Value {
    let ended = to.map(at);
    json!({"name": name, "state": state, "startedAt": at(from), "endedAt": ended, "note": note})
}

fn merge(value: &mut Value, more: Value) {
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
}

pub fn migration(id: &str, status: &str, version: u64, more: Value) -> Migration {
    let mut value = json!({
        "id": id, "kind": "user_ids", "target": "demo-store", "mapTitle": "the application's data map, 98 places",
        "status": status, "createdBy": "sre-1", "createdAt": at(-960), "leader": "sre-1",
        "limits": {"canary": 3, "soakMs": 604_800_000_i64}, "next": {"words": ""}, "version": version,
        "trail": [{"at": at(-960), "by": "sre-1", "what": "made it"}]
    });
    merge(&mut value, more);
    serde_json::from_value(value).unwrap()
}

pub fn planned() -> Migration {
    let next = json!({"verb": "rehearse", "words": "rehearse: computes all 120 batches, writes nothing"});
    let phases = json!([phase("scan", "done", -960, Some(-900), "8,402 documents in 31 collections")]);
    migration("mig-7", "planned", 3, json!({"plan": plan(), "next": next, "phases": phases}))
}

pub fn rehearsed() -> Migration {
    let next = json!({"verb": "approve", "words": "approve: an admin says yes to this plan"});
    let phases = json!([
        phase("scan", "done", -960, Some(-900), "8,402 documents in 31 collections"),
        phase("rehearse", "done", -800, Some(-760), "120 batches computed, 0 writes"),
    ]);
    migration("mig-7", "rehearsed", 5, json!({"plan": plan(), "next": next, "phases": phases}))
}

fn approval() -> Value {
    json!({"by": "sre-1", "at": at(-600), "planDigest": DIGEST, "reason": "agreed with data"})
}

pub fn approved() -> Migration {
    let mut value = serde_json::to_value(rehearsed()).unwrap();
    let next = json!({"verb": "start", "words": "start: backs up, tries 3 users, then writes"});
    merge(&mut value, json!({"status": "approved", "version": 6, "approval": approval(), "next": next}));
    serde_json::from_value(value).unwrap()
}

/// Begun, up to this phase.
fn begun(status: &str, version: u64, last: &Value, more: Value) -> Migration {
    let mut value = serde_json::to_value(approved()).unwrap();
    let mut phases = vec![
        phase("scan", "done", -960, Some(-900), "8,402 documents in 31 collections"),
        phase("rehearse", "done", -800, Some(-760), "120 batches computed, 0 writes"),
        phase("backup", "done", -540, Some(-518), "5,143 documents, 31 MiB, read back and equal"),
        phase("canary", "done", -518, Some(-512), "3 users see exactly what they must"),
    ];
    phases.extend(last.as_array().cloned().unwrap_or_default());
    merge(
        &mut value,
        json!({
            "status": status, "version": version, "phases": phases, "dualRead": {"by": "probe", "at": at(-545)},
            "backup": {"documents": 5143, "bytes": 32_500_000, "parts": 3, "digest": "b0a1c2d3e4f5a6b7c8d9",
                "verifiedAt": at(-518)},
            "trail": [
                {"at": at(-960), "by": "sre-1", "what": "made it"},
                {"at": at(-600), "by": "sre-1", "what": "approved plan 7c1e5a90"},
                {"at": at(-545), "by": "sre-1", "what": "started it"}
            ]
        }),
    );
    merge(&mut value, more);
    serde_json::from_value(value).unwrap()
}

fn counts(done: u64, parked: u64, failed: u64) -> Value {
    json!({"planned": 5143, "done": done, "skipped": 0, "parked": parked, "failed": failed, "conflicts": 4})
}

pub fn copying() -> Migration {
    let next = json!({"words": "wait: batches are written"});
    let phases = json!([phase("copy", "running", -120, None, "")]);
    begun("copying", 9, &phases, json!({"counts": counts(900, 0, 0), "next": next}))
}

pub fn halted() -> Migration {
    let next = json!({"verb": "resume", "words": "resume when the store takes writes again; B puts everything back"});
    let phases = json!([phase("copy", "stopped", -120, Some(-10), "7 of 5,143 documents were refused")]);
    let more = json!({
        "counts": counts(3140, 2, 7), "next": next,
        "holdReason": "7 of 5,143 documents were refused by the store: more than 0.1 %"
    });
    begun("halted", 12, &phases, more)
}

fn check(differences: u64) -> Value {
    let first = if differences == 0 {
        json!([])
    } else {
        json!([{"check": "content", "what": "conversations/c-118", "detail": "title is another one than before"}])
    };
    json!({
        "at": at(-30), "documents": 8402, "differences": differences, "changedSince": 3, "firstChanged": [],
        "first": first, "notChecked": ["tool_executions"],
        "checks": ["no old id at 9,120 declared places", "counts of 38 owners in 31 collections are equal",
            "who can open what is equal"]
    })
}

pub fn verified() -> Migration {
    let next = json!({"verb": "cutover", "words": "cut over: readers get the new ids"});
    let phases = json!([
        phase("copy", "done", -300, Some(-180), "5,141 of 5,143 written, 2 parked"),
        phase("verify", "done", -90, Some(-30), "8,402 documents looked at, no difference"),
    ]);
    let more = json!({"counts": counts(5141, 2, 0), "next": next, "verification": check(0)});
    begun("verified", 15, &phases, more)
}

/// The check found all equal, and the application became slower.
pub fn slower() -> Migration {
    let why = "no difference, but list-conversations of the application takes 34 % longer (28 to 41 %, 23 users); \
               resume lets it go on like that, or roll back";
    let next = json!({"verb": "resume", "words": "resume: looks at every document, and lets it be"});
    let phases = json!([
        phase("copy", "done", -300, Some(-180), "5,141 of 5,143 written, 2 parked"),
        phase("verify", "done", -90, Some(-30), "8,402 documents looked at, 0 differences"),
    ]);
    let timing = |ms: f64| json!({"medianMs": ms, "calls": 69, "users": 23});
    let change = |ratio: f64, low: f64, high: f64, verdict: &str| json!({"ratio": ratio, "low": low, "high": high, "users": 23, "verdict": verdict});
    let queries = json!({"items": [
        {"name": "list-conversations", "before": timing(212.4), "after": timing(284.6),
            "change": change(1.34, 1.28, 1.41, "too_slow")},
        {"name": "load-shared-agents", "before": timing(96.0), "after": timing(58.0),
            "change": change(0.6, 0.56, 0.66, "faster"), "silent": 2, "whySilent": "it answered 503\u{1b}[2J"},
    ]});
    let more = json!({"counts": counts(5141, 2, 0), "next": next, "verification": check(0), "holdReason": why,
        "result": why, "ownQueries": queries});
    begun("halted", 15, &phases, more)
}

fn cut_over(last: &Value) -> Value {
    let mut phases = vec![
        phase("copy", "done", -300, Some(-180), "5,141 of 5,143 written, 2 parked"),
        phase("verify", "done", -170, Some(-110), "8,402 documents looked at, no difference"),
        phase("cut_over", "done", -100, Some(-95), "61 aliases, 312 tombstones"),
    ];
    phases.extend(last.as_array().cloned().unwrap_or_default());
    Value::Array(phases)
}

pub fn soaking() -> Migration {
    let next = json!({"words": "wait until nobody used an old id for 7 d"});
    let phases = cut_over(&json!([phase("soak", "running", -95, None, "")]));
    let more = json!({"counts": counts(5514, 2, 0), "next": next, "verification": check(0), "oldIdUses": 12,
        "lastOldIdUse": at(-20)});
    begun("soaking", 18, &phases, more)
}

pub fn completed() -> Migration {
    let next = json!({"words": "nothing: it is complete"});
    let phases = cut_over(&json!([phase("soak", "done", -95, Some(-5), "no old id for 60 s")]));
    let more = json!({"counts": counts(5514, 2, 0), "next": next, "verification": check(0), "endedAt": at(-5),
        "result": "every reference stands at one id; 2 documents are parked, 38 orphans are in quarantine"});
    begun("completed", 20, &phases, more)
}

pub fn rolling_back() -> Migration {
    let next = json!({"words": "wait: documents are put back, last first"});
    let phases = json!([
        phase("copy", "stopped", -120, Some(-40), "stopped by sre-1"),
        phase("roll_back", "running", -40, None, ""),
    ]);
    begun("rolling_back", 14, &phases, json!({"counts": counts(3140, 2, 7), "next": next}))
}

pub fn undecided() -> Migration {
    let next = json!({"words": "answer 2 questions: only a person can say who is who"});
    let phases = json!([phase("scan", "done", -960, Some(-900), "2 questions are open")]);
    migration("mig-7", "needs_decision", 3, json!({"plan": plan(), "openDecisions": 2, "next": next, "phases": phases}))
}

pub fn progress(phase: &str, done: u64, total: u64, more: Value) -> Progress {
    let mut value = json!({
        "id": "mig-7", "phase": phase, "at": at(0), "total": total, "done": done, "rate": 84.2, "rate10m": 79.4,
        "eta": {"is": "range", "low_ms": 1_700_000, "high_ms": 2_450_000, "lowMs": 1_700_000, "highMs": 2_450_000},
        "counts": counts(done, 2, 0), "collection": "messages", "checkpointAt": at(-2), "batches": [57, 120]
    });
    merge(&mut value, more);
    serde_json::from_value(value).unwrap()
}

/// Copying at 61 %, held by the store's latency.
pub fn held() -> Progress {
    let reason = "the store answers in 212 ms, more than twice its idle 40 ms: 2 batches in flight instead of 8";
    progress("copy", 3148, 5143, json!({"holdReason": reason}))
}

pub fn orphans() -> MigrationPart {
    serde_json::from_value(json!({"items": [
        {
            "id": "108249771100042", "form": "numeric", "documents": [["conversations", 36], ["messages", 211]],
            "references": 247, "known": [
                {"what": "the share says ana@example.com", "document": "agent_shares/s-9"},
                {"what": "the name beside it is Ana", "document": "conversations/c-77"}
            ],
            "candidates": [{"user": "usr_k3v0m1x9q2w8e7r6t5y4", "evidence": [
                {"what": "the same e-mail after normalisation", "document": "users/ana_example_com"}]}]
        },
        {"id": "dummy-user", "form": "dummy", "documents": [["conversations", 1]], "references": 1, "known": [],
            "candidates": []},
        {
            "id": "old-bot", "form": "unknown", "documents": [["conversations", 1]], "references": 1, "known": [],
            "candidates": [], "decision": {"choice": "archive", "by": "op2", "at": at(-300), "reason": "it was a test bot"}
        }
    ]}))
    .map(MigrationPart::Orphans)
    .unwrap()
}

pub fn decisions() -> MigrationPart {
    let options = json!([
        {"name": "usr_k3v0m1x9q2w8e7r6t5y4", "words": "the one that 240 conversations name"},
        {"name": "usr_zz90aa11bb22cc33dd44", "words": "the one that was made later"}
    ]);
    serde_json::from_value(json!({"items": [
        {
            "id": "dec-1", "kind": "several_accounts", "options": options,
            "question": "Ana@Example.com and ana@example.com: is this one person, and which id stays?",
            "ids": ["usr_k3v0m1x9q2w8e7r6t5y4", "usr_zz90aa11bb22cc33dd44"],
            "evidence": [{"what": "both say ana@example.com", "document": "users/ana_example_com"}]
        },
        {
            "id": "dec-2", "kind": "shared_id", "options": options, "ids": ["4711"], "evidence": [],
            "question": "two users hold 4711: whose conversations are they?",
            "decided": {"option": "usr_zz90aa11bb22cc33dd44", "by": "op2", "at": at(-200), "reason": "asked them both"}
        }
    ]}))
    .map(MigrationPart::Decisions)
    .unwrap()
}

pub fn errors() -> MigrationPart {
    serde_json::from_value(json!({"items": [
        {"number": 9, "at": at(-12), "kind": "failed", "document": "messages/m-4711", "what":
            "the store refused it: quota of writes; it is tried again by resume"},
        {"number": 8, "at": at(-40), "kind": "parked", "document": "user_settings/ana_example_com", "what":
            "user_settings/usr_k3v0m1x9q2w8e7r6t5y4 exists and differs: merge by hand, then retry"}
    ]}))
    .map(MigrationPart::Errors)
    .unwrap()
}

pub fn log() -> MigrationPart {
    let row = |number: u64, text: &str| json!({"number": number, "at": at(-600 + i64::try_from(number).unwrap() * 20), "text": text});
    serde_json::from_value(json!({"items": [
        row(1, "approved by sre-1"),
        row(2, "backup: part 1 of 3, 2,000 documents"),
        row(3, "backup: read back, equal"),
        row(4, "canary: 3 users, 41 documents, equal"),
        row(5, "copy: users, 38 documents"),
        row(6, "copy: slower, the store answers in 212 ms")
    ]}))
    .map(MigrationPart::Log)
    .unwrap()
}

pub fn mapping() -> MigrationPart {
    serde_json::from_value(json!({"items": [
        {"from": "ana_example_com", "form": "e-mail derived", "to": "usr_k3v0m1x9q2w8e7r6t5y4", "minted": false,
            "references": 532, "evidence": [{"what": "the user says ana@example.com", "document": "users/ana_example_com"}]},
        {"from": "108249771100042", "form": "numeric", "to": "usr_9a8b7c6d5e4f3g2h1i0j", "minted": true,
            "references": 41, "evidence": [], "decidedBy": "op2"}
    ]}))
    .map(MigrationPart::Mapping)
    .unwrap()
}

pub fn collections() -> MigrationPart {
    let row = |name: &str, priority: Option<u8>, documents: Option<u64>, planned: u64, done: u64, parked: u64| {
        json!({"name": name, "priority": priority, "documents": documents, "references": planned, "moves": 0,
            "orphans": 0, "counts": {"planned": planned, "done": done, "parked": parked}})
    };
    serde_json::from_value(json!({"items": [
        row("users", Some(0), Some(38), 38, 38, 0),
        row("conversations", Some(0), Some(511), 473, 471, 2),
        row("messages", Some(0), Some(6120), 4019, 2409, 0),
        row("agent_shares", Some(0), Some(30), 30, 0, 0),
        row("feedback_tickets", Some(1), Some(212), 120, 0, 0),
        row("tool_executions", Some(3), None, 0, 0, 0),
        row("legacy_things", None, Some(9), 0, 0, 0)
    ]}))
    .map(MigrationPart::Collections)
    .unwrap()
}

/// A live console of this role with these migrations.
pub fn told(size: (u16, u16), migrations: Vec<Migration>, role: Role) -> Scene {
    let mut scene = Scene::live(size.0, size.1, morning());
    let mut first = scene::snapshot(morning(), scene.now.wall);
    first.migrations = migrations;
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
    let mut hello = scene::hello(scene.now.wall);
    hello.role = role;
    scene.feed(FeedEvent::Hello(hello));
    scene
}

/// The screen of `mig-7`, with how far it is and what its lists hold.
pub fn shown(size: (u16, u16), migration: &Migration, progress: Option<Progress>) -> Scene {
    let mut scene = told(size, vec![migration.clone()], Role::Admin);
    if let Some(progress) = progress {
        scene.feed(FeedEvent::MigrationProgress(Box::new(progress)));
    }
    scene.keys("3");
    fill(&mut scene);
    scene
}

/// Answers what was asked of the lists.
pub fn fill(scene: &mut Scene) {
    fill_with(scene, |part| part);
}

/// The same with parts that were changed on the way.
pub fn fill_with(scene: &mut Scene, change: impl Fn(MigrationPart) -> MigrationPart) {
    let asked = scene.effects.iter().rev().find_map(|effect| match effect {
        stella_tui::effect::Effect::Fetch(id, Query::MigrationPart { id: whose, list, .. }) => {
            Some((*id, whose.clone(), *list))
        }
        _ => None,
    });
    let Some((id, whose, list)) = asked else { return };
    let part = match list {
        MigrationList::Collections => collections(),
        MigrationList::Orphans => orphans(),
        MigrationList::Decisions => decisions(),
        MigrationList::Errors => errors(),
        MigrationList::Log => log(),
        MigrationList::Mapping => mapping(),
    };
    scene.event(Event::Reply(id, Box::new(Reply::MigrationPart(whose, list, Ok(change(part))))));
}

/// Answers the last look at the migration with this one.
pub fn reread(scene: &mut Scene, migration: &Migration) {
    scene.answer(|query| match query {
        Query::Migration(id) => Some(Reply::Migration(id.clone(), Ok(Box::new(migration.clone())))),
        _ => None,
    });
}

/// The last verb that was sent: with which version, plan and text.
pub fn migrated(scene: &Scene) -> Option<(MigrationVerb, u64, Option<String>, Option<String>)> {
    match scene.sent() {
        Some((_, Command::DecideMigration { version, verb, request, .. })) => {
            let raw = |text: stella_protocol::Text| text.raw().to_owned();
            Some((verb, version, request.plan_digest.map(raw), request.text.map(raw)))
        }
        _ => None,
    }
}
