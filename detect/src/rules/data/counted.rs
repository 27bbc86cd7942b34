//! How much a line says that there is: in an attribute, or in words ("found 12 documents").
//!
//! By name and shape only, in one pass; knows no rule.

use std::borrow::Cow;

use stella_protocol::LogEvent;

/// What is counted, where an attribute or a sentence says so.
const THINGS: [&str; 14] = [
    "result",
    "hit",
    "match",
    "item",
    "document",
    "record",
    "row",
    "entry",
    "conversation",
    "message",
    "agent",
    "product",
    "file",
    "order",
];
/// Attributes that count and name no thing.
const PLAIN: [&str; 5] = ["count", "total", "found", "returned", "size"];
/// In a name that counts: something else than what is there.
const NOT: [&str; 8] = ["retry", "error", "attempt", "fail", "warn", "page", "byte", "token"];
/// Attributes that are looked at.
const MOST: usize = 8;
/// Digits of a count.
const DIGITS: usize = 12;

/// What a line counts, and how much of it there is.
pub(super) fn of<'a>(event: &'a LogEvent<'_>) -> Option<(Cow<'a, str>, f64)> {
    let said =
        event.attributes.iter().take(MOST).find_map(|(name, value)| Some((name, value.as_f64()?, counts(name)?)));
    match said {
        Some((name, count, ())) => Some((Cow::Borrowed(name.as_str()), count)),
        None => in_words(event.message.raw()).map(|(thing, count)| (Cow::Borrowed(thing), count)),
    }
}

/// Longest name that is read, in bytes: longer ones count nothing that anybody looks for.
const LONGEST: usize = 48;

/// Some when an attribute of this name counts what is there.
fn counts(name: &str) -> Option<()> {
    let mut room = [0; LONGEST];
    let name = lowered(name, &mut room)?;
    if PLAIN.contains(&name) || singular(name).is_some() {
        return Some(());
    }
    let counted = name.ends_with("count") && name.len() > 5 || name.starts_with("total") || name.starts_with("num");
    let says = |word: &str| crate::mark::says(name.as_bytes(), word.as_bytes());
    (counted && THINGS.into_iter().any(says) && !NOT.into_iter().any(says)).then_some(())
}

/// The word in small letters; None where it is too long.
fn lowered<'a>(word: &str, room: &'a mut [u8; LONGEST]) -> Option<&'a str> {
    let room = room.get_mut(..word.len())?;
    room.copy_from_slice(word.as_bytes());
    room.make_ascii_lowercase();
    std::str::from_utf8(room).ok()
}

/// The thing of which a word in small letters is the plural.
fn singular(word: &str) -> Option<&'static str> {
    let is_thing = |stem: &str| THINGS.into_iter().find(|thing| *thing == stem);
    let many = word.strip_suffix('s')?;
    let ies = |stem: &str| THINGS.into_iter().find(|thing| thing.strip_suffix('y') == Some(stem));
    is_thing(many).or_else(|| is_thing(many.strip_suffix('e')?)).or_else(|| ies(many.strip_suffix("ie")?))
}

/// A number with a thing behind it: `returned 0 results`.
fn in_words(message: &str) -> Option<(&'static str, f64)> {
    let bytes = message.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let next = bytes[at..].iter().position(u8::is_ascii_digit)?;
        let from = at + next;
        let digits = bytes[from..].iter().take(DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
        at = from + digits;
        let stands_alone = from == 0 || matches!(bytes[from - 1], b' ' | b'=' | b':' | b'(');
        if !stands_alone || bytes.get(at) != Some(&b' ') {
            continue;
        }
        let word = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = message.get(at + 1..at + 1 + word)?;
        let mut room = [0; LONGEST];
        let Some(word) = lowered(word, &mut room) else { continue };
        let thing = singular(word).or_else(|| THINGS.into_iter().find(|thing| *thing == word));
        if let Some(thing) = thing {
            return Some((thing, message[from..at].parse().ok()?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_known_by_their_names_and_by_what_stands_behind_a_number() {
        for name in ["itemCount", "result_count", "hits", "matches", "total", "documentCount", "totalRows", "entries"] {
            assert!(counts(name).is_some(), "{name}");
        }
        for name in ["retryCount", "errorCount", "accountId", "country", "pageCount", "statusCode"] {
            assert!(counts(name).is_none(), "{name}");
        }
        assert_eq!(in_words("search took 12 ms and returned 0 results"), Some(("result", 0.0)));
        assert_eq!(in_words("found 12 documents"), Some(("document", 12.0)));
        assert_eq!(in_words("v2 records done in 7 ms"), None);
    }
}
