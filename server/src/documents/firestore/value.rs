//! Typed values of the store as JSON of ours, and back: what was read and is written again is the same to the
//! last bit, and what would come back otherwise is refused before it is sent.
//!
//! A version is the time of the last change in microseconds. The store gives no finer time, and its last one
//! (the end of the year 9999) is below 2^58, so that it fits a u64, an i64, and back.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use super::name::Database;
use crate::documents::shape::{self, DOUBLES, SAFE_INTEGER};

/// The last microsecond of the year 9999: the last time that the store can say.
pub(super) const LAST_VERSION: u64 = 253_402_300_799_999_999;
const NANOS_OF_MICRO: u32 = 1_000;

/// Fields of ours.
pub(super) type Fields = BTreeMap<String, Value>;

/// Why a value cannot be sent, or is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit(pub &'static str);

type Fit<T> = Result<T, Unfit>;

/// Fields as the store takes them.
pub(super) fn sent(database: &Database, fields: &Fields) -> Fit<Value> {
    let field = |(name, value): (&String, &Value)| Ok((name.clone(), one_sent(database, value)?));
    Ok(Value::Object(fields.iter().map(field).collect::<Fit<Map<_, _>>>()?))
}

/// Fields as the store gave them; None: it has none.
pub(super) fn read(database: &Database, fields: Option<Value>) -> Fit<Fields> {
    Ok(map_read(database, fields)?.into_iter().collect())
}

fn one_sent(database: &Database, value: &Value) -> Fit<Value> {
    Ok(match value {
        Value::Null => json!({ "nullValue": null }),
        Value::Bool(flag) => json!({ "booleanValue": flag }),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => json!({ "integerValue": whole.to_string() }),
            None => json!({ "doubleValue": number }),
        },
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(items) => {
            if items.iter().any(Value::is_array) {
                return Err(Unfit("a list stands in a list"));
            }
            let items: Vec<Value> = items.iter().map(|item| one_sent(database, item)).collect::<Fit<_>>()?;
            json!({ "arrayValue": { "values": items } })
        }
        Value::Object(object) if shape::is_typed(object) => {
            let (kind, value) = object.iter().next().ok_or(Unfit("a value has no kind"))?;
            typed_sent(database, kind, value)?
        }
        Value::Object(object) => json!({ "mapValue": { "fields": map_sent(database, object)? } }),
    })
}

fn map_sent(database: &Database, map: &Map<String, Value>) -> Fit<Map<String, Value>> {
    map.iter().map(|(name, value)| Ok((name.clone(), one_sent(database, value)?))).collect()
}

fn typed_sent(database: &Database, kind: &str, value: &Value) -> Fit<Value> {
    match (kind, value) {
        (shape::MAP, Value::Object(map)) => Ok(json!({ "mapValue": { "fields": map_sent(database, map)? } })),
        ("$geo", Value::Object(point)) => {
            let axis = |name: &str, most: f64| {
                let degrees = point.get(name).filter(|value| value.is_f64()).and_then(Value::as_f64);
                degrees.filter(|degrees| degrees.abs() <= most)
            };
            let point = axis("latitude", 90.0).zip(axis("longitude", 180.0));
            let (latitude, longitude) = point.ok_or(Unfit("a $geo is of degrees with a point, as in -33.0"))?;
            Ok(json!({ "geoPointValue": { "latitude": latitude, "longitude": longitude } }))
        }
        (_, Value::String(text)) => text_sent(database, kind, text),
        _ => Err(Unfit("a typed value has another form")),
    }
}

fn text_sent(database: &Database, kind: &str, text: &str) -> Fit<Value> {
    match kind {
        "$integer" => {
            let whole: i64 = text.parse().map_err(|_| Unfit("an $integer is none"))?;
            if whole.unsigned_abs() <= SAFE_INTEGER {
                return Err(Unfit("an $integer up to 2^53 is written as a number"));
            }
            Ok(json!({ "integerValue": whole.to_string() }))
        }
        "$double" => Ok(json!({ "doubleValue": text })),
        "$timestamp" => {
            if instant(text).is_some_and(|instant| instant == text) {
                Ok(json!({ "timestampValue": text }))
            } else {
                Err(Unfit("a $timestamp is in UTC with the fewest of 0, 3, 6 or 9 digits, as in 2025-11-09T10:00:00Z"))
            }
        }
        "$bytes" => {
            if STANDARD.decode(text).is_ok_and(|bytes| STANDARD.encode(bytes) == text) {
                Ok(json!({ "bytesValue": text }))
            } else {
                Err(Unfit("$bytes are no base64 with its padding"))
            }
        }
        "$reference" => {
            let name = database.referred(text).ok_or(Unfit("a $reference names no document"))?;
            Ok(json!({ "referenceValue": name }))
        }
        _ => Err(Unfit("a typed value has another form")),
    }
}

fn one_read(database: &Database, value: Value) -> Fit<Value> {
    let none = Unfit("a value of the store has no kind, or several");
    let Value::Object(object) = value else { return Err(none) };
    let mut entries = object.into_iter();
    let (Some((kind, value)), None) = (entries.next(), entries.next()) else { return Err(none) };
    let other = Unfit("a value of the store has another form than its kind");
    match (kind.as_str(), value) {
        ("nullValue", _) => Ok(Value::Null),
        ("booleanValue", Value::Bool(flag)) => Ok(Value::Bool(flag)),
        ("integerValue", value) => whole_read(&value).ok_or(other),
        ("doubleValue", value) => double_read(&value).ok_or(other),
        ("stringValue", Value::String(text)) => Ok(Value::String(text)),
        ("timestampValue", Value::String(text)) => {
            instant(&text).map(|instant| json!({ "$timestamp": instant })).ok_or(other)
        }
        ("bytesValue", Value::String(text)) => Ok(json!({ "$bytes": text })),
        ("referenceValue", Value::String(name)) => {
            database.shown(&name).map(|shown| json!({ "$reference": shown })).ok_or(other)
        }
        ("geoPointValue", Value::Object(point)) => {
            // What is zero may be left out.
            let axis = |name: &str| point.get(name).map_or(Some(0.0), Value::as_f64);
            let (latitude, longitude) = axis("latitude").zip(axis("longitude")).ok_or(other)?;
            Ok(json!({ "$geo": { "latitude": latitude, "longitude": longitude } }))
        }
        ("arrayValue", Value::Object(mut array)) => match array.remove("values") {
            None => Ok(Value::Array(Vec::new())),
            Some(Value::Array(items)) => items.into_iter().map(|item| one_read(database, item)).collect(),
            Some(_) => Err(other),
        },
        ("mapValue", Value::Object(mut map)) => {
            let map = map_read(database, map.remove("fields"))?;
            Ok(if shape::is_typed(&map) { json!({ shape::MAP: map }) } else { Value::Object(map) })
        }
        _ => Err(Unfit("a value of the store is of a kind that is not known here")),
    }
}

fn map_read(database: &Database, fields: Option<Value>) -> Fit<Map<String, Value>> {
    match fields {
        None => Ok(Map::new()),
        Some(Value::Object(fields)) => {
            fields.into_iter().map(|(name, value)| Ok((name, one_read(database, value)?))).collect()
        }
        Some(_) => Err(Unfit("the fields of a document of the store are none")),
    }
}

fn whole_read(value: &Value) -> Option<Value> {
    let whole = match value {
        Value::String(digits) => digits.parse().ok()?,
        other => other.as_i64()?,
    };
    let whole: i64 = whole;
    let safe = whole.unsigned_abs() <= SAFE_INTEGER;
    Some(if safe { json!(whole) } else { json!({ "$integer": whole.to_string() }) })
}

fn double_read(value: &Value) -> Option<Value> {
    match value {
        Value::String(word) if DOUBLES.contains(&word.as_str()) => Some(json!({ "$double": word })),
        Value::String(digits) => digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(|n| json!(n)),
        number => number.as_f64().map(|number| json!(number)),
    }
}

/// One way to write an instant, to the nanosecond: the service has several.
fn instant(text: &str) -> Option<String> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The version that a time of change is.
pub(super) fn version(time: &str) -> Fit<u64> {
    let none = Unfit("the store gives a time of change that is none");
    let time = DateTime::parse_from_rfc3339(time).map_err(|_| none)?;
    if time.timestamp_subsec_nanos() % NANOS_OF_MICRO != 0 {
        return Err(Unfit("the store gives a time of change finer than a microsecond"));
    }
    u64::try_from(time.timestamp_micros()).ok().filter(|micros| *micros > 0 && *micros <= LAST_VERSION).ok_or(none)
}

/// The time of change that a version is. What is no version of any document becomes a time that none has.
pub(super) fn time(version: u64) -> String {
    let micros = version.clamp(1, LAST_VERSION) as i64;
    DateTime::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests;
