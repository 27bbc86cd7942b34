//! Words that come from outside, cut to what a fix may cost on the wire.

use stella_protocol::Text;

use crate::words::clip;
pub(crate) use crate::words::{left, plain, sentence};

/// Most lines of a dry run that are kept.
pub const MOST_LINES: usize = 32;
/// Most bytes of a line on the wire: a trail of 64 stays below 16 KiB of an event's 64.
const LINE: usize = 256;
/// Most bytes of a result, a reason or a statement on the wire.
const PARAGRAPH: usize = 1024;

/// A line of a trail or a dry run.
pub fn line(text: &Text) -> Text {
    clip(text, LINE)
}

/// A result, a reason, a statement.
pub fn paragraph(text: &str) -> Text {
    clip(&Text::from(text.to_owned()), PARAGRAPH)
}

/// Some of them, with how many more there are.
pub fn list(texts: &[Text]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = texts.iter().take(SHOWN).map(plain).collect();
    let more = texts.len().saturating_sub(SHOWN);
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{rest}", shown.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_how_many_it_leaves_out() {
        let texts: Vec<Text> = (1..=7).map(|number| Text::from(format!("d{number}"))).collect();
        assert_eq!(list(&texts), "d1; d2; d3; d4; d5 and 2 more");
        assert_eq!(list(&texts[..1]), "d1");
    }
}
