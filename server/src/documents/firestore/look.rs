//! What is read: names of collections, pages by name, single documents, counts.
//!
//! An answer that leaves out what was asked for, or is out of order, is no answer: nobody goes on with half of the
//! documents.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Service;
use super::name::{escaped, split};
use super::rest::{Ask, Missed};
use super::value::{self, Unfit};
use crate::documents::{AbsentPage, Document, DocumentKey, DocumentPage, DocumentsError, shape};

/// Most documents of a page.
pub(super) const PAGE: usize = 1_000;
/// Names that are asked for at once.
const NAMES: usize = 300;
/// Documents that are asked for at once by their names.
const TOGETHER: usize = 100;
/// A field that hardly any document has: only names are wanted.
const NO_FIELD: &str = "_";

/// A document as the store gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    name: String,
    fields: Option<Value>,
    update_time: Option<String>,
}

/// One of the answers to a query.
#[derive(Debug, Deserialize)]
struct Found {
    document: Option<Given>,
}

/// One of the answers to a question for names.
#[derive(Debug, Deserialize)]
struct Looked {
    found: Option<Given>,
    missing: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    documents: Vec<Given>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ids {
    #[serde(default)]
    collection_ids: Vec<String>,
    next_page_token: Option<String>,
}

impl Service {
    pub(super) async fn collections(&self, under: Option<&str>) -> Result<Vec<String>, DocumentsError> {
        under.map_or(Ok(()), shape::document)?;
        let place = self.database.address(under);
        let (mut names, mut token) = (Vec::new(), None::<String>);
        loop {
            let mut body = json!({ "pageSize": NAMES });
            if let Some(token) = token {
                body["pageToken"] = Value::String(token);
            }
            let page: Ids = understood(self.rest.read(&Ask::verb(&place, "listCollectionIds", &body)).await?)?;
            names.extend(page.collection_ids);
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                names.sort_unstable();
                names.dedup();
                return Ok(names);
            }
        }
    }

    pub(super) async fn scan(
        &self,
        collection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<DocumentPage, DocumentsError> {
        shape::collection(collection)?;
        let after = after.filter(|after| !after.is_empty());
        let usual = self.page.load(Ordering::Relaxed);
        let mut limit = limit.clamp(1, PAGE).min(usual);
        loop {
            match self.page_of(collection, after, limit).await {
                // Long ones: fewer of them, and so for those that follow, for a while.
                Err(Missed::TooLong) if limit > 1 => {
                    limit = limit.div_ceil(2);
                    self.page.store(limit, Ordering::Relaxed);
                }
                Err(missed) => return Err(missed.into()),
                Ok(page) => {
                    if limit == usual {
                        self.page.store((usual + usual.div_ceil(4)).min(PAGE), Ordering::Relaxed);
                    }
                    return Ok(page);
                }
            }
        }
    }

    async fn page_of(&self, collection: &str, after: Option<&str>, limit: usize) -> Result<DocumentPage, Missed> {
        let (parent, name) = split(collection);
        let mut query = json!({
            "from": [{ "collectionId": name }],
            "orderBy": [{ "field": { "fieldPath": "__name__" }, "direction": "ASCENDING" }],
            // One more than a page has: it tells whether another page follows.
            "limit": limit + 1,
        });
        if let Some(after) = after {
            let name = self.database.name(&format!("{collection}/{after}"));
            query["startAt"] = json!({ "values": [{ "referenceValue": name }], "before": false });
        }
        let ask = Ask::verb(&self.database.address(parent), "runQuery", &json!({ "structuredQuery": query }));
        let found: Vec<Found> = understood(self.rest.read(&ask).await?).map_err(Missed::Said)?;
        let given = found.into_iter().filter_map(|found| found.document);
        let documents = given.map(|given| self.document(given)).collect::<Result<Vec<_>, _>>();
        in_order(collection, after, limit, documents.map_err(Missed::Said)?).map_err(Missed::Said)
    }

    pub(super) async fn absent(&self, collection: &str, after: Option<&str>) -> Result<AbsentPage, DocumentsError> {
        shape::collection(collection)?;
        let (parent, name) = split(collection);
        let mut place = format!(
            "{}/{}?pageSize={NAMES}&showMissing=true&mask.fieldPaths={NO_FIELD}",
            self.database.address(parent),
            escaped(name)
        );
        if let Some(token) = after {
            place = format!("{place}&pageToken={}", escaped(token));
        }
        let page: Listed = understood(self.rest.read(&Ask::what_is(place)).await?)?;
        let missing = page.documents.iter().filter(|given| given.update_time.is_none());
        let ids = missing.map(|given| match self.database.key(&given.name) {
            Some(key) if key.collection == collection => Ok(key.id),
            _ => Err(other("of another collection")),
        });
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        Ok(AbsentPage { ids, next: page.next_page_token.filter(|token| !token.is_empty()) })
    }

    pub(super) async fn get(&self, key: &DocumentKey) -> Result<Option<Document>, DocumentsError> {
        shape::key(key)?;
        Ok(self.these(std::slice::from_ref(key)).await?.remove(key))
    }

    /// Documents by their keys; those that are not there are left out.
    pub(super) async fn these(&self, keys: &[DocumentKey]) -> Result<BTreeMap<DocumentKey, Document>, DocumentsError> {
        let mut all = BTreeMap::new();
        let mut rest = keys;
        let mut most = TOGETHER;
        while !rest.is_empty() {
            let some = &rest[..most.min(rest.len())];
            match self.some(some).await {
                Err(Missed::TooLong) if some.len() > 1 => most = some.len().div_ceil(2),
                Err(missed) => return Err(missed.into()),
                Ok(found) => {
                    all.extend(found);
                    rest = &rest[some.len()..];
                }
            }
        }
        Ok(all)
    }

    async fn some(&self, keys: &[DocumentKey]) -> Result<BTreeMap<DocumentKey, Document>, Missed> {
        let names: Vec<String> = keys.iter().map(|key| self.database.name(&key.path())).collect();
        let ask = Ask::verb(&self.database.address(None), "batchGet", &json!({ "documents": names }));
        let looked: Vec<Looked> = understood(self.rest.read(&ask).await?).map_err(Missed::Said)?;
        let (mut found, mut missing) = (BTreeMap::new(), 0);
        for one in looked {
            if let Some(given) = one.found {
                let document = self.document(given).map_err(Missed::Said)?;
                found.insert(document.key.clone(), document);
            }
            missing += usize::from(one.missing.is_some_and(|name| names.contains(&name)));
        }
        if found.len() + missing != keys.len() || found.keys().any(|key| !keys.contains(key)) {
            return Err(Missed::Said(other("for other documents than was asked")));
        }
        Ok(found)
    }

    pub(super) async fn count(&self, collection: &str) -> Result<u64, DocumentsError> {
        shape::collection(collection)?;
        let (parent, name) = split(collection);
        let query = json!({ "structuredAggregationQuery": {
            "structuredQuery": { "from": [{ "collectionId": name }] },
            "aggregations": [{ "alias": "count", "count": {} }],
        } });
        let ask = Ask::verb(&self.database.address(parent), "runAggregationQuery", &query);
        let answer = self.rest.read(&ask).await?;
        let counts = answer.as_array().into_iter().flatten();
        let mut counts = counts.filter_map(|one| one.pointer("/result/aggregateFields/count/integerValue"));
        let count = counts.next().and_then(|count| count.as_str()?.parse().ok());
        count.ok_or_else(|| other("without a count"))
    }

    fn document(&self, given: Given) -> Result<Document, DocumentsError> {
        let key = self.database.key(&given.name).ok_or_else(|| other("for another database"))?;
        let unfit = |Unfit(why): Unfit| {
            DocumentsError::Refused(format!("the document \"{}\" cannot be taken: {why}", key.path().escape_default()))
        };
        let version = given.update_time.as_deref().map_or(Err(Unfit("it has no time of change")), value::version);
        let version = version.map_err(unfit)?;
        let fields = value::read(&self.database, given.fields).map_err(unfit)?;
        Ok(Document { key, version, fields })
    }
}

/// A page, when it is one: of this collection, behind this id, in order.
fn in_order(
    collection: &str,
    after: Option<&str>,
    limit: usize,
    mut documents: Vec<Document>,
) -> Result<DocumentPage, DocumentsError> {
    if documents.iter().any(|document| is_number(&document.key.id)) {
        return Err(DocumentsError::Refused(format!(
            "\"{}\" has documents with numbers for ids (`__id…__`), which are out of order here",
            collection.escape_default()
        )));
    }
    let mut before = after.unwrap_or_default();
    for document in &documents {
        if document.key.collection != collection || document.key.id.as_str() <= before {
            return Err(other("out of order, or of another collection"));
        }
        before = &document.key.id;
    }
    let more = documents.len() > limit;
    documents.truncate(limit);
    let next = documents.last().filter(|_| more).map(|last| last.key.id.clone());
    Ok(DocumentPage { documents, next })
}

/// An id of a former store that is a number: those come before all others, in the order of numbers.
fn is_number(id: &str) -> bool {
    let digits = id.strip_prefix("__id").and_then(|rest| rest.strip_suffix("__"));
    digits.is_some_and(|digits| digits.parse::<i64>().is_ok())
}

fn understood<T: DeserializeOwned>(answer: Value) -> Result<T, DocumentsError> {
    serde_json::from_value(answer).map_err(|_| other("in another form than its description says"))
}

fn other(how: &str) -> DocumentsError {
    DocumentsError::Unavailable(format!("it answers {how}"))
}
