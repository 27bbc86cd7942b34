//! New hash ids: made of a key and of who it is, so that the plan, the rehearsal and the execution all
//! speak of the same ones, and nobody without the key finds the person.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{HASH_LETTERS, HashId, PREFIX};

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Letters that name a key.
const NAME_LETTERS: usize = 8;
/// An id that is taken is that of another person by a chance of 2^-103: several in a row are a mistake
/// of whoever says what is taken.
const DRAWS: u8 = 8;

/// Every id that a person could get is said to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("make a new id: all {DRAWS} that this person could get are said to be taken")]
pub struct NoIdLeft;

/// The secret of which ids are made; never shown.
#[derive(Clone)]
pub struct MintKey(Hmac<Sha256>);

impl fmt::Debug for MintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MintKey({})", self.name())
    }
}

impl MintKey {
    /// From 32 secret random bytes.
    pub fn from_bytes(secret: [u8; 32]) -> Self {
        // The key is padded to a block, as HMAC itself does with one this short: no key is refused.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&secret);
        Self(Hmac::new(&block.into()))
    }

    /// Tells keys apart; not secret. A plan holds it.
    pub fn name(&self) -> String {
        // No e-mail and no id begins with a NUL.
        letters(&self.draw("\0name", 0), NAME_LETTERS)
    }

    /// The id of whoever has this e-mail, normalised; where there is none, of whoever had this old id.
    /// `taken` says which ids other people have.
    ///
    /// # Errors
    /// When `taken` refuses everything.
    pub fn mint(&self, of: &str, taken: impl Fn(&str) -> bool) -> Result<HashId, NoIdLeft> {
        let mut drawn =
            (0..DRAWS).map(|draw| HashId(format!("{PREFIX}{}", letters(&self.draw(of, draw), HASH_LETTERS))));
        drawn.find(|id| !taken(id.as_str())).ok_or(NoIdLeft)
    }

    /// The first draw is the hash of the text alone.
    fn draw(&self, of: &str, draw: u8) -> [u8; 32] {
        let mut keyed = self.0.clone();
        keyed.update(of.as_bytes());
        if draw > 0 {
            keyed.update(&[0, draw]);
        }
        keyed.finalize().into_bytes().into()
    }
}

/// The lowest digits, in base 36, of the number that the first 16 bytes are: 2^128 is so much more than
/// 36^20 that every letter is as likely as any other.
fn letters(hash: &[u8; 32], count: usize) -> String {
    let mut number = hash.iter().take(16).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    let mut text = String::with_capacity(count);
    for _ in 0..count {
        text.push(char::from(ALPHABET[(number % 36) as usize]));
        number /= 36;
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::migrate::form::Form;

    fn key(byte: u8) -> MintKey {
        MintKey::from_bytes([byte; 32])
    }

    #[test]
    fn the_same_person_gets_the_same_id_of_the_same_key_and_of_no_other() {
        let mint = |byte, of: &str| key(byte).mint(of, |_| false).unwrap();
        // Of `python3 -c "import hmac; hmac.new(bytes([7])*32, b'ana@example.com', 'sha256')"`, in base 36.
        assert_eq!(mint(7, "ana@example.com").as_str(), "usr_dksn6xqm7vuglmiecbtn");
        assert_ne!(mint(7, "ana@example.com"), mint(8, "ana@example.com"));
        assert_ne!(mint(7, "ana@example.com"), mint(7, "bo@example.com"));
        assert_ne!(key(7).name(), key(8).name());
    }

    #[test]
    fn ten_thousand_people_get_as_many_good_ids() {
        let key = key(1);
        let ids: BTreeSet<HashId> =
            (0..10_000).map(|n| key.mint(&format!("p{n}@example.com"), |_| false).unwrap()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| Form::of(id.as_str()) == Form::Hash));
    }

    #[test]
    fn an_id_that_is_taken_is_not_given_again() {
        let key = key(1);
        let first = key.mint("ana@example.com", |_| false).unwrap();
        let second = key.mint("ana@example.com", |id| id == first.as_str()).unwrap();
        assert_ne!(first, second);
        assert_eq!(second, key.mint("ana@example.com", |id| id == first.as_str()).unwrap());
        assert_eq!(key.mint("ana@example.com", |_| true), Err(NoIdLeft));
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", key(9)), format!("MintKey({})", key(9).name()));
    }
}
