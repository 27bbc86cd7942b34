//! Texts with places for values, and where a value may stand.
//!
//! A value fills one whole thing: an argument, a JSON string, a header's value, a segment of a path. So
//! no value can end the thing it stands in and begin another, and no quoting is needed. Arguments alone
//! may have a fixed beginning (`--service={name}`). There is no way to write a value into the name of a
//! program, a scheme, a host or a header's name: those are never read as templates.

use std::collections::BTreeMap;

use crate::toml_source::{shown, suggestion};

/// The values of one plan, by parameter.
pub type Values = BTreeMap<String, Value>;

/// A parameter's value: parsed, and printed again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Value {
    /// What `{name}` stands for.
    pub text: String,
    /// What `{name.field}` stands for: fields of the matching entry. Several texts where it is a list.
    pub fields: BTreeMap<String, Vec<String>>,
}

/// Where a template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Shown to people only.
    Words,
    /// The name of what a fix changes.
    Target,
    /// One argument of a program.
    Argument,
    /// One segment of a URL's path.
    Segment,
    /// The value of one query parameter.
    Query,
    /// The value of one header.
    Header,
    /// One JSON string.
    Json,
    /// Id of a document, or one segment of a collection's path.
    Document,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Slot { name: String, field: Option<String> },
}

/// A text with places for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    place: Place,
}

impl Template {
    /// Reads a text for a place.
    ///
    /// # Errors
    /// What is wrong with it, and how to write it.
    pub fn parse(text: &str, place: Place) -> Result<Self, String> {
        if let Some(bad) = text.chars().find(|letter| letter.is_control()) {
            return Err(format!("the text holds the control character {}", bad.escape_default()));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(open);
            push_literal(&mut parts, before);
            let inner = after.strip_prefix('{').ok_or("a `}` closes nothing; placeholders are `{name}`")?;
            let close = inner.find('}').ok_or("a `{` is never closed; placeholders are `{name}`")?;
            parts.push(slot(&inner[..close])?);
            rest = &inner[close + 1..];
        }
        push_literal(&mut parts, rest);
        let template = Self { parts, place };
        template.fits()?;
        Ok(template)
    }

    /// Whether the place takes such a mixture.
    fn fits(&self) -> Result<(), String> {
        let slots = self.parts.iter().filter(|part| matches!(part, Part::Slot { .. })).count();
        match (self.place, self.parts.as_slice()) {
            (_, [] | [Part::Literal(_)]) => self.literal_fits(),
            (Place::Words, _) | (_, [Part::Slot { .. }]) | (Place::Target, [Part::Literal(_), Part::Slot { .. }]) => {
                Ok(())
            }
            (Place::Argument, [Part::Literal(prefix), Part::Slot { .. }]) if prefix.ends_with(['=', ':', '/']) => {
                Ok(())
            }
            (Place::Argument, _) => Err("an argument is fixed, or one value, or a fixed beginning that ends with \
                                         `=`, `:` or `/` and one value: `--service={name}`"
                .to_owned()),
            (Place::Target, _) => {
                Err("a target is a fixed text and at most one value at its end: `pool:{name}`".into())
            }
            _ if slots > 0 => Err("a value fills the whole of it: write `{name}` alone".to_owned()),
            _ => Ok(()),
        }
    }

    fn literal_fits(&self) -> Result<(), String> {
        let text = self.parts.first().map_or("", |part| match part {
            Part::Literal(text) => text.as_str(),
            Part::Slot { .. } => "",
        });
        match self.place {
            Place::Segment | Place::Document => whole_segment(text),
            Place::Target if text.is_empty() => Err("a target needs a name".to_owned()),
            _ => Ok(()),
        }
    }

    /// As it was written, placeholders and all.
    pub fn as_written(&self) -> String {
        let part = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Slot { name, field: None } => format!("{{{name}}}"),
            Part::Slot { name, field: Some(field) } => format!("{{{name}.{field}}}"),
        };
        self.parts.iter().map(part).collect()
    }

    /// The parameters that it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Slot { name, .. } => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text with its values, fit for its place (and percent-encoded where it stands in an address).
    ///
    /// # Errors
    /// Which value cannot stand there, and why.
    pub fn fill(&self, values: &Values) -> Result<String, String> {
        let mut texts = self.fill_all(values)?;
        match (texts.pop(), texts.is_empty()) {
            (Some(text), true) => Ok(text),
            _ => Err("a list of values cannot stand where one text is wanted".to_owned()),
        }
    }

    /// As [`Template::fill`]; a field that is a list gives one text each.
    ///
    /// # Errors
    /// Which value cannot stand there, and why.
    pub fn fill_all(&self, values: &Values) -> Result<Vec<String>, String> {
        let mut texts = vec![String::new()];
        for part in &self.parts {
            match part {
                Part::Literal(literal) if self.place == Place::Segment || self.place == Place::Query => {
                    for text in &mut texts {
                        text.push_str(&percent_encoded(literal));
                    }
                }
                Part::Literal(literal) => {
                    for text in &mut texts {
                        text.push_str(literal);
                    }
                }
                Part::Slot { name, field } => {
                    let found = look_up(values, name, field.as_deref())?;
                    let fitted: Result<Vec<String>, String> =
                        found.iter().map(|value| self.fitted(name, value)).collect();
                    let fitted = fitted?;
                    texts = texts
                        .iter()
                        .flat_map(|text| fitted.iter().map(move |value| format!("{text}{value}")))
                        .collect();
                }
            }
        }
        Ok(texts)
    }

    fn fitted(&self, name: &str, value: &str) -> Result<String, String> {
        let refused = |why: &str| Err(format!("the value `{}` of `{name}` {why}", shown(value)));
        if value.is_empty() {
            return refused("is empty");
        }
        if value.chars().any(is_unprintable) {
            return refused("holds a character that cannot be shown");
        }
        let alone = self.parts.len() == 1;
        let after_slash = matches!(self.parts.first(), Some(Part::Literal(text)) if text.ends_with('/'));
        match self.place {
            Place::Argument if alone && value.starts_with('-') => refused("begins with `-` and would be an option"),
            Place::Argument if after_slash && whole_segment(value).is_err() => refused("would change the path it ends"),
            Place::Segment | Place::Document if whole_segment(value).is_err() => {
                refused("would change the path it stands in")
            }
            Place::Segment | Place::Query => Ok(percent_encoded(value)),
            Place::Header if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') => {
                refused("cannot stand in a header")
            }
            Place::Words | Place::Json | Place::Target | Place::Argument | Place::Document | Place::Header => {
                Ok(value.to_owned())
            }
        }
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Literal(text.to_owned()));
    }
}

fn slot(inner: &str) -> Result<Part, String> {
    let (name, field) = inner.split_once('.').map_or((inner, None), |(name, field)| (name, Some(field)));
    let fits = |word: &str| is_name(word) || word.chars().all(|letter| letter.is_ascii_alphanumeric());
    if !is_name(name) || field.is_some_and(|field| field.is_empty() || !fits(field)) {
        let shown = shown(inner);
        return Err(format!(
            "`{{{shown}}}` is no placeholder: free text cannot be filled in; write `{{name}}` or `{{name.field}}`"
        ));
    }
    Ok(Part::Slot { name: name.to_owned(), field: field.map(str::to_owned) })
}

fn look_up<'v>(values: &'v Values, name: &str, field: Option<&str>) -> Result<Vec<&'v str>, String> {
    let value = values.get(name).ok_or_else(|| format!("there is no value for `{name}`"))?;
    let Some(field) = field else { return Ok(vec![&value.text]) };
    match value.fields.get(field) {
        Some(texts) if !texts.is_empty() => Ok(texts.iter().map(String::as_str).collect()),
        Some(_) => Err(format!("`{field}` of `{}` is empty", shown(&value.text))),
        None => {
            let hint = suggestion(field, value.fields.keys().map(String::as_str));
            Err(format!("`{}` has no `{field}`{hint}", shown(&value.text)))
        }
    }
}

/// Name of a parameter: `[a-z][a-z0-9_]*`, at most 32 letters.
pub fn is_name(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Controls, and whatever changes how its neighbours look without being seen itself.
pub fn is_unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn whole_segment(text: &str) -> Result<(), String> {
    let lower = text.to_ascii_lowercase();
    let dots = lower.replace("%2e", ".");
    if text.is_empty() || dots == "." || dots == ".." || text.contains(['/', '\\']) {
        return Err("a segment is not empty, not `.` or `..`, and holds no slash".to_owned());
    }
    Ok(())
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn values(text: &str) -> Values {
        let fields = BTreeMap::from([("old".to_owned(), vec!["a_b".to_owned(), "usr_a_b".to_owned()])]);
        Values::from([("name".to_owned(), Value { text: text.to_owned(), fields })])
    }

    fn filled(text: &str, place: Place, value: &str) -> Result<String, String> {
        Template::parse(text, place).unwrap().fill(&values(value))
    }

    #[test]
    fn a_value_never_shares_its_place_with_anything_but_a_fixed_beginning_of_an_argument() {
        for text in ["x{name}", "{name}x", "{name}{name}", "a{name}b", "--x {name}", "{name}="] {
            assert!(Template::parse(text, Place::Argument).is_err(), "{text}");
        }
        for place in [Place::Segment, Place::Query, Place::Header, Place::Json, Place::Document] {
            for text in ["x{name}", "{name}x", "--a={name}"] {
                assert!(Template::parse(text, place).is_err(), "{place:?} {text}");
            }
            assert!(Template::parse("{name}", place).is_ok());
        }
        assert_eq!(filled("--service={name}", Place::Argument, "-x; reboot").unwrap(), "--service=-x; reboot");
    }

    #[test]
    fn free_text_and_half_a_placeholder_are_no_placeholders() {
        for text in ["{}", "{free text}", "{Name}", "{name", "name}", "{{name}}", "{name.}", "{name.a b}", "{1}"] {
            assert!(Template::parse(text, Place::Words).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_cannot_be_an_option_a_path_or_a_second_header() {
        assert!(filled("{name}", Place::Argument, "-rf").is_err());
        assert!(filled("/srv/{name}", Place::Argument, "..").is_err());
        assert!(filled("{name}", Place::Segment, "..").is_err());
        assert!(filled("{name}", Place::Segment, "%2e%2E").is_err());
        assert!(filled("{name}", Place::Header, "a\r\nb: c").is_err());
        assert_eq!(filled("{name}", Place::Segment, "a?b#c%").unwrap(), "a%3Fb%23c%25");
        assert_eq!(filled("{name}", Place::Query, "a&b=c d").unwrap(), "a%26b%3Dc%20d");
    }

    #[test]
    fn a_list_gives_one_text_each_and_only_where_several_may_stand() {
        let template = Template::parse("{name.old}", Place::Json).unwrap();
        assert_eq!(template.fill_all(&values("x")).unwrap(), ["a_b", "usr_a_b"]);
        assert!(template.fill(&values("x")).is_err());
        let unknown = Template::parse("{name.olds}", Place::Json).unwrap().fill(&values("x")).unwrap_err();
        assert!(unknown.contains("did you mean `old`?"), "{unknown}");
    }
}
