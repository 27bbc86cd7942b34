//! Steps: what is done, how to tell, what takes it back.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value as Json;
use stella_protocol::fix::{Condition, HttpMethod};

use super::super::template::{Place, Template};
use super::super::{
    ActTemplate, ArgvTemplate, ConditionTemplate, HttpTemplate, JsonTemplate, ProbeTemplate, Step, UndoTemplate,
};
use super::Names;
use crate::toml_source::{Placed, Section, shown};

const METHODS: [(&str, HttpMethod); 5] = [
    ("GET", HttpMethod::Get),
    ("POST", HttpMethod::Post),
    ("PUT", HttpMethod::Put),
    ("PATCH", HttpMethod::Patch),
    ("DELETE", HttpMethod::Delete),
];
/// Bounds of a time-out, and what holds when nobody says.
const TIMEOUTS: RangeInclusive<i64> = 500..=600_000;
const USUAL_TIMEOUT_MS: u64 = 10_000;
const STATUSES: RangeInclusive<i64> = 100..=599;
const EXITS: RangeInclusive<i64> = 0..=255;
const RETRIES: RangeInclusive<i64> = 0..=5;

/// Headers that the server gives itself, or that change where a request goes.
const OWN_HEADERS: [&str; 9] = [
    "host",
    "authorization",
    "cookie",
    "content-length",
    "transfer-encoding",
    "connection",
    "idempotency-key",
    "stella-fence",
    "content-type",
];

pub(super) fn step(section: &Section<'_>, names: &Names) -> Option<Step> {
    let title = names.need(section, "title", "what the step does, in words", Place::Words);
    let act = act(section, names);
    let probe = section.section("probe").and_then(|probe_section| probe(&probe_section, names));
    let from_documents = matches!(act, Some(ActTemplate::Document { .. } | ActTemplate::Repair { .. }));
    let undo = undo(section, names, from_documents);
    // A document is written on the condition of its version: twice is once.
    let idempotent = section.flag("idempotent").unwrap_or(from_documents);
    let fenced = section.flag("fenced").unwrap_or(from_documents);
    let retries = section.whole("retries", RETRIES).unwrap_or_default() as u32;
    // All of it is read before anything is found missing: a misspelled key is told with its right name.
    section.finish();
    Some(Step { title: title?, act: act?, probe, undo, idempotent, fenced, retries })
}

fn undo(section: &Section<'_>, names: &Names, from_documents: bool) -> Option<UndoTemplate> {
    if !section.has("undo") {
        return from_documents.then_some(UndoTemplate::Restore);
    }
    let undo = section.section("undo")?;
    if from_documents {
        undo.problem(undo.at(), "documents are put back from their before-images; leave `undo` away");
        return None;
    }
    let title = names.need(&undo, "title", "what the undo does, in words", Place::Words);
    let act = act(&undo, names);
    let probe = undo.section("probe").and_then(|probe_section| probe(&probe_section, names));
    let idempotent = undo.flag("idempotent").unwrap_or(false);
    undo.finish();
    Some(UndoTemplate::Act { title: title?, act: act?, probe, idempotent })
}

/// The one act of a section.
fn act(section: &Section<'_>, names: &Names) -> Option<ActTemplate> {
    const KINDS: [&str; 4] = ["http", "argv", "document", "repair"];
    let there: Vec<&str> = KINDS.into_iter().filter(|kind| section.has(kind)).collect();
    match there.as_slice() {
        ["http"] => section.section("http").and_then(|http_section| http(&http_section, names)).map(ActTemplate::Http),
        ["argv"] => section.section("argv").and_then(|argv_section| argv(&argv_section, names)).map(ActTemplate::Argv),
        ["document"] => section.section("document").and_then(|document_section| document(&document_section, names)),
        ["repair"] => section.section("repair").and_then(|repair_section| repair(&repair_section, names)),
        [] => {
            section.problem(section.at(), format!("nothing is done here; give one of {}", KINDS.join(", ")));
            None
        }
        several => {
            section.problem(section.at(), format!("one thing a step: {} stand here", several.join(" and ")));
            None
        }
    }
}

fn timeout(section: &Section<'_>) -> u64 {
    section.span("timeout", &TIMEOUTS).map_or(USUAL_TIMEOUT_MS, i64::unsigned_abs)
}

fn http(section: &Section<'_>, names: &Names) -> Option<HttpTemplate> {
    let method = section.need_word("method", &METHODS);
    let base = section.need_text("base", "the name of a `[[fixes.base]]` of the server's configuration");
    if let Some(base) = base.as_ref().filter(|base| !is_word(base.value)) {
        let what = "want the name of a `[[fixes.base]]`; addresses stand in the server's configuration only";
        section.problem(base.at, format!("`base` is `{}`; {what}", shown(base.value)));
    }
    let path =
        section.need_text("path", "a path like `/pools/{pool}/restart`").and_then(|text| path(section, &text, names));
    let query = section.section("query").map(|query| pairs(&query, names, Place::Query)).unwrap_or_default();
    let headers = section.section("headers").map(|headers| read_headers(&headers, names)).unwrap_or_default();
    let body = section.json("body").and_then(|body| json(section, &body, names));
    if let (Some(Placed { value: HttpMethod::Get, at }), true) = (&method, body.is_some()) {
        section.problem(*at, "a GET has no body");
    }
    let success = section.wholes("success", &STATUSES).into_iter().map(|status| status as u16).collect();
    let timeout_ms = timeout(section);
    section.finish();
    let (method, base, path) = (method?.value, base?.value.to_owned(), path?);
    Some(HttpTemplate { method, base, path, query, headers, body, success, timeout_ms })
}

/// A path, each segment a template of its own.
fn path(section: &Section<'_>, text: &Placed<&str>, names: &Names) -> Option<Vec<Template>> {
    let wrong = |why: &str| {
        section.problem(text.at, format!("`path` is `{}`; {why}", shown(text.value)));
        None
    };
    if text.value.contains("://") || text.value.starts_with("//") || text.value.contains(['@', '\\']) {
        return wrong("scheme, host and user stand in the server's configuration only; want `/pools/{pool}`");
    }
    let Some(rest) = text.value.strip_prefix('/') else { return wrong("a path begins with `/`") };
    if rest.contains(['?', '#']) {
        return wrong("a query stands in `[step.http.query]`, and there are no fragments");
    }
    if rest.contains('%') {
        return wrong("it is encoded when it is sent; write it plain");
    }
    let segment = |one: &str| names.template(section, &Placed { value: one, at: text.at }, Place::Segment);
    rest.split('/').map(segment).collect()
}

fn pairs(section: &Section<'_>, names: &Names, place: Place) -> Vec<(String, Template)> {
    let pair = |key: &str| {
        if !is_word(key) {
            let what = "a name has letters, digits, `_`, `-` and `.` only, and no placeholder";
            section.problem(section.key_at(key), format!("`{}`: {what}", shown(key)));
            return None;
        }
        let text = section.texts_of(key).into_iter().next()?;
        names.template(section, &text, place).map(|template| (key.to_owned(), template))
    };
    section.keys().filter_map(pair).collect()
}

fn read_headers(section: &Section<'_>, names: &Names) -> BTreeMap<String, Template> {
    for key in section.keys().filter(|key| OWN_HEADERS.contains(&key.to_ascii_lowercase().as_str())) {
        let what = "is given by the server; secrets stand in `[[fixes.base]]`";
        section.problem(section.key_at(key), format!("the header `{}` {what}", shown(key)));
    }
    pairs(section, names, Place::Header).into_iter().collect()
}

fn json(section: &Section<'_>, value: &Placed<Json>, names: &Names) -> Option<JsonTemplate> {
    let inner = |inner: &Json| json(section, &Placed { value: inner.clone(), at: value.at }, names);
    Some(match &value.value {
        Json::String(text) => {
            JsonTemplate::Text(names.template(section, &Placed { value: text.as_str(), at: value.at }, Place::Json)?)
        }
        Json::Array(items) => JsonTemplate::List(items.iter().map(inner).collect::<Option<_>>()?),
        Json::Object(entries) => {
            if let Some(key) = entries.keys().find(|key| key.contains(['{', '}'])) {
                section.problem(value.at, format!("`{}`: values fill strings, never keys", shown(key)));
            }
            let entry = |(key, value): (&String, &Json)| inner(value).map(|value| (key.clone(), value));
            JsonTemplate::Object(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        fixed => JsonTemplate::Fixed(fixed.clone()),
    })
}

fn argv(section: &Section<'_>, names: &Names) -> Option<ArgvTemplate> {
    let program = section.need_text("program", "the name of a `[[fixes.program]]` of the server's configuration");
    if let Some(program) = program.as_ref().filter(|program| !is_word(program.value)) {
        let what = "want the name of a `[[fixes.program]]`; paths stand in the server's configuration only";
        section.problem(program.at, format!("`program` is `{}`; {what}", shown(program.value)));
    }
    let codes = |key| section.wholes(key, &EXITS).into_iter().map(|code| code as i32).collect();
    let (success, clean, timeout_ms) = (codes("success"), codes("clean"), timeout(section));
    let arguments = names.list(section, "arguments", Place::Argument);
    section.finish();
    Some(ArgvTemplate { program: program?.value.to_owned(), arguments, success, clean, timeout_ms })
}

fn document(section: &Section<'_>, names: &Names) -> Option<ActTemplate> {
    let collection = collection(section, names);
    let id = names.need(section, "id", "the id of the document", Place::Document);
    let delete = section.flag("delete").unwrap_or(false);
    let set = section.json("set").and_then(|set| json(section, &set, names));
    let set = match (delete, set) {
        (true, None) => None,
        (false, Some(JsonTemplate::Object(fields))) => Some(fields),
        _ => {
            section.problem(section.at(), "a document step has `delete = true` or a table `set`, and not both");
            return None;
        }
    };
    section.finish();
    Some(ActTemplate::Document { collection: collection?, id: id?, set })
}

/// Path of a collection, each segment a template of its own.
pub(super) fn collection(section: &Section<'_>, names: &Names) -> Option<Vec<Template>> {
    let text = section.need_text("collection", "the path of a collection, like `agents`")?;
    let segment = |one: &str| names.template(section, &Placed { value: one, at: text.at }, Place::Document);
    text.value.split('/').map(segment).collect()
}

fn repair(section: &Section<'_>, names: &Names) -> Option<ActTemplate> {
    let user = names.need(section, "user", "the right id: `{user}`", Place::Json);
    let wrong = names.list(section, "wrong", Place::Json);
    let collections = section.texts("collections");
    if wrong.is_empty() || collections.is_empty() {
        section.problem(section.at(), "a repair needs `wrong` (forms of the id) and `collections`");
    }
    section.finish();
    let collections = collections.iter().map(|text| text.value.to_owned()).collect();
    Some(ActTemplate::Repair { user: user?, wrong, collections })
}

pub(super) fn probe(section: &Section<'_>, names: &Names) -> Option<ProbeTemplate> {
    let title = names.need(section, "title", "what is looked at, in words", Place::Words);
    let act = act(section, names);
    match &act {
        Some(ActTemplate::Http(call)) if call.method != HttpMethod::Get => {
            section.problem(section.at(), "a probe reads only: its `method` is `GET`");
        }
        Some(ActTemplate::Document { .. } | ActTemplate::Repair { .. }) => {
            section.problem(section.at(), "documents need no probe: what stands there is compared anyway");
        }
        _ => {}
    }
    let done = section.section("done").map(|done| condition(&done, names));
    let not_done = section.section("not_done").map(|not_done| condition(&not_done, names));
    if done.is_none() {
        section.problem(section.at(), "a probe needs `done`: what its answer is like when it happened");
    }
    section.finish();
    Some(ProbeTemplate { title: title?, act: act?, done: done?, not_done: not_done.unwrap_or_default() })
}

fn condition(section: &Section<'_>, names: &Names) -> ConditionTemplate {
    let pointer = section.text("pointer");
    if let Some(pointer) = pointer.as_ref().filter(|pointer| !pointer.value.starts_with('/')) {
        section.problem(pointer.at, format!("`pointer` is `{}`; want one like `/state`", shown(pointer.value)));
    }
    let equals = section.json("equals").and_then(|equals| json(section, &equals, names));
    if equals.is_some() && pointer.is_none() {
        section.problem(section.at(), "`equals` needs a `pointer`: where it stands in the answer");
    }
    let fixed = Condition {
        status: section.wholes("status", &STATUSES).into_iter().map(|status| status as u16).collect(),
        exit: section.wholes("exit", &EXITS).into_iter().map(|code| code as i32).collect(),
        pointer: pointer.map(|pointer| pointer.value.to_owned().into()),
        equals: None,
    };
    if fixed == Condition::default() {
        section.problem(section.at(), "a condition without `status`, `exit` or `pointer` holds never");
    }
    section.finish();
    ConditionTemplate { fixed, equals }
}

/// A name without room for anything else.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// A field's value for a precondition on a document.
pub(super) fn field(section: &Section<'_>, names: &Names) -> Option<(String, JsonTemplate)> {
    let pointer = section.text("pointer")?;
    let equals = section.json("equals").and_then(|equals| json(section, &equals, names));
    if !pointer.value.starts_with('/') || equals.is_none() {
        section.problem(pointer.at, "want `pointer = \"/field\"` and `equals`");
    }
    equals.map(|equals| (pointer.value.to_owned(), equals))
}
