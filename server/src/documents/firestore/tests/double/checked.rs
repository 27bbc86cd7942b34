//! What the service keeps: names, kinds of values, limits. Everything else it refuses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, SubsecRound};
use serde_json::{Map, Value, json};

use super::No;

/// Longest document, by the service's own measure, in bytes.
const DOCUMENT: usize = 1_048_576;
const PART: usize = 1_500;
const DEPTH: usize = 20;
/// What a document costs beside its name and fields.
const OVERHEAD: usize = 32;
/// What a name costs beside its parts.
const NAME: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Collection,
    Document,
}

/// Whether this is the path of such a place.
pub fn path(path: &str, place: Place) -> Result<(), No> {
    let parts: Vec<&str> = path.split('/').collect();
    let odd = !parts.len().is_multiple_of(2);
    let reserved = |part: &&str| part.len() > 3 && part.starts_with("__") && part.ends_with("__");
    let bad = |part: &&str| part.is_empty() || part.len() > PART || *part == "." || *part == ".." || reserved(part);
    if odd != (place == Place::Collection) || parts.iter().any(bad) || parts.len() > 200 {
        return Err(No::invalid(format!("the path {path} is invalid")));
    }
    Ok(())
}

/// A field path of plain letters.
pub fn simple_field(text: &str) -> Result<(), No> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain && !text.is_empty() && !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(());
    }
    Err(No::invalid("the field path is invalid"))
}

/// The fields of a document as they will stand.
pub fn document(path: &str, fields: Map<String, Value>) -> Result<Value, No> {
    let mut size = OVERHEAD + name(path);
    let fields = map(fields, 1, &mut size)?;
    if size > DOCUMENT {
        return Err(No::invalid("the document is longer than 1048576 bytes"));
    }
    Ok(Value::Object(fields))
}

fn name(path: &str) -> usize {
    NAME + path.split('/').map(|part| part.len() + 1).sum::<usize>()
}

fn map(fields: Map<String, Value>, depth: usize, size: &mut usize) -> Result<Map<String, Value>, No> {
    let mut kept = Map::new();
    for (name, field) in fields {
        let reserved = name.len() > 3 && name.starts_with("__") && name.ends_with("__") && name != "__type__";
        if name.is_empty() || name.len() > PART || reserved {
            return Err(No::invalid(format!("the field name {name} is invalid")));
        }
        *size += name.len() + 1;
        kept.insert(name, value(field, depth, false, size)?);
    }
    Ok(kept)
}

fn value(value: Value, depth: usize, in_array: bool, size: &mut usize) -> Result<Value, No> {
    if depth > DEPTH {
        return Err(No::invalid("the value is nested too deeply"));
    }
    let invalid = || No::invalid("a value is invalid");
    let Value::Object(object) = value else { return Err(invalid()) };
    let mut entries = object.into_iter();
    let (Some((kind, inner)), None) = (entries.next(), entries.next()) else { return Err(invalid()) };
    let (bytes, kept) = match (kind.as_str(), inner) {
        ("nullValue", Value::Null) => (1, Value::Null),
        ("booleanValue", Value::Bool(flag)) => (1, Value::Bool(flag)),
        ("integerValue", Value::String(digits)) => {
            let whole: i64 = digits.parse().map_err(|_| invalid())?;
            (8, json!(whole.to_string()))
        }
        ("doubleValue", Value::Number(number)) => (8, json!(number.as_f64().ok_or_else(invalid)?)),
        ("doubleValue", Value::String(word)) if ["NaN", "Infinity", "-Infinity"].contains(&word.as_str()) => {
            (8, Value::String(word))
        }
        ("stringValue", Value::String(text)) => (text.len() + 1, Value::String(text)),
        ("timestampValue", Value::String(text)) => (8, Value::String(timestamp(&text)?)),
        ("bytesValue", Value::String(text)) => {
            let bytes = STANDARD.decode(&text).map_err(|_| invalid())?;
            (bytes.len(), Value::String(text))
        }
        ("referenceValue", Value::String(text)) => {
            let parts: Vec<&str> = text.split('/').collect();
            let whole = parts.len() > 5 && (parts[0], parts[2], parts[4]) == ("projects", "databases", "documents");
            if !whole {
                return Err(invalid());
            }
            path(&parts[5..].join("/"), Place::Document)?;
            (name(&parts[5..].join("/")), Value::String(text))
        }
        ("geoPointValue", Value::Object(point)) => {
            let axis = |name: &str, most: f64| point.get(name)?.as_f64().filter(|degrees| degrees.abs() <= most);
            let both = axis("latitude", 90.0).zip(axis("longitude", 180.0));
            if both.is_none() || point.len() != 2 {
                return Err(invalid());
            }
            (16, Value::Object(point))
        }
        ("arrayValue", Value::Object(mut array)) if !in_array => {
            let Some(Value::Array(items)) = array.remove("values") else { return Err(invalid()) };
            let items = items.into_iter().map(|item| self::value(item, depth + 1, true, size));
            (0, json!({ "values": items.collect::<Result<Vec<_>, _>>()? }))
        }
        ("mapValue", Value::Object(mut inner)) => {
            let Some(Value::Object(fields)) = inner.remove("fields") else { return Err(invalid()) };
            (0, json!({ "fields": map(fields, depth + 1, size)? }))
        }
        _ => return Err(invalid()),
    };
    *size += bytes;
    Ok(json!({ kind: kept }))
}

/// Precise to microseconds: what is finer is rounded down.
fn timestamp(text: &str) -> Result<String, No> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| No::invalid("a timestamp is invalid"))?.to_utc();
    Ok(time.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::AutoSi, true))
}
