//! One table of a file: each of its keys is asked for by name and kind, and those that nobody asked for are mistakes.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use super::{Placed, Source, read_span, shown, span_words, suggestion};

/// A table, and which of its keys somebody asked for.
pub struct Section<'s> {
    source: &'s Source<'s>,
    table: &'s DeTable<'s>,
    name: String,
    at: usize,
    asked: RefCell<Vec<&'static str>>,
}

impl<'s> Section<'s> {
    /// The whole file.
    pub fn root(source: &'s Source<'s>, table: &'s Spanned<DeTable<'s>>) -> Self {
        Self::new(source, table.get_ref(), String::new(), 0)
    }

    fn new(source: &'s Source<'s>, table: &'s DeTable<'s>, name: String, at: usize) -> Self {
        Self { source, table, name, at, asked: RefCell::default() }
    }

    /// Where it begins.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Adds a problem at a place of the file.
    pub fn problem(&self, at: usize, what: impl Into<String>) {
        self.source.problem(at, what);
    }

    fn full(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn get(&self, key: &'static str) -> Option<&'s Spanned<DeValue<'s>>> {
        self.asked.borrow_mut().push(key);
        self.table.iter().find(|(name, _)| name.get_ref().as_ref() == key).map(|(_, value)| value)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, want: &str) {
        let what = format!("`{}` is {}; want {want}", self.full(key), article(value.get_ref().type_str()));
        self.problem(value.span().start, what);
    }

    fn missing(&self, key: &str, want: &str) {
        self.problem(self.at, format!("`{}` is missing; want {want}", self.full(key)));
    }

    /// True when the key is there.
    pub fn has(&self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// A text.
    pub fn text(&self, key: &'static str) -> Option<Placed<&'s str>> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong(key, value, "a text");
        }
        text.map(|text| Placed { value: text, at: value.span().start })
    }

    /// A text that must be there and not be empty.
    pub fn need_text(&self, key: &'static str, want: &str) -> Option<Placed<&'s str>> {
        if !self.has(key) {
            self.missing(key, want);
            return None;
        }
        let text = self.text(key)?;
        if text.value.trim().is_empty() {
            self.problem(text.at, format!("`{}` is empty; want {want}", self.full(key)));
            return None;
        }
        Some(text)
    }

    /// A list of texts, or one text.
    pub fn texts(&self, key: &'static str) -> Vec<Placed<&'s str>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        if let Some(text) = value.get_ref().as_str() {
            return vec![Placed { value: text, at: value.span().start }];
        }
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, "a list of texts");
            return Vec::new();
        };
        let text = |item: &'s Spanned<DeValue<'s>>| {
            let text = item.get_ref().as_str().map(|text| Placed { value: text, at: item.span().start });
            if text.is_none() {
                self.wrong(key, item, "a text");
            }
            text
        };
        items.iter().filter_map(text).collect()
    }

    /// One of some words.
    pub fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<Placed<T>> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word);
            let what = format!("`{}` is `{}`{}", self.full(key), shown(text.value), suggestion(text.value, known));
            self.problem(text.at, what);
        }
        found.map(|value| Placed { value, at: text.at })
    }

    /// One of some words, which must be there.
    pub fn need_word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<Placed<T>> {
        if !self.has(key) {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.missing(key, &format!("one of {}", known.join(", ")));
            return None;
        }
        self.word(key, words)
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong(key, value, "true or false");
        }
        flag
    }

    /// A whole number within bounds.
    pub fn whole(&self, key: &'static str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key)?;
        self.bounded(key, value, &bounds)
    }

    /// Whole numbers within bounds: a list, or one.
    pub fn wholes(&self, key: &'static str, bounds: &RangeInclusive<i64>) -> Vec<i64> {
        let Some(value) = self.get(key) else { return Vec::new() };
        match value.get_ref().as_array() {
            Some(items) => items.iter().filter_map(|item| self.bounded(key, item, bounds)).collect(),
            None => self.bounded(key, value, bounds).into_iter().collect(),
        }
    }

    fn bounded(&self, key: &str, value: &Spanned<DeValue<'_>>, bounds: &RangeInclusive<i64>) -> Option<i64> {
        let number = value.get_ref().as_integer().and_then(|number| {
            let digits = number.as_str().replace('_', "");
            i64::from_str_radix(&digits, number.radix()).ok()
        });
        let within = number.filter(|number| bounds.contains(number));
        if within.is_none() {
            self.wrong(key, value, &format!("a whole number from {} to {}", bounds.start(), bounds.end()));
        }
        within
    }

    /// A number.
    pub fn number(&self, key: &'static str) -> Option<f64> {
        let value = self.get(key)?;
        let inner = value.get_ref();
        let digits = inner.as_float().map(DeFloat::as_str).or(inner.as_integer().map(DeInteger::as_str));
        let number = digits.and_then(|digits| digits.replace('_', "").parse().ok()).filter(|n: &f64| n.is_finite());
        if number.is_none() {
            self.wrong(key, value, "a number");
        }
        number
    }

    /// A span (`500ms`, `10s`, `15m`, `1h`, `7d`) in milliseconds, within bounds.
    pub fn span(&self, key: &'static str, bounds: &RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(key)?;
        let want = |why: &str| {
            let (least, most) = (span_words(*bounds.start()), span_words(*bounds.end()));
            let (key, value) = (self.full(key), shown(text.value));
            self.problem(
                text.at,
                format!("`{key}` is `{value}`, {why}; want a span from {least} to {most}, like `30s`"),
            );
        };
        match read_span(text.value) {
            Some(span) if bounds.contains(&span) => Some(span),
            Some(_) => {
                want("out of bounds");
                None
            }
            None => {
                want("which is no span");
                None
            }
        }
    }

    /// A table below this one.
    pub fn section(&self, key: &'static str) -> Option<Section<'s>> {
        let value = self.get(key)?;
        if let Some(table) = value.get_ref().as_table() {
            return Some(Section::new(self.source, table, self.full(key), value.span().start));
        }
        self.wrong(key, value, &format!("a table, `[{}]`", self.full(key)));
        None
    }

    /// Tables below this one: `[[key]]`, or a single `[key]`.
    pub fn sections(&self, key: &'static str) -> Vec<Section<'s>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        if value.get_ref().is_table() {
            return self.section(key).into_iter().collect();
        }
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, &format!("tables, `[[{}]]`", self.full(key)));
            return Vec::new();
        };
        let section = |item: &'s Spanned<DeValue<'s>>| {
            let table = item.get_ref().as_table();
            if table.is_none() {
                self.wrong(key, item, &format!("a table, `[[{}]]`", self.full(key)));
            }
            table.map(|table| Section::new(self.source, table, self.full(key), item.span().start))
        };
        items.iter().filter_map(section).collect()
    }

    /// Whatever stands at this key, as JSON.
    pub fn json(&self, key: &'static str) -> Option<Placed<serde_json::Value>> {
        let value = self.get(key)?;
        let json = json(value.get_ref());
        if json.is_none() {
            self.wrong(key, value, "texts, numbers, true, false, lists and tables");
        }
        json.map(|json| Placed { value: json, at: value.span().start })
    }

    /// The keys of a table that may have any.
    pub fn keys(&self) -> impl Iterator<Item = &'s str> {
        let table = self.table;
        table.iter().map(|(name, _)| name.get_ref().as_ref())
    }

    /// Where a key stands.
    pub fn key_at(&self, key: &str) -> usize {
        self.table
            .iter()
            .find(|(name, _)| name.get_ref().as_ref() == key)
            .map_or(self.at, |(name, _)| name.span().start)
    }

    /// Texts of a free key: a list, or one text.
    pub fn texts_of(&self, key: &str) -> Vec<Placed<&'s str>> {
        let Some((_, value)) = self.table.iter().find(|(name, _)| name.get_ref().as_ref() == key) else {
            return Vec::new();
        };
        let text = |item: &'s Spanned<DeValue<'s>>| {
            let text = item.get_ref().as_str().map(|text| Placed { value: text, at: item.span().start });
            if text.is_none() {
                self.wrong(key, item, "a text, or a list of texts");
            }
            text
        };
        match value.get_ref().as_array() {
            Some(items) => items.iter().filter_map(text).collect(),
            None => text(value).into_iter().collect(),
        }
    }

    /// Names every key that nobody asked for.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !asked.contains(&name) {
                let hint = suggestion(name, asked.iter().copied());
                self.problem(key.span().start, format!("unknown key `{}`{hint}", shown(&self.full(name))));
            }
        }
    }
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

fn json(value: &DeValue<'_>) -> Option<serde_json::Value> {
    Some(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()?.into(),
        DeValue::Float(number) => serde_json::Number::from_f64(number.as_str().replace('_', "").parse().ok()?)?.into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect::<Option<Vec<_>>>()?.into(),
        DeValue::Table(table) => {
            let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                json(value.get_ref()).map(|value| (key.to_string(), value))
            };
            serde_json::Value::Object(table.iter().map(entry).collect::<Option<serde_json::Map<_, _>>>()?)
        }
        DeValue::Datetime(_) => return None,
    })
}
