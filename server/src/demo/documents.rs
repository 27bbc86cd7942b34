//! What stands in the simulated application's document store: a few of its people, their
//! conversations, its agents' contexts and its sources. Two people's conversations stand under ids in a
//! wrong form: one of them is whose documents the filing job misfiles in the log.
//!
//! Writes nothing: whoever owns a store fills it.

use serde_json::{Map, Value, json};

use super::application::SOURCES;
use super::dice::Dice;
use super::people::{PEOPLE, People, PersonId};
use super::script::{Cause, Script};

/// People with documents.
const OWNERS: usize = 12;

/// Most conversations of one of them: enough to look at, few enough to read.
const CONVERSATIONS: usize = 12;

/// Agents with a context.
const AGENTS: usize = 6;

/// 2026-01-05T08:00:00Z: the documents are older than any demo, and the same in each.
const EPOCH_MS: i64 = 1_767_600_000_000;

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// A document: its collection, its id, its fields.
pub type Seeded = (&'static str, String, Map<String, Value>);

/// The documents of the world of `seed`, in a fixed order.
#[must_use]
pub fn documents(seed: u64) -> Vec<Seeded> {
    let (people, mut dice) = (People::new(seed), Dice::new(seed, "documents"));
    let misfiled = misfiled(seed);
    let owners = owners(misfiled);
    let mut documents = Vec::new();
    for (place, person) in owners.iter().enumerate() {
        let email = people.person(*person).email.clone();
        let written_as = match place {
            0 => wrong_email_form(&email),
            1 => format!("{:021}", 100_000_000_000_000_000_000_u128 + u128::from(dice.below(1_000_000) as u64)),
            _ => email.clone(),
        };
        documents.push(user(&email, &written_as, *person));
        let count = CONVERSATIONS.min(people.person(*person).conversations.unsigned_abs() as usize);
        for number in 0..count {
            // Whoever shares with the first two wrote the same wrong id.
            let guest = &people.person(owners[(place + number + 1) % owners.len()]).email;
            documents.push(conversation(&written_as, *person, number, (number % 4 == 0).then_some(guest), &mut dice));
        }
    }
    documents.extend((0..AGENTS).map(|agent| context(agent, &people.person(owners[agent + 2]).email, &mut dice)));
    documents.extend(SOURCES.map(|(source, count)| {
        object("context_sources", source.to_owned(), json!({ "name": source, "documents": count, "indexed": true }))
    }));
    documents
}

/// Whose documents the filing job misfiles around "now".
fn misfiled(seed: u64) -> PersonId {
    const HOUR_MS: i64 = 3_600_000;
    let owner = |cause: Cause| if let Cause::OrphanWriter { owner } = cause { Some(owner) } else { None };
    let mut opening = Script::new(seed, HOUR_MS).opening().into_iter();
    opening.find_map(|scenario| owner(scenario.cause)).unwrap_or_default()
}

/// The misfiled one and some others.
fn owners(misfiled: PersonId) -> Vec<PersonId> {
    (0..OWNERS).map(|place| (misfiled + place * 7) % PEOPLE).collect()
}

/// The form that was left behind: the e-mail, its marks replaced.
pub(super) fn wrong_email_form(email: &str) -> String {
    email.replace(['@', '.'], "_")
}

fn user(email: &str, written_as: &str, person: PersonId) -> Seeded {
    let name = email.split('@').next().unwrap_or_default().replace('.', " ");
    let former: Vec<&str> = (written_as != email).then_some(written_as).into_iter().collect();
    let fields = json!({ "email": email, "name": name, "formerIds": former, "createdAt": day(person as i64 % 60) });
    object("users", email.to_owned(), fields)
}

fn conversation(owner: &str, person: PersonId, number: usize, guest: Option<&String>, dice: &mut Dice) -> Seeded {
    const ABOUT: [&str; 6] =
        ["Travel rules", "Invoice of March", "New laptop", "Holiday plan", "Meeting notes", "Access request"];
    let shared: Vec<Value> = guest.into_iter().map(|guest| json!({ "userId": guest, "access": "read" })).collect();
    let fields = json!({
        "userId": owner,
        "title": ABOUT[dice.below(ABOUT.len())],
        "agentId": format!("agent-{}", dice.below(AGENTS) + 1),
        "messageCount": dice.between(2, 40),
        "sharedWith": shared,
        "updatedAt": day(dice.between(60, 90)),
    });
    object("conversations", format!("conv-{person:03}-{number:02}"), fields)
}

fn context(agent: usize, owner: &str, dice: &mut Dice) -> Seeded {
    let (source, _) = SOURCES[agent % SOURCES.len()];
    let agent = format!("agent-{}", agent + 1);
    let fields = json!({
        "agentId": agent, "userId": owner, "sourceIds": [source],
        "tokens": dice.between(4_000, 90_000), "updatedAt": day(dice.between(60, 90)),
    });
    object("agent_contexts", agent, fields)
}

/// An instant so many days after the first.
fn day(days: i64) -> Value {
    json!({ "$timestamp": stella_protocol::Timestamp::from_millis(EPOCH_MS + days * DAY_MS) })
}

fn object(collection: &'static str, id: String, fields: Value) -> Seeded {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    (collection, id, fields)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn exactly_two_people_are_referred_to_by_ids_that_are_nobodys() {
        for seed in [1, 7] {
            let documents = documents(seed);
            let ids = |wanted: &str| -> BTreeSet<String> {
                documents.iter().filter(|(kind, ..)| *kind == wanted).map(|(_, id, _)| id.clone()).collect()
            };
            let users = ids("users");
            assert_eq!(users.len(), OWNERS);
            let owners = documents.iter().filter_map(|(_, _, fields)| fields.get("userId")).filter_map(Value::as_str);
            let strays: BTreeSet<String> = owners.filter(|owner| !users.contains(*owner)).map(str::to_owned).collect();
            let former = documents.iter().filter_map(|(_, _, fields)| fields.get("formerIds")?.get(0)?.as_str());
            assert_eq!(strays, former.map(str::to_owned).collect(), "{seed}");
            assert_eq!(strays.len(), 2, "{seed}: {strays:?}");
            let misfiled = &People::new(seed).person(misfiled(seed)).email.clone();
            assert!(strays.contains(&wrong_email_form(misfiled)), "{seed}: {strays:?}");
        }
    }

    #[test]
    fn no_document_is_told_twice_and_the_same_seed_tells_the_same() {
        let documents = documents(3);
        let keys: BTreeSet<(&str, &str)> = documents.iter().map(|(kind, id, _)| (*kind, id.as_str())).collect();
        assert_eq!(keys.len(), documents.len());
        assert_eq!(documents, super::documents(3));
        assert_ne!(documents, super::documents(4));
    }
}
