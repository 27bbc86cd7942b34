//! Where a query goes and how its answer is read: a path with one id in it, and places in JSON.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::Visible;

/// Stands for the user's id in a path.
pub const USER: &str = "{userId}";
/// Longest name of a thing that is told from others; what is longer tells nothing more.
const LONGEST_NAME: usize = 256;

/// A path with the user's id as one whole part, or one whole value of its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    before: String,
    behind: String,
}

impl Path {
    /// Reads it.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&()*+,;=:@%/?{}".contains(&byte);
        if !text.starts_with('/') || !text.bytes().all(letters) {
            return Err(
                "want a path that begins with a slash, its letters encoded, like `/users/{userId}/conversations`",
            );
        }
        let (before, behind) = text.split_once(USER).ok_or("want `{userId}` where the user's id stands")?;
        if behind.contains(['{', '}']) || before.contains(['{', '}']) {
            return Err("want `{userId}` once, and no other brace");
        }
        let in_query = before.contains('?');
        let begins = if in_query { before.ends_with('=') } else { before.ends_with('/') };
        let ends = behind.is_empty() || behind.starts_with(if in_query { &['&'][..] } else { &['/', '?'] });
        if !begins || !ends {
            return Err(
                "want `{userId}` as a whole part of the path, or a whole value: `/users/{userId}`, `?user={userId}`",
            );
        }
        Ok(Self { before: before.to_owned(), behind: behind.to_owned() })
    }

    /// With this id: each byte that is no plain letter is encoded, so that it is one value and nothing else.
    pub fn of(&self, user: &str) -> String {
        let mut path = self.before.clone();
        for byte in user.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                // Writing into a text does not fail.
                let _ = write!(path, "%{byte:02X}");
            }
        }
        path + &self.behind
    }
}

/// How an answer tells what it shows. Places are JSON pointers (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// An array stands at `at`; `name`, in each of its items, tells one from the other.
    Items {
        /// Where.
        at: String,
        /// Which place of an item names it; None: items are only counted.
        name: Option<String>,
    },
    /// A number stands there.
    Count {
        /// Where.
        at: String,
    },
}

impl Shape {
    /// Whoever the application does not know, it shows nothing.
    pub fn nothing(&self) -> Visible {
        match self {
            Self::Items { name: Some(_), .. } => Visible::Items(BTreeSet::new()),
            _ => Visible::Count(0),
        }
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// What is missing in it; never quotes it.
    pub fn read(&self, body: &[u8]) -> Result<Visible, String> {
        let body: Value = serde_json::from_slice(body).map_err(|_| "its answer is no JSON".to_owned())?;
        match self {
            Self::Count { at } => {
                let count = body.pointer(at).and_then(Value::as_u64);
                count.map(Visible::Count).ok_or_else(|| format!("its answer has no whole number at `{at}`"))
            }
            Self::Items { at, name } => {
                let items = body.pointer(at).and_then(Value::as_array);
                let items = items.ok_or_else(|| format!("its answer has no array at `{at}`"))?;
                let Some(name) = name else { return Ok(Visible::Count(items.len() as u64)) };
                let names: Option<BTreeSet<String>> = items.iter().map(|item| named(item.pointer(name)?)).collect();
                names.map(Visible::Items).ok_or_else(|| format!("an item of its answer has no name at `{name}`"))
            }
        }
    }
}

fn named(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.chars().take(LONGEST_NAME).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_whole_value_of_a_path_whatever_stands_in_it() {
        let path = Path::parse("/users/{userId}/conversations?limit=500").unwrap();
        assert_eq!(path.of("a_b-1"), "/users/a_b-1/conversations?limit=500");
        assert_eq!(path.of("a/../b?x=1#%é"), "/users/a%2F..%2Fb%3Fx%3D1%23%25%C3%A9/conversations?limit=500");
        assert_eq!(Path::parse("/list?user={userId}&n=1").unwrap().of("x&admin=1"), "/list?user=x%26admin%3D1&n=1");
        for wrong in [
            "users/{userId}",
            "/users",
            "/users/{user}",
            "/users/u-{userId}",
            "/users/{userId}x",
            "/{userId}/{userId}",
            "/list?user=u{userId}",
            "/list?user={userId}/x",
            "/a b/{userId}",
            "/{userId}#top",
        ] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_counted_where_the_declaration_says_and_nowhere_else() {
        let items = |name: Option<&str>| Shape::Items { at: "/data/items".to_owned(), name: name.map(str::to_owned) };
        let body = br#"{"data": {"items": [{"id": "a"}, {"id": 7}, {"id": "a"}], "total": 3}}"#;
        assert_eq!(items(None).read(body), Ok(Visible::Count(3)));
        assert_eq!(items(Some("/id")).read(body).map(|shown| shown.count()), Ok(2));
        assert!(items(Some("/name")).read(body).unwrap_err().contains("/name"));
        let count = |at: &str| Shape::Count { at: at.to_owned() };
        assert_eq!(count("/data/total").read(body), Ok(Visible::Count(3)));
        assert!(count("/data/items").read(body).is_err() && count("/total").read(body).is_err());
        assert!(count("/total").read(b"<html>").unwrap_err().contains("JSON"));
        assert!(count("/total").read(br#"{"total": -1}"#).is_err());
        assert_eq!(Shape::Items { at: String::new(), name: None }.read(b"[1, 2]"), Ok(Visible::Count(2)));
    }
}
