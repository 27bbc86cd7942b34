//! Amounts inside text: how long something took, and which operation it was.

/// Words after which an amount of time is a setting, not something that was measured.
const SETTINGS: [&str; 12] = [
    "timeout",
    "threshold",
    "limit",
    "every",
    "interval",
    "delay",
    "retry",
    "retrying",
    "sleep",
    "within",
    "max",
    "ttl",
];

/// Words after which a bare number of seconds is something that was measured.
const MEASURED: [&str; 12] = [
    "took",
    "elapsed",
    "duration",
    "latency",
    "in",
    "after",
    "time",
    "lasted",
    "finished",
    "completed",
    "durationms",
    "lag",
];

/// Longest name of a class before `Error` or `Exception`.
const LONGEST_CLASS: usize = 100;

/// Reads a duration with its unit: `0.3s`, `12 ms`, `505.317µs`, `1m2s`. In milliseconds.
pub(super) fn duration(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut total = None;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_text = rest[digits..].trim_start();
        let letters = unit_text.bytes().take_while(|byte| !byte.is_ascii_digit() && *byte != b' ').count();
        let factor = unit(&unit_text[..letters])?;
        total = Some(total.unwrap_or(0.0) + number * factor);
        rest = unit_text[letters..].trim_start();
    }
    total
}

/// Milliseconds in a unit.
fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "ns" | "nanoseconds" => 1e-6,
        "us" | "µs" | "μs" | "microseconds" => 1e-3,
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
        "m" | "min" | "mins" | "minute" | "minutes" => 6e4,
        "h" | "hr" | "hour" | "hours" => 3.6e6,
        _ => return None,
    })
}

/// A duration found inside a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found<'a> {
    pub millis: f64,
    /// The operation that the sentence names, when it does.
    pub operation: Option<&'a str>,
}

/// The first duration that the sentence says was measured. Linear: each `s` is looked at once.
pub(super) fn find(text: &str) -> Option<Found<'_>> {
    memchr::memchr_iter(b's', text.as_bytes()).find_map(|end| amount(text, end))
}

/// The amount whose unit ends with the `s` at `end`.
fn amount(text: &str, end: usize) -> Option<Found<'_>> {
    let bytes = text.as_bytes();
    if bytes.get(end + 1).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'/') {
        return None;
    }
    let unit_at = text[..end].rfind(|letter: char| !letter.is_alphabetic()).map_or(0, |at| at + 1);
    let unit_at = (unit_at..=end).find(|at| text.is_char_boundary(*at))?;
    let factor = unit(&text[unit_at..=end])?;
    let number_end = text[..unit_at].trim_end_matches(' ').len();
    let before = &bytes[..number_end];
    let run = before.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let number_at = number_end - run;
    let value: f64 = text[number_at..number_end].parse().ok()?;
    let lead = text[..number_at].trim_end_matches([' ', ':', '=', '(', '[', '"', '~']);
    if number_at > 0 && bytes[number_at - 1].is_ascii_alphabetic() {
        return None;
    }
    let word = last_word(lead);
    let before = last_word(lead[..lead.len() - word.len()].trim_end());
    let is_setting = |word: &str| SETTINGS.iter().any(|setting| word.eq_ignore_ascii_case(setting));
    if is_setting(word) || (matches!(word, "in" | "of" | "after") && is_setting(before)) {
        return None;
    }
    let measured = MEASURED.iter().any(|said| word.eq_ignore_ascii_case(said));
    if factor > 1.0 && !measured {
        return None;
    }
    let subject = if measured { lead[..lead.len() - word.len()].trim_end_matches([' ', ':']) } else { lead };
    let subject = subject.trim_end_matches(" completed").trim_end_matches(" finished").trim_end_matches(" request");
    Some(Found { millis: value * factor, operation: Some(last_word(subject)).filter(|word| is_name(word)) })
}

fn last_word(text: &str) -> &str {
    text.rfind([' ', '\t', '(', '[', '"', '\'']).map_or(text, |at| &text[at + 1..])
}

/// A name that a program gave, not a word of a sentence: `get_agents`, `user.find`, `loadMessages`.
fn is_name(word: &str) -> bool {
    let inner = word.len() > 2
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'#'))
        && word.as_bytes()[0].is_ascii_alphabetic();
    let joined = word[1.min(word.len())..].bytes().any(|byte| matches!(byte, b'_' | b'.') || byte.is_ascii_uppercase());
    inner && joined && !word.ends_with('.') && word.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// The class of an error that a sentence or a trace names: `TypeError: …`, `java.io.IOException`.
pub(super) fn error_class(text: &str) -> Option<&str> {
    for (at, _) in text.match_indices('E') {
        let rest = &text[at..];
        let Some(len) = ["Exception", "Error"].iter().find_map(|word| rest.starts_with(word).then_some(word.len()))
        else {
            continue;
        };
        let end = at + len;
        let open = text[end..].starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
        if open {
            continue;
        }
        let name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'_' | b'$');
        let run = text.as_bytes()[..at].iter().rev().take(LONGEST_CLASS).take_while(name).count();
        let class = &text[at - run..end];
        if run > 0 && run < LONGEST_CLASS && class.as_bytes()[0].is_ascii_alphabetic() {
            return Some(class);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_with_its_unit() {
        for (said, millis) in
            [("0.3s", 300.0), ("12 ms", 12.0), ("505.5µs", 0.5055), ("1m2s", 62_000.0), ("2 minutes", 120_000.0)]
        {
            assert!(duration(said).is_some_and(|found| (found - millis).abs() < 1e-9), "{said}");
        }
        assert_eq!((duration("12"), duration("fast"), duration("")), (None, None, None));
    }

    #[test]
    fn a_sentence_says_what_took_how_long() {
        let said = |text| find(text).map(|found| (found.millis, found.operation));
        assert_eq!(said("Slow get_shared_agents: 734ms (threshold: 200ms)"), Some((734.0, Some("get_shared_agents"))));
        assert_eq!(said("user.find took 1.5s"), Some((1500.0, Some("user.find"))));
        assert_eq!(said("POST /api/v1/login took 8ms and returned 401"), Some((8.0, None)));
        assert_eq!(said("gave up: timeout of 5000ms exceeded"), None);
        assert_eq!(said("retrying in 20 s, version 2.0s1"), None);
        assert_eq!(said("keeps 3 users"), None);
    }

    #[test]
    fn the_class_of_an_error_is_found_in_its_text() {
        assert_eq!(error_class("Uncaught TypeError: x is undefined"), Some("TypeError"));
        assert_eq!(error_class("java.net.ConnectException: refused"), Some("ConnectException"));
        assert_eq!(error_class("an Error happened, ErrorCode 5"), None);
    }
}
