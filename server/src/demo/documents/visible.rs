//! What people see: users, conversations, messages, folders, shares, groups. The scope of the first
//! migration by scripts.

use serde_json::{Value, json};

use super::cast::{BLINDED, Cast, Member, Owned, SETTLED, Story};
use super::ground::{Ground, SCRIPTS_DAY, instant};

const TITLES: [&str; 8] = [
    "Travel rules",
    "Invoice of March",
    "New laptop",
    "Holiday plan",
    "Meeting notes",
    "Access request",
    "Onboarding",
    "Budget of next year",
];
const WORDS: [&str; 6] =
    ["How do I book a trip?", "Here is the rule.", "Thank you.", "Who signs?", "See page 4.", "Done."];
/// Agents with a context.
pub(super) const AGENTS: usize = 6;
/// Shares of whoever owns most.
const BLINDED_SHARES: usize = 9;
/// Organisation of everybody.
pub(super) const ORGANIZATION: &str = "org-example";

/// Everything but the users.
pub(super) fn write(cast: &Cast, ground: &mut Ground) {
    for (place, member) in cast.members.iter().enumerate() {
        let mut number = 0;
        for owned in &member.owned {
            let whose = format!("{:03}", member.person);
            owned_by(cast, ground, (place, &whose, number), owned);
            number += owned.count.0;
        }
    }
    for (which, owned) in cast.nobodys.iter().enumerate() {
        owned_by(cast, ground, (which + 3, &format!("x{which}"), 0), owned);
    }
    folders(cast, ground);
    shares(cast, ground);
    groups(cast, ground);
}

/// The conversations and messages under one id.
fn owned_by(cast: &Cast, ground: &mut Ground, (place, whose, from): (usize, &str, usize), owned: &Owned) {
    let (conversations, messages) = owned.count;
    for number in 0..conversations {
        // Whoever shares wrote the id that everybody wrote.
        let guest = (number % 12 == 5).then(|| cast.at(place + number + 1)).filter(|guest| !guest.owned.is_empty());
        let fields = conversation(ground, &owned.id, number, guest);
        ground.put("conversations", format!("conv-{whose}-{:03}", from + number), fields);
    }
    for number in 0..messages {
        let conversation = format!("conv-{whose}-{:03}", from + number % conversations);
        // Readers of settled owners are settled: their messages are none of the first scope.
        let reader = if whose.starts_with('x') { None } else { Some(cast.reader_of(place, number)) };
        let shared = reader.filter(|_| number % 40 == 7);
        let fields = message(ground, &owned.id, &conversation, number, shared);
        ground.put("messages", format!("msg-{whose}-{from:03}-{number:03}"), fields);
    }
}

fn conversation(ground: &mut Ground, owner: &str, number: usize, guest: Option<&Member>) -> Value {
    let guests: Vec<Value> = guest
        .into_iter()
        .map(|guest| json!({ "userId": guest.written(0), "email": guest.email, "name": guest.name, "accessLevel": "view" }))
        .collect();
    let mut fields = json!({
        "userId": owner,
        "title": TITLES[ground.dice.below(TITLES.len())],
        "agentId": format!("agent-{}", ground.dice.below(AGENTS) + 1),
        "messageCount": ground.dice.between(2, 40),
        "sharedWith": guests,
        "status": "active",
        "source": ground.one(&["production", "production", "localhost"]),
        "createdAt": ground.some_day(),
        "updatedAt": ground.some_day(),
    });
    // Archived, hidden, deleted and half-empty ones are somebody's as well.
    match number % 10 {
        3 => fields["status"] = json!("archived"),
        6 => fields["hidden"] = json!(true),
        8 => fields["status"] = Value::Null,
        9 => fields["deletedAt"] = instant(SCRIPTS_DAY - 3, 0),
        _ => {}
    }
    fields
}

fn message(ground: &mut Ground, owner: &str, conversation: &str, number: usize, shared: Option<&Member>) -> Value {
    let mut fields = json!({
        "userId": owner,
        "conversationId": conversation,
        "conversation": { "$reference": format!("conversations/{conversation}") },
        "role": if number.is_multiple_of(2) { "user" } else { "assistant" },
        "content": WORDS[ground.dice.below(WORDS.len())],
        "timestamp": ground.some_day(),
    });
    if let Some(reader) = shared {
        fields["sharedAccessMetadata"] =
            json!({ "effectiveOwnerUserId": owner, "currentUserId": reader.written(0), "agentOwnerId": owner });
    }
    fields
}

fn folders(cast: &Cast, ground: &mut Ground) {
    // Ten of people who are to be moved, four of others. One refers to the document of its user.
    for (number, member) in cast.members[1..11].iter().chain(&cast.members[SETTLED..SETTLED + 4]).enumerate() {
        let owner = match number {
            7 => json!({ "$reference": format!("users/{}", member.written(0)) }),
            _ => json!(member.written(0)),
        };
        let fields = json!({
            "userId": owner, "name": TITLES[number % TITLES.len()], "order": number, "createdAt": ground.some_day(),
        });
        ground.put("folders", format!("folder-{number:02}"), fields);
    }
}

/// 30 with somebody who is to be moved, 5 without.
fn shares(cast: &Cast, ground: &mut Ground) {
    let blinded = &cast.members[BLINDED];
    let moving = (2..14).map(|place| &cast.members[place]);
    let owners = std::iter::repeat_n(blinded, BLINDED_SHARES).chain(moving);
    let settled = |count: usize| (0..count).map(|number| &cast.members[SETTLED + 1 + number % 8]);
    for (number, owner) in owners.chain(settled(9)).chain(settled(5)).enumerate() {
        let guests = match number {
            30.. => vec![user(cast.at(SETTLED + 3)), json!({ "type": "group", "id": "group-4" })],
            // The same person under two ids: one entry will do.
            4 => vec![entry(&cast.members[12], 0), entry(&cast.members[12], 1)],
            _ if number % 5 == 2 => vec![drifted(cast.at(number % SETTLED)), user(cast.at(SETTLED + number % 6))],
            _ => vec![
                user(cast.at((number * 5 + 2) % SETTLED)),
                json!({ "type": "group", "id": format!("group-{}", number % 6) }),
            ],
        };
        let mut fields = json!({
            "ownerId": owner.written(number / 2), "agentId": format!("agent-{}", number % AGENTS + 1),
            "sharedWith": guests, "accessLevel": "use", "createdAt": ground.some_day(),
        });
        if number % 6 == 3 && number < 30 {
            let guest = cast.at(number % SETTLED);
            fields["individualAccess"] = json!([{
                "userId": guest.written(0), "userEmail": guest.email, "userName": guest.name,
                "grantedBy": owner.written(0), "grantedByEmail": owner.email, "grantedAt": ground.some_day(),
            }]);
        }
        ground.put("agent_shares", format!("share-{number:02}"), fields);
    }
}

fn user(guest: &Member) -> Value {
    entry(guest, 0)
}

fn entry(guest: &Member, number: usize) -> Value {
    json!({ "type": "user", "id": guest.written(number), "email": guest.email })
}

/// As another writer wrote it.
fn drifted(guest: &Member) -> Value {
    json!({ "userId": guest.written(0), "email": guest.email, "name": guest.name, "accessLevel": "view" })
}

/// Four with somebody who is to be moved, two without.
fn groups(cast: &Cast, ground: &mut Ground) {
    for number in 0..6_usize {
        let (first, field) = if number < 4 { (number * 4, "members") } else { (SETTLED + 1 + number, "members") };
        let mut members: Vec<&str> = (first..first + 4).map(|place| cast.at(place).written(0)).collect();
        if number == 3 {
            // The same person under two ids.
            members.push(cast.members[12].written(1));
        }
        let field = if number == 1 { "memberIds" } else { field };
        let creator = if number < 4 { cast.members[SETTLED + 2].email.as_str() } else { "system" };
        let owner = cast.members[SETTLED + 1].now();
        let fields =
            json!({ "name": format!("Team {number}"), field: members, "createdBy": creator, "ownerId": owner });
        ground.put("groups", format!("group-{number}"), fields);
    }
}

/// The users: whoever finds them finds everything.
pub(super) fn users(cast: &Cast, ground: &mut Ground) {
    let admin = &cast.members[SETTLED + 2];
    for (place, member) in cast.members.iter().enumerate() {
        for (number, account) in member.accounts.iter().enumerate() {
            let creator = match place % 5 {
                0 => json!(admin.email),
                1 | 2 => json!("oauth-system"),
                3 => json!("system"),
                _ => json!(admin.now()),
            };
            let mut fields = json!({
                "name": member.name, "formerIds": account.former, "createdBy": creator, "role": "user",
                "organizationId": ORGANIZATION, "isActive": number == 0, "createdAt": ground.some_day(),
            });
            if let Some(email) = &account.email {
                fields["email"] = json!(email);
            }
            if let Some(google) = &account.google {
                fields["googleUserId"] = json!(google);
                fields["lastLoginAt"] = ground.some_day();
            }
            if member.story == Story::Absent {
                fields["lastLoginAt"] = Value::Null;
            }
            if place % 8 == 4 {
                fields["picture"] = json!({ "$bytes": "iVBORw0KGgo=" });
                fields["office"] = json!({ "$geo": { "latitude": -33.45, "longitude": -70.66 } });
            }
            ground.put("users", account.id.clone(), fields);
        }
    }
}
