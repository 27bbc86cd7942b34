//! A definition's file, read whole: every mistake in it is told, and any mistake refuses it.

mod acts;
mod rules;
#[cfg(test)]
mod tests;
mod when;

use std::cell::RefCell;
use std::collections::BTreeSet;

use stella_protocol::fix::{Policy, Risk};

use super::limits::{LEAST_EVERY_MS, MOST_AN_HOUR, MOST_EVERY_MS, MOST_OPEN};
use super::template::{Place, Template, is_name};
use super::{Definition, Given, Limits, Parameter};
use crate::remedy::parameter::{Kind, is_readable};
use crate::remedy::plan::hex_digest;
use crate::toml_source::{Placed, Problem, Section, Source, shown, suggestion};

const RISKS: [(&str, Risk); 3] = [("low", Risk::Low), ("medium", Risk::Medium), ("high", Risk::High)];
const POLICIES: [(&str, Policy); 3] = [("auto", Policy::Auto), ("approve", Policy::Approve), ("off", Policy::Off)];

/// Longest file, in bytes: one definition, not a library.
const LONGEST_FILE: usize = 64 * 1024;
/// Longest id, in letters: a label in lists and audit rows.
const LONGEST_ID: usize = 64;
/// Most steps: more is a program, and belongs into one.
const MOST_STEPS: usize = 16;

/// Reads a definition. `name`: the file's name without its end.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn parse(name: &str, file: &str, text: &str) -> Result<Definition, Vec<Problem>> {
    let source = Source::new(file, text);
    if text.len() > LONGEST_FILE {
        source.problem(0, format!("the file has {} bytes; {LONGEST_FILE} are the most", text.len()));
        return Err(source.into_problems());
    }
    let definition = source.parse().and_then(|table| read(name, text, &Section::root(&source, &table)));
    match definition {
        Some(definition) if source.is_clean() => Ok(definition),
        _ => Err(source.into_problems()),
    }
}

/// Which parameters there are, and which of them somebody named.
struct Names {
    declared: Vec<String>,
    used: RefCell<BTreeSet<String>>,
}

impl Names {
    /// A text with places for values; problems are told.
    fn template(&self, section: &Section<'_>, text: &Placed<&str>, place: Place) -> Option<Template> {
        let template = match Template::parse(text.value, place) {
            Ok(template) => template,
            Err(why) => {
                section.problem(text.at, format!("`{}`: {why}", shown(text.value)));
                return None;
            }
        };
        for name in template.names() {
            if self.declared.iter().any(|declared| declared == name) {
                self.used.borrow_mut().insert(name.to_owned());
                continue;
            }
            let hint = suggestion(name, self.declared.iter().map(String::as_str));
            section.problem(text.at, format!("`{{{}}}` is no parameter of this definition{hint}", shown(name)));
        }
        Some(template)
    }

    fn need(&self, section: &Section<'_>, key: &'static str, want: &str, place: Place) -> Option<Template> {
        section.need_text(key, want).and_then(|text| self.template(section, &text, place))
    }

    fn list(&self, section: &Section<'_>, key: &'static str, place: Place) -> Vec<Template> {
        section.texts(key).iter().filter_map(|text| self.template(section, text, place)).collect()
    }
}

fn read(name: &str, text: &str, root: &Section<'_>) -> Option<Definition> {
    let id = read_id(name, root);
    let parameters: Vec<Parameter> = root.sections("parameter").iter().filter_map(read_parameter).collect();
    let declared = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    let names = Names { declared, used: RefCell::default() };
    let title = names.need(root, "title", "what it does, in a line", Place::Words);
    let risk = root.need_word("risk", &RISKS);
    let policy = root.need_word("policy", &POLICIES);
    let owner = root.need_text("owner", "who answers for it (and may not approve it)");
    let target = names.need(root, "target", "what it changes, as one name: `pool:{pool}`", Place::Target);
    let steps = read_steps(root, &names);
    let runbook = read_runbook(root);
    let matches = root.sections("match").iter().map(when::read_match).collect();
    let preconditions =
        root.sections("precondition").iter().filter_map(|one| when::precondition(one, &names)).collect();
    let verification = root.section("verify").and_then(|section| when::verify(&section, &names));
    let guard = root.section("guard").and_then(|section| {
        let check = when::check(&section, &names);
        section.finish();
        check
    });
    let guards = names.list(root, "watch", Place::Words);
    let limits = root.section("limits").map_or_else(Limits::default, |section| read_limits(&section));
    let touches = names.list(root, "touches", Place::Words);
    let will_not_undo = names.list(root, "will_not_undo", Place::Words);
    // Everything is read before anything is found missing, so that all mistakes are told at once.
    root.finish();
    let definition = Definition {
        id: id?,
        digest: hex_digest(text),
        title: title?,
        risk: risk?.value,
        policy: policy?.value,
        owner: owner?.value.to_owned(),
        runbook,
        matches,
        parameters,
        target: target?,
        preconditions,
        steps,
        verification,
        guard,
        guards,
        limits,
        touches,
        will_not_undo,
    };
    unused(root, &definition, &names);
    rules::hold(root, &definition);
    Some(definition)
}

fn read_id(name: &str, root: &Section<'_>) -> Option<String> {
    let (id, at) = root.text("id").map_or((name, 0), |id| (id.value, id.at));
    let letters = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let begins = id.starts_with(|first: char| first.is_ascii_lowercase());
    if letters && begins && id.len() <= LONGEST_ID {
        return Some(id.to_owned());
    }
    let what = "want lower-case letters, digits and `-`, beginning with a letter, 64 at most";
    root.problem(at, format!("the id `{}` cannot be used; {what}", shown(id)));
    None
}

fn read_runbook(root: &Section<'_>) -> Option<String> {
    let runbook = root.text("runbook")?;
    let fits = runbook.value.starts_with("https://") && runbook.value.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits {
        root.problem(runbook.at, format!("`runbook` is `{}`; want an address, `https://…`", shown(runbook.value)));
    }
    fits.then(|| runbook.value.to_owned())
}

fn read_limits(section: &Section<'_>) -> Limits {
    let usual = Limits::default();
    let count = |value: Option<i64>, usual: usize| value.map_or(usual, |value| value.unsigned_abs() as usize);
    let limits = Limits {
        every_ms: section.span("every", &(LEAST_EVERY_MS..=MOST_EVERY_MS)).unwrap_or(usual.every_ms),
        open: count(section.whole("open", 1..=MOST_OPEN), usual.open),
        per_hour: count(section.whole("per_hour", 1..=MOST_AN_HOUR), usual.per_hour),
    };
    section.finish();
    limits
}

fn read_parameter(section: &Section<'_>) -> Option<Parameter> {
    let name = section.need_text("name", "a name for placeholders, like `pool`");
    if let Some(name) = name.as_ref().filter(|name| !is_name(name.value)) {
        let what = "want lower-case letters, digits and `_`, beginning with a letter";
        section.problem(name.at, format!("`{}` is no name for a parameter; {what}", shown(name.value)));
    }
    let kind = read_kind(section);
    let from = section.texts("from").iter().filter_map(|text| read_given(section, text)).collect();
    let default = section.text("default");
    if let (Some(default), Some(Kind::Enum(values))) = (&default, &kind)
        && !values.iter().any(|value| value == default.value)
    {
        let hint = suggestion(default.value, values.iter().map(String::as_str));
        section.problem(default.at, format!("`default` is `{}`, which is no value{hint}", shown(default.value)));
    }
    section.finish();
    let default = default.map(|default| default.value.to_owned());
    Some(Parameter { name: name?.value.to_owned(), kind: kind?, from, default })
}

#[derive(Clone, Copy)]
enum KindWord {
    Enum,
    Inventory,
    Ip,
    User,
    Operation,
}

fn read_kind(section: &Section<'_>) -> Option<Kind> {
    let words = [
        ("enum", KindWord::Enum),
        ("inventory", KindWord::Inventory),
        ("ip", KindWord::Ip),
        ("user", KindWord::User),
        ("operation", KindWord::Operation),
    ];
    Some(match section.need_word("kind", &words)?.value {
        KindWord::Enum => {
            let values = section.texts("values");
            if values.is_empty() {
                section.problem(section.at(), "an `enum` needs `values = [\"…\"]`");
            }
            if let Some(bad) = values.iter().find(|value| !is_readable(value.value)) {
                section.problem(bad.at, format!("`{}` cannot be a value", shown(bad.value)));
            }
            Kind::Enum(values.iter().map(|value| value.value.to_owned()).collect())
        }
        KindWord::Inventory => {
            Kind::Inventory(section.need_text("inventory", "the name of a file in `inventories.d`")?.value.to_owned())
        }
        KindWord::Ip => Kind::Ip,
        KindWord::User => Kind::User {
            collection: section.text("collection").map_or("users", |text| text.value).to_owned(),
            fields: section.texts("fields").iter().map(|field| field.value.to_owned()).collect(),
        },
        KindWord::Operation => Kind::Operation,
    })
}

fn read_given(section: &Section<'_>, text: &Placed<&str>) -> Option<Given> {
    match (text.value, text.value.split_once('.')) {
        ("operation", _) => Some(Given::Operation),
        ("service", _) => Some(Given::Service),
        ("affected_user", _) => Some(Given::AffectedUser),
        (_, Some(("label", name))) if !name.is_empty() => Some(Given::Label(name.to_owned())),
        (_, Some(("attribute", name))) if !name.is_empty() => Some(Given::Attribute(name.to_owned())),
        (other, _) => {
            let known = ["operation", "service", "affected_user", "label.NAME", "attribute.NAME"];
            let hint = suggestion(other, known.into_iter());
            section.problem(text.at, format!("`from` is `{}`{hint}", shown(other)));
            None
        }
    }
}

fn read_steps(root: &Section<'_>, names: &Names) -> Vec<super::Step> {
    let sections = root.sections("step");
    if sections.is_empty() {
        root.problem(root.at(), "a definition needs at least one `[[step]]`");
    }
    if let Some(first_too_many) = sections.get(MOST_STEPS) {
        first_too_many.problem(first_too_many.at(), format!("a definition has at most {MOST_STEPS} steps"));
    }
    sections.iter().filter_map(|section| acts::step(section, names)).collect()
}

fn unused(root: &Section<'_>, definition: &Definition, names: &Names) {
    let used = names.used.borrow();
    for (section, parameter) in root.sections("parameter").iter().zip(&definition.parameters) {
        if !used.contains(&parameter.name) {
            section.problem(section.at(), format!("the parameter `{}` is filled in nowhere", parameter.name));
        }
    }
    let mut seen = BTreeSet::new();
    for parameter in &definition.parameters {
        if !seen.insert(&parameter.name) {
            root.problem(root.at(), format!("the parameter `{}` is declared twice", parameter.name));
        }
    }
}
