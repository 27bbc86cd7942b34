//! What an id or a digest that was typed stands for: itself, or the only one that begins so.

use stella_widgets::text::sanitise;

use super::plan::Failure;

/// Named when several fit.
const NAMED: usize = 5;

/// A number alone is a whole id; it does not stand for longer ones.
pub(super) fn whole(prefix: &str, asked: &str) -> Option<String> {
    (!asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("{prefix}{asked}"))
}

/// The one of `known` that `asked` stands for. `kind` is what they are.
pub(super) fn one<'k>(kind: &str, asked: &str, known: impl IntoIterator<Item = &'k str>) -> Result<&'k str, Failure> {
    let asked = asked.to_ascii_lowercase();
    let mut fitting = Vec::new();
    for name in known {
        if name.eq_ignore_ascii_case(&asked) {
            return Ok(name);
        }
        if name.to_ascii_lowercase().starts_with(&asked) {
            fitting.push(name);
        }
    }
    match fitting[..] {
        [only] => Ok(only),
        [] => Err(Failure::Missing(format!("a {kind} {}", sanitise(&asked)))),
        _ => {
            let named: Vec<String> = fitting.iter().take(NAMED).map(|name| sanitise(name).into_string()).collect();
            let more = if fitting.len() > NAMED { " and more" } else { "" };
            let named = named.join(", ");
            Err(Failure::Usage(format!("tell which {kind}: {} fits {named}{more}", sanitise(&asked))))
        }
    }
}

/// Eight digits tell one plan of a fix from its next one; fewer are typed by chance.
pub(super) fn digest(text: &str) -> Result<String, String> {
    let is_one = (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_one { Ok(text.to_ascii_lowercase()) } else { Err("want 8 to 64 hexadecimal digits".to_owned()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_for_itself_before_it_stands_for_a_longer_one() {
        let known = ["fx-12", "fx-1", "fx-130"];
        assert_eq!(one("fix", "FX-1", known).unwrap(), "fx-1");
        assert_eq!(one("fix", "fx-13", known).unwrap(), "fx-130");
    }

    #[test]
    fn what_fits_several_or_none_says_so() {
        let several = one("fix", "fx-1", ["fx-12", "fx-130"]).unwrap_err();
        assert_eq!((several.exit_code(), several.to_string()), (2, "tell which fix: fx-1 fits fx-12, fx-130".into()));
        let none = one("fix", "fx-9\u{1b}[2J", ["fx-12"]).unwrap_err();
        assert_eq!(none.exit_code(), 3);
        assert!(!none.to_string().contains('\u{1b}'), "{none}");
    }
}
