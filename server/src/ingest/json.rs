//! One JSON record, borrowed from the body: strings without escapes are not copied.
//!
//! Deliberately knows no field name; see the mapper for what keys mean.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use stella_protocol::{LogEvent, Timestamp};

use super::mapper::Mapper;
use super::{DEEPEST_JSON, LONGEST_RECORD};

/// A JSON value whose texts borrow where they can.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Flag(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Pairs<'a>),
}

/// The members of an object in their order.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

impl Json<'_> {
    /// The same value, owned, as attributes keep it.
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Flag(flag) => Value::Bool(flag),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::String(text.into_owned()),
            Self::List(items) => Value::Array(items.into_iter().map(Json::into_value).collect()),
            Self::Object(pairs) => {
                Value::Object(pairs.into_iter().map(|(key, value)| (key.into_owned(), value.into_value())).collect())
            }
        }
    }

    /// The number it is, or that its text spells.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            Self::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        }
    }
}

/// Reads one record; the error is a sentence without anything of the record in it.
pub(super) fn event(record: &str, received: Timestamp) -> Result<LogEvent<'_>, String> {
    let pairs = object(record)?;
    if pairs.is_empty() {
        return Err("the object is empty".to_owned());
    }
    let mut mapper = Mapper::new(received);
    mapper.take(pairs);
    Ok(mapper.finish(record))
}

/// Reads one object, bounded in length and depth.
pub(super) fn object(record: &str) -> Result<Pairs<'_>, String> {
    if record.len() > LONGEST_RECORD {
        return Err(format!("the record is longer than {LONGEST_RECORD} bytes"));
    }
    let mut reader = serde_json::Deserializer::from_str(record);
    let read = Nested(0).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match read {
        Ok(Json::Object(pairs)) => Ok(pairs),
        Ok(_) => Err("not a JSON object".to_owned()),
        Err(error) if error.is_data() => Err(format!("nested deeper than {DEEPEST_JSON}")),
        Err(error) => Err(format!("not JSON, at column {}", error.column())),
    }
}

/// Reads a value at this depth.
struct Nested(u8);

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Json<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Json<'de>, D::Error> {
        from.deserialize_any(self)
    }
}

impl Nested {
    fn deeper<E: Error>(&self) -> Result<u8, E> {
        if self.0 >= DEEPEST_JSON { Err(E::custom("nested too deeply")) } else { Ok(self.0 + 1) }
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json<'de>, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Number::from_f64(number).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let depth = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Nested(depth))? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let depth = self.deeper()?;
        let mut pairs = Vec::with_capacity(if depth == 1 { 16 } else { 4 });
        while let Some(key) = map.next_key_seed(Key)? {
            pairs.push((key, map.next_value_seed(Nested(depth))?));
        }
        Ok(Json::Object(pairs))
    }
}

/// Reads a key without copying it.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
