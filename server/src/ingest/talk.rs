//! Lines of one conversation: a service names the caller when the call begins, and says lines later that the
//! sign-in failed.
//!
//! Looked back for only when a line speaks of a failed sign-in and of no address, by the name that a service
//! itself gives the conversation. Where lines of one name speak of two callers nobody is named: an address
//! too few is a missed attack, a wrong one accuses somebody. It does not look forward, and not into other
//! requests.

use std::borrow::Cow;
use std::collections::VecDeque;

use stella_protocol::log::Login;
use stella_protocol::{LogEvent, Timestamp, Untrusted};

use super::{address, mapper, text};

/// Records that are looked back at: some dozens of conversations that go on at once, of a few lines each.
const REACH: usize = 64;

/// Bytes of a record that are looked at: what names a conversation stands in front.
const HEARD: usize = 2048;

/// Longest time between the caller's name and the failure: sign-ins are given one or two minutes (two by sshd).
const LASTS_MS: i64 = 120_000;

/// Names under which a conversation's own name stands; a blank, `_`, `-` or nothing joins their words.
const KEYS: [&str; 17] = [
    "conn",
    "conn_id",
    "connid",
    "connection",
    "connection_id",
    "connectionid",
    "session",
    "session_id",
    "sessionid",
    "sid",
    "request_id",
    "requestid",
    "reqid",
    "correlation_id",
    "correlationid",
    "trace_id",
    "traceid",
];

/// The latest records, of which `R` is the text.
#[derive(Debug)]
pub(crate) struct Talk<R> {
    latest: VecDeque<R>,
}

impl<R: AsRef<str>> Talk<R> {
    pub(crate) const fn new() -> Self {
        Self { latest: VecDeque::new() }
    }

    /// Gives a failed sign-in without an address that of its conversation.
    pub(crate) fn complete(&self, record: &str, event: &mut LogEvent<'_>, received: Timestamp) {
        let failed = matches!(event.login, Some(Login::Failed | Login::LockedOut));
        if failed && event.remote_addr.is_none() && !self.latest.is_empty() {
            let found = names(heard(record)).into_iter().find_map(|name| self.caller(&name, event, received));
            event.remote_addr = found.map(Untrusted::new);
        }
    }

    /// Keeps a record for those that come after it.
    pub(crate) fn keep(&mut self, record: R) {
        if self.latest.len() == REACH {
            self.latest.pop_front();
        }
        self.latest.push_back(record);
    }

    /// The one caller of whom lines of this conversation speak.
    fn caller(&self, name: &Name<'_>, event: &LogEvent<'_>, received: Timestamp) -> Option<String> {
        if name.is_process && !self.is_one_of_many(name.text) {
            return None;
        }
        let mut known: Option<(&str, Cow<'_, str>)> = None;
        for record in self.latest.iter().rev().map(|record| heard(record.as_ref())) {
            if !stands_in(record, name.text) {
                continue;
            }
            let Some(found) = address::caller(record) else { continue };
            match &known {
                Some((_, other)) if *other != found => return None,
                Some(_) => {}
                None => known = Some((record, found)),
            }
        }
        let (record, found) = known?;
        belongs(&text::event(record, received), event).then(|| found.into_owned())
    }

    /// True when the program gives each conversation a process: another one of it spoke. That of a program which
    /// is but one process says nothing of who calls.
    fn is_one_of_many(&self, process: &str) -> bool {
        let program = &process[..=process.find('[').unwrap_or(0)];
        self.latest.iter().any(|record| {
            let record = heard(record.as_ref());
            record.contains(program) && processes(record).any(|other| other.starts_with(program) && other != process)
        })
    }
}

/// True when two lines come from one place, near in time.
fn belongs(before: &LogEvent<'_>, event: &LogEvent<'_>) -> bool {
    let near = match (before.timestamp, event.timestamp) {
        (Some(from), Some(to)) => (0..=LASTS_MS).contains(&(to.millis() - from.millis())),
        (None, None) => true,
        _ => false,
    };
    near && before.service == event.service && before.host == event.host
}

/// What a service calls a conversation, with what stands around it.
struct Name<'a> {
    text: &'a str,
    /// It is the process that leads it.
    is_process: bool,
}

/// The names in a record, the surest first.
fn names(record: &str) -> Vec<Name<'_>> {
    let own = tagged(record).chain(keyed(record)).map(|text| Name { text, is_process: false });
    own.chain(processes(record).take(1).map(|text| Name { text, is_process: true })).collect()
}

/// `<name|12>` and `*12`, words by themselves.
fn tagged(record: &str) -> impl Iterator<Item = &str> {
    record.split_ascii_whitespace().filter(|word| {
        let peers =
            word.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).and_then(|rest| rest.rsplit_once('|'));
        let number = peers.map(|(_, number)| number).or_else(|| word.strip_prefix('*'));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// `conn=12`, `session=<x7>`, `"requestId":"x7"`, `[conn12]`: from the key to the end of its value.
fn keyed(record: &str) -> impl Iterator<Item = &str> {
    let bytes = record.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            at += bytes[at..].iter().take_while(|byte| is_of_key(**byte)).count();
            if at == start {
                at += 1;
                continue;
            }
            let joined = start > 0 && is_of_value(bytes[start - 1]);
            if joined || !KEYS.iter().any(|key| record[start..at].eq_ignore_ascii_case(key)) {
                // Digits behind a word may be the value: `conn12`.
                let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                at += digits;
                continue;
            }
            let gap = bytes[at..].iter().take(4).take_while(|byte| b" =:\"'#<[(".contains(byte)).count();
            let value = at + gap;
            let end = value + bytes[value..].iter().take(64).take_while(|byte| is_of_value(**byte)).count();
            let told = &record[value..end];
            // A name without a digit is a word of the sentence: `session closed`.
            let plain = gap > 0 || told.bytes().all(|byte| byte.is_ascii_digit());
            if plain && told.bytes().any(|byte| byte.is_ascii_digit()) && !mapper::is_nothing(told) && told != "0" {
                at = end;
                return Some(&record[start..end]);
            }
        }
        None
    })
}

/// `program[12]`, `[pid 12]`.
fn processes(record: &str) -> impl Iterator<Item = &str> {
    record.match_indices('[').filter_map(|(open, _)| {
        let close = open + record[open..].find(']')?;
        let inside = &record[open + 1..close];
        let number = inside.strip_prefix("pid ").unwrap_or(inside);
        let program = record[..open].bytes().rev().take_while(|byte| is_of_value(*byte)).count();
        let named = program > 0 && !record[..open].ends_with(|letter: char| letter.is_ascii_digit());
        let counts = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let start = if number.len() < inside.len() { open } else { open - program };
        (counts && (named || start == open && number.len() < inside.len())).then(|| &record[start..=close])
    })
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_of_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./+|".contains(&byte)
}

/// True when the name stands there as a whole.
fn stands_in(record: &str, name: &str) -> bool {
    record.match_indices(name).any(|(at, _)| {
        let bytes = record.as_bytes();
        let left = at.checked_sub(1).is_none_or(|before| !is_of_value(bytes[before]));
        left && bytes.get(at + name.len()).is_none_or(|after| !is_of_value(*after) || *after == b'.')
    })
}

fn heard(record: &str) -> &str {
    &record[..record.floor_char_boundary(HEARD)]
}

#[cfg(test)]
mod tests {
    use super::super::{BodyKind, parse};
    use super::*;

    /// The address of the last line of `lines`, which failed.
    #[expect(clippy::unwrap_used, reason = "tests")]
    fn last(lines: &[&str]) -> Option<String> {
        let body = lines.join("\n");
        let received = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
        let batch = parse(&body, BodyKind::PlainText, received).unwrap();
        let event = batch.events.last().unwrap();
        assert_eq!(event.login, Some(Login::Failed), "{body}");
        event.remote_addr.as_ref().map(|addr| addr.raw().to_owned())
    }

    #[test]
    fn a_failure_has_the_address_of_its_conversation() {
        for lines in [
            [
                "2026-01-31T10:00:00Z gw vpnd: <office|12> received packet: from 192.0.2.7[500] to 10.0.0.1[500]",
                "2026-01-31T10:00:01Z gw vpnd: <office|12> EAP verification failed, retry (1)",
            ],
            [
                "2026-01-31T10:00:00Z gw vpnd: <office|12> sending packet: from 10.0.0.1[500] to 192.0.2.7[28821]",
                "2026-01-31T10:00:01Z gw vpnd: <office|12> XAuth authentication of 'ana' failed",
            ],
            [
                "2026-01-31T10:00:00Z dir slapd: conn=1012 fd=15 ACCEPT from IP=192.0.2.7:50311",
                "2026-01-31T10:00:00Z dir slapd: conn=1012 op=0 RESULT text=invalid credentials",
            ],
            [
                "2026-01-31T10:00:00Z INFO [conn12] received client metadata from 192.0.2.7:50000",
                "2026-01-31T10:00:00Z WARN [conn12] authentication failed for ana",
            ],
            [
                r#"{"time":"2026-01-31T10:00:00Z","requestId":"a7f1","remoteAddr":"192.0.2.7","msg":"POST /x"}"#,
                r#"{"time":"2026-01-31T10:00:00Z","requestId":"a7f1","msg":"login failed for ana"}"#,
            ],
            [
                "2026-01-31 10:00:00 mail: session=<a7f1> connect, rip=192.0.2.7, lip=10.0.0.1",
                "2026-01-31 10:00:20 mail: session=<a7f1> authentication failed for ana",
            ],
            [
                "2026-01-31 10:00:00 edge: *1093 accepted client 192.0.2.7:40112",
                "2026-01-31 10:00:00 edge: *1093 login failed for ana",
            ],
            [
                "2026-01-31 10:00:00 ftp: connection #77 from 192.0.2.7",
                "2026-01-31 10:00:00 ftp: connection #77 login incorrect",
            ],
        ] {
            assert_eq!(last(&lines).as_deref(), Some("192.0.2.7"), "{lines:?}");
        }
    }

    #[test]
    fn a_process_names_a_conversation_where_each_has_its_own() {
        let other = "Jan 31 10:00:00 host ftpd[11]: connection from 192.0.2.9";
        let opened = "Jan 31 10:00:00 host ftpd[12]: connection from 192.0.2.7";
        let failed = "Jan 31 10:00:03 host ftpd[12]: login failed for ana";
        assert_eq!(last(&[other, opened, failed]).as_deref(), Some("192.0.2.7"));
        assert_eq!(last(&[opened, failed]), None);
    }

    #[test]
    fn nobody_is_named_where_it_is_not_sure() {
        for lines in [
            // Two callers under one name.
            vec!["ftpd: conn=7 from 192.0.2.9", "ftpd: conn=7 from 192.0.2.7", "ftpd: conn=7 login failed"],
            // Another conversation, the name of which begins alike.
            vec!["ftpd: conn=77 from 192.0.2.7", "ftpd: conn=7 login failed"],
            // Only the server's own address.
            vec!["ftpd: conn=7 listening on 10.0.0.1:21", "ftpd: conn=7 login failed"],
            vec!["ftpd: conn=7 sending greeting from 10.0.0.1", "ftpd: conn=7 login failed"],
            // An account is no conversation, and no word of a sentence is a name.
            vec!["ftpd: user=<ana7> from 192.0.2.7", "ftpd: user=<ana7> login failed"],
            vec!["ftpd: session closed from 192.0.2.7", "ftpd: session closed, login failed"],
            // Another host, another program, long ago.
            vec!["Jan 31 10:00:00 a ftpd: conn=7 from 192.0.2.7", "Jan 31 10:00:00 b ftpd: conn=7 login failed"],
            vec!["Jan 31 10:00:00 a ftpd: conn=7 from 192.0.2.7", "Jan 31 10:00:00 a imapd: conn=7 login failed"],
            vec!["Jan 31 10:00:00 a ftpd: conn=7 from 192.0.2.7", "Jan 31 10:03:00 a ftpd: conn=7 login failed"],
        ] {
            assert_eq!(last(&lines), None, "{lines:?}");
        }
    }

    #[test]
    fn the_address_in_the_line_itself_counts() {
        assert_eq!(
            last(&["ftpd: conn=7 from 192.0.2.9", "ftpd: conn=7 login failed from 192.0.2.7"]).as_deref(),
            Some("192.0.2.7")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_search_for_names_panic(text in "\\PC{0,80}|((conn|session|sid|=|<|>|\\||\\*|\\[|\\]|1| |é|pid ){0,16})") {
            for name in names(&text) {
                proptest::prop_assert!(stands_in(&text, name.text) || name.is_process || name.text.starts_with(['<', '*']));
            }
        }
    }
}
