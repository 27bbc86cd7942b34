//! `[detection]` and `[[rule]]` of the server's configuration: every mistake with its line, and what to write instead.

use stella_detect::Limit;
use stella_protocol::Text;

use super::target::{self, Targets};
use super::written::{What, Written};
use crate::toml_source::{Placed, Problem, Section, Source, shown};

/// Most rules: each of them is looked at once for every operation.
const MOST: usize = 200;
/// Longest name of a rule: it stands in an address, and in a column of 80.
const LONGEST_ID: usize = 64;
/// Longest pattern, action, address of a page and owner, in bytes: what an alert may carry.
const LONGEST: usize = 512;
/// Most suggested actions: as many as an alert has.
const MOST_ACTIONS: usize = 10;
/// Least and most false alerts an hour that can be asked for: once in a century, and each few seconds.
pub(super) const SENSITIVITY: (f64, f64) = (1e-6, 1000.0);

/// What a configuration file says of rules.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleFile {
    /// False alerts an hour that somebody is ready to bear, of all rules that say nothing else.
    pub sensitivity: Option<f64>,
    /// The fixed rules of the first form are on, too.
    pub fixed_rules: bool,
    /// What shall succeed, and where gauges end.
    pub targets: Targets,
    /// In their order.
    pub rules: Vec<Written>,
}

/// Reads what a configuration file says of rules.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(file: &str, text: &str) -> Result<RuleFile, Vec<Problem>> {
    let (source, mut read) = (Source::new(file, text), RuleFile::default());
    if let Some(table) = source.parse() {
        let root = Section::root(&source, &table);
        if let Some(detection) = root.has("detection").then(|| root.section("detection")).flatten() {
            read.sensitivity = sensitivity(&detection);
            read.fixed_rules = detection.flag("fixed_rules").unwrap_or(false);
            read.targets = target::read(&detection);
            detection.finish();
        }
        for (number, section) in root.sections("rule").into_iter().enumerate() {
            if number == MOST {
                section.problem(section.at(), format!("there are more than {MOST} rules; join some of them with `*`"));
            }
            let rule = rule(&section);
            section.finish();
            read.rules.extend(rule.filter(|rule| is_another(&section, rule, &read.rules)));
        }
    }
    if source.is_clean() { Ok(read) } else { Err(source.into_problems()) }
}

fn is_another(section: &Section<'_>, rule: &Written, before: &[Written]) -> bool {
    let is_new = before.iter().all(|other| other.id != rule.id);
    if !is_new {
        let id = &rule.id;
        section.problem(section.key_at("id"), format!("two rules are called `{id}`; give each an `id` of its own"));
    }
    is_new
}

fn rule(section: &Section<'_>) -> Option<Written> {
    let what = section.need_word("type", &What::all());
    let (service, operation) = scope(section, what.map(|what| what.value));
    let id = id(section, what.map(|what| what.value), service.as_deref(), operation.as_deref());
    let enabled = section.flag("enabled");
    let sensitivity = sensitivity(section);
    let limits = limits(section, what.map(|what| what.value));
    let actions = section.texts("suggested_actions");
    if let Some(more) = actions.get(MOST_ACTIONS) {
        section.problem(more.at, format!("there are more than {MOST_ACTIONS} actions; an alert shows no more"));
    }
    let actions = actions.into_iter().filter_map(|text| short(section, text)).collect();
    let runbook = section.text("runbook").and_then(|text| page(section, text));
    let owner = section.text("owner").and_then(|text| short(section, text));
    let new = Written::new(id?, what?.value, true);
    Some(Written { service, operation, enabled, sensitivity, limits, actions, runbook, owner, ..new })
}

fn scope(section: &Section<'_>, what: Option<What>) -> (Option<String>, Option<String>) {
    let Some(scope) = section.has("scope").then(|| section.section("scope")).flatten() else { return (None, None) };
    let places = |place: fn((bool, bool)) -> bool| {
        what.is_none_or(|what| what.covers().into_iter().any(|known| place(known.places())))
    };
    let pattern = |key: &'static str, may: bool| {
        let text = scope.text(key)?;
        if !may {
            let word = what.map_or("", What::word);
            scope.problem(text.at, format!("`{word}` is not about single {key}s; leave `scope.{key}` out"));
        }
        short(&scope, text).map(|text| text.raw().to_owned())
    };
    let (service, operation) = (pattern("service", places(|may| may.0)), pattern("operation", places(|may| may.1)));
    scope.finish();
    (service, operation)
}

/// The name: as it is written, else made of what the rule is about and where.
fn id(section: &Section<'_>, what: Option<What>, service: Option<&str>, operation: Option<&str>) -> Option<String> {
    let everywhere = service.is_none() && operation.is_none();
    if !section.has("id") {
        let word = what?.word();
        let places = [service, operation].into_iter().flatten().map(plain).filter(|place| !place.is_empty());
        let made = std::iter::once(word.to_owned()).chain(places).collect::<Vec<_>>().join("-");
        if !everywhere && made == word || made.len() > LONGEST_ID {
            section.problem(section.at(), "`rule.id` is missing; want a name, because its scope makes none");
            return None;
        }
        return Some(made);
    }
    let text = section.need_text("id", "a name like `search-is-slow`")?;
    if !is_id(text.value) {
        let want = format!("want 1 to {LONGEST_ID} small letters, digits and `-`, `_`, `.`");
        section.problem(text.at, format!("`rule.id` is `{}`; {want}", shown(text.value)));
        return None;
    }
    let shipped = What::all().into_iter().find(|(word, _)| *word == text.value).map(|(_, what)| what);
    if shipped.is_some_and(|shipped| Some(shipped) != what || !everywhere) {
        let id = text.value;
        let want = format!("want another id, or `type = \"{id}\"` without a scope");
        section.problem(text.at, format!("`rule.id` is `{id}`, which is the rule of that name everywhere; {want}"));
        return None;
    }
    Some(text.value.to_owned())
}

/// True for what may be the id of a rule.
pub fn is_id(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(letter)
}

/// A pattern as a part of a name.
fn plain(pattern: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let words: String = pattern.chars().map(letter).collect();
    words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

fn sensitivity(section: &Section<'_>) -> Option<f64> {
    let number = section.number("sensitivity")?;
    let (least, most) = SENSITIVITY;
    if (least..=most).contains(&number) {
        return Some(number);
    }
    let want = format!("want false alerts an hour, from {least} to {most}, like 0.2");
    section.problem(section.key_at("sensitivity"), format!("`sensitivity` is {number}; {want}"));
    None
}

fn limits(section: &Section<'_>, what: Option<What>) -> std::collections::BTreeMap<Limit, Option<f64>> {
    let mut read = std::collections::BTreeMap::new();
    let Some(limits) = section.has("limits").then(|| section.section("limits")).flatten() else { return read };
    let known = what.map_or_else(|| Limit::ALL.to_vec(), What::limits);
    for limit in known {
        let Some(value) = limits.number(limit.name()) else { continue };
        match within(limit, value) {
            Ok(()) => {
                read.insert(limit, Some(value));
            }
            Err(want) => limits.problem(limits.key_at(limit.name()), format!("`{}` is {value}; {want}", limit.name())),
        }
    }
    limits.finish();
    read
}

/// Whether a limit may have this value; else what is wanted.
pub(super) fn within(limit: Limit, value: f64) -> Result<(), String> {
    let (least, most) = limit.bounds();
    let whole = limit.unit() != "count" || value.fract() == 0.0;
    if whole && (least..=most).contains(&value) {
        return Ok(());
    }
    let number = if limit.unit() == "count" { "a whole number" } else { "a number" };
    Err(format!("want {number} from {least} to {most} ({})", limit.unit()))
}

fn short(section: &Section<'_>, text: Placed<&str>) -> Option<Text> {
    if text.value.trim().is_empty() {
        section.problem(text.at, "it is empty; say it, or leave it out");
        return None;
    }
    if text.value.len() > LONGEST {
        section.problem(text.at, format!("it has {} bytes; want at most {LONGEST}", text.value.len()));
        return None;
    }
    Some(Text::from(text.value.to_owned()))
}

fn page(section: &Section<'_>, text: Placed<&str>) -> Option<Text> {
    let is_page = ["https://", "http://"].iter().any(|scheme| text.value.starts_with(scheme));
    if !is_page {
        let runbook = shown(text.value);
        section.problem(text.at, format!("`rule.runbook` is `{runbook}`; want the address of a page, `https://…`"));
        return None;
    }
    short(section, text)
}
