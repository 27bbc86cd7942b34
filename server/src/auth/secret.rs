//! The form of a token: 256 random bits that carry their own checksum, so that a mistyped or cut one
//! is told apart from an unknown one without asking the store.
//!
//! Does not know who holds a token or what it allows.

use std::fmt;

use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

/// What every token begins with, so that a scanner finds one that leaked.
const PREFIX: &str = "stella_";
/// Random bytes in a token.
const RANDOM_BYTES: usize = 32;
/// Checksum bytes behind them: a slip of the hand passes once in four billion times.
const CHECK_BYTES: usize = 4;
/// Crockford base 32, lower case: no letters that look alike.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What the store keeps of a token.
pub type Fingerprint = [u8; 32];

/// A token. `Debug` hides it; [`Secret::expose`] is the one door.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The machine gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("make a token: the machine gave no random bytes")]
pub struct NoRandomness;

impl Secret {
    /// A new token.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = [0; RANDOM_BYTES];
        OsRng.try_fill_bytes(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self::from_random(&bytes))
    }

    fn from_random(bytes: &[u8; RANDOM_BYTES]) -> Self {
        let payload = base32(bytes);
        let check = checksum(&payload);
        Self(format!("{PREFIX}{payload}{check}"))
    }

    /// The token as written. Never log what this returns.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Reads a token; None: it has not the form of one (prefix, length, letters, checksum).
    pub fn read(text: &str) -> Option<Self> {
        let body = text.strip_prefix(PREFIX)?;
        let payload_letters = letters(RANDOM_BYTES);
        if body.len() != payload_letters + letters(CHECK_BYTES) || !body.bytes().all(|byte| ALPHABET.contains(&byte)) {
            return None;
        }
        let (payload, check) = body.split_at(payload_letters);
        (checksum(payload) == check).then(|| Self(text.to_owned()))
    }

    /// What the store keeps: one cannot get the token back from it.
    pub fn fingerprint(&self) -> Fingerprint {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Letters that `bytes` bytes take in base 32.
const fn letters(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

fn checksum(payload: &str) -> String {
    let digest = Sha256::digest(payload.as_bytes());
    base32(&digest[..CHECK_BYTES])
}

fn base32(bytes: &[u8]) -> String {
    let mut written = String::with_capacity(letters(bytes.len()));
    let (mut held, mut bits) = (0_u32, 0_u32);
    for &byte in bytes {
        held = (held << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            written.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        written.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    written
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_one_changed_letter_is_not() {
        let secret = Secret::generate().unwrap();
        assert_eq!(Secret::read(secret.expose()), Some(secret.clone()));
        let letters: Vec<char> = secret.expose().chars().collect();
        for at in PREFIX.len()..letters.len() {
            let mut changed = letters.clone();
            changed[at] = if changed[at] == 'q' { 'r' } else { 'q' };
            assert_eq!(Secret::read(&changed.iter().collect::<String>()), None, "letter {at}");
        }
    }

    #[test]
    fn two_tokens_differ_and_a_debug_print_shows_neither() {
        let (one, two) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_ne!(one, two);
        assert_ne!(one.fingerprint(), two.fingerprint());
        assert_eq!(format!("{one:?}"), "Secret(…)");
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        for text in ["", "stella_", "stella_abc", "bearer", "stella_\u{1b}[2J"] {
            assert_eq!(Secret::read(text), None, "{text:?}");
        }
    }
}
