//! Network addresses inside text: which ones stand there, and which of them is the client.
//!
//! Decided by the words around an address, never by who wrote the line.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads an address with an optional port, brackets, scheme word (`ip:`, `ipv4:`, `ip/`), or the first
/// of a list as proxies write it. IPv4 inside IPv6 is IPv4; IPv6 is written as RFC 5952 wants it.
pub(super) fn read(text: &str) -> Option<Cow<'_, str>> {
    let first = text.split(',').next().unwrap_or(text);
    let mut bare = first.trim_matches([' ', '"', '\'', '`', '<', '>', '(', ')', '{', '}', '/']);
    while let Some((word, rest)) = bare.split_once([':', '/'])
        && is_scheme(word)
    {
        bare = rest;
    }
    let inside = match bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        None => bare.trim_matches(['[', ']']),
    };
    let inside = inside.split_once('/').filter(|(_, port)| is_port(port)).map_or(inside, |(host, _)| host);
    bare_address(inside.trim_end_matches(['.', ':', ';']))
}

/// True for a number that is no length of a prefix.
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 128)
}

fn is_scheme(word: &str) -> bool {
    ["ip", "ipv4", "ipv6", "addr", "client", "tcp", "udp", "tls"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

fn bare_address(text: &str) -> Option<Cow<'_, str>> {
    if text.len() < 3 || text.len() > 60 {
        return None;
    }
    let host = match text.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => text.split_once('[').map_or(text, |(host, _)| host),
    };
    if let Ok(found) = host.parse::<Ipv4Addr>() {
        return (!found.is_unspecified()).then_some(Cow::Borrowed(host));
    }
    let host = host.split_once('%').map_or(host, |(host, _)| host);
    // The port behind an IPv4 address that is dressed as IPv6.
    let host = match host.rsplit_once(':') {
        Some((mapped, port)) if mapped.contains('.') && port.bytes().all(|byte| byte.is_ascii_digit()) => mapped,
        _ => host,
    };
    let found = host.parse::<Ipv6Addr>().ok()?;
    if found.is_unspecified() {
        return None;
    }
    let written = match IpAddr::V6(found).to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.to_string(),
    };
    Some(if written == host { Cow::Borrowed(host) } else { Cow::Owned(written) })
}

/// What the words before an address say about it, strongest first.
const BEFORE: [(&str, i32); 44] = [
    ("x-forwarded-for", 60),
    ("forwarded for", 60),
    ("forwarded_for", 60),
    ("x-real-ip", 60),
    ("local host", -50),
    ("local ip", -50),
    ("local", -50),
    ("server", -50),
    ("upstream", -50),
    ("lip", -50),
    ("listen", -50),
    ("listening on", -50),
    ("destination", -50),
    ("dest", -50),
    ("dst", -50),
    ("via", -40),
    ("to", -40),
    ("host", -20),
    ("remote host", 45),
    ("client ip", 45),
    ("client", 45),
    ("remote ip", 45),
    ("remote", 45),
    ("rhost", 45),
    ("rip", 45),
    ("source", 45),
    ("src", 45),
    ("peer", 45),
    ("ipaddress", 40),
    ("ip address", 40),
    ("address", 35),
    ("addr", 35),
    ("from ip", 40),
    ("from", 38),
    ("by ip", 38),
    ("van", 36),
    ("von", 36),
    ("desde", 36),
    ("depuis", 36),
    ("ip", 32),
    ("for", 5),
    ("failed for", 34),
    ("denied for", 34),
    ("rejected for", 34),
];

/// From this weight on the words call an address the client's.
const NAMED: i32 = 30;

/// What an address with a port of a service weighs, when no words say more: better than nothing.
const CALLED: i32 = -8;

/// Words that turn the one behind them round: whose address, whose host.
const OURS: [&str; 10] =
    ["local", "server", "dest", "destination", "dst", "listen", "bind", "upstream", "backend", "target"];
const THEIRS: [&str; 8] = ["remote", "client", "source", "src", "peer", "visitor", "caller", "real"];

/// The client's address in a sentence; None: there is none, or only the server's own.
pub(super) fn client(text: &str) -> Option<Cow<'_, str>> {
    let mut best: Option<(i32, Cow<'_, str>)> = None;
    for (start, end) in runs(text) {
        let Some(found) = read(&text[start..end]) else { continue };
        let weight = weight(text, start, end);
        // Of two that are named alike the last counts: what a stranger calls themselves stands in front.
        let heavier = |heaviest: i32| weight > heaviest || (weight == heaviest && weight > NAMED);
        if weight > -10 && best.as_ref().is_none_or(|(heaviest, _)| heavier(*heaviest)) {
            best = Some((weight, found));
        }
    }
    best.map(|(_, found)| found)
}

/// Words of a line that tells what was sent: whom it went to is who calls.
const SENDING: [&str; 6] = ["sending", "sent", "send", "replying", "reply", "responding"];

/// Who calls, where the words leave no doubt: an address that they name as the client's, or that something was sent to,
/// and no other such.
pub(super) fn caller(text: &str) -> Option<Cow<'_, str>> {
    let mut only: Option<Cow<'_, str>> = None;
    for (start, end) in runs(text) {
        let Some(found) = read(&text[start..end]) else { continue };
        let words = before(&text[..start]);
        let named = if sends(words) { ends_with_word(words, "to") } else { weight(text, start, end) > NAMED };
        match &only {
            Some(other) if named && *other != found => return None,
            None if named => only = Some(found),
            _ => {}
        }
    }
    only
}

fn sends(words: &str) -> bool {
    let is_sending = |word: &str| SENDING.iter().any(|sending| word.eq_ignore_ascii_case(sending));
    words.split(|letter: char| !letter.is_ascii_alphabetic()).any(is_sending)
}

/// Runs of bytes that could hold an address.
fn runs(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let mut start = at;
            while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b':' | b'.')) {
                at += 1;
            }
            let run = &bytes[start..at];
            let end = at;
            at = at.max(start + 1);
            let marks = run.iter().filter(|byte| matches!(byte, b'.' | b':')).count();
            if marks >= 2 && run.len() >= 3 && !joined_before(bytes, start) {
                // `UTC:192.0.2.7`, `:192.0.2.7`: what no address begins with.
                if run[0] == b':' && run[1] != b':' {
                    return Some((start + 1, end));
                }
                let word = run.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                let in_address = run[..word].iter().all(u8::is_ascii_hexdigit);
                if word > 0 && !in_address && run.get(word) == Some(&b':') {
                    start += word + 1;
                }
                return Some((start, end));
            }
        }
        None
    })
}

/// True when the run goes on to the left: a version after a name (`Chrome/98.0.1.2`), a host name.
fn joined_before(bytes: &[u8], start: usize) -> bool {
    match start.checked_sub(1).map(|at| bytes[at]) {
        Some(b'_' | b'-') => true,
        Some(b'/') => {
            let word = bytes[..start - 1].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
            let word = &bytes[start - 1 - word..start - 1];
            !word.is_empty() && !std::str::from_utf8(word).is_ok_and(is_scheme)
        }
        _ => false,
    }
}

fn weight(text: &str, start: usize, end: usize) -> i32 {
    let lead = &text[..start];
    if lead.ends_with("([") {
        // In parentheses and brackets stands what a mail client claims to be.
        return -5;
    }
    let mut from = start.saturating_sub(28);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut words = before(&text[from..start]);
    while let Some(scheme) = words.rsplit(|letter: char| !letter.is_ascii_alphanumeric()).next()
        && ["tcp", "udp", "tls", "ipv4", "ipv6"].iter().any(|word| scheme.eq_ignore_ascii_case(word))
    {
        words = before(&words[..words.len() - scheme.len()]);
    }
    let said = said(words, &text[from + words.len()..start], lead);
    let own_user = lead.ends_with('@') || lead.ends_with("@'");
    let ends = &text[end..];
    let written = text[start..end].rsplit_once(':').filter(|(host, _)| !host.contains(':')).map(|(_, port)| port);
    let port = written.or_else(|| ends.strip_prefix('/')).or_else(|| ends.strip_prefix("]:"));
    let port = port.map(|port| &port[..port.bytes().take_while(u8::is_ascii_digit).count()]);
    let port = port.and_then(|port| port.parse::<u16>().ok()).or_else(|| ends.starts_with(" port ").then_some(1024));
    let network = ends.starts_with('/') && port.is_none_or(|port| port <= 128);
    // Whoever calls has a high port, whoever is called a low one.
    let called = said <= NAMED && port.is_some_and(|port| port < 1024);
    let said = if called { said.min(CALLED) } else { said };
    let by_port = if port.is_some_and(|port| port >= 1024) { 3 } else { 0 };
    said + i32::from(own_user) * 6 + by_port - i32::from(network) * 30
}

/// The words in front, without what stands between them and the address.
fn before(text: &str) -> &str {
    text.trim_end_matches([' ', '"', '\'', '`', '=', ':', '[', '(', '<', '/', '{', '\\'])
}

/// What the words say; `gap` is what stands between them and the address.
fn said(words: &str, gap: &str, lead: &str) -> i32 {
    if gap == "[" && words.ends_with(|letter: char| letter.is_ascii_alphanumeric()) && !ends_with_word(words, "for") {
        // `host.example[192.0.2.7]`: a peer and its name.
        return 40;
    }
    let found = BEFORE.iter().filter(|(word, _)| ends_with_word(words, word)).max_by_key(|(word, _)| word.len());
    let Some((word, weight)) = found else { return i32::from(lead.trim().is_empty()) * 20 };
    let whose = words[..words.len() - word.len()].trim_end_matches([' ', '_', '-', '.']);
    if OURS.iter().any(|word| ends_with_word(whose, word)) {
        return -50;
    }
    if THEIRS.iter().any(|word| ends_with_word(whose, word)) {
        return 45.max(*weight);
    }
    // `Host 192.0.2.7 failed` is somebody, `host: 192.0.2.7` is where it happened.
    if *word == "host" && gap.starts_with(' ') && !gap.contains([':', '=']) { 10 } else { *weight }
}

fn ends_with_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let Some(at) = text.len().checked_sub(word.len()) else { return false };
    let bounded = at == 0 || !text[at - 1].is_ascii_lowercase() || text[at].is_ascii_uppercase();
    bounded && text[at..].eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_every_dress() {
        for (written, wanted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:4410", "192.0.2.7"),
            ("[192.0.2.7]:4410", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[2001:db8::1]:22", "2001:db8::1"),
            ("2001:0db8:0:0:0:0:0:1", "2001:db8::1"),
            ("::ffff:192.0.2.7:4410", "192.0.2.7"),
            ("IPV4/UDP/192.0.2.7/5060", "192.0.2.7"),
            ("ipv4:192.0.2.7:62419", "192.0.2.7"),
            ("192.0.2.7, 10.0.0.1", "192.0.2.7"),
            ("fe80::1%eth0", "fe80::1"),
            ("::1", "::1"),
        ] {
            assert_eq!(read(written).as_deref(), Some(wanted), "{written}");
        }
        for text in ["12:59:53", "1.2.3", "256.1.1.1", "::", "0.0.0.0", "a::b::c", "host.example"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_client_is_preferred_over_the_server_and_the_proxy() {
        for (line, wanted) in [
            (
                "login failed, client: 192.0.2.7, server: 10.0.0.1, upstream: \"fcgi://127.0.0.1:9000\"",
                Some("192.0.2.7"),
            ),
            ("rip=192.0.2.7, lip=10.0.0.1, TLS", Some("192.0.2.7")),
            ("authenticator failed for ([192.0.2.9]) [192.0.2.7]:55379: 535", Some("192.0.2.7")),
            ("login from 10.9.9.9 (X-Forwarded-For: 192.0.2.7, 10.0.0.3) [Chrome/98.0.1.2]", Some("192.0.2.7")),
            ("Access denied for user 'x'@'192.0.2.7' (using password: YES)", Some("192.0.2.7")),
            ("remote host [ipv4:192.0.2.7:62419] local host [ipv4:10.1.1.1:445]", Some("192.0.2.7")),
            ("sent to 10.0.0.1", None),
            ("FAIL LOGIN: Client \"::ffff:192.0.2.7\"", Some("192.0.2.7")),
            ("[192.0.2.7, 172.18.0.2] for user", Some("192.0.2.7")),
            ("LocalAddress=\"IPV4/TCP/10.0.0.1/5038\",RemoteAddress=\"IPV4/TCP/192.0.2.7/6001\"", Some("192.0.2.7")),
            ("mx: ftp.example[192.0.2.7]: login failed on server 10.0.0.1", Some("192.0.2.7")),
            ("Host 192.0.2.7 failed to authenticate", Some("192.0.2.7")),
            ("10.0.0.1:993,192.0.2.7:50123,login failed", Some("192.0.2.7")),
            ("09:11 UTC:192.0.2.7(5011):ana@shop: password rejected", Some("192.0.2.7")),
            ("unknown user from 198.51.100.1, said from 192.0.2.7", Some("192.0.2.7")),
        ] {
            assert_eq!(client(line).as_deref(), wanted, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_search_panic(text in "[0-9a-f:.\\[\\]/@ ]{0,60}|\\PC{0,60}") {
            let _ = client(&text);
        }
    }
}
