//! Who may do what: tokens, the principals behind them, and the sessions that requests run under.
//!
//! The book of tokens is kept in memory and holds fingerprints only; who adds or revokes one writes
//! the store first. Which role a route asks for stands in the table of [`crate::routes`], not here.

mod secret;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use stella_protocol::{Code, Principal, Role, Text, Timestamp};
use subtle::ConstantTimeEq;

pub use secret::{Fingerprint, NoRandomness, Secret};

/// Whether a holder may keep the events' own time (`?recording=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// Simulator, pipe and tail of this machine.
    Allowed,
    /// Everybody else.
    Refused,
}

/// Whether anybody real is behind a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A person, or a program of theirs.
    Real,
    /// A colleague whom a demo plays: what they approve is marked so.
    Simulated,
}

/// A token as it is known: everything but the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Names the token when it is listed and revoked; the name of the principal.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// Whether its holder may send recordings.
    pub recording: Recording,
    /// Whether its holder is real.
    pub holder: Holder,
    /// When it ends; None: it does not.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back; None: it was not.
    pub revoked_at: Option<Timestamp>,
}

/// What a request runs under.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who asks.
    pub principal: Principal,
    /// Whether they may send recordings.
    pub recording: Recording,
    /// Whether they are real.
    pub holder: Holder,
    fingerprint: Fingerprint,
}

/// The book of tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    /// By the first half of the fingerprint; the other half is compared in constant time.
    grants: RwLock<HashMap<[u8; 16], (Fingerprint, Grant)>>,
    /// Nobody else gets a token for people.
    one_person: AtomicBool,
}

impl Tokens {
    /// Adds a token, or replaces what was known of it.
    pub fn put(&self, fingerprint: Fingerprint, grant: Grant) {
        let mut grants = self.grants.write().unwrap_or_else(PoisonError::into_inner);
        grants.insert(half(&fingerprint), (fingerprint, grant));
    }

    /// Takes a token back at once: requests are refused from now on, open streams end with their next
    /// heartbeat.
    pub fn revoke(&self, fingerprint: &Fingerprint, at: Timestamp) {
        let mut grants = self.grants.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, grant)) = grants.get_mut(&half(fingerprint)) {
            grant.revoked_at.get_or_insert(at);
        }
    }

    /// Whoever may do more than send lines, by their names in small letters; not those whose tokens ended,
    /// nor who is not real.
    pub fn people(&self, now: Timestamp) -> BTreeSet<String> {
        let grants = self.grants.read().unwrap_or_else(PoisonError::into_inner);
        let lives = |grant: &&Grant| grant.revoked_at.is_none() && grant.expires_at.is_none_or(|end| end > now);
        let people = grants.values().map(|(_, grant)| grant).filter(|grant| grant.role != Role::Ingest).filter(lives);
        let people = people.filter(|grant| grant.holder == Holder::Real);
        people.map(|grant| grant.name.to_ascii_lowercase()).collect()
    }

    /// True for the name of somebody simulated, also without the words that say so: nobody real takes it.
    pub fn is_of_simulated(&self, name: &str) -> bool {
        let grants = self.grants.read().unwrap_or_else(PoisonError::into_inner);
        let first =
            |other: &Grant| other.name.split_whitespace().next().is_some_and(|own| own.eq_ignore_ascii_case(name));
        let named = |other: &Grant| other.name.eq_ignore_ascii_case(name) || first(other);
        grants.values().any(|(_, grant)| grant.holder == Holder::Simulated && named(grant))
    }

    /// Whether a token of this name, in any spelling, holds now and its role allows `role`.
    pub fn holds_role(&self, name: &str, role: Role, now: Timestamp) -> bool {
        let grants = self.grants.read().unwrap_or_else(PoisonError::into_inner);
        let name = name.to_lowercase();
        let lives = |grant: &Grant| grant.revoked_at.is_none() && grant.expires_at.is_none_or(|end| end > now);
        let of_them = |grant: &Grant| grant.name.to_lowercase() == name && grant.role.allows(role);
        grants.values().any(|(_, grant)| of_them(grant) && lives(grant))
    }

    /// From now on only one person has tokens.
    pub fn keep_to_one_person(&self) {
        self.one_person.store(true, Ordering::Release);
    }

    /// Whether somebody of this name may get a token of this role.
    pub fn has_room(&self, name: &str, role: Role, now: Timestamp) -> bool {
        let known = |other: &String| other.eq_ignore_ascii_case(name);
        role == Role::Ingest || !self.one_person.load(Ordering::Acquire) || self.people(now).iter().all(known)
    }

    /// The session of whoever shows `token`.
    ///
    /// # Errors
    /// `unauthenticated`, `token_expired` or `token_revoked`.
    pub fn admit(&self, token: &str, now: Timestamp) -> Result<Session, Code> {
        let secret = Secret::read(token).ok_or(Code::Unauthenticated)?;
        self.session(&secret.fingerprint(), now)
    }

    /// True while the token behind `session` is neither expired nor revoked and its role is the same.
    pub fn still_holds(&self, session: &Session, now: Timestamp) -> bool {
        self.session(&session.fingerprint, now).is_ok_and(|found| found.principal.role == session.principal.role)
    }

    fn session(&self, fingerprint: &Fingerprint, now: Timestamp) -> Result<Session, Code> {
        let grants = self.grants.read().unwrap_or_else(PoisonError::into_inner);
        let (known, grant) = grants.get(&half(fingerprint)).ok_or(Code::Unauthenticated)?;
        if !bool::from(known.ct_eq(fingerprint)) {
            return Err(Code::Unauthenticated);
        }
        if grant.revoked_at.is_some() {
            return Err(Code::TokenRevoked);
        }
        if grant.expires_at.is_some_and(|end| end <= now) {
            return Err(Code::TokenExpired);
        }
        Ok(Session {
            principal: Principal { name: Text::new(grant.name.clone()), role: grant.role },
            recording: grant.recording,
            holder: grant.holder,
            fingerprint: *fingerprint,
        })
    }
}

fn half(fingerprint: &Fingerprint) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&fingerprint[..16]);
    half
}

/// Longest name of a token, in bytes.
const LONGEST_NAME: usize = 64;

/// True for a name that can be shown and typed: letters, digits and `. _ - @`.
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(fits)
}

/// Reads a role that can be given to a token.
pub fn role_from_word(word: &str) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role.word() == word)
}

/// The roles that can be given to a token, for messages.
pub fn role_words() -> String {
    Role::ALL.map(Role::word).join(", ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn granted(expires_at: Option<i64>) -> (Tokens, Secret) {
        let (tokens, secret) = (Tokens::default(), Secret::generate().unwrap());
        let grant = Grant {
            name: "sre-1".into(),
            role: Role::Responder,
            recording: Recording::Refused,
            holder: Holder::Real,
            expires_at: expires_at.map(Timestamp::from_millis),
            revoked_at: None,
        };
        tokens.put(secret.fingerprint(), grant);
        (tokens, secret)
    }

    fn admit(tokens: &Tokens, secret: &Secret) -> Result<Role, Code> {
        tokens.admit(secret.expose(), Timestamp::from_millis(NOW)).map(|session| session.principal.role)
    }

    #[test]
    fn a_known_token_is_admitted_and_an_unknown_or_mistyped_one_is_not() {
        let (tokens, secret) = granted(None);
        assert_eq!(admit(&tokens, &secret), Ok(Role::Responder));
        assert_eq!(admit(&tokens, &Secret::generate().unwrap()), Err(Code::Unauthenticated));
        assert_eq!(tokens.admit("stella_x", Timestamp::from_millis(NOW)).err(), Some(Code::Unauthenticated));
    }

    #[test]
    fn where_one_person_is_at_home_nobody_else_gets_a_token_but_to_send_lines() {
        let (tokens, secret) = granted(None);
        let now = Timestamp::from_millis(NOW);
        assert!(tokens.has_room("sre-2", Role::Viewer, now));
        tokens.keep_to_one_person();
        assert!(!tokens.has_room("sre-2", Role::Viewer, now));
        assert!(tokens.has_room("SRE-1", Role::Admin, now) && tokens.has_room("app", Role::Ingest, now));
        tokens.revoke(&secret.fingerprint(), now);
        assert!(tokens.has_room("sre-2", Role::Viewer, now));
    }

    #[test]
    fn who_is_simulated_is_known_as_such_is_no_person_and_keeps_the_name() {
        let (tokens, _) = granted(None);
        let (secret, now) = (Secret::generate().unwrap(), Timestamp::from_millis(NOW));
        let (name, recording, holder) = ("op2 (simulated)".into(), Recording::Refused, Holder::Simulated);
        let grant = Grant { name, role: Role::Approver, recording, holder, expires_at: None, revoked_at: None };
        tokens.put(secret.fingerprint(), grant);
        assert_eq!(tokens.admit(secret.expose(), now).unwrap().holder, Holder::Simulated);
        assert_eq!(tokens.people(now), BTreeSet::from(["sre-1".to_owned()]));
        let taken = ["op2", "OP2", "op2 (simulated)", "sre-1", "op22"].map(|name| tokens.is_of_simulated(name));
        assert_eq!(taken, [true, true, true, false, false]);
    }

    #[test]
    fn a_name_holds_a_role_as_long_as_one_of_its_tokens_does() {
        let (tokens, now) = (Tokens::default(), Timestamp::from_millis(NOW));
        let give = |role, expires_at: Option<i64>| {
            let secret = Secret::generate().unwrap();
            let expires_at = expires_at.map(Timestamp::from_millis);
            let (recording, revoked_at) = (Recording::Refused, None);
            tokens.put(
                secret.fingerprint(),
                Grant { name: "ben".into(), role, recording, holder: Holder::Real, expires_at, revoked_at },
            );
            secret
        };
        let may = |name: &str| tokens.holds_role(name, Role::Approver, now);
        give(Role::Responder, None);
        give(Role::Ingest, None);
        give(Role::Admin, Some(NOW));
        assert!(!may("ben"), "neither a lesser role nor one that ended");
        let (approver, admin) = (give(Role::Approver, Some(NOW + 1)), give(Role::Admin, None));
        assert!(may("ben") && may("Ben") && !may("be") && !may(""));
        tokens.revoke(&approver.fingerprint(), now);
        assert!(may("ben"), "another of theirs still allows it");
        tokens.revoke(&admin.fingerprint(), now);
        assert!(!may("ben"));
    }

    #[test]
    fn a_token_ends_at_its_expiry_to_the_millisecond() {
        let (tokens, secret) = granted(Some(NOW + 1));
        assert_eq!(admit(&tokens, &secret), Ok(Role::Responder));
        let (tokens, secret) = granted(Some(NOW));
        assert_eq!(admit(&tokens, &secret), Err(Code::TokenExpired));
    }

    #[test]
    fn a_revoked_token_holds_no_more_also_for_a_session_that_is_open() {
        let (tokens, secret) = granted(None);
        let now = Timestamp::from_millis(NOW);
        let session = tokens.admit(secret.expose(), now).unwrap();
        assert!(tokens.still_holds(&session, now));
        tokens.revoke(&secret.fingerprint(), now);
        assert_eq!(admit(&tokens, &secret), Err(Code::TokenRevoked));
        assert!(!tokens.still_holds(&session, now));
    }
}
