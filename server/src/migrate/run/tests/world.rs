//! A small world with all that goes wrong in large ones: every form of id, several ids of one person, ids of
//! nobody, moves that meet, sets and maps in which two become one.

use std::fmt::Write;

use serde_json::{Value, json};

pub(super) const MAP: &str = r#"
title = "the small world"
[users]
collection = "users"
email = "email"
ids = ["googleUserId"]
placeholder = { name = "Placeholder", isActive = false, createdAt = "{now}" }
[[collection]]
name = "users"
priority = 0
id = "{userId}"
refs = "createdBy"
[[collection]]
name = "conversations"
priority = 0
clash = "merge"
rank = "access: view < edit"
refs = ["userId", "sharedWith[].userId unique"]
archive = "status = archived"
[[collection]]
name = "messages"
priority = 0
refs = "userId"
[[collection]]
name = "settings"
priority = 0
clash = "newest"
newest = "updatedAt"
id = "{userId}"
refs = "userId"
[[collection]]
name = "workflows"
priority = 1
id = "{userId}_{workflow}"
refs = "userId"
[[collection]]
name = "groups"
priority = 1
clash = "merge"
refs = ["ownerId", "members[] unique"]
[[collection]]
name = "tickets"
priority = 2
refs = ["reportedBy", "votes.{userId}"]
[[collection]]
name = "agents/*/shares"
priority = 1
refs = "ownerId"
[[collection]]
name = "users/{userId}/keys"
priority = 1
refs = "userId"
[[collection]]
name = "chunks"
priority = 2
refs = "userId"
pseudonyms = "hashedUserId"
[[collection]]
name = "agents"
priority = 2
refs = "ownerId"
[[collection]]
name = "badges"
priority = 3
refs = "userId"
"#;

/// Numbers that look like chance and are the same on every machine.
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 20) % most as u64) as usize
    }
}

pub(super) fn hash(person: usize) -> String {
    format!("usr_h{person:019}")
}

pub(super) fn google(person: usize) -> String {
    format!("1{person:020}")
}

pub(super) fn derived(person: usize) -> String {
    format!("p{person}_example_com")
}

/// One of the ids that a person was called by.
pub(super) fn any_id(person: usize, dice: &mut Dice) -> String {
    match dice.below(5) {
        0 => google(person),
        1 => format!("P{person}@Example.com"),
        2 => format!("usr_p{person}_example_com"),
        3 if person % 4 == 2 => hash(person),
        _ => derived(person),
    }
}

/// The id of a person's user document.
pub(super) fn document_id(person: usize) -> String {
    match person % 4 {
        0 => derived(person),
        1 => google(person),
        2 => hash(person),
        _ => format!("usr_p{person}_example_com"),
    }
}

pub(super) const NOBODY: &str = "199999999999999999999";

/// The documents, a line each. `size` 1 is about 100, 3 about 300.
pub(super) fn lines(seed: u64, size: usize) -> String {
    let mut dice = Dice::new(seed);
    let people = 6 + 4 * size;
    let mut text = String::new();
    let mut put = |path: String, fields: Value| {
        writeln!(text, "{}", json!({ "path": path, "fields": fields })).unwrap();
    };
    for person in 0..people {
        let email = format!("p{person}@example.com");
        let fields = json!({
            "email": email, "googleUserId": google(person), "name": format!("Person {person}"),
            "createdBy": if person == 0 { "system".to_owned() } else { any_id(person - 1, &mut dice) },
            "joined": {"$timestamp": "2025-01-01T00:00:00Z"}, "big": {"$integer": "9007199254740995"},
        });
        put(format!("users/{}", document_id(person)), fields);
        if person % 3 == 0 {
            put(format!("users/{}/keys/k1", document_id(person)), json!({"userId": any_id(person, &mut dice)}));
        }
        // One or two of each, under several ids: the same, or the newer one stays.
        for (round, id) in [derived(person), google(person)].iter().enumerate().take(1 + person % 2) {
            let at = format!("2025-11-0{}T10:00:00Z", 1 + round);
            put(format!("settings/{id}"), json!({"userId": id, "updatedAt": at, "theme": format!("t{round}")}));
        }
        put(format!("workflows/{}_w{}", derived(person), person % 2), json!({"userId": derived(person)}));
    }
    // The same person once more, by another spelling: two documents become one and differ.
    put("users/P0_example_com".into(), json!({"email": "P0@EXAMPLE.com", "name": "another"}));
    for number in 0..40 * size {
        let owner = dice.below(people);
        let other = dice.below(people);
        let id = if number % 17 == 5 { NOBODY.to_owned() } else { any_id(owner, &mut dice) };
        let shared = json!([
            {"userId": any_id(other, &mut dice), "access": "view"},
            {"userId": any_id(other, &mut dice), "access": "edit"},
        ]);
        put(
            format!("conversations/c{number:04}"),
            json!({"userId": id, "sharedWith": shared, "title": format!("t{number}"), "archived": number % 5 == 0}),
        );
    }
    for number in 0..15 * size {
        let owner = dice.below(people);
        put(format!("messages/m{number:04}"), json!({"userId": any_id(owner, &mut dice), "text": "x", "n": number}));
        if number % 3 == 0 {
            let members: Vec<String> = (0..3).map(|_| any_id(owner, &mut dice)).collect();
            put(format!("groups/g{number}"), json!({"ownerId": any_id(owner, &mut dice), "members": members}));
            put(
                format!("tickets/t{number}"),
                json!({"reportedBy": any_id(owner, &mut dice),
                "votes": {(any_id(owner, &mut dice)): 1, "system": 2}}),
            );
            put(format!("agents/a{number}"), json!({"ownerId": any_id(owner, &mut dice)}));
            put(format!("agents/a{number}/shares/s1"), json!({"ownerId": any_id(dice.below(people), &mut dice)}));
            let of = derived(owner);
            let pseudonym = crate::migrate::form::pseudonym(&of);
            put(format!("chunks/k{number}"), json!({"userId": of, "hashedUserId": pseudonym}));
            put(format!("odd/o{number}"), json!({"n": number}));
        }
    }
    text
}
