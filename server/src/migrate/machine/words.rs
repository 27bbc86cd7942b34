//! Words that come from outside, cut to what a migration may cost on the wire; counts and durations in words.

use stella_protocol::Text;
use stella_protocol::migration::{OwnQueries, Verification};

use crate::words::clip;
pub(crate) use crate::words::{left, plain};

/// Most bytes of a line on the wire: a trail of 64 stays below 16 KiB of an event's 64.
const LINE: usize = 256;
/// Most bytes of a result, a reason or a statement on the wire.
const PARAGRAPH: usize = 1024;
/// Most bytes of what a check found, per kind: the report has all of it, an event only what fits into it.
const FOUND: usize = 12 * 1024;

/// A line of a trail, a note of a phase.
pub fn line(text: &str) -> Text {
    clip(&Text::from(text.to_owned()), LINE)
}

/// A result, a reason, a statement.
pub fn paragraph(text: &str) -> Text {
    clip(&Text::from(text.to_owned()), PARAGRAPH)
}

/// What a check found, as it may be sent whenever the migration changes.
pub fn short(found: &Verification) -> Verification {
    let mut short = found.clone();
    within(&mut short.first, |one| one.check.len() + one.what.len() + one.detail.len());
    for texts in [&mut short.first_changed, &mut short.checks, &mut short.not_checked] {
        within(texts, Text::len);
    }
    short
}

/// What the application was asked, as it may be sent whenever the migration changes.
pub fn few(queries: &OwnQueries) -> OwnQueries {
    let mut few = queries.clone();
    within(&mut few.items, |one| one.name.len());
    for query in &mut few.items {
        query.why_silent = query.why_silent.take().map(|why| line(why.raw()));
    }
    few
}

fn within<T>(items: &mut Vec<T>, bytes: impl Fn(&T) -> usize) {
    let mut spent = 0;
    items.retain(|item| {
        spent += bytes(item);
        spent <= FOUND
    });
}

/// A reason, as the end of a sentence.
pub fn because(text: &Text) -> String {
    let text = text.raw().trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// `1 document`, `31 documents`; the plural is the word with an `s`.
pub fn count(number: u64, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// A duration of people's choosing, in its largest whole unit: `7 d`, `36 h`, `60 s`.
pub fn span(millis: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min")];
    let millis = millis.max(0);
    let whole = |(unit, _): &&(i64, &str)| millis > *unit && millis % unit == 0;
    let (unit, word) = UNITS.iter().find(whole).copied().unwrap_or((1000, "s"));
    format!("{} {word}", millis / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_knows_one_and_a_span_its_largest_whole_unit() {
        assert_eq!([count(1, "batch document"), count(0, "document")], ["1 batch document", "0 documents"]);
        let spans = [7 * 86_400_000, 36 * 3_600_000, 60_000, 0, -5].map(span);
        assert_eq!(spans, ["7 d", "36 h", "60 s", "0 s", "0 s"]);
    }
}
