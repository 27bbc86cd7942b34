//! What there is: closed lists from which a value may come. `inventories.d/NAME.toml`.
//!
//! Either a list that people keep, with the day on which somebody last looked at it, or a collection of
//! the document store. A list that nobody looked at for too long gives no values.
//!
//! Architecture Invariant: pure; the documents of a collection are brought by whoever has the store.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use stella_protocol::Timestamp;

use super::definition::template::Value;
use super::parameter::is_id;
use crate::toml_source::{Problem, Section, Source, shown, span_words};

/// Longest `max_age`, in milliseconds: two years.
const LONGEST_AGE: i64 = 730 * DAY_MS;
/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// A closed list.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// Its name.
    pub name: String,
    /// Where its entries come from.
    pub from: Origin,
}

/// Where entries come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// Written down.
    List {
        /// The entries.
        entries: Vec<Entry>,
        /// When somebody last looked at them.
        as_of: Option<Timestamp>,
        /// How old that may be, in milliseconds.
        max_age_ms: Option<i64>,
    },
    /// The documents of a collection.
    Collection {
        /// Path of the collection.
        collection: String,
        /// Field that holds the value; None: the document's id.
        field: Option<String>,
        /// Fields that name the entry too.
        aliases: Vec<String>,
    },
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// What goes into a plan.
    pub value: String,
    /// Other names under which it stands in logs.
    pub aliases: Vec<String>,
    /// What else is known of it, for `{name.field}`.
    pub fields: BTreeMap<String, Vec<String>>,
    /// What it is, for people.
    pub words: String,
}

impl Entry {
    /// As a parameter's value.
    pub fn value(&self) -> Value {
        Value { text: self.value.clone(), fields: self.fields.clone() }
    }
}

impl Inventory {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let source = Source::new(file, text);
        if !is_id(name) {
            source.problem(0, format!("`{}` is no name for an inventory", shown(name)));
        }
        let from = source.parse().and_then(|table| read(&Section::root(&source, &table)));
        match from {
            Some(from) if source.is_clean() => Ok(Self { name: name.to_owned(), from }),
            _ => Err(source.into_problems()),
        }
    }

    /// Why it gives no values now; None: it does.
    pub fn stale(&self, now: Timestamp) -> Option<String> {
        let Origin::List { as_of: Some(as_of), max_age_ms: Some(most), .. } = &self.from else { return None };
        let age = now.since(*as_of);
        let days = age / DAY_MS;
        (age > *most).then(|| {
            let allowed = span_words(*most);
            format!("nobody looked at the inventory `{}` for {days} days ({allowed} are allowed)", self.name)
        })
    }

    /// Where an entry stands and of when it is, in words that stay the same as time passes: they are
    /// part of the plan.
    pub fn words(&self, entry: &Entry) -> String {
        let what = if entry.words.is_empty() { String::new() } else { format!(": {}", entry.words) };
        match &self.from {
            Origin::List { as_of: Some(as_of), .. } => {
                let day = as_of.to_string().chars().take(10).collect::<String>();
                format!("inventory {}, as of {day}{what}", self.name)
            }
            Origin::List { as_of: None, .. } => format!("inventory {}{what}", self.name),
            Origin::Collection { collection, .. } => {
                format!("inventory {}, documents of {collection}{what}", self.name)
            }
        }
    }

    /// The entry that a document is.
    pub fn entry_of(&self, id: &str, fields: &BTreeMap<String, Json>) -> Option<Entry> {
        let Origin::Collection { field, aliases, .. } = &self.from else { return None };
        let text = |name: &String| fields.get(name).and_then(Json::as_str).map(str::to_owned);
        let value = field.as_ref().map_or_else(|| Some(id.to_owned()), text)?;
        let aliases = aliases.iter().filter_map(text).collect();
        Some(Entry { value, aliases, fields: texts_of(fields), words: String::new() })
    }
}

/// The texts of a document's fields, for `{name.field}`: texts, and lists of texts.
pub fn texts_of(fields: &BTreeMap<String, Json>) -> BTreeMap<String, Vec<String>> {
    let texts = |value: &Json| match value {
        Json::String(text) => Some(vec![text.clone()]),
        Json::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    fields.iter().filter_map(|(name, value)| texts(value).map(|texts| (name.clone(), texts))).collect()
}

fn read(root: &Section<'_>) -> Option<Origin> {
    let origin = match (root.text("collection"), root.has("entry")) {
        (Some(at), true) => {
            root.problem(at.at, "an inventory is a list (`[[entry]]`) or a `collection`, not both");
            None
        }
        (Some(collection), false) => Some(Origin::Collection {
            collection: collection.value.to_owned(),
            field: root.text("field").map(|field| field.value.to_owned()),
            aliases: root.texts("aliases").iter().map(|alias| alias.value.to_owned()).collect(),
        }),
        (None, _) => read_list(root),
    };
    // Asked for in either case, so that a key of the other kind is told by its meaning.
    for key in ["field", "aliases", "as_of", "max_age"] {
        root.has(key);
    }
    root.finish();
    origin
}

fn read_list(root: &Section<'_>) -> Option<Origin> {
    let as_of = root.text("as_of").and_then(|text| {
        let day = if text.value.contains('T') { text.value.to_owned() } else { format!("{}T00:00:00Z", text.value) };
        let at = Timestamp::parse(&day);
        if at.is_none() {
            root.problem(text.at, format!("`as_of` is `{}`; want a day like `2026-11-01`", shown(text.value)));
        }
        at
    });
    let max_age_ms = root.span("max_age", &(DAY_MS..=LONGEST_AGE));
    if max_age_ms.is_some() && as_of.is_none() {
        root.problem(root.at(), "`max_age` needs `as_of`: the day on which somebody last looked at the list");
    }
    let sections = root.sections("entry");
    if sections.is_empty() {
        root.problem(root.at(), "an inventory needs `[[entry]]` tables, or a `collection`");
        return None;
    }
    let entries = sections.iter().filter_map(read_entry).collect();
    Some(Origin::List { entries, as_of, max_age_ms })
}

fn read_entry(section: &Section<'_>) -> Option<Entry> {
    let value = section.need_text("value", "what goes into a plan");
    if let Some(value) = value.as_ref().filter(|value| !is_id(value.value)) {
        let what = "want letters, digits and `. _ @ : + -`, beginning with a letter or digit";
        section.problem(value.at, format!("`value` is `{}`; {what}", shown(value.value)));
    }
    let aliases = section.texts("aliases").iter().map(|alias| alias.value.to_owned()).collect();
    let words = section.text("words").map(|words| words.value.to_owned()).unwrap_or_default();
    let fields = section.section("fields").map(|fields| {
        let texts = |key: &str| fields.texts_of(key).iter().map(|text| text.value.to_owned()).collect::<Vec<_>>();
        fields.keys().map(|key| (key.to_owned(), texts(key))).collect()
    });
    section.finish();
    Some(Entry { value: value?.value.to_owned(), aliases, fields: fields.unwrap_or_default(), words })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const POOLS: &str = "as_of = \"2026-11-01\"\nmax_age = \"90d\"\n[[entry]]\nvalue = \"agents\"\n\
                         aliases = [\"db-pool-agents\"]\nwords = \"agents and shares\"\nfields.team = \"data\"\n";

    #[test]
    fn a_list_gives_entries_until_nobody_looked_at_it_for_too_long() {
        let pools = Inventory::parse("pools", "pools.toml", POOLS).unwrap();
        let Origin::List { entries, .. } = &pools.from else { unreachable!() };
        assert_eq!(entries[0].fields["team"], ["data"]);
        assert_eq!(pools.words(&entries[0]), "inventory pools, as of 2026-11-01: agents and shares");
        assert_eq!(pools.stale(Timestamp::parse("2026-12-01T00:00:00Z").unwrap()), None);
        let stale = pools.stale(Timestamp::parse("2027-06-01T00:00:00Z").unwrap()).unwrap();
        assert!(stale.contains("212 days"), "{stale}");
    }

    #[test]
    fn a_value_that_is_no_plain_name_and_an_unknown_key_are_problems_with_their_lines() {
        let text = "[[entry]]\nvalue = \"a; reboot\"\nalias = []\n";
        let problems = Inventory::parse("x", "x.toml", text).unwrap_err();
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), 2, "{words:?}");
        assert!(words[0].starts_with("x.toml:2: `value` is `a; reboot`"), "{words:?}");
        assert!(words[1].contains("x.toml:3: unknown key `entry.alias`; did you mean `aliases`?"), "{words:?}");
    }

    #[test]
    fn a_document_is_an_entry_by_its_id_or_a_field() {
        let agents =
            Inventory::parse("agents", "agents.toml", "collection = \"agents\"\naliases = [\"name\"]\n").unwrap();
        let fields = BTreeMap::from([("name".to_owned(), Json::from("Sales")), ("n".to_owned(), Json::from(1))]);
        let entry = agents.entry_of("a-7", &fields).unwrap();
        assert_eq!((entry.value.as_str(), entry.aliases), ("a-7", vec!["Sales".to_owned()]));
        assert_eq!(entry.fields.keys().collect::<Vec<_>>(), ["name"]);
    }
}
