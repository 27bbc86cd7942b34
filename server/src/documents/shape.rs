//! What a document store takes: paths, field values, sizes. The same for every implementation, so that
//! what one of them keeps can be moved to another.
//!
//! The limits are those of the strictest store that is served (Cloud Firestore).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

use super::{DocumentKey, DocumentWrite, DocumentsError, Leave};

/// Most writes of one batch.
pub const BATCH: usize = 500;
/// Longest document, in bytes of its JSON.
pub const DOCUMENT_BYTES: usize = 1024 * 1024;
/// Longest part of a path, in bytes.
const PART_BYTES: usize = 1500;
/// Most parts of a path.
const PARTS: usize = 100;
/// Deepest nesting of maps and arrays.
const DEPTH: usize = 20;
/// Beyond it a double does not tell integers apart.
pub const SAFE_INTEGER: u64 = 1 << 53;
/// Names of the values that JSON has no word for.
const TYPED: [&str; 7] = ["$timestamp", "$bytes", "$reference", "$geo", "$integer", "$double", MAP];
/// Stands around a map that has one key, and that one is a name of these: it is no typed value.
pub const MAP: &str = "$map";
/// Doubles that JSON has no word for.
pub const DOUBLES: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// True for an object that stands for one typed value: no part of it is a field of the document.
pub fn is_typed(object: &Map<String, Value>) -> bool {
    object.len() == 1 && object.keys().all(|key| TYPED.contains(&key.as_str()))
}

/// Whether this is the path of a collection: an odd number of parts.
///
/// # Errors
/// What is wrong with it.
pub fn collection(path: &str) -> Result<(), DocumentsError> {
    if parts(path)? % 2 == 1 { Ok(()) } else { refused("the path of a collection has an odd number of parts") }
}

/// Whether this is the path of a document: an even number of parts.
///
/// # Errors
/// What is wrong with it.
pub fn document(path: &str) -> Result<(), DocumentsError> {
    if parts(path)?.is_multiple_of(2) { Ok(()) } else { refused("the path of a document has an even number of parts") }
}

/// Whether this key can name a document.
///
/// # Errors
/// What is wrong with it.
pub fn key(key: &DocumentKey) -> Result<(), DocumentsError> {
    collection(&key.collection)?;
    part(&key.id)
}

/// Whether these writes can be one batch.
///
/// # Errors
/// What is wrong with one of them, or with all together.
pub fn batch(writes: &[DocumentWrite]) -> Result<(), DocumentsError> {
    if writes.len() > BATCH {
        return refused(&format!("a batch has at most {BATCH} writes"));
    }
    let mut seen = BTreeSet::new();
    for write in writes {
        key(&write.key)?;
        if !seen.insert(&write.key) {
            return refused("a document stands at most once in a batch");
        }
        if let Leave::Fields(given) = &write.leave {
            fields(given)?;
        }
    }
    Ok(())
}

/// Whether these fields can be kept, and come back as they are.
///
/// # Errors
/// What is wrong with one of them.
pub fn fields(fields: &BTreeMap<String, Value>) -> Result<(), DocumentsError> {
    fields.iter().try_for_each(|(name, value)| named(name, value, 1))
}

fn parts(path: &str) -> Result<usize, DocumentsError> {
    let mut count = 0;
    for each in path.split('/') {
        part(each)?;
        count += 1;
    }
    if count > PARTS { refused("the path is too deep") } else { Ok(count) }
}

fn part(part: &str) -> Result<(), DocumentsError> {
    if part.is_empty() || part == "." || part == ".." {
        return refused("a part of a path is neither empty nor a dot");
    }
    if part.len() > PART_BYTES {
        return refused(&format!("a part of a path has at most {PART_BYTES} bytes"));
    }
    if part.contains(['/', '\0']) {
        return refused("a part of a path has no slash and no NUL in it");
    }
    Ok(())
}

fn named(name: &str, value: &Value, depth: usize) -> Result<(), DocumentsError> {
    if name.is_empty() || name.len() > PART_BYTES || name.contains('\0') {
        return refused("a name of a field is empty, too long, or has a NUL in it");
    }
    kept(value, depth)
}

fn kept(value: &Value, depth: usize) -> Result<(), DocumentsError> {
    if depth > DEPTH {
        return refused("the fields are nested too deeply");
    }
    match value {
        Value::Object(object) if is_typed(object) => {
            object.iter().try_for_each(|(name, value)| typed(name, value, depth))
        }
        Value::Object(object) => object.iter().try_for_each(|(name, value)| named(name, value, depth + 1)),
        Value::Array(items) => items.iter().try_for_each(|item| kept(item, depth + 1)),
        Value::Number(number) if !number.is_f64() && !is_safe(number) => {
            refused("integers beyond 2^53 are written as {\"$integer\": \"…\"}")
        }
        _ => Ok(()),
    }
}

fn is_safe(number: &Number) -> bool {
    number.as_i64().is_some_and(|number| number.unsigned_abs() <= SAFE_INTEGER)
}

fn typed(name: &str, value: &Value, depth: usize) -> Result<(), DocumentsError> {
    let good = match (name, value) {
        (MAP, Value::Object(map)) if is_typed(map) => return map.values().try_for_each(|value| kept(value, depth + 1)),
        (MAP, _) => false,
        ("$double", Value::String(word)) => DOUBLES.contains(&word.as_str()),
        ("$integer", Value::String(digits)) => digits.parse::<i64>().is_ok_and(|number| number.to_string() == *digits),
        ("$geo", Value::Object(point)) => {
            let axes = ["latitude", "longitude"];
            point.len() == axes.len() && axes.iter().all(|axis| point.get(*axis).is_some_and(Value::is_number))
        }
        ("$geo", _) => false,
        (_, value) => value.is_string(),
    };
    if good { Ok(()) } else { refused(&format!("a value of {name} has another form")) }
}

fn refused<T>(why: &str) -> Result<T, DocumentsError> {
    Err(DocumentsError::Refused(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_that_could_mean_something_else_are_refused() {
        for good in ["users", "agents/a-7/shares", "ünï/x y/z"] {
            assert!(collection(good).is_ok(), "{good}");
        }
        let long = "x".repeat(PART_BYTES + 1);
        let deep = ["a"; PARTS + 1].join("/");
        for bad in ["", "a/b", "/a/b", "a//b", "a/./b", "../x/y", "a\0", long.as_str(), deep.as_str()] {
            assert!(collection(bad).is_err(), "{bad}");
        }
        assert!(document("agents/a-7").is_ok());
        assert!(document("agents").is_err());
        assert!(key(&DocumentKey::new("users", "a/b")).is_err());
    }

    #[test]
    fn only_values_that_come_back_as_they_are_are_taken() {
        let one = |value: Value| fields(&BTreeMap::from([("x".to_owned(), value)]));
        let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        for good in [
            json!(null),
            json!(9_007_199_254_740_992_u64),
            json!(1e300),
            json!({"$integer": "-9223372036854775808"}),
            json!({"$geo": {"latitude": 1.5, "longitude": -2}}),
            json!({"$timestamp": "2025-11-09T10:00:00.123456Z"}),
            json!({"$own": 7}),
            json!({"$double": "-Infinity"}),
            json!({"$map": {"$timestamp": 5}}),
            json!({"$map": {"$map": {"x": 1}}}),
            deep(DEPTH - 1),
        ] {
            assert!(one(good.clone()).is_ok(), "{good}");
        }
        for bad in [
            json!(9_007_199_254_740_993_u64),
            json!(-9_007_199_254_740_993_i64),
            json!({"$integer": "9223372036854775808"}),
            json!({"$integer": 7}),
            json!({"$integer": "007"}),
            json!({"$geo": {"latitude": 1.5}}),
            json!({"$timestamp": 5}),
            json!({"$double": "1.5"}),
            json!({"$map": {"x": 1}}),
            json!({"$map": {"$bytes": 9_007_199_254_740_993_u64}}),
            json!({"$map": [1]}),
            json!({"": 5}),
            deep(DEPTH),
        ] {
            assert!(one(bad.clone()).is_err(), "{bad}");
        }
    }
}
