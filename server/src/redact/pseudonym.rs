//! Names for people that say nothing of them: `u~KEY.NAME`, a keyed hash.
//!
//! The same person has the same name as long as the key lives; without the key nobody can find out
//! who it is, not even by trying all e-mail addresses.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Crockford's alphabet, lower case: no letter that is read as another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Bytes of the hash that are kept: 128 bits.
const KEPT: usize = 16;

/// Letters that tell which key made a pseudonym.
const KEY_LETTERS: usize = 4;

/// The secret with which pseudonyms are made; never shown.
#[derive(Clone)]
pub struct PseudonymKey {
    keyed: Hmac<Sha256>,
    id: String,
}

impl PseudonymKey {
    /// From 32 secret random bytes.
    pub fn from_bytes(secret: [u8; 32]) -> Self {
        let keyed = keyed(secret);
        let id = base32(&digest(&keyed, "key", ""))[..KEY_LETTERS].to_owned();
        Self { keyed, id }
    }

    /// The first letters of every pseudonym of this key; not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The pseudonym of a user: `u~KEY.` and 26 letters.
    pub fn user(&self, plain: &str) -> String {
        format!("u~{}.{}", self.id, base32(&digest(&self.keyed, "user", plain)))
    }

    /// The pseudonym of a network address: `ip~KEY.` and 26 letters.
    pub fn address(&self, plain: &str) -> String {
        format!("ip~{}.{}", self.id, base32(&digest(&self.keyed, "address", plain)))
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PseudonymKey({})", self.id)
    }
}

/// True for what [`PseudonymKey::user`] or [`PseudonymKey::address`] made, with whatever key.
pub(super) fn is_one(text: &str) -> bool {
    let rest = text.strip_prefix("u~").or_else(|| text.strip_prefix("ip~"));
    let parts = rest.and_then(|rest| rest.split_once('.'));
    let letters = |part: &str| part.bytes().all(|byte| ALPHABET.contains(&byte));
    parts.is_some_and(|(key, name)| key.len() == KEY_LETTERS && name.len() == 26 && letters(key) && letters(name))
}

fn keyed(secret: [u8; 32]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&secret);
    <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into())
}

fn digest(keyed: &Hmac<Sha256>, kind: &str, plain: &str) -> [u8; KEPT] {
    let mut mac = keyed.clone();
    mac.update(kind.as_bytes());
    mac.update(&[0]);
    mac.update(plain.as_bytes());
    let full = mac.finalize().into_bytes();
    let mut kept = [0; KEPT];
    kept.copy_from_slice(&full[..KEPT]);
    kept
}

fn base32(bytes: &[u8; KEPT]) -> String {
    let number = u128::from_be_bytes(*bytes);
    // 26 letters of five bits hold 130: the first one has two bits less.
    (0..26).rev().map(|place| char::from(ALPHABET[((number >> (place * 5)) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_depends_on_the_person_the_kind_and_the_key_alone() {
        let (one, other) = (PseudonymKey::from_bytes([1; 32]), PseudonymKey::from_bytes([2; 32]));
        assert_eq!(one.user("ana"), one.user("ana"));
        assert_ne!(one.user("ana"), one.user("bob"));
        assert_ne!(one.user("ana")[2..], one.address("ana")[3..]);
        assert_ne!(one.user("ana"), other.user("ana"));
        assert!(is_one(&one.user("ana")) && is_one(&one.address("192.0.2.7")));
        assert!(!is_one("u~ana.example"));
    }

    #[test]
    fn the_key_is_not_shown() {
        let shown = format!("{:?}", PseudonymKey::from_bytes([0xab; 32]));
        assert!(shown.len() < 20 && !shown.contains("ab, ab") && !shown.contains("171"), "{shown}");
    }
}
