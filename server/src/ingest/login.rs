//! Does this line say that somebody got in, failed to, or was shut out, and who from where?
//!
//! Decided by what is said, in words or in fields, never by which product says it. It counts nothing
//! and keeps nothing between lines: a run of failures is for detection to see.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use serde_json::{Map, Value};
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
const DOORS: [&str; 13] = [
    "login",
    "logon",
    "signin",
    "sign_in",
    "sign-in",
    "/auth",
    "authenticat",
    "/session",
    "/_session",
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
    /// Named values, not a line of text.
    pub structured: bool,
    /// What has no field of its own.
    pub attributes: &'s Map<String, Value>,
}

/// Sets what the record says about signing in; leaves an event alone that does not speak of it.
pub(super) fn mark<'a>(event: &mut LogEvent<'a>, said: &Said<'_, 'a>) {
    let login = match event.login {
        Some(login) => login,
        None => match recognise(event, said) {
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
        let found = found.or_else(|| said.attributes.values().find_map(in_sentence));
        event.remote_addr = found.map(|found| Untrusted::new(found.into_owned()));
    }
    if event.user_id.is_none() {
        event.user_id = user(message).map(|found| Untrusted::new(found.to_owned()));
    }
}

/// The client that a sentence among the attributes names; a bare value is not known to be the client's.
fn in_sentence(value: &Value) -> Option<Cow<'_, str>> {
    let text = value.as_str().map(heard).filter(|text| text.contains(' '))?;
    address::client(text)
}

fn heard(text: &str) -> &str {
    let mut end = text.len().min(LISTEN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Longest value of an attribute that is listened to: a word or a short sentence.
const SHORT: usize = 160;

/// Most words of a title, as `login` or `authentication result` is one.
const TITLE: usize = 4;

fn recognise(event: &LogEvent<'_>, said: &Said<'_, '_>) -> Option<Login> {
    let success = event.success;
    let door = said.request.path.as_deref().is_some_and(is_door);
    let at_door = door || event.operation.as_ref().is_none_or(|name| guards(name.raw())) || guards(said.speaker);
    let setting = Setting { at_door, addressed: event.remote_addr.is_some() };
    let told = in_words(heard(said.message), setting).or_else(|| in_words(heard(said.error?), setting));
    let told = told.or_else(|| in_event(said, success, door)).or_else(|| in_codes(said, success, setting));
    let told = told.filter(|login| *login != Login::Failed || !is_machine(event, said));
    if told.is_some() {
        return told
            .map(|login| if login == Login::Succeeded && success == Some(false) { Login::Failed } else { login });
    }
    if is_deed(said.speaker) && begins_failed(said.message) {
        return Some(Login::Failed);
    }
    if guards(said.speaker) && beside(said.message, &words(heard(said.message), MOST_WORDS), Role::Weak, Role::Fail) {
        return Some(Login::Failed);
    }
    if door {
        return by_status(said.request);
    }
    told_by_status(said).or_else(|| refused_by_name(event, said))
}

/// What a failed sign-in is said to be when it was not the person's fault.
fn is_machine(event: &LogEvent<'_>, said: &Said<'_, '_>) -> bool {
    const FAULTS: [&str; 8] =
        ["timeout", "unavailable", "connection", "database", "upstream", "network", "internal", "socket"];
    let of_machine = |kind: &Untrusted<'_>| {
        let kind = kind.raw().to_ascii_lowercase();
        FAULTS.iter().any(|fault| kind.contains(fault))
    };
    event.error_type.as_ref().is_some_and(of_machine)
        || said.request.status.is_some_and(|status| status >= 500)
        || [Some(said.message), said.error].into_iter().flatten().any(|text| {
            let hits = words(heard(text), MOST_WORDS);
            hits.iter().any(|hit| hit.role == Role::Machine) && hits.iter().all(|hit| hit.role != Role::Refused)
        })
}

/// The name of what happened, and how it ended.
fn in_event(said: &Said<'_, '_>, success: Option<bool>, door: bool) -> Option<Login> {
    let own = said.structured && said.request.path.is_none();
    let title = Some(said.message).filter(|text| own && text.split(' ').nth(TITLE).is_none());
    said.event.into_iter().chain(title).find_map(|name| {
        let speaks = words(name, MOST_WORDS).iter().any(|hit| hit.role == Role::Auth);
        match success {
            _ if (speaks || door) && outcome_word(name) == Some(false) => Some(Login::Failed),
            Some(false) if speaks || (door && said.event.is_some()) => Some(Login::Failed),
            Some(true) if speaks => Some(Login::Succeeded),
            _ => None,
        }
    })
}

/// Short values that have no field: `action: login_failed`, `reason: INVALID_CREDENTIALS`.
fn in_codes(said: &Said<'_, '_>, success: Option<bool>, setting: Setting) -> Option<Login> {
    if !said.structured || success == Some(true) {
        return None;
    }
    let short = |value: &'_ Value| match value {
        Value::String(text) if text.len() <= SHORT => in_words(text, setting),
        _ => None,
    };
    said.attributes.values().find_map(short).filter(|login| *login != Login::Succeeded)
}

/// 401 to somebody who gave a name, or who sent something: a line of a web server, in text.
fn refused_by_name(event: &LogEvent<'_>, said: &Said<'_, '_>) -> Option<Login> {
    let sent = !said.structured && is_post(said.request) && event.operation.is_none();
    let named = event.user_id.is_some() && (event.operation.is_none() || !said.structured);
    (said.request.status == Some(401) && (sent || named)).then_some(Login::Failed)
}

/// True for a speaker whose name says that it looks after signing in.
fn guards(speaker: &str) -> bool {
    words(speaker, MOST_WORDS).iter().any(|hit| hit.role == Role::Auth)
}

/// `LOGIN|FAIL|…`: the deed stands where others name themselves.
fn is_deed(speaker: &str) -> bool {
    ["login", "logon", "signin", "sign-in"].iter().any(|deed| speaker.eq_ignore_ascii_case(deed))
}

fn begins_failed(message: &str) -> bool {
    let word = message.split(|letter: char| !letter.is_alphanumeric()).next();
    word.is_some_and(|word| outcome_word(word) == Some(false))
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

fn is_post(request: &Request<'_>) -> bool {
    request.method.as_deref().is_some_and(|method| method.eq_ignore_ascii_case("POST"))
}

/// What an answer at the door means. 0 is written when no answer was given. A page that is shown again says
/// 200 as well, so a success counts only where programs sign in.
fn by_status(request: &Request<'_>) -> Option<Login> {
    const PROGRAMS: [&str; 3] = ["/api/", "/token", "oauth"];
    let for_programs = || request.path.as_deref().is_some_and(|path| PROGRAMS.iter().any(|part| path.contains(part)));
    match request.status? {
        401 | 403 => Some(Login::Failed),
        0 | 400 | 422 if is_post(request) => Some(Login::Failed),
        429 => Some(Login::LockedOut),
        200 | 201 | 204 if is_post(request) && for_programs() => Some(Login::Succeeded),
        _ => None,
    }
}

fn is_door(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    DOORS_FOUND.as_ref().is_some_and(|doors| doors.is_match(path))
}

/// What is known besides the words.
#[derive(Debug, Clone, Copy)]
struct Setting {
    /// Nothing tells that the call was about something else than signing in.
    at_door: bool,
    /// The record says from where.
    addressed: bool,
}

/// Decides by the words of one text.
fn in_words(text: &str, setting: Setting) -> Option<Login> {
    let hits = words(text, MOST_WORDS);
    let has = |role: Role| hits.iter().any(|hit| hit.role == role);
    if has(Role::Nobody) {
        return None;
    }
    if has(Role::Locked) || (has(Role::Shut) && has(Role::Tries) && has(Role::Person)) {
        return Some(Login::LockedOut);
    }
    let together = |role: Role| beside(text, &hits, Role::Auth, role);
    if together(Role::Throttled) {
        return Some(Login::LockedOut);
    }
    if has(Role::Refused)
        || together(Role::Fail)
        || together(Role::Missing)
        || after_auth(text, &hits)
        || before_entered(&hits)
    {
        return Some(Login::Failed);
    }
    if setting.at_door && has(Role::Turned) {
        return Some(Login::Failed);
    }
    if setting.at_door
        && beside(text, &hits, Role::Person, Role::Missing)
        && (setting.addressed || address::client(text).is_some())
    {
        return Some(Login::Failed);
    }
    if has(Role::Entered) || together(Role::Success) {
        return Some(Login::Succeeded);
    }
    None
}

/// `failed to be logged in`; `logged in after it failed twice` is none.
fn before_entered(hits: &[Hit]) -> bool {
    let first = |role: Role| hits.iter().position(|hit| hit.role == role);
    first(Role::Entered).zip(first(Role::Fail)).is_some_and(|(entered, failed)| failed < entered)
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
    let name = &bare[..bare.find(ends).unwrap_or(bare.len())];
    let name = if quoted.is_some() { name } else { name.trim_end_matches(['.', ':', '!']) };
    let filler = [
        "from",
        "or",
        "and",
        "does",
        "not",
        "is",
        "was",
        "has",
        "with",
        "at",
        "in",
        "by",
        "on",
        "user",
        "name",
        "password",
        "invalid",
        "unknown",
        "for",
        "the",
        "to",
        "failed",
        "ip",
        "agent",
        "attempt",
        "login",
        "your",
        "this",
        "a",
        "an",
        "reason",
        "due",
        "because",
        "mechanism",
        "method",
        "nonexistent",
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

    const AT_DOOR: Setting = Setting { at_door: true, addressed: false };

    fn said(line: &str) -> Option<Login> {
        in_words(line, AT_DOOR)
    }

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
            assert_eq!(in_words(line, AT_DOOR), Some(Login::Failed), "{line}");
        }
    }

    #[test]
    fn a_lock_out_and_a_success_are_told_apart_from_a_failure() {
        assert_eq!(said("brute force attempt (user x) has locked out IP 192.0.2.7"), Some(Login::LockedOut));
        assert_eq!(said("Authentication attempt from 192.0.2.7 has been rate-limited."), Some(Login::LockedOut));
        assert_eq!(said("Accepted publickey for ana from 192.0.2.7"), Some(Login::Succeeded));
        assert_eq!(said("user@test.com is now logged in"), Some(Login::Succeeded));
        assert_eq!(said("WebAPI login success. IP: 192.0.2.7"), Some(Login::Succeeded));
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
            assert_eq!(in_words(line, AT_DOOR), None, "{line}");
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
            ("Username or password is incorrect. Username: ana@example.com.", Some("ana@example.com")),
        ] {
            assert_eq!(user(line), wanted, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_ears_panic(text in "\\PC{0,80}|((user|login|failed|for| |'|é|:){0,12})") {
            let _ = (in_words(&text, AT_DOOR), user(&text));
        }
    }
}
