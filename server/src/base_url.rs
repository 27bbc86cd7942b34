//! Base addresses: a narrow grammar instead of a whole URL parser, because whatever two parsers
//! understand differently is a way out of the allow-list.

/// Why a text is no base address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the base address: {0}")]
pub struct BadAddress(pub &'static str);

/// Longest address, in bytes.
const LONGEST: usize = 512;

/// A base address as it is kept: without a slash at its end.
///
/// `http://` or `https://`, then a host name, an IPv4 address or an IPv6 one in brackets, a port if
/// need be, and plain segments of a path. No user, query, fragment, escape or dot segment.
///
/// # Errors
/// What is wrong.
pub fn read_base_url(text: &str) -> Result<String, BadAddress> {
    let bad = |why| Err(BadAddress(why));
    if text.len() > LONGEST {
        return bad("it is longer than 512 bytes");
    }
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return bad("it begins with `http://` or `https://`, in small letters");
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    check_authority(authority)?;
    let path = path.trim_end_matches('/');
    let segment = |segment: &str| {
        let plain = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        plain && !segment.is_empty() && segment != "." && segment != ".."
    };
    if !path.is_empty() && !path[1..].split('/').all(segment) {
        return bad("its path has letters, digits and `-._~` only, and no query");
    }
    Ok(format!("{}{path}", &text[..text.len() - rest.len() + authority.len()]))
}

fn check_authority(authority: &str) -> Result<(), BadAddress> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(BadAddress("a `[` is never closed"))?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| BadAddress("what stands in `[]` is no IPv6 address"))?;
            (None, after.strip_prefix(':').or_else(|| after.is_empty().then_some("")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (Some(host), Some(port).filter(|port| !port.is_empty())),
            None => (Some(authority), Some("")),
        },
    };
    let port = port.ok_or(BadAddress("a port follows the `:`"))?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    if !port.is_empty() && (!digits || port.parse::<u16>().is_err()) {
        return Err(BadAddress("its port is no number from 1 to 65535"));
    }
    host.map_or(Ok(()), check_host)
}

fn check_host(host: &str) -> Result<(), BadAddress> {
    let label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        !label.is_empty() && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return Err(BadAddress("its host has small letters, digits, `-` and `.` only"));
    }
    // Whatever ends in a number is read as an IPv4 address by some: it has to be one for all.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    if numeric && host.parse::<std::net::Ipv4Addr>().is_err() {
        return Err(BadAddress("its host is half an address; write four decimal numbers"));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_as_it_is_written_but_for_its_last_slash() {
        for (text, kept) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://ops.example/", "https://ops.example"),
            ("https://ops.example/v1/app/", "https://ops.example/v1/app"),
            ("http://[::1]:9000/x", "http://[::1]:9000/x"),
        ] {
            assert_eq!(read_base_url(text).unwrap(), kept);
        }
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for text in [
            "ops.example",
            "ftp://ops.example",
            "HTTP://ops.example",
            "http://",
            "http://a@b",
            "http://a:b@c",
            "http://a\\b",
            "http://a?x",
            "http://a#x",
            "http://a:99999",
            "http://a:0",
            "http://a:",
            "http://2130706433",
            "http://0x7f.1",
            "http://127.1",
            "http://0177.0.0.1",
            "http://a/../b",
            "http://a/%2e%2e",
            "http://a//b",
            "http://a b",
            "http://a\r\nb",
            "http://ops.example.",
            "http://[::1",
            "http://[x]",
            "http://[::1]x",
            "http://аpple.example",
            "http://a_b",
            "http://-a",
            "http://[::ffff:1.2.3.4%25eth0]",
        ] {
            assert!(read_base_url(text).is_err(), "{text}");
        }
    }
}
