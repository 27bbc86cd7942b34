//! A migration of which every word is hostile, and its lists.

use serde_json::{Value, json};

/// One, with another payload in each of its words.
pub fn migration(texts: &[&str], now: &str) -> Value {
    let mut at = 0;
    let mut next = || {
        at += 1;
        texts[at % texts.len()]
    };
    let phases: Vec<Value> = ["scan", "rehearse", "backup", "canary", "copy", "verify"]
        .iter()
        .map(|name| json!({"name": name, "state": "done", "startedAt": now, "endedAt": now, "note": next()}))
        .collect();
    json!({
        "id": "mig-1", "kind": "user_ids", "target": next(), "mapTitle": next(), "status": "verified", "createdBy": next(),
        "createdAt": now, "leader": next(), "limits": {"canary": 3, "soakMs": 60_000}, "version": 9, "phases": phases,
        "plan": {
            "digest": next(), "scannedAt": now, "keyId": next(), "documents": 9, "collections": 3, "undeclared": 1,
            "changes": 5, "moves": 2, "references": 9, "users": 2, "oldIds": 3, "orphanIds": 1, "orphanDocuments": 1,
            "clashes": 1, "batches": 1, "bytes": 900, "misses": 1
        },
        "counts": {"planned": 7, "done": 6, "parked": 1}, "holdReason": next(), "result": next(),
        "approval": {"by": next(), "at": now, "planDigest": next(), "reason": next()},
        "dualRead": {"by": "statement", "who": next(), "text": next()},
        "backup": {"documents": 7, "bytes": 900, "parts": 1, "digest": next(), "verifiedAt": now},
        "verification": {
            "at": now, "documents": 9, "checks": [next()], "differences": 1, "changedSince": 1, "firstChanged": [next()],
            "first": [{"check": next(), "what": next(), "detail": next()}], "notChecked": [next()]
        },
        "next": {"verb": "cutover", "words": next()}, "trail": texts.iter().map(|text| {
            json!({"at": now, "by": text, "what": text})
        }).collect::<Vec<_>>()
    })
}

/// The list that a path ends with: a row for each payload. None: it is no list of a migration.
pub fn list(path: &str, texts: &[&str], now: &str) -> Option<Value> {
    let name = path.rsplit('/').next()?;
    let row = |(at, text): (usize, &&str)| {
        let evidence = json!([{"what": text, "document": text}]);
        Some(match name {
            "collections" => json!({
                "name": text, "priority": 1, "documents": 9, "references": 9, "moves": 1, "orphans": 0,
                "counts": {"planned": 9, "done": 3}
            }),
            "orphans" => json!({
                "id": format!("{at} {text}"), "form": text, "documents": [[text, 3]], "references": 3, "known": evidence,
                "candidates": [{"user": text, "evidence": evidence}],
                "decision": {"choice": "map", "user": text, "by": text, "at": now, "reason": text}
            }),
            "decisions" => json!({
                "id": format!("dec-{at}"), "kind": "several_users", "question": text, "ids": [text], "evidence": evidence,
                "options": [{"name": text, "words": text}],
                "decided": {"option": text, "by": text, "at": now, "reason": text}
            }),
            "errors" => json!({"number": at, "at": now, "kind": "parked", "document": text, "what": text}),
            "log" => json!({"number": at + 1, "at": now, "text": text}),
            "mapping" => json!({
                "from": text, "form": text, "to": text, "minted": true, "references": 3, "evidence": evidence,
                "decidedBy": text
            }),
            _ => return None,
        })
    };
    let items: Option<Vec<Value>> = texts.iter().enumerate().map(row).collect();
    Some(json!({"items": items?, "next": null}))
}
