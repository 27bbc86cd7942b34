//! Four days after the scripts: what they moved, under ids that they made once more; what they left behind;
//! and what sessions with old ids wrote since.
//!
//! Deliberately as they did it: new ids for people who had one, a user document deleted for another, arrays
//! and ids of documents untouched.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Seeded;
use super::cast::{Cast, Member, SETTLED, Story};
use super::ground::{SCRIPTS_DAY, instant, object};
use crate::demo::dice::Dice;
use crate::migrate::form::{HashId, pseudonym};

/// Who wrote how many conversations with the number of their sign-in since.
const OLD_SESSIONS: [(usize, usize); 7] = [(1, 40), (2, 20), (3, 12), (4, 8), (5, 6), (6, 4), (7, 2)];
/// Who wrote how many with the id that they have now.
const NEW_SESSIONS: [(usize, usize); 11] =
    [(8, 5), (9, 4), (10, 3), (12, 3), (14, 2), (16, 2), (20, 8), (21, 7), (22, 6), (23, 5), (24, 4)];
/// Chunks that an import wrote under pseudonyms.
const WRONG_CHUNKS: usize = 20;
/// Tickets that a script wrote under an id that fits two people.
const ALIKE_TICKETS: usize = 3;
/// The one whose number without a user was recorded since.
const FOUND: usize = 30;
/// The one for whom a user document was made that holds nothing.
const GHOST: usize = 12;

/// The world of `before`, afterwards.
pub(super) fn of(cast: &Cast, before: Vec<Seeded>, mut dice: Dice) -> Vec<Seeded> {
    let minted = Minted::new(cast, &mut dice);
    let (users, mut documents): (Vec<Seeded>, Vec<Seeded>) =
        before.into_iter().partition(|(collection, ..)| collection == "users");
    for (collection, _, fields) in &mut documents {
        minted.moved(collection, fields);
    }
    documents.extend(written_since(cast, &minted, &mut dice));
    documents.extend(users.into_iter().map(|user| minted.user(cast, user)));
    documents.push(minted.ghost(cast));
    documents
}

/// The ids that the scripts made.
struct Minted {
    /// By the id under which conversations stood.
    by_owner: BTreeMap<String, String>,
    /// By the id of the user document.
    by_account: BTreeMap<String, String>,
}

impl Minted {
    fn new(cast: &Cast, dice: &mut Dice) -> Self {
        let (mut by_owner, mut by_account) = (BTreeMap::new(), BTreeMap::new());
        for (place, member) in cast.members[..SETTLED].iter().enumerate() {
            let mut last = String::new();
            for (number, owned) in member.owned.iter().enumerate() {
                // For each old id once, but where the user document was found by both.
                if number == 0 || place == GHOST || matches!(member.story, Story::TwiceDerived(..)) {
                    last = dice.hash_id();
                }
                by_owner.insert(owned.id.clone(), last.clone());
            }
            for account in &member.accounts {
                let own = by_owner.get(&account.id);
                let first = || by_owner.get(member.written(0)).filter(|_| member.accounts.len() == 1);
                if let Some(new) = own.or_else(first) {
                    by_account.insert(account.id.clone(), new.clone());
                }
            }
        }
        Self { by_owner, by_account }
    }

    fn owner<'m>(&'m self, old: &'m str) -> &'m str {
        self.by_owner.get(old).map_or(old, String::as_str)
    }

    /// Under which id the application looks for what is theirs now.
    fn now<'m>(&'m self, member: &'m Member) -> &'m str {
        self.by_account.get(member.now()).map_or(member.now(), String::as_str)
    }

    /// What the scripts did to a document.
    fn moved(&self, collection: &str, fields: &mut Map<String, Value>) {
        match collection {
            "conversations" => {
                if let Some(old) = self.put(fields.get_mut("userId")) {
                    fields.insert("_userIdMigrated".to_owned(), json!(true));
                    fields.insert("_originalUserId".to_owned(), json!(old));
                }
            }
            "messages" | "folders" => {
                self.put(fields.get_mut("userId"));
            }
            "agent_shares" => {
                self.put(fields.get_mut("ownerId"));
                let guests = fields.get_mut("sharedWith").and_then(Value::as_array_mut);
                for guest in guests.into_iter().flatten().filter(|guest| guest["type"] == "user") {
                    self.put(guest.get_mut("id"));
                }
            }
            _ => {}
        }
    }

    /// Writes the new id for an old one, and gives the old one back.
    fn put(&self, value: Option<&mut Value>) -> Option<String> {
        let value = value?;
        let old = value.as_str()?.to_owned();
        let new = self.by_owner.get(&old)?;
        *value = json!(new);
        Some(old)
    }

    /// A user document, under the id that was made for it.
    fn user(&self, cast: &Cast, (collection, id, mut fields): Seeded) -> Seeded {
        if id == cast.members[FOUND].now() {
            fields.insert("googleUserId".to_owned(), json!(cast.nobodys[2].id));
            fields.insert("lastLoginAt".to_owned(), instant(SCRIPTS_DAY + 3, 0));
        }
        let Some(new) = self.by_account.get(&id) else { return (collection, id, fields) };
        if HashId::parse(&id).is_some() {
            // What was written under it is theirs.
            fields.insert("userId".to_owned(), json!(id));
        }
        fields.insert("_migratedFrom".to_owned(), json!(id));
        fields.insert("_migratedAt".to_owned(), instant(SCRIPTS_DAY, 3_600_000));
        (collection, new.clone(), fields)
    }

    /// The second pass found the user document gone, and made one.
    fn ghost(&self, cast: &Cast) -> Seeded {
        let old = cast.members[GHOST].written(1);
        let fields = json!({
            "googleUserId": old, "_migratedFrom": old, "_conversationUserIdMigratedFrom": old,
            "_migratedAt": "2025-11-09T09:00:00.000Z",
        });
        object("users", self.owner(old).to_owned(), fields)
    }
}

fn written_since(cast: &Cast, minted: &Minted, dice: &mut Dice) -> Vec<Seeded> {
    let mut since = Vec::new();
    let old = OLD_SESSIONS.map(|(place, count)| (cast.members[place].written(0), count));
    let new = NEW_SESSIONS.map(|(place, count)| (minted.now(&cast.members[place]), count));
    for (number, owner) in old.into_iter().chain(new).flat_map(|(id, count)| std::iter::repeat_n(id, count)).enumerate()
    {
        let id = format!("conv-since-{number:03}");
        let at = instant(SCRIPTS_DAY + 1 + dice.between(0, 3), dice.between(0, 40_000_000));
        let fields = json!({
            "userId": owner, "title": "Since then", "agentId": "agent-1", "messageCount": 1, "sharedWith": [],
            "status": "active", "source": "production", "createdAt": at, "updatedAt": at,
        });
        since.push(object("conversations", id.clone(), fields));
        let fields = json!({
            "userId": owner, "conversationId": id, "conversation": { "$reference": format!("conversations/{id}") },
            "role": "user", "content": "Where is everything?", "timestamp": at,
        });
        since.push(object("messages", format!("msg-since-{number:03}"), fields));
    }
    for number in 0..WRONG_CHUNKS {
        let wrong = pseudonym(cast.members[2 + number % 5].written(0));
        let fields = json!({ "userId": wrong, "sourceId": format!("source-{:03}", number % 24), "position": number });
        since.push(object("document_chunks", format!("chunk-since-{number:03}"), fields));
    }
    let alike = cast.members.iter().rposition(|member| member.story == Story::Alike).unwrap_or_default();
    for number in 0..ALIKE_TICKETS {
        let reporter = cast.members[alike].email.replace(['@', '.'], "_");
        let fields = json!({ "reportedBy": reporter, "title": "My list is empty", "status": "submitted" });
        since.push(object("feedback_tickets", format!("BUG-{number:04}"), fields));
    }
    since.push(share_of_two_minds(cast, minted));
    since
}

/// One person twice, who may do more the second time.
fn share_of_two_minds(cast: &Cast, minted: &Minted) -> Seeded {
    let twice = &cast.members[13];
    let entry = |id: &str, level: &str| json!({ "type": "user", "id": id, "email": twice.email, "accessLevel": level });
    let fields = json!({
        "ownerId": cast.members[20].now(), "agentId": "agent-2", "accessLevel": "use",
        "sharedWith": [entry(minted.now(twice), "view"), entry(twice.written(1), "edit")],
    });
    object("agent_shares", "share-since-00".to_owned(), fields)
}
