//! Ids of users in text that is no document: source, scripts, configuration.
//!
//! An id of somebody is found wherever it stands between signs that no id has in its middle alone, also as a part of
//! a longer name (`ana_example_com_settings`). One of nobody is found by its form where that form is no ordinary
//! name: every `name_in_three_parts` looks like form A, every address like form H. Deliberately not known: files.

use rustc_hash::FxHashSet;

use super::form::Form;
use super::roll::{Holder, Roll};

/// Longest word that is looked at, in bytes: an e-mail has 254, and something may stand around it.
const LONGEST: usize = 512;
/// Fewest letters of an id that can be told from any other word.
const SHORTEST: usize = 6;
/// Signs inside of words at which an id may begin or end.
const SEAMS: &str = "_.@+-%";

/// Whose an id is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The user's with these documents.
    User(Vec<String>),
    /// It could be several people's.
    Several,
    /// No user's that is known.
    Nobody,
}

/// An id in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Its line, from 1.
    pub line: u64,
    /// Its first letter in the line, from 1.
    pub column: u64,
    /// As it stands there.
    pub id: String,
    /// What it looks like.
    pub form: Form,
    /// Whose it is.
    pub whose: Whose,
}

/// What is looked for.
#[derive(Debug)]
pub struct Sought<'r> {
    roll: &'r Roll,
    /// How known ids begin, in small letters: most words of a text are none of them.
    heads: FxHashSet<[u8; SHORTEST]>,
}

impl<'r> Sought<'r> {
    /// The ids of these users, and old forms.
    pub fn new(roll: &'r Roll) -> Self {
        Self { roll, heads: roll.ids().filter_map(head).collect() }
    }

    fn known(&self, word: &str) -> bool {
        let may = head(word).is_none_or(|head| self.heads.contains(&head));
        may && Form::of(word) != Form::Dummy && self.roll.knows(word)
    }

    fn whose(&self, id: &str) -> Whose {
        match self.roll.holder(id) {
            Holder::Nobody => Whose::Nobody,
            Holder::Several(_) => Whose::Several,
            Holder::One(place) => Whose::User(self.roll.people()[place].users.iter().cloned().collect()),
        }
    }

    /// The ids in a word, by their places in it: known ones, else those in a form that no other word has.
    fn within<'w>(&self, word: &'w str) -> Vec<(usize, &'w str)> {
        let known = pieces(word, |piece| self.known(piece));
        if known.is_empty() { pieces(word, is_telling) } else { known }
    }
}

/// The longest pieces between seams that are meant, from the left, and where they begin.
fn pieces(word: &str, is_meant: impl Fn(&str) -> bool) -> Vec<(usize, &str)> {
    let seams = || word.char_indices().filter(|(_, letter)| SEAMS.contains(*letter)).map(|(at, _)| at);
    let ends: Vec<usize> = seams().chain([word.len()]).collect();
    let (mut found, mut free) = (Vec::new(), 0);
    for start in std::iter::once(0).chain(seams().map(|at| at + 1)) {
        let long = |end: &&usize| **end >= start + SHORTEST;
        let Some(end) = ends.iter().rev().take_while(long).find(|end| start >= free && is_meant(&word[start..**end]))
        else {
            continue;
        };
        found.push((start, &word[start..*end]));
        free = *end;
    }
    found
}

/// A form that no other word has.
fn is_telling(word: &str) -> bool {
    // All of these begin so: most words are told without their form.
    let may = word.starts_with("us") || word.starts_with(|letter: char| letter.is_ascii_digit());
    may && matches!(Form::of(word), Form::Numeric | Form::Hash | Form::PseudoHash | Form::Pseudonym)
}

/// The first letters in small ones; None: there are too few, or not all of ASCII, where more than case can differ.
fn head(word: &str) -> Option<[u8; SHORTEST]> {
    let head: [u8; SHORTEST] = word.as_bytes().get(..SHORTEST)?.try_into().ok()?;
    head.is_ascii().then(|| head.map(|letter| letter.to_ascii_lowercase()))
}

/// Reads one text, piece by piece. Holds one word.
#[derive(Debug)]
pub struct Reading<'s, 'r> {
    sought: &'s Sought<'r>,
    word: Vec<u8>,
    /// Where the word began.
    begun: (u64, u64),
    line: u64,
    column: u64,
    /// The word is too long to be looked at.
    is_long: bool,
    /// Words that were not looked at.
    pub passed_over: u64,
}

impl<'s, 'r> Reading<'s, 'r> {
    /// From its beginning.
    pub fn new(sought: &'s Sought<'r>) -> Self {
        Self { sought, word: Vec::new(), begun: (1, 1), line: 1, column: 1, is_long: false, passed_over: 0 }
    }

    /// The next bytes of it; they may end in the middle of anything.
    pub fn feed(&mut self, bytes: &[u8], give: &mut impl FnMut(Sighting)) {
        for byte in bytes {
            if byte.is_ascii_alphanumeric() || !byte.is_ascii() || SEAMS.as_bytes().contains(byte) {
                self.letter(*byte);
            } else {
                self.end(give);
            }
            match byte {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                // What goes on with a letter of several bytes is none of its own.
                0x80..=0xbf => {}
                _ => self.column += 1,
            }
        }
    }

    fn letter(&mut self, byte: u8) {
        if self.word.is_empty() && !self.is_long {
            self.begun = (self.line, self.column);
        }
        if self.word.len() == LONGEST {
            self.word.clear();
            self.is_long = true;
            self.passed_over += 1;
        }
        if !self.is_long {
            self.word.push(byte);
        }
    }

    /// The text ends here, or a word of it.
    pub fn end(&mut self, give: &mut impl FnMut(Sighting)) {
        self.is_long = false;
        if self.word.len() >= SHORTEST {
            let word = String::from_utf8_lossy(&self.word);
            let (line, column) = self.begun;
            for (at, id) in self.sought.within(&word) {
                let before = word[..at].chars().count() as u64;
                let (form, whose) = (self.sought.roll.form(id), self.sought.whose(id));
                give(Sighting { line, column: column + before, id: id.to_owned(), form, whose });
            }
        }
        self.word.clear();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::migrate::map::Users;
    use crate::migrate::map::place::Place;

    const GOOGLE: &str = "100000000000000000001";

    fn roll() -> Roll {
        let place = |text| vec![Place::parse(text).unwrap()];
        let users = Users {
            collection: "users".to_owned(),
            email: place("email"),
            ids: place("sub"),
            placeholder: BTreeMap::new(),
        };
        let mut roll = Roll::default();
        for (id, fields) in [
            ("usr_a1b2c3d4e5f6g7h8i9j0", json!({"email": "Ana@Example.com", "sub": GOOGLE})),
            ("system", json!({})),
            ("bo", json!({"email": "jos\u{e9}@example.com"})),
        ] {
            roll.learn(&users, id, &serde_json::from_value(fields).unwrap());
        }
        roll
    }

    /// Read in pieces of so many bytes.
    fn read(text: &str, piece: usize) -> Vec<(u64, u64, String, bool)> {
        let roll = roll();
        let sought = Sought::new(&roll);
        let (mut reading, mut found) = (Reading::new(&sought), Vec::new());
        let mut give = |one: Sighting| found.push((one.line, one.column, one.id, one.whose != Whose::Nobody));
        text.as_bytes().chunks(piece).for_each(|some| reading.feed(some, &mut give));
        reading.end(&mut give);
        found
    }

    #[test]
    fn every_form_of_a_user_is_found_wherever_it_stands_in_a_line() {
        let text = "const ME = 'ANA_example_com';\n\u{e9} if (id === \"100000000000000000001\") go(\n\
                    'usr_a1b2c3d4e5f6g7h8i9j0.json', `ana_example_com_settings`, x-ana@example.com.lower())\n\
                    JOSE\u{301}@example.com";
        let want = [
            (1, 13, "ANA_example_com"),
            (2, 15, GOOGLE),
            (3, 2, "usr_a1b2c3d4e5f6g7h8i9j0"),
            (3, 35, "ana_example_com"),
            (3, 64, "ana@example.com"),
            (4, 1, "JOSE\u{301}@example.com"),
        ];
        for piece in [1, 3, 4096] {
            let found = read(text, piece);
            let told: Vec<_> = found.iter().map(|(line, column, id, _)| (*line, *column, id.as_str())).collect();
            assert_eq!(told, want, "in pieces of {piece}");
            assert!(found.iter().all(|one| one.3));
        }
    }

    #[test]
    fn what_is_nobodys_is_found_by_a_form_that_no_other_word_has() {
        let text = "100000000000000000999 usr_zzzzzzzzzzzzzzzzzzzz usr_zoe_example_com user_a7f3c29bd4e1";
        let found = read(text, 7);
        assert_eq!(found.iter().map(|one| one.2.as_str()).collect::<Vec<_>>(), text.split(' ').collect::<Vec<_>>());
        assert!(found.iter().all(|one| !one.3));
    }

    #[test]
    fn ordinary_words_are_none() {
        let text = "get_user_name zoe@example.com system bo user_name 10000000000000000000 a1b2c3d4e5f6g7h8i9j0 \
                    1000000000000000000010 usr_name x.y.z";
        assert_eq!(read(text, 64), []);
    }

    #[test]
    fn a_word_without_end_is_passed_over_and_counted() {
        let roll = roll();
        let sought = Sought::new(&roll);
        let mut reading = Reading::new(&sought);
        let (blob, mut found) = ("x".repeat(LONGEST * 3) + " ana_example_com", 0);
        reading.feed(blob.as_bytes(), &mut |_| found += 1);
        reading.end(&mut |_| found += 1);
        assert_eq!((found, reading.passed_over), (1, 1));
        assert!(reading.word.capacity() <= 2 * LONGEST);
    }
}
