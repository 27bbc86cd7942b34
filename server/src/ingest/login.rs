//! Does this line say that somebody got in, failed to, or was shut out, and who from where?
//!
//! Decided by what is said, in words or in fields, never by which product says it. It counts nothing
//! and keeps nothing between lines: a run of failures is for detection to see.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use stella_protocol::log::Login;
use stella_protocol::{Category, LogEvent, Untrusted};

use super::mapper::{Request, is_nothing, outcome_word};
use super::said::{Hit, Role, words};
use super::{access, address, mapper};

/// Words of signing in and of failure belong together up to this many bytes apart: an IPv6 address and
/// a long account name fit between.
const NEAR: usize = 96;

/// How far into a text we listen.
const LISTEN: usize = 2048;

/// More words than this are a document, not a line about one login.
const MOST_WORDS: usize = 24;

/// Parts of a path under which one signs in.
const DOORS: [&str; 12] = [
    "login",
    "logon",
    "signin",
    "sign_in",
    "sign-in",
    "/auth",
    "authenticat",
    "/session",
    "/token",
    "oauth",
    "/sso",
    "passw",
];

static DOORS_FOUND: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasickBuilder::new().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(DOORS).ok()
});

/// The texts of one record.
pub(super) struct Said<'s, 'a> {
    pub message: &'s str,
    /// Who speaks: the service or logger.
    pub speaker: &'s str,
    pub event: Option<&'s str>,
    pub error: Option<&'s str>,
    pub request: &'s Request<'a>,
}

/// Sets what the record says about signing in; leaves an event alone that does not speak of it.
pub(super) fn mark<'a>(event: &mut LogEvent<'a>, said: &Said<'_, 'a>) {
    let login = match event.login {
        Some(login) => login,
        None => match recognise(event.success, said) {
            Some(login) => login,
            None => return,
        },
    };
    event.login = Some(login);
    event.category = event.category.or(Some(Category::Security));
    event.success = match login {
        Login::Succeeded => Some(true),
        Login::Failed | Login::LockedOut => Some(false),
        Login::Unknown => event.success,
    };
    let message = heard(said.message);
    if event.remote_addr.is_none() {
        let found = address::client(message).or_else(|| address::client(heard(said.error?)));
        event.remote_addr = found.map(|found| Untrusted::new(found.into_owned()));
    }
    if event.user_id.is_none() {
        event.user_id = user(message).map(|found| Untrusted::new(found.to_owned()));
    }
}

fn heard(text: &str) -> &str {
    let mut end = text.len().min(LISTEN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn recognise(success: Option<bool>, said: &Said<'_, '_>) -> Option<Login> {
    let door = said.request.path.as_deref().is_some_and(is_door);
    let in_words = in_words(heard(said.message)).or_else(|| in_words(heard(said.error?)));
    if in_words.is_some() {
        return in_words
            .map(|login| if login == Login::Succeeded && success == Some(false) { Login::Failed } else { login });
    }
    if let Some(event) = said.event {
        let hits = words(event, MOST_WORDS);
        let speaks = hits.iter().any(|hit| hit.role == Role::Auth);
        if (speaks || door) && (success == Some(false) || outcome_word(event) == Some(false)) {
            return Some(Login::Failed);
        }
        if speaks && success == Some(true) {
            return Some(Login::Succeeded);
        }
    }
    if guards(said.speaker) && beside(said.message, &words(heard(said.message), MOST_WORDS), Role::Weak, Role::Fail) {
        return Some(Login::Failed);
    }
    if door { by_status(said.request) } else { told_by_status(said) }
}

/// True for a speaker whose name says that it looks after signing in.
fn guards(speaker: &str) -> bool {
    words(speaker, MOST_WORDS).iter().any(|hit| hit.role == Role::Auth)
}

/// The status stands in a field, the request in the words.
fn told_by_status(said: &Said<'_, '_>) -> Option<Login> {
    let status = said.request.status.filter(|status| matches!(status, 401 | 403 | 429))?;
    let mut head = mapper::Head::default();
    access::request(heard(said.message), &mut head);
    let path = head.path.filter(|path| is_door(path))?;
    by_status(&Request {
        status: Some(status),
        method: head.method.map(Cow::Borrowed),
        path: Some(Cow::Borrowed(path)),
    })
}

/// What an answer at the door means. 0 is written when no answer was given.
fn by_status(request: &Request<'_>) -> Option<Login> {
    let posted = request.method.as_deref().is_some_and(|method| method.eq_ignore_ascii_case("POST"));
    match request.status? {
        401 | 403 => Some(Login::Failed),
        0 if posted => Some(Login::Failed),
        429 => Some(Login::LockedOut),
        _ => None,
    }
}

fn is_door(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    DOORS_FOUND.as_ref().is_some_and(|doors| doors.is_match(path))
}

/// Decides by the words of one text.
fn in_words(text: &str) -> Option<Login> {
    let hits = words(text, MOST_WORDS);
    let has = |role: Role| hits.iter().any(|hit| hit.role == role);
    if has(Role::Locked) {
        return Some(Login::LockedOut);
    }
    let together = |role: Role| beside(text, &hits, Role::Auth, role);
    if together(Role::Throttled) {
        return Some(Login::LockedOut);
    }
    if has(Role::Refused) || together(Role::Fail) || after_auth(text, &hits) {
        return Some(Login::Failed);
    }
    if has(Role::Entered) || together(Role::Success) {
        return Some(Login::Succeeded);
    }
    None
}

/// True when words of these two roles stand near each other, in the same sentence.
fn beside(text: &str, hits: &[Hit], of: Role, role: Role) -> bool {
    let auths = || hits.iter().filter(|hit| hit.role == of);
    hits.iter().filter(|hit| hit.role == role).any(|hit| {
        auths().any(|auth| {
            let (from, to) = if auth.start < hit.start { (auth.end, hit.start) } else { (hit.end, auth.start) };
            to.saturating_sub(from) <= NEAR && !text.get(from..to).is_some_and(|between| between.contains(". "))
        })
    })
}

/// `authentication error`, `LOGIN_ERROR`: the word `error` right behind.
fn after_auth(text: &str, hits: &[Hit]) -> bool {
    hits.windows(2).any(|pair| {
        // `authentic` is the stem of a longer word.
        let gap = text
            .get(pair[0].end..pair[1].start)
            .map(|gap| gap.trim_start_matches(|letter: char| letter.is_ascii_lowercase()));
        pair[0].role == Role::Auth && pair[1].role == Role::Error && matches!(gap, Some(" " | "_" | "-"))
    })
}

/// Words after which the account is named, the surest first.
const NAMED: [&str; 16] = [
    "username",
    "user name",
    "invalid user",
    "illegal user",
    "for user",
    "set_id",
    "account",
    "ruser",
    "email",
    "user",
    "logname",
    "password for",
    "publickey for",
    "login for",
    "login failed",
    "for",
];

/// The account that a sentence names.
fn user(text: &str) -> Option<&str> {
    NAMED.iter().find_map(|word| {
        let mut from = 0;
        while let Some(at) = find_word(&text[from..], word) {
            let rest = &text[from + at + word.len()..];
            if let Some(found) = name_at(rest) {
                return Some(found);
            }
            from += at + word.len();
        }
        None
    })
}

fn find_word(text: &str, word: &str) -> Option<usize> {
    let (bytes, word) = (text.as_bytes(), word.as_bytes());
    (0..(bytes.len() + 1).saturating_sub(word.len())).find(|at| {
        let edge = *at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        edge && bytes[*at..*at + word.len()].eq_ignore_ascii_case(word)
    })
}

fn name_at(rest: &str) -> Option<&str> {
    let bare = rest.trim_start_matches(|letter: char| " :=<[('\"`\\{]".contains(letter));
    let skipped = &rest[..rest.len() - bare.len()];
    if skipped.is_empty() {
        return None;
    }
    let quoted = skipped.chars().next_back().filter(|letter| "<['\"`(".contains(*letter));
    let ends = |letter: char| match quoted {
        Some('<') => letter == '>',
        Some('[') => letter == ']',
        Some('(') => letter == ')',
        Some(quote) => letter == quote,
        None => letter.is_whitespace() || ",;)]}'\"`".contains(letter),
    };
    let name = &bare[..bare.find(ends)?.min(bare.len())];
    let name = if quoted.is_some() { name } else { name.trim_end_matches(['.', ':', '!']) };
    let filler = [
        "from", "or", "and", "does", "not", "is", "was", "has", "with", "at", "in", "by", "on", "user", "name",
        "password", "invalid", "unknown", "for", "the", "to", "failed", "ip", "agent", "attempt", "login", "your",
        "this", "a", "an",
    ];
    let fits = !name.is_empty()
        && name.len() <= 128
        && !is_nothing(name)
        && !filler.iter().any(|word| name.eq_ignore_ascii_case(word));
    (fits && mapper::outcome_word(name).is_none() && address::read(name).is_none() && !name.contains('='))
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_login_is_recognised_in_the_words_of_many() {
        for line in [
            "Failed password for root from 192.0.2.7 port 22 ssh2",
            "pam_unix(x:auth): authentication failure; logname= uid=0 rhost=192.0.2.7",
            "Authentication attempt from [192.0.2.7, 172.18.0.2] for user \"test\" failed.",
            "Access denied for user 'x'@'192.0.2.7' (using password: YES)",
            "Incorrect username or password for user Test. IP=192.0.2.7",
            "type=LOGIN_ERROR, ipAddress=192.0.2.7, error=user_not_found",
            "Authentication request for \"x\" has been denied (IP: \"192.0.2.7\").",
            "attempted to login with account \"toto\" and failed!",
            "[two_factor::email] Token is invalid! IP: 192.0.2.7",
            "Web GUI authentication error for 'toto' from 192.0.2.7",
            "Mislukte login poging van 192.0.2.7",
            "Anmeldung fehlgeschlagen: falsches Passwort",
            "Неверный пароль для ivan",
            "登录失败",
            "Unsuccessful login attempt from 192.0.2.7",
            "FAIL LOGIN: Client \"::ffff:192.0.2.7\"",
            "bad password for dani (192.0.2.7)",
        ] {
            assert_eq!(in_words(line), Some(Login::Failed), "{line}");
        }
    }

    #[test]
    fn a_lock_out_and_a_success_are_told_apart_from_a_failure() {
        assert_eq!(in_words("brute force attempt (user x) has locked out IP 192.0.2.7"), Some(Login::LockedOut));
        assert_eq!(in_words("Authentication attempt from 192.0.2.7 has been rate-limited."), Some(Login::LockedOut));
        assert_eq!(in_words("Accepted publickey for ana from 192.0.2.7"), Some(Login::Succeeded));
        assert_eq!(in_words("user@test.com is now logged in"), Some(Login::Succeeded));
        assert_eq!(in_words("WebAPI login success. IP: 192.0.2.7"), Some(Login::Succeeded));
    }

    #[test]
    fn ordinary_failures_are_not_logins() {
        for line in [
            "failed to load user profile",
            "cache invalidated after password change",
            "request rate limited",
            "author not found",
            "Connection closed by invalid user x 192.0.2.7 [preauth]",
            "ERROR auth service restarted",
            "login service ready. Job 5 failed to start",
            "SyntaxError: Invalid token in JSON",
        ] {
            assert_eq!(in_words(line), None, "{line}");
        }
    }

    #[test]
    fn the_account_is_named_somewhere() {
        for (line, wanted) in [
            ("Failed password for invalid user admin from 192.0.2.7", Some("admin")),
            ("Failed password for root from 192.0.2.7", Some("root")),
            ("Login failed for user `test6` from IP", Some("test6")),
            ("Incorrect username or password for user ana@example.com. IP=1", Some("ana@example.com")),
            ("Authentication failed for user [root] ", Some("root")),
            ("535 Incorrect data (set_id=info@test.com)", Some("info@test.com")),
            ("invalid username or password", None),
        ] {
            assert_eq!(user(line), wanted, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_ears_panic(text in "\\PC{0,80}|((user|login|failed|for| |'|é|:){0,12})") {
            let _ = (in_words(&text), user(&text));
        }
    }
}
