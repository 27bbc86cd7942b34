//! Words that come from outside, cut to what a fix may cost on the wire, and names as a refusal may say them.

use stella_protocol::{Text, Timestamp};

use crate::alerts::clip;

/// Most lines of a dry run that are kept.
pub const MOST_LINES: usize = 32;
/// Most bytes of a line on the wire: a trail of 64 stays below 16 KiB of an event's 64.
const LINE: usize = 256;
/// Most bytes of a result, a reason or a statement on the wire.
const PARAGRAPH: usize = 1024;
/// Longest name in a refusal, in letters.
const NAME: usize = 64;
/// Longest sentence in a refusal, in letters.
const SENTENCE: usize = 512;

/// A line of a trail or a dry run.
pub fn line(text: &Text) -> Text {
    clip(text, LINE)
}

/// A result, a reason, a statement.
pub fn paragraph(text: &str) -> Text {
    clip(&Text::from(text.to_owned()), PARAGRAPH)
}

/// A name as a refusal may say it: what is neither a letter, a digit nor plain punctuation becomes `·`,
/// so that it can carry no control and no trick of direction.
pub fn plain(text: &Text) -> String {
    letters(text, NAME)
}

/// A sentence, likewise.
pub fn sentence(text: &Text) -> String {
    letters(text, SENTENCE)
}

fn letters(text: &Text, most: usize) -> String {
    let letter = |letter: char| if letter.is_alphanumeric() || matches!(letter, ' '..='~') { letter } else { '·' };
    text.raw().chars().take(most).map(letter).collect()
}

/// Some of them, with how many more there are.
pub fn list(texts: &[Text]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = texts.iter().take(SHOWN).map(plain).collect();
    let more = texts.len().saturating_sub(SHOWN);
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{rest}", shown.join("; "))
}

/// How long from `now` to `then`: `11m 05s`, `40s`; `0s` when it is over.
pub fn left(now: Timestamp, then: Timestamp) -> String {
    let seconds = then.since(now).max(0) / 1000;
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m {:02}s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_refusal_carries_no_control_and_no_trick_of_direction() {
        assert_eq!(plain(&Text::from("\u{1b}[2Jana\u{202e}\u{200b}é@x")), "·[2Jana··é@x");
        assert_eq!(plain(&Text::from("x".repeat(500))).len(), NAME);
    }

    #[test]
    fn a_list_says_how_many_it_leaves_out() {
        let texts: Vec<Text> = (1..=7).map(|number| Text::from(format!("d{number}"))).collect();
        assert_eq!(list(&texts), "d1; d2; d3; d4; d5 and 2 more");
        assert_eq!(list(&texts[..1]), "d1");
    }
}
