//! When a definition is for an alert, what must hold before it runs, and how its success is told.

use stella_protocol::fix::{Check, Side};
use stella_protocol::{AlertType, Category, Severity, Text};

use super::super::matching::{Match, Pattern};
use super::super::template::Place;
use super::super::{CheckTemplate, Precondition, Verify};
use super::{Names, acts};
use crate::toml_source::{Section, shown};

const CATEGORIES: [Category; 5] =
    [Category::Performance, Category::Security, Category::Data, Category::Ui, Category::UserFriction];
const SEVERITIES: [(&str, Severity); 4] =
    [("low", Severity::Low), ("medium", Severity::Medium), ("high", Severity::High), ("critical", Severity::Critical)];

/// Shortest and longest watch on success, in milliseconds.
const SHORTEST_MS: i64 = 1_000;
const LONGEST_MS: i64 = 3_600_000;
/// What holds when nobody says.
const USUAL_HOLD_MS: i64 = 30_000;
const USUAL_WITHIN_MS: i64 = 300_000;

pub(super) fn read_match(section: &Section<'_>) -> Match {
    let patterns = |key: &'static str| -> Vec<Pattern> {
        section.texts(key).iter().filter_map(|text| pattern(section, text.value, text.at)).collect()
    };
    let read = Match {
        kinds: words(section, "type", AlertType::ALL.map(|kind| (kind.word(), kind)).as_slice()),
        categories: words(section, "category", CATEGORIES.map(|category| (category.word(), category)).as_slice()),
        severity: section.word("severity", &SEVERITIES).map(|severity| severity.value),
        rules: patterns("rule"),
        services: patterns("service"),
        operations: patterns("operation"),
        labels: section.section("labels").map(|labels| read_labels(&labels)).unwrap_or_default(),
        title: section.text("title").map(|text| text.value.to_owned()),
        template: section.text("template").map(|text| text.value.to_owned()),
        reason: section.text("reason").map(|text| text.value.to_owned()),
        observed_above: section.number("observed_above"),
        observed_below: section.number("observed_below"),
    };
    if read.is_empty() {
        section.problem(section.at(), "this fits every alert; give at least `type`, `rule` or a label");
    }
    section.finish();
    read
}

/// One of some words, or several.
fn words<T: Copy>(section: &Section<'_>, key: &'static str, known: &[(&str, T)]) -> Vec<T> {
    let meaning = |text: &str| known.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
    let texts = section.texts(key);
    for text in texts.iter().filter(|text| meaning(text.value).is_none()) {
        let hint = super::suggestion(text.value, known.iter().map(|(word, _)| *word));
        section.problem(text.at, format!("`{key}` is `{}`{hint}", shown(text.value)));
    }
    texts.iter().filter_map(|text| meaning(text.value)).collect()
}

fn pattern(section: &Section<'_>, text: &str, at: usize) -> Option<Pattern> {
    let pattern = Pattern::parse(text);
    if let Err(why) = &pattern {
        section.problem(at, format!("`{}`: {why}", shown(text)));
    }
    pattern.ok()
}

fn read_labels(section: &Section<'_>) -> std::collections::BTreeMap<String, Vec<Pattern>> {
    let patterns = |key: &str| -> Vec<Pattern> {
        section.texts_of(key).iter().filter_map(|text| pattern(section, text.value, text.at)).collect()
    };
    section.keys().map(|key| (key.to_owned(), patterns(key))).collect()
}

pub(super) fn precondition(section: &Section<'_>, names: &Names) -> Option<Precondition> {
    let Some(document) = section.section("document") else {
        return acts::probe(section, names).map(Precondition::Asked);
    };
    let title = names.need(section, "title", "what is looked at, in words", Place::Words);
    section.finish();
    let collection = acts::collection(&document, names);
    let id = names.need(&document, "id", "the id of the document", Place::Document);
    let exists = document.flag("exists").unwrap_or(true);
    let field = acts::field(&document, names);
    if !exists && field.is_some() {
        document.problem(document.at(), "a document that is not there has no fields");
    }
    document.finish();
    Some(Precondition::Document { title: title?, collection: collection?, id: id?, exists, field })
}

pub(super) fn verify(section: &Section<'_>, names: &Names) -> Option<Verify> {
    let check = check(section, names);
    let bounds = SHORTEST_MS..=LONGEST_MS;
    let hold_ms = section.span("hold", &bounds).unwrap_or(USUAL_HOLD_MS);
    let within_ms = section.span("within", &bounds).unwrap_or(USUAL_WITHIN_MS);
    if hold_ms > within_ms {
        section.problem(section.at(), "`hold` is longer than `within`: this can never succeed");
    }
    section.finish();
    Some(Verify { check: check?, hold_ms, within_ms })
}

#[derive(Clone, Copy)]
enum CheckWord {
    AlertQuiet,
    Series,
}

pub(super) fn check(section: &Section<'_>, names: &Names) -> Option<CheckTemplate> {
    let of = section.need_word("of", &[("alert_quiet", CheckWord::AlertQuiet), ("series", CheckWord::Series)])?;
    match of.value {
        CheckWord::AlertQuiet => Some(CheckTemplate { check: Check::AlertQuiet, series: None }),
        CheckWord::Series => {
            let series = names.need(section, "series", "the id of a series", Place::Words);
            let side = section.need_word("side", &[("below", Side::Below), ("above", Side::Above)]);
            let limit = section.number("limit");
            if limit.is_none() && !section.has("limit") {
                section.problem(section.at(), "a check of a series needs `limit`");
            }
            let check = Check::Series { series: Text::default(), side: side?.value, limit: limit? };
            Some(CheckTemplate { check, series: Some(series?) })
        }
    }
}
