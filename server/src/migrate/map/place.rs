//! A place in a document, as the map writes it: `sharedWith[].id where type = user unique`.
//!
//! | written | means |
//! |---|---|
//! | `a.b` | field `b` of the object in field `a` |
//! | `a[]` | every item of the array in `a` |
//! | `a.*` | every value of the object in `a` |
//! | `a.{userId}` | every key of the object in `a` |
//! | `… where f = v` | only where field `f` beside the last field is the text `v` |
//! | `… unique` | a person stands at most once in the array |
//!
//! A name of a field with a dot in it cannot be written: `*` passes through it. What stands for one typed
//! value (`$timestamp`, `$bytes` …) is no object here.
//!
//! Concrete paths (`sharedWith[2].id`, `upvotes.{ana}`, ``domains.`x.com`.owner``) never mean two places of
//! one document: a name with a mark of paths in it stands between backticks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::documents::shape::is_typed;

/// Stands for the keys of a map.
const KEYS: &str = "{userId}";

/// A part of the way to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into a field.
    Field(String),
    /// Into every item of an array.
    Each,
    /// Into every value of an object.
    Any,
    /// To every key of an object; always the last.
    Key,
}

/// What must stand beside the last field.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    field: String,
    is: String,
}

/// Where something stands in documents of one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    text: String,
    steps: Vec<Step>,
    condition: Option<Condition>,
    unique: bool,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'v> {
    /// A value.
    Value(&'v Value),
    /// The key of a map.
    Key(&'v str),
}

/// Whatever has named fields.
#[derive(Clone, Copy)]
enum Parent<'v> {
    Document(&'v BTreeMap<String, Value>),
    Object(&'v Map<String, Value>),
}

impl<'v> Parent<'v> {
    fn get(self, name: &str) -> Option<&'v Value> {
        match self {
            Self::Document(fields) => fields.get(name),
            Self::Object(fields) => fields.get(name),
        }
    }
}

impl Place {
    /// From the map's text.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let (rest, unique) = trimmed.strip_suffix(" unique").map_or((trimmed, false), |rest| (rest, true));
        let (path, condition) = match rest.split_once(" where ") {
            Some((path, condition)) => (path, Some(parse_condition(condition)?)),
            None => (rest, None),
        };
        let steps = parse_path(path)?;
        if unique && !steps.contains(&Step::Each) {
            return Err("`unique` is said of arrays: write the path with `[]`".to_owned());
        }
        let behind = steps.iter().rev().take_while(|step| **step != Step::Each);
        if unique && behind.into_iter().any(|step| !matches!(step, Step::Field(_))) {
            return Err("`unique` wants names alone behind the last `[]`: one text says whose an item is".to_owned());
        }
        if condition.is_some() && !matches!(steps.last(), Some(Step::Field(_))) {
            return Err("`where` looks beside the last field: the path must end with a name".to_owned());
        }
        Ok(Self { text: path.trim().to_owned(), steps, condition, unique })
    }

    /// The path, without its conditions.
    pub fn path(&self) -> &str {
        &self.text
    }

    /// The way.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a person stands at most once in its array.
    pub fn is_unique(&self) -> bool {
        self.unique
    }

    /// Tells everything that stands there, with its concrete path (`sharedWith[2].id`), in order.
    pub fn visit<'v>(&self, fields: &'v BTreeMap<String, Value>, tell: &mut dyn FnMut(&str, Found<'v>)) {
        if let [Step::Field(name), rest @ ..] = self.steps.as_slice() {
            self.enter(Parent::Document(fields), name, rest, "", tell);
        }
    }

    fn enter<'v>(
        &self,
        parent: Parent<'v>,
        name: &str,
        rest: &[Step],
        path: &str,
        tell: &mut dyn FnMut(&str, Found<'v>),
    ) {
        if rest.is_empty() && !self.holds_in(parent) {
            return;
        }
        if let Some(value) = parent.get(name) {
            self.go(value, rest, &join(path, name), tell);
        }
    }

    fn go<'v>(&self, value: &'v Value, steps: &[Step], path: &str, tell: &mut dyn FnMut(&str, Found<'v>)) {
        let Some((step, rest)) = steps.split_first() else { return tell(path, Found::Value(value)) };
        match (step, value) {
            (Step::Field(name), Value::Object(object)) if !is_typed(object) => {
                self.enter(Parent::Object(object), name, rest, path, tell);
            }
            (Step::Each, Value::Array(items)) => {
                for (number, item) in items.iter().enumerate() {
                    self.go(item, rest, &item_path(path, number), tell);
                }
            }
            (Step::Any, Value::Object(object)) if !is_typed(object) => {
                for (key, value) in object {
                    self.go(value, rest, &join(path, key), tell);
                }
            }
            (Step::Key, Value::Object(object)) if !is_typed(object) => {
                for key in object.keys() {
                    tell(&key_path(path, key), Found::Key(key));
                }
            }
            _ => {}
        }
    }

    /// Gives every value that stands there to `change`, with its concrete path. Keys are not given: an
    /// object is made anew for them.
    pub fn change(&self, fields: &mut BTreeMap<String, Value>, change: &mut dyn FnMut(&str, &mut Value)) {
        if let [Step::Field(name), rest @ ..] = self.steps.as_slice()
            && (!rest.is_empty() || self.holds_in(Parent::Document(fields)))
            && let Some(value) = fields.get_mut(name)
        {
            self.go_changing(value, rest, &join("", name), change);
        }
    }

    fn holds_in(&self, parent: Parent<'_>) -> bool {
        let holds = |condition: &Condition| parent.get(&condition.field).and_then(Value::as_str) == Some(&condition.is);
        self.condition.as_ref().is_none_or(holds)
    }

    fn go_changing(&self, value: &mut Value, steps: &[Step], path: &str, change: &mut dyn FnMut(&str, &mut Value)) {
        let Some((step, rest)) = steps.split_first() else { return change(path, value) };
        match (step, value) {
            (Step::Field(name), Value::Object(object)) if !is_typed(object) => {
                if (!rest.is_empty() || self.holds_in(Parent::Object(object)))
                    && let Some(value) = object.get_mut(name)
                {
                    self.go_changing(value, rest, &join(path, name), change);
                }
            }
            (Step::Each, Value::Array(items)) => {
                for (number, item) in items.iter_mut().enumerate() {
                    self.go_changing(item, rest, &item_path(path, number), change);
                }
            }
            (Step::Any, Value::Object(object)) if !is_typed(object) => {
                for (key, value) in object.iter_mut() {
                    self.go_changing(value, rest, &join(path, key), change);
                }
            }
            _ => {}
        }
    }

    /// Gives every array (`last` is [`Step::Each`]) or object ([`Step::Key`]) that the last such step goes
    /// into, with its concrete path, always in the same order.
    pub fn containers(
        &self,
        fields: &mut BTreeMap<String, Value>,
        last: &Step,
        give: &mut dyn FnMut(&str, &mut Value),
    ) {
        let Some(split) = self.steps.iter().rposition(|step| step == last) else { return };
        if let [Step::Field(name), way @ ..] = &self.steps[..split]
            && let Some(value) = fields.get_mut(name)
        {
            lead(value, way, &join("", name), give);
        }
    }

    /// What says whose an item of the innermost array is; None: nothing does, or it is no such item.
    pub fn in_item<'v>(&self, item: &'v Value) -> Option<&'v Value> {
        let split = self.steps.iter().rposition(|step| *step == Step::Each)?;
        let mut held = None;
        self.go(item, &self.steps[split + 1..], "", &mut |_, found| {
            if let Found::Value(value) = found {
                held = Some(value);
            }
        });
        held
    }
}

fn lead(value: &mut Value, way: &[Step], path: &str, give: &mut dyn FnMut(&str, &mut Value)) {
    let Some((step, rest)) = way.split_first() else { return give(path, value) };
    match (step, value) {
        (Step::Field(name), Value::Object(object)) if !is_typed(object) => {
            if let Some(value) = object.get_mut(name) {
                lead(value, rest, &join(path, name), give);
            }
        }
        (Step::Each, Value::Array(items)) => {
            for (number, item) in items.iter_mut().enumerate() {
                lead(item, rest, &item_path(path, number), give);
            }
        }
        (Step::Any, Value::Object(object)) if !is_typed(object) => {
            for (key, value) in object.iter_mut() {
                lead(value, rest, &join(path, key), give);
            }
        }
        _ => {}
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if let Some(condition) = &self.condition {
            write!(f, " where {} = {}", condition.field, condition.is)?;
        }
        Ok(())
    }
}

/// The path of a field of what stands at `path`.
pub fn join(path: &str, name: &str) -> String {
    let name = plain(name);
    if path.is_empty() { name.into_owned() } else { format!("{path}.{name}") }
}

/// The path of a key of the object at `path`: of the key itself, not of what stands behind it.
pub fn key_path(path: &str, key: &str) -> String {
    let key = format!("{{{}}}", plain(key));
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// A name as it stands in a path.
fn plain(name: &str) -> Cow<'_, str> {
    let marks = ['.', '[', ']', '{', '}', '(', ')', '*', '`', '\\'];
    if !name.is_empty() && !name.contains(marks) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`")))
}

/// The path of an item of the array at `path`.
pub fn item_path(path: &str, number: usize) -> String {
    format!("{path}[{number}]")
}

fn parse_condition(text: &str) -> Result<Condition, String> {
    let (field, is) = text.split_once('=').ok_or("`where` wants `FIELD = TEXT`")?;
    let (field, is) = (field.trim(), is.trim());
    if field.is_empty() || is.is_empty() || field.contains(['.', ' ']) || is.contains(' ') {
        return Err("`where` wants `FIELD = TEXT`: one name beside the last field, and one word".to_owned());
    }
    Ok(Condition { field: field.to_owned(), is: is.to_owned() })
}

fn parse_path(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for part in path.trim().split('.') {
        match part {
            "*" => steps.push(Step::Any),
            KEYS => steps.push(Step::Key),
            _ => {
                let name = part.trim_end_matches("[]");
                if name.is_empty() || name.contains(['[', ']', '{', '}', '*', ' ']) {
                    return Err("a path is made of names, `[]`, `*` and `{userId}`, with dots between".to_owned());
                }
                steps.push(Step::Field(name.to_owned()));
                steps.extend((0..(part.len() - name.len()) / 2).map(|_| Step::Each));
            }
        }
    }
    if !matches!(steps.first(), Some(Step::Field(_))) {
        return Err("a path begins with the name of a field".to_owned());
    }
    if steps.iter().rev().skip(1).any(|step| *step == Step::Key) {
        return Err("nothing follows `{userId}`: for the values beside such keys write `*`".to_owned());
    }
    Ok(steps)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(place: &str, document: Value) -> Vec<(String, String)> {
        let fields: BTreeMap<String, Value> = serde_json::from_value(document).unwrap();
        let mut told = Vec::new();
        Place::parse(place).unwrap().visit(&fields, &mut |path, found| {
            let text = match found {
                Found::Value(value) => value.to_string(),
                Found::Key(key) => key.to_owned(),
            };
            told.push((path.to_owned(), text));
        });
        told
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn every_kind_of_place_finds_what_stands_there() {
        let shares = json!({"s": [{"type": "user", "id": "a"}, {"type": "group", "id": "g"}, {"id": "n"}, 7]});
        assert_eq!(found("s[].id where type = user", shares.clone()), pairs(&[("s[0].id", "\"a\"")]));
        assert_eq!(found("s[].id", shares).len(), 3);
        assert_eq!(found("v[]", json!({"v": ["a", null]})), pairs(&[("v[0]", "\"a\""), ("v[1]", "null")]));
        assert_eq!(found("m.{userId}", json!({"m": {"a": 1, "b": 2}})), pairs(&[("m.{a}", "a"), ("m.{b}", "b")]));
        let domains = json!({"d": {"x.com": {"p": [{"u": "a"}]}, "y.com": {"p": []}}});
        assert_eq!(found("d.*.p[].u", domains), pairs(&[("d.`x.com`.p[0].u", "\"a\"")]));
        assert_eq!(found("a.b where t = x", json!({"a": {"b": "1", "t": "y"}})), []);
        assert_eq!(found("b where t = x", json!({"b": "1", "t": "x"})).len(), 1);
    }

    #[test]
    fn no_two_places_of_a_document_have_one_path() {
        let names = ["a", "a.b", "a[0]", "{a}", "`a`", "a\\", "", "(id)"];
        let mut paths: Vec<String> = names.iter().map(|name| join("m", name)).collect();
        paths.extend(names.iter().map(|name| key_path("m", name)));
        paths.extend([join(&join("m", "a"), "b"), item_path(&join("m", "a"), 0)]);
        let different: std::collections::BTreeSet<&String> = paths.iter().collect();
        assert_eq!(different.len(), paths.len(), "{paths:?}");
    }

    #[test]
    fn other_shapes_and_typed_values_hold_nothing() {
        assert_eq!(found("a.b", json!({"a": "text"})), []);
        assert_eq!(found("a[]", json!({"a": {"0": 1}})), []);
        assert_eq!(found("a.*", json!({"a": {"$bytes": "eA=="}})), []);
        assert_eq!(found("a.{userId}", json!({"a": {"$reference": "users/a"}})), []);
    }

    #[test]
    fn what_is_no_place_is_refused_with_what_to_write() {
        for bad in [
            "",
            "a..b",
            "*",
            "[]",
            "{userId}",
            "a.{userId}.b",
            "a[0]",
            "a b",
            "a where b",
            "a where b.c = d",
            "a[] where t = user",
            "a unique",
            "a[].* unique",
            "a[].{userId} unique",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }
}
