//! Cutting outside text to what it may cost on the wire, so that no event can grow beyond its limit.
//!
//! Lengths are those of the JSON string, because a control character costs six bytes there. Nothing
//! here makes a text safe to show: that is the reader's sanitiser.

use stella_protocol::Text;

/// Stands where something was cut off.
const MARK: char = '…';

/// Bytes that `text` takes between the quotes of a JSON string.
pub fn wire_len(text: &str) -> usize {
    text.chars().map(cost).sum()
}

/// `text` with at most `most` bytes on the wire; what was cut is marked with `…`.
pub fn clip(text: &Text, most: usize) -> Text {
    if text.len().saturating_mul(6) <= most || wire_len(text.raw()) <= most {
        return text.clone();
    }
    let (mut kept, mut spent) = (String::new(), MARK.len_utf8());
    for letter in text.raw().chars() {
        spent += cost(letter);
        if spent > most {
            break;
        }
        kept.push(letter);
    }
    kept.push(MARK);
    Text::new(kept)
}

fn cost(letter: char) -> usize {
    match letter {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => letter.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_length_is_the_one_that_json_takes(text in ".{0,60}|[\\x00-\\x20\"\\\\]{0,30}") {
            let wire = serde_json::to_string(&text).unwrap_or_default();
            proptest::prop_assert_eq!(wire_len(&text) + 2, wire.len());
        }

        #[test]
        fn a_cut_text_fits_and_an_uncut_one_is_whole(text in ".{0,60}|[\\x00-\\x20]{0,30}", most in 3_usize..80) {
            let whole = wire_len(&text) <= most;
            let cut = clip(&Text::new(text.clone()), most);
            proptest::prop_assert!(wire_len(cut.raw()) <= most);
            proptest::prop_assert_eq!(cut.raw() == text, whole);
        }
    }
}
