//! What shows, after a migration's copy or where there was none, that somebody still writes or says old ids, and that somebody who had
//! documents has none: the signs, and what an alert says of them.
//!
//! Deliberately not known: where documents and lines come from, and what was told before (that is
//! [`super::run::drift`]'s).

pub mod said;
mod story;

pub use story::{Lost, Place, Since, Written};

use crate::documents::Document;
use crate::migrate::map::{Collection, Kind};
use crate::migrate::reference::{Reference, references};
use crate::migrate::{DataMap, Form, Mapping};

/// An old id in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldId {
    /// Where in the document.
    pub path: String,
    /// Who has it by now; None: nobody whom the migration knew.
    pub user: Option<String>,
}

/// The first old id at a declared place: one that the migration replaces, or one in an old form that it does
/// not know.
pub fn old_id(map: &DataMap, collection: &Collection, document: &Document, mapping: &Mapping) -> Option<OldId> {
    let all = references(map, collection, document, &|id| mapping.knows(id));
    all.iter().find_map(|one| old(one, mapping))
}

fn old(one: &Reference<'_>, mapping: &Mapping) -> Option<OldId> {
    let user = match one.kind {
        Kind::Storage => return None,
        Kind::Pseudonym => Some(mapping.pseudonym_target(&one.id)?),
        Kind::Id | Kind::Mixed | Kind::StorageMoved => mapping.target(&one.id),
    };
    let is_stranger = || one.kind == Kind::Id && is_old_form(one.form) && !mapping.knows(&one.id);
    (user.is_some() || is_stranger()).then(|| OldId { path: one.path.clone(), user: user.map(str::to_owned) })
}

fn is_old_form(form: Form) -> bool {
    matches!(form, Form::EmailDerived | Form::Numeric | Form::PseudoHash | Form::Email)
}

#[cfg(test)]
#[expect(clippy::panic, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::documents::DocumentKey;
    use crate::migrate::HashId;

    const MAP: &str = "title = \"t\"\n[users]\ncollection = \"users\"\nemail = \"email\"\n\
        [[collection]]\nname = \"notes\"\nrefs = [\"userId\", \"votes.{userId}\"]\npseudonyms = \"of\"\n";

    fn found(fields: &serde_json::Value) -> Option<(String, Option<String>)> {
        let map = DataMap::parse("m.toml", MAP).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let new = HashId::parse("usr_aaaaaaaaaaaaaaaaaaaa").unwrap_or_else(|| panic!("a hash id"));
        let pairs = [("ana_example_com".to_owned(), new)];
        let mapping = Mapping::new(pairs, []).unwrap_or_else(|wrong| panic!("{wrong}"));
        let fields: BTreeMap<_, _> =
            fields.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let document = Document { key: DocumentKey::new("notes", "n1"), version: 1, fields };
        old_id(&map, &map.collections[0], &document, &mapping).map(|old| (old.path, old.user))
    }

    #[test]
    fn an_old_id_is_one_that_the_migration_replaces_or_a_stranger_in_an_old_form() {
        let ana = Some("usr_aaaaaaaaaaaaaaaaaaaa".to_owned());
        assert_eq!(found(&json!({"userId": "ANA_example_com"})), Some(("userId".to_owned(), ana.clone())));
        assert_eq!(found(&json!({"userId": "x", "votes": {"ana_example_com": 1}})).map(|old| old.1), Some(ana));
        assert_eq!(found(&json!({"userId": "100000000000000000042"})), Some(("userId".to_owned(), None)));
        let of = crate::migrate::form::pseudonym("ana_example_com");
        assert_eq!(found(&json!({"of": of})).map(|old| old.0), Some("of".to_owned()));
    }

    #[test]
    fn new_ids_dummies_and_other_fields_are_none() {
        assert_eq!(found(&json!({"userId": "usr_aaaaaaaaaaaaaaaaaaaa", "votes": {"system": 1}})), None);
        assert_eq!(found(&json!({"userId": "usr_zzzzzzzzzzzzzzzzzzzz", "text": "ana_example_com"})), None);
        assert_eq!(found(&json!({"userId": null, "of": "user_0123456789ab"})), None);
    }
}
