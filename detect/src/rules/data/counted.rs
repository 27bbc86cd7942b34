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
/// Counts of something else than what is there.
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

/// Some when an attribute of this name counts what is there.
fn counts(name: &str) -> Option<()> {
    let says = |word: &str| crate::mark::says(name.as_bytes(), word.as_bytes());
    let plain = PLAIN.iter().any(|word| name.eq_ignore_ascii_case(word));
    let thing = || THINGS.iter().any(|thing| is_plural(name, thing));
    let begins = |word: &str| name.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    let ends = name.len() > 5 && name.get(name.len() - 5..).is_some_and(|end| end.eq_ignore_ascii_case("count"));
    let counted = ends || begins("total") || begins("num");
    let told = plain || thing() || counted && THINGS.iter().any(|thing| says(thing));
    (told && !NOT.iter().any(|word| says(word))).then_some(())
}

fn is_plural(word: &str, thing: &str) -> bool {
    let stem = thing.strip_suffix('y').map_or(thing.len(), str::len);
    if !(stem + 1..=stem + 3).contains(&word.len()) {
        return false;
    }
    let Some((head, tail)) = word.split_at_checked(stem) else { return false };
    head.eq_ignore_ascii_case(&thing[..stem])
        && ["s", "es", "ies"].iter().any(|ending| tail.eq_ignore_ascii_case(ending))
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
        let thing = THINGS.into_iter().find(|thing| is_plural(word, thing) || word.eq_ignore_ascii_case(thing));
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
