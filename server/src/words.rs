//! What every machine does alike with words: names and sentences from outside as a refusal may say them, texts cut to
//! what they may cost on the wire, how long is left.
//!
//! Pure, and knows nothing of what is said. How much a text may cost is each machine's own.

mod clip;

use stella_protocol::{Text, Timestamp};

pub(crate) use clip::{clip, wire_len};

/// Longest name in a refusal, in letters.
const NAME: usize = 64;
/// Longest sentence in a refusal, in letters.
const SENTENCE: usize = 512;

/// A name as a refusal may say it: what is neither a letter, a digit nor plain punctuation becomes `·`,
/// so that it can carry no control and no trick of direction.
pub(crate) fn plain(text: &Text) -> String {
    letters(text, NAME)
}

/// A sentence, likewise.
pub(crate) fn sentence(text: &Text) -> String {
    letters(text, SENTENCE)
}

fn letters(text: &Text, most: usize) -> String {
    let letter = |letter: char| if letter.is_alphanumeric() || matches!(letter, ' '..='~') { letter } else { '·' };
    text.raw().chars().take(most).map(letter).collect()
}

/// How long from `now` to `then`: `11m 05s`, `40s`; `0s` when it is over.
pub(crate) fn left(now: Timestamp, then: Timestamp) -> String {
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
    fn what_is_left_is_never_less_than_nothing() {
        let left = |millis: i64| left(Timestamp::from_millis(1_000), Timestamp::from_millis(1_000 + millis));
        assert_eq!([left(665_999), left(40_000), left(-1)], ["11m 05s", "40s", "0s"]);
    }
}
