//! From the TOML of a data map to the map, or to everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::place::{Place, Step};
use super::{Beside, ClashPolicy, Collection, DataMap, Declared, IdPattern, Kind, Mark, OWNER, Rank, Users};
use crate::documents::shape;
use crate::migrate::placeholder;
use crate::toml_source::{Placed, Problem, Section, Source, shown};

/// Most places elsewhere, and most workarounds: they stand in every plan, and people read them.
const MOST_BESIDE: usize = 20;
/// Longest text of one, in bytes: a line.
const LONGEST_BESIDE: usize = 200;
/// Lowest priority.
const LAST: i64 = 3;

/// The keys of places, and what stands at them.
const KINDS: [(&str, Kind); 5] = [
    ("refs", Kind::Id),
    ("mixed", Kind::Mixed),
    ("pseudonyms", Kind::Pseudonym),
    ("storage", Kind::Storage),
    ("storage_moved", Kind::StorageMoved),
];

#[derive(Clone, Copy)]
enum Word {
    Park,
    Merge,
    Newest,
}

pub(super) fn parse(file: &str, text: &str) -> Result<DataMap, Vec<Problem>> {
    let source = Source::new(file, text);
    let map = source.parse().and_then(|table| {
        let root = Section::root(&source, &table);
        let map = whole(&root);
        root.finish();
        map
    });
    match map {
        Some(map) if source.is_clean() => Ok(map),
        _ => Err(source.into_problems()),
    }
}

fn whole(root: &Section<'_>) -> Option<DataMap> {
    let title = root.need_text("title", "whose data it is");
    let users = root.section("users").and_then(|section| users(&section));
    if !root.has("users") {
        root.problem(root.at(), "`[users]` is missing; want where the users are");
    }
    let mut names = BTreeSet::new();
    let mut collections = Vec::new();
    for section in root.sections("collection") {
        for collection in collection(&section) {
            if !names.insert(collection.name.clone()) {
                root.problem(section.at(), format!("collection `{}` is there twice", shown(&collection.name)));
            }
            collections.push(collection);
        }
    }
    let users = users?;
    for own in collections.iter().filter(|one| one.name == users.collection).flat_map(|one| &one.places) {
        if users.ids.iter().any(|stays| stays.path() == own.place.path()) {
            let what = format!("`{}` is in `users.ids`, which stay; want it in one of the two", own.place);
            root.problem(root.at(), what);
        }
    }
    let elsewhere = beside(root, "elsewhere", ("by", "who sees to the ids there"));
    let workarounds = beside(root, "workaround", ("at", "where it stands, like `src/chats.ts`"));
    Some(DataMap { title: title?.value.to_owned(), users, collections, elsewhere, workarounds })
}

/// What is beside the documents, each with what it is and a second word.
fn beside(root: &Section<'_>, key: &'static str, (second, want): (&'static str, &str)) -> Vec<Beside> {
    let sections = root.sections(key);
    if let Some(beyond) = sections.get(MOST_BESIDE) {
        beyond.problem(beyond.at(), format!("`[[{key}]]` is there more than {MOST_BESIDE} times; want several in one"));
    }
    let read = |section: &Section<'_>| {
        let (what, by) = (section.need_text("what", "what it is"), section.need_text(second, want));
        section.finish();
        for text in [&what, &by].into_iter().flatten().filter(|text| text.value.len() > LONGEST_BESIDE) {
            section.problem(text.at, format!("it has more than {LONGEST_BESIDE} bytes; want a line"));
        }
        Some(Beside { what: what?.value.to_owned(), by: by?.value.to_owned() })
    };
    sections.iter().filter_map(read).collect()
}

fn users(section: &Section<'_>) -> Option<Users> {
    let collection = section.need_text("collection", "the collection whose documents are users");
    let email = places(section, "email");
    let mut ids = places(section, "ids");
    ids.extend(Place::parse(placeholder::FOR_PLACE));
    let sign_in: Vec<Place> = email.iter().chain(&ids).cloned().collect();
    let placeholder = for_nobody(section, &sign_in);
    if !section.has("email") {
        section.problem(section.at(), "`users.email` is missing; want the field with the e-mail");
    }
    let collection = collection.filter(|name| is_collection(section, *name));
    section.finish();
    Some(Users { collection: collection?.value.to_owned(), email, ids, placeholder })
}

/// What a user document that is made for nobody holds: nothing that somebody could sign in by.
fn for_nobody(section: &Section<'_>, sign_in: &[Place]) -> BTreeMap<String, Value> {
    let Some(given) = section.json("placeholder") else { return BTreeMap::new() };
    let Value::Object(fields) = given.value else {
        section.problem(given.at, "`placeholder` is no table; want fields, like `{ isActive = false }`");
        return BTreeMap::new();
    };
    let fields: BTreeMap<String, Value> = fields.into_iter().collect();
    if let Err(why) = shape::fields(&fields) {
        section.problem(given.at, format!("`placeholder` cannot be kept: {}", shown(&why.to_string())));
    }
    for place in sign_in {
        place.visit(&fields, &mut |path, _| {
            section.problem(given.at, format!("`placeholder.{}` could be signed in by; leave it out", shown(path)));
        });
    }
    fields
}

/// A table, once for each of its names.
fn collection(section: &Section<'_>) -> Vec<Collection> {
    let names = section.texts("name");
    if names.is_empty() {
        section.problem(section.at(), "`name` is missing; want the path of a collection, or several");
    }
    let shape = Collection {
        name: String::new(),
        priority: section.whole("priority", 0..=LAST).unwrap_or(LAST) as u8,
        clash: clash(section),
        id: id(section),
        places: declared(section),
        copies: places(section, "copies"),
        archive: archive(section),
    };
    if shape.id.is_none() && shape.places.is_empty() && shape.copies.is_empty() {
        section.problem(section.at(), "nothing is declared; want `id`, `refs`, `mixed`, `pseudonyms` or `storage`");
    }
    section.finish();
    let good = names.into_iter().filter(|name| is_collection(section, *name));
    good.map(|name| Collection { name: name.value.to_owned(), ..shape.clone() }).collect()
}

fn is_collection(section: &Section<'_>, name: Placed<&str>) -> bool {
    let wild = |part: &str| part == "*" || part.contains(['{', '}']);
    let whole = |part: &str| !wild(part) || part == "*" || part == OWNER;
    // Names of collections and ids of documents take turns.
    let mut names = name.value.split('/').step_by(2);
    let good = shape::collection(name.value).is_ok() && !names.any(wild) && name.value.split('/').all(whole);
    if !good {
        let want = "want `users`, `agents/*/shares` or `users/{userId}/keys`";
        section.problem(name.at, format!("`{}` is no collection; {want}", shown(name.value)));
    }
    good
}

fn id(section: &Section<'_>) -> Option<IdPattern> {
    let text = section.text("id")?;
    let pattern = IdPattern::parse(text.value);
    pattern.map_err(|want| section.problem(text.at, format!("`{}` is no pattern; {want}", shown(text.value)))).ok()
}

fn archive(section: &Section<'_>) -> Option<Mark> {
    let text = section.text("archive")?;
    let mark = text.value.split_once('=').map(|(field, word)| (field.trim(), word.trim()));
    let is_name = |text: &str| !text.is_empty() && !text.contains(['.', ' ', '=']);
    let mark = mark.filter(|(field, word)| is_name(field) && is_name(word));
    if mark.is_none() {
        let what = format!("`{}` is no mark; want a field and its word, like `status = archived`", shown(text.value));
        section.problem(text.at, what);
    }
    mark.map(|(field, word)| Mark { field: field.to_owned(), word: word.to_owned() })
}

fn declared(section: &Section<'_>) -> Vec<Declared> {
    let mut seen = BTreeSet::new();
    let mut declared = Vec::new();
    for (key, kind) in KINDS {
        for (place, at) in placed(section, key) {
            if kind != Kind::Id && (place.is_unique() || place.steps().contains(&Step::Key)) {
                section.problem(at, format!("`unique` and `{{userId}}` are for `refs`, not for `{key}`"));
            }
            if !seen.insert(place.to_string()) {
                section.problem(at, format!("`{}` is declared twice", shown(&place.to_string())));
            }
            declared.push(Declared { place, kind });
        }
    }
    declared
}

fn places(section: &Section<'_>, key: &'static str) -> Vec<Place> {
    placed(section, key).into_iter().map(|(place, _)| place).collect()
}

fn placed(section: &Section<'_>, key: &'static str) -> Vec<(Place, usize)> {
    let read = |text: Placed<&str>| match Place::parse(text.value) {
        Ok(place) => Some((place, text.at)),
        Err(why) => {
            section.problem(text.at, format!("`{}` is no place: {why}", shown(text.value)));
            None
        }
    };
    section.texts(key).into_iter().filter_map(read).collect()
}

fn clash(section: &Section<'_>) -> ClashPolicy {
    let words = [("park", Word::Park), ("merge", Word::Merge), ("newest", Word::Newest)];
    let word = section.word("clash", &words);
    let (rank, newest) = (section.text("rank"), section.text("newest"));
    let chosen = word.as_ref().map_or(Word::Park, |word| word.value);
    if let (Some(rank), false) = (&rank, matches!(chosen, Word::Merge)) {
        section.problem(rank.at, "`rank` goes with `clash = \"merge\"`");
    }
    match (chosen, newest) {
        (Word::Newest, Some(field)) => return ClashPolicy::Newest(field.value.to_owned()),
        (Word::Newest, None) => {
            let at = word.map_or(section.at(), |word| word.at);
            section.problem(at, "`newest` is missing; want the field with the time, like `updatedAt`");
        }
        (_, Some(field)) => section.problem(field.at, "`newest` goes with `clash = \"newest\"`"),
        (_, None) => {}
    }
    match chosen {
        Word::Merge => ClashPolicy::Merge(rank.and_then(|rank| ranked(section, rank))),
        Word::Park | Word::Newest => ClashPolicy::Park,
    }
}

fn ranked(section: &Section<'_>, text: Placed<&str>) -> Option<Rank> {
    let rank = text.value.split_once(':').map(|(field, words)| Rank {
        field: field.trim().to_owned(),
        words: words.split('<').map(|word| word.trim().to_owned()).collect(),
    });
    let good = |rank: &Rank| {
        let different: BTreeSet<&String> = rank.words.iter().collect();
        !rank.field.is_empty()
            && different.len() == rank.words.len()
            && different.len() > 1
            && !different.contains(&String::new())
    };
    let rank = rank.filter(good);
    if rank.is_none() {
        let what =
            format!("`{}` is no rank; want a field and its words, like `access: view < edit`", shown(text.value));
        section.problem(text.at, what);
    }
    rank
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const HEAD: &str = "title = \"t\"\n[users]\ncollection = \"users\"\nemail = \"email\"\n";

    fn problems(text: &str) -> Vec<String> {
        parse("m.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_key_of_a_map_is_read() {
        let text = format!(
            "{HEAD}ids = [\"googleUserId\"]\nplaceholder = {{ isActive = false }}\n[[collection]]\nname = [\"a\", \"b/*/c\"]\npriority = 0\n\
             clash = \"merge\"\nrank = \"access: view < edit\"\nid = \"{{userId}}_{{x}}\"\n\
             refs = [\"userId\", \"s[].id where type = user unique\"]\nmixed = \"by\"\n\
             pseudonyms = \"hashed\"\nstorage = \"m.path\"\ncopies = \"userEmail\"\narchive = \"status = archived\"\n\
             [[collection]]\nname = \"d\"\nclash = \"newest\"\nnewest = \"updatedAt\"\nrefs = \"m.{{userId}}\"\n"
        );
        let map = parse("m.toml", &text).unwrap();
        assert_eq!(map.collections.len(), 3);
        let a = &map.collections[0];
        assert_eq!((a.priority, a.places.len(), a.copies.len()), (0, 5, 1));
        assert_eq!(map.collections[1], Collection { name: "b/*/c".to_owned(), ..a.clone() });
        assert!(a.places[1].place.is_unique());
        let words = ["view", "edit"].map(str::to_owned).to_vec();
        assert_eq!(a.clash, ClashPolicy::Merge(Some(Rank { field: "access".to_owned(), words })));
        assert_eq!(map.collections[2].clash, ClashPolicy::Newest("updatedAt".to_owned()));
        assert_eq!(map.collections[2].priority, 3, "the last, when nothing is said");
        let mark = Mark { field: "status".to_owned(), word: "archived".to_owned() };
        assert_eq!((a.archive.as_ref(), &map.collections[2].archive), (Some(&mark), &None));
        assert_eq!(map.users.placeholder["isActive"], false);
    }

    #[test]
    fn everything_wrong_is_told_with_its_line_and_what_to_write() {
        let text = format!(
            "{HEAD}[[collection]]\nname = \"a\"\nrefss = \"userId\"\n\
             [[collection]]\nname = \"a\"\nclash = \"merg\"\nrefs = [\"x\", \"x\", \"y[0]\"]\nid = \"{{user}}\"\n\
             [[collection]]\nname = \"a/b\"\nclash = \"newest\"\nrank = \"access\"\nmixed = \"m.{{userId}}\"\n"
        );
        let told = problems(&text);
        for want in [
            "m.toml:5: nothing is declared",
            "m.toml:7: unknown key `collection.refss`; did you mean `refs`?",
            "m.toml:8: collection `a` is there twice",
            "m.toml:10: `collection.clash` is `merg`; did you mean `merge`?",
            "m.toml:11: `x` is declared twice",
            "m.toml:11: `y[0]` is no place: a path is made of",
            "m.toml:12: `{user}` is no pattern; want `{userId}`",
            "m.toml:14: `a/b` is no collection; want `users`, `agents/*/shares` or `users/{userId}/keys`",
            "m.toml:15: `newest` is missing",
            "m.toml:16: `rank` goes with",
            "m.toml:17: `unique` and `{userId}` are for `refs`",
        ] {
            assert!(told.iter().any(|line| line.starts_with(want)), "{want}\n{told:#?}");
        }
    }

    #[test]
    fn only_documents_are_any_in_a_path_and_what_says_who_a_user_is_stays() {
        let named = |name: &str| format!("{HEAD}[[collection]]\nname = \"{name}\"\nrefs = \"x\"\n");
        for good in ["a/*/b", "a/{userId}/b", "a/b/c"] {
            assert!(parse("m.toml", &named(good)).is_ok(), "{good}");
        }
        for bad in ["*", "a/b/*", "{userId}", "a/{user}/b", "a/x{userId}/b", "", "a//b"] {
            assert!(problems(&named(bad))[0].contains("is no collection"), "{bad}");
        }
        let both = format!("{HEAD}ids = \"sub\"\n[[collection]]\nname = \"users\"\nrefs = \"sub\"\n");
        assert_eq!(problems(&both), ["m.toml:1: `sub` is in `users.ids`, which stay; want it in one of the two"]);
    }

    #[test]
    fn a_placeholder_holds_nothing_to_sign_in_by_and_a_mark_is_a_field_and_a_word() {
        let with = |line: &str| format!("{HEAD}ids = \"sub\"\nplaceholder = {line}\n");
        for (line, why) in [
            ("{ email = \"x\" }", "`placeholder.email` could be signed in by"),
            ("{ sub = \"7\" }", "`placeholder.sub` could be signed in by"),
            ("{ _placeholderFor = [\"7\"] }", "`placeholder._placeholderFor[0]` could be signed in by"),
            ("\"x\"", "`placeholder` is no table"),
            ("{ at = { \"$timestamp\" = 5 } }", "`placeholder` cannot be kept"),
        ] {
            let told = problems(&with(line));
            assert!(told[0].starts_with(&format!("m.toml:6: {why}")), "{line} {told:?}");
        }
        for bad in ["archived", "status =", "a.b = c", "a = b c", "a = b = c"] {
            let text = format!("{HEAD}[[collection]]\nname = \"a\"\nrefs = \"x\"\narchive = \"{bad}\"\n");
            assert!(problems(&text)[0].contains("is no mark; want a field and its word"), "{bad}");
        }
    }

    #[test]
    fn what_is_beside_the_documents_is_named_with_who_does_it_or_where_it_is() {
        let with = |more: &str| format!("{HEAD}{more}");
        let good =
            with("[[elsewhere]]\nwhat = \"tables\"\nby = \"data team\"\n[[workaround]]\nwhat = \"w\"\nat = \"a.ts\"\n");
        let map = parse("m.toml", &good).unwrap();
        assert_eq!(map.elsewhere[0].to_string(), "tables: data team");
        assert_eq!(map.workarounds[0].to_string(), "w: a.ts");
        for (bad, why) in [
            ("[[elsewhere]]\nwhat = \"x\"\n".to_owned(), "want who sees to the ids there"),
            ("[[workaround]]\nat = \"x\"\nby = \"y\"\n".to_owned(), "unknown key `workaround.by`"),
            (format!("[[workaround]]\nwhat = \"{}\"\nat = \"y\"\n", "x".repeat(LONGEST_BESIDE + 1)), "want a line"),
            ("[[workaround]]\nwhat = \"x\"\nat = \"y\"\n".repeat(MOST_BESIDE + 1), "want several in one"),
        ] {
            let told = problems(&with(&bad));
            assert!(told.iter().any(|line| line.contains(why)), "{why}: {told:?}");
        }
    }

    #[test]
    fn a_map_without_users_is_none() {
        let told = problems("title = \"t\"\n");
        assert_eq!(told, ["m.toml:1: `[users]` is missing; want where the users are"]);
    }
}
