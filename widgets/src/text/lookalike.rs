//! Says when a text may read as something it is not.
//!
//! A heuristic for a mark beside a name, not a verdict: it sees words that mix scripts and
//! characters made to resemble ASCII, and it does not see a word written wholly in one foreign
//! script. Units that engineers write with Greek letters (`µs`, `kΩ`) do not count.

/// True when a word mixes Latin with letters that resemble it, or holds a character that imitates
/// ASCII (full-width digits, the one-dot leader, mathematical letters).
///
/// ```
/// use stella_widgets::text::looks_mixed;
///
/// assert!(looks_mixed("pr\u{43e}d"));
/// assert!(!looks_mixed("prod"));
/// ```
pub fn looks_mixed(text: &str) -> bool {
    !text.is_ascii()
        && (text.chars().any(imitates_ascii) || text.split(|c: char| !c.is_alphanumeric()).any(mixes_scripts))
}

/// Characters whose only use among ASCII is to look like it.
fn imitates_ascii(c: char) -> bool {
    matches!(c,
        '\u{ff01}'..='\u{ff5e}'
        | '\u{2024}' | '\u{2025}' | '\u{2044}' | '\u{2215}' | '\u{2236}' | '\u{29f8}'
        | '\u{a789}' | '\u{2010}'..='\u{2012}' | '\u{2043}'
        | '\u{1d400}'..='\u{1d7ff}'
        | '\u{2160}'..='\u{217f}'
    )
}

fn mixes_scripts(word: &str) -> bool {
    word.chars().any(is_latin) && word.chars().any(resembles_latin)
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || (matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && c.is_alphabetic())
}

/// Letters of other scripts; of Greek only those that pass for Latin ones.
fn resembles_latin(c: char) -> bool {
    matches!(c,
        '\u{400}'..='\u{52f}' | '\u{531}'..='\u{587}' | '\u{13a0}'..='\u{13fd}'
        | 'Α' | 'Β' | 'Ε' | 'Ζ' | 'Η' | 'Ι' | 'Κ' | 'Μ' | 'Ν' | 'Ο' | 'Ρ' | 'Τ' | 'Υ' | 'Χ'
        | 'α' | 'γ' | 'ι' | 'κ' | 'ν' | 'ο' | 'ρ' | 'υ' | 'χ' | 'ϲ' | 'ϳ'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cyrillic_letter_inside_a_latin_word_is_seen() {
        assert!(looks_mixed("deploy pr\u{43e}d now"));
        assert!(looks_mixed("\u{391}dmin"));
    }

    #[test]
    fn characters_that_imitate_ascii_are_seen() {
        assert!(looks_mixed("1\u{ff10}"));
        assert!(looks_mixed("10.0.0\u{2024}1"));
    }

    #[test]
    fn honest_foreign_words_and_units_pass() {
        for honest in ["привет prod", "日本語 host-1", "12µs", "12μs", "4kΩ", "café", "λ=3"] {
            assert!(!looks_mixed(honest), "{honest}");
        }
    }
}
