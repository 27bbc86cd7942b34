//! What stands in the simulated application's document store: its users and everything that names one,
//! with every form of id that was ever written, as a migration of user ids finds it. One of the people is
//! the one whose documents the filing job misfiles in the log.
//!
//! Two scenes: before anything was moved, and four days after scripts moved a part of it. How much there is
//! does not depend on the seed; who and under which ids does. Writes nothing: whoever owns a store fills it.

mod aftermath;
mod agreed;
mod cast;
mod ground;
mod rest;
#[cfg(test)]
mod tests;
mod visible;

use serde_json::{Map, Value, json};

use super::Options;
use super::dice::Dice;
use super::people::PersonId;
use super::script::{Cause, Script};
use cast::Cast;
use ground::Ground;

pub use agreed::agreed;

/// Owned again and again where the world is to be bigger: what people see, and of whose documents no id
/// holds the id of a user.
const MULTIPLIED: [&str; 2] = ["conversations", "messages"];

/// Path of the collection of users.
pub const USERS: &str = "users";

/// A document: its collection, its id, its fields.
pub type Seeded = (String, String, Map<String, Value>);

/// When the documents are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scene {
    /// Nothing was moved yet.
    #[default]
    Before,
    /// Scripts moved a part of it four days ago, and old sessions went on writing.
    After,
}

impl Scene {
    /// Its name on the command line; None: there is none like this.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "before" => Some(Self::Before),
            "after" => Some(Self::After),
            _ => None,
        }
    }
}

/// The documents of this world, in a fixed order, the users last: where they are, everything is.
pub fn documents(options: &Options) -> impl Iterator<Item = Seeded> + use<> {
    let (misfiled, base) = (misfiled(options.seed), world(options.seed, options.scene));
    let not_again = super::people::People::new(options.seed).person(misfiled).derived();
    let users = base.iter().position(|(collection, ..)| collection == USERS).unwrap_or(base.len());
    let (rest, users) = (base[..users].to_vec(), base[users..].to_vec());
    // The repair of a fix is one step: what the misfiled one owns stays little.
    let again = move |(collection, _, fields): &&Seeded| {
        MULTIPLIED.contains(&collection.as_str()) && fields.get("userId").and_then(Value::as_str) != Some(&not_again)
    };
    let owned: Vec<Seeded> = rest.iter().filter(again).cloned().collect();
    let more = (2..=options.scale).flat_map(move |round| {
        let renamed: Vec<Seeded> = owned.iter().map(|seeded| copy(seeded, round)).collect();
        renamed
    });
    rest.into_iter().chain(more).chain(users)
}

/// The same under another name. A copied message belongs to the copied conversation.
fn copy((collection, id, fields): &Seeded, round: u32) -> Seeded {
    let mut fields = fields.clone();
    if let Some(Value::String(conversation)) = fields.get_mut("conversationId") {
        *conversation = format!("{conversation}-{round}");
        let path = format!("conversations/{conversation}");
        fields.insert("conversation".to_owned(), json!({ "$reference": path }));
    }
    (collection.clone(), format!("{id}-{round}"), fields)
}

fn world(seed: u64, scene: Scene) -> Vec<Seeded> {
    let cast = Cast::new(seed, misfiled(seed));
    let mut ground = Ground::new(Dice::new(seed, "documents"));
    visible::write(&cast, &mut ground);
    rest::write(&cast, &mut ground);
    visible::users(&cast, &mut ground);
    let before = ground.into_documents();
    match scene {
        Scene::Before => before,
        Scene::After => aftermath::of(&cast, before, Dice::new(seed, "aftermath")),
    }
}

/// Whose documents the filing job misfiles around "now".
fn misfiled(seed: u64) -> PersonId {
    const HOUR_MS: i64 = 3_600_000;
    let owner = |cause: Cause| if let Cause::OrphanWriter { owner } = cause { Some(owner) } else { None };
    let mut opening = Script::new(seed, HOUR_MS).opening().into_iter();
    opening.find_map(|scenario| owner(scenario.cause)).unwrap_or_default()
}
