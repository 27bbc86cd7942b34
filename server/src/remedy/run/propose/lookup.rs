//! Values that only the world knows: entries of inventories, users, documents that must be so.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Proposer;
use crate::documents::{Document, DocumentKey, Documents};
use crate::remedy::definition::template::{Value, Values};
use crate::remedy::definition::{Definition, Precondition};
use crate::remedy::inventory::{Entry, Inventory, Origin, texts_of};
use crate::remedy::parameter::{self, Kind, is_id, is_readable};
use crate::remedy::plan;
use crate::toml_source::shown;

/// Documents of one page, and most pages of one look-up: beyond that a collection is no inventory.
const PAGE: usize = 500;
const MOST_PAGES: usize = 40;

/// A value and where it stands.
pub(super) struct Found {
    pub value: Value,
    /// The matching entry, in words.
    pub entry: String,
}

impl Proposer {
    /// The value that a hostile text names.
    pub(super) async fn look_up(&self, kind: &Kind, raw: &str) -> Result<Found, String> {
        if !is_readable(raw) {
            return Err(format!("`{}` is too long, empty, or holds what cannot be shown", shown(raw)));
        }
        let plain = |value: Value| Found { value, entry: String::new() };
        match kind {
            Kind::Enum(words) => parameter::read_enum(raw, words).map(plain),
            Kind::Operation => parameter::read_operation(raw).map(plain),
            Kind::Ip => parameter::read_ip(raw, &self.settings.never_block).map(plain),
            Kind::Inventory(name) => self.entry(name, raw).await,
            Kind::User { collection, fields } => self.user(collection, fields, parameter::read_user(raw)?).await,
        }
    }

    async fn entry(&self, name: &str, raw: &str) -> Result<Found, String> {
        let inventory = self.catalogue.inventory(name).ok_or_else(|| format!("there is no inventory `{name}`"))?;
        if let Some(stale) = inventory.stale(self.clock.now()) {
            return Err(stale);
        }
        let found = |entry: &Entry| Found { value: entry.value(), entry: inventory.words(entry) };
        match &inventory.from {
            Origin::List { entries, .. } => parameter::read_entry(raw, name, entries).map(found),
            Origin::Collection { collection, field, aliases } => {
                let by_id = field.is_none() && aliases.is_empty();
                let entries = self.entries(inventory, collection, by_id.then_some(raw)).await?;
                parameter::read_entry(raw, name, &entries).map(found)
            }
        }
    }

    /// The entries of a collection; with an id, that one alone.
    async fn entries(&self, inventory: &Inventory, collection: &str, id: Option<&str>) -> Result<Vec<Entry>, String> {
        let documents = match id {
            Some(id) if is_id(id) => self.document(collection, id).await?.into_iter().collect(),
            Some(_) => Vec::new(),
            None => self.all(collection).await?,
        };
        let entry = |document: &Document| inventory.entry_of(&document.key.id, &document.fields);
        Ok(documents.iter().filter_map(entry).collect())
    }

    async fn user(&self, collection: &str, fields: &[String], raw: &str) -> Result<Found, String> {
        let found = match self.document(collection, raw).await? {
            Some(document) => document,
            None => self.user_by_field(collection, fields, raw).await?,
        };
        if !is_id(&found.key.id) {
            return Err(format!("the id `{}` of this user is no plain name", shown(&found.key.id)));
        }
        let mut texts = texts_of(&found.fields);
        let email = texts.get("email").and_then(|texts| texts.first()).cloned().unwrap_or_else(|| found.key.id.clone());
        if email.contains('@') {
            texts.entry("underscored".to_owned()).or_insert_with(|| vec![parameter::underscored(&email)]);
        }
        let entry = format!("document {collection}/{}", found.key.id);
        Ok(Found { value: Value { text: found.key.id, fields: texts }, entry })
    }

    async fn user_by_field(&self, collection: &str, fields: &[String], raw: &str) -> Result<Document, String> {
        let unknown = || format!("`{}` has no document in `{collection}`", shown(raw));
        if fields.is_empty() {
            return Err(unknown());
        }
        let named = |document: &Document| {
            let same = |field: &String| {
                document.fields.get(field).and_then(Json::as_str).is_some_and(|text| text.eq_ignore_ascii_case(raw))
            };
            fields.iter().any(same)
        };
        let mut found = self.all(collection).await?.into_iter().filter(named);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(unknown()),
            (Some(_), Some(_)) => Err(format!("several documents in `{collection}` name `{}`", shown(raw))),
        }
    }

    /// Whether the documents are as the definition wants them.
    pub(super) async fn documents_hold(&self, definition: &Definition, values: &Values) -> Result<(), String> {
        for precondition in &definition.preconditions {
            let Precondition::Document { title, collection, id, exists, field } = precondition else { continue };
            let segments: Result<Vec<String>, String> = collection.iter().map(|one| one.fill(values)).collect();
            let document = self.document(&segments?.join("/"), &id.fill(values)?).await?;
            let wanted = field.as_ref().map(|(at, value)| plan::json(value, values).map(|value| (at, value)));
            let holds = match (&document, wanted.transpose()?) {
                (None, _) => !exists,
                (Some(_), None) => *exists,
                (Some(document), Some((at, value))) => *exists && field_at(&document.fields, at) == Some(&value),
            };
            if !holds {
                return Err(format!("this does not hold: {}", title.fill(values)?));
            }
        }
        Ok(())
    }

    fn store(&self) -> Result<&dyn Documents, String> {
        self.documents.as_deref().ok_or_else(|| "this server has no document store".to_owned())
    }

    async fn document(&self, collection: &str, id: &str) -> Result<Option<Document>, String> {
        let key = DocumentKey { collection: collection.to_owned(), id: id.to_owned() };
        self.store()?.get(&key).await.map_err(|_| "the document store does not answer".to_owned())
    }

    async fn all(&self, collection: &str) -> Result<Vec<Document>, String> {
        let (mut documents, mut after): (Vec<Document>, Option<String>) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let page = self.store()?.scan(collection, after.as_deref(), PAGE).await;
            let page = page.map_err(|_| "the document store does not answer".to_owned())?;
            documents.extend(page.documents);
            after = page.next;
            if after.is_none() {
                return Ok(documents);
            }
        }
        Err(format!("`{collection}` has more than {} documents: look up by id instead", PAGE * MOST_PAGES))
    }
}

/// What stands at a JSON pointer below a document's fields.
fn field_at<'f>(fields: &'f BTreeMap<String, Json>, pointer: &str) -> Option<&'f Json> {
    let rest = pointer.strip_prefix('/')?;
    let (first, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    fields.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(below)
}
