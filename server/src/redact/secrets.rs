//! Secrets by their shape: keys, tokens, passwords, cards, cookies, private keys.
//!
//! An automaton finds the anchors; each pattern runs only when one of its anchors stood in the text.
//! All patterns are linear in the text. Prefers to mask a harmless word over keeping a password.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use regex::{Captures, Regex};
use serde_json::Value;

/// Shortest and longest card number.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

const CARD_MARK: &str = "[secret:card]";

/// A kind of secret.
struct Rule {
    mark: &'static str,
    /// Texts without which it cannot be there, in any case.
    anchors: &'static [&'static str],
    /// Group 1, when there is one, is kept in front of the mark; group `secret` is judged first.
    pattern: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        mark: "[secret:private-key]",
        anchors: &["-----begin"],
        pattern: r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)",
    },
    Rule {
        mark: "[secret:jwt]",
        anchors: &["eyj"],
        pattern: r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    },
    Rule {
        mark: "[secret:cookie]",
        anchors: &["cookie"],
        pattern: r#"(?i)(\b(?:set-)?cookie["']?\s*[:=]\s*["']?)(?P<secret>[^\r\n"'\s][^\r\n"']*)"#,
    },
    Rule {
        mark: "[secret:authorization]",
        anchors: &["authorization"],
        pattern: r#"(?i)(\bauthorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|digest|token|negotiate)\s+)?)(?P<secret>[^\s"',;}\[]+)"#,
    },
    Rule {
        mark: "[secret:bearer]",
        anchors: &["bearer "],
        pattern: r"(?i)(\bbearer\s+)(?P<secret>[A-Za-z0-9._~+/=-]{12,})",
    },
    Rule {
        mark: "[secret:aws-key]",
        anchors: &["akia", "asia", "aroa", "agpa", "aida"],
        pattern: r"\b(?:AKIA|ASIA|AROA|AGPA|AIDA)[A-Z0-9]{16}\b",
    },
    Rule {
        mark: "[secret:api-key]",
        anchors: &[
            "ghp_",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "glpat-",
            "xoxb-",
            "xoxa-",
            "xoxp-",
            "xoxr-",
            "xoxs-",
            "aiza",
            "ya29.",
            "sk-",
            "sk_live",
            "sk_test",
            "rk_live",
            "rk_test",
            "pk_live",
            "npm_",
            "sg.",
            "hf_",
            "whsec_",
        ],
        pattern: r"(?-u:\b)(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_.-]{20,}|sk-[A-Za-z0-9_-]{20,}|[srp]k_(?:live|test)_[A-Za-z0-9]{10,}|npm_[A-Za-z0-9]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9]{16,})",
    },
    Rule {
        mark: "[secret:password]",
        anchors: &["://"],
        pattern: r#"(?i)(\b[a-z][a-z0-9+.-]*://[^\s:/@"']*:)(?P<secret>[^\s@/"'\[]+)(?P<after>@)"#,
    },
    Rule {
        mark: "[secret:password]",
        anchors: &["password", "passwd", "pwd", "passphrase", "passcode"],
        pattern: r#"(?i)((?:password|passwd|pwd|passphrase|passcode)(?:\\?["'])?\s*[:=]\s*)(?P<secret>\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s,;&"'}\]]+)"#,
    },
    Rule {
        mark: "[secret:api-key]",
        anchors: &[
            "api_key",
            "apikey",
            "api-key",
            "access_key",
            "accesskey",
            "access-key",
            "secret",
            "private_key",
            "account_key",
            "accountkey",
            "signature",
        ],
        pattern: r#"(?i)((?:api[_-]?key|access[_-]?key(?:[_-]?id)?|secret(?:[_-]?(?:key|access[_-]?key))?|private[_-]?key|account[_-]?key|\bsignature)(?:\\?["'])?\s*[:=]\s*)(?P<secret>\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s,;&"'}\]\[]+)"#,
    },
    Rule {
        mark: "[secret:token]",
        anchors: &["token"],
        pattern: r#"(?i)(token(?:\\?["'])?\s*[:=]\s*)(?P<secret>\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s,;&"'}\]\[]{6,})"#,
    },
];

struct Shapes {
    finder: DFA,
    start: StateID,
    /// The rule of each anchor, as a bit.
    rules: Vec<u32>,
    patterns: Vec<Regex>,
}

static SHAPES: LazyLock<Option<Shapes>> = LazyLock::new(|| {
    let anchors =
        || RULES.iter().enumerate().flat_map(|(rule, shape)| shape.anchors.iter().map(move |anchor| (rule, anchor)));
    let finder =
        DFA::builder().ascii_case_insensitive(true).prefilter(false).build(anchors().map(|(_, anchor)| anchor)).ok()?;
    let patterns = RULES.iter().map(|rule| Regex::new(rule.pattern)).collect::<Result<_, _>>().ok()?;
    let start = finder.start_state(Anchored::No).ok()?;
    Some(Shapes { finder, start, rules: anchors().map(|(rule, _)| 1 << rule).collect(), patterns })
});

/// The text with its secrets masked; None: there is none.
pub(super) fn mask(text: &str) -> Option<String> {
    let shapes = SHAPES.as_ref()?;
    let wanted = wanted(shapes, text);
    let mut now = Cow::Borrowed(text);
    for (at, rule) in RULES.iter().enumerate().filter(|(at, _)| wanted & (1 << at) != 0) {
        let changed = shapes.patterns[at].replace_all(&now, |found: &Captures<'_>| replacement(rule, found, &now));
        if let Cow::Owned(changed) = changed
            && changed != *now
        {
            now = Cow::Owned(changed);
        }
    }
    if let Some(changed) = mask_cards(&now) {
        now = Cow::Owned(changed);
    }
    match now {
        Cow::Owned(changed) => Some(changed),
        Cow::Borrowed(_) => None,
    }
}

/// The rules, as bits, of which an anchor stands in the text. The automaton is walked by hand: its own
/// iterator over matches costs as much as a short text.
fn wanted(shapes: &Shapes, text: &str) -> u32 {
    let finder = &shapes.finder;
    let mut state = shapes.start;
    let mut wanted = 0;
    for byte in text.bytes() {
        state = finder.next_state(Anchored::No, state, byte);
        if finder.is_special(state) && finder.is_match(state) {
            for nth in 0..finder.match_len(state) {
                wanted |= shapes.rules[finder.match_pattern(state, nth).as_usize()];
            }
        }
    }
    wanted
}

fn replacement(rule: &Rule, found: &Captures<'_>, text: &str) -> String {
    let group = |name: &str| found.name(name).map_or("", |group| group.as_str());
    let secret = group("secret");
    let start = found.get(0).map_or(0, |all| all.start());
    let in_mark = start > 0 && starts_with_mark(&text[text.floor_char_boundary(start - 1)..]);
    if in_mark || (found.name("secret").is_some() && is_harmless(rule, secret)) {
        return found[0].to_owned();
    }
    let before = if secret.is_empty() { "" } else { found.get(1).map_or("", |group| group.as_str()) };
    format!("{before}{}{}", rule.mark, group("after"))
}

fn starts_with_mark(text: &str) -> bool {
    text.starts_with(CARD_MARK) || RULES.iter().any(|rule| text.starts_with(rule.mark))
}

/// A mark, a place holder, or (for tokens) a count.
fn is_harmless(rule: &Rule, secret: &str) -> bool {
    let bare = secret.trim_matches(['"', '\'', '\\']);
    let nothing = bare.is_empty() || bare.bytes().all(|byte| matches!(byte, b'*' | b'.' | b'x' | b'-'));
    let words = ["null", "none", "undefined", "true", "false", "yes", "no"];
    let marked = starts_with_mark(bare)
        || bare.starts_with("[secret:")
        || bare.eq_ignore_ascii_case("[filtered")
        || bare.starts_with("[redacted");
    let counted = rule.mark == "[secret:token]" && bare.bytes().all(|byte| byte.is_ascii_digit());
    let sentence = rule.mark == "[secret:bearer]" && !bare.bytes().any(|byte| byte.is_ascii_digit());
    nothing || marked || counted || sentence || words.iter().any(|word| bare.eq_ignore_ascii_case(word))
}

/// Masks runs of digits (blanks or dashes between them allowed) that are card numbers.
fn mask_cards(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut changed: Option<String> = None;
    let (mut kept, mut at) = (0, 0);
    while at < bytes.len() {
        // Thirteen digits with single separators: of any two neighbours inside, one is a digit.
        if !bytes[at].is_ascii_digit() && !bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
            at += CARD_DIGITS.start() - 2;
            continue;
        }
        let (start, end) = digit_run(bytes, at.max(kept), kept);
        if is_card(&bytes[start..end]) && !is_joined(bytes, start, end) {
            let text_so_far = changed.get_or_insert_with(String::new);
            text_so_far.push_str(&text[kept..start]);
            text_so_far.push_str(CARD_MARK);
            kept = end;
        }
        at = end.max(at + 1);
    }
    changed.map(|changed| changed + &text[kept..])
}

/// The run of digits and single separators around `at`, not reaching before `floor`.
fn digit_run(bytes: &[u8], at: usize, floor: usize) -> (usize, usize) {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let gap = |at: usize| matches!(bytes.get(at), Some(b' ' | b'-'));
    let at = if digit(at) { at } else { at + 1 };
    let mut start = at;
    while start > floor && (digit(start - 1) || (gap(start - 1) && start > floor + 1 && digit(start - 2))) {
        start -= 1;
    }
    let mut end = at;
    while digit(end) || (end > start && gap(end) && digit(end + 1)) {
        end += 1;
    }
    (start.min(bytes.len()), end.max(start))
}

/// True when the run is only a part of a longer word or number.
fn is_joined(bytes: &[u8], start: usize, end: usize) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let before = start.checked_sub(1).map(|at| &bytes[at]);
    let decimal = |mark: Option<&u8>, next: Option<&u8>| mark == Some(&b'.') && next.is_some_and(u8::is_ascii_digit);
    before.is_some_and(part)
        || bytes.get(end).is_some_and(part)
        || decimal(before, start.checked_sub(2).map(|at| &bytes[at]))
        || decimal(bytes.get(end), bytes.get(end + 1))
}

/// Length and first digits that issuers use, and the check digit of ISO/IEC 7812 (Luhn).
fn is_card(run: &[u8]) -> bool {
    if run.len() < *CARD_DIGITS.start() || run.len() > 2 * CARD_DIGITS.end() {
        return false;
    }
    let digits: Vec<u32> = run.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0')).collect();
    if !CARD_DIGITS.contains(&digits.len()) {
        return false;
    }
    let head = digits[..4].iter().fold(0, |head, digit| head * 10 + digit);
    let issued = match digits.len() {
        16 => matches!(head, 2221..=2720 | 3528..=3589 | 4000..=4999 | 5100..=5599 | 6011 | 6440..=6599 | 6200..=6299),
        15 => matches!(head / 100, 34 | 37),
        14 => matches!(head / 100, 30 | 36 | 38 | 39),
        13 | 19 => matches!(head / 1000, 4),
        _ => false,
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
        .sum();
    issued && sum.is_multiple_of(10)
}

/// True for a value that is a mark already.
pub(super) fn is_marked(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with("[secret:"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        mask(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn every_kind_of_secret_leaves_its_mark() {
        for (text, wanted) in [
            ("login with password=hunter2 ok", "login with password=[secret:password] ok"),
            (r#"{"password":"a b","x":1}"#, r#"{"password":[secret:password],"x":1}"#),
            ("dbPassword: 'x y'; next", "dbPassword: [secret:password]; next"),
            ("GET /x?api_key=abc123&y=1", "GET /x?api_key=[secret:api-key]&y=1"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [secret:authorization]"),
            ("sent bearer a1b2c3d4e5f6g7", "sent bearer [secret:bearer]"),
            ("postgres://app:s3cret@db:5432/x", "postgres://app:[secret:password]@db:5432/x"),
            ("Cookie: sid=1; theme=dark", "Cookie: [secret:cookie]"),
            ("key AKIAIOSFODNN7EXAMPLE used", "key [secret:aws-key] used"),
            ("t=eyJhbGciOiJI.eyJzdWIiOiIx.c2ln end", "t=[secret:jwt] end"),
            ("paid with 4111 1111 1111 1111.", "paid with [secret:card]."),
            ("card:4111111111111111,5555-5555-5555-4444", "card:[secret:card],[secret:card]"),
            ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----!", "[secret:private-key]!"),
            ("access_token=abcdefgh", "access_token=[secret:token]"),
        ] {
            assert_eq!(masked(text), wanted, "{text}");
        }
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in [
            "Failed password for root from 192.0.2.7 port 22",
            "100000000000000000001 is a user, 1764000000000 a time",
            "trace 4111111111111112 and 4111111111111111a",
            "https://example.com/a:b/c@d",
            "total_tokens=512 token: 123456789",
            "basic authentication failed for bearer authentication",
            "password: ***",
            "2024-01-31 10:11:12.123 4 5 6",
        ] {
            assert_eq!(mask(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_automaton_sees_every_anchor_that_stands_in_the_text(text in "((sk-|://|coo|kie|authoriz|ation|-----BEG|IN|eyJ|passw|ord|token|secret| |a|é){0,20})") {
            let shapes = SHAPES.as_ref().unwrap();
            let lower = text.to_ascii_lowercase();
            let stands = |rule: &&Rule| rule.anchors.iter().any(|anchor| lower.contains(anchor));
            let plainly = RULES.iter().enumerate().filter(|(_, rule)| stands(rule)).map(|(at, _)| 1 << at).sum::<u32>();
            proptest::prop_assert_eq!(wanted(shapes, &text), plainly);
        }

        #[test]
        fn masking_never_panics_and_is_done_after_once(text in "\\PC{0,60}|[0-9 -]{0,60}|((token|password|=|:|\"|cookie| |é|4111111111111111){0,10})") {
            let once = masked(&text);
            proptest::prop_assert_eq!(masked(&once), once);
        }

        #[test]
        fn a_card_is_found_wherever_it_stands(before in "[a-z .]{0,30}", after in "[ .,;][a-z ]{0,30}") {
            let text = format!("{before} 4111-1111-1111-1111{after}");
            proptest::prop_assert!(!masked(&text).contains("4111"));
        }
    }
}
