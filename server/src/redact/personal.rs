//! What points at a person by its shape: e-mail addresses, phone numbers, national ids.
//!
//! Used in `strict` only. Numbers without a sign, a mark or a valid check digit are left alone: ids,
//! times and amounts are numbers too. A pattern runs only where a glance at the runs of digits says that
//! it may fit: addresses, times and trace ids cost no pattern at all.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// A kind of personal text, in the order in which they are taken out.
struct Kind {
    pattern: &'static str,
    mark: &'static str,
    /// Judges what the pattern found.
    valid: fn(&str) -> bool,
}

const EMAIL: usize = 0;
const CPF: usize = 1;
const RUT: usize = 2;
const DNI: usize = 3;
const SSN: usize = 4;
const PHONE: usize = 5;

const KINDS: [Kind; 6] = [
    Kind { pattern: r"[A-Za-z0-9._%+-]+@[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]{2,}", mark: "[email]", valid: |_| true },
    Kind { pattern: r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b", mark: "[national-id]", valid: |_| true },
    Kind {
        pattern: r"\b(?:[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}|[0-9]{7,8})-[0-9kK]\b",
        mark: "[national-id]",
        valid: is_rut,
    },
    Kind { pattern: r"\b[0-9]{8}-?[A-Z]\b", mark: "[national-id]", valid: is_dni },
    Kind { pattern: r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", mark: "[national-id]", valid: is_ssn },
    Kind {
        pattern: r"\+[1-9][0-9]{0,2}(?:[ .\-]?\(?[0-9]{1,4}\)?){2,5}|\(?\b[2-9][0-9]{2}\)?[ .-][0-9]{3}[.-][0-9]{4}\b",
        mark: "[phone]",
        valid: is_phone,
    },
];

/// The least digits of anything here but an e-mail address: a Chilean id with the check letter K.
const FEWEST_DIGITS: usize = 7;

/// A block's digits are counted in one byte.
const BLOCK: usize = 64;

static PATTERNS: LazyLock<Option<Vec<Regex>>> =
    LazyLock::new(|| KINDS.iter().map(|kind| Regex::new(kind.pattern)).collect::<Result<_, _>>().ok());

/// The text with persons masked; None: there is none in it.
pub(super) fn mask(text: &str) -> Option<String> {
    let mut possible = Possible::within(text.as_bytes());
    if possible.is_nothing() {
        return None;
    }
    let mut now = Cow::Borrowed(text);
    for (at, (kind, pattern)) in KINDS.iter().zip(PATTERNS.as_ref()?).enumerate() {
        if possible.has(at)
            && let Some(changed) = replaced(&now, pattern, kind)
        {
            // What stood beside the found text has an edge now.
            possible = Possible::within(changed.as_bytes());
            now = Cow::Owned(changed);
        }
    }
    match now {
        Cow::Owned(changed) => Some(changed),
        Cow::Borrowed(_) => None,
    }
}

fn replaced(text: &str, pattern: &Regex, kind: &Kind) -> Option<String> {
    let mut changed = String::new();
    let mut kept = 0;
    for found in pattern.find_iter(text).filter(|found| (kind.valid)(found.as_str())) {
        changed.push_str(&text[kept..found.start()]);
        changed.push_str(kind.mark);
        kept = found.end();
    }
    (kept > 0).then(|| changed + &text[kept..])
}

/// The kinds that a text may hold: every kind whose pattern finds something valid in it, and perhaps more.
#[derive(Clone, Copy)]
struct Possible(u8);

impl Possible {
    fn within(text: &[u8]) -> Self {
        let mut found = Self(0);
        if memchr::memchr_iter(b'@', text).any(|at| is_in_mail(text, at)) {
            found.add(EMAIL);
        }
        if digits_in(text) < FEWEST_DIGITS {
            return found;
        }
        let mut end = 0;
        while let Some(skipped) = text[end..].iter().position(u8::is_ascii_digit) {
            let start = end + skipped;
            end = start + text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            found.look_around(&text[..start], &text[start..end], &text[end..]);
        }
        found
    }

    /// What a whole run of digits may be a part of; each pattern has one run by which it is known here.
    fn look_around(&mut self, before: &[u8], run: &[u8], after: &[u8]) {
        if before.last() == Some(&b'+') && run[0] != b'0' {
            self.add(PHONE);
        }
        match run.len() {
            2 if ends_like(before, b"000.000.000-") => self.add(CPF),
            3 if ends_like(before, b"0.000.") && begins_with_check(after) => self.add(RUT),
            4 if ends_like(before, b"000-00-") => self.add(SSN),
            4 if ends_like(before, b"0_000/") || ends_like(before, b"0)_000/") => self.add(PHONE),
            7 if begins_with_check(after) => self.add(RUT),
            8 => match after {
                [b'A'..=b'Z', ..] | [b'-', b'A'..=b'J' | b'L'..=b'Z', ..] => self.add(DNI),
                [b'-', b'K', ..] => {
                    self.add(DNI);
                    self.add(RUT);
                }
                [b'-', b'0'..=b'9' | b'k', ..] => self.add(RUT),
                _ => {}
            },
            _ => {}
        }
    }

    fn add(&mut self, kind: usize) {
        self.0 |= 1 << kind;
    }

    fn has(self, kind: usize) -> bool {
        self.0 & (1 << kind) != 0
    }

    fn is_nothing(self) -> bool {
        self.0 == 0
    }
}

/// How many digits stand in the text, counted in bytes by blocks so that a processor counts many at once.
fn digits_in(text: &[u8]) -> usize {
    let counted = |block: &[u8]| block.iter().map(|byte| u8::from(byte.is_ascii_digit())).sum::<u8>();
    text.chunks(BLOCK).map(|block| usize::from(counted(block))).sum()
}

/// True when this `@` has letters of an address on both sides.
fn is_in_mail(text: &[u8], at: usize) -> bool {
    let local = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-');
    text[..at].last().is_some_and(local) && text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
}

/// `0` stands for any digit, `/` for a dot or dash, `_` for a blank too.
fn ends_like(text: &[u8], shape: &[u8]) -> bool {
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'/' => matches!(byte, b'.' | b'-'),
        b'_' => matches!(byte, b' ' | b'.' | b'-'),
        _ => byte == shape,
    };
    text.len() >= shape.len() && text.iter().rev().zip(shape.iter().rev()).all(fits)
}

/// True for the end of a Chilean id.
fn begins_with_check(text: &[u8]) -> bool {
    matches!(text, [b'-', b'0'..=b'9' | b'k' | b'K', ..])
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> + '_ {
    text.bytes().filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0'))
}

fn is_phone(text: &str) -> bool {
    (8..=15).contains(&digits(text).count())
}

/// No number begins with 000, 666 or 9, and no part of it is all zero.
fn is_ssn(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    !matches!(parts.first(), Some(&("000" | "666")))
        && !text.starts_with('9')
        && !parts.contains(&"00")
        && !parts.contains(&"0000")
}

/// Chile: the last sign is 11 minus the weighted sum modulo 11.
fn is_rut(text: &str) -> bool {
    let Some((number, check)) = text.rsplit_once('-') else { return false };
    let sum: u32 =
        digits(number).rev().zip([2, 3, 4, 5, 6, 7].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    let wanted = match 11 - sum % 11 {
        11 => "0".to_owned(),
        10 => "K".to_owned(),
        rest => rest.to_string(),
    };
    check.eq_ignore_ascii_case(&wanted)
}

/// Spain: the letter follows from the number modulo 23.
fn is_dni(text: &str) -> bool {
    let number = digits(text).fold(0, |number, digit| number * 10 + digit);
    text.bytes().next_back() == Some(b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::strategy::Strategy;

    #[test]
    fn persons_are_masked_by_their_kind() {
        for (text, wanted) in [
            ("mail ana.b+x@mail.example.com now", "mail [email] now"),
            ("call +56 9 1234 5678 or (555) 123-4567", "call [phone] or [phone]"),
            ("ssn 123-45-6789", "ssn [national-id]"),
            ("rut 12.345.678-5", "rut [national-id]"),
            ("dni 12345678Z", "dni [national-id]"),
            ("cpf 123.456.789-09", "cpf [national-id]"),
        ] {
            assert_eq!(mask(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn numbers_that_point_at_nobody_stay() {
        for text in [
            "took 1234567 ms at 1764000000000",
            "2024-01-31 10:11:12.123",
            "rut 12.345.678-6",
            "id 12345678A",
            "192.168.100.200:5432",
            "blk_-1608999687919862906",
            "user@host",
        ] {
            assert_eq!(mask(text), None, "{text}");
        }
    }

    /// Every pattern on every text, in order.
    fn masked_slowly(text: &str) -> Option<String> {
        let mut now = text.to_owned();
        for (kind, pattern) in KINDS.iter().zip(PATTERNS.as_ref().into_iter().flatten()) {
            let judged = |found: &regex::Captures<'_>| {
                if (kind.valid)(&found[0]) { kind.mark.to_owned() } else { found[0].to_owned() }
            };
            now = pattern.replace_all(&now, judged).into_owned();
        }
        (now != text).then_some(now)
    }

    /// Whole things that are masked, things that look like them, and pieces to break or join them.
    fn fragments() -> impl Strategy<Value = String> {
        let whole = "(ana.b+x@mail.example.com|a@b.co|user@host|@|1@2|\\+56 9 1234 5678|\\(555\\) 123-4567|555.123.4567\
                     |555 123-4567|\\+1|\\+4915112345678|123-45-6789|900-00-0000|12.345.678-5|1.234.567-4|12345678-5|7654321-6\
                     |1000013-k|1000013-K|123.456.789-09|12345678Z|12345678-Z|00000000-T|192.0.2.7|203.0.113.250:5432\
                     |2001:db8::7:12345678|4bf92f3577b34da6a3ce929d0e0e4736|2024-01-31 10:11:12.123|1764000000000\
                     |00000001-0002-0003-0004-123456789012|\\[email\\]|\\[national-id\\]|\\[phone\\])";
        let shaped = "([0-9]{1,9}|[0-9]{3}[-.][0-9]{2,3}[-.][0-9]{2,4}|[0-9]{7,8}-?[0-9A-Zk]|[0-9]{1,2}(\\.[0-9]{3}){2}-[0-9kK]\
                      |[0-9]{3}(\\.[0-9]{3}){2}-[0-9]{2}|\\+?\\(?[0-9]{3}\\)?[ .-][0-9]{3}[ .-][0-9]{4})";
        let joint = "([ .@+()k/A-Z_-]|[0-9]|é|٣|\u{301}|, )?";
        let piece = (proptest::prop_oneof![whole, shaped], joint).prop_map(|(piece, joint)| piece + &joint);
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest::proptest! {
        #[test]
        fn a_glance_at_the_digits_misses_nothing_that_the_patterns_find(text in fragments()) {
            proptest::prop_assert_eq!(mask(&text), masked_slowly(&text));
        }

        #[test]
        fn no_text_at_all_is_masked_otherwise_than_by_the_patterns(text in "\\PC{0,40}|[0-9+() .@kKZa-]{0,40}") {
            proptest::prop_assert_eq!(mask(&text), masked_slowly(&text));
        }
    }
}
