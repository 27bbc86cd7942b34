//! The report of a scan, for a terminal and for programs.

use std::collections::BTreeMap;

use stella_protocol::Text;

use crate::migrate::form::Form;
use crate::migrate::survey::{CollectionReport, Contested, FormCount, Missed, Orphan, PlaceCount, Report, SeveralIds};

/// Most entries of one kind that a terminal is given; JSON has them all.
const SHOWN: usize = 20;

/// The whole report as JSON, in ASCII: nothing in it can move a terminal.
///
/// # Errors
/// Never, as far as is known; it is the serializer's word.
pub fn json(report: &Report) -> Result<String, serde_json::Error> {
    Ok(ascii(&serde_json::to_string_pretty(report)?))
}

/// JSON in ASCII.
pub(super) fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || (' '..='~').contains(&letter) {
            ascii.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

/// Text from outside as a terminal may have it: whatever is no plain letter stands escaped.
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter.is_ascii_graphic() || letter == ' ' {
                letter.to_string()
            } else {
                letter.escape_unicode().to_string()
            }
        })
        .collect()
}

/// The report in lines. Texts in it come from outside: whoever shows them escapes them.
pub fn words(report: &Report) -> Vec<Text> {
    let mut lines = vec![format!(
        "{}: {}, {} who are {}, {} at declared places",
        report.title.raw(),
        count(report.documents, "document"),
        count(report.users, "user"),
        if report.people == 1 { "1 person".to_owned() } else { format!("{} people", report.people) },
        count(report.references, "reference"),
    )];
    lines.push("forms".to_owned());
    lines.extend(report.forms.iter().map(form));
    lines.push("collections".to_owned());
    lines.extend(report.collections.iter().flat_map(collection));
    if !report.absent.is_empty() {
        let absent = count(report.absent.len() as u64, "collection");
        lines.push(format!("not in the store, so nothing was checked there: {absent} of the map"));
        lines.push(format!("  {}", list(&report.absent)));
    }
    lines.extend(found(report));
    lines.into_iter().map(Text::new).collect()
}

/// What somebody has to look at.
fn found(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    section(&mut lines, "what the map misses", &report.missed, |miss| vec![missed(miss)]);
    if report.not_listed.missed > 0 {
        lines.push(format!("  and {} at further places", count(report.not_listed.missed, "value")));
    }
    for (title, beside) in [
        ("not in the documents, so not done here", &report.elsewhere),
        ("workarounds that must be gone before a cut-over", &report.workarounds),
    ] {
        if !beside.is_empty() {
            section(&mut lines, title, beside, |one| vec![format!("  {}", one.raw())]);
        }
    }
    section(&mut lines, "ids without a user", &report.orphans, orphan);
    section(&mut lines, "ids that could be several people's", &report.contested, contested);
    let twice = &report.duplicates;
    section(&mut lines, "users with one e-mail", &twice.same_email, |same| {
        vec![format!("  {}: {}", same.email.raw(), list(&same.users))]
    });
    section(&mut lines, "ids that several users call their own", &twice.shared_ids, |shared| {
        vec![format!("  {}: {}", shared.id.raw(), people(&shared.people))]
    });
    section(&mut lines, "people with several ids", &twice.several_ids, several);
    for (what, users) in [("another id", &report.lacking.other_id), ("an e-mail", &report.lacking.email)] {
        if !users.is_empty() {
            lines.push(format!("{} without {what}: {}", count(users.len() as u64, "user"), list(users)));
        }
    }
    if report.not_listed.references > 0 {
        let further = count(report.not_listed.references, "reference");
        lines.push(format!("{further} to further ids, which were only counted"));
    }
    lines
}

fn section<T>(lines: &mut Vec<String>, title: &str, each: &[T], words: impl Fn(&T) -> Vec<String>) {
    if each.is_empty() {
        lines.push(format!("{title}: none"));
        return;
    }
    lines.push(format!("{title}: {}", each.len()));
    lines.extend(each.iter().take(SHOWN).flat_map(words));
    if each.len() > SHOWN {
        lines.push(format!("  and {} more: `-o json` tells all", each.len() - SHOWN));
    }
}

fn form(form: &FormCount) -> String {
    let name = form.form.to_string();
    // Nothing, and what is no text, has no id.
    let ids = if form.ids == 0 { String::new() } else { format!("{}, ", count(form.ids, "id")) };
    format!("  {name:<20} {ids}{}", count(form.references, "reference"))
}

fn collection(one: &CollectionReport) -> Vec<String> {
    let documents = count(one.documents, "document");
    let name = one.name.raw();
    let Some(priority) = one.priority else { return vec![format!("  {name} (not in the map): {documents}")] };
    let references = count(one.references, "reference");
    let mut lines = vec![format!("  {name} (priority {priority}): {documents}, {references}")];
    lines.extend(
        one.places
            .iter()
            .map(|place| format!("    {}: {} ({})", place.path.raw(), place.references, forms(&place.forms))),
    );
    lines
}

fn missed(miss: &Missed) -> String {
    let (collection, path, example) = (miss.collection.raw(), miss.path.raw(), miss.example.raw());
    let (values, documents) = (count(miss.values, "value"), count(miss.documents, "document"));
    format!("  {collection} {path}: {values} in {documents} ({}), as in {example}", forms(&miss.forms))
}

fn orphan(orphan: &Orphan) -> Vec<String> {
    let references = count(orphan.references, "reference");
    let mut lines =
        vec![format!("  {} ({}): {references}, as in {}", orphan.id.raw(), orphan.form, orphan.example.raw())];
    lines.extend(orphan.places.iter().map(from));
    lines.extend(orphan.copies.iter().map(|copy| {
        let known = if copy.users.is_empty() { String::new() } else { format!(", as {} has it", list(&copy.users)) };
        format!("    beside it {}: {}{known}", copy.path.raw(), copy.text.raw())
    }));
    lines
}

fn contested(contested: &Contested) -> Vec<String> {
    let (references, people) = (count(contested.references, "reference"), people(&contested.people));
    let mut lines = vec![format!("  {} ({}): {references}; {people}", contested.id.raw(), contested.form)];
    lines.extend(contested.places.iter().map(from));
    lines
}

fn from(place: &PlaceCount) -> String {
    format!("    {} {}: {}", place.collection.raw(), place.path.raw(), place.references)
}

fn several(several: &SeveralIds) -> Vec<String> {
    let ids = several
        .ids
        .iter()
        .map(|id| format!("    {} ({}): {}", id.id.raw(), id.form, count(id.references, "reference")));
    std::iter::once(format!("  {}", list(&several.users))).chain(ids).collect()
}

fn forms(forms: &BTreeMap<Form, u64>) -> String {
    let each = forms.iter().map(|(form, count)| match form.letter() {
        Some(letter) => format!("{letter} {count}"),
        None => format!("{form} {count}"),
    });
    each.collect::<Vec<String>>().join(", ")
}

fn people(people: &[Vec<Text>]) -> String {
    people.iter().map(|users| list(users)).collect::<Vec<String>>().join(" or ")
}

fn list(texts: &[Text]) -> String {
    let mut all: Vec<&str> = texts.iter().take(SHOWN).map(Text::raw).collect();
    let more = format!("{} more", texts.len().saturating_sub(SHOWN));
    if texts.len() > SHOWN {
        all.push(&more);
    }
    all.join(", ")
}

fn count(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}
