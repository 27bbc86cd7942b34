//! Everything else that names a user: what the first migration by scripts did not reach. Settings whose id
//! is a user's, sources, feedback and tickets, organisations, logs; and what the data map does not know.

use serde_json::{Value, json};

use super::cast::{BLINDED, Cast, Member, SETTLED};
use super::ground::{Ground, SCRIPTS_DAY, instant};
use super::visible::{AGENTS, ORGANIZATION};
use crate::demo::application::SOURCES;
use crate::migrate::form::pseudonym;

/// One more than a double can tell from its neighbour.
const BEYOND: &str = "9007199254740993";

/// All of it.
pub(super) fn write(cast: &Cast, ground: &mut Ground) {
    settings(cast, ground);
    by_two_names(cast, ground);
    sources(cast, ground);
    agents(cast, ground);
    feedback(cast, ground);
    tickets(cast, ground);
    organization(cast, ground);
    logs(cast, ground);
    undeclared(cast, ground);
}

/// Documents whose whole id is a user's.
fn settings(cast: &Cast, ground: &mut Ground) {
    let theme = |ground: &mut Ground| json!({ "theme": ground.one(&["dark", "light"]), "language": "es" });
    let put = |ground: &mut Ground, collection: &str, user: &str, mut fields: Value| {
        fields["userId"] = json!(user);
        fields["updatedAt"] = ground.some_day();
        ground.put(collection, user, fields);
    };
    for member in &cast.members[..30] {
        let fields = theme(ground);
        put(ground, "user_settings", member.written(0), fields);
    }
    // Made anew under the id that the application asks with: two that are one person's, and differ.
    let blinded = cast.members[BLINDED].now();
    put(ground, "user_settings", blinded, json!({ "theme": "contrast", "language": "en" }));
    let second = &cast.members[SETTLED].accounts[1].id;
    put(ground, "user_settings", second, json!({ "theme": "dark", "language": "es" }));
    for (number, member) in cast.members[..8].iter().chain(&cast.members[20..24]).enumerate() {
        put(ground, "user_context", member.written(0), json!({ "about": format!("Works in team {}", number % 6) }));
    }
    for member in &cast.members[1..6] {
        put(ground, "user_badges", member.written(0), json!({ "badges": ["first-share"], "points": 40 }));
    }
    for member in &cast.members[7..10] {
        put(
            ground,
            "gmail_connections",
            member.written(0),
            json!({ "scope": "readonly", "token": { "$bytes": "AAEC" } }),
        );
    }
    for member in &cast.members[8..11] {
        put(ground, "feedback_agent_memory", member.written(0), json!({ "notes": 3 }));
    }
}

/// Documents whose id holds a user's and something else.
fn by_two_names(cast: &Cast, ground: &mut Ground) {
    for (number, member) in cast.members[1..7].iter().enumerate() {
        let (user, flow) = (member.written(0), ["summary", "translate"][number % 2]);
        let fields = json!({ "userId": user, "workflowId": flow, "enabled": true, "createdAt": ground.some_day() });
        ground.put("workflow_configs", format!("{user}_{flow}"), fields);
    }
    for member in &cast.members[1..5] {
        let (user, month) = (member.written(0), "2025-10");
        let fields = json!({ "userId": user, "month": month, "shares": ground.dice.between(0, 9) });
        ground.put("social_metrics", format!("{user}_{month}"), fields);
    }
    for number in 0..8_usize {
        let (admin, ticket) = (cast.members[[8, 21][number % 2]].written(0), format!("TKT-{:04}", number / 2));
        let fields = json!({ "adminId": admin, "ticketId": ticket, "readAt": ground.some_day() });
        ground.put("feedback_read_status", format!("{admin}_{ticket}"), fields);
    }
}

fn sources(cast: &Cast, ground: &mut Ground) {
    for (source, count) in SOURCES {
        ground.put("context_sources", source, json!({ "name": source, "documents": count, "indexed": true }));
    }
    for number in 0..40_usize {
        // One owner of most, as sources are brought in by one.
        let owner = if number < 24 { &cast.members[2] } else { cast.at(number) };
        let (user, admin) = (owner.written(0), &cast.members[21]);
        let mut fields = json!({
            "userId": user, "name": format!("Manual {number}.pdf"), "status": "active", "certifiedBy": admin.email,
            "createdBy": user, "createdAt": ground.some_day(),
            "metadata": { "uploadedBy": owner.email, "storagePath": format!("{user}/agent-{}/manual-{number}.pdf", number % AGENTS + 1) },
            "indexingHistory": [{ "userId": user, "userName": owner.name, "at": ground.some_day() }],
        });
        if number % 7 == 4 {
            fields["status"] = json!("archived");
        }
        ground.put("context_sources", format!("source-{number:03}"), fields);
        if number % 2 == 0 {
            let fields = json!({ "userId": user, "agentId": format!("agent-{}", number % AGENTS + 1), "sourceId": format!("source-{number:03}") });
            ground.put("agent_sources", format!("as-{number:03}"), fields);
        }
        let fields = json!({
            "userId": user, "hashedUserId": pseudonym(user), "sourceId": format!("source-{number:03}"),
            "embedding": { "$bytes": "AACAPwAAAEA=" }, "position": number,
        });
        ground.put("document_chunks", format!("chunk-{number:04}"), fields);
    }
}

fn agents(cast: &Cast, ground: &mut Ground) {
    for number in 0..27_usize {
        let fields = json!({
            "userId": cast.members[number % SETTLED].written(0), "agentId": format!("agent-{}", number % AGENTS + 1),
            "version": number / AGENTS + 1, "prompt": "Answer in one page.", "createdAt": ground.some_day(),
        });
        ground.put("agent_prompt_versions", format!("prompt-{number:03}"), fields);
    }
    for number in 0..20_usize {
        let owner = cast.at(number);
        let id = format!("conv-{:03}-000", owner.person);
        let fields = json!({ "userId": owner.written(0), "model": "flash", "temperature": 0.7 });
        ground.put("agent_configs", id.clone(), fields);
        let fields = json!({ "userId": owner.written(0), "activeContextSourceIds": ["handbook"], "tokens": 4_000 });
        ground.put("conversation_context", id, fields);
    }
}

fn feedback(cast: &Cast, ground: &mut Ground) {
    for number in 0..42_usize {
        let (mut fields, member) =
            (json!({}), cast.at(if number < 37 { number % SETTLED } else { SETTLED + number % 9 }));
        // One of the ids without a user has given an e-mail once: a hint, no proof.
        let (user, email) = match number {
            36 => (cast.nobodys[2].id.as_str(), cast.members[30].email.as_str()),
            41 => (cast.members[SETTLED].accounts[0].google.as_deref().unwrap_or_default(), member.email.as_str()),
            _ => (member.written(0), member.email.as_str()),
        };
        fields["userId"] = json!(user);
        fields["userEmail"] = json!(email);
        fields["userRole"] = json!("user");
        fields["feedbackType"] = json!("user");
        fields["userStars"] = json!(number % 6);
        fields["timestamp"] = ground.some_day();
        ground.put("message_feedback", format!("feedback-{number:03}"), fields);
    }
    for number in 0..6_usize {
        let admin = cast.members[[8, 21][number % 2]].written(0);
        let member = cast.at(number + 2);
        let fields = json!({
            "adminId": admin, "submittedBy": member.written(0), "submittedByEmail": member.email,
            "submittedByName": member.name, "isRead": false, "createdAt": ground.some_day(),
        });
        ground.put("feedback_notifications", format!("notice-{number}"), fields);
        let fields = json!({ "userId": member.written(0), "reviewedBy": admin, "createdAt": ground.some_day() });
        ground.put("feedback_sessions", format!("session-{number}"), fields);
    }
}

/// By four writers with two minds.
fn tickets(cast: &Cast, ground: &mut Ground) {
    for number in 0..24_usize {
        let (reporter, admin) = (cast.at(number), cast.members[[8, 21][number % 2]].written(0));
        let mut fields = json!({
            "title": "It shows nothing", "createdBy": reporter.name, "createdAt": ground.some_day(),
            "priority": ground.one(&["high", "p0", "medium"]), "status": "new", "assignedTo": admin,
        });
        let place = if number % 3 == 0 { "userId" } else { "reportedBy" };
        fields[place] = json!(reporter.written(0));
        if number % 3 == 1 {
            let voters: Vec<&str> = (1..4).map(|next| cast.at(number + next * 2).written(0)).collect();
            fields["upvotedBy"] = json!(voters);
            fields["viewedBy"] = json!([reporter.written(0), admin]);
            fields["shareChain"] = json!([voters[0], voters[1], voters[0]]);
        }
        if number % 4 == 2 {
            fields["diagnostic"] = json!({ "sourceUserId": reporter.written(0), "currentUserId": reporter.now() });
            fields["reviewHistory"] = json!([{ "changedBy": admin, "at": ground.some_day() }]);
        }
        ground.put("feedback_tickets", format!("TKT-{number:04}"), fields);
    }
    for number in 0..8_usize {
        let member = cast.at(number * 2);
        // A writer put the name where another one puts the id.
        let creator = if number % 2 == 0 { member.written(0) } else { member.name.as_str() };
        let fields = json!({
            "createdBy": creator, "createdByUserId": member.written(0), "assignedTo": cast.members[21].now(),
            "title": "A faster list", "lane": "backlog", "createdAt": ground.some_day(),
        });
        ground.put("backlog_items", format!("item-{number:02}"), fields);
    }
    for (number, account) in cast.members[SETTLED].accounts.iter().enumerate() {
        let reply =
            json!([{ "userId": cast.members[8].written(0), "text": "We look at it.", "at": ground.some_day() }]);
        let fields = json!({ "userId": account.id, "subject": "Two logins", "messages": reply });
        ground.put("support_tickets", format!("support-{number}"), fields);
    }
}

fn organization(cast: &Cast, ground: &mut Ground) {
    let ids = |from: usize, to: usize| -> Vec<&str> { (from..to).map(|place| cast.at(place).written(0)).collect() };
    let people = |from: usize, to: usize| -> Vec<Value> {
        (from..to).map(|place| json!({ "userId": cast.at(place).written(0) })).collect()
    };
    let fields = json!({
        "name": "Example", "ownerUserId": cast.members[20].now(), "admins": ids(8, 10),
        "createdBy": cast.members[20].email, "place": { "$geo": { "latitude": -33.45, "longitude": -70.66 } },
        "evaluationConfig": { "domainConfigs": { "example.com": { "supervisors": people(2, 4), "especialistas": people(12, 14) } } },
        "createdAt": ground.some_day(),
    });
    ground.put("organizations", ORGANIZATION, fields);
    for (number, member) in cast.members[..24].iter().enumerate() {
        let fields = json!({
            "userId": member.written(0), "organizationId": ORGANIZATION, "invitedBy": cast.members[20].now(),
            "joinedAt": ground.some_day(),
        });
        ground.put("org_memberships", format!("membership-{number:02}"), fields);
    }
    for number in 0..3_usize {
        let fields = json!({ "userId": cast.at(number + 2).written(0), "createdBy": cast.members[21].email, "scopes": ["read"] });
        ground.put("api_keys", format!("key-{number}"), fields);
    }
}

fn logs(cast: &Cast, ground: &mut Ground) {
    for number in 0..30_usize {
        let user = match number {
            // A test and a job of the system: nobody, on purpose.
            9 => "test_user_001",
            19 => "system",
            _ => cast.at(number).written(number),
        };
        let fields = json!({
            "userId": user, "action": "search", "tokens": { "$integer": BEYOND }, "timestamp": ground.some_day(),
        });
        ground.put("usage_logs", format!("usage-{number:04}"), fields);
    }
    for number in 0..12_usize {
        let user = pseudonym(cast.members[number % 8 + 1].written(0));
        let fields =
            json!({ "hashedUserId": user, "category": "bug", "piiDetected": false, "timestamp": ground.some_day() });
        ground.put("stella_audit_log", format!("audit-{number:03}"), fields);
    }
}

/// What the data map does not declare: a collection with ids that are as they shall be, and one below
/// documents without any.
fn undeclared(cast: &Cast, ground: &mut Ground) {
    for number in 0..AGENTS {
        let (source, _) = SOURCES[number % SOURCES.len()];
        let (owner, agent): (&Member, String) = (&cast.members[SETTLED + 1 + number], format!("agent-{}", number + 1));
        let fields = json!({
            "agentId": agent, "userId": owner.now(), "sourceIds": [source],
            "tokens": ground.dice.between(4_000, 90_000), "updatedAt": ground.some_day(),
        });
        ground.put("agent_contexts", agent, fields);
    }
    for number in 0..4 {
        let whose = cast.members[BLINDED].person;
        let fields = json!({ "text": "Not sent yet", "savedAt": instant(SCRIPTS_DAY - 1, number * 60_000) });
        ground.put(&format!("conversations/conv-{whose:03}-{number:03}/drafts"), "draft-1", fields);
    }
}
