//! The forms that ids of users have had, and the one that they shall have.
//!
//! A form is told by the exact alphabet and length, never by a beginning: `usr_ana_example_com` begins
//! like a hash id and gives an e-mail away. Ids are texts always; a number has lost digits already.
//!
//! What a text alone cannot say (whose id it is, whether 20 good letters are somebody's e-mail) is
//! [`super::roll`]'s.

mod mint;

pub use mint::{MintKey, NoIdLeft};

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How every hash id begins.
const PREFIX: &str = "usr_";
/// Letters of a hash id behind its beginning.
const HASH_LETTERS: usize = 20;
/// Digits of the numeric ids that a sign-in with Google gives.
const NUMERIC_DIGITS: usize = 21;
/// Hexadecimal digits of a pseudonym that is made of an id.
const PSEUDONYM_DIGITS: usize = 12;
/// The logger's pseudonym is the absolute value of a signed 32-bit hash.
const LOGGER_MOST: u64 = 1 << 31;
/// Longest e-mail there can be, in bytes (RFC 5321).
const EMAIL_BYTES: usize = 254;

/// What an id looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    /// A: an e-mail whose `@` and `.` became `_`.
    EmailDerived,
    /// B: 21 digits.
    Numeric,
    /// C: `usr_` and 20 of `[a-z0-9]`: the one that is wanted.
    Hash,
    /// D: `usr_` and somebody's e-mail.
    PseudoHash,
    /// E: `user_` and 12 hexadecimal digits, made of another id.
    Pseudonym,
    /// F: `user_` and a 32-bit number in base 36, as the logger writes it.
    LoggerPseudonym,
    /// G: nobody, on purpose: `system`, `oauth-system`, `test_user_…`, `user_` and digits.
    Dummy,
    /// H: an e-mail.
    Email,
    /// Nothing: an empty text, or null.
    Empty,
    /// A number, or anything else that is no text.
    NotText,
    /// A text like none of these.
    Unknown,
}

impl Form {
    /// By its letters alone.
    pub fn of(id: &str) -> Self {
        if id.is_empty() {
            return Self::Empty;
        }
        if HashId::parse(id).is_some() {
            return Self::Hash;
        }
        if is_dummy(id) {
            return Self::Dummy;
        }
        if let Some(rest) = id.strip_prefix(PREFIX) {
            return if is_email_derived(rest) { Self::PseudoHash } else { Self::Unknown };
        }
        if let Some(rest) = id.strip_prefix("user_") {
            return pseudonymous(rest);
        }
        if id.len() == NUMERIC_DIGITS && is_digits(id) {
            return Self::Numeric;
        }
        if Email::parse(id).is_some() {
            return Self::Email;
        }
        if is_email_derived(id) { Self::EmailDerived } else { Self::Unknown }
    }

    /// Its letter in the documentation.
    pub fn letter(self) -> Option<char> {
        Some(match self {
            Self::EmailDerived => 'A',
            Self::Numeric => 'B',
            Self::Hash => 'C',
            Self::PseudoHash => 'D',
            Self::Pseudonym => 'E',
            Self::LoggerPseudonym => 'F',
            Self::Dummy => 'G',
            Self::Email => 'H',
            Self::Empty | Self::NotText | Self::Unknown => return None,
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmailDerived => "A email-derived",
            Self::Numeric => "B numeric",
            Self::Hash => "C hash",
            Self::PseudoHash => "D pseudo-hash",
            Self::Pseudonym => "E pseudonym",
            Self::LoggerPseudonym => "F logger pseudonym",
            Self::Dummy => "G dummy",
            Self::Email => "H e-mail",
            Self::Empty => "empty",
            Self::NotText => "not a text",
            Self::Unknown => "unknown",
        })
    }
}

/// An id in the wanted form: `usr_` and 20 of `[a-z0-9]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct HashId(String);

impl HashId {
    /// None: the alphabet or the length is another.
    pub fn parse(id: &str) -> Option<Self> {
        let letters = id.strip_prefix(PREFIX)?;
        let good = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        (letters.len() == HASH_LETTERS && letters.bytes().all(good)).then(|| Self(id.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail, normalised: trimmed, in Unicode's form NFC and in lower case. Two that are equal are one person's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Email(String);

impl Email {
    /// None: it is no e-mail.
    pub fn parse(text: &str) -> Option<Self> {
        let text = normal(text.trim());
        let (local, domain) = text.split_once('@')?;
        let odd = |letter: char| letter.is_whitespace() || letter.is_control() || "@/".contains(letter);
        let dotted = domain.contains('.') && domain.split('.').all(|part| !part.is_empty());
        let good = text.len() <= EMAIL_BYTES && !local.is_empty() && dotted;
        let good = good && !local.contains(odd) && !domain.contains(odd);
        good.then_some(Self(text))
    }

    /// As it is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Form A of it.
    pub fn derived(&self) -> String {
        self.0.replace(['@', '.'], "_")
    }

    /// Forms D of it: with `_` for its marks, and cut to the letters of a hash id.
    pub fn pseudo_hashes(&self) -> [String; 2] {
        let letters: String = self.0.chars().filter(char::is_ascii_alphanumeric).take(HASH_LETTERS).collect();
        [format!("{PREFIX}{}", self.derived()), format!("{PREFIX}{letters}")]
    }
}

/// Form E of an id: `user_` and the first 12 hexadecimal digits of its SHA-256.
pub fn pseudonym(id: &str) -> String {
    let hash = Sha256::digest(id.as_bytes());
    let number = hash.iter().take(PSEUDONYM_DIGITS / 2).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("user_{number:0PSEUDONYM_DIGITS$x}")
}

/// In Unicode's form NFC and in lower case.
fn normal(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Small letters can be composed where capital ones cannot: `J` with a caron is two characters, `j` one.
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// An id as it is compared: e-mails and what is made of them in NFC and in lower case, as neither case nor how a
/// letter with an accent is written says anything there.
pub(super) fn folded(id: &str) -> Cow<'_, str> {
    match Form::of(id) {
        Form::Email => Email::parse(id).map_or(Cow::Borrowed(id), |email| Cow::Owned(email.0)),
        Form::EmailDerived | Form::PseudoHash => Cow::Owned(normal(id)),
        _ => Cow::Borrowed(id),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_digit())
}

/// The dummies that were seen. `user_` with 12 digits that do not begin like the dummies is a pseudonym.
fn is_dummy(id: &str) -> bool {
    let numbered = |rest: &str| is_digits(rest) && (rest.len() != PSEUDONYM_DIGITS || rest.starts_with("1000"));
    matches!(id, "system" | "oauth-system")
        || id.strip_prefix("test_user_").is_some_and(|rest| !rest.is_empty())
        || id.strip_prefix("user_").is_some_and(numbered)
}

/// What stands behind `user_`.
fn pseudonymous(rest: &str) -> Form {
    let hexadecimal = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
    if rest.len() == PSEUDONYM_DIGITS && rest.bytes().all(hexadecimal) {
        return Form::Pseudonym;
    }
    let canonical = !rest.starts_with(['0', '+']) && !rest.bytes().any(|letter| letter.is_ascii_uppercase());
    match u64::from_str_radix(rest, 36) {
        Ok(number) if canonical && number <= LOGGER_MOST => Form::LoggerPseudonym,
        _ => Form::Unknown,
    }
}

/// At least a name, a domain and what follows its last dot, which is letters.
fn is_email_derived(text: &str) -> bool {
    let parts: Vec<&str> = text.split('_').collect();
    let [_, _, .., last] = parts.as_slice() else { return false };
    let good = |letter: char| letter.is_alphanumeric() || is_combining_mark(letter) || "+-%'".contains(letter);
    parts.len() >= 3
        && parts.iter().all(|part| !part.is_empty() && part.chars().all(good))
        && last.chars().count() >= 2
        && last.chars().all(|letter| letter.is_alphabetic() || is_combining_mark(letter))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_was_seen_is_told_from_every_other() {
        for (id, form) in [
            ("ana_example_com", Form::EmailDerived),
            ("ANA_example_com", Form::EmailDerived),
            ("ana_maria_sub_example_co", Form::EmailDerived),
            ("100000000000000000001", Form::Numeric),
            ("usr_a1b2c3d4e5f6g7h8i9j0", Form::Hash),
            ("usr_ana_example_com", Form::PseudoHash),
            ("user_a7f3c29bd4e1", Form::Pseudonym),
            ("user_1x2k9q", Form::LoggerPseudonym),
            ("test_user_001", Form::Dummy),
            ("user_1000", Form::Dummy),
            ("user_100000000001", Form::Dummy),
            ("system", Form::Dummy),
            ("oauth-system", Form::Dummy),
            ("ana@example.com", Form::Email),
            (" ANA@example.com ", Form::Email),
            ("", Form::Empty),
        ] {
            assert_eq!(Form::of(id), form, "{id}");
        }
    }

    #[test]
    fn what_only_begins_or_looks_a_little_like_a_form_is_none() {
        for id in [
            "usr_a1b2c3d4e5f6g7h8i9",     // 18 letters, as one example in the documentation has it
            "usr_a1b2c3d4e5f6g7h8i9j01",  // 21
            "usr_A1b2c3d4e5f6g7h8i9j0",   // another alphabet
            "usr_a1b2c3d4e5f6g7h8i9j0\n", // and a byte more
            "usr_",
            "USR_a1b2c3d4e5f6g7h8i9j0",
            "10000000000000000000",   // 20 digits
            "1000000000000000000001", // 22
            "１00000000000000000001", // a digit of another script
            "user_a7f3c29bd4e",       // 11
            "user_zzzzzzz",           // more than 32 bits
            "user_",
            "undefined",
            "null",
            "ana@@example.com",
            "ana@example",
            "ana_example",
            "ana__example_com",
        ] {
            assert_eq!(Form::of(id), Form::Unknown, "{id}");
        }
    }

    #[test]
    fn emails_are_one_when_only_case_and_edges_differ() {
        let ana = Email::parse("ana.lima@example.com").unwrap();
        assert_eq!(Email::parse("  ANA.Lima@Example.COM\n").unwrap(), ana);
        assert_ne!(Email::parse("analima@example.com").unwrap(), ana, "a dot is a letter");
        assert_ne!(Email::parse("ana.lima+x@example.com").unwrap(), ana, "a tag is part of it");
        assert_eq!(ana.derived(), "ana_lima_example_com");
        assert_eq!(ana.pseudo_hashes(), ["usr_ana_lima_example_com", "usr_analimaexamplecom"].map(str::to_owned));
    }

    #[test]
    fn emails_are_one_however_their_accents_are_written() {
        let composed = Email::parse("jos\u{e9}.nu\u{f1}ez@example.com").unwrap();
        assert_eq!(Email::parse("JOSE\u{301}.NUN\u{303}EZ@example.com").unwrap(), composed);
        assert_eq!(composed.as_str(), "jos\u{e9}.nu\u{f1}ez@example.com");
        assert_ne!(Email::parse("jose.nunez@example.com").unwrap(), composed, "an accent is no ornament");
        // No capital letter with this accent has a character of its own.
        let small = Email::parse("\u{1f0}@example.com").unwrap();
        assert_eq!(Email::parse("J\u{30c}@example.com").unwrap(), small);
        // Compatible is not the same: NFC, not NFKC.
        assert_ne!(Email::parse("\u{fb01}@example.com").unwrap(), Email::parse("fi@example.com").unwrap());
        let apart = "Jose\u{301}_nun\u{303}ez_example_com";
        assert_eq!(Form::of(apart), Form::EmailDerived);
        assert_eq!(folded(apart), composed.derived());
        assert_eq!(Form::of(&format!("usr_{apart}")), Form::PseudoHash);
        assert_eq!(folded(&format!("usr_{apart}")), composed.pseudo_hashes()[0]);
        assert_eq!(folded(" JOSE\u{301}.nun\u{303}ez@example.com"), composed.as_str());
    }

    #[test]
    fn what_is_normalised_is_normal() {
        for letter in (0..=0xffff).filter_map(char::from_u32) {
            for text in [format!("{letter}"), format!("{letter}\u{301}"), format!("{letter}\u{30c}\u{323}")] {
                let once = normal(&text);
                assert_eq!(normal(&once), once, "{text:?}");
                assert_eq!(normal(&text.nfd().collect::<String>()), once, "{text:?}");
            }
        }
    }

    #[test]
    fn a_pseudonym_is_the_beginning_of_the_ids_hash() {
        // SHA-256 of "abc" begins ba7816bf8f01 (FIPS 180-4).
        assert_eq!(pseudonym("abc"), "user_ba7816bf8f01");
        assert_eq!(Form::of(&pseudonym("abc")), Form::Pseudonym);
    }
}
