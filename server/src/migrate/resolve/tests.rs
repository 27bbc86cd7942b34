//! Who is who, and what nobody decides alone.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::btree_map::Entry;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use stella_protocol::Timestamp;
use stella_protocol::migration::{DecisionKind, OrphanChoice};

use super::*;
use crate::documents::{Document, DocumentKey};
use crate::migrate::DataMap;
use crate::migrate::map::Kind;
use crate::migrate::reference::{Rewritten, references, rewrite};
use crate::migrate::survey::Survey;

const MAP: &str = r#"
title = "t"
[users]
collection = "users"
email = "email"
ids = ["googleUserId", "userId"]
[[collection]]
name = "users"
id = "{userId}"
refs = "createdBy"
[[collection]]
name = "conversations"
refs = ["userId", "sharedWith[].userId unique"]
copies = ["sharedWith[].email"]
[[collection]]
name = "messages"
refs = "userId"
[[collection]]
name = "agent_shares"
refs = "ownerId"
[[collection]]
name = "folders"
refs = "userId"
[[collection]]
name = "groups"
refs = "members[]"
[[collection]]
name = "audit"
pseudonyms = "hashed"
"#;
const G1: &str = "100000000000000000001";
const G2: &str = "100000000000000000002";
const VALID: &str = "usr_a1b2c3d4e5f6g7h8i9j0";
const OTHER: &str = "usr_b1b2c3d4e5f6g7h8i9j0";

fn map() -> DataMap {
    DataMap::parse("m.toml", MAP).unwrap()
}

fn document(path: &str, fields: Value) -> Document {
    Document { key: DocumentKey::parse(path).unwrap(), version: 1, fields: serde_json::from_value(fields).unwrap() }
}

fn owned(number: usize, user: &str) -> Document {
    document(&format!("conversations/c{number}"), json!({"userId": user}))
}

#[derive(Default)]
struct Said {
    questions: BTreeMap<String, Decided>,
    orphans: BTreeMap<String, OrphanDecision>,
}

fn resolved(documents: &[Document], said: &Said) -> Resolution {
    let map = map();
    let mut roll = Roll::default();
    for user in documents.iter().filter(|one| one.key.collection == "users") {
        roll.learn(&map.users, &user.key.id, &user.fields);
    }
    let mut survey = Survey::new(&map, &roll);
    for document in documents {
        survey.take(document);
    }
    let report = survey.report();
    let key = MintKey::from_bytes([7; 32]);
    let (questions, orphans) = (&said.questions, &said.orphans);
    resolve(&Sources { users: "users", roll: &roll, report: &report, key: &key, questions, orphans }).unwrap()
}

fn text(text: &str) -> Text {
    Text::new(text.to_owned())
}

fn decided(option: &str) -> Decided {
    Decided { option: text(option), by: text("op2"), at: Timestamp::from_millis(1), reason: text("asked them") }
}

fn choice(choice: OrphanChoice, user: Option<&str>, approved_by: Option<&str>) -> OrphanDecision {
    OrphanDecision {
        choice,
        user: user.map(text),
        by: text("op1"),
        at: Timestamp::from_millis(1),
        reason: text("a mail"),
        approved_by: approved_by.map(text),
    }
}

fn minted(of: &str) -> String {
    MintKey::from_bytes([7; 32]).mint(of, |_| false).unwrap().as_str().to_owned()
}

#[test]
fn every_form_of_a_person_goes_to_the_one_id_of_the_e_mail() {
    let forms = [
        "ana_example_com",
        "ANA_example_com",
        G1,
        " Ana@Example.com",
        "usr_ana_example_com",
        &form::pseudonym("ana_example_com"),
    ];
    let mut documents = vec![
        document("users/ana_example_com", json!({"email": "ana@example.com", "googleUserId": G1})),
        document("users/ANA_example_com", json!({"email": "ANA@example.com "})),
    ];
    documents.extend(forms.iter().enumerate().map(|(number, form)| owned(number, form)));
    let found = resolved(&documents, &Said::default());
    for form in forms {
        assert_eq!(found.mapping.target(form), Some(minted("ana@example.com").as_str()), "{form}");
        assert_eq!(found.pairs.get(form), Some(&minted("ana@example.com")), "{form}");
    }
    assert_eq!((found.open(), found.orphans.len()), (0, 0));
    let google = found.rows.iter().find(|row| row.from.raw() == G1).unwrap();
    assert_eq!((google.references, google.minted, google.evidence.len()), (1, true, 1));
    assert_eq!(google.evidence[0].document.raw(), "users/ana_example_com");
}

#[test]
fn of_valid_ids_the_user_documents_stays_then_the_most_used_then_the_smallest() {
    let user =
        |id: &str, other: &str| document(&format!("users/{id}"), json!({"email": "ana@example.com", "userId": other}));
    let mut documents = vec![user(OTHER, VALID), owned(1, VALID), owned(2, VALID), owned(3, OTHER)];
    let target = |documents: &[Document]| {
        resolved(documents, &Said::default()).mapping.target("ana_example_com").map(str::to_owned)
    };
    assert_eq!(target(&documents).as_deref(), Some(OTHER), "whatever is used more");
    documents[0] = user("ana_example_com", VALID);
    assert_eq!(target(&documents).as_deref(), Some(VALID), "the document's is not valid");
    let both = [user(OTHER, ""), user(VALID, ""), owned(1, OTHER), owned(2, OTHER)];
    assert_eq!(target(&both).as_deref(), Some(OTHER), "used more: a document refers to itself, too");
    assert_eq!(target(&[user(OTHER, ""), user(VALID, "")]).as_deref(), Some(VALID));
    assert_eq!(resolved(&both, &Said::default()).pairs[VALID], OTHER, "the other one is an alias");
}

#[test]
fn a_disguised_e_mail_is_no_valid_id() {
    let disguised = "usr_analimatotexamplecom";
    let user = document(&format!("users/{disguised}"), json!({"email": "ana.lima.tot@example.com"}));
    let found = resolved(&[user], &Said::default());
    assert_eq!(found.pairs[disguised], minted("ana.lima.tot@example.com"));
}

#[test]
fn an_id_that_two_people_name_waits_for_a_person() {
    let two = |other: &str| {
        vec![
            document("users/ana_x_com", json!({"email": "ana@x.com", "googleUserId": other})),
            document("users/bo_x_com", json!({"email": "bo@x.com", "googleUserId": other})),
            owned(1, other),
        ]
    };
    let open = resolved(&two(G1), &Said::default());
    assert_eq!(open.decisions[0].kind, DecisionKind::SeveralAccounts);
    assert_eq!((open.open(), open.mapping.target(G1), open.place_of(G1)), (1, None, Standing::Undecided));
    let name = question_id(DecisionKind::SeveralAccounts, G1, ["ana_x_com", "bo_x_com"]);
    assert_eq!(open.decisions[0].id.raw(), name);
    let say = |option: &str| {
        let said = Said { questions: BTreeMap::from([(name.clone(), decided(option))]), ..Said::default() };
        resolved(&two(G1), &said)
    };
    let one = say(ONE_PERSON);
    assert_eq!((one.open(), one.mapping.target(G1)), (0, Some(minted("ana@x.com").as_str())));
    assert_eq!(one.mapping.target("bo_x_com"), one.mapping.target("ana_x_com"));
    let bos = say("user:bo_x_com");
    assert_eq!(bos.mapping.target(G1), Some(minted("bo@x.com").as_str()));
    assert_eq!(bos.mapping.target("ana_x_com"), Some(minted("ana@x.com").as_str()));
    let row = bos.rows.iter().find(|row| row.from.raw() == G1).unwrap();
    assert_eq!(row.decided_by.as_ref().unwrap().raw(), "op2");
    assert_eq!((say(NOBODY).open(), say(NOBODY).mapping.target(G1)), (0, None));
    assert_eq!(say("user:somebody-else").open(), 1, "no option of the question");
    let shared = resolved(&two("old-7"), &Said::default());
    assert_eq!(shared.decisions[0].kind, DecisionKind::SharedId);
}

#[test]
fn what_two_e_mails_derive_to_is_asked_when_the_data_hold_it() {
    let users =
        [document("users/u1", json!({"email": "a.b@x.com"})), document("users/u2", json!({"email": "a_b@x.com"}))];
    assert_eq!(resolved(&users, &Said::default()).decisions, []);
    let mut documents = users.to_vec();
    documents.push(owned(1, "A_b_x_com"));
    let found = resolved(&documents, &Said::default());
    assert_eq!(found.decisions[0].kind, DecisionKind::SeveralUsers);
    assert_eq!(found.decisions[0].options.len(), 4);
    assert_eq!(found.place_of("A_b_x_com"), Standing::Undecided);
    assert_eq!(found.orphans, []);
}

#[test]
fn nobodys_ids_are_listed_with_what_stands_beside_them_and_left_alone() {
    let documents = [
        document(&format!("users/{VALID}"), json!({"email": "ana@x.com"})),
        document("conversations/c1", json!({"userId": VALID, "sharedWith": [{"userId": G2, "email": "ANA@x.com"}]})),
        owned(2, G2),
        document("conversations/c3", json!({"userId": "system", "sharedWith": [{"userId": "test_user_001"}]})),
    ];
    let found = resolved(&documents, &Said::default());
    let [orphan] = found.orphans.as_slice() else { unreachable!("{:?}", found.orphans) };
    assert_eq!((orphan.id.raw(), orphan.references), (G2, 2));
    assert_eq!(orphan.documents, [(text("conversations"), 2)]);
    assert_eq!(orphan.candidates[0].user.raw(), VALID);
    assert_eq!(found.mapping.target(G2), None);
    assert!(found.pairs.iter().all(|(old, new)| old == new), "there is nothing to migrate");
    let system: Vec<&str> = found.system.iter().map(|one| one.id.raw()).collect();
    assert_eq!(system, ["system", "test_user_001"]);
}

#[test]
fn a_user_document_that_is_a_dummy_stays_and_nothing_goes_to_it() {
    let documents = [document("users/test_user_001", json!({"email": "test@x.com", "googleUserId": G1})), owned(1, G1)];
    let found = resolved(&documents, &Said::default());
    assert_eq!((found.pairs.len(), found.place_of(G1)), (0, Standing::System));
    assert_eq!(found.place_of("test_user_001"), Standing::System);
    assert_eq!((found.system.len(), found.orphans.len(), found.open()), (2, 0, 0));
    assert_eq!(found.stays().into_iter().collect::<Vec<_>>(), [G1, "test_user_001"]);
}

#[test]
fn an_id_without_a_user_gets_one_only_as_two_people_say() {
    let user = document("users/ana_x_com", json!({"email": "ana@x.com"}));
    let documents = [user, owned(1, G2)];
    let say = |decision: OrphanDecision| {
        resolved(&documents, &Said { orphans: BTreeMap::from([(G2.to_owned(), decision)]), ..Said::default() })
    };
    let ana = minted("ana@x.com");
    let mapped = |user: &str, by: Option<&str>| {
        say(choice(OrphanChoice::Map, Some(user), by)).mapping.target(G2).map(str::to_owned)
    };
    assert_eq!(mapped("ana_x_com", Some("op2")), Some(ana.clone()));
    assert_eq!(mapped(&ana, Some("op2")), Some(ana.clone()));
    assert_eq!(mapped(&ana, None), None, "nobody approved");
    assert_eq!(mapped(&ana, Some("op1")), None, "nobody else approved");
    assert_eq!(mapped(OTHER, Some("op2")), None, "no such user");
    let placeholder = say(choice(OrphanChoice::Placeholder, None, None));
    assert_eq!(placeholder.mapping.target(G2), Some(minted(G2).as_str()));
    assert_eq!(placeholder.place_of(G2), Standing::Goes);
    let archived = say(choice(OrphanChoice::Archive, None, None));
    assert_eq!((archived.mapping.target(G2), archived.chosen.get(G2)), (None, Some(&Chosen::Archive)));
    assert!(archived.mapping.archives(G2) && !placeholder.mapping.archives(G2));
    assert_eq!(archived.place_of(G2), Standing::Orphan);
    assert_eq!(say(choice(OrphanChoice::Quarantine, None, None)).chosen, BTreeMap::new());
}

#[test]
fn the_first_scope_counts_what_the_scripts_would_have_found() {
    let documents = [
        document("users/ana_x_com", json!({"email": "ana@x.com"})),
        owned(1, "ana_x_com"),
        owned(2, "ana@x.com"),
        owned(3, G2),
        document("messages/m1", json!({"userId": "ana_x_com"})),
        document("messages/m2", json!({"userId": G2})),
        document("groups/g1", json!({"members": ["ana_x_com"]})),
    ];
    let (map, found) = (map(), resolved(&documents, &Said::default()));
    let mut scope = scope::Scope::new(&map, &found).unwrap();
    for document in &documents {
        scope.take(document);
    }
    let counted = scope.done();
    let archive = BTreeMap::from([(G2.to_owned(), choice(OrphanChoice::Archive, None, None))]);
    let found = resolved(&documents, &Said { orphans: archive, ..Said::default() });
    let mut scope = scope::Scope::new(&map, &found).unwrap();
    for document in &documents {
        scope.take(document);
    }
    assert_eq!(scope.done(), counted, "they knew nothing of archives");
    let scope = counted;
    assert_eq!((scope.users, scope.conversations, scope.messages, scope.groups), (1, 2, 1, 1));
    assert_eq!((scope.orphaned_conversations, scope.orphan_ids, scope.folders, scope.shares), (1, 1, 0, 0));
}

const EMAILS: [&str; 5] = ["a.b@x.com", "a_b@x.com", "A.B@x.com", "c@y.org", ""];
const IDS: [&str; 14] = [
    "a_b_x_com",
    "A_b_x_com",
    "c_y_org",
    "c@y.org",
    "usr_a_b_x_com",
    VALID,
    OTHER,
    G1,
    G2,
    "system",
    "user_1x2k9q",
    "usr_cyorg",
    "undefined",
    "",
];

fn id() -> impl Strategy<Value = String> {
    let derived = prop::sample::select(&IDS[..12]).prop_map(form::pseudonym);
    prop_oneof![4 => prop::sample::select(&IDS[..]).prop_map(str::to_owned), 1 => derived]
}

fn store() -> impl Strategy<Value = Vec<Document>> {
    let user = (id(), prop::sample::select(&EMAILS[..]), id());
    let users = prop::collection::btree_map(id().prop_filter("an id", |id| !id.is_empty()), user, 0..5);
    let rest = prop::collection::vec((id(), id()), 0..12);
    (users, rest).prop_map(|(users, rest)| {
        let mut documents: Vec<Document> = users
            .into_iter()
            .map(|(id, (google, email, other))| {
                let fields = json!({"email": email, "googleUserId": google, "userId": other});
                document(&format!("users/{id}"), fields)
            })
            .collect();
        documents.extend(rest.iter().enumerate().map(|(number, (user, with))| {
            let fields = json!({"userId": user, "sharedWith": [{"userId": with, "email": EMAILS[number % 5]}]});
            document(&format!("conversations/c{number}"), fields)
        }));
        documents
    })
}

/// Every question answered with its first option, every id without a user in turn.
fn answered(documents: &[Document]) -> Said {
    let mut said = Said::default();
    for _ in 0..3 {
        let found = resolved(documents, &said);
        for decision in &found.decisions {
            let option = decision.options[0].name.raw();
            said.questions.entry(decision.id.raw().to_owned()).or_insert_with(|| decided(option));
        }
        for (number, orphan) in found.orphans.iter().enumerate().filter(|(number, _)| number % 2 == 0) {
            let placeholder = choice(OrphanChoice::Placeholder, None, None);
            let decision = if number % 4 == 0 { placeholder } else { choice(OrphanChoice::Archive, None, None) };
            said.orphans.entry(orphan.id.raw().to_owned()).or_insert(decision);
        }
    }
    said
}

/// The store when all is done: user documents under their new ids, the fullest of several first. Behind it what is
/// parked: user documents of other people that were to go where one stands.
fn migrated(documents: &[Document], found: &Resolution) -> (Vec<Document>, Vec<Document>) {
    let map = map();
    let (mut after, mut parked) = (BTreeMap::<DocumentKey, Document>::new(), Vec::new());
    let email = |one: &Document| one.fields.get("email").and_then(Value::as_str).and_then(form::Email::parse);
    for document in documents {
        let Some(collection) = map.collection(&document.key.collection) else { continue };
        let now = match rewrite(&map, collection, document, &found.mapping) {
            Rewritten::Changed(changed) => Document { key: changed.key, fields: changed.fields, ..document.clone() },
            Rewritten::Same | Rewritten::Parked(_) => document.clone(),
        };
        match after.entry(now.key.clone()) {
            Entry::Vacant(place) => {
                place.insert(now);
            }
            Entry::Occupied(there) if email(there.get()) == email(document) => {}
            Entry::Occupied(_) => parked.push(document.clone()),
        }
    }
    for (id, chosen) in &found.chosen {
        if let Chosen::Placeholder(hash) = chosen {
            let made = document(&format!("users/{}", hash.as_str()), json!({"was": id}));
            after.entry(made.key.clone()).or_insert(made);
        }
    }
    (after.into_values().collect(), parked)
}

/// What a second migration would still do: nothing, but for what the documents that were parked say.
fn nothing_is_left(documents: &[Document]) -> Result<(), TestCaseError> {
    let said = answered(documents);
    let found = resolved(documents, &said);
    prop_assert_eq!(found.open(), 0);
    let (mut after, parked) = migrated(documents, &found);
    after.extend(parked.iter().cloned());
    let again = resolved(&after, &said);
    let of_parked = resolved(&parked, &said);
    let is_left = |(old, new): &(&String, &String)| old != new && !of_parked.pairs.contains_key(*old);
    let left: Vec<_> = again.pairs.iter().filter(is_left).collect();
    prop_assert!(left.is_empty(), "{:?}\n{:?}", left, after);
    Ok(())
}

/// Found by chance: two people's documents whose ids differ by case alone, and a person said whose the id is.
#[test]
fn a_document_of_another_person_is_parked_where_one_stands_already() {
    let user = |id: &str, email: &str, google: &str, other: &str| {
        document(&format!("users/{id}"), json!({"email": email, "googleUserId": google, "userId": other}))
    };
    let with = json!([{"userId": "user_d353545071dc", "email": "a.b@x.com"}]);
    let documents = [
        user("A_b_x_com", "a.b@x.com", "a_b_x_com", G1),
        user("a_b_x_com", "c@y.org", VALID, "a_b_x_com"),
        user("c_y_org", "a_b@x.com", "a_b_x_com", VALID),
        document("conversations/c0", json!({"userId": "a_b_x_com", "sharedWith": with})),
    ];
    nothing_is_left(&documents).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_reference_goes_to_one_id_or_is_listed(documents in store(), answer in any::<bool>()) {
        let said = if answer { answered(&documents) } else { Said::default() };
        let (map, found) = (map(), resolved(&documents, &said));
        let listed: BTreeSet<&str> = found.orphans.iter().map(|orphan| orphan.id.raw()).collect();
        let asked: BTreeSet<&str> =
            found.decisions.iter().flat_map(|decision| decision.ids.iter().map(Text::raw)).collect();
        let system: BTreeSet<&str> = found.system.iter().map(|seen| seen.id.raw()).collect();
        for document in &documents {
            let collection = map.collection(&document.key.collection).unwrap();
            let all = references(&map, collection, document, &|id| found.mapping.knows(id));
            for one in all.iter().filter(|one| one.kind != Kind::Pseudonym && !one.id.is_empty()) {
                let id = one.id.as_ref();
                let known = match found.place_of(id) {
                    Standing::Goes => found.pairs.get(id).map(String::as_str) == found.mapping.target(id),
                    Standing::Stays => found.pairs.get(id).is_some_and(|to| to == id),
                    Standing::Undecided => asked.contains(id),
                    Standing::System => system.contains(id),
                    Standing::Orphan => listed.contains(id),
                };
                prop_assert!(known, "{id} {:?}", found.place_of(id));
            }
        }
        let targets: BTreeSet<&String> = found.pairs.values().collect();
        prop_assert!(targets.iter().all(|target| HashId::parse(target).is_some()));
    }

    #[test]
    fn the_order_of_the_documents_says_nothing(documents in store(), answer in any::<bool>(), seed in any::<u64>()) {
        let said = if answer { answered(&documents) } else { Said::default() };
        let mut other = documents.clone();
        other.sort_by_key(|one| form::pseudonym(&format!("{seed}{}", one.key.path())));
        prop_assert_eq!(resolved(&documents, &said), resolved(&other, &said));
    }

    #[test]
    fn when_all_is_done_nothing_is_left_to_do(documents in store()) {
        nothing_is_left(&documents)?;
    }
}
