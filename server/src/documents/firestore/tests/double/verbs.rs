//! The requests that the double knows, each as its description has it.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::checked::{self, Place};
use super::{No, PROJECT, Stored, World};
use crate::documents::firestore::{DATABASE, value};

/// Most names of a page, whatever is asked for: the service may give fewer than it is asked for.
const NAMES: usize = 3;
/// Most writes of a commit.
const WRITES: usize = 500;

/// Does a request.
pub fn perform(world: &World, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Value, No> {
    let not_found = || No::new(404, "NOT_FOUND", "there is no such method");
    let root = format!("projects/{PROJECT}/databases/{DATABASE}/documents");
    let path = uri.path().strip_prefix("/v1/").ok_or_else(not_found)?;
    let (path, verb) = match path.rsplit_once(':') {
        Some((path, verb)) => (path, Some(verb)),
        None => (path, None),
    };
    let parts = path.split('/').map(|part| percent_decode_str(part).decode_utf8().map(std::borrow::Cow::into_owned));
    let parts: Vec<String> = parts.collect::<Result<_, _>>().map_err(|_| No::invalid("the address is no UTF-8"))?;
    let whole = parts.join("/");
    let below = whole.strip_prefix(&root).ok_or_else(|| No::new(404, "NOT_FOUND", "there is no such database"))?;
    let below = below.strip_prefix('/');
    if verb.is_none() {
        let collection = below.ok_or_else(not_found)?;
        return if *method == Method::GET {
            list(world, collection, uri.query().unwrap_or_default())
        } else {
            Err(not_found())
        };
    }
    let json = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if *method != Method::POST || !json || uri.query().is_some() {
        return Err(not_found());
    }
    if let Some(document) = below {
        checked::path(document, Place::Document)?;
    }
    match (verb, below) {
        (Some("listCollectionIds"), _) => collection_ids(world, below, taken(body)?),
        (Some("runQuery"), _) => query(world, below, taken(body)?),
        (Some("runAggregationQuery"), _) => count(world, below, taken(body)?),
        (Some("batchGet"), None) => batch_get(world, &taken(body)?),
        (Some("commit"), None) => commit(world, taken(body)?),
        _ => Err(not_found()),
    }
}

fn taken<T: DeserializeOwned>(body: &[u8]) -> Result<T, No> {
    serde_json::from_slice(body).map_err(|error| No::invalid(format!("Invalid JSON payload received: {error}")))
}

fn name(path: &str) -> String {
    format!("projects/{PROJECT}/databases/{DATABASE}/documents/{path}")
}

/// The path of a document of this database.
pub fn of_name(text: &str) -> Result<&str, No> {
    let path = text.strip_prefix(&name("")).ok_or_else(|| No::invalid(format!("the name {text} is of elsewhere")))?;
    checked::path(path, Place::Document)?;
    Ok(path)
}

fn given(path: &str, stored: &Stored) -> Value {
    let mut document = json!({ "name": name(path), "createTime": value::time(stored.created) });
    document["updateTime"] = json!(value::time(stored.updated));
    if stored.fields != json!({}) {
        document["fields"] = stored.fields.clone();
    }
    document
}

/// The documents of one collection, by their ids.
fn of_collection<'a>(documents: &'a BTreeMap<String, Stored>, collection: &str) -> BTreeMap<&'a str, &'a Stored> {
    let root = format!("{collection}/");
    let inside = |(path, stored): (&'a String, &'a Stored)| {
        path.rsplit_once('/').filter(|(parent, _)| *parent == collection).map(|(_, id)| (id, stored))
    };
    below(documents, &root).filter_map(inside).collect()
}

/// Everything whose path begins so.
fn below<'a>(
    documents: &'a BTreeMap<String, Stored>,
    root: &str,
) -> impl Iterator<Item = (&'a String, &'a Stored)> + use<'a> {
    let root = root.to_owned();
    documents.range(root.clone()..).take_while(move |(path, _)| path.starts_with(&root))
}

fn joined(below: Option<&str>, id: &str) -> String {
    below.map_or_else(|| id.to_owned(), |path| format!("{path}/{id}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CollectionIds {
    page_size: Option<usize>,
    page_token: Option<String>,
}

fn collection_ids(world: &World, document: Option<&str>, asked: CollectionIds) -> Result<Value, No> {
    let root = document.map_or_else(String::new, |path| format!("{path}/"));
    let documents = world.documents();
    let paths = below(&documents, &root).map(|(path, _)| path);
    let names = paths.filter_map(|path| path.strip_prefix(&root)?.split_once('/').map(|(name, _)| name));
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    // In no order that anybody may count on.
    names.sort_unstable_by(|one, other| other.cmp(one));
    names.dedup();
    let after = asked.page_token.map(|token| token.strip_prefix("after ").map(str::to_owned).ok_or_else(bad_token));
    let after = after.transpose()?;
    let from = after.map_or(0, |after| names.iter().take_while(|name| **name >= after.as_str()).count());
    let most = asked.page_size.unwrap_or(NAMES).min(NAMES);
    let page: Vec<&str> = names[from..].iter().take(most).copied().collect();
    let mut answer = Map::new();
    if from + page.len() < names.len() {
        answer.insert("nextPageToken".to_owned(), json!(format!("after {}", page.last().unwrap())));
    }
    if !page.is_empty() {
        answer.insert("collectionIds".to_owned(), json!(page));
    }
    Ok(Value::Object(answer))
}

fn bad_token() -> No {
    No::invalid("the page token is none")
}

/// Documents of a collection, and ids without one below which there are others.
fn list(world: &World, collection: &str, query: &str) -> Result<Value, No> {
    checked::path(collection, Place::Collection)?;
    let (mut most, mut after, mut missing) = (NAMES, None, false);
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').ok_or_else(|| No::invalid("the query is none"))?;
        let value = percent_decode_str(value).decode_utf8().map_err(|_| bad_token())?;
        match key {
            "pageSize" => most = value.parse().map_err(|_| No::invalid("pageSize"))?,
            "showMissing" => missing = value == "true",
            "mask.fieldPaths" => checked::simple_field(&value)?,
            "pageToken" => after = Some(value.strip_prefix("after ").ok_or_else(bad_token)?.to_owned()),
            other => return Err(No::invalid(format!("Invalid JSON payload received: unknown name {other}"))),
        }
    }
    let documents = world.documents();
    let root = format!("{collection}/");
    let mut ids: Vec<&str> = below(&documents, &root)
        .filter_map(|(path, _)| path.strip_prefix(&root))
        .filter(|rest| missing || !rest.contains('/'))
        .map(|rest| rest.split('/').next().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| after.as_deref().is_none_or(|after| *id > after));
    let page: Vec<Value> = ids
        .iter()
        .take(most.min(NAMES))
        .map(|id| match documents.get(&format!("{root}{id}")) {
            Some(stored) => given(&format!("{root}{id}"), &Stored { fields: json!({}), ..stored.clone() }),
            None => json!({ "name": name(&format!("{root}{id}")) }),
        })
        .collect();
    let mut answer = json!({});
    if page.len() < ids.len() {
        answer["nextPageToken"] = json!(format!("after {}", ids[page.len() - 1]));
    }
    answer["documents"] = Value::Array(page);
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RunQuery {
    structured_query: Query,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Query {
    from: Vec<From>,
    order_by: Option<Vec<Order>>,
    start_at: Option<Cursor>,
    limit: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct From {
    collection_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Order {
    field: Field,
    direction: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Field {
    field_path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Cursor {
    values: Vec<Reference>,
    before: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Reference {
    reference_value: String,
}

fn query(world: &World, below: Option<&str>, asked: RunQuery) -> Result<Value, No> {
    let asked = asked.structured_query;
    let [from] = asked.from.as_slice() else { return Err(No::invalid("a query has one collection")) };
    let collection = joined(below, &from.collection_id);
    checked::path(&collection, Place::Collection)?;
    let by_name = asked
        .order_by
        .iter()
        .flatten()
        .all(|order| order.field.field_path == "__name__" && order.direction == "ASCENDING");
    if !by_name || asked.order_by.as_ref().is_some_and(|order| order.len() != 1) {
        return Err(No::new(400, "FAILED_PRECONDITION", "the query requires an index"));
    }
    let after = match &asked.start_at {
        None => None,
        Some(cursor) if asked.order_by.is_some() && cursor.values.len() == 1 => {
            let (parent, id) = of_name(&cursor.values[0].reference_value)?.rsplit_once('/').unwrap();
            if parent != collection {
                return Err(No::invalid("the cursor is of another collection"));
            }
            Some((id.to_owned(), cursor.before))
        }
        Some(_) => return Err(No::invalid("a cursor has a value for each order")),
    };
    let limit = usize::try_from(asked.limit.unwrap_or(i32::MAX)).map_err(|_| No::invalid("limit is negative"))?;
    let documents = world.documents();
    let inside = of_collection(&documents, &collection);
    let behind = |id: &str| match &after {
        None => true,
        Some((after, before)) => id > after.as_str() || (*before && id == after),
    };
    let time = value::time(world.tick());
    let found = inside.into_iter().filter(|(id, _)| behind(id)).take(limit);
    let mut answers: Vec<Value> = found
        .map(|(id, stored)| json!({ "document": given(&format!("{collection}/{id}"), stored), "readTime": time }))
        .collect();
    if answers.is_empty() {
        answers.push(json!({ "readTime": time }));
    }
    Ok(Value::Array(answers))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RunCount {
    structured_aggregation_query: Count,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Count {
    structured_query: Query,
    aggregations: Vec<Aggregation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Aggregation {
    alias: String,
    count: CountOf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountOf {}

fn count(world: &World, below: Option<&str>, asked: RunCount) -> Result<Value, No> {
    let asked = asked.structured_aggregation_query;
    let ([from], [one]) = (asked.structured_query.from.as_slice(), asked.aggregations.as_slice()) else {
        return Err(No::invalid("one collection, one count"));
    };
    let CountOf {} = one.count;
    let collection = joined(below, &from.collection_id);
    checked::path(&collection, Place::Collection)?;
    let counted = of_collection(&world.documents(), &collection).len().to_string();
    let fields = json!({ one.alias.clone(): { "integerValue": counted } });
    Ok(json!([{ "result": { "aggregateFields": fields }, "readTime": value::time(world.tick()) }]))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchGet {
    documents: Vec<String>,
}

fn batch_get(world: &World, asked: &BatchGet) -> Result<Value, No> {
    let time = value::time(world.tick());
    let documents = world.documents();
    let mut names: Vec<&String> = asked.documents.iter().collect();
    names.sort_unstable();
    names.dedup();
    // In no order that anybody may count on.
    let one = |name: &&String| {
        let path = of_name(name)?;
        Ok(match documents.get(path) {
            Some(stored) => json!({ "found": given(path, stored), "readTime": time }),
            None => json!({ "missing": name, "readTime": time }),
        })
    };
    Ok(Value::Array(names.iter().rev().map(one).collect::<Result<_, _>>()?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    writes: Vec<Write>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Write {
    update: Option<Update>,
    delete: Option<String>,
    current_document: Option<Precondition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    name: String,
    #[serde(default)]
    fields: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Precondition {
    exists: Option<bool>,
    update_time: Option<String>,
}

fn commit(world: &World, asked: Commit) -> Result<Value, No> {
    if asked.writes.len() > WRITES {
        return Err(No::invalid("maximum 500 writes allowed per request"));
    }
    let mut standing = world.documents();
    // What it leaves, until all of it is known to be right.
    let mut left: BTreeMap<String, Option<Stored>> = BTreeMap::new();
    let now = world.tick();
    let mut results = Vec::new();
    for write in asked.writes {
        let (target, fields) = match (write.update, write.delete) {
            (Some(update), None) => (update.name, Some(update.fields)),
            (None, Some(name)) => (name, None),
            _ => return Err(No::invalid("a write is an update or a delete")),
        };
        let path = of_name(&target)?;
        let before = left.get(path).map_or_else(|| standing.get(path), Option::as_ref);
        if let Some(precondition) = &write.current_document {
            meets(before, precondition)?;
        }
        let Some(fields) = fields else {
            left.insert(path.to_owned(), None);
            results.push(json!({}));
            continue;
        };
        let fields = checked::document(path, fields)?;
        // What changes nothing leaves the time of the last change.
        let updated = before.filter(|before| before.fields == fields).map_or(now, |before| before.updated);
        let created = before.map_or(now, |before| before.created);
        left.insert(path.to_owned(), Some(Stored { fields, created, updated }));
        results.push(json!({ "updateTime": value::time(updated) }));
    }
    for (path, stored) in left {
        match stored {
            Some(stored) => drop(standing.insert(path, stored)),
            None => drop(standing.remove(&path)),
        }
    }
    Ok(json!({ "writeResults": results, "commitTime": value::time(now) }))
}

fn meets(current: Option<&Stored>, precondition: &Precondition) -> Result<(), No> {
    match (precondition.exists, &precondition.update_time) {
        (Some(false), None) if current.is_some() => Err(No::new(409, "ALREADY_EXISTS", "Document already exists")),
        (Some(true), None) if current.is_none() => Err(No::new(404, "NOT_FOUND", "No document to update")),
        (Some(_), None) => Ok(()),
        (None, Some(time)) => {
            let version = value::version(time).map_err(|_| No::invalid("the time is none, or not of microseconds"))?;
            match current {
                None => Err(No::new(404, "NOT_FOUND", "No document to update")),
                Some(current) if current.updated == version => Ok(()),
                Some(_) => Err(No::new(400, "FAILED_PRECONDITION", "the stored version does not match")),
            }
        }
        _ => Err(No::invalid("a precondition has one condition")),
    }
}
