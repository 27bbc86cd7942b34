//! Text from outside as a chat may show it.

/// Longest text of a message, in characters, escapes included.
const LONGEST: usize = 1000;
/// Stands where something was cut off.
const MARK: char = '…';

/// What came from outside on one line of at most `most` characters: controls, directions and letters
/// that nobody sees become `U+FFFD`, line breaks and tabs spaces.
pub(super) fn clean(text: &str, most: usize) -> String {
    let mut letters = text.chars();
    let mut kept: String = letters.by_ref().take(most).map(shown).collect();
    if letters.next().is_some() {
        kept.pop();
        kept.push(MARK);
    }
    kept
}

fn shown(letter: char) -> char {
    match letter {
        '\n' | '\r' | '\t' => ' ',
        hidden if hidden.is_control() || is_hidden(hidden) => char::REPLACEMENT_CHARACTER,
        honest => honest,
    }
}

/// Format characters, separators of lines, fillers, variation selectors, tags: what changes how others
/// look, or is not seen at all.
fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
        | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text in which nothing is markup: `&`, `<` and `>` escaped as Slack wants it, cut to 1,000
/// characters and never inside an escape.
pub(super) fn escaped(text: &str) -> String {
    let (mut written, mut spent) = (String::with_capacity(text.len()), 0);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut plain = [0; 4];
        let piece = match letter {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            other => other.encode_utf8(&mut plain),
        };
        let size = piece.chars().count();
        // The mark needs a place too, unless this is the last one.
        let room = if letters.peek().is_some() { LONGEST - 1 } else { LONGEST };
        if spent + size > room {
            written.push(MARK);
            break;
        }
        spent += size;
        written.push_str(piece);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_or_turns_others_round_is_marked() {
        let hostile = "a\x1b[2J\u{202e}b\u{200b}\u{9b}\u{2066}\nc\u{e0041}\u{2028}\u{fe0f}é漢";
        assert_eq!(clean(hostile, 99), "a\u{fffd}[2J\u{fffd}b\u{fffd}\u{fffd}\u{fffd} c\u{fffd}\u{fffd}\u{fffd}é漢");
        assert_eq!((clean("abcd", 3), clean("abc", 3)), ("ab…".to_owned(), "abc".to_owned()));
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(escaped("<!channel> & <https://x|y>"), "&lt;!channel&gt; &amp; &lt;https://x|y&gt;");
    }

    proptest::proptest! {
        #[test]
        fn any_text_fits_and_no_escape_is_cut(text in "([&<>x]{990,1010})|(.{0,40})|([&<>]{190,340})") {
            let written = escaped(&text);
            proptest::prop_assert!(written.chars().count() <= LONGEST);
            let bare = written.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            proptest::prop_assert!(!bare.contains(['&', '<', '>']));
            let whole = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            proptest::prop_assert_eq!(written == whole, whole.chars().count() <= LONGEST);
        }
    }
}
