//! The words with which services of all makes and some languages speak about signing in.
//!
//! One automaton finds them in one pass; what follows from them is decided in `login`.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

/// What a word contributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Speaks of signing in.
    Auth,
    /// Speaks of failure.
    Fail,
    /// `error`: a failure only right after a word of signing in, for it is also the name of a level.
    Error,
    /// Speaks of signing in only where the speaker's name does.
    Weak,
    /// Says both at once.
    Refused,
    /// Says both where nothing tells that the call was about something else.
    Turned,
    /// Names the kind of somebody who signs in: with [`Missing`](Self::Missing) and an address it is a failure.
    Person,
    /// Fails to be found: beside a word of signing in a failure like any other.
    Missing,
    /// Speaks of success.
    Success,
    /// Says that somebody got in.
    Entered,
    /// Shut out for now: needs a word of signing in beside it.
    Throttled,
    /// Shut out, said in full.
    Locked,
    /// Shut, and how often was tried: together, with a person, shut out.
    Shut,
    Tries,
    /// What failed is a machine: nobody was turned away.
    Machine,
    /// Nobody tried.
    Nobody,
    /// Sounds like one of the others and is none.
    Nothing,
}

/// A word that was found, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub role: Role,
    pub start: usize,
    pub end: usize,
}

/// A `|` stands for the blank, `_` or `-` between two words; a `<` or `>` for the edge of a word.
const WORDS: &[(Role, &str)] = &[
    (
        Role::Auth,
        "<login <logon log|in> log|on> logging|in <signin <sign|in <sign|on <authentic <auth> authenticator> <basic|auth> \
         xauth password> passwd> passphrase passcode <credential <2fa> <mfa> <totp> <otp> two|factor second|factor \
         <pam> <sasl> <ntlm> <eap> <chap> mschap kerberos> <ldap> admin|token access|token auth|token api|token api|key> bearer|token \
         registration|from keyboard|interactive challenge|response challengeresponse \
         anmeld passwort kennwort anmeldung mot|de|passe authentif identifiants> contraseña contrasena \
         inicio|de|sesi autentic <senha> <accesso> <acceso> wachtwoord aanmeld inlog hasło logowani парол Парол логин вход \
         авториз Авториз аутентиф Аутентиф 登录 登陆 密码 口令 认证 ログイン パスワード 認証 로그인 비밀번호",
    ),
    (
        Role::Fail,
        "<fail failed> failure> failures> invalid <incorrect <wrong> <bad> denied> unsuccessful rejected> refused> \
         <mismatch illegal not|match not|successful not|valid not|correct not|allowed not|permitted doesn't|match does|not|match \
         no|longer|valid <violation disallowed> \
         fehlgeschlagen <falsch ungültig \
         échec Échec <echec> échoué invalide incorrecte fallid <fallo> errone inválid <falha> falhou fallito errata> \
         negato> mislukt Mislukt onjuist ongeldig nieudan nieprawid błęd неверн Неверн неудач Неудач ошибк Ошибк \
         失败 错误 失敗 不正 실패 오류",
    ),
    (Role::Missing, "not|found> not|exist doesn't|exist nonexistent non|existent no|matching|peer no|matching|user"),
    (Role::Person, "<user> <username <account> <mailbox> <usuario> <benutzer> <peer>"),
    (Role::Error, "<error>"),
    (Role::Weak, "<token <code>"),
    (
        Role::Refused,
        "invalid|user> invalid|username user|denied illegal|user> access|denied|for|user timeout|before|auth \
         timed|out|before|auth wrong|password bad|password wrong|pin> invalid|pin> incorrect|pin> logon|failure \
         auth|failure",
    ),
    (
        Role::Turned,
        "unauthorized unauthorised unauthenticated not|authorized> not|authenticated> no|such|user unknown|user> \
         unknown|username user|unknown> user|not|found user|does|not|exist user|doesn't|exist can't|find|user cannot|find|user \
         nonexistent|user unknown|account> invalid|account",
    ),
    (Role::Success, "<success succeeded> <accepted> granted> erfolgreich réussi exitos sucesso riuscit 成功 성공"),
    (Role::Entered, "logged|in> signed|in> accepted|password accepted|publickey accepted|keyboard authenticated>"),
    (
        Role::Throttled,
        "rate|limit ratelimit too|many throttl blocked> <banned> lockout> limit|reached maximum|login \
         <attack> gesperrt 锁定",
    ),
    (
        Role::Locked,
        "locked|out> account|locked account|is|locked brute|force bruteforce maximum|authentication|attempts max|login|attempts",
    ),
    (Role::Shut, "<locked>"),
    (Role::Tries, "attempts> tries>"),
    (
        Role::Machine,
        "<unavailable> timed|out> <timeout> <timeouts> timeouterror deadline|exceeded internal|error internal|server|error \
         too|many|connections connection|refused> econnrefused connection|timeout",
    ),
    (Role::Nobody, "no|auth|attempts no|authentication|attempts"),
    (
        Role::Nothing,
        "login|page login|form login|service auth|service authentication|service auth|server auth|cache password|reset \
         reset|password password|chang change|password forgot|password timeout|value \
         invalidat not|logged|in closed|by|invalid|user disconnected|from|invalid|user failover fail2ban failsafe \
         since|the|last|successful password|expir authentication|required> authority",
    ),
];

/// Word boundaries that a pattern asks for.
#[derive(Debug, Clone, Copy)]
struct Pattern {
    role: Role,
    left: bool,
    right: bool,
}

struct Words {
    finder: AhoCorasick,
    patterns: Vec<Pattern>,
}

static WORDS_FOUND: LazyLock<Option<Words>> = LazyLock::new(|| {
    let (mut texts, mut patterns) = (Vec::new(), Vec::new());
    for (role, words) in WORDS {
        for word in words.split_whitespace() {
            let pattern = Pattern { role: *role, left: word.starts_with('<'), right: word.ends_with('>') };
            let bare = word.trim_start_matches('<').trim_end_matches('>');
            for gap in [" ", "_", "-"].into_iter().take(if bare.contains('|') { 3 } else { 1 }) {
                texts.push(bare.replace('|', gap));
                patterns.push(pattern);
            }
            if bare.contains('|') && *role != Role::Auth {
                texts.push(bare.replace('|', ""));
                patterns.push(pattern);
            }
        }
    }
    let finder = AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(texts)
        .ok()?;
    Some(Words { finder, patterns })
});

/// The words of signing in that stand in `text`, in order, at most `most`.
pub(super) fn words(text: &str, most: usize) -> Vec<Hit> {
    let Some(words) = WORDS_FOUND.as_ref() else { return Vec::new() };
    let bytes = text.as_bytes();
    let found = words.finder.find_iter(bytes).filter_map(|found| {
        let pattern = words.patterns[found.pattern().as_usize()];
        let open_left = pattern.left && goes_on_left(bytes, found.start());
        let open_right = pattern.right && bytes.get(found.end()).is_some_and(u8::is_ascii_lowercase);
        let elsewhere = pattern.role == Role::Fail && fails_at_something_else(&text[found.end()..]);
        (!open_left && !open_right && !elsewhere).then_some(Hit {
            role: pattern.role,
            start: found.start(),
            end: found.end(),
        })
    });
    found.take(most).collect()
}

/// True when a word goes on to the left of `at`; the hump of `ConsoleLogin` is an edge.
fn goes_on_left(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|at| bytes[at]) else { return false };
    if bytes[at].is_ascii_uppercase() { before.is_ascii_uppercase() } else { before.is_ascii_alphabetic() }
}

/// `failed to send …`: what is behind `failed` says that it is not the signing in.
fn fails_at_something_else(behind: &str) -> bool {
    const DEEDS: [&str; 12] =
        ["auth", "log", "sign", "valid", "verif", "bind", "check", "match", "identif", "provide", "enter", "be "];
    let verb = behind.strip_prefix("ed").unwrap_or(behind).strip_prefix(" to ");
    verb.is_some_and(|verb| {
        !DEEDS.iter().any(|deed| verb.get(..deed.len()).is_some_and(|start| start.eq_ignore_ascii_case(deed)))
    })
}
