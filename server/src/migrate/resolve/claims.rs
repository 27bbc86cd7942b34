//! Who could hold each id, and why: every form of every person's ids, by the id as it is compared.

use std::collections::{BTreeMap, BTreeSet};

use stella_protocol::Text;
use stella_protocol::migration::Evidence;

use crate::migrate::form::{self, Form};
use crate::migrate::roll::{Person, Roll};

/// Names a person, however the documents came: the smallest id of their user documents.
pub(super) type Name = String;

/// Why an id is somebody's. The first two a user document says; the others follow from what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    Document,
    Named,
    Email,
    Derived,
    PseudoHash,
    Pseudonym,
}

impl Why {
    pub fn is_certain(self) -> bool {
        matches!(self, Self::Document | Self::Named)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Document => "the id of this user document",
            Self::Named => "this user document names it as its own",
            Self::Email => "the e-mail of this user document",
            Self::Derived => "the e-mail of this user document with `_` for its marks",
            Self::PseudoHash => "`usr_` and the e-mail of this user document",
            Self::Pseudonym => "a pseudonym made of an id of this user document",
        }
    }
}

/// Everybody who could hold one id.
#[derive(Debug, Default)]
pub(super) struct Claim {
    /// By person: why, and which user document says so.
    pub people: BTreeMap<Name, BTreeSet<(Why, String)>>,
    /// Every way it is written.
    pub spelt: BTreeSet<String>,
}

impl Claim {
    /// People whose user documents say that it is theirs.
    pub fn certain(&self) -> impl Iterator<Item = &Name> {
        let certain = |reasons: &BTreeSet<(Why, String)>| reasons.iter().any(|(why, _)| why.is_certain());
        self.people.iter().filter(move |(_, reasons)| certain(reasons)).map(|(name, _)| name)
    }

    /// Who has it as the id of a user document.
    pub fn document_of(&self) -> Option<&Name> {
        let is = |reasons: &BTreeSet<(Why, String)>| reasons.iter().any(|(why, _)| *why == Why::Document);
        self.people.iter().find(|(_, reasons)| is(reasons)).map(|(name, _)| name)
    }

    /// What speaks for these people, in words.
    pub fn evidence(&self, users: &str, of: impl Fn(&Name) -> bool) -> Vec<Evidence> {
        let reasons = self.people.iter().filter(|(name, _)| of(name)).flat_map(|(_, reasons)| reasons);
        let told = reasons.map(|(why, document)| Evidence {
            what: Text::new(why.words().to_owned()),
            document: Text::new(format!("{users}/{document}")),
        });
        told.collect()
    }
}

/// All claims, by the id as it is compared.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub by_id: BTreeMap<String, Claim>,
    /// The e-mails of everybody who has one.
    pub emails: BTreeMap<Name, String>,
    pub names: BTreeSet<Name>,
    /// Ids of those who are nobody on purpose: all their user documents are dummies.
    pub system: BTreeSet<String>,
}

impl Claims {
    /// Of everybody. Dummies are nobody's, also where a user document is called so: it stays as it is, and
    /// nothing goes to it.
    pub fn of(roll: &Roll) -> Self {
        let mut claims = Self::default();
        for person in roll.people() {
            let mut names = person.users.iter();
            let Some(name) = names.find(|user| Form::of(user) != Form::Dummy) else {
                claims.system.extend(person.users.first().into_iter().flat_map(|name| {
                    let mut own = Self::default();
                    own.learn(name, person);
                    own.by_id.into_keys()
                }));
                continue;
            };
            claims.names.insert(name.clone());
            if let Some(email) = &person.email {
                claims.emails.insert(name.clone(), email.as_str().to_owned());
            }
            claims.learn(name, person);
        }
        claims
    }

    fn learn(&mut self, name: &Name, person: &Person) {
        let mut made: BTreeSet<(String, &String)> = BTreeSet::new();
        for user in &person.users {
            self.claim(user, name, Why::Document, user);
            made.insert((form::pseudonym(user), user));
        }
        for (other, users) in &person.named {
            for user in users {
                self.claim(other, name, Why::Named, user);
                made.insert((form::pseudonym(other), user));
            }
        }
        if let Some(email) = &person.email {
            let [spelt, cut] = email.pseudo_hashes();
            for user in &person.users {
                for (why, id) in [
                    (Why::Email, email.as_str().to_owned()),
                    (Why::Derived, email.derived()),
                    (Why::PseudoHash, spelt.clone()),
                    (Why::PseudoHash, cut.clone()),
                ] {
                    if why != Why::PseudoHash {
                        made.insert((form::pseudonym(&id), user));
                    }
                    self.claim(&id, name, why, user);
                }
            }
        }
        for (pseudonym, user) in made {
            self.claim(&pseudonym, name, Why::Pseudonym, user);
        }
    }

    fn claim(&mut self, id: &str, name: &Name, why: Why, document: &str) {
        // One in 65,536 pseudonyms looks like a dummy: it was made of a known id, so it is none.
        if Form::of(id) == Form::Dummy && why != Why::Pseudonym {
            return;
        }
        let claim = self.by_id.entry(form::folded(id).into_owned()).or_default();
        claim.people.entry(name.clone()).or_default().insert((why, document.to_owned()));
        claim.spelt.insert(id.to_owned());
    }

    /// Another way to write an id that somebody claims; false: nobody does.
    pub fn spell(&mut self, id: &str) -> bool {
        let claim = self.by_id.get_mut(form::folded(id).as_ref());
        claim.is_some_and(|claim| {
            claim.spelt.insert(id.to_owned());
            true
        })
    }
}
