//! Both ways of every kind, of whatever is in it.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

fn database() -> Database {
    Database::new("p", "(default)")
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Zñ_. /`\\\\$]{1,8}",
        1 => prop::sample::select(vec!["$timestamp", "$bytes", "$integer", "$map", "$geo", "$double", "$reference"])
            .prop_map(str::to_owned)
    ]
}

/// A double as the store writes it: bits and all.
fn double(number: f64) -> Value {
    let word = if number.is_nan() {
        json!("NaN")
    } else if number.is_infinite() {
        json!(if number > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(number)
    };
    json!({ "doubleValue": word })
}

/// An instant of the years 1 to 9999, as fine as a timestamp can be.
fn any_instant() -> impl Strategy<Value = String> {
    let nanos = prop_oneof![
        Just(0_u32),
        (0_u32..1_000).prop_map(|millis| millis * 1_000_000),
        (0_u32..1_000_000).prop_map(|micros| micros * 1_000),
        0_u32..1_000_000_000,
    ];
    (-62_135_596_800_i64..=253_402_300_799, nanos).prop_map(|(seconds, nanos)| {
        DateTime::from_timestamp(seconds, nanos).unwrap().to_rfc3339_opts(SecondsFormat::AutoSi, true)
    })
}

/// Any value as the store writes it.
fn any_of_the_store() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({ "nullValue": null })),
        any::<bool>().prop_map(|flag| json!({ "booleanValue": flag })),
        any::<i64>().prop_map(|whole| json!({ "integerValue": whole.to_string() })),
        (-3_i64..3).prop_map(|near| json!({ "integerValue": ((1_i64 << 53) + near).to_string() })),
        any::<u64>().prop_map(|bits| double(f64::from_bits(bits))),
        prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 7.0, 5e-324, 1e300])
            .prop_map(double),
        any::<String>().prop_map(|text| json!({ "stringValue": text })),
        any_instant().prop_map(|instant| json!({ "timestampValue": instant })),
        vec(any::<u8>(), 0..40).prop_map(|bytes| json!({ "bytesValue": STANDARD.encode(bytes) })),
        ("[a-z]{1,5}", "[^/\0]{1,5}")
            .prop_map(|(collection, id)| json!({ "referenceValue": database().name(&format!("{collection}/{id}")) })),
        Just(json!({ "referenceValue": "projects/other/databases/x/documents/users/ana" })),
        (-90.0..=90.0_f64, -180.0..=180.0_f64).prop_map(|(latitude, longitude)| json!({
            "geoPointValue": { "latitude": latitude, "longitude": longitude }
        })),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|items| {
                let flat = items.into_iter().filter(|item| item.get("arrayValue").is_none());
                json!({ "arrayValue": { "values": flat.collect::<Vec<_>>() } })
            }),
            btree_map(any_name(), inner, 0..4).prop_map(|map| json!({ "mapValue": { "fields": map } })),
        ]
    })
}

proptest! {
    #[test]
    fn what_the_store_gave_it_gets_back_to_the_last_bit(fields in btree_map(any_name(), any_of_the_store(), 0..6)) {
        let given = json!(fields);
        let ours = read(&database(), Some(given.clone())).unwrap();
        shape::fields(&ours).unwrap();
        // Through a file of ours, and over the wire, as text.
        let kept: Fields = serde_json::from_str(&serde_json::to_string(&ours).unwrap()).unwrap();
        let back = sent(&database(), &kept).unwrap();
        prop_assert_eq!(serde_json::to_string(&back).unwrap(), serde_json::to_string(&given).unwrap());
        let over_the_wire: Value = serde_json::from_str(&back.to_string()).unwrap();
        prop_assert_eq!(read(&database(), Some(over_the_wire)).unwrap(), ours);
    }

    #[test]
    fn a_version_is_a_time_of_change_and_back(version in 1..=LAST_VERSION) {
        prop_assert_eq!(super::version(&time(version)).unwrap(), version);
        prop_assert!(i64::try_from(version).is_ok());
    }
}

#[test]
fn a_time_of_change_is_exact_or_none() {
    assert_eq!(version("2025-11-09T10:00:00.123456Z"), Ok(1_762_682_400_123_456));
    assert_eq!(version("2025-11-09T10:00:00Z").unwrap(), version("2025-11-09T10:00:00.000000Z").unwrap());
    assert_eq!(time(LAST_VERSION), "9999-12-31T23:59:59.999999Z");
    for none in ["2025-11-09T10:00:00.123456789Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "", "soon"] {
        assert!(version(none).is_err(), "{none}");
    }
    assert_eq!((time(0), time(u64::MAX)), (time(1), time(LAST_VERSION)));
}

#[test]
fn other_ways_to_write_the_same_are_understood() {
    let of = |value: Value| one_read(&database(), value);
    for (value, ours) in [
        (json!({ "nullValue": "NULL_VALUE" }), json!(null)),
        (json!({ "integerValue": 7 }), json!(7)),
        (json!({ "doubleValue": 7 }), json!(7.0)),
        (json!({ "doubleValue": "1.5" }), json!(1.5)),
        (
            json!({ "timestampValue": "2025-11-09T10:00:00.120000Z" }),
            json!({ "$timestamp": "2025-11-09T10:00:00.120Z" }),
        ),
        (
            json!({ "timestampValue": "2025-11-09T11:00:00.000000001+01:00" }),
            json!({ "$timestamp": "2025-11-09T10:00:00.000000001Z" }),
        ),
        (json!({ "arrayValue": {} }), json!([])),
        (json!({ "mapValue": {} }), json!({})),
        (json!({ "geoPointValue": {} }), json!({ "$geo": { "latitude": 0.0, "longitude": 0.0 } })),
        (
            json!({ "mapValue": { "fields": { "$bytes": { "nullValue": null } } } }),
            json!({ "$map": { "$bytes": null } }),
        ),
    ] {
        assert_eq!(of(value.clone()).unwrap(), ours, "{value}");
    }
    let minus: Value = serde_json::from_str(r#"{"doubleValue": -0}"#).unwrap();
    assert!(of(minus).unwrap().as_f64().unwrap().is_sign_negative());
}

#[test]
fn what_is_not_understood_is_said_and_never_left_out() {
    for value in [
        json!({}),
        json!(7),
        json!({ "integerValue": "7", "doubleValue": 7 }),
        json!({ "integerValue": "9223372036854775808" }),
        json!({ "functionValue": {} }),
        json!({ "booleanValue": "true" }),
        json!({ "mapValue": { "fields": [] } }),
        json!({ "arrayValue": { "values": [{ "newValue": 1 }] } }),
        json!({ "referenceValue": "users/ana" }),
        json!({ "timestampValue": "today" }),
    ] {
        assert!(one_read(&database(), value.clone()).is_err(), "{value}");
    }
}

#[test]
fn what_would_come_back_otherwise_is_not_sent() {
    for value in [
        json!([[1]]),
        json!({ "$integer": "7" }),
        json!({ "$timestamp": "2025-11-09" }),
        json!({ "$timestamp": "2025-11-09T10:00:00+01:00" }),
        json!({ "$timestamp": "2025-11-09T10:00:00.000Z" }),
        json!({ "$timestamp": "2025-11-09T10:00:00.12Z" }),
        json!({ "$bytes": "AA" }),
        json!({ "$bytes": "AB==" }),
        json!({ "$reference": "users" }),
        json!({ "$geo": { "latitude": 1, "longitude": 2.0 } }),
        json!({ "$geo": { "latitude": 91.0, "longitude": 2.0 } }),
    ] {
        assert!(one_sent(&database(), &value).is_err(), "{value}");
    }
}
