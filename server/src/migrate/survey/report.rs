//! What a survey found, for people and programs. Texts in it come from outside.

use std::collections::BTreeMap;

use serde::Serialize;
use stella_protocol::Text;

use super::{Forms, Id, Seen, Survey};
use crate::migrate::form::Form;
use crate::migrate::map::{Collection, Kind};
use crate::migrate::reference::{ID, PATH};
use crate::migrate::roll::{Holder, Person, Roll};

/// What a whole store holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Of the map.
    pub title: Text,
    /// Documents that were looked at.
    pub documents: u64,
    /// Those that are users.
    pub users: u64,
    /// How many people the users are.
    pub people: u64,
    /// References at declared places, together.
    pub references: u64,
    /// Every form that was seen at declared places.
    pub forms: Vec<FormCount>,
    /// Every collection that was seen, by name.
    pub collections: Vec<CollectionReport>,
    /// Declared collections that are not in the store: nothing was checked there.
    pub absent: Vec<Text>,
    /// Places with known ids that the map does not declare: the worst first.
    pub missed: Vec<Missed>,
    /// Every id that is told one by one, in order: whoever resolves them needs those that are in order too.
    #[serde(skip)]
    pub ids: Vec<SeenId>,
    /// What the map says is not in the documents, and who sees to it.
    pub elsewhere: Vec<Text>,
    /// What the map says must be gone before a cut-over.
    pub workarounds: Vec<Text>,
    /// Ids without a user, the most used first; dummies are none.
    pub orphans: Vec<Orphan>,
    /// Ids that could be several people's.
    pub contested: Vec<Contested>,
    /// What is there twice.
    pub duplicates: Duplicates,
    /// What is not there at all.
    pub lacking: Lacking,
    /// What was only counted.
    pub not_listed: NotListed,
}

/// A form, and how often it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FormCount {
    /// The form.
    pub form: Form,
    /// Different ids.
    pub ids: u64,
    /// References.
    pub references: u64,
}

/// A collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionReport {
    /// As the map has it; else its path, with `*` for documents.
    pub name: Text,
    /// Whether the map has it.
    pub declared: bool,
    /// Of the map; None: the map does not have it.
    pub priority: Option<u8>,
    /// How many.
    pub documents: u64,
    /// At its declared places.
    pub references: u64,
    /// The declared places where something stands, in the order of the map.
    pub places: Vec<PlaceReport>,
}

/// A declared place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceReport {
    /// As the map has it.
    pub path: Text,
    /// What the map says stands there.
    pub kind: Kind,
    /// How many.
    pub references: u64,
    /// By form.
    pub forms: BTreeMap<Form, u64>,
}

/// A place that the map misses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missed {
    /// The collection, as in [`CollectionReport::name`].
    pub collection: Text,
    /// The place, with `[]` for items and `{userId}` for keys that are ids.
    pub path: Text,
    /// Documents with a known id there.
    pub documents: u64,
    /// Known ids there.
    pub values: u64,
    /// By form.
    pub forms: BTreeMap<Form, u64>,
    /// The path of one of the documents.
    pub example: Text,
}

/// An id without a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// The id.
    pub id: Text,
    /// Its form.
    pub form: Form,
    /// How many refer to it.
    pub references: u64,
    /// From where.
    pub places: Vec<PlaceCount>,
    /// How many documents of each collection refer to it.
    #[serde(skip)]
    pub documents: Vec<(Text, u64)>,
    /// What stands beside it, in the first few different words.
    pub copies: Vec<Beside>,
    /// The path of one of the documents.
    pub example: Text,
}

/// Where, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceCount {
    /// The collection.
    pub collection: Text,
    /// The declared place.
    pub path: Text,
    /// How often.
    pub references: u64,
}

/// A copy that stands beside an id: a hint, no proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Beside {
    /// The declared place.
    pub path: Text,
    /// What it says.
    pub text: Text,
    /// The user documents of whoever is known by that; empty: nobody is.
    pub users: Vec<Text>,
}

/// An id that could be several people's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contested {
    /// The id.
    pub id: Text,
    /// Its form.
    pub form: Form,
    /// How many refer to it.
    pub references: u64,
    /// From where.
    pub places: Vec<PlaceCount>,
    /// The user documents of each of the people.
    pub people: Vec<Vec<Text>>,
}

/// What is there twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Duplicates {
    /// Several user documents with one e-mail.
    pub same_email: Vec<SameEmail>,
    /// One id that the user documents of several people call their own.
    pub shared_ids: Vec<SharedId>,
    /// People with several ids, in user documents and at declared places.
    pub several_ids: Vec<SeveralIds>,
}

/// Users that are known by less than others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lacking {
    /// The user documents of people without any other id: whoever signs in for the first time brings one
    /// that nobody knows.
    pub other_id: Vec<Text>,
    /// The user documents without an e-mail.
    pub email: Vec<Text>,
}

/// Users with one e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SameEmail {
    /// Normalised.
    pub email: Text,
    /// The user documents.
    pub users: Vec<Text>,
}

/// An id of several people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedId {
    /// The id.
    pub id: Text,
    /// The user documents of each of the people.
    pub people: Vec<Vec<Text>>,
}

/// A person with several ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeveralIds {
    /// The user documents.
    pub users: Vec<Text>,
    /// All ids.
    pub ids: Vec<SeenId>,
}

/// An id, and how often it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenId {
    /// The id.
    pub id: Text,
    /// Its form.
    pub form: Form,
    /// References at declared places.
    pub references: u64,
}

/// What was only counted: there was too much of it to tell it one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotListed {
    /// References to further ids.
    pub references: u64,
    /// Known ids at further places that the map misses.
    pub missed: u64,
}

impl Report {
    /// True when the map declares every place where a known id was seen.
    pub fn is_complete(&self) -> bool {
        self.missed.is_empty() && self.not_listed.missed == 0
    }
}

/// A declared place in words.
pub(super) fn place_words(collection: &Collection, place: Option<usize>, key: &str) -> String {
    if let Some(declared) = place.and_then(|place| collection.places.get(place)) {
        return declared.place.to_string();
    }
    let pattern = collection.id.as_ref().filter(|_| key == ID);
    pattern.map_or_else(|| PATH.to_owned(), |pattern| format!("{ID} {}", pattern.text()))
}

pub(super) fn of(survey: Survey<'_>) -> Report {
    let Survey { map, roll, documents, collections, ids, unlisted, unplaced, .. } = survey;
    let forms = forms(&collections, &ids);
    let absent = map.collections.iter().filter(|one| !collections.contains_key(&one.name));
    Report {
        title: text(&map.title),
        documents,
        users: roll.documents(),
        people: roll.people().len() as u64,
        references: forms.iter().map(|form| form.references).sum(),
        forms,
        absent: absent.map(|one| text(&one.name)).collect(),
        elsewhere: map.elsewhere.iter().map(|one| text(&one.to_string())).collect(),
        workarounds: map.workarounds.iter().map(|one| text(&one.to_string())).collect(),
        missed: missed(&collections),
        orphans: orphans(roll, &ids),
        ids: ids
            .iter()
            .map(|(id, seen)| SeenId { id: text(id), form: seen.form, references: seen.references })
            .collect(),
        contested: contested(roll, &ids),
        duplicates: duplicates(roll, &ids),
        lacking: lacking(roll),
        not_listed: NotListed { references: unlisted, missed: unplaced },
        collections: collections.into_iter().map(|(name, seen)| collection(name, &seen)).collect(),
    }
}

fn text(text: &str) -> Text {
    Text::new(text.to_owned())
}

fn texts<'t>(each: impl IntoIterator<Item = &'t String>) -> Vec<Text> {
    each.into_iter().map(|one| text(one)).collect()
}

fn forms(collections: &BTreeMap<String, Seen<'_>>, ids: &BTreeMap<String, Id>) -> Vec<FormCount> {
    let mut counts: BTreeMap<Form, (u64, u64)> = BTreeMap::new();
    for (form, count) in collections.values().flat_map(|seen| seen.places.values()).flatten() {
        counts.entry(*form).or_default().1 += count;
    }
    for id in ids.values() {
        counts.entry(id.form).or_default().0 += 1;
    }
    counts.into_iter().map(|(form, (ids, references))| FormCount { form, ids, references }).collect()
}

fn collection(name: String, seen: &Seen<'_>) -> CollectionReport {
    let place = |((kind, number, key), forms): (&super::PlaceNumber, &Forms)| {
        let path = seen.declared.map_or_else(String::new, |one| place_words(one, *number, key));
        let forms = forms.clone();
        (*number, PlaceReport { path: Text::new(path), kind: *kind, references: forms.values().sum(), forms })
    };
    let mut places: Vec<(Option<usize>, PlaceReport)> = seen.places.iter().map(place).collect();
    places.sort_by_key(|(number, _)| *number);
    let places: Vec<PlaceReport> = places.into_iter().map(|(_, place)| place).collect();
    CollectionReport {
        name: Text::new(name),
        declared: seen.declared.is_some(),
        priority: seen.declared.map(|one| one.priority),
        documents: seen.documents,
        references: places.iter().map(|place| place.references).sum(),
        places,
    }
}

fn missed(collections: &BTreeMap<String, Seen<'_>>) -> Vec<Missed> {
    let of = |(name, seen): (&String, &Seen<'_>)| -> Vec<Missed> {
        let each = seen.missed.iter().map(|(path, miss)| Missed {
            collection: text(name),
            path: text(path),
            documents: miss.documents,
            values: miss.values,
            forms: miss.forms.clone(),
            example: text(&miss.example),
        });
        each.collect()
    };
    let mut missed: Vec<Missed> = collections.iter().flat_map(of).collect();
    missed.sort_by_key(|miss| std::cmp::Reverse(miss.values));
    missed
}

fn places(id: &Id) -> Vec<PlaceCount> {
    let each = |((collection, path), count): (&(String, String), &u64)| PlaceCount {
        collection: text(collection),
        path: text(path),
        references: *count,
    };
    id.places.iter().map(each).collect()
}

fn orphans(roll: &Roll, ids: &BTreeMap<String, Id>) -> Vec<Orphan> {
    let nobodys = ids.iter().filter(|(id, seen)| seen.form != Form::Dummy && !roll.knows(id));
    let orphan = |(id, seen): (&String, &Id)| Orphan {
        id: text(id),
        form: seen.form,
        references: seen.references,
        places: places(seen),
        documents: seen.documents.iter().map(|(name, count)| (text(name), *count)).collect(),
        copies: seen.copies.iter().map(|(path, said)| copy(roll, path, said)).collect(),
        example: text(&seen.example),
    };
    let mut orphans: Vec<Orphan> = nobodys.map(orphan).collect();
    orphans.sort_by_key(|orphan| std::cmp::Reverse(orphan.references));
    orphans
}

fn copy(roll: &Roll, path: &str, said: &str) -> Beside {
    let users = match roll.holder(said) {
        Holder::One(place) => texts(&roll.people()[place].users),
        Holder::Nobody | Holder::Several(_) => Vec::new(),
    };
    Beside { path: text(path), text: text(said), users }
}

fn users<'p>(roll: &Roll, places: impl IntoIterator<Item = &'p usize>) -> Vec<Vec<Text>> {
    let mut people: Vec<Vec<Text>> = places.into_iter().map(|place| texts(&roll.people()[*place].users)).collect();
    // The order in which people became known is that of the documents.
    people.sort();
    people
}

fn contested(roll: &Roll, ids: &BTreeMap<String, Id>) -> Vec<Contested> {
    let each = |(id, seen): (&String, &Id)| match roll.holder(id) {
        Holder::Several(people) => Some(Contested {
            id: text(id),
            form: seen.form,
            references: seen.references,
            places: places(seen),
            people: users(roll, people),
        }),
        Holder::Nobody | Holder::One(_) => None,
    };
    ids.iter().filter_map(each).collect()
}

fn duplicates(roll: &Roll, ids: &BTreeMap<String, Id>) -> Duplicates {
    let mut same_email: Vec<SameEmail> = roll
        .people()
        .iter()
        .filter(|person| person.users.len() > 1)
        .filter_map(|person| Some((person.email.as_ref()?, &person.users)))
        .map(|(email, users)| SameEmail { email: text(email.as_str()), users: texts(users) })
        .collect();
    same_email.sort_by(|a, b| a.email.cmp(&b.email));
    let shared_ids = roll.shared().map(|(id, people)| SharedId { id: text(id), people: users(roll, people) }).collect();
    Duplicates { same_email, shared_ids, several_ids: several_ids(roll, ids) }
}

fn lacking(roll: &Roll) -> Lacking {
    let of = |lacks: fn(&Person) -> bool| {
        let mut users: Vec<Text> =
            roll.people().iter().filter(|person| lacks(person)).flat_map(|person| texts(&person.users)).collect();
        users.sort();
        users
    };
    Lacking { other_id: of(|person| person.others.is_empty()), email: of(|person| person.email.is_none()) }
}

fn several_ids(roll: &Roll, ids: &BTreeMap<String, Id>) -> Vec<SeveralIds> {
    let mut of: Vec<BTreeMap<&str, u64>> = roll
        .people()
        .iter()
        .map(|person| person.users.iter().chain(&person.others).map(|id| (id.as_str(), 0)).collect())
        .collect();
    for (id, seen) in ids {
        if let Holder::One(place) = roll.holder(id) {
            of[place].insert(id, seen.references);
        }
    }
    let several = of.iter().enumerate().filter(|(_, ids)| ids.len() > 1);
    let id = |(id, references): (&&str, &u64)| SeenId { id: text(id), form: roll.form(id), references: *references };
    let mut several: Vec<SeveralIds> = several
        .map(|(place, ids)| SeveralIds { users: texts(&roll.people()[place].users), ids: ids.iter().map(id).collect() })
        .collect();
    several.sort_by(|a, b| a.users.cmp(&b.users));
    several
}
