//! What each byte of a message is to the scanner, and the few closed lists of words it knows.
//!
//! Deliberately short lists of what the whole world writes alike (units, months, zones, truth values,
//! nouns that introduce a name); nothing here comes from one system's log.

/// Bits of [`CLASS`].
pub(super) const SPACE: u16 = 1;
pub(super) const WORD: u16 = 1 << 1;
pub(super) const DIGIT: u16 = 1 << 2;
pub(super) const DOT: u16 = 1 << 3;
pub(super) const COLON: u16 = 1 << 4;
pub(super) const SLASH: u16 = 1 << 5;
pub(super) const AT: u16 = 1 << 6;
pub(super) const BACKSLASH: u16 = 1 << 7;
pub(super) const UPPER: u16 = 1 << 8;
pub(super) const LOWER: u16 = 1 << 9;
pub(super) const UNDERSCORE: u16 = 1 << 10;
pub(super) const OPEN: u16 = 1 << 11;
pub(super) const CLOSE: u16 = 1 << 12;
pub(super) const QUOTE: u16 = 1 << 13;
/// What may stand between the members of a list.
pub(super) const BETWEEN: u16 = 1 << 14;

/// What makes a word more than letters, hyphens and underscores.
pub(super) const MARKED: u16 = DOT | COLON | SLASH | AT | BACKSLASH;

const fn class(byte: u8) -> u16 {
    match byte {
        b'\t' | b'\n' | b'\r' | b' ' | 0x0b | 0x0c => SPACE | BETWEEN,
        b'0'..=b'9' => WORD | DIGIT,
        b'A'..=b'Z' => WORD | UPPER,
        b'a'..=b'z' => WORD | LOWER,
        b'_' => WORD | UNDERSCORE,
        b'.' => WORD | DOT,
        b':' => WORD | COLON | BETWEEN,
        b'/' => WORD | SLASH | BETWEEN,
        b'@' => WORD | AT,
        b'\\' => WORD | BACKSLASH,
        b'-' | b'#' | b'&' => WORD | BETWEEN,
        b'+' | b'~' | b'%' | b'$' | b'*' | b'!' | b'?' | b'^' | 0x80.. => WORD,
        b'(' | b'[' | b'{' | b'<' => OPEN | BETWEEN,
        b')' | b']' | b'}' | b'>' => CLOSE | BETWEEN,
        b'"' | b'\'' | b'`' => QUOTE,
        b',' | b';' | b'|' => BETWEEN,
        _ => 0,
    }
}

const CLASSES: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = class(byte as u8);
        byte += 1;
    }
    table
};

/// The bits of a byte.
pub(super) const fn of(byte: u8) -> u16 {
    CLASSES[byte as usize]
}

/// Longest word in the lists below.
const LONGEST_LISTED: usize = 12;

/// Calls `test` with the word in small letters; false for a word that is in no list by its length.
fn small(word: &[u8], test: impl Fn(&[u8]) -> bool) -> bool {
    let mut buffer = [0; LONGEST_LISTED];
    let Some(lower) = buffer.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    test(lower)
}

/// What may follow a number and belongs to it: a unit of size or time, a zone, half of the day.
pub(super) fn is_unit(word: &[u8]) -> bool {
    small(word, |word| {
        matches!(
            word,
            b"b" | b"kb"
                | b"mb"
                | b"gb"
                | b"tb"
                | b"pb"
                | b"kib"
                | b"mib"
                | b"gib"
                | b"tib"
                | b"bytes"
                | b"byte"
                | b"ns"
                | b"us"
                | b"ms"
                | b"s"
                | b"sec"
                | b"secs"
                | b"second"
                | b"seconds"
                | b"min"
                | b"mins"
                | b"minute"
                | b"minutes"
                | b"h"
                | b"hr"
                | b"hrs"
                | b"hour"
                | b"hours"
                | b"day"
                | b"days"
                | b"msec"
                | b"msecs"
                | b"usec"
                | b"usecs"
                | b"millis"
                | b"kbps"
                | b"mbps"
                | b"gbps"
                | b"hz"
                | b"khz"
                | b"mhz"
                | b"ghz"
                | b"percent"
                | b"am"
                | b"pm"
                | b"utc"
                | b"gmt"
                | b"cet"
                | b"cest"
                | b"pst"
                | b"pdt"
                | b"est"
                | b"edt"
                | b"cst"
                | b"cdt"
                | b"mst"
                | b"mdt"
                | b"bst"
                | b"ist"
                | b"jst"
        )
    })
}

/// A month or a day of the week, as they stand in dates.
pub(super) fn is_calendar(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_uppercase)
        && (matches!(
            word,
            b"Jan"
                | b"Feb"
                | b"Mar"
                | b"Apr"
                | b"May"
                | b"Jun"
                | b"Jul"
                | b"Aug"
                | b"Sep"
                | b"Oct"
                | b"Nov"
                | b"Dec"
                | b"Mon"
                | b"Tue"
                | b"Wed"
                | b"Thu"
                | b"Fri"
                | b"Sat"
                | b"Sun"
        ) || small(word, |word| {
            matches!(
                word,
                b"january"
                    | b"february"
                    | b"march"
                    | b"april"
                    | b"june"
                    | b"july"
                    | b"august"
                    | b"september"
                    | b"october"
                    | b"november"
                    | b"december"
                    | b"monday"
                    | b"tuesday"
                    | b"wednesday"
                    | b"thursday"
                    | b"friday"
                    | b"saturday"
                    | b"sunday"
            )
        }))
}

/// A word that is a value wherever it stands.
pub(super) fn is_truth(word: &[u8]) -> bool {
    // The letter first: this is asked of every word.
    matches!(word.len(), 3..=9)
        && matches!(word[0], b't' | b'f' | b'n' | b'u' | b'T' | b'F' | b'N' | b'U')
        && small(word, |word| matches!(word, b"true" | b"false" | b"null" | b"nil" | b"none" | b"nan" | b"undefined"))
}

/// `for user`, `invalid user`: after both words comes a name.
pub(super) fn introduces_name(before: &[u8], noun: &[u8]) -> bool {
    matches!(noun.first(), Some(b'u' | b'a' | b'h' | b'l' | b'U' | b'A' | b'H' | b'L'))
        && small(noun, |noun| matches!(noun, b"user" | b"username" | b"account" | b"host" | b"hostname" | b"login"))
        && small(before, |word| {
            matches!(
                word,
                b"for" | b"by" | b"from" | b"of" | b"to" | b"as" | b"on" | b"invalid" | b"illegal" | b"unknown"
            )
        })
}
