//! The people who use the application: who they are, from where they come, what they do next.
//!
//! All of them are invented: addresses from the documentation ranges, e-mails of example.com.

use std::collections::{BTreeMap, VecDeque};

use super::dice::Dice;
use super::operation::Operation;

/// The address that many colleagues share. People mistype passwords there too, now and then.
pub const OFFICE: &str = "192.0.2.10";

/// The office's gateway offers single sign-on, which cannot be mistyped, to whoever comes after
/// this many failures in [`OFFICE_WINDOW_MS`].
const OFFICE_FAILURES: usize = 3;

/// Ten minutes and a little, in milliseconds.
const OFFICE_WINDOW_MS: i64 = 630_000;

const FIRST: [&str; 20] = [
    "ana", "bruno", "carla", "diego", "elena", "fabio", "gabriela", "hugo", "ines", "joao", "karin", "luis", "marta",
    "nico", "olga", "paula", "raul", "sofia", "tomas", "vera",
];
const LAST: [&str; 8] = ["alba", "bravo", "costa", "duarte", "ferro", "lima", "mora", "rios"];

/// How many people there are.
pub const PEOPLE: usize = FIRST.len() * LAST.len();

/// Names a person.
pub type PersonId = usize;

/// Somebody.
#[derive(Debug)]
pub struct Person {
    /// The application's user id.
    pub email: String,
    /// From where they work.
    pub addr: String,
    /// How many conversations they own.
    pub conversations: i64,
    /// Their id in the form that is wanted now.
    pub hash: String,
    /// How the sign-in with Google knows them.
    pub google: String,
}

impl Person {
    /// The form of the id that was left behind: the e-mail, its marks replaced.
    pub fn derived(&self) -> String {
        self.email.replace(['@', '.'], "_")
    }

    /// What two scripts made of it.
    pub fn pseudo_hash(&self) -> String {
        format!("usr_{}", self.derived())
    }

    fn is(&self, id: &str) -> bool {
        self.email == id
            || self.hash == id
            || self.google == id
            || self.derived() == id
            || id.strip_prefix("usr_").is_some_and(|rest| self.derived() == rest)
    }
}

/// Somebody at work.
#[derive(Debug)]
pub struct Session {
    /// Who.
    pub person: PersonId,
    /// As the application writes it.
    pub id: String,
    acts_left: i64,
}

/// What a person does in one go: operations in order, each after the one before succeeded.
pub type Act = &'static [Operation];

/// Everybody, and who is at work now.
#[derive(Debug)]
pub struct People {
    persons: Vec<Person>,
    sessions: BTreeMap<u64, Session>,
    began: u64,
    office_failures: VecDeque<i64>,
}

impl People {
    /// Invents everybody.
    pub fn new(seed: u64) -> Self {
        let (mut dice, mut ids) = (Dice::new(seed, "who"), Dice::new(seed, "ids"));
        let persons = (0..PEOPLE).map(|index| invent(index, &mut dice, &mut ids)).collect();
        Self { persons, sessions: BTreeMap::new(), began: 0, office_failures: VecDeque::new() }
    }

    /// Who `id` is. Ids beyond the last wrap round, so that every number is somebody.
    pub fn person(&self, id: PersonId) -> &Person {
        &self.persons[id % PEOPLE]
    }

    /// Who has this user id, in any of the forms that it had: the e-mail is what the log says.
    pub fn find(&self, id: &str) -> Option<PersonId> {
        self.persons.iter().position(|person| person.is(id))
    }

    /// Somebody came to work.
    pub fn begin(&mut self, person: PersonId, dice: &mut Dice) -> u64 {
        self.began += 1;
        let session = Session { person, id: format!("s-{}", dice.hex()), acts_left: dice.between(5, 20) };
        self.sessions.insert(self.began, session);
        self.began
    }

    /// A session under way.
    pub fn session(&self, key: u64) -> Option<&Session> {
        self.sessions.get(&key)
    }

    /// What they do next; None: they went home.
    pub fn next_act(&mut self, key: u64, dice: &mut Dice) -> Option<Act> {
        let session = self.sessions.get_mut(&key)?;
        session.acts_left -= 1;
        if session.acts_left < 0 {
            self.sessions.remove(&key);
            return None;
        }
        Some(match dice.below(100) {
            0..20 => &[Operation::GetConversations],
            20..43 => &[Operation::GetSharedAgents],
            43..63 => &[Operation::LoadMessages],
            63..90 => &[Operation::SearchRag, Operation::GeminiApiCall],
            90..97 => &[Operation::SaveSettings],
            _ => &[Operation::ExportReport],
        })
    }

    /// Whether this person mistypes the password now. At the office never often: see [`OFFICE_FAILURES`].
    pub fn mistypes(&mut self, person: PersonId, now: i64, dice: &mut Dice) -> bool {
        // About one sign-in in thirty.
        if !dice.chance(0.035) {
            return false;
        }
        if self.person(person).addr != OFFICE {
            return true;
        }
        self.office_failures.retain(|at| now - at < OFFICE_WINDOW_MS);
        let allowed = self.office_failures.len() < OFFICE_FAILURES;
        if allowed {
            self.office_failures.push_back(now);
        }
        allowed
    }
}

fn invent(index: usize, dice: &mut Dice, ids: &mut Dice) -> Person {
    let email = format!("{}.{}@example.com", FIRST[index % FIRST.len()], LAST[index / FIRST.len()]);
    let addr = match dice.below(10) {
        0..4 => OFFICE.to_owned(),
        4..7 => format!("198.51.100.{}", 1 + index % 120),
        _ => format!("203.0.113.{}", 1 + index % 120),
    };
    let (hash, google) = (ids.hash_id(), ids.google_id());
    Person { email, addr, conversations: dice.between(3, 60), hash, google }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_shares_an_email_and_many_share_the_office() {
        let people = People::new(3);
        let emails: std::collections::BTreeSet<_> = people.persons.iter().map(|person| &person.email).collect();
        assert_eq!(emails.len(), PEOPLE);
        let office = people.persons.iter().filter(|person| person.addr == OFFICE).count();
        assert!(office > PEOPLE / 5, "{office}");
    }

    #[test]
    fn everybody_is_found_by_every_form_of_their_id_and_nobody_by_anothers() {
        let people = People::new(3);
        for (at, person) in people.persons.iter().enumerate() {
            for id in [&person.email, &person.hash, &person.google, &person.derived(), &person.pseudo_hash()] {
                assert_eq!(people.find(id), Some(at), "{id}");
            }
        }
        assert_eq!(people.find("usr_"), None);
    }

    #[test]
    fn the_office_never_fails_five_times_in_ten_minutes() {
        let (mut people, mut dice) = (People::new(3), Dice::new(3, "test"));
        let somebody = people.persons.iter().position(|person| person.addr == OFFICE).unwrap_or_default();
        let failed: Vec<i64> =
            (0..200_000).map(|i| i * 100).filter(|at| people.mistypes(somebody, *at, &mut dice)).collect();
        assert!(failed.len() > 50);
        assert!(failed.windows(5).all(|five| five[4] - five[0] > 600_000));
    }
}
