//! `[[migration.query]]` of the server's configuration: every mistake with its line, and what to write instead.

use super::Query;
use super::shape::{Path, Shape};
use crate::toml_source::{Placed, Problem, Section, Source, shown, suggestion};

/// Most queries: all are asked for each user several times, and a person waits for that.
const MOST: usize = 8;
/// Longest name: it stands in a row of 80 columns with its figures.
const LONGEST_NAME: usize = 32;

/// The queries that a configuration file declares, in their order; `bases` are the addresses that may be called.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read(file: &str, text: &str, bases: &[&str]) -> Result<Vec<Query>, Vec<Problem>> {
    let source = Source::new(file, text);
    let mut queries: Vec<Query> = Vec::new();
    if let Some(table) = source.parse()
        && let root = Section::root(&source, &table)
        && root.has("migration")
        && let Some(migration) = root.section("migration")
    {
        for (number, section) in migration.sections("query").into_iter().enumerate() {
            if number == MOST {
                section
                    .problem(section.at(), format!("there are more than {MOST} queries; keep those people wait for"));
            }
            let query = query(&section, bases);
            section.finish();
            let Some(query) = query else { continue };
            if queries.iter().any(|other| other.name == query.name) {
                section.problem(
                    section.key_at("name"),
                    format!("two queries are called `{}`; want a name each", query.name),
                );
            }
            queries.push(query);
        }
    }
    if source.is_clean() { Ok(queries) } else { Err(source.into_problems()) }
}

fn query(section: &Section<'_>, bases: &[&str]) -> Option<Query> {
    let name = name(section);
    let base = base(section, bases);
    let path = section.need_text("path", "a path like `/users/{userId}/conversations`").and_then(|text| {
        let read = Path::parse(text.value);
        read.map_err(|want| section.problem(text.at, format!("`path` is `{}`; {want}", shown(text.value)))).ok()
    });
    let shape = shape(section);
    let collection = section.text("collection");
    if let Some(empty) = collection.filter(|text| text.value.is_empty()) {
        section.problem(empty.at, "`collection` is empty; want a collection as the data map names it, or leave it out");
    }
    let collection = collection.map(|text| text.value.to_owned());
    Some(Query { name: name?, base: base?, path: path?, shape: shape?, collection })
}

fn name(section: &Section<'_>) -> Option<String> {
    let text = section.need_text("name", "a name for people, like `list-conversations`")?;
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.value.len() <= LONGEST_NAME && text.value.bytes().all(letter) {
        return Some(text.value.to_owned());
    }
    let want = format!("want 1 to {LONGEST_NAME} small letters, digits and `-`");
    section.problem(text.at, format!("`name` is `{}`; {want}", shown(text.value)));
    None
}

fn base(section: &Section<'_>, bases: &[&str]) -> Option<String> {
    let text = section.need_text("base", "the name of a `[[fixes.base]]`")?;
    if bases.contains(&text.value) {
        return Some(text.value.to_owned());
    }
    let hint = if bases.is_empty() {
        "; there is no `[[fixes.base]]`, write one with its name and its url".to_owned()
    } else {
        suggestion(text.value, bases.iter().copied())
    };
    section.problem(text.at, format!("`base` is `{}`, which no `[[fixes.base]]` is called{hint}", shown(text.value)));
    None
}

fn shape(section: &Section<'_>) -> Option<Shape> {
    let (items, item_id, count) = (section.text("items"), section.text("item_id"), section.text("count"));
    match (items, count) {
        (Some(items), None) => {
            let name = item_id.map(|text| pointer(section, "item_id", text));
            let at = pointer(section, "items", items)?;
            Some(Shape::Items { at, name: name.map_or(Some(None), |name| name.map(Some))? })
        }
        (None, Some(count)) => {
            if let Some(id) = item_id {
                section.problem(id.at, "`item_id` goes with `items`; a `count` has none");
            }
            Some(Shape::Count { at: pointer(section, "count", count)? })
        }
        (Some(_), Some(count)) => {
            section.problem(count.at, "`items` and `count` both say how many there are; keep one");
            None
        }
        (None, None) => {
            let want = "want `items`, where the answer has its list, or `count`, where it has their number";
            section.problem(
                section.at(),
                format!("nothing says how many things an answer shows; {want}, like `items = \"/items\"`"),
            );
            None
        }
    }
}

/// A JSON pointer: empty for the answer itself, else parts behind slashes.
fn pointer(section: &Section<'_>, key: &str, text: Placed<&str>) -> Option<String> {
    // Behind a `~` stands `0` or `1` (RFC 6901).
    let escaped = text.value.split('~').skip(1).all(|part| part.starts_with(['0', '1']));
    if escaped && (text.value.is_empty() || text.value.starts_with('/')) {
        return Some(text.value.to_owned());
    }
    let want = "want a JSON pointer: `/items`, `/data/total`, or nothing for the answer itself";
    section.problem(text.at, format!("`{key}` is `{}`; {want}", shown(text.value)));
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let found = read("s.toml", text, &["application"]).unwrap_err();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_query_says_where_it_goes_and_how_its_answer_is_counted() {
        let text = r#"
            [migration]
            canary = 3
            [[migration.query]]
            name = "list-conversations"
            base = "application"
            path = "/users/{userId}/conversations"
            items = "/items"
            item_id = "/id"
            collection = "conversations"
            [[migration.query]]
            name = "load-shared-agents"
            base = "application"
            path = "/agents?user={userId}"
            count = "/total"
        "#;
        let queries = read("s.toml", text, &["application"]).unwrap();
        assert_eq!(queries.len(), 2);
        assert_eq!(queries[0].shape, Shape::Items { at: "/items".into(), name: Some("/id".into()) });
        assert_eq!(
            (queries[0].collection.as_deref(), queries[0].path.of("a")),
            (Some("conversations"), "/users/a/conversations".into())
        );
        assert_eq!(queries[1].shape, Shape::Count { at: "/total".into() });
        assert_eq!(read("s.toml", "listen = \"x\"", &[]), Ok(Vec::new()));
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_what_to_write() {
        let told = problems("[[migration.query]]\nname = \"List all\"\nbase = \"aplication\"\npath = \"/users\"\n");
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(
            told[0].starts_with("s.toml:1: nothing says how many") && told[0].contains("items = \"/items\""),
            "{told:#?}"
        );
        assert!(told[1].starts_with("s.toml:2: `name`") && told[1].contains("small letters"), "{told:#?}");
        assert!(told[2].starts_with("s.toml:3: `base`") && told[2].contains("did you mean `application`"), "{told:#?}");
        assert!(told[3].starts_with("s.toml:4: `path`") && told[3].contains("{userId}"), "{told:#?}");
        let good = "[[migration.query]]\nname = \"a\"\nbase = \"application\"\npath = \"/{userId}\"\n";
        let with = |more: &str| problems(&format!("{good}{more}")).join("\n");
        assert!(with("items = \"items\"").contains("JSON pointer"));
        assert!(with("items = \"/a~2\"").contains("JSON pointer"));
        assert!(with("items = \"/a\"\ncount = \"/b\"").contains("keep one"));
        assert!(with("count = \"/b\"\nitem_id = \"/id\"").contains("goes with `items`"));
        assert!(with("count = \"/b\"\ntimout = 3").contains("unknown key"));
        let twice = format!("{good}count = \"/b\"\n{good}count = \"/b\"\n");
        assert!(problems(&twice).join("\n").contains("two queries are called `a`"));
        assert!(
            read("s.toml", &format!("{good}count = \"/b\"\n"), &[]).unwrap_err()[0]
                .what
                .contains("there is no `[[fixes.base]]`")
        );
    }
}
