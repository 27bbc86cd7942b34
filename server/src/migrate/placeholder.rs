//! A user document for an id without a user: it says plainly that it is nobody, and nobody can sign in to it.
//!
//! It has no e-mail and no sign-in, so that neither finds it. Of which ids it was made stands in it: a later
//! look at the data takes them for its own, and asks when somebody else names one of them too.
//!
//! Deliberately not here: which ids get one (that is [`super::resolve`]'s), and writing it.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use stella_protocol::{MigrationId, Timestamp};

use super::map::Users;
use super::plan::Plan;
use crate::documents::DocumentKey;

/// The field with the ids that it stands for.
const FOR: &str = "_placeholderFor";
/// The same as a place of a data map.
pub(super) const FOR_PLACE: &str = "_placeholderFor[]";
/// The field with the migration that made it.
const RUN: &str = "_run";
/// In the data map, stands for the time of the migration.
const NOW: &str = "{now}";

/// Every user document that this plan makes, in the order of their ids: the same for the same migration, whoever
/// asks and how often. `at` is when the migration was made.
pub fn placeholders(
    plan: &Plan,
    users: &Users,
    run: &MigrationId,
    at: Timestamp,
) -> BTreeMap<DocumentKey, BTreeMap<String, Value>> {
    let document = |(user, ids): (&String, Vec<&String>)| {
        let mut fields = users.placeholder.clone();
        for value in fields.values_mut().filter(|value| value.as_str() == Some(NOW)) {
            *value = json!({ "$timestamp": second(at) });
        }
        fields.insert(FOR.to_owned(), json!(ids));
        fields.insert(RUN.to_owned(), json!(run.as_str()));
        (DocumentKey::new(users.collection.clone(), user), fields)
    };
    plan.placeholders().into_iter().map(document).collect()
}

/// Whole seconds: every store gives them back as they were written.
fn second(at: Timestamp) -> String {
    let at = DateTime::from_timestamp(at.seconds(), 0).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use stella_protocol::migration::{MigrationKind, OrphanChoice};

    use super::*;
    use crate::documents::shape;
    use crate::migrate::Roll;
    use crate::migrate::map::shipped;
    use crate::migrate::plan::OrphanChosen;
    use crate::migrate::roll::Holder;

    const USER: &str = "usr_a1b2c3d4e5f6g7h8i9j0";

    fn made(users: &Users) -> BTreeMap<DocumentKey, BTreeMap<String, Value>> {
        let mut plan = Plan {
            kind: MigrationKind::UserIds,
            key_id: String::new(),
            map_title: String::new(),
            map_digest: String::new(),
            mapping: BTreeMap::new(),
            further: BTreeMap::new(),
            stays: BTreeSet::new(),
            orphan_choices: BTreeMap::new(),
            decided: BTreeMap::new(),
            collections: Vec::new(),
        };
        for (id, choice, user) in [
            ("7", OrphanChoice::Placeholder, Some(USER)),
            ("Old", OrphanChoice::Placeholder, Some(USER)),
            ("8", OrphanChoice::Archive, None),
            ("9", OrphanChoice::Map, Some("usr_00000000000000000000")),
        ] {
            let user = user.map(str::to_owned);
            plan.orphan_choices.insert(id.to_owned(), OrphanChosen { choice, user });
        }
        placeholders(&plan, users, &"mig-7".parse().unwrap(), Timestamp::from_millis(1_700_000_000_123))
    }

    #[test]
    fn one_document_is_made_for_every_id_that_gets_a_placeholder_and_nobody_can_sign_in_to_it() {
        let map = shipped::application().unwrap();
        let made = made(&map.users);
        let [(key, fields)] = &made.iter().collect::<Vec<_>>()[..] else { panic!("{made:?}") };
        assert_eq!(key.path(), format!("users/{USER}"));
        assert_eq!(fields[FOR], json!(["7", "Old"]));
        assert_eq!((&fields[RUN], &fields["isActive"]), (&json!("mig-7"), &json!(false)));
        assert_eq!(fields["createdAt"], json!({"$timestamp": "2023-11-14T22:13:20Z"}));
        assert!(fields["name"].as_str().unwrap().starts_with("Placeholder"), "{fields:?}");
        for place in map.users.email.iter().chain(&map.users.ids).filter(|place| place.path() != FOR_PLACE) {
            assert!(!fields.contains_key(place.path()), "{place} finds it");
        }
        shape::fields(fields).unwrap();
    }

    #[test]
    fn a_later_look_takes_its_ids_for_its_own_and_asks_when_somebody_else_names_one() {
        let map = shipped::application().unwrap();
        let made = made(&map.users);
        let (key, fields) = made.first_key_value().unwrap();
        let mut roll = Roll::default();
        roll.learn(&map.users, &key.id, fields);
        assert_eq!((roll.holder("7"), roll.holder("Old")), (Holder::One(0), Holder::One(0)));
        let signed_in = BTreeMap::from([("googleUserId".to_owned(), json!("7")), ("email".to_owned(), json!("a@b.c"))]);
        roll.learn(&map.users, "u1", &signed_in);
        assert_eq!(roll.shared().map(|(id, _)| id).collect::<Vec<_>>(), ["7"]);
    }
}
