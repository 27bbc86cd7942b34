//! Lines to send: ordinary traffic in which nothing is wrong, and lines that really cause an alert.
//!
//! The same seed writes the same lines, apart from their time.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// Bytes of an ordinary line, with its end.
pub const LINE_BYTES: usize = 600;
/// One ordinary line in so many failed: far from any rule.
const FAILING: u64 = 500;
/// What ordinary calls are about, with how long they usually take, in milliseconds: all below their limits.
const CALLS: [(&str, &str, u64); 12] = [
    ("api", "get_conversations", 140),
    ("api", "get_shared_agents", 60),
    ("api", "load_messages", 90),
    ("api", "post_message", 120),
    ("api", "update_profile", 70),
    ("search", "search_rag", 260),
    ("search", "index_document", 310),
    ("ai", "gemini_api_call", 900),
    ("ai", "summarise_thread", 420),
    ("store", "firestore_query", 45),
    ("store", "firestore_write", 55),
    ("billing", "check_quota", 30),
];
/// How an ordinary line ends.
const END: &str = "\"}\n";
/// What a line is padded with.
const WORDS: [&str; 16] = [
    "cache", "shard", "tenant", "replica", "cursor", "index", "page", "batch", "worker", "lease", "queue", "region",
    "policy", "bucket", "thread", "agent",
];

/// Numbers that look random and are the same each time (xorshift).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Ordinary traffic.
#[derive(Debug, Clone)]
pub struct Traffic(Dice);

impl Traffic {
    /// Other seeds, other lines.
    pub fn new(seed: u64) -> Self {
        Self(Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// So many lines of [`LINE_BYTES`] each, written at `at`.
    pub fn body(&mut self, lines: usize, at: DateTime<Utc>) -> Bytes {
        let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut body = String::with_capacity(lines * LINE_BYTES);
        for _ in 0..lines {
            self.line(&mut body, &time);
        }
        body.into()
    }

    fn line(&mut self, body: &mut String, time: &str) {
        let from = body.len();
        let dice = &mut self.0;
        let (service, operation, usual) = CALLS[dice.below(CALLS.len() as u64) as usize];
        let took = usual * 3 / 4 + dice.below(usual / 2);
        let user = dice.below(100_000);
        let (host, last, trace) = (dice.below(8), dice.below(250), dice.next());
        let outcome = if dice.below(FAILING) == 0 {
            "\"level\":\"ERROR\",\"success\":false,\"errorType\":\"UpstreamReset\"".to_owned()
        } else {
            format!("\"level\":\"INFO\",\"success\":true,\"userId\":\"user.{user}@example.com\"")
        };
        // Writing to a String does not fail.
        let _ = write!(
            body,
            "{{\"timestamp\":\"{time}\",{outcome},\"service\":\"{service}\",\"host\":\"{service}-{host}\",\
             \"operation\":\"{operation}\",\"duration_ms\":{took},\"remoteAddr\":\"192.0.2.{last}\",\
             \"sessionId\":\"s-{user:08x}\",\"traceId\":\"{trace:016x}{user:016x}\",\
             \"message\":\"{operation} for user.{user}@example.com took {took} ms\",\
             \"http\":{{\"method\":\"GET\",\"path\":\"/v1/{operation}/{user}\",\"status\":200}},\"detail\":\""
        );
        while body.len() - from + END.len() < LINE_BYTES {
            let word = WORDS[dice.below(WORDS.len() as u64) as usize];
            let room = LINE_BYTES - (body.len() - from) - END.len();
            body.push_str(&word[..word.len().min(room)]);
            if room > word.len() {
                body.push(' ');
            }
        }
        body.push_str(END);
    }
}

/// A problem of its own, with a name that stands on the screen and in the feed.
#[derive(Debug, Clone)]
pub struct Offence {
    /// The address, or the operation: never the beginning of another's.
    pub name: String,
    /// Lines that are not yet enough for the rule.
    pub before: Bytes,
    /// The line after which the rule is sure.
    pub last: Bytes,
}

/// Failed logins, or errors, after which the rule is sure.
const ENOUGH: usize = 5;
/// Addresses in a block of four digits each, so that none begins another.
const BLOCK: usize = 150;

/// Somebody guesses passwords from an address.
pub fn guesses(number: usize, at: DateTime<Utc>) -> Offence {
    let name = format!("198.18.{}.{}", 100 + number / BLOCK, 100 + number % BLOCK);
    let line = |at: &str, one: usize| {
        json!({
            "timestamp": at, "level": "WARN", "service": "auth", "operation": "login", "success": false,
            "message": "login failed: wrong password", "userId": format!("g{number}.{one}@example.com"),
            "remoteAddr": name,
        })
    };
    offence(name.clone(), at, line)
}

/// An operation that fails for everybody.
pub fn errors(number: usize, at: DateTime<Utc>) -> Offence {
    let name = format!("probe_{number:05}");
    let line = |at: &str, one: usize| {
        json!({
            "timestamp": at, "level": "ERROR", "service": "probe", "operation": name, "success": false,
            "message": "upstream did not answer", "errorType": "UpstreamTimeout",
            "userId": format!("p{number}.{one}@example.com"),
        })
    };
    offence(name.clone(), at, line)
}

fn offence(name: String, at: DateTime<Utc>, line: impl Fn(&str, usize) -> Value) -> Offence {
    let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let text = |range: RangeInclusive<usize>| {
        let lines: Vec<String> = range.map(|one| line(&time, one).to_string()).collect();
        Bytes::from(lines.join("\n"))
    };
    Offence { name, before: text(1..=ENOUGH - 1), last: text(ENOUGH..=ENOUGH) }
}

/// One line that every reader of the feed is told.
pub fn telling(number: u64) -> Bytes {
    let line = json!({
        "level": "WARN", "category": "ui", "severity": "low", "service": "probe",
        "message": format!("{TOLD} {number}"),
    });
    format!("{line}\n").into()
}

/// How a reader knows it.
pub const TOLD: &str = "fanout probe";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ordinary_lines_are_json_of_the_promised_length() {
        let body = Traffic::new(7).body(2000, Utc::now());
        let text = std::str::from_utf8(&body).unwrap();
        assert_eq!(text.lines().count(), 2000);
        for line in text.lines() {
            assert_eq!(line.len() + 1, LINE_BYTES);
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(line["duration_ms"].as_u64().unwrap() < 2000);
        }
    }

    #[test]
    fn the_same_seed_writes_the_same_lines() {
        let at = Utc::now();
        assert_eq!(Traffic::new(3).body(50, at), Traffic::new(3).body(50, at));
        assert_ne!(Traffic::new(3).body(50, at), Traffic::new(4).body(50, at));
    }

    #[test]
    fn no_offence_has_a_name_that_begins_anothers() {
        let names: Vec<String> =
            (0..400).flat_map(|number| [guesses(number, Utc::now()).name, errors(number, Utc::now()).name]).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!names.iter().enumerate().any(|(other, longer)| other != at && longer.starts_with(name.as_str())));
        }
    }
}
