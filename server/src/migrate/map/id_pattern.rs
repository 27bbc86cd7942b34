//! How the id of a document holds the id of a user: whole (`{userId}`), or as a part (`{userId}_{month}`).
//!
//! Ids have `_` in them themselves, so one document id can be cut in several ways. Only whoever knows the
//! ids can say which is right: all cuts are told, and nobody guesses here.

/// Stands for the id of a user.
const USER: &str = "{userId}";
/// Stands for a pseudonym made of it.
const PSEUDONYM: &str = "{pseudonym}";

/// Where the user stands in an id.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Whole,
    /// Before this separator and anything.
    First(String),
    /// After anything and this separator.
    Last(String),
}

/// A pattern of document ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPattern {
    text: String,
    shape: Shape,
    pseudonym: bool,
}

/// One way to cut an id: before the user, the user, behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut<'i> {
    /// What stands before.
    pub before: &'i str,
    /// The user's part; never empty.
    pub user: &'i str,
    /// What stands behind.
    pub behind: &'i str,
}

impl IdPattern {
    /// From the map's text.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let want = "want `{userId}`, `{userId}_{rest}` or `{rest}_{userId}`; `{pseudonym}` for one made of the id";
        let pseudonym = text.contains(PSEUDONYM);
        let user = if pseudonym { PSEUDONYM } else { USER };
        let (before, behind) = text.split_once(user).ok_or(want)?;
        let shape = match (before, behind) {
            ("", "") => Shape::Whole,
            ("", behind) => Shape::First(separator(behind, true).ok_or(want)?.to_owned()),
            (before, "") => Shape::Last(separator(before, false).ok_or(want)?.to_owned()),
            _ => return Err(want.to_owned()),
        };
        Ok(Self { text: text.to_owned(), shape, pseudonym })
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds a pseudonym made of the id.
    pub fn is_pseudonym(&self) -> bool {
        self.pseudonym
    }

    /// Every way to cut an id, the shortest user first.
    pub fn cuts<'i>(&self, id: &'i str) -> Vec<Cut<'i>> {
        match &self.shape {
            Shape::Whole => vec![Cut { before: "", user: id, behind: "" }],
            Shape::First(separator) => {
                let cut = |at: usize| Cut { before: "", user: &id[..at], behind: &id[at..] };
                let whole = |at: &usize| *at > 0 && at + separator.len() < id.len();
                places(id, separator).filter(whole).map(cut).collect()
            }
            Shape::Last(separator) => {
                let cut = |at: usize| {
                    let (before, user) = id.split_at(at + separator.len());
                    Cut { before, user, behind: "" }
                };
                let whole = |at: &usize| *at > 0 && at + separator.len() < id.len();
                let mut cuts: Vec<Cut<'i>> = places(id, separator).filter(whole).map(cut).collect();
                cuts.reverse();
                cuts
            }
        }
    }
}

/// Where the separator stands.
fn places<'i>(id: &'i str, separator: &'i str) -> impl Iterator<Item = usize> + 'i {
    id.match_indices(separator).map(|(at, _)| at)
}

/// What stands between the user and the other placeholder; None: it is no such pair.
fn separator(text: &str, other_last: bool) -> Option<&str> {
    let (separator, name) = if other_last {
        text.strip_suffix('}')?.split_once('{')?
    } else {
        text.strip_prefix('{')?.split_once('}').map(|(name, separator)| (separator, name))?
    };
    let plain = |text: &str| !text.is_empty() && !text.contains(['{', '}', '/']);
    (plain(separator) && plain(name)).then_some(separator)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn users<'i>(pattern: &str, id: &'i str) -> Vec<&'i str> {
        IdPattern::parse(pattern).unwrap().cuts(id).iter().map(|cut| cut.user).collect()
    }

    #[test]
    fn every_cut_is_told_and_its_parts_make_the_id_again() {
        assert_eq!(users("{userId}", "ana_example_com"), ["ana_example_com"]);
        assert_eq!(users("{userId}_{month}", "usr_x_2025-11"), ["usr", "usr_x"]);
        assert_eq!(users("{ticket}:{userId}", "T:1:ana"), ["ana", "1:ana"]);
        assert_eq!(users("{userId}_{rest}", "_x"), [""; 0]);
        assert_eq!(users("{userId}_{rest}", "x_"), [""; 0]);
        let pattern = IdPattern::parse("{rest}--{pseudonym}").unwrap();
        assert!(pattern.is_pseudonym());
        for cut in pattern.cuts("a--b--c") {
            assert_eq!(format!("{}{}{}", cut.before, cut.user, cut.behind), "a--b--c");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "x", "{user}", "{userId}{rest}", "x_{userId}", "{a}_{userId}_{b}", "{userId}_", "{userId}_{}"] {
            assert!(IdPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
