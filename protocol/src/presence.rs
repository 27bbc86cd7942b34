//! Who looks at what: said by each console with `PUT /presence`, told to all by the event `presence` and
//! in the snapshot.
//!
//! It is a courtesy among people and holds nothing up: it is not kept, not audited, and nothing may be
//! decided by it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AlertId, ConsoleId, FixId, MigrationId, Role, Text};

/// The screens of a console, as far as it tells others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Screen {
    /// Alerts, and one of them.
    #[default]
    Alerts,
    /// Fixes, and the review of one.
    Fixes,
    /// Migrations, and one of them.
    Migrations,
    /// Series.
    Metrics,
    /// Lines.
    Log,
    /// What is looked for, and one rule.
    Rules,
    /// What was called false.
    Marks,
    /// New revisions of services.
    Deploys,
    /// A screen this reader does not know.
    #[serde(other)]
    Unknown,
}

/// Something that can be looked at, by its id; on the wire the id alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Object {
    /// An alert.
    Alert(AlertId),
    /// A fix.
    Fix(FixId),
    /// A migration.
    Migration(MigrationId),
    /// Of a kind this reader does not know, or not an id at all.
    Unknown,
}

impl Object {
    /// The id as written, safe to show; None: of an unknown kind.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Alert(id) => Some(id.as_str()),
            Self::Fix(id) => Some(id.as_str()),
            Self::Migration(id) => Some(id.as_str()),
            Self::Unknown => None,
        }
    }

    /// Reads an id of whatever kind.
    pub fn read(id: &str) -> Self {
        let alert = || id.parse().map(Self::Alert);
        let fix = || id.parse().map(Self::Fix);
        let migration = || id.parse().map(Self::Migration);
        alert().or_else(|_| fix()).or_else(|_| migration()).unwrap_or(Self::Unknown)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id().unwrap_or("unknown"))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer).map(|id| Self::read(&id))
    }
}

/// What somebody looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// Which screen.
    pub screen: Screen,
    /// What on it; None: the screen as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
}

/// `PUT /presence`: what this console looks at now. To be said again each 15 s; after 45 s of silence the
/// console is gone. Neither key nor version: what is said last counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresenceRequest {
    /// Which console: two of one person are two.
    pub console: ConsoleId,
    /// As [`Look::screen`].
    pub screen: Screen,
    /// As [`Look::object`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
}

/// A console that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// Which console.
    pub console: ConsoleId,
    /// Who sits at it.
    pub who: Text,
    /// What they may do.
    pub role: Role,
    /// What they look at.
    #[serde(flatten)]
    pub look: Look,
}

/// Event `presence`: everybody who is there, in the order in which they came. Replaceable, at most one a
/// second, and only when something changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Present {
    /// Their consoles.
    pub consoles: Vec<Presence>,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_its_id_and_what_is_none_is_unknown() {
        for id in ["a-4f21abc", "fx-118", "mig-7"] {
            assert_eq!(Object::read(id).id(), Some(id));
            assert_eq!(serde_json::to_value(Object::read(id)).unwrap(), json!(id));
        }
        assert_eq!(Object::read("MIG-7"), Object::Migration("mig-7".parse().unwrap()));
        for bad in ["", "act-1", "tkt-9", "a-", "a-\u{1b}[2J", "mig-7 ", &"a-x".repeat(30)] {
            assert_eq!(Object::read(bad), Object::Unknown, "{bad:?}");
        }
    }

    #[test]
    fn a_newer_servers_words_are_read_and_a_request_with_more_than_its_fields_is_not() {
        let newer = json!({
            "console": "con-1", "who": "bo", "role": "emperor", "screen": "scorecard", "object": "tkt-4", "mood": "calm"
        });
        let read: Presence = serde_json::from_value(newer).unwrap();
        assert_eq!(
            (read.role, read.look.screen, read.look.object),
            (Role::Unknown, Screen::Unknown, Some(Object::Unknown))
        );
        let request = |more: serde_json::Value| serde_json::from_value::<PresenceRequest>(more).is_ok();
        assert!(request(json!({"console": "con-1", "screen": "log"})));
        assert!(!request(json!({"console": "con-1", "screen": "log", "who": "somebody else"})));
        assert!(!request(json!({"console": "\u{1b}[2J", "screen": "log"})));
    }
}
