//! Letters of a path and of a query: what every reader takes for the same.
//!
//! Some targets and proxies decode a path before they split it, some do so twice. A path is plain when
//! no such reading of it has another number of parts, or leads upwards.

/// Letters that stand in a path or a query as they are, with `%` of an encoded one.
const PLAIN: &[u8] = b"-._~!$&()*+,;=:@%";

/// Whether the path (without its query) is plain.
pub(super) fn path_is_plain(path: &str) -> Result<(), &'static str> {
    letters(path, b"/")?;
    let mut read = path.to_owned();
    loop {
        parts(&read)?;
        let again = decoded(&read).ok_or("an encoded part of the path is no text")?;
        if again == read {
            return Ok(());
        }
        if again.matches(['/', '\\']).count() != read.matches('/').count() {
            return Err("an encoded slash stands in the path");
        }
        if again.contains(|letter: char| letter.is_control()) {
            return Err("an encoded control character stands in the path");
        }
        read = again;
    }
}

/// Whether the query (without its `?`) is plain. Values in it are values to everyone, however encoded.
pub(super) fn query_is_plain(query: &str) -> Result<(), &'static str> {
    letters(query, b"/?")
}

fn letters(text: &str, also: &[u8]) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) || also.contains(&byte);
    if !text.bytes().all(plain) {
        return Err("a letter that must be encoded stands in the address");
    }
    let whole = |rest: &str| rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit);
    if !text.split('%').skip(1).all(whole) {
        return Err("a broken encoding stands in the address");
    }
    Ok(())
}

/// No part leads upwards or nowhere. What follows a `;` is an attribute of the part for some readers.
fn parts(path: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let last = parts.len() - 1;
    for (at, part) in parts.into_iter().enumerate() {
        let name = part.split(';').next().unwrap_or_default();
        if matches!(name.trim(), "." | "..") {
            return Err("a part of the path leads upwards");
        }
        if part.is_empty() && at < last {
            return Err("a part of the path is empty");
        }
    }
    Ok(())
}

/// Each `%XX` as its byte; what is no such encoding stays. None: the bytes are no text.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut read, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let pair = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let byte = pair.and_then(|pair| std::str::from_utf8(pair).ok()).and_then(hex);
        read.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(read).ok()
}

fn hex(pair: &str) -> Option<u8> {
    // `from_str_radix` would take a sign.
    pair.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u8::from_str_radix(pair, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_any_reader_could_read_differently_is_not_plain() {
        for path in ["", "/", "/a", "/a/b/", "/a%20b", "/caf%C3%A9", "/100%25", "/a;v=1/b", "/...", "/a..b", "/%25zz"] {
            assert_eq!(path_is_plain(path), Ok(()), "{path}");
        }
        for path in [
            "//",
            "//h",
            "/a//b",
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/%2e%2e/b",
            "/%2E%2e",
            "/.%2e/b",
            "/%252e%252e/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%252fb",
            "/a%5cb",
            "/a%255cb",
            "/..;/b",
            "/..;x=1/b",
            "/%2e%2e%3b/b",
            "/%c0%ae%c0%ae/b",
            "/%00",
            "/a%0d%0ab",
            "/a%250ab",
            "/a%7fb",
            "/%",
            "/%2",
            "/%zz",
            "/a\\b",
            "/a b",
            "/é",
            "/a#b",
            "/a?b",
            "/a\r\nb",
            "/..%20/b",
            "/%20../b",
        ] {
            assert!(path_is_plain(path).is_err(), "{path}");
        }
    }

    #[test]
    fn any_encoded_value_stands_in_a_query_and_no_bare_one_does() {
        for query in ["", "a=b", "a=%2F..%2F", "a=%0D%0A", "a/b?c"] {
            assert_eq!(query_is_plain(query), Ok(()), "{query}");
        }
        for query in ["a b", "a=#", "a=\r\nX: y", "a=\u{e9}", "a='", "a=%", "a=\\"] {
            assert!(query_is_plain(query).is_err(), "{query}");
        }
    }
}
