//! What a request line tells: the access logs of web servers, and requests inside other lines.

use std::borrow::Cow;

use stella_protocol::{Level, Timestamp};

use super::mapper::Head;
use super::{address, when};

/// Most words behind a path that are looked at.
const MOST_BEHIND: usize = 8;

const METHODS: [&str; 9] = ["GET", "POST", "PUT", "HEAD", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// Reads `ADDRESS IDENT USER [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 …`; the message begins
/// at the request.
pub(super) fn common_log(line: &str, received: Timestamp) -> Option<Head<'_>> {
    let open = line.get(..200.min(line.len())).unwrap_or(line).find(" [")?;
    let taken = when::take(&line[open + 2..], received)?;
    let rest = line[open + 2 + taken.len..].strip_prefix(']')?;
    let mut words = line[..open].split(' ').filter(|word| !word.is_empty());
    let client = words.next()?;
    let (before, user) = (words.next(), words.next());
    // `vhost:443 ADDRESS - user [` has the server in front.
    let (client, user) = match (address::read(client), before.and_then(address::read)) {
        (None, Some(second)) => (Some(second), words.next()),
        (first, _) => (first, user),
    };
    let message = rest.trim_start();
    if client.is_none() && !message.starts_with('"') {
        return None;
    }
    let mut head =
        Head { time: Some(taken.at), address: client, user: user.filter(|user| *user != "-"), ..Head::default() };
    head.message = Some(message);
    request(message, &mut head);
    head.level = head.status.map(|status| if status >= 500 { Level::Error } else { Level::Info });
    Some(head)
}

/// Finds a request and its answer in a sentence.
pub(super) fn request<'a>(text: &'a str, head: &mut Head<'a>) {
    let Some((at, method)) = method(text) else { return answered_path(text, head) };
    let rest = text[at + method.len()..].trim_start_matches([' ', '"']);
    let path = &rest[..rest.find([' ', '"', ',', '\t', ':']).unwrap_or(rest.len())];
    let whole = if path == "http" || path == "https" { whole_url(rest) } else { path };
    let path = if whole == path { path_of_host(path, rest) } else { whole };
    head.method = Some(method);
    head.path = Some(path);
    let after = &rest[(path.as_ptr() as usize - rest.as_ptr() as usize) + path.len()..];
    if head.status.is_none() {
        head.status = status_after(after).or_else(|| status_before(&text[..at])).or_else(|| status_at_end(after));
    }
    if head.address.is_none() {
        head.address = asked_from(&text[..at], after);
    }
}

/// Who asked: the word before the method or the one before that (a name may stand between); but where the
/// words behind the path hold an address, that one is the client, and the first is the server's own.
fn asked_from<'a>(lead: &'a str, after: &'a str) -> Option<Cow<'a, str>> {
    let plain = !lead.ends_with('"');
    let lead = lead.trim_end_matches(['"', ' ', '|', '-']);
    let own = lead.rsplit([' ', '|']).filter(|word| !word.is_empty()).take(2).find_map(address::read)?;
    let behind = || after.split(' ').take(MOST_BEHIND).find_map(address::read);
    Some(if plain { behind().unwrap_or(own) } else { own })
}

/// `https example.com "/path"`: the path of a host that is named on its own.
fn path_of_host<'a>(scheme: &'a str, rest: &'a str) -> &'a str {
    let quoted = || {
        let open = rest.find("\"/").filter(|_| scheme.starts_with("http"))?;
        let path = &rest[open + 1..];
        path.find('"').map(|end| &path[..end])
    };
    quoted().unwrap_or(scheme)
}

/// `/login: 401 192.0.2.7`: a path and its answer, without a method.
fn answered_path<'a>(text: &'a str, head: &mut Head<'a>) {
    if !text.starts_with('/') {
        return;
    }
    let path = &text[..text.find([' ', ':']).unwrap_or(text.len())];
    let after = text[path.len()..].trim_start_matches([':', ' ']);
    let Some(code) = status(after) else { return };
    head.path = Some(path);
    head.status = head.status.or(Some(code));
    if head.address.is_none() {
        head.address = after.split(' ').nth(1).and_then(address::read);
    }
}

fn whole_url(rest: &str) -> &str {
    &rest[..rest.find([' ', '"', ',', '\t']).unwrap_or(rest.len())]
}

/// The first HTTP method that a path follows.
fn method(text: &str) -> Option<(usize, &'static str)> {
    let bytes = text.as_bytes();
    memchr::memchr2_iter(b' ', b'"', bytes).find_map(|end| {
        let method = METHODS.into_iter().find(|method| bytes[..end].ends_with(method.as_bytes()))?;
        let start = end - method.len();
        let edge = start == 0 || !bytes[start - 1].is_ascii_alphanumeric();
        let path = text[end..].trim_start_matches([' ', '"']);
        (edge && (path.starts_with('/') || path.starts_with("http"))).then_some((start, method))
    })
}

/// `HTTP/1.1" 200`, `status: 200`, `returned 401`, `-> 500`, or a bare number that follows.
fn status_after(text: &str) -> Option<u16> {
    let mut rest = text.trim_start_matches([' ', '"']);
    if rest.starts_with("HTTP/") {
        rest = rest[rest.find(' ').unwrap_or(rest.len())..].trim_start_matches([' ', '"']);
    }
    let named = ["status:", "status=", "status ", "returned ", "code ", "code=", "code:", "responded ", "-> ", "→ "]
        .into_iter()
        .find_map(|word| rest.find(word).map(|at| &rest[at + word.len()..]));
    named.map(str::trim_start).and_then(status).or_else(|| status(rest))
}

/// `401 1 1326 234`: the answer, its details and the time taken, as numbers at the end of the line.
fn status_at_end(text: &str) -> Option<u16> {
    let numbers =
        text.rsplit(' ').take_while(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()));
    numbers.take(MOST_BEHIND).skip(2).filter_map(status).last()
}

/// `403: POST`, `| 401 | … | POST`.
fn status_before(text: &str) -> Option<u16> {
    let behind_timers = text.split(' ').skip_while(|word| word.matches('/').count() < 3).nth(1);
    if let Some(code) = behind_timers.and_then(status) {
        return Some(code);
    }
    let mut words = text.rsplit([' ', '|']).map(|word| word.trim_end_matches(':')).filter(|word| !word.is_empty());
    words.by_ref().take(6).find_map(|word| status(word).filter(|_| word.len() == 3))
}

/// A status at the start of the text.
pub(super) fn status(text: &str) -> Option<u16> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let code: u16 = text.get(..digits).filter(|_| digits == 3)?.parse().ok()?;
    let ends = text[digits..].chars().next().is_none_or(|letter| !letter.is_alphanumeric() && letter != '.');
    ((100..600).contains(&code) && ends).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_log_tells_who_asked_what_and_the_answer() {
        let line = "192.0.2.7 - ana [10/Oct/2000:13:55:36 -0700] \"POST /login HTTP/1.1\" 401 23 \"-\" \"curl\"";
        let head = common_log(line, Timestamp::default()).unwrap_or_default();
        assert_eq!((head.address.as_deref(), head.user, head.status), (Some("192.0.2.7"), Some("ana"), Some(401)));
        assert_eq!((head.method, head.path), (Some("POST"), Some("/login")));
        assert!(head.message.is_some_and(|message| message.starts_with("\"POST")));
    }

    #[test]
    fn a_request_is_found_inside_other_lines() {
        for (line, method, path, status, from) in [
            ("10.11.10.1 \"GET /v2/x HTTP/1.1\" status: 200 len: 1", "GET", "/v2/x", Some(200), Some("10.11.10.1")),
            (
                "172.17.0.2 POST /api/v1/login took 8ms and returned 401 65 bytes",
                "POST",
                "/api/v1/login",
                Some(401),
                Some("172.17.0.2"),
            ),
            ("App: 403: POST /api/sessions: 1.2.3.4: Invalid", "POST", "/api/sessions", Some(403), None),
            ("HTTP: POST http://example.com/auth/login", "POST", "http://example.com/auth/login", None, None),
        ] {
            let mut head = Head::default();
            request(line, &mut head);
            assert_eq!((head.method, head.path, head.status), (Some(method), Some(path), status), "{line}");
            assert_eq!(head.address.as_deref(), from, "{line}");
        }
        let mut head = Head::default();
        request("we GET nothing, budget /x", &mut head);
        assert_eq!(head.method, None);
    }
}
