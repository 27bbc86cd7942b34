//! Fixes as a server would tell them, and consoles that show them.

use serde_json::{Value, json};
use stella_protocol::fix::FixReview;
use stella_protocol::{FeedEvent, Fix, FixOutput, FixVerb, Remedy, Role, Timestamp};
use stella_tui::effect::{Command, Query, Reply};
use stella_tui::event::{Event, LinkEvent};

use crate::scene::{self, NOON, Scene, evidence, morning};

pub fn at(seconds: i64) -> String {
    Timestamp::from_millis(NOON + seconds * 1000).to_string()
}

pub fn plan() -> Value {
    json!({
        "definitionId": "rebuild_index", "definitionDigest": "51c0", "risk": "high", "policy": "approve",
        "target": "service:search",
        "parameters": [
            {"name": "service", "value": "search", "kind": "inventory", "source": "label service", "entry": "read 4m ago"}
        ],
        "steps": [
            {
                "title": "freeze deploys of search", "idempotent": true, "retries": 2,
                "act": {
                    "kind": "http", "method": "POST", "base": "deploy", "url": "https://deploy.internal/v1/freeze/search",
                    "headers": {"accept": "application/json"}, "body": {"by": "stella", "minutes": 20},
                    "success": [200, 204], "timeoutMs": 5000
                },
                "probe": {
                    "title": "ask whether it is frozen",
                    "act": {
                        "kind": "http", "method": "GET", "base": "deploy",
                        "url": "https://deploy.internal/v1/freeze/search", "timeoutMs": 5000
                    },
                    "done": {"status": [200], "pointer": "/frozen", "equals": true},
                    "notDone": {"status": [404]}
                },
                "undo": {
                    "how": "act", "title": "unfreeze", "idempotent": true,
                    "act": {
                        "kind": "http", "method": "DELETE", "base": "deploy",
                        "url": "https://deploy.internal/v1/freeze/search", "timeoutMs": 5000
                    }
                }
            },
            {
                "title": "rebuild the index", "fenced": true,
                "act": {
                    "kind": "argv", "program": "/opt/search/bin/reindex", "arguments": ["--shard", "7", "--note", "by stella"],
                    "environment": ["PATH"], "clean": [64], "timeoutMs": 600_000
                },
                "undo": {"how": "restore"}
            }
        ],
        "touches": ["1 service", "12 pods", "31 % of the traffic"],
        "willNotUndo": ["queries that failed meanwhile are not repeated"],
        "verification": {"check": {"of": "alert_quiet"}, "holdMs": 120_000, "withinMs": 600_000},
        "guard": {"of": "series", "series": "errors.percent", "side": "below", "limit": 12.0}
    })
}

pub fn fix(id: &str, status: &str, version: u64, more: Value) -> Fix {
    let mut value = json!({
        "id": id, "definitionId": "rebuild_index", "title": "rebuild the index of search", "alertId": "a-0000001",
        "risk": "high", "policy": "approve", "plan": plan(), "planDigest": "7c1e5a90d3",
        "proposedBy": "rule:slow_operation", "proposedAt": at(-240), "status": status, "approvals": [], "quorum": 2,
        "approveBy": at(660), "rehearsal": ["deploy answers: not frozen", "reindex --check: 7 shards, 41 s each"],
        "steps": [{"state": "waiting"}, {"state": "waiting"}], "observed": 420.0, "guards": ["errors.percent"],
        "trail": [
            {"at": at(-240), "by": "rule:slow_operation", "what": "proposed it"},
            {"at": at(-236), "by": "system", "what": "the dry run was good"}
        ],
        "version": version
    });
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    serde_json::from_value(value).unwrap()
}

pub fn pending() -> Fix {
    fix("fx-12", "pending", 3, json!({}))
}

pub fn running() -> Fix {
    fix(
        "fx-12",
        "running",
        6,
        json!({
            "approvals": [
                {"by": "op2", "at": at(-100), "planDigest": "7c1e5a90d3", "reason": "seen it before"},
                {"by": "sre-1", "at": at(-90), "planDigest": "7c1e5a90d3"}
            ],
            "executeBy": at(510),
            "steps": [
                {"state": "done", "attempt": 2, "startedAt": at(-80), "endedAt": at(-77), "note": "204"},
                {"state": "begun", "attempt": 1, "startedAt": at(-77)}
            ]
        }),
    )
}

pub fn executed() -> Fix {
    let done = json!([
        {"state": "done", "attempt": 1, "startedAt": at(-500), "endedAt": at(-497), "note": "204"},
        {"state": "done", "attempt": 1, "startedAt": at(-497), "endedAt": at(-420)}
    ]);
    let more = json!({"steps": done, "endedAt": at(-300), "result": "the alert was quiet for 2m", "approvals": [
        {"by": "op2", "at": at(-520), "planDigest": "7c1e5a90d3", "simulated": true},
        {"by": "sre-1", "at": at(-510), "planDigest": "7c1e5a90d3"}
    ]});
    fix("fx-12", "executed", 11, more)
}

pub fn in_doubt() -> Fix {
    fix(
        "fx-9",
        "in_doubt",
        9,
        json!({
            "risk": "medium", "title": "reset the context of agent planner", "alertId": null,
            "result": "step 2: the connection broke after the request was sent, and its probe cannot tell",
            "steps": [
                {"state": "done", "attempt": 1, "startedAt": at(-900), "endedAt": at(-899)},
                {"state": "unknown", "attempt": 1, "startedAt": at(-899), "endedAt": at(-868), "note": "connection broke"}
            ]
        }),
    )
}

pub fn queue() -> Vec<Fix> {
    let low = json!({"risk": "low", "title": "clear the cache of ana", "quorum": 1, "approveBy": at(120),
        "alertId": "a-0000006"});
    let done = json!({"risk": "low", "endedAt": at(-7200), "result": "the alert was quiet for 2m", "quorum": 1,
        "approvals": [{"by": "op2", "at": at(-7500), "planDigest": "7c1e5a90d3"}]});
    let over = json!({"risk": "medium", "endedAt": at(-10_000), "result": "nobody decided in time"});
    let mut runs = running();
    runs.id = "fx-11".parse().unwrap();
    runs.alert_id = Some("a-0000004".parse().unwrap());
    vec![
        pending(),
        fix("fx-13", "pending", 2, low),
        runs,
        in_doubt(),
        fix("fx-4", "executed", 11, done),
        fix("fx-3", "expired", 4, over),
    ]
}

pub fn review(fix: &Fix) -> FixReview {
    serde_json::from_value(json!({
        "fix": fix,
        "gates": [
            {"state": "open", "text": "plan 7c1e5a90 is what was proposed, byte for byte"},
            {"state": "open", "text": "not your own: proposed by rule:slow_operation"},
            {"state": "open", "text": "your role approver may approve"},
            {"state": "open", "text": "0 of 2 approvals"},
            {"state": "open", "text": "nothing else is open for its target"},
            {"state": "warning", "text": "op2 is looking at this review"}
        ],
        "differences": ["observed 420 ms when proposed, 734 ms now"],
        "record": {"runs": 7, "good": 6, "marked": 9, "falsePositive": 2}
    }))
    .unwrap()
}

pub fn line(number: u64, text: &str) -> FixOutput {
    let line = json!({"id": "fx-12", "number": number, "step": 1, "stream": if number.is_multiple_of(4) { "err" } else { "out" },
        "at": at(-70 + i64::try_from(number).unwrap()), "text": text});
    serde_json::from_value(line).unwrap()
}

/// A live console of an approver (an admin when asked) with these fixes.
pub fn live(size: (u16, u16), fixes: Vec<Fix>, remedy: Remedy, role: Role) -> Scene {
    let mut scene = Scene::live(size.0, size.1, morning());
    let mut first = scene::snapshot(morning(), scene.now.wall);
    first.fixes = fixes;
    first.remedy = remedy;
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
    let mut hello = scene::hello(scene.now.wall);
    hello.role = role;
    scene.feed(FeedEvent::Hello(hello));
    scene
}

pub fn approver(size: (u16, u16), fixes: Vec<Fix>) -> Scene {
    live(size, fixes, Remedy::default(), Role::Approver)
}

/// Answers the last question about a fix with this one.
pub fn answer(scene: &mut Scene, fix: &Fix) {
    scene.answer(|query| match query {
        Query::Fix(id) => Some(Reply::Review(id.clone(), Ok(Box::new(review(fix))))),
        _ => None,
    });
}

pub fn explain(scene: &mut Scene) {
    scene.answer(|query| match query {
        Query::Evidence(id) => Some(Reply::Evidence(id.clone(), Ok(Box::new(evidence())))),
        _ => None,
    });
}

/// The review of `fx-12` as it is in `fix`, opened from the list of alerts.
pub fn reviewed(size: (u16, u16), fix: &Fix, role: Role) -> Scene {
    let mut scene = live(size, vec![fix.clone()], Remedy::default(), role);
    scene.keys("f");
    answer(&mut scene, fix);
    explain(&mut scene);
    scene
}

pub fn decided(scene: &Scene) -> Option<(FixVerb, u64, Option<String>, Option<String>)> {
    match scene.sent() {
        Some((_, Command::DecideFix { version, verb, request, .. })) => {
            let raw = |text: stella_protocol::Text| text.raw().to_owned();
            Some((verb, version, request.plan_digest.map(raw), request.text.map(raw)))
        }
        _ => None,
    }
}
