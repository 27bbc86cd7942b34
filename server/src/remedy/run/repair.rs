//! References to one user in a wrong form, put right: what would change, and what is left alone and why.
//!
//! A reference is a whole string, an entry of an array, or a key of a map, that is one of the wrong ids.
//! Never a part of a text; never a field that holds another form on purpose (a provider's own id, a
//! pseudonym, an e-mail address, a name) or a person's words; nothing else of a document changes. A
//! document in which two references would become one is left as it is and named, and so is an id of a
//! document: moving those is the migration's work.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use stella_protocol::Text;
use stella_protocol::fix::RepairAct;

use crate::documents::{Document, DocumentKey, Documents, shape};
use crate::remedy::BeforeImage;

/// Documents of one page while looking.
const PAGE: usize = 200;
/// Most documents that one step changes: their before-images are kept in one transaction.
const MOST_DOCUMENTS: usize = 2_000;
/// Most bytes of their images.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Fields that hold an id of another kind on purpose.
const OTHER_IDS: [&str; 2] = ["googleuserid", "hasheduserid"];
/// Ends of names of fields that hold no id: a value there only looks like one.
const NO_IDS: [&str; 12] = [
    "email",
    "emails",
    "name",
    "names",
    "text",
    "content",
    "message",
    "title",
    "description",
    "comment",
    "note",
    "prompt",
];

/// The wrong forms of one user's id, and the right one.
#[derive(Debug)]
pub struct Repair<'a> {
    right: &'a str,
    wrong: BTreeSet<&'a str>,
}

/// A document with its references put right.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewritten {
    /// Its fields.
    pub fields: BTreeMap<String, Value>,
    /// How many references changed.
    pub references: usize,
    /// Where two references would have become one: nothing of the document may be changed.
    pub clashes: Vec<String>,
}

/// What was found in the collections of a repair.
#[derive(Debug, Default)]
pub struct Survey {
    /// What would change.
    pub images: Vec<BeforeImage>,
    /// How many of each collection, in the order of the plan.
    pub seen: Vec<Seen>,
    /// Documents that are left as they are, and where two references would have become one.
    pub parked: Vec<(DocumentKey, Vec<String>)>,
    /// Documents whose own id holds a wrong form.
    pub named: Vec<DocumentKey>,
    bytes: usize,
}

/// One collection, counted.
#[derive(Debug)]
pub struct Seen {
    /// Its path.
    pub collection: String,
    /// Documents in it.
    pub documents: usize,
    /// Those that would change.
    pub change: usize,
    /// References in them.
    pub references: usize,
}

impl<'a> Repair<'a> {
    /// Of this act.
    ///
    /// # Errors
    /// When the right form is one of the wrong ones, or one is missing.
    pub fn of(act: &'a RepairAct) -> Result<Self, Text> {
        let right = act.user.raw();
        let wrong: BTreeSet<&str> = act.wrong.iter().map(Text::raw).collect();
        if right.is_empty() || wrong.is_empty() || wrong.contains("") {
            return Err(Text::from("a repair names the right id and at least one wrong one"));
        }
        if wrong.contains(right) {
            return Err(Text::from("the right id stands among the wrong ones"));
        }
        Ok(Self { right, wrong })
    }

    /// The same fields with every reference put right.
    pub fn rewrite(&self, fields: &BTreeMap<String, Value>) -> Rewritten {
        let mut pass = Pass { repair: self, references: 0, clashes: Vec::new() };
        let object: Map<String, Value> = fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let fields = pass.object(&object, "").into_iter().collect();
        Rewritten { fields, references: pass.references, clashes: pass.clashes }
    }

    /// Whether a document's id holds a wrong form: it is one, or one stands at its beginning or end.
    pub fn is_in_id(&self, id: &str) -> bool {
        self.wrong.iter().any(|wrong| {
            id == *wrong
                || id.strip_prefix(wrong).is_some_and(|rest| rest.starts_with('_'))
                || id.strip_suffix(wrong).is_some_and(|rest| rest.ends_with('_'))
        })
    }

    fn is_wrong(&self, text: &str) -> bool {
        self.wrong.contains(text)
    }

    /// True when at least two of these mean the user, not all in the same words, and one is wrong: in the
    /// right form they could not be told apart any more.
    fn would_clash<'t>(&self, texts: impl Iterator<Item = &'t str>) -> bool {
        let forms: BTreeSet<&str> = texts.filter(|text| *text == self.right || self.is_wrong(text)).collect();
        forms.len() > 1
    }
}

/// One walk through a document.
struct Pass<'a> {
    repair: &'a Repair<'a>,
    references: usize,
    clashes: Vec<String>,
}

impl Pass<'_> {
    fn value(&mut self, name: &str, value: &Value, at: &str) -> Value {
        match value {
            Value::String(text) if self.repair.is_wrong(text) && holds_ids(name) => self.right(),
            Value::Array(items) => self.array(name, items, at),
            Value::Object(object) if !shape::is_typed(object) => Value::Object(self.object(object, at)),
            other => other.clone(),
        }
    }

    fn right(&mut self) -> Value {
        self.references += 1;
        Value::String(self.repair.right.to_owned())
    }

    fn array(&mut self, name: &str, items: &[Value], at: &str) -> Value {
        if holds_ids(name) && self.repair.would_clash(items.iter().filter_map(Value::as_str)) {
            self.clashes.push(at.to_owned());
        }
        Value::Array(items.iter().map(|item| self.value(name, item, at)).collect())
    }

    fn object(&mut self, object: &Map<String, Value>, at: &str) -> Map<String, Value> {
        if self.repair.would_clash(object.keys().map(String::as_str)) {
            self.clashes.push(if at.is_empty() { "its fields".to_owned() } else { at.to_owned() });
        }
        let mut kept = Map::new();
        for (name, value) in object {
            let inside = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            let value = self.value(name, value, &inside);
            if self.repair.is_wrong(name) {
                self.references += 1;
                kept.insert(self.repair.right.to_owned(), value);
            } else {
                kept.insert(name.clone(), value);
            }
        }
        kept
    }
}

/// Whether a field of this name can hold a reference to a user.
fn holds_ids(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !OTHER_IDS.contains(&name.as_str()) && !NO_IDS.iter().any(|end| name.ends_with(end))
}

/// Looks through all collections of `act`. Reads only.
///
/// # Errors
/// When a collection cannot be read, or more would change than one step may.
pub async fn survey(documents: &dyn Documents, act: &RepairAct) -> Result<Survey, Text> {
    let repair = Repair::of(act)?;
    let mut survey = Survey::default();
    let mut looked = BTreeSet::new();
    for collection in act.collections.iter().map(Text::raw) {
        if !looked.insert(collection) {
            continue;
        }
        survey.seen.push(Seen { collection: collection.to_owned(), documents: 0, change: 0, references: 0 });
        let mut after = None;
        loop {
            let page = documents
                .scan(collection, after.as_deref(), PAGE)
                .await
                .map_err(|error| Text::new(format!("failed to {error}")))?;
            for document in page.documents {
                survey.take(&repair, document)?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(survey)
}

impl Survey {
    fn take(&mut self, repair: &Repair<'_>, document: Document) -> Result<(), Text> {
        let Some(seen) = self.seen.last_mut() else { return Ok(()) };
        seen.documents += 1;
        if repair.is_in_id(&document.key.id) {
            self.named.push(document.key.clone());
        }
        let Rewritten { fields, references, clashes } = repair.rewrite(&document.fields);
        if !clashes.is_empty() {
            self.parked.push((document.key, clashes));
            return Ok(());
        }
        if references == 0 {
            return Ok(());
        }
        seen.change += 1;
        seen.references += references;
        let (before, after) = (object(document.fields), object(fields));
        self.bytes += before.to_string().len() + after.to_string().len();
        self.images.push(BeforeImage {
            collection: document.key.collection,
            id: document.key.id,
            before: Some(before),
            version: Some(document.version),
            after: Some(after),
        });
        if self.images.len() > MOST_DOCUMENTS || self.bytes > MOST_BYTES {
            let why = format!(
                "more than {MOST_DOCUMENTS} documents or {} MiB would change: this is a migration, not a fix",
                MOST_BYTES / (1024 * 1024)
            );
            return Err(Text::new(why));
        }
        Ok(())
    }

    /// What would change, a line a collection.
    pub fn counts(&self) -> Vec<Text> {
        let line = |seen: &Seen| {
            format!(
                "{}: {} of {} documents would change, {} references",
                seen.collection, seen.change, seen.documents, seen.references
            )
        };
        self.seen.iter().map(|seen| Text::new(line(seen))).collect()
    }

    /// What is left as it is, a line a document.
    pub fn left_alone(&self) -> Vec<Text> {
        let parked = self.parked.iter().map(|(key, places)| {
            format!("{} is left as it is: in {} the right id stands beside a wrong one", key.path(), places.join(", "))
        });
        let named = self.named.iter().map(|key| format!("{} keeps its id, which holds a wrong one", key.path()));
        parked.chain(named).map(Text::new).collect()
    }
}

fn object(fields: BTreeMap<String, Value>) -> Value {
    Value::Object(fields.into_iter().collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    const RIGHT: &str = "usr_a1b2c3d4e5f6g7h8i9j0";

    fn act() -> RepairAct {
        RepairAct {
            user: Text::from(RIGHT),
            wrong: vec![
                Text::from("ana_example_com"),
                Text::from("100000000000000000001"),
                Text::from("ana@example.com"),
            ],
            collections: vec![Text::from("conversations")],
        }
    }

    fn rewrite(fields: &Value) -> Rewritten {
        let act = act();
        Repair::of(&act).unwrap().rewrite(&serde_json::from_value(fields.clone()).unwrap())
    }

    fn changes(from: &Value, to: Value, references: usize) {
        let fields = serde_json::from_value(to).unwrap();
        assert_eq!(rewrite(from), Rewritten { fields, references, clashes: Vec::new() });
    }

    #[test]
    fn references_in_fields_arrays_and_keys_are_put_right() {
        changes(
            &json!({
                "userId": "ana_example_com", "ownerId": "100000000000000000001", "certifiedBy": "ana@example.com",
                "members": ["bob", "ana_example_com"],
                "sharedWith": [{"type": "user", "id": "ana_example_com"}, {"type": "user", "id": "bob"}],
                "metadata": {"uploadedBy": "ana_example_com"},
                "readBy": {"ana_example_com": {"at": 1, "by": "ana_example_com"}, "bob": null},
            }),
            json!({
                "userId": RIGHT, "ownerId": RIGHT, "certifiedBy": RIGHT,
                "members": ["bob", RIGHT],
                "sharedWith": [{"type": "user", "id": RIGHT}, {"type": "user", "id": "bob"}],
                "metadata": {"uploadedBy": RIGHT},
                "readBy": {RIGHT: {"at": 1, "by": RIGHT}, "bob": null},
            }),
            8,
        );
    }

    #[test]
    fn texts_other_ids_and_typed_values_stay() {
        let fields = json!({
            "userEmail": "ana@example.com", "emails": ["ana@example.com"], "userName": "ana_example_com",
            "googleUserId": "100000000000000000001", "content": "ana_example_com",
            "storagePath": "ana_example_com/agent/file.pdf", "body": "ask ana_example_com about it",
            "owner": {"$reference": "ana_example_com"}, "ANA": "ANA_EXAMPLE_COM", "n": 100_000_000,
            "updatedAt": {"$timestamp": "2025-11-09T10:00:00Z"},
        });
        changes(&fields, fields.clone(), 0);
    }

    #[test]
    fn two_references_that_would_become_one_are_a_clash() {
        for (fields, place) in [
            (json!({"members": ["ana_example_com", RIGHT]}), "members"),
            (json!({"a": {"members": ["ana_example_com", "ana@example.com"]}}), "a.members"),
            (json!({"readBy": {"ana_example_com": 1, RIGHT: 2}}), "readBy"),
            (json!({"readBy": {"ana_example_com": 1, "100000000000000000001": 2}}), "readBy"),
            (json!({"ana_example_com": 1, RIGHT: 2}), "its fields"),
        ] {
            assert_eq!(rewrite(&fields).clashes, [place], "{fields}");
        }
        let twice = json!({"viewedBy": ["ana_example_com", "bob", "ana_example_com"]});
        changes(&twice, json!({"viewedBy": [RIGHT, "bob", RIGHT]}), 2);
    }

    #[test]
    fn a_repaired_document_needs_no_repair() {
        let once = rewrite(&json!({"userId": "ana_example_com", "by": {"ana_example_com": ["ana_example_com"]}}));
        let again = rewrite(&serde_json::to_value(&once.fields).unwrap());
        assert_eq!(again, Rewritten { fields: once.fields, references: 0, clashes: Vec::new() });
    }

    #[test]
    fn ids_that_hold_a_wrong_form_are_known() {
        let act = act();
        let repair = Repair::of(&act).unwrap();
        for id in ["ana_example_com", "ana_example_com_w-7", "2025-11_ana_example_com"] {
            assert!(repair.is_in_id(id), "{id}");
        }
        for id in ["ana_example_community", "joana_example_com", RIGHT, ""] {
            assert!(!repair.is_in_id(id), "{id}");
        }
    }

    #[test]
    fn a_repair_into_itself_is_refused() {
        let text = Text::from;
        let of = |user: &'static str, wrong: Vec<Text>| {
            Repair::of(&RepairAct { user: text(user), wrong, collections: Vec::new() }).map(|_| ())
        };
        assert!(of(RIGHT, vec![text("a"), text(RIGHT)]).is_err());
        assert!(of(RIGHT, Vec::new()).is_err());
        assert!(of(RIGHT, vec![text("")]).is_err());
        assert!(of("", vec![text("a")]).is_err());
    }
}
