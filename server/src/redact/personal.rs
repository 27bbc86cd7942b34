//! What points at a person by its shape: e-mail addresses, phone numbers, national ids.
//!
//! Used in `strict` only. Numbers without a sign, a mark or a valid check digit are left alone: ids,
//! times and amounts are numbers too.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

struct Shapes {
    email: Regex,
    phone: Regex,
    ssn: Regex,
    cpf: Regex,
    rut: Regex,
    dni: Regex,
}

static SHAPES: LazyLock<Option<Shapes>> = LazyLock::new(|| {
    let shape = |pattern: &str| Regex::new(pattern).ok();
    Some(Shapes {
        email: shape(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]{2,}")?,
        phone: shape(
            r"\+[1-9][0-9]{0,2}(?:[ .\-]?\(?[0-9]{1,4}\)?){2,5}|\(?\b[2-9][0-9]{2}\)?[ .-][0-9]{3}[.-][0-9]{4}\b",
        )?,
        ssn: shape(r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b")?,
        cpf: shape(r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b")?,
        rut: shape(r"\b(?:[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}|[0-9]{7,8})-[0-9kK]\b")?,
        dni: shape(r"\b[0-9]{8}-?[A-Z]\b")?,
    })
});

/// The text with persons masked; None: there is none in it.
pub(super) fn mask(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mail = memchr::memchr(b'@', bytes).is_some();
    let digits = has_digits(bytes, 7);
    if !mail && !digits {
        return None;
    }
    let shapes = SHAPES.as_ref()?;
    let mut now = Cow::Borrowed(text);
    let mut replace = |shape: &Regex, mark: &str, valid: fn(&str) -> bool| {
        let changed = shape.replace_all(
            &now,
            |found: &regex::Captures<'_>| {
                if valid(&found[0]) { mark.to_owned() } else { found[0].to_owned() }
            },
        );
        if let Cow::Owned(changed) = changed
            && changed != *now
        {
            now = Cow::Owned(changed);
        }
    };
    if mail {
        replace(&shapes.email, "[email]", |_| true);
    }
    if digits {
        replace(&shapes.cpf, "[national-id]", |_| true);
        replace(&shapes.rut, "[national-id]", is_rut);
        replace(&shapes.dni, "[national-id]", is_dni);
        replace(&shapes.ssn, "[national-id]", is_ssn);
        replace(&shapes.phone, "[phone]", is_phone);
    }
    match now {
        Cow::Owned(changed) => Some(changed),
        Cow::Borrowed(_) => None,
    }
}

/// True when `wanted` digits stand close together somewhere: blanks, dots, dashes between them allowed.
fn has_digits(bytes: &[u8], wanted: usize) -> bool {
    let mut run = 0;
    bytes.iter().any(|byte| {
        match byte {
            b'0'..=b'9' => run += 1,
            b' ' | b'.' | b'-' | b'(' | b')' | b'+' => {}
            _ => run = 0,
        }
        run >= wanted
    })
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

/// True for the key of an attribute that names a user.
pub(super) fn names_a_user(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    let bare: String = last.chars().filter(|letter| !matches!(letter, '_' | '-')).collect();
    [
        "userid",
        "user",
        "uid",
        "username",
        "login",
        "email",
        "useremail",
        "account",
        "accountname",
        "principal",
        "owner",
        "ownerid",
    ]
    .iter()
    .any(|name| bare.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
