//! The users that there are, and every id that is known to be one of theirs.
//!
//! What a user document says is certain; what follows from an e-mail or another id (forms A, D, E, H) is
//! derived. Documents whose e-mails are equal after normalisation are one person's. Two people who claim
//! one id both keep it here: whoever asks hears of both, and decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::form::{self, Email, Form};
use super::map::Users;
use super::map::place::{Found, Place};

/// Somebody: all the user documents with one e-mail, or one document without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Ids of the user documents.
    pub users: BTreeSet<String>,
    /// The e-mail.
    pub email: Option<Email>,
    /// Other ids that the user documents name.
    pub others: BTreeSet<String>,
    /// Which of the user documents name each of those.
    pub named: BTreeMap<String, BTreeSet<String>>,
}

/// Who holds an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder<'r> {
    /// No user that is known.
    Nobody,
    /// One person, by their place in [`Roll::people`].
    One(usize),
    /// Several people: nothing may be done before somebody decides.
    Several(&'r BTreeSet<usize>),
}

/// All users.
#[derive(Debug, Clone, Default)]
pub struct Roll {
    people: Vec<Person>,
    by_email: BTreeMap<Email, usize>,
    holders: BTreeMap<String, BTreeSet<usize>>,
    documents: u64,
}

impl Roll {
    /// Takes in a user document. The order of the documents does not matter to what is known in the end,
    /// only to the places of people.
    pub fn learn(&mut self, users: &Users, id: &str, fields: &BTreeMap<String, Value>) {
        self.documents += 1;
        let email = texts(&users.email, fields).iter().find_map(|text| Email::parse(text)).or_else(|| Email::parse(id));
        let others: BTreeSet<String> =
            texts(&users.ids, fields).into_iter().filter(|other| !other.is_empty()).collect();
        let place = self.place(email);
        for certain in others.iter().map(String::as_str).chain([id]) {
            self.hold(certain.to_owned(), place);
            self.hold(form::pseudonym(certain), place);
        }
        if let Some(email) = self.people[place].email.clone() {
            let [spelt, cut] = email.pseudo_hashes();
            for derived in [email.as_str().to_owned(), email.derived()] {
                self.hold(form::pseudonym(&derived), place);
                self.hold(derived, place);
            }
            self.hold(spelt, place);
            self.hold(cut, place);
        }
        for other in &others {
            self.people[place].named.entry(other.clone()).or_default().insert(id.to_owned());
        }
        self.people[place].users.insert(id.to_owned());
        self.people[place].others.extend(others);
    }

    /// Whoever has this e-mail, else somebody new.
    fn place(&mut self, email: Option<Email>) -> usize {
        let next = self.people.len();
        let place = email.clone().map_or(next, |email| *self.by_email.entry(email).or_insert(next));
        if place == next {
            self.people.push(Person { users: BTreeSet::new(), email, others: BTreeSet::new(), named: BTreeMap::new() });
        }
        place
    }

    fn hold(&mut self, id: String, place: usize) {
        self.holders.entry(id).or_default().insert(place);
    }

    /// Everybody.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// How many user documents there are.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Who holds this id, in any of its forms.
    pub fn holder(&self, id: &str) -> Holder<'_> {
        let holders = self.holders.get(id).or_else(|| self.holders.get(form::folded(id).as_ref()));
        match holders {
            Some(holders) if holders.len() > 1 => Holder::Several(holders),
            Some(holders) => holders.first().map_or(Holder::Nobody, |place| Holder::One(*place)),
            None => Holder::Nobody,
        }
    }

    /// Every id that somebody holds.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.holders.keys().map(String::as_str)
    }

    /// True when somebody holds this id.
    pub fn knows(&self, id: &str) -> bool {
        self.holder(id) != Holder::Nobody
    }

    /// The form of an id, now that e-mails are known: 20 good letters that are somebody's e-mail are a
    /// pseudo-hash, also where a user document has them as its id.
    pub fn form(&self, id: &str) -> Form {
        let form = Form::of(id);
        if form != Form::Hash {
            return form;
        }
        let is_email = |place: usize| {
            self.people[place].email.as_ref().is_some_and(|email| email.pseudo_hashes().iter().any(|one| one == id))
        };
        let holders = self.holders.get(id);
        if holders.is_some_and(|holders| holders.iter().any(|place| is_email(*place))) {
            Form::PseudoHash
        } else {
            form
        }
    }

    /// Ids that user documents of several people name as their own.
    pub fn shared(&self) -> impl Iterator<Item = (&str, &BTreeSet<usize>)> {
        let certain = |place: &usize, id: &str| {
            let person = &self.people[*place];
            person.users.contains(id) || person.others.contains(id)
        };
        self.holders
            .iter()
            .filter(move |(id, places)| {
                places.len() > 1 && places.iter().filter(|place| certain(place, id)).count() > 1
            })
            .map(|(id, places)| (id.as_str(), places))
    }
}

/// The texts at some places.
fn texts(places: &[Place], fields: &BTreeMap<String, Value>) -> Vec<String> {
    let mut texts = Vec::new();
    for place in places {
        place.visit(fields, &mut |_, found| match found {
            Found::Value(Value::String(text)) => texts.push(text.clone()),
            Found::Key(text) => texts.push(text.to_owned()),
            Found::Value(_) => {}
        });
    }
    texts
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn roll(documents: &[(&str, Value)]) -> Roll {
        let place = |text| Place::parse(text).unwrap();
        let users = Users {
            collection: "users".to_owned(),
            email: vec![place("email")],
            ids: vec![place("googleUserId"), place("formerIds[]")],
            placeholder: BTreeMap::new(),
        };
        let mut roll = Roll::default();
        for (id, fields) in documents {
            roll.learn(&users, id, &serde_json::from_value(fields.clone()).unwrap());
        }
        roll
    }

    const GOOGLE: &str = "100000000000000000001";

    #[test]
    fn a_person_is_known_by_every_form_of_their_id() {
        let fields = json!({"email": "Ana@Example.com", "googleUserId": GOOGLE, "formerIds": ["old-7", "", 5]});
        let roll = roll(&[("usr_a1b2c3d4e5f6g7h8i9j0", fields)]);
        for id in [
            "usr_a1b2c3d4e5f6g7h8i9j0",
            GOOGLE,
            "old-7",
            "ana@example.com",
            "ANA@example.com",
            "ana_example_com",
            "Ana_Example_com",
            "usr_ana_example_com",
            form::pseudonym(GOOGLE).as_str(),
            form::pseudonym("ana_example_com").as_str(),
        ] {
            assert_eq!(roll.holder(id), Holder::One(0), "{id}");
        }
        for id in ["", "bo@example.com", "100000000000000000002", "OLD-7", "USR_a1b2c3d4e5f6g7h8i9j0"] {
            assert_eq!(roll.holder(id), Holder::Nobody, "{id}");
        }
    }

    #[test]
    fn emails_that_differ_by_case_are_one_person_and_one_id_of_two_people_is_nobodys_alone() {
        let roll = roll(&[
            ("ana_example_com", json!({"email": "ana@example.com", "googleUserId": GOOGLE})),
            ("ANA_example_com", json!({"email": "ANA@example.com "})),
            ("bo_example_com", json!({"email": "bo@example.com", "googleUserId": GOOGLE})),
            ("nameless", json!({})),
        ]);
        assert_eq!(roll.people().len(), 3);
        assert_eq!(roll.people()[0].users.len(), 2);
        assert_eq!(roll.holder(GOOGLE), Holder::Several(&BTreeSet::from([0, 1])));
        let shared: Vec<&str> = roll.shared().map(|(id, _)| id).collect();
        assert_eq!(shared, [GOOGLE]);
        assert_eq!(roll.holder("nameless"), Holder::One(2));
    }

    #[test]
    fn one_email_in_two_unicode_forms_is_one_person_under_every_id_made_of_it() {
        let roll = roll(&[
            ("u1", json!({"email": "jos\u{e9}@example.com"})),
            ("u2", json!({"email": "JOSE\u{301}@example.com"})),
            ("u3", json!({"email": "jose@example.com"})),
        ]);
        assert_eq!(roll.people().len(), 2);
        for id in [
            "jose\u{301}_example_com",
            "Jos\u{e9}_example_com",
            "usr_jose\u{301}_example_com",
            "Jose\u{301}@example.com",
        ] {
            assert_eq!(roll.holder(id), Holder::One(0), "{id:?}");
        }
        assert_eq!(roll.holder("jose_example_com"), Holder::One(1));
    }

    #[test]
    fn what_two_emails_have_in_common_when_their_marks_are_gone_is_of_both() {
        let roll = roll(&[("u1", json!({"email": "a.b@x.com"})), ("u2", json!({"email": "a_b@x.com"}))]);
        assert_eq!(roll.holder("a_b_x_com"), Holder::Several(&BTreeSet::from([0, 1])));
        assert_eq!(roll.shared().count(), 0, "no user document says so");
    }

    #[test]
    fn twenty_good_letters_that_are_somebodys_email_are_no_hash() {
        let disguised = "usr_analimatotexamplecom";
        assert_eq!(Form::of(disguised), Form::Hash);
        assert_eq!(roll(&[]).form(disguised), Form::Hash);
        let roll = roll(&[("u1", json!({"email": "ana.lima.tot@example.com"}))]);
        assert_eq!(roll.form(disguised), Form::PseudoHash);
        assert_eq!(roll.form("usr_a1b2c3d4e5f6g7h8i9j0"), Form::Hash);
    }
}
