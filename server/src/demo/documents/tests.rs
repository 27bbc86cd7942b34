//! The figures of both worlds: the same for every seed, and golden files for the usual one.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use stella_protocol::Text;
use stella_protocol::fix::RepairAct;
use stella_protocol::migration::{Decided, FirstScope};

use super::*;
use crate::demo::documents::cast::BLINDED;
use crate::documents::{Document, DocumentKey, shape};
use crate::migrate::map::{DataMap, shipped};
use crate::migrate::reference::{Rewritten, rewrite};
use crate::migrate::resolve::scope::Scope;
use crate::migrate::resolve::{Resolution, Sources, resolve};
use crate::migrate::{Form, HashId, MintKey, Report, Roll, Survey};
use crate::remedy::run::repair::Repair;

/// A world that was looked at as a migration looks at it.
struct Seen {
    documents: Vec<Document>,
    map: DataMap,
    roll: Roll,
    report: Report,
    resolution: Resolution,
}

fn seen(options: &Options) -> Seen {
    let document = |(collection, id, fields): Seeded| Document {
        key: DocumentKey { collection, id },
        version: 1,
        fields: fields.into_iter().collect(),
    };
    looked_at(super::documents(options).map(document).collect(), &agreed(options))
}

fn looked_at(documents: Vec<Document>, questions: &BTreeMap<String, Decided>) -> Seen {
    let map = shipped::application().unwrap();
    let mut roll = Roll::default();
    for user in documents.iter().filter(|document| document.key.collection == map.users.collection) {
        roll.learn(&map.users, &user.key.id, &user.fields);
    }
    let mut survey = Survey::new(&map, &roll);
    for document in &documents {
        survey.take(document);
    }
    let report = survey.report();
    let (key, orphans) = (MintKey::from_bytes([7; 32]), BTreeMap::new());
    let sources = Sources { users: USERS, roll: &roll, report: &report, key: &key, questions, orphans: &orphans };
    let resolution = resolve(&sources).unwrap();
    Seen { documents, map, roll, report, resolution }
}

fn before(seed: u64) -> Seen {
    seen(&Options { seed, ..Options::default() })
}

fn after(seed: u64) -> Seen {
    seen(&Options { seed, scene: Scene::After, ..Options::default() })
}

impl Seen {
    fn scope(&self) -> FirstScope {
        let mut scope = Scope::new(&self.map, &self.resolution).unwrap();
        for document in &self.documents {
            scope.take(document);
        }
        scope.done()
    }

    fn of<'s>(&'s self, collection: &'s str) -> impl Iterator<Item = &'s Document> {
        self.documents.iter().filter(move |document| document.key.collection == collection)
    }

    fn under(&self, collection: &str, field: &str, id: &str) -> usize {
        let is = |document: &&Document| document.fields.get(field).and_then(Value::as_str) == Some(id);
        self.of(collection).filter(is).count()
    }

    /// What would become of each document, by collection: changed, moved, parked, all.
    fn planned(&self) -> BTreeMap<&str, [u64; 4]> {
        let mut planned: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
        for document in &self.documents {
            let counts = planned.entry(&document.key.collection).or_default();
            counts[3] += 1;
            let Some(collection) = self.map.collection(&document.key.collection) else { continue };
            match rewrite(&self.map, collection, document, &self.resolution.mapping) {
                Rewritten::Same => {}
                Rewritten::Changed(changed) => counts[usize::from(changed.key != document.key)] += 1,
                Rewritten::Parked(_) => counts[2] += 1,
            }
        }
        planned
    }

    /// Everything that was found, in lines.
    fn told(&self) -> String {
        let (report, scope, mut told) = (&self.report, self.scope(), String::new());
        let mut line = |text: String| writeln!(told, "{text}").unwrap();
        line("first-migration scope".to_owned());
        for (what, count) in [
            ("users", scope.users),
            ("conversations", scope.conversations),
            ("messages", scope.messages),
            ("shares", scope.shares),
            ("folders", scope.folders),
            ("groups", scope.groups),
            ("conversations without a user", scope.orphaned_conversations),
            ("ids without a user", scope.orphan_ids),
        ] {
            line(format!("  {what}: {count}"));
        }
        line("whole map".to_owned());
        let numbers = [report.documents, report.users, report.people, report.references];
        line(format!("  documents, users, people, references: {numbers:?}"));
        line(format!("  open questions: {} of {}", self.resolution.open(), self.resolution.decisions.len()));
        let moving = self.resolution.pairs.iter().filter(|(old, new)| old != new);
        line(format!("  ids that become another: {}", moving.count()));
        for form in &report.forms {
            line(format!("  {}: {} ids, {} references", form.form, form.ids, form.references));
        }
        line("collections: documents, changed, moved, parked".to_owned());
        for (collection, [changed, moved, parked, all]) in self.planned() {
            line(format!("  {collection}: {all}, {changed}, {moved}, {parked}"));
        }
        line("missed".to_owned());
        for miss in &report.missed {
            line(format!("  {} {}: {} in {}", miss.collection.raw(), miss.path.raw(), miss.values, miss.documents));
        }
        line("ids without a user".to_owned());
        for orphan in &report.orphans {
            let hints: Vec<&str> = orphan.copies.iter().map(|copy| copy.text.raw()).collect();
            line(format!("  {} {}: {} {hints:?}", orphan.form, orphan.id.raw(), orphan.references));
        }
        line("questions".to_owned());
        for question in &self.resolution.decisions {
            let by = question.decided.as_ref().map_or("open", |decided| decided.by.raw());
            let ids: Vec<&str> = question.ids.iter().map(Text::raw).collect();
            line(format!("  {:?} {}: {by}", question.kind, ids.join(" ")));
        }
        line("users with one e-mail".to_owned());
        for same in &report.duplicates.same_email {
            let users: Vec<&str> = same.users.iter().map(Text::raw).collect();
            line(format!("  {}: {}", same.email.raw(), users.join(" ")));
        }
        told
    }
}

#[test]
fn both_worlds_are_what_their_golden_files_say() {
    insta::with_settings!({ snapshot_path => "../../../tests/world", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("before", before(1).told());
        insta::assert_snapshot!("after", after(1).told());
    });
}

#[test]
fn before_the_first_run_its_scope_is_the_same_for_every_seed_and_nothing_is_open() {
    let expected = FirstScope {
        users: 19,
        conversations: 473,
        messages: 600,
        shares: 30,
        folders: 10,
        groups: 4,
        orphaned_conversations: 38,
        orphan_ids: 3,
    };
    for seed in [1, 2, 7] {
        let seen = before(seed);
        assert_eq!(seen.scope(), expected, "{seed}");
        assert_eq!((seen.report.users, seen.resolution.open()), (38, 0), "{seed}");
        let forms: BTreeSet<Form> = seen.of(USERS).map(|user| seen.roll.form(&user.key.id)).collect();
        let all = [Form::EmailDerived, Form::Numeric, Form::Hash, Form::PseudoHash];
        assert_eq!(forms, BTreeSet::from(all), "{seed}");
        let owned: Vec<u64> = seen.report.orphans.iter().filter_map(conversations).collect();
        assert_eq!(owned, [36, 1, 1], "{seed}");
        assert_eq!(seen.planned().values().map(|counts| counts[2]).sum::<u64>(), 0, "{seed}: parked");
    }
}

fn conversations(orphan: &crate::migrate::survey::Orphan) -> Option<u64> {
    orphan.places.iter().find(|place| place.collection.raw() == "conversations").map(|place| place.references)
}

#[test]
fn one_of_them_owns_most_and_sees_none_of_it() {
    let seen = before(1);
    let cast = Cast::new(1, misfiled(1));
    let blinded = &cast.members[BLINDED];
    let of = |id: &str| {
        let owned = [("conversations", "userId"), ("messages", "userId"), ("agent_shares", "ownerId")];
        owned.map(|(collection, field)| seen.under(collection, field, id))
    };
    assert_eq!(of(blinded.written(0)), [240, 283, 9]);
    assert_eq!(of(blinded.now()), [0, 0, 0]);
    assert_eq!(seen.resolution.mapping.target(blinded.written(0)), Some(blinded.now()));
}

/// Everything rewritten; what would stand under an id that is taken stays as it is.
fn healed(seen: &Seen) -> Vec<Document> {
    let mut after = BTreeMap::new();
    let mut stays = Vec::new();
    for document in &seen.documents {
        let collection = seen.map.collection(&document.key.collection);
        let rewritten = collection.map(|collection| rewrite(&seen.map, collection, document, &seen.resolution.mapping));
        match rewritten {
            Some(Rewritten::Changed(changed)) if changed.key != document.key => stays.push((document, *changed)),
            Some(Rewritten::Changed(changed)) => {
                after.insert(changed.key.clone(), Document { fields: changed.fields, ..document.clone() });
            }
            _ => {
                after.insert(document.key.clone(), document.clone());
            }
        }
    }
    for (document, changed) in stays {
        let key = if after.contains_key(&changed.key) { document.key.clone() } else { changed.key };
        let fields = if key == document.key { document.fields.clone() } else { changed.fields };
        after.insert(key.clone(), Document { key, version: 1, fields });
    }
    after.into_values().collect()
}

/// What was decided, and the first option for every question that is open.
fn all_answered(seen: &Seen, options: &Options) -> BTreeMap<String, Decided> {
    let mut answers = agreed(options);
    for question in seen.resolution.decisions.iter().filter(|question| question.decided.is_none()) {
        let option = question.options[0].name.clone();
        let (by, reason) = (Text::from("ana"), Text::from("I know them"));
        let decided = Decided { option, by, at: stella_protocol::Timestamp::from_millis(1), reason };
        answers.insert(question.id.raw().to_owned(), decided);
    }
    answers
}

#[test]
fn one_plan_heals_either_world_and_a_second_one_finds_nothing_to_move_but_what_clashes() {
    for scene in [Scene::Before, Scene::After] {
        let options = Options { scene, ..Options::default() };
        let first = seen(&options);
        let answers = all_answered(&first, &options);
        let answered = looked_at(first.documents, &answers);
        assert_eq!(answered.resolution.open(), 0, "{scene:?}");
        let again = looked_at(healed(&answered), &answers);
        let scope = again.scope();
        assert_eq!(
            [scope.users, scope.conversations, scope.messages, scope.folders, scope.groups],
            [0; 5],
            "{scene:?}"
        );
        let left: Vec<_> = again.planned().into_iter().filter(|(_, counts)| counts[..3] != [0, 0, 0]).collect();
        let places: Vec<&str> = left.iter().map(|(collection, _)| *collection).collect();
        let expected: &[&str] = if scene == Scene::Before {
            &["user_settings", "users"]
        } else {
            &["agent_shares", "user_settings", "users"]
        };
        assert_eq!(places, expected, "{left:?}");
        let cast = Cast::new(1, misfiled(1));
        let named =
            |user: &&Document| user.fields.get("email").and_then(Value::as_str) == Some(&cast.members[BLINDED].email);
        let own = again.of(USERS).find(named).unwrap().key.id.clone();
        let sees = [("conversations", "userId"), ("agent_shares", "ownerId")];
        let more = if scene == Scene::Before { 0 } else { 40 };
        assert_eq!(sees.map(|(collection, field)| again.under(collection, field, &own)), [240 + more, 9], "{scene:?}");
    }
}

#[test]
fn four_days_later_two_questions_are_open_whatever_the_seed() {
    for seed in [1, 2, 7] {
        let seen = after(seed);
        assert_eq!((seen.report.users, seen.resolution.open()), (39, 2), "{seed}");
        let mut by_form = [0_u64; 3];
        for conversation in seen.of("conversations") {
            let owner = conversation.fields["userId"].as_str().unwrap();
            by_form[if HashId::parse(owner).is_some() { 0 } else { 1 + usize::from(!seen.roll.knows(owner)) }] += 1;
        }
        assert_eq!(by_form, [612, 93, 37], "{seed}");
    }
}

#[test]
fn every_document_can_be_kept_and_none_is_told_twice() {
    for seen in [before(3), after(3)] {
        let mut keys = BTreeSet::new();
        for document in &seen.documents {
            shape::key(&document.key).unwrap();
            shape::fields(&document.fields).unwrap();
            assert!(keys.insert(&document.key), "{:?}", document.key);
        }
        let text = serde_json::to_string(&seen.documents.iter().map(|one| &one.fields).collect::<Vec<_>>()).unwrap();
        for typed in ["$timestamp", "$bytes", "$reference", "$geo", "$integer", "\"archived\"", "\"hidden\":true"] {
            assert!(text.contains(typed), "{typed}");
        }
    }
}

#[test]
fn the_same_seed_tells_the_same_and_the_misfiled_one_is_whose_conversations_stand_wrong() {
    let all = |seed| super::documents(&Options { seed, ..Options::default() }).collect::<Vec<Seeded>>();
    assert!(all(3) == all(3));
    assert!(all(3) != all(4));
    for seed in [1, 7] {
        let seen = before(seed);
        let people = crate::demo::people::People::new(seed);
        let missed = people.person(misfiled(seed));
        let named = |user: &&Document| user.fields.get("email").and_then(Value::as_str) == Some(&missed.email);
        let user = seen.of(USERS).find(named).unwrap();
        assert_eq!(user.fields["formerIds"], json!([missed.derived()]), "{seed}");
        assert_eq!(user.key.id, missed.hash, "{seed}");
        assert_eq!(seen.under("conversations", "userId", &missed.derived()), 11, "{seed}");
    }
}

#[test]
fn the_fix_that_repairs_references_finds_what_the_misfiled_one_does_not_see_and_nothing_clashes() {
    for seed in [1, 7] {
        let seen = before(seed);
        let people = crate::demo::people::People::new(seed);
        let missed = people.person(misfiled(seed));
        let text = |text: &str| Text::new(text.to_owned());
        let act = RepairAct { user: text(&missed.hash), wrong: vec![text(&missed.derived())], collections: Vec::new() };
        let repair = Repair::of(&act).unwrap();
        let mut repaired = BTreeMap::<&str, usize>::new();
        for collection in ["conversations", "messages", "folders", "agent_shares", "agent_contexts"] {
            for document in seen.of(collection) {
                let rewritten = repair.rewrite(&document.fields);
                assert!(rewritten.clashes.is_empty(), "{:?}", document.key);
                *repaired.entry(collection).or_default() += usize::from(rewritten.references > 0);
            }
        }
        assert!(repaired["conversations"] >= 11 && repaired["messages"] >= 22, "{seed}: {repaired:?}");
    }
}

#[test]
fn a_bigger_world_has_more_of_the_same() {
    let seen = seen(&Options { scale: 3, ..Options::default() });
    let scope = seen.scope();
    // But for what the misfiled one owns.
    assert_eq!((scope.users, scope.conversations, scope.messages), (19, 3 * 462 + 11, 3 * 578 + 22));
    assert_eq!((scope.orphaned_conversations, scope.shares, seen.report.users), (3 * 38, 30, 38));
    assert_eq!(seen.documents.last().unwrap().key.collection, USERS);
}
