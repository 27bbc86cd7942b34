//! Spans of time as people write them: `30s`.

/// Units, the longest first, in milliseconds.
const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// `500ms`, `10s`, `15m`, `1h`, `7d` in milliseconds.
pub fn read_span(text: &str) -> Option<i64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = UNITS.iter().find(|(word, _)| *word == unit)?.1;
    number.parse::<i64>().ok()?.checked_mul(unit)
}

/// A span as people write it.
pub fn span_words(millis: i64) -> String {
    let fits = UNITS.iter().find(|(_, unit)| millis != 0 && millis % unit == 0);
    fits.map_or_else(|| "0s".to_owned(), |(word, unit)| format!("{}{word}", millis / unit))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_alike_and_nothing_else_is_one() {
        for text in ["500ms", "30s", "15m", "2h", "7d"] {
            assert_eq!(span_words(read_span(text).unwrap()), text);
        }
        for text in ["", "s", "5", "5 s", "-5s", "1.5s", "99999999999999999999d", "5x"] {
            assert_eq!(read_span(text), None, "{text}");
        }
    }
}
