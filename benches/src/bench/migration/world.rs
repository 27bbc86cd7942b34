//! An application's documents in which every user is called by several ids: as lines, made while they are
//! read, so that a million of them need no memory.

use std::io::{self, BufRead, Read};

use serde_json::{Value, json};

/// Where ids stand in it.
pub const MAP: &str = r#"
title = "the measured world"
[users]
collection = "users"
email = "email"
ids = ["googleUserId"]
[[collection]]
name = "users"
priority = 0
id = "{userId}"
[[collection]]
name = "settings"
priority = 0
clash = "newest"
newest = "updatedAt"
id = "{userId}"
refs = "userId"
[[collection]]
name = "conversations"
priority = 1
refs = ["userId", "sharedWith[].userId unique"]
[[collection]]
name = "messages"
priority = 2
refs = "userId"
"#;

/// Of so many documents one is a user.
const DOCUMENTS_A_USER: usize = 100;
/// Of so many of the rest one is a conversation.
const DOCUMENTS_A_CONVERSATION: usize = 4;
/// Bytes of a message's text.
const TEXT_BYTES: usize = 400;

/// The documents, a line each.
pub struct World {
    documents: usize,
    people: usize,
    /// The next document.
    number: usize,
    line: Vec<u8>,
    /// Bytes of the line that were read.
    read: usize,
}

impl World {
    /// So many.
    pub fn of(documents: usize) -> Self {
        Self::of_people(documents, documents / DOCUMENTS_A_USER)
    }

    /// So many, of so many people.
    pub fn of_people(documents: usize, people: usize) -> Self {
        Self { documents, people: people.clamp(1, documents / 2), number: 0, line: Vec::new(), read: 0 }
    }

    fn document(&self, number: usize) -> Value {
        let people = self.people;
        if number < people {
            return user(number);
        }
        if number < 2 * people {
            let id = derived(number - people);
            let fields = json!({"userId": id, "updatedAt": "2025-11-01T10:00:00Z", "theme": "dark"});
            return json!({"path": format!("settings/{id}"), "fields": fields});
        }
        // Spread over the people without any order; the same on every machine.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        let (owner, form) = (mixed % people, mixed / people);
        if number.is_multiple_of(DOCUMENTS_A_CONVERSATION) {
            return conversation(number, (owner, form), people);
        }
        let fields = json!({
            "userId": id_of(owner, form), "conversationId": format!("c{number:09}"), "role": "user",
            "text": "t".repeat(TEXT_BYTES), "sentAt": {"$timestamp": "2025-11-01T10:00:00Z"}, "n": number,
        });
        json!({"path": format!("messages/m{number:09}"), "fields": fields})
    }
}

impl BufRead for World {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.line.len() {
            self.line.clear();
            self.read = 0;
            if self.number < self.documents {
                let document = self.document(self.number);
                serde_json::to_writer(&mut self.line, &document)?;
                self.line.push(b'\n');
                self.number += 1;
            }
        }
        Ok(&self.line[self.read..])
    }

    fn consume(&mut self, bytes: usize) {
        self.read += bytes;
    }
}

impl Read for World {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?.read(into)?;
        self.consume(bytes);
        Ok(bytes)
    }
}

fn user(person: usize) -> Value {
    let id = match person % 4 {
        0 => derived(person),
        1 => google(person),
        2 => hash(person),
        _ => format!("usr_p{person}_example_com"),
    };
    let fields = json!({
        "email": format!("p{person}@example.com"), "googleUserId": google(person),
        "name": format!("Person {person}"), "joined": {"$timestamp": "2025-01-01T00:00:00Z"},
    });
    json!({"path": format!("users/{id}"), "fields": fields})
}

fn conversation(number: usize, (owner, form): (usize, usize), people: usize) -> Value {
    let other = |step: usize| id_of((owner + step) % people, form + step);
    let fields = json!({
        "userId": id_of(owner, form), "title": format!("conversation {number}"), "archived": number.is_multiple_of(5),
        "sharedWith": [{"userId": other(1), "access": "view"}, {"userId": other(2), "access": "edit"}],
        "createdAt": {"$timestamp": "2025-11-01T10:00:00Z"}, "updatedAt": {"$timestamp": "2025-11-02T10:00:00Z"},
    });
    json!({"path": format!("conversations/c{number:09}"), "fields": fields})
}

/// One of the ids that a person was called by.
fn id_of(person: usize, form: usize) -> String {
    match form % 4 {
        0 => google(person),
        1 => format!("P{person}@Example.com"),
        2 => format!("usr_p{person}_example_com"),
        _ => derived(person),
    }
}

fn hash(person: usize) -> String {
    format!("usr_h{person:019}")
}

fn google(person: usize) -> String {
    format!("1{person:020}")
}

fn derived(person: usize) -> String {
    format!("p{person}_example_com")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_has_as_many_documents_as_were_asked_for_each_in_a_place_of_its_own() {
        let lines: Vec<Value> =
            World::of(1000).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        let paths: BTreeSet<&str> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
        assert_eq!((lines.len(), paths.len()), (1000, 1000));
        assert_eq!(paths.iter().filter(|path| path.starts_with("users/")).count(), 10);
    }
}
