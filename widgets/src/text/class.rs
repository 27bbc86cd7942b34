//! What one character is to a terminal: itself, a space, a mark on the one before, or a danger.
//!
//! The classes follow what terminals do, not what Unicode calls things: a character is plain when
//! every terminal draws it alone, in one or two cells, without touching its neighbours. Whatever a
//! terminal may execute, hide, reorder or measure differently falls into another class. There is
//! deliberately no table of all of Unicode here: the standard library knows what is printable,
//! `unicode-width` how wide it is, and only the exceptions are listed.

use unicode_width::UnicodeWidthChar;

/// How the sanitiser treats one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Stands as itself.
    Plain,
    /// Some kind of blank; shown as so many ordinary spaces.
    Space(u8),
    /// The end of a line.
    Break,
    /// C0 or DEL; shown in caret notation.
    Control,
    /// C1: the eight-bit twin of an escape sequence; shown as its hexadecimal value.
    HighControl,
    /// A combining mark whose width (none) terminals agree on.
    Mark,
    /// Changes only how its neighbour looks (a selector, joiner, skin tone) and is measured
    /// differently from terminal to terminal.
    Modifier,
    /// Half of a flag.
    Region,
    /// A leading Hangul consonant, which may be composed with what follows.
    Lead,
    /// Invisible, reordering, unassigned or private: nothing of it may reach a terminal.
    Hidden,
}

/// The class of one character.
pub(crate) fn classify(c: char) -> Class {
    match c {
        ' '..='~' => Class::Plain,
        '\t' => Class::Space(super::TAB_WIDTH),
        '\n' => Class::Break,
        '\0'..='\x1f' | '\x7f' => Class::Control,
        '\u{80}'..='\u{9f}' => Class::HighControl,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' => Class::Space(1),
        '\u{3000}' => Class::Space(2),
        '\u{200c}' | '\u{200d}' => Class::Modifier,
        '\u{1f1e6}'..='\u{1f1ff}' => Class::Region,
        '\u{1100}'..='\u{1112}' => Class::Lead,
        _ if is_modifier(c) => Class::Modifier,
        _ if is_hidden(c) => Class::Hidden,
        _ if is_agreed_mark(c) && !is_disputed_mark(c) && c.width() == Some(0) => Class::Mark,
        _ => by_width(c),
    }
}

/// What remains is decided by its width, and by whether the standard library would print it.
fn by_width(c: char) -> Class {
    match c.width() {
        Some(0) => Class::Modifier,
        Some(1 | 2) if is_printable(c) && !is_disputed(c) => Class::Plain,
        _ => Class::Hidden,
    }
}

/// Variation selectors, skin tones, and the marks that enclose a neighbour (keycaps).
fn is_modifier(c: char) -> bool {
    matches!(c,
        '\u{fe00}'..='\u{fe0f}'
        | '\u{e0100}'..='\u{e01ef}'
        | '\u{1f3fb}'..='\u{1f3ff}'
        | '\u{20dd}'..='\u{20e0}'
        | '\u{20e2}'..='\u{20e4}'
        | '\u{a670}'..='\u{a672}'
    )
}

/// Invisible or reordering characters that some library reports as harmless: format characters,
/// fillers, the blank Braille cell, TAG characters, and conjoining jamo that stand alone.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{d4e}' | '\u{17b4}' | '\u{17b5}' | '\u{17d2}'
        | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1113}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{d7b0}'..='\u{d7ff}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{13455}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Combining marks of living scripts that every terminal we asked puts on the cell before.
fn is_agreed_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{591}'..='\u{5c7}'
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}'
        | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}' | '\u{eb1}'..='\u{ecd}'
        | '\u{1ab0}'..='\u{1abd}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20dc}' | '\u{20e1}' | '\u{20e5}'..='\u{20f0}'
        | '\u{3099}' | '\u{309a}' | '\u{fe20}'..='\u{fe2f}'
    )
}

/// Printable characters that terminals measure differently or do not know, found by asking them
/// for the cursor's place behind each character of Unicode.
///
/// Beyond the basic plane new characters come every year and old terminals draw nothing for them,
/// so only the long settled blocks pass.
fn is_disputed(c: char) -> bool {
    if c > '\u{ffff}' {
        return !is_settled(c);
    }
    matches!(c,
        '\u{88f}' | '\u{c5c}' | '\u{cdc}' | '\u{cf3}' | '\u{17a4}' | '\u{1b4e}' | '\u{1b4f}'
        | '\u{1b7f}' | '\u{1c89}' | '\u{1c8a}' | '\u{20c1}' | '\u{2427}'..='\u{2429}'
        | '\u{2630}'..='\u{2637}' | '\u{268a}'..='\u{268f}' | '\u{2b96}'
        | '\u{2ffc}'..='\u{2fff}' | '\u{31e4}' | '\u{31e5}' | '\u{31ef}'
        | '\u{3248}'..='\u{324f}' | '\u{a7cb}'..='\u{a7dc}' | '\u{a7f1}'
        | '\u{fbc3}'..='\u{fbd2}' | '\u{fd90}' | '\u{fd91}' | '\u{fdc8}'..='\u{fdce}'
    )
}

/// Characters beyond the basic plane that terminals have known for years: mathematical letters,
/// pictures, ideographs.
fn is_settled(c: char) -> bool {
    matches!(c,
        '\u{1d400}'..='\u{1d7ff}'
        | '\u{1f000}'..='\u{1f6d7}' | '\u{1f6dd}'..='\u{1f6fc}'
        | '\u{1f7e0}'..='\u{1f7eb}' | '\u{1f90c}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2b738}'
        | '\u{2b740}'..='\u{2b81d}' | '\u{2b820}'..='\u{2cea1}'
        | '\u{2ceb0}'..='\u{2ebe0}' | '\u{30000}'..='\u{3134a}'
    )
}

/// Vowel signs that take no cell by one table and one by another.
fn is_disputed_mark(c: char) -> bool {
    matches!(
        c,
        '\u{9be}' | '\u{9d7}' | '\u{b3e}' | '\u{b57}' | '\u{bbe}' | '\u{bd7}' | '\u{cc0}'
            ..='\u{ccb}' | '\u{cd5}' | '\u{cd6}' | '\u{d3e}' | '\u{d57}' | '\u{dcf}' | '\u{ddf}'
    )
}

/// True unless the character is a separator, unassigned, private or a format character: the
/// standard library escapes exactly those when it prints for debugging.
fn is_printable(c: char) -> bool {
    c.escape_debug().len() == 1
}
