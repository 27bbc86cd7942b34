//! Who has a user document in the application's store, under which ids they stand in its data, and how
//! much they own there. Figures are written down here, once, and do not depend on the seed; names and ids do.

use crate::demo::dice::Dice;
use crate::demo::people::{PEOPLE, People, Person, PersonId};

/// Conversations and messages.
type Count = (usize, usize);

/// How somebody's id came to be what it is in the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Story {
    /// A hash id; the filing job wrote the e-mail-derived one.
    Misfiled(Count),
    /// A hash id; the sessions carried the number of the sign-in with Google.
    SignIn(Count),
    /// The e-mail-derived id, everywhere.
    Derived(Count),
    /// The e-mail-derived id, and the number where a session wrote.
    DerivedAndSignIn(Count, Count),
    /// A script made the e-mail into something that looks like a hash id.
    Pseudo(Count),
    /// The number is all that is known: no e-mail.
    Nameless(Count),
    /// Two user documents, in small and in capital letters; things under both.
    TwiceDerived(Count, Count),
    /// A hash id, and a second user document in capital letters that owns things.
    TwiceOneGood(Count),
    /// Two accounts with two e-mails and one sign-in.
    TwoAccounts(Count),
    /// A hash id, everywhere.
    Good(Count),
    /// The same, and never signed in.
    Absent,
    /// The same; the e-mail has `_` where that of the one before has `.`.
    Alike,
}

/// The first own one who is missed in the log, the second most of all.
pub(super) const STORIES: [Story; 35] = [
    Story::Misfiled((11, 22)),
    Story::SignIn((240, 283)),
    Story::SignIn((34, 60)),
    Story::SignIn((28, 48)),
    Story::SignIn((22, 36)),
    Story::SignIn((17, 24)),
    Story::SignIn((12, 16)),
    Story::SignIn((9, 10)),
    Story::Derived((18, 28)),
    Story::Derived((14, 20)),
    Story::Derived((9, 12)),
    Story::Derived((5, 6)),
    Story::DerivedAndSignIn((6, 3), (9, 4)),
    Story::DerivedAndSignIn((3, 2), (5, 2)),
    Story::Pseudo((9, 9)),
    Story::Pseudo((4, 3)),
    Story::Nameless((7, 5)),
    Story::TwiceDerived((4, 3), (2, 1)),
    Story::TwiceOneGood((5, 3)),
    Story::TwoAccounts((8, 10)),
    Story::Good((20, 30)),
    Story::Good((16, 24)),
    Story::Good((12, 18)),
    Story::Good((10, 12)),
    Story::Good((8, 10)),
    Story::Good((6, 6)),
    Story::Good((4, 4)),
    Story::Good((3, 3)),
    Story::Good((2, 2)),
    Story::Good((1, 1)),
    Story::Absent,
    Story::Absent,
    Story::Absent,
    Story::Absent,
    Story::Alike,
];

/// Where the one stands who owns most, and sees none of it.
pub(super) const BLINDED: usize = 1;
/// Those from here on are not to be moved.
pub(super) const SETTLED: usize = 19;
/// What stands under numbers without a user.
pub(super) const NOBODYS: [Count; 3] = [(36, 40), (1, 2), (1, 2)];

/// A user document.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Its id.
    pub id: String,
    /// As it stands there.
    pub email: Option<String>,
    /// As it stands there.
    pub google: Option<String>,
    /// Ids that the application itself remembers.
    pub former: Vec<String>,
}

/// What stands under an id.
#[derive(Debug, Clone)]
pub(super) struct Owned {
    /// The id.
    pub id: String,
    /// Conversations and messages.
    pub count: Count,
}

/// Somebody with a user document.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Who.
    pub person: PersonId,
    /// How it came.
    pub story: Story,
    /// Their name.
    pub name: String,
    /// Their e-mail, as their colleagues write it.
    pub email: String,
    /// Their user documents; the first is the one that they sign in to.
    pub accounts: Vec<Account>,
    /// What they own, by id.
    pub owned: Vec<Owned>,
}

impl Member {
    /// Under which id the application looks for what is theirs.
    pub fn now(&self) -> &str {
        &self.accounts[0].id
    }

    /// Which id stands in the data, as of the number-th time.
    pub fn written(&self, number: usize) -> &str {
        if self.owned.is_empty() { self.now() } else { &self.owned[number % self.owned.len()].id }
    }
}

/// Everybody.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    /// In the order of their stories.
    pub members: Vec<Member>,
    /// Numbers without a user.
    pub nobodys: Vec<Owned>,
}

impl Cast {
    /// Of this seed; the filing job misfiles what `misfiled` owns.
    pub fn new(seed: u64, misfiled: PersonId) -> Self {
        let (people, mut dice) = (People::new(seed), Dice::new(seed, "accounts"));
        // 7 and the number of people have no divisor in common: nobody comes twice.
        let id = |place: usize| (misfiled + place * 7) % PEOPLE;
        let members = STORIES.iter().enumerate().map(|(place, story)| {
            let (person, before) = (people.person(id(place)), people.person(id(place.saturating_sub(1))));
            let email = if *story == Story::Alike { before.email.replacen('.', "_", 1) } else { person.email.clone() };
            let (accounts, owned) = story.told(person, &email, &mut dice);
            Member { person: id(place), story: *story, name: name(&email), email, accounts, owned }
        });
        let members = members.collect();
        let nobodys = NOBODYS.map(|count| Owned { id: dice.google_id(), count }).to_vec();
        Self { members, nobodys }
    }

    /// Somebody to whom an owner gave something to read: before or after the point from which people are settled,
    /// as the owner is.
    pub fn reader_of(&self, place: usize, number: usize) -> &Member {
        let settled = self.members.len() - SETTLED;
        if place < SETTLED {
            self.at((place + number) % SETTLED)
        } else {
            self.at(SETTLED + (place + number) % settled)
        }
    }

    /// Whoever is at this place; places beyond the last wrap round.
    pub fn at(&self, place: usize) -> &Member {
        &self.members[place % self.members.len()]
    }
}

impl Story {
    /// The user documents, and what is owned under which id.
    fn told(self, person: &Person, email: &str, dice: &mut Dice) -> (Vec<Account>, Vec<Owned>) {
        let (hash, google, derived) = (&person.hash, Some(person.google.clone()), person.derived());
        let account = |id: &str, email: &str, google: Option<String>| Account {
            id: id.to_owned(),
            email: Some(email.to_owned()),
            google,
            former: Vec::new(),
        };
        let owns = |id: &str, count: Count| Owned { id: id.to_owned(), count };
        let shouted = (derived.to_uppercase().replace("EXAMPLE_COM", "example_com"), shout(email));
        match self {
            Self::Misfiled(count) => {
                let known = Account { former: vec![derived.clone()], ..account(hash, email, google) };
                (vec![known], vec![owns(&derived, count)])
            }
            Self::SignIn(count) => (vec![account(hash, email, google)], vec![owns(&person.google, count)]),
            Self::Derived(count) => (vec![account(&derived, email, None)], vec![owns(&derived, count)]),
            Self::DerivedAndSignIn(first, second) => {
                (vec![account(&derived, email, google)], vec![owns(&derived, first), owns(&person.google, second)])
            }
            Self::Pseudo(count) => {
                let pseudo = person.pseudo_hash();
                (vec![account(&pseudo, email, None)], vec![owns(&pseudo, count)])
            }
            Self::Nameless(count) => {
                let nameless = Account { email: None, ..account(&person.google, email, google) };
                (vec![nameless], vec![owns(&person.google, count)])
            }
            Self::TwiceDerived(small, capital) => (
                vec![account(&derived, email, google), account(&shouted.0, &shouted.1, None)],
                vec![owns(&derived, small), owns(&shouted.0, capital)],
            ),
            Self::TwiceOneGood(count) => (
                vec![account(hash, email, google), account(&shouted.0, &shouted.1, None)],
                vec![owns(&shouted.0, count)],
            ),
            Self::TwoAccounts(count) => {
                let elsewhere = email.replace("@example.com", "@example.org");
                let other = account(&dice.hash_id(), &elsewhere, google.clone());
                (vec![account(hash, email, google), other], vec![owns(hash, count)])
            }
            Self::Good(count) => (vec![account(hash, email, google)], vec![owns(hash, count)]),
            Self::Absent | Self::Alike => (vec![account(hash, email, None)], Vec::new()),
        }
    }
}

/// The same e-mail, as somebody types it whose keyboard shouts.
fn shout(email: &str) -> String {
    email.split_once('@').map_or_else(String::new, |(local, domain)| format!("{}@{domain}", local.to_uppercase()))
}

/// `Ana Alba` of `ana.alba@example.com`.
fn name(email: &str) -> String {
    let local = email.split('@').next().unwrap_or_default();
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    local.split(['.', '_']).map(word).collect::<Vec<String>>().join(" ")
}
